//! What queues, their consumers and their unacked messages are told apart by.

use std::sync::atomic::{AtomicU64, Ordering};

/// Which queue: given once, never reused, so that a redeclared queue is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueId(u64);

impl QueueId {
    pub(super) fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Which consumer of a queue; never reused in that queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConsumerKey {
    pub(super) at: u32,
    pub(super) serial: u32,
}

/// Where an unacked message lies; valid until it is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnackedKey(pub(super) u32);
