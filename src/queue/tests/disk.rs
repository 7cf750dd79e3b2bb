//! A disk for one queue: a journal and segments that are written, read, damaged and lost only when a test says so, and
//! what a broker finds there when it starts again.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;

use super::Queue;
use crate::message::Message;
use crate::place::{Batch, JournalFile, Position, QueueId, SegmentNumber};
use crate::queue::ready::RestoredBlock;
use crate::store::budget::Budget;
use crate::store::handle::{Blocked, Pages};
use crate::store::op::{Group, Op, Ops};
use crate::store::positions::PositionSet;
use crate::store::segment::block::Records;
use crate::store::stored::{BlockPlace, OutBlock, Returns, SegmentState, Standing, Stored};

/// What a queue asked of its store.
pub(super) struct Requests {
    budget: Budget,
    pub(super) asked: Mutex<Asked>,
}

#[derive(Default)]
pub(super) struct Asked {
    pub(super) loads: Vec<BlockPlace>,
    pub(super) dead: Vec<(SegmentNumber, bool)>,
    pub(super) page_outs: usize,
    pub(super) searches: usize,
}

impl Requests {
    pub(super) fn new(budget: u64) -> Arc<Self> {
        Arc::new(Self { budget: Budget::new(budget), asked: Mutex::default() })
    }

    /// Whether a block is being read.
    pub(super) fn any_load(&self) -> bool {
        !self.asked.lock().unwrap().loads.is_empty()
    }
}

impl Pages for Requests {
    fn register(&self, _: QueueId, _: Weak<dyn Stored>) {}
    fn unregister(&self, _: QueueId) {}
    fn page_out(&self, _: QueueId) {
        self.asked.lock().unwrap().page_outs += 1;
    }
    fn search(&self) {
        self.asked.lock().unwrap().searches += 1;
    }
    fn load(&self, _: QueueId, place: BlockPlace) {
        let loads = &mut self.asked.lock().unwrap().loads;
        assert!(!loads.contains(&place), "asked for twice");
        loads.push(place);
    }
    fn read(&self, _: QueueId, _: BlockPlace) -> std::io::Result<Bytes> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn segments_dead(&self, _: QueueId, segments: Vec<(SegmentNumber, bool)>) {
        self.asked.lock().unwrap().dead.extend(segments);
    }
    fn queue_gone(&self, _: QueueId, _: Option<Batch>) {}
    fn budget(&self) -> &Budget {
        &self.budget
    }
    fn blocked(&self) -> Option<Blocked> {
        None
    }
}

/// A block in a segment.
#[derive(Clone)]
struct Block {
    first: Position,
    last: Position,
    bytes: Bytes,
    standing: Standing,
    /// What of it the queue may still take from here.
    alive: PositionSet,
}

/// A message in the journal.
struct Published {
    file: JournalFile,
    message: Message,
    returns: Returns,
}

#[derive(Default)]
pub(super) struct Disk {
    pub(super) file: JournalFile,
    published: BTreeMap<Position, Vec<Published>>,
    settled: Vec<(JournalFile, Position, Position)>,
    requeued: Vec<(JournalFile, Position, Returns)>,
    states: BTreeMap<SegmentNumber, (JournalFile, SegmentState)>,
    blocks: HashMap<BlockKey, Block>,
    /// The segment that is written and how many blocks it has: transient, journalled.
    open: [(u32, u32); 2],
}

/// Segment, whether it is journalled, block.
type BlockKey = (SegmentNumber, bool, u32);

const BLOCKS_OF_A_SEGMENT: u32 = 3;

fn key(place: BlockPlace) -> BlockKey {
    (place.segment, place.journalled, place.index)
}

impl Disk {
    /// The journal goes on in its next file.
    pub(super) fn next_file(&mut self) {
        self.file = JournalFile(self.file.0 + 1);
    }

    pub(super) fn published_in(
        &mut self,
        file: JournalFile,
        position: Position,
        message: &Message,
        returns: Returns,
    ) {
        let published = Published { file, message: message.clone(), returns };
        self.published.entry(position).or_default().push(published);
    }

    /// The records of a queue's call are appended.
    pub(super) fn append(&mut self, group: &Group) {
        for op in Ops::new(group.bytes()) {
            match op.unwrap() {
                Op::Settle { ranges, .. } => {
                    self.settled.extend(ranges.map(|(first, last)| (self.file, first, last)));
                }
                Op::Requeue { position, returns, .. } => {
                    self.requeued.push((self.file, position, returns));
                }
                Op::QueueGone { .. } => {}
                other => panic!("a queue does not write {other:?}"),
            }
        }
    }

    /// Writes a block and gives where it is.
    pub(super) fn write(&mut self, block: &OutBlock) -> BlockPlace {
        let (number, count) = &mut self.open[usize::from(block.journalled)];
        if *count == BLOCKS_OF_A_SEGMENT {
            (*number, *count) = (*number + 1, 0);
        }
        let place = BlockPlace {
            segment: SegmentNumber(*number),
            journalled: block.journalled,
            index: *count,
            offset: u64::from(*count) * 1000,
            len: u32::try_from(block.bytes.len()).unwrap(),
            crc: 0,
        };
        *count += 1;
        let positions = positions(block.first, &block.bytes);
        assert_eq!(u64::from(block.count), positions.count(), "a block's count");
        assert_eq!(positions.last(), Some(block.last));
        let (first, last, bytes) = (block.first, block.last, block.bytes.clone());
        self.blocks
            .insert(key(place), Block { first, last, bytes, alive: positions, standing: block.standing });
        place
    }

    pub(super) fn read(&self, place: BlockPlace) -> Bytes {
        self.blocks[&key(place)].bytes.clone()
    }

    pub(super) fn has(&self, place: BlockPlace) -> bool {
        self.blocks.contains_key(&key(place))
    }

    /// What of a block cannot be had when it cannot be read.
    pub(super) fn alive_in(&self, place: BlockPlace) -> PositionSet {
        self.blocks[&key(place)].alive.clone()
    }

    /// Segments that were reported dead are removed, unless something was written to them since.
    pub(super) fn remove(&mut self, queue: &Queue, dead: Vec<(SegmentNumber, bool)>) {
        for (segment, journalled) in dead {
            if queue.uses_segment(segment, journalled) {
                continue;
            }
            if journalled {
                assert_eq!(queue.segment_state(segment), None);
                self.states.remove(&segment);
            }
            self.blocks.retain(|(of, kind, _), _| (*of, *kind) != (segment, journalled));
            let (open, count) = &mut self.open[usize::from(journalled)];
            if *open == segment.0 && *count > 0 {
                (*open, *count) = (*open + 1, 0);
            }
        }
    }

    /// The segments that have blocks.
    pub(super) fn segments(&self) -> Vec<(SegmentNumber, bool)> {
        let mut segments: Vec<_> =
            self.blocks.keys().map(|(segment, journalled, _)| (*segment, *journalled)).collect();
        segments.sort_unstable();
        segments.dedup();
        segments
    }

    /// The end of a checkpoint: what stands only in files up to `through` is given up, since all that is alive of it is
    /// elsewhere.
    pub(super) fn release(&mut self, queue: &Queue, through: JournalFile) {
        let (number, count) = &mut self.open[1];
        if *count > 0 {
            (*number, *count) = (*number + 1, 0);
        }
        for (segment, journalled) in self.segments() {
            let recorded = self.states.get(&segment).is_some_and(|(file, _)| *file > through);
            if !journalled || recorded {
                continue;
            }
            match queue.segment_state(segment) {
                Some(state) => {
                    self.states.insert(segment, (self.file, state));
                }
                None => self.remove(queue, vec![(segment, true)]),
            }
        }
        for published in self.published.values_mut() {
            published.retain(|published| published.file > through);
        }
        self.settled.retain(|(file, ..)| *file > through);
        self.requeued.retain(|(file, ..)| *file > through);
    }

    /// The broker is gone. Fills the queue of the next one, and gives the positions that are in it.
    pub(super) fn restore(&mut self, queue: &Queue, next: Position) -> PositionSet {
        self.next_file();
        let mut gone = PositionSet::default();
        for (_, first, last) in &self.settled {
            gone.insert_range(*first, *last);
        }
        let registered = &self.states;
        self.blocks.retain(|(segment, journalled, _), _| *journalled && registered.contains_key(segment));
        self.open = self.open.map(|(number, _)| (number + 1, 0));
        let (mut all, mut found_blocks, mut returns) = (PositionSet::default(), Vec::new(), BTreeMap::new());
        for (segment, (_, state)) in &self.states {
            for (position, count) in &state.returns {
                raise(&mut returns, *position, *count);
            }
            let mut found: Vec<(u32, Option<PositionSet>)> = Vec::new();
            found.extend(state.whole.iter().flat_map(|(from, to)| *from..=*to).map(|index| (index, None)));
            for partial in &state.partial {
                let mut ranges = PositionSet::default();
                for (from, to) in &partial.ranges {
                    ranges.insert_range(*from, *to);
                }
                let block = &self.blocks[&(*segment, true, partial.index)];
                let (count, bytes) = size(block, &ranges);
                assert_eq!((count, bytes), (partial.count, partial.bytes), "{partial:?}");
                found.push((partial.index, Some(ranges)));
            }
            for (index, ranges) in found {
                let block = self.blocks.get_mut(&(*segment, true, index)).unwrap();
                let there = positions(block.first, &block.bytes);
                let mut alive = ranges.clone().unwrap_or_else(|| there.clone());
                for (from, to) in gone.ranges().chain(all.ranges()) {
                    alive.remove_range(from, to);
                }
                let (count, bytes) = size(block, &alive);
                block.alive = PositionSet::default();
                for (position, _) in Records::new(block.first, block.bytes.clone()) {
                    if alive.contains(position) {
                        block.alive.insert(position);
                        all.insert(position);
                    }
                }
                let whole = block.alive == there;
                let restored = RestoredBlock {
                    place: BlockPlace {
                        segment: *segment,
                        journalled: true,
                        index,
                        offset: u64::from(index) * 1000,
                        len: u32::try_from(block.bytes.len()).unwrap(),
                        crc: 0,
                    },
                    first: block.first,
                    last: block.last,
                    count,
                    bytes,
                    alive: (!whole).then_some(alive),
                    standing: block.standing,
                };
                found_blocks.push((restored, Records::new(block.first, block.bytes.clone())));
            }
        }
        for (_, position, count) in &self.requeued {
            raise(&mut returns, *position, *count);
        }
        let (mut ready, mut waiting) = (Vec::new(), Vec::new());
        for (block, records) in found_blocks.into_iter().filter(|(block, _)| block.count > 0) {
            let waits = |at| block.standing.waits || returns.get(&at).is_some_and(Returns::waits);
            let [waits, others] = block.clone().divide(records.clone(), waits);
            waiting.extend(waits.map(|waits| (waits, records)));
            ready.extend(others);
        }
        queue.restore(next, next, ready, returns.iter().map(|(at, n)| (*at, *n)).collect());
        for (block, records) in waiting {
            queue.restore_waiting(&block, records);
        }
        let mut rest: Vec<(Position, &Published)> = self
            .published
            .iter()
            .filter(|(position, _)| !gone.contains(**position) && !all.contains(**position))
            .filter_map(|(position, published)| Some((*position, published.last()?)))
            .collect();
        // Nearly in order, as files of a journal are.
        rest.chunks_mut(3).step_by(2).for_each(<[_]>::reverse);
        for (position, published) in rest {
            let count = returns.get(&position).copied().unwrap_or_default().max(published.returns);
            queue.push_restored(position, count, published.file, published.message.clone());
            all.insert(position);
        }
        all
    }
}

fn raise(returns: &mut BTreeMap<Position, Returns>, position: Position, count: Returns) {
    let known = returns.entry(position).or_default();
    *known = count.max(*known);
}

fn positions(first: Position, bytes: &Bytes) -> PositionSet {
    let mut positions = PositionSet::default();
    for (position, _) in Records::new(first, bytes.clone()) {
        positions.insert(position);
    }
    positions
}

/// How many messages of a block are in `alive`, and their size.
fn size(block: &Block, alive: &PositionSet) -> (u32, u64) {
    let (mut count, mut bytes) = (0, 0);
    for (position, message) in Records::new(block.first, block.bytes.clone()) {
        if alive.contains(position) {
            count += 1;
            bytes += message.body_len() as u64;
        }
    }
    (count, bytes)
}
