//! What stands in a segment beside the payloads, as bytes: header, block headers, footer, trailer. Pure.

use std::fmt;
use std::path::PathBuf;

use bytes::{Buf, BufMut};

use crate::place::{Position, QueueId, SegmentNumber};
use crate::store::checksum::{checksum, extended};
use crate::store::stored::{BlockPlace, OutBlock, Standing};
use crate::time::Time;

/// The folder of the queues' folders.
pub const QUEUES_FOLDER: &str = "queue";

/// What the names of segments of transient messages end with.
pub const TRANSIENT_SUFFIX: &str = ".transient";

/// Length of the header in bytes: where the first block begins.
pub const HEADER_BYTES: u64 = 32;
/// Length of a block's header in bytes.
pub const BLOCK_HEAD_BYTES: u64 = 56;
/// Length of the trailer in bytes.
pub const TRAILER_BYTES: u64 = 24;

const MAGIC: &[u8; 8] = b"LVRTSEGM";
const BLOCK_MAGIC: u32 = u32::from_le_bytes(*b"BLCK");
const FOOTER_MAGIC: u32 = u32::from_le_bytes(*b"FOOT");
const TRAILER_MAGIC: u32 = u32::from_le_bytes(*b"TRAI");
const FORMAT: u32 = 1;
const FOOTER_HEAD_BYTES: usize = 8;
const FOOTER_ENTRY_BYTES: usize = 52;

/// Which segment of which queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SegmentId {
    /// The queue.
    pub queue: QueueId,
    /// The segment's number among those of its kind.
    pub number: SegmentNumber,
    /// Whether it is one of journalled messages; one of transient messages ends with the broker.
    pub journalled: bool,
}

impl SegmentId {
    /// The folder of a queue's segments.
    pub fn folder(queue: QueueId) -> PathBuf {
        PathBuf::from(QUEUES_FOLDER).join(queue.to_string())
    }

    /// The name of its file.
    pub fn name(self) -> String {
        let suffix = if self.journalled { "" } else { TRANSIENT_SUFFIX };
        format!("{}{suffix}", self.number.0)
    }

    /// Its file, from the data directory.
    pub fn path(self) -> PathBuf {
        Self::folder(self.queue).join(self.name())
    }

    /// The segment of this queue that has a file of this name.
    pub fn named(queue: QueueId, name: &str) -> Option<Self> {
        let (number, journalled) = match name.strip_suffix(TRANSIENT_SUFFIX) {
            Some(number) => (number, false),
            None => (name, true),
        };
        let id = Self { queue, number: SegmentNumber(number.parse().ok()?), journalled };
        (id.name() == name).then_some(id)
    }

    fn identity(self) -> u32 {
        let mut bytes = Vec::with_capacity(16);
        bytes.put_u64_le(self.queue.number());
        bytes.put_u32_le(self.number.0);
        bytes.put_u32_le(u32::from(self.journalled));
        checksum(&bytes)
    }

    /// The header of its file.
    pub fn header(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(32);
        bytes.put_slice(MAGIC);
        bytes.put_u32_le(FORMAT);
        bytes.put_u64_le(self.queue.number());
        bytes.put_u32_le(self.number.0);
        bytes.put_u32_le(u32::from(self.journalled));
        seal(self.identity(), bytes)
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path().display().fmt(f)
    }
}

/// A block of a segment: where it lies and what its messages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockEntry {
    /// Where its payload lies.
    pub place: BlockPlace,
    /// The position of the first message.
    pub first: Position,
    /// The position of the last message.
    pub last: Position,
    /// How many messages there are.
    pub count: u32,
    /// How they wait.
    pub standing: Standing,
}

impl BlockEntry {
    /// The block `index` of a segment, with its header at `offset`; nothing when it is too large for one.
    pub fn new(id: SegmentId, index: u32, offset: u64, block: &OutBlock) -> Option<Self> {
        let place = BlockPlace {
            segment: id.number,
            journalled: id.journalled,
            index,
            offset: offset.checked_add(BLOCK_HEAD_BYTES)?,
            len: u32::try_from(block.bytes.len()).ok()?,
            crc: checksum(&block.bytes),
        };
        Some(Self {
            place,
            first: block.first,
            last: block.last,
            count: block.count,
            standing: block.standing,
        })
    }

    /// Where the block ends, in bytes from the start of the file.
    pub fn end(&self) -> u64 {
        self.place.offset.saturating_add(u64::from(self.place.len))
    }

    /// The header that stands before its payload.
    pub fn header(&self, id: SegmentId) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(56);
        bytes.put_u32_le(BLOCK_MAGIC);
        bytes.put_u32_le(self.place.index);
        bytes.put_u64_le(self.first.0);
        bytes.put_u64_le(self.last.0);
        bytes.put_u32_le(self.count);
        put_standing(&mut bytes, self.standing);
        bytes.put_u32_le(self.place.len);
        bytes.put_u32_le(self.place.crc);
        seal(extended(id.identity(), &self.place.offset.to_le_bytes()), bytes)
    }

    /// Reads the header of a block that stands at `offset`; nothing when there is none.
    pub fn parse(id: SegmentId, offset: u64, bytes: &[u8]) -> Option<Self> {
        let payload = offset.checked_add(BLOCK_HEAD_BYTES)?;
        let mut bytes = unseal(extended(id.identity(), &payload.to_le_bytes()), bytes)?;
        if bytes.try_get_u32_le().ok()? != BLOCK_MAGIC {
            return None;
        }
        let index = bytes.try_get_u32_le().ok()?;
        let first = Position(bytes.try_get_u64_le().ok()?);
        let last = Position(bytes.try_get_u64_le().ok()?);
        let count = bytes.try_get_u32_le().ok()?;
        let standing = take_standing(&mut bytes)?;
        let len = bytes.try_get_u32_le().ok()?;
        let crc = bytes.try_get_u32_le().ok()?;
        let place =
            BlockPlace { segment: id.number, journalled: id.journalled, index, offset: payload, len, crc };
        Some(Self { place, first, last, count, standing })
    }
}

/// The deadline in the lower seven octets, all ones when there is none, their highest bit when it is the time of
/// messages that wait for theirs, and the level above; then the size.
fn put_standing(into: &mut Vec<u8>, standing: Standing) {
    let deadline = standing.deadline.as_millis();
    let deadline = if standing.waits { deadline.min(WAITS - 2) | WAITS } else { deadline.min(NO_DEADLINE) };
    into.put_u64_le(u64::from(standing.level) << 56 | deadline);
    into.put_u64_le(standing.bytes);
}

fn take_standing(from: &mut &[u8]) -> Option<Standing> {
    let number = from.try_get_u64_le().ok()?;
    let deadline = number & NO_DEADLINE;
    let waits = deadline != NO_DEADLINE && deadline & WAITS != 0;
    Some(Standing {
        level: u8::try_from(number >> 56).unwrap_or(u8::MAX),
        waits,
        deadline: match deadline {
            NO_DEADLINE => Time::NEVER,
            deadline if waits => Time::from_millis(deadline & !WAITS),
            deadline => Time::from_millis(deadline),
        },
        bytes: from.try_get_u64_le().ok()?,
    })
}

const NO_DEADLINE: u64 = (1 << 56) - 1;
const WAITS: u64 = 1 << 55;

/// The footer that lists these blocks, and the trailer behind it, for a footer that stands at `offset`.
pub fn footer(id: SegmentId, offset: u64, blocks: &[BlockEntry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FOOTER_HEAD_BYTES + FOOTER_ENTRY_BYTES * blocks.len() + 32);
    bytes.put_u32_le(FOOTER_MAGIC);
    bytes.put_u32_le(u32::try_from(blocks.len()).unwrap_or(u32::MAX));
    for block in blocks {
        bytes.put_u64_le(block.place.offset);
        bytes.put_u64_le(block.first.0);
        bytes.put_u64_le(block.last.0);
        bytes.put_u32_le(block.count);
        put_standing(&mut bytes, block.standing);
        bytes.put_u32_le(block.place.len);
        bytes.put_u32_le(block.place.crc);
    }
    let (len, crc) = (bytes.len(), extended(id.identity(), &bytes));
    let mut trailer = Vec::with_capacity(24);
    trailer.put_u64_le(offset);
    trailer.put_u32_le(u32::try_from(len).unwrap_or(u32::MAX));
    trailer.put_u32_le(crc);
    trailer.put_u32_le(TRAILER_MAGIC);
    bytes.extend(seal(id.identity(), trailer));
    bytes
}

/// Where the footer stands, by the trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// In bytes from the start of the file.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u32,
    crc: u32,
}

impl Trailer {
    /// Reads a trailer; nothing when it is none of this segment.
    pub fn parse(id: SegmentId, bytes: &[u8]) -> Option<Self> {
        let mut bytes = unseal(id.identity(), bytes)?;
        let offset = bytes.try_get_u64_le().ok()?;
        let len = bytes.try_get_u32_le().ok()?;
        let crc = bytes.try_get_u32_le().ok()?;
        (bytes.try_get_u32_le().ok()? == TRAILER_MAGIC).then_some(Self { offset, len, crc })
    }

    /// Reads the footer that it is about; nothing when that is damaged.
    pub fn blocks(self, id: SegmentId, footer: &[u8]) -> Option<Vec<BlockEntry>> {
        let mut bytes = footer;
        if extended(id.identity(), bytes) != self.crc || bytes.try_get_u32_le().ok()? != FOOTER_MAGIC {
            return None;
        }
        let count = bytes.try_get_u32_le().ok()?;
        if bytes.len() != (count as usize).checked_mul(FOOTER_ENTRY_BYTES)? {
            return None;
        }
        let entry = |index| {
            let offset = bytes.try_get_u64_le().ok()?;
            let first = Position(bytes.try_get_u64_le().ok()?);
            let last = Position(bytes.try_get_u64_le().ok()?);
            let count = bytes.try_get_u32_le().ok()?;
            let standing = take_standing(&mut bytes)?;
            let len = bytes.try_get_u32_le().ok()?;
            let crc = bytes.try_get_u32_le().ok()?;
            let place = BlockPlace { segment: id.number, journalled: id.journalled, index, offset, len, crc };
            Some(BlockEntry { place, first, last, count, standing })
        };
        (0..count).map(entry).collect()
    }
}

/// How long a footer is that begins with these 8 bytes, in bytes; nothing when they begin none.
pub fn footer_len(head: &[u8]) -> Option<u32> {
    let mut head = head;
    if head.try_get_u32_le().ok()? != FOOTER_MAGIC {
        return None;
    }
    let blocks = head.try_get_u32_le().ok()? as usize;
    u32::try_from(blocks.checked_mul(FOOTER_ENTRY_BYTES)?.checked_add(FOOTER_HEAD_BYTES)?).ok()
}

fn seal(seed: u32, mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = extended(seed, &bytes);
    bytes.put_u32_le(crc);
    bytes
}

fn unseal(seed: u32, bytes: &[u8]) -> Option<&[u8]> {
    let (bytes, crc) = bytes.split_last_chunk::<4>()?;
    (u32::from_le_bytes(*crc) == extended(seed, bytes)).then_some(bytes)
}
