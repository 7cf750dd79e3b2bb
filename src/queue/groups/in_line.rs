//! What of one group is parked, in its order.

use std::collections::VecDeque;

use super::Place;
use crate::queue::id::UnackedKey;

/// Beyond so much room an emptied line gives its memory back.
const KEEP: usize = 16;

/// The parked messages of one group. Nearly all come at the end and leave at the front.
#[derive(Default)]
pub(super) struct InLine(VecDeque<(Place, UnackedKey)>);

impl InLine {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first, with its place.
    pub(super) fn first(&self) -> Option<(Place, UnackedKey)> {
        self.0.front().copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, UnackedKey)> + '_ {
        self.0.iter().copied()
    }

    /// Puts a message at its place.
    pub(super) fn insert(&mut self, place: Place, key: UnackedKey) {
        if self.0.back().is_none_or(|(last, _)| *last < place) {
            return self.0.push_back((place, key));
        }
        let at = self.0.partition_point(|(other, _)| *other < place);
        self.0.insert(at, (place, key));
    }

    /// Takes the message at a place.
    pub(super) fn remove(&mut self, place: Place) {
        if self.0.front().is_some_and(|(first, _)| *first == place) {
            self.0.pop_front();
            return;
        }
        if let Ok(at) = self.0.binary_search_by_key(&place, |(other, _)| *other) {
            self.0.remove(at);
        }
    }

    /// Gives back the memory of many.
    pub(super) fn tidy(&mut self) {
        if self.0.is_empty() && self.0.capacity() > KEEP {
            self.0 = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Position;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::collections::btree_map::Entry;

    proptest! {
        #[test]
        fn a_line_is_in_the_order_of_its_places(
            steps in prop::collection::vec((any::<bool>(), 0..3_u8, 0..12_u64), 0..60),
        ) {
            let (mut line, mut model) = (InLine::default(), BTreeMap::new());
            for (number, (comes, level, position)) in (0..).zip(steps) {
                let (place, key) = (Place::new(level, Position(position)), UnackedKey::new(number));
                if !comes {
                    line.remove(place);
                    model.remove(&place);
                } else if let Entry::Vacant(vacant) = model.entry(place) {
                    line.insert(place, key);
                    vacant.insert(key);
                }
                prop_assert!(line.iter().eq(model.iter().map(|(place, key)| (*place, *key))));
                prop_assert_eq!(line.first(), model.first_key_value().map(|(place, key)| (*place, *key)));
                prop_assert_eq!(line.is_empty(), model.is_empty());
            }
        }
    }
}
