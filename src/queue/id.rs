//! What queues, their consumers and their unacked messages are told apart by.

use std::num::NonZeroU32;

pub use crate::place::QueueId;

/// Which consumer of a queue; never reused in that queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConsumerKey {
    pub(super) at: u32,
    pub(super) serial: u32,
}

/// Where an unacked message lies; valid until it is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnackedKey(NonZeroU32);

impl UnackedKey {
    pub(super) fn new(at: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(at))
    }

    pub(super) fn at(self) -> u32 {
        self.0.get().saturating_sub(1)
    }
}
