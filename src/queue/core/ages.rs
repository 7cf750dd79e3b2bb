//! How long messages wait here until they are given to somebody, and how long they are out.
//!
//! Whoever takes messages at once takes them for the age of the first: a batch is given in one moment, and what stands in it
//! came one after the other.

use std::time::Duration;

use super::QueueCore;
use crate::count::AGE_CLASSES;
pub use crate::count::AGES;
use crate::message::Message;
use crate::queue::unacked::Holder;
use crate::time::Time;

/// How many messages waited how long before they were given to somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimesInQueue {
    /// Those that waited no longer than the time at the same place in [`AGES`], and longer than the one before it.
    pub within: [u64; AGES.len()],
    /// Those that waited longer than all of these.
    pub beyond: u64,
    /// All times together, in milliseconds.
    pub sum: u64,
}

/// The times of one queue, and what of them was told of all queues.
#[derive(Default)]
pub(super) struct Times {
    times: TimesInQueue,
    told: TimesInQueue,
}

/// Unacked messages that are there for longest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oldest {
    /// When the one arrived that arrived first.
    pub arrived: Option<Time>,
    /// Since when the one is out that was given first.
    pub given: Option<Time>,
}

impl TimesInQueue {
    fn add(&mut self, age: Duration, messages: u64) {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let at = AGES.partition_point(|bound| *bound < age);
        let count = self.within.get_mut(at).unwrap_or(&mut self.beyond);
        *count = count.saturating_add(messages);
        self.sum = self.sum.saturating_add(age.saturating_mul(messages));
    }

    /// How many messages that are.
    pub fn count(&self) -> u64 {
        self.within.iter().fold(self.beyond, |all, count| all.saturating_add(*count))
    }
}

impl Times {
    fn untold(&mut self) -> ([u64; AGE_CLASSES], u64) {
        let now = &self.times;
        let mut classes = [0; AGE_CLASSES];
        let before = self.told.within.iter().chain([&self.told.beyond]);
        for ((class, now), before) in
            classes.iter_mut().zip(now.within.iter().chain([&now.beyond])).zip(before)
        {
            *class = now.saturating_sub(*before);
        }
        let sum = now.sum.saturating_sub(self.told.sum);
        self.told.clone_from(now);
        (classes, sum)
    }
}

impl QueueCore {
    /// So many messages were given to somebody, of which this is the first.
    #[inline]
    pub(super) fn waited(&mut self, first: Option<Time>, messages: usize) {
        if let Some(arrived) = first {
            let age = self.now.since(arrived);
            self.times_in_queue.get_or_insert_default().times.add(age, messages as u64);
            self.times_untold = true;
        }
    }

    /// Tells how many more messages have waited, by their classes, and how long all of them together, since this was told.
    #[inline]
    pub fn tell_times(&mut self, tell: impl FnOnce(&[u64; AGE_CLASSES], u64)) {
        if std::mem::take(&mut self.times_untold)
            && let Some(times) = &mut self.times_in_queue
        {
            let (classes, sum) = times.untold();
            tell(&classes, sum);
        }
    }

    /// A message was given to somebody.
    pub(super) fn waited_alone(&mut self, message: &Message) {
        self.waited(Some(message.arrived()), 1);
    }

    /// How long messages waited here since the queue was made, or the broker started.
    pub fn times_in_queue(&self) -> TimesInQueue {
        self.times_in_queue.as_ref().map(|times| times.times.clone()).unwrap_or_default()
    }

    /// When the oldest of its ready messages arrived; of one that an earlier broker left on the disk, and that nobody has read
    /// since, when this one found it.
    pub fn known_arrival(&self) -> Option<Time> {
        self.ready.known_arrival()
    }

    /// The oldest of those that clients have.
    pub fn oldest_unacked(&self) -> Oldest {
        let held = self.unacked.iter_held();
        let of_clients = held.filter(|(_, holder)| matches!(holder, Holder::Consumer(_) | Holder::Get));
        of_clients.fold(Oldest::default(), |oldest, (entry, _)| Oldest {
            arrived: oldest.arrived.into_iter().chain([entry.message.arrived()]).min(),
            given: oldest.given.into_iter().chain([entry.given]).min(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_up_to_the_first_bound_that_it_does_not_pass() {
        let mut times = TimesInQueue::default();
        for (millis, messages) in [(0, 3), (10, 1), (11, 2), (86_400_000, 1), (86_400_001, 4)] {
            times.add(Duration::from_millis(millis), messages);
        }
        let mut within = [0; AGES.len()];
        (within[0], within[1], within[AGES.len() - 1]) = (4, 2, 1);
        assert_eq!((times.within, times.beyond, times.count()), (within, 4, 11));
        assert_eq!(times.sum, 10 + 22 + 86_400_000 + 4 * 86_400_001);
    }
}
