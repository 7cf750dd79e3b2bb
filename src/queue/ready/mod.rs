//! The messages that wait in a queue, in order.
//!
//! A message that joins a backlog is copied into a packed block, 12 bytes of overhead each: it costs no entry of its
//! own and pins no read buffer. Only a returned message has an entry, ordered by its position among the others.
//!
//! Journalled and transient messages stand in lanes of their own, since they are written to files of their own; what an
//! earlier broker left in segments stands in as many runs as it needs for its blocks not to overlap. The lowest position
//! of all is the head of the queue. A block of a long backlog is on the disk, with a descriptor here.

mod alive;
mod block;
mod entry;
mod lane;
mod restored;
mod storing;

use std::collections::BTreeMap;

pub use entry::Entry;
pub(super) use lane::paging::is_through;
pub use lane::{AHEAD_BLOCKS, BLOCK_MAX_BYTES, PACKED_MAX_BYTES};
pub use restored::RestoredBlock;
pub(super) use storing::pack;

use block::Paged;
use lane::paging::{Counts, Fewer};
use lane::{Lane, NOWHERE};

use super::segments::Segments;
use crate::message::Message;
use crate::place::Home;
pub use crate::place::Position;
use crate::place::QueueId;
use crate::store::op::Group;
use crate::store::stored::BlockPlace;

/// The ready messages of one queue.
#[derive(Default)]
pub struct Ready {
    /// Messages that came back, before or among the blocks by position.
    returned: BTreeMap<Position, Entry>,
    /// Made when they are needed: most queues never have a backlog.
    journalled: Option<Box<Lane>>,
    transient: Option<Box<Lane>>,
    /// Blocks of an earlier broker.
    runs: Vec<Lane>,
    /// How often messages in blocks were delivered, as far as an earlier broker did it.
    counts: Counts,
    /// Messages before this one may have been delivered by an earlier broker.
    redelivered_below: Position,
    /// What cannot be read. It is not ready, but nothing says that it is settled.
    damaged: Vec<Paged>,
    /// What the queue needs of its segments.
    pub(super) segments: Segments,
    len: usize,
    bytes: u64,
}

/// Where the head of a queue is.
enum Head {
    Returned,
    Journalled,
    Transient,
    Run(usize),
}

impl Ready {
    /// How many messages are ready.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Address, properties and bodies of the ready messages, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What the blocks of ready messages take in memory, in bytes.
    pub fn memory(&self) -> u64 {
        self.lanes().map(Lane::memory).fold(0, u64::saturating_add)
    }

    /// How many blocks wait in memory, behind the one that is read.
    pub fn sealed(&self) -> usize {
        self.lanes().map(Lane::sealed).fold(0, usize::saturating_add)
    }

    /// How many blocks are on the disk only.
    pub fn paged(&self) -> usize {
        self.lanes().map(Lane::paged).fold(0, usize::saturating_add)
    }

    /// Appends a message that has just arrived; positions only grow.
    pub fn push(&mut self, position: Position, message: Message, home: Home) {
        self.added(&message);
        let waiting = self.bytes.saturating_sub(message.len() as u64);
        let journalled = home.is_journalled();
        let lane = if journalled { &mut self.journalled } else { &mut self.transient };
        lane.get_or_insert_with(|| Box::new(Lane::new(journalled))).push(position, message, home, waiting);
    }

    /// Puts a message back at its place.
    pub fn give_back(&mut self, entry: Entry) {
        self.added(&entry.message);
        self.returned.insert(entry.position, entry);
    }

    /// Whether the first message is on the disk only.
    pub fn head_is_paged(&self) -> bool {
        self.paged() > 0
            && match self.head() {
                Some(Head::Returned) | None => false,
                Some(Head::Journalled) => self.journalled.as_ref().is_some_and(|lane| lane.head_is_paged()),
                Some(Head::Transient) => self.transient.as_ref().is_some_and(|lane| lane.head_is_paged()),
                Some(Head::Run(at)) => self.runs.get(at).is_some_and(Lane::head_is_paged),
            }
    }

    /// Asks for the blocks that are needed next, as far as they are not in memory; each once.
    pub fn ask_ahead(&mut self, asks: &mut Vec<BlockPlace>) {
        for lane in self.lanes_mut() {
            lane.ask_ahead(asks);
        }
    }

    /// Takes the message with the lowest position; nothing when there is none or it is on the disk only.
    #[inline]
    pub fn pop(&mut self) -> Option<Entry> {
        if self.returned.is_empty()
            && self.runs.is_empty()
            && self.counts.is_empty()
            && let (Some(lane), None) | (None, Some(lane)) = (&mut self.journalled, &mut self.transient)
        {
            let entry = lane.pop(self.redelivered_below, &mut self.segments)?;
            self.len = self.len.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(entry.message.len() as u64);
            return Some(entry);
        }
        self.pop_lowest()
    }

    /// The same with messages of more than one kind, or with deliveries of an earlier broker.
    fn pop_lowest(&mut self) -> Option<Entry> {
        let (head, below) = (self.head()?, self.redelivered_below);
        let segments = &mut self.segments;
        let mut entry = match head {
            Head::Returned => self.returned.pop_first().map(|(_, entry)| entry),
            Head::Journalled => self.journalled.as_mut()?.pop(below, segments),
            Head::Transient => self.transient.as_mut()?.pop(below, segments),
            Head::Run(at) => {
                let run = self.runs.get_mut(at)?;
                let popped = run.pop(below, segments);
                if run.is_empty() {
                    self.runs.swap_remove(at);
                }
                popped
            }
        }?;
        self.len = self.len.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(entry.message.len() as u64);
        if let Some(count) = self.counts.remove(&entry.position) {
            (entry.deliveries, entry.redelivered) = (entry.deliveries.max(count), true);
        }
        Some(entry)
    }

    /// Drops everything, what cannot be read as well, and gives how many messages were ready; what was journalled of them
    /// is settled in `group`.
    pub fn clear(&mut self, queue: QueueId, group: &mut Group) -> usize {
        for entry in self.returned.values().filter(|entry| entry.home.is_journalled()) {
            group.settle(queue, entry.position);
        }
        for lane in self.lanes().filter(|lane| lane.is_journalled()) {
            // Whatever else lies in this range came before and is settled, or is transient: what was taken from a lane
            // is before its head.
            if let Some(last) = lane.last() {
                group.settle_range(queue, lane.head(), last);
            }
        }
        self.drop_all()
    }

    /// Drops everything and gives how many messages that were.
    fn drop_all(&mut self) -> usize {
        let mut segments = std::mem::take(&mut self.segments);
        for lane in self.lanes() {
            lane.release(&mut segments);
        }
        for entry in self.returned.values() {
            segments.leave(entry.home);
        }
        for damaged in &self.damaged {
            segments.drop_block(damaged.place, damaged.count);
        }
        let count = self.len;
        *self = Self { redelivered_below: self.redelivered_below, segments, ..Self::default() };
        count
    }

    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.journalled.as_deref().into_iter().chain(self.transient.as_deref()).chain(&self.runs)
    }

    fn lanes_mut(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.journalled.as_deref_mut().into_iter().chain(self.transient.as_deref_mut()).chain(&mut self.runs)
    }

    fn added(&mut self, message: &Message) {
        self.len = self.len.saturating_add(1);
        self.bytes = self.bytes.saturating_add(message.len() as u64);
    }

    /// Where the lowest position is.
    fn head(&self) -> Option<Head> {
        let mut lowest = self.returned.first_key_value().map_or(NOWHERE, |(position, _)| *position);
        let mut head = Head::Returned;
        for (lane, at) in [(&self.journalled, Head::Journalled), (&self.transient, Head::Transient)] {
            if let Some(lane) = lane
                && lane.head() < lowest
            {
                (lowest, head) = (lane.head(), at);
            }
        }
        for (at, run) in self.runs.iter().enumerate() {
            if run.head() < lowest {
                (lowest, head) = (run.head(), Head::Run(at));
            }
        }
        (lowest != NOWHERE).then_some(head)
    }

    fn fewer(&mut self, fewer: Fewer) {
        self.len = self.len.saturating_sub(usize::try_from(fewer.count).unwrap_or(usize::MAX));
        self.bytes = self.bytes.saturating_sub(fewer.bytes);
        self.damaged.extend(fewer.damaged);
    }
}

#[cfg(test)]
mod tests;
