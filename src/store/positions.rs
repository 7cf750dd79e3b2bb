//! A set of positions of one queue, kept as ranges: what is settled, or alive, of many messages.

use std::collections::BTreeMap;

use crate::place::Position;

/// A set of positions. Adjoining ones cost one entry together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PositionSet {
    /// First and last of each range; ranges neither overlap nor adjoin.
    ranges: BTreeMap<Position, Position>,
    count: u64,
}

impl PositionSet {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many positions are in it.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Its ranges in order, both ends included.
    pub fn ranges(&self) -> impl Iterator<Item = (Position, Position)> + '_ {
        self.ranges.iter().map(|(from, to)| (*from, *to))
    }

    /// The lowest position in it.
    pub fn first(&self) -> Option<Position> {
        self.ranges.first_key_value().map(|(from, _)| *from)
    }

    /// The highest position in it.
    pub fn last(&self) -> Option<Position> {
        self.ranges.last_key_value().map(|(_, to)| *to)
    }

    /// Whether `position` is in it.
    pub fn contains(&self, position: Position) -> bool {
        self.range_of(position).is_some()
    }

    /// Puts `position` into it; whether it was not there.
    pub fn insert(&mut self, position: Position) -> bool {
        let before = self.count;
        self.insert_range(position, position);
        self.count != before
    }

    /// Puts all positions from `from` to `to` into it, both included; none when `to` is below `from`.
    pub fn insert_range(&mut self, from: Position, to: Position) {
        if to < from {
            return;
        }
        let (mut from, mut to) = (from, to);
        if let Some((before, end)) = self.ranges.range(..from).next_back().map(|(a, b)| (*a, *b))
            && end.next() >= from
        {
            if end >= to {
                return;
            }
            from = before;
        }
        while let Some((next, end)) = self.ranges.range(from..=to.next()).next().map(|(a, b)| (*a, *b)) {
            self.ranges.remove(&next);
            self.count = self.count.saturating_sub(size(next, end));
            to = to.max(end);
        }
        self.ranges.insert(from, to);
        self.count = self.count.saturating_add(size(from, to));
    }

    /// Takes `position` out; whether it was there.
    pub fn remove(&mut self, position: Position) -> bool {
        let before = self.count;
        self.remove_range(position, position);
        self.count != before
    }

    /// Takes all positions from `from` to `to` out, both included.
    pub fn remove_range(&mut self, from: Position, to: Position) {
        if to < from {
            return;
        }
        if let Some((start, end)) = self.range_of(from)
            && start < from
        {
            self.ranges.insert(start, Position(from.0.saturating_sub(1)));
            self.ranges.insert(from, end);
        }
        while let Some((start, end)) = self.ranges.range(from..=to).next().map(|(a, b)| (*a, *b)) {
            self.ranges.remove(&start);
            if end > to {
                self.ranges.insert(to.next(), end);
            }
            self.count = self.count.saturating_sub(size(start, end.min(to)));
        }
    }

    /// How many of the positions from `from` to `to`, both included, are in it.
    pub fn count_within(&self, from: Position, to: Position) -> u64 {
        self.ranges_within(from, to).map(|(from, to)| size(from, to)).fold(0, u64::saturating_add)
    }

    /// The parts of its ranges from `from` to `to`, both included, in order.
    pub fn ranges_within(
        &self,
        from: Position,
        to: Position,
    ) -> impl Iterator<Item = (Position, Position)> + '_ {
        let start = self.range_of(from).map_or(from, |(start, _)| start);
        let ranges = (start <= to).then(|| self.ranges.range(start..=to)).into_iter().flatten();
        ranges.map(move |(a, b)| ((*a).max(from), (*b).min(to)))
    }

    fn range_of(&self, position: Position) -> Option<(Position, Position)> {
        let (from, to) = self.ranges.range(..=position).next_back()?;
        (*to >= position).then_some((*from, *to))
    }
}

impl FromIterator<(Position, Position)> for PositionSet {
    fn from_iter<I: IntoIterator<Item = (Position, Position)>>(ranges: I) -> Self {
        let mut set = Self::default();
        for (from, to) in ranges {
            set.insert_range(from, to);
        }
        set
    }
}

fn size(from: Position, to: Position) -> u64 {
    to.0.saturating_sub(from.0).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn check(set: &PositionSet, model: &BTreeSet<u64>) {
        let listed: BTreeSet<u64> = set.ranges().flat_map(|(from, to)| from.0..=to.0).collect();
        assert_eq!(&listed, model);
        assert_eq!(set.count(), model.len() as u64);
        assert_eq!(set.is_empty(), model.is_empty());
        assert_eq!(set.first().map(|position| position.0), model.first().copied());
        assert_eq!(set.last().map(|position| position.0), model.last().copied());
        let ranges: Vec<_> = set.ranges().collect();
        for pair in ranges.windows(2) {
            assert!(pair[0].1.0 + 1 < pair[1].0.0, "{pair:?} overlap or adjoin");
        }
    }

    proptest! {
        #[test]
        fn a_set_of_ranges_is_a_set(
            steps in prop::collection::vec((any::<bool>(), 0..40_u64, 0..12_u64), 0..40),
        ) {
            let (mut set, mut model) = (PositionSet::default(), BTreeSet::new());
            for (insert, from, more) in steps {
                let (first, last) = (Position(from), Position(from + more));
                if more == 0 {
                    let changed = if insert { set.insert(first) } else { set.remove(first) };
                    prop_assert_eq!(changed, if insert { model.insert(from) } else { model.remove(&from) });
                } else if insert {
                    set.insert_range(first, last);
                    model.extend(from..=from + more);
                } else {
                    set.remove_range(first, last);
                    model.retain(|position| !(from..=from + more).contains(position));
                }
                check(&set, &model);
                prop_assert_eq!(set.count_within(first, last), model.range(from..=from + more).count() as u64);
                let within: BTreeSet<u64> = set.ranges_within(first, last).flat_map(|(a, b)| a.0..=b.0).collect();
                prop_assert!(within.iter().eq(model.range(from..=from + more)));
                for position in 0..60 {
                    prop_assert_eq!(set.contains(Position(position)), model.contains(&position));
                }
            }
            prop_assert_eq!(set.ranges().collect::<PositionSet>(), set);
        }
    }

    #[test]
    fn the_ends_of_the_numbers_are_positions_like_others() {
        let end = Position(u64::MAX);
        let mut set = PositionSet::default();
        set.insert_range(Position(u64::MAX - 2), end);
        assert!(set.contains(end) && !set.insert(end));
        assert!(set.remove(end) && !set.contains(end));
        assert_eq!(set.count(), 2);
        set.insert(Position(0));
        assert_eq!(set.first(), Some(Position(0)));
        set.insert_range(Position(5), Position(3));
        assert_eq!(set.count(), 3);
    }
}
