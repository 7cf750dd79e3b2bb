//! What queues and connections hold of the store.

use std::fmt;
use std::io;
use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::budget::Budget;
use super::stored::{BlockPlace, Stored};
use crate::place::{Batch, QueueId, SegmentNumber};

/// The store as queues know it. Cloning is one reference count; every call but
/// [`Self::read`] only leaves a request for the store's threads, takes leaf locks alone and never waits for the disk. A broker without a store has one that does nothing.
#[derive(Clone, Default)]
pub struct StoreHandle {
    pages: Option<Arc<dyn Pages>>,
}

/// What the store does for queues: pages their backlog out and in, and takes their files away.
pub trait Pages: Send + Sync {
    /// A queue was made or restored; it is asked for what is to be written until it is unregistered or dropped.
    fn register(&self, id: QueueId, queue: Weak<dyn Stored>);

    /// The queue is asked for nothing any more; its files stay. What it has in the journal is not kept there: for queues that
    /// the journal knows nothing of, or a store that was closed.
    fn unregister(&self, id: QueueId);

    /// The budget is passed, and this queue has blocks that may leave memory.
    fn page_out(&self, id: QueueId);

    /// The budget is passed, and who says so has not enough itself: queues that nobody consumes from are to give up what
    /// they have.
    fn search(&self);

    /// The queue wants a block of its back; [`Stored::loaded`] brings it.
    fn load(&self, id: QueueId, place: BlockPlace);

    /// Reads a block at once, for whoever has time to wait for the disk.
    ///
    /// # Errors
    /// It cannot be read, or not now.
    fn read(&self, id: QueueId, place: BlockPlace) -> io::Result<Bytes>;

    /// Nothing of these segments is alive any more. With each: whether it is one of journalled messages.
    fn segments_dead(&self, id: QueueId, segments: Vec<(SegmentNumber, bool)>);

    /// The queue is deleted: it is unregistered, and its files go once `batch`, which says so in the journal, is durable; at
    /// once when the journal knows nothing of it.
    fn queue_gone(&self, id: QueueId, batch: Option<Batch>);

    /// The bytes of ready messages in memory.
    fn budget(&self) -> &Budget;

    /// Why publishers are to be held back, if they are.
    fn blocked(&self) -> Option<Blocked>;

    /// What it has moved so far.
    fn paged(&self) -> Paged {
        Paged::default()
    }
}

/// What was moved between memory and segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paged {
    /// Bytes that left memory.
    pub out_bytes: u64,
    /// Blocks that were read back, and their bytes.
    pub in_blocks: u64,
    /// See [`Self::in_blocks`].
    pub in_bytes: u64,
    /// Blocks that could not be.
    pub damaged_blocks: u64,
    /// Segments that are open at present.
    pub open_segments: usize,
}

/// Why publishers are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blocked {
    /// The disk is full: what left the journal or memory could not be written. Tried again until it can.
    NoSpace,
    /// The disk failed: nothing can be moved out of the journal until the broker is started again.
    DiskFailed,
    /// The part of the journal that no checkpoint has covered is at its limit.
    JournalFull,
    /// Messages join backlogs faster than these can be written to the disk.
    PagingLags,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSpace => "the disk is full",
            Self::DiskFailed => "the disk failed; the broker must be started again",
            Self::JournalFull => "the journal is at its limit until messages have been moved out of it",
            Self::PagingLags => "backlogs grow faster than the disk can take them",
        })
    }
}

static UNLIMITED: Budget = Budget::unlimited();

impl StoreHandle {
    /// The handle of a broker that keeps nothing: messages stay in memory.
    pub const fn in_memory() -> Self {
        Self { pages: None }
    }

    /// A handle of `pages`.
    pub fn new(pages: Arc<dyn Pages>) -> Self {
        Self { pages: Some(pages) }
    }

    /// Whether there is no store.
    pub fn is_in_memory(&self) -> bool {
        self.pages.is_none()
    }

    /// See [`Pages::register`].
    pub fn register(&self, id: QueueId, queue: Weak<dyn Stored>) {
        if let Some(pages) = &self.pages {
            pages.register(id, queue);
        }
    }

    /// See [`Pages::unregister`].
    pub fn unregister(&self, id: QueueId) {
        if let Some(pages) = &self.pages {
            pages.unregister(id);
        }
    }

    /// See [`Pages::page_out`].
    pub fn page_out(&self, id: QueueId) {
        if let Some(pages) = &self.pages {
            pages.page_out(id);
        }
    }

    /// See [`Pages::search`].
    pub fn search(&self) {
        if let Some(pages) = &self.pages {
            pages.search();
        }
    }

    /// See [`Pages::load`].
    pub fn load(&self, id: QueueId, place: BlockPlace) {
        if let Some(pages) = &self.pages {
            pages.load(id, place);
        }
    }

    /// See [`Pages::read`]. Without a store there is nothing to read.
    pub fn read(&self, id: QueueId, place: BlockPlace) -> io::Result<Bytes> {
        self.pages.as_ref().ok_or(io::ErrorKind::NotFound)?.read(id, place)
    }

    /// See [`Pages::segments_dead`].
    pub fn segments_dead(&self, id: QueueId, segments: Vec<(SegmentNumber, bool)>) {
        if let Some(pages) = &self.pages {
            pages.segments_dead(id, segments);
        }
    }

    /// See [`Pages::queue_gone`].
    pub fn queue_gone(&self, id: QueueId, batch: Option<Batch>) {
        if let Some(pages) = &self.pages {
            pages.queue_gone(id, batch);
        }
    }

    /// The bytes of ready messages in memory; without a store it is never passed.
    pub fn budget(&self) -> &Budget {
        self.pages.as_ref().map_or(&UNLIMITED, |pages| pages.budget())
    }

    /// See [`Pages::paged`].
    pub fn paged(&self) -> Paged {
        self.pages.as_ref().map(|pages| pages.paged()).unwrap_or_default()
    }

    /// See [`Pages::blocked`].
    pub fn blocked(&self) -> Option<Blocked> {
        self.pages.as_ref()?.blocked()
    }
}

impl fmt::Debug for StoreHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_in_memory() { "in memory" } else { "on disk" };
        f.debug_tuple("StoreHandle").field(&kind).finish()
    }
}
