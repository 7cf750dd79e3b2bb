//! Messages that are to be delivered later.
//!
//! They lie among the unacked messages, where checkpoints find them and nobody else does, or on the disk. When one is due it leaves as a
//! dead message does: it is published again, with its time behind it, in the same group of records that settles it
//! here. So it gets a place behind all that is ready, and what is written of it needs no other rules than those of any message.

use super::QueueCore;
use crate::message::Message;
use crate::place::{Home, Position};
use crate::queue::due::due;
use crate::queue::id::UnackedKey;
use crate::queue::ready::Entry;
use crate::queue::scheduled::ScheduledId;
use crate::queue::unacked::Holder;
use crate::store::stored::{BlockPlace, Returns};
use crate::time::Time;

/// A message whose time has come: it stays in the queue, out of everybody's sight, until it [has left](QueueCore::left).
#[derive(Clone, Debug)]
pub struct Due {
    /// Where the queue keeps it until then.
    pub key: UnackedKey,
    /// Its place.
    pub position: Position,
    /// The message.
    pub message: Message,
}

/// A message that waits for its time, as it is found.
#[derive(Clone, Debug)]
pub enum Listed {
    /// In memory.
    Here(Message),
    /// In a block on the disk.
    OnDisk {
        /// Which block.
        place: BlockPlace,
        /// The position of the block's first message.
        first: Position,
    },
}

impl QueueCore {
    /// When a message is to wait that is published now; nothing when it need not, or may not here.
    #[inline]
    pub(super) fn scheduled_at(&self, message: &Message) -> Option<Time> {
        if self.terms.scheduled { due(message) } else { None }
    }

    /// A message waits for a time.
    pub(super) fn schedule(&mut self, due: Time, entry: Entry) {
        let returns = Returns { due, ..entry.returns };
        self.wait(Entry { returns, ..entry }, Holder::Scheduled);
    }

    /// A message that waited for another time waits for this one, at a place of its own. Gives the place.
    pub fn reschedule(&mut self, due: Time, message: Message, home: Home) -> Position {
        let (position, level) = (self.next, self.level(&message));
        self.next = position.next();
        self.schedule(due, Entry { home, level, ..Entry::new(position, message) });
        position
    }

    /// How many messages wait for a time.
    pub fn scheduled(&self) -> usize {
        self.scheduled.len()
    }

    /// The first `max` messages that wait for a time, after `after` if that is said, in the order of their times: each, or
    /// where it lies on the disk, with the position of the first message there.
    pub fn list_scheduled(&self, after: Option<ScheduledId>, max: usize) -> Vec<(ScheduledId, Listed)> {
        self.list_waiting(&self.scheduled, after, max)
    }

    /// A message does not wait any more: it is to [leave](Self::left), or to be [put off](Self::put_off). Nothing when it
    /// did not, or is [on the disk](Self::scheduled_on_disk).
    pub fn unschedule(&mut self, id: ScheduledId) -> Option<Due> {
        let key = self.scheduled.remove(id)?;
        self.due_at(id.position, key)
    }

    /// Where a message lies on the disk that waits there: whoever asks [brings](Self::loaded) this block.
    pub fn scheduled_on_disk(&mut self, id: ScheduledId) -> Option<BlockPlace> {
        self.scheduled.ask_for(id)
    }

    /// What is due, at most so much of it, is to leave.
    pub(super) fn wake(&mut self, now: Time, max: usize) {
        for _ in 0..max {
            let Some((id, key)) = self.scheduled.pop_due(now) else { return };
            let due = self.due_at(id.position, key);
            self.due.extend(due);
        }
    }

    /// What is due: whoever takes it sees to it, with no lock held.
    pub fn take_due(&mut self) -> Vec<Due> {
        std::mem::take(&mut self.due)
    }

    /// A message that could not leave waits for another time.
    pub fn put_off(&mut self, due: &Due, until: Time) {
        if self.unacked.get(due.key).is_some_and(|entry| entry.position == due.position) {
            self.unacked.wait_until(due.key, until);
            self.scheduled.insert(ScheduledId { due: until, position: due.position }, due.key);
        }
    }

    fn due_at(&self, position: Position, key: UnackedKey) -> Option<Due> {
        let entry = self.unacked.get(key).filter(|entry| entry.position == position)?;
        Some(Due { key, position, message: entry.message.clone() })
    }
}
