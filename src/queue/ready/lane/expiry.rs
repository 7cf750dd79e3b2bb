//! What of a lane is not to wait any longer.

use std::cmp::Reverse;

use super::super::block::{Block, Taken};
use super::Lane;
use crate::place::{Home, Position};
use crate::queue::segments::Segments;
use crate::store::stored::BlockPlace;
use crate::time::Time;

/// One block whose earliest deadline has come.
pub(in crate::queue::ready) enum NextDue {
    /// There is none.
    Never,
    /// It has to be read first.
    OnDisk(BlockPlace),
    /// Something was taken out of it.
    Taken(Due),
}

/// What was taken out of a block: messages whose deadline has come and, where that was asked for, some that are next.
pub(in crate::queue::ready) struct Due {
    pub(in crate::queue::ready) home: Home,
    pub(in crate::queue::ready) sought: bool,
    pub(in crate::queue::ready) level: u8,
    pub(in crate::queue::ready) taken: Vec<Taken>,
}

/// So many blocks are asked for at a time.
const ASKED_MAX: usize = 8;
/// This part of a block that may leave memory is taken out of it at a time, if no more has come: then it is read so many
/// times. Tests have small blocks.
const PART: usize = if cfg!(test) { 2 } else { 16 };
/// So many deadlines are remembered at a time, about, of all blocks together...
const NOTED_MAX: usize = 1 << 20;
/// ...but at least so many of each.
const NOTED_OF_BLOCK_MIN: usize = if cfg!(test) { 2 } else { 32 };

impl Lane {
    /// When the first message arrived; nothing when it is not in memory.
    pub(in crate::queue::ready) fn first_arrival(&self) -> Option<Time> {
        match (&self.front, self.blocks.front()) {
            (Some(front), _) => front.first_arrival(),
            (None, Some(Block::Memory(packed))) => packed.first_arrival(),
            (None, Some(Block::Paged(_))) => None,
            (None, None) => self.open.first_arrival(),
        }
    }

    /// The same, or a moment after that when it is not in memory.
    pub(in crate::queue::ready) fn known_arrival(&self) -> Option<Time> {
        match (&self.front, self.blocks.front()) {
            (None, Some(Block::Paged(paged))) => (paged.arrived != Time::NEVER).then_some(paged.arrived),
            _ => self.first_arrival(),
        }
    }

    /// Asks for the first block.
    pub(in crate::queue::ready) fn ask_first(&mut self, asks: &mut Vec<BlockPlace>) {
        if self.front.is_none()
            && let Some(Block::Paged(paged)) = self.blocks.front_mut()
            && !paged.asked
        {
            paged.asked = true;
            self.asked = self.asked.saturating_add(1);
            asks.push(paged.place);
        }
    }

    /// The earliest deadline that is known of here. What is on the disk and asked for is left out, and everything while much
    /// is: what comes is looked at then.
    pub(in crate::queue::ready) fn next_deadline(&self) -> Time {
        if self.asked >= ASKED_MAX {
            return Time::NEVER;
        }
        let sealed = self.deadlines.peek().map_or(Time::NEVER, |Reverse((deadline, _))| *deadline);
        if self.open.count > 0 { sealed.min(self.open.deadline) } else { sealed }
    }

    /// Takes what is due out of one block. Where the messages are `wanted`, they come as they are, and from blocks that may
    /// leave memory those that are next come with them.
    pub(in crate::queue::ready) fn expire(
        &mut self,
        now: Time,
        wanted: bool,
        segments: &mut Segments,
    ) -> NextDue {
        if self.open.count > 0 && self.open.deadline <= now {
            self.seal();
        }
        let noted_max = self.noted_max();
        while let Some(Reverse((deadline, last))) = self.deadlines.peek().copied()
            && deadline <= now
        {
            self.deadlines.pop();
            if let Some(front) = self.front.as_mut().filter(|front| front.last == last) {
                if front.deadline > now {
                    continue;
                }
                let before = front.weight;
                let taken = front.take_due(now, wanted, noted_max);
                let due = Due { home: front.home, sought: front.sought, level: self.level, taken };
                let (count, left) = (front.count, (front.deadline, front.last));
                self.memory = self.memory.saturating_sub(before.saturating_sub(front.weight).into());
                if count == 0 {
                    self.finish_front(segments);
                } else {
                    self.note(left);
                }
                self.find_head();
                return NextDue::Taken(due);
            }
            let at = self.at(last);
            match self.blocks.get_mut(at).filter(|block| block.last() == last) {
                Some(Block::Memory(packed)) => {
                    if packed.deadline > now {
                        continue;
                    }
                    let before = packed.weight;
                    // One that is stored may be gone from memory when the next is due.
                    let may_leave = wanted && packed.place.is_some();
                    let taken = if may_leave {
                        packed.take_soon(now, PART)
                    } else {
                        packed.take_due(now, wanted, noted_max)
                    };
                    let due = Due { home: packed.home, sought: packed.sought, level: self.level, taken };
                    let (count, left) = (packed.count, (packed.deadline, packed.last));
                    self.memory = self.memory.saturating_sub(before.saturating_sub(packed.weight).into());
                    self.after_due(at, count, left, segments);
                    return NextDue::Taken(due);
                }
                // Its deadline is noted again when it has been read.
                Some(Block::Paged(paged)) if paged.asked => {}
                Some(Block::Paged(paged)) => {
                    if paged.deadline > now {
                        continue;
                    }
                    if !wanted {
                        let taken = paged.take_due(now);
                        let (home, level) = (paged.place.home(), self.level);
                        let (count, left) = (paged.count, (paged.deadline, paged.last));
                        if !taken.is_empty() {
                            self.after_due(at, count, left, segments);
                            return NextDue::Taken(Due { home, sought: false, level, taken });
                        }
                    }
                    if self.asked >= ASKED_MAX {
                        self.deadlines.push(Reverse((deadline, last)));
                        return NextDue::Never;
                    }
                    if let Some(Block::Paged(paged)) = self.blocks.get_mut(at) {
                        paged.asked = true;
                        self.asked = self.asked.saturating_add(1);
                        return NextDue::OnDisk(paged.place);
                    }
                }
                None => {}
            }
        }
        NextDue::Never
    }

    /// Where the block is that ends with this position, or would be. Looking at many blocks would cost more than all else:
    /// they hold about as many messages each, so that it is looked for where it should be, as far off as the last one was.
    fn at(&mut self, last: Position) -> usize {
        let (Some(front), Some(back)) = (self.blocks.front(), self.blocks.back()) else { return 0 };
        let (from, to) = (front.last().0, back.last().0);
        if last.0 <= from || last.0 > to {
            return if last.0 <= from { 0 } else { self.blocks.len() };
        }
        let ends = self.blocks.len().saturating_sub(1) as u128;
        let share = u128::from(last.0.saturating_sub(from)).saturating_mul(ends)
            / u128::from(to.saturating_sub(from));
        let guess = usize::try_from(share).unwrap_or(0);
        let at = self.at_near(guess.saturating_add_signed(self.drift), last);
        self.drift = at.cast_signed().wrapping_sub(guess.cast_signed());
        at
    }

    /// The same; it is about where `guess` says. It is neither the first block nor behind the last.
    fn at_near(&self, guess: usize, last: Position) -> usize {
        let is_before = |at: usize| self.blocks.get(at).is_some_and(|block| block.last() < last);
        let (mut low, mut high) = (0, self.blocks.len());
        let mut step = 1_usize;
        // From here on: what is at `low` is before it or the first, what is at `high` is not.
        if guess < high && !is_before(guess) {
            high = guess;
            while high > step && !is_before(high.saturating_sub(step)) {
                (high, step) = (high.saturating_sub(step), step.saturating_mul(2));
            }
            low = high.saturating_sub(step);
        } else if guess < high {
            low = guess;
            while is_before(low.saturating_add(step)) {
                (low, step) = (low.saturating_add(step), step.saturating_mul(2));
            }
            high = high.min(low.saturating_add(step));
        }
        while low < high {
            let middle = usize::midpoint(low, high);
            if is_before(middle) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low
    }

    /// How many deadlines of each block are remembered, so that those of a long backlog do not take much.
    pub(super) fn noted_max(&self) -> usize {
        (NOTED_MAX / self.blocks.len().max(1)).max(NOTED_OF_BLOCK_MIN)
    }

    /// Something was taken out of a block, and so many are left.
    fn after_due(&mut self, at: usize, count: u32, left: (Time, Position), segments: &mut Segments) {
        if count == 0 {
            self.drop_block(at, segments);
        } else {
            self.note(left);
        }
        self.find_head();
    }

    /// A block that ends with this position is to be looked at when this time has come.
    fn note(&mut self, (deadline, last): (Time, Position)) {
        if deadline != Time::NEVER {
            self.deadlines.push(Reverse((deadline, last)));
        }
    }

    /// Nothing is left of a block.
    pub(super) fn drop_block(&mut self, at: usize, segments: &mut Segments) {
        let Some(block) = self.blocks.remove(at) else { return };
        if let Some(place) = block.place() {
            segments.drop_block(place, 0);
        }
        match block {
            Block::Memory(packed) => self.memory = self.memory.saturating_sub(u64::from(packed.weight)),
            Block::Paged(_) => self.paged = self.paged.saturating_sub(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::block::Packed;
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_block_is_found_wherever_it_is_looked_for(
            sizes in prop::collection::vec(1..2_000_u64, 1..60),
            sought in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
            guess in 0..80_usize,
        ) {
            let mut lane = Lane::new(false, 0);
            let mut last = 0;
            for size in sizes {
                let first = last + 1;
                last += size;
                let packed = Packed::new(Position(first), Position(last), Home::Transient, (1, 0), Bytes::new());
                lane.push_block(Block::Memory(Box::new(packed)));
            }
            for sought in sought {
                let sought = Position(sought.index(usize::try_from(last).unwrap() + 5) as u64);
                let expected = lane.blocks.partition_point(|block| block.last() < sought);
                prop_assert_eq!(lane.at(sought), expected);
                prop_assert_eq!(lane.at_near(guess, sought), expected);
            }
        }
    }
}
