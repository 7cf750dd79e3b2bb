//! Messages of a queue that wait for a time, in the order of their times. Pure.
//!
//! The messages themselves lie among the unacked ones, held by nobody that a client knows; here is only when each is
//! due. What happens to one that is due is the caller's: a scheduled message goes behind everything that is ready, one
//! that is to be tried again goes back to its place.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::str::FromStr;

use super::id::UnackedKey;
use crate::place::Position;
use crate::time::Time;

/// Which of a queue's waiting messages: when it is due, and its place. Written `<milliseconds since the epoch>-<place>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScheduledId {
    /// When it is due.
    pub due: Time,
    /// Its place in its queue: among those that are due at the same time the first goes first.
    pub position: Position,
}

impl fmt::Display for ScheduledId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.due.as_millis(), self.position.0)
    }
}

/// A text that names no waiting message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoScheduledId;

impl fmt::Display for NoScheduledId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the id of a scheduled message: two numbers with a '-' between them")
    }
}

impl std::error::Error for NoScheduledId {}

impl FromStr for ScheduledId {
    type Err = NoScheduledId;

    fn from_str(text: &str) -> Result<Self, NoScheduledId> {
        let (due, position) = text.split_once('-').ok_or(NoScheduledId)?;
        let is_number = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
        if !is_number(due) || !is_number(position) {
            return Err(NoScheduledId);
        }
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| NoScheduledId);
        Ok(Self { due: Time::from_millis(number(due)?), position: Position(number(position)?) })
    }
}

/// Messages that wait for their times: each is entered and taken out at the cost of a look into a tree.
#[derive(Debug, Default)]
pub struct Scheduled {
    order: BTreeMap<ScheduledId, UnackedKey>,
}

impl Scheduled {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// When the first is due; never when there is none.
    pub fn next_due(&self) -> Time {
        self.order.first_key_value().map_or(Time::NEVER, |(id, _)| id.due)
    }

    /// A message is due at a time; it lies at `key` until then.
    pub fn insert(&mut self, id: ScheduledId, key: UnackedKey) {
        self.order.insert(id, key);
    }

    /// Takes a message out and says where it lies; nothing when it does not wait any more.
    pub fn remove(&mut self, id: ScheduledId) -> Option<UnackedKey> {
        self.order.remove(&id)
    }

    /// Takes out the first message if it is due.
    pub fn pop_due(&mut self, now: Time) -> Option<(ScheduledId, UnackedKey)> {
        let first = self.order.first_entry()?;
        (first.key().due <= now).then(|| first.remove_entry())
    }

    /// Those that come after `id`, or all, in the order of their times.
    pub fn after(&self, id: Option<ScheduledId>) -> impl Iterator<Item = (ScheduledId, UnackedKey)> + '_ {
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.order.range((from, Bound::Unbounded)).map(|(id, key)| (*id, *key))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(due: u64, position: u64) -> ScheduledId {
        ScheduledId { due: Time::from_millis(due), position: Position(position) }
    }

    #[test]
    fn messages_are_due_in_the_order_of_their_times_and_then_of_their_places() {
        let mut scheduled = Scheduled::default();
        assert_eq!((scheduled.next_due(), scheduled.pop_due(Time::NEVER)), (Time::NEVER, None));
        for (at, (due, position)) in [(20, 1), (10, 9), (10, 2), (30, 0)].into_iter().enumerate() {
            scheduled.insert(id(due, position), UnackedKey::new(u32::try_from(at).unwrap()));
        }
        assert_eq!(scheduled.next_due(), Time::from_millis(10));
        let mut due = |now| scheduled.pop_due(Time::from_millis(now)).map(|(id, key)| (id, key.at()));
        assert_eq!(due(9), None);
        assert_eq!(due(10), Some((id(10, 2), 2)));
        assert_eq!(due(20), Some((id(10, 9), 1)));
        assert_eq!(due(20), Some((id(20, 1), 0)));
        assert_eq!(due(29), None);
        assert_eq!(due(31), Some((id(30, 0), 3)));
        assert!(scheduled.is_empty());
    }

    #[test]
    fn an_id_is_read_from_what_it_prints_and_from_nothing_else() {
        for id in [id(0, 0), id(1_700_000_000_000, 42), id(u64::MAX, u64::MAX)] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for wrong in ["", "5", "5-", "-5", "5-+5", "5-5-5", "a-5", "18446744073709551616-0", " 5-5"] {
            assert_eq!(wrong.parse::<ScheduledId>(), Err(NoScheduledId), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn pages_and_removals_see_what_a_sorted_list_sees(
            dues in prop::collection::vec(0..20_u64, 0..60),
            removed in prop::collection::vec(0..60_usize, 0..30),
            page in 1..10_usize,
        ) {
            let (mut scheduled, mut list) = (Scheduled::default(), Vec::new());
            for (position, due) in (0..).zip(dues) {
                scheduled.insert(id(due, position), UnackedKey::new(u32::try_from(position).unwrap()));
                list.push(id(due, position));
            }
            for at in removed {
                let Some(id) = list.get(at).copied() else { continue };
                list.retain(|other| *other != id);
                prop_assert_eq!(scheduled.remove(id).map(|key| u64::from(key.at())), Some(id.position.0));
                prop_assert_eq!(scheduled.remove(id), None);
            }
            list.sort_unstable();
            let (mut seen, mut last) = (Vec::new(), None);
            loop {
                let next: Vec<_> = scheduled.after(last).take(page).map(|(id, _)| id).collect();
                let Some(end) = next.last() else { break };
                last = Some(*end);
                seen.extend(next);
            }
            prop_assert_eq!(&seen, &list);
            prop_assert_eq!(scheduled.len(), list.len());
        }
    }
}
