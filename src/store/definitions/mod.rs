//! Definitions: virtual hosts, exchanges, queues, bindings, policies, parameters, users and permissions that outlive the
//! broker.
//!
//! A change of the topology is a record in the journal, so that one order holds for it and for messages, and one
//! sync serves both. The definitions' home is a tree beside the journal, with a second copy in JSON. A thread brings
//! both up to date behind the journal, of which no file is used again before both have what it says of definitions. So
//! either of them and the journal together have everything.

pub mod definition;
pub mod fields;

mod access;
mod copy;
mod home;
mod keeping;
mod key;
mod opened;
mod parameter;
mod policy;
mod tree;
mod vhost;

pub use access::{AccessDefinition, permission_key, topic_permission_key, user_key};
pub use definition::{BindingDefinition, BoundTo, Definition, ExchangeDefinition, QueueDefinition};
pub use fields::Malformed;
pub use keeping::{Definitions, Record};
pub use key::Kind;
pub use opened::{DefinitionsError, Opened};
pub use parameter::{GlobalParameterDefinition, ParameterDefinition, global_parameter_key, parameter_key};
pub use policy::{PolicyDefinition, policy_key};
pub use vhost::{VhostDefinition, VhostMetadata};

/// A definition that was made or changed, or is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub key: Vec<u8>,
    /// What is defined; nothing when it is gone.
    pub value: Option<Vec<u8>>,
}
