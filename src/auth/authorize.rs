//! The one place that decides what a user may do, for every way of asking.

use std::fmt;

use super::user::User;
use crate::name::{ExchangeName, QueueName, VhostName};

/// What somebody wants to do, in RabbitMQ's terms of permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a connection to a virtual host.
    Access,
    /// Make, change or delete.
    Configure,
    /// Put messages in.
    Write,
    /// Take messages out.
    Read,
}

/// What it is to be done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// A virtual host as a whole.
    Vhost(&'a VhostName),
    /// An exchange.
    Exchange(&'a VhostName, &'a ExchangeName),
    /// A queue.
    Queue(&'a VhostName, &'a QueueName),
    /// The messages of a topic exchange with a routing or binding key.
    Topic(&'a VhostName, &'a ExchangeName, &'a str),
}

impl<'a> Resource<'a> {
    /// The virtual host that the resource is in.
    pub const fn vhost(self) -> &'a VhostName {
        match self {
            Self::Vhost(vhost)
            | Self::Exchange(vhost, _)
            | Self::Queue(vhost, _)
            | Self::Topic(vhost, _, _) => vhost,
        }
    }
}

/// Whether `user` may do that. Permissions are by virtual host: a user has all of them in its own ones.
pub fn authorize(user: &User, action: Action, resource: Resource<'_>) -> Result<(), Denied> {
    if user.may_do_everything_in(resource.vhost()) { Ok(()) } else { Err(Denied { action }) }
}

/// The user may not do that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What was asked for.
    pub action: Action,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Access => "access",
            Self::Configure => "configure",
            Self::Write => "write",
            Self::Read => "read",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Credentials, Users};

    #[test]
    fn the_built_in_user_may_do_everything_in_the_default_virtual_host_and_nothing_elsewhere() {
        let credentials = Credentials { login: "guest", password: b"guest" };
        let guest = Users::default().log_in(&credentials, [127, 0, 0, 1].into()).unwrap();
        let (exchange, queue) = (ExchangeName::from("e"), QueueName::from("q"));
        for (vhost, allowed) in [("/", true), ("other", false), ("", false)] {
            let vhost = &VhostName::from(vhost);
            for action in [Action::Access, Action::Configure, Action::Write, Action::Read] {
                for resource in [
                    Resource::Vhost(vhost),
                    Resource::Exchange(vhost, &exchange),
                    Resource::Queue(vhost, &queue),
                    Resource::Topic(vhost, &exchange, "k"),
                ] {
                    let expected = if allowed { Ok(()) } else { Err(Denied { action }) };
                    assert_eq!(authorize(&guest, action, resource), expected, "{action} {resource:?}");
                }
            }
        }
    }
}
