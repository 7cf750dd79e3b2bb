//! What waits in a queue for its time: listed, brought to another time, taken back; and what happens when it is due.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{Gone, Queue, QueueCore};
use crate::message::Message;
use crate::place::Home;
use crate::queue::core::{Due, ScheduledMessage};
use crate::queue::due::{rescheduled, woken};
use crate::queue::scheduled::ScheduledId;
use crate::store::op::Group;
use crate::store::restore::RestoredBlock;
use crate::store::segment::block::Records;
use crate::store::stored::Returns;
use crate::store::unit::Unit;
use crate::time::Time;

/// What was due and could not go where it goes is tried again after this time.
const RETRY: Duration = Duration::from_secs(1);

impl Queue {
    /// At most `max` of the messages that wait for a time, in the order of their times, from the first after `after` on.
    pub fn scheduled(&self, after: Option<ScheduledId>, max: usize) -> Result<Vec<ScheduledMessage>, Gone> {
        self.with(|core| core.list_scheduled(after, max))
    }

    /// Brings a message that waits to another time, or to the present when that has passed, and gives what it is called
    /// from now on; nothing when it does not wait any more. Its record is written to `unit`: that it waits for another
    /// time is as durable as the unit is once it has ended.
    pub fn reschedule(
        self: &Arc<Self>,
        id: ScheduledId,
        due: Time,
        unit: &mut Unit,
    ) -> Result<Option<ScheduledId>, Gone> {
        unit.begin();
        let Some(before) = self.with(|core| core.unschedule(id))? else { return Ok(None) };
        let now = Time::now();
        // A queue that only keeps what waits never has a message that need not.
        let due = due.max(now.plus(Duration::from_millis(1)));
        let message = rescheduled(&before.message, due, now);
        let file = if self.journalled && message.is_persistent() { unit.file() } else { None };
        let record = file.map(|_| unit.group().publish(&message, Returns::default(), [self.id]));
        let home = file.map_or(Home::Transient, Home::Journal);
        let position = self.with(|core| {
            let position = core.reschedule(due, message, home);
            core.left([before.key], unit.group());
            position
        })?;
        if let Some(at) = record {
            unit.group().place(at, position);
        }
        Ok(Some(ScheduledId { due, position }))
    }

    /// Takes back a message that waits: it is settled, which is written to `unit`. Gives the message; nothing when it does
    /// not wait any more.
    pub fn cancel_scheduled(&self, id: ScheduledId, unit: &mut Unit) -> Result<Option<Message>, Gone> {
        unit.begin();
        self.with(|core| {
            let cancelled = core.unschedule(id)?;
            core.left([cancelled.key], unit.group());
            Some(cancelled.message)
        })
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
        if me.publish(&mut messages, None).is_ok() {
            self.left(&due.iter().map(|due| due.key).collect::<Vec<_>>(), &mut Group::default());
        }
    }

    /// Looks whether anything is due: whoever sees to it has come.
    pub fn look(&self) {
        let _gone = self.with(|_: &mut QueueCore| ());
    }

    /// What an earlier broker left in a block of a segment that waits for its time. After [`Self::restore`].
    pub fn restore_scheduled(&self, block: &RestoredBlock, records: Records) {
        let _gone = self.with(|core| core.restore_scheduled(block, records));
    }
}
