//! What waits for a time in blocks on the disk: which message is in which block, and which blocks are to be read when.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

use foldhash::HashMap;

use super::Lies;
use crate::place::{Position, SegmentNumber};
use crate::queue::ready::Paged;
use crate::queue::scheduled::ScheduledId;
use crate::store::stored::{BlockPlace, Returns};
use crate::time::Time;

/// Blocks are read so long before the first of them is due.
pub const AHEAD: Duration = Duration::from_secs(1);
/// No more messages than these are looked at to find what is to be read, and after so many have gone it is looked again.
const AHEAD_MESSAGES: usize = 1000;
/// So many bytes of blocks are asked for at once, with the one that passes this.
const AHEAD_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// A block of messages that wait for their times, on the disk only.
pub struct WaitingBlock {
    /// Where it is, and what of it waits.
    pub paged: Paged,
    /// The priority of its messages.
    pub level: u8,
    /// How often those came back that did, in the order of their positions.
    pub returns: Vec<(Position, Returns)>,
}

/// A block, in eight bytes: each message that waits has this.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct BlockAt {
    segment: SegmentNumber,
    /// The block's index, times two, and one more if it is journalled.
    at: u32,
}

impl BlockAt {
    fn new(place: BlockPlace) -> Self {
        Self { segment: place.segment, at: place.index.wrapping_mul(2) | u32::from(place.journalled) }
    }
}

#[derive(Default)]
pub(super) struct OnDisk {
    order: BTreeMap<ScheduledId, BlockAt>,
    /// The blocks, each with the first of its messages.
    blocks: HashMap<BlockAt, (ScheduledId, WaitingBlock)>,
    /// Blocks that nobody was asked to read, by their first messages.
    unasked: BTreeSet<(ScheduledId, BlockAt)>,
    /// There was more to ask for: it is asked for when so many messages have gone.
    more_after: Option<usize>,
}

impl OnDisk {
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn first(&self) -> Option<ScheduledId> {
        self.order.first_key_value().map(|(id, _)| *id)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = ScheduledId> + '_ {
        self.order.keys().copied()
    }

    pub(super) fn range(
        &self,
        range: (Bound<ScheduledId>, Bound<ScheduledId>),
    ) -> impl Iterator<Item = (ScheduledId, Lies)> + '_ {
        self.order.range(range).filter_map(|(id, block)| Some((*id, self.lies(*block)?)))
    }

    fn lies(&self, block: BlockAt) -> Option<Lies> {
        let (_, block) = self.blocks.get(&block)?;
        Some(Lies::OnDisk { place: block.paged.place(), first: block.paged.first() })
    }

    /// When it is to be looked what is to be read, if the first message in memory is `here`.
    pub(super) fn next_look(&self, here: Option<ScheduledId>) -> Time {
        let Some((first, _)) = self.unasked.first() else { return Time::NEVER };
        if self.more_after.is_some_and(|left| left > 0) && !self.is_next(*first, here) {
            return Time::NEVER;
        }
        first.due.minus(AHEAD)
    }

    /// Whether nothing is due before this one.
    fn is_next(&self, id: ScheduledId, here: Option<ScheduledId>) -> bool {
        self.first() == Some(id) && here.is_none_or(|here| id < here)
    }

    pub(super) fn one_has_gone(&mut self) {
        if let Some(left) = &mut self.more_after {
            *left = left.saturating_sub(1);
        }
    }

    pub(super) fn ask_ahead(&mut self, here: Option<ScheduledId>, now: Time, asks: &mut Vec<BlockPlace>) {
        if self.next_look(here) > now {
            return;
        }
        self.more_after = None;
        let (until, mut bytes) = (now.plus(AHEAD), 0_u64);
        for (seen, (id, at)) in self.order.iter().enumerate() {
            if id.due > until {
                return;
            }
            if seen == AHEAD_MESSAGES || bytes >= AHEAD_MAX_BYTES {
                self.more_after = Some(AHEAD_MESSAGES);
                return;
            }
            let Some((first, block)) = self.blocks.get_mut(at) else { continue };
            if block.paged.ask() {
                bytes = bytes.saturating_add(u64::from(block.paged.place().len));
                asks.push(block.paged.place());
                self.unasked.remove(&(*first, *at));
            }
        }
    }

    pub(super) fn ask_for(&mut self, id: ScheduledId) -> Option<BlockPlace> {
        let at = *self.order.get(&id)?;
        let (first, block) = self.blocks.get_mut(&at)?;
        if block.paged.ask() {
            self.unasked.remove(&(*first, at));
        }
        Some(block.paged.place())
    }

    /// A block with these messages, of which none is in another one.
    pub(super) fn insert(&mut self, block: WaitingBlock, ids: &[ScheduledId]) {
        let at = BlockAt::new(block.paged.place());
        let Some(first) = ids.iter().min().copied() else { return };
        self.order.extend(ids.iter().map(|id| (*id, at)));
        self.unasked.insert((first, at));
        self.blocks.insert(at, (first, block));
    }

    pub(super) fn take_asked(&mut self, place: BlockPlace) -> Option<WaitingBlock> {
        let at = BlockAt::new(place);
        self.blocks.get(&at).filter(|(_, block)| block.paged.is_asked())?;
        self.blocks.remove(&at).map(|(_, block)| block)
    }

    pub(super) fn forget(&mut self, id: ScheduledId) {
        self.order.remove(&id);
    }

    pub(super) fn forget_all(&mut self, place: BlockPlace) {
        let lost = BlockAt::new(place);
        self.order.retain(|_, at| *at != lost);
    }

    pub(super) fn blocks_in(&self, segment: SegmentNumber) -> impl Iterator<Item = &WaitingBlock> {
        let blocks = self.blocks.iter().filter(move |(at, _)| **at == BlockAt { segment, at: at.at | 1 });
        blocks.map(|(_, (_, block))| block)
    }
}
