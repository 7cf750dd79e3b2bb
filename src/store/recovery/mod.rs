//! Reading the journal after a start: what it comes to, what of it is damaged, and where it goes on.
//!
//! Twice through the files, never more than one batch of them in memory:
//!
//! ```text
//! Recovery::find      which files there are, by their headers
//!   .replay           newest to oldest: checks all, and gathers what is settled, defined, gone -> Replay
//!                     (the caller makes its queues and opens their segments)
//!   .messages         oldest to newest: gives what is alive, in order, each message once
//!   .start            where the journal goes on
//! ```

mod files;
#[cfg(test)]
mod image;
mod known;
mod messages;
mod order;
pub mod quarantine;
mod replay;
mod report;
pub mod scan;
#[cfg(test)]
mod tests;
mod window;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::files::{FoundFile, FoundFiles, path};
use self::messages::Messages;
use self::replay::Replaying;
use self::scan::{DamagedPart, Part, Scanned, scan};
use crate::place::{Batch, JournalFile, Position, QueueId};
use crate::store::disk::{Disk, DiskFile};
use crate::store::journal::{FOLDER, LiveFile, Start};

pub use self::messages::Alive;
pub use self::replay::{QueueReplay, Replay};
pub use self::report::{Damage, Damaged, JournalEnd, Report};

/// The journal as it was found.
pub struct Recovery {
    disk: Arc<dyn Disk>,
    found: FoundFiles,
    live_from: JournalFile,
    /// Where the last file ends, once it was read.
    last_end: u64,
    last_batch: Option<Batch>,
    report: Report,
}

/// Why there is no going on.
#[derive(Debug)]
pub enum RecoveryError {
    /// The disk fails, or refuses.
    Io {
        /// What was to be done, for a sentence: "open", "list".
        operation: &'static str,
        /// With what, relative to the data directory.
        path: PathBuf,
        /// What came of it.
        error: io::Error,
    },
    /// A file was written by another version.
    OtherFormat {
        /// Its name in the journal's folder.
        name: String,
        /// The version of its format.
        format: u32,
    },
}

impl RecoveryError {
    fn io(operation: &'static str, path: impl AsRef<Path>, error: io::Error) -> Self {
        Self::Io { operation, path: path.as_ref().to_path_buf(), error }
    }
}

impl fmt::Display for RecoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { operation, path, error } => {
                write!(f, "cannot {operation} {}: {error}", path.display())
            }
            Self::OtherFormat { name, format } => {
                write!(
                    f,
                    "journal/{name} has format {format}, which this version does not know; start the one that wrote it, \
                     or choose another directory with --data-dir"
                )
            }
        }
    }
}

impl std::error::Error for RecoveryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::OtherFormat { .. } => None,
        }
    }
}

/// How far a reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// So many bytes were read,
    pub done: u64,
    /// of so many.
    pub total: u64,
}

impl Recovery {
    /// Finds the files of the journal. Nothing is changed.
    ///
    /// # Errors
    /// The folder or a file cannot be opened, or a file is of another format.
    pub fn find(disk: Arc<dyn Disk>) -> Result<Self, RecoveryError> {
        let found = FoundFiles::find(&*disk)?;
        let live_from = found.files.iter().map(|file| file.header.live_from).max().unwrap_or(JournalFile(1));
        let report = Report { foreign: found.foreign.clone(), ..Report::default() };
        Ok(Self { disk, found, live_from, last_end: 0, last_batch: None, report })
    }

    /// What was found, complete after [`Self::replay`].
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Something else shows that there was a journal, and none was found.
    pub fn journal_is_missing(&mut self) {
        self.report.add(Damage { what: Damaged::Journal, quarantined: None });
    }

    /// Reads and checks everything that is needed. What is damaged goes to the quarantine and into the report, and the rest
    /// counts; only the torn end of what the power cut off does not. What counts is synced when this returns.
    ///
    /// # Errors
    /// A file cannot be opened, or what was read cannot be synced.
    pub fn replay(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<Replay, RecoveryError> {
        if !self.found.is_empty() {
            // A broker that was killed leaves what the system has and the disk may not have: names, and below the last file.
            self.disk
                .sync_dir(Path::new(FOLDER))
                .map_err(|error| RecoveryError::io("sync", FOLDER, error))?;
        }
        let mut replaying = Replaying::default();
        let mut reading = Reading::new(&self.found.files, self.live_from, progress);
        for at in (0..self.found.files.len()).rev() {
            let Some(file) = self.found.files.get(at).cloned() else { continue };
            self.live_from = self.live_from.max(after(replaying.checkpointed()));
            if file.header.number < self.live_from {
                break;
            }
            let is_last = at.saturating_add(1) == self.found.files.len();
            let opened = open(&*self.disk, &file)?;
            if is_last {
                opened.sync().map_err(|error| RecoveryError::io("sync", path(&file.name), error))?;
            }
            self.replay_file(&file, &opened, is_last, &mut replaying, &mut reading)?;
        }
        self.live_from = self.live_from.max(after(replaying.checkpointed()));
        if let Some(file) = self.found.lost_last() {
            // Whatever the one before it says.
            self.report.end = JournalEnd::Open { file, offset: 0, torn: false };
        }
        for (first, last) in self.found.missing(self.live_from) {
            self.report.add(Damage { what: Damaged::MissingFiles { first, last }, quarantined: None });
        }
        for name in std::mem::take(&mut self.found.damaged) {
            let quarantined =
                quarantine::keep_file(&*self.disk, &path(&name), &format!("journal-{name}")).ok();
            self.report.add(Damage { what: Damaged::File { name }, quarantined });
        }
        Ok(replaying.finish())
    }

    fn replay_file(
        &mut self,
        file: &FoundFile,
        opened: &Arc<dyn DiskFile>,
        is_last: bool,
        replaying: &mut Replaying,
        reading: &mut Reading<'_>,
    ) -> Result<(), RecoveryError> {
        let number = file.header.number;
        let Self { disk, report, .. } = self;
        let mut damaged = |from: u64, to: u64, part: DamagedPart| {
            let name = format!("journal-{}-{from}", number.0);
            let quarantined =
                quarantine::keep_copy(&**disk, &**opened, from, to, &name).unwrap_or_else(|error| {
                    tracing::warn!("no copy of what is damaged in journal file {}: {error}", number.0);
                    None
                });
            report.add(Damage { what: Damaged::Part { file: number, from, to, part }, quarantined });
        };
        let mut give = |part: Part<'_>| match part {
            Part::Chunk { offset, bytes } => {
                if let Err(malformed) = replaying.chunk(number, bytes) {
                    let end = offset.saturating_add(bytes.len() as u64);
                    damaged(offset.saturating_add(malformed.at as u64), end, DamagedPart::Record);
                }
            }
            Part::Damaged { from, to, what } => {
                // Where the end of the file is missing, nothing was behind a record that says that it is the last.
                if what != DamagedPart::Missing {
                    replaying.interrupted();
                }
                damaged(from, to, what);
            }
        };
        let end = self.found.end_of(number);
        let scanned = scan(Arc::clone(opened), &file.header, end, &mut |at| reading.at(at), &mut give)
            .map_err(|error| RecoveryError::io("read", path(&file.name), error))?;
        reading.next_file(file.len);
        let Scanned { end: offset, torn, last_batch } = scanned;
        self.last_batch = self.last_batch.max(last_batch);
        self.report.files = self.report.files.saturating_add(1);
        self.report.bytes = self.report.bytes.saturating_add(offset);
        if is_last {
            self.last_end = offset;
            let closed = replaying.is_closed() && !torn;
            self.report.end =
                if closed { JournalEnd::Closed } else { JournalEnd::Open { file: number, offset, torn } };
        }
        Ok(())
    }

    /// Gives the messages that are alive: not settled, their queue not gone, and not, as `is_elsewhere` tells, alive in a
    /// segment. Each is given once, those of a queue in the order of their positions as far as that can be had with bounded
    /// memory: what was written to the journal again long after it was published may come late. What could be read the
    /// first time and cannot any more goes into the report.
    ///
    /// # Errors
    /// A file cannot be opened.
    pub fn messages(
        &mut self,
        replay: &Replay,
        is_elsewhere: &dyn Fn(QueueId, Position) -> bool,
        progress: &mut dyn FnMut(Progress),
        give: &mut dyn FnMut(Alive<'_>),
    ) -> Result<(), RecoveryError> {
        let Self { disk, found, report, .. } = self;
        let mut messages = Messages::new(replay, is_elsewhere, give);
        let mut reading = Reading::new(&found.files, self.live_from, progress);
        for file in found.from(self.live_from) {
            let number = file.header.number;
            let is_last = found.last().is_some_and(|last| last.header.number == number);
            let end = if is_last { Some(self.last_end) } else { found.end_of(number) };
            let opened = open(&**disk, file)?;
            let mut give = |part: Part<'_>| match part {
                Part::Chunk { bytes, .. } => messages.chunk(number, bytes),
                Part::Damaged { from, to, what } => {
                    let what = Damaged::Part { file: number, from, to, part: what };
                    if !report.lists(&what) {
                        report.add(Damage { what, quarantined: None });
                    }
                }
            };
            scan(opened, &file.header, end, &mut |at| reading.at(at), &mut give)
                .map_err(|error| RecoveryError::io("read", path(&file.name), error))?;
            reading.next_file(file.len);
        }
        messages.give_all();
        Ok(())
    }

    /// Where the journal goes on.
    pub fn start(&self) -> Start {
        let mut first = Start::default();
        let missing = self.found.lost_last();
        if let Some(JournalFile(missing)) = missing {
            let file = JournalFile(missing.saturating_add(1));
            // Nobody knows where that one ended; should it come back, all of it counts.
            first = Start { file, previous_end: u64::MAX, live_from: file, ..first };
        }
        let Some(last) = self.found.last() else {
            return Start { spares: self.found.blank.clone(), ..first };
        };
        let live = |file: &FoundFile| LiveFile {
            number: file.header.number,
            name: file.name.clone(),
            len: file.len,
        };
        let next = JournalFile(last.header.number.0.saturating_add(1));
        let (file, previous_end) =
            missing.map_or((next, self.last_end), |_| (first.file, first.previous_end));
        let unneeded = self.found.files.iter().filter(|file| file.header.number < self.live_from);
        Start {
            file,
            previous_end,
            live_from: self.live_from.min(file),
            batch: Batch(self.last_batch.map_or(0, |batch| batch.0).saturating_add(1)),
            live: self.found.from(self.live_from).map(live).collect(),
            spares: unneeded.map(|file| &file.name).chain(&self.found.blank).cloned().collect(),
        }
    }
}

fn open(disk: &dyn Disk, file: &FoundFile) -> Result<Arc<dyn DiskFile>, RecoveryError> {
    disk.open(&path(&file.name)).map_err(|error| RecoveryError::io("open", path(&file.name), error))
}

/// The first file that is needed when those up to `checkpointed` are not.
fn after(checkpointed: Option<JournalFile>) -> JournalFile {
    JournalFile(checkpointed.map_or(0, |file| file.0.saturating_add(1)))
}

/// Tells how far a reading of several files is.
struct Reading<'a> {
    tell: &'a mut dyn FnMut(Progress),
    total: u64,
    /// The files that are done, together.
    before: u64,
    done: u64,
}

impl<'a> Reading<'a> {
    fn new(files: &[FoundFile], from: JournalFile, tell: &'a mut dyn FnMut(Progress)) -> Self {
        let files = files.iter().filter(|file| file.header.number >= from);
        let total = files.fold(0, |total: u64, file| total.saturating_add(file.len));
        Self { tell, total, before: 0, done: 0 }
    }

    fn at(&mut self, offset: u64) {
        self.done = self.before.saturating_add(offset);
        (self.tell)(Progress { done: self.done, total: self.total });
    }

    fn next_file(&mut self, len: u64) {
        self.before = self.before.saturating_add(len);
        self.at(0);
    }
}
