//! A look at a lane, and what is taken out of the midst of it.

use super::super::block::Block;
use super::super::look::{Piece, Seen};
use super::Lane;
use crate::place::{Home, Position};
use crate::queue::segments::Segments;

impl Lane {
    /// The first block with a position from `from` on, and the last position in it if there are others behind it.
    pub(in crate::queue::ready) fn piece(&self, from: Position) -> Option<(Piece, Option<Position>)> {
        let behind = |at: usize| at < self.blocks.len() || self.open.count > 0;
        if let Some(front) = self.front.as_ref().filter(|front| front.last >= from) {
            return Some((Piece::here(front), behind(0).then_some(front.last)));
        }
        let at = self.blocks.partition_point(|block| block.last() < from);
        if let Some(block) = self.blocks.get(at) {
            let piece = match block {
                Block::Memory(packed) => Piece::here(packed),
                Block::Paged(paged) => Piece::on_disk(paged),
            };
            return Some((piece, behind(at.saturating_add(1)).then_some(block.last())));
        }
        if self.open.count == 0 || self.open.last < from {
            return None;
        }
        Some((Piece::open(self.open.head, &self.open.records), None))
    }

    /// Takes a message out of its block, and gives its home, and whether it has to be found by its place from now on.
    pub(in crate::queue::ready) fn take_out(
        &mut self,
        seen: &Seen,
        segments: &mut Segments,
    ) -> Option<(Home, bool)> {
        let position = seen.position;
        if self.open.count > 0 && (self.open.head..=self.open.last).contains(&position) {
            self.seal();
        }
        if let Some(front) = self.front.as_mut().filter(|front| position <= front.last) {
            let home = (front.home, front.sought);
            if !front.take_out(position, seen.message.body_len()) {
                return None;
            }
            if front.count == 0 {
                self.finish_front(segments);
            }
            self.find_head();
            return Some(home);
        }
        let at = self.blocks.partition_point(|block| block.last() < position);
        let (home, count) = match self.blocks.get_mut(at)? {
            Block::Memory(packed) => {
                let home = (packed.home, packed.sought);
                if !packed.take_out(position, seen.message.body_len()) {
                    return None;
                }
                (home, packed.count)
            }
            Block::Paged(paged) => {
                let block = seen.block.as_ref().filter(|block| block.place == paged.place)?;
                if !paged.take_out(position, seen.message.body_len(), block) {
                    return None;
                }
                // What was given out of it before it left memory may still be on its way.
                ((paged.place.home(), paged.place.journalled), paged.count)
            }
        };
        if count == 0 {
            if let Some(Block::Paged(paged)) = self.blocks.get(at)
                && paged.asked
            {
                // What comes is not waited for any more.
                self.asked = self.asked.saturating_sub(1);
            }
            self.drop_block(at, segments);
        }
        self.find_head();
        Some(home)
    }
}
