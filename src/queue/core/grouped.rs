//! A queue with message groups: who gets what, and what waits for others of its group.
//!
//! What is parked is unacked as far as the store is concerned and ready for everybody else: it is counted, purged, dropped
//! and expires with the ready messages.

use std::time::Duration;

use super::{QueueCore, Taken, kept};
use crate::message::Message;
use crate::place::Home;
use crate::queue::consumers::Turn;
use crate::queue::death::Reason;
use crate::queue::delivery::{Delivery, cost};
use crate::queue::groups::{GroupAt, Groups, Keeper, Next, Place, Standing};
use crate::queue::id::{ConsumerKey, UnackedKey};
use crate::queue::ready::Entry;
use crate::queue::unacked::Holder;
use crate::store::op::Group;
use crate::time::Time;

/// So many messages are looked at behind others under one lock; then the timer has the queue go on.
const LOOKED_AT_ONCE: usize = 10_000;

impl QueueCore {
    /// How many messages are parked.
    pub(super) fn parked(&self) -> usize {
        self.groups.as_ref().map_or(0, |groups| groups.len())
    }

    /// Their bodies in bytes.
    pub(super) fn parked_bytes(&self) -> u64 {
        self.groups.as_ref().map_or(0, |groups| groups.body_bytes())
    }

    /// See [`QueueCore::take`].
    pub(super) fn take_grouped(&mut self, message: Message, home: Home) {
        let position = self.next;
        self.next = position.next();
        let level = self.level(&message);
        let entry = Entry { home, level, ..Entry::new(position, message) };
        let waits_behind = !self.ready.is_empty() || !self.anyone_wants();
        let (entry, group) = if waits_behind {
            (entry, None)
        } else {
            match self.offer(entry) {
                Ok(()) => return,
                Err(refused) => refused,
            }
        };
        let is_due = entry.message.deadline() <= entry.message.arrived()
            || self.terms.message_ttl == Some(Duration::ZERO);
        let parks = !is_due && !waits_behind && self.anyone_wants();
        if parks && self.groups.as_ref().is_some_and(|groups| groups.has_room()) {
            return self.park(entry, group);
        }
        if let Some(groups) = &mut self.groups {
            groups.settled(group);
        }
        if is_due {
            return self.bury(entry, Reason::Expired);
        }
        let Entry { position, message, home, level, .. } = entry;
        self.ready.push(level, position, message, home);
    }

    /// See [`QueueCore::deliver`].
    pub(super) fn deliver_grouped(&mut self) {
        let mut wanted = false;
        let any_paged = self.ready.paged() > 0;
        let mut left = LOOKED_AT_ONCE;
        while let Some(groups) = &self.groups {
            let next = groups.next();
            if groups.has_room() && self.stands_before(next) && self.anyone_wants() {
                if any_paged && self.ready.head_is_paged() {
                    wanted = true;
                    break;
                }
                if left == 0 {
                    self.goes_on = true;
                    break;
                }
                let Some(entry) = self.ready.pop() else { break };
                left = left.saturating_sub(1);
                if self.is_overdue(&entry.message) {
                    self.bury(entry, Reason::Expired);
                    continue;
                }
                wanted = true;
                if let Err((entry, group)) = self.offer(entry) {
                    self.park(entry, group);
                }
                continue;
            }
            let Some(Next { key, to, .. }) = next else { break };
            let bytes = self.unacked.get(key).map_or(1, |entry| cost(&entry.message));
            match to {
                None => match self.choose(bytes) {
                    Some(consumer) => self.hand_parked(key, consumer),
                    None => break,
                },
                Some(consumer) if self.reserve_of(consumer, bytes) => {
                    self.hand_parked(key, consumer);
                }
                Some(consumer) => {
                    if let Some(groups) = &mut self.groups {
                        groups.sleep(consumer);
                    }
                }
            }
        }
        if wanted && any_paged {
            self.ready.ask_ahead(&mut self.loads);
        }
    }

    /// See [`QueueCore::get`]. A get that finds only what belongs to others finds nothing.
    pub(super) fn get_grouped(&mut self, no_ack: bool, group: &mut Group) -> Taken {
        if self.ready.paged() > 0 {
            self.ready.ask_ahead(&mut self.loads);
        }
        while let Some(groups) = &self.groups {
            let free = groups.first_free();
            if groups.has_room() && self.stands_before(free) {
                if self.ready.head_is_paged() {
                    return Taken::OnDisk;
                }
                let Some(entry) = self.pop_in_time() else { break };
                let of = self.look_at(&entry.message).0;
                self.park(entry, of);
                continue;
            }
            let Some(Next { key, .. }) = free else { break };
            if no_ack {
                let Some(entry) = self.take_parked(key) else { break };
                self.discard(&entry, group);
                return Taken::Message(entry, None);
            }
            self.unpark(key, Some(Keeper::Get));
            let Some(entry) = self.unacked.pass(key, Holder::Get, self.now) else { break };
            return Taken::Message(entry.clone(), Some(key));
        }
        Taken::Empty
    }

    /// A message is ready again, at its place, and of this group.
    pub(super) fn put_back(&mut self, entry: Entry, of: Option<GroupAt>) {
        if self.is_overdue(&entry.message) {
            // Before anybody gets it once more: who returns a message at once would keep it for ever.
            self.bury(entry, Reason::Expired);
            return self.groups.iter_mut().for_each(|groups| groups.settled(of));
        }
        if self.groups.is_some() {
            return self.come_back_to(entry, of);
        }
        self.ready.give_back(entry);
    }

    /// A message comes back: it waits for the others of its group that are in flight.
    fn come_back_to(&mut self, entry: Entry, group: Option<GroupAt>) {
        let Some(groups) = &mut self.groups else { return };
        groups.close(group);
        if self.ready.any_before(entry.level, entry.position) {
            // It waited to be tried again when an earlier broker ended, and those before it were not looked at since.
            groups.settled(group);
            return self.ready.give_back(entry);
        }
        self.park(entry, group);
    }

    /// Takes the message that goes first of those that are ready; nothing when it is on the disk only.
    pub(super) fn pop_grouped(&mut self) -> Option<Entry> {
        let first = self.groups.as_mut().and_then(|groups| groups.first());
        let first = first.map(|(place, key)| Next { place, key, to: None });
        match first {
            Some(next) if !self.stands_before(Some(next)) => self.take_parked(next.key),
            _ => self.ready.pop(),
        }
    }

    /// Takes all that is parked out of the queue and gives how many messages that were.
    pub(super) fn purge_parked(&mut self, group: &mut Group) -> usize {
        let mut count: usize = 0;
        while let Some((_, key)) = self.groups.as_mut().and_then(|groups| groups.first()) {
            let Some(entry) = self.take_parked(key) else { break };
            self.discard(&entry, group);
            count = count.saturating_add(1);
        }
        count
    }

    /// Whether anything happens to parked messages by itself.
    pub(super) fn parked_are_timed(&self) -> bool {
        self.goes_on || self.groups.as_ref().is_some_and(|groups| groups.next_deadline() != Time::NEVER)
    }

    /// When something is to happen to parked messages by itself.
    pub(super) fn parked_due(&mut self) -> Time {
        let Some(groups) = &mut self.groups else { return Time::NEVER };
        if self.goes_on {
            return Time::default();
        }
        let mut due = groups.next_deadline();
        if let Some(ttl) = self.terms.message_ttl {
            for first in groups.firsts() {
                let arrived = self.unacked.get(first).map_or(Time::NEVER, |entry| entry.message.arrived());
                due = due.min(arrived.plus(ttl));
            }
        }
        due
    }

    /// Parked messages expire, at most `max` of them. Gives how many may still.
    pub(super) fn expire_parked(&mut self, now: Time, max: usize) -> usize {
        self.goes_on = false;
        let mut left = max;
        while left > 0
            && let Some(key) = self.parked_since(now).or_else(|| self.groups.as_mut()?.pop_due(now))
            && let Some(entry) = self.take_parked(key)
        {
            self.bury(entry, Reason::Expired);
            left = left.saturating_sub(1);
        }
        left
    }

    /// A parked message that has waited as long as the queue has messages wait.
    fn parked_since(&mut self, now: Time) -> Option<UnackedKey> {
        let by = now.minus(self.terms.message_ttl?);
        let mut firsts = self.groups.as_mut()?.firsts();
        firsts.find(|key| self.unacked.get(*key).is_some_and(|entry| entry.message.arrived() <= by))
    }

    /// Whether a ready message that was not looked at goes before what is parked.
    fn stands_before(&self, parked: Option<Next>) -> bool {
        !self.ready.is_empty() && parked.is_none_or(|next| self.ready.first_priority() > next.place.level())
    }

    /// Whether a consumer has credit, as far as that is seen without taking it.
    fn anyone_wants(&mut self) -> bool {
        while let Some(key) = self.consumers.first() {
            let Some(member) = self.consumers.get_mut(key) else { return false };
            if member.has_credit() {
                return true;
            }
            self.consumers.leave_turn(key, Turn::NoCredit);
        }
        false
    }

    /// Takes credit and room of the consumer that a group belongs to, if he has his turn.
    fn reserve_of(&mut self, consumer: ConsumerKey, bytes: usize) -> bool {
        let is_in = self.consumers.get_mut(consumer).is_some_and(|member| member.turn() == Turn::In);
        is_in && self.reserve(consumer, bytes) == Some(true)
    }

    fn look_at(&mut self, message: &Message) -> (Option<GroupAt>, Standing) {
        self.groups.as_mut().map_or((None, Standing::Free), |groups| groups.look_at(message))
    }

    /// Gives a message that was not looked at before to whom it may go, if he can take it; else it is given back with its
    /// group.
    fn offer(&mut self, entry: Entry) -> Result<(), (Entry, Option<GroupAt>)> {
        let bytes = cost(&entry.message);
        let (group, standing) = self.look_at(&entry.message);
        let to = match standing {
            Standing::Free => self.choose(bytes),
            Standing::Kept(consumer) => Some(consumer).filter(|consumer| self.reserve_of(*consumer, bytes)),
            Standing::Waits => None,
        };
        let Some(to) = to else { return Err((entry, group)) };
        let key = self.enter(entry);
        if let Some(groups) = &mut self.groups {
            groups.begin(key, group, Keeper::Consumer(to));
        }
        self.hand(key, to);
        Ok(())
    }

    fn park(&mut self, entry: Entry, group: Option<GroupAt>) {
        let (place, message) = (Place::new(entry.level, entry.position), entry.message.clone());
        let key = self.enter(entry);
        if let Some(groups) = &mut self.groups {
            groups.park(key, place, group, &message);
        }
    }

    /// Enters a message among the unacked ones, before it is known whose it is.
    fn enter(&mut self, mut entry: Entry) -> UnackedKey {
        entry.message = kept(&entry.message);
        self.unacked.insert(entry, Holder::Parked)
    }

    fn unpark(&mut self, key: UnackedKey, keeper: Option<Keeper>) {
        if let (Some(groups), Some(entry)) = (&mut self.groups, self.unacked.get(key)) {
            groups.unpark(key, Place::new(entry.level, entry.position), &entry.message, keeper);
        }
    }

    /// Takes a parked message out of the queue.
    pub(super) fn take_parked(&mut self, key: UnackedKey) -> Option<Entry> {
        self.unpark(key, None);
        self.unacked.remove(key).map(|(entry, _)| entry)
    }

    /// Gives a parked message to a consumer that was chosen for it.
    fn hand_parked(&mut self, key: UnackedKey, to: ConsumerKey) {
        self.unpark(key, Some(Keeper::Consumer(to)));
        self.hand(key, to);
    }

    /// Stages a delivery of a message that is among the unacked ones already. One to a consumer that acknowledges
    /// automatically stays there until it is sent: until then its group is his.
    fn hand(&mut self, key: UnackedKey, to: ConsumerKey) {
        let Some(member) = self.consumers.get_mut(to) else { return };
        let holder = if member.consumer.no_ack { Holder::Automatic } else { Holder::Consumer(to) };
        let Some(entry) = self.unacked.pass(key, holder, self.now) else { return };
        member.unacked = member.unacked.saturating_add(u32::from(!member.consumer.no_ack));
        self.counting.staged_again += u64::from(entry.redelivered);
        if member.staged.is_empty() {
            self.staged.push(to);
        }
        member.staged.push(Delivery::new(entry.clone(), member.consumer.slot, Some(key), self.counts));
        self.consumers.had_turn(to);
        if self.times_deliveries {
            self.time_delivery(key, to);
        }
    }

    /// A consumer has credit or room again.
    pub(super) fn rouse(&mut self, consumer: Option<ConsumerKey>) {
        let Some(groups) = &mut self.groups else { return };
        match consumer {
            Some(consumer) => groups.wake(consumer),
            None => groups.wake_all(),
        }
    }

    /// A message is in flight no more: its group, for [`Self::come_back`] or [`Groups::settled`].
    #[inline]
    pub(super) fn release(&mut self, key: UnackedKey) -> Option<GroupAt> {
        self.groups.as_mut().and_then(|groups| Groups::release(groups, key))
    }
}
