//! Virtual hosts.

use std::sync::Arc;

use serde_json::{Value, json};

use super::entry::{Entry, Made, Obstacle, Read, Reading, Standing, There, some};
use super::fields::Fields;
use super::limits;
use super::path::Finding;
use crate::connection::Environment;
use crate::connection::operate::Unchanged;
use crate::name::VhostName;
use crate::place::Batch;
use crate::store::definitions::VhostMetadata;
use crate::vhost::Vhost;

/// As it is exported. Its limits stand among the parameters as well, from which they are imported.
pub(super) fn object(name: &str, metadata: &VhostMetadata) -> Value {
    let mut told = json!({ "description": metadata.description, "tags": metadata.tags });
    let mut object = json!({
        "name": name,
        "description": metadata.description,
        "tags": metadata.tags,
        "limits": limits::of_vhost(metadata),
    });
    if let (Some(told), Some(object)) = (told.as_object_mut(), object.as_object_mut()) {
        if let Some(queue_type) = &metadata.default_queue_type {
            told.insert("default_queue_type".to_owned(), json!(queue_type));
            object.insert("default_queue_type".to_owned(), json!(queue_type));
        }
        if metadata.protected_from_deletion {
            told.insert("protected_from_deletion".to_owned(), json!(true));
        }
        object.insert("metadata".to_owned(), Value::Object(told.clone()));
    }
    object
}

const QUEUE_TYPE: &str = "default_queue_type";

struct VhostEntry {
    name: VhostName,
    /// Whether tracing is to be on, where that is said; it is never exported.
    tracing: Option<bool>,
    metadata: VhostMetadata,
}

const KNOWN: [&str; 9] = [
    "name",
    "description",
    "tags",
    "default_queue_type",
    "metadata",
    "limits",
    "protected_from_deletion",
    "tracing",
    "cluster_state",
];
const KNOWN_METADATA: [&str; 4] = ["description", "tags", "default_queue_type", "protected_from_deletion"];

/// What is not said stays as it is.
pub(super) fn read(fields: &Fields<'_>, reading: &mut Reading<'_>) -> Read {
    let name = VhostName::from(fields.some_name("name")?);
    let found = reading.environment.vhosts.get(name.as_str());
    let mut metadata = found.map_or_else(VhostMetadata::default, |vhost| (*vhost.metadata()).clone());
    reading.remarks.extend(fields.unknown(&KNOWN));
    // What stands outside of the metadata is what older versions wrote, and counts.
    if fields.get("metadata").is_some_and(Value::is_object) {
        let within = fields.within("metadata")?;
        reading.remarks.extend(within.unknown(&KNOWN_METADATA));
        read_metadata(&within, &mut metadata, reading)?;
    }
    read_metadata(fields, &mut metadata, reading)?;
    let tracing = fields.has("tracing").then(|| fields.switch("tracing", false)).transpose()?;
    some(VhostEntry { name, tracing, metadata })
}

fn read_metadata(
    fields: &Fields<'_>,
    metadata: &mut VhostMetadata,
    reading: &mut Reading<'_>,
) -> Result<(), Finding> {
    if let Some(description) = fields.maybe_text("description")? {
        description.clone_into(&mut metadata.description);
    }
    if let Some(tags) = fields.words("tags")? {
        metadata.tags = tags;
    }
    metadata.protected_from_deletion =
        fields.switch("protected_from_deletion", metadata.protected_from_deletion)?;
    match fields.maybe_text(QUEUE_TYPE)? {
        None => {}
        Some("classic" | "undefined" | "" | "rabbit_classic_queue") => metadata.default_queue_type = None,
        Some("quorum" | "rabbit_quorum_queue") => metadata.default_queue_type = Some("quorum".to_owned()),
        Some(other) => {
            let other = other.escape_debug();
            let reason = format!("there are no queues of the type '{other}' here: passed over");
            reading.remarks.push(fields.finding(&[QUEUE_TYPE], reason));
        }
    }
    Ok(())
}

impl Entry for VhostEntry {
    fn json(&self) -> Value {
        object(self.name.as_str(), &self.metadata)
    }

    fn obstacle(&self, _: &There<'_>) -> Option<Obstacle> {
        None
    }

    fn standing(&self, environment: &Environment) -> Standing {
        let found = environment.vhosts.get(self.name.as_str());
        let is_otherwise = |vhost: &Arc<Vhost>| self.tracing.is_some_and(|on| on != vhost.is_tracing());
        let is_tracing_otherwise = found.as_ref().is_some_and(is_otherwise);
        let found = found.map(|vhost| object(self.name.as_str(), &vhost.metadata()));
        match Standing::of(found, &self.json()) {
            Standing::Same if is_tracing_otherwise => Standing::Differs(self.json()),
            standing => standing,
        }
    }

    fn apply(&self, environment: &Environment) -> Result<Option<Batch>, Obstacle> {
        let name = self.name.as_str();
        let changed = match environment.vhosts.get(name) {
            None => environment.create_vhost(name, self.metadata.clone()),
            Some(_) => environment.change_vhost(name, self.metadata.clone()),
        };
        let until = changed.map_err(|why: Unchanged| Obstacle::mistake(&["name"], why.to_string()))?;
        if let (Some(tracing), Some(vhost)) = (self.tracing, environment.vhosts.get(name)) {
            vhost.set_tracing(tracing);
        }
        Ok(until)
    }

    fn makes(&self) -> Option<Made> {
        Some(Made::Vhost(self.name.to_string()))
    }
}
