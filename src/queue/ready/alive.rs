//! What of one segment is alive, put together from everywhere in a queue.

use std::collections::BTreeMap;

use super::block::{AliveSet, Block, Packed, Paged};
use super::lane::paging::Counts;
use super::{Entry, Position};
use crate::place::{Home, SegmentNumber};
use crate::store::positions::PositionSet;
use crate::store::stored::{BlockPlace, PartialBlock, Returns, SegmentState};

/// What is alive of a segment of journalled messages.
pub(in crate::queue) struct AliveInSegment<'q> {
    segment: SegmentNumber,
    /// How often messages in blocks were delivered.
    counts: &'q Counts,
    /// Blocks that are alive as a whole.
    whole: PositionSet,
    partial: BTreeMap<u32, Part>,
    returns: Vec<(Position, Returns)>,
}

#[derive(Default)]
struct Part {
    count: u32,
    bytes: u64,
    positions: PositionSet,
}

impl<'q> AliveInSegment<'q> {
    pub(super) fn new(segment: SegmentNumber, counts: &'q Counts) -> Self {
        Self { segment, counts, whole: PositionSet::default(), partial: BTreeMap::new(), returns: Vec::new() }
    }

    pub(super) fn block(&mut self, block: &Block) {
        match block {
            Block::Memory(packed) => self.front(packed),
            Block::Paged(paged) => self.paged(paged),
        }
    }

    pub(super) fn front(&mut self, packed: &Packed) {
        if let Some(place) = packed.place.filter(|place| self.has(*place)) {
            self.count_returns(packed.head, packed.last);
            let whole = packed.count == packed.total;
            let size = (packed.count, packed.bytes);
            self.part(place, whole, size, (packed.head, packed.last), packed.alive.as_deref());
        }
    }

    pub(super) fn paged(&mut self, paged: &Paged) {
        if self.has(paged.place) {
            self.count_returns(paged.head(), paged.last);
            self.paged_part(paged);
        }
    }

    /// Messages that wait for their times, of which what is known of their returns stands beside them.
    pub(in crate::queue) fn waiting(&mut self, paged: &Paged, returns: &[(Position, Returns)]) {
        if self.has(paged.place) {
            self.returns.extend(returns);
            self.paged_part(paged);
        }
    }

    fn paged_part(&mut self, paged: &Paged) {
        let whole = paged.count == paged.total;
        let size = (paged.count, paged.bytes);
        self.part(paged.place, whole, size, (paged.head(), paged.last), paged.alive.as_deref());
    }

    fn has(&self, place: BlockPlace) -> bool {
        place.segment == self.segment && place.journalled
    }

    fn count_returns(&mut self, head: Position, last: Position) {
        self.returns.extend(self.counts.range(head..=last).map(|(position, count)| (*position, *count)));
    }

    fn part(
        &mut self,
        place: BlockPlace,
        whole: bool,
        (count, bytes): (u32, u32),
        (head, last): (Position, Position),
        alive: Option<&AliveSet>,
    ) {
        if whole {
            // A set of numbers of blocks: as handy as one of positions.
            self.whole.insert(Position(u64::from(place.index)));
            return;
        }
        let part = self.partial.entry(place.index).or_default();
        part.count = part.count.saturating_add(count);
        part.bytes = part.bytes.saturating_add(u64::from(bytes));
        match alive {
            None => part.positions.insert_range(head, last),
            Some(alive) => {
                for (from, to) in alive.within(head, last).ranges() {
                    part.positions.insert_range(from, to);
                }
            }
        }
    }

    /// A message that was taken out of its block, if it is of this segment.
    pub(in crate::queue) fn entry(&mut self, entry: &Entry) {
        let Home::Segment { segment, block } = entry.home else { return };
        if segment != self.segment {
            return;
        }
        let part = self.partial.entry(block).or_default();
        part.count = part.count.saturating_add(1);
        part.bytes = part.bytes.saturating_add(entry.message.body_len() as u64);
        part.positions.insert(entry.position);
        if !entry.returns.is_none() {
            self.returns.push((entry.position, entry.returns));
        }
    }

    /// All of that; nothing when nothing is alive.
    pub(in crate::queue) fn state(mut self) -> Option<SegmentState> {
        if self.whole.is_empty() && self.partial.is_empty() {
            return None;
        }
        self.returns.sort_unstable();
        let number = |position: Position| u32::try_from(position.0).unwrap_or(u32::MAX);
        Some(SegmentState {
            whole: self.whole.ranges().map(|(from, to)| (number(from), number(to))).collect(),
            partial: self
                .partial
                .into_iter()
                .map(|(index, part)| PartialBlock {
                    index,
                    count: part.count,
                    bytes: part.bytes,
                    ranges: part.positions.ranges().collect(),
                })
                .collect(),
            returns: self.returns,
        })
    }
}
