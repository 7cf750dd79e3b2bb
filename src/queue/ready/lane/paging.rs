//! What the store does with a lane: it takes blocks to the disk, says where they are, and brings them back.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::super::block::{AliveSet, Block, PART, Packed, Paged};
use super::{AHEAD_BLOCKS, AHEAD_BLOCKS_MAX, AHEAD_BYTES, AHEAD_MAX_BYTES, Deadlines, Lane};
use crate::place::{Home, JournalFile, Position};
use crate::queue::segments::Segments;
use crate::store::stored::{BlockPlace, Damage, OutBlock, Returns, Standing};
use crate::time::Time;

/// How often those messages were delivered that came from an earlier broker.
pub(in crate::queue::ready) type Counts = BTreeMap<Position, Returns>;

/// What reading a block changed: how many messages, and bytes of them, there are fewer.
#[derive(Default)]
pub(in crate::queue::ready) struct Fewer {
    pub(in crate::queue::ready) count: u64,
    pub(in crate::queue::ready) bytes: u64,
    /// The block, if it cannot be read.
    pub(in crate::queue::ready) damaged: Option<Paged>,
}

impl Lane {
    /// Asks for the first blocks that are not in memory.
    pub(in crate::queue::ready) fn ask_ahead(&mut self, asks: &mut Vec<BlockPlace>) {
        if self.paged == self.asked {
            return;
        }
        let mut ahead = 0_u64;
        for (at, block) in self.blocks.iter_mut().enumerate() {
            let is_small = at < AHEAD_BLOCKS_MAX && ahead <= AHEAD_BYTES;
            if !is_small && !is_near(at, AHEAD_BLOCKS, ahead) {
                return;
            }
            ahead = ahead.saturating_add(u64::from(block.bytes()));
            if let Block::Paged(paged) = block
                && !paged.asked
            {
                paged.asked = true;
                self.asked = self.asked.saturating_add(1);
                asks.push(paged.place);
            }
        }
    }

    /// A block was read, or cannot be. Nothing when it is not waited for here.
    pub(in crate::queue::ready) fn loaded(
        &mut self,
        place: BlockPlace,
        bytes: Result<&Bytes, &Damage>,
        segments: &mut Segments,
    ) -> Option<Result<Fewer, (Fewer, Damage)>> {
        let awaited =
            |block: &Block| matches!(block, Block::Paged(paged) if paged.asked && paged.place == place);
        let at = self.blocks.iter().position(awaited)?;
        let Some(Block::Paged(paged)) = self.blocks.get(at) else { return None };
        let loaded = bytes.map_err(Damage::clone).and_then(|bytes| paged.loaded(bytes));
        self.asked = self.asked.saturating_sub(1);
        self.paged = self.paged.saturating_sub(1);
        let (before, before_bytes) = (u64::from(paged.count), u64::from(paged.bytes));
        let outcome = match loaded {
            Ok(packed) => {
                let fewer = Fewer {
                    count: before.saturating_sub(u64::from(packed.count)),
                    bytes: before_bytes.saturating_sub(u64::from(packed.bytes)),
                    damaged: None,
                };
                segments.drop_messages(place, fewer.count);
                if packed.count == 0 {
                    segments.drop_block(place, 0);
                    self.blocks.remove(at);
                } else if let Some(block) = self.blocks.get_mut(at) {
                    if packed.deadline != Time::NEVER {
                        self.deadlines.push(Reverse((packed.deadline, packed.last)));
                    }
                    self.memory = self.memory.saturating_add(u64::from(packed.weight));
                    *block = Block::Memory(Box::new(packed));
                }
                Ok(fewer)
            }
            Err(damage) => {
                let damaged = match self.blocks.remove(at) {
                    Some(Block::Paged(paged)) => Some(paged),
                    Some(Block::Memory(_)) | None => None,
                };
                Err((Fewer { count: before, bytes: before_bytes, damaged }, damage))
            }
        };
        self.find_head();
        Some(outcome)
    }

    /// Blocks that may leave memory, but none of the first `keep`, of about `bytes_max` bytes. Those that are stored
    /// already leave at once.
    pub(in crate::queue::ready) fn outgoing(
        &mut self,
        keep: usize,
        bytes_max: u64,
        counts: &Counts,
        out: &mut Vec<OutBlock>,
    ) -> u64 {
        let (mut taken, mut kept) = (0_u64, 0_u64);
        let noted_max = self.noted_max();
        let keep = keep.saturating_sub(usize::from(self.front.is_some()));
        for (at, block) in self.blocks.iter_mut().enumerate() {
            if is_near(at, keep, kept) {
                kept = kept.saturating_add(u64::from(block.bytes()));
                continue;
            }
            if taken >= bytes_max {
                break;
            }
            let Block::Memory(packed) = block else { continue };
            taken = taken.saturating_add(u64::from(packed.weight));
            if let Some(paged) = packed.paged(noted_max) {
                self.memory = self.memory.saturating_sub(u64::from(packed.weight));
                self.paged = self.paged.saturating_add(1);
                *block = Block::Paged(paged);
            } else {
                let kind = (self.journalled, self.level);
                out.push(out_block(packed, kind, counts, &mut self.deadlines));
            }
        }
        taken
    }

    /// Nothing is being filled, and nothing read that is not on the disk.
    pub(in crate::queue::ready) fn rest(&mut self) {
        self.seal();
        // Its room would keep what leaves memory from being freed.
        self.open.records = BytesMut::new();
        if let Some(front) = self.front.take_if(|front| front.place.is_none()) {
            self.blocks.push_front(Block::Memory(Box::new(front)));
        }
    }

    /// Everything whose record is in this file of the journal or one before it.
    pub(in crate::queue::ready) fn alive_through(
        &mut self,
        through: JournalFile,
        counts: &Counts,
        out: &mut Vec<OutBlock>,
    ) {
        if is_through(self.open.home, through) {
            self.seal();
        }
        let blocks = self.blocks.iter_mut().filter_map(|block| match block {
            Block::Memory(packed) => Some(&mut **packed),
            Block::Paged(_) => None,
        });
        for packed in self.front.iter_mut().chain(blocks) {
            if is_through(packed.home, through) {
                let kind = (self.journalled, self.level);
                out.push(out_block(packed, kind, counts, &mut self.deadlines));
            }
        }
    }

    /// The block that ends with `last` is stored at `place`, beginning with `first`, `total` messages in all. Gives how
    /// many of them are still here, and the position of the first of these.
    pub(in crate::queue::ready) fn stored(
        &mut self,
        (first, last, total): (Position, Position, u32),
        place: BlockPlace,
        evict: bool,
        segments: &mut Segments,
    ) -> Option<(u32, Position)> {
        if let Some(front) = self.front.as_mut().filter(|front| front.last == last) {
            re_place(front, (first, total), place, segments);
            return Some((front.count, taken_below(front.head, front.alive.as_deref())));
        }
        let noted_max = self.noted_max();
        let at = self.blocks.partition_point(|block| block.last() < last);
        let block = self.blocks.get_mut(at).filter(|block| block.last() == last)?;
        let here = (block.count(), taken_below(block.head(), block.alive()));
        match block {
            Block::Memory(packed) => {
                re_place(packed, (first, total), place, segments);
                if evict && let Some(paged) = packed.paged(noted_max) {
                    self.memory = self.memory.saturating_sub(u64::from(packed.weight));
                    self.paged = self.paged.saturating_add(1);
                    *block = Block::Paged(paged);
                }
            }
            Block::Paged(paged) => {
                segments.drop_block(paged.place, paged.count);
                segments.add_block(place, paged.count);
                if paged.asked {
                    // What comes from the old place is not waited for any more.
                    self.asked = self.asked.saturating_sub(1);
                }
                if paged.deadline != Time::NEVER {
                    self.deadlines.push(Reverse((paged.deadline, paged.last)));
                }
                (paged.first, paged.total, paged.place, paged.asked) = (first, total, place, false);
            }
        }
        Some(here)
    }

    /// The block that ends with `last` was written to this file of the journal again; see [`Self::stored`].
    pub(in crate::queue::ready) fn carried(
        &mut self,
        last: Position,
        file: JournalFile,
    ) -> Option<(u32, Position)> {
        let at = self.blocks.partition_point(|block| block.last() < last);
        let front = self.front.as_mut().filter(|front| front.last == last);
        let packed = match (front, self.blocks.get_mut(at)) {
            (Some(front), _) => front,
            (None, Some(Block::Memory(packed))) if packed.last == last => packed,
            (None, Some(Block::Paged(paged))) if paged.last == last => {
                return Some((paged.count, taken_below(paged.head(), paged.alive.as_deref())));
            }
            (None, _) => return None,
        };
        (packed.sought, packed.given_out) = (false, false);
        if matches!(packed.home, Home::Journal(_)) {
            packed.home = Home::Journal(file);
        }
        Some((packed.count, taken_below(packed.head, packed.alive.as_deref())))
    }

    /// What a lane needs of segments, when it is dropped.
    pub(in crate::queue::ready) fn release(&self, segments: &mut Segments) {
        for block in &self.blocks {
            if let Some(place) = block.place() {
                segments.drop_block(place, block.count());
            }
        }
        if let Some((place, count)) = self.front.as_ref().and_then(|front| Some((front.place?, front.count)))
        {
            segments.drop_block(place, count);
        }
    }
}

/// Whether a block is so near to the head that it is kept in memory: it is one of the first `keep`, and those before it
/// have no more than so many bytes.
fn is_near(at: usize, keep: usize, before_bytes: u64) -> bool {
    at < keep && before_bytes <= AHEAD_MAX_BYTES
}

fn out_block(
    packed: &mut Packed,
    (journalled, level): (bool, u8),
    counts: &Counts,
    deadlines: &mut Deadlines,
) -> OutBlock {
    if packed.close_gaps() && packed.deadline != Time::NEVER {
        deadlines.push(Reverse((packed.deadline, packed.last)));
    }
    (packed.sought, packed.given_out) = (journalled, true);
    let range = packed.head..=packed.last;
    OutBlock {
        first: packed.head,
        last: packed.last,
        count: packed.count,
        bytes: packed.records(),
        returns: counts.range(range).map(|(position, count)| (*position, *count)).collect(),
        journalled,
        file: packed.home.file(),
        leaves: Vec::new(),
        standing: Standing { level, waits: false, deadline: packed.deadline, bytes: u64::from(packed.bytes) },
    }
}

/// Below which position messages of a block have been taken from it: anywhere, when some of it are alive and others not.
fn taken_below(head: Position, alive: Option<&AliveSet>) -> Position {
    if alive.is_none() { head } else { Position(u64::MAX) }
}

fn re_place(
    packed: &mut Packed,
    (first, total): (Position, u32),
    place: BlockPlace,
    segments: &mut Segments,
) {
    if let Some(before) = packed.place {
        segments.drop_block(before, packed.count);
    }
    segments.add_block(place, packed.count);
    packed.home = place.home();
    packed.place = Some(place);
    packed.first = first;
    packed.total = if packed.alive.is_none() { total } else { PART };
    (packed.sought, packed.given_out) = (false, false);
}

/// Whether a message's record is in this file of the journal or one before it.
pub(in crate::queue) fn is_through(home: Home, through: JournalFile) -> bool {
    matches!(home, Home::Journal(file) if file <= through)
}
