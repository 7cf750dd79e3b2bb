//! The records of a block: messages packed one after the other, in memory as in a segment.
//!
//! A record is a head of 12 bytes, little endian, and the message without gaps:
//!
//! ```text
//! u16  length of the address; bit 15: the message is persistent
//! u16  gap: its position minus that of the record before it
//! u32  length of the properties
//! u32  length of the body
//!      address, properties, body
//! ```
//!
//! The position of a block's first record stands beside the block, and that record's gap is not looked at: what is left of
//! a block whose first messages were taken is a block again.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::message::{Message, Parts};
use crate::place::Position;

/// What a record has beside its message, in bytes.
pub const RECORD_HEAD_BYTES: usize = 12;

/// The largest gap between the positions of adjoining records; a message further on begins a new block.
pub const GAP_MAX: u64 = u16::MAX as u64;

const PERSISTENT: u16 = 1 << 15;

/// What [`push_record`] appends for this message, in bytes.
pub fn record_len(message: &Message) -> usize {
    message.len().saturating_add(RECORD_HEAD_BYTES)
}

/// The gap between the position of a block's last record and the next; nothing when it is too large for one block, or
/// the position is not behind the last one.
pub fn gap(last: Position, next: Position) -> Option<u16> {
    let gap = next.0.checked_sub(last.0)?;
    u16::try_from(gap).ok().filter(|gap| *gap > 0)
}

/// Appends a message as a record. `gap` is its position minus that of the record before it, and 0 for a block's first.
pub fn push_record(into: &mut BytesMut, gap: u16, message: &Message) {
    let persistent = if message.is_persistent() { PERSISTENT } else { 0 };
    // The address is two short strings, and the codec admits neither properties nor bodies of 4 GiB.
    let address_len = u16::try_from(message.address().len()).unwrap_or(u16::MAX) & !PERSISTENT;
    into.put_u16_le(address_len | persistent);
    into.put_u16_le(gap);
    into.put_u32_le(u32::try_from(message.properties_bytes().len()).unwrap_or(u32::MAX));
    into.put_u32_le(u32::try_from(message.body_len()).unwrap_or(u32::MAX));
    message.write_packed(into);
}

/// Takes the record at the front, without a copy: its gap and its message. Nothing, and nothing taken, when there is no
/// whole record.
#[inline]
pub fn pop_record(from: &mut Bytes) -> Option<(u16, Message)> {
    let mut head = from.get(..RECORD_HEAD_BYTES)?;
    let address_len = head.get_u16_le();
    let gap = head.get_u16_le();
    let properties_len = head.get_u32_le();
    let body_len = head.get_u32_le();
    let parts = Parts::packed(address_len & !PERSISTENT, properties_len, address_len & PERSISTENT != 0);
    let len = (parts.body_at as usize).checked_add(body_len as usize)?;
    if from.len() - RECORD_HEAD_BYTES < len {
        return None;
    }
    // The parts lie within, since `len` is made of them.
    from.advance(RECORD_HEAD_BYTES);
    Message::new(from.split_to(len), parts).map(|message| (gap, message))
}

/// The gap of the record at the front; nothing when there is none.
#[inline]
pub fn front_gap(from: &[u8]) -> Option<u16> {
    from.get(2..4).map(|mut gap| gap.get_u16_le())
}

/// The records of a block, taken from its front.
#[derive(Clone, Debug)]
pub struct Records {
    bytes: Bytes,
    /// The position of the next one.
    head: Position,
}

impl Records {
    /// The records of a block of which the first has this position.
    pub fn new(first: Position, bytes: Bytes) -> Self {
        Self { bytes, head: first }
    }

    /// The position of the next one; meaningless when there is none.
    pub fn head(&self) -> Position {
        self.head
    }

    /// What is not taken yet: a block of which the first record has the position [`Self::head`].
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether all are taken.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Iterator for Records {
    type Item = (Position, Message);

    /// Nothing when all are taken, or what follows is no record.
    fn next(&mut self) -> Option<(Position, Message)> {
        let (_, message) = pop_record(&mut self.bytes)?;
        let position = self.head;
        if let Some(gap) = front_gap(&self.bytes) {
            self.head = position.plus(u64::from(gap));
        }
        Some((position, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(key: &str, properties: &[u8], body: &[u8]) -> Message {
        Message::compose("exchange", key, properties, body).unwrap()
    }

    fn same(one: &Message, other: &Message) -> bool {
        one.address() == other.address()
            && one.properties_bytes() == other.properties_bytes()
            && one.body() == other.body()
            && one.is_persistent() == other.is_persistent()
    }

    /// Delivery mode 2, and none.
    const PROPERTIES: [&[u8]; 2] = [&[0x10, 0, 2], &[0, 0]];

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked_with_its_positions(
            first in 0..1_u64 << 40,
            made in prop::collection::vec((1..=GAP_MAX, 0..2_usize, "[a-z]{0,9}", prop::collection::vec(any::<u8>(), 0..40)), 0..20),
        ) {
            let (mut block, mut expected) = (BytesMut::new(), Vec::new());
            let mut last = Position(first);
            for (at, (step, kind, key, body)) in made.into_iter().enumerate() {
                let position = if at == 0 { last } else { last.plus(step) };
                let message = message(&key, PROPERTIES[kind], &body);
                let before = block.len();
                push_record(&mut block, gap(last, position).unwrap_or(0), &message);
                prop_assert_eq!(block.len() - before, record_len(&message));
                expected.push((position, message));
                last = position;
            }
            let mut records = Records::new(Position(first), block.freeze());
            for at in 0..expected.len() {
                // What is left after any number of them is a block of its own.
                let rest: Vec<_> = Records::new(records.head(), records.bytes().clone()).collect();
                prop_assert_eq!(rest.len(), expected.len() - at);
                let (position, message) = records.next().unwrap();
                prop_assert_eq!(position, expected[at].0);
                prop_assert_eq!(rest[0].0, position);
                prop_assert!(same(&message, &expected[at].1));
            }
            prop_assert!(records.next().is_none() && records.is_empty());
        }

        #[test]
        fn bytes_that_are_no_records_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let len = bytes.len();
            let taken: usize = Records::new(Position(u64::MAX - 3), Bytes::from(bytes)).map(|(_, message)| record_len(&message)).sum();
            prop_assert!(taken <= len);
        }
    }

    #[test]
    fn a_record_that_is_cut_off_is_not_taken() {
        let mut block = BytesMut::new();
        push_record(&mut block, 0, &message("key", PROPERTIES[0], b"body"));
        let whole = block.freeze();
        for len in 0..whole.len() {
            let mut cut = whole.slice(..len);
            assert!(pop_record(&mut cut).is_none(), "{len}");
            assert_eq!(cut.len(), len);
        }
    }

    #[test]
    fn a_gap_fits_a_block_or_begins_a_new_one() {
        for (last, next, expected) in [
            (5, 6, Some(1)),
            (5, 5 + GAP_MAX, Some(u16::MAX)),
            (5, 6 + GAP_MAX, None),
            (5, 5, None),
            (5, 4, None),
        ] {
            assert_eq!(gap(Position(last), Position(next)), expected, "{last} {next}");
        }
    }
}
