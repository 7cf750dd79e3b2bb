//! How much of each of its segments a queue still needs.
//!
//! Of a segment of journalled messages every message counts that is alive, wherever it is by now: its record is there. Of
//! one of transient messages only blocks count: what was taken from one needs it no more.

use foldhash::HashMap;

use crate::place::{Home, SegmentNumber};
use crate::store::stored::BlockPlace;

/// The segments of one queue.
#[derive(Default)]
pub struct Segments {
    /// By number, and whether it is one of journalled messages.
    uses: HashMap<(SegmentNumber, bool), Uses>,
    dead: Vec<(SegmentNumber, bool)>,
}

/// What of one segment is needed.
#[derive(Clone, Copy, Default)]
struct Uses {
    /// Messages that are alive; 0 of a transient one.
    messages: u64,
    /// Blocks that were not read to their end.
    blocks: u64,
}

impl Segments {
    /// Whether anything of a segment is needed.
    pub fn uses(&self, segment: SegmentNumber, journalled: bool) -> bool {
        self.uses.contains_key(&(segment, journalled))
    }

    /// Whether a block of a segment waits to be read to its end.
    pub fn has_blocks(&self, segment: SegmentNumber, journalled: bool) -> bool {
        self.uses.get(&(segment, journalled)).is_some_and(|uses| uses.blocks > 0)
    }

    /// The block at `place` waits, with so many messages.
    pub fn add_block(&mut self, place: BlockPlace, messages: u32) {
        let uses = self.uses.entry((place.segment, place.journalled)).or_default();
        uses.blocks = uses.blocks.saturating_add(1);
        if place.journalled {
            uses.messages = uses.messages.saturating_add(u64::from(messages));
        }
    }

    /// The block at `place` is given up with so many messages; those that were taken from it before are not among them.
    pub fn drop_block(&mut self, place: BlockPlace, messages: u32) {
        self.drop((place.segment, place.journalled), 1, u64::from(messages));
    }

    /// Messages that a block at `place` should have are not there.
    pub fn drop_messages(&mut self, place: BlockPlace, messages: u64) {
        self.drop((place.segment, place.journalled), 0, messages);
    }

    /// A message with this home is alive.
    pub fn enter(&mut self, home: Home) {
        if let Home::Segment { segment, .. } = home {
            let uses = self.uses.entry((segment, true)).or_default();
            uses.messages = uses.messages.saturating_add(1);
        }
    }

    /// A message with this home is settled, or has another one.
    pub fn leave(&mut self, home: Home) {
        if let Home::Segment { segment, .. } = home {
            self.drop((segment, true), 0, 1);
        }
    }

    /// Something was stored at `place`: if nothing of it is needed any more by now, that is said.
    pub fn check(&mut self, place: BlockPlace) {
        let segment = (place.segment, place.journalled);
        if !self.uses.contains_key(&segment) && !self.dead.contains(&segment) {
            self.dead.push(segment);
        }
    }

    /// Whether there are segments that nothing is needed of since this was last taken.
    pub fn any_dead(&self) -> bool {
        !self.dead.is_empty()
    }

    /// Takes them, but those that are needed again: more was stored in them.
    pub fn take_dead(&mut self) -> Vec<(SegmentNumber, bool)> {
        let mut dead = std::mem::take(&mut self.dead);
        dead.retain(|segment| !self.uses.contains_key(segment));
        dead
    }

    fn drop(&mut self, segment: (SegmentNumber, bool), blocks: u64, messages: u64) {
        let Some(uses) = self.uses.get_mut(&segment) else { return };
        uses.blocks = uses.blocks.saturating_sub(blocks);
        uses.messages = uses.messages.saturating_sub(messages);
        if uses.blocks == 0 && uses.messages == 0 {
            self.uses.remove(&segment);
            self.dead.push(segment);
        }
    }
}
