//! Which keys a queue knew, by what the journal says.
//!
//! A journal may have many more records of keys than a queue knows at a time; no more of them are held than twice that.

use foldhash::HashMap;

use crate::message::deduplication::DeduplicationKey;
use crate::place::Position;
use crate::store::PositionSet;
use crate::store::stored::KeyRecord;
use crate::time::Time;

/// Keys of one queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// How many it knows at most.
    size: u32,
    keys: HashMap<DeduplicationKey, (Position, Time)>,
}

/// Fewer are not looked through for those that are too many.
const FEW: usize = 1024;

impl Known {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys, in no order.
    pub fn records(&self) -> impl Iterator<Item = KeyRecord> {
        self.keys.iter().map(|(key, (position, until))| KeyRecord {
            key: *key,
            position: *position,
            until: *until,
        })
    }

    /// Takes those of a record. Of a key that came twice the message that came later counts.
    pub(super) fn add(&mut self, size: u32, keys: impl Iterator<Item = KeyRecord>, settled: &PositionSet) {
        self.size = self.size.max(size);
        for KeyRecord { key, position, until } in keys {
            let known = self.keys.entry(key).or_insert((position, until));
            if known.0 < position {
                *known = (position, until);
            }
        }
        if self.keys.len() > (self.size as usize).saturating_mul(2).max(FEW) {
            self.drop_settled(settled);
            self.drop_surplus();
        }
    }

    /// Everything was read.
    pub(super) fn finish(&mut self, settled: &PositionSet) {
        self.drop_settled(settled);
        self.drop_surplus();
    }

    /// What is known for as long as its message is there goes with it.
    fn drop_settled(&mut self, settled: &PositionSet) {
        self.keys.retain(|_, (position, until)| *until != Time::NEVER || !settled.contains(*position));
    }

    /// The oldest go when they are too many.
    fn drop_surplus(&mut self) {
        let surplus = self.keys.len().saturating_sub(self.size as usize);
        if surplus == 0 {
            return;
        }
        let mut positions: Vec<Position> = self.keys.values().map(|(position, _)| *position).collect();
        let (_, first_kept, _) = positions.select_nth_unstable(surplus);
        let first_kept = *first_kept;
        self.keys.retain(|_, (position, _)| *position >= first_kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: u128, position: u64, until: Time) -> KeyRecord {
        KeyRecord { key: DeduplicationKey(key), position: Position(position), until }
    }

    fn keys(known: &Known) -> Vec<u128> {
        let mut keys: Vec<u128> = known.records().map(|record| record.key.0).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn a_key_without_an_end_goes_with_its_message_and_one_with_a_time_does_not() {
        let mut known = Known::default();
        let soon = Time::from_millis(5);
        let records = [
            record(1, 1, Time::NEVER),
            record(2, 2, soon),
            record(3, 3, Time::NEVER),
            record(1, 4, Time::NEVER),
        ];
        known.add(10, records.into_iter(), &PositionSet::default());
        // An older file, read later.
        known.add(10, [record(3, 0, Time::NEVER)].into_iter(), &PositionSet::default());
        let settled: PositionSet = [(Position(1), Position(3))].into_iter().collect();
        known.finish(&settled);
        assert_eq!(keys(&known), [1, 2]);
        assert_eq!(known.records().map(|record| record.position.0).max(), Some(4));
    }

    #[test]
    fn no_more_are_held_than_twice_what_the_queue_knows_and_the_latest_stay() {
        let mut known = Known::default();
        for file in (0..20_u64).rev() {
            let records = (0..1000).map(|at| file * 1000 + at).map(|at| record(at.into(), at, Time::NEVER));
            known.add(1500, records, &PositionSet::default());
            assert!(known.keys.len() <= 3000, "{}", known.keys.len());
        }
        known.finish(&PositionSet::default());
        assert_eq!(keys(&known), (18_500..20_000).collect::<Vec<_>>());
    }
}
