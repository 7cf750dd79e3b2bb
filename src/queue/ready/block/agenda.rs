//! What of a block is due, and what is next.
//!
//! A block is looked through for a part of its deadlines at a time. When one of these comes it is known where the message
//! is, and nothing of the block is touched but the set of what is alive: where nobody wants the message itself, the block need
//! not even be in memory.

use bytes::{Bytes, BytesMut};

use super::{AliveSet, Content, Packed, Paged, small};
use crate::message::Message;
use crate::place::Position;
use crate::store::segment::block::{RecordHead, front_head, gap, pop_record, set_gap};
use crate::time::Time;

/// The next deadlines of a block.
pub(in crate::queue::ready) struct Agenda {
    /// The first of them is the last.
    noted: Vec<Noted>,
    /// The earliest of those that are not noted.
    rest: Time,
}

/// The deadline of one message.
struct Noted {
    deadline: Time,
    position: Position,
    /// Where its record begins, in bytes before the end of all.
    before_end: u32,
    /// The length of its body, in bytes.
    body_len: u32,
}

/// A message that was taken out of a block.
pub(in crate::queue::ready) struct Taken {
    pub(in crate::queue::ready) position: Position,
    /// The length of its body, in bytes.
    pub(in crate::queue::ready) body_len: u32,
    /// Itself, if it is wanted.
    pub(in crate::queue::ready) message: Option<Message>,
}

/// At least so many deadlines are noted at a time, if there are so many. Tests have small blocks.
const NOTED_MIN: usize = if cfg!(test) { 1 } else { 64 };

/// A record of a block.
struct Scanned {
    /// Where it begins.
    at: usize,
    position: Position,
    head: RecordHead,
}

impl Agenda {
    /// When the next of them comes.
    fn next(&self) -> Time {
        self.noted.last().map_or(self.rest, |noted| noted.deadline)
    }

    fn pop_due(&mut self, now: Time) -> Option<Noted> {
        self.noted.pop_if(|noted| noted.deadline <= now)
    }

    /// The first `max` of them; nothing when that is none.
    pub(super) fn cut(mut self, max: usize) -> Option<Box<Self>> {
        if let Some(more) = self.noted.len().checked_sub(max).filter(|more| *more > 0) {
            self.rest = self.noted.drain(..more).next_back().map_or(self.rest, |first| first.deadline);
            self.noted.shrink_to_fit();
        }
        (!self.noted.is_empty()).then(|| Box::new(self))
    }
}

impl Packed {
    /// Takes out the messages whose own deadline has come. The messages themselves are `wanted`, or only their places. Of the
    /// others no more than `noted_max` deadlines are remembered.
    pub(in crate::queue::ready) fn take_due(
        &mut self,
        now: Time,
        wanted: bool,
        noted_max: usize,
    ) -> Vec<Taken> {
        if matches!(self.content, Content::Single(_)) {
            self.deadline = Time::NEVER;
            return self.pop_single().into_iter().map(Taken::of).collect();
        }
        let mut taken = Vec::new();
        while self.deadline <= now && self.count > 0 {
            self.find_head();
            let mut agenda = match self.agenda.take() {
                Some(agenda) => agenda,
                None => self.note(self.half(noted_max)),
            };
            self.take_noted(&mut agenda, now, wanted, &mut taken);
            self.deadline = agenda.next();
            self.agenda = Some(agenda).filter(|agenda| !agenda.noted.is_empty());
        }
        self.find_head();
        taken
    }

    /// Takes out the messages whose own deadline has come, or, when these are less than a `part`th of all, that many of
    /// those that come next: they are to wait by themselves, without the block that they were in.
    pub(in crate::queue::ready) fn take_soon(&mut self, now: Time, part: usize) -> Vec<Taken> {
        if matches!(self.content, Content::Single(_)) {
            return self.take_due(now, true, 0);
        }
        let mut taken = Vec::new();
        let mut agenda = self.note((self.count as usize / part.max(1)).max(1));
        self.take_noted(&mut agenda, Time::NEVER, true, &mut taken);
        for Taken { message, .. } in &mut taken {
            *message = message.as_ref().map(Message::detached);
        }
        self.deadline = agenda.next();
        taken.extend(self.take_due(now, true, usize::MAX));
        self.agenda = None;
        taken
    }

    /// How many deadlines to note: half of them, so that the block is looked through a few times.
    fn half(&self, max: usize) -> usize {
        (self.count as usize / 2).max(NOTED_MIN).min(max).max(1)
    }

    fn take_noted(&mut self, agenda: &mut Agenda, until: Time, wanted: bool, taken: &mut Vec<Taken>) {
        let Content::Records(records) = &self.content else { return };
        let mut alive = self.alive.take();
        while let Some(Noted { position, before_end, body_len, .. }) = agenda.pop_due(until) {
            if position < self.head {
                // It has been read since.
                continue;
            }
            let message = if wanted {
                let at = records.len().saturating_sub(before_end as usize);
                pop_record(&mut records.slice(at..)).map(|(_, message)| message)
            } else {
                None
            };
            alive
                .get_or_insert_with(|| Box::new(all(records, self.head, self.last, self.count)))
                .remove(position);
            self.count = self.count.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(body_len);
            self.total = super::PART;
            taken.push(Taken { position, body_len, message });
        }
        self.alive = alive;
    }

    /// Looks through the block for the next `max` deadlines.
    fn note(&mut self, max: usize) -> Agenda {
        self.agenda = None;
        if !self.given_out && self.close_gaps() {
            self.weight = small(self.records().len());
        }
        let Content::Records(records) = &self.content else {
            return Agenda { noted: Vec::new(), rest: Time::NEVER };
        };
        let mut noted: Vec<Noted> = scan(records, self.head, self.alive.as_deref())
            .filter(|scanned| scanned.head.deadline != Time::NEVER)
            .map(|Scanned { at, position, head }| Noted {
                deadline: head.deadline,
                position,
                before_end: small(records.len().saturating_sub(at)),
                body_len: head.body_len,
            })
            .collect();
        let mut rest = Time::NEVER;
        if noted.len() > max {
            rest = noted.select_nth_unstable_by_key(max, |noted| (noted.deadline, noted.position)).1.deadline;
            noted.truncate(max);
            noted.shrink_to_fit();
        }
        // Of those with the same deadline the first goes first.
        noted.sort_unstable_by_key(|noted| std::cmp::Reverse((noted.deadline, noted.position)));
        Agenda { noted, rest }
    }

    /// The first message may have been taken out.
    pub(super) fn find_head(&mut self) {
        if self.count == 0 || self.alive.as_ref().is_none_or(|alive| alive.contains(self.head)) {
            return;
        }
        if let Content::Records(records) = &mut self.content {
            pop_record(records);
            self.advance();
        }
    }

    /// Forgets the records of messages that were taken out, unless they are stored as well. Says whether there were any: then the block may end with another position.
    pub(in crate::queue::ready) fn close_gaps(&mut self) -> bool {
        let Content::Records(records) = &self.content else { return false };
        if self.alive.is_none() || self.place.is_some() {
            return false;
        }
        let (mut packed, mut last) = (BytesMut::with_capacity(records.len()), self.head);
        for Scanned { at, position, head } in scan(records, self.head, self.alive.as_deref()) {
            let start = packed.len();
            packed.extend_from_slice(records.get(at..at.saturating_add(head.len)).unwrap_or_default());
            set_gap(&mut packed, start, gap(last, position).unwrap_or(0));
            last = position;
        }
        (self.content, self.last, self.alive) = (Content::Records(packed.freeze()), last, None);
        self.agenda = None;
        true
    }
}

impl Paged {
    /// Takes out the messages whose own deadline has come, as far as that is known here. When the deadline of the block is
    /// still not later than `now`, it has to be read.
    pub(in crate::queue::ready) fn take_due(&mut self, now: Time) -> Vec<Taken> {
        let mut taken = Vec::new();
        let (Some(agenda), Some(alive)) = (&mut self.agenda, &mut self.alive) else { return taken };
        while let Some(Noted { position, body_len, .. }) = agenda.pop_due(now) {
            if alive.remove(position) {
                self.count = self.count.saturating_sub(1);
                self.bytes = self.bytes.saturating_sub(body_len);
                taken.push(Taken { position, body_len, message: None });
            }
        }
        self.deadline = agenda.next();
        if agenda.noted.is_empty() {
            self.agenda = None;
        }
        taken
    }
}

impl Taken {
    fn of((position, message): (Position, Message)) -> Self {
        Self { position, body_len: small(message.body_len()), message: Some(message) }
    }
}

/// What the records that are alive say of themselves; the first record has the position `head`.
fn scan(records: &Bytes, head: Position, alive: Option<&AliveSet>) -> impl Iterator<Item = Scanned> {
    let (mut at, mut position, mut is_first) = (0_usize, head, true);
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
    all.filter(move |scanned| alive.is_none_or(|alive| alive.contains(scanned.position)))
}

/// The positions of records that are all alive.
pub(super) fn all(records: &Bytes, head: Position, last: Position, count: u32) -> AliveSet {
    if last.0.saturating_sub(head.0).saturating_add(1) == u64::from(count) {
        return AliveSet::all(head, last);
    }
    AliveSet::those(head, last, scan(records, head, None).map(|scanned| scanned.position))
}
