//! A document and its sections.

use std::fmt;

use serde_json::{Map, Value};

use super::path::{Finding, Path};
use crate::name::VhostName;

/// What a document is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole broker.
    Broker,
    /// One virtual host, in which everything of it is.
    Vhost(VhostName),
}

/// Objects of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Users.
    Users,
    /// Virtual hosts.
    Vhosts,
    /// What users may do in virtual hosts.
    Permissions,
    /// Exchanges.
    Exchanges,
    /// What users may do with the keys of exchanges.
    TopicPermissions,
    /// Parameters of the broker.
    GlobalParameters,
    /// Policies.
    Policies,
    /// Parameters of virtual hosts, their limits and operator policies among them.
    Parameters,
    /// Queues.
    Queues,
    /// Bindings.
    Bindings,
}

impl Section {
    /// All of them, in the order in which they are imported (RabbitMQ's).
    pub const IN_ORDER: [Self; 10] = [
        Self::Users,
        Self::Vhosts,
        Self::Permissions,
        Self::Exchanges,
        Self::TopicPermissions,
        Self::GlobalParameters,
        Self::Policies,
        Self::Parameters,
        Self::Queues,
        Self::Bindings,
    ];

    /// All of them, in the order in which they are exported (RabbitMQ's).
    pub const AS_EXPORTED: [Self; 10] = [
        Self::Users,
        Self::Vhosts,
        Self::Permissions,
        Self::TopicPermissions,
        Self::Parameters,
        Self::GlobalParameters,
        Self::Policies,
        Self::Queues,
        Self::Exchanges,
        Self::Bindings,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Vhosts => "vhosts",
            Self::Permissions => "permissions",
            Self::Exchanges => "exchanges",
            Self::TopicPermissions => "topic_permissions",
            Self::GlobalParameters => "global_parameters",
            Self::Policies => "policies",
            Self::Parameters => "parameters",
            Self::Queues => "queues",
            Self::Bindings => "bindings",
        }
    }

    /// Whether a document of one virtual host has it.
    pub const fn is_of_vhost(self) -> bool {
        matches!(self, Self::Exchanges | Self::Policies | Self::Parameters | Self::Queues | Self::Bindings)
    }
}

/// What stands in documents beside the sections, and says nothing that could be applied.
const ABOUT: [&str; 12] = [
    "rabbit_version",
    "rabbitmq_version",
    "product_name",
    "product_version",
    "rabbitmq_definition_format",
    "original_cluster_name",
    "original_vhost_name",
    "explanation",
    "metadata",
    "description",
    "limits",
    "default_queue_type",
];

/// A text that is no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

/// A document that was read.
#[derive(Clone, Debug)]
pub struct Document {
    scope: Scope,
    root: Map<String, Value>,
}

impl Document {
    /// Reads a document. An empty one has nothing in it.
    ///
    /// # Errors
    /// It is not JSON, or not an object.
    pub fn parse(text: &[u8], scope: Scope) -> Result<Self, Unreadable> {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        let text = text.strip_prefix(MARK).unwrap_or(text);
        if text.trim_ascii().is_empty() {
            return Ok(Self { scope, root: Map::new() });
        }
        match serde_json::from_slice(text) {
            Ok(Value::Object(root)) => Ok(Self { scope, root }),
            Ok(other) => Err(Unreadable(format!("it has to be a JSON object, and is {}", kind(&other)))),
            Err(error) => Err(Unreadable(format!("it is not JSON: {error}"))),
        }
    }

    /// What it is about.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Whether it has objects of a kind.
    pub fn brings(&self, section: Section) -> bool {
        self.objects(section).is_ok_and(|objects| !objects.is_empty())
    }

    /// The objects of a section.
    pub(super) fn objects(&self, section: Section) -> Result<&[Value], Finding> {
        match self.root.get(section.as_str()) {
            None | Some(Value::Null) => Ok(&[]),
            Some(Value::Array(objects)) => Ok(objects),
            Some(other) => Err(Finding {
                path: Path::default().field(section.as_str()),
                reason: format!("expected a list, found {}", kind(other)),
            }),
        }
    }

    /// What stands in it that is not known, or belongs to no virtual host where it is about one.
    pub(super) fn passed_over(&self) -> Vec<Finding> {
        let reason = |name: &str| {
            let section = Section::IN_ORDER.into_iter().find(|section| section.as_str() == name);
            match section {
                Some(section) => (matches!(self.scope, Scope::Vhost(_)) && !section.is_of_vhost())
                    .then_some("passed over: they belong to no single virtual host"),
                None => (!ABOUT.contains(&name)).then_some("passed over: not known here"),
            }
        };
        let found = self.root.keys().filter_map(|name| {
            Some(Finding { path: Path::default().field(name), reason: reason(name)?.to_owned() })
        });
        found.collect()
    }
}

/// What a value is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
