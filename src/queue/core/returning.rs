//! Messages that come back from those that had them: how often, how often they may, and how long they wait then.

use super::{QueueCore, kept};
use crate::message::Message;
use crate::place::{Home, Position};
use crate::queue::death::Reason;
use crate::queue::groups::{GroupAt, Keeper};
use crate::queue::ready::Entry;
use crate::queue::unacked::Holder;
use crate::store::op::Group;
use crate::store::stored::Returns;
use crate::time::Time;

impl QueueCore {
    /// A message comes back that somebody had. If it `failed` there that counts towards the limit.
    pub(super) fn come_back(
        &mut self,
        mut entry: Entry,
        failed: bool,
        of: Option<GroupAt>,
        group: &mut Group,
    ) {
        entry.returns = entry.returns.again(failed);
        entry.redelivered = true;
        if self.terms.delivery_limit.is_some_and(|limit| entry.returns.deliveries > limit) {
            return self.bury(entry, Reason::DeliveryLimit);
        }
        if let Some(retry) = &self.terms.retry {
            let seed =
                self.id.number().rotate_left(32) ^ entry.position.0 ^ u64::from(entry.returns.acquired) << 48;
            let delay = retry.delay(&entry.message, failed, entry.returns, seed);
            entry.returns.due = delay.map_or(Time::default(), |delay| self.now.plus(delay));
        }
        if entry.home.is_journalled() {
            group.requeue(self.id, entry.position, entry.returns);
        }
        if entry.returns.waits() { self.retry_later(entry, of) } else { self.put_back(entry, of) }
    }

    /// How many messages wait to be tried again.
    pub fn retrying(&self) -> usize {
        self.retrying.len()
    }

    /// A message waits among the unacked ones, seen by nobody; nothing more of its group goes out before it.
    fn retry_later(&mut self, entry: Entry, of: Option<GroupAt>) {
        let key = self.wait(entry, Holder::Retrying);
        if let Some(groups) = &mut self.groups {
            groups.close(of);
            groups.begin(key, of, Keeper::Get);
            groups.settled(of);
        }
    }

    /// A message that an earlier broker had wait does so.
    pub(super) fn retry_on(&mut self, mut entry: Entry) {
        entry.message = kept(&entry.message);
        let of = self.groups.as_mut().and_then(|groups| groups.look_at(&entry.message).0);
        self.retry_later(entry, of);
    }

    /// Those go back to their places that have waited long enough, at most so many of them.
    pub(super) fn retry(&mut self, now: Time, max: usize) {
        for _ in 0..max {
            let Some((_, key)) = self.retrying.pop_due(now) else { return };
            if let Some((mut entry, _)) = self.unacked.remove(key) {
                entry.returns.due = Time::default();
                let of = self.release(key);
                self.put_back(entry, of);
            }
        }
    }

    /// A message that waited for being tried again when an earlier broker ended, and stands in the journal.
    pub(super) fn retry_restored(
        &mut self,
        position: Position,
        returns: Returns,
        level: u8,
        home: Home,
        message: Message,
    ) {
        self.ready.take_returns(position);
        self.ready.segments.enter(home);
        self.retry_on(Entry { returns, home, redelivered: true, level, ..Entry::new(position, message) });
    }
}
