//! Virtual hosts as they are written down.

use super::fields::{FieldWriter, Fields, Malformed};
use crate::config::Durability;
use crate::name::VhostName;
use crate::rate::RateLimit;

/// A virtual host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VhostDefinition {
    /// Its name.
    pub name: VhostName,
    /// What a confirm promises in it; nothing when it follows the broker's setting.
    pub durability: Option<Durability>,
    /// What else is said of it.
    pub metadata: VhostMetadata,
}

/// What an operator says of a virtual host, and may change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VhostMetadata {
    /// What it is for, in somebody's words.
    pub description: String,
    /// Tags, which mean something to people only.
    pub tags: Vec<String>,
    /// The type of queues that are declared without one, if it is not classic.
    pub default_queue_type: Option<String>,
    /// How many connections to it there may be.
    pub max_connections: Option<u64>,
    /// How many queues it may have.
    pub max_queues: Option<u64>,
    /// How much may be published in it in a second.
    pub publish_rate: RateLimit,
    /// Whether it may not be deleted.
    pub protected_from_deletion: bool,
}

mod tag {
    pub(super) const DURABILITY: u8 = 1;
    pub(super) const DESCRIPTION: u8 = 2;
    /// One field a tag.
    pub(super) const TAG: u8 = 3;
    pub(super) const DEFAULT_QUEUE_TYPE: u8 = 4;
    pub(super) const MAX_CONNECTIONS: u8 = 5;
    pub(super) const MAX_QUEUES: u8 = 6;
    /// And the two behind it.
    pub(super) const PUBLISH_RATE: u8 = 7;
    /// Of no bytes, where it is so.
    pub(super) const PROTECTED_FROM_DELETION: u8 = 10;
}

impl VhostDefinition {
    pub(super) fn value(&self) -> Vec<u8> {
        let VhostMetadata {
            description,
            tags,
            default_queue_type,
            max_connections,
            max_queues,
            publish_rate,
            protected_from_deletion,
        } = &self.metadata;
        let mut fields = FieldWriter::new();
        if let Some(durability) = self.durability {
            fields = fields.bytes(tag::DURABILITY, durability.as_str().as_bytes());
        }
        if !description.is_empty() {
            fields = fields.bytes(tag::DESCRIPTION, description.as_bytes());
        }
        for name in tags {
            fields = fields.bytes(tag::TAG, name.as_bytes());
        }
        if let Some(queue_type) = default_queue_type {
            fields = fields.bytes(tag::DEFAULT_QUEUE_TYPE, queue_type.as_bytes());
        }
        if *protected_from_deletion {
            fields = fields.bytes(tag::PROTECTED_FROM_DELETION, &[]);
        }
        let fields = fields.number(tag::MAX_CONNECTIONS, *max_connections);
        let fields = fields.number(tag::MAX_QUEUES, *max_queues);
        fields.rate(tag::PUBLISH_RATE, *publish_rate).finish()
    }

    pub(super) fn of(name: VhostName, fields: Fields<'_>) -> Result<Self, Malformed> {
        let text = |bytes: &[u8]| str::from_utf8(bytes).map(str::to_owned).ok();
        let optional = |tag, what| match fields.get(tag) {
            None => Ok(None),
            Some(bytes) => text(bytes).map(Some).ok_or(Malformed::Field(what)),
        };
        let tags = fields.all(tag::TAG).map(text).collect::<Option<Vec<_>>>();
        let metadata = VhostMetadata {
            description: optional(tag::DESCRIPTION, "description")?.unwrap_or_default(),
            tags: tags.ok_or(Malformed::Field("tags"))?,
            default_queue_type: optional(tag::DEFAULT_QUEUE_TYPE, "default queue type")?,
            max_connections: fields.number(tag::MAX_CONNECTIONS)?,
            max_queues: fields.number(tag::MAX_QUEUES)?,
            publish_rate: fields.rate(tag::PUBLISH_RATE)?,
            protected_from_deletion: fields.get(tag::PROTECTED_FROM_DELETION).is_some(),
        };
        Ok(Self { name, durability: durability(fields)?, metadata })
    }
}

fn durability(fields: Fields<'_>) -> Result<Option<Durability>, Malformed> {
    let Some(name) = fields.get(tag::DURABILITY) else { return Ok(None) };
    let name = str::from_utf8(name).ok().and_then(|name| name.parse().ok());
    name.map(Some).ok_or(Malformed::Field("durability"))
}
