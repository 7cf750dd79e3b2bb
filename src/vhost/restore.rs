//! Virtual hosts as they were defined, made again when the broker starts.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use foldhash::HashMap;
use serde_json::Value;

use super::delaying::waits_for;
use super::exchange::{Exchange, Target};
use super::parameters::GlobalParameters;
use super::remembering::knows_for;
use super::topology::Sources;
use super::{Vhost, VhostStore};
use crate::config::Durability;
use crate::message::Message;
use crate::name::VhostName;
use crate::place::{JournalFile, Position, QueueId};
use crate::queue::Queue;
use crate::queue::options::QueueOptions;
use crate::store::definitions::{
    AccessDefinition, BindingDefinition, BoundTo, Definition, ExchangeDefinition, ParameterDefinition,
    PolicyDefinition, QueueDefinition, VhostDefinition,
};
use crate::store::restore::RestoredBlock;
use crate::store::segment::block::Records;
use crate::store::stored::{KeyRecord, Returns};
use crate::store::{Refill, StoreHandle};

/// Virtual hosts that nobody uses yet.
#[derive(Default)]
pub struct Restored {
    pub(super) vhosts: HashMap<VhostName, Vhost>,
    queues: Vec<Arc<Queue>>,
    exchanges: usize,
    bindings: usize,
    incomplete: usize,
    parameters: BTreeMap<Box<str>, Value>,
    access: Vec<AccessDefinition>,
}

impl Restored {
    /// Makes what was defined, in the order of kinds: virtual hosts, exchanges, queues, bindings. Those virtual hosts
    /// that do not say what a confirm promises promise `durability`. The backlogs of their queues go to `handle`;
    /// `has_messages` tells of which queues there may be something on the disk.
    pub fn new(
        definitions: Vec<Definition>,
        durability: Durability,
        handle: &StoreHandle,
        has_messages: &dyn Fn(QueueId) -> bool,
    ) -> Self {
        let mut restored = Self::default();
        // What is in force on exchanges and queues is known before them.
        let (policies, topology): (Vec<_>, Vec<_>) =
            definitions.into_iter().partition(|definition| matches!(definition, Definition::Policy(_)));
        let vhosts =
            topology.iter().take_while(|definition| matches!(definition, Definition::Vhost(_))).count();
        let mut topology = topology.into_iter();
        let first: Vec<_> = topology.by_ref().take(vhosts).collect();
        for definition in first.into_iter().chain(policies).chain(topology) {
            let is_made = match definition {
                Definition::Vhost(vhost) => {
                    restored.vhost(vhost, durability, handle);
                    true
                }
                Definition::Exchange(exchange) => restored.exchange(exchange).is_some(),
                Definition::Queue(queue) => restored.queue(queue, has_messages).is_some(),
                Definition::Binding(binding) => restored.binding(binding).is_some(),
                Definition::Policy(policy) => restored.policy(policy).is_some(),
                Definition::Parameter(parameter) => restored.parameter(parameter).is_some(),
                Definition::GlobalParameter(parameter) => {
                    restored.parameters.insert(parameter.name, parameter.value);
                    true
                }
                Definition::Access(access) => {
                    restored.access.push(access);
                    true
                }
            };
            if !is_made {
                restored.incomplete += 1;
            }
        }
        for vhost in restored.vhosts.values() {
            for exchange in vhost.exchanges.all() {
                vhost.remember_anew(&exchange);
            }
            vhost.new_epoch();
        }
        if restored.incomplete > 0 {
            tracing::error!(
                "{} definitions are left out, since what they belong to is not defined; they are kept",
                restored.incomplete
            );
        }
        restored
    }

    /// Makes a virtual host unless there is one of that name.
    fn vhost(&mut self, definition: VhostDefinition, durability: Durability, handle: &StoreHandle) {
        let VhostDefinition { name, durability: own, metadata } = definition;
        self.vhosts.entry(name.clone()).or_insert_with(|| {
            let vhost = Vhost::durable_as(name, own, durability, handle.clone());
            // It is written down already.
            vhost.set_metadata(metadata);
            vhost
        });
    }

    fn exchange(&mut self, definition: ExchangeDefinition) -> Option<()> {
        let vhost = self.vhosts.get(&definition.vhost)?;
        let exchange = Exchange::new(definition.name, definition.options);
        exchange.set_policies(vhost.policies_for_exchange(&exchange));
        vhost.exchanges.insert(exchange);
        self.exchanges += 1;
        Some(())
    }

    fn queue(&mut self, definition: QueueDefinition, has_messages: &dyn Fn(QueueId) -> bool) -> Option<()> {
        let QueueDefinition { vhost, name, id, auto_delete, arguments, paused } = definition;
        // Also when it is left out: what is on the disk of it must not become another queue's.
        id.reserve();
        let vhost = self.vhosts.get(&vhost)?;
        let options = QueueOptions::restored(auto_delete, arguments);
        let mut queue = Queue::new(name, options, None).with_id(id);
        if has_messages(id) {
            // Whatever its virtual host promises now: what comes back is to be settled for good.
            queue = queue.journalled();
        }
        let waits_for = waits_for(queue.name().as_str()).map(|name| vhost.exchanges.get(name));
        let queue = vhost.new_queue(queue);
        if paused {
            queue.pause().ok()?;
        }
        let knows_for = knows_for(queue.name().as_str());
        match waits_for {
            None if let Some(exchange) = knows_for => {
                queue.register();
                vhost.remember_by(exchange, &queue)?;
            }
            None => vhost.queues.insert(&queue),
            Some(exchange) => {
                queue.register();
                exchange.filter(|exchange| exchange.delays())?.wait_in(Arc::clone(&queue));
            }
        }
        self.queues.push(queue);
        Some(())
    }

    fn binding(&mut self, definition: BindingDefinition) -> Option<()> {
        let BindingDefinition { vhost, source, to, binding_key, arguments } = definition;
        let vhost = self.vhosts.get_mut(&vhost)?;
        let source = vhost.exchanges.get(source.as_str())?;
        let target = match to {
            BoundTo::Queue(name) => Target::Queue(vhost.queues.get(name.as_str())?),
            BoundTo::Exchange(name) => Target::Exchange(vhost.exchanges.get(name.as_str())?),
        };
        let id = target.id();
        source.routes_mut().bind(target, &binding_key, arguments.as_table()).ok()?;
        let sources: &mut Sources = vhost.sources.get_mut().unwrap_or_else(PoisonError::into_inner);
        sources.lead(id, source);
        self.bindings += 1;
        Some(())
    }

    /// The system's exchanges are there already.
    fn policy(&mut self, definition: PolicyDefinition) -> Option<()> {
        let PolicyDefinition { vhost, kind, policy } = definition;
        self.vhosts.get(&vhost)?.restore_policy(kind, policy);
        Some(())
    }

    fn parameter(&mut self, definition: ParameterDefinition) -> Option<()> {
        let ParameterDefinition { vhost, component, name, value } = definition;
        self.vhosts.get(&vhost)?.parameters_mut().insert((component, name), value);
        Some(())
    }

    /// The parameters of the broker, which from now on writes down what changes.
    pub fn global_parameters(&mut self, store: &VhostStore) -> GlobalParameters {
        GlobalParameters::kept_in(std::mem::take(&mut self.parameters), Arc::clone(&store.definitions))
    }

    /// Who may do what.
    pub fn take_access(&mut self) -> Vec<AccessDefinition> {
        std::mem::take(&mut self.access)
    }

    /// Whether there is no virtual host, as in a broker that starts for the first time.
    pub fn is_empty(&self) -> bool {
        self.vhosts.is_empty()
    }

    /// The queues, to be filled again.
    pub fn queues(&self) -> &[Arc<Queue>] {
        &self.queues
    }

    /// The virtual hosts, which from now on write down what changes.
    pub fn kept_in(self, store: &VhostStore) -> impl Iterator<Item = Vhost> {
        self.vhosts.into_values().map(|vhost| vhost.kept(store))
    }
}

impl std::fmt::Display for Restored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "virtual hosts: {}, durable exchanges: {}, durable queues: {}, bindings between them: {}",
            self.vhosts.len(),
            self.exchanges,
            self.queues.len(),
            self.bindings
        )
    }
}

impl Refill for Queue {
    fn id(&self) -> QueueId {
        self.id()
    }

    fn restore(
        &self,
        blocks: Vec<RestoredBlock>,
        returns: Vec<(Position, Returns)>,
        next: Position,
        redelivered_below: Position,
    ) {
        self.restore(next, redelivered_below, blocks, returns);
    }

    fn restore_keys(&self, keys: Vec<KeyRecord>) {
        self.restore_keys(keys);
    }

    fn restore_waiting(&self, block: &RestoredBlock, records: Records) {
        self.restore_waiting(block, records);
    }

    fn push_restored(&self, position: Position, returns: Returns, file: JournalFile, message: Message) {
        self.push_restored(position, returns, file, message);
    }
}
