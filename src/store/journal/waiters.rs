//! Who waits for which batch.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::place::Batch;

/// Somebody who waits for the journal.
pub trait Synced: Send + Sync {
    /// What was waited for has happened, or the journal has failed. Called by the journal's thread, which has more to do:
    /// this must only wake somebody.
    fn synced(&self);
}

/// What became of the wish to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// The batch is there already.
    Reached,
    /// The waiter will be called.
    Registered,
    /// The journal has ended: the batch will never be there.
    Ended,
}

/// How far the journal is in one respect, and who waits for how much.
#[derive(Default)]
pub(super) struct Waiters {
    reached: AtomicU64,
    ended: AtomicBool,
    waiting: Mutex<Vec<(Batch, Arc<dyn Synced>)>>,
}

impl Waiters {
    pub(super) fn new(reached: Batch) -> Self {
        Self { reached: AtomicU64::new(reached.0), ..Self::default() }
    }

    pub(super) fn reached(&self) -> Batch {
        Batch(self.reached.load(Ordering::Acquire))
    }

    pub(super) fn register(&self, batch: Batch, waiter: impl FnOnce() -> Arc<dyn Synced>) -> Wait {
        if batch <= self.reached() {
            return Wait::Reached;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Once more, with the lock: whoever gets there after this finds the waiter.
        if batch <= self.reached() {
            return Wait::Reached;
        }
        if self.ended.load(Ordering::Acquire) {
            return Wait::Ended;
        }
        waiting.push((batch, waiter()));
        Wait::Registered
    }

    /// It is there; whoever waits for that, or for less, is called.
    pub(super) fn reach(&self, batch: Batch) {
        self.reached.store(batch.0, Ordering::Release);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let called: Vec<_> = waiting.extract_if(.., |(awaited, _)| *awaited <= batch).collect();
        drop(waiting);
        call(called);
    }

    /// It gets no further.
    pub(super) fn end(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        self.ended.store(true, Ordering::Release);
        let called = std::mem::take(&mut *waiting);
        drop(waiting);
        call(called);
    }
}

fn call(waiters: Vec<(Batch, Arc<dyn Synced>)>) {
    for (_, waiter) in waiters {
        waiter.synced();
    }
}
