//! Delivery tags of one channel: which are out, and where each belongs.
//!
//! Pure. Tags come back mostly in order, so they stand in a queue; a tag that is settled out of order leaves a gap
//! that goes when it reaches the front or when half of the queue is gaps, so that one tag that is never settled does
//! not keep the place of those after it.

use std::collections::VecDeque;

use crate::queue::id::UnackedKey;

/// A delivery that is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outstanding {
    /// The subscription that it belongs to.
    pub slot: u32,
    /// Where the queue keeps it.
    pub key: UnackedKey,
}

/// The client named a delivery tag that is not out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownTag(pub u64);

/// The deliveries of one channel that wait for their settlement.
#[derive(Default)]
pub struct OutstandingTags {
    last: u64,
    tags: VecDeque<(u64, Option<Outstanding>)>,
    gaps: usize,
}

/// No subscription has this slot.
const NOBODY: u32 = u32::MAX;
const GAPS_MIN: usize = 256;
/// Beyond this many places an emptied queue of tags gives its memory back.
const KEEP_PLACES: usize = 1024;

impl OutstandingTags {
    /// The tag of a delivery that needs no settlement.
    pub fn number(&mut self) -> u64 {
        self.last = self.last.wrapping_add(1);
        self.last
    }

    /// The tag of a delivery that waits for its settlement.
    pub fn enter(&mut self, outstanding: Outstanding) -> u64 {
        let tag = self.number();
        self.tags.push_back((tag, Some(outstanding)));
        tag
    }

    /// How many are out.
    pub fn len(&self) -> usize {
        self.tags.len().saturating_sub(self.gaps)
    }

    /// Whether none is out.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a tag is out.
    pub fn contains(&self, tag: u64) -> bool {
        self.find(tag).and_then(|at| self.tags.get(at)).is_some_and(|(_, out)| out.is_some())
    }

    /// Takes one.
    pub fn take(&mut self, tag: u64) -> Result<Outstanding, UnknownTag> {
        let at = self.find(tag).ok_or(UnknownTag(tag))?;
        let out = self.tags.get_mut(at).and_then(|(_, out)| out.take()).ok_or(UnknownTag(tag))?;
        if at == 0 {
            self.tags.pop_front();
            self.drop_leading_gaps();
        } else {
            self.gaps = self.gaps.saturating_add(1);
            if self.gaps > GAPS_MIN && self.gaps > self.tags.len() / 2 {
                self.tags.retain(|(_, out)| out.is_some());
                self.gaps = 0;
            }
        }
        Ok(out)
    }

    /// Takes this and all before it, oldest first; all with tag 0. The tag itself must be out, as in RabbitMQ.
    pub fn take_through(
        &mut self,
        tag: u64,
        mut taken: impl FnMut(u64, Outstanding),
    ) -> Result<(), UnknownTag> {
        if tag == 0 {
            self.take_all(taken);
            return Ok(());
        }
        if !self.contains(tag) {
            return Err(UnknownTag(tag));
        }
        while let Some((tag, out)) = self.tags.pop_front_if(|(front, _)| *front <= tag) {
            match out {
                Some(out) => taken(tag, out),
                None => self.gaps = self.gaps.saturating_sub(1),
            }
        }
        self.drop_leading_gaps();
        Ok(())
    }

    /// Takes all, oldest first.
    pub fn take_all(&mut self, mut taken: impl FnMut(u64, Outstanding)) {
        for (tag, out) in std::mem::take(&mut self.tags) {
            if let Some(out) = out {
                taken(tag, out);
            }
        }
        self.gaps = 0;
    }

    /// Gives what is out of this subscription. The tags stay out, and stand for nothing any more.
    pub fn disown(&mut self, slot: u32) -> Vec<(u64, Outstanding)> {
        let mut disowned = Vec::new();
        for (tag, out) in &mut self.tags {
            if let Some(out) = out
                && out.slot == slot
            {
                disowned.push((*tag, *out));
                out.slot = NOBODY;
            }
        }
        disowned
    }

    /// Puts back what was taken, under the same tags.
    pub fn restore(&mut self, taken: impl Iterator<Item = (u64, Outstanding)>) {
        let mut tags: Vec<_> = self.tags.drain(..).filter(|(_, out)| out.is_some()).collect();
        tags.extend(taken.map(|(tag, out)| (tag, Some(out))));
        tags.sort_unstable_by_key(|(tag, _)| *tag);
        self.tags = tags.into();
        self.gaps = 0;
    }

    fn find(&self, tag: u64) -> Option<usize> {
        let (first, _) = self.tags.front()?;
        let guess = usize::try_from(tag.checked_sub(*first)?).ok()?;
        if self.tags.get(guess).is_some_and(|(there, _)| *there == tag) {
            return Some(guess);
        }
        self.tags.binary_search_by_key(&tag, |(there, _)| *there).ok()
    }

    fn drop_leading_gaps(&mut self) {
        while self.tags.pop_front_if(|(_, out)| out.is_none()).is_some() {
            self.gaps = self.gaps.saturating_sub(1);
        }
        if self.tags.is_empty() && self.tags.capacity() > KEEP_PLACES {
            self.tags = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::queue::ready::{Entry, Position};
    use crate::queue::unacked::{Holder, Unacked};

    fn keys(count: u64) -> Vec<UnackedKey> {
        let mut unacked = Unacked::default();
        let message = Message::compose("", "q", &[0, 0], b"").unwrap();
        (0..count).map(|at| unacked.insert(Entry::new(Position(at), message.clone()), Holder::Get)).collect()
    }

    #[test]
    fn a_tag_is_taken_once_whatever_the_order() {
        let mut tags = OutstandingTags::default();
        for key in keys(5) {
            tags.enter(Outstanding { slot: 7, key });
        }
        for tag in [3, 1, 5, 2, 4] {
            assert!(tags.take(tag).is_ok(), "{tag}");
            assert_eq!(tags.take(tag), Err(UnknownTag(tag)));
        }
        assert_eq!((tags.len(), tags.tags.len()), (0, 0));
    }

    #[test]
    fn a_burst_leaves_no_memory_behind() {
        let key = keys(1)[0];
        for multiple in [true, false] {
            let mut tags = OutstandingTags::default();
            for _ in 0..100_000 {
                tags.enter(Outstanding { slot: 0, key });
            }
            if multiple {
                tags.take_through(100_000, |_, _| {}).unwrap();
            } else {
                for tag in 1..=100_000 {
                    tags.take(tag).unwrap();
                }
            }
            assert!(tags.tags.capacity() <= KEEP_PLACES, "multiple: {multiple}");
        }
    }

    #[test]
    fn tags_without_settlement_leave_gaps_in_the_numbers_only() {
        let mut tags = OutstandingTags::default();
        let keys = keys(2);
        assert_eq!(tags.number(), 1);
        assert_eq!(tags.enter(Outstanding { slot: 0, key: keys[0] }), 2);
        assert_eq!(tags.number(), 3);
        assert_eq!(tags.enter(Outstanding { slot: 0, key: keys[1] }), 4);
        for unknown in [0, 1, 3, 5] {
            assert_eq!(tags.take(unknown), Err(UnknownTag(unknown)));
        }
        assert_eq!(tags.take(4).unwrap().key, keys[1]);
        assert_eq!(tags.take(2).unwrap().key, keys[0]);
    }

    #[test]
    fn multiple_takes_in_order_up_to_a_tag_that_must_be_out() {
        let mut tags = OutstandingTags::default();
        let keys = keys(6);
        for key in &keys {
            tags.enter(Outstanding { slot: 0, key: *key });
        }
        tags.take(2).unwrap();
        let mut taken = Vec::new();
        assert_eq!(tags.take_through(2, |_, out| taken.push(out.key)), Err(UnknownTag(2)));
        tags.take_through(4, |_, out| taken.push(out.key)).unwrap();
        assert_eq!(taken, [keys[0], keys[2], keys[3]]);
        tags.take_through(0, |_, out| taken.push(out.key)).unwrap();
        assert_eq!(taken.len(), 5);
        assert_eq!(tags.take_through(0, |_, _| panic!("nothing is out")), Ok(()));
    }

    #[test]
    fn what_was_taken_can_be_put_back_and_taken_again() {
        let mut tags = OutstandingTags::default();
        let keys = keys(4);
        for key in &keys {
            tags.enter(Outstanding { slot: 0, key: *key });
        }
        let mut taken = vec![(3, tags.take(3).unwrap())];
        tags.take_through(2, |tag, out| taken.push((tag, out))).unwrap();
        tags.restore(taken.into_iter());
        let mut again = Vec::new();
        tags.take_all(|tag, out| again.push((tag, out.key)));
        assert_eq!(again, [(1, keys[0]), (2, keys[1]), (3, keys[2]), (4, keys[3])]);
    }

    #[test]
    fn one_tag_that_is_never_settled_does_not_keep_the_places_of_those_after_it() {
        let mut tags = OutstandingTags::default();
        let key = keys(1)[0];
        tags.enter(Outstanding { slot: 0, key });
        for _ in 0..100_000 {
            let tag = tags.enter(Outstanding { slot: 0, key });
            tags.take(tag).unwrap();
        }
        assert_eq!(tags.len(), 1);
        assert!(tags.tags.len() <= 2 * GAPS_MIN + 2, "{} places", tags.tags.len());
        assert!(tags.contains(1));
    }
}
