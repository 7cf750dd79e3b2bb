//! Definitions: everything but messages as a document that RabbitMQ writes and reads, in the form of its versions 3.8 to
//! 4.3, of a whole broker or of one virtual host.
//!
//! ```text
//! export      what there is -> a document, in an order that depends on nothing but what there is
//! document    a document -> its sections
//! fields      an object of it, read with the place where it stands
//! users, vhosts, permissions, parameters, policies, exchanges, queues, bindings      read, compared, applied
//! import      one object after the other, in RabbitMQ's order, up to the first mistake
//! files       documents that are imported at the start
//! first       these, and what there is where they bring nothing
//! absent      what there is and a document does not name
//! report      what was done, or would be
//! ```
//!
//! An object is applied as a whole or not at all. It does not know who asks: whoever may import may do everything.

mod absent;
mod bindings;
mod document;
mod entry;
mod exchanges;
mod export;
mod fields;
mod files;
mod first;
mod import;
pub mod limits;
mod parameters;
mod path;
mod permissions;
mod policies;
mod queues;
mod report;
mod users;
mod vhosts;

#[cfg(test)]
mod tests;

pub use crate::json as table;
pub use crate::json::from_table;
pub use document::{Document, Scope, Section, Unreadable};
pub use export::{Export, Pieces};
pub use files::{LoadError, Loaded};
pub use first::{First, NotMade};
pub use import::{Import, Mode};
pub use path::{Finding, Path};
pub use report::{Action, Change, Report};
