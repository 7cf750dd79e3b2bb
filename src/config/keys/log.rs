//! Keys of the log.

use super::{PLAIN, maybe, one, same};
use crate::config::key::{Alias, Key, Reload, Written};
use crate::config::rabbitmq_values as from;

pub(super) static KEYS: [Key; 16] = [
    Key {
        name: "log.level",
        doc: "The least severe lines to log, of every category that has no level of its own.",
        reload: Reload::AtOnce,
        rabbitmq: &[Alias { name: "log.default.level", written: Written::As(from::level) }],
        field: one!(LEVEL, log.level),
        ..PLAIN
    },
    Key {
        name: "log.format",
        doc: "How lines of the log look: as RabbitMQ's, or one JSON object each.",
        reload: Reload::AtOnce,
        field: one!(FORMAT, log.format),
        ..PLAIN
    },
    Key {
        name: "log.dir",
        doc: "The directory of a log file whose path is relative.",
        reload: Reload::AtOnce,
        rabbitmq: &[same("log.dir")],
        variables: &["RABBITMQ_LOG_BASE"],
        field: one!(PATH, log.dir),
        ..PLAIN
    },
    Key {
        name: "log.connection.level",
        doc: "The least severe lines to log of connections that come, log in and go.",
        unset: Some("log.level"),
        example: Some("warning"),
        reload: Reload::AtOnce,
        rabbitmq: &[Alias { name: "log.connection.level", written: Written::As(from::level) }],
        field: maybe!(LEVEL, log.connection),
        ..PLAIN
    },
    Key {
        name: "log.channel.level",
        doc: "The least severe lines to log of channels.",
        unset: Some("log.level"),
        example: Some("warning"),
        reload: Reload::AtOnce,
        rabbitmq: &[Alias { name: "log.channel.level", written: Written::As(from::level) }],
        field: maybe!(LEVEL, log.channel),
        ..PLAIN
    },
    Key {
        name: "log.queue.level",
        doc: "The least severe lines to log of queues and exchanges.",
        unset: Some("log.level"),
        example: Some("debug"),
        reload: Reload::AtOnce,
        rabbitmq: &[Alias { name: "log.queue.level", written: Written::As(from::level) }],
        field: maybe!(LEVEL, log.queue),
        ..PLAIN
    },
    Key {
        name: "log.storage.level",
        doc: "The least severe lines to log of the journal, the segments and recovery.",
        unset: Some("log.level"),
        example: Some("debug"),
        reload: Reload::AtOnce,
        field: maybe!(LEVEL, log.storage),
        ..PLAIN
    },
    Key {
        name: "log.console.enabled",
        doc: "Log to standard output.",
        reload: Reload::AtOnce,
        rabbitmq: &[same("log.console")],
        field: one!(SWITCH, log.console.enabled),
        ..PLAIN
    },
    Key {
        name: "log.console.level",
        doc: "The least severe lines to write there, whatever the category.",
        unset: Some("all that is logged"),
        example: Some("warning"),
        reload: Reload::AtOnce,
        rabbitmq: &[Alias { name: "log.console.level", written: Written::As(from::level) }],
        field: maybe!(LEVEL, log.console.level),
        ..PLAIN
    },
    Key {
        name: "log.console.format",
        doc: "How lines look there.",
        unset: Some("log.format"),
        example: Some("json"),
        reload: Reload::AtOnce,
        rabbitmq: &[Alias { name: "log.console.formatter", written: Written::As(from::format) }],
        field: maybe!(FORMAT, log.console.format),
        ..PLAIN
    },
    Key {
        name: "log.file.path",
        doc: "Log to this file as well; opened again on SIGHUP.",
        unset: Some("no file"),
        example: Some("/var/log/leveret/leveret.log"),
        reload: Reload::AtOnce,
        rabbitmq: &[Alias { name: "log.file", written: Written::As(from::unless_false) }],
        field: maybe!(PATH, log.file.path),
        ..PLAIN
    },
    Key {
        name: "log.file.level",
        doc: "The least severe lines to write to the file, whatever the category.",
        unset: Some("all that is logged"),
        example: Some("warning"),
        reload: Reload::AtOnce,
        rabbitmq: &[Alias { name: "log.file.level", written: Written::As(from::level) }],
        field: maybe!(LEVEL, log.file.level),
        ..PLAIN
    },
    Key {
        name: "log.file.format",
        doc: "How lines look in the file.",
        unset: Some("log.format"),
        example: Some("json"),
        reload: Reload::AtOnce,
        rabbitmq: &[Alias { name: "log.file.formatter", written: Written::As(from::format) }],
        field: maybe!(FORMAT, log.file.format),
        ..PLAIN
    },
    Key {
        name: "log.file.rotation.size",
        doc: "The size from which on the file is set aside, as PATH.0, and a new one is begun; 0 is never.",
        reload: Reload::AtOnce,
        rabbitmq: &[same("log.file.rotation.size")],
        field: one!(BYTES, log.file.rotation_size),
        ..PLAIN
    },
    Key {
        name: "log.file.rotation.count",
        doc: "How many files that were set aside are kept, PATH.0 being the latest.",
        reload: Reload::AtOnce,
        rabbitmq: &[same("log.file.rotation.count")],
        field: one!(NUMBER_16, log.file.rotation_count),
        ..PLAIN
    },
    Key {
        name: "log.file.rotation.date",
        doc: "When the file is set aside, whatever its size: hourly, daily, weekly, monthly, or as RabbitMQ writes it: $D0 \
              is each day at 0 o'clock UTC.",
        unset: Some("never"),
        example: Some("$D0"),
        reload: Reload::AtOnce,
        rabbitmq: &[same("log.file.rotation.date")],
        field: maybe!(ROTATION, log.file.rotation_date),
        ..PLAIN
    },
];
