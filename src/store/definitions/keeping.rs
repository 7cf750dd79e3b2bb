//! The thread that brings both copies of the definitions up to date behind the journal.
//!
//! What is recorded is durable by the journal alone. At most once a second, while there is something to do, the thread
//! takes what has gathered, waits until the journal has it on the disk, and saves it. When the disk refuses, it says so
//! and tries again each second; until it succeeds no file of the journal is released that the changes stand in.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Change;
use super::definition::Definition;
use super::home::Home;
use super::tree::TreeError;
use crate::config::Durability;
use crate::place::{Batch, JournalFile, QueueId};
use crate::store::checkpoint;
use crate::store::journal::{Journal, Ticket};
use crate::store::op::Group;

/// The shortest time between two savings.
const INTERVAL: Duration = Duration::from_secs(1);
/// Of its time the thread spends at most one part in this many saving, unless the journal waits for it.
const SHARE: u32 = 10;
/// But it waits no longer than this, however long the last saving took.
const INTERVAL_MAX: Duration = Duration::from_secs(30);

const STACK_BYTES: usize = 512 * 1024;

/// The definitions of a running broker: takes changes, and keeps their home up to date.
pub struct Definitions {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    journal: Arc<Journal>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// In the order of the journal, as far as they concern the same thing.
    recorded: VecDeque<Recorded>,
    /// The lowest file of what the thread has taken and not saved yet.
    saving: Option<JournalFile>,
    /// The last batch with a change in it.
    last: Option<Batch>,
    is_hurried: bool,
    is_closing: bool,
    has_ended: bool,
    /// How often saving was tried, and what came of it last.
    attempts: u64,
    failure: Option<String>,
}

struct Recorded {
    file: JournalFile,
    batch: Batch,
    changes: Vec<Change>,
}

impl State {
    fn has_unsaved_through(&self, file: JournalFile) -> bool {
        self.saving.is_some_and(|first| first <= file)
            || self.recorded.iter().any(|recorded| recorded.file <= file)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Definitions {
    /// Starts the thread that keeps `home` up to date behind `journal`.
    pub(super) fn start(home: Home, data_dir: PathBuf, journal: Arc<Journal>) -> io::Result<Arc<Self>> {
        let shared = Arc::new(Shared { journal, state: Mutex::default(), changed: Condvar::new() });
        let keeper = Keeper { shared: Arc::clone(&shared), data_dir, home: Some(home), unsaved: Vec::new() };
        let thread = thread::Builder::new()
            .name("definitions".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || keeper.run())?;
        Ok(Arc::new(Self { shared, thread: Mutex::new(Some(thread)) }))
    }

    /// Begins a record of changes. To be ended before anybody can see what it says, and in the order of the changes.
    pub fn record(&self) -> Record<'_> {
        let mut group = Group::new(Durability::Fsync);
        let ticket = self.shared.journal.enter_with(&mut group);
        Record { shared: &self.shared, ticket, group, changes: Vec::new() }
    }

    /// The last batch with a change in it, unless it is on the disk.
    pub fn awaited(&self) -> Option<Batch> {
        let last = self.shared.lock().last?;
        (last > self.shared.journal.durable()).then_some(last)
    }

    /// Saves what was recorded and ends. To be called before the journal is closed.
    pub fn close(&self) {
        self.shared.lock().is_closing = true;
        self.shared.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl checkpoint::Definitions for Definitions {
    /// Waits until both copies have all changes in files up to this one. What fails is tried again, whoever calls.
    fn flush_through(&self, file: JournalFile) -> io::Result<()> {
        let mut state = self.shared.lock();
        let attempts = state.attempts;
        while state.has_unsaved_through(file) {
            if let Some(failure) = state.failure.as_ref().filter(|_| state.attempts > attempts) {
                return Err(io::Error::other(failure.clone()));
            }
            if state.has_ended {
                return Err(io::Error::other("the definitions are closed"));
            }
            state.is_hurried = true;
            self.shared.changed.notify_all();
            state = self.shared.wait(state);
        }
        Ok(())
    }
}

impl Drop for Definitions {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Definitions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Definitions").finish_non_exhaustive()
    }
}

/// Changes that get into the journal together, with what else belongs to them.
pub struct Record<'a> {
    shared: &'a Shared,
    ticket: Ticket,
    group: Group,
    changes: Vec<Change>,
}

impl Record<'_> {
    /// Something is made, or changed.
    pub fn define(&mut self, definition: &Definition) {
        let (key, value) = (definition.key(), definition.value());
        self.group.define(&key, &value);
        self.changes.push(Change { key, value: Some(value) });
    }

    /// Something is gone.
    pub fn forget(&mut self, key: Vec<u8>) {
        self.group.forget(&key);
        self.changes.push(Change { key, value: None });
    }

    /// A queue is gone with all that is in it.
    pub fn queue_gone(&mut self, queue: QueueId) {
        self.group.queue_gone(queue);
    }

    /// For other records that belong to the change.
    pub fn group(&mut self) -> &mut Group {
        &mut self.group
    }

    /// Appends the records to the journal. Gives what to wait for until they are on the disk.
    pub fn commit(mut self) -> Option<Batch> {
        if self.group.is_empty() {
            return None;
        }
        // Locked meanwhile, so that whoever finds the file closed finds its changes here.
        let mut state = self.shared.lock();
        let file = self.ticket.file();
        let batch = self.shared.journal.append(self.ticket, &mut self.group);
        if !self.changes.is_empty() {
            state.last = state.last.max(Some(batch));
            state.recorded.push_back(Recorded { file, batch, changes: self.changes });
            if state.recorded.len() == 1 {
                self.shared.changed.notify_all();
            }
        }
        Some(batch)
    }
}

/// What the thread has.
struct Keeper {
    shared: Arc<Shared>,
    data_dir: PathBuf,
    /// None after a failure, until it can be opened again.
    home: Option<Home>,
    unsaved: Vec<Recorded>,
}

impl Keeper {
    fn run(mut self) {
        let mut earliest = Instant::now();
        let mut hurried_earliest = earliest;
        while let Some((batch, is_closing)) = self.gather(earliest, hurried_earliest) {
            // What never gets durable was promised to nobody. What did, the journal has.
            if !self.shared.journal.wait(batch) {
                break;
            }
            let began = Instant::now();
            let outcome = self.save();
            let ended = Instant::now();
            hurried_earliest = ended + INTERVAL;
            earliest = ended + (SHARE * ended.duration_since(began)).clamp(INTERVAL, INTERVAL_MAX);
            let failed = outcome.is_err();
            self.tell(outcome);
            if failed {
                earliest = hurried_earliest;
                if is_closing {
                    break;
                }
            }
        }
        self.shared.lock().has_ended = true;
        self.shared.changed.notify_all();
    }

    /// Waits until there is something to save and the time has come. Gives the last batch of it, and whether this is
    /// the end; nothing when there is nothing left at the end.
    fn gather(&mut self, earliest: Instant, hurried_earliest: Instant) -> Option<(Batch, bool)> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        loop {
            let has_some = !state.recorded.is_empty() || !self.unsaved.is_empty();
            if state.is_closing {
                if !has_some {
                    return None;
                }
                break;
            }
            if !has_some {
                state = shared.wait(state);
                continue;
            }
            let due = if state.is_hurried { hurried_earliest } else { earliest };
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.is_hurried = false;
        self.unsaved.extend(state.recorded.drain(..));
        state.saving = self.unsaved.iter().map(|recorded| recorded.file).min();
        let last = self.unsaved.iter().map(|recorded| recorded.batch).max()?;
        Some((last, state.is_closing))
    }

    fn save(&mut self) -> Result<(), TreeError> {
        let mut home = match self.home.take() {
            Some(home) => home,
            None => Home::open(&self.data_dir)?,
        };
        let saved = home.save(self.unsaved.iter().flat_map(|recorded| &recorded.changes));
        if saved.is_ok() {
            self.home = Some(home);
            self.unsaved.clear();
        } else {
            // After one error sled refuses everything: it is opened anew, and may panic while it is closed.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(home)));
        }
        saved
    }

    fn tell(&self, outcome: Result<(), TreeError>) {
        let mut state = self.shared.lock();
        state.attempts += 1;
        match outcome {
            Ok(()) => {
                state.saving = None;
                if state.failure.take().is_some() {
                    tracing::info!("definitions can be saved again");
                }
            }
            Err(error) => {
                let text = format!("definitions cannot be saved: {error}");
                if state.failure.as_ref() != Some(&text) {
                    tracing::error!(
                        "{text}. The journal keeps them until they can; trying again each second"
                    );
                    state.failure = Some(text);
                }
            }
        }
        drop(state);
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests;
