//! Publisher confirms of one channel. Pure.
//!
//! What was published in one batch of frames is a *run*: it waits for the group commit with its records, or for nothing.
//! Runs are confirmed in their order. One that is to be told otherwise than by `basic.ack` would be a run of its own.

use std::collections::{BTreeSet, VecDeque};

use crate::place::Batch;

/// Which publishes are confirmed: they are numbered from 1, in their order.
#[derive(Debug, Default)]
pub struct Confirms {
    published: u64,
    /// The first publish since the last run that has a record in the journal.
    journalled_from: Option<u64>,
    runs: VecDeque<Run>,
    /// Those that a queue has refused, as far as the publisher was not told.
    refused: BTreeSet<u64>,
    /// The last one that the publisher may be told of.
    released: u64,
    /// The last one that is in a run, or was in one.
    gathered: u64,
    confirmed: u64,
}

/// Publishes that are confirmed together, from the end of the run before on.
#[derive(Debug)]
struct Run {
    through: u64,
    /// The group commit that they wait for; none when they need no disk.
    until: Option<Batch>,
}

/// A `basic.ack` or `basic.nack` to a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// The last number that it covers.
    pub delivery_tag: u64,
    /// Whether it covers all before as well.
    pub multiple: bool,
    /// Whether it is a `basic.nack`.
    pub refused: bool,
}

impl Confirms {
    /// A message was published; `journalled` when it has a record in the journal.
    pub fn published(&mut self, journalled: bool) {
        self.published = self.published.saturating_add(1);
        if journalled && self.journalled_from.is_none() {
            self.journalled_from = Some(self.published);
        }
    }

    /// Any message that was published since [`Self::gathered`] may have a record in the journal after all.
    pub fn journalled(&mut self) {
        if self.published > self.gathered {
            self.journalled_from = Some(self.gathered.saturating_add(1));
        }
    }

    /// What was published under this number since [`Self::gathered`] waits for the group commit as if it had a record.
    pub fn waits(&mut self, number: u64) {
        if number > self.gathered {
            self.journalled_from = Some(self.journalled_from.map_or(number, |first| first.min(number)));
        }
    }

    /// The number of the publish that comes next.
    pub fn next(&self) -> u64 {
        self.published.saturating_add(1)
    }

    /// A queue has refused this one.
    pub fn refused(&mut self, number: u64) {
        self.refused.insert(number);
    }

    /// Whether nothing was published since [`Self::gathered`].
    pub fn all_gathered(&self) -> bool {
        self.published == self.gathered
    }

    /// Whether something waits to be confirmed.
    pub fn is_waiting(&self) -> bool {
        !self.runs.is_empty()
    }

    /// All that was published is where it belongs, and the records of it are in the group commit `until`.
    pub fn gathered(&mut self, until: Option<Batch>) {
        let needs_no_disk = match self.journalled_from.take() {
            Some(first) if until.is_some() => first.saturating_sub(1),
            _ => self.published,
        };
        self.run(needs_no_disk, None);
        self.run(self.published, until);
    }

    fn run(&mut self, through: u64, until: Option<Batch>) {
        if through <= self.gathered {
            return;
        }
        self.gathered = through;
        match self.runs.back_mut() {
            // It waits for the one before it in any case.
            Some(last) if last.until >= until => last.through = through,
            _ => self.runs.push_back(Run { through, until }),
        }
    }

    /// The group commits through `done` have succeeded: what to tell the publisher. To be asked until it says nothing.
    pub fn release(&mut self, done: Batch) -> Option<Confirm> {
        while let Some(run) = self.runs.pop_front_if(|run| run.until.is_none_or(|until| until <= done)) {
            self.released = run.through;
        }
        let next = self.confirmed.saturating_add(1);
        if next > self.released {
            return None;
        }
        let (delivery_tag, refused) = match self.refused.first() {
            Some(first) if *first <= next => (next, true),
            Some(first) => (self.released.min(first.saturating_sub(1)), false),
            None => (self.released, false),
        };
        if refused {
            self.refused.pop_first();
        }
        self.confirmed = delivery_tag;
        Some(Confirm { delivery_tag, multiple: delivery_tag > next, refused })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Batch = Batch(0);

    fn single(delivery_tag: u64) -> Confirm {
        Confirm { delivery_tag, multiple: false, refused: false }
    }

    fn through(delivery_tag: u64) -> Confirm {
        Confirm { delivery_tag, multiple: true, refused: false }
    }

    #[test]
    fn a_confirm_covers_exactly_what_was_gathered_since_the_last() {
        let mut confirms = Confirms::default();
        assert_eq!(confirms.release(NONE), None);
        confirms.published(false);
        assert_eq!(confirms.release(NONE), None, "not in its queue yet");
        confirms.gathered(None);
        assert_eq!(confirms.release(NONE), Some(single(1)));
        confirms.published(false);
        confirms.published(false);
        confirms.gathered(None);
        assert_eq!(confirms.release(NONE), Some(through(3)));
        confirms.gathered(None);
        assert_eq!(confirms.release(NONE), None);
        assert!(!confirms.is_waiting() && confirms.all_gathered());
    }

    #[test]
    fn what_was_journalled_is_confirmed_when_its_group_commit_is_done_and_not_before() {
        let mut confirms = Confirms::default();
        for batch in [7, 9] {
            confirms.published(true);
            confirms.published(true);
            confirms.gathered(Some(Batch(batch)));
        }
        for (done, told) in [(6, None), (7, Some(through(2))), (8, None), (9, Some(through(4))), (10, None)] {
            assert_eq!(confirms.release(Batch(done)), told, "{done}");
        }
    }

    #[test]
    fn what_needs_no_disk_is_confirmed_at_once_but_not_before_what_was_published_earlier() {
        let mut confirms = Confirms::default();
        for journalled in [false, true, false] {
            confirms.published(journalled);
        }
        confirms.gathered(Some(Batch(5)));
        assert_eq!(confirms.release(Batch(4)), Some(single(1)));
        // In a batch of frames of its own, and though another connection's records brought a group commit along.
        confirms.published(false);
        confirms.gathered(Some(Batch(8)));
        assert_eq!(confirms.release(Batch(4)), None);
        assert_eq!(
            confirms.release(Batch(5)),
            Some(through(4)),
            "the last one waited for those before it only"
        );
    }

    #[test]
    fn what_has_a_record_after_all_waits_for_its_group_commit() {
        let mut confirms = Confirms::default();
        confirms.journalled();
        confirms.published(false);
        confirms.gathered(None);
        confirms.journalled();
        confirms.published(false);
        confirms.published(false);
        confirms.journalled();
        confirms.gathered(Some(Batch(3)));
        assert_eq!(confirms.release(Batch(2)), Some(single(1)));
        assert_eq!(confirms.release(Batch(2)), None);
        assert_eq!(confirms.release(Batch(3)), Some(through(3)));
    }

    #[test]
    fn a_copy_waits_for_the_group_commit_that_the_other_one_is_in() {
        let mut confirms = Confirms::default();
        for _ in 0..4 {
            confirms.published(false);
        }
        confirms.waits(3);
        confirms.waits(2);
        confirms.gathered(Some(Batch(5)));
        assert_eq!(confirms.release(Batch(4)), Some(single(1)));
        assert_eq!(confirms.release(Batch(4)), None);
        assert_eq!(confirms.release(Batch(5)), Some(through(4)));
    }

    #[test]
    fn what_a_queue_refused_is_told_by_itself_and_in_its_turn() {
        let mut confirms = Confirms::default();
        for _ in 0..6 {
            confirms.published(false);
        }
        for number in [4, 1, 5] {
            confirms.refused(number);
        }
        confirms.gathered(None);
        let refused = |delivery_tag| Confirm { delivery_tag, multiple: false, refused: true };
        let told: Vec<_> = std::iter::from_fn(|| confirms.release(NONE)).collect();
        assert_eq!(told, [refused(1), through(3), refused(4), refused(5), single(6)]);
    }

    #[test]
    fn runs_that_are_done_together_are_confirmed_together() {
        let mut confirms = Confirms::default();
        for batch in 1..=3 {
            confirms.published(true);
            confirms.gathered(Some(Batch(batch)));
        }
        assert_eq!(confirms.release(Batch(2)), Some(through(2)));
        assert_eq!(confirms.release(Batch(3)), Some(single(3)));
    }
}
