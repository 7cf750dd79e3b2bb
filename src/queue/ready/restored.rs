//! What an earlier broker left: blocks in segments, and messages of the journal.

use super::block::{Block, Paged};
use super::{Entry, Lane, Mixing, Position, Ready};
use crate::message::Message;
use crate::place::Home;
pub use crate::store::restore::RestoredBlock;
use crate::store::stored::{Returns, Standing};
use crate::time::Time;

impl Ready {
    /// Messages before `position` may have been delivered by an earlier broker.
    pub fn set_redelivered_below(&mut self, position: Position) {
        self.redelivered_below = self.redelivered_below.max(position);
    }

    /// Takes blocks of segments as ready, all of which arrived before `now`. Before anything is published or
    /// [pushed](Self::push_restored).
    pub fn restore(&mut self, mut blocks: Vec<RestoredBlock>, now: Time) {
        blocks.retain(|block| block.count > 0);
        blocks.sort_by_key(|block| (block.first, block.last));
        for block in blocks {
            let RestoredBlock { place, first, last, count, bytes, alive, standing } = block;
            self.len = self.len.saturating_add(count as usize);
            self.bytes = self.bytes.saturating_add(bytes);
            self.segments.add_block(place, count);
            let Standing { level, deadline, .. } = standing;
            self.has_deadlines |= deadline != Time::NEVER;
            let paged = Paged::new((first, last), place, alive, (count, bytes));
            let paged = Paged { deadline, arrived: now, ..paged };
            let head = paged.head();
            // Blocks of single messages lie across others. Each goes to the first run that ends before it.
            let fits = |run: &Lane| run.last().is_none_or(|end| end < head);
            let runs = &mut self.level_mut(level).runs;
            if let Some(run) = runs.iter_mut().find(|run| fits(run)) {
                run.push_block(Block::Paged(paged));
            } else {
                let mut run = Lane::new(true, level);
                run.push_block(Block::Paged(paged));
                runs.push(run);
            }
        }
    }

    /// How often messages were delivered that are in restored blocks.
    pub fn restore_deliveries(&mut self, returns: impl IntoIterator<Item = (Position, Returns)>) {
        self.counts.extend(returns.into_iter().filter(|(_, count)| !count.is_none()));
    }

    /// How often a message came back that is not ready after all.
    pub fn take_returns(&mut self, position: Position) -> Returns {
        self.counts.remove(&position).unwrap_or_default()
    }

    /// Takes a message of the journal as ready; cheapest in the order of the positions.
    pub fn push_restored(
        &mut self,
        level: u8,
        position: Position,
        returns: Returns,
        home: Home,
        message: Message,
    ) {
        let behind = self.level_mut(level).last_journalled().is_none_or(|last| last < position);
        if behind && matches!(home, Home::Journal(_)) {
            if !returns.is_none() {
                self.counts.insert(position, returns);
            }
            return self.append(level, position, message, home, Mixing::Files);
        }
        let redelivered = !returns.is_none() || position < self.redelivered_below;
        // A slice would keep what it was read with.
        let message = message.detached();
        self.segments.enter(home);
        self.give_back(Entry { returns, home, redelivered, level, ..Entry::new(position, message) });
    }
}
