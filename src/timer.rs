//! What happens at a certain time: one thread sleeps until the next of them. Nothing ticks while nothing is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread;

use crate::time::Time;

/// Something with a time.
pub trait Due: Send + Sync {
    /// The time has come that was `asked` for. Called with no lock held. What was asked for before it turned out to be earlier
    /// is told all the same, and is to be passed over: else each such question would go on for ever beside the others. It asks again for what comes next; a queue does a
    /// part of what is due and asks to be called at once, so that others are not held up.
    fn due(self: Arc<Self>, asked: Time, now: Time);
}

/// Has `what` told at `time`, or at once when that has passed. What is asked for cannot be taken back: it looks by itself
/// whether there is anything to do.
pub fn at(time: Time, what: Weak<dyn Due>) {
    static TIMER: OnceLock<Timer> = OnceLock::new();
    TIMER.get_or_init(Timer::start).at(time, what);
}

struct Timer(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    earlier: Condvar,
}

#[derive(Default)]
struct Waiting {
    heap: BinaryHeap<Reverse<Entry>>,
    asked: u64,
}

/// In the order of their times, and among equal ones in that of their being asked for.
struct Entry {
    time: Time,
    number: u64,
    what: Weak<dyn Due>,
}

impl Timer {
    fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let served = Arc::clone(&shared);
        // Without a thread nothing would ever expire: that is said, and the next start tries again.
        if let Err(error) = thread::Builder::new().name("timer".into()).spawn(move || served.serve()) {
            tracing::error!(%error, "no thread for what happens in time: nothing will expire");
        }
        Self(shared)
    }

    fn at(&self, time: Time, what: Weak<dyn Due>) {
        let mut waiting = self.0.lock();
        let number = waiting.asked;
        waiting.asked = number.wrapping_add(1);
        let is_first = waiting.heap.peek().is_none_or(|Reverse(first)| time < first.time);
        waiting.heap.push(Reverse(Entry { time, number, what }));
        drop(waiting);
        if is_first {
            self.0.earlier.notify_one();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        let mut waiting = self.lock();
        loop {
            let now = Time::now();
            match waiting.heap.peek() {
                None => waiting = self.earlier.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(Reverse(first)) if first.time > now => {
                    let wait = first.time.since(now);
                    waiting =
                        self.earlier.wait_timeout(waiting, wait).unwrap_or_else(PoisonError::into_inner).0;
                }
                Some(_) => {
                    let entry = waiting.heap.pop().map(|Reverse(entry)| entry);
                    drop(waiting);
                    if let Some((asked, what)) =
                        entry.and_then(|entry| Some((entry.time, entry.what.upgrade()?)))
                    {
                        // Who fails is logged as any panic; the others have their times all the same.
                        let _failed = catch_unwind(AssertUnwindSafe(|| what.due(asked, now)));
                    }
                    waiting = self.lock();
                }
            }
        }
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.time, self.number) == (other.time, other.number)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time, self.number).cmp(&(other.time, other.number))
    }
}
