//! The memory alarm: while it is raised, publishers are not read.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::store::held_loads::LiveMemory;

/// The heap is looked at once for so many bytes that connections have read. A broker that nobody publishes to never
/// looks.
const LOOK_EVERY_BYTES: u64 = 1024 * 1024;
/// While the alarm is raised nobody publishes, so that time has to tell when it is over.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Whether more memory is live than there may be.
#[derive(Debug)]
pub struct MemoryAlarm {
    limit: AtomicU64,
    live_bytes: fn() -> u64,
    read_since_look: AtomicU64,
    /// What `changed` says, without its lock.
    is_raised: AtomicBool,
    changed: watch::Sender<bool>,
}

impl MemoryAlarm {
    /// An alarm that is raised above `limit` bytes of what `live_bytes` tells.
    pub fn new(limit: u64, live_bytes: fn() -> u64) -> Self {
        Self {
            limit: AtomicU64::new(limit),
            live_bytes,
            read_since_look: AtomicU64::new(0),
            is_raised: AtomicBool::new(false),
            changed: watch::Sender::new(false),
        }
    }

    /// The limit in bytes.
    pub fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Another limit from now on.
    pub fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
        self.look();
    }

    /// Whether publishers are to be blocked. Cheap: ask after every read.
    pub fn is_raised(&self) -> bool {
        self.is_raised.load(Ordering::Relaxed)
    }

    /// Tells each change, beginning with the present state.
    pub fn changes(&self) -> watch::Receiver<bool> {
        let mut changes = self.changed.subscribe();
        changes.mark_changed();
        changes
    }

    /// A connection has read so many bytes, which may have become messages.
    pub fn read(&self, bytes: usize) {
        let bytes = bytes as u64;
        if self.read_since_look.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) >= LOOK_EVERY_BYTES
        {
            self.read_since_look.store(0, Ordering::Relaxed);
            self.look();
        }
    }

    /// Raises or clears the alarm by what is live now. It clears a little below the limit, so that it does not flutter.
    fn look(&self) {
        let (live, limit) = ((self.live_bytes)(), self.limit());
        let clear_below = limit - limit / 20;
        self.changed.send_if_modified(|raised| {
            let before = *raised;
            *raised = live > limit || (before && live >= clear_below);
            self.is_raised.store(*raised, Ordering::Relaxed);
            match (before, *raised) {
                (false, true) => tracing::warn!(
                    "memory resource limit alarm set: {live} bytes are live, the limit is {limit}; \
                     publishers are blocked until it clears"
                ),
                (true, false) => tracing::info!("memory resource limit alarm cleared: {live} bytes are live"),
                _ => {}
            }
            before != *raised
        });
    }

    /// Clears the alarm when memory is free again. Waits without a timer while there is none.
    pub async fn clear_in_time(&self) {
        let mut changes = self.changed.subscribe();
        // The sender is our own, so that the channel does not end.
        while changes.wait_for(|raised| *raised).await.is_ok() {
            while self.is_raised() {
                tokio::time::sleep(LOOK_EVERY).await;
                self.look();
            }
        }
    }
}

/// What is read from the disk becomes live though nobody publishes.
impl LiveMemory for MemoryAlarm {
    fn is_short(&self) -> bool {
        self.look();
        self.is_raised()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static LIVE: AtomicU64 = AtomicU64::new(0);

    // One test, since what is live is the test's own global.
    #[test]
    fn the_alarm_is_raised_above_its_limit_and_cleared_a_little_below_it() {
        let alarm = MemoryAlarm::new(1000, || LIVE.load(Ordering::Relaxed));
        let look_at = |live| {
            LIVE.store(live, Ordering::Relaxed);
            alarm.look();
            alarm.is_raised()
        };
        for (live, raised) in
            [(0, false), (1000, false), (1001, true), (1000, true), (950, true), (949, false), (1000, false)]
        {
            assert_eq!(look_at(live), raised, "{live}");
            assert_eq!(*alarm.changes().borrow(), raised, "{live}");
        }

        LIVE.store(1500, Ordering::Relaxed);
        assert!(alarm.is_short() && alarm.is_raised(), "whoever reads from the disk looks as well");
        look_at(0);
        LIVE.store(2000, Ordering::Relaxed);
        alarm.read(1024 * 1024 - 1);
        assert!(!alarm.is_raised(), "not looked yet");
        alarm.read(1);
        assert!(alarm.is_raised());
        alarm.set_limit(4000);
        assert!(!alarm.is_raised(), "the limit was raised");
        alarm.set_limit(1000);
        assert!(alarm.is_raised());

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LIVE.store(0, Ordering::Relaxed);
        runtime.block_on(async {
            let mut changes = alarm.changes();
            tokio::select! {
                () = alarm.clear_in_time() => {}
                cleared = changes.wait_for(|raised| !raised) => drop(cleared.unwrap()),
            }
        });
        assert!(!alarm.is_raised());
    }
}
