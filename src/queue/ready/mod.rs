//! The messages that wait in a queue, in order.
//!
//! A message that joins a backlog is copied into a packed block, 12 bytes of overhead each: it costs no entry of its
//! own and pins no read buffer. Only a returned message has an entry, ordered by its position among the others.
//!
//! Journalled and transient messages stand in lanes of their own, since they are written to files of their own; what an
//! earlier broker left in segments stands in as many runs as it needs for its blocks not to overlap. All of that once for
//! each priority: the lowest position of the highest is the head of the queue. A block of a long backlog is on the disk,
//! with a descriptor here.

mod alive;
mod block;
mod entry;
mod expiry;
mod lane;
mod level;
mod look;
mod restored;
mod storing;

use std::collections::BTreeMap;

pub use block::Paged;
pub use entry::Entry;
pub(super) use lane::paging::is_through;
pub use lane::{AHEAD_BLOCKS, BLOCK_MAX_BYTES, PACKED_MAX_BYTES};
pub(super) use look::SINGLES_MAX;
pub use look::{Look, Mark, Seen};
pub use restored::RestoredBlock;
pub(super) use storing::pack;

use expiry::Singles;
use lane::paging::{Counts, Fewer};
use lane::{Lane, Mixing};
use level::Level;

use super::segments::Segments;
use crate::message::Message;
use crate::place::Home;
pub use crate::place::Position;
use crate::place::QueueId;
use crate::store::op::Group;
use crate::store::positions::PositionSet;
use crate::store::stored::BlockPlace;
use crate::time::Time;

/// The ready messages of one queue.
#[derive(Default)]
pub struct Ready {
    /// The messages of the lowest priority: all, in most queues.
    lowest: Level,
    /// Those of the higher ones that there are.
    higher: BTreeMap<u8, Level>,
    /// How often messages in blocks were delivered, as far as an earlier broker did it.
    counts: Counts,
    /// Messages before this one may have been delivered by an earlier broker.
    redelivered_below: Position,
    /// What cannot be read. It is not ready, but nothing says that it is settled.
    damaged: Vec<Paged>,
    /// Whether any message may have a deadline of its own.
    has_deadlines: bool,
    /// The deadlines of those messages that came back.
    singles: Singles,
    /// What the queue needs of its segments.
    pub(super) segments: Segments,
    len: usize,
    bytes: u64,
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

    /// The bodies of the ready messages, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What the blocks of ready messages take in memory, in bytes.
    pub fn memory(&self) -> u64 {
        self.lanes().map(Lane::memory).fold(0, u64::saturating_add)
    }

    /// How many of them are in memory, and their bodies in bytes.
    pub fn in_memory(&self) -> (u64, u64) {
        let on_disk =
            self.lanes().flat_map(Lane::blocks).filter(|block| matches!(block, block::Block::Paged(_)));
        let on_disk = on_disk.map(|block| (u64::from(block.count()), u64::from(block.bytes())));
        let (messages, bytes) = sum(on_disk);
        ((self.len as u64).saturating_sub(messages), self.bytes.saturating_sub(bytes))
    }

    /// How many of them outlive the broker, and their bodies in bytes.
    pub fn journalled(&self) -> (u64, u64) {
        let in_lanes = self.lanes().filter(|lane| lane.is_journalled()).flat_map(Lane::held);
        let returned = self.returned().filter(|entry| entry.home.is_journalled());
        sum(in_lanes.chain(returned.map(|entry| (1, entry.message.body_len() as u64))))
    }

    /// How many blocks are on the disk only.
    pub fn paged(&self) -> usize {
        self.lanes().map(Lane::paged).fold(0, usize::saturating_add)
    }

    /// Appends a message that has just arrived; positions only grow.
    pub fn push(&mut self, level: u8, position: Position, message: Message, home: Home) {
        self.append(level, position, message, home, Mixing::Never);
    }

    fn append(&mut self, level: u8, position: Position, message: Message, home: Home, mixing: Mixing) {
        self.added(&message);
        // As much as all of them take, about: bodies may be empty.
        self.has_deadlines |= message.deadline() != Time::NEVER;
        let waiting = self.bytes.saturating_add((self.len as u64).saturating_mul(64));
        self.level_mut(level).lane_of(level, home).push(position, message, home, mixing, waiting);
    }

    /// Puts a message back at its place.
    pub fn give_back(&mut self, entry: Entry) {
        self.added(&entry.message);
        let deadline = entry.message.deadline();
        if deadline != Time::NEVER {
            self.note_single(deadline, entry.level, entry.position);
        }
        self.level_mut(entry.level).returned.insert(entry.position, entry);
    }

    /// The priority of the first message; 0 when there is none.
    pub(super) fn first_priority(&self) -> u8 {
        self.higher.last_key_value().map_or(0, |(level, _)| *level)
    }

    /// Whether a message of this priority waits before this position.
    pub(super) fn any_before(&self, level: u8, position: Position) -> bool {
        let level = if level == 0 { Some(&self.lowest) } else { self.higher.get(&level) };
        level.and_then(Level::first).is_some_and(|first| first < position)
    }

    /// Whether the first message is on the disk only.
    pub fn head_is_paged(&self) -> bool {
        self.paged() > 0 && self.first_level().head_is_paged()
    }

    /// Asks for the blocks that are needed next, as far as they are not in memory; each once.
    pub fn ask_ahead(&mut self, asks: &mut Vec<BlockPlace>) {
        for level in self.higher.values_mut() {
            level.ask_ahead(asks);
        }
        self.lowest.ask_ahead(asks);
    }

    /// Takes the message with the lowest position of those with the highest priority; nothing when there is none or it is
    /// on the disk only.
    #[inline]
    pub fn pop(&mut self) -> Option<Entry> {
        if self.higher.is_empty()
            && self.counts.is_empty()
            && let Some(lane) = self.lowest.only_lane()
        {
            let entry = lane.pop(self.redelivered_below, &mut self.segments)?;
            self.len = self.len.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(entry.message.body_len() as u64);
            return Some(entry);
        }
        self.pop_first()
    }

    /// The same with messages of more than one kind or priority, or with deliveries of an earlier broker.
    fn pop_first(&mut self) -> Option<Entry> {
        let (segments, below) = (&mut self.segments, self.redelivered_below);
        let entry = match self.higher.last_entry() {
            Some(mut highest) => {
                let entry = highest.get_mut().pop(below, segments);
                if highest.get().is_empty() {
                    highest.remove();
                }
                entry
            }
            None => self.lowest.pop(below, segments),
        }?;
        Some(self.popped(entry))
    }

    /// A message has left its block or its place.
    fn popped(&mut self, mut entry: Entry) -> Entry {
        self.len = self.len.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(entry.message.body_len() as u64);
        if let Some(count) = self.counts.remove(&entry.position) {
            (entry.returns, entry.redelivered) = (entry.returns.max(count), true);
        }
        entry
    }

    /// Drops everything, what cannot be read as well, and gives how many messages were ready; what was journalled of them
    /// is settled in `group`. `kept` are the positions of those that are not ready and stay.
    pub fn clear(
        &mut self,
        queue: QueueId,
        kept: impl Iterator<Item = Position>,
        group: &mut Group,
    ) -> usize {
        let mut cleared = PositionSet::default();
        for lane in self.lanes().filter(|lane| lane.is_journalled()) {
            // Whatever lies in this range and is not ready is settled, or is transient, or is kept.
            if let Some(last) = lane.last() {
                cleared.insert_range(lane.head(), last);
            }
        }
        if !cleared.is_empty() {
            for position in kept {
                cleared.remove_range(position, position);
            }
        }
        for entry in self.returned().filter(|entry| entry.home.is_journalled()) {
            cleared.insert(entry.position);
        }
        for (first, last) in cleared.ranges() {
            group.settle_range(queue, first, last);
        }
        self.drop_all()
    }

    /// Drops everything and gives how many messages that were.
    fn drop_all(&mut self) -> usize {
        let mut segments = std::mem::take(&mut self.segments);
        for lane in self.lanes() {
            lane.release(&mut segments);
        }
        for entry in self.returned() {
            segments.leave(entry.home);
        }
        for damaged in &self.damaged {
            segments.drop_block(damaged.place, damaged.count);
        }
        let count = self.len;
        *self = Self { redelivered_below: self.redelivered_below, segments, ..Self::default() };
        count
    }

    fn levels(&self) -> impl Iterator<Item = &Level> {
        std::iter::once(&self.lowest).chain(self.higher.values())
    }

    fn levels_mut(&mut self) -> impl Iterator<Item = &mut Level> {
        std::iter::once(&mut self.lowest).chain(self.higher.values_mut())
    }

    #[inline]
    fn level_mut(&mut self, level: u8) -> &mut Level {
        if level == 0 { &mut self.lowest } else { self.higher.entry(level).or_default() }
    }

    /// The level whose messages go first.
    fn first_level(&self) -> &Level {
        self.higher.last_key_value().map_or(&self.lowest, |(_, highest)| highest)
    }

    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.levels().flat_map(Level::lanes)
    }

    fn lanes_mut(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.levels_mut().flat_map(Level::lanes_mut)
    }

    fn added(&mut self, message: &Message) {
        self.len = self.len.saturating_add(1);
        self.bytes = self.bytes.saturating_add(message.body_len() as u64);
    }

    /// Levels and runs without messages go.
    fn tidy(&mut self) {
        for level in self.levels_mut() {
            level.runs.retain(|run| !run.is_empty());
        }
        self.higher.retain(|_, level| !level.is_empty());
    }

    fn fewer(&mut self, fewer: Fewer) {
        self.len = self.len.saturating_sub(usize::try_from(fewer.count).unwrap_or(usize::MAX));
        self.bytes = self.bytes.saturating_sub(fewer.bytes);
        self.damaged.extend(fewer.damaged);
    }
}

/// Numbers of messages and of bytes, added up.
fn sum(some: impl Iterator<Item = (u64, u64)>) -> (u64, u64) {
    some.fold((0, 0), |(messages, bytes), (more, more_bytes)| {
        (messages.saturating_add(more), bytes.saturating_add(more_bytes))
    })
}

#[cfg(test)]
mod tests;
