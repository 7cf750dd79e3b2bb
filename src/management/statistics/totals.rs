//! What all queues hold and have counted together.
//!
//! Each is looked at under its own lock, one after the other. That is done when somebody asks, unless it took long and was
//! done a moment ago.

use std::collections::HashMap;
use std::ops::AddAssign;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::connection::Environment;
use crate::count::QueueCounts;
use crate::name::VhostName;
use crate::queue::queue::Observation;
use crate::vhost::Vhost;

/// What some queues hold and have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueTotals {
    /// How many there are.
    pub queues: u64,
    /// Their ready messages...
    pub ready: u64,
    /// ...the size of these, in bytes...
    pub ready_bytes: u64,
    /// ...and their unacked ones.
    pub unacked: u64,
    /// The memory that all of these take, in bytes, about.
    pub memory: u64,
    /// Their consumers.
    pub consumers: u64,
    /// What they counted; what those did that are gone is told where it says so.
    pub counts: QueueCounts,
}

/// What the queues of a broker hold and have counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// By virtual host, gone queues among what was counted.
    pub vhosts: HashMap<VhostName, QueueTotals>,
    /// All together, those of virtual hosts that are gone among them.
    pub all: QueueTotals,
}

/// Totals as they were made last.
#[derive(Default)]
pub(super) struct Remembered(Mutex<Option<Made>>);

struct Made {
    at: Instant,
    took: Duration,
    totals: Arc<Totals>,
}

/// What was made is good for so many times the time that it took: looking at queues takes a thread no more than this part
/// of its time, however often somebody asks.
const GOOD_FOR: u32 = 20;
/// What took less is made whenever somebody asks.
const SHORT: Duration = Duration::from_millis(1);
/// What was made is good for so long at most.
const GOOD_MAX: Duration = Duration::from_secs(5);

impl QueueTotals {
    pub(super) fn add(&mut self, seen: &Observation) {
        self.queues += 1;
        self.ready += seen.status.ready as u64;
        self.ready_bytes += seen.ready_bytes;
        self.unacked += seen.status.unacked as u64;
        self.memory += seen.memory;
        self.consumers += seen.status.consumers as u64;
        self.counts += seen.counts;
    }
}

impl AddAssign for QueueTotals {
    fn add_assign(&mut self, other: Self) {
        self.queues += other.queues;
        self.ready += other.ready;
        self.ready_bytes += other.ready_bytes;
        self.unacked += other.unacked;
        self.memory += other.memory;
        self.consumers += other.consumers;
        self.counts += other.counts;
    }
}

impl Remembered {
    /// The totals at present, or a moment ago.
    pub(super) fn of(&self, environment: &Environment) -> Arc<Totals> {
        // Whoever asks meanwhile gets what this makes.
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Made { at, took, totals }) = &*made
            && *took >= SHORT
            && at.elapsed() < took.saturating_mul(GOOD_FOR).min(GOOD_MAX)
        {
            return Arc::clone(totals);
        }
        let begun = Instant::now();
        let mut totals = Totals::default();
        for vhost in environment.vhosts.all() {
            let mut sum = QueueTotals::default();
            for queue in vhost.queues().all() {
                if let Ok(seen) = queue.observe(false) {
                    sum.add(&seen);
                }
            }
            enter(&mut totals, &vhost, sum);
        }
        totals.all.counts += environment.vhosts.counts().gone_queues();
        let totals = Arc::new(totals);
        let took = begun.elapsed();
        *made = Some(Made { at: Instant::now(), took, totals: Arc::clone(&totals) });
        totals
    }

    /// Those that were made last.
    pub(super) fn last(&self) -> Arc<Totals> {
        let made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        made.as_ref().map_or_else(Arc::default, |made| Arc::clone(&made.totals))
    }

    /// They were made otherwise.
    pub(super) fn set(&self, totals: Arc<Totals>, took: Duration) {
        let made = Made { at: Instant::now(), took, totals };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
    }
}

/// What the queues of a virtual host hold.
pub(super) fn enter(totals: &mut Totals, vhost: &Vhost, mut sum: QueueTotals) {
    sum.counts += vhost.gone_queue_counts();
    totals.all += sum;
    totals.vhosts.insert(vhost.name().clone(), sum);
}
