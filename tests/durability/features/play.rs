//! What the client of the features does until the broker is gone.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::time::Instant;

use super::{Fate, Feature, Features, Known, Line, Number, letter};
use crate::account::Account;
use crate::client::{Client, Gone, Incoming};
use crate::load::Session;
use crate::support::frame::Frame;
use crate::support::{Message, Table, method, raw};

/// So many publishes wait for their confirms at most.
const WINDOW: usize = 60;
/// So many messages are held unsettled at most.
const HELD_MAX: usize = 12;

/// What the connection has not heard the end of.
#[derive(Default)]
struct Open {
    /// The publishes that were not confirmed, by their tags: which message, and how many settlements were sent before.
    publishes: BTreeMap<u64, (usize, Number, usize)>,
    tag: u64,
    /// The settlements that were sent and may not be on the disk, in their order.
    settlements: VecDeque<Settlement>,
    /// How many there were before these.
    for_sure: usize,
    /// Got and not settled: of which line, which message, by which tag.
    held: Vec<(usize, Number, u64)>,
}

/// What was done with a message that was got.
struct Settlement {
    line: usize,
    number: Number,
    /// How often it has failed by then.
    failures: u32,
    /// It does not come back.
    for_good: bool,
}

impl Features {
    /// Makes the queues, on a broker that has none of them or all.
    pub(crate) fn declare(&self, client: &mut Client) -> Result<(), Gone> {
        for line in &self.lines {
            client.call(1, method::queue_declare(&line.queue, method::DURABLE, &line.arguments()))?;
            client.call(1, method::queue_declare(&line.letters, method::DURABLE, &Table::new()))?;
        }
        Ok(())
    }

    /// Publishes and gets until the broker is gone.
    pub(crate) fn play(&mut self, mut session: Session<'_>) -> Account {
        let Err(Gone) = self.use_them(&mut session);
        session.account
    }

    fn use_them(&mut self, session: &mut Session<'_>) -> Result<Infallible, Gone> {
        session.client.call(1, method::confirm_select())?;
        let mut open = Open::default();
        loop {
            let at = usize::try_from(session.random.below(self.lines.len() as u64)).unwrap();
            if session.random.once_in(2) {
                self.publish(session, &mut open, at);
                while open.publishes.len() > WINDOW {
                    self.heed(session.client.next()?, &mut open);
                }
            } else if self.lines[at].feature != Feature::Length && open.held.len() < HELD_MAX {
                self.get(session, &mut open, at)?;
            }
            while !open.held.is_empty() && (open.held.len() >= HELD_MAX || session.random.once_in(2)) {
                let which = usize::try_from(session.random.below(open.held.len() as u64)).unwrap();
                let held = open.held.remove(which);
                self.settle(session, &mut open, held);
            }
        }
    }

    fn publish(&mut self, session: &mut Session<'_>, open: &mut Open, at: usize) {
        let mut bytes = Vec::new();
        for _ in 0..=session.random.magnitude(8) {
            let (line, number) = (&mut self.lines[at], self.next);
            self.next += 1;
            let properties = line.properties(number, &line.headers(number), true);
            let method = method::basic_publish("", &line.queue, 0);
            bytes.extend(raw::content(1, method, &properties, &line.body(number), 131_072));
            open.tag += 1;
            open.publishes.insert(open.tag, (at, number, open.for_sure + open.settlements.len()));
            let known = Known {
                confirmed: false,
                sent: Instant::now(),
                fate: Fate::Waits,
                failures: 0,
                failures_for_sure: 0,
                was_got: false,
            };
            line.messages.insert(number, known);
            session.fuse.step();
        }
        session.client.send_bytes(&bytes);
    }

    fn get(&mut self, session: &mut Session<'_>, open: &mut Open, at: usize) -> Result<(), Gone> {
        session.client.send(1, method::basic_get(&self.lines[at].queue, false));
        session.fuse.step();
        loop {
            match session.client.next()? {
                Incoming::Got(message) => {
                    let line = &mut self.lines[at];
                    let Some(number) = line.got(&message, &mut self.violations) else { return Ok(()) };
                    line.in_order(number, &open.held, &mut self.violations);
                    let known = line.messages.get_mut(&number).expect("it was published");
                    (known.fate, known.failures, known.was_got) =
                        (Fate::Held, letter::failures(&message), true);
                    open.held.push((at, number, message.delivery_tag));
                    return Ok(());
                }
                Incoming::Method(frame) if frame.method() == Some(method::BASIC_GET_EMPTY) => return Ok(()),
                other => self.heed(other, open),
            }
        }
    }

    /// Acknowledges a message, or gives it back, or does what its queue is for.
    fn settle(
        &mut self,
        session: &mut Session<'_>,
        open: &mut Open,
        (at, number, tag): (usize, Number, u64),
    ) {
        let line = &mut self.lines[at];
        let known = line.messages.get_mut(&number).expect("it was published");
        let (fate, payload) = match (line.feature, session.random.below(4)) {
            (Feature::Rejected, 0..=1) => {
                (Fate::Rejected { for_sure: false }, method::basic_reject(tag, false))
            }
            (Feature::Failures, 0..=2) => {
                known.failures += 1;
                (Fate::Waits, method::basic_reject(tag, true))
            }
            (_, 0) => (Fate::Waits, method::basic_nack(tag, false, true)),
            _ => (Fate::Acked { for_sure: false }, method::basic_ack(tag, false)),
        };
        known.fate = fate;
        let for_good = fate != Fate::Waits;
        open.settlements.push_back(Settlement { line: at, number, failures: known.failures, for_good });
        session.client.send(1, payload);
        session.fuse.step();
    }

    fn heed(&mut self, incoming: Incoming, open: &mut Open) {
        match incoming {
            Incoming::Method(frame) if frame.method() == Some(method::BASIC_ACK) => {
                self.confirm(&frame, open);
            }
            Incoming::Method(frame) if frame.channel == 0 => {}
            other => panic!("unexpected: {other:?}"),
        }
    }

    /// Publishes are on the disk, and with them all that was done before.
    fn confirm(&mut self, frame: &Frame, open: &mut Open) {
        let mut arguments = frame.arguments();
        let (tag, is_multiple) = (arguments.longlong(), arguments.octet() & 1 == 1);
        let later = open.publishes.split_off(&(tag + 1));
        let mut confirmed = std::mem::replace(&mut open.publishes, later);
        if !is_multiple {
            let only = confirmed.remove(&tag);
            open.publishes.append(&mut confirmed);
            confirmed.extend(only.map(|only| (tag, only)));
        }
        for (at, number, settlements) in confirmed.into_values() {
            self.lines[at].messages.entry(number).and_modify(|known| known.confirmed = true);
            while open.for_sure < settlements {
                open.for_sure += 1;
                let settlement = open.settlements.pop_front().expect("it was sent");
                self.lines[settlement.line].is_settled_for_sure(&settlement);
            }
        }
    }
}

impl Line {
    /// A message came from the queue. Its number, if it may.
    pub(super) fn got(&self, message: &Message, violations: &mut Vec<String>) -> Option<Number> {
        let number = Self::number_of(message).filter(|number| self.messages.contains_key(number));
        let Some(number) = number else {
            let number = Self::number_of(message);
            let is_done = number.is_some_and(|number| self.done.contains(&number));
            let why = if is_done { "it was settled" } else { "nobody published it" };
            violations.push(format!("phantom: {}: {number:?} came, but {why}", self.queue));
            return None;
        };
        if let Some(difference) = self.difference(number, message) {
            violations.push(format!("{}: {number}: {difference}", self.queue));
        }
        let known = &self.messages[&number];
        if known.fate == (Fate::Acked { for_sure: true }) {
            violations.push(format!("phantom: {}: {number} came, but {known:?}", self.queue));
        }
        if let Some(delay) = self.waits(number).filter(|_| self.feature == Feature::Scheduled)
            && u128::from(delay) > known.sent.elapsed().as_millis() + super::verify::CUT_OFF_MILLIS
        {
            violations.push(format!("{}: {number} came after {:?}", self.queue, known.sent.elapsed()));
        }
        let told = letter::failures(message);
        if told < known.failures_for_sure || told > known.failures {
            violations.push(format!("{}: {number} failed {told} times, {known:?}", self.queue));
        }
        Some(number)
    }

    /// Of a group only the first may come, and nothing of what is held.
    pub(super) fn in_order(
        &self,
        number: Number,
        held: &[(usize, Number, u64)],
        violations: &mut Vec<String>,
    ) {
        let Some(group) = self.group(number) else { return };
        let same = |other: Number| self.messages.contains_key(&other) && self.group(other) == Some(group);
        if let Some((_, other, _)) = held.iter().find(|(_, other, _)| same(*other)) {
            violations.push(format!("{}: {number} came while {other} of its group was held", self.queue));
        }
        let before = |(other, known): &(&Number, &Known)| {
            **other < number && same(**other) && known.confirmed && known.fate == Fate::Waits
        };
        if let Some((other, _)) = self.messages.iter().find(before) {
            violations.push(format!("{}: {number} came before {other} of its group", self.queue));
        }
    }

    /// A settlement is on the disk.
    fn is_settled_for_sure(&mut self, settlement: &Settlement) {
        let Some(known) = self.messages.get_mut(&settlement.number) else { return };
        known.failures_for_sure = known.failures_for_sure.max(settlement.failures);
        if let Fate::Acked { for_sure } | Fate::Rejected { for_sure } = &mut known.fate {
            *for_sure |= settlement.for_good;
        }
    }
}
