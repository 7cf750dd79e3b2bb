//! Blocks of ready messages: in memory, or on the disk with only a descriptor here.

use bytes::{Bytes, BytesMut};

use crate::message::Message;
use crate::place::{Home, Position};
use crate::store::positions::PositionSet;
use crate::store::segment::block::{
    RecordHead, Records, front_arrival, front_gap, front_head, gap, pop_record, push_record, record_len,
    set_gap,
};
use crate::store::stored::{BlockPlace, Damage};
use crate::time::Time;

/// The positions of a stored block that are alive; all when there is no set.
pub(super) type Alive = Option<Box<PositionSet>>;

/// A block among others.
pub(super) enum Block {
    Memory(Box<Packed>),
    Paged(Paged),
}

/// A block that is only on the disk.
pub struct Paged {
    /// The position of the first message that is stored, alive or not.
    pub(super) first: Position,
    /// The position of the last one.
    pub(super) last: Position,
    pub(super) place: BlockPlace,
    pub(super) alive: Alive,
    /// How many messages are alive.
    pub(super) count: u32,
    /// The size of their bodies in bytes.
    pub(super) bytes: u32,
    /// How many were stored; [`PART`] when more than are alive.
    pub(super) total: u32,
    /// Somebody was asked to read it.
    pub(super) asked: bool,
    /// The earliest deadline of a message by its own expiration.
    pub(super) deadline: Time,
}

/// In the place of the number of messages stored: not all of them are alive.
pub(super) const PART: u32 = u32::MAX;

/// A block in memory, sealed, to be read from the front.
pub(super) struct Packed {
    /// The position of the next message.
    pub(super) head: Position,
    pub(super) last: Position,
    pub(super) home: Home,
    /// Where it is stored as well.
    pub(super) place: Option<BlockPlace>,
    /// The position of the first message that is stored there.
    pub(super) first: Position,
    /// How many are stored there.
    pub(super) total: u32,
    /// How many are not read yet.
    pub(super) count: u32,
    /// The size of their bodies in bytes.
    pub(super) bytes: u32,
    /// The memory that it takes as long as it is here.
    pub(super) weight: u32,
    /// It is being written, so that whoever takes a message from it must be able to find that.
    pub(super) sought: bool,
    /// It was given out to be written, so that its records must stay as they are.
    pub(super) given_out: bool,
    pub(super) alive: Alive,
    /// The earliest deadline of a message by its own expiration.
    pub(super) deadline: Time,
    content: Content,
}

/// A record of a block.
struct Scanned {
    /// Where it begins.
    at: usize,
    position: Position,
    head: RecordHead,
}

/// The runs of positions that follow each other.
fn runs(positions: &[Position]) -> impl Iterator<Item = (Position, Position)> {
    positions
        .chunk_by(|one, other| one.next() == *other)
        .filter_map(|run| Some((*run.first()?, *run.last()?)))
}

enum Content {
    /// From the record with the position `head` on.
    Records(Bytes),
    /// A large message in bytes of its own.
    Single(Message),
}

impl Block {
    pub(super) fn head(&self) -> Position {
        match self {
            Self::Memory(packed) => packed.head,
            Self::Paged(paged) => paged.head(),
        }
    }

    pub(super) fn last(&self) -> Position {
        match self {
            Self::Memory(packed) => packed.last,
            Self::Paged(paged) => paged.last,
        }
    }

    pub(super) fn count(&self) -> u32 {
        match self {
            Self::Memory(packed) => packed.count,
            Self::Paged(paged) => paged.count,
        }
    }

    pub(super) fn bytes(&self) -> u32 {
        match self {
            Self::Memory(packed) => packed.bytes,
            Self::Paged(paged) => paged.bytes,
        }
    }

    /// The positions that are alive; all when there is no set.
    pub(super) fn alive(&self) -> Option<&PositionSet> {
        match self {
            Self::Memory(packed) => packed.alive.as_deref(),
            Self::Paged(paged) => paged.alive.as_deref(),
        }
    }

    /// The earliest deadline of a message by its own expiration.
    pub(super) fn deadline(&self) -> Time {
        match self {
            Self::Memory(packed) => packed.deadline,
            Self::Paged(paged) => paged.deadline,
        }
    }

    /// Where it is stored.
    pub(super) fn place(&self) -> Option<BlockPlace> {
        match self {
            Self::Memory(packed) => packed.place,
            Self::Paged(paged) => Some(paged.place),
        }
    }
}

impl Paged {
    /// Messages from `first` to `last` at `place`: all that are there, or those that are `alive`. With their number and the
    /// size of their bodies.
    pub fn new(
        (first, last): (Position, Position),
        place: BlockPlace,
        alive: Option<PositionSet>,
        (count, bytes): (u32, u64),
    ) -> Self {
        let total = if alive.is_some() { PART } else { count };
        let (alive, bytes) = (alive.map(Box::new), u32::try_from(bytes).unwrap_or(u32::MAX));
        Self { first, last, place, alive, count, bytes, total, asked: false, deadline: Time::NEVER }
    }

    /// Where it is.
    pub fn place(&self) -> BlockPlace {
        self.place
    }

    /// The position of the first message that is stored, alive or not.
    pub fn first(&self) -> Position {
        self.first
    }

    /// How many messages are alive.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Somebody is to read it; `false` if somebody was to before.
    pub fn ask(&mut self) -> bool {
        !std::mem::replace(&mut self.asked, true)
    }

    /// Whether somebody was asked to read it.
    pub fn is_asked(&self) -> bool {
        self.asked
    }

    /// The messages that are alive, of what was read at its place.
    pub fn alive_records(&self, bytes: &Bytes) -> impl Iterator<Item = (Position, Message)> {
        Records::new(self.first, bytes.clone()).filter(|(position, _)| self.is_alive(*position))
    }

    /// The position of the first message that is alive, or one before it.
    pub(super) fn head(&self) -> Position {
        self.alive.as_ref().and_then(|alive| alive.first()).map_or(self.first, |alive| alive.max(self.first))
    }

    /// The same block with what was read at its place.
    pub(super) fn loaded(&self, bytes: &Bytes) -> Result<Packed, Damage> {
        let weight = small(bytes.len());
        let (mut rest, mut position) = (bytes.clone(), self.first);
        let (mut count, mut alive_bytes, mut start) = (0_u32, 0_u32, None);
        loop {
            let at = bytes.len().saturating_sub(rest.len());
            let (_, message) = pop_record(&mut rest).ok_or_else(|| Damage("no whole record".to_owned()))?;
            if self.is_alive(position) {
                count = count.saturating_add(1);
                alive_bytes = alive_bytes.saturating_add(small(message.body_len()));
                start.get_or_insert((at, position));
            }
            match front_gap(&rest) {
                Some(gap) => position = position.plus(u64::from(gap)),
                None => break,
            }
        }
        if position != self.last {
            return Err(Damage("positions that it should not have".to_owned()));
        }
        let (at, head) = start.unwrap_or((bytes.len(), self.last));
        Ok(Packed {
            head,
            last: self.last,
            home: self.place.home(),
            place: Some(self.place),
            first: self.first,
            total: self.total,
            count,
            bytes: alive_bytes,
            weight,
            sought: false,
            given_out: false,
            alive: self.alive.clone(),
            deadline: self.deadline,
            content: Content::Records(bytes.slice(at..)),
        })
    }

    fn is_alive(&self, position: Position) -> bool {
        self.alive.as_ref().is_none_or(|alive| alive.contains(position))
    }
}

impl Packed {
    /// A large message by itself.
    pub(super) fn single(position: Position, message: Message, home: Home) -> Self {
        let (bytes, weight) = (small(message.body_len()), small(message.len()));
        Self {
            content: Content::Single(message),
            weight,
            ..Self::new(position, position, home, (1, bytes), Bytes::new())
        }
    }

    /// Records from `head` to `last`, with their number and the size of their messages.
    pub(super) fn new(
        head: Position,
        last: Position,
        home: Home,
        (count, bytes): (u32, u32),
        records: Bytes,
    ) -> Self {
        Self {
            head,
            last,
            home,
            place: None,
            first: head,
            total: PART,
            count,
            bytes,
            weight: small(records.len()),
            sought: false,
            given_out: false,
            alive: None,
            deadline: Time::NEVER,
            content: Content::Records(records),
        }
    }

    /// Takes the first message.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(Position, Message)> {
        let position = self.head;
        let Content::Records(records) = &mut self.content else { return self.pop_single() };
        let (_, message) = pop_record(records)?;
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(small(message.body_len()));
        if self.count > 0 {
            self.advance();
        }
        Some((position, message))
    }

    #[cold]
    fn pop_single(&mut self) -> Option<(Position, Message)> {
        let Content::Single(message) = &self.content else { return None };
        (self.count, self.bytes) = (0, 0);
        Some((self.head, message.clone()))
    }

    /// When the first message arrived.
    pub(super) fn first_arrival(&self) -> Option<Time> {
        match &self.content {
            Content::Records(records) => front_arrival(records),
            Content::Single(message) => Some(message.arrived()),
        }
    }

    /// Takes out all messages whose own deadline has come, or, when these are less than a `part`th of all, that many of
    /// those that come next.
    pub(super) fn take_due(&mut self, now: Time, part: usize) -> Vec<(Position, Message)> {
        let Content::Records(records) = &self.content else {
            self.deadline = Time::NEVER;
            return self.pop_single().into_iter().collect();
        };
        let scanned: Vec<Scanned> = self.scan(records).collect();
        let mut deadlines: Vec<Time> = scanned.iter().map(|scanned| scanned.head.deadline).collect();
        let nth = (deadlines.len() / part.max(1)).min(deadlines.len().saturating_sub(1));
        if deadlines.is_empty() {
            return Vec::new();
        }
        let next = *deadlines.select_nth_unstable(nth).1;
        let until = if next == Time::NEVER { now } else { now.max(next) };
        let (taken, left): (Vec<Scanned>, Vec<Scanned>) =
            scanned.into_iter().partition(|scanned| scanned.head.deadline <= until);
        let message = |scanned: &Scanned| {
            let (_, message) = pop_record(&mut records.slice(scanned.at..))?;
            // One that is to wait by itself does so without the block that it was in.
            let message = if scanned.head.deadline <= now { message } else { message.detached() };
            Some((scanned.position, message))
        };
        let messages = taken.iter().filter_map(message).collect();
        self.deadline = left.iter().map(|scanned| scanned.head.deadline).min().unwrap_or(Time::NEVER);
        self.count = small(left.len());
        self.bytes = left.iter().fold(0, |sum: u32, scanned| sum.saturating_add(scanned.head.body_len));
        self.leave(&left, &taken);
        messages
    }

    /// Keeps some records and forgets others.
    fn leave(&mut self, left: &[Scanned], taken: &[Scanned]) {
        let Content::Records(records) = &self.content else { return };
        let Some((first, last)) = left.first().zip(left.last()) else { return };
        self.head = first.position;
        if self.place.is_none() && !self.given_out {
            // Nobody else has it: what is left is packed again.
            let len = left.iter().map(|scanned| scanned.head.len).sum();
            let mut packed = BytesMut::with_capacity(len);
            let mut before = first.position;
            for Scanned { at, position, head } in left {
                let start = packed.len();
                packed.extend_from_slice(records.get(*at..at.saturating_add(head.len)).unwrap_or_default());
                set_gap(&mut packed, start, gap(before, *position).unwrap_or(0));
                before = *position;
            }
            self.weight = small(packed.len());
            (self.content, self.alive) = (Content::Records(packed.freeze()), None);
            self.last = last.position;
            return;
        }
        let mut alive = self.alive.take().unwrap_or_else(|| {
            let mut all: Vec<Position> = left.iter().chain(taken).map(|scanned| scanned.position).collect();
            all.sort_unstable();
            Box::new(runs(&all).collect())
        });
        for scanned in taken {
            alive.remove_range(scanned.position, scanned.position);
        }
        self.alive = Some(alive);
        self.total = PART;
        self.content = Content::Records(records.slice(first.at..));
    }

    /// What the records that are alive say of themselves.
    fn scan(&self, records: &Bytes) -> impl Iterator<Item = Scanned> {
        let (records, mut at, mut position, mut is_first) = (records.clone(), 0_usize, self.head, true);
        let all = std::iter::from_fn(move || {
            let head = front_head(records.get(at..)?)?;
            if !is_first {
                position = position.plus(u64::from(head.gap));
            }
            is_first = false;
            let scanned = Scanned { at, position, head };
            at = at.saturating_add(head.len);
            Some(scanned)
        });
        all.filter(|scanned| self.alive.as_ref().is_none_or(|alive| alive.contains(scanned.position)))
    }

    /// The messages that are alive, with where their records begin and their positions.
    fn alive_records(&self, records: &Bytes) -> impl Iterator<Item = (usize, Position, Message)> {
        let len = records.len();
        let (mut rest, mut position, mut is_first) = (records.clone(), self.head, true);
        let all = std::iter::from_fn(move || {
            let at = len.saturating_sub(rest.len());
            if !is_first {
                position = position.plus(u64::from(front_gap(&rest)?));
            }
            is_first = false;
            let (_, message) = pop_record(&mut rest)?;
            Some((at, position, message))
        });
        all.filter(|(_, position, _)| self.alive.as_ref().is_none_or(|alive| alive.contains(*position)))
    }

    /// To the next message that is alive.
    #[inline]
    fn advance(&mut self) {
        let Content::Records(records) = &mut self.content else { return };
        while let Some(gap) = front_gap(records) {
            self.head = self.head.plus(u64::from(gap));
            if self.alive.as_ref().is_none_or(|alive| alive.contains(self.head)) {
                return;
            }
            pop_record(records);
        }
    }

    /// Forgets the records of messages that were taken out, unless they are stored as well. Says whether there were any: then
    /// the block may end with another position.
    pub(super) fn close_gaps(&mut self) -> bool {
        let Content::Records(records) = &self.content else { return false };
        if self.alive.is_none() || self.place.is_some() {
            return false;
        }
        let (mut packed, mut last) = (BytesMut::with_capacity(records.len()), self.head);
        for (_, position, message) in self.alive_records(records) {
            push_record(&mut packed, gap(last, position).unwrap_or(0), &message);
            last = position;
        }
        (self.content, self.last, self.alive) = (Content::Records(packed.freeze()), last, None);
        true
    }

    /// What is not read yet, as records.
    pub(super) fn records(&self) -> Bytes {
        match &self.content {
            Content::Records(records) => records.clone(),
            Content::Single(message) => {
                let mut record = BytesMut::with_capacity(record_len(message));
                push_record(&mut record, 0, message);
                record.freeze()
            }
        }
    }

    /// The same block without what it has in memory; nothing when it is nowhere else.
    pub(super) fn paged(&self) -> Option<Paged> {
        Some(Paged {
            first: self.first,
            last: self.last,
            place: self.place?,
            alive: self.alive.clone(),
            count: self.count,
            bytes: self.bytes,
            total: self.total,
            asked: false,
            deadline: self.deadline,
        })
    }
}

pub(super) fn small(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
