//! Which messages of a block are alive, when not all of them are.

use crate::place::Position;
use crate::store::positions::PositionSet;

/// The positions of a block that are alive: a bit each where that is small, as it is in all blocks but those of which the
/// positions lie far apart.
#[derive(Clone)]
pub(in crate::queue::ready) enum AliveSet {
    /// From `first` on.
    Bits { first: Position, words: Box<[u64]> },
    /// As they come.
    Ranges(PositionSet),
}

/// A set of bits is no larger than this, in words.
const WORDS_MAX: u64 = 1024;

impl AliveSet {
    /// All positions of these ranges.
    pub(in crate::queue::ready) fn of(ranges: PositionSet) -> Self {
        let Some((first, last)) = ranges.first().zip(ranges.last()) else { return Self::Ranges(ranges) };
        if words(first, last) > WORDS_MAX {
            return Self::Ranges(ranges);
        }
        Self::those(first, last, ranges.ranges().flat_map(|(from, to)| from.0..=to.0).map(Position))
    }

    /// All positions from `first` to `last`.
    pub(in crate::queue::ready) fn all(first: Position, last: Position) -> Self {
        if words(first, last) > WORDS_MAX {
            return Self::Ranges(std::iter::once((first, last)).collect());
        }
        Self::those(first, last, (first.0..=last.0).map(Position))
    }

    /// These positions, all of which lie from `first` to `last`.
    pub(in crate::queue::ready) fn those(
        first: Position,
        last: Position,
        positions: impl Iterator<Item = Position>,
    ) -> Self {
        let words = words(first, last);
        if words > WORDS_MAX {
            return Self::Ranges(positions.map(|position| (position, position)).collect());
        }
        let mut words = vec![0; usize::try_from(words).unwrap_or(0)].into_boxed_slice();
        for position in positions {
            let (at, bit) = bit(first, position);
            if let Some(word) = words.get_mut(at) {
                *word |= bit;
            }
        }
        Self::Bits { first, words }
    }

    /// Whether a position is alive.
    #[inline]
    pub(in crate::queue::ready) fn contains(&self, position: Position) -> bool {
        match self {
            Self::Ranges(ranges) => ranges.contains(position),
            Self::Bits { first, words } => {
                let (at, bit) = bit(*first, position);
                words.get(at).is_some_and(|word| word & bit != 0)
            }
        }
    }

    /// A position is alive no more; whether it was.
    pub(in crate::queue::ready) fn remove(&mut self, position: Position) -> bool {
        match self {
            Self::Ranges(ranges) => ranges.remove(position),
            Self::Bits { first, words } => {
                let (at, bit) = bit(*first, position);
                let Some(word) = words.get_mut(at) else { return false };
                let was = *word & bit != 0;
                *word &= !bit;
                was
            }
        }
    }

    /// The first one.
    pub(in crate::queue::ready) fn first(&self) -> Option<Position> {
        match self {
            Self::Ranges(ranges) => ranges.first(),
            Self::Bits { first, words } => {
                let (at, word) = words.iter().enumerate().find(|(_, word)| **word != 0)?;
                Some(first.plus((at as u64).saturating_mul(64).saturating_add(word.trailing_zeros().into())))
            }
        }
    }

    /// Those from `from` to `to`, both included, as ranges.
    pub(in crate::queue::ready) fn within(&self, from: Position, to: Position) -> PositionSet {
        match self {
            Self::Ranges(ranges) => ranges.ranges_within(from, to).collect(),
            Self::Bits { first, words } => {
                let mut set = PositionSet::default();
                let end = first.plus((words.len() as u64).saturating_mul(64));
                for position in from.max(*first).0..=to.min(end).0 {
                    if self.contains(Position(position)) {
                        set.insert(Position(position));
                    }
                }
                set
            }
        }
    }
}

/// How many words a set of bits takes.
fn words(first: Position, last: Position) -> u64 {
    last.0.saturating_sub(first.0) / 64 + 1
}

/// The word of a position, and its bit in there. One before the first has none.
#[inline]
fn bit(first: Position, position: Position) -> (usize, u64) {
    let offset = position.0.checked_sub(first.0).unwrap_or(u64::MAX);
    (usize::try_from(offset / 64).unwrap_or(usize::MAX), 1 << (offset % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bits_and_ranges_say_the_same(
            first in 0..1_u64 << 40,
            spread in prop::sample::select(vec![1_u64, 7, 1_000]),
            steps in prop::collection::vec(1..200_u64, 1..80),
            removed in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        ) {
            let mut last = first;
            let mut positions = vec![Position(first)];
            for step in steps {
                last += 1 + step * spread / 100;
                positions.push(Position(last));
            }
            let ranges: PositionSet = positions.iter().map(|position| (*position, *position)).collect();
            let (mut set, mut model) = (AliveSet::of(ranges.clone()), ranges);
            for index in removed {
                let position = *index.get(&positions);
                prop_assert_eq!(set.remove(position), model.remove(position));
            }
            for position in first.saturating_sub(2)..=last + 70 {
                prop_assert_eq!(set.contains(Position(position)), model.contains(Position(position)));
            }
            prop_assert_eq!(set.first(), model.first());
            let (from, to) = (positions[positions.len() / 3], positions[positions.len() * 2 / 3]);
            for (from, to) in [(from, to), (Position(0), Position(last + 1_000)), (to, from)] {
                let expected: PositionSet = model.ranges_within(from, to).collect();
                prop_assert_eq!(set.within(from, to), expected);
            }
        }
    }
}
