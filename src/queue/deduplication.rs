//! Which keys of messages a queue knows, so that a second message with one of them is not taken. Pure.
//!
//! A key is known either for as long as its message is in the queue, as with RabbitMQ's message deduplication plugin, or
//! for a time, whatever becomes of the message, as Amazon SQS has it. What is known is bounded: of too many keys that one
//! goes first that would be forgotten first, of those that would never be the oldest.

use std::collections::BTreeMap;
use std::time::Duration;

use foldhash::HashMap;
use leveret_protocol::table::{Table, Value};

use super::arguments::{CACHE_SIZE, CACHE_TTL, DEDUPLICATION_WINDOW, MESSAGE_DEDUPLICATION};
use crate::message::deduplication::DeduplicationKey;
use crate::place::{JournalFile, Position};
use crate::store::original::{Fate, Outcome};
use crate::store::stored::{KeyRecord, KeyRecords};
use crate::time::Time;

/// How long keys are known when a queue is to know them for a time and does not say which: five minutes, as in SQS.
const WINDOW: Duration = Duration::from_mins(5);
/// How many keys are known unless it is said.
const SIZE: u32 = 1_000_000;
/// How many at most, whatever is said: about 1.3 GB.
pub const SIZE_MAX: u32 = 10_000_000;
/// So many keys are forgotten at once, beside those that others take the place of.
const FORGOTTEN_AT_ONCE: usize = 64;

/// How a queue knows keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deduplication {
    /// For how long; nothing when for as long as the message is there.
    pub window: Option<Duration>,
    /// How many.
    pub size: u32,
}

impl Deduplication {
    /// What the arguments of a queue say, which were found good.
    pub fn said(arguments: Table<'_>) -> Option<Self> {
        let is_so = |name| arguments.get(name).and_then(Value::as_bool);
        if is_so(MESSAGE_DEDUPLICATION) != Some(true) {
            return None;
        }
        let number = |name| arguments.get(name).and_then(Value::as_integer);
        let ttl = number(CACHE_TTL).and_then(|ttl| u64::try_from(ttl).ok()).map(Duration::from_millis);
        let window = match is_so(DEDUPLICATION_WINDOW) {
            Some(true) => Some(ttl.unwrap_or(WINDOW)),
            Some(false) => None,
            None => ttl,
        };
        let size = number(CACHE_SIZE).map_or(SIZE, |size| u32::try_from(size).unwrap_or(SIZE_MAX));
        Some(Self { window, size: size.clamp(1, SIZE_MAX) })
    }
}

/// The keys that are known.
pub struct Keys {
    rules: Deduplication,
    known: HashMap<DeduplicationKey, Known>,
    /// The same in the order in which they are forgotten.
    order: BTreeMap<(Time, Position), DeduplicationKey>,
    /// The first file of the journal that may have the record of one of them.
    recorded_from: Option<JournalFile>,
}

struct Known {
    /// The place of its message, which no other has.
    position: Position,
    /// When it is forgotten; never when its message has to leave for that.
    until: Time,
    /// What becomes of the message; nothing when that need not be asked any more.
    fate: Option<Fate>,
    /// The file of the journal that has the last record of it, if it outlives the broker.
    file: Option<JournalFile>,
}

impl Keys {
    /// None yet.
    pub fn new(rules: Deduplication) -> Self {
        Self { rules, known: HashMap::default(), order: BTreeMap::new(), recorded_from: None }
    }

    /// How many are known, perhaps some that need not be any more.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether keys are known for as long as their messages are there.
    pub fn last_with_messages(&self) -> bool {
        self.rules.window.is_none()
    }

    /// Whether a message has this key that came before `now`: gives what becomes of that one, nothing in it when it is as
    /// safe as it gets. A message that came to nothing leaves no key.
    pub fn find(&mut self, key: DeduplicationKey, now: Time) -> Option<Option<Fate>> {
        let known = self.known.get(&key)?;
        let outcome = known.fate.as_ref().and_then(Fate::outcome);
        if known.until <= now || outcome == Some(Outcome::Lost) {
            self.forget(key);
            return None;
        }
        Some(known.fate.clone())
    }

    /// A message that arrives `now` has this key from now on. It wants it to be known for `ttl`, if it says so.
    pub fn keep(
        &mut self,
        key: DeduplicationKey,
        position: Position,
        now: Time,
        ttl: Option<Duration>,
        fate: Option<Fate>,
    ) -> KeyRecord {
        let ttl = ttl.or(self.rules.window);
        let until = ttl.map_or(Time::NEVER, |ttl| now.plus(ttl));
        self.sweep(now, FORGOTTEN_AT_ONCE);
        let record = KeyRecord { key, position, until };
        if until > now {
            self.insert(record, fate, None);
        }
        record
    }

    /// The record of a key stands in this file of the journal.
    pub fn recorded(&mut self, record: KeyRecord, file: JournalFile) {
        if let Some(known) = self.known.get_mut(&record.key)
            && known.position == record.position
        {
            known.file = Some(file);
            self.recorded_from = Some(self.recorded_from.map_or(file, |from| from.min(file)));
        }
    }

    /// What is known of a key.
    pub fn record(&self, key: DeduplicationKey) -> Option<KeyRecord> {
        let known = self.known.get(&key)?;
        Some(KeyRecord { key, position: known.position, until: known.until })
    }

    /// The message at this place is there no more. What is known for a time stays so.
    pub fn left(&mut self, position: Position) {
        if let Some(key) = self.order.remove(&(Time::NEVER, position)) {
            self.known.remove(&key);
        }
    }

    /// A message came to nothing.
    pub fn withdraw(&mut self, key: DeduplicationKey, position: Position) {
        if self.known.get(&key).is_some_and(|known| known.position == position) {
            self.forget(key);
        }
    }

    /// A message of the queue has another place from now on. Gives what is known of its key then, if anything is.
    pub fn moved(&mut self, key: DeduplicationKey, to: Position, fate: Option<Fate>) -> Option<KeyRecord> {
        let until = match self.known.get(&key) {
            Some(known) => known.until,
            None if self.rules.window.is_none() => Time::NEVER,
            None => return None,
        };
        let file = self.known.get(&key).and_then(|known| known.file);
        let record = KeyRecord { key, position: to, until };
        self.insert(record, fate, file);
        Some(record)
    }

    /// Only the messages are there any more of which `is_here` says so.
    pub fn left_but(&mut self, is_here: impl Fn(Position) -> bool) {
        let gone =
            self.order.extract_if(.., |(until, position), _| *until == Time::NEVER && !is_here(*position));
        for (_, key) in gone {
            self.known.remove(&key);
        }
    }

    /// Forgets what need not be known any more, at most so much of it.
    pub fn sweep(&mut self, now: Time, max: usize) {
        for _ in 0..max {
            match self.order.first_key_value() {
                Some(((until, _), _)) if *until <= now => self.forget_first(),
                _ => return,
            }
        }
    }

    /// What an earlier broker knew, and is to be known still.
    pub fn restore(&mut self, records: impl IntoIterator<Item = KeyRecord>, now: Time) {
        let mut records: Vec<_> = records.into_iter().filter(|record| record.until > now).collect();
        // Of too many those go that would be forgotten first.
        records.sort_unstable_by_key(|record| (record.until, record.position));
        for record in records {
            self.insert(record, None, Some(JournalFile(0)));
        }
        // Wherever they stand.
        self.recorded_from = Some(JournalFile(0));
    }

    /// Whether a record of what is known may stand in the journal up to this file.
    pub fn stand_through(&self, through: JournalFile) -> bool {
        !self.known.is_empty() && self.recorded_from.is_some_and(|from| from <= through)
    }

    /// What stands in files of the journal up to `through` and is written to file `to` again, in order, from behind `after`
    /// on, of at most so many keys. What stands in later files has no business before these.
    pub fn records_through(
        &mut self,
        through: JournalFile,
        to: JournalFile,
        after: Option<KeyRecord>,
        max: usize,
    ) -> KeyRecords {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, |after| Excluded((after.until, after.position)));
        let mut last = None;
        let mut records = Vec::new();
        for ((until, position), key) in self.order.range((from, Unbounded)).take(max) {
            let record = KeyRecord { key: *key, position: *position, until: *until };
            last = Some(record);
            if let Some(file) = self.known.get_mut(key).and_then(|known| known.file.as_mut())
                && *file <= through
            {
                *file = to;
                records.push(record);
            }
        }
        KeyRecords { size: self.rules.size, records, last }
    }

    /// The records of all that is known stand in files of the journal behind this one.
    pub fn recorded_behind(&mut self, through: JournalFile) {
        self.recorded_from = Some(JournalFile(through.0.saturating_add(1)));
    }

    /// How many are known at most.
    pub fn size(&self) -> u32 {
        self.rules.size
    }

    fn insert(&mut self, record: KeyRecord, fate: Option<Fate>, file: Option<JournalFile>) {
        let KeyRecord { key, position, until } = record;
        if !self.known.contains_key(&key) && self.known.len() >= self.rules.size as usize {
            self.forget_first();
        }
        if let Some(before) = self.known.insert(key, Known { position, until, fate, file }) {
            self.order.remove(&(before.until, before.position));
        }
        self.order.insert((until, position), key);
    }

    fn forget(&mut self, key: DeduplicationKey) {
        if let Some(known) = self.known.remove(&key) {
            self.order.remove(&(known.until, known.position));
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, key)) = self.order.pop_first() {
            self.known.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
