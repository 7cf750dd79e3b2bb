//! A run of ready messages in the order of their positions: a block that is read, blocks that wait in memory or on the
//! disk, and one that is being written.

mod expiry;
mod look;
pub(super) mod paging;

pub(super) use expiry::{Due, NextDue};

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use bytes::BytesMut;

use super::Entry;
use super::block::{Block, Packed, small};
use crate::message::Message;
use crate::place::{Home, Position};
use crate::queue::segments::Segments;
use crate::store::segment::block::{front_arrival, gap, push_record, record_len};
use crate::time::Time;

/// Messages larger than this are kept as they are; smaller ones are packed. Whoever assembles a message that is
/// larger gives it bytes of its own, so that it pins nothing else.
pub const PACKED_MAX_BYTES: usize = 8 * 1024;

/// The size of a full block of packed messages.
pub const BLOCK_MAX_BYTES: usize = 128 * 1024;
const BLOCK_MIN_BYTES: usize = 512;
/// The first block of a lane that has nothing else in memory takes no more.
const BLOCK_OF_PAGED_BYTES: u64 = 16 * 1024;
/// Blocks that are read ahead of the consumers, with the one that is needed next...
pub const AHEAD_BLOCKS: usize = 4;
/// ...as long as those before take no more than this together: a large message is a block of its own.
const AHEAD_MAX_BYTES: u64 = (AHEAD_BLOCKS * BLOCK_MAX_BYTES) as u64;
/// Of small blocks more are read ahead, up to this size together...
const AHEAD_BYTES: u64 = 256 * 1024;
/// ...and this number.
const AHEAD_BLOCKS_MAX: usize = 64;
/// With more places than this an emptied list of blocks gives its memory back.
const KEEP_PLACES: usize = 64;

/// No message has this position.
pub(super) const NOWHERE: Position = Position(u64::MAX);

pub(super) struct Lane {
    journalled: bool,
    /// The priority of its messages.
    level: u8,
    /// The position of the first message; [`NOWHERE`] when there is none.
    head: Position,
    /// Being read; in memory always, and never empty.
    front: Option<Packed>,
    blocks: VecDeque<Block>,
    open: Open,
    /// How many of the blocks are on the disk only.
    paged: usize,
    /// How many of these somebody was asked to read.
    asked: usize,
    /// What the sealed blocks take in memory, in bytes.
    memory: u64,
    /// The earliest deadlines of blocks, with the positions that these end with. A block may have gone since.
    deadlines: Deadlines,
    /// How far the block that was looked for last stood behind the place where it should have been.
    drift: isize,
}

/// When blocks are to be looked at, with the positions that they end with.
type Deadlines = BinaryHeap<Reverse<(Time, Position)>>;

/// Whether messages of several files of the journal may stand in one block.
///
/// A checkpoint writes the blocks of old files to the journal again, before what is appended after it has begun. With a block that
/// goes on to a newer file it would write messages there before the group that publishes them, which must be there as a whole or
/// not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mixing {
    /// They may: all of them are on the disk already.
    Files,
    /// Each file has blocks of its own.
    Never,
}

/// Still being written.
#[derive(Default)]
struct Open {
    records: BytesMut,
    head: Position,
    last: Position,
    count: u32,
    bytes: u32,
    home: Home,
    deadline: Time,
}

impl Open {
    /// When the first message arrived.
    fn first_arrival(&self) -> Option<Time> {
        if self.count > 0 { front_arrival(&self.records) } else { None }
    }

    fn freeze(&mut self) -> Packed {
        let records = self.records.split().freeze();
        let mut packed = Packed::new(self.head, self.last, self.home, (self.count, self.bytes), records);
        (self.count, self.bytes) = (0, 0);
        packed.deadline = self.deadline;
        packed
    }
}

impl Lane {
    pub(super) fn new(journalled: bool, level: u8) -> Self {
        Self {
            journalled,
            level,
            head: NOWHERE,
            front: None,
            blocks: VecDeque::new(),
            open: Open::default(),
            paged: 0,
            asked: 0,
            memory: 0,
            deadlines: BinaryHeap::new(),
            drift: 0,
        }
    }

    /// The position of the first message; [`NOWHERE`] when there is none.
    #[inline]
    pub(super) fn head(&self) -> Position {
        self.head
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head == NOWHERE
    }

    /// The position of the last message, if there is one.
    pub(super) fn last(&self) -> Option<Position> {
        if self.open.count > 0 {
            return Some(self.open.last);
        }
        self.blocks.back().map(Block::last).or(self.front.as_ref().map(|front| front.last))
    }

    pub(super) fn is_journalled(&self) -> bool {
        self.journalled
    }

    /// Whether the first message is on the disk only.
    pub(super) fn head_is_paged(&self) -> bool {
        self.front.is_none() && matches!(self.blocks.front(), Some(Block::Paged(_)))
    }

    pub(super) fn paged(&self) -> usize {
        self.paged
    }

    pub(super) fn memory(&self) -> u64 {
        self.memory.saturating_add(self.open.records.capacity() as u64)
    }

    /// The block that is being read.
    pub(super) fn front(&self) -> Option<&Packed> {
        self.front.as_ref()
    }

    pub(super) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter()
    }

    /// How many messages there are in each of its parts, with their bodies in bytes.
    pub(super) fn held(&self) -> impl Iterator<Item = (u64, u64)> {
        let of = |count: u32, bytes: u32| (u64::from(count), u64::from(bytes));
        let front = self.front.iter().map(move |front| of(front.count, front.bytes));
        let blocks = self.blocks.iter().map(move |block| of(block.count(), block.bytes()));
        front.chain(blocks).chain(std::iter::once(of(self.open.count, self.open.bytes)))
    }

    /// Appends a message behind all others. A block is made as large as what waits already, `waiting` bytes.
    pub(super) fn push(
        &mut self,
        position: Position,
        message: Message,
        home: Home,
        mixing: Mixing,
        waiting: u64,
    ) {
        if self.is_empty() {
            self.head = position;
        }
        if mixing == Mixing::Never && self.open.home != home {
            self.seal();
        }
        if message.len() > PACKED_MAX_BYTES {
            self.seal();
            let deadline = message.deadline();
            let mut single = Packed::single(position, message, home);
            single.deadline = deadline;
            return self.push_block(Block::Memory(Box::new(single)));
        }
        let record = record_len(&message);
        let open = &mut self.open;
        let has_room = open.records.capacity().saturating_sub(open.records.len()) >= record;
        let gap = if open.count == 0 { Some(0) } else { gap(open.last, position) };
        if !has_room || gap.is_none() {
            self.seal();
            // A short queue must stay small, a long one wants few blocks.
            // A long one of which little is in memory is to be as if it were short.
            let waiting = waiting.min(self.memory.max(BLOCK_OF_PAGED_BYTES));
            let waiting = usize::try_from(waiting).unwrap_or(usize::MAX);
            let capacity = waiting.clamp(BLOCK_MIN_BYTES, BLOCK_MAX_BYTES).max(record);
            self.open.records = BytesMut::with_capacity(capacity);
        }
        let open = &mut self.open;
        if open.count == 0 {
            (open.head, open.home) = (position, home);
            open.deadline = Time::NEVER;
        } else {
            open.home = earlier(open.home, home);
        }
        open.deadline = open.deadline.min(message.deadline());
        push_record(&mut open.records, gap.unwrap_or(0), &message);
        open.last = position;
        open.count = open.count.saturating_add(1);
        open.bytes = open.bytes.saturating_add(small(message.body_len()));
    }

    /// Nothing more is written to the block that was open.
    fn seal(&mut self) {
        if self.open.count > 0 {
            let sealed = self.open.freeze();
            self.push_block(Block::Memory(Box::new(sealed)));
        }
    }

    /// Appends a block behind all others.
    pub(super) fn push_block(&mut self, block: Block) {
        if self.is_empty() {
            self.head = block.head();
        }
        match &block {
            Block::Memory(packed) => self.memory = self.memory.saturating_add(u64::from(packed.weight)),
            Block::Paged(_) => self.paged = self.paged.saturating_add(1),
        }
        if block.deadline() != Time::NEVER {
            self.deadlines.push(Reverse((block.deadline(), block.last())));
        }
        self.blocks.push_back(block);
    }

    /// Takes the first message, as one of which no delivery was counted; nothing when it is not in memory.
    #[inline]
    pub(super) fn pop(&mut self, redelivered_below: Position, segments: &mut Segments) -> Option<Entry> {
        if self.front.is_none() {
            self.front = Some(self.next_front()?);
        }
        let front = self.front.as_mut()?;
        let (home, sought) = (front.home, front.sought);
        let Some((position, message)) = front.pop() else {
            self.finish_front(segments);
            return None;
        };
        if front.count > 0 {
            self.head = front.head;
        } else {
            self.finish_front(segments);
        }
        let redelivered = position < redelivered_below;
        let level = self.level;
        Some(Entry { home, redelivered, level, sought, ..Entry::new(position, message) })
    }

    /// The block in front is read to its end.
    #[cold]
    fn finish_front(&mut self, segments: &mut Segments) {
        if let Some(front) = self.front.take() {
            self.memory = self.memory.saturating_sub(u64::from(front.weight));
            if let Some(place) = front.place {
                segments.drop_block(place, front.count);
            }
        }
        self.find_head();
        if self.blocks.is_empty() && self.blocks.capacity() > KEEP_PLACES {
            self.blocks = VecDeque::new();
        }
    }

    fn find_head(&mut self) {
        self.head = match (&self.front, self.blocks.front()) {
            (Some(front), _) => front.head,
            (None, Some(block)) => block.head(),
            (None, None) if self.open.count > 0 => self.open.head,
            (None, None) => {
                // Its room would keep what was read from it from being freed.
                self.open.records = BytesMut::new();
                NOWHERE
            }
        };
    }

    /// The block that is to be read next; nothing when it is not in memory.
    #[cold]
    fn next_front(&mut self) -> Option<Packed> {
        if let Some(block) = self.blocks.pop_front_if(|block| matches!(block, Block::Memory(_))) {
            return match block {
                Block::Memory(packed) => Some(*packed),
                Block::Paged(_) => None,
            };
        }
        if self.open.count == 0 || !self.blocks.is_empty() {
            return None;
        }
        let front = self.open.freeze();
        if front.deadline != Time::NEVER {
            self.deadlines.push(Reverse((front.deadline, front.last)));
        }
        self.memory = self.memory.saturating_add(u64::from(front.weight));
        Some(front)
    }
}

/// The home that goes first: what has several is as durable as the one that is given up soonest.
fn earlier(one: Home, other: Home) -> Home {
    match (one, other) {
        (Home::Journal(one), Home::Journal(other)) => Home::Journal(one.min(other)),
        (one, _) => one,
    }
}
