//! What an operator sees of a queue's messages, and takes out of their places.
//!
//! Looking changes nothing: what is on the disk is read with no lock held, a block at a time, and stays there.

use std::sync::Arc;

use bytes::Bytes;
use foldhash::HashMap;

use super::scheduling::{ListedMessage, WaitingFor};
use super::{Gone, Queue};
use crate::place::Position;
use crate::queue::core::{Held, Oldest, Removed, Room, TimesInQueue};
use crate::queue::id::UnackedKey;
use crate::queue::ready::{Look, Mark, Seen};
use crate::queue::scheduled::ScheduledId;
use crate::store::stored::BlockPlace;
use crate::time::Time;

/// A walk through what is ready in a queue, in the order in which it would be delivered, a part at a time.
///
/// What comes while it goes on is seen if it comes behind the place that it has reached.
#[derive(Default)]
pub struct Walk {
    mark: Option<Mark>,
    is_over: bool,
    /// Blocks that were read and reach beyond the part that was seen last.
    blocks: HashMap<BlockPlace, Bytes>,
    unreadable: u64,
}

/// So many unacked messages are looked at under one lock.
const UNACKED_AT_ONCE: u32 = 4096;

impl Walk {
    /// One that begins at a mark.
    pub fn from(mark: Mark) -> Self {
        Self { mark: Some(mark), ..Self::default() }
    }

    /// Where it goes on; nothing when it is over.
    pub fn mark(&self) -> Option<Mark> {
        self.mark.filter(|_| !self.is_over)
    }

    /// How many blocks it could not read.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// The next part; nothing when it is over. A part may be empty.
    ///
    /// # Errors
    /// The queue cannot be used any more.
    pub fn next(&mut self, queue: &Queue) -> Result<Option<Vec<Seen>>, Gone> {
        if self.is_over {
            return Ok(None);
        }
        let mut look = queue.look_from(self.mark)?;
        let mut unreadable = self.read(queue, &look);
        if !unreadable.is_empty() {
            // It may have been written elsewhere meanwhile, or have been taken.
            look = queue.look_from(self.mark)?;
            unreadable = self.read(queue, &look);
            self.unreadable = self.unreadable.saturating_add(unreadable.len() as u64);
        }
        let next = look.next();
        let seen = look.messages(|place| self.blocks.get(&place).cloned());
        (self.mark, self.is_over) = (next, next.is_none());
        Ok(Some(seen))
    }

    /// Reads the blocks of a part, and forgets all others. Gives those that cannot be read.
    fn read(&mut self, queue: &Queue, look: &Look) -> Vec<BlockPlace> {
        let mut before = std::mem::take(&mut self.blocks);
        let mut unreadable = Vec::new();
        for place in look.on_disk() {
            let read = before.remove(&place).ok_or(()).or_else(|()| queue.store.read(queue.id, place));
            match read {
                Ok(bytes) => _ = self.blocks.insert(place, bytes),
                Err(_) => unreadable.push(place),
            }
        }
        unreadable
    }
}

impl Queue {
    pub(in crate::queue) fn look_from(&self, mark: Option<Mark>) -> Result<Look, Gone> {
        self.with(|core| core.look(mark))
    }

    /// The position that the next message will take: all that is in the queue is before it.
    ///
    /// # Errors
    /// The queue cannot be used any more.
    pub fn next_position(&self) -> Result<Position, Gone> {
        self.with(|core| core.next_position())
    }

    /// Unacked messages in no order, from a place on that an earlier look gave; and where others may follow.
    ///
    /// # Errors
    /// The queue cannot be used any more.
    pub fn unacked(&self, from: u32) -> Result<(Vec<Held>, Option<u32>), Gone> {
        self.with(|core| core.list_unacked(from, UNACKED_AT_ONCE))
    }

    /// At most `max` of the messages that came back and wait to be tried again, in the order of their times, from the
    /// first after `after` on. Waits for the disk where they are there, and leaves them there.
    ///
    /// # Errors
    /// The queue cannot be used any more.
    pub fn retrying(&self, after: Option<ScheduledId>, max: usize) -> Result<Vec<ListedMessage>, Gone> {
        self.list(WaitingFor::Retry, after, max)
    }

    /// Takes ready messages that were seen out of their places, as far as they are still there. Until they [have
    /// left](Queue::left) or are [taken back](Queue::take_back) nobody gets them.
    ///
    /// # Errors
    /// The queue cannot be used any more.
    pub fn take_out(self: &Arc<Self>, seen: &[&Seen]) -> Result<Vec<Removed>, Gone> {
        self.with(|core| {
            core.at(Time::now());
            let removed = core.take_out(seen);
            // What waited behind one of them may go out.
            self.perform(core);
            removed
        })
    }

    /// When the ready message arrived that has waited longest; nothing when there is none. Of a priority that is on the disk
    /// the first block is read, and stays there.
    ///
    /// # Errors
    /// The queue cannot be used any more.
    pub fn oldest_ready(&self) -> Result<Option<Time>, Gone> {
        let (mut oldest, mut walk) = (None, Walk::default());
        while let Some(part) = walk.next(self)? {
            let Some(first) = part.first() else { continue };
            // Those of a priority came one after the other.
            oldest = Some(first.message.arrived()).into_iter().chain(oldest).min();
            let Some(below) = first.level.checked_sub(1) else { break };
            walk = Walk::from(Mark { level: below, from: Position(0) });
        }
        Ok(oldest)
    }

    /// Since when clients have what they have for longest.
    ///
    /// # Errors
    /// The queue cannot be used any more.
    pub fn oldest_unacked(&self) -> Result<Oldest, Gone> {
        self.with(|core| core.oldest_unacked())
    }

    /// How long messages waited in it.
    ///
    /// # Errors
    /// The queue cannot be used any more.
    pub fn times_in_queue(&self) -> Result<TimesInQueue, Gone> {
        self.with(|core| core.times_in_queue())
    }

    /// What a queue takes before something else leaves it.
    ///
    /// # Errors
    /// The queue cannot be used any more.
    pub fn room(&self) -> Result<Room, Gone> {
        self.with(|core| core.room())
    }

    /// Messages that were taken out go back to their places as if they had never left them.
    pub fn take_back(self: &Arc<Self>, removed: &[UnackedKey]) {
        let _gone = self.with(|core| {
            core.at(Time::now());
            core.take_back(removed.iter().copied());
            self.perform(core);
        });
    }
}
