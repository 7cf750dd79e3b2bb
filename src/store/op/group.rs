//! The records that one connection makes in one go: they get into the journal together, or none of them does.

use bytes::BufMut;

use super::kind;
use crate::config::Durability;
use crate::message::Message;
use crate::place::{JournalFile, Position, QueueId, SegmentNumber};
use crate::store::segment::block::address_and_marks;
use crate::store::stored::{KeyRecord, Returns, SegmentState};

/// Records that are written as one. Becomes a chunk of the journal.
#[derive(Debug, Default)]
pub struct Group {
    bytes: Vec<u8>,
    durability: Durability,
    wants_sync: bool,
    settling: Option<Settling>,
    knowing: Option<Knowing>,
}

/// The settle record that ends the bytes: its last range may still grow, and others may follow.
#[derive(Clone, Copy, Debug)]
struct Settling {
    queue: QueueId,
    count_at: usize,
    count: u32,
    last: Position,
}

/// The record of keys that ends the bytes: more may follow.
#[derive(Clone, Copy, Debug)]
struct Knowing {
    queue: QueueId,
    count_at: usize,
    count: u32,
}

/// A queue's id and a position: how far apart the targets of a publish stand.
pub const TARGET_BYTES: u32 = 16;

impl Group {
    /// No more than this goes into one chunk; the journal fails rather than to write it in parts.
    pub const BYTES_MAX: usize = 1 << 30;

    /// No records. What is published will be as durable as that.
    pub fn new(durability: Durability) -> Self {
        Self { durability, ..Self::default() }
    }

    /// How durable what is published will be.
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The records' length in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The records.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether somebody waits until the records outlive a loss of power.
    pub fn wants_sync(&self) -> bool {
        self.wants_sync
    }

    /// Somebody waits for the disk, whatever the records are: a commit with nothing but settlements.
    pub fn require_sync(&mut self) {
        self.wants_sync = true;
    }

    /// A message enters durable queues, at positions that are not known yet: [`Position::NOWHERE`] until then. Gives where the first of them is to be
    /// [placed](Self::place); each of the others is [`TARGET_BYTES`] further on.
    pub fn publish(
        &mut self,
        message: &Message,
        returns: Returns,
        queues: impl IntoIterator<Item = QueueId>,
    ) -> u32 {
        let (address, properties, body) = (message.address(), message.properties_bytes(), message.body());
        self.bytes.reserve(message.len().saturating_add(64));
        self.begin(kind::PUBLISH);
        self.bytes.put_u16_le(address_and_marks(message.parts()));
        self.bytes.put_u64_le(message.arrived().as_millis());
        self.bytes.put_u32_le(u32_of(properties.len()));
        self.bytes.put_u32_le(u32_of(body.len()));
        self.bytes.put_u8(u8::from(!returns.is_none()));
        if !returns.is_none() {
            self.put_returns(returns);
        }
        let count_at = self.bytes.len();
        self.bytes.put_u32_le(0);
        let mut count = 0_u32;
        for queue in queues {
            self.bytes.put_u64_le(queue.number());
            self.bytes.put_u64_le(Position::NOWHERE.0);
            count = count.saturating_add(1);
        }
        self.put_at(count_at, &count.to_le_bytes());
        for part in [address, properties, body] {
            self.bytes.put_slice(part);
        }
        self.wants_sync |= self.durability == Durability::Fsync;
        u32_of(count_at.saturating_add(4 + 8))
    }

    /// Where a published message stands in one of its queues; `at` as [`Self::publish`] tells.
    pub fn place(&mut self, at: u32, position: Position) {
        self.put_at(at as usize, &position.0.to_le_bytes());
    }

    /// A message is done with. Adjoining positions that follow each other become one range.
    pub fn settle(&mut self, queue: QueueId, position: Position) {
        if let Some(settling) = self.settling
            && settling.queue == queue
        {
            if settling.last.next() == position {
                let at = self.bytes.len().saturating_sub(8);
                self.put_at(at, &position.0.to_le_bytes());
                self.settling = Some(Settling { last: position, ..settling });
                return;
            }
            if settling.count < u32::MAX {
                let count = settling.count.saturating_add(1);
                self.put_at(settling.count_at, &count.to_le_bytes());
                self.put_range(position, position);
                self.settling = Some(Settling { last: position, count, ..settling });
                return;
            }
        }
        self.settle_range(queue, position, position);
    }

    /// All messages from `first` to `last`, both included, are done with, those that do not exist as well.
    pub fn settle_range(&mut self, queue: QueueId, first: Position, last: Position) {
        self.begin(kind::SETTLE);
        self.bytes.put_u64_le(queue.number());
        let count_at = self.bytes.len();
        self.bytes.put_u32_le(1);
        self.put_range(first, last);
        self.settling = Some(Settling { queue, count_at, count: 1, last });
    }

    /// A message was given back; it has come back so often by now, and may have to wait.
    pub fn requeue(&mut self, queue: QueueId, position: Position, returns: Returns) {
        self.begin(kind::REQUEUE);
        self.bytes.put_u64_le(queue.number());
        self.bytes.put_u64_le(position.0);
        self.put_returns(returns);
    }

    /// A queue is gone with all that it had.
    pub fn queue_gone(&mut self, queue: QueueId) {
        self.begin(kind::QUEUE_GONE);
        self.bytes.put_u64_le(queue.number());
    }

    /// What of a segment is alive.
    pub fn segment_state(&mut self, queue: QueueId, segment: SegmentNumber, state: &SegmentState) {
        self.begin(kind::SEGMENT_STATE);
        self.bytes.put_u64_le(queue.number());
        self.bytes.put_u32_le(segment.0);
        self.bytes.put_u32_le(u32_of(state.whole.len()));
        for (first, last) in &state.whole {
            self.bytes.put_u32_le(*first);
            self.bytes.put_u32_le(*last);
        }
        self.bytes.put_u32_le(u32_of(state.partial.len()));
        for block in &state.partial {
            self.bytes.put_u32_le(block.index);
            self.bytes.put_u32_le(block.count);
            self.bytes.put_u64_le(block.bytes);
            self.bytes.put_u32_le(u32_of(block.ranges.len()));
            for (first, last) in &block.ranges {
                self.put_range(*first, *last);
            }
        }
        self.bytes.put_u32_le(u32_of(state.returns.len()));
        for (position, returns) in &state.returns {
            self.bytes.put_u64_le(position.0);
            self.put_returns(*returns);
        }
    }

    /// Nothing of a segment is alive any more.
    pub fn segment_gone(&mut self, queue: QueueId, segment: SegmentNumber) {
        self.begin(kind::SEGMENT_GONE);
        self.bytes.put_u64_le(queue.number());
        self.bytes.put_u32_le(segment.0);
    }

    /// All messages before `position` may have been delivered.
    pub fn redelivered_below(&mut self, queue: QueueId, position: Position) {
        self.begin(kind::REDELIVERED_BELOW);
        self.bytes.put_u64_le(queue.number());
        self.bytes.put_u64_le(position.0);
    }

    /// A queue, which knows `size` keys at most, knows this one from now on. Several of one queue become one record.
    pub fn know(&mut self, queue: QueueId, size: u32, record: KeyRecord) {
        let (count_at, before) = match self.knowing {
            Some(Knowing { queue: of, count_at, count }) if of == queue && count < u32::MAX => {
                (count_at, count)
            }
            _ => {
                self.begin(kind::KEYS);
                self.bytes.put_u64_le(queue.number());
                self.bytes.put_u32_le(size);
                self.bytes.put_u32_le(0);
                (self.bytes.len().saturating_sub(4), 0)
            }
        };
        let count = before.saturating_add(1);
        self.put_at(count_at, &count.to_le_bytes());
        self.bytes.put_u128_le(record.key.0);
        self.bytes.put_u64_le(record.position.0);
        self.bytes.put_u64_le(record.until.as_millis());
        self.knowing = Some(Knowing { queue, count_at, count });
    }

    /// A definition is made or changed; whoever asked for it waits for the disk.
    pub fn define(&mut self, key: &[u8], value: &[u8]) {
        self.begin(kind::DEFINE);
        self.bytes.put_u32_le(u32_of(key.len()));
        self.bytes.put_u32_le(u32_of(value.len()));
        self.bytes.put_slice(key);
        self.bytes.put_slice(value);
        self.wants_sync = true;
    }

    /// A definition is gone; whoever asked for that waits for the disk.
    pub fn forget(&mut self, key: &[u8]) {
        self.begin(kind::FORGET);
        self.bytes.put_u32_le(u32_of(key.len()));
        self.bytes.put_slice(key);
        self.wants_sync = true;
    }

    /// The files of the journal up to this one are not needed any more.
    pub fn checkpointed(&mut self, through: JournalFile) {
        self.begin(kind::CHECKPOINTED);
        self.bytes.put_u64_le(through.0);
        self.wants_sync = true;
    }

    /// The broker stops in order.
    pub fn closed(&mut self) {
        self.begin(kind::CLOSED);
        self.wants_sync = true;
    }

    /// No records any more; the room for them stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.wants_sync = false;
        self.settling = None;
        self.knowing = None;
    }

    /// Takes the records, with the buffer that they stand in, and leaves `room` (which is empty) in its place.
    pub(in crate::store) fn replace(&mut self, room: Vec<u8>) -> Vec<u8> {
        let bytes = std::mem::replace(&mut self.bytes, room);
        self.clear();
        bytes
    }

    /// Whether there is a buffer for records.
    pub(in crate::store) fn has_room(&self) -> bool {
        self.bytes.capacity() > 0
    }

    fn begin(&mut self, kind: u8) {
        self.settling = None;
        self.knowing = None;
        self.bytes.put_u8(kind);
    }

    fn put_returns(&mut self, Returns { acquired, deliveries, due }: Returns) {
        self.bytes.put_u32_le(acquired);
        self.bytes.put_u32_le(deliveries);
        self.bytes.put_u64_le(due.as_millis());
    }

    fn put_range(&mut self, first: Position, last: Position) {
        self.bytes.put_u64_le(first.0);
        self.bytes.put_u64_le(last.0);
    }

    fn put_at(&mut self, at: usize, number: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at.saturating_add(number.len())) {
            place.copy_from_slice(number);
        }
    }
}

/// Lengths and counts in one group: what is larger than [`Group::BYTES_MAX`] is never written.
fn u32_of(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
