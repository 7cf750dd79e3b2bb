//! RabbitMQ's command line, `rabbitmqadmin`: every command that has a meaning here. What is run, and what it has to
//! show, stands in `scripts/`.

mod complete;
mod script;

/// A check for each script.
macro_rules! scripts {
    ($($name:ident)*) => {
        const SCRIPTS: &[(&str, &str)] =
            &[$((stringify!($name), include_str!(concat!("scripts/", stringify!($name), ".txt")))),*];
        mod scripts {
            $(#[test]
            fn $name() {
                crate::script::run(include_str!(concat!("scripts/", stringify!($name), ".txt")));
            })*
        }
    };
}

scripts! {
    connections definitions exchanges features federation node operator_policies parameters policies queues shovels
    streams users vhosts
}
