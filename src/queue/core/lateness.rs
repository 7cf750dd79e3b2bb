//! Deliveries that their consumers do not settle in time.
//!
//! The queue says so and does no more: the consumer's channel knows the delivery by its tag, and gives it back.

use std::cmp::Ordering;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use foldhash::HashSet;

use super::QueueCore;
use crate::place::Position;
use crate::queue::delivery::Late;
use crate::queue::id::{ConsumerKey, UnackedKey};
use crate::queue::unacked::Holder;
use crate::time::Time;

/// So many deliveries that were settled may be remembered, beside as many as are not.
const SETTLED_SLACK: usize = 1024;

/// Deliveries by the times at which they are late. One may have been settled since.
#[derive(Default)]
pub(super) struct Deadlines(BinaryHeap<Reverse<Deadline>>);

struct Deadline {
    at: Time,
    key: UnackedKey,
    consumer: ConsumerKey,
    /// Which message, and which delivery of it: its key may be that of another one by now.
    position: Position,
    acquired: u32,
    timeout: Duration,
}

impl Deadlines {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When the first may be late; never when none is out.
    pub(super) fn next(&self) -> Time {
        self.0.peek().map_or(Time::NEVER, |Reverse(first)| first.at)
    }
}

impl QueueCore {
    /// Finds out whether anything here depends on the time.
    pub(super) fn look_at_clock(&mut self) {
        self.times_deliveries = self.times_deliveries();
        self.reads_clock = self.times_deliveries || self.terms.retry.is_some();
    }

    /// Whether deliveries may be late.
    fn times_deliveries(&self) -> bool {
        self.terms.consumer_timeout.is_some() || self.consumers.any_timeout()
    }

    /// The queue says something else of how long deliveries may be out: that holds for those that are, too, unless their
    /// consumers have times of their own. One that had no time so far is timed from now on, since nobody knows any more
    /// when it was given.
    pub(super) fn time_deliveries_anew(&mut self) {
        let timed = std::mem::take(&mut self.deadlines.0);
        let timed =
            timed.into_iter().map(|Reverse(deadline)| deadline).filter(|deadline| self.is_out(deadline));
        let (own, others): (Vec<_>, Vec<_>) = timed
            .collect::<Vec<_>>()
            .into_iter()
            .partition(|deadline| self.own_timeout(deadline.consumer).is_some());
        self.deadlines.0.extend(own.into_iter().map(Reverse));
        let Some(timeout) = self.terms.consumer_timeout else { return };
        let known: HashSet<UnackedKey> = others.iter().map(|deadline| deadline.key).collect();
        let others = others.into_iter().map(|deadline| {
            let at = deadline.at.minus(deadline.timeout).plus(timeout);
            Reverse(Deadline { at, timeout, ..deadline })
        });
        self.deadlines.0.extend(others);
        let untimed: Vec<_> = self.unacked.with_consumers().filter(|(key, _)| !known.contains(key)).collect();
        for (key, consumer) in untimed {
            if self.own_timeout(consumer).is_none() {
                self.time_delivery(key, consumer);
            }
        }
    }

    fn own_timeout(&self, consumer: ConsumerKey) -> Option<Duration> {
        self.consumers.get(consumer)?.consumer.timeout
    }

    /// A message is given to a consumer, who has a time for it or not.
    #[cold]
    pub(super) fn time_delivery(&mut self, key: UnackedKey, consumer: ConsumerKey) {
        let own = self.own_timeout(consumer);
        let Some(timeout) = own.or(self.terms.consumer_timeout).filter(|timeout| !timeout.is_zero()) else {
            return;
        };
        let Some(entry) = self.unacked.get(key) else { return };
        let (position, acquired) = (entry.position, entry.returns.acquired);
        let at = self.now.plus(timeout);
        if self.deadlines.0.len() > self.unacked.len().saturating_mul(2).saturating_add(SETTLED_SLACK) {
            let mut deadlines = std::mem::take(&mut self.deadlines.0);
            deadlines.retain(|Reverse(deadline)| self.is_out(deadline));
            self.deadlines.0 = deadlines;
        }
        self.deadlines.0.push(Reverse(Deadline { at, key, consumer, position, acquired, timeout }));
    }

    /// Tells those whose deliveries are late, at most so many.
    pub(super) fn tell_late(&mut self, now: Time, max: usize) {
        for _ in 0..max {
            let Some(Reverse(deadline)) = self.deadlines.0.peek() else { return };
            if deadline.at > now {
                return;
            }
            let Some(Reverse(deadline)) = self.deadlines.0.pop() else { return };
            if !self.is_out(&deadline) {
                continue;
            }
            let Deadline { key, consumer, position, acquired, timeout, .. } = deadline;
            if let Some(member) = self.consumers.get_mut(consumer) {
                let slot = member.consumer.slot;
                let late = Late { queue: self.id, slot, consumer, key, position, acquired, timeout };
                member.consumer.recipient.delivery_late(late);
            }
        }
    }

    /// Whether a delivery that is said to be late is not settled yet.
    pub fn is_late(&self, late: &Late) -> bool {
        let Late { key, consumer, position, acquired, timeout, .. } = *late;
        self.is_out(&Deadline { at: Time::default(), key, consumer, position, acquired, timeout })
    }

    /// How many deliveries are remembered by their times.
    #[cfg(test)]
    pub fn timed_deliveries(&self) -> usize {
        self.deadlines.0.len()
    }

    fn is_out(&self, deadline: &Deadline) -> bool {
        self.unacked.held(deadline.key).is_some_and(|(entry, holder)| {
            holder == Holder::Consumer(deadline.consumer)
                && entry.position == deadline.position
                && entry.returns.acquired == deadline.acquired
        })
    }
}

impl PartialEq for Deadline {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Deadline {}

impl PartialOrd for Deadline {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Deadline {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.position).cmp(&(other.at, other.position))
    }
}
