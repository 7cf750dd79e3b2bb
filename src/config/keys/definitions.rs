//! Keys of definitions that are imported at the start.

use super::{PLAIN, maybe, one, same};
use crate::config::key::Key;

/// The one that stands in no section.
pub(super) static LOAD: [Key; 1] = [Key {
    name: "load_definitions",
    doc: "A file with definitions, as RabbitMQ exports them, to be imported at every start; or a directory, of which all files \
          are imported that end with .json. Users and virtual hosts in them take the place of the default ones.",
    unset: Some("nothing is imported"),
    example: Some("/etc/leveret/definitions.json"),
    rabbitmq: &[
        same("load_definitions"),
        same("definitions.local.path"),
        same("management.load_definitions"),
    ],
    variables: &["RABBITMQ_MANAGEMENT_LOAD_DEFINITIONS"],
    field: maybe!(PATH, definitions.load),
    ..PLAIN
}];

pub(super) static KEYS: [Key; 2] = [
    Key {
        name: "definitions.import_backend",
        doc: "Where definitions come from: local_filesystem.",
        unset: Some("local_filesystem"),
        example: Some("local_filesystem"),
        rabbitmq: &[same("definitions.import_backend")],
        check: |config| config.definitions.check(),
        field: maybe!(TEXT, definitions.import_backend),
        ..PLAIN
    },
    Key {
        name: "definitions.skip_if_unchanged",
        doc: "Import definitions at the start only if they are others than those that were imported last.",
        rabbitmq: &[same("definitions.skip_if_unchanged")],
        field: one!(SWITCH, definitions.skip_if_unchanged),
        ..PLAIN
    },
];
