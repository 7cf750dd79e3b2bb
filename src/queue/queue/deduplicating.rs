//! A queue that knows which messages it had.
//!
//! An exchange that knows what was published to it has a queue of its own for that, in which no message ever is.

use std::sync::Arc;
use std::time::Duration;

use super::{Duplicate, Gone, Pressure, Published, Queue, home_of};
use crate::message::Message;
use crate::message::deduplication::DeduplicationKey;
use crate::place::JournalFile;
use crate::queue::core::{Coming, Once};
use crate::store::original::Fate;
use crate::store::stored::{KeyRecord, KeyRecords};
use crate::time::Time;

impl Queue {
    /// Whether there are messages that it does not take because of others that it has.
    pub fn deduplicates(&self) -> bool {
        self.deduplicates
    }

    /// As [`Self::publish_of`], with what becomes of the messages' records, and whether they were here before, in which case
    /// they are no duplicates of themselves.
    pub fn publish_once(
        self: &Arc<Self>,
        messages: &mut Vec<Message>,
        file: Option<JournalFile>,
        may_refuse: bool,
        fate: Option<&Fate>,
        again: bool,
    ) -> Result<Published, Gone> {
        let file = file.filter(|_| self.journalled);
        self.with(|core| {
            let mut published = Published::from(core.next());
            published.keys.size = core.keys_max();
            let coming = Coming { again, whatever: !may_refuse && self.may_refuse(), fate };
            let (count, mut journalled) = (messages.len(), 0);
            for (index, message) in (0..).zip(messages.drain(..)) {
                let home = home_of(&message, file);
                journalled += usize::from(home.is_journalled());
                match core.publish_once(message, home, coming) {
                    Once::Taken(record) => published.keys.records.extend(record),
                    Once::Refused => published.refused.push(index),
                    Once::Known(fate) => published.duplicates.push(Duplicate { index, fate }),
                }
            }
            core.count_published(count, journalled);
            self.perform(core);
            published.pressure = Pressure::of(core);
            published
        })
    }

    /// So many messages are about to be published to it that it counted when they came first.
    pub fn count_again(&self, messages: usize) {
        let _gone = self.with(|core| core.count_again(messages));
    }

    /// Messages that were here, and are still, get places behind all others. Nothing of that is written.
    pub(super) fn publish_again(self: &Arc<Self>, messages: &mut Vec<Message>) -> Result<Published, Gone> {
        self.count_again(messages.len());
        if self.deduplicates {
            self.publish_once(messages, None, true, None, true)
        } else {
            self.publish(messages, None)
        }
    }

    /// Knows a key from now on, of a message that arrives `now`, for as long as that wants it or the queue knows any;
    /// `Err` when it knows it already, with what becomes of the message that it knows it of.
    pub fn claim(
        &self,
        key: DeduplicationKey,
        now: Time,
        ttl: Option<Duration>,
        fate: Fate,
    ) -> Result<Result<KeyRecord, Option<Fate>>, Gone> {
        self.with(|core| core.claim(key, now, ttl, fate))
    }

    /// The record of a key is to stand in this file of the journal. Gives how many keys the queue knows at most.
    pub fn claim_recorded(&self, record: KeyRecord, file: JournalFile) -> Result<u32, Gone> {
        self.with(|core| {
            core.claim_recorded(record, file);
            core.keys_max()
        })
    }

    /// The message came to nothing that a key was known of.
    pub fn withdraw(&self, record: KeyRecord) {
        let _gone = self.with(|core| core.withdraw(record));
    }

    /// The keys that an earlier broker knew here. After [`Self::restore`].
    pub fn restore_keys(&self, records: Vec<KeyRecord>) {
        let _gone = self.with(|core| core.restore_keys(records, Time::now()));
    }

    pub(super) fn stored_keys_through(&self, through: JournalFile) -> bool {
        self.deduplicates && self.with_stored(|core, _| core.keys_through(through))
    }

    pub(super) fn stored_keys(
        &self,
        files: (JournalFile, JournalFile),
        after: Option<KeyRecord>,
        max: usize,
    ) -> KeyRecords {
        self.with_stored(|core, _| core.key_records(files, after, max, Time::now()))
    }

    pub(super) fn stored_keys_recorded(&self, through: JournalFile) {
        self.with_stored(|core, _| core.keys_recorded(through));
    }
}
