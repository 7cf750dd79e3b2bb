//! What clients do to the queue of a plan.

use super::super::{Inbox, consumer};
use super::message::{Known, Place};
use super::model::{Consumer as ModelConsumer, Stage};
use super::plan::{Consuming, Publication};
use super::run::{Run, equal, home, picked, place};
use crate::message::Message;
use crate::queue::consumers::Consumer;
use crate::queue::core::{QueueCore, Settlement, Taken};
use crate::queue::id::UnackedKey;

/// More than room enough.
const AMPLE: i64 = 1 << 40;

impl Run {
    pub(super) fn publish(&mut self, publications: &[Publication]) -> Result<(), String> {
        for publication in publications {
            let known = Known::new(publication, &self.plan, self.model.messages.len(), self.model.now);
            self.take(known.message(), known)?;
        }
        self.perform()
    }

    /// Gives whether the message is taken.
    pub(super) fn take(&mut self, message: Message, known: Known) -> Result<bool, String> {
        let at = self.model.messages.len();
        let home = home(known.journalled);
        equal("the next position", place(self.core.next()), at)?;
        let is_taken = self.core.publish(message, home);
        equal("taken", is_taken, self.model.publish(known))?;
        self.observe()?;
        self.model.waits_or_dies(at);
        Ok(is_taken)
    }

    pub(super) fn consume(&mut self, wanted: &Consuming) -> Result<(), String> {
        let slot = self.inboxes.len();
        let inbox = Inbox::new(slot as u64, AMPLE);
        let Consuming { prefetch, no_ack, priority, exclusive, timeout } = *wanted;
        let consumer = Consumer {
            no_ack,
            exclusive,
            priority,
            prefetch,
            timeout,
            ..consumer(&inbox, u32::try_from(slot).unwrap())
        };
        self.core.at(self.model.now);
        let key = self.core.consume(consumer);
        equal("may consume", key.is_ok(), self.model.may_consume(exclusive))?;
        if let Ok(key) = key {
            self.inboxes.push(inbox);
            self.keys.push(key);
            let stage = Stage::Consuming;
            self.model.add(ModelConsumer { prefetch, no_ack, priority, exclusive, timeout, stage });
        }
        self.perform()
    }

    pub(super) fn settle_some(&mut self, which: &[usize], settlement: Settlement) -> Result<(), String> {
        let mut held = self.model.at(|place| matches!(place, Place::Held { .. }));
        let mut some = Vec::new();
        for which in which {
            if let Some(at) = picked(&held, *which) {
                held.retain(|other| *other != at);
                some.push(at);
            }
        }
        self.settle(&some, settlement)
    }

    pub(super) fn settle(&mut self, some: &[usize], settlement: Settlement) -> Result<(), String> {
        let key = |at: &usize| match self.model.messages[*at].place {
            Place::Held { key, .. } => Some(key),
            _ => None,
        };
        let keys: Vec<UnackedKey> = some.iter().filter_map(key).collect();
        if settlement != Settlement::Discard && settlement != Settlement::Reject {
            // As their lock does it.
            self.core.at(self.model.now);
        }
        self.with_group(|core, group| core.settle(&keys, settlement, group));
        for at in some {
            self.model.settle(*at, settlement);
        }
        self.perform()
    }

    pub(super) fn send(&mut self, which: usize, ends: bool) -> Result<(), String> {
        let Some(consumer) = picked(&self.model.live(), which) else { return Ok(()) };
        let its = self.model.at(|place| place == Place::OnItsWay { to: consumer });
        if ends {
            return self.cancel(consumer, Some(Settlement::Unsent));
        }
        for at in its {
            let sent = self.on_their_way.remove(&at).ok_or("it is on its way")?;
            let keys: Vec<UnackedKey> = sent.unacked.into_iter().collect();
            self.with_group(|core, group| core.settle(&keys, Settlement::Discard, group));
            self.model.gone(at);
        }
        self.perform()
    }

    /// A consumer goes; what is on its way to it comes back before, and so does what it holds if that `returns`.
    pub(super) fn cancel(&mut self, consumer: usize, returns: Option<Settlement>) -> Result<(), String> {
        let key = self.keys[consumer];
        self.core.stop(key);
        self.model.stop(consumer);
        if let Some(settlement) = returns {
            self.settle(&self.model.unacked_of(consumer), settlement)?;
        }
        for at in self.model.at(|place| place == Place::OnItsWay { to: consumer }) {
            let unsent = self.on_their_way.remove(&at).ok_or("it is on its way")?;
            self.core.at(self.model.now);
            match unsent.unacked {
                Some(key) => self.with_group(|core, group| core.settle(&[key], Settlement::Unsent, group)),
                None => self.core.give_back(unsent.into_entry()),
            }
            self.model.settle(at, Settlement::Unsent);
            self.perform()?;
        }
        self.core.cancel(key).ok_or("it was there")?;
        self.model.cancel(consumer);
        self.perform()
    }

    pub(super) fn get(&mut self, no_ack: bool) -> Result<(), String> {
        let expected = if self.model.paused { None } else { self.model.first_for(None) };
        let mut taken = self.with_group(|core, group| core.get(no_ack, group));
        while matches!(taken, Taken::OnDisk) {
            equal("something is read", self.read()?, true)?;
            taken = self.with_group(|core, group| core.get(no_ack, group));
        }
        let (entry, key) = match taken {
            Taken::Message(entry, key) => (entry, key),
            Taken::Empty => return equal("got", None, expected),
            Taken::OnDisk => return Err("it was read".to_owned()),
        };
        let at = place(entry.position);
        equal("got", Some(at), expected)?;
        equal("settled at once", key.is_none(), no_ack)?;
        let (returns, redelivered, _) = self.model.told_returns(at);
        equal("returns of what was got", (entry.returns, entry.redelivered), (returns, redelivered))?;
        match key {
            Some(key) => self.model.messages[at].place = Place::Held { by: None, key, late: None },
            None => self.model.gone(at),
        }
        Ok(())
    }

    pub(super) fn purge(&mut self) -> Result<(), String> {
        let purged = self.with_group(QueueCore::purge);
        let ready = self.model.ready();
        equal("purged", purged, ready.len())?;
        for at in ready {
            self.model.gone(at);
        }
        Ok(())
    }
}
