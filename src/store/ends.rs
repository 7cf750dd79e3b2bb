//! What has ended and is to be cleared away: segments of which nothing is alive, queues that are deleted.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::stored_queues::StoredQueue;
use crate::place::{Batch, QueueId, SegmentNumber};

/// What the thread of the checkpoints is told by others.
#[derive(Default)]
pub struct Ends {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ended: Ended,
    woken: bool,
    closed: bool,
}

/// What has ended since it was asked for last.
#[derive(Default)]
pub struct Ended {
    /// Segments of which nothing is alive, as their queues say; the last part says whether they are journalled.
    pub segments: BTreeSet<(QueueId, SegmentNumber, bool)>,
    /// Deleted queues, with the batch of the journal that says so if there is one.
    pub queues: Vec<(Arc<StoredQueue>, Option<Batch>)>,
}

impl Ends {
    /// Segments have no message that is alive any more.
    pub fn segments(&self, queue: QueueId, segments: Vec<(SegmentNumber, bool)>) {
        let mut state = self.lock();
        let segments = segments.into_iter().map(|(number, journalled)| (queue, number, journalled));
        state.ended.segments.extend(segments);
        self.wake_up(state);
    }

    /// A queue is deleted.
    pub fn queue(&self, queue: Arc<StoredQueue>, batch: Option<Batch>) {
        let mut state = self.lock();
        state.ended.queues.push((queue, batch));
        self.wake_up(state);
    }

    /// There may be something to do.
    pub fn wake(&self) {
        self.wake_up(self.lock());
    }

    fn wake_up(&self, mut state: MutexGuard<'_, State>) {
        state.woken = true;
        drop(state);
        self.changed.notify_one();
    }

    /// Waits until there is something, at most so long if a time is given; nothing once it is closed.
    pub fn take(&self, time: Option<Duration>) -> Option<Ended> {
        let mut state = self.lock();
        let idle = |state: &mut State| !state.woken && !state.closed;
        state = match time {
            Some(time) => {
                let waited = self.changed.wait_timeout_while(state, time, idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner),
        };
        state.woken = false;
        (!state.closed).then(|| std::mem::take(&mut state.ended))
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Ends the thread that waits.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
