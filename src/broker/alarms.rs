//! The alarms of a running broker: who looks, who is told, and what an operator may ask and change.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::Broker;
use crate::alarm::{Raised, SetBy};
use crate::config::{DiskLimit, MemoryLimit};
use crate::connection::Environment;
use crate::net::node_name;
use crate::store::Blocked;

/// What holds publishers back, for whoever operates a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlarmStatus {
    /// The alarms that are raised.
    pub raised: Raised,
    /// How much memory is used, in bytes.
    pub memory_used: u64,
    /// How much may be, in bytes.
    pub memory_limit: u64,
    /// How much of the disk was free when it was last looked at, in bytes; nothing of a broker that keeps nothing.
    pub disk_free: Option<u64>,
    /// How much should be, in bytes.
    pub disk_free_limit: u64,
    /// What the store waits for, besides; publishers of what is kept wait with it.
    pub store: Option<Blocked>,
}

impl Broker {
    /// What holds publishers back, if anything does.
    pub fn alarm_status(&self) -> AlarmStatus {
        let alarms = &self.environment.alarms;
        AlarmStatus {
            raised: alarms.raised(),
            memory_used: alarms.memory().used(),
            memory_limit: alarms.memory().limit(),
            disk_free: alarms.disk().free(),
            disk_free_limit: alarms.disk().limit(),
            store: self.kept.as_ref().and_then(super::Kept::blocked),
        }
    }

    /// Changes the memory limit until the configuration is read again (RabbitMQ's `set_vm_memory_high_watermark`).
    pub fn set_memory_limit(&self, limit: MemoryLimit) {
        let alarms = &self.environment.alarms;
        alarms.set_memory_limit(limit, SetBy::Operator);
        tracing::info!("Memory high watermark set to {}", mebibytes(alarms.memory().limit()));
    }

    /// Changes the limit of free disk space until the configuration is read again (RabbitMQ's `set_disk_free_limit`). Asks
    /// the disk: not to be called on a thread that serves.
    pub fn set_disk_free_limit(&self, limit: DiskLimit) {
        let alarms = &self.environment.alarms;
        alarms.set_disk_limit(limit, SetBy::Operator);
        tracing::info!("Disk free limit set to {} bytes", alarms.disk().limit());
    }
}

/// Begins to look where time has to tell, and to tell connections when they may go on.
pub(super) fn watch(environment: &Arc<Environment>, tasks: &mut JoinSet<()>) {
    let alarms = &environment.alarms;
    let (limit, granted) = (alarms.memory().limit(), alarms.granted());
    tracing::info!("Memory high watermark set to {} of {} total", mebibytes(limit), mebibytes(granted));
    if alarms.disk().is_watching() {
        tracing::info!("Disk free limit set to {} bytes", alarms.disk().limit());
    }
    let (environment, watched, mut changes) = (Arc::clone(environment), Arc::clone(alarms), alarms.changes());
    tasks.spawn(watched.watch());
    tasks.spawn(async move {
        let mut before = Raised::default();
        while changes.changed().await.is_ok() {
            let now = *changes.borrow();
            tell(&environment, before, now);
            before = now;
            // That one is raised is found out by whoever publishes.
            if !changes.borrow_and_update().is_any() {
                environment.connections.alarms_cleared();
            }
        }
    });
}

/// Alarms that were raised, or are no more, are events.
fn tell(environment: &Environment, before: Raised, now: Raised) {
    for (resource, was, is) in [("memory", before.memory, now.memory), ("disk", before.disk, now.disk)] {
        if was != is {
            let key = if is { "alarm.set" } else { "alarm.cleared" };
            environment
                .vhosts
                .events()
                .tell(key, |headers| headers.string("alarm_id", resource).string("node", node_name()));
        }
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB ({bytes} bytes)", bytes >> 20)
}
