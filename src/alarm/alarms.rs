//! The alarms of a broker: while one is raised, connections that publish are not read.

use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;

use super::disk::{DiskAlarm, DiskMeter};
use super::granted::granted_memory;
use super::limit::SetBy;
use super::memory::{LOOK_EVERY, MemoryAlarm};
use super::process::MemoryMeter;
use super::raised::{Raised, Signal};
use crate::config::{DiskLimit, MemoryLimit};
use crate::store::held_loads::LiveMemory;

/// The alarms, which everybody may ask.
#[derive(Debug)]
pub struct Alarms {
    memory: MemoryAlarm,
    disk: DiskAlarm,
    signal: Arc<Signal>,
    /// Another limit of the disk may be nearer.
    disk_limit_changed: Notify,
    granted: u64,
    /// What the configuration says instead.
    total_memory: Option<u64>,
}

impl Alarms {
    /// Alarms with these limits by what these tell, and with so much memory if the system is not to be asked; nobody looks
    /// at the disk where there is none.
    pub fn new(
        (memory_limit, disk_limit, total_memory): (MemoryLimit, DiskLimit, Option<u64>),
        memory: Box<dyn MemoryMeter>,
        disk: Option<Box<dyn DiskMeter>>,
    ) -> Self {
        let signal = Arc::new(Signal::new());
        let granted = granted_memory(total_memory);
        Self {
            memory: MemoryAlarm::new(memory_limit.bytes(granted), memory, Arc::clone(&signal)),
            disk: DiskAlarm::new(disk_limit.bytes(granted), disk, Arc::clone(&signal)),
            signal,
            disk_limit_changed: Notify::new(),
            granted,
            total_memory,
        }
    }

    /// Whether publishers are to be blocked. Cheap: ask after every read.
    #[inline]
    pub fn is_raised(&self) -> bool {
        self.signal.is_any()
    }

    /// Which of them are raised.
    pub fn raised(&self) -> Raised {
        self.signal.raised()
    }

    /// Tells each change from now on.
    pub fn changes(&self) -> watch::Receiver<Raised> {
        self.signal.changes()
    }

    /// The memory alarm.
    pub fn memory(&self) -> &MemoryAlarm {
        &self.memory
    }

    /// The disk alarm.
    pub fn disk(&self) -> &DiskAlarm {
        &self.disk
    }

    /// What the machine or the control group granted when the broker began, in bytes.
    pub fn granted(&self) -> u64 {
        self.granted
    }

    /// A connection has read so many bytes, which may have become messages.
    #[inline]
    pub fn read(&self, bytes: usize) {
        self.memory.read(bytes);
    }

    /// Another limit on memory from now on.
    pub fn set_memory_limit(&self, limit: MemoryLimit, by: SetBy) {
        self.memory.set_limit(limit.bytes(granted_memory(self.total_memory)), by);
    }

    /// Another limit on free space from now on. Asks the disk.
    pub fn set_disk_limit(&self, limit: DiskLimit, by: SetBy) {
        self.disk.set_limit(limit.bytes(granted_memory(self.total_memory)), by);
        self.disk_limit_changed.notify_one();
    }

    /// Looks where time has to tell: at the disk, and at the memory while its alarm is raised. Without an end.
    pub async fn watch(self: Arc<Self>) {
        tokio::join!(self.clear_memory_in_time(), self.watch_disk());
    }

    /// Waits without a timer while the alarm is not raised.
    async fn clear_memory_in_time(&self) {
        let mut changes = self.changes();
        // The sender is our own, so that the channel does not end.
        while changes.wait_for(|raised| raised.memory).await.is_ok() {
            while self.raised().memory {
                tokio::time::sleep(LOOK_EVERY).await;
                self.memory.look();
            }
        }
    }

    async fn watch_disk(self: &Arc<Self>) {
        while self.disk.is_watching() {
            let alarms = Arc::clone(self);
            // A disk over a network may take its time.
            let Ok(pause) = spawn_blocking(move || alarms.disk.look()).await else { return };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.disk_limit_changed.notified() => {}
            }
        }
    }
}

/// What is read from the disk becomes live though nobody publishes.
impl LiveMemory for Alarms {
    fn is_short(&self) -> bool {
        self.memory.look();
        self.raised().memory
    }
}

#[cfg(test)]
mod tests;
