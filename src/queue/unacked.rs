//! Messages that were delivered and wait for their settlement.

use foldhash::HashMap;

use super::id::{ConsumerKey, UnackedKey};
use super::ready::Entry;
use crate::place::Position;
use crate::time::Time;

/// The unacked messages of one queue: constant time to enter and to leave, whatever the order.
#[derive(Default)]
pub struct Unacked {
    places: Vec<Place>,
    free: Option<u32>,
    len: usize,
    bytes: u64,
    /// Those of them that no client is to settle: on their way to a consumer that acknowledges automatically, leaving, or
    /// parked.
    unseen: usize,
    /// Those of them that wait for a time.
    waiting: Waiting,
    /// Where those are that are being written elsewhere.
    sought: HashMap<Position, u32>,
}

/// Messages that wait for a time.
#[derive(Default)]
struct Waiting {
    count: usize,
    /// The size of their bodies, in bytes.
    bytes: u64,
    /// The size of all of them, in bytes.
    total_bytes: u64,
}

/// Who holds an unacked message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A consumer, whose credit it takes.
    Consumer(ConsumerKey),
    /// A `basic.get`.
    Get,
    /// A consumer that acknowledges automatically: it is held until it was sent.
    Automatic,
    /// Nobody: it came back and waits until it is given to somebody again.
    Retrying,
    /// Nobody: it is on its way to other queues, or to its end.
    Leaving,
    /// Nobody: it waits for a time.
    Scheduled,
    /// Nobody: it waits for others of its group and counts as ready.
    Parked,
}

impl Holder {
    fn is_unseen(self) -> bool {
        !matches!(self, Self::Consumer(_) | Self::Get)
    }

    /// Whether the message waits for a time.
    pub fn waits(self) -> bool {
        matches!(self, Self::Scheduled | Self::Retrying)
    }
}

enum Place {
    Free { next: Option<u32> },
    Taken { entry: Entry, holder: Holder },
}

/// What a message takes beside its body, here and in the channel that it was delivered on, in bytes: its place, its address
/// and properties, what the allocator adds.
const ENTRY_BYTES: u64 = 256;
/// Beyond this many free places an emptied table gives its memory back.
const KEEP_PLACES: usize = 1024;

impl Unacked {
    /// How many messages wait for a client to settle them.
    pub fn len(&self) -> usize {
        self.len.saturating_sub(self.unseen)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The bodies of those that do not wait for a time, in bytes.
    pub fn seen_bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.waiting.bytes)
    }

    /// What those take in memory that a client is to settle, or is getting, in bytes, about.
    pub fn memory(&self) -> u64 {
        let len = self.len.saturating_sub(self.waiting.count) as u64;
        self.bytes.saturating_sub(self.waiting.bytes).saturating_add(len.saturating_mul(ENTRY_BYTES))
    }

    /// What those take in memory that wait for a time, in bytes, about.
    pub fn waiting_memory(&self) -> u64 {
        let overhead = (self.waiting.count as u64).saturating_mul(ENTRY_BYTES);
        self.waiting.total_bytes.saturating_add(overhead)
    }

    /// A message that is here.
    pub fn get(&self, key: UnackedKey) -> Option<&Entry> {
        match self.places.get(key.at() as usize)? {
            Place::Taken { entry, .. } => Some(entry),
            Place::Free { .. } => None,
        }
    }

    /// A message that is here, and who holds it.
    pub fn held(&self, key: UnackedKey) -> Option<(&Entry, Holder)> {
        match self.places.get(key.at() as usize)? {
            Place::Taken { entry, holder } => Some((entry, *holder)),
            Place::Free { .. } => None,
        }
    }

    /// Enters a message that goes to `holder`.
    pub fn insert(&mut self, entry: Entry, holder: Holder) -> UnackedKey {
        self.len = self.len.saturating_add(1);
        self.bytes = self.bytes.saturating_add(entry.message.body_len() as u64);
        self.unseen = self.unseen.saturating_add(usize::from(holder.is_unseen()));
        if holder.waits() {
            let Waiting { count, bytes, total_bytes } = &mut self.waiting;
            *count = count.saturating_add(1);
            *bytes = bytes.saturating_add(entry.message.body_len() as u64);
            *total_bytes = total_bytes.saturating_add(entry.message.len() as u64);
        }
        let at = self.free.unwrap_or(u32::try_from(self.places.len()).unwrap_or(u32::MAX));
        if entry.sought {
            self.sought.insert(entry.position, at);
        }
        let taken = Place::Taken { entry, holder };
        if let Some(at) = self.free
            && let Some(place) = self.places.get_mut(at as usize)
        {
            if let Place::Free { next } = *place {
                self.free = next;
            }
            *place = taken;
            return UnackedKey::new(at);
        }
        self.places.push(taken);
        UnackedKey::new(at)
    }

    /// Takes a message out; nothing when it was settled before.
    pub fn remove(&mut self, key: UnackedKey) -> Option<(Entry, Holder)> {
        let place = self.places.get_mut(key.at() as usize)?;
        if matches!(place, Place::Free { .. }) {
            return None;
        }
        let Place::Taken { entry, holder } = std::mem::replace(place, Place::Free { next: self.free }) else {
            return None;
        };
        self.free = Some(key.at());
        self.len = self.len.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(entry.message.body_len() as u64);
        self.unseen = self.unseen.saturating_sub(usize::from(holder.is_unseen()));
        if holder.waits() {
            let Waiting { count, bytes, total_bytes } = &mut self.waiting;
            *count = count.saturating_sub(1);
            *bytes = bytes.saturating_sub(entry.message.body_len() as u64);
            *total_bytes = total_bytes.saturating_sub(entry.message.len() as u64);
        }
        if entry.sought {
            self.sought.remove(&entry.position);
        }
        if self.len == 0 && self.places.len() > KEEP_PLACES {
            *self = Self::default();
        }
        Some((entry, holder))
    }

    /// The message under this key is somebody else's from now on.
    pub(super) fn pass(&mut self, key: UnackedKey, to: Holder, now: Time) -> Option<&Entry> {
        let Place::Taken { entry, holder } = self.places.get_mut(key.at() as usize)? else { return None };
        let from = std::mem::replace(holder, to);
        entry.given = now;
        self.unseen = self.unseen.saturating_add(usize::from(to.is_unseen()));
        self.unseen = self.unseen.saturating_sub(usize::from(from.is_unseen()));
        Some(entry)
    }

    /// All of them, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.iter_held().map(|(entry, _)| entry)
    }

    /// The same, each with who holds it.
    pub(super) fn iter_held(&self) -> impl Iterator<Item = (&Entry, Holder)> {
        self.places.iter().filter_map(|place| match place {
            Place::Taken { entry, holder } => Some((entry, *holder)),
            Place::Free { .. } => None,
        })
    }

    /// The same in so many places from the `from`th on, each with the number of its place; and where others follow.
    pub(super) fn held_from(
        &self,
        from: u32,
        places: u32,
    ) -> (impl Iterator<Item = (u32, &Entry, Holder)>, Option<u32>) {
        let to = from.saturating_add(places);
        let all = self.places.get(from as usize..).unwrap_or_default();
        let held = (from..).zip(all.iter().take(places as usize));
        let held = held.filter_map(|(number, place)| match place {
            Place::Taken { entry, holder } => Some((number, entry, *holder)),
            Place::Free { .. } => None,
        });
        (held, (self.places.len() > to as usize).then_some(to))
    }

    /// Where those are that consumers hold, in no order.
    pub(super) fn with_consumers(&self) -> impl Iterator<Item = (UnackedKey, ConsumerKey)> {
        self.places.iter().enumerate().filter_map(|(at, place)| match place {
            Place::Taken { holder: Holder::Consumer(consumer), .. } => {
                Some((UnackedKey::new(u32::try_from(at).ok()?), *consumer))
            }
            Place::Taken { .. } | Place::Free { .. } => None,
        })
    }

    /// Those that `wanted` says yes to are to be found by their positions from now on.
    pub(super) fn seek(&mut self, wanted: impl Fn(&Entry) -> bool) {
        for (at, place) in self.places.iter_mut().enumerate() {
            if let Place::Taken { entry, .. } = place
                && wanted(entry)
            {
                entry.sought = true;
                self.sought.insert(entry.position, u32::try_from(at).unwrap_or(u32::MAX));
            }
        }
    }

    /// The message under this key is to be found by its position from now on.
    pub(super) fn seek_at(&mut self, key: UnackedKey) -> Option<&Entry> {
        let Place::Taken { entry, .. } = self.places.get_mut(key.at() as usize)? else { return None };
        entry.sought = true;
        self.sought.insert(entry.position, key.at());
        Some(entry)
    }

    /// Until when a message waits.
    pub(super) fn wait_until(&mut self, key: UnackedKey, due: Time) {
        if let Some(Place::Taken { entry, .. }) = self.places.get_mut(key.at() as usize) {
            entry.returns.due = due;
        }
    }

    /// Where the message at this position is, if it is sought.
    pub(super) fn sought(&self, position: Position) -> Option<UnackedKey> {
        let key = UnackedKey::new(*self.sought.get(&position)?);
        self.get(key).is_some_and(|entry| entry.position == position).then_some(key)
    }

    /// The message at this position, if it is sought; it is not any more.
    pub(super) fn found(&mut self, position: Position) -> Option<&mut Entry> {
        let at = self.sought.remove(&position)?;
        match self.places.get_mut(at as usize)? {
            Place::Taken { entry, .. } if entry.position == position => {
                entry.sought = false;
                Some(entry)
            }
            Place::Taken { .. } | Place::Free { .. } => None,
        }
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
        let keys: Vec<_> = (0..3).map(|position| unacked.insert(entry(position), Holder::Get)).collect();
        assert_eq!(unacked.remove(keys[1]).unwrap().0.position, Position(1));
        assert!(unacked.remove(keys[1]).is_none(), "settled twice");
        let again = unacked.insert(entry(9), Holder::Get);
        let more = unacked.insert(entry(10), Holder::Get);
        assert_eq!(unacked.remove(again).unwrap().0.position, Position(9));
        assert_eq!(unacked.remove(more).unwrap().0.position, Position(10));
        assert_eq!(unacked.len(), 2);
    }

    #[test]
    fn an_emptied_table_gives_its_memory_back() {
        let mut unacked = Unacked::default();
        let keys: Vec<_> = (0..5_000).map(|position| unacked.insert(entry(position), Holder::Get)).collect();
        for key in keys {
            unacked.remove(key).unwrap();
        }
        assert_eq!((unacked.len(), unacked.bytes(), unacked.places.capacity()), (0, 0, 0));
    }
}
