//! A queue's share of what all queues hold together: told by what has changed, when its lock is left.

use std::sync::{Arc, OnceLock};

use super::{Queue, State};
use crate::count::{QueueKind, QueueNumber, QueueTotals};
use crate::queue::core::QueueCore;

/// What a queue has told of its own, modulo 2^32 where no single change is nearly as large.
#[derive(Default)]
pub(super) struct Told {
    small: [u32; SMALL.len()],
    large: [u64; LARGE.len()],
}

/// The numbers of [`small`], in its order.
const SMALL: [QueueNumber; 9] = [
    QueueNumber::Ready,
    QueueNumber::Unacked,
    QueueNumber::Consumers,
    QueueNumber::Scheduled,
    QueueNumber::Retrying,
    QueueNumber::Deliver,
    QueueNumber::DeliverNoAck,
    QueueNumber::Redeliver,
    QueueNumber::Ack,
];
/// Those of them that a queue that is gone does not have any more.
const HELD: usize = 5;
/// The numbers of [`large`], in its order.
const LARGE: [QueueNumber; 4] =
    [QueueNumber::ReadyBytes, QueueNumber::Memory, QueueNumber::UnackedMemory, QueueNumber::UnackedBytes];

#[allow(clippy::cast_possible_truncation, reason = "modulo 2^32, see `Told`")]
fn small(core: &QueueCore) -> [u32; SMALL.len()] {
    let [deliver, deliver_no_ack, redeliver, ack] = core.frequent_counts();
    [
        core.ready() as u32,
        core.unacked() as u32,
        core.consumers() as u32,
        core.scheduled() as u32,
        core.retrying() as u32,
        deliver as u32,
        deliver_no_ack as u32,
        redeliver as u32,
        ack as u32,
    ]
}

fn large(core: &QueueCore) -> [u64; LARGE.len()] {
    [core.ready_bytes(), core.memory(), core.unacked_memory(), core.unacked_bytes()]
}

/// Where a queue tells its share; nowhere until it is one of a broker's.
#[derive(Default)]
pub(super) struct Share(OnceLock<(Arc<QueueTotals>, QueueKind)>);

impl Share {
    /// Tells what has changed.
    #[inline]
    pub(super) fn tell(&self, core: &mut QueueCore, told: &mut Told) {
        let Some((totals, kind)) = self.0.get() else { return };
        let now = small(core);
        if now != told.small {
            for ((number, now), before) in SMALL.into_iter().zip(now).zip(told.small) {
                totals.add(*kind, number, now.wrapping_sub(before).cast_signed().into());
            }
            told.small = now;
        }
        let now = large(core);
        if now != told.large {
            for ((number, now), before) in LARGE.into_iter().zip(now).zip(told.large) {
                totals.add(*kind, number, now.wrapping_sub(before).cast_signed());
            }
            told.large = now;
        }
        core.tell_rare_counts(|number, change| totals.add(*kind, number, change));
        core.tell_times(|classes, sum| totals.waited(*kind, classes, sum));
    }

    /// The queue is gone, and holds nothing any more.
    pub(super) fn gone(&self, core: &mut QueueCore, told: &mut Told) {
        self.tell(core, told);
        let Some((totals, kind)) = self.0.get() else { return };
        for (number, held) in SMALL.into_iter().zip(told.small).take(HELD) {
            totals.add(*kind, number, -i64::from(held));
        }
        for (number, held) in LARGE.into_iter().zip(told.large) {
            totals.add(*kind, number, held.cast_signed().wrapping_neg());
        }
    }
}

impl Queue {
    /// From now on it counts among these. Once.
    pub fn count_in(&self, totals: &Arc<QueueTotals>) {
        let kind = if self.options().is_quorum() { QueueKind::Quorum } else { QueueKind::Classic };
        if self.share.0.set((Arc::clone(totals), kind)).is_ok()
            && let State::Running(core, paging) = &mut *self.lock()
        {
            self.share.tell(core, paging.told());
        }
    }
}
