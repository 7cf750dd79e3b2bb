//! The records of a block: messages packed one after the other, in memory as in a segment.
//!
//! A record is a head of 18 bytes, little endian, and the message without gaps:
//!
//! ```text
//! u16  length of the address; bit 15: the message is persistent; bit 14: it has an expiration; bit 13: it is a dead
//!      letter; bit 12: and its keys were replaced
//! u16  gap: its position minus that of the record before it
//! u48  when it arrived: milliseconds since the Unix epoch
//! u32  length of the properties
//! u32  length of the body
//! u48  when it expires by its own expiration, of a message that has one
//!      address, properties, body
//! ```
//!
//! The position of a block's first record stands beside the block, and that record's gap is not looked at: what is left of
//! a block whose first messages were taken is a block again.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::message::{Message, Noted, Parts};
use crate::place::Position;
use crate::time::Time;

/// What a record has beside its message, in bytes; one with an expiration has a time more.
pub const RECORD_HEAD_BYTES: usize = 18;

/// A time in a record: 48 bits of milliseconds are 8,900 years.
const TIME_BYTES: usize = 6;
/// The latest of them.
const TIME_MAX: u64 = (1 << 48) - 1;

/// The largest gap between the positions of adjoining records; a message further on begins a new block.
pub const GAP_MAX: u64 = u16::MAX as u64;

/// The longest address is 512 bytes.
const ADDRESS_LEN: u16 = (1 << 10) - 1;
const PERSISTENT: u16 = 1 << 15;
const EXPIRES: u16 = 1 << 14;
const DIED: u16 = 1 << 13;
const READDRESSED: u16 = 1 << 12;

/// What a record begins with in the journal and in segments: the length of the address with what is to be known of
/// the message without a look at its properties.
pub fn address_and_marks(parts: Parts) -> u16 {
    // The address is two short strings.
    let noted = match parts.noted {
        Noted::Nothing => 0,
        Noted::Expires => EXPIRES,
        Noted::Died => DIED,
        Noted::Readdressed => DIED | READDRESSED,
    };
    (parts.address_len & ADDRESS_LEN) | if parts.persistent { PERSISTENT } else { 0 } | noted
}

/// The parts of a message without gaps of which [`address_and_marks`] said this.
#[inline]
pub fn marked_parts(address_and_marks: u16, properties_len: u32, arrived: Time) -> Parts {
    let persistent = address_and_marks & PERSISTENT != 0;
    let noted = match address_and_marks & (EXPIRES | DIED | READDRESSED) {
        0 => Noted::Nothing,
        EXPIRES => Noted::Expires,
        DIED => Noted::Died,
        _ => Noted::Readdressed,
    };
    Parts { persistent, noted, arrived, ..Parts::packed(address_and_marks & ADDRESS_LEN, properties_len) }
}

/// What [`push_record`] appends for this message, in bytes.
pub fn record_len(message: &Message) -> usize {
    message.len().saturating_add(RECORD_HEAD_BYTES).saturating_add(deadline_bytes(message.parts()))
}

fn deadline_bytes(parts: Parts) -> usize {
    if parts.noted == Noted::Expires { TIME_BYTES } else { 0 }
}

/// The gap between the position of a block's last record and the next; nothing when it is too large for one block, or
/// the position is not behind the last one.
pub fn gap(last: Position, next: Position) -> Option<u16> {
    let gap = next.0.checked_sub(last.0)?;
    u16::try_from(gap).ok().filter(|gap| *gap > 0)
}

/// Appends a message as a record. `gap` is its position minus that of the record before it, and 0 for a block's first.
pub fn push_record(into: &mut BytesMut, gap: u16, message: &Message) {
    into.put_u16_le(address_and_marks(message.parts()));
    into.put_u16_le(gap);
    into.put_uint_le(message.arrived().as_millis(), TIME_BYTES);
    // The codec admits neither properties nor bodies of 4 GiB.
    into.put_u32_le(u32::try_from(message.properties_bytes().len()).unwrap_or(u32::MAX));
    into.put_u32_le(u32::try_from(message.body_len()).unwrap_or(u32::MAX));
    if message.parts().noted == Noted::Expires {
        into.put_uint_le(message.deadline().as_millis() & TIME_MAX, TIME_BYTES);
    }
    message.write_packed(into);
}

/// Takes the record at the front, without a copy: its gap and its message. Nothing, and nothing taken, when there is no
/// whole record.
#[inline]
pub fn pop_record(from: &mut Bytes) -> Option<(u16, Message)> {
    let mut head = from.get(..RECORD_HEAD_BYTES)?;
    let address = head.get_u16_le();
    let gap = head.get_u16_le();
    let arrived = u64::from(head.get_u32_le()) | u64::from(head.get_u16_le()) << 32;
    let properties_len = head.get_u32_le();
    let body_len = head.get_u32_le();
    let parts = marked_parts(address, properties_len, Time::from_millis(arrived));
    let len = (parts.body_at as usize).checked_add(body_len as usize)?;
    let head = RECORD_HEAD_BYTES + deadline_bytes(parts);
    if from.len().checked_sub(head)? < len {
        return None;
    }
    // The parts lie within, since `len` is made of them.
    from.advance(head);
    Message::new(from.split_to(len), parts).map(|message| (gap, message))
}

/// The gap of the record at the front; nothing when there is none.
#[inline]
pub fn front_gap(from: &[u8]) -> Option<u16> {
    from.get(2..4).map(|mut gap| gap.get_u16_le())
}

/// What the record at the front says without its message; nothing when there is no whole record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead {
    /// Its position minus that of the record before it.
    pub gap: u16,
    /// When it expires by its own expiration.
    pub deadline: Time,
    /// The length of the body, in bytes.
    pub body_len: u32,
    /// The length of the record, in bytes.
    pub len: usize,
}

/// Looks at the record at the front.
#[inline]
pub fn front_head(from: &[u8]) -> Option<RecordHead> {
    let mut head = from.get(..RECORD_HEAD_BYTES)?;
    let address = head.get_u16_le();
    let gap = head.get_u16_le();
    head.advance(TIME_BYTES);
    let (properties_len, body_len) = (head.get_u32_le(), head.get_u32_le());
    let parts = marked_parts(address, properties_len, Time::default());
    let mut deadline = Time::NEVER;
    if parts.noted == Noted::Expires {
        let mut time = from.get(RECORD_HEAD_BYTES..RECORD_HEAD_BYTES + TIME_BYTES)?;
        deadline = Time::from_millis(time.get_uint_le(TIME_BYTES));
    }
    let len = (parts.body_at as usize).checked_add(body_len as usize)?;
    let len = len.checked_add(RECORD_HEAD_BYTES + deadline_bytes(parts))?;
    (from.len() >= len).then_some(RecordHead { gap, deadline, body_len, len })
}

/// Changes the gap of the record that begins at `at`.
pub fn set_gap(records: &mut [u8], at: usize, gap: u16) {
    if let Some(place) = at.checked_add(2).and_then(|from| records.get_mut(from..from.saturating_add(2))) {
        place.copy_from_slice(&gap.to_le_bytes());
    }
}

/// When the message of the record at the front arrived; nothing when there is none.
#[inline]
pub fn front_arrival(from: &[u8]) -> Option<Time> {
    from.get(4..4 + TIME_BYTES).map(|mut arrived| Time::from_millis(arrived.get_uint_le(TIME_BYTES)))
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
            && one.deadline() == other.deadline()
            && one.arrived() == other.arrived()
            && one.parts().noted == other.parts().noted
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
    fn what_is_noted_of_a_message_stands_beside_the_length_of_its_address() {
        for noted in [Noted::Nothing, Noted::Expires, Noted::Died, Noted::Readdressed] {
            for (address_len, persistent) in [(2, false), (2, true), (512, false), (512, true)] {
                let parts = Parts {
                    noted,
                    persistent,
                    arrived: Time::from_millis(5),
                    ..Parts::packed(address_len, 7)
                };
                assert_eq!(marked_parts(address_and_marks(parts), 7, parts.arrived), parts);
            }
        }
    }

    #[test]
    fn a_dead_letter_is_one_after_it_was_packed() {
        for (key, noted) in [(None, Noted::Died), (Some("other"), Noted::Readdressed)] {
            let dead = message("key", PROPERTIES[0], b"body")
                .as_dead_letter("dlx", key, 2, |into| into.put_u16(0))
                .unwrap();
            let mut block = BytesMut::new();
            push_record(&mut block, 0, &dead);
            let (_, unpacked) = pop_record(&mut block.freeze()).unwrap();
            assert!(same(&unpacked, &dead));
            assert_eq!((unpacked.parts().noted, dead.detached().parts().noted), (noted, noted));
            assert_eq!(unpacked.with_properties(&[0, 0]).parts().noted, noted);
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
