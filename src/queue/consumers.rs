//! The consumers of a queue and whose turn it is.
//!
//! Consumers of the highest priority that can take a message come first; among equals it goes round. A consumer that
//! can take none (no credit, no room) stands outside of the turn and costs nothing until it can again. With a single
//! active consumer all others stand outside until it has gone.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::delivery::{Delivery, Recipient, SharedCredit};
use super::id::ConsumerKey;
use super::subscriber::Subscriber;
use crate::name::ConsumerTag;
use crate::time::Time;

/// A consumer, as it is handed to its queue.
pub struct Consumer {
    /// Its tag, for listings.
    pub tag: ConsumerTag,
    /// Its number among its recipient's consumers.
    pub slot: u32,
    /// Who takes its deliveries.
    pub recipient: Arc<dyn Recipient>,
    /// Deliveries count as settled when they are sent.
    pub no_ack: bool,
    /// It wants the queue for itself.
    pub exclusive: bool,
    /// `x-priority`; 0 when not given.
    pub priority: i64,
    /// How many unsettled deliveries it may have; 0 is no limit.
    pub prefetch: u16,
    /// How long it may keep a delivery unsettled, in the place of what its queue says; for ever if that is zero.
    pub timeout: Option<Duration>,
    /// A limit that it shares with others of its channel.
    pub shared_credit: Option<Arc<dyn SharedCredit>>,
    /// What an operator sees of it, if anything.
    pub subscriber: Option<Arc<Subscriber>>,
}

/// Whether a consumer stands in the turn of its priority, and if not, what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    In,
    NoCredit,
    AwaitsSharedCredit,
    AwaitsRoom,
    /// Another consumer is the single active one.
    Standby,
    /// It is about to be removed.
    Stopped,
    /// It is about to be removed and was not the single active one.
    StoppedStandby,
}

/// A consumer and what its queue counts of it.
pub(super) struct Member {
    pub(super) consumer: Consumer,
    key: ConsumerKey,
    /// Delivered and not settled.
    pub(super) unacked: u32,
    turn: Turn,
    /// Deliveries decided and not yet handed over; empty when the queue's lock is left.
    pub(super) staged: Vec<Delivery>,
}

impl Member {
    pub(super) fn turn(&self) -> Turn {
        self.turn
    }

    /// Whether it has its turn, or would have if nothing were missing: with a single active consumer, whether it is that.
    fn is_active(&self) -> bool {
        !matches!(self.turn, Turn::Standby | Turn::StoppedStandby)
    }

    pub(super) fn has_credit(&self) -> bool {
        self.consumer.no_ack
            || self.consumer.prefetch == 0
            || self.unacked < u32::from(self.consumer.prefetch)
    }
}

/// What a consumer was handed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HandedOver {
    /// So many deliveries.
    pub(super) count: usize,
    /// Whether it acknowledges automatically.
    pub(super) no_ack: bool,
    /// When the first of them arrived.
    pub(super) first: Option<Time>,
}

/// Room for more deliveries than this is given back by a consumer that is handed far fewer.
const KEEP_STAGED: usize = 64;
/// With no more priorities than this, one that nobody stands in keeps its level.
const LEVELS_KEPT: usize = 8;

/// The consumers of one queue.
#[derive(Default)]
pub(super) struct Consumers {
    members: Vec<Option<Member>>,
    /// Highest priority first; a level holds those that may be able to take a message.
    levels: Vec<(i64, VecDeque<ConsumerKey>)>,
    serial: u32,
    len: usize,
    awaiting_room: usize,
    /// How many have a time of their own for their deliveries.
    timed: usize,
    single_active: bool,
    /// Nobody has a turn.
    paused: bool,
}

impl Consumers {
    /// No consumers; with `single_active` only one of those to come stands in the turn.
    pub(super) fn new(single_active: bool) -> Self {
        Self { single_active, ..Self::default() }
    }

    /// Whether only one of them gets messages.
    pub(super) fn is_single_active(&self) -> bool {
        self.single_active
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn any_exclusive(&self) -> bool {
        // An exclusive consumer is the only one.
        self.len == 1 && self.iter().any(|member| member.consumer.exclusive)
    }

    /// Whether one of them has a time of its own for its deliveries.
    pub(super) fn any_timeout(&self) -> bool {
        self.timed > 0
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().flatten()
    }

    pub(super) fn add(&mut self, consumer: Consumer) -> ConsumerKey {
        self.serial = self.serial.wrapping_add(1);
        self.len = self.len.saturating_add(1);
        self.timed = self.timed.saturating_add(usize::from(consumer.timeout.is_some()));
        let vacant =
            if self.len > self.members.len() { None } else { self.members.iter().position(Option::is_none) };
        let at = vacant.unwrap_or_else(|| {
            self.members.push(None);
            self.members.len().saturating_sub(1)
        });
        let key = ConsumerKey { at: u32::try_from(at).unwrap_or(u32::MAX), serial: self.serial };
        let stands_by = self.single_active && self.iter().any(Member::is_active);
        let turn = if stands_by { Turn::Standby } else { Turn::NoCredit };
        if let Some(subscriber) = consumer.subscriber.as_deref().filter(|_| self.single_active) {
            subscriber.set_single(!stands_by);
        }
        let member = Member { consumer, key, unacked: 0, turn, staged: Vec::new() };
        if let Some(place) = self.members.get_mut(at) {
            *place = Some(member);
        }
        if !stands_by {
            self.enter_turn(key);
        }
        key
    }

    pub(super) fn get(&self, key: ConsumerKey) -> Option<&Member> {
        self.members.get(key.at as usize)?.as_ref().filter(|member| member.key == key)
    }

    pub(super) fn get_mut(&mut self, key: ConsumerKey) -> Option<&mut Member> {
        self.members.get_mut(key.at as usize)?.as_mut().filter(|member| member.key == key)
    }

    pub(super) fn remove(&mut self, key: ConsumerKey) -> Option<Consumer> {
        let was_active = self.get_mut(key)?.is_active();
        self.leave_turn(key, Turn::NoCredit);
        let member = self.members.get_mut(key.at as usize)?.take()?;
        self.timed = self.timed.saturating_sub(usize::from(member.consumer.timeout.is_some()));
        self.len = self.len.saturating_sub(1);
        if self.len == 0 {
            self.members = Vec::new();
            self.levels = Vec::new();
        }
        // Else a client that comes and goes with ever other priorities would leave a level behind each time.
        self.levels.retain(|(_, turn)| !turn.is_empty());
        if self.single_active && was_active {
            self.activate_next();
        }
        Some(member.consumer)
    }

    /// Takes a consumer out of the turn for good. One that stands by will not become the active one.
    pub(super) fn stop(&mut self, key: ConsumerKey) {
        let Some(member) = self.get_mut(key) else { return };
        let stopped = if member.is_active() { Turn::Stopped } else { Turn::StoppedStandby };
        self.leave_turn(key, stopped);
    }

    /// Removes all and gives them in no order.
    pub(super) fn remove_all(&mut self) -> Vec<Consumer> {
        let none = Self { paused: self.paused, ..Self::new(self.single_active) };
        let all = std::mem::replace(self, none);
        all.members.into_iter().flatten().map(|member| member.consumer).collect()
    }

    /// The single active consumer has gone: of those of the highest priority the one that came first follows.
    fn activate_next(&mut self) {
        let rank = |member: &Member| (member.consumer.priority, Reverse(member.key.serial));
        let standing_by = self.iter().filter(|member| member.turn == Turn::Standby);
        let next = standing_by.max_by_key(|member| rank(member)).map(|member| member.key);
        if let Some(key) = next {
            if let Some(subscriber) = self.get(key).and_then(|member| member.consumer.subscriber.as_deref()) {
                subscriber.set_single(true);
            }
            self.enter_turn(key);
        }
    }

    /// Gives nobody a turn, or gives turns again.
    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Whether nobody has a turn.
    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether a consumer that has credit waits for room in its outbox, and nothing else.
    pub(super) fn any_awaits_room(&self) -> bool {
        self.awaiting_room > 0 && !self.paused
    }

    /// Whose turn it is.
    pub(super) fn first(&self) -> Option<ConsumerKey> {
        if self.paused {
            return None;
        }
        self.levels.iter().find_map(|(_, turn)| turn.front().copied())
    }

    /// The consumer had its turn and may have another one after its equals.
    pub(super) fn had_turn(&mut self, key: ConsumerKey) {
        let Some(priority) = self.get_mut(key).map(|member| member.consumer.priority) else { return };
        if let Some(turn) = self.level_mut(priority)
            && turn.len() > 1
            && turn.front() == Some(&key)
        {
            turn.rotate_left(1);
        }
    }

    /// The consumer can take nothing until what it waits for comes.
    pub(super) fn leave_turn(&mut self, key: ConsumerKey, awaits: Turn) {
        let Some(member) = self.get_mut(key) else { return };
        let priority = member.consumer.priority;
        let before = std::mem::replace(&mut member.turn, awaits);
        self.count_awaiting(before, awaits);
        if before != Turn::In {
            return;
        }
        let Some(turn) = self.level_mut(priority) else { return };
        if turn.front() == Some(&key) {
            turn.pop_front();
        } else {
            turn.retain(|other| *other != key);
        }
        // A few levels are kept for when their consumers come back; many would all be looked at for each delivery.
        if turn.is_empty() && self.levels.len() > LEVELS_KEPT {
            self.levels.retain(|(level, _)| *level != priority);
        }
    }

    fn level_mut(&mut self, priority: i64) -> Option<&mut VecDeque<ConsumerKey>> {
        let at = self.levels.binary_search_by(|(level, _)| priority.cmp(level)).ok()?;
        self.levels.get_mut(at).map(|(_, turn)| turn)
    }

    /// The consumer may be able to take a message again.
    pub(super) fn enter_turn(&mut self, key: ConsumerKey) {
        let Some(member) = self.get_mut(key) else { return };
        let priority = member.consumer.priority;
        let before = std::mem::replace(&mut member.turn, Turn::In);
        self.count_awaiting(before, Turn::In);
        if before == Turn::In {
            return;
        }
        match self.levels.binary_search_by(|(level, _)| priority.cmp(level)) {
            Ok(at) => {
                if let Some((_, turn)) = self.levels.get_mut(at) {
                    turn.push_back(key);
                }
            }
            Err(at) => self.levels.insert(at, (priority, VecDeque::from([key]))),
        }
    }

    fn count_awaiting(&mut self, before: Turn, after: Turn) {
        if before == Turn::AwaitsRoom {
            self.awaiting_room = self.awaiting_room.saturating_sub(1);
        }
        if after == Turn::AwaitsRoom {
            self.awaiting_room = self.awaiting_room.saturating_add(1);
        }
    }

    /// All that `may` says yes to come back into the turn.
    pub(super) fn enter_turn_where(&mut self, may: impl Fn(&Member) -> bool) {
        for at in 0..self.members.len() {
            let Some(Some(member)) = self.members.get(at) else { continue };
            if member.turn != Turn::In && may(member) {
                self.enter_turn(member.key);
            }
        }
    }

    /// Hands over what was decided for a consumer.
    pub(super) fn hand_over(&mut self, key: ConsumerKey) -> HandedOver {
        let Some(member) = self.get_mut(key) else { return HandedOver::default() };
        let count = member.staged.len();
        let first = member.staged.first().map(|delivery| delivery.message.arrived());
        member.consumer.recipient.deliver(&mut member.staged);
        member.staged.clear();
        if member.staged.capacity() > KEEP_STAGED.max(count.saturating_mul(8)) {
            member.staged = Vec::new();
        }
        HandedOver { count, no_ack: member.consumer.no_ack, first }
    }
}

#[cfg(test)]
mod tests;
