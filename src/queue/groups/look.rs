//! A look at what is parked.

use super::{Groups, Place};
use crate::place::Position;
use crate::queue::id::UnackedKey;
use crate::queue::ready::{Mark, Seen};

impl Groups {
    /// What is parked of a priority from a position on, in its order.
    pub(in crate::queue) fn parked_from(&mut self, mark: Mark) -> impl Iterator<Item = UnackedKey> {
        let (first, last) = (Place::new(mark.level, mark.from), Place::new(mark.level, Position(u64::MAX)));
        self.in_order().range(first..=last).map(|(_, key)| *key)
    }

    /// The message that was seen, if it is parked.
    pub(in crate::queue) fn parked_at(&mut self, seen: &Seen) -> Option<UnackedKey> {
        self.in_order().get(&Place::new(seen.level, seen.position)).copied()
    }
}
