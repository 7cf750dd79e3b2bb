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
    status
    topic_permissions
    users
    vhosts
}
