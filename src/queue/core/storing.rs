//! What the store asks of a queue, and tells it; and what an earlier broker left in it.

use bytes::Bytes;

use super::QueueCore;
use crate::message::Message;
use crate::place::{Home, JournalFile, Position, SegmentNumber};
use crate::queue::ready::{AHEAD_BLOCKS, BLOCK_MAX_BYTES, Entry, RestoredBlock, is_through, pack};
#[cfg(test)]
use crate::queue::unacked::Holder;
use crate::store::segment::block::Records;
use crate::store::stored::{BlockPlace, Damage, OutBlock, Returns, SegmentState};

/// No more bytes than these wait for their times before some leave memory: small writes are for when nobody can make a large
/// one. Tests have little.
const WAITING_KEPT_BYTES: u64 = if cfg!(test) { 512 } else { 4 * BLOCK_MAX_BYTES as u64 };

impl QueueCore {
    /// What the blocks of ready messages take in memory, in bytes, what is parked, and what waits for its time.
    pub fn memory(&self) -> u64 {
        let parked = self.groups.as_ref().map_or(0, |groups| groups.memory());
        self.ready.memory().saturating_add(parked).saturating_add(self.unacked.waiting_memory())
    }

    /// What the unacked messages take in memory, in bytes, about.
    pub fn unacked_memory(&self) -> u64 {
        self.unacked.memory()
    }

    /// Whether there is something for the store to do.
    pub fn asks(&self) -> bool {
        !self.loads.is_empty() || self.ready.segments.any_dead()
    }

    /// Blocks that are to be read; each is asked for once.
    pub fn take_loads(&mut self) -> Vec<BlockPlace> {
        std::mem::take(&mut self.loads)
    }

    /// Segments that nothing is needed of any more.
    pub fn take_dead_segments(&mut self) -> Vec<(SegmentNumber, bool)> {
        self.ready.segments.take_dead()
    }

    /// See [`Stored::outgoing`](crate::store::stored::Stored::outgoing).
    pub fn outgoing(&mut self, keep: usize, bytes_max: usize) -> Vec<OutBlock> {
        // What is read ahead would be read again.
        let keep = if self.consumers.is_empty() { keep } else { keep.max(AHEAD_BLOCKS) };
        let blocks = self.ready.outgoing(keep, bytes_max);
        self.with_waiting(blocks, bytes_max, WAITING_KEPT_BYTES)
    }

    /// See [`Stored::idle_memory`](crate::store::stored::Stored::idle_memory).
    pub fn idle_memory(&self) -> u64 {
        if self.consumers.is_empty() { self.memory() } else { 0 }
    }

    /// See [`Stored::outgoing_idle`](crate::store::stored::Stored::outgoing_idle).
    pub fn outgoing_idle(&mut self, bytes_max: usize) -> Vec<OutBlock> {
        if !self.consumers.is_empty() {
            return Vec::new();
        }
        self.ready.rest();
        let blocks = self.ready.outgoing(0, bytes_max);
        self.with_waiting(blocks, bytes_max, 0)
    }

    /// See [`Stored::alive_through`](crate::store::stored::Stored::alive_through).
    pub fn alive_through(&mut self, through: JournalFile) -> Vec<OutBlock> {
        let mut blocks = Vec::new();
        self.ready.alive_through(through, &mut blocks);
        blocks.extend(self.single(|entry| is_through(entry.home, through)));
        blocks
    }

    /// See [`Stored::stragglers`](crate::store::stored::Stored::stragglers).
    pub fn stragglers(&mut self, segment: SegmentNumber) -> Vec<OutBlock> {
        if !self.uses_segment(segment, true) || self.ready.segments.has_blocks(segment, true) {
            return Vec::new();
        }
        self.single(|entry| matches!(entry.home, Home::Segment { segment: of, .. } if of == segment))
    }

    /// Single messages in blocks of their own. They can be found from now on wherever they go.
    fn single(&mut self, wanted: impl Fn(&Entry) -> bool) -> Vec<OutBlock> {
        self.unacked.seek(&wanted);
        self.ready.seek_returned(&wanted);
        let unacked = self.unacked.iter_held().map(|(entry, holder)| (entry, holder.waits()));
        let returned = self.ready.returned().map(|entry| (entry, false));
        pack(unacked.chain(returned).filter(|(entry, _)| wanted(entry)))
    }

    /// The places of the ready messages that wait by themselves, and of those that are parked.
    #[cfg(test)]
    pub fn single_positions(&self) -> Vec<Position> {
        let parked = self.unacked.iter_held().filter(|(_, holder)| *holder == Holder::Parked);
        let parked = parked.map(|(entry, _)| entry.position);
        self.ready.returned().map(|entry| entry.position).chain(parked).collect()
    }

    /// See [`Stored::stored`](crate::store::stored::Stored::stored).
    pub fn stored(&mut self, block: &OutBlock, place: BlockPlace, evict: bool) {
        self.counting.wrote(u64::from(block.count));
        if evict && block.standing.waits {
            self.page(block, place);
            return self.ready.segments.check(place);
        }
        let here = self.ready.stored(block, place, evict);
        if block.journalled {
            let home = Home::Segment { segment: place.segment, block: place.index };
            self.move_taken(block, here, home);
        }
        self.ready.segments.check(place);
    }

    /// See [`Stored::carried`](crate::store::stored::Stored::carried).
    pub fn carried(&mut self, block: &OutBlock, file: JournalFile) {
        let here = self.ready.carried(block, file);
        self.move_taken(block, here, Home::Journal(file));
    }

    /// Those messages of a block that were taken from it since it was given out, or that it was made of, have another
    /// home.
    fn move_taken(&mut self, block: &OutBlock, here: Option<(u32, Position)>, home: Home) {
        let (waiting, head) = here.unwrap_or((0, Position(u64::MAX)));
        if waiting == block.count {
            return;
        }
        for (position, _) in Records::new(block.first, block.bytes.clone()) {
            if position >= head {
                return;
            }
            self.move_single(position, home);
        }
    }

    /// A message that waits by itself has another home.
    pub(super) fn move_single(&mut self, position: Position, home: Home) {
        let entry = match self.ready.returned_mut(position) {
            Some(entry) => Some(entry),
            None => self.unacked.found(position),
        };
        let Some(entry) = entry else { return };
        entry.sought = false;
        let before = std::mem::replace(&mut entry.home, home);
        self.ready.segments.enter(home);
        self.ready.segments.leave(before);
    }

    /// See [`Stored::segment_state`](crate::store::stored::Stored::segment_state).
    pub fn segment_state(&self, segment: SegmentNumber) -> Option<SegmentState> {
        if !self.uses_segment(segment, true) {
            return None;
        }
        let mut alive = self.ready.alive_in(segment);
        for entry in self.unacked.iter() {
            alive.entry(entry);
        }
        for block in self.scheduled.blocks_in(segment).chain(self.retrying.blocks_in(segment)) {
            alive.waiting(&block.paged, &block.returns);
        }
        alive.state()
    }

    /// Whether anything of a segment is needed.
    pub fn uses_segment(&self, segment: SegmentNumber, journalled: bool) -> bool {
        self.ready.segments.uses(segment, journalled)
    }

    /// A block was read. What cannot be read leaves the queue: `Err` has the number of messages. Follow with
    /// [`Self::deliver`].
    pub fn loaded(&mut self, place: BlockPlace, bytes: Result<&Bytes, &Damage>) -> Result<(), (u64, Damage)> {
        if let Ok(bytes) = bytes {
            self.counting.read(Records::new(Position::default(), bytes.clone()).count() as u64);
        }
        let waiting = self.loaded_waiting(place, bytes);
        // What is left of a block that an earlier broker had written may be ready in part, and wait in part.
        let ready = self.ready.loaded(place, bytes);
        match (ready, waiting) {
            (Err((ready, damage)), Err((waiting, _))) => Err((ready.saturating_add(waiting), damage)),
            (ready, waiting) => ready.and(waiting),
        }
    }

    /// What an earlier broker left: the position of the next message, below which position messages may have been
    /// delivered, blocks in segments, and how often messages in these were delivered. Before all else.
    pub fn restore(
        &mut self,
        next: Position,
        redelivered_below: Position,
        blocks: Vec<RestoredBlock>,
        returns: Vec<(Position, Returns)>,
    ) {
        self.next = self.next.max(next);
        self.ready.set_redelivered_below(redelivered_below);
        self.ready.restore(blocks, self.now);
        self.ready.restore_deliveries(returns);
    }

    /// A message that an earlier broker left in the journal.
    pub fn push_restored(&mut self, position: Position, returns: Returns, home: Home, message: Message) {
        self.next = self.next.max(position.next());
        let level = self.level(&message);
        // One that came back was out already: it came when nothing waited here, and what is counted of it stays.
        if returns.is_none()
            && let Some(due) = self.scheduled_at(&message)
        {
            return self.schedule(due, Entry { home, level, ..Entry::new(position, message.detached()) });
        }
        if returns.waits() {
            return self.retry_restored(position, returns, level, home, message);
        }
        self.ready.push_restored(level, position, returns, home, message);
    }
}
