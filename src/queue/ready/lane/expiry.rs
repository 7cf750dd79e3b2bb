//! What of a lane is not to wait any longer.

use std::cmp::Reverse;

use super::super::Entry;
use super::super::block::{Block, Packed};
use super::Lane;
use crate::message::Message;
use crate::place::Position;
use crate::queue::segments::Segments;
use crate::store::stored::BlockPlace;
use crate::time::Time;

/// One block whose earliest deadline has come.
pub(in crate::queue::ready) enum NextDue {
    /// There is none.
    Never,
    /// It has to be read first.
    OnDisk(BlockPlace),
    /// These are taken out of it: those whose deadline has come, and the next ones.
    Taken(Vec<Entry>),
}

/// So many blocks are asked for at a time.
const ASKED_MAX: usize = 8;
/// This part of a block is taken out of it at a time, if no more has come: then it is looked through so many times.
/// Tests have small blocks.
const PART: usize = if cfg!(test) { 2 } else { 16 };

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

    /// Takes what is due out of one block.
    pub(in crate::queue::ready) fn expire(
        &mut self,
        now: Time,
        redelivered_below: Position,
        segments: &mut Segments,
    ) -> NextDue {
        if self.open.count > 0 && self.open.deadline <= now {
            self.seal();
        }
        while let Some(Reverse((deadline, last))) = self.deadlines.peek().copied()
            && deadline <= now
        {
            self.deadlines.pop();
            if let Some(front) = self.front.as_ref().filter(|front| front.last == last) {
                if front.deadline > now {
                    continue;
                }
                let taken = self.expire_front(now, redelivered_below);
                if self.front.as_ref().is_some_and(|front| front.count == 0) {
                    self.finish_front(segments);
                }
                self.find_head();
                return NextDue::Taken(taken);
            }
            let at = self.blocks.partition_point(|block| block.last() < last);
            match self.blocks.get_mut(at).filter(|block| block.last() == last) {
                Some(Block::Memory(packed)) => {
                    if packed.deadline > now {
                        continue;
                    }
                    let before = u64::from(packed.weight);
                    let taken = take_due(packed, now, self.level, redelivered_below);
                    self.memory = self.memory.saturating_sub(before.saturating_sub(packed.weight.into()));
                    let (count, deadline, last) = (packed.count, packed.deadline, packed.last);
                    if deadline != Time::NEVER {
                        self.deadlines.push(Reverse((deadline, last)));
                    }
                    if count == 0 {
                        self.drop_block(at, segments);
                    }
                    self.find_head();
                    return NextDue::Taken(taken);
                }
                // Its deadline is noted again when it has been read.
                Some(Block::Paged(paged)) if paged.asked => {}
                Some(Block::Paged(paged)) => {
                    if self.asked >= ASKED_MAX {
                        self.deadlines.push(Reverse((deadline, last)));
                        return NextDue::Never;
                    }
                    paged.asked = true;
                    self.asked = self.asked.saturating_add(1);
                    return NextDue::OnDisk(paged.place);
                }
                None => {}
            }
        }
        NextDue::Never
    }

    fn expire_front(&mut self, now: Time, redelivered_below: Position) -> Vec<Entry> {
        let Some(front) = &mut self.front else { return Vec::new() };
        let before = u64::from(front.weight);
        let taken = take_due(front, now, self.level, redelivered_below);
        self.memory = self.memory.saturating_sub(before.saturating_sub(front.weight.into()));
        if front.deadline != Time::NEVER {
            self.deadlines.push(Reverse((front.deadline, front.last)));
        }
        taken
    }

    /// Nothing is left of a block in memory.
    fn drop_block(&mut self, at: usize, segments: &mut Segments) {
        if let Some(Block::Memory(packed)) = self.blocks.remove(at) {
            self.memory = self.memory.saturating_sub(u64::from(packed.weight));
            if let Some(place) = packed.place {
                segments.drop_block(place, 0);
            }
        }
    }
}

fn take_due(packed: &mut Packed, now: Time, level: u8, redelivered_below: Position) -> Vec<Entry> {
    let (home, sought) = (packed.home, packed.sought);
    let entry = |(position, message): (Position, Message)| Entry {
        home,
        sought,
        level,
        redelivered: position < redelivered_below,
        ..Entry::new(position, message)
    };
    packed.take_due(now, PART).into_iter().map(entry).collect()
}
