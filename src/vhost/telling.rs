//! What happens to exchanges, queues, bindings, policies and parameters, as events of RabbitMQ's event exchange.

use std::num::NonZeroU64;

use leveret_protocol::table::{ArrayBuf, ArrayBuilder, Table, TableBuilder, Value as Field};
use serde_json::Value;

use super::Vhost;
use super::exchange::{Exchange, Target};
use crate::event::{EVENT_EXCHANGE, Events};
use crate::exchange::{Binding, Target as _, TargetName};
use crate::json::{Null, to_table};
use crate::policy::{Component, InForce, Policy, PolicyKind};
use crate::queue::Queue;
use crate::rate::{MAX_PUBLISH_BYTES_RATE, MAX_PUBLISH_RATE};
use crate::store::definitions::VhostMetadata;
use crate::term::Term;

impl Vhost {
    /// The events of the broker that it is one of.
    pub fn events(&self) -> &Events {
        &self.events
    }

    pub(super) fn tell_queue_created(&self, queue: &Queue) {
        self.events.tell("queue.created", |headers| {
            let options = queue.options();
            with_arguments(self.named(headers, queue.name().as_str()), options.arguments.as_table())
                .bool("durable", options.durable)
                .bool("auto_delete", options.auto_delete)
                .bool("exclusive", options.exclusive)
        });
    }

    pub(super) fn tell_queue_deleted(&self, queue: &Queue) {
        self.events.tell("queue.deleted", |headers| self.named(headers, queue.name().as_str()));
    }

    pub(super) fn tell_exchange_created(&self, exchange: &Exchange) {
        self.events.tell("exchange.created", |headers| {
            let options = exchange.options();
            with_arguments(self.named(headers, exchange.name().as_str()), options.arguments.as_table())
                .string("type", options.exchange_type.as_str())
                .bool("durable", options.durable)
                .bool("auto_delete", options.auto_delete)
                .bool("internal", options.internal)
        });
    }

    pub(super) fn tell_exchange_deleted(&self, exchange: &Exchange) {
        self.events.tell("exchange.deleted", |headers| self.named(headers, exchange.name().as_str()));
    }

    pub(super) fn tell_bound(&self, source: &Exchange, binding: &Binding<Target>) {
        if source.name().as_str() == EVENT_EXCHANGE {
            self.events.want(true);
        }
        self.tell_binding("binding.created", source, binding);
    }

    pub(super) fn tell_unbound(&self, source: &Exchange, binding: &Binding<Target>) {
        self.tell_binding("binding.deleted", source, binding);
    }

    fn tell_binding(&self, key: &'static str, source: &Exchange, binding: &Binding<Target>) {
        self.events.tell(key, |headers| {
            let (kind, name) = match binding.target.name() {
                TargetName::Queue(name) => ("queue", name),
                TargetName::Exchange(name) => ("exchange", name),
            };
            let headers = headers
                .string("source_name", source.name().as_str())
                .string("source_kind", "exchange")
                .string("destination_name", &*name)
                .string("destination_kind", kind)
                .string("routing_key", &*binding.key)
                .string("vhost", self.name.as_str());
            with_arguments(headers, binding.arguments.as_table())
        });
    }

    pub(super) fn tell_policy_set(&self, kind: PolicyKind, policy: &Policy) {
        let said = |headers: TableBuilder| {
            let headers = headers
                .string("pattern", policy.pattern.as_str())
                .string("apply-to", policy.apply_to.as_str())
                .long("priority", policy.priority);
            with_json(headers, "definition", &policy.definition.json())
        };
        if kind == PolicyKind::Operator {
            self.events.tell("parameter.set", |headers| {
                let headers = self.named(headers, &policy.name).string("component", "operator_policy");
                headers.table("value", said(TableBuilder::new()).finish().as_table())
            });
        }
        self.events.tell("policy.set", |headers| said(self.named(headers, &policy.name)));
    }

    pub(super) fn tell_policy_cleared(&self, kind: PolicyKind, name: &str) {
        if kind == PolicyKind::User {
            return self.events.tell("policy.cleared", |headers| self.named(headers, name));
        }
        self.events.tell("parameter.cleared", |headers| {
            self.named(headers, name).string("component", "operator_policy")
        });
        self.events.tell("operator.policy.cleared", |headers| self.named(headers, name));
    }

    pub(super) fn tell_parameter_set(&self, component: &Component, name: &str, value: &Value) {
        self.events.tell("parameter.set", |headers| {
            with_json(self.named(headers, name).string("component", component.as_str()), "value", value)
        });
    }

    pub(super) fn tell_parameter_cleared(&self, component: &Component, name: &str) {
        self.events.tell("parameter.cleared", |headers| {
            self.named(headers, name).string("component", component.as_str())
        });
    }

    /// Something else is about to be said of it.
    pub(super) fn tell_limits(&self, before: &VhostMetadata, now: &VhostMetadata) {
        let limits = |said: &VhostMetadata| {
            let rate = &said.publish_rate;
            [
                ("max-connections", said.max_connections),
                ("max-queues", said.max_queues),
                (MAX_PUBLISH_RATE, rate.messages.map(NonZeroU64::get)),
                (MAX_PUBLISH_BYTES_RATE, rate.bytes.map(NonZeroU64::get)),
            ]
        };
        let now = limits(now);
        if limits(before) != now {
            let keys = ["vhost.limits.set", "vhost.limits.cleared"];
            self.events.tell_limits(keys, |headers| self.named(headers, "limits"), &now);
        }
    }

    /// Other policies hold for a queue, or none any more.
    pub(super) fn tell_queue_policy(&self, queue: &Queue, policies: Option<&InForce>) {
        let name = queue.name().as_str();
        match policies {
            Some(policies) => self.events.tell("queue.policy.updated", |headers| {
                with_json(self.named(headers, name), "definition", &policies.definition.json())
            }),
            None => self.events.tell("queue.policy.cleared", |headers| self.named(headers, name)),
        }
    }

    fn named(&self, headers: TableBuilder, name: &str) -> TableBuilder {
        headers.string("name", name).string("vhost", self.name.as_str())
    }
}

/// Arguments as RabbitMQ tells them: each as Erlang prints it.
fn with_arguments(headers: TableBuilder, arguments: Table<'_>) -> TableBuilder {
    let printed = arguments.iter().fold(ArrayBuilder::new(), |printed, (name, value)| {
        let (name, kind) = (Term::Binary(name.as_bytes()), value.type_name());
        printed.string(format!("{{{name},{kind},{}}}", Term::from(value)))
    });
    let printed: ArrayBuf = printed.finish();
    headers.value("arguments", Field::Array(printed.as_array()))
}

/// A parameter of the broker, which belongs to no virtual host.
pub(super) fn tell_global_parameter_set(events: &Events, name: &str, value: &Value) {
    events.tell("parameter.set", |headers| with_json(headers.string("name", name), "value", value));
}

pub(super) fn tell_global_parameter_cleared(events: &Events, name: &str) {
    events.tell("parameter.cleared", |headers| headers.string("name", name));
}

/// An object as a table, anything else as text.
fn with_json(headers: TableBuilder, name: &str, value: &Value) -> TableBuilder {
    let table = value.as_object().and_then(|object| to_table(object, Null::Void).ok());
    match table {
        Some(table) => headers.table(name, table.as_table()),
        None => headers.string(name, value.to_string()),
    }
}
