//! Exchanges, queues and bindings: declaring, binding, deleting.
//!
//! Changes of one virtual host are made one after another under its topology lock; publishing never takes it. Lock
//! order: topology, then a queue or an exchange's bindings. Each change ends with a new epoch, so that whatever was
//! remembered of routes is forgotten before the client is told.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use leveret_protocol::table::Table;

use super::Vhost;
use super::exchange::{Exchange, ExchangeId, Target, TargetId};
use super::generated;
use super::records::{Records, is_durable};
use super::refused::Refused;
use crate::config::Durability;
use crate::count::Event;
use crate::exchange::{ExchangeOptions, ExchangeType};
use crate::name::{ConnectionId, ExchangeName, QueueName};
use crate::place::Batch;
use crate::queue::options::QueueOptions;
use crate::queue::queue::{DeleteRefused, Status};
use crate::queue::{Gone, Queue};
use crate::store::op::Group;

/// Which exchanges have bindings that lead to a target.
#[derive(Default)]
pub(super) struct Sources(HashMap<TargetId, HashMap<ExchangeId, Arc<Exchange>>>);

impl Sources {
    /// There is a binding from `source` to `target`.
    pub(super) fn lead(&mut self, target: TargetId, source: Arc<Exchange>) {
        self.0.entry(target).or_default().insert(source.id(), source);
    }

    /// The last binding from `source` to `target` has gone.
    fn forget(&mut self, target: TargetId, source: ExchangeId) {
        if let Some(sources) = self.0.get_mut(&target) {
            sources.remove(&source);
            if sources.is_empty() {
                self.0.remove(&target);
            }
        }
    }
}

#[cfg(test)]
impl Vhost {
    /// How many exchanges are remembered as sources, of all targets together.
    pub(super) fn remembered_sources(&self) -> usize {
        self.topology().0.values().map(HashMap::len).sum()
    }
}

/// A queue as it was declared.
#[derive(Clone, Debug)]
pub struct Declared {
    /// The queue.
    pub queue: Arc<Queue>,
    /// What it holds.
    pub status: Status,
    /// Whether it was made now.
    pub made: bool,
    /// With which group commit it is on the disk; nothing when there is nothing to wait for.
    pub until: Option<Batch>,
}

/// What a binding connects.
#[derive(Clone, Copy, Debug)]
pub struct BindingEnds<'a> {
    /// The exchange that it leads from.
    pub source: &'a str,
    /// The queue or exchange that it leads to.
    pub destination: Destination<'a>,
    /// The binding key.
    pub binding_key: &'a str,
    /// Arguments, part of the binding's identity.
    pub arguments: Table<'a>,
}

/// The destination of a binding, by name.
#[derive(Clone, Copy, Debug)]
pub enum Destination<'a> {
    /// A queue, named by the connection that asks.
    Queue(&'a str, ConnectionId),
    /// An exchange.
    Exchange(&'a str),
}

/// A name for a queue that is declared without one.
pub fn generated_queue_name() -> QueueName {
    QueueName::from(generated::name("amq.gen-"))
}

/// The prefix of names that only the broker gives.
pub const RESERVED_PREFIX: &str = "amq.";

impl Vhost {
    /// The queue of that name, if `connection` may use it.
    pub fn queue_for(&self, name: &str, connection: ConnectionId) -> Result<Arc<Queue>, Refused> {
        let queue = self.queues.get(name).ok_or(Refused::NoQueue)?;
        accessible(&queue, connection)?;
        Ok(queue)
    }

    /// Declares a queue, under a name of our own when none is given. A name that begins with `amq.` is ours to give, even to redeclare (RabbitMQ 4.0 does the same).
    pub fn queue_declare(
        &self,
        name: Option<QueueName>,
        options: &QueueOptions,
        connection: ConnectionId,
    ) -> Result<Declared, Refused> {
        if name.as_ref().is_some_and(|name| name.as_str().starts_with(RESERVED_PREFIX)) {
            return Err(Refused::ReservedPrefix);
        }
        self.declare_queue(name.unwrap_or_else(generated_queue_name), options, connection)
    }

    /// The same under any name, one that the broker gave among them.
    pub fn declare_queue(
        &self,
        name: QueueName,
        options: &QueueOptions,
        connection: ConnectionId,
    ) -> Result<Declared, Refused> {
        let owner = options.exclusive.then_some(connection);
        let mut topology = self.topology();
        let mut records = Records::new(self);
        if let Some(queue) = self.queues.get(name.as_str()) {
            let refused = if queue.owner() == owner {
                queue.options().difference(options).map(Refused::Inequivalent)
            } else {
                Some(Refused::Locked)
            };
            // Only whoever may have it keeps it from expiring.
            let status = if refused.is_none() { queue.renew() } else { queue.status() };
            match (status, refused) {
                (Ok(_), Some(refused)) => return Err(refused),
                (Ok(status), None) => {
                    let until = if options.durable { self.awaited() } else { None };
                    return Ok(Declared { queue, status, made: false, until });
                }
                // It deleted itself a moment ago and whoever saw to that has not come to the registry yet.
                (Err(Gone::Deleted), _) => self.forget_queue_locked(&mut topology, &queue, &mut records),
                (Err(Gone::Crashed), _) => return Err(Refused::Crashed),
            }
        }
        if self.is_ending() {
            return Err(Refused::VhostEnds);
        }
        if let Some(max) = self.metadata().max_queues
            && self.queues.len() as u64 >= max
        {
            return Err(Refused::QueueLimit(max));
        }
        self.all_queues.take().map_err(Refused::NodeQueueLimit)?;
        let queue = self.new_queue(Queue::new(name, options.clone(), owner));
        records.queue(&queue);
        // Before anybody can publish to it: the journal has the queue before its messages.
        let until = records.commit();
        self.queues.insert(&queue);
        self.counts.queue_made(&queue);
        self.tell_queue_created(&queue);
        self.churn().add(Event::QueueCreated);
        self.new_epoch();
        Ok(Declared { queue, status: Status::default(), made: true, until })
    }

    /// A queue as this virtual host has them, that nobody knows yet.
    pub(super) fn new_queue(&self, queue: Queue) -> Arc<Queue> {
        let is_journalled = self.durability != Durability::Memory && queue.options().durable;
        let policies = self.policies_for(&queue);
        let queue = queue.with_store(self.handle.clone()).with_undertaker(self.undertaker.clone());
        let queue = queue.with_policies(policies).with_default_timeout(self.settings().consumer_timeout);
        Arc::new(if is_journalled { queue.journalled() } else { queue })
    }

    /// The last change of what is durable, unless it is on the disk: whoever is told that something is so already
    /// waits for that.
    pub(super) fn awaited(&self) -> Option<Batch> {
        self.stored.as_ref()?.definitions.awaited()
    }

    /// Deletes a queue and gives the number of ready messages that went with it, and what to wait for until it is gone
    /// for good.
    pub fn queue_delete(
        &self,
        name: &str,
        connection: ConnectionId,
        if_unused: bool,
        if_empty: bool,
    ) -> Result<(usize, Option<Batch>), Refused> {
        let mut topology = self.topology();
        let mut records = Records::new(self);
        let queue = self.queue_for(name, connection)?;
        let outcome = if queue.options().durable {
            queue.delete(if_unused, if_empty, records.group())
        } else {
            queue.delete(if_unused, if_empty, &mut Group::default())
        };
        match outcome {
            Err(DeleteRefused::InUse) => return Err(Refused::InUse),
            Err(DeleteRefused::NotEmpty) => return Err(Refused::NotEmpty),
            Ok(_) | Err(DeleteRefused::Gone(_)) => {
                self.forget_queue_locked(&mut topology, &queue, &mut records);
            }
        }
        let until = records.commit();
        outcome.map(|messages| (messages, until)).map_err(|_| Refused::NoQueue)
    }

    /// A queue deleted itself, or its owner is gone: it leaves the registry and its bindings go. Nobody waits until
    /// that is on the disk.
    pub fn forget_queue(&self, queue: &Arc<Queue>) {
        let mut topology = self.topology();
        let mut records = Records::new(self);
        self.forget_queue_locked(&mut topology, queue, &mut records);
        records.commit();
    }

    pub(super) fn forget_queue_locked(
        &self,
        topology: &mut Sources,
        queue: &Arc<Queue>,
        records: &mut Records<'_>,
    ) {
        if self.queues.remove(queue) {
            self.all_queues.give_back();
            self.counts.queue_gone(queue);
            records.forget_queue(queue);
            self.tell_queue_deleted(queue);
        }
        self.unbind_target(topology, &Target::Queue(Arc::clone(queue)), records);
        self.new_epoch();
    }

    /// Declares an exchange; gives whether it was made now, and what to wait for until it is on the disk.
    pub fn exchange_declare(
        &self,
        name: &ExchangeName,
        options: ExchangeOptions,
    ) -> Result<(bool, Option<Batch>), Refused> {
        let _topology = self.topology();
        let mut records = Records::new(self);
        if name.is_empty() {
            return Err(Refused::DefaultExchange);
        }
        if let Some(exchange) = self.exchanges.get(name.as_str()) {
            return match exchange.options().difference(&options) {
                Some(difference) => Err(Refused::Inequivalent(difference)),
                None => Ok((false, if options.durable { self.awaited() } else { None })),
            };
        }
        if name.as_str().starts_with(RESERVED_PREFIX) {
            return Err(Refused::ReservedPrefix);
        }
        if self.is_ending() {
            return Err(Refused::VhostEnds);
        }
        self.all_exchanges.take().map_err(Refused::NodeExchangeLimit)?;
        let exchange = Exchange::new(name.clone(), options);
        records.exchange(&exchange);
        self.begin_delaying(&exchange, &mut records);
        self.begin_remembering(&exchange, &mut records);
        let until = records.commit();
        exchange.set_policies(self.policies_for_exchange(&exchange));
        self.tell_exchange_created(&exchange);
        self.exchanges.insert(exchange);
        self.new_epoch();
        Ok((true, until))
    }

    /// Deletes an exchange. One that is absent is deleted already.
    pub fn exchange_delete(&self, name: &str, if_unused: bool) -> Result<Option<Batch>, Refused> {
        check_deletion(name)?;
        let mut topology = self.topology();
        let Some(exchange) = self.exchanges.get(name) else { return Ok(self.awaited()) };
        if if_unused && !exchange.routes().is_empty() {
            return Err(Refused::InUse);
        }
        let mut records = Records::new(self);
        self.forget_exchange(&mut topology, exchange, &mut records);
        Ok(records.commit())
    }

    /// Binds, and gives what to wait for until the binding is on the disk; repeating a binding changes nothing. A target
    /// that was not bound like that gets the history of an exchange that has one.
    pub fn bind(&self, ends: &BindingEnds<'_>) -> Result<Option<Batch>, Refused> {
        let mut topology = self.topology();
        let (source, target) = self.resolve(ends)?;
        let (id, is_durable) = (target.id(), is_durable(&source, &target));
        let (bound, history) = {
            let mut routes = source.routes_mut();
            let bound = routes
                .bind(target, ends.binding_key, ends.arguments)
                .map_err(|invalid| Refused::InvalidBinding(invalid.to_string()))?;
            (bound, routes.history())
        };
        let Some(binding) = bound else { return Ok(if is_durable { self.awaited() } else { None }) };
        let mut records = Records::new(self);
        records.binding(&source, &binding);
        self.tell_bound(&source, &binding);
        let until = records.commit();
        topology.lead(id, source);
        self.new_epoch();
        drop(topology);
        self.replay(history, &binding.target);
        Ok(until)
    }

    /// Unbinds, and gives what to wait for until that is on the disk. Ends or a binding that do not exist are unbound already.
    pub fn unbind(&self, ends: &BindingEnds<'_>) -> Result<Option<Batch>, Refused> {
        let mut topology = self.topology();
        let (source, target) = match self.resolve(ends) {
            Ok(ends) => ends,
            Err(Refused::NoQueue | Refused::NoExchange | Refused::NoSource) => return Ok(self.awaited()),
            Err(refused) => return Err(refused),
        };
        let (removed, was_last) = {
            let mut routes = source.routes_mut();
            let removed = routes.unbind(&target, ends.binding_key, ends.arguments);
            (removed, routes.bindings_of(&target).next().is_none())
        };
        if was_last {
            topology.forget(target.id(), source.id());
        }
        let Some(binding) = removed else {
            return Ok(if is_durable(&source, &target) { self.awaited() } else { None });
        };
        let mut records = Records::new(self);
        records.forget_binding(&source, &binding);
        self.tell_unbound(&source, &binding);
        self.new_epoch();
        self.delete_if_unbound(&mut topology, source, &mut records);
        Ok(records.commit())
    }

    /// The ends of a binding. RabbitMQ names the source first when both are absent.
    fn resolve(&self, ends: &BindingEnds<'_>) -> Result<(Arc<Exchange>, Target), Refused> {
        if ends.source.is_empty() || matches!(ends.destination, Destination::Exchange("")) {
            return Err(Refused::DefaultExchange);
        }
        let source = self.exchanges.get(ends.source).ok_or(Refused::NoSource)?;
        let target = match ends.destination {
            Destination::Queue(name, connection) => {
                let queue = self.queue_for(name, connection)?;
                queue.status()?;
                Target::Queue(queue)
            }
            Destination::Exchange(name) => {
                Target::Exchange(self.exchanges.get(name).ok_or(Refused::NoExchange)?)
            }
        };
        Ok((source, target))
    }

    pub(super) fn forget_exchange(
        &self,
        topology: &mut Sources,
        exchange: Arc<Exchange>,
        records: &mut Records<'_>,
    ) {
        if self.exchanges.remove(&exchange) {
            self.all_exchanges.give_back();
        }
        records.forget_exchange(&exchange);
        self.tell_exchange_deleted(&exchange);
        Self::end_delaying(&exchange, records);
        Self::end_remembering(&exchange, records);
        // Its own bindings are dropped with it: they may form a cycle of references otherwise.
        let none = crate::exchange::Routes::new(exchange.options().exchange_type);
        let routes = std::mem::replace(&mut *exchange.routes_mut(), none);
        for binding in routes.iter() {
            topology.forget(binding.target.id(), exchange.id());
            records.forget_binding(&exchange, binding);
            self.tell_unbound(&exchange, binding);
        }
        self.unbind_target(topology, &Target::Exchange(exchange), records);
        self.new_epoch();
    }

    /// Removes all bindings that lead to `target`, and with them the auto-delete exchanges that have none left.
    fn unbind_target(&self, topology: &mut Sources, target: &Target, records: &mut Records<'_>) {
        for source in self.unbind_all(topology, target, records) {
            self.delete_if_unbound(topology, source, records);
        }
    }

    fn delete_if_unbound(&self, topology: &mut Sources, first: Arc<Exchange>, records: &mut Records<'_>) {
        let mut candidates = vec![first];
        while let Some(exchange) = candidates.pop() {
            if !exchange.options().auto_delete
                || !exchange.routes().is_empty()
                || !self.exchanges.remove(&exchange)
            {
                continue;
            }
            self.all_exchanges.give_back();
            records.forget_exchange(&exchange);
            self.tell_exchange_deleted(&exchange);
            Self::end_delaying(&exchange, records);
            Self::end_remembering(&exchange, records);
            candidates.extend(self.unbind_all(topology, &Target::Exchange(exchange), records));
            self.new_epoch();
        }
    }

    pub(super) fn topology(&self) -> MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vhost {
    /// Removes all bindings that lead to `target`, and gives the exchanges that lost some.
    fn unbind_all(
        &self,
        topology: &mut Sources,
        target: &Target,
        records: &mut Records<'_>,
    ) -> Vec<Arc<Exchange>> {
        let mut lost = Vec::new();
        for (_, source) in topology.0.remove(&target.id()).unwrap_or_default() {
            let removed = source.routes_mut().remove_target(target);
            for binding in &removed {
                records.forget_binding(&source, binding);
                self.tell_unbound(&source, binding);
            }
            if !removed.is_empty() {
                lost.push(source);
            }
        }
        lost
    }
}

/// Whether `connection` may use the queue: anyone may, unless it is exclusive to another.
fn accessible(queue: &Queue, connection: ConnectionId) -> Result<(), Refused> {
    match queue.owner() {
        Some(owner) if owner != connection => Err(Refused::Locked),
        _ => Ok(()),
    }
}

/// The exchanges that every virtual host has from the start.
pub(super) const SYSTEM_EXCHANGES: [(&str, ExchangeType, bool); 6] = [
    ("amq.direct", ExchangeType::Direct, false),
    ("amq.fanout", ExchangeType::Fanout, false),
    ("amq.topic", ExchangeType::Topic, false),
    ("amq.headers", ExchangeType::Headers, false),
    ("amq.match", ExchangeType::Headers, false),
    ("amq.rabbitmq.trace", ExchangeType::Topic, true),
];

/// Whether an exchange of that name may be deleted at all.
pub fn check_deletion(name: &str) -> Result<(), Refused> {
    if name.is_empty() {
        return Err(Refused::DefaultExchange);
    }
    if name.starts_with(RESERVED_PREFIX) { Err(Refused::SystemExchange) } else { Ok(()) }
}
