//! Every key there is: the one table that the sources, the flags, the help and the example file are made of.

mod access;
mod defaults;
mod definitions;
mod http_tls;
mod listeners;
mod log;
mod management;
mod metrics;
mod node;
mod statistics;
mod tls;

#[cfg(test)]
mod tests;

use super::key::{Alias, Key, One, Reload, Written};
use super::{kind, rabbitmq_values};

/// The parts of the table, in the order in which they are listed. Those of a section stand together.
static PARTS: &[&[Key]] = &[
    &node::KEYS,
    &definitions::LOAD,
    &defaults::USERS,
    &access::KEYS,
    &defaults::LIMITS,
    &defaults::POLICIES,
    &listeners::KEYS,
    &tls::KEYS,
    &definitions::KEYS,
    &management::KEYS,
    &management::TLS,
    &management::CORS,
    &management::CSP,
    &management::HSTS,
    &management::HEADERS,
    &metrics::KEYS,
    &metrics::TLS,
    &statistics::KEYS,
    &log::KEYS,
];

/// The keys, in the order in which they are listed.
pub fn keys() -> impl Iterator<Item = &'static Key> + Clone {
    PARTS.iter().copied().flatten()
}

/// A place that always has a value, one that need not, and a list.
macro_rules! one {
    ($kind:ident, $($path:ident).+) => {
        &$crate::config::key::One(|c| &c.$($path).+, |c| &mut c.$($path).+, &$crate::config::kind::$kind)
    };
}
macro_rules! maybe {
    ($kind:ident, $($path:ident).+) => {
        &$crate::config::key::Maybe(|c| &c.$($path).+, |c| &mut c.$($path).+, &$crate::config::kind::$kind)
    };
}
macro_rules! many {
    ($kind:ident, $($path:ident).+) => {
        &$crate::config::key::Many(|c| &c.$($path).+, |c| &mut c.$($path).+, &$crate::config::kind::$kind)
    };
}
use {many, maybe, one};

/// What most keys do not have.
const PLAIN: Key = Key {
    name: "",
    doc: "",
    own_flag: None,
    unset: None,
    example: None,
    reload: Reload::Restart,
    rabbitmq: &[],
    variables: &[],
    check: |_| Ok(()),
    field: &One(|c| &c.in_memory, |c| &mut c.in_memory, &kind::SWITCH),
};

/// A name in rabbitmq.conf under which values are written as here.
const fn same(name: &'static str) -> Alias {
    Alias { name, written: Written::As(rabbitmq_values::as_it_is) }
}

/// Names in rabbitmq.conf that end with what is one of a list, or not.
const fn named(name: &'static str) -> Alias {
    Alias { name, written: Written::InName }
}
