//! Queues: where messages wait, who takes them, and what is unsettled.
//!
//! [`core`] decides and is pure: it knows no lock, socket, frame, clock or store. [`queue`] is the lock around it and
//! performs what it decided. Neither knows a delivery tag: channels number deliveries when they send them.

pub mod arguments;
pub mod consumers;
pub mod core;
pub mod death;
pub mod deduplication;
pub mod delivery;
pub mod due;
pub mod groups;
pub mod id;
pub mod options;
#[allow(clippy::module_inception)] // the lock around the core is the queue
pub mod queue;
pub mod ready;
pub mod registry;
pub mod retry;
pub mod scheduled;
pub mod segments;
pub mod subscriber;
pub mod terms;
pub mod unacked;
pub mod undertaker;
pub mod waiting;

pub use id::QueueId;
pub use queue::{Gone, Queue};

#[cfg(test)]
mod tests;
