//! Messages that are taken out of the midst of a block: they are not alive in it any more.

use super::super::look::SeenBlock;
use super::agenda::all;
use super::{Content, PART, Packed, Paged, small};
use crate::place::Position;

impl Packed {
    /// Takes out the message at a position, if it is here; whether it was.
    pub(in crate::queue::ready) fn take_out(&mut self, position: Position, body_len: usize) -> bool {
        if self.count == 0 || !(self.head..=self.last).contains(&position) {
            return false;
        }
        let was_here = match &self.content {
            Content::Single(_) => true,
            Content::Records(records) => {
                let mut alive = match self.alive.take() {
                    Some(alive) => alive,
                    None => Box::new(all(records, self.head, self.last, self.count)),
                };
                let was_here = alive.remove(position);
                self.alive = Some(alive);
                was_here
            }
        };
        if was_here {
            self.count = self.count.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(small(body_len));
            self.total = PART;
            // What is known of deadlines may be of this one.
            self.agenda = None;
            self.find_head();
        }
        was_here
    }
}

impl Paged {
    /// Takes out the message at a position, if it is alive here; whether it was. `seen` is this block as it was looked
    /// through.
    pub(in crate::queue::ready) fn take_out(
        &mut self,
        position: Position,
        body_len: usize,
        seen: &SeenBlock,
    ) -> bool {
        let alive = match (&mut self.alive, &seen.all) {
            (Some(alive), _) => alive,
            (none, Some(all)) => none.insert(Box::new(all.clone())),
            (None, None) => return false,
        };
        let was_here = alive.remove(position);
        if was_here {
            self.count = self.count.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(small(body_len));
            self.total = PART;
        }
        was_here
    }
}
