//! Messages of a queue that wait for a time, in the order of their times. Pure.
//!
//! Those in memory lie among the unacked ones, held by nobody that a client knows; of the others there is only which block
//! of which segment has them. What happens to one that is due is the caller's: a scheduled message goes behind everything
//! that is ready, one that is to be tried again goes back to its place.

mod on_disk;

use std::collections::BTreeMap;
use std::ops::Bound;

pub use on_disk::{AHEAD, WaitingBlock};

use on_disk::OnDisk;

use super::id::UnackedKey;
use super::scheduled::ScheduledId;
use crate::place::{Position, SegmentNumber};
use crate::store::stored::BlockPlace;
use crate::time::Time;

/// Where a waiting message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lies {
    /// Among the unacked messages.
    Here(UnackedKey),
    /// In a block on the disk.
    OnDisk {
        /// Which block.
        place: BlockPlace,
        /// The position of the block's first message.
        first: Position,
    },
}

/// Messages that wait for their times: each is entered and taken out at the cost of a look into a tree.
#[derive(Default)]
pub struct Waiting {
    here: BTreeMap<ScheduledId, UnackedKey>,
    /// Made when it is needed: of most queues nothing that waits is on the disk.
    on_disk: Option<Box<OnDisk>>,
    /// What leaves memory next comes before this one; nothing: the last one leaves next.
    leaves_before: Option<ScheduledId>,
}

impl Waiting {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.here.len().saturating_add(self.on_disk.as_ref().map_or(0, |on_disk| on_disk.len()))
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When something is to be done: the first is due, or has to be read by then. Never when there is none, or what comes
    /// next is being read.
    pub fn next_due(&self) -> Time {
        let here = self.here.first_key_value().map(|(id, _)| *id);
        let Some(on_disk) = &self.on_disk else { return here.map_or(Time::NEVER, |id| id.due) };
        let due = here.filter(|here| on_disk.first().is_none_or(|first| *here < first));
        due.map_or(Time::NEVER, |id| id.due).min(on_disk.next_look(here))
    }

    /// A message is due at a time; it lies at `key` until then.
    pub fn insert(&mut self, id: ScheduledId, key: UnackedKey) {
        self.here.insert(id, key);
    }

    /// Where the message that lies in memory does so.
    pub fn here(&self, id: ScheduledId) -> Option<UnackedKey> {
        self.here.get(&id).copied()
    }

    /// Takes a message out and says where it lies; nothing when it is not in memory, or does not wait any more.
    pub fn remove(&mut self, id: ScheduledId) -> Option<UnackedKey> {
        self.here.remove(&id)
    }

    /// The block that a message is in; it is taken for asked for. Nothing when the message is not on the disk.
    pub fn ask_for(&mut self, id: ScheduledId) -> Option<BlockPlace> {
        self.on_disk.as_mut()?.ask_for(id)
    }

    /// Takes out the first message if it is due and in memory.
    pub fn pop_due(&mut self, now: Time) -> Option<(ScheduledId, UnackedKey)> {
        let first = self.here.first_entry()?;
        let before = self.on_disk.as_ref().and_then(|on_disk| on_disk.first());
        if first.key().due > now || before.is_some_and(|before| before < *first.key()) {
            return None;
        }
        if let Some(on_disk) = &mut self.on_disk {
            on_disk.one_has_gone();
        }
        Some(first.remove_entry())
    }

    /// Asks for blocks that are needed soon; each once.
    pub fn ask_ahead(&mut self, now: Time, asks: &mut Vec<BlockPlace>) {
        if let Some(on_disk) = &mut self.on_disk {
            let here = self.here.first_key_value().map(|(id, _)| *id);
            on_disk.ask_ahead(here, now, asks);
        }
    }

    /// Those that come after `id`, or all, in the order of their times.
    pub fn after(&self, id: Option<ScheduledId>) -> impl Iterator<Item = (ScheduledId, Lies)> + '_ {
        let from = (id.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let mut here = self.here.range(from).map(|(id, key)| (*id, Lies::Here(*key))).peekable();
        let on_disk = self.on_disk.iter().flat_map(move |on_disk| on_disk.range(from));
        let mut on_disk = on_disk.peekable();
        std::iter::from_fn(move || match (here.peek(), on_disk.peek()) {
            (Some((one, _)), Some((other, _))) if other < one => on_disk.next(),
            (Some(_), _) => here.next(),
            (None, _) => on_disk.next(),
        })
    }

    /// The positions of all, in no order.
    pub fn positions(&self) -> impl Iterator<Item = Position> + '_ {
        let on_disk = self.on_disk.iter().flat_map(|on_disk| on_disk.ids());
        self.here.keys().copied().chain(on_disk).map(|id| id.position)
    }

    /// Messages that may leave memory, of about `max` bytes: from the last one on, none that is due at `near` or earlier, and
    /// each time those that come before the last ones that left, until all had their turn. So a block of them has times
    /// that are near to each other. `size` says what one takes, or that it has to stay.
    pub fn leaving(
        &mut self,
        near: Time,
        max: u64,
        size: impl Fn(UnackedKey) -> Option<u64>,
    ) -> Vec<UnackedKey> {
        let (mut leaving, mut bytes) = (Vec::new(), 0_u64);
        let near = ScheduledId { due: near, position: Position(u64::MAX) };
        for _ in 0..2 {
            let until = self.leaves_before.map_or(Bound::Unbounded, Bound::Excluded);
            let range = (Bound::Excluded(near), until);
            let is_over = self.leaves_before.is_some_and(|before| before <= near);
            let candidates = (!is_over).then(|| self.here.range(range).rev()).into_iter().flatten();
            for (id, key) in candidates {
                if bytes >= max {
                    return leaving;
                }
                if let Some(size) = size(*key) {
                    bytes = bytes.saturating_add(size);
                    leaving.push(*key);
                }
                self.leaves_before = Some(*id);
            }
            if self.leaves_before.take().is_none() || !leaving.is_empty() {
                return leaving;
            }
        }
        leaving
    }

    /// Messages are in a block on the disk only, from now on or since an earlier broker.
    pub fn page(&mut self, block: WaitingBlock, ids: &[ScheduledId]) {
        for id in ids {
            self.here.remove(id);
        }
        self.on_disk.get_or_insert_default().insert(block, ids);
    }

    /// Takes out a block that was asked for and is here now: its messages are to be entered again, or are lost.
    pub fn take_asked(&mut self, place: BlockPlace) -> Option<WaitingBlock> {
        self.on_disk.as_mut()?.take_asked(place)
    }

    /// A message of a block that was taken is here, or lost.
    pub fn has_come(&mut self, id: ScheduledId) {
        if let Some(on_disk) = &mut self.on_disk {
            on_disk.forget(id);
        }
    }

    /// Whatever is still to come of a block that was taken does not come.
    pub fn is_lost(&mut self, place: BlockPlace) {
        if let Some(on_disk) = &mut self.on_disk {
            on_disk.forget_all(place);
        }
    }

    /// The blocks that are in a segment of journalled messages.
    pub fn blocks_in(&self, segment: SegmentNumber) -> impl Iterator<Item = &WaitingBlock> {
        self.on_disk.iter().flat_map(move |on_disk| on_disk.blocks_in(segment))
    }
}

#[cfg(test)]
mod tests;
