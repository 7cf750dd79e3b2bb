//! What all queues of a broker hold and have counted, without looking at any of them.
//!
//! Each queue says by how much its numbers have changed when its lock is left, and only then; whoever does so adds to numbers of
//! its thread's own cache lines. Only the sum of all threads' means anything.

use std::array;
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::queue::{Ended, QueueCounts};

/// Kinds of queues that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueKind {
    /// Classic ones.
    Classic,
    /// Those that were declared as quorum queues.
    Quorum,
}

impl QueueKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Classic, Self::Quorum];
}

/// A number that queues add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueNumber {
    /// Ready messages.
    Ready,
    /// Unacked messages.
    Unacked,
    /// Consumers.
    Consumers,
    /// Messages that wait for their times.
    Scheduled,
    /// Messages that came back and wait to be tried again.
    Retrying,
    /// The bytes of ready messages, as limits count them.
    ReadyBytes,
    /// Bytes of memory that ready messages take.
    Memory,
    /// Bytes of memory that unacked messages take.
    UnackedMemory,
    /// The bodies of unacked messages, in bytes.
    UnackedBytes,
    /// As [`QueueCounts::deliver`], and so on.
    Deliver,
    /// See [`Self::Deliver`].
    DeliverNoAck,
    /// See [`Self::Deliver`].
    Redeliver,
    /// See [`Self::Deliver`].
    Ack,
    /// See [`Self::Deliver`].
    Get,
    /// See [`Self::Deliver`].
    GetNoAck,
    /// See [`Self::Deliver`].
    GetEmpty,
    /// See [`Self::Deliver`].
    DiskReads,
    /// See [`Self::Deliver`].
    DiskWrites,
    /// As [`QueueCounts::at_most_once`].
    AtMostOnceExpired,
    /// See [`Self::AtMostOnceExpired`].
    AtMostOnceRejected,
    /// See [`Self::AtMostOnceExpired`].
    AtMostOnceMaxLength,
    /// See [`Self::AtMostOnceExpired`].
    AtMostOnceDeliveryLimit,
    /// As [`QueueCounts::at_least_once`].
    AtLeastOnceExpired,
    /// See [`Self::AtLeastOnceExpired`].
    AtLeastOnceRejected,
    /// See [`Self::AtLeastOnceExpired`].
    AtLeastOnceMaxLength,
    /// See [`Self::AtLeastOnceExpired`].
    AtLeastOnceDeliveryLimit,
    /// As [`QueueCounts::letters_taken`].
    LettersTaken,
    /// As [`QueueCounts::dropped`].
    DroppedExpired,
    /// See [`Self::DroppedExpired`].
    DroppedRejected,
    /// See [`Self::DroppedExpired`].
    DroppedMaxLength,
    /// See [`Self::DroppedExpired`].
    DroppedDeliveryLimit,
}

const NUMBERS: usize = 31;
/// More than the threads that do something with queues in most brokers. Each of the first threads has a stripe that nobody else
/// writes to as long as it is there; all others share the last one, which is slower.
const STRIPES: usize = 32;
const SHARED: usize = STRIPES - 1;

/// Up to which times that messages wait in queues they are counted together, in milliseconds.
pub const AGES: [u64; 13] =
    [10, 50, 100, 500, 1_000, 5_000, 10_000, 30_000, 60_000, 600_000, 3_600_000, 21_600_000, 86_400_000];
/// Those that wait longer than all of these come last.
pub const AGE_CLASSES: usize = AGES.len() + 1;
/// Behind the numbers stand the classes of ages, then the sum of ages.
const CELLS: usize = NUMBERS + AGE_CLASSES + 1;

/// The numbers of a thread, on cache lines of its own.
#[repr(align(128))]
#[derive(Debug)]
struct Stripe([AtomicI64; CELLS]);

/// What all queues of a broker hold and have counted. What those that are gone counted stays counted.
#[derive(Debug)]
pub struct QueueTotals {
    kinds: [Box<[Stripe]>; QueueKind::ALL.len()],
}

impl Default for QueueTotals {
    fn default() -> Self {
        let stripes = || (0..STRIPES).map(|_| Stripe([const { AtomicI64::new(0) }; CELLS])).collect();
        Self { kinds: [stripes(), stripes()] }
    }
}

thread_local! {
    static STRIPE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The stripe of this thread, in all totals there are.
#[inline]
fn stripe() -> usize {
    STRIPE.get().unwrap_or_else(first_stripe)
}

#[cold]
fn first_stripe() -> usize {
    // A thread that ends counts no more under a number that another one may have by then.
    let stripe = HELD.try_with(|held| held.0).ok().flatten().unwrap_or(SHARED);
    STRIPE.set(Some(stripe));
    stripe
}

/// The stripes that no thread has: threads that come and go leave theirs to others.
static FREE: Mutex<Vec<usize>> = Mutex::new(Vec::new());
/// The first stripe that no thread has had yet.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// The stripe that a thread has to itself, if there was one left.
struct Held(Option<usize>);

thread_local! {
    static HELD: Held = Held::take();
}

impl Held {
    fn take() -> Self {
        let next = |next| if next < SHARED { Some(next + 1) } else { None };
        let left = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self(left.or_else(|| NEXT.try_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        STRIPE.set(Some(SHARED));
        // The lock hands on what was counted in it, too.
        FREE.lock().unwrap_or_else(PoisonError::into_inner).extend(self.0);
    }
}

impl Stripe {
    #[inline]
    fn add(&self, is_own: bool, at: usize, change: i64) {
        let Some(cell) = self.0.get(at) else { return };
        if is_own {
            // Nobody else writes here.
            cell.store(cell.load(Ordering::Relaxed).wrapping_add(change), Ordering::Relaxed);
        } else {
            cell.fetch_add(change, Ordering::Relaxed);
        }
    }
}

impl QueueTotals {
    /// A number of queues of this kind has grown by so much, or fallen.
    #[inline]
    pub fn add(&self, kind: QueueKind, number: QueueNumber, change: i64) {
        self.add_at(kind, number as usize, change);
    }

    #[inline]
    fn add_at(&self, kind: QueueKind, cell: usize, change: i64) {
        if change == 0 {
            return;
        }
        let at = stripe();
        if let Some(stripe) = self.kinds.get(kind as usize).and_then(|stripes| stripes.get(at)) {
            stripe.add(at != SHARED, cell, change);
        }
    }

    /// Messages were given to somebody after they had waited: so many more of each class of ages, and so many milliseconds
    /// together.
    pub fn waited(&self, kind: QueueKind, classes: &[u64; AGE_CLASSES], sum: u64) {
        for (at, messages) in classes.iter().chain([&sum]).enumerate() {
            self.add_at(kind, NUMBERS + at, messages.cast_signed());
        }
    }

    /// How many messages waited how long before they were given to somebody: of each class of ages, and their milliseconds
    /// together.
    pub fn times_in_queue(&self) -> ([u64; AGE_CLASSES], u64) {
        let of = |at: usize| QueueKind::ALL.iter().map(|kind| self.cell(*kind, NUMBERS + at)).sum::<u64>();
        (array::from_fn(of), of(AGE_CLASSES))
    }

    /// A number at present, of all queues of this kind. It may be short of what happens meanwhile, never below 0.
    pub fn of(&self, kind: QueueKind, number: QueueNumber) -> u64 {
        self.cell(kind, number as usize)
    }

    fn cell(&self, kind: QueueKind, at: usize) -> u64 {
        let stripes = self.kinds.get(kind as usize).into_iter().flatten();
        let cells = stripes.filter_map(|stripe| stripe.0.get(at));
        u64::try_from(cells.map(|cell| cell.load(Ordering::Relaxed)).sum::<i64>()).unwrap_or(0)
    }

    /// What queues of this kind have counted, without what was published to them.
    pub fn counts(&self, kind: QueueKind) -> QueueCounts {
        use QueueNumber as N;
        let of = |number| self.of(kind, number);
        QueueCounts {
            publish: 0,
            deliver: of(N::Deliver),
            deliver_no_ack: of(N::DeliverNoAck),
            redeliver: of(N::Redeliver),
            ack: of(N::Ack),
            get: of(N::Get),
            get_no_ack: of(N::GetNoAck),
            get_empty: of(N::GetEmpty),
            disk_reads: of(N::DiskReads),
            disk_writes: of(N::DiskWrites),
            at_most_once: Ended {
                expired: of(N::AtMostOnceExpired),
                rejected: of(N::AtMostOnceRejected),
                max_length: of(N::AtMostOnceMaxLength),
                delivery_limit: of(N::AtMostOnceDeliveryLimit),
            },
            at_least_once: Ended {
                expired: of(N::AtLeastOnceExpired),
                rejected: of(N::AtLeastOnceRejected),
                max_length: of(N::AtLeastOnceMaxLength),
                delivery_limit: of(N::AtLeastOnceDeliveryLimit),
            },
            letters_taken: of(N::LettersTaken),
            dropped: Ended {
                expired: of(N::DroppedExpired),
                rejected: of(N::DroppedRejected),
                max_length: of(N::DroppedMaxLength),
                delivery_limit: of(N::DroppedDeliveryLimit),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_that_ends_leaves_its_stripe_to_others() {
        for _ in 0..20 * STRIPES {
            thread::spawn(stripe).join().unwrap();
        }
        // Those of other tests have the others meanwhile, and give them back.
        while thread::spawn(stripe).join().unwrap() == SHARED {
            thread::yield_now();
        }
    }

    #[test]
    fn what_threads_add_and_take_is_one_sum_of_each_kind() {
        let totals = QueueTotals::default();
        thread::scope(|scope| {
            for _ in 0..STRIPES + 5 {
                scope.spawn(|| {
                    totals.add(QueueKind::Classic, QueueNumber::Ready, 3);
                    totals.add(QueueKind::Quorum, QueueNumber::DroppedDeliveryLimit, 1);
                });
            }
        });
        thread::scope(|scope| {
            scope.spawn(|| totals.add(QueueKind::Classic, QueueNumber::Ready, -100));
        });
        let all = (STRIPES + 5) as u64;
        assert_eq!(totals.of(QueueKind::Classic, QueueNumber::Ready), 3 * all - 100);
        assert_eq!(totals.of(QueueKind::Quorum, QueueNumber::Ready), 0);
        assert_eq!(totals.counts(QueueKind::Quorum).dropped.delivery_limit, all);
        assert_eq!(totals.counts(QueueKind::Classic), QueueCounts::default());
    }
}
