//! A store on a simulated disk, for tests: checkpoints and pages are done when a test says so, and a ledger knows what must be
//! found whenever the power fails.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::checkpoint::{Checkpoints, Definitions, Stop};
use super::disk::Disk;
use super::journal::{Journal, Limits, Start};
use super::model_queue::ModelQueue;
use super::op::Group;
use super::replayed::Replayed;
use super::segment::block::Records;
use super::segment::file::read_block;
use super::segment::table::SegmentId;
use super::segment_store::{SegmentLimits, SegmentStore};
use super::simulated::{Random, SimDisk};
use super::stored::Stored;
use super::{loader, pager};
use crate::config::Durability;
use crate::place::{Batch, JournalFile, Position, QueueId};
use crate::store::stored::Returns;

pub(super) const JOURNAL: Limits =
    Limits { file_bytes: 64 * 1024, margin_bytes: 16 * 1024, congested_bytes: 1024 * 1024, spares: 1 };

pub(super) const SEGMENTS: SegmentLimits = SegmentLimits {
    backlog_bytes: 1,
    segment_bytes: 4096,
    open_files: 2,
    blocks_kept: 0,
    page_bytes: 2048,
    window_files: 1,
    carried_bytes: 700,
    journal_bytes: 1024 * 1024,
};

/// Where definitions are is no part of these tests.
pub(super) struct NoDefinitions;

impl Definitions for NoDefinitions {
    fn flush_through(&self, _: JournalFile) -> io::Result<()> {
        Ok(())
    }
}

/// What became of a message, as far as it was asked for.
#[derive(Default)]
pub(super) struct Fate {
    body: Vec<u8>,
    published: Option<Batch>,
    /// Whether a settlement may have got anywhere, and with which batch it did.
    settling: bool,
    settled: Option<Batch>,
    /// Requeues: the highest count that was asked for, and those that have their batch.
    asked: u32,
    counted: Vec<(u32, Batch)>,
}

pub(super) type Ledger = BTreeMap<(QueueId, Position), Fate>;

/// A store on a simulated disk with queues in it; checkpoints and pages are done when a test says so.
pub(super) struct Rig {
    pub(super) disk: Arc<SimDisk>,
    pub(super) journal: Arc<Journal>,
    pub(super) store: Arc<SegmentStore>,
    pub(super) queues: Vec<Arc<ModelQueue>>,
    pub(super) checkpoints: Checkpoints,
    pub(super) ledger: Mutex<Ledger>,
    pub(super) written: AtomicU64,
}

impl Rig {
    pub(super) fn new(disk: &Arc<SimDisk>, limits: SegmentLimits, queues: u64) -> Option<Self> {
        let as_disk = || Arc::clone(disk) as Arc<dyn Disk>;
        as_disk().create_dir(std::path::Path::new("queue")).ok()?;
        as_disk().sync_dir(std::path::Path::new("")).ok()?;
        let store = Arc::new(SegmentStore::without_threads(as_disk(), limits));
        let journal = Journal::open(as_disk(), &Start::default(), JOURNAL, Arc::new(())).ok()?;
        let checkpoints = Checkpoints::new(Arc::clone(&store), Arc::clone(&journal), Arc::new(NoDefinitions));
        Some(Self {
            disk: Arc::clone(disk),
            queues: (1..=queues).map(|id| ModelQueue::register(QueueId::stored(id), &store)).collect(),
            journal,
            store,
            checkpoints,
            ledger: Mutex::default(),
            written: AtomicU64::new(0),
        })
    }

    pub(super) fn publish(&self, queue: &ModelQueue, body: &[u8]) -> Position {
        let mut group = Group::new(Durability::Fsync);
        let ticket = self.journal.enter();
        let at = group.publish(&ModelQueue::message(body), Returns::default(), [queue.id()]);
        // The ledger knows of it before anybody else can settle it.
        let mut ledger = self.ledger.lock().unwrap();
        let position = queue.publish(body, Some(ticket.file()));
        let fate = Fate { body: body.to_vec(), ..Fate::default() };
        ledger.insert((queue.id(), position), fate);
        drop(ledger);
        group.place(at, position);
        self.written.fetch_add(group.len() as u64, Ordering::Relaxed);
        let batch = self.journal.append(ticket, &mut group);
        self.ledger.lock().unwrap().get_mut(&(queue.id(), position)).unwrap().published = Some(batch);
        position
    }

    /// `between` happens while the queue knows of it and the journal does not.
    pub(super) fn settle(&self, queue: &ModelQueue, position: Position, between: impl FnOnce()) {
        let mut group = Group::new(Durability::Fsync);
        let ticket = self.journal.enter();
        let key = (queue.id(), position);
        self.ledger.lock().unwrap().get_mut(&key).unwrap().settling = true;
        if queue.settle(position, &mut group) {
            between();
            let batch = self.journal.append(ticket, &mut group);
            self.ledger.lock().unwrap().get_mut(&key).unwrap().settled = Some(batch);
        }
    }

    pub(super) fn requeue(&self, queue: &ModelQueue, position: Position) {
        let mut group = Group::new(Durability::Fsync);
        let ticket = self.journal.enter();
        let key = (queue.id(), position);
        if !queue.deliver(position) {
            return;
        }
        self.ledger.lock().unwrap().get_mut(&key).unwrap().asked += 1;
        if let Some(count) = queue.requeue(position, &mut group) {
            let batch = self.journal.append(ticket, &mut group);
            self.ledger.lock().unwrap().get_mut(&key).unwrap().counted.push((count.deliveries, batch));
        }
    }

    pub(super) fn page_out(&self, queue: &ModelQueue) {
        // Without space nothing leaves memory, which is all that a failure means.
        let _ = pager::page_out(&self.store, queue.id());
    }

    pub(super) fn load(&self, queue: &ModelQueue, position: Position) {
        if let Some(place) = queue.place(position) {
            loader::load(&self.store, queue.id(), place).unwrap();
        }
    }

    pub(super) fn clear_away(&self) {
        self.checkpoints.clear_away(self.store.ends.take(Some(Duration::ZERO)).unwrap());
    }

    /// Everything that the checkpoints' thread would do now.
    pub(super) fn catch_up(&mut self) -> Result<(), Stop> {
        self.clear_away();
        while let Some(through) = self.checkpoints.due() {
            self.checkpoints.checkpoint(through)?;
            self.clear_away();
        }
        Ok(())
    }

    /// Checkpoints everything that stands in the journal now, whatever the window.
    pub(super) fn checkpoint_all(&mut self) {
        let last = self.journal.current_file();
        while self.journal.live_files().last().is_none_or(|file| file.number < last) {
            self.settle_down();
        }
        self.checkpoints.checkpoint(last).unwrap();
        self.clear_away();
    }

    /// The names of the files of a queue.
    pub(super) fn files(&self, queue: &ModelQueue) -> Vec<String> {
        self.disk.list(&SegmentId::folder(queue.id())).unwrap()
    }

    /// Waits until all that was appended is durable, or never will be.
    pub(super) fn settle_down(&self) {
        let mut group = Group::new(Durability::Fsync);
        group.require_sync();
        group.redelivered_below(QueueId::stored(1), Position(0));
        let batch = self.journal.append_now(&mut group);
        self.journal.wait(batch);
    }

    /// One step of a random workload.
    pub(super) fn step(&self, random: &mut Random) {
        let queue = &self.queues[usize::try_from(random.below(self.queues.len() as u64)).unwrap()];
        let positions = queue.positions();
        let any = |random: &mut Random| {
            let at = usize::try_from(random.below(positions.len().max(1) as u64)).unwrap();
            positions.get(at).copied()
        };
        match random.below(12) {
            0..=4 => {
                let body: Vec<u8> =
                    (0..random.below(400)).map(|_| random.number().to_le_bytes()[0]).collect();
                self.publish(queue, &body);
            }
            5..=7 => {
                if let Some(position) = any(random) {
                    self.settle(queue, position, || {});
                }
            }
            8 => {
                if let Some(position) = any(random) {
                    self.requeue(queue, position);
                }
            }
            9 => {
                if let Some(position) = any(random) {
                    queue.deliver(position);
                }
            }
            10 => self.page_out(queue),
            _ => {
                if let Some(position) = any(random) {
                    self.load(queue, position);
                }
            }
        }
    }

    /// What must be found after a crash, whatever of the unsynced writes survived: nothing lost, nothing that was settled.
    pub(super) fn check(&self, durable: Batch, seed: u64) {
        let disk = self.disk.after_crash(seed);
        let replayed = Replayed::read(&disk);
        let as_disk = Arc::clone(&disk) as Arc<dyn Disk>;
        let store = SegmentStore::without_threads(as_disk, SEGMENTS);
        let mut found = BTreeMap::new();
        for (id, queue) in &replayed.queues {
            let states = queue.segments.iter().map(|(number, state)| (*number, state));
            let restored = store.restore(*id, states, &queue.settled).unwrap();
            assert_eq!(restored.damage, Vec::<String>::new());
            for block in restored.blocks {
                let segment = SegmentId { queue: *id, number: block.place.segment, journalled: true };
                let payload = read_block(&*store.files.get(segment).unwrap(), block.place).unwrap();
                let alive = Records::new(block.first, payload).filter(|(position, _)| {
                    block.alive.as_ref().is_none_or(|alive| alive.contains(*position))
                });
                let mut count = 0;
                for (position, message) in alive {
                    count += 1;
                    assert!(!queue.settled.contains(position));
                    let twice = found.insert((*id, position), message.body().to_vec());
                    assert!(twice.is_none(), "{id} {position:?} is in two segments");
                }
                assert_eq!(count, block.count);
            }
        }
        for (id, queue) in &replayed.queues {
            for (position, body) in &queue.published {
                if !queue.settled.contains(*position) {
                    // A segment may have it as well: then it is the same.
                    let other = found.insert((*id, *position), body.clone());
                    assert!(other.is_none_or(|other| other == *body));
                }
            }
        }
        let ledger = self.ledger.lock().unwrap();
        for (key, fate) in &*ledger {
            let is_durable = |batch: Option<Batch>| batch.is_some_and(|batch| batch <= durable);
            match found.remove(key) {
                Some(body) => {
                    assert_eq!(body, fate.body, "{key:?}");
                    assert!(!is_durable(fate.settled), "{key:?} was settled and is here again");
                    let count =
                        replayed.queues[&key.0].returns.get(&key.1).copied().unwrap_or_default().deliveries;
                    let least = fate.counted.iter().filter(|(_, batch)| is_durable(Some(*batch)));
                    let least = least.map(|(count, _)| *count).max().unwrap_or(0);
                    assert!((least..=fate.asked).contains(&count), "{key:?} was requeued {count} times");
                }
                None => assert!(
                    fate.settling || !is_durable(fate.published),
                    "{key:?} is lost, published in {:?} of {durable:?}, files {:?}",
                    fate.published,
                    replayed.files
                ),
            }
        }
        assert_eq!(found.len(), 0, "messages that nobody published");
        // What is left over is cleared away, and what is needed stays.
        store.sweep(true, &foldhash::HashSet::default()).unwrap();
        for (id, queue) in &replayed.queues {
            let states = queue.segments.iter().map(|(number, state)| (*number, state));
            assert_eq!(store.restore(*id, states, &queue.settled).unwrap().damage, Vec::<String>::new());
        }
        let transient =
            disk.files().into_iter().filter(|(path, _)| path.to_string_lossy().ends_with("transient"));
        assert_eq!(transient.count(), 0);
    }
}
