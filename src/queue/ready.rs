//! The messages that wait in a queue, in order.
//!
//! A message that joins a backlog is copied into a packed block, 10 bytes of overhead each: it costs no entry of its
//! own and pins no read buffer. Only a returned message has an entry, ordered by its position among the others.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::message::{Message, Parts};
use crate::place::Home;
pub use crate::place::Position;

/// A message with what its queue knows of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place.
    pub position: Position,
    /// The message.
    pub message: Message,
    /// How often it was given to a consumer before.
    pub deliveries: u32,
    /// What becomes of it when the broker ends, and where it is written.
    pub home: Home,
    /// Whether it may have been given to a consumer before: it was, or an earlier broker did not end in order.
    pub redelivered: bool,
}

impl Entry {
    /// A message that is not journalled and was never delivered.
    pub fn new(position: Position, message: Message) -> Self {
        Self { position, message, deliveries: 0, home: Home::Transient, redelivered: false }
    }
}

/// Messages larger than this are kept as they are; smaller ones are packed. Whoever assembles a message that is
/// larger gives it bytes of its own, so that it pins nothing else.
pub const PACKED_MAX_BYTES: usize = 8 * 1024;

const BLOCK_MIN_BYTES: usize = 512;
const BLOCK_MAX_BYTES: usize = 128 * 1024;
const RECORD_HEAD_BYTES: usize = 10;

/// The ready messages of one queue.
#[derive(Default)]
pub struct Ready {
    /// Messages that came back, before or among the blocks by position.
    returned: BTreeMap<Position, Entry>,
    blocks: VecDeque<Block>,
    len: usize,
    bytes: u64,
}

enum Block {
    Packed(Packed),
    Single(Position, Message),
}

/// Messages of adjoining positions, one after the other in one buffer.
struct Packed {
    /// The position of the first message that is not read yet.
    head: Position,
    /// How many are not read yet.
    count: usize,
    /// Written and sealed, to be read from the front.
    sealed: Bytes,
    /// Still being written; follows `sealed`.
    open: BytesMut,
}

impl Packed {
    fn new(head: Position, capacity: usize) -> Self {
        Self { head, count: 0, sealed: Bytes::new(), open: BytesMut::with_capacity(capacity) }
    }

    fn has_room(&self, record_bytes: usize) -> bool {
        self.open.capacity().saturating_sub(self.open.len()) >= record_bytes
    }

    fn push(&mut self, message: &Message) {
        let persistent = u16::from(message.is_persistent()) << 15;
        self.open.put_u16_le(u16::try_from(message.address().len()).unwrap_or(u16::MAX >> 1) | persistent);
        self.open.put_u32_le(u32::try_from(message.properties_bytes().len()).unwrap_or(u32::MAX));
        self.open.put_u32_le(u32::try_from(message.body_len()).unwrap_or(u32::MAX));
        message.write_packed(&mut self.open);
        self.count = self.count.saturating_add(1);
    }

    fn pop(&mut self) -> Option<(Position, Message)> {
        if self.sealed.is_empty() {
            self.sealed = self.open.split().freeze();
        }
        if self.sealed.len() < RECORD_HEAD_BYTES {
            return None;
        }
        let address_len = self.sealed.get_u16_le();
        let properties_len = self.sealed.get_u32_le();
        let body_len = self.sealed.get_u32_le();
        let parts = Parts::packed(address_len & (u16::MAX >> 1), properties_len, address_len >> 15 == 1);
        let bytes = self.sealed.split_to(parts.body_at as usize + body_len as usize);
        let position = self.head;
        self.head = position.next();
        self.count = self.count.saturating_sub(1);
        Message::new(bytes, parts).map(|message| (position, message))
    }
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

    /// Appends a message that has just arrived; positions only grow.
    pub fn push(&mut self, position: Position, message: Message) {
        self.added(&message);
        let size = message.len();
        if size > PACKED_MAX_BYTES {
            self.blocks.push_back(Block::Single(position, message));
            return;
        }
        let record = size + RECORD_HEAD_BYTES;
        if let Some(Block::Packed(block)) = self.blocks.back_mut() {
            let adjoins = block.head.0.saturating_add(block.count as u64) == position.0;
            if adjoins && block.has_room(record) {
                return block.push(&message);
            }
        }
        // A short queue must stay small, a long one wants few blocks: each block is as large as what waits.
        let waiting = usize::try_from(self.bytes).unwrap_or(usize::MAX);
        let capacity = waiting.clamp(BLOCK_MIN_BYTES, BLOCK_MAX_BYTES).max(record);
        let mut block = Packed::new(position, capacity);
        block.push(&message);
        self.blocks.push_back(Block::Packed(block));
    }

    /// Puts a message back at its place.
    pub fn give_back(&mut self, entry: Entry) {
        self.added(&entry.message);
        self.returned.insert(entry.position, entry);
    }

    /// Takes the message with the lowest position.
    pub fn pop(&mut self) -> Option<Entry> {
        let entry = if self.returned.is_empty() || !self.returned_is_first() {
            self.pop_block()?
        } else {
            self.returned.pop_first()?.1
        };
        self.len = self.len.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(entry.message.len() as u64);
        Some(entry)
    }

    /// Drops everything and gives how many messages that were.
    pub fn clear(&mut self) -> usize {
        let count = self.len;
        *self = Self::default();
        count
    }

    fn added(&mut self, message: &Message) {
        self.len = self.len.saturating_add(1);
        self.bytes = self.bytes.saturating_add(message.len() as u64);
    }

    fn returned_is_first(&self) -> bool {
        let Some((returned, _)) = self.returned.first_key_value() else { return false };
        match self.blocks.front() {
            Some(Block::Packed(block)) => *returned < block.head,
            Some(Block::Single(position, _)) => returned < position,
            None => true,
        }
    }

    fn pop_block(&mut self) -> Option<Entry> {
        let (position, message, spent) = match self.blocks.front_mut()? {
            Block::Packed(block) => {
                let (position, message) = block.pop()?;
                (position, message, block.count == 0)
            }
            Block::Single(position, message) => (*position, message.clone(), true),
        };
        if spent {
            self.blocks.pop_front();
        }
        Some(Entry::new(position, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &[u8]) -> Message {
        Message::compose("exchange", "key", &[0, 0], body).unwrap()
    }

    fn drain(ready: &mut Ready) -> Vec<(u64, Vec<u8>)> {
        std::iter::from_fn(|| ready.pop())
            .map(|entry| (entry.position.0, entry.message.body().to_vec()))
            .collect()
    }

    #[test]
    fn messages_leave_in_order_whatever_their_size() {
        let mut ready = Ready::default();
        let bodies = [
            vec![1; 3],
            vec![2; PACKED_MAX_BYTES + 1],
            vec![],
            vec![3; PACKED_MAX_BYTES - 100],
            vec![4; 700],
        ];
        for (position, body) in bodies.iter().enumerate() {
            ready.push(Position(position as u64), message(body));
        }
        assert_eq!(ready.len(), bodies.len());
        let expected: Vec<_> =
            bodies.iter().enumerate().map(|(at, body)| (at as u64, body.clone())).collect();
        assert_eq!(drain(&mut ready), expected);
        assert_eq!((ready.len(), ready.bytes()), (0, 0));
    }

    #[test]
    fn a_returned_message_takes_its_old_place() {
        let mut ready = Ready::default();
        for position in 0..5 {
            ready.push(Position(position), message(&[u8::try_from(position).unwrap()]));
        }
        let taken: Vec<Entry> = (0..3).filter_map(|_| ready.pop()).collect();
        ready.give_back(taken[1].clone());
        assert_eq!(ready.pop().unwrap().position, Position(1));
        for entry in taken {
            ready.give_back(entry);
        }
        let order: Vec<u64> = drain(&mut ready).into_iter().map(|(position, _)| position).collect();
        assert_eq!(order, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_gap_in_the_positions_starts_a_new_block() {
        let mut ready = Ready::default();
        for position in [0, 1, 7, 8, 20] {
            ready.push(Position(position), message(b"x"));
        }
        let order: Vec<u64> = drain(&mut ready).into_iter().map(|(position, _)| position).collect();
        assert_eq!(order, [0, 1, 7, 8, 20]);
    }
}
