//! The memory alarm: raised while more memory is used than may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::limit::{Limit, SetBy};
use super::process::MemoryMeter;
use super::raised::{Raised, Signal};

/// The memory is looked at once for so many bytes that connections have read. A broker that nobody publishes to never
/// looks.
const LOOK_EVERY_BYTES: u64 = 1024 * 1024;
/// While the alarm is raised nobody publishes, so that time has to tell when it is over.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What a process occupies beyond its live memory without being reproached for it: stacks, and what an allocator keeps.
const OVERHEAD_FREE_BYTES: u64 = 64 * 1024 * 1024;

/// Whether more memory is used than there may be.
#[derive(Debug)]
pub struct MemoryAlarm {
    limit: Limit,
    meter: Box<dyn MemoryMeter>,
    read_since_look: AtomicU64,
    signal: Arc<Signal>,
}

impl MemoryAlarm {
    pub(super) fn new(limit: u64, meter: Box<dyn MemoryMeter>, signal: Arc<Signal>) -> Self {
        let limit = Limit::new("memory_limit", limit);
        Self { limit, meter, read_since_look: AtomicU64::new(0), signal }
    }

    /// The limit in bytes.
    pub fn limit(&self) -> u64 {
        self.limit.bytes()
    }

    /// Where it is set, for people.
    pub fn limit_text(&self) -> String {
        self.limit.to_string()
    }

    pub(super) fn set_limit(&self, bytes: u64, by: SetBy) {
        self.limit.set(bytes, by);
        self.look();
    }

    /// How much memory is used, in bytes: what is live, and what the process occupies beyond that, of which the first 64 MiB
    /// do not count, and no more than is live. What an allocator holds back of messages that have left would block publishers
    /// for good otherwise.
    pub fn used(&self) -> u64 {
        let live = self.meter.live_bytes();
        with_overhead(live, self.meter.resident_bytes())
    }

    /// A connection has read so many bytes, which may have become messages.
    pub(super) fn read(&self, bytes: usize) {
        let bytes = bytes as u64;
        if self.read_since_look.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) >= LOOK_EVERY_BYTES
        {
            self.read_since_look.store(0, Ordering::Relaxed);
            self.look();
        }
    }

    /// Raises or clears the alarm by what is used now. It clears a little below the limit, so that it does not flutter.
    pub(super) fn look(&self) {
        let limit = self.limit();
        let clear_below = limit - limit / 20;
        let mut used = self.meter.live_bytes();
        // Asking the system takes longer, and below half the limit its answer does not matter.
        if used.saturating_mul(2) >= clear_below {
            used = with_overhead(used, self.meter.resident_bytes());
        }
        let is_raised = |before| used > limit || (before && used >= clear_below);
        match self.signal.decide(|raised: &mut Raised| &mut raised.memory, is_raised) {
            Some(true) => tracing::warn!(
                "memory resource limit alarm set: {used} bytes are used, {limit} are allowed ({}). \
                 Publishers will be blocked until this alarm clears",
                self.limit
            ),
            Some(false) => tracing::warn!(
                "memory resource limit alarm cleared: {used} bytes are used, {limit} are allowed"
            ),
            None => {}
        }
    }
}

fn with_overhead(live: u64, resident: u64) -> u64 {
    let overhead = resident.saturating_sub(live).saturating_sub(OVERHEAD_FREE_BYTES);
    live.saturating_add(overhead.min(live))
}
