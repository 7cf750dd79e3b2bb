//! Whoever may do everything without being one of the users: an operator on this machine.

use std::sync::Arc;

use crate::auth::{Permission, Rights, Tags, User, UserLimits};
use crate::name::VhostName;

/// What it is called where somebody has to be named, as RabbitMQ's command line is.
const NAME: &str = "rmq-cli";

/// An administrator whom no user list knows, and whom no password lets in.
pub fn operator() -> Arc<User> {
    let tags = Tags::new([Tags::ADMINISTRATOR]).unwrap_or_default();
    Arc::new(User { name: NAME.into(), password: None, tags, limits: UserLimits::default() })
}

/// All rights in a virtual host.
pub fn rights_of_operator(vhost: &VhostName) -> Rights {
    let permission = Permission::parse(".*", ".*", ".*").ok().map(Arc::new);
    Rights { user: operator(), vhost: vhost.clone(), permission, topics: [].into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Action, Resource, authorize};

    #[test]
    fn an_operator_may_do_everything() {
        let rights = rights_of_operator(&"/".into());
        for action in [Action::Access, Action::Configure, Action::Write, Action::Read] {
            for resource in
                [Resource::Vhost, Resource::Queue("q"), Resource::Exchange(""), Resource::Topic("t", "k")]
            {
                assert!(authorize(&rights, action, resource).is_ok(), "{action} {resource:?}");
            }
        }
        assert!(rights.user.tags.has(Tags::ADMINISTRATOR));
    }
}
