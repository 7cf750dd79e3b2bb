//! Messages that are to be delivered later.
//!
//! They lie among the unacked messages, where checkpoints find them and nobody else does. When one is due it leaves as a
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
use crate::store::restore::RestoredBlock;
use crate::store::segment::block::Records;
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

/// A message that waits for its time.
#[derive(Clone, Debug)]
pub struct ScheduledMessage {
    /// Which it is, with its time.
    pub id: ScheduledId,
    /// The message.
    pub message: Message,
}

impl QueueCore {
    /// When a message is to wait that is published now; nothing when it need not, or may not here.
    #[inline]
    pub(super) fn scheduled_at(&self, message: &Message) -> Option<Time> {
        if self.terms.scheduled { due(message) } else { None }
    }

    /// A message waits for a time.
    pub(super) fn schedule(&mut self, due: Time, entry: Entry) {
        let id = ScheduledId { due, position: entry.position };
        let key = self.unacked.insert(entry, Holder::Scheduled);
        self.scheduled.insert(id, key);
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

    /// The first `max` messages that wait for a time, after `after` if that is said, in the order of their times.
    pub fn list_scheduled(&self, after: Option<ScheduledId>, max: usize) -> Vec<ScheduledMessage> {
        let listed = self.scheduled.after(after).take(max);
        listed
            .filter_map(|(id, key)| {
                Some(ScheduledMessage { id, message: self.unacked.get(key)?.message.clone() })
            })
            .collect()
    }

    /// A message does not wait any more: it is to [leave](Self::left), or to be [put off](Self::put_off).
    pub fn unschedule(&mut self, id: ScheduledId) -> Option<Due> {
        let key = self.scheduled.remove(id)?;
        self.due_at(id.position, key)
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
            self.scheduled.insert(ScheduledId { due: until, position: due.position }, due.key);
        }
    }

    /// Takes the messages of a segment's block that wait for their times, and gives how many. What stood in the block
    /// when it was written waits, whatever the terms of the queue are by now.
    pub fn restore_scheduled(&mut self, block: &RestoredBlock, records: Records) -> usize {
        let before = self.scheduled.len();
        for (position, message) in records {
            if block.alive.as_ref().is_some_and(|alive| !alive.contains(position)) {
                continue;
            }
            let home = block.place.home();
            let level = self.level(&message);
            let due = due(&message).unwrap_or_default();
            self.ready.segments.enter(home);
            // A slice would keep the whole block.
            self.schedule(due, Entry { home, level, ..Entry::new(position, message.detached()) });
        }
        self.scheduled.len().saturating_sub(before)
    }

    fn due_at(&self, position: Position, key: UnackedKey) -> Option<Due> {
        let entry = self.unacked.get(key).filter(|entry| entry.position == position)?;
        Some(Due { key, position, message: entry.message.clone() })
    }
}
