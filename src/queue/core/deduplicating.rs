//! Messages that are not taken because their queue knows their keys.

use std::time::Duration;

use foldhash::HashSet;

use super::QueueCore;
use crate::message::Message;
use crate::message::deduplication::{DeduplicationKey, wanted_ttl};
use crate::place::{Home, JournalFile, Position};
use crate::queue::ready::Entry;
use crate::store::original::Fate;
use crate::store::stored::{KeyRecord, KeyRecords};
use crate::time::Time;

/// What became of a message that is taken once only.
#[derive(Debug)]
pub enum Once {
    /// The queue has it; its key is to be written down, if it has one and outlives the broker.
    Taken(Option<KeyRecord>),
    /// It is refused.
    Refused,
    /// The queue has had it before; with what becomes of that one, unless it is safe.
    Known(Option<Fate>),
}

/// How a message comes to a queue.
#[derive(Clone, Copy, Debug)]
pub struct Coming<'a> {
    /// It was here before and gets another place: its key is known because of it.
    pub again: bool,
    /// It is to be taken whatever the limits are.
    pub whatever: bool,
    /// What becomes of those that outlive the broker.
    pub fate: Option<&'a Fate>,
}

impl QueueCore {
    /// Takes a message as [`Self::publish`] does, unless the queue knows its key.
    pub fn publish_once(&mut self, message: Message, home: Home, coming: Coming<'_>) -> Once {
        let (position, now) = (self.next, message.arrived());
        let fate = coming.fate.filter(|_| home.is_journalled()).cloned();
        let said = self.key_of(&message).zip(self.keys.as_deref_mut());
        let mut before = None;
        let record = match said {
            None => None,
            Some((key, keys)) if coming.again => {
                before = keys.record(key);
                keys.moved(key, position, fate)
            }
            Some((key, keys)) => {
                if let Some(known) = keys.find(key, now) {
                    self.next = position.next();
                    return Once::Known(known);
                }
                let wanted = || message.properties().headers().and_then(wanted_ttl);
                let ttl = if keys.last_with_messages() { None } else { wanted() };
                Some(keys.keep(key, position, now, ttl, fate))
            }
        };
        let taken = if coming.whatever {
            self.take_all(message, home);
            true
        } else {
            self.publish(message, home)
        };
        if !taken {
            if let Some((record, keys)) = record.zip(self.keys.as_deref_mut()) {
                match before {
                    Some(before) => _ = keys.moved(before.key, before.position, None),
                    None => keys.withdraw(record.key, position),
                }
            }
            return Once::Refused;
        }
        let record = record.filter(|_| home.is_journalled());
        if let (Some(record), Some(keys), Home::Journal(file)) = (record, self.keys.as_deref_mut(), home) {
            keys.recorded(record, file);
        }
        Once::Taken(record)
    }

    /// The key by which a message is known here. A dead letter comes back in time: where keys are known for a time it has
    /// none, or it would be lost; else it is a duplicate of what has come meanwhile.
    fn key_of(&self, message: &Message) -> Option<DeduplicationKey> {
        let keys = self.keys.as_deref()?;
        if keys.last_with_messages() {
            DeduplicationKey::of(message)
        } else {
            DeduplicationKey::of_publish(message)
        }
    }

    /// The message at this place is in the queue no more, or is about to leave.
    #[inline]
    pub(super) fn key_left(&mut self, position: Position) {
        if let Some(keys) = &mut self.keys {
            keys.left(position);
        }
    }

    /// The ready messages are in the queue no more.
    pub(super) fn keys_purged(&mut self) {
        if let Some(keys) = &mut self.keys {
            let unacked = self.unacked.iter().map(|entry| entry.position);
            let waiting = self.scheduled.positions().chain(self.retrying.positions());
            let here: HashSet<Position> = unacked.chain(waiting).collect();
            keys.left_but(|position| here.contains(&position));
        }
    }

    /// A message comes back that had left, since it was not sent after all. Another one with its key may have come.
    pub(super) fn key_came_back(&mut self, entry: &Entry) {
        if let Some(keys) = &mut self.keys
            && keys.last_with_messages()
            && let Some(key) = DeduplicationKey::of(&entry.message)
            && keys.find(key, entry.message.arrived()).is_none()
        {
            keys.keep(key, entry.position, entry.message.arrived(), None, None);
        }
    }

    /// Knows a key of a message that goes elsewhere, from now on; `Err` when it knows it already, with what becomes of that
    /// message.
    pub fn claim(
        &mut self,
        key: DeduplicationKey,
        now: Time,
        ttl: Option<Duration>,
        fate: Fate,
    ) -> Result<KeyRecord, Option<Fate>> {
        let Some(keys) = &mut self.keys else { return Err(None) };
        if let Some(known) = keys.find(key, now) {
            return Err(known);
        }
        let position = self.next;
        self.next = position.next();
        Ok(keys.keep(key, position, now, ttl, Some(fate)))
    }

    /// The record of a key is to stand in this file of the journal.
    pub fn claim_recorded(&mut self, record: KeyRecord, file: JournalFile) {
        if let Some(keys) = &mut self.keys {
            keys.recorded(record, file);
        }
    }

    /// A message that had a key came to nothing.
    pub fn withdraw(&mut self, record: KeyRecord) {
        if let Some(keys) = &mut self.keys {
            keys.withdraw(record.key, record.position);
        }
    }

    /// A message of the queue got another place. Gives the record of its key.
    pub fn key_moved(
        &mut self,
        message: &Message,
        to: Position,
        file: Option<JournalFile>,
    ) -> Option<KeyRecord> {
        let key = self.key_of(message)?;
        let keys = self.keys.as_deref_mut()?;
        let record = keys.moved(key, to, None)?;
        keys.recorded(record, file?);
        Some(record)
    }

    /// How many keys it knows at most.
    pub fn keys_max(&self) -> u32 {
        self.keys.as_ref().map_or(0, |keys| keys.size())
    }

    /// What an earlier broker knew.
    pub fn restore_keys(&mut self, records: Vec<KeyRecord>, now: Time) {
        // Places are given once, those of messages that are elsewhere as well.
        let last = records.iter().map(|record| record.position.next()).max();
        self.next = self.next.max(last.unwrap_or_default());
        if let Some(keys) = &mut self.keys {
            keys.restore(records, now);
        }
    }

    /// See [`Stored::keys_through`](crate::store::stored::Stored::keys_through).
    pub fn keys_through(&self, through: JournalFile) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.stand_through(through))
    }

    /// See [`Stored::keys`](crate::store::stored::Stored::keys).
    pub fn key_records(
        &mut self,
        (through, to): (JournalFile, JournalFile),
        after: Option<KeyRecord>,
        max: usize,
        now: Time,
    ) -> KeyRecords {
        let Some(keys) = &mut self.keys else { return KeyRecords::default() };
        keys.sweep(now, max);
        keys.records_through(through, to, after, max)
    }

    /// See [`Stored::keys_recorded`](crate::store::stored::Stored::keys_recorded).
    pub fn keys_recorded(&mut self, through: JournalFile) {
        if let Some(keys) = &mut self.keys {
            keys.recorded_behind(through);
        }
    }
}
