//! What of the features must be there after a start.

use std::time::{Duration, Instant};

use super::{FAILURES_MAX, Fate, Feature, Features, Known, Line, Number, priority};
use crate::checker::End;
use crate::client::{Gone, Incoming};
use crate::load::Session;
use crate::support::frame::{Frame, METHOD};
use crate::support::{Message, method};

/// The broker cuts its times to whole milliseconds, and another broker has another clock.
pub(super) const CUT_OFF_MILLIS: u128 = 20;
/// What is to come comes within this time.
const DEADLINE: Duration = Duration::from_mins(1);
/// So many messages are asked for before one has come.
const AT_ONCE: usize = 50;

impl Features {
    /// Takes all dead letters out, and now and then all else, and holds that against what is known.
    pub(crate) fn verify(&mut self, session: &mut Session<'_>, end: End) -> Result<(), Gone> {
        self.declare(&mut session.client)?;
        let drains = session.random.once_in(2);
        for line in &mut self.lines {
            line.came_back(end);
            if drains {
                line.drain(session, &mut self.violations)?;
            } else {
                line.take_letters(session, &mut self.violations)?;
                line.letters_are_there(&mut self.violations);
            }
        }
        session.account.violations.append(&mut self.violations);
        Ok(())
    }
}

impl Line {
    /// What was held when the broker ended came back, and failed if the broker saw the connection end. It may not have read
    /// the last settlements then.
    fn came_back(&mut self, end: End) {
        for known in self.messages.values_mut().filter(|known| known.was_got) {
            known.failures += u32::from(end != End::Killed && self.feature == Feature::Failures);
            known.was_got = false;
            if known.fate == Fate::Held {
                known.fate = Fate::Waits;
            }
        }
    }

    /// Takes everything, and waits for what is to come.
    fn drain(&mut self, session: &mut Session<'_>, violations: &mut Vec<String>) -> Result<(), Gone> {
        let (deadline, mut found) = (Instant::now() + DEADLINE, Vec::new());
        loop {
            self.take(session, &mut found, violations)?;
            self.take_letters(session, violations)?;
            let must = |(_, known): &(&Number, &Known)| known.must_be_there();
            if !self.messages.iter().any(|message| must(&message)) {
                break;
            }
            if Instant::now() > deadline {
                let lost: Vec<_> = self.messages.iter().filter(must).collect();
                violations.push(format!("lost: {} and its letters do not have {lost:?}", self.queue));
                break;
            }
        }
        let order = |pair: &[Number]| self.goes_before(pair[0], pair[1]);
        if self.feature == Feature::Length
            && found.first().copied() < self.latest_letter.filter(|_| !found.is_empty())
        {
            violations.push(format!("order: {:?} died before {:?}", self.latest_letter, found.first()));
        }
        if !self.is_in_order(&found) {
            let wrong: Vec<_> = found.windows(2).filter(|pair| !order(pair)).collect();
            violations.push(format!("order: {} has {wrong:?} of {found:?}", self.queue));
        }
        if self.feature != Feature::Scheduled {
            self.done.extend(std::mem::take(&mut self.messages).into_keys());
        }
        // Else what was not confirmed may wait for its time.
        Ok(())
    }

    /// Whether the messages of the queue came in their order.
    fn is_in_order(&self, found: &[Number]) -> bool {
        let pairs = found.iter().enumerate().flat_map(|(at, first)| {
            // Not only neighbours: what waits for its time is ordered by twos only.
            found[at + 1..].iter().take(100).map(move |second| (*first, *second))
        });
        pairs.into_iter().all(|(first, second)| self.goes_before(first, second))
    }

    /// Whether one message may come before the other.
    fn goes_before(&self, first: Number, second: Number) -> bool {
        match self.feature {
            Feature::Priorities => {
                let (one, other) = (priority(first), priority(second));
                one > other || one == other && first < second
            }
            // Of two the first is later only if it waits longer.
            Feature::Scheduled => first < second || self.waits(second) > self.waits(first),
            _ => first < second,
        }
    }

    fn take(
        &mut self,
        session: &mut Session<'_>,
        found: &mut Vec<Number>,
        violations: &mut Vec<String>,
    ) -> Result<(), Gone> {
        // The second of a group comes when the first is settled.
        let at_once = if self.feature == Feature::Groups { 1 } else { AT_ONCE };
        loop {
            let messages = session.take_first(&self.queue, at_once)?;
            if messages.is_empty() {
                return Ok(());
            }
            for message in messages {
                let Some(number) = self.got(&message, violations) else { continue };
                self.in_order(number, &[], violations);
                let known = &self.messages[&number];
                let is_dead = known.failures_for_sure > FAILURES_MAX;
                if is_dead || matches!(known.fate, Fate::Rejected { for_sure: true }) {
                    violations.push(format!("{}: {number} is there, but died: {known:?}", self.queue));
                }
                self.ends(number);
                found.push(number);
            }
        }
    }

    fn take_letters(&mut self, session: &mut Session<'_>, violations: &mut Vec<String>) -> Result<(), Gone> {
        loop {
            let messages = session.take_first(&self.letters, AT_ONCE)?;
            if messages.is_empty() {
                return Ok(());
            }
            for message in &messages {
                self.take_letter(message, violations);
            }
        }
    }

    fn take_letter(&mut self, message: &Message, violations: &mut Vec<String>) {
        let Some((number, wrong)) = self.letter(message) else {
            let number = Self::number_of(message);
            let is_done = number.is_some_and(|number| self.done.contains(&number));
            let why = if is_done { "it was settled or died before" } else { "nobody published it" };
            return violations.push(format!("phantom: {} has {number:?}, but {why}", self.letters));
        };
        if let Some(wrong) = wrong {
            violations.push(format!("{}: {number}: {wrong}", self.letters));
        }
        self.latest_letter = Some(number);
        self.letters_taken += 1;
        self.ends(number);
    }

    /// Which message a dead letter is, and what is wrong with that.
    fn letter(&self, message: &Message) -> Option<(Number, Option<String>)> {
        let number = Self::number_of(message)?;
        let known = self.messages.get(&number)?;
        let may = match self.feature {
            Feature::Rejected => matches!(known.fate, Fate::Rejected { .. }),
            Feature::Failures => known.failures > FAILURES_MAX,
            Feature::Expired => {
                let waited = known.sent.elapsed().as_millis() + CUT_OFF_MILLIS;
                self.waits(number).is_some_and(|wait| u128::from(wait) <= waited)
            }
            // What came before it has left as well, or is on its way to.
            Feature::Length => self.latest_letter.is_none_or(|before| before < number),
            Feature::Scheduled | Feature::Groups | Feature::Priorities => false,
        };
        let dead = (!may || known.fate == Fate::Acked { for_sure: true })
            .then(|| format!("it is dead, though it is {known:?}"));
        Some((number, dead.or_else(|| self.difference_of_letter(number, message))))
    }

    /// What died for sure is not missing.
    fn letters_are_there(&mut self, violations: &mut Vec<String>) {
        for (number, known) in &self.messages {
            let is_dead = known.failures_for_sure > FAILURES_MAX;
            if is_dead || matches!(known.fate, Fate::Rejected { for_sure: true }) {
                violations.push(format!("lost: {} does not have {number}: {known:?}", self.letters));
            }
        }
    }

    fn ends(&mut self, number: Number) {
        self.messages.remove(&number);
        self.done.insert(number);
    }
}

impl Known {
    /// It was confirmed and never acknowledged.
    fn must_be_there(&self) -> bool {
        self.confirmed && !matches!(self.fate, Fate::Acked { .. })
    }
}

impl Session<'_> {
    /// Takes the first messages of a queue for good, at most so many; none when it is empty.
    fn take_first(&mut self, queue: &str, max: usize) -> Result<Vec<Message>, Gone> {
        let get = Frame::new(METHOD, 1, method::basic_get(queue, false)).encode();
        self.client.send_bytes(&get.repeat(max));
        let mut messages = Vec::new();
        for _ in 0..max {
            match self.client.next_of(method::BASIC_GET_EMPTY)? {
                Incoming::Got(message) => messages.push(message),
                Incoming::Method(_) => {}
                other => panic!("unexpected: {other:?}"),
            }
        }
        if let Some(last) = messages.last() {
            self.client.send(1, method::basic_ack(last.delivery_tag, true));
        }
        Ok(messages)
    }
}
