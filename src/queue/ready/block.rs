//! Blocks of ready messages: in memory, or on the disk with only a descriptor here.

mod agenda;
mod alive;
mod taking;

use bytes::{Bytes, BytesMut};

use crate::message::Message;
use crate::place::{Home, Position};
use crate::store::positions::PositionSet;
use crate::store::segment::block::{
    Records, front_arrival, front_gap, front_head, pop_record, push_record, record_len,
};
use crate::store::stored::{BlockPlace, Damage};
use crate::time::Time;
use agenda::Agenda;
pub(super) use agenda::Taken;
pub(super) use alive::AliveSet;

/// The positions of a stored block that are alive; all when there is no set.
pub(super) type Alive = Option<Box<AliveSet>>;

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
    /// Which of its deadlines come next, as far as that was looked up.
    pub(super) agenda: Option<Box<Agenda>>,
    /// When the first of its messages arrived, or a moment after that; never when nothing is known of it.
    pub(super) arrived: Time,
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
    /// Which of its deadlines come next, as far as that was looked up.
    agenda: Option<Agenda>,
    content: Content,
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
    pub(super) fn alive(&self) -> Option<&AliveSet> {
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
        let alive = alive.map(|alive| Box::new(AliveSet::of(alive)));
        let (bytes, deadline) = (u32::try_from(bytes).unwrap_or(u32::MAX), Time::NEVER);
        let (asked, agenda, arrived) = (false, None, Time::NEVER);
        Self { first, last, place, alive, count, bytes, total, asked, deadline, agenda, arrived }
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
        let (mut at, mut position) = (0_usize, self.first);
        let (mut count, mut alive_bytes, mut start) = (0_u32, 0_u32, None);
        loop {
            let record = bytes.get(at..).and_then(front_head);
            let head = record.ok_or_else(|| Damage("no whole record".to_owned()))?;
            if self.is_alive(position) {
                count = count.saturating_add(1);
                alive_bytes = alive_bytes.saturating_add(head.body_len);
                start.get_or_insert((at, position));
            }
            at = at.saturating_add(head.len);
            match bytes.get(at..).and_then(front_gap) {
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
            agenda: None,
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
            agenda: None,
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

    /// The same block, in its place, without what it has in memory; nothing when it is nowhere else. It keeps no more than
    /// so many deadlines.
    pub(super) fn paged(&mut self, noted_max: usize) -> Option<Paged> {
        let place = self.place?;
        let agenda = self.agenda.take().and_then(|agenda| agenda.cut(noted_max));
        let arrived = self.first_arrival().unwrap_or(Time::NEVER);
        Some(Paged {
            first: self.first,
            last: self.last,
            place,
            alive: self.alive.take(),
            count: self.count,
            bytes: self.bytes,
            total: self.total,
            asked: false,
            deadline: self.deadline,
            agenda,
            arrived,
        })
    }
}

pub(super) fn small(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
