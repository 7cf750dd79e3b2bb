//! The whole store on a simulated disk, for tests with queues of their own: opened as a broker opens it, but nothing is written
//! to the journal, paged, read or checkpointed until a test says so, and whatever the store asks of a queue or tells it can be overtaken.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;

use super::budget::Budget;
use super::checkpoint::{Checkpoints, Stop};
use super::disk::Disk;
use super::handle::{Blocked, Pages, StoreHandle};
use super::journal::{FOLDER, Journal, Limits};
use super::op::Group;
use super::recovery::Recovery;
use super::refill::{Refill, Refilling, record_redelivered};
use super::restore::RestoredBlock;
use super::rig::{JOURNAL, NoDefinitions};
use super::segment::block::Records;
use super::segment::file::read_block;
use super::segment::table::SegmentId;
use super::segment_store::{SegmentLimits, SegmentStore};
use super::simulated::SimDisk;
use super::stored::{BlockPlace, Damage, KeyRecord, KeyRecords, OutBlock, Returns, SegmentState, Stored};
use super::{loader, pager};
use crate::config::Durability;
use crate::message::Message;
use crate::place::{Batch, JournalFile, Position, QueueId, SegmentNumber};

/// What comes between a question of the store and its answer, or between a write and the news of it. Called with no lock of
/// a queue held.
pub(crate) type Between = Arc<dyn Fn() + Send + Sync>;

/// The body of what was found and how often it came back, by position.
pub(crate) type FoundMessages = BTreeMap<Position, (Vec<u8>, Returns)>;

/// What the disk had.
pub(crate) struct Found {
    pub(crate) is_clean_stop: bool,
    pub(crate) queues: BTreeMap<QueueId, FoundMessages>,
}

/// An open store.
pub(crate) struct ByHand {
    pub(crate) disk: Arc<SimDisk>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) handle: StoreHandle,
    segments: Arc<SegmentStore>,
    checkpoints: Mutex<Checkpoints>,
    /// Blocks that were asked for and did not come yet.
    loads: Mutex<Vec<(QueueId, BlockPlace)>>,
    redelivered_below: Vec<(QueueId, Position)>,
}

impl ByHand {
    /// Opens what is on the disk. `make` makes the queues that there are, given the handle and what the journal says to be gone.
    pub(crate) fn open<Q: Refill>(
        disk: &Arc<SimDisk>,
        limits: SegmentLimits,
        between: Between,
        make: impl FnOnce(&StoreHandle, &dyn Fn(QueueId) -> bool) -> Vec<Arc<Q>>,
    ) -> (Self, Found) {
        let as_disk = || Arc::clone(disk) as Arc<dyn Disk>;
        for folder in ["queue", "quarantine", FOLDER] {
            disk.create_dir(Path::new(folder)).unwrap();
        }
        disk.sync_dir(Path::new("")).unwrap();
        let segments = Arc::new(SegmentStore::without_threads(as_disk(), limits));
        let mut recovery = Recovery::find(as_disk()).unwrap();
        let replay = recovery.replay(&mut |_| {}).unwrap();
        assert!(!recovery.report().is_damaged(), "a loss of power damages nothing: {:?}", recovery.report());
        let is_clean_stop = recovery.report().is_clean_stop();
        let is_open = Arc::new(AtomicBool::new(false));
        let (opened, pages) = (Arc::clone(&is_open), Arc::clone(&segments));
        let pages = Overtaken { segments: pages, is_open, between, queues: Mutex::default() };
        let is_gone = |id| replay.queues.get(&id).is_some_and(|found| found.is_gone);
        let handle = StoreHandle::new(Arc::new(pages));
        let queues = make(&handle, &is_gone).into_iter();
        let noting = |queue| {
            Arc::new(Noting {
                queue,
                store: Arc::clone(&segments),
                found: Mutex::default(),
                counts: Mutex::default(),
            })
        };
        let queues: Vec<_> = queues.map(noting).collect();
        let mut refilling = Refilling::new(&queues);
        refilling.restore_segments(&segments, &replay, is_clean_stop).unwrap();
        let unknown = refilling.unknown(&replay);
        assert!(unknown.is_empty(), "messages of queues that are gone: {unknown:?}");
        assert_eq!(segments.sweep(true, &unknown).unwrap().kept, 0);
        refilling.push_messages(&segments, &mut recovery, &replay, &mut |_| {}).unwrap();
        let refilled = refilling.refilled;
        let redelivered_below = std::mem::take(&mut refilling.redelivered_below);
        let journal = Journal::open_by_hand(as_disk(), &recovery.start(), JOURNAL, Arc::new(())).unwrap();
        record_redelivered(&journal, &redelivered_below);
        let mut checkpoints =
            Checkpoints::new(Arc::clone(&segments), Arc::clone(&journal), Arc::new(NoDefinitions));
        // One after the other, in the same order each time.
        checkpoints.syncs = 1;
        let found: BTreeMap<_, _> = queues
            .iter()
            .map(|noting| (noting.id(), std::mem::take(&mut *noting.found.lock().unwrap())))
            .collect();
        let messages = found.values().map(|messages| messages.len() as u64).sum::<u64>();
        assert_eq!((refilled.messages, refilled.of_unknown), (messages, 0));
        let store = Self {
            disk: Arc::clone(disk),
            journal,
            handle,
            segments,
            checkpoints: Mutex::new(checkpoints),
            loads: Mutex::default(),
            redelivered_below,
        };
        opened.store(true, Ordering::Relaxed);
        (store, Found { is_clean_stop, queues: found })
    }

    /// The sizes of the journal.
    pub(crate) const JOURNAL: Limits = JOURNAL;

    /// Writes one portion of a queue's backlog.
    pub(crate) fn page_out(&self, queue: QueueId) {
        let written = pager::page_out(&self.segments, queue);
        assert!(written.is_ok() || self.disk.is_crashed(), "{written:?}");
    }

    /// Writes a portion of what a queue asked to have written, if one did.
    pub(crate) fn page_out_asked(&self) {
        page_out_asked(&self.segments).unwrap_or_else(|error| assert!(self.disk.is_crashed(), "{error}"));
    }

    /// Whether something of this queue is being read.
    pub(crate) fn reads(&self, queue: QueueId) -> bool {
        let mut loads = self.loads.lock().unwrap();
        while !self.segments.loads.is_last() {
            loads.push(self.segments.loads.pop().unwrap());
            self.segments.loads.done();
        }
        loads.iter().any(|(of, _)| *of == queue)
    }

    /// How many blocks are being read.
    pub(crate) fn reading(&self) -> usize {
        self.reads(QueueId::stored(0));
        self.loads.lock().unwrap().len()
    }

    /// Brings one of the blocks that are being read.
    pub(crate) fn load(&self, which: usize) {
        let asked = self.loads.lock().unwrap()[which];
        let (queue, place) = asked;
        loader::load(&self.segments, queue, place).unwrap();
        let mut loads = self.loads.lock().unwrap();
        let at = loads.iter().position(|other| *other == asked).unwrap();
        loads.remove(at);
        drop(loads);
        let damaged = self.segments.trouble.damaged_blocks.load(Ordering::Relaxed);
        assert!(damaged == 0 || self.disk.is_crashed(), "a block of queue {queue} cannot be read: {place:?}");
    }

    /// Removes what nobody needs.
    pub(crate) fn clear_away(&self) {
        let ended = self.segments.ends.take(Some(Duration::ZERO)).unwrap();
        self.checkpoints.lock().unwrap().clear_away(ended);
    }

    /// A checkpoint, of what is due or of all files that are complete.
    pub(crate) fn checkpoint(&self, all: bool) {
        let mut checkpoints = self.checkpoints.lock().unwrap();
        let complete = self.journal.live_files().last().map(|file| file.number);
        let through = if all { complete } else { checkpoints.due() };
        if let Some(through) = through {
            match checkpoints.checkpoint(through) {
                Ok(()) => {}
                Err(Stop::Missing(queue)) => panic!("queue {queue} is missing"),
                Err(stop) => assert!(self.disk.is_crashed(), "{stop:?}"),
            }
        }
    }

    /// Goes on until what stands in the journal now has been released.
    pub(crate) fn checkpoint_current(&self) {
        let last = self.journal.current_file();
        while self.journal.live_files().last().is_none_or(|file| file.number < last) {
            let mut group = Group::new(Durability::Fsync);
            group.require_sync();
            group.redelivered_below(QueueId::stored(0), Position(0));
            let batch = self.journal.append_now(&mut group);
            assert!(self.journal.wait(batch));
            self.journal.prepare_spare();
        }
        self.checkpoint(true);
    }

    /// The bytes that queues have in memory, as far as they told.
    pub(crate) fn budget_used(&self) -> u64 {
        self.segments.budget().used()
    }

    /// Ends in order.
    pub(crate) fn close(&self) {
        record_redelivered(&self.journal, &self.redelivered_below);
        self.segments.close();
        self.journal.close();
    }
}

fn page_out_asked(segments: &SegmentStore) -> io::Result<()> {
    if segments.page_outs.is_last() {
        return Ok(());
    }
    let written = segments.page_outs.pop().map(|work| pager::serve(segments, work));
    segments.page_outs.done();
    written.transpose().map(|_| ())
}

/// Notes what a queue gets back.
struct Noting<Q> {
    queue: Arc<Q>,
    store: Arc<SegmentStore>,
    found: Mutex<FoundMessages>,
    /// How often messages came back that are in segments.
    counts: Mutex<BTreeMap<Position, Returns>>,
}

impl<Q: Refill> Refill for Noting<Q> {
    fn id(&self) -> QueueId {
        self.queue.id()
    }

    fn restore(
        &self,
        blocks: Vec<RestoredBlock>,
        returns: Vec<(Position, Returns)>,
        next: Position,
        redelivered_below: Position,
    ) {
        let counts: BTreeMap<_, _> = returns.iter().copied().collect();
        let mut found = self.found.lock().unwrap();
        for block in &blocks {
            let segment = SegmentId { queue: self.id(), number: block.place.segment, journalled: true };
            let payload = read_block(&*self.store.files.get(segment).unwrap(), block.place).unwrap();
            let is_alive = |at| block.alive.as_ref().is_none_or(|alive| alive.contains(at));
            for (position, message) in Records::new(block.first, payload).filter(|(at, _)| is_alive(*at)) {
                let count = counts.get(&position).copied().unwrap_or_default();
                let twice = found.insert(position, (message.body().to_vec(), count));
                assert!(twice.is_none(), "{position:?} is in two blocks");
            }
        }
        drop(found);
        *self.counts.lock().unwrap() = counts;
        self.queue.restore(blocks, returns, next, redelivered_below);
    }

    fn restore_waiting(&self, block: &RestoredBlock, records: Records) {
        let mut found = self.found.lock().unwrap();
        let counts = self.counts.lock().unwrap();
        let is_alive = |at| block.alive.as_ref().is_none_or(|alive| alive.contains(at));
        for (position, message) in records.clone().filter(|(at, _)| is_alive(*at)) {
            let count = counts.get(&position).copied().unwrap_or_default();
            let twice = found.insert(position, (message.body().to_vec(), count));
            assert!(twice.is_none(), "{position:?} is in two blocks");
        }
        drop(found);
        self.queue.restore_waiting(block, records);
    }

    fn push_restored(&self, position: Position, returns: Returns, file: JournalFile, message: Message) {
        let twice = self.found.lock().unwrap().insert(position, (message.body().to_vec(), returns));
        assert!(twice.is_none(), "{position:?} came back twice");
        self.queue.push_restored(position, returns, file, message);
        // Whoever fills queues waits for that.
        while !self.store.page_outs.is_last() {
            page_out_asked(&self.store).unwrap();
        }
    }
}

/// The store's handle, which puts something between the store and each queue.
struct Overtaken {
    segments: Arc<SegmentStore>,
    /// Nobody comes before the store is open.
    is_open: Arc<AtomicBool>,
    between: Between,
    queues: Mutex<BTreeMap<QueueId, Arc<OvertakenQueue>>>,
}

impl Pages for Overtaken {
    fn register(&self, id: QueueId, queue: Weak<dyn Stored>) {
        let (is_open, between) = (Arc::clone(&self.is_open), Arc::clone(&self.between));
        let queue = Arc::new(OvertakenQueue { id, queue, is_open, between });
        let weak: Weak<OvertakenQueue> = Arc::downgrade(&queue);
        self.queues.lock().unwrap().insert(id, queue);
        self.segments.register(id, weak);
    }

    fn unregister(&self, id: QueueId) {
        self.segments.unregister(id);
    }

    fn page_out(&self, id: QueueId) {
        self.segments.page_out(id);
    }

    fn search(&self) {
        self.segments.search();
    }

    fn load(&self, id: QueueId, place: BlockPlace) {
        self.segments.load(id, place);
    }

    fn read(&self, id: QueueId, place: BlockPlace) -> std::io::Result<Bytes> {
        self.segments.read(id, place)
    }

    fn segments_dead(&self, id: QueueId, segments: Vec<(SegmentNumber, bool)>) {
        self.segments.segments_dead(id, segments);
    }

    fn queue_gone(&self, id: QueueId, batch: Option<Batch>) {
        self.segments.queue_gone(id, batch);
    }

    fn budget(&self) -> &Budget {
        self.segments.budget()
    }

    fn blocked(&self) -> Option<Blocked> {
        self.segments.blocked()
    }
}

/// A queue that is asked, and answers late; that is told, and hears it late.
struct OvertakenQueue {
    id: QueueId,
    queue: Weak<dyn Stored>,
    is_open: Arc<AtomicBool>,
    between: Between,
}

impl OvertakenQueue {
    fn between(&self) {
        if self.is_open.load(Ordering::Relaxed) {
            (self.between)();
        }
    }

    fn ask<R: Default>(&self, ask: impl FnOnce(&dyn Stored) -> R) -> R {
        let answer = self.queue.upgrade().map(|queue| ask(&*queue)).unwrap_or_default();
        self.between();
        answer
    }

    fn tell(&self, tell: impl FnOnce(&dyn Stored)) {
        self.between();
        if let Some(queue) = self.queue.upgrade() {
            tell(&*queue);
        }
    }
}

impl Stored for OvertakenQueue {
    fn id(&self) -> QueueId {
        self.id
    }

    fn name(&self) -> String {
        self.queue.upgrade().map(|queue| queue.name()).unwrap_or_default()
    }

    fn unacked_memory(&self) -> u64 {
        self.queue.upgrade().map(|queue| queue.unacked_memory()).unwrap_or_default()
    }

    fn outgoing(&self, keep: usize, bytes_max: usize) -> Vec<OutBlock> {
        self.ask(|queue| queue.outgoing(keep, bytes_max))
    }

    fn idle_memory(&self) -> u64 {
        self.ask(|queue| queue.idle_memory())
    }

    fn outgoing_idle(&self, bytes_max: usize) -> Vec<OutBlock> {
        self.ask(|queue| queue.outgoing_idle(bytes_max))
    }

    fn alive_through(&self, through: JournalFile) -> Vec<OutBlock> {
        self.ask(|queue| queue.alive_through(through))
    }

    fn stored(&self, block: &OutBlock, place: BlockPlace, evict: bool) {
        self.tell(|queue| queue.stored(block, place, evict));
    }

    fn carried(&self, block: &OutBlock, file: JournalFile) {
        self.tell(|queue| queue.carried(block, file));
    }

    fn segment_state(&self, segment: SegmentNumber) -> Option<SegmentState> {
        self.ask(|queue| queue.segment_state(segment))
    }

    fn uses_segment(&self, segment: SegmentNumber, journalled: bool) -> bool {
        self.ask(|queue| queue.uses_segment(segment, journalled))
    }

    fn stragglers(&self, segment: SegmentNumber) -> Vec<OutBlock> {
        self.ask(|queue| queue.stragglers(segment))
    }

    fn keys_through(&self, through: JournalFile) -> bool {
        self.ask(|queue| queue.keys_through(through))
    }

    fn keys(
        &self,
        through: JournalFile,
        to: JournalFile,
        after: Option<KeyRecord>,
        max: usize,
    ) -> KeyRecords {
        self.ask(|queue| queue.keys(through, to, after, max))
    }

    fn keys_recorded(&self, through: JournalFile) {
        self.tell(|queue| queue.keys_recorded(through));
    }

    fn loaded(&self, place: BlockPlace, bytes: Result<Bytes, Damage>) {
        self.tell(|queue| queue.loaded(place, bytes));
    }
}
