//! What is told of a batch of messages that was published to a queue.

use super::QueueCore;
use crate::place::Position;
use crate::store::original::Fate;
use crate::store::stored::KeyRecord;

/// A backlog of this many messages before lagging consumers slows its publishers.
const BEHIND_MESSAGES: usize = 20_000;
/// The same in bytes.
const BEHIND_BYTES: u64 = 16 * 1024 * 1024;

/// How a queue took a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressure {
    /// Nothing to say.
    None,
    /// Its consumers want messages, have credit, and are far behind: publish less often.
    Behind,
}

/// Where a batch of messages stands in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// How the queue took it.
    pub pressure: Pressure,
    /// The position of the first; each of the others is the next one.
    pub first: Position,
    /// Which of the messages are refused, in their order: they are not in the queue.
    pub refused: Vec<u32>,
    /// Which are not in the queue because it has had them before, in their order.
    pub duplicates: Vec<Duplicate>,
    /// What it has come to know.
    pub keys: NewKeys,
}

impl Published {
    /// All of a batch, whose first message stands here.
    pub(super) fn from(first: Position) -> Self {
        let (refused, duplicates) = (Vec::new(), Vec::new());
        Self { pressure: Pressure::None, first, refused, duplicates, keys: NewKeys::default() }
    }

    /// Whether a message of the batch is in the queue.
    pub fn has(&self, index: u32) -> bool {
        (self.refused.is_empty() || self.refused.binary_search(&index).is_err())
            && (self.duplicates.is_empty()
                || self.duplicates.binary_search_by_key(&index, |duplicate| duplicate.index).is_err())
    }
}

impl Pressure {
    /// After a batch.
    pub(super) fn of(core: &QueueCore) -> Self {
        Self::beyond(core, BEHIND_MESSAGES, BEHIND_BYTES)
    }

    /// Of a queue of which somebody waits that it is not behind any more.
    pub(super) fn persisting(core: &QueueCore) -> Self {
        Self::beyond(core, BEHIND_MESSAGES / 2, BEHIND_BYTES / 2)
    }

    fn beyond(core: &QueueCore, messages: usize, bytes: u64) -> Self {
        let far_behind = core.ready() > messages || core.ready_bytes() > bytes;
        if far_behind && core.consumers_lag() { Self::Behind } else { Self::None }
    }
}

/// A message of a batch that a queue did not take, since it has had it before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// Which of the batch.
    pub index: u32,
    /// What becomes of the one that it has; nothing when that one is safe.
    pub fate: Option<Fate>,
}

/// Keys that a queue has come to know with a batch, to be written down with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewKeys {
    /// How many the queue knows at most.
    pub size: u32,
    /// The keys of messages that outlive the broker.
    pub records: Vec<KeyRecord>,
}
