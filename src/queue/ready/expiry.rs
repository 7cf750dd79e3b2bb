//! Ready messages that are not to wait any longer.
//!
//! How long all messages of a queue may wait is looked at where they leave: they arrived in the order of their places. What
//! single messages say of themselves is in no order: each block knows the earliest deadline in it, and when that comes,
//! those that are next are taken out of it to wait by themselves, where they are found by time and by place.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::block::Taken;
use super::lane::{Due, NextDue};
use super::{Entry, Position, Ready};
use crate::store::stored::BlockPlace;
use crate::time::Time;

/// The deadlines of messages that wait by themselves. One may have left since; then nothing is at its place.
pub(super) type Singles = BinaryHeap<Reverse<(Time, u8, Position)>>;

/// So many deadlines may be remembered for each single message, and this many in any case.
const SINGLES_SLACK: usize = 1024;

/// Messages whose own deadline has come.
#[derive(Default)]
pub struct Expired {
    /// Those that were taken out.
    pub entries: Vec<Entry>,
    /// How many are gone at once...
    pub dropped: u64,
    /// ...and the places of those of them that were journalled.
    pub gone: Vec<Position>,
}

impl Ready {
    /// Whether any message has a deadline of its own.
    pub fn has_deadlines(&self) -> bool {
        self.has_deadlines
    }

    /// The earliest deadline that a message has by itself; never when none has one, or none that is in memory.
    pub fn next_deadline(&mut self) -> Time {
        if !self.has_deadlines {
            return Time::NEVER;
        }
        let singles = self.singles.peek().map_or(Time::NEVER, |Reverse((deadline, _, _))| *deadline);
        let lanes = self.lanes().map(super::Lane::next_deadline).min().unwrap_or(Time::NEVER);
        if self.is_empty() {
            // What is remembered is of messages that have left.
            self.has_deadlines = false;
            self.singles = BinaryHeap::new();
            return Time::NEVER;
        }
        singles.min(lanes)
    }

    /// When the message arrived that arrived first, as far as that is in memory. A head that is not is asked for.
    pub fn first_arrival(&mut self, asks: &mut Vec<BlockPlace>) -> Option<Time> {
        let mut first = None;
        for level in self.levels_mut() {
            let arrival = level.first_arrival();
            if arrival.is_none() && !level.is_empty() {
                level.ask_first(asks);
            }
            first = first.into_iter().chain(arrival).min();
        }
        first
    }

    /// The same, or a moment after that for a head that is not: when it was restored. Nobody is asked for it.
    pub fn known_arrival(&self) -> Option<Time> {
        self.levels().filter_map(super::level::Level::known_arrival).min()
    }

    /// Takes a message that arrived at `by` or earlier.
    pub fn pop_arrived_by(&mut self, by: Time) -> Option<Entry> {
        let (segments, below) = (&mut self.segments, self.redelivered_below);
        let mut levels = std::iter::once(&mut self.lowest).chain(self.higher.values_mut());
        let level = levels.find(|level| level.first_arrival().is_some_and(|arrival| arrival <= by))?;
        let entry = level.pop(below, segments)?;
        drop(levels);
        self.higher.retain(|_, level| !level.is_empty());
        Some(self.popped(entry))
    }

    /// Takes messages whose own deadline has come, at most about `max` of them. Where they are not `wanted`, those that wait in
    /// blocks are gone at once. Blocks that have to be read for that are asked for.
    pub fn expire(&mut self, now: Time, max: usize, wanted: bool, asks: &mut Vec<BlockPlace>) -> Expired {
        let mut expired = Expired::default();
        if !self.has_deadlines {
            return expired;
        }
        self.expire_singles(now, max, &mut expired.entries);
        let mut left = max.saturating_sub(expired.entries.len());
        let mut due = Vec::new();
        let mut segments = std::mem::take(&mut self.segments);
        for lane in self.lanes_mut() {
            while left > 0 {
                match lane.expire(now, wanted, &mut segments) {
                    NextDue::Never => break,
                    NextDue::OnDisk(place) => asks.push(place),
                    NextDue::Taken(some) => {
                        left = left.saturating_sub(some.taken.len());
                        due.push(some);
                    }
                }
            }
        }
        self.segments = segments;
        for due in due {
            if wanted {
                self.expire_wanted(now, due, &mut expired.entries);
            } else {
                expired.dropped = expired.dropped.saturating_add(due.taken.len() as u64);
                self.drop_expired(due, &mut expired.gone);
            }
        }
        self.tidy();
        expired
    }

    /// Messages whose deadline has come leave; those that are next wait by themselves.
    fn expire_wanted(&mut self, now: Time, due: Due, expired: &mut Vec<Entry>) {
        let Due { home, sought, level, taken } = due;
        for Taken { position, message, .. } in taken {
            let Some(message) = message else { continue };
            let redelivered = position < self.redelivered_below;
            let entry = Entry { home, redelivered, level, sought, ..Entry::new(position, message) };
            let entry = self.popped(entry);
            if entry.message.deadline() <= now {
                expired.push(entry);
            } else {
                self.give_back(entry);
            }
        }
    }

    /// Messages are gone. Of those that are journalled somebody is to write it.
    fn drop_expired(&mut self, due: Due, gone: &mut Vec<Position>) {
        let is_journalled = due.home.is_journalled();
        for Taken { position, body_len, .. } in due.taken {
            self.len = self.len.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(u64::from(body_len));
            if is_journalled {
                self.counts.remove(&position);
                self.segments.leave(due.home);
                gone.push(position);
            }
        }
    }

    fn expire_singles(&mut self, now: Time, max: usize, expired: &mut Vec<Entry>) {
        while expired.len() < max
            && let Some(Reverse((deadline, level, position))) = self.singles.peek().copied()
            && deadline <= now
        {
            self.singles.pop();
            let returned = &mut self.level_mut(level).returned;
            // Another one may be there by now, with a place that is its own but a later deadline.
            if returned.get(&position).is_some_and(|entry| entry.message.deadline() <= now) {
                let entry = returned.remove(&position);
                expired.extend(entry.map(|entry| self.popped(entry)));
            }
        }
    }

    /// A message with a deadline waits by itself.
    #[cold]
    pub(super) fn note_single(&mut self, deadline: Time, level: u8, position: Position) {
        self.has_deadlines = true;
        self.singles.push(Reverse((deadline, level, position)));
        let count: usize = self.levels().map(|level| level.returned.len()).sum();
        if self.singles.len() > count.saturating_mul(2).saturating_add(SINGLES_SLACK) {
            let left = self.returned().filter(|entry| entry.message.deadline() != Time::NEVER);
            self.singles =
                left.map(|entry| Reverse((entry.message.deadline(), entry.level, entry.position))).collect();
        }
    }
}
