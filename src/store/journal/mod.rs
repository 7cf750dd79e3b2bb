//! The journal: one log for all queues and definitions, synced by group commit.
//!
//! The folder `journal/` holds its files. Which is which, its header says, not its name; a file that is being prepared
//! has a name that ends with `.new` until its length is on the disk, so that any other file too short for a header is
//! known to be damaged.
//!
//! ```text
//! who appends                      buffer               the journal's thread
//!   enter: a ticket, for file F
//!   touch queues
//!   append with the ticket ------> batch n of F
//!                                  batch n  ----------> write, sync, durable = n, wake who waits for n
//!   enter, append ...  ----------> batch n+1            (meanwhile)
//! ```

pub mod batch;
mod buffer;
#[cfg(test)]
mod by_hand;
mod counters;
mod failure;
mod files;
mod group_commit;
mod last;
mod ticket;
mod waiters;
mod writer;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};

use crate::place::{Batch, JournalFile};
use crate::store::disk::Disk;
use crate::store::op::Group;
use batch::FileHeader;
use files::Files;
use group_commit::GroupCommit;
use waiters::Wait;
use writer::Writer;

pub use counters::JournalCounters;
pub use failure::JournalFailure;
pub use files::{FOLDER, UNPREPARED};
pub use last::{LAST, noted};
pub use ticket::Ticket;
pub use waiters::Synced;

/// The batch of what was appended when the journal had ended: never durable.
pub const NEVER: Batch = Batch(u64::MAX);

const STACK_BYTES: usize = 256 * 1024;

/// Sizes of the journal.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The size of a file, in bytes.
    pub file_bytes: u64,
    /// The next file is begun when less than this is left, in bytes.
    pub margin_bytes: u64,
    /// Publishers are to wait while more than this was appended and is not written, in bytes.
    pub congested_bytes: usize,
    /// How many files that are not needed are kept, to be used again.
    pub spares: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 64 * 1024 * 1024,
            margin_bytes: 16 * 1024 * 1024,
            congested_bytes: 16 * 1024 * 1024,
            spares: 2,
        }
    }
}

/// A complete file that is still needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveFile {
    /// Its number.
    pub number: JournalFile,
    /// Its name in the journal's folder.
    pub name: String,
    /// Its length in bytes.
    pub len: u64,
}

/// Where the journal goes on: always in a new file.
#[derive(Clone, Debug)]
pub struct Start {
    /// The number of that file.
    pub file: JournalFile,
    /// Where the file before it ends, in bytes; 0 when there is none.
    pub previous_end: u64,
    /// The lowest file that is needed.
    pub live_from: JournalFile,
    /// The number of the next batch, at least 1.
    pub batch: Batch,
    /// The files that are needed, in their order.
    pub live: Vec<LiveFile>,
    /// The names of files that may be used again.
    pub spares: Vec<String>,
}

impl Default for Start {
    /// The start of an empty journal.
    fn default() -> Self {
        let first = JournalFile(1);
        Self {
            file: first,
            previous_end: 0,
            live_from: first,
            batch: Batch(1),
            live: Vec::new(),
            spares: Vec::new(),
        }
    }
}

/// What the journal tells the store. Called by its threads with no lock held; must not wait for the journal.
pub trait JournalEvents: Send + Sync {
    /// Nothing is durable any more. Called once.
    fn failed(&self, failure: &Arc<JournalFailure>) {
        let _ = failure;
    }

    /// A file is complete and synced.
    fn file_closed(&self, file: JournalFile) {
        let _ = file;
    }

    /// Whether the space of files that are released is needed elsewhere: then they are removed, and [`Self::freed`] is told.
    fn needs_space(&self) -> bool {
        false
    }

    /// Files were removed.
    fn freed(&self) {}

    /// There is no space for more (publishers are to be blocked), or there is again.
    fn full(&self, is_full: bool) {
        let _ = is_full;
    }
}

/// Nobody listens.
impl JournalEvents for () {}

/// The open journal. Dropped without [`Self::close`], it writes what was appended and looks, to the next start, as if it
/// had been killed.
pub struct Journal {
    group_commit: Arc<GroupCommit>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Who works in the place of the threads.
    #[cfg(test)]
    hand: Option<by_hand::Hand>,
}

impl Journal {
    /// Opens the journal where recovery says, on a new file, and starts its threads.
    ///
    /// # Errors
    /// The folder or the first file cannot be made or written. A full disk is no error if at least that much can be.
    pub fn open(
        disk: Arc<dyn Disk>,
        start: &Start,
        limits: Limits,
        events: Arc<dyn JournalEvents>,
    ) -> io::Result<Arc<Self>> {
        let (group_commit, writer) = Self::begin(disk, start, limits, events)?;
        let journal = Arc::new(Self {
            group_commit: Arc::clone(&group_commit),
            threads: Mutex::default(),
            #[cfg(test)]
            hand: None,
        });
        journal.spawn("journal", move || writer.run())?;
        journal.spawn("journal-spares", move || {
            group_commit.files.prepare_spares(|| group_commit.spare_is_ready());
        })?;
        Ok(journal)
    }

    fn begin(
        disk: Arc<dyn Disk>,
        start: &Start,
        limits: Limits,
        events: Arc<dyn JournalEvents>,
    ) -> io::Result<(Arc<GroupCommit>, Writer)> {
        let files = Files::open(disk, start, limits, Arc::clone(&events))?;
        let first = files.first(start.previous_end)?;
        let header = FileHeader {
            number: start.file,
            salt: writer::salt()?,
            previous_end: start.previous_end,
            live_from: start.live_from,
            file_len: first.len,
        };
        let group_commit = Arc::new(GroupCommit::new(start, files, limits, events));
        let writer = Writer::new(Arc::clone(&group_commit), first, header, group_commit.durable.reached())?;
        Ok((group_commit, writer))
    }

    fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(body)?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// A ticket, to be taken before any queue is touched.
    pub fn enter(&self) -> Ticket {
        let (round, file) = self.group_commit.enter(None);
        Ticket::new(Arc::clone(&self.group_commit), round, file)
    }

    /// A ticket, and room in `group` for records, out of what others have left.
    pub fn enter_with(&self, group: &mut Group) -> Ticket {
        let (round, file) = self.group_commit.enter(Some(group));
        Ticket::new(Arc::clone(&self.group_commit), round, file)
    }

    /// Appends the records of `group` to the ticket's file, and leaves it empty. They get there together or not at all.
    /// Waits for nothing. Gives what to wait for; of no records, something that is durable.
    pub fn append(&self, ticket: Ticket, group: &mut Group) -> Batch {
        if group.is_empty() {
            return Batch(0);
        }
        let file = ticket.file();
        self.group_commit.append(ticket.spend(), file, group)
    }

    /// Appends records that concern no queue that others touch at the same time.
    pub fn append_now(&self, group: &mut Group) -> Batch {
        self.append(self.enter(), group)
    }

    /// Has `waiter` called once the batch is durable. False when it is already, and nobody is called. If the journal
    /// fails, whoever waits is called as well; whoever asks later is told to wait and never called.
    pub fn notify(&self, batch: Batch, waiter: Arc<dyn Synced>) -> bool {
        let wait = self.group_commit.durable.register(batch, || waiter);
        if wait == Wait::Registered {
            self.group_commit.request_sync(batch);
        }
        wait != Wait::Reached
    }

    /// As [`Self::notify`], once the batch is with the operating system.
    pub fn notify_written(&self, batch: Batch, waiter: Arc<dyn Synced>) -> bool {
        self.group_commit.written.register(batch, || waiter) != Wait::Reached
    }

    /// Waits until the batch is durable; for threads of the store. False when it never will be.
    pub fn wait(&self, batch: Batch) -> bool {
        loop {
            match self.group_commit.durable.register(batch, || Arc::new(Parked(thread::current()))) {
                Wait::Reached => return true,
                Wait::Ended => return false,
                Wait::Registered => self.group_commit.request_sync(batch),
            }
            #[cfg(test)]
            if let Some(hand) = &self.hand {
                hand.must_work();
                continue;
            }
            thread::park();
        }
    }

    /// The last batch that outlives a loss of power.
    pub fn durable(&self) -> Batch {
        self.group_commit.durable.reached()
    }

    /// The last batch that the operating system has.
    pub fn written(&self) -> Batch {
        self.group_commit.written.reached()
    }

    /// How many bytes were appended and are not written.
    pub fn waiting_bytes(&self) -> usize {
        self.group_commit.waiting_bytes()
    }

    /// Whether so much waits to be written that publishers are to wait.
    pub fn is_congested(&self) -> bool {
        self.group_commit.waiting_bytes() > self.group_commit.limits.congested_bytes
    }

    /// Why nothing is durable any more, if that is so.
    pub fn failure(&self) -> Option<Arc<JournalFailure>> {
        self.group_commit.failure.get().cloned()
    }

    /// Whether there is no space for what comes next: publishers are to wait.
    pub fn is_full(&self) -> bool {
        self.group_commit.files.is_full()
    }

    /// Waits until all tickets that are out now are in: what has left a queue's memory has its record appended. Not to be
    /// called by whoever holds a ticket.
    pub fn quiesce(&self) {
        self.group_commit.quiesce();
    }

    /// The file that a ticket would be for now.
    pub fn current_file(&self) -> JournalFile {
        self.group_commit.current_file()
    }

    /// The complete files that are still needed, in their order.
    pub fn live_files(&self) -> Vec<LiveFile> {
        self.group_commit.files.live()
    }

    /// The files up to this one are not needed any more, and a record that says so is durable. They are used again, or
    /// removed.
    pub fn release_through(&self, file: JournalFile) {
        self.group_commit.files.release_through(file);
    }

    /// What it has done so far.
    pub fn counters(&self) -> &JournalCounters {
        &self.group_commit.counters
    }

    /// The end is near: nobody waits for space on the disk any more. What finds none from now on fails the journal, as
    /// nothing of it was promised to anybody.
    pub fn wait_for_no_space(&self) {
        self.group_commit.files.end();
    }

    /// Ends in order: everything that was appended is written and synced, and behind it that this was the end. What is
    /// appended afterwards is never durable.
    pub fn close(&self) {
        self.group_commit.quiesce();
        self.end(true);
    }

    fn end(&self, in_order: bool) {
        self.group_commit.close(in_order);
        #[cfg(test)]
        if let Some(hand) = &self.hand {
            while hand.work() {}
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // One of them may be who lets go of the journal last.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.end(false);
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("durable", &self.durable())
            .field("written", &self.written())
            .finish_non_exhaustive()
    }
}

struct Parked(Thread);

impl Synced for Parked {
    fn synced(&self) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests;
