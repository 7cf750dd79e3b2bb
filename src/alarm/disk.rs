//! The disk alarm: raised while less of the disk is free than there should be.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::limit::{Limit, SetBy};
use super::raised::{Raised, Signal};

/// The shortest and the longest time between two looks, as in RabbitMQ.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(100);
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(10);
/// So many bytes a second a disk may be filled with: it is looked at again before the limit can have been passed for long.
const FILLED_A_SECOND: u64 = 1024 * 1024 * 1024;

/// Tells how much of a disk is free.
pub trait DiskMeter: std::fmt::Debug + Send + Sync {
    /// What may still be written by this process's user, in bytes.
    ///
    /// # Errors
    /// The system cannot tell.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// The file system that a directory is on.
#[derive(Clone, Debug)]
pub struct FileSystemOf(pub PathBuf);

impl DiskMeter for FileSystemOf {
    fn free_bytes(&self) -> io::Result<u64> {
        let status = rustix::fs::statvfs(&self.0)?;
        Ok(status.f_bavail.saturating_mul(status.f_frsize))
    }
}

/// Whether too little of the disk is free.
#[derive(Debug)]
pub struct DiskAlarm {
    limit: Limit,
    /// None of a broker that keeps nothing.
    meter: Option<Box<dyn DiskMeter>>,
    /// What was free when it was last looked at; `u64::MAX` before that.
    free: AtomicU64,
    /// The system could not tell, and that was said.
    is_blind: AtomicBool,
    signal: Arc<Signal>,
}

impl DiskAlarm {
    pub(super) fn new(limit: u64, meter: Option<Box<dyn DiskMeter>>, signal: Arc<Signal>) -> Self {
        let limit = Limit::new("disk_free_limit", limit);
        Self { limit, meter, free: AtomicU64::new(u64::MAX), is_blind: AtomicBool::new(false), signal }
    }

    /// Whether there is a disk to look at.
    pub fn is_watching(&self) -> bool {
        self.meter.is_some()
    }

    /// The limit in bytes.
    pub fn limit(&self) -> u64 {
        self.limit.bytes()
    }

    /// Where it is set, for people.
    pub fn limit_text(&self) -> String {
        self.limit.to_string()
    }

    /// What was free when it was last looked at, in bytes; nothing when nobody could tell.
    pub fn free(&self) -> Option<u64> {
        Some(self.free.load(Ordering::Relaxed)).filter(|free| *free != u64::MAX)
    }

    pub(super) fn set_limit(&self, bytes: u64, by: SetBy) {
        self.limit.set(bytes, by);
        self.look();
    }

    /// Raises or clears the alarm by what is free now, and gives when to look again: the sooner the less is left above the
    /// limit. It clears a little above the limit, so that it does not flutter.
    pub(super) fn look(&self) -> Duration {
        let Some(meter) = &self.meter else { return LOOK_AGAIN_MAX };
        let free = match meter.free_bytes() {
            Ok(free) => free,
            Err(error) => {
                if !self.is_blind.swap(true, Ordering::Relaxed) {
                    tracing::warn!("how much of the disk is free cannot be told ({error}): looking again");
                }
                return LOOK_AGAIN_MAX;
            }
        };
        self.is_blind.store(false, Ordering::Relaxed);
        self.free.store(free, Ordering::Relaxed);
        let limit = self.limit();
        let clear_from = limit.saturating_add(limit / 20);
        let is_raised = |before| free < limit || (before && free < clear_from);
        match self.signal.decide(|raised: &mut Raised| &mut raised.disk, is_raised) {
            Some(true) => tracing::warn!(
                "disk resource limit alarm set: {free} bytes are free, the limit is {limit} ({}). \
                 Publishers will be blocked until this alarm clears",
                self.limit
            ),
            Some(false) => tracing::warn!(
                "disk resource limit alarm cleared: {free} bytes are free, the limit is {limit}"
            ),
            None => {}
        }
        // Also while it is raised: that is over when some space is free, not sooner.
        Duration::from_millis(free.abs_diff(limit) / (FILLED_A_SECOND / 1000))
            .clamp(LOOK_AGAIN_MIN, self.longest_pause())
    }

    /// While the alarm is raised publishers wait for its end.
    fn longest_pause(&self) -> Duration {
        if self.signal.raised().disk { Duration::from_millis(500) } else { LOOK_AGAIN_MAX }
    }
}
