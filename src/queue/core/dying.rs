//! Messages that leave the queue other than by being consumed, and the limits that make them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{QueueCore, kept};
use crate::message::Message;
use crate::place::{Home, Position, QueueId};
use crate::queue::death::Reason;
use crate::queue::id::UnackedKey;
use crate::queue::ready::Entry;
use crate::queue::terms::Overflow;
use crate::queue::unacked::Holder;
use crate::store::op::Group;
use crate::time::Time;

/// A message that is to leave: it stays in the queue, out of everybody's sight, until it [has left](QueueCore::left).
#[derive(Clone, Debug)]
pub struct Dead {
    /// Where the queue keeps it until then.
    pub key: UnackedKey,
    /// The message.
    pub message: Message,
    /// Why it leaves.
    pub reason: Reason,
    /// How often it was refused where it went.
    pub attempts: u32,
    /// The queues that have it already, while others have not.
    pub taken_by: Vec<QueueId>,
}

/// What could not leave, by when it is tried again.
#[derive(Default)]
pub(super) struct Staying {
    dead: BTreeMap<(Time, Position), Dead>,
    /// The size of their bodies, in bytes.
    bytes: u64,
}

impl Staying {
    /// How many there are, with the size of their bodies in bytes.
    pub(super) fn held(&self) -> (u64, u64) {
        (self.dead.len() as u64, self.bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.dead.is_empty()
    }

    fn insert(&mut self, at: (Time, Position), dead: Dead) {
        self.bytes = self.bytes.saturating_add(dead.message.body_len() as u64);
        self.dead.insert(at, dead);
    }

    fn pop_due(&mut self, now: Time) -> Option<Dead> {
        let dead = self.dead.first_entry().filter(|first| first.key().0 <= now)?.remove();
        self.bytes = self.bytes.saturating_sub(dead.message.body_len() as u64);
        Some(dead)
    }
}

/// So many messages are dropped under one lock: more than come with one batch.
const TRIMMED_AT_ONCE: usize = 16_384;

/// What was refused is tried again after this time, then after twice that, and so on...
const RETRY_MIN: Duration = Duration::from_secs(1);
/// ...up to this.
const RETRY_MAX: Duration = Duration::from_secs(30);

impl QueueCore {
    /// Takes a message as the terms of the queue say. `false`: it is refused, and its place stays empty.
    pub(super) fn publish_on_terms(&mut self, message: Message, home: Home) -> bool {
        let Some(message) = self.unless_scheduled(message, home) else { return true };
        if self.terms.overflow != Overflow::DropHead && self.would_overflow(&message) {
            if self.terms.overflow == Overflow::RejectPublishDeadLetter {
                // It was never here as far as the journal knows.
                let entry = Entry::new(self.next, message);
                self.bury(entry, Reason::MaxLength);
            }
            self.next = self.next.next();
            return false;
        }
        if self.groups.is_some() {
            self.take_grouped(message, home);
        } else {
            self.take(message, home);
        }
        true
    }

    /// Takes a message whatever the limits are.
    pub fn take_all(&mut self, message: Message, home: Home) {
        let Some(message) = self.unless_scheduled(message, home) else { return };
        if self.groups.is_some() {
            self.take_grouped(message, home);
        } else {
            self.take(message, home);
        }
    }

    /// The message, unless it waits for a time from now on.
    fn unless_scheduled(&mut self, message: Message, home: Home) -> Option<Message> {
        let Some(due) = self.scheduled_at(&message) else { return Some(message) };
        let (position, level, message) = (self.next, self.level(&message), kept(&message));
        self.next = position.next();
        self.schedule(due, Entry { home, level, ..Entry::new(position, message) });
        None
    }

    /// Whether a message would be one too many.
    fn would_overflow(&self, message: &Message) -> bool {
        let (length, bytes) = self.length();
        let length = length.saturating_add(1);
        let bytes = bytes.saturating_add(message.body_len() as u64);
        self.terms.max_length.is_some_and(|max| length > max)
            || self.terms.max_length_bytes.is_some_and(|max| bytes > max)
    }

    /// What limits are about: how many messages are ready or could not leave, which would pile up without end, and the
    /// size of their bodies in bytes.
    pub(super) fn length(&self) -> (u64, u64) {
        let (staying, bytes) = self.staying.held();
        ((self.ready() as u64).saturating_add(staying), self.ready_bytes().saturating_add(bytes))
    }

    /// Drops the first messages for as long as there are too many. Follows [`Self::deliver`].
    pub fn trim(&mut self) {
        if self.is_plain || self.terms.overflow != Overflow::DropHead {
            return;
        }
        for _ in 0..TRIMMED_AT_ONCE {
            if !self.is_too_long() {
                return;
            }
            let first = if self.groups.is_some() { self.pop_grouped() } else { self.ready.pop() };
            let Some(entry) = first else {
                // What is on the disk goes once it has been read.
                return self.ready.ask_ahead(&mut self.loads);
            };
            self.bury(entry, Reason::MaxLength);
        }
    }

    /// Whether messages are to be dropped. That is so after [`Self::trim`] when what a change of the terms leaves too much
    /// does not go under one lock, or has to be read first.
    pub(super) fn is_too_long(&self) -> bool {
        self.terms.overflow == Overflow::DropHead
            && (self.terms.max_length.is_some_and(|max| self.ready() as u64 > max)
                || self.terms.max_length_bytes.is_some_and(|max| self.ready_bytes() > max))
    }

    /// A message leaves. Where it goes nowhere it is gone at once: until that is written, it would come back after a crash,
    /// and leave again.
    pub(super) fn bury(&mut self, entry: Entry, reason: Reason) {
        // It may come back here by way of where it goes.
        self.key_left(entry.position);
        self.counting.ended(1, reason, self.terms.dead_letter.as_ref());
        if self.terms.dead_letter.is_none() {
            if entry.home.is_journalled() {
                self.ready.segments.leave(entry.home);
                self.gone.push(entry.position);
            }
            return;
        }
        let message = entry.message.clone();
        let key = self.unacked.insert(entry, Holder::Leaving);
        self.dead.push(Dead { key, message, reason, attempts: 0, taken_by: Vec::new() });
    }

    /// A consumer refused a message for good.
    pub(super) fn reject(&mut self, entry: Entry, group: &mut Group) {
        if self.terms.dead_letter.is_some() {
            return self.bury(entry, Reason::Rejected);
        }
        self.counting.ended(1, Reason::Rejected, None);
        self.discard(&entry, group);
    }

    /// Whether anything is to leave, or has left and nobody has written it.
    pub fn any_dead(&self) -> bool {
        !self.dead.is_empty() || !self.gone.is_empty()
    }

    /// The places of messages that are gone: whoever takes them writes that they are done with.
    pub fn take_gone(&mut self) -> Vec<Position> {
        std::mem::take(&mut self.gone)
    }

    /// What is to leave: whoever takes it sees to it, with no lock held.
    pub fn take_dead(&mut self) -> Vec<Dead> {
        std::mem::take(&mut self.dead)
    }

    /// Messages have left: they are settled.
    pub fn left(&mut self, keys: impl IntoIterator<Item = UnackedKey>, group: &mut Group) {
        for key in keys {
            if let Some((entry, _)) = self.unacked.remove(key) {
                self.discard(&entry, group);
            }
        }
    }

    /// The same of dead letters that stayed until all that they were to go to had them.
    pub fn left_taken(&mut self, keys: &[UnackedKey], group: &mut Group) {
        self.counting.letters_taken(keys.len() as u64);
        self.left(keys.iter().copied(), group);
    }

    /// Messages could not leave: they are tried again in a while.
    pub fn stay(&mut self, dead: Vec<Dead>, now: Time) {
        for mut dead in dead {
            let after = RETRY_MIN.saturating_mul(1 << dead.attempts.min(16)).min(RETRY_MAX);
            dead.attempts = dead.attempts.saturating_add(1);
            if let Some(entry) = self.unacked.get(dead.key) {
                self.staying.insert((now.plus(after), entry.position), dead);
            }
        }
    }

    /// When the first of those is tried again.
    pub(super) fn next_try(&self) -> Time {
        self.staying.dead.first_key_value().map_or(Time::NEVER, |((time, _), _)| *time)
    }

    /// Tries those again whose time has come, at most so many.
    pub(super) fn try_again(&mut self, now: Time, max: usize) {
        for _ in 0..max {
            let Some(dead) = self.staying.pop_due(now) else { return };
            self.dead.push(dead);
        }
    }
}
