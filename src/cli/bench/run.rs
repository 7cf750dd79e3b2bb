//! What the threads of a run share: its clock, its stage, what they count and why one of them failed.

use super::failure::Failure;
use super::latency::Latency;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

/// How long a thread of the load sleeps at most before it looks at the stage again.
pub(super) const LOOK_UP: Duration = Duration::from_millis(50);

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Everybody works.
    Load,
    /// Producers publish nothing more; confirms and deliveries still come.
    Drain,
    /// Everybody stops at once.
    End,
}

/// A run of a scenario. The thread that makes it is woken when something worth a look happens.
#[derive(Debug)]
pub(super) struct Run {
    origin: Instant,
    stage: AtomicU8,
    interrupted: AtomicBool,
    measured_from_ns: AtomicU64,
    failure: Mutex<Option<Failure>>,
    main: Thread,
}

/// What one thread has done so far. It alone writes; the live line and the report read.
#[derive(Debug)]
#[repr(align(128))] // two cache lines, which processors fetch in pairs
pub(super) struct Lane {
    /// Messages published or consumed, connections opened, queues declared.
    pub(super) count: AtomicU64,
    /// Publishes confirmed.
    pub(super) confirmed: AtomicU64,
    /// Publishes refused with `basic.nack`.
    pub(super) refused: AtomicU64,
    /// When `count` last grew.
    pub(super) last_ns: AtomicU64,
    /// Whether the broker has announced that it takes no publishes.
    pub(super) blocked: AtomicBool,
    latency: Mutex<Latency>,
}

impl Lane {
    pub(super) fn new() -> Result<Arc<Self>, Failure> {
        Ok(Arc::new(Self {
            count: AtomicU64::new(0),
            confirmed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            last_ns: AtomicU64::new(0),
            blocked: AtomicBool::new(false),
            latency: Mutex::new(Latency::new()?),
        }))
    }

    /// The latencies; locked once a batch, so that it is nearly always free.
    pub(super) fn latency(&self) -> MutexGuard<'_, Latency> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes the count of a thread at a time.
    pub(super) fn counted(&self, count: u64, now_ns: u64) {
        self.count.store(count, Relaxed);
        self.last_ns.store(now_ns, Relaxed);
    }
}

impl Run {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            origin: Instant::now(),
            stage: AtomicU8::new(Stage::Load as u8),
            interrupted: AtomicBool::new(false),
            measured_from_ns: AtomicU64::new(u64::MAX),
            failure: Mutex::new(None),
            main: thread::current(),
        })
    }

    /// Nanoseconds since the run began: the time stamp of messages.
    pub(super) fn now_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(super) fn stage(&self) -> Stage {
        match self.stage.load(Relaxed) {
            0 => Stage::Load,
            1 => Stage::Drain,
            _ => Stage::End,
        }
    }

    /// Goes on to a later stage; never back.
    pub(super) fn advance(&self, stage: Stage) {
        self.stage.fetch_max(stage as u8, Relaxed);
    }

    /// From now on messages that are published count for the latencies.
    pub(super) fn begin_measuring(&self, now_ns: u64) {
        self.measured_from_ns.store(now_ns, Relaxed);
    }

    /// Messages stamped earlier do not count for the latencies.
    pub(super) fn measured_from_ns(&self) -> u64 {
        self.measured_from_ns.load(Relaxed)
    }

    /// Whether the person who started the run wants it to end.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Relaxed)
    }

    /// Ends the measurement early. Returns whether that had been asked before.
    pub(super) fn interrupt(&self) -> bool {
        let before = self.interrupted.swap(true, Relaxed);
        self.main.unpark();
        before
    }

    /// The first failure of a thread, if any: it ends the run.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the run because of this, unless something else has ended it.
    pub(super) fn fail(&self, failure: Failure) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        self.advance(Stage::End);
    }

    /// Whether something has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Starts a thread of the load.
    pub(super) fn spawn(
        self: &Arc<Self>,
        name: String,
        work: impl FnOnce(&Self) -> Result<(), Failure> + Send + 'static,
    ) -> Result<JoinHandle<()>, Failure> {
        let run = Arc::clone(self);
        let body = move || {
            if let Err(failure) = work(&run) {
                run.fail(failure);
            }
            run.main.unpark();
        };
        thread::Builder::new()
            .name(name)
            .spawn(body)
            .map_err(|why| Failure::during("cannot start a thread", why))
    }
}

/// Sums what the threads have counted.
pub(super) fn total(lanes: &[Arc<Lane>], of: impl Fn(&Lane) -> &AtomicU64) -> u64 {
    lanes.iter().map(|lane| of(lane).load(Relaxed)).sum()
}

/// The latencies of all the threads together.
pub(super) fn latency(lanes: &[Arc<Lane>]) -> Result<Latency, Failure> {
    let mut all = Latency::new()?;
    for lane in lanes {
        all.merge(&mut lane.latency());
    }
    Ok(all)
}
