//! The thread that moves what is still alive out of the journal's oldest files, so that they can be used again.
//!
//! A checkpoint through file J:
//!
//! 1. of each queue, what is alive and stands in a file up to J is written again: to the journal when it is little, else to a
//!    segment; with it the last messages of segments that are nearly empty;
//!    what the queues know of keys is written to the journal again when any of it may stand in such a file;
//! 2. the segments with messages of files up to J are completed and synced, with their names;
//! 3. what is alive of them is recorded in the journal, and again for those whose record may depend on a file up to J;
//! 4. the definitions of these files are on the disk;
//! 5. all tickets that are out are in, `Checkpointed` is appended and durable;
//! 6. the files are released.
//!
//! Why no settlement is forgotten before what it settles: a settlement's ticket is taken before it touches its queue. A message
//! is written to the journal again with a ticket that is taken before the queue is asked, and at a time when no ticket of an
//! earlier file is out; so whatever settles the message afterwards stands in the same file or in a later one. For a segment's
//! record the earliest file with tickets that are out is remembered instead (the one before the current file at most), and the
//! record is made again before that one is released.
//!
//! Why no record says more than the journal has: a segment's record and the end of a segment are appended after all tickets
//! that were out are in, so that a message which was published or settled in a group that is not yet appended comes after it.

mod clearing;
mod groups;
mod keys;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use self::groups::{Carrying, Recording};
use super::handle::Pages;
use super::journal::{Journal, Ticket};
use super::op::Group;
use super::pager;
use super::segment::table::SegmentId;
use super::segment_store::SegmentStore;
use super::segments::{Stage, sync_names};
use super::spell::Spell;
use super::stored::{OutBlock, Stored};
use super::stored_queues::StoredQueue;
use crate::config::Durability;
use crate::place::{Batch, JournalFile, QueueId, SegmentNumber};

/// The definitions' home, which follows the journal.
pub trait Definitions: Send + Sync {
    /// Brings all definitions that are recorded in the journal's files up to this one to the disk, so that their records are
    /// not needed any more.
    ///
    /// # Errors
    /// Some of them are not on the disk: the files are kept, and this is asked again.
    fn flush_through(&self, file: JournalFile) -> io::Result<()>;
}

/// How long to wait before a checkpoint is tried again that failed.
const RETRY: Duration = Duration::from_secs(1);
/// Records of segments are appended in groups of about this size, in bytes.
const GROUP_BYTES: usize = 256 * 1024;
/// So many queues are asked with one ticket.
const QUEUES_AT_ONCE: usize = 256;
/// How many segments are synced at the same time.
const SYNCS: usize = 4;
/// What may be written to a journal that has no space for another file, in bytes.
const CARRIED_MAX_WHEN_FULL: u64 = 1024 * 1024;

/// The checkpoints of one journal.
pub(super) struct Checkpoints {
    store: Arc<SegmentStore>,
    journal: Arc<Journal>,
    definitions: Arc<dyn Definitions>,
    /// How many bytes were written to the journal again, by the file that has them, as far as it is live.
    carried: VecDeque<(JournalFile, u64)>,
    /// No ticket of a file before this one is out.
    none_before: Option<JournalFile>,
    /// How many bytes were written to the journal again since the start.
    carried_total: u64,
    /// How many segments are synced at the same time.
    pub(super) syncs: usize,
    told: Spell,
}

/// Why a checkpoint was not completed.
#[derive(Debug)]
pub(super) enum Stop {
    /// Something could not be written: there is no space, or the disk refuses. Tried again.
    NotWritten(io::Error),
    /// What was written may be lost: nothing can be moved out of the journal any more.
    NotSynced(io::Error),
    /// This queue went away without a word, as when the broker ends: what it had stays in the journal.
    Missing(QueueId),
    /// The journal has failed or ended, or the store is closed.
    Ended,
}

impl Checkpoints {
    pub(super) fn new(
        store: Arc<SegmentStore>,
        journal: Arc<Journal>,
        definitions: Arc<dyn Definitions>,
    ) -> Self {
        Self {
            store,
            journal,
            definitions,
            carried: VecDeque::new(),
            none_before: None,
            carried_total: 0,
            syncs: SYNCS,
            told: Spell::default(),
        }
    }

    /// Works until the store is closed.
    pub(super) fn run(mut self) {
        let mut wait = Some(Duration::ZERO);
        while let Some(ended) = self.store.ends.take(wait) {
            self.clear_away(ended);
            wait = self.catch_up();
        }
    }

    /// Does one checkpoint if one is due. Gives when to look again though nobody asks for it.
    fn catch_up(&mut self) -> Option<Duration> {
        if self.store.trouble.failed.load(Ordering::Relaxed) || self.journal.failure().is_some() {
            return None;
        }
        let Some(through) = self.due() else {
            self.note(None);
            return self.journal.is_full().then_some(RETRY);
        };
        match self.checkpoint(through) {
            Ok(()) => {
                self.note(None);
                Some(Duration::ZERO)
            }
            Err(Stop::Ended) => None,
            Err(Stop::Missing(queue)) => {
                tracing::debug!(%queue, "a queue is not there: the journal keeps what it had");
                Some(RETRY)
            }
            Err(Stop::NotWritten(error)) => {
                self.note(Some(&error));
                Some(RETRY)
            }
            Err(Stop::NotSynced(error)) => {
                tracing::error!(
                    %error,
                    "what was moved out of the journal could not be synced: nothing is moved any more, publishers are \
                     blocked; nothing confirmed is lost; start the broker again once the disk is sound",
                );
                self.store.trouble.failed.store(true, Ordering::Relaxed);
                None
            }
        }
    }

    /// Says once when checkpoints cannot be completed, and once when they can again.
    fn note(&mut self, error: Option<&io::Error>) {
        self.store.trouble.checkpoint_full.store(error.is_some(), Ordering::Relaxed);
        match error {
            Some(error) if self.told.goes_on(Instant::now()) => {
                tracing::error!(%error, "the journal's files cannot be freed: the disk does not take what they hold; publishers wait until it does");
            }
            None if self.told.ends() => tracing::info!("the journal's files can be freed again"),
            _ => {}
        }
    }

    /// The last file that a checkpoint is due for.
    ///
    /// Beside the newest files, which are left alone, twice as many bytes may stand in complete files as were written to them
    /// again: so a byte that stays alive is written again at most once while as much that is new was written. Without space
    /// it is the oldest file, for which the least is to be written before it is free.
    pub(super) fn due(&mut self) -> Option<JournalFile> {
        let live = self.journal.live_files();
        if self.journal.is_full() {
            return live.first().map(|file| file.number);
        }
        let window = self.store.limits.window_files;
        let mut allowed = self.carried_bytes().saturating_mul(2);
        let mut fits = |len: u64| {
            let fits = len <= allowed;
            allowed = allowed.saturating_sub(len);
            fits
        };
        let mut older = live.iter().rev().skip(window);
        older.find(|file| !fits(file.len)).map(|file| file.number)
    }

    /// How many bytes were written to the journal again since the start.
    #[cfg(test)]
    pub(super) fn carried_total(&self) -> u64 {
        self.carried_total
    }

    fn carried_bytes(&self) -> u64 {
        self.carried.iter().map(|(_, bytes)| bytes).fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    /// How many bytes of a queue are rather written to the journal again than to a segment: fewer the more are carried already.
    fn carried_max(&self, in_this_checkpoint: u64) -> u64 {
        if self.journal.is_full() {
            return CARRIED_MAX_WHEN_FULL
                .saturating_sub(in_this_checkpoint)
                .min(self.store.limits.carried_bytes);
        }
        let (carried, limits) = (self.carried_bytes(), &self.store.limits);
        if carried < limits.journal_bytes / 8 {
            limits.carried_bytes
        } else if carried < limits.journal_bytes / 4 {
            limits.carried_bytes / 16
        } else {
            0
        }
    }

    pub(super) fn checkpoint(&mut self, through: JournalFile) -> Result<(), Stop> {
        let queues = self.store.queues.all();
        let carried_before = self.carried_total;
        for part in queues.chunks(QUEUES_AT_ONCE) {
            if self.store.ends.is_closed() {
                return Err(Stop::Ended);
            }
            self.leave(part, through, carried_before)?;
        }
        self.carry_keys(&queues, through)?;
        self.sync(&queues)?;
        self.record(&queues, through)?;
        self.definitions.flush_through(through).map_err(Stop::NotWritten)?;
        self.journal.quiesce();
        let mut group = Group::new(Durability::Fsync);
        group.checkpointed(through);
        let batch = self.journal.append_now(&mut group);
        self.wait(batch)?;
        self.journal.release_through(through);
        self.store.measure(&self.journal);
        self.carried.retain(|(file, _)| *file > through);
        let carried = self.carried_total.saturating_sub(carried_before);
        tracing::debug!(file = through.0, carried, "checkpoint");
        Ok(())
    }

    fn wait(&self, batch: Batch) -> Result<(), Stop> {
        if self.journal.wait(batch) { Ok(()) } else { Err(Stop::Ended) }
    }

    /// The queue; nothing when it was deleted, which the journal says. One that went without a word cannot be asked, and
    /// what it had must stay where it is.
    fn queue(&self, stored: &StoredQueue) -> Result<Option<Arc<dyn Stored>>, Stop> {
        match stored.queue() {
            None if self.store.queues.get(stored.id()).is_some() => Err(Stop::Missing(stored.id())),
            queue => Ok(queue),
        }
    }

    /// Step 1 for some queues: what they have in files up to `through` leaves them.
    fn leave(
        &mut self,
        queues: &[Arc<StoredQueue>],
        through: JournalFile,
        carried_before: u64,
    ) -> Result<(), Stop> {
        let mut carrying = None;
        for stored in queues {
            let Some(queue) = self.queue(stored)? else { continue };
            // Held until the queue knows the new places, so that the pager neither sees nor writes these blocks meanwhile.
            let mut segments = stored.segments();
            if segments.is_gone() {
                continue;
            }
            // The ticket first, then the question.
            if carrying.as_ref().is_some_and(|carrying: &Carrying<'_>| carrying.group.len() > GROUP_BYTES)
                && let Some(full) = carrying.take()
            {
                self.carry(full)?;
            }
            let mut gathered = carrying.take().unwrap_or_else(|| Carrying::begin(self.ticket()));
            let mut blocks = queue.alive_through(through);
            let complete: Vec<_> = segments.complete().collect();
            for (number, complete) in complete {
                let left = queue.stragglers(number);
                if !left.is_empty() && bytes(&left) < complete.len / 4 {
                    segments.moves(number);
                    blocks.extend(left);
                }
            }
            let carried = self.carried_total.saturating_sub(carried_before);
            let carried = carried.saturating_add(gathered.group.len() as u64);
            if bytes(&blocks) <= self.carried_max(carried) {
                gathered.add(segments, queue, blocks);
                carrying = Some(gathered);
            } else {
                // The ticket would keep the journal from going on to its next file meanwhile.
                self.carry(gathered)?;
                pager::write(&self.store, &mut segments, &*queue, &blocks, false)
                    .map_err(Stop::NotWritten)?;
            }
        }
        if let Some(gathered) = carrying {
            self.carry(gathered)?;
        }
        for stored in queues {
            // What is in memory would begin another segment soon, which would have to be completed as soon as this one.
            if self.store.budget().used() > self.store.budget().limit() / 2
                && stored.segments().is_due(through)
            {
                pager::page_out_idle(&self.store, stored).map_err(Stop::NotWritten)?;
            }
            stored.segments().complete_through(&self.store.files, through).map_err(Stop::NotWritten)?;
        }
        Ok(())
    }

    /// A ticket, at a time when none of an earlier file is out.
    fn ticket(&mut self) -> Ticket {
        loop {
            let ticket = self.journal.enter();
            if self.none_before == Some(ticket.file()) {
                return ticket;
            }
            drop(ticket);
            let file = self.journal.current_file();
            self.journal.quiesce();
            self.none_before = Some(file);
        }
    }

    /// Appends what was gathered to be written to the journal again.
    fn carry(&mut self, mut carrying: Carrying<'_>) -> Result<(), Stop> {
        if carrying.group.is_empty() {
            return Ok(());
        }
        let (file, len) = (carrying.ticket.file(), carrying.group.len() as u64);
        let batch = self.journal.append(carrying.ticket, &mut carrying.group);
        for carried in carrying.queues {
            for block in &carried.blocks {
                carried.queue.carried(block, file);
            }
        }
        self.count_carried(file, len);
        // Publishers may be held back for the same reason, but this thread alone could fill the memory as well.
        if self.journal.is_congested() { self.wait(batch) } else { Ok(()) }
    }

    fn count_carried(&mut self, file: JournalFile, len: u64) {
        self.carried_total = self.carried_total.saturating_add(len);
        match self.carried.back_mut() {
            Some((last, bytes)) if *last == file => *bytes = bytes.saturating_add(len),
            _ => self.carried.push_back((file, len)),
        }
    }

    /// Step 2: what was written to segments outlives a loss of power.
    fn sync(&self, queues: &[Arc<StoredQueue>]) -> Result<(), Stop> {
        let mut ids = Vec::new();
        for queue in queues {
            let segments = queue.segments();
            let unsynced = segments.complete().filter(|(_, complete)| complete.stage == Stage::Unsynced);
            ids.extend(unsynced.map(|(number, _)| (queue, number)));
        }
        let files = &self.store.files;
        let sync = |part: &[(&Arc<StoredQueue>, SegmentNumber)]| {
            part.iter().try_for_each(|(queue, number)| {
                let id = SegmentId { queue: queue.id(), number: *number, journalled: true };
                let synced = files.sync(id);
                let mut segments = queue.segments();
                match synced {
                    Ok(()) => segments.advance(*number, Stage::Synced),
                    // It died, or its queue did, and the file is removed already.
                    Err(_) if !segments.has(*number) => {}
                    Err(error) => return Err(error),
                }
                Ok(())
            })
        };
        let share = ids.len().div_ceil(self.syncs).max(1);
        let synced: io::Result<()> = match ids.len() {
            len if len <= share => sync(&ids),
            _ => thread::scope(|scope| {
                let parts: Vec<_> = ids.chunks(share).map(|part| scope.spawn(move || sync(part))).collect();
                let panicked = |_| Err(io::Error::other("a thread panicked"));
                parts.into_iter().try_for_each(|part| part.join().unwrap_or_else(panicked))
            }),
        };
        synced.map_err(Stop::NotSynced)?;
        for queue in queues {
            let mut segments = queue.segments();
            if segments.take_unsynced_names() && !segments.is_gone() {
                sync_names(files, queue.id()).map_err(|error| {
                    segments.names_lost();
                    Stop::NotSynced(error)
                })?;
            }
        }
        Ok(())
    }

    /// Step 3: the journal says what is alive of the segments that are new to it, and of those whose record may depend on a
    /// file up to `through`.
    fn record(&self, queues: &[Arc<StoredQueue>], through: JournalFile) -> Result<(), Stop> {
        let mut batch = Recording::begin(&self.journal);
        for stored in queues {
            let Some(queue) = self.queue(stored)? else { continue };
            let due = {
                let mut segments = stored.segments();
                let due = segments.to_record(through);
                if due.is_empty() {
                    segments.nothing_recorded();
                    continue;
                }
                due
            };
            let mut alive = Vec::new();
            for number in due {
                if let Some(state) = queue.segment_state(number) {
                    batch.group.segment_state(stored.id(), number, &state);
                    alive.push(number);
                } else {
                    // Its file goes later. What was moved out of it must be in one place for whoever reads this.
                    batch.group.segment_gone(stored.id(), number);
                    self.store.ends.segments(stored.id(), vec![(number, true)]);
                }
            }
            batch.segments.push((stored, alive));
            // All of a queue at once, never in parts.
            if batch.group.len() > GROUP_BYTES {
                let appended = batch.end(&self.journal);
                if self.journal.is_congested() {
                    self.wait(appended)?;
                }
                batch = Recording::begin(&self.journal);
            }
        }
        batch.end(&self.journal);
        Ok(())
    }
}

fn bytes(blocks: &[OutBlock]) -> u64 {
    blocks.iter().map(|block| block.bytes.len() as u64).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests;
