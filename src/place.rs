//! Where things are: which queue, which place in it, which file of the store.
//!
//! All of these are given once, grow, and are never used again, so that what was written about one of them can only
//! mean that one.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which queue: given once, never reused, so that a redeclared queue is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueId(u64);

static NEXT_QUEUE: AtomicU64 = AtomicU64::new(1);

impl QueueId {
    /// An id that no queue has or had.
    pub fn fresh() -> Self {
        Self(NEXT_QUEUE.fetch_add(1, Ordering::Relaxed))
    }

    /// The id of a queue that was written down.
    pub const fn stored(number: u64) -> Self {
        Self(number)
    }

    /// Its number, to be written down.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// A queue of an earlier run had this id: none that follows gets it.
    pub fn reserve(self) {
        NEXT_QUEUE.fetch_max(self.0.saturating_add(1), Ordering::Relaxed);
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A message's place in its queue: given once, when it arrives, never reused in that queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl Position {
    /// No place: a message that was to enter a queue which had gone.
    pub const NOWHERE: Self = Self(u64::MAX);

    /// The next place.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The place `count` further on.
    #[must_use]
    pub fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }
}

/// Which file of the journal, in the order of their being written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalFile(pub u64);

/// Which group commit of the journal, in their order. What is to be on the disk waits for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Batch(pub u64);

/// Which segment of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentNumber(pub u32);

/// What becomes of a message when the broker ends, and where it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Home {
    /// Nowhere that outlives the broker.
    #[default]
    Transient,
    /// Its record is in this file of the journal.
    Journal(JournalFile),
    /// It is in a segment of its queue.
    Segment {
        /// Which segment.
        segment: SegmentNumber,
        /// Which block of it, from 0.
        block: u32,
    },
}

impl Home {
    /// Whether it outlives the broker, so that its settlement is to be written as well.
    pub const fn is_journalled(self) -> bool {
        !matches!(self, Self::Transient)
    }

    /// The file of the journal that has its record; the first of all when none has.
    pub const fn file(self) -> JournalFile {
        match self {
            Self::Journal(file) => file,
            Self::Transient | Self::Segment { .. } => JournalFile(0),
        }
    }
}
