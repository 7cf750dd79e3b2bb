//! The one place that decides what a user may do, for every way of asking.

use std::fmt;
use std::sync::Arc;

use super::permission::{Permission, TopicPermission};
use super::user::{Tags, User};
use crate::name::VhostName;

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

/// What it is to be done to, in the virtual host that the rights are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// The virtual host as a whole.
    Vhost,
    /// An exchange, the default one among them.
    Exchange(&'a str),
    /// A queue.
    Queue(&'a str),
    /// The messages of a topic exchange with a routing or binding key.
    Topic(&'a str, &'a str),
}

/// The name by which permissions know the default exchange.
pub const DEFAULT_EXCHANGE: &str = "amq.default";

/// What a user may do in a virtual host, as it was defined at some moment.
#[derive(Clone, Debug)]
pub struct Rights {
    /// Who.
    pub user: Arc<User>,
    /// Where.
    pub vhost: VhostName,
    /// Nothing when it may not enter.
    pub permission: Option<Arc<Permission>>,
    /// Those of its exchanges that have any.
    pub topics: Arc<[TopicPermission]>,
}

impl Rights {
    /// Whether it may publish under another's user-id.
    pub fn may_impersonate(&self) -> bool {
        self.user.tags.has(Tags::IMPERSONATOR)
    }
}

/// Whether that may be done with these rights.
pub fn authorize<'a>(rights: &Rights, action: Action, resource: Resource<'a>) -> Result<(), Denied<'a>> {
    let denied = Denied { action, resource };
    let permission = rights.permission.as_ref().ok_or(denied)?;
    let is_allowed = match resource {
        Resource::Vhost => true,
        Resource::Exchange("") => permission.allows(action, DEFAULT_EXCHANGE),
        Resource::Exchange(name) | Resource::Queue(name) => permission.allows(action, name),
        // Whoever has no topic permission for an exchange may do with all keys what it may do with the exchange.
        Resource::Topic(exchange, key) => rights
            .topics
            .iter()
            .find(|topic| topic.exchange.as_str() == exchange)
            .is_none_or(|topic| topic.allows(action, key)),
    };
    if is_allowed { Ok(()) } else { Err(denied) }
}

/// The user may not do that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied<'a> {
    /// What was asked for.
    pub action: Action,
    /// Of what.
    pub resource: Resource<'a>,
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
    use crate::auth::UserLimits;

    fn rights(permission: Option<(&str, &str, &str)>) -> Rights {
        let (name, vhost) = ("u".into(), VhostName::from("/"));
        let topic = TopicPermission::parse(&name, &vhost, "t".into(), "^w", "^r").unwrap();
        let user = User { name, password: None, tags: Tags::default(), limits: UserLimits::default() };
        let permission = permission.map(|(c, w, r)| Arc::new(Permission::parse(c, w, r).unwrap()));
        Rights { user: Arc::new(user), vhost, permission, topics: [topic].into() }
    }

    #[test]
    fn each_action_is_allowed_by_its_own_pattern() {
        use Action::{Access, Configure, Read, Write};
        let rights = rights(Some(("^c", "^(w|amq\\.default)", "^r")));
        for (action, resource, expected) in [
            (Access, Resource::Vhost, true),
            (Configure, Resource::Queue("c1"), true),
            (Configure, Resource::Exchange("c1"), true),
            (Configure, Resource::Queue("w1"), false),
            (Write, Resource::Exchange("w1"), true),
            (Write, Resource::Exchange(""), true),
            (Read, Resource::Exchange(""), false),
            (Write, Resource::Exchange("r1"), false),
            (Read, Resource::Queue("r1"), true),
            (Read, Resource::Queue("c1"), false),
            (Write, Resource::Topic("t", "w.1"), true),
            (Write, Resource::Topic("t", "r.1"), false),
            (Read, Resource::Topic("t", "r.1"), true),
            (Read, Resource::Topic("other", "x"), true),
        ] {
            assert_eq!(authorize(&rights, action, resource).is_ok(), expected, "{action} {resource:?}");
        }
    }

    #[test]
    fn without_a_permission_for_the_virtual_host_nothing_is_allowed() {
        let rights = rights(None);
        for action in [Action::Access, Action::Configure, Action::Write, Action::Read] {
            for resource in [
                Resource::Vhost,
                Resource::Exchange("e"),
                Resource::Queue("q"),
                Resource::Topic("other", "k"),
            ] {
                let expected = Err(Denied { action, resource });
                assert_eq!(authorize(&rights, action, resource), expected, "{action} {resource:?}");
            }
        }
    }
}
