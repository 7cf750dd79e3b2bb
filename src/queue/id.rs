//! What queues, their consumers and their unacked messages are told apart by.

pub use crate::place::QueueId;

/// Which consumer of a queue; never reused in that queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConsumerKey {
    pub(super) at: u32,
    pub(super) serial: u32,
}

/// Where an unacked message lies; valid until it is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnackedKey(pub(super) u32);
