//! Brings a queue's messages into the order of their positions, each once, with bounded memory.
//!
//! Connections append side by side, so that messages of a queue stand in the journal a little out of order; and what is
//! carried from an old file into a new one stands there twice, and late. A message that does not follow the one before it
//! is held until those between have come, or until so much is held that the lowest is given anyway.

use std::collections::BTreeMap;

use crate::message::Parts;
use crate::place::{JournalFile, Position};
use crate::store::PositionSet;
use crate::store::stored::Returns;

/// No more messages of a queue are held.
const HELD_MAX: usize = 4096;
/// No more bytes of a queue are held.
const HELD_MAX_BYTES: usize = 4 * 1024 * 1024;

/// What recovery gives of a message, but for its queue and its position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) returns: Returns,
    pub(super) file: JournalFile,
    pub(super) message: &'a [u8],
    pub(super) parts: Parts,
}

/// The messages of one queue on their way.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// What was given, but for the run at the end.
    given: PositionSet,
    /// The run of positions that was given last: nothing between its ends is to come.
    run: Option<(Position, Position)>,
    held: BTreeMap<Position, Held>,
    held_bytes: usize,
}

#[derive(Debug)]
struct Held {
    returns: Returns,
    file: JournalFile,
    message: Box<[u8]>,
    parts: Parts,
}

impl Order {
    /// The bytes of messages that are held.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Takes a message that is alive and gives those whose turn it is. `settled` are positions that will never come.
    pub(super) fn offer(
        &mut self,
        position: Position,
        record: Record<'_>,
        settled: &PositionSet,
        give: &mut impl FnMut(Position, Record<'_>),
    ) {
        if self.was_given(position) {
            return;
        }
        match self.run {
            Some((_, last)) if position < last => {
                // Too late for its place.
                self.given.insert(position);
                give(position, record);
            }
            Some((_, last)) if follows(last, position, settled) => {
                self.extend_run(position);
                give(position, record);
                self.give_what_follows(settled, give);
            }
            _ => {
                self.hold(position, record);
                while self.held.len() > HELD_MAX || self.held_bytes > HELD_MAX_BYTES {
                    self.give_lowest(give);
                    self.give_what_follows(settled, give);
                }
            }
        }
    }

    /// Gives all that is held, in order.
    pub(super) fn give_all(&mut self, give: &mut impl FnMut(Position, Record<'_>)) {
        while !self.held.is_empty() {
            self.give_lowest(give);
        }
    }

    fn was_given(&self, position: Position) -> bool {
        self.run.is_some_and(|(first, last)| (first..=last).contains(&position))
            || self.given.contains(position)
            || self.held.contains_key(&position)
    }

    fn hold(&mut self, position: Position, record: Record<'_>) {
        self.held_bytes = self.held_bytes.saturating_add(record.message.len());
        let Record { returns, file, message, parts } = record;
        self.held.insert(position, Held { returns, file, message: message.into(), parts });
    }

    fn give_what_follows(&mut self, settled: &PositionSet, give: &mut impl FnMut(Position, Record<'_>)) {
        while let (Some((_, last)), Some((next, _))) = (self.run, self.held.first_key_value())
            && follows(last, *next, settled)
        {
            let next = *next;
            self.extend_run(next);
            self.give_held(next, give);
        }
    }

    /// Gives the lowest, though some before it may still come.
    fn give_lowest(&mut self, give: &mut impl FnMut(Position, Record<'_>)) {
        let Some((&position, _)) = self.held.first_key_value() else { return };
        if let Some((first, last)) = self.run.replace((position, position)) {
            self.given.insert_range(first, last);
        }
        self.give_held(position, give);
    }

    fn give_held(&mut self, position: Position, give: &mut impl FnMut(Position, Record<'_>)) {
        if let Some(held) = self.held.remove(&position) {
            self.held_bytes = self.held_bytes.saturating_sub(held.message.len());
            let Held { returns, file, message, parts } = held;
            give(position, Record { returns, file, message: &message, parts });
        }
    }

    fn extend_run(&mut self, position: Position) {
        let first = self.run.map_or(position, |(first, _)| first);
        self.run = Some((first, position));
    }
}

/// Whether nothing between the two is to come.
fn follows(last: Position, position: Position, settled: &PositionSet) -> bool {
    let from = last.next();
    from == position || {
        let to = Position(position.0.saturating_sub(1));
        from < position && settled.ranges_within(from, to).next() == Some((from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts() -> Parts {
        Parts { persistent: true, ..Parts::packed(0, 0) }
    }

    fn record(message: &[u8]) -> Record<'_> {
        Record { returns: Returns::default(), file: JournalFile(1), message, parts: parts() }
    }

    /// What is given of messages that come in this order, and the most that was held meanwhile.
    fn given(positions: &[u64], settled: &[(u64, u64)], message: &[u8]) -> (Vec<u64>, usize) {
        let settled = settled.iter().map(|(from, to)| (Position(*from), Position(*to))).collect();
        let (mut order, mut given, mut most) = (Order::default(), Vec::new(), 0);
        let mut give = |position: Position, _: Record<'_>| given.push(position.0);
        for position in positions {
            order.offer(Position(*position), record(message), &settled, &mut give);
            most = most.max(order.held_bytes());
        }
        order.give_all(&mut give);
        assert_eq!(order.held_bytes(), 0);
        (given, most)
    }

    #[test]
    fn what_comes_a_little_out_of_order_is_given_in_order_and_once() {
        for (come, settled, expected) in [
            (vec![3, 1, 2, 5, 4], vec![], vec![1, 2, 3, 4, 5]),
            (vec![7, 9, 7, 9, 8], vec![], vec![7, 8, 9]),
            (vec![20, 10, 30], vec![(11, 19), (21, 29)], vec![10, 20, 30]),
            (vec![], vec![], vec![]),
        ] {
            assert_eq!(given(&come, &settled, b"").0, expected, "{come:?}");
        }
    }

    #[test]
    fn what_follows_is_not_held() {
        let come: Vec<u64> = (0..20_000).collect();
        let (all, most) = given(&come, &[], &[0; 1000]);
        assert_eq!(all, come);
        // The first is held, since nobody knows whether others come before it.
        assert!(most <= HELD_MAX_BYTES + 1000, "{most}");
        let settled: Vec<(u64, u64)> = (0..20_000).map(|at| (at * 10 + 1, at * 10 + 9)).collect();
        let come: Vec<u64> = (0..20_000).map(|at| at * 10).collect();
        assert_eq!(given(&come, &settled, &[0; 1000]).0, come);
    }

    #[test]
    fn however_it_comes_no_more_is_held_than_allowed() {
        let backwards: Vec<u64> = (0..20_000).rev().map(|at| at * 2).collect();
        let (mut all, most) = given(&backwards, &[], &[0; 1000]);
        assert!(most <= HELD_MAX_BYTES, "{most}");
        all.sort_unstable();
        assert!(all.iter().eq(backwards.iter().rev()));
    }

    #[test]
    fn what_is_carried_is_given_at_its_first_place_and_not_again() {
        let mut come: Vec<u64> = (100..10_000).collect();
        come.extend(200..300);
        come.extend(50..60);
        come.extend(50..60);
        let mut expected: Vec<u64> = (100..10_000).collect();
        expected.extend(50..60);
        assert_eq!(given(&come, &[], b"").0, expected);
    }

    proptest! {
        #[test]
        fn each_is_given_once_and_what_is_near_its_place_in_order(
            gaps in prop::collection::vec(1..4_u64, 1..200),
            keys in prop::collection::vec(0..1000_u64, 200),
            settled_gaps in any::<bool>(),
        ) {
            let positions: Vec<u64> =
                gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
            let settled: Vec<(u64, u64)> = positions
                .windows(2)
                .filter(|pair| settled_gaps && pair[1] - pair[0] > 1)
                .map(|pair| (pair[0] + 1, pair[1] - 1))
                .collect();
            let mut come: Vec<(u64, u64)> = positions.iter().copied().zip(keys).collect();
            come.sort_by_key(|(_, key)| *key);
            let mut come: Vec<u64> = come.into_iter().map(|(position, _)| position).collect();
            come.extend(come.clone());
            // Fewer than are held, and the first was not yet given when the last came: complete order.
            prop_assert_eq!(given(&come, &settled, b"1").0, positions);
        }
    }
}
