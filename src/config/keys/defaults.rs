//! Keys of what virtual hosts are made with.

use super::{PLAIN, many};
use crate::config::key::{Alias, Key, Reload, Written};

pub(super) static LIMITS: [Key; 1] = [Key {
    name: "default_limits.vhosts",
    doc: "The limits of virtual hosts that are made from then on: the first entry counts whose pattern, a regular expression, is \
          found in the name. Each is words: pattern, max_connections and max_queues. A pattern has \\x20 for a blank, and \
          commas in files only.",
    unset: Some("they are made without limits"),
    example: Some("pattern=^device max_connections=10 max_queues=100"),
    reload: Reload::AtOnce,
    rabbitmq: &[Alias { name: "default_limits.vhosts.$name.$setting", written: Written::Words(None) }],
    field: many!(LIMITS, vhosts.default_limits),
    ..PLAIN
}];

pub(super) static USERS: [Key; 1] = [Key {
    name: "default_users",
    doc: "The users of virtual hosts that are made from then on, written likewise: name, vhost_pattern, password, tags, \
          configure, write and read. A user that there is already keeps its password and its tags. A password has \\x20 for \
          a blank.",
    unset: Some("they are made without any"),
    example: Some("name=device vhost_pattern=^device password=secret configure=^$"),
    reload: Reload::AtOnce,
    rabbitmq: &[Alias { name: "default_users.$name.$setting", written: Written::Words(Some("name")) }],
    field: many!(VHOST_USERS, vhosts.default_users),
    ..PLAIN
}];

pub(super) static POLICIES: [Key; 1] = [Key {
    name: "default_policies.operator",
    doc: "The operator policies of virtual hosts that are made from then on, written likewise: name, vhost_pattern, \
          queue_pattern, apply_to, and what an operator policy may say.",
    unset: Some("they are made without any"),
    example: Some("name=short vhost_pattern=^device queue_pattern=^tmp apply_to=queues expires=3600000"),
    reload: Reload::AtOnce,
    rabbitmq: &[Alias {
        name: "default_policies.operator.$name.$setting",
        written: Written::Words(Some("name")),
    }],
    field: many!(POLICIES, vhosts.default_policies),
    ..PLAIN
}];
