//! A look at what is ready, a part at a time, that changes nothing; and what was seen there is taken out of its place.
//!
//! A part is what lies up to the end of one block of each lane: blocks in memory are shared, of those on the disk it is said
//! where they are. Whoever looks reads them with no lock held, and goes on behind that part.

use std::sync::Arc;

use bytes::Bytes;

use super::block::{AliveSet, Packed, Paged};
use super::{Entry, Position, Ready};
use crate::message::Message;
use crate::store::segment::block::Records;
use crate::store::stored::{BlockPlace, Returns};

/// From where on it is looked: this priority, from this position on, then the lower priorities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The priority.
    pub level: u8,
    /// The first position that was not looked at.
    pub from: Position,
}

/// No more messages than these that wait by themselves are in a part.
pub(in crate::queue) const SINGLES_MAX: usize = if cfg!(test) { 3 } else { 1000 };

/// A part of what is ready, of one priority.
pub struct Look {
    level: u8,
    from: Position,
    through: Position,
    pieces: Vec<Piece>,
    singles: Vec<Entry>,
    returns: Vec<(Position, Returns)>,
    redelivered_below: Position,
}

/// What one lane has there.
pub(super) struct Piece {
    first: Position,
    alive: Option<AliveSet>,
    at: At,
}

enum At {
    Here(Bytes, Option<BlockPlace>),
    OnDisk(BlockPlace),
}

/// A ready message that was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its priority in its queue.
    pub level: u8,
    /// Its place.
    pub position: Position,
    /// The message.
    pub message: Message,
    /// How often it was given to somebody before and came back.
    pub returns: Returns,
    /// Whether it may have been given to a consumer before.
    pub redelivered: bool,
    /// The block that it was seen in, if that is stored.
    pub block: Option<Arc<SeenBlock>>,
}

/// A stored block that was looked through.
#[derive(Clone)]
pub struct SeenBlock {
    pub(super) place: BlockPlace,
    /// The positions in it, unless it was known which of them are alive.
    pub(super) all: Option<AliveSet>,
}

impl std::fmt::Debug for SeenBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.place.fmt(f)
    }
}

impl Look {
    /// Where to go on behind it.
    pub fn next(&self) -> Option<Mark> {
        if self.through < Position(u64::MAX) {
            return Some(Mark { level: self.level, from: self.through.next() });
        }
        Some(Mark { level: self.level.checked_sub(1)?, from: Position(0) })
    }

    /// The blocks that are to be read.
    pub fn on_disk(&self) -> impl Iterator<Item = BlockPlace> + '_ {
        self.pieces.iter().filter_map(|piece| match piece.at {
            At::OnDisk(place) => Some(place),
            At::Here(..) => None,
        })
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.singles.is_empty()
    }

    /// What waits by itself for others of its group is ready as well: those up to the end of this part.
    pub(in crate::queue) fn add_singles(&mut self, mut singles: Vec<Entry>) {
        self.end_with(&singles);
        self.singles.append(&mut singles);
    }

    /// If there were as many as are taken, there may be more behind them.
    fn end_with(&mut self, singles: &[Entry]) {
        if singles.len() >= SINGLES_MAX
            && let Some(last) = singles.last()
        {
            self.through = self.through.min(last.position);
        }
    }

    /// The messages, in their order. `read` gives what is stored in a block, or nothing when it cannot be read.
    pub fn messages(self, mut read: impl FnMut(BlockPlace) -> Option<Bytes>) -> Vec<Seen> {
        let (from, through) = (self.from, self.through);
        let is_within = |position: Position| (from..=through).contains(&position);
        let mut seen = Vec::new();
        for Piece { first, alive, at } in self.pieces {
            let (bytes, place) = match at {
                At::Here(bytes, place) => (Some(bytes), place),
                At::OnDisk(place) => (read(place), Some(place)),
            };
            let Some(bytes) = bytes else { continue };
            let records: Vec<(Position, Message)> = Records::new(first, bytes).collect();
            let block = place.map(|place| {
                let all = || {
                    let (first, last) = records.first().zip(records.last())?;
                    Some(AliveSet::those(first.0, last.0, records.iter().map(|(position, _)| *position)))
                };
                Arc::new(SeenBlock { place, all: if alive.is_none() { all() } else { None } })
            });
            let is_alive = |position| alive.as_ref().is_none_or(|alive| alive.contains(position));
            let records = records.into_iter();
            let records = records.filter(|(position, _)| is_within(*position) && is_alive(*position));
            seen.extend(records.map(|(position, message)| Seen {
                level: self.level,
                position,
                message,
                returns: Returns::default(),
                redelivered: position < self.redelivered_below,
                block: block.clone(),
            }));
        }
        seen.sort_unstable_by_key(|seen| seen.position);
        for (position, returns) in self.returns {
            let at = seen.binary_search_by_key(&position, |seen| seen.position);
            if let Some(seen) = at.ok().and_then(|at| seen.get_mut(at)) {
                (seen.returns, seen.redelivered) = (returns, true);
            }
        }
        let singles = self.singles.into_iter().filter(|entry| is_within(entry.position));
        seen.extend(singles.map(|entry| Seen {
            level: entry.level,
            position: entry.position,
            message: entry.message,
            returns: entry.returns,
            redelivered: entry.redelivered,
            block: None,
        }));
        seen.sort_unstable_by_key(|seen| seen.position);
        seen
    }
}

impl Ready {
    /// What is ready from a mark on, of its priority.
    pub fn look(&self, Mark { level: number, from }: Mark) -> Look {
        let mut look = Look {
            level: number,
            from,
            through: Position(u64::MAX),
            pieces: Vec::new(),
            singles: Vec::new(),
            returns: Vec::new(),
            redelivered_below: self.redelivered_below,
        };
        let level = if number == 0 { Some(&self.lowest) } else { self.higher.get(&number) };
        let Some(level) = level else { return look };
        for lane in level.lanes() {
            if let Some((piece, end)) = lane.piece(from) {
                look.pieces.push(piece);
                look.through = end.map_or(look.through, |end| look.through.min(end));
            }
        }
        let singles: Vec<Entry> =
            level.returned.range(from..).take(SINGLES_MAX).map(|(_, entry)| entry.clone()).collect();
        look.end_with(&singles);
        look.singles = singles;
        let counts = self.counts.range(from..=look.through.max(from));
        look.returns = counts.map(|(position, returns)| (*position, *returns)).collect();
        // What begins behind the part belongs to a later one.
        let through = look.through;
        look.pieces.retain(|piece| piece.first <= through);
        look
    }

    /// Takes messages that were seen out of their places, as far as they are still there.
    pub fn take_out<'s>(&mut self, seen: impl Iterator<Item = &'s Seen>) -> Vec<Entry> {
        let taken = seen.filter_map(|seen| self.take_one_out(seen)).collect();
        self.tidy();
        taken
    }

    fn take_one_out(&mut self, seen: &Seen) -> Option<Entry> {
        let below = self.redelivered_below;
        let level = if seen.level == 0 { &mut self.lowest } else { self.higher.get_mut(&seen.level)? };
        let entry = if let Some(entry) = level.returned.remove(&seen.position) {
            entry
        } else {
            let segments = &mut self.segments;
            let (home, sought) = level.lanes_mut().find_map(|lane| lane.take_out(seen, segments))?;
            let (redelivered, message) = (seen.position < below, seen.message.clone());
            Entry { home, redelivered, level: seen.level, sought, ..Entry::new(seen.position, message) }
        };
        Some(self.popped(entry))
    }
}

impl Piece {
    /// A block in memory.
    pub(super) fn here(packed: &Packed) -> Self {
        Self {
            first: packed.head,
            alive: packed.alive.as_deref().cloned(),
            at: At::Here(packed.records(), packed.place),
        }
    }

    /// A block on the disk.
    pub(super) fn on_disk(paged: &Paged) -> Self {
        Self { first: paged.first, alive: paged.alive.as_deref().cloned(), at: At::OnDisk(paged.place) }
    }

    /// A block that is still being written.
    pub(super) fn open(first: Position, records: &[u8]) -> Self {
        Self { first, alive: None, at: At::Here(Bytes::copy_from_slice(records), None) }
    }
}
