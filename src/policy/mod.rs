//! Policies: what an operator puts in force on queues and exchanges by their names, while they are used. Pure.
//!
//! Of the policies that match an object one holds, and one of the operator policies: that of the highest priority. What
//! both together say is merged, then merged with the object's own arguments by whoever knows those. Settings, values and
//! texts are those of RabbitMQ 4.3.

pub mod apply_to;
pub mod definition;
pub mod invalid;
pub mod parameters;
pub mod policies;
#[allow(clippy::module_inception, reason = "a policy is what the others are about")]
pub mod policy;

mod printed;
mod settings;

pub use apply_to::{ApplyTo, Subject};
pub use definition::Definition;
pub use invalid::Invalid;
pub use parameters::Component;
pub use policies::{InForce, Policies};
pub use policy::{Policy, PolicyKind};
pub use settings::is_known as is_known_setting;
