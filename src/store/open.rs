//! The store as a whole: from what is found in the data directory to a journal that takes records, and to its end.
//!
//! ```text
//! Opening::open     the journal is read once: what it says of queues, segments, definitions
//!   .definitions    (the caller makes virtual hosts, exchanges, queues, bindings)
//!   .refill         segments, then the journal again: the messages
//!   .finish         the journal goes on in a new file; the store's threads run
//! ```

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::definitions::{Change, Definition, Definitions, DefinitionsError, Opened};
use super::disk::Disk;
use super::held_loads::LiveMemory;
use super::journal::{Journal, JournalEvents, JournalFailure, Limits};
use super::recovery::{JournalEnd, Progress, Recovery, RecoveryError, Replay};
use super::refill::{Refill, Refilled, Refilling, record_redelivered};
use super::reserve::Reserve;
use super::segment_store::{SegmentLimits, SegmentStore};
use super::{StoreHandle, journal};
use crate::net::open_segments;
use crate::place::{JournalFile, Position, QueueId};
use crate::supervisor;

/// A store that is being opened.
pub struct Opening {
    disk: Arc<dyn Disk>,
    recovery: Recovery,
    replay: Replay,
    definitions: Opened,
    segments: Arc<SegmentStore>,
    reserve: Arc<Reserve>,
    redelivered_below: Vec<(QueueId, Position)>,
    refilled: Refilled,
    began: Instant,
}

impl Opening {
    /// Reads what the journal in the data directory says, except for messages, and brings the definitions up to it.
    /// `disk` is the same directory. Of ready messages `backlog_bytes` stay in memory. What is damaged is moved to the
    /// quarantine and reported, and the rest counts.
    pub fn open(data_dir: &Path, disk: Arc<dyn Disk>, backlog_bytes: u64) -> Result<Self, OpenError> {
        let began = Instant::now();
        let reserve = Arc::new(Reserve::open(Arc::clone(&disk)).map_err(OpenError::Disk)?);
        disk.create_dir(Path::new(journal::FOLDER)).map_err(OpenError::Disk)?;
        let limits = SegmentLimits { open_files: open_segments(), ..SegmentLimits::new(backlog_bytes) };
        let segments = SegmentStore::open(Arc::clone(&disk), limits).map_err(OpenError::Disk)?;
        let mut recovery = Recovery::find(Arc::clone(&disk)).map_err(OpenError::Recovery)?;
        let mut told = Told::new("reading the journal");
        let mut replay = recovery.replay(&mut |at| told.at(at)).map_err(OpenError::Recovery)?;
        report(&recovery);
        if let Some(highest) = replay.highest_queue {
            highest.reserve();
        }
        let changes = std::mem::take(&mut replay.definitions);
        let changes: Vec<Change> = changes.into_iter().map(|(key, value)| Change { key, value }).collect();
        let definitions = Opened::open(data_dir, &changes).map_err(OpenError::Definitions)?;
        Ok(Self {
            disk,
            recovery,
            replay,
            definitions,
            segments,
            reserve,
            redelivered_below: Vec::new(),
            refilled: Refilled::default(),
            began,
        })
    }

    /// Everything that is defined, in the order in which it can be made.
    pub fn definitions(&mut self) -> Result<Vec<Definition>, OpenError> {
        let definitions = self.definitions.definitions().map_err(OpenError::Definitions)?;
        // Each of them was in the journal first.
        if self.recovery.report().end == JournalEnd::Absent && !definitions.is_empty() {
            let known = self.recovery.report().damages.len();
            self.recovery.journal_is_missing();
            report_damages(&self.recovery, known);
        }
        Ok(definitions)
    }

    /// Whether anything was ever written of this queue.
    pub fn has_messages_of(&self, queue: QueueId) -> bool {
        self.replay.queues.get(&queue).is_some_and(|found| found.highest.is_some())
    }

    /// Where the backlogs of queues go.
    pub fn handle(&self) -> StoreHandle {
        StoreHandle::new(Arc::<SegmentStore>::clone(&self.segments))
    }

    /// Gives the queues, all that are defined, what they have on the disk. They are registered with the handle.
    pub fn refill<Q: Refill>(&mut self, queues: &[Arc<Q>]) -> Result<(), OpenError> {
        let report = self.recovery.report();
        let is_clean_stop = report.is_clean_stop();
        // Segments that are not named in a journal that is not there were needed.
        let is_whole = !report.is_damaged() && report.end != JournalEnd::Absent;
        let mut refilling = Refilling::new(queues);
        refilling.restore_segments(&self.segments, &self.replay, is_clean_stop).map_err(OpenError::Disk)?;
        let unknown = refilling.unknown(&self.replay);
        let swept = self.segments.sweep(is_whole, &unknown).map_err(OpenError::Disk)?;
        if swept.kept > 0 {
            tracing::error!(
                "{} segments that the journal does not name were moved to the quarantine",
                swept.kept
            );
        }
        let mut told = Told::new("bringing back messages");
        let known = report.damages.len();
        refilling
            .push_messages(&self.segments, &mut self.recovery, &self.replay, &mut |at| told.at(at))
            .map_err(OpenError::Recovery)?;
        // What could be read a moment ago.
        report_damages(&self.recovery, known);
        self.refilled = refilling.refilled;
        self.redelivered_below = refilling.redelivered_below;
        Ok(())
    }

    /// Goes on in a new file of the journal. `failed` is called when nothing can be made durable any more.
    pub fn finish(
        self,
        failed: impl Fn(&JournalFailure) + Send + Sync + 'static,
    ) -> Result<Store, OpenError> {
        let (segments, reserve) = (Arc::clone(&self.segments), Arc::clone(&self.reserve));
        let events = Arc::new(Events { segments, reserve, failed: Box::new(failed) });
        let start = self.recovery.start();
        let journal = Journal::open(self.disk, &start, Limits::default(), events).map_err(OpenError::Disk)?;
        record_redelivered(&journal, &self.redelivered_below);
        let definitions = self.definitions.start(Arc::clone(&journal)).map_err(OpenError::Disk)?;
        self.segments
            .begin_checkpoints(Arc::clone(&journal), Arc::<Definitions>::clone(&definitions))
            .map_err(OpenError::Disk)?;
        tell(&self.recovery, self.refilled, self.began);
        let Self { segments, reserve, redelivered_below, .. } = self;
        Ok(Store { journal, definitions, segments, reserve, redelivered_below })
    }
}

/// An open store. To be [closed](Self::close): dropped without it, it looks to the next start as if it had been killed.
pub struct Store {
    journal: Arc<Journal>,
    definitions: Arc<Definitions>,
    segments: Arc<SegmentStore>,
    reserve: Arc<Reserve>,
    redelivered_below: Vec<(QueueId, Position)>,
}

impl Store {
    /// For records of messages.
    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// For changes of the topology.
    pub fn definitions(&self) -> &Arc<Definitions> {
        &self.definitions
    }

    /// For the backlogs of queues.
    pub fn handle(&self) -> StoreHandle {
        StoreHandle::new(Arc::<SegmentStore>::clone(&self.segments))
    }

    /// While this memory is short, backlogs are not read for clients that hold much already. Once.
    pub fn watch(&self, memory: Arc<dyn LiveMemory>) {
        self.segments.watch(memory);
    }

    /// Ends in order, once nobody changes anything any more: the next start finds all as it is now.
    pub fn close(&self) {
        record_redelivered(&self.journal, &self.redelivered_below);
        self.stop_threads();
        self.journal.close();
        self.reserve.take_back();
    }

    /// Ends without saying that it was in order, though all that was confirmed is on the disk: the next start takes all
    /// messages for delivered.
    pub fn abandon(&self) {
        self.stop_threads();
    }

    fn stop_threads(&self) {
        // The threads may wait for what the journal has no space for.
        self.journal.wait_for_no_space();
        self.segments.close();
        self.definitions.close();
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("journal", &self.journal).finish_non_exhaustive()
    }
}

/// What the journal tells goes to the segments, and its failure to the broker.
struct Events {
    segments: Arc<SegmentStore>,
    reserve: Arc<Reserve>,
    failed: Box<dyn Fn(&JournalFailure) + Send + Sync>,
}

impl JournalEvents for Events {
    fn failed(&self, failure: &Arc<JournalFailure>) {
        self.segments.failed(failure);
        (self.failed)(failure);
    }

    fn file_closed(&self, file: JournalFile) {
        self.segments.file_closed(file);
    }

    fn needs_space(&self) -> bool {
        !self.reserve.is_held()
    }

    fn freed(&self) {
        self.reserve.take_back();
    }

    fn full(&self, is_full: bool) {
        if !is_full {
            self.reserve.take_back();
        }
        self.segments.full(is_full);
    }
}

/// Tells how far something is, at most once a second.
struct Told {
    what: &'static str,
    last: Instant,
}

impl Told {
    fn new(what: &'static str) -> Self {
        Self { what, last: Instant::now() }
    }

    fn at(&mut self, at: Progress) {
        if self.last.elapsed() >= Duration::from_secs(1) {
            self.last = Instant::now();
            let percent = at.done.saturating_mul(100).checked_div(at.total).unwrap_or(100);
            let told = format!("{}: {percent} % of {} MiB", self.what, at.total >> 20);
            supervisor::starting(&told);
            tracing::info!("{told}");
        }
    }
}

/// Says what is not as it was left.
fn report(recovery: &Recovery) {
    let report = recovery.report();
    for name in &report.foreign {
        tracing::warn!("{}/{name} is not a file of the journal and is left alone", journal::FOLDER);
    }
    report_damages(recovery, 0);
    let listed = report.damages.len() as u64;
    if report.damages_count > listed {
        tracing::error!("and {} more damages", report.damages_count.saturating_sub(listed));
    }
}

/// Says what is damaged, but for the first `known` of it.
fn report_damages(recovery: &Recovery, known: usize) {
    for damage in recovery.report().damages.iter().skip(known) {
        tracing::error!("damaged: {damage}; what was in it is lost, and the rest is served");
    }
}

/// Says what there is.
fn tell(recovery: &Recovery, refilled: Refilled, began: Instant) {
    let report = recovery.report();
    if refilled.of_unknown > 0 {
        tracing::error!(
            "{} messages in the journal belong to queues that are not defined, and are not served",
            refilled.of_unknown
        );
    }
    if report.end == JournalEnd::Absent && !report.is_damaged() && refilled.messages == 0 {
        tracing::info!("nothing to recover: there is no journal yet");
        return;
    }
    tracing::info!(
        "recovered {} messages, {} MiB of journal read in {} ms: {}",
        refilled.messages,
        report.bytes >> 20,
        began.elapsed().as_millis(),
        report.end
    );
}

/// Why a store cannot be opened. Nothing is lost by it.
#[derive(Debug)]
pub enum OpenError {
    /// The journal cannot be read.
    Recovery(RecoveryError),
    /// The definitions cannot be opened.
    Definitions(DefinitionsError),
    /// The disk refuses.
    Disk(io::Error),
}

impl OpenError {
    /// Whether another version is to be started.
    pub fn is_of_other_version(&self) -> bool {
        matches!(self, Self::Recovery(RecoveryError::OtherFormat { .. }))
    }

    /// What the disk said, if that is all.
    pub fn into_io(self) -> Result<io::Error, Self> {
        match self {
            Self::Disk(error) => Ok(error),
            Self::Definitions(error) => error.into_io().map_err(Self::Definitions),
            Self::Recovery(_) => Err(self),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recovery(error) => error.fmt(f),
            Self::Definitions(error) => error.fmt(f),
            Self::Disk(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

#[cfg(test)]
mod tests;
