//! The backlogs' part of the store: what of the queues is in segments, and the threads that move it there and back.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;

use super::budget::Budget;
use super::checkpoint::{Checkpoints, Definitions};
use super::disk::Disk;
use super::ends::Ends;
use super::handle::{Blocked, Paged, Pages};
use super::held_loads::{HeldLoads, LiveMemory};
use super::journal::{Journal, JournalEvents};
use super::open_files::OpenFiles;
use super::pager::PageOut;
use super::segment::table::QUEUES_FOLDER;
use super::segments::{QUARANTINE_FOLDER, SEGMENT_BYTES};
use super::stored::{BlockPlace, Stored};
use super::stored_queues::StoredQueues;
use super::work_queue::WorkQueue;
use super::{loader, pager};
use crate::place::{Batch, QueueId, SegmentNumber};

/// Sizes of what is in segments, and when it gets there.
#[derive(Clone, Copy, Debug)]
pub struct SegmentLimits {
    /// Ready messages in memory, in bytes, beyond which queues page out.
    pub backlog_bytes: u64,
    /// A segment of this length in bytes is not added to.
    pub segment_bytes: u64,
    /// How many segments are open beside those that are being used.
    pub open_files: usize,
    /// How many blocks at its head a queue keeps in memory.
    pub blocks_kept: usize,
    /// About how many bytes of one queue are written at once.
    pub page_bytes: usize,
    /// How many complete files of the journal are left as they are: what is consumed until then is never written again.
    pub window_files: usize,
    /// A queue that has no more alive than this, in bytes, has it written to the journal again rather than to a segment.
    pub carried_bytes: u64,
    /// Publishers wait while the complete files of the journal are longer than this together, in bytes.
    pub journal_bytes: u64,
}

impl SegmentLimits {
    /// The sizes with which the broker runs, given how many bytes of ready messages stay in memory.
    pub const fn new(backlog_bytes: u64) -> Self {
        Self {
            backlog_bytes,
            segment_bytes: SEGMENT_BYTES,
            open_files: 128,
            blocks_kept: 4,
            page_bytes: 4 * 1024 * 1024,
            window_files: 2,
            carried_bytes: 256 * 1024,
            journal_bytes: 1024 * 1024 * 1024,
        }
    }
}

/// How many threads read blocks.
const LOADERS: usize = 2;
const STACK_BYTES: usize = 256 * 1024;
/// So many times the budget may be in memory while it is being paged out.
const LAG_MAX: u64 = 2;
/// How often to look whether there is room.
const ROOM_INTERVAL: Duration = Duration::from_millis(1);

/// The store of backlogs.
pub struct SegmentStore {
    pub(super) limits: SegmentLimits,
    pub(super) files: OpenFiles,
    pub(super) queues: StoredQueues,
    pub(super) page_outs: WorkQueue<PageOut>,
    pub(super) loads: WorkQueue<(QueueId, BlockPlace)>,
    pub(super) held_loads: HeldLoads,
    pub(super) ends: Ends,
    pub(super) trouble: Trouble,
    pub(super) moved: Moved,
    budget: Budget,
    journal: OnceLock<Weak<Journal>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What is wrong at present.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// Pages cannot be written, or a checkpoint cannot be completed, for want of space.
    pub(super) pager_full: AtomicBool,
    pub(super) checkpoint_full: AtomicBool,
    /// No checkpoint is possible any more.
    pub(super) failed: AtomicBool,
    /// The length of the journal's complete files, in bytes.
    pub(super) journal_bytes: AtomicU64,
    /// Who measures that: two at a time might leave the older figure, which nobody corrects while publishers wait.
    measuring: Mutex<()>,
    /// How many blocks could not be read.
    pub(super) damaged_blocks: AtomicU64,
}

/// What was moved so far; see [`Paged`].
#[derive(Debug, Default)]
pub(super) struct Moved {
    pub(super) out_bytes: AtomicU64,
    pub(super) in_blocks: AtomicU64,
    pub(super) in_bytes: AtomicU64,
}

impl SegmentStore {
    /// Opens the store's folders and starts the threads that page out and in. Checkpoints begin with
    /// [`Self::begin_checkpoints`].
    ///
    /// # Errors
    /// The folders cannot be made, or the threads not be started.
    pub fn open(disk: Arc<dyn Disk>, limits: SegmentLimits) -> io::Result<Arc<Self>> {
        for folder in [QUEUES_FOLDER, QUARANTINE_FOLDER] {
            disk.create_dir(Path::new(folder))?;
        }
        disk.sync_dir(Path::new(""))?;
        let store = Arc::new(Self::without_threads(disk, limits));
        let pager = Arc::clone(&store);
        store.spawn("pager", move || pager::run(&pager))?;
        for number in 0..LOADERS {
            let loader = Arc::clone(&store);
            store.spawn(&format!("loader-{number}"), move || loader::run(&loader))?;
        }
        Ok(store)
    }

    pub(super) fn without_threads(disk: Arc<dyn Disk>, limits: SegmentLimits) -> Self {
        Self {
            limits,
            files: OpenFiles::new(disk, limits.open_files),
            queues: StoredQueues::new(limits.segment_bytes),
            page_outs: WorkQueue::default(),
            loads: WorkQueue::default(),
            held_loads: HeldLoads::default(),
            ends: Ends::default(),
            trouble: Trouble::default(),
            moved: Moved::default(),
            budget: Budget::new(limits.backlog_bytes),
            journal: OnceLock::new(),
            threads: Mutex::default(),
        }
    }

    /// Starts the thread that moves messages out of the journal's old files, once, when all queues are registered and the
    /// journal is open.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn begin_checkpoints(
        self: &Arc<Self>,
        journal: Arc<Journal>,
        definitions: Arc<dyn Definitions>,
    ) -> io::Result<()> {
        if self.journal.set(Arc::downgrade(&journal)).is_err() {
            return Err(io::Error::other("checkpoints have begun"));
        }
        self.measure(&journal);
        let checkpoints = Checkpoints::new(Arc::clone(self), journal, definitions);
        self.spawn("checkpoint", move || checkpoints.run())
    }

    /// From now on no blocks are read for those who hold much while this memory is short. Once.
    pub fn watch(&self, memory: Arc<dyn LiveMemory>) {
        self.held_loads.watch(memory);
    }

    /// Stops the threads, each when it has done what it is at. What is in memory alone is in the journal as well, or
    /// transient. To be called before the journal is closed.
    pub fn close(&self) {
        self.page_outs.close();
        self.loads.close();
        self.ends.close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }

    /// How many blocks could not be read since the start.
    pub fn damaged_blocks(&self) -> u64 {
        self.trouble.damaged_blocks.load(Ordering::Relaxed)
    }

    /// Looks how much of the journal is live.
    pub(super) fn measure(&self, journal: &Journal) {
        let _one_at_a_time = self.trouble.measuring.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = journal.live_files().iter().map(|file| file.len).fold(0, u64::saturating_add);
        self.trouble.journal_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Waits while much more is in memory than the budget has and is being paged out. For whoever fills queues at the start;
    /// publishers are not read meanwhile.
    pub fn await_room(&self) {
        while self.lags() && !self.page_outs.closed_within(ROOM_INTERVAL) {}
    }

    fn lags(&self) -> bool {
        self.budget.used() > self.budget.limit().saturating_mul(LAG_MAX) && !self.page_outs.is_idle()
    }

    fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(body)?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }
}

impl Pages for SegmentStore {
    fn register(&self, id: QueueId, queue: Weak<dyn Stored>) {
        self.queues.register(id, queue);
    }

    fn unregister(&self, id: QueueId) {
        self.queues.remove(id);
    }

    fn page_out(&self, id: QueueId) {
        self.page_outs.push(PageOut::Of(id));
    }

    fn search(&self) {
        self.page_outs.push(PageOut::Search);
    }

    fn load(&self, id: QueueId, place: BlockPlace) {
        self.loads.push((id, place));
    }

    fn read(&self, id: QueueId, place: BlockPlace) -> io::Result<Bytes> {
        loader::read_at(self, id, place)
    }

    fn segments_dead(&self, id: QueueId, segments: Vec<(SegmentNumber, bool)>) {
        if !segments.is_empty() {
            self.ends.segments(id, segments);
        }
    }

    fn queue_gone(&self, id: QueueId, batch: Option<Batch>) {
        if let Some(queue) = self.queues.remove(id) {
            self.ends.queue(queue, batch);
        }
    }

    fn budget(&self) -> &Budget {
        &self.budget
    }

    fn paged(&self) -> Paged {
        let number = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Paged {
            out_bytes: number(&self.moved.out_bytes),
            in_blocks: number(&self.moved.in_blocks),
            in_bytes: number(&self.moved.in_bytes),
            damaged_blocks: self.damaged_blocks(),
            open_segments: self.files.len(),
        }
    }

    fn blocked(&self) -> Option<Blocked> {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let journal_is_full = || self.journal.get().and_then(Weak::upgrade).is_some_and(|it| it.is_full());
        if is(&self.trouble.failed) {
            return Some(Blocked::DiskFailed);
        }
        if is(&self.trouble.pager_full) || is(&self.trouble.checkpoint_full) || journal_is_full() {
            return Some(Blocked::NoSpace);
        }
        if self.trouble.journal_bytes.load(Ordering::Relaxed) > self.limits.journal_bytes {
            return Some(Blocked::JournalFull);
        }
        let lags =
            self.budget.used() > self.budget.limit().saturating_mul(LAG_MAX) && !self.page_outs.is_idle();
        lags.then_some(Blocked::PagingLags)
    }
}

/// Whoever opens the journal passes its events on to the store.
impl JournalEvents for SegmentStore {
    fn file_closed(&self, _: crate::place::JournalFile) {
        // Publishers are to be held back though a checkpoint is at work.
        if let Some(journal) = self.journal.get().and_then(Weak::upgrade) {
            self.measure(&journal);
        }
        self.ends.wake();
    }

    fn full(&self, _: bool) {
        self.ends.wake();
    }
}

#[cfg(test)]
mod tests;
