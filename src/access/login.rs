//! Logging in.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Access, LoginProtocol};
use crate::auth::{Claim, Mechanism, PasswordHash, User};
use crate::time::Time;

/// Where a peer comes from, and who its certificate says that it is.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The address that the connection comes from, not that where it arrived.
    pub address: IpAddr,
    /// The name in its certificate, if it has shown one that is trusted.
    pub certificate: Option<Arc<str>>,
}

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        Self { address, certificate: None }
    }
}

/// Why a login failed: for the log, never for the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRefused {
    /// No such user, or not its password.
    InvalidCredentials,
    /// The user may log in from this machine only.
    LoopbackOnly,
    /// The peer has not shown a certificate.
    NoCertificate,
    /// Nobody may log in without saying who it is.
    NotAnonymous,
}

impl fmt::Display for LoginRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidCredentials => "invalid credentials",
            Self::LoopbackOnly => "can only connect via localhost",
            Self::NoCertificate => "no certificate that is trusted",
            Self::NotAnonymous => "anonymous logins are off (anonymous_login_user)",
        })
    }
}

impl Access {
    /// Whether a mechanism can be chosen by a peer from there.
    pub fn offers(&self, mechanism: Mechanism, origin: &Origin) -> bool {
        let settings = self.settings();
        settings.mechanisms.contains(&mechanism)
            && match mechanism {
                Mechanism::Plain | Mechanism::AmqPlain => true,
                Mechanism::External => origin.certificate.is_some(),
                Mechanism::Anonymous => settings.anonymous_user.is_some(),
            }
    }

    /// The user that a peer is. A password takes the same time whether it is wrong or its user unknown.
    pub fn log_in(&self, claim: Claim<'_>, origin: &Origin) -> Result<Arc<User>, LoginRefused> {
        let settings = self.settings();
        let user = match claim {
            Claim::Password(credentials) => {
                let user = self.user(credentials.login);
                let hash = user.as_ref().and_then(|user| user.password.as_ref());
                let matches = bool::from(PasswordHash::verify(hash, credentials.password));
                // A blank password never logs in, not even where one was set.
                user.filter(|_| matches && !credentials.password.is_empty())
            }
            Claim::Certificate => {
                let name = origin.certificate.as_deref().ok_or(LoginRefused::NoCertificate)?;
                self.user(name)
            }
            Claim::Anonymous => {
                let name = settings.anonymous_user.as_ref().ok_or(LoginRefused::NotAnonymous)?;
                self.user(name.as_str())
            }
        };
        let user = user.ok_or(LoginRefused::InvalidCredentials)?;
        if settings.loopback_users.contains(&user.name) && !origin.address.to_canonical().is_loopback() {
            return Err(LoginRefused::LoopbackOnly);
        }
        Ok(user)
    }

    /// The same, and counts it.
    pub fn log_in_over(
        &self,
        protocol: LoginProtocol,
        claim: Claim<'_>,
        origin: &Origin,
    ) -> Result<Arc<User>, LoginRefused> {
        let named = match &claim {
            Claim::Password(credentials) => Some(credentials.login.to_owned()),
            Claim::Certificate => origin.certificate.as_deref().map(str::to_owned),
            Claim::Anonymous => None,
        };
        let found = self.log_in(claim, origin);
        let name =
            named.or_else(|| found.as_ref().ok().map(|user| user.name.to_string())).unwrap_or_default();
        self.attempts().count(protocol, origin.address, &name, found.is_ok());
        found
    }

    /// A login from there has failed: how long its answer is to be delayed.
    pub fn failed(&self, origin: &Origin) -> Duration {
        super::lock(&self.penalties).failed(origin.address, Time::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{AccessSettings, Credentials, Hashing, Tags, UserLimits};

    fn access() -> Access {
        let settings =
            AccessSettings { anonymous_user: Some("nameless".into()), ..AccessSettings::default() };
        let access = Access::in_memory(settings);
        for (name, password) in [("nameless", None), ("other", Some("secret")), ("blank", Some(""))] {
            let password =
                password.map(|text: &str| PasswordHash::new(Hashing::Sha512, [1, 2, 3, 4], text.as_bytes()));
            let (tags, limits) = (Tags::default(), UserLimits::default());
            access.add_user(User { name: name.into(), password, tags, limits }).unwrap();
        }
        access
    }

    #[test]
    fn b13_a_user_logs_in_with_its_password_from_where_it_may() {
        use LoginRefused::{InvalidCredentials, LoopbackOnly};
        let access = access();
        for (login, password, peer, expected) in [
            ("guest", "guest", "127.0.0.1", Ok("guest")),
            ("guest", "guest", "127.8.8.8", Ok("guest")),
            ("guest", "guest", "::1", Ok("guest")),
            ("guest", "guest", "::ffff:127.0.0.1", Ok("guest")),
            ("guest", "guest", "192.0.2.1", Err(LoopbackOnly)),
            ("guest", "guest", "::ffff:192.0.2.1", Err(LoopbackOnly)),
            ("guest", "guest", "2001:db8::1", Err(LoopbackOnly)),
            ("guest", "wrong", "192.0.2.1", Err(InvalidCredentials)),
            ("guest", "wrong", "127.0.0.1", Err(InvalidCredentials)),
            ("guest", "", "127.0.0.1", Err(InvalidCredentials)),
            ("Guest", "guest", "127.0.0.1", Err(InvalidCredentials)),
            ("other", "secret", "192.0.2.1", Ok("other")),
            ("nameless", "", "127.0.0.1", Err(InvalidCredentials)),
            ("nameless", "nameless", "127.0.0.1", Err(InvalidCredentials)),
            ("blank", "", "127.0.0.1", Err(InvalidCredentials)),
            ("nobody", "nobody", "127.0.0.1", Err(InvalidCredentials)),
            ("", "", "127.0.0.1", Err(InvalidCredentials)),
        ] {
            let claim = Claim::Password(Credentials { login, password: password.as_bytes() });
            let user = access.log_in(claim, &peer.parse::<IpAddr>().unwrap().into());
            let name = user.as_ref().map(|user| user.name.as_str()).map_err(|refused| *refused);
            assert_eq!(name, expected, "{login}:{password} from {peer}");
        }
    }

    #[test]
    fn a_certificate_is_a_user_by_its_name_and_nobody_is_the_anonymous_one() {
        let access = access();
        let from = |certificate: Option<&str>| Origin {
            address: [192, 0, 2, 1].into(),
            certificate: certificate.map(Arc::from),
        };
        for (claim, certificate, expected) in [
            (Claim::Certificate, Some("nameless"), Ok("nameless")),
            (Claim::Certificate, Some("unknown"), Err(LoginRefused::InvalidCredentials)),
            (Claim::Certificate, Some("guest"), Err(LoginRefused::LoopbackOnly)),
            (Claim::Certificate, None, Err(LoginRefused::NoCertificate)),
            (Claim::Anonymous, None, Ok("nameless")),
        ] {
            let user = access.log_in(claim, &from(certificate));
            let name = user.as_ref().map(|user| user.name.as_str()).map_err(|refused| *refused);
            assert_eq!(name, expected, "{certificate:?}");
        }
        let without = Access::in_memory(AccessSettings::default());
        assert_eq!(without.log_in(Claim::Anonymous, &from(None)).unwrap_err(), LoginRefused::NotAnonymous);
        let offered = |access: &Access, origin: &Origin| {
            Mechanism::ALL.map(|mechanism| access.offers(mechanism, origin))
        };
        assert_eq!(offered(&without, &from(None)), [true, true, false, false]);
        assert_eq!(offered(&without, &from(Some("x"))), [true, true, true, false]);
        assert_eq!(offered(&access, &from(None)), [true, true, false, false], "not among the mechanisms");
    }
}
