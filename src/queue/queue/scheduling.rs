//! What waits in a queue for its time: listed, brought to another time, taken back; and what happens when it is due.

use std::sync::{Arc, Weak};
use std::time::Duration;

use foldhash::HashMap;

use super::{Gone, Queue, QueueCore};
use crate::message::Message;
use crate::place::{Home, Position};
use crate::queue::core::{Due, Listed};
use crate::queue::due::{rescheduled, woken};
use crate::queue::scheduled::ScheduledId;
use crate::store::op::Group;
use crate::store::restore::RestoredBlock;
use crate::store::segment::block::Records;
use crate::store::stored::{BlockPlace, Returns, Stored};
use crate::store::unit::Unit;
use crate::time::Time;

/// What was due and could not go where it goes is tried again after this time.
const RETRY: Duration = Duration::from_secs(1);

/// What messages wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaitingFor {
    /// A time of their own.
    Time,
    /// Being tried again.
    Retry,
}

/// A message that waits for its time.
#[derive(Clone, Debug)]
pub struct ListedMessage {
    /// Which it is, with its time.
    pub id: ScheduledId,
    /// The message; nothing when it is on the disk and cannot be read.
    pub message: Option<Message>,
}

/// Why a message that waits was not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReached {
    /// The queue cannot be used.
    Gone(Gone),
    /// The message is on the disk, which does not give it now; tried again, it is found or lost.
    NotRead,
}

impl From<Gone> for NotReached {
    fn from(gone: Gone) -> Self {
        Self::Gone(gone)
    }
}

/// The position of a block's first message, and those that are wanted of it.
type Wanted = (Position, Vec<Position>);

/// So many are listed under one lock.
const LISTED_AT_ONCE: usize = 1000;

impl Queue {
    /// At most `max` of the messages that wait for a time, in the order of their times, from the first after `after` on.
    /// Waits for the disk where they are there, and leaves them there.
    pub fn scheduled(&self, after: Option<ScheduledId>, max: usize) -> Result<Vec<ListedMessage>, Gone> {
        self.list(WaitingFor::Time, after, max)
    }

    pub(super) fn list(
        &self,
        waiting: WaitingFor,
        after: Option<ScheduledId>,
        max: usize,
    ) -> Result<Vec<ListedMessage>, Gone> {
        let (mut all, mut after) = (Vec::new(), after);
        while all.len() < max {
            let part = max.saturating_sub(all.len()).min(LISTED_AT_ONCE);
            let listed = self.with(|core| match waiting {
                WaitingFor::Time => core.list_scheduled(after, part),
                WaitingFor::Retry => core.list_retrying(after, part),
            })?;
            let Some((last, _)) = listed.last() else { break };
            after = Some(*last);
            all.extend(self.read_listed(listed));
        }
        Ok(all)
    }

    /// Reads what is on the disk of messages that were listed.
    fn read_listed(&self, listed: Vec<(ScheduledId, Listed)>) -> impl Iterator<Item = ListedMessage> {
        let mut blocks: HashMap<BlockPlace, Wanted> = HashMap::default();
        for (id, lies) in &listed {
            if let Listed::OnDisk { place, first } = lies {
                blocks.entry(*place).or_insert_with(|| (*first, Vec::new())).1.push(id.position);
            }
        }
        let mut read = HashMap::default();
        for (place, (first, mut positions)) in blocks {
            positions.sort_unstable();
            let Ok(bytes) = self.store.read(self.id, place) else { continue };
            let messages = Records::new(first, bytes);
            let messages = messages.filter(|(position, _)| positions.binary_search(position).is_ok());
            read.extend(messages.map(|(position, message)| (position, message.detached())));
        }
        listed.into_iter().map(move |(id, lies)| {
            let message = match lies {
                Listed::Here(message) => Some(message),
                Listed::OnDisk { .. } => read.remove(&id.position),
            };
            ListedMessage { id, message }
        })
    }

    /// Brings a message that waits to another time, or to the present when that has passed, and gives what it is called
    /// from now on; nothing when it does not wait any more. Its record is written to `unit`: that it waits for another
    /// time is as durable as the unit is once it has ended. Waits for the disk when the message is there.
    pub fn reschedule(
        self: &Arc<Self>,
        id: ScheduledId,
        due: Time,
        unit: &mut Unit,
    ) -> Result<Option<ScheduledId>, NotReached> {
        let Some(before) = self.unschedule(id, unit, |_, _| ())? else { return Ok(None) };
        let now = Time::now();
        // A queue that only keeps what waits never has a message that need not.
        let due = due.max(now.plus(Duration::from_millis(1)));
        let message = rescheduled(&before.message, due, now);
        let file = if self.journalled && message.is_persistent() { unit.file() } else { None };
        let record = file.map(|_| unit.group().publish(&message, Returns::default(), [self.id]));
        let home = file.map_or(Home::Transient, Home::Journal);
        let (position, key) = self.with(|core| {
            let (key, size) = (core.key_moved(&message, core.next(), file), core.keys_max());
            let position = core.reschedule(due, message, home);
            core.left([before.key], unit.group());
            (position, key.map(|key| (size, key)))
        })?;
        if let Some((size, key)) = key {
            unit.group().know(self.id, size, key);
        }
        if let Some(at) = record {
            unit.group().place(at, position);
        }
        Ok(Some(ScheduledId { due, position }))
    }

    /// Takes back a message that waits: it is settled, which is written to `unit`. Gives the message; nothing when it does
    /// not wait any more. Waits for the disk when the message is there.
    pub fn cancel_scheduled(&self, id: ScheduledId, unit: &mut Unit) -> Result<Option<Message>, NotReached> {
        let cancelled = self.unschedule(id, unit, |core, (due, unit)| core.left([due.key], unit.group()))?;
        Ok(cancelled.map(|due| due.message))
    }

    /// Takes a message out of what waits, and does something with it under the same lock. One that is on the disk is read
    /// first, and before a ticket is taken: a file of the journal would stay open for as long as the disk takes.
    fn unschedule(
        &self,
        id: ScheduledId,
        unit: &mut Unit,
        act: impl Fn(&mut QueueCore, (&Due, &mut Unit)),
    ) -> Result<Option<Due>, NotReached> {
        loop {
            if let Some(place) = self.with(|core| core.scheduled_on_disk(id))? {
                let Ok(bytes) = self.store.read(self.id, place) else {
                    // It tries longer, and says so if the block is lost.
                    self.store.load(self.id, place);
                    return Err(NotReached::NotRead);
                };
                self.loaded(place, Ok(bytes));
            }
            unit.begin();
            let taken = self.with(|core| {
                let due = core.unschedule(id)?;
                act(core, (&due, &mut *unit));
                Some(due)
            })?;
            // It may have left memory again in between.
            if taken.is_some() || self.with(|core| core.scheduled_on_disk(id))?.is_none() {
                return Ok(taken);
            }
        }
    }

    /// Messages that were due could not go where they go: they are tried again in a while.
    pub fn put_off(&self, due: &[Due]) {
        let until = Time::now().plus(RETRY);
        let _gone = self.with(|core| {
            for due in due {
                core.put_off(due, until);
            }
        });
    }

    /// Has those see to messages that are due who can.
    pub(super) fn wake(&self, due: Vec<Due>) {
        let Some(me) = self.me.get().and_then(Weak::upgrade) else { return self.put_off(&due) };
        if let Some(undertaker) = self.undertaker.undertaker() {
            return undertaker.due(&me, due);
        }
        // A queue by itself, of which nothing is written.
        let now = Time::now();
        let mut messages = due.iter().map(|due| woken(&due.message, now)).collect();
        if me.publish_again(&mut messages).is_ok() {
            self.left(&due.iter().map(|due| due.key).collect::<Vec<_>>(), &mut Group::default());
        }
    }

    /// Looks whether anything is due: whoever sees to it has come.
    pub fn look(&self) {
        let _gone = self.with(|_: &mut QueueCore| ());
    }

    /// See [`QueueCore::restore_waiting`].
    pub fn restore_waiting(&self, block: &RestoredBlock, records: Records) {
        let _gone = self.with(|core| core.restore_waiting(block, records));
    }
}
