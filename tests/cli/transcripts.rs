//! What every command says.

use crate::shell::Shell;

macro_rules! transcripts {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                Shell::new().follow(stringify!($name));
            }
        )*
    };
}

transcripts! {
    bindings
    browse
    context
    definitions
    exchanges
    health
    limits
    messages
    output
    parameters
    permissions
    policies
    queues
    rabbitmq_diagnostics
    rabbitmq_plugins
    rabbitmq_queues
    rabbitmqadmin
    rabbitmqctl_lists
    rabbitmqctl_node
    rabbitmqctl_policies
    rabbitmqctl_users
    rabbitmqctl_vhosts
    rabbitmqctl_words
    status
    topic_permissions
    users
    vhosts
}
