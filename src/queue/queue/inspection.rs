//! What an operator sees of a queue.

use super::{Gone, Queue, State, Status, status};
use std::sync::Arc;

use crate::count::QueueCounts;
use crate::queue::core::QueueCore;
use crate::queue::subscriber::Subscriber;
use crate::time::Time;

/// A look into a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Inspection {
    /// How much of what it holds.
    pub status: Status,
    /// The bytes of its ready messages, as its limits count them.
    pub ready_bytes: u64,
    /// Bytes of memory that ready messages take.
    pub memory: u64,
    /// Bytes of memory that unacked messages take.
    pub unacked_memory: u64,
    /// The bodies of its unacked messages, in bytes.
    pub unacked_bytes: u64,
    /// Those of its ready messages that are in memory.
    pub ram: Held,
    /// Those of its messages, ready and unacked, that outlive the broker.
    pub persistent: Held,
    /// How much of the time its consumers could take a message at once: at this moment all of it, or nothing.
    pub consumer_capacity: f64,
    /// Whether it is paused.
    pub paused: bool,
    /// What it has counted.
    pub counts: QueueCounts,
}

/// Some messages of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// How many they are.
    pub messages: u64,
    /// Their bodies, in bytes.
    pub bytes: u64,
}

impl Inspection {
    /// The same as a sample.
    pub fn observation(&self) -> Observation {
        Observation {
            status: self.status,
            counts: self.counts,
            ready_bytes: self.ready_bytes,
            memory: self.memory.saturating_add(self.unacked_memory),
            has_moved: false,
        }
    }
}

/// What is sampled of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// How much of what it holds.
    pub status: Status,
    /// What it has counted.
    pub counts: QueueCounts,
    /// The bytes of its ready messages.
    pub ready_bytes: u64,
    /// Bytes of memory that its messages take.
    pub memory: u64,
    /// Whether anything has happened since a sample was taken last.
    pub has_moved: bool,
}

impl Queue {
    /// What there is to be sampled of it, and whether that is another than it was when this was last asked for a `sample`.
    /// Wakes nobody, and puts nothing off.
    pub fn observe(&self, sample: bool) -> Result<Observation, Gone> {
        let mut state = self.state.lock().map_err(|_| Gone::Crashed)?;
        let State::Running(core, _) = &mut *state else { return Err(Gone::Deleted) };
        Ok(Observation {
            status: status(core),
            counts: core.counts(),
            ready_bytes: core.ready_bytes(),
            memory: core.memory().saturating_add(core.unacked_memory()),
            has_moved: sample && core.observe(),
        })
    }

    /// What it holds at present, read under its lock.
    pub fn inspect(&self) -> Result<Inspection, Gone> {
        self.with(|core: &mut QueueCore| Inspection {
            status: status(core),
            ready_bytes: core.ready_bytes(),
            memory: core.memory(),
            unacked_memory: core.unacked_memory(),
            unacked_bytes: core.unacked_bytes(),
            ram: held(core.ready_in_memory()),
            persistent: held(core.journalled()),
            consumer_capacity: if core.could_deliver() { 1.0 } else { 0.0 },
            paused: core.is_paused(),
            counts: core.counts(),
        })
    }

    /// When the oldest of its ready messages arrived; of one that an earlier broker left on the disk, and that nobody has read
    /// since, when this one found it.
    pub fn known_arrival(&self) -> Result<Option<Time>, Gone> {
        self.with(|core| core.known_arrival())
    }
}

fn held((messages, bytes): (u64, u64)) -> Held {
    Held { messages, bytes }
}

impl Queue {
    /// What it has counted, also once it is gone.
    pub fn counts(&self) -> QueueCounts {
        match &*self.lock() {
            State::Running(core, _) => core.counts(),
            State::Deleted(counts) => *counts,
        }
    }

    /// Its consumers, as an operator sees them.
    pub fn subscribers(&self) -> Vec<Arc<Subscriber>> {
        self.with(|core| core.subscribers()).unwrap_or_default()
    }
}
