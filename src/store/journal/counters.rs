//! What the journal has done since it was opened.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::count::Histogram;

/// Bounds of how long a sync takes, in nanoseconds.
const SYNC_NANOS: [u64; 14] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    1_000_000_000,
    5_000_000_000,
];
/// Bounds of how many groups one sync makes durable.
const GROUPS: [u64; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/// Totals, written by the journal's thread alone.
#[derive(Debug)]
pub struct JournalCounters {
    batches: AtomicU64,
    bytes_written: AtomicU64,
    record_bytes: AtomicU64,
    syncs: AtomicU64,
    sync_times: Histogram<{ SYNC_NANOS.len() }>,
    last_sync_nanos: AtomicU64,
    groups_of_sync: Histogram<{ GROUPS.len() }>,
    /// Groups that were written and are to be synced.
    groups_unsynced: AtomicU64,
    /// When the piece of work began that the thread is at.
    at_work_since: Mutex<Option<Instant>>,
}

impl Default for JournalCounters {
    fn default() -> Self {
        Self {
            batches: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            record_bytes: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            sync_times: Histogram::new(&SYNC_NANOS),
            last_sync_nanos: AtomicU64::new(0),
            groups_of_sync: Histogram::new(&GROUPS),
            groups_unsynced: AtomicU64::new(0),
            at_work_since: Mutex::default(),
        }
    }
}

impl JournalCounters {
    /// How many batches were written.
    pub fn batches(&self) -> u64 {
        self.batches.load(Ordering::Relaxed)
    }

    /// How many bytes were written, with headers and padding.
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written.load(Ordering::Relaxed)
    }

    /// How many bytes of records were written.
    pub fn record_bytes(&self) -> u64 {
        self.record_bytes.load(Ordering::Relaxed)
    }

    /// How many successful syncs there were.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// How long all of them took together.
    pub fn sync_time(&self) -> Duration {
        Duration::from_nanos(self.sync_times.sum())
    }

    /// How long each took, in nanoseconds.
    pub fn sync_times(&self) -> &Histogram<{ SYNC_NANOS.len() }> {
        &self.sync_times
    }

    /// How many groups of records each made durable.
    pub fn groups_of_sync(&self) -> &Histogram<{ GROUPS.len() }> {
        &self.groups_of_sync
    }

    /// How long the last one took.
    pub fn last_sync(&self) -> Duration {
        Duration::from_nanos(self.last_sync_nanos.load(Ordering::Relaxed))
    }

    /// How long the write or sync has taken so far that is under way; nothing when none is.
    pub fn at_work_for(&self) -> Duration {
        let since = *self.at_work_since.lock().unwrap_or_else(PoisonError::into_inner);
        since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// A piece of work begins, or has ended.
    pub(super) fn at_work(&self, is_begun: bool) {
        let since = is_begun.then(Instant::now);
        *self.at_work_since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    pub(super) fn written(&self, bytes: u64, record_bytes: usize, groups: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.bytes_written.fetch_add(bytes, Ordering::Relaxed);
        self.record_bytes.fetch_add(record_bytes as u64, Ordering::Relaxed);
        self.groups_unsynced.fetch_add(groups as u64, Ordering::Relaxed);
    }

    pub(super) fn synced(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.sync_times.add(nanos);
        match self.groups_unsynced.swap(0, Ordering::Relaxed) {
            // The end of a file, or of the journal.
            0 => {}
            groups => self.groups_of_sync.add(groups),
        }
        self.last_sync_nanos.store(nanos, Ordering::Relaxed);
    }
}
