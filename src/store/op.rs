//! The journal's records: what they say, and how that is written.
//!
//! An [`Op`] is one fact. Each begins with an octet for its kind; all numbers are little endian. Facts about messages
//! name queue and position, so that they mean the same in whatever order they are read. What is read was checked
//! before (a chunk of the journal has a checksum), but nothing here relies on that.

mod group;
mod reader;

use std::fmt;

use crate::message::Parts;
use crate::place::{JournalFile, Position, QueueId, SegmentNumber};
use crate::store::segment::block::marked_parts;
use crate::store::stored::{KeyRecord, Returns, SegmentState};
use crate::time::Time;

pub use group::{Group, TARGET_BYTES};
use reader::Reader;

/// The octet that a record begins with.
mod kind {
    pub(super) const PUBLISH: u8 = 1;
    pub(super) const SETTLE: u8 = 2;
    pub(super) const REQUEUE: u8 = 3;
    pub(super) const QUEUE_GONE: u8 = 4;
    pub(super) const SEGMENT_STATE: u8 = 5;
    pub(super) const SEGMENT_GONE: u8 = 6;
    pub(super) const REDELIVERED_BELOW: u8 = 7;
    pub(super) const DEFINE: u8 = 8;
    pub(super) const FORGET: u8 = 9;
    pub(super) const CHECKPOINTED: u8 = 10;
    pub(super) const CLOSED: u8 = 11;
    pub(super) const KEYS: u8 = 13;
}

/// One fact, as it stands in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op<'a> {
    /// A message entered queues.
    Publish {
        /// Where it stands in which queues.
        targets: Targets<'a>,
        /// How often it had come back; more than not at all only when it is written again.
        returns: Returns,
        /// Address, properties and body, without gaps.
        message: &'a [u8],
        /// Where these begin and end in `message`.
        parts: Parts,
    },
    /// Messages are done with.
    Settle {
        /// In which queue.
        queue: QueueId,
        /// Which.
        ranges: Ranges<'a>,
    },
    /// A message was given back.
    Requeue {
        /// In which queue.
        queue: QueueId,
        /// Which.
        position: Position,
        /// How often it has come back by now.
        returns: Returns,
    },
    /// A queue is gone, with its messages and its segments.
    QueueGone {
        /// Which.
        queue: QueueId,
    },
    /// What of a segment is alive, in the place of what was said of it before. Messages that are settled are so
    /// wherever that stands.
    SegmentState {
        /// Of which queue.
        queue: QueueId,
        /// Which segment.
        segment: SegmentNumber,
        /// What of it is alive.
        state: SegmentState,
    },
    /// Nothing of a segment is alive any more.
    SegmentGone {
        /// Of which queue.
        queue: QueueId,
        /// Which segment.
        segment: SegmentNumber,
    },
    /// Messages that may have been delivered, though no delivery of them was counted.
    RedeliveredBelow {
        /// In which queue.
        queue: QueueId,
        /// All before this one.
        position: Position,
    },
    /// A queue has come to know keys of messages.
    Keys {
        /// Which queue.
        queue: QueueId,
        /// How many it knows at most.
        size: u32,
        /// The keys.
        keys: KeyRecords<'a>,
    },
    /// A definition was made or changed.
    Define {
        /// Its key.
        key: &'a [u8],
        /// What is defined.
        value: &'a [u8],
    },
    /// A definition is gone.
    Forget {
        /// Its key.
        key: &'a [u8],
    },
    /// Nothing in this file of the journal, or one before it, is needed any more.
    Checkpointed {
        /// The last such file.
        through: JournalFile,
    },
    /// The broker stopped in order. Says so only as the very last record.
    Closed,
}

/// A record that is none: of an unknown kind, or cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where it begins, in bytes from the start of its chunk.
    pub at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unreadable record at {} of its chunk", self.at)
    }
}

impl std::error::Error for Malformed {}

/// The records of one chunk, one after the other; ends after the first that cannot be read.
#[derive(Clone, Debug)]
pub struct Ops<'a> {
    reader: Reader<'a>,
    len: usize,
    failed: bool,
}

impl<'a> Ops<'a> {
    /// The records in `chunk`.
    pub fn new(chunk: &'a [u8]) -> Self {
        Self { reader: Reader::new(chunk), len: chunk.len(), failed: false }
    }
}

impl<'a> Iterator for Ops<'a> {
    type Item = Result<Op<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.reader.is_empty() {
            return None;
        }
        let at = self.len.saturating_sub(self.reader.len());
        let op = op(&mut self.reader);
        self.failed = op.is_none();
        Some(op.ok_or(Malformed { at }))
    }
}

fn op<'a>(reader: &mut Reader<'a>) -> Option<Op<'a>> {
    Some(match reader.u8()? {
        kind::PUBLISH => return publish(reader),
        kind::SETTLE => {
            let queue = reader.queue()?;
            Op::Settle { queue, ranges: Ranges(reader.pairs()?.iter()) }
        }
        kind::REQUEUE => {
            Op::Requeue { queue: reader.queue()?, position: reader.position()?, returns: reader.returns()? }
        }
        kind::QUEUE_GONE => Op::QueueGone { queue: reader.queue()? },
        kind::SEGMENT_STATE => Op::SegmentState {
            queue: reader.queue()?,
            segment: SegmentNumber(reader.u32()?),
            state: reader.segment_state()?,
        },
        kind::SEGMENT_GONE => {
            Op::SegmentGone { queue: reader.queue()?, segment: SegmentNumber(reader.u32()?) }
        }
        kind::REDELIVERED_BELOW => {
            Op::RedeliveredBelow { queue: reader.queue()?, position: reader.position()? }
        }
        kind::KEYS => {
            Op::Keys { queue: reader.queue()?, size: reader.u32()?, keys: KeyRecords(reader.keys()?.iter()) }
        }
        kind::DEFINE => {
            let (key_len, value_len) = (reader.u32()?, reader.u32()?);
            Op::Define { key: reader.take(key_len as usize)?, value: reader.take(value_len as usize)? }
        }
        kind::FORGET => {
            let key_len = reader.u32()?;
            Op::Forget { key: reader.take(key_len as usize)? }
        }
        kind::CHECKPOINTED => Op::Checkpointed { through: JournalFile(reader.u64()?) },
        kind::CLOSED => Op::Closed,
        _ => return None,
    })
}

/// Address length with marks, arrival, properties length, body length, whether it came back and how often, targets, message.
fn publish<'a>(reader: &mut Reader<'a>) -> Option<Op<'a>> {
    let address = reader.u16()?;
    let arrived = Time::from_millis(reader.u64()?);
    let (properties_len, body_len) = (reader.u32()?, reader.u32()?);
    let returns = if reader.u8()? == 0 { Returns::default() } else { reader.returns()? };
    let targets = Targets(reader.pairs()?.iter());
    let parts = marked_parts(address, properties_len, arrived);
    let head_len = usize::from(parts.address_len).checked_add(properties_len as usize)?;
    let message = reader.take(head_len.checked_add(body_len as usize)?)?;
    Some(Op::Publish { targets, returns, message, parts })
}

/// Two numbers of eight octets each.
type Pair = [u8; 16];

fn pair(pair: &Pair) -> (u64, u64) {
    let mut reader = Reader::new(pair);
    (reader.u64().unwrap_or_default(), reader.u64().unwrap_or_default())
}

/// The queues that a message entered, with its place in each.
#[derive(Clone, Debug)]
pub struct Targets<'a>(std::slice::Iter<'a, Pair>);

impl Iterator for Targets<'_> {
    type Item = (QueueId, Position);

    fn next(&mut self) -> Option<Self::Item> {
        let (queue, position) = pair(self.0.next()?);
        Some((QueueId::stored(queue), Position(position)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Targets<'_> {}

impl PartialEq for Targets<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice() == other.0.as_slice()
    }
}

impl Eq for Targets<'_> {}

/// A key, a position and a time, of sixteen, eight and eight octets.
type Key = [u8; 32];

/// Keys that a queue knows.
#[derive(Clone, Debug)]
pub struct KeyRecords<'a>(std::slice::Iter<'a, Key>);

impl Iterator for KeyRecords<'_> {
    type Item = KeyRecord;

    fn next(&mut self) -> Option<Self::Item> {
        Reader::new(self.0.next()?).key()
    }
}

impl PartialEq for KeyRecords<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice() == other.0.as_slice()
    }
}

impl Eq for KeyRecords<'_> {}

/// Whether this chunk is what the journal's last batch has of a broker that stopped in order, and nothing else.
pub fn is_close_mark(chunk: &[u8]) -> bool {
    let mut ops = Ops::new(chunk);
    ops.next() == Some(Ok(Op::Closed)) && ops.next().is_none()
}

/// Runs of positions: the first and the last of each.
#[derive(Clone, Debug)]
pub struct Ranges<'a>(std::slice::Iter<'a, Pair>);

impl Iterator for Ranges<'_> {
    type Item = (Position, Position);

    fn next(&mut self) -> Option<Self::Item> {
        let (from, to) = pair(self.0.next()?);
        Some((Position(from), Position(to)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Ranges<'_> {}

impl PartialEq for Ranges<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice() == other.0.as_slice()
    }
}

impl Eq for Ranges<'_> {}

#[cfg(test)]
mod tests;
