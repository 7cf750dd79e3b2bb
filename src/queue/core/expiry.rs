//! Messages that have waited too long.

use super::QueueCore;
use crate::message::Message;
use crate::queue::death::Reason;
use crate::queue::delivery::cost;
use crate::queue::ready::Entry;
use crate::time::Time;

/// So many messages expire under one lock.
const EXPIRED_AT_ONCE: usize = 1000;

impl QueueCore {
    /// Whether anything happens here by itself, in time.
    pub fn is_timed(&self) -> bool {
        !self.staying.is_empty()
            || !self.scheduled.is_empty()
            || !self.retrying.is_empty()
            || !self.deadlines.is_empty()
            || self.ready.has_deadlines()
            || (!self.is_plain && self.is_timed_by_terms())
    }

    fn is_timed_by_terms(&self) -> bool {
        self.terms.message_ttl.is_some()
            || self.terms.expires.is_some()
            || self.parked_are_timed()
            || self.is_too_long()
    }

    /// When something is to happen here by itself; never when nothing is. What has to be read to know it is asked for.
    pub fn next_due(&mut self) -> Time {
        if !self.is_plain && self.is_too_long() && !self.ready.head_is_paged() {
            return Time::default();
        }
        let mut due = self
            .ready
            .next_deadline()
            .min(self.next_try())
            .min(self.lease_end())
            .min(self.scheduled.next_due())
            .min(self.retrying.next_due())
            .min(self.deadlines.next())
            .min(self.parked_due());
        if let Some(ttl) = self.terms.message_ttl
            && let Some(first) = self.ready.first_arrival(&mut self.loads)
        {
            due = due.min(first.plus(ttl));
        }
        due
    }

    /// Whether a message has waited as long as it may, or longer.
    pub(super) fn is_overdue(&self, message: &Message) -> bool {
        message.deadline() <= self.now
            || self.terms.message_ttl.is_some_and(|ttl| message.arrived().plus(ttl) <= self.now)
    }

    /// Whether a ready message may have waited too long.
    #[inline]
    pub(super) fn may_be_overdue(&self) -> bool {
        self.ready.has_deadlines() || (!self.is_plain && self.terms.message_ttl.is_some())
    }

    /// See [`QueueCore::deliver`]. What has waited too long is given to nobody, though the timer, which serves all queues, may
    /// not have come to it.
    pub(super) fn deliver_in_time(&mut self) {
        let mut wanted = false;
        let any_paged = self.ready.paged() > 0;
        let mut left = EXPIRED_AT_ONCE;
        // As soon as somebody can take it: what is taken out of its block and put back waits by itself.
        while left > 0 && self.consumers.first().is_some() {
            if any_paged && self.ready.head_is_paged() {
                wanted = true;
                break;
            }
            let Some(entry) = self.ready.pop() else { break };
            if self.is_overdue(&entry.message) {
                self.bury(entry, Reason::Expired);
                left = left.saturating_sub(1);
                continue;
            }
            let Some(key) = self.choose(cost(&entry.message)) else {
                self.ready.give_back(entry);
                break;
            };
            self.stage(key, entry);
            wanted = true;
        }
        if wanted && any_paged {
            self.ready.ask_ahead(&mut self.loads);
        }
    }

    /// Takes the first ready message that has not waited too long; nothing either while there are many before it that
    /// have, which the timer comes to.
    pub(super) fn pop_in_time(&mut self) -> Option<Entry> {
        for _ in 0..EXPIRED_AT_ONCE {
            let entry = self.ready.pop()?;
            if !self.is_overdue(&entry.message) {
                return Some(entry);
            }
            self.bury(entry, Reason::Expired);
        }
        None
    }

    /// Does what is due, as much of it as goes under one lock. Follow with [`Self::next_due`]: when that is not later
    /// than `now`, there is more.
    pub fn expire(&mut self, now: Time) {
        self.try_again(now, EXPIRED_AT_ONCE);
        self.ask_ahead(now);
        self.retry(now, EXPIRED_AT_ONCE);
        self.tell_late(now, EXPIRED_AT_ONCE);
        self.wake(now, EXPIRED_AT_ONCE);
        let mut left = self.expire_parked(now, EXPIRED_AT_ONCE);
        if let Some(ttl) = self.terms.message_ttl {
            while left > 0
                && let Some(entry) = self.ready.pop_arrived_by(now.minus(ttl))
            {
                left = left.saturating_sub(1);
                self.bury(entry, Reason::Expired);
            }
        }
        // What is known of keys goes message by message.
        let wanted = self.terms.dead_letter.is_some() || self.keys.is_some();
        let expired = self.ready.expire(now, left, wanted, &mut self.loads);
        if expired.dropped > 0 {
            self.counting.ended(expired.dropped, Reason::Expired, None);
        }
        self.gone.extend(expired.gone);
        for entry in expired.entries {
            self.bury(entry, Reason::Expired);
        }
    }
}
