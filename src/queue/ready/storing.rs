//! What the store asks of the ready messages, and tells them.

use bytes::{Bytes, BytesMut};

use super::alive::AliveInSegment;
use super::lane::Lane;
use super::{BLOCK_MAX_BYTES, Entry, Paged, Position, Ready};
use crate::place::{Home, JournalFile, SegmentNumber};
use crate::store::segment::block::{gap, push_record, record_len};
use crate::store::stored::{BlockPlace, Damage, OutBlock, Standing};

impl Ready {
    /// Blocks that may leave memory, but none of the first `keep` of a lane; see
    /// [`Stored::outgoing`](crate::store::stored::Stored::outgoing).
    pub fn outgoing(&mut self, keep: usize, bytes_max: usize) -> Vec<OutBlock> {
        let mut out = Vec::new();
        let mut left = bytes_max as u64;
        let counts = std::mem::take(&mut self.counts);
        for lane in self.lanes_mut() {
            left = left.saturating_sub(lane.outgoing(keep, left, &counts, &mut out));
        }
        self.counts = counts;
        out
    }

    /// Nobody takes messages: all may leave memory.
    pub fn rest(&mut self) {
        self.lanes_mut().for_each(Lane::rest);
    }

    /// Blocks whose record is in this file of the journal or one before it; returned messages are left out.
    pub fn alive_through(&mut self, through: JournalFile, out: &mut Vec<OutBlock>) {
        let counts = std::mem::take(&mut self.counts);
        for lane in self.lanes_mut().filter(|lane| lane.is_journalled()) {
            lane.alive_through(through, &counts, out);
        }
        self.counts = counts;
    }

    /// The messages that came back, in order.
    pub(in crate::queue) fn returned(&self) -> impl Iterator<Item = &Entry> {
        self.levels().flat_map(|level| level.returned.values())
    }

    /// Those returned messages that `wanted` says yes to are to be found by their positions when they are taken.
    pub(in crate::queue) fn seek_returned(&mut self, wanted: impl Fn(&Entry) -> bool) {
        let returned = self.levels_mut().flat_map(|level| level.returned.values_mut());
        for entry in returned.filter(|entry| wanted(entry)) {
            entry.sought = true;
        }
    }

    /// The returned message at this place.
    pub(in crate::queue) fn returned_mut(&mut self, position: Position) -> Option<&mut Entry> {
        self.levels_mut().find_map(|level| level.returned.get_mut(&position))
    }

    /// What of `block` waits in a lane is at `place`. Gives how many messages that are and where the first is; the others
    /// were taken since, or came back.
    pub fn stored(&mut self, block: &OutBlock, place: BlockPlace, evict: bool) -> Option<(u32, Position)> {
        let what = (block.first, block.last, block.count);
        let mut segments = std::mem::take(&mut self.segments);
        let mut lanes = self.lanes_mut().filter(|lane| lane.is_journalled() == block.journalled);
        let here = lanes.find_map(|lane| lane.stored(what, place, evict, &mut segments));
        drop(lanes);
        self.segments = segments;
        here
    }

    /// What of `block` waits in a lane was written to this file of the journal again; see [`Self::stored`].
    pub fn carried(&mut self, block: &OutBlock, file: JournalFile) -> Option<(u32, Position)> {
        let mut lanes = self.lanes_mut().filter(|lane| lane.is_journalled());
        lanes.find_map(|lane| lane.carried(block.last, file))
    }

    /// A block was read, or cannot be. What is wrong with it leaves the queue: `Err` has the number of messages.
    pub fn loaded(&mut self, place: BlockPlace, bytes: Result<&Bytes, &Damage>) -> Result<(), (u64, Damage)> {
        let mut segments = std::mem::take(&mut self.segments);
        let mut lanes = self.lanes_mut().filter(|lane| lane.is_journalled() == place.journalled);
        let outcome = lanes.find_map(|lane| lane.loaded(place, bytes, &mut segments));
        drop(lanes);
        self.segments = segments;
        self.tidy();
        match outcome {
            None => Ok(()),
            Some(Ok(fewer)) => {
                self.fewer(fewer);
                Ok(())
            }
            Some(Err((fewer, damage))) => {
                let count = fewer.count;
                self.fewer(fewer);
                Err((count, damage))
            }
        }
    }

    /// A block that waited for its time cannot be read: it is not settled.
    pub(in crate::queue) fn note_damaged(&mut self, paged: Paged) {
        self.damaged.push(paged);
    }

    /// What of a journalled segment is alive among the ready messages.
    pub(in crate::queue) fn alive_in(&self, segment: SegmentNumber) -> AliveInSegment<'_> {
        let mut alive = AliveInSegment::new(segment, &self.counts);
        for lane in self.lanes().filter(|lane| lane.is_journalled()) {
            if let Some(front) = lane.front() {
                alive.front(front);
            }
            for block in lane.blocks() {
                alive.block(block);
            }
        }
        // What cannot be read is not settled: nothing is to say that its file may go.
        for paged in &self.damaged {
            alive.paged(paged);
        }
        for entry in self.returned() {
            alive.entry(entry);
        }
        alive
    }
}

/// So many bytes of messages with times near to each other make a block. Tests have small blocks.
const NEAR_MAX_BYTES: usize = if cfg!(test) { 2048 } else { BLOCK_MAX_BYTES };

/// Packs single messages into blocks of their own: those that are to be ready in the order of their positions, those that
/// wait for their times (`true`) with others whose times are near.
pub(in crate::queue) fn pack<'e>(entries: impl IntoIterator<Item = (&'e Entry, bool)>) -> Vec<OutBlock> {
    let (mut waiting, mut others): (Vec<&Entry>, Vec<&Entry>) = (Vec::new(), Vec::new());
    for (entry, waits) in entries {
        if waits { waiting.push(entry) } else { others.push(entry) }
    }
    let mut packing = Packing::default();
    others.sort_unstable_by_key(|entry| entry.position);
    for entry in others {
        packing.push(entry, false);
    }
    waiting.sort_unstable_by_key(|entry| (entry.level, entry.returns.due, entry.position));
    let mut rest = &mut *waiting;
    while !rest.is_empty() {
        packing.finish();
        let mut bytes = 0_usize;
        let fits = |entry: &&&Entry| {
            bytes = bytes.saturating_add(record_len(&entry.message));
            bytes <= NEAR_MAX_BYTES
        };
        let count = rest.iter().take_while(fits).count().clamp(1, rest.len());
        let (near, others) = rest.split_at_mut(count);
        near.sort_unstable_by_key(|entry| (entry.level, entry.position));
        for entry in near {
            packing.push(entry, true);
        }
        rest = others;
    }
    packing.finish();
    packing.blocks
}

/// Blocks, of which one is being filled while there are records.
#[derive(Default)]
struct Packing {
    blocks: Vec<OutBlock>,
    records: BytesMut,
}

impl Packing {
    fn push(&mut self, entry: &Entry, waits: bool) {
        let (position, message) = (entry.position, &entry.message);
        let fits = self.records.len().saturating_add(record_len(message)) <= BLOCK_MAX_BYTES;
        let open = self.blocks.last().filter(|_| fits && !self.records.is_empty());
        let before =
            open.filter(|block| block.standing.level == entry.level && block.standing.waits == waits);
        let gap = before.and_then(|block| gap(block.last, position));
        if gap.is_none() {
            self.finish();
            self.blocks.push(OutBlock {
                first: position,
                last: position,
                count: 0,
                bytes: Bytes::new(),
                returns: Vec::new(),
                journalled: entry.home.is_journalled(),
                file: entry.home.file(),
                leaves: Vec::new(),
                standing: Standing { level: entry.level, waits, ..Standing::default() },
            });
        }
        push_record(&mut self.records, gap.unwrap_or(0), message);
        if let Some(block) = self.blocks.last_mut() {
            block.last = position;
            block.file = block.file.min(entry.home.file());
            let deadline = if waits { entry.returns.due } else { message.deadline() };
            block.standing.deadline = block.standing.deadline.min(deadline);
            block.standing.bytes = block.standing.bytes.saturating_add(message.body_len() as u64);
            block.count = block.count.saturating_add(1);
            if let Home::Segment { segment, .. } = entry.home
                && !block.leaves.contains(&segment)
            {
                block.leaves.push(segment);
            }
            if !entry.returns.is_none() {
                block.returns.push((position, entry.returns));
            }
        }
    }

    /// Nothing more goes to the block that was filled.
    fn finish(&mut self) {
        if let Some(block) = self.blocks.last_mut().filter(|_| !self.records.is_empty()) {
            block.bytes = self.records.split().freeze();
        }
    }
}
