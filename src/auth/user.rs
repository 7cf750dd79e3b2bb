//! Users and how they log in.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::DEFAULT_VHOST;
use super::mechanism::Credentials;
use super::secret::Secret;
use crate::name::{UserName, VhostName};

/// A user.
#[derive(Debug)]
pub struct User {
    name: UserName,
    password: Secret,
    /// Whether it may log in from this machine only, as RabbitMQ's `loopback_users` may.
    loopback_only: bool,
    /// The virtual hosts in which it may do everything.
    vhosts: Vec<VhostName>,
}

impl User {
    /// The user of a broker that nobody has configured: `guest` with the password `guest`, from this machine only.
    fn guest() -> Self {
        Self {
            name: UserName::from("guest"),
            password: Secret::new(*b"guest"),
            loopback_only: true,
            vhosts: vec![VhostName::from(DEFAULT_VHOST)],
        }
    }

    /// The login name.
    pub fn name(&self) -> &UserName {
        &self.name
    }

    pub(super) fn may_do_everything_in(&self, vhost: &VhostName) -> bool {
        self.vhosts.contains(vhost)
    }
}

/// Every user of the broker.
#[derive(Debug)]
pub struct Users {
    users: Vec<Arc<User>>,
    /// Compared with when there is no such user, so that an unknown one takes as long as a wrong password.
    nobody: Secret,
}

impl Default for Users {
    fn default() -> Self {
        Self { users: vec![Arc::new(User::guest())], nobody: Secret::new(*b"nobody") }
    }
}

impl Users {
    /// The user with these credentials. `peer` is where the connection comes from, not where it arrived.
    pub fn log_in(&self, credentials: &Credentials<'_>, peer: IpAddr) -> Result<Arc<User>, LoginRefused> {
        let user = self.users.iter().find(|user| user.name.as_str() == credentials.login);
        let password = user.map_or(&self.nobody, |user| &user.password);
        let matches = bool::from(password.matches(credentials.password));
        match user {
            Some(user) if user.loopback_only && !peer.to_canonical().is_loopback() => {
                Err(LoginRefused::LoopbackOnly)
            }
            // A blank password never logs in, not even where one was set.
            Some(user) if matches && !credentials.password.is_empty() => Ok(Arc::clone(user)),
            _ => Err(LoginRefused::InvalidCredentials),
        }
    }
}

/// Why a login failed: for the log, never for the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRefused {
    /// No such user, or not its password.
    InvalidCredentials,
    /// The user may log in from this machine only.
    LoopbackOnly,
}

impl fmt::Display for LoginRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidCredentials => "invalid credentials",
            Self::LoopbackOnly => "can only connect via localhost",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b13_guest_logs_in_with_its_password_from_this_machine() {
        use LoginRefused::{InvalidCredentials, LoopbackOnly};
        for (login, password, peer, expected) in [
            ("guest", "guest", "127.0.0.1", Ok("guest")),
            ("guest", "guest", "127.8.8.8", Ok("guest")),
            ("guest", "guest", "::1", Ok("guest")),
            ("guest", "guest", "::ffff:127.0.0.1", Ok("guest")),
            ("guest", "guest", "192.0.2.1", Err(LoopbackOnly)),
            ("guest", "guest", "::ffff:192.0.2.1", Err(LoopbackOnly)),
            ("guest", "guest", "2001:db8::1", Err(LoopbackOnly)),
            ("guest", "wrong", "192.0.2.1", Err(LoopbackOnly)),
            ("guest", "wrong", "127.0.0.1", Err(InvalidCredentials)),
            ("guest", "", "127.0.0.1", Err(InvalidCredentials)),
            ("Guest", "guest", "127.0.0.1", Err(InvalidCredentials)),
            ("nobody", "nobody", "127.0.0.1", Err(InvalidCredentials)),
            ("", "", "127.0.0.1", Err(InvalidCredentials)),
        ] {
            let credentials = Credentials { login, password: password.as_bytes() };
            let user = Users::default().log_in(&credentials, peer.parse().unwrap());
            let name = user.as_ref().map(|user| user.name().as_str()).map_err(|refused| *refused);
            assert_eq!(name, expected, "{login}:{password} from {peer}");
        }
    }
}
