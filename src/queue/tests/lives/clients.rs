//! What clients do to queues, as channels and connections pass it on.

use std::collections::BTreeMap;
use std::mem;

use super::super::super::id::UnackedKey;
use super::log::Action;
use super::model::{Copy, body};
use super::*;
use crate::config::Durability;
use crate::place::Batch;
use crate::store::journal::Ticket;
use crate::store::op::{Group, TARGET_BYTES};
use crate::store::stored::Returns;

/// Records that are to be appended.
pub(super) struct Open {
    ticket: Option<Ticket>,
    group: Group,
    actions: Vec<Action>,
}

impl Run {
    pub(super) fn client_step(&mut self) {
        if self.disk.is_crashed() {
            return;
        }
        self.journal_steps();
        self.observe();
        match self.random.below(48) {
            0..14 => {
                let unit = self.unit();
                let unit = self.publish(unit);
                self.end_unit(unit);
            }
            14..18 => self.consume(),
            18..26 => {
                let inbox = self.below(INBOXES);
                self.send(inbox);
            }
            26..34 => {
                let unit = self.unit();
                let unit = self.settle_some(unit);
                self.end_unit(unit);
            }
            34..38 => {
                if let Some(at) = self.any_queue() {
                    let no_ack = self.random.one_in(2);
                    self.get(at, no_ack, true);
                }
            }
            38..40 => self.transaction(),
            40 => {
                if self.random.one_in(3)
                    && let Some(at) = self.any_queue()
                {
                    self.purge(at);
                }
            }
            41 => self.cancel(),
            42 => {
                let inbox = self.below(INBOXES);
                self.lose(inbox);
            }
            43 => {
                if self.random.one_in(4)
                    && let Some(at) = self.any_queue()
                {
                    self.delete(at);
                }
            }
            44 => {
                let inbox = self.below(INBOXES);
                self.recover(inbox);
            }
            _ => self.release_units(),
        }
        self.observe();
    }

    /// The journal gets on a little, or not at all.
    fn journal_steps(&mut self) {
        let journal = Arc::clone(&self.store().journal);
        for _ in 0..self.random.below(4) {
            journal.work();
        }
        if self.random.one_in(4) {
            journal.prepare_spare();
        }
    }

    /// A ticket is taken before a queue is touched.
    pub(super) fn unit(&mut self) -> Open {
        let durability = if self.random.one_in(4) { Durability::Os } else { Durability::Fsync };
        Open {
            ticket: Some(self.store().journal.enter()),
            group: Group::new(durability),
            actions: Vec::new(),
        }
    }

    /// Records of what was taken out of a queue without having been delivered get their ticket at the end.
    fn unit_without_ticket() -> Open {
        Open { ticket: None, group: Group::default(), actions: Vec::new() }
    }

    /// Appends what a unit has, or lets others go before it.
    pub(super) fn end_unit(&mut self, unit: Open) {
        let waits = unit.ticket.is_some() && !self.between && self.units.len() < 3;
        if waits && !unit.group.is_empty() && self.random.one_in(5) {
            return self.units.push(unit);
        }
        self.append(unit);
    }

    fn append(&mut self, unit: Open) -> Batch {
        let Open { ticket, mut group, actions } = unit;
        let journal = Arc::clone(&self.store().journal);
        let ticket = ticket.unwrap_or_else(|| journal.enter());
        let (file, wants_sync, is_empty) = (ticket.file(), group.wants_sync(), group.is_empty());
        let batch = journal.append(ticket, &mut group);
        if is_empty {
            assert!(actions.is_empty(), "{actions:?} left no record");
            return batch;
        }
        self.log.append(file, batch, actions);
        // Else the journal would wait for tickets that we hold.
        if wants_sync && !self.between && self.units.is_empty() && self.random.one_in(3) {
            journal.wait(batch);
        }
        batch
    }

    pub(super) fn release_units(&mut self) {
        while !self.units.is_empty() {
            let which = self.below(self.units.len());
            let unit = self.units.swap_remove(which);
            self.append(unit);
        }
    }

    /// Some messages to some queues; each of them once in the journal.
    fn publish(&mut self, mut unit: Open) -> Open {
        let mut targets = Vec::new();
        for _ in 0..=self.below(2) {
            let name = self.below(NAMES);
            let queue = self.declared(name);
            if !targets.contains(&queue) {
                targets.push(queue);
            }
        }
        let file = unit.ticket.as_ref().map(Ticket::file);
        let is_durable = |run: &Self, queue| run.queues[run.at(queue).unwrap()].durable;
        let durable: Vec<QueueId> =
            targets.iter().copied().filter(|queue| is_durable(self, *queue)).collect();
        let (first, mut messages, mut places) = (self.published.len() as Number, Vec::new(), Vec::new());
        let persistent_ones = self.random.below(5);
        for number in (first..).take(1 + self.below(8)) {
            let len = match self.random.below(24) {
                0 => 8_200 + self.below(2_000),
                1..4 => 1_000 + self.below(2_000),
                _ => 8 + self.below(300),
            };
            let persistent = persistent_ones > 0 || self.random.one_in(2);
            let properties: &[u8] = if persistent { &[0x10, 0, 2] } else { &[0, 0] };
            let message = Message::compose("", "q", properties, &body(number, len)).unwrap();
            if persistent && !durable.is_empty() {
                places.push((
                    number,
                    unit.group.publish(&message, Returns::default(), durable.iter().copied()),
                ));
            }
            self.published.push((len, persistent));
            messages.push(message);
        }
        for queue in targets {
            let at = self.at(queue).unwrap();
            let kept = &mut self.queues[at];
            let published = kept.queue.publish(&mut messages.clone(), file).unwrap();
            for number in (first..).take(messages.len()) {
                let copy = Copy { number, returns: Returns::default(), maybe_delivered: false };
                let before = kept.ready.insert(published.first.plus(number - first), copy);
                assert_eq!(before, None, "a position was given twice");
            }
            let Some(slot) = (0_u32..).zip(&durable).find(|(_, of)| **of == queue).map(|(slot, _)| slot)
            else {
                continue;
            };
            for (number, place) in &places {
                let position = published.first.plus(number - first);
                unit.group.place(place + slot * TARGET_BYTES, position);
                unit.actions.push(Action::Publish(queue, position, *number));
            }
        }
        self.observe();
        unit
    }

    fn consume(&mut self) {
        let name = self.below(NAMES);
        let (queue, inbox) = (self.declared(name), self.below(INBOXES));
        let kept = Arc::clone(&self.queues[self.at(queue).unwrap()].queue);
        let slot = u32::try_from(self.consumers.len()).unwrap();
        let (no_ack, prefetch) = (self.random.one_in(3), u16::try_from(self.below(12)).unwrap());
        let wanted = Consumer { no_ack, prefetch, ..consumer(&self.inboxes[inbox], slot) };
        let key = consume(&kept, wanted);
        self.consumers.push(ModelConsumer { queue, kept, key, inbox, prefetch, no_ack, live: true });
    }

    /// A connection sends what it has; what needs no acknowledgement is settled by it.
    fn send(&mut self, inbox: usize) {
        let (deliveries, waiting) = self.take(inbox);
        let mut sent = Vec::new();
        for delivery in deliveries {
            let of = self.consumers[delivery.slot as usize].queue;
            let at = self.held.iter().position(|held| (held.queue, held.position) == (of, delivery.position));
            // A queue that is gone has none.
            let Some(at) = at else { continue };
            if self.is_automatic(&self.held[at]) {
                sent.push(self.held.remove(at));
            } else {
                self.held[at].sent = true;
            }
        }
        let unit = self.unit();
        let unit = self.settle(sent, Settlement::Discard, unit);
        self.end_unit(unit);
        self.tell_of_room(inbox, waiting);
    }

    fn take(&mut self, inbox: usize) -> (Vec<Delivery>, Vec<Arc<dyn Waiter>>) {
        self.observe();
        self.seen[inbox] = 0;
        self.emptied = Some(inbox);
        self.inboxes[inbox].take()
    }

    fn tell_of_room(&mut self, inbox: usize, waiting: Vec<Arc<dyn Waiter>>) {
        for queue in waiting {
            queue.room_made(self.inboxes[inbox].id);
        }
        self.emptied = None;
        self.observe();
    }

    /// Settles what was given out, of several queues in one group.
    fn settle(&mut self, taken: Vec<Held>, settlement: Settlement, mut unit: Open) -> Open {
        let mut keys: BTreeMap<QueueId, Vec<UnackedKey>> = BTreeMap::new();
        for held in taken {
            let Some(at) = self.at(held.queue) else { continue };
            let journalled = self.is_journalled(held.queue, held.copy.number);
            keys.entry(held.queue).or_default().extend(held.key);
            let mut copy = held.copy;
            if matches!(settlement, Settlement::Requeue | Settlement::Return) {
                copy.returns = copy.returns.again(settlement == Settlement::Requeue);
            }
            let action = match settlement {
                Settlement::Discard | Settlement::Reject => Some(Action::Settle(held.queue, held.position)),
                Settlement::Requeue | Settlement::Return => {
                    Some(Action::Requeue(held.queue, held.position, copy.returns))
                }
                Settlement::Unsent => None,
            };
            unit.actions.extend(action.filter(|_| journalled));
            if !matches!(settlement, Settlement::Discard | Settlement::Reject) {
                self.queues[at].ready.insert(held.position, copy);
            }
        }
        for (queue, keys) in keys {
            let at = self.at(queue).unwrap();
            self.queues[at].queue.settle(&keys, settlement, &mut unit.group);
        }
        self.observe();
        unit
    }

    /// Acknowledges or gives back one message, or all up to one.
    fn settle_some(&mut self, unit: Open) -> Open {
        let consumer = match self.consumers.len() {
            0 => None,
            consumers => Some(self.below(consumers)).filter(|_| !self.random.one_in(5)),
        };
        let sent = |held: &Held| held.sent && held.consumer == consumer;
        let mut which: Vec<usize> = (0..self.held.len()).filter(|at| sent(&self.held[*at])).collect();
        if which.is_empty() {
            return unit;
        }
        let one = self.below(which.len());
        if self.random.one_in(3) {
            which.truncate(one + 1);
        } else {
            which = vec![which[one]];
        }
        let taken = which.into_iter().rev().map(|at| self.held.remove(at)).collect::<Vec<_>>();
        let settlement = match self.random.below(8) {
            0 => Settlement::Requeue,
            1 => Settlement::Return,
            2 => Settlement::Reject,
            _ => Settlement::Discard,
        };
        self.settle(taken.into_iter().rev().collect(), settlement, unit)
    }

    /// All that a connection has not settled goes back.
    fn recover(&mut self, inbox: usize) {
        let unit = self.unit();
        let taken = self.held_by(inbox, true);
        let unit = self.settle(taken, Settlement::Requeue, unit);
        self.end_unit(unit);
    }

    fn held_by(&mut self, inbox: usize, sent: bool) -> Vec<Held> {
        let consumers = &self.consumers;
        let is_of = |held: &mut Held| {
            held.sent == sent && held.consumer.is_some_and(|at| consumers[at].inbox == inbox)
        };
        self.held.extract_if(.., is_of).collect()
    }

    pub(super) fn get(&mut self, at: usize, no_ack: bool, may_wait: bool) {
        let getter: Arc<dyn Recipient> = Arc::<Inbox>::clone(&self.getter);
        let mut unit = if no_ack { Self::unit_without_ticket() } else { self.unit() };
        let (queue, id) = (Arc::clone(&self.queues[at].queue), self.queues[at].id);
        let channel = u16::try_from(id.number()).unwrap();
        self.getter.state.lock().unwrap().loaded.retain(|told| *told != channel);
        self.queues[at].waits = false;
        let got = queue.get(no_ack, &getter, channel, &mut unit.group).unwrap();
        let kept = &mut self.queues[at];
        assert_eq!(matches!(got, Got::Empty), kept.ready.is_empty());
        kept.waits = matches!(got, Got::Loading) && may_wait;
        if let Got::Message { entry, key, left } = got {
            let (position, copy) = kept.ready.pop_first().unwrap();
            assert_eq!((entry.position, left), (position, kept.ready.len()), "not the first of queue {id}");
            assert_eq!(self.check_body(entry.message.body()), copy.number);
            let redelivered = !copy.returns.is_none() || copy.maybe_delivered;
            assert_eq!((entry.returns, entry.redelivered), (copy.returns, redelivered), "{copy:?}");
            assert_eq!(key.is_none(), no_ack);
            if key.is_some() {
                self.held.push(Held { queue: id, position, copy, key, consumer: None, sent: true });
            } else if self.is_journalled(id, copy.number) {
                unit.actions.push(Action::Settle(id, position));
            }
        }
        self.observe();
        self.end_unit(unit);
    }

    /// Publishes and settlements that become durable together, or not at all.
    fn transaction(&mut self) {
        let unit = self.unit();
        let unit = self.publish(unit);
        let unit = self.publish(unit);
        let mut unit = self.settle_some(unit);
        unit.group.require_sync();
        self.end_unit(unit);
    }

    pub(super) fn purge(&mut self, at: usize) {
        let mut unit = Self::unit_without_ticket();
        let queue = Arc::clone(&self.queues[at].queue);
        let (id, ready) = (self.queues[at].id, mem::take(&mut self.queues[at].ready));
        assert_eq!(queue.purge(&mut unit.group), Ok(ready.len()));
        let journalled = ready.iter().filter(|(_, copy)| self.is_journalled(id, copy.number));
        unit.actions.extend(journalled.map(|(position, _)| Action::Settle(id, *position)));
        self.observe();
        self.end_unit(unit);
    }

    /// What it was given stays with it, unsettled.
    fn cancel(&mut self) {
        let live: Vec<usize> = (0..self.consumers.len()).filter(|at| self.consumers[*at].live).collect();
        if !live.is_empty() {
            let at = live[self.below(live.len())];
            self.consumers[at].live = false;
            assert!(!self.consumers[at].kept.cancel(self.consumers[at].key), "it deleted itself");
        }
    }

    /// A connection is lost: what it sent goes back and counts, what it did not send does not, and its consumers go.
    pub(super) fn lose(&mut self, inbox: usize) {
        self.observe();
        let of: Vec<usize> = (0..self.consumers.len())
            .filter(|at| self.consumers[*at].live && self.consumers[*at].inbox == inbox)
            .collect();
        for at in &of {
            self.consumers[*at].kept.stop(self.consumers[*at].key);
        }
        let (deliveries, waiting) = self.take(inbox);
        for at in &of {
            self.consumers[*at].kept.cancel(self.consumers[*at].key);
            self.consumers[*at].live = false;
        }
        self.observe();
        let unit = self.unit();
        let taken = self.held_by(inbox, true);
        let unit = self.settle(taken, Settlement::Requeue, unit);
        let taken = self.held_by(inbox, false);
        let (kept, taken): (Vec<Held>, Vec<Held>) = taken.into_iter().partition(|held| held.key.is_some());
        let unit = self.settle(kept, Settlement::Unsent, unit);
        for held in taken {
            let at = self.at(held.queue).unwrap();
            self.queues[at].ready.insert(held.position, held.copy);
        }
        let mut back: BTreeMap<QueueId, (Arc<Queue>, Vec<_>)> = BTreeMap::new();
        for delivery in deliveries.into_iter().filter(|delivery| delivery.unacked.is_none()) {
            let of = &self.consumers[delivery.slot as usize];
            let entries = back.entry(of.queue).or_insert_with(|| (Arc::clone(&of.kept), Vec::new()));
            entries.1.push(delivery.into_entry());
        }
        for (queue, entries) in back.into_values() {
            queue.give_back(entries.into_iter());
        }
        self.observe();
        self.end_unit(unit);
        self.tell_of_room(inbox, waiting);
    }

    /// What was got and not settled goes back with its connection.
    pub(super) fn end_gets(&mut self) {
        let unit = self.unit();
        let taken = self.held.extract_if(.., |held| held.consumer.is_none()).collect();
        let unit = self.settle(taken, Settlement::Requeue, unit);
        self.end_unit(unit);
    }

    /// The name is free at once: who declares it again gets another queue.
    pub(super) fn delete(&mut self, at: usize) {
        let kept = self.queues.remove(at);
        let mut unit = Self::unit_without_ticket();
        let deleted = kept.queue.delete(false, false, &mut unit.group);
        assert_eq!(deleted, Ok(kept.ready.len()));
        self.held.retain(|held| held.queue != kept.id);
        for consumer in self.consumers.iter_mut().filter(|of| of.queue == kept.id) {
            consumer.live = false;
        }
        for name in self.names.iter_mut().filter(|name| **name == Some(kept.id)) {
            *name = None;
        }
        assert_eq!(unit.group.is_empty(), !kept.durable);
        let batch = kept.durable.then(|| {
            // With it goes its definition, for which somebody waits.
            unit.group.require_sync();
            unit.actions.push(Action::Gone(kept.id));
            self.append(unit)
        });
        self.store().handle.queue_gone(kept.id, batch);
    }
}
