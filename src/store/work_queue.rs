//! What threads of the store are asked to do, in order.

use std::collections::VecDeque;
use std::hash::Hash;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::HashSet;

/// Requests to one or several threads. The same request is kept once while it waits, so that there are never more than
/// there are things to ask for.
#[derive(Debug)]
pub struct WorkQueue<T> {
    waiting: Mutex<Waiting<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Waiting<T> {
    order: VecDeque<T>,
    present: HashSet<T>,
    /// How many are being worked on.
    taken: usize,
    closed: bool,
}

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<T> {
    /// This.
    Work(T),
    /// Nothing came in time.
    Nothing,
    /// Nothing any more.
    Closed,
}

impl<T> Default for WorkQueue<T> {
    fn default() -> Self {
        let waiting =
            Waiting { order: VecDeque::new(), present: HashSet::default(), taken: 0, closed: false };
        Self { waiting: Mutex::new(waiting), changed: Condvar::new() }
    }
}

impl<T: Copy + Eq + Hash> WorkQueue<T> {
    /// Asks for `work`, unless it waits already or the queue is closed.
    pub fn push(&self, work: T) {
        let mut waiting = self.lock();
        if !waiting.closed && waiting.present.insert(work) {
            waiting.order.push_back(work);
            self.changed.notify_all();
        }
    }

    /// Waits for work; nothing once the queue is closed. [`Self::done`] follows.
    pub fn pop(&self) -> Option<T> {
        match self.next(None) {
            Next::Work(work) => Some(work),
            Next::Nothing | Next::Closed => None,
        }
    }

    /// Waits for work, at most so long if that is said. After work [`Self::done`] follows.
    pub fn next(&self, time: Option<Duration>) -> Next<T> {
        let mut waiting = self.lock();
        let is_empty = |waiting: &mut Waiting<T>| !waiting.closed && waiting.order.is_empty();
        waiting = match time {
            None => self.changed.wait_while(waiting, is_empty).unwrap_or_else(PoisonError::into_inner),
            Some(time) => {
                let waited = self.changed.wait_timeout_while(waiting, time, is_empty);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        if waiting.closed {
            return Next::Closed;
        }
        let Some(work) = waiting.order.pop_front() else { return Next::Nothing };
        waiting.present.remove(&work);
        waiting.taken = waiting.taken.saturating_add(1);
        Next::Work(work)
    }

    /// What was taken is done, or was asked for again.
    pub fn done(&self) {
        let mut waiting = self.lock();
        waiting.taken = waiting.taken.saturating_sub(1);
    }

    /// Whether nothing waits and nothing is being worked on.
    pub fn is_idle(&self) -> bool {
        let waiting = self.lock();
        waiting.order.is_empty() && waiting.taken == 0
    }

    /// Whether nothing waits: what was taken is the last for now.
    pub fn is_last(&self) -> bool {
        self.lock().order.is_empty()
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits until the queue is closed, at most so long; whether it is.
    pub fn closed_within(&self, time: Duration) -> bool {
        let waiting = self.lock();
        let waited = self.changed.wait_timeout_while(waiting, time, |waiting| !waiting.closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Ends the threads that wait for work; what waits is dropped.
    pub fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.order.clear();
        waiting.present.clear();
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_given_in_order_and_once_while_it_waits() {
        let queue = WorkQueue::default();
        for work in [3, 1, 3, 2, 1] {
            queue.push(work);
        }
        let mut taken = Vec::new();
        for _ in 0..3 {
            assert!(!queue.is_idle());
            taken.extend(queue.pop());
        }
        assert_eq!(taken, [3, 1, 2]);
        queue.push(3);
        assert_eq!(queue.pop(), Some(3), "what was taken may be asked for again");
        for _ in 0..4 {
            assert!(!queue.is_idle());
            queue.done();
        }
        assert!(queue.is_idle());
        assert_eq!(queue.next(Some(Duration::ZERO)), Next::Nothing);
    }

    #[test]
    fn closing_ends_those_who_wait() {
        let queue = WorkQueue::<u32>::default();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| queue.pop());
            queue.close();
            assert_eq!(waiter.join().unwrap(), None);
        });
        queue.push(1);
        assert_eq!((queue.pop(), queue.next(None)), (None, Next::Closed));
        assert!(queue.closed_within(Duration::from_hours(1)));
    }
}
