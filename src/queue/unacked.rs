//! Messages that were delivered and wait for their settlement.

use super::id::{ConsumerKey, UnackedKey};
use super::ready::Entry;

/// The unacked messages of one queue: constant time to enter and to leave, whatever the order.
#[derive(Default)]
pub struct Unacked {
    places: Vec<Place>,
    free: Option<u32>,
    len: usize,
    bytes: u64,
}

enum Place {
    Free { next: Option<u32> },
    Taken { entry: Entry, holder: Option<ConsumerKey> },
}

/// Beyond this many free places an emptied table gives its memory back.
const KEEP_PLACES: usize = 1024;

impl Unacked {
    /// How many messages are unacked.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Their size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Enters a message that goes to `holder`, or to a `basic.get` when there is none.
    pub fn insert(&mut self, entry: Entry, holder: Option<ConsumerKey>) -> UnackedKey {
        self.len = self.len.saturating_add(1);
        self.bytes = self.bytes.saturating_add(entry.message.len() as u64);
        let taken = Place::Taken { entry, holder };
        if let Some(at) = self.free
            && let Some(place) = self.places.get_mut(at as usize)
        {
            if let Place::Free { next } = *place {
                self.free = next;
            }
            *place = taken;
            return UnackedKey(at);
        }
        let at = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.places.push(taken);
        UnackedKey(at)
    }

    /// Takes a message out; nothing when it was settled before.
    pub fn remove(&mut self, key: UnackedKey) -> Option<(Entry, Option<ConsumerKey>)> {
        let place = self.places.get_mut(key.0 as usize)?;
        if matches!(place, Place::Free { .. }) {
            return None;
        }
        let Place::Taken { entry, holder } = std::mem::replace(place, Place::Free { next: self.free }) else {
            return None;
        };
        self.free = Some(key.0);
        self.len = self.len.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(entry.message.len() as u64);
        if self.len == 0 && self.places.len() > KEEP_PLACES {
            *self = Self::default();
        }
        Some((entry, holder))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ready::Position;
    use super::*;
    use crate::message::Message;

    fn entry(position: u64) -> Entry {
        Entry::new(Position(position), Message::compose("", "q", &[0, 0], b"body").unwrap())
    }

    #[test]
    fn a_message_leaves_once() {
        let mut unacked = Unacked::default();
        let keys: Vec<_> = (0..3).map(|position| unacked.insert(entry(position), None)).collect();
        assert_eq!(unacked.remove(keys[1]).unwrap().0.position, Position(1));
        assert!(unacked.remove(keys[1]).is_none(), "settled twice");
        let again = unacked.insert(entry(9), None);
        let more = unacked.insert(entry(10), None);
        assert_eq!(unacked.remove(again).unwrap().0.position, Position(9));
        assert_eq!(unacked.remove(more).unwrap().0.position, Position(10));
        assert_eq!(unacked.len(), 2);
    }

    #[test]
    fn an_emptied_table_gives_its_memory_back() {
        let mut unacked = Unacked::default();
        let keys: Vec<_> = (0..5_000).map(|position| unacked.insert(entry(position), None)).collect();
        for key in keys {
            unacked.remove(key).unwrap();
        }
        assert_eq!((unacked.len(), unacked.bytes(), unacked.places.capacity()), (0, 0, 0));
    }
}
