//! What a queue with every feature must do, written as simply as can be: lists that are looked through from the beginning.

use std::cmp::Reverse;
use std::time::Duration;

use super::message::{Known, Place, With};
use crate::queue::core::Settlement;
use crate::queue::death::Reason;
use crate::queue::id::UnackedKey;
use crate::queue::retry::Which;
use crate::queue::terms::{Overflow, Terms};
use crate::store::stored::Returns;
use crate::time::Time;

pub(super) struct Consumer {
    pub(super) prefetch: u16,
    pub(super) no_ack: bool,
    pub(super) priority: i64,
    pub(super) exclusive: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) stage: Stage,
}

/// How far a consumer has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Consuming,
    /// It gets nothing more, and goes.
    Stopped,
    Gone,
}

pub(super) struct Model {
    pub(super) terms: Terms,
    pub(super) grouped: bool,
    pub(super) single_active: bool,
    pub(super) paused: bool,
    pub(super) now: Time,
    /// All that ever had a position, by that.
    pub(super) messages: Vec<Known>,
    pub(super) consumers: Vec<Consumer>,
    /// The single active consumer.
    active: Option<usize>,
    /// Groups of which some came back and some are in flight.
    closing: Vec<u8>,
    /// What the undertaker is to be told of, since it was asked last.
    pub(super) told: Vec<(usize, Reason)>,
}

impl Model {
    pub(super) fn new(terms: Terms, grouped: bool, single_active: bool, now: Time) -> Self {
        Self {
            terms,
            grouped,
            single_active,
            paused: false,
            now,
            messages: Vec::new(),
            consumers: Vec::new(),
            active: None,
            closing: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Those messages, by position.
    pub(super) fn at(&self, wanted: impl Fn(Place) -> bool) -> Vec<usize> {
        (0..self.messages.len()).filter(|at| wanted(self.messages[*at].place)).collect()
    }

    /// The ready messages in the order in which they go.
    pub(super) fn ready(&self) -> Vec<usize> {
        let mut ready = self.at(|place| place == Place::Ready);
        ready.sort_by_key(|at| (Reverse(self.messages[*at].level), *at));
        ready
    }

    pub(super) fn ready_bytes(&self) -> u64 {
        self.ready().iter().map(|at| self.messages[*at].bytes).sum()
    }

    pub(super) fn live(&self) -> Vec<usize> {
        (0..self.consumers.len()).filter(|at| self.consumers[*at].stage != Stage::Gone).collect()
    }

    pub(super) fn deadline(&self, at: usize) -> Time {
        let Known { arrived, expiration, .. } = self.messages[at];
        let after = |wait: Option<Duration>| wait.map_or(Time::NEVER, |wait| arrived.plus(wait));
        after(expiration).min(after(self.terms.message_ttl))
    }

    // Publishing.

    /// Whether a message of this size would be one too many.
    pub(super) fn is_refused(&self, bytes: u64) -> bool {
        // What could not leave counts, or it would pile up.
        let staying = self.at(|place| matches!(place, Place::Staying(..)));
        let count = self.ready().len() + staying.len();
        let staying_bytes: u64 = staying.iter().map(|at| self.messages[*at].bytes).sum();
        let bytes = self.ready_bytes() + staying_bytes + bytes;
        self.terms.overflow != Overflow::DropHead
            && (self.terms.max_length.is_some_and(|max| count as u64 + 1 > max)
                || self.terms.max_length_bytes.is_some_and(|max| bytes > max))
    }

    /// A message is published. Gives whether it is taken.
    pub(super) fn publish(&mut self, mut message: Known) -> bool {
        let at = self.messages.len();
        let scheduled = message.scheduled_for().filter(|_| self.terms.scheduled);
        let refused = scheduled.is_none() && self.is_refused(message.bytes);
        // It was never here as far as the journal knows.
        message.journalled &= !refused;
        message.place = scheduled.map_or(Place::Ready, Place::Scheduled);
        self.messages.push(message);
        if refused && self.terms.overflow == Overflow::RejectPublishDeadLetter {
            self.die(at, Reason::MaxLength);
        } else if refused {
            self.messages[at].place = Place::Gone;
        }
        !refused
    }

    /// A message that nobody took when it came, and that may not wait at all, dies.
    pub(super) fn waits_or_dies(&mut self, at: usize) {
        if self.messages[at].place == Place::Ready && self.deadline(at) <= self.messages[at].arrived {
            self.die(at, Reason::Expired);
        }
    }

    /// The first go while there are too many.
    pub(super) fn trim(&mut self) {
        loop {
            let (ready, bytes) = (self.ready(), self.ready_bytes());
            let is_too_long = self.terms.max_length.is_some_and(|max| ready.len() as u64 > max)
                || self.terms.max_length_bytes.is_some_and(|max| bytes > max);
            if self.terms.overflow != Overflow::DropHead || !is_too_long {
                return;
            }
            self.die(ready[0], Reason::MaxLength);
        }
    }

    fn die(&mut self, at: usize, reason: Reason) {
        let told = self.terms.dead_letter.is_some();
        self.messages[at].place = if told { Place::Leaving(reason) } else { Place::Gone };
        if told {
            self.told.push((at, reason));
        }
        self.reopen();
    }

    // Delivering.

    pub(super) fn unacked_of(&self, consumer: usize) -> Vec<usize> {
        self.at(|place| matches!(place, Place::Held { by, .. } if by == Some(consumer)))
    }

    /// Whether a consumer could be given a message now.
    pub(super) fn may_take(&self, consumer: usize) -> bool {
        let Consumer { prefetch, no_ack, stage, .. } = self.consumers[consumer];
        let has_turn = !self.single_active || self.active == Some(consumer);
        let has_credit = no_ack || prefetch == 0 || self.unacked_of(consumer).len() < prefetch.into();
        stage == Stage::Consuming && !self.paused && has_turn && has_credit
    }

    /// Of a group: who has its messages in flight, each.
    fn in_flight(&self, group: u8) -> Vec<With> {
        let of = |known: &&Known| known.group == Some(group);
        self.messages.iter().filter(of).filter_map(Known::in_flight).collect()
    }

    /// Whether a ready message may go to this consumer, or be got, as far as its group says.
    fn may_go(&self, at: usize, to: Option<usize>) -> bool {
        let Some(group) = self.messages[at].group.filter(|_| self.grouped) else { return true };
        let first = self.ready().into_iter().find(|at| self.messages[*at].group == Some(group));
        let in_flight = self.in_flight(group);
        let is_his = to.is_some_and(|to| in_flight.iter().all(|with| *with == With::Consumer(to)));
        first == Some(at) && (in_flight.is_empty() || is_his && !self.closing.contains(&group))
    }

    /// The first ready message that may go to this consumer, or be got.
    pub(super) fn first_for(&self, to: Option<usize>) -> Option<usize> {
        self.ready().into_iter().find(|at| self.may_go(*at, to))
    }

    /// A consumer gets a message: `Err` says why it should not have.
    pub(super) fn delivered(&mut self, at: usize, to: usize, key: Option<UnackedKey>) -> Result<(), String> {
        if self.first_for(Some(to)) != Some(at) {
            return Err(format!("consumer {to} got {at}, where {:?} is for it", self.first_for(Some(to))));
        }
        if !self.may_take(to) {
            return Err(format!("consumer {to} got {at} without credit or turn"));
        }
        let group = self.messages[at].group.filter(|_| self.grouped);
        let is_free = group.is_none_or(|group| self.in_flight(group).is_empty());
        let priority = self.consumers[to].priority;
        let before = |other: &usize| self.consumers[*other].priority > priority && self.may_take(*other);
        if let Some(other) = self.live().into_iter().find(|other| is_free && before(other)) {
            return Err(format!("consumer {to} got {at} before {other} of a higher priority"));
        }
        let own = self.consumers[to].timeout;
        let timeout = own.or(self.terms.consumer_timeout).filter(|timeout| !timeout.is_zero());
        let late = timeout.map(|timeout| self.now.plus(timeout));
        self.messages[at].place = match key {
            Some(key) => Place::Held { by: Some(to), key, late },
            None => Place::OnItsWay { to },
        };
        Ok(())
    }

    // Coming back.

    /// What a client has is settled.
    pub(super) fn settle(&mut self, at: usize, settlement: Settlement) {
        match settlement {
            Settlement::Reject if self.terms.dead_letter.is_some() => self.die(at, Reason::Rejected),
            Settlement::Discard | Settlement::Reject => self.gone(at),
            Settlement::Unsent => self.back(at),
            Settlement::Requeue | Settlement::Return => self.returned(at, settlement == Settlement::Requeue),
        }
    }

    /// A message is done with.
    pub(super) fn gone(&mut self, at: usize) {
        self.messages[at].place = Place::Gone;
        self.reopen();
    }

    fn returned(&mut self, at: usize, failed: bool) {
        let message = &mut self.messages[at];
        message.returns.acquired += 1;
        message.returns.deliveries += u32::from(failed);
        message.returns.due = Time::default();
        message.redelivered = true;
        let returns = message.returns;
        if self.terms.delivery_limit.is_some_and(|limit| returns.deliveries > limit) {
            return self.die(at, Reason::DeliveryLimit);
        }
        let delay = self.retry_delay(at, failed).filter(|delay| !delay.is_zero());
        let message = &mut self.messages[at];
        message.returns.due = delay.map_or(Time::default(), |delay| self.now.plus(delay));
        if message.journalled {
            message.recorded = message.returns;
        }
        if delay.is_none() {
            return self.back(at);
        }
        message.place = Place::Retrying(message.returns.due);
        self.close(at);
    }

    fn retry_delay(&self, at: usize, failed: bool) -> Option<Duration> {
        let retry = self.terms.retry.as_ref()?;
        let Known { returns, retry_delay, .. } = self.messages[at];
        let (waits, times) = match retry.which {
            Which::All => (true, returns.acquired),
            Which::Failed => (failed, returns.deliveries),
            Which::Returned => (!failed, returns.acquired - returns.deliveries),
        };
        if !waits {
            return None;
        }
        if retry_delay.is_some() {
            return retry_delay;
        }
        let Some(factor) = retry.factor else {
            return Some((retry.min * returns.deliveries.max(1)).min(retry.max));
        };
        let grown = (1..times).fold(retry.min, |delay, _| (delay * factor / 1000).min(retry.max));
        Some(grown.min(retry.max))
    }

    /// A message is ready again at its place, unless it has waited too long by now.
    fn back(&mut self, at: usize) {
        if self.deadline(at) <= self.now {
            return self.die(at, Reason::Expired);
        }
        self.messages[at].place = Place::Ready;
        self.close(at);
    }

    /// Nothing more of a message's group goes out until nothing is in flight.
    fn close(&mut self, at: usize) {
        self.closing.extend(self.messages[at].group.filter(|_| self.grouped));
        self.reopen();
    }

    fn reopen(&mut self) {
        let closing = std::mem::take(&mut self.closing);
        self.closing = closing.into_iter().filter(|group| !self.in_flight(*group).is_empty()).collect();
    }

    // Consumers.

    pub(super) fn may_consume(&self, exclusive: bool) -> bool {
        let alone = self.live().is_empty() && !self.single_active;
        !self.live().iter().any(|at| self.consumers[*at].exclusive) && (!exclusive || alone)
    }

    pub(super) fn add(&mut self, consumer: Consumer) {
        self.active.get_or_insert(self.consumers.len());
        self.consumers.push(consumer);
    }

    pub(super) fn stop(&mut self, at: usize) {
        self.consumers[at].stage = Stage::Stopped;
    }

    pub(super) fn cancel(&mut self, at: usize) {
        self.consumers[at].stage = Stage::Gone;
        if self.active == Some(at) {
            self.active =
                self.live().into_iter().max_by_key(|at| (self.consumers[*at].priority, Reverse(*at)));
        }
    }

    // Time.

    /// When something is to happen by itself next.
    pub(super) fn next(&self) -> Time {
        let time = |at: usize| match self.messages[at].place {
            Place::Ready => self.deadline(at),
            Place::Retrying(due) | Place::Scheduled(due) | Place::Staying(_, due) => due,
            Place::Held { by: Some(by), late: Some(late), .. } if self.consumers[by].stage != Stage::Gone => {
                late
            }
            _ => Time::NEVER,
        };
        (0..self.messages.len()).map(time).min().unwrap_or(Time::NEVER)
    }

    /// Deliveries are late by another time of the queue's from now on, those that are out too.
    pub(super) fn time_anew(&mut self, timeout: Option<Duration>) {
        let before = self.terms.consumer_timeout;
        if timeout == before {
            return;
        }
        for message in &mut self.messages {
            let Place::Held { by: Some(by), late, .. } = &mut message.place else { continue };
            if self.consumers[*by].timeout.is_some() {
                continue;
            }
            *late = timeout.map(|timeout| match (*late, before) {
                (Some(late), Some(before)) => late.minus(before).plus(timeout),
                _ => self.now.plus(timeout),
            });
        }
    }

    /// What is due by now happens. Gives the deliveries that are late; what waited for its time is the caller's.
    pub(super) fn happens(&mut self) -> Vec<usize> {
        let now = self.now;
        for at in 0..self.messages.len() {
            if let Place::Staying(reason, until) = self.messages[at].place
                && until <= now
            {
                self.messages[at].place = Place::Leaving(reason);
                self.told.push((at, reason));
            }
        }
        for at in self.at(|place| matches!(place, Place::Retrying(due) if due <= now)) {
            self.messages[at].returns.due = Time::default();
            self.back(at);
        }
        for at in self.ready() {
            if self.deadline(at) <= now {
                self.die(at, Reason::Expired);
            }
        }
        let consumers = &self.consumers;
        self.at(|place| match place {
            Place::Held { by: Some(by), late: Some(late), .. } => {
                late <= now && consumers[by].stage != Stage::Gone
            }
            _ => false,
        })
    }

    /// What waits for a time and is due, in the order in which it goes on.
    pub(super) fn due(&self) -> Vec<usize> {
        let mut due: Vec<(Time, usize)> = Vec::new();
        for (at, message) in self.messages.iter().enumerate() {
            if let Place::Scheduled(time) = message.place
                && time <= self.now
            {
                due.push((time, at));
            }
        }
        due.sort_unstable();
        due.into_iter().map(|(_, at)| at).collect()
    }

    /// The broker was killed, and another one has started: what the journal has is there again.
    pub(super) fn restart(&mut self) {
        for consumer in &mut self.consumers {
            consumer.stage = Stage::Gone;
        }
        (self.active, self.closing, self.told) = (None, Vec::new(), Vec::new());
        for message in &mut self.messages {
            if message.place == Place::Gone || !message.journalled {
                message.place = Place::Gone;
                continue;
            }
            (message.returns, message.redelivered) = (message.recorded, true);
            message.place = match message.scheduled_for() {
                Some(due) if self.terms.scheduled && message.recorded.is_none() => Place::Scheduled(due),
                _ if message.recorded.waits() => Place::Retrying(message.recorded.due),
                _ => Place::Ready,
            };
        }
    }

    /// What is known of the returns of a message, as its consumer is told it.
    pub(super) fn told_returns(&self, at: usize) -> (Returns, bool, bool) {
        let Known { returns, redelivered, .. } = self.messages[at];
        let counts = self.terms.delivery_limit.is_some() || self.terms.retry.is_some();
        (returns, redelivered, counts && !returns.is_none())
    }
}
