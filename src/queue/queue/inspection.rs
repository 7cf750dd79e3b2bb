//! What an operator sees of a queue.

use super::{Gone, Queue, Status, status};
use crate::count::QueueCounts;
use crate::queue::core::QueueCore;

/// A look into a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// How much of what it holds.
    pub status: Status,
    /// The bytes of its ready messages, as its limits count them.
    pub ready_bytes: u64,
    /// Bytes of memory that ready messages take.
    pub memory: u64,
    /// Bytes of memory that unacked messages take.
    pub unacked_memory: u64,
    /// Whether it is paused.
    pub paused: bool,
    /// What it has counted.
    pub counts: QueueCounts,
}

impl Queue {
    /// What it holds at present, read under its lock.
    pub fn inspect(&self) -> Result<Inspection, Gone> {
        self.with(|core: &mut QueueCore| Inspection {
            status: status(core),
            ready_bytes: core.ready_bytes(),
            memory: core.memory(),
            unacked_memory: core.unacked_memory(),
            paused: core.is_paused(),
            counts: core.counts(),
        })
    }
}
