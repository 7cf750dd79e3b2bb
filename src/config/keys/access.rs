//! Keys of users: the first one, and how users may log in.

use super::{PLAIN, many, maybe, named, one, same};
use crate::config::key::{Alias, Key, Reload, Written};
use crate::config::{check, rabbitmq_values as from};

pub(super) static KEYS: [Key; 18] = [
    Key {
        name: "default_user",
        doc: "The user that a broker makes whose data directory is empty.",
        rabbitmq: &[same("default_user")],
        variables: &["RABBITMQ_DEFAULT_USER", "RABBITMQ_USERNAME"],
        field: one!(USER, access.default_user.name),
        ..PLAIN
    },
    Key {
        name: "default_pass",
        doc: "Its password. Better in a file that LEVERET_DEFAULT_PASS_FILE names, or in a configuration file that only the \
              broker may read.",
        unset: Some("guest"),
        example: Some("a password of your own"),
        rabbitmq: &[same("default_pass")],
        variables: &["RABBITMQ_DEFAULT_PASS", "RABBITMQ_PASSWORD"],
        field: one!(SECRET, access.default_user.password),
        ..PLAIN
    },
    Key {
        name: "default_user_tags",
        doc: "Its tags.",
        rabbitmq: &[named("default_user_tags.$name")],
        field: one!(TAGS, access.default_user.tags),
        ..PLAIN
    },
    Key {
        name: "default_vhost",
        doc: "The virtual host that such a broker makes.",
        rabbitmq: &[same("default_vhost")],
        variables: &["RABBITMQ_DEFAULT_VHOST", "RABBITMQ_VHOST"],
        field: one!(VHOST, access.default_user.vhost),
        ..PLAIN
    },
    Key {
        name: "loopback_users",
        doc: "Users that may log in from this machine only.",
        reload: Reload::NewConnections,
        rabbitmq: &[named("loopback_users.$name")],
        field: many!(USER, access.loopback_users),
        ..PLAIN
    },
    Key {
        name: "auth_mechanisms",
        doc: "The mechanisms that are offered. EXTERNAL is to connections with a certificate, ANONYMOUS where \
              anonymous_login_user is set.",
        reload: Reload::NewConnections,
        rabbitmq: &[same("auth_mechanisms.$name")],
        check: check::auth_mechanisms,
        field: many!(MECHANISM, access.mechanisms),
        ..PLAIN
    },
    Key {
        name: "anonymous_login_user",
        doc: "The user as whom those log in that do not say who they are.",
        unset: Some("they may not log in"),
        example: Some("guest"),
        reload: Reload::NewConnections,
        rabbitmq: &[Alias { name: "anonymous_login_user", written: Written::As(from::unless_none) }],
        field: maybe!(USER, access.anonymous_user),
        ..PLAIN
    },
    Key {
        name: "channel_max_per_node",
        doc: "How many channels all connections together may have open.",
        unset: Some("no limit"),
        example: Some("100000"),
        reload: Reload::AtOnce,
        rabbitmq: &[Alias { name: "channel_max_per_node", written: Written::As(from::unless_infinity) }],
        field: maybe!(NUMBER_64, access.channel_max_per_node),
        ..PLAIN
    },
    Key {
        name: "cluster_exchange_limit",
        doc: "How many exchanges all virtual hosts together may have, with those that each has from the start.",
        unset: Some("no limit"),
        example: Some("100000"),
        reload: Reload::AtOnce,
        rabbitmq: &[Alias { name: "cluster_exchange_limit", written: Written::As(from::unless_infinity) }],
        field: maybe!(NUMBER_64, access.cluster_exchange_limit),
        ..PLAIN
    },
    Key {
        name: "cluster_queue_limit",
        doc: "How many queues all virtual hosts together may have.",
        unset: Some("no limit"),
        example: Some("100000"),
        reload: Reload::AtOnce,
        rabbitmq: &[Alias { name: "cluster_queue_limit", written: Written::As(from::unless_infinity) }],
        field: maybe!(NUMBER_64, access.cluster_queue_limit),
        ..PLAIN
    },
    Key {
        name: "consumer_max_per_channel",
        doc: "How many consumers a channel may have.",
        unset: Some("no limit"),
        example: Some("1000"),
        reload: Reload::AtOnce,
        rabbitmq: &[Alias { name: "consumer_max_per_channel", written: Written::As(from::unless_infinity) }],
        field: maybe!(NUMBER_64, access.consumer_max_per_channel),
        ..PLAIN
    },
    Key {
        name: "password_hashing_module",
        doc: "How passwords that are set are hashed. Those that are there stay as they are.",
        reload: Reload::AtOnce,
        rabbitmq: &[same("password_hashing_module")],
        field: one!(HASHING, access.hashing),
        ..PLAIN
    },
    Key {
        name: "default_permissions.configure",
        doc: "The regular expression of the names that the default user may declare and delete in the default virtual host.",
        rabbitmq: &[same("default_permissions.configure")],
        check: check::configure,
        field: one!(TEXT, access.default_user.configure),
        ..PLAIN
    },
    Key {
        name: "default_permissions.write",
        doc: "The regular expression of the names that it may write to.",
        rabbitmq: &[same("default_permissions.write")],
        check: check::write,
        field: one!(TEXT, access.default_user.write),
        ..PLAIN
    },
    Key {
        name: "default_permissions.read",
        doc: "The regular expression of the names that it may read from.",
        rabbitmq: &[same("default_permissions.read")],
        check: check::read,
        field: one!(TEXT, access.default_user.read),
        ..PLAIN
    },
    Key {
        name: "credential_validator.validation_backend",
        doc: "What passwords that are set have to be like: anything, of some length, or such that a regular expression is \
              found in them. It holds for passwords, not for hashes.",
        reload: Reload::AtOnce,
        rabbitmq: &[same("credential_validator.validation_backend")],
        check: check::validation_backend,
        field: one!(CREDENTIAL_VALIDATOR, access.credentials.validator),
        ..PLAIN
    },
    Key {
        name: "credential_validator.min_length",
        doc: "How many bytes they have at least, by rabbit_credential_validator_min_password_length.",
        reload: Reload::AtOnce,
        rabbitmq: &[same("credential_validator.min_length")],
        field: one!(NUMBER_64, access.credentials.min_length),
        ..PLAIN
    },
    Key {
        name: "credential_validator.regexp",
        doc: "What is found in them, by rabbit_credential_validator_password_regexp: a regular expression as in permissions.",
        unset: Some("none"),
        example: Some("^[A-Za-z0-9!]{12,}$"),
        reload: Reload::AtOnce,
        rabbitmq: &[same("credential_validator.regexp")],
        check: check::credential_pattern,
        field: maybe!(TEXT, access.credentials.pattern),
        ..PLAIN
    },
];
