//! What a change of the topology leaves in the journal.

use serde_json::Value;

use super::Vhost;
use super::exchange::{Exchange, Target};
use crate::exchange::Binding;
use crate::place::{Batch, QueueId};
use crate::policy::{Component, Policy, PolicyKind};
use crate::queue::Queue;
use crate::queue::options::QueueOptions;
use crate::store::definitions::definition::{exchange_key, queue_key};
use crate::store::definitions::{
    BindingDefinition, BoundTo, Definition, ExchangeDefinition, ParameterDefinition, PolicyDefinition,
    QueueDefinition, Record, parameter_key, policy_key,
};
use crate::store::op::Group;

/// The records of one change, made under the topology lock, so that their order in the journal is the order of the
/// changes. They concern what is durable; in a broker that keeps nothing there are none.
pub(super) struct Records<'a> {
    vhost: &'a Vhost,
    record: Option<Record<'a>>,
    /// Takes what queues would write in a broker without a journal.
    nowhere: Group,
    gone: Vec<QueueId>,
}

impl<'a> Records<'a> {
    pub(super) fn new(vhost: &'a Vhost) -> Self {
        Self { vhost, record: None, nowhere: Group::default(), gone: Vec::new() }
    }

    /// The journal's record: begun with the first that is to be written, since most changes of what is not durable
    /// need none.
    fn record(&mut self) -> Option<&mut Record<'a>> {
        if self.record.is_none() {
            self.record = self.vhost.stored.as_ref().map(|stored| stored.definitions.record());
        }
        self.record.as_mut()
    }

    /// For what a queue writes of itself. To be taken before the queue is touched.
    pub(super) fn group(&mut self) -> &mut Group {
        if self.record().is_none() {
            return &mut self.nowhere;
        }
        self.record.as_mut().map_or(&mut self.nowhere, Record::group)
    }

    fn define(&mut self, definition: impl FnOnce(&Vhost) -> Definition) {
        let vhost = self.vhost;
        // What is made in one that goes would be found without it after a restart.
        if vhost.is_ending() {
            return;
        }
        if let Some(record) = self.record() {
            record.define(&definition(vhost));
        }
    }

    pub(super) fn forget(&mut self, key: impl FnOnce(&Vhost) -> Vec<u8>) {
        let vhost = self.vhost;
        if let Some(record) = self.record() {
            record.forget(key(vhost));
        }
    }

    pub(super) fn queue(&mut self, queue: &Queue) {
        self.queue_as(queue, &queue.options(), false);
    }

    /// A queue is to be so from now on.
    pub(super) fn queue_as(&mut self, queue: &Queue, options: &QueueOptions, paused: bool) {
        if options.durable {
            self.define(|vhost| {
                Definition::Queue(QueueDefinition {
                    vhost: vhost.name.clone(),
                    name: queue.name().clone(),
                    id: queue.id(),
                    auto_delete: options.auto_delete,
                    arguments: options.arguments.clone(),
                    paused,
                })
            });
        }
    }

    /// The queue is gone with its messages. Its bindings are told of for themselves.
    pub(super) fn forget_queue(&mut self, queue: &Queue) {
        self.gone.push(queue.id());
        if queue.options().durable {
            self.forget(|vhost| queue_key(vhost.name.as_str(), queue.name().as_str()));
            if let Some(record) = self.record() {
                record.queue_gone(queue.id());
            }
        }
    }

    pub(super) fn policy(&mut self, kind: PolicyKind, policy: &Policy) {
        self.define(|vhost| {
            let (vhost, policy) = (vhost.name.clone(), policy.clone());
            Definition::Policy(PolicyDefinition { vhost, kind, policy })
        });
    }

    pub(super) fn forget_policy(&mut self, kind: PolicyKind, name: &str) {
        self.forget(|vhost| policy_key(kind, vhost.name.as_str(), name));
    }

    pub(super) fn parameter(&mut self, component: &Component, name: &str, value: &Value) {
        self.define(|vhost| {
            let (vhost, component) = (vhost.name.clone(), component.clone());
            let (name, value) = (name.into(), value.clone());
            Definition::Parameter(ParameterDefinition { vhost, component, name, value })
        });
    }

    pub(super) fn forget_parameter(&mut self, component: &Component, name: &str) {
        self.forget(|vhost| parameter_key(vhost.name.as_str(), component, name));
    }

    pub(super) fn exchange(&mut self, exchange: &Exchange) {
        if exchange.options().durable {
            self.define(|vhost| {
                Definition::Exchange(ExchangeDefinition {
                    vhost: vhost.name.clone(),
                    name: exchange.name().clone(),
                    options: exchange.options().clone(),
                })
            });
        }
    }

    pub(super) fn forget_exchange(&mut self, exchange: &Exchange) {
        if exchange.options().durable {
            self.forget(|vhost| exchange_key(vhost.name.as_str(), exchange.name().as_str()));
        }
    }

    pub(super) fn binding(&mut self, source: &Exchange, binding: &Binding<Target>) {
        if is_durable(source, &binding.target) {
            self.define(|vhost| binding_definition(vhost, source, binding));
        }
    }

    pub(super) fn forget_binding(&mut self, source: &Exchange, binding: &Binding<Target>) {
        if is_durable(source, &binding.target) {
            self.forget(|vhost| binding_definition(vhost, source, binding).key());
        }
    }

    /// Appends what was written to the journal, and has the files go of the queues that are gone. Gives what to wait
    /// for until it is on the disk.
    pub(super) fn commit(self) -> Option<Batch> {
        let batch = self.record.and_then(Record::commit);
        for queue in self.gone {
            self.vhost.handle.queue_gone(queue, batch);
        }
        batch
    }
}

/// A binding outlives the broker if both of its ends do.
pub(super) fn is_durable(source: &Exchange, target: &Target) -> bool {
    source.options().durable
        && match target {
            Target::Queue(queue) => queue.options().durable,
            Target::Exchange(exchange) => exchange.options().durable,
        }
}

fn binding_definition(vhost: &Vhost, source: &Exchange, binding: &Binding<Target>) -> Definition {
    let to = match &binding.target {
        Target::Queue(queue) => BoundTo::Queue(queue.name().clone()),
        Target::Exchange(exchange) => BoundTo::Exchange(exchange.name().clone()),
    };
    Definition::Binding(BindingDefinition {
        vhost: vhost.name.clone(),
        source: source.name().clone(),
        to,
        binding_key: binding.key.to_string(),
        arguments: binding.arguments.clone(),
    })
}
