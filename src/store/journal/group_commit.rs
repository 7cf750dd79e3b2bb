//! What the journal's thread shares with those who append and wait.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use super::batch::Chunk;
use super::buffer::{Buffer, Gathered, Round};
use super::counters::JournalCounters;
use super::failure::JournalFailure;
use super::files::Files;
use super::waiters::Waiters;
use super::{JournalEvents, Limits, NEVER, Start};
use crate::place::{Batch, JournalFile};
use crate::store::checksum::checksum;
use crate::store::op::Group;

pub(super) struct GroupCommit {
    state: Mutex<State>,
    /// There is something to write, to sync, to close.
    work: Condvar,
    /// A round of tickets is complete.
    returned: Condvar,
    pub(super) durable: Waiters,
    pub(super) written: Waiters,
    /// Bytes that were appended and are not written.
    waiting_bytes: AtomicUsize,
    /// A sync that covers this batch is to come, or was.
    sync_wanted: AtomicU64,
    pub(super) failure: OnceLock<Arc<JournalFailure>>,
    pub(super) files: Files,
    pub(super) counters: JournalCounters,
    pub(super) limits: Limits,
    pub(super) events: Arc<dyn JournalEvents>,
}

struct State {
    buffer: Buffer,
    /// Somebody waits for a batch that was written without a sync.
    sync_requested: Batch,
    stage: Stage,
    /// A group of so many bytes was appended, which is more than there can be.
    refused: Option<usize>,
    /// There is a spare now.
    look_ahead: bool,
    writer_waits: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// All that was appended is written, then the closing record.
    Closing,
    /// All that was appended is written.
    Stopping,
    /// Nothing is taken any more.
    Ended,
}

/// What the journal's thread does next.
#[derive(Debug)]
pub(super) enum Work {
    Write(Gathered),
    Sync,
    /// Fails: a group has so many bytes.
    Refuse(usize),
    /// There is a spare now, which may have been missed.
    LookAhead,
    /// All that belongs into the file is there.
    NextFile,
    /// The last record.
    Close,
    End,
}

impl GroupCommit {
    pub(super) fn new(start: &Start, files: Files, limits: Limits, events: Arc<dyn JournalEvents>) -> Self {
        let before = Batch(start.batch.0.saturating_sub(1));
        Self {
            state: Mutex::new(State {
                buffer: Buffer::new(start.file, Batch(before.0.saturating_add(1))),
                sync_requested: Batch(0),
                stage: Stage::Open,
                refused: None,
                look_ahead: false,
                writer_waits: false,
            }),
            work: Condvar::new(),
            returned: Condvar::new(),
            durable: Waiters::new(before),
            written: Waiters::new(before),
            waiting_bytes: AtomicUsize::new(0),
            sync_wanted: AtomicU64::new(0),
            failure: OnceLock::new(),
            files,
            counters: JournalCounters::default(),
            limits,
            events,
        }
    }

    pub(super) fn current_file(&self) -> JournalFile {
        self.lock().buffer.current_file()
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes.load(Ordering::Relaxed)
    }

    /// Gives a ticket, and room for a group that has none.
    pub(super) fn enter(&self, group: Option<&mut Group>) -> (Round, JournalFile) {
        let mut state = self.lock();
        if let Some(group) = group
            && !group.has_room()
        {
            group.replace(state.buffer.take_room());
        }
        state.buffer.enter()
    }

    pub(super) fn leave(&self, round: Round) {
        let state = self.lock();
        self.left(state, round);
    }

    fn left(&self, mut state: MutexGuard<'_, State>, round: Round) {
        let is_complete = state.buffer.leave(round);
        if is_complete {
            self.returned.notify_all();
        }
        let is_worth_it = is_complete || state.refused.is_some();
        self.wake_writer(state, is_worth_it);
    }

    /// Lets the writer look, if it waits and there may be something for it.
    fn wake_writer(&self, mut state: MutexGuard<'_, State>, is_worth_it: bool) {
        let wake = is_worth_it && std::mem::take(&mut state.writer_waits);
        drop(state);
        if wake {
            self.work.notify_one();
        }
    }

    pub(super) fn append(&self, round: Round, file: JournalFile, group: &mut Group) -> Batch {
        let crc = checksum(group.bytes());
        let wants_sync = group.wants_sync();
        let bytes = group.replace(Vec::new());
        let len = bytes.len();
        let mut state = self.lock();
        if len > Group::BYTES_MAX {
            state.refused = Some(len);
        }
        if state.stage == Stage::Ended || state.refused.is_some() {
            state.buffer.give_room(bytes);
            self.left(state, round);
            return NEVER;
        }
        self.waiting_bytes.fetch_add(len, Ordering::Relaxed);
        let chunk = Chunk { len: u32::try_from(len).unwrap_or(u32::MAX), crc };
        let batch = state.buffer.append(file, chunk, bytes, wants_sync);
        if wants_sync {
            self.sync_wanted.fetch_max(batch.0, Ordering::Relaxed);
        }
        // Records for a file that is being left may rest on what stands in the next one already: a message on its queue's
        // declaration. Whoever waits for them waits for that as well.
        let until = state.buffer.last_gathered().map_or(batch, |last| last.max(batch));
        if state.buffer.leave(round) {
            self.returned.notify_all();
        }
        self.wake_writer(state, true);
        until
    }

    /// Waits until all tickets that are out now are in.
    pub(super) fn quiesce(&self) {
        let mut state = self.lock();
        let Some(round) = state.buffer.close_round() else { return };
        while !state.buffer.is_complete(round) {
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Somebody waits until this batch is synced, which may not have been wanted of it.
    pub(super) fn request_sync(&self, batch: Batch) {
        if self.sync_wanted.fetch_max(batch.0, Ordering::Relaxed) >= batch.0 {
            return;
        }
        let mut state = self.lock();
        if !state.buffer.require_sync(batch) {
            state.sync_requested = state.sync_requested.max(batch);
            self.wake_writer(state, true);
        }
    }

    pub(super) fn close(&self, in_order: bool) {
        let mut state = self.lock();
        if state.stage == Stage::Open {
            state.stage = if in_order { Stage::Closing } else { Stage::Stopping };
        }
        self.wake_writer(state, true);
        self.files.end();
    }

    /// From now on tickets are for the next file.
    pub(super) fn begin_next_file(&self) {
        self.lock().buffer.begin_next_file();
    }

    /// There is a spare now: a file that grew for want of one can be left though nobody appends.
    pub(super) fn spare_is_ready(&self) {
        let mut state = self.lock();
        state.look_ahead = true;
        self.wake_writer(state, true);
    }

    /// Waits for the next thing to do with `file`; `done` is what was written last.
    pub(super) fn next_work(&self, file: JournalFile, done: Option<Gathered>) -> Work {
        let mut state = self.lock();
        if let Some(done) = done {
            state.buffer.recycle(done);
        }
        loop {
            if let Some(work) = self.work_for(file, &mut state) {
                return work;
            }
            state.writer_waits = true;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.writer_waits = false;
        }
    }

    /// The next thing to do with `file`, if there is anything.
    #[cfg(test)]
    pub(super) fn work_now(&self, file: JournalFile) -> Option<Work> {
        self.work_for(file, &mut self.lock())
    }

    fn work_for(&self, file: JournalFile, state: &mut State) -> Option<Work> {
        if let Some(bytes) = state.refused {
            return Some(Work::Refuse(bytes));
        }
        let durable = self.durable.reached();
        if state.sync_requested > durable && self.written.reached() > durable {
            return Some(Work::Sync);
        }
        if let Some(gathered) = state.buffer.take(file) {
            return Some(Work::Write(gathered));
        }
        if std::mem::take(&mut state.look_ahead) {
            return Some(Work::LookAhead);
        }
        if state.buffer.is_past(file) {
            return Some(Work::NextFile);
        }
        if state.stage != Stage::Open && state.buffer.is_empty() {
            let in_order = state.stage == Stage::Closing;
            state.stage = Stage::Ended;
            return Some(if in_order { Work::Close } else { Work::End });
        }
        None
    }

    /// So many bytes are with the operating system.
    pub(super) fn written(&self, batch: Batch, bytes: usize) {
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.written.reach(batch);
    }

    /// Nothing is taken any more, nobody waits in vain.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.stage = Stage::Ended;
        state.buffer.discard();
        self.waiting_bytes.store(0, Ordering::Relaxed);
        drop(state);
        self.files.end();
        self.written.end();
        self.durable.end();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
