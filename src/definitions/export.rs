//! Exporting: what there is, in an order that depends on nothing else, an object a line.
//!
//! Queues and bindings are told one after the other, so that a document of any length takes the memory of a piece.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Value, json};

use super::document::{Scope, Section};
use super::{bindings, exchanges, limits, parameters, permissions, policies, queues, users, vhosts};
use crate::connection::Environment;
use crate::connection::capabilities::{COMPATIBLE_PRODUCT, COMPATIBLE_VERSION};
use crate::exchange::{Target as _, TargetName};
use crate::policy::{Component, PolicyKind};
use crate::vhost::Vhost;
use crate::vhost::exchange::{Exchange, Target};
use crate::vhost::topology::RESERVED_PREFIX;

/// A document in pieces, each made when it is its turn.
pub type Pieces = Box<dyn Iterator<Item = String> + Send>;

/// The objects of a section.
type Objects = Box<dyn Iterator<Item = Value> + Send>;

/// What is to be exported.
#[derive(Clone, Copy, Debug)]
pub struct Export<'e> {
    /// Of this broker.
    pub environment: &'e Environment,
    /// The name that it goes by.
    pub cluster_name: &'e str,
}

impl Export<'_> {
    /// The whole broker.
    pub fn broker(&self) -> Pieces {
        let mut all = self.environment.vhosts.all();
        all.sort_by(|one, other| one.name().cmp(other.name()));
        let name = self.cluster_name;
        let about = [
            ("rabbit_version", json!(COMPATIBLE_VERSION)),
            ("rabbitmq_version", json!(COMPATIBLE_VERSION)),
            ("product_name", json!(COMPATIBLE_PRODUCT)),
            ("product_version", json!(COMPATIBLE_VERSION)),
            ("rabbitmq_definition_format", json!("cluster")),
            ("original_cluster_name", json!(name)),
            ("explanation", json!(format!("Definitions of cluster '{name}'"))),
        ];
        let sections = Section::AS_EXPORTED.map(|section| (section, self.objects(section, &all)));
        document(&about, sections.into_iter())
    }

    /// One virtual host: its objects do not say in which they are.
    pub fn vhost(&self, vhost: &Arc<Vhost>) -> Pieces {
        let name = vhost.name().as_str();
        let metadata = vhost.metadata();
        let told = vhosts::object(name, &metadata);
        let about = [
            ("rabbit_version", json!(COMPATIBLE_VERSION)),
            ("rabbitmq_version", json!(COMPATIBLE_VERSION)),
            ("product_name", json!(COMPATIBLE_PRODUCT)),
            ("product_version", json!(COMPATIBLE_VERSION)),
            ("rabbitmq_definition_format", json!("single_virtual_host")),
            ("original_vhost_name", json!(name)),
            ("explanation", json!(format!("Definitions of virtual host '{name}'"))),
            ("metadata", told.get("metadata").cloned().unwrap_or_default()),
            ("description", json!(metadata.description)),
            ("limits", Value::Object(limits::of_vhost(&metadata))),
        ];
        let only = [Arc::clone(vhost)];
        let sections = Section::AS_EXPORTED.into_iter().filter(|section| section.is_of_vhost());
        let sections: Vec<_> = sections
            .map(|section| {
                let without_vhost = self.objects(section, &only).map(|mut object| {
                    if let Some(object) = object.as_object_mut() {
                        object.remove("vhost");
                    }
                    object
                });
                let objects: Objects = Box::new(without_vhost);
                (section, objects)
            })
            .collect();
        document(&about, sections.into_iter())
    }

    /// What a document has that this broker or virtual host is to be compared with.
    pub(super) fn objects(&self, section: Section, vhosts: &[Arc<Vhost>]) -> Objects {
        let access = &self.environment.access;
        let vhosts: Vec<Arc<Vhost>> = vhosts.to_vec();
        let vhosts = vhosts.into_iter();
        match section {
            Section::Users => Box::new(access.users().into_iter().map(|user| users::object(&user))),
            Section::Vhosts => {
                Box::new(vhosts.map(|vhost| vhosts::object(vhost.name().as_str(), &vhost.metadata())))
            }
            Section::Permissions => {
                Box::new(access.permissions().into_iter().map(|entry| permissions::object(&entry)))
            }
            Section::TopicPermissions => Box::new(
                access.topic_permissions().into_iter().map(|entry| permissions::topic_object(&entry)),
            ),
            Section::GlobalParameters => {
                let all = self.environment.vhosts.global_parameters().all().into_iter();
                let told = all.filter(|(name, _)| !parameters::is_own(name));
                Box::new(told.map(|(name, value)| parameters::global_object(&name, &value)))
            }
            Section::Parameters => Box::new(vhosts.flat_map(|vhost| parameters_of(&vhost))),
            Section::Policies => {
                Box::new(vhosts.flat_map(|vhost| policies_of(&vhost, PolicyKind::User, policies::object)))
            }
            Section::Exchanges => Box::new(vhosts.flat_map(exchanges_of)),
            Section::Queues => Box::new(vhosts.flat_map(queues_of)),
            Section::Bindings => Box::new(vhosts.flat_map(|vhost| {
                let exchanges = sorted_exchanges(&vhost);
                exchanges.into_iter().flat_map(move |exchange| bindings_of(&vhost, &exchange))
            })),
        }
    }

    /// Of a scope.
    pub(super) fn vhosts(&self, scope: &Scope) -> Vec<Arc<Vhost>> {
        match scope {
            Scope::Broker => self.environment.vhosts.all(),
            Scope::Vhost(name) => self.environment.vhosts.get(name.as_str()).into_iter().collect(),
        }
    }
}

fn policies_of(
    vhost: &Vhost,
    kind: PolicyKind,
    object: fn(&str, &crate::policy::Policy) -> Value,
) -> Vec<Value> {
    let policies = vhost.policies();
    let mut policies = policies.of(kind).to_vec();
    policies.sort_by(|one, other| one.name.cmp(&other.name));
    policies.iter().map(|policy| object(vhost.name().as_str(), policy)).collect()
}

/// Its limits, its operator policies and all others.
fn parameters_of(vhost: &Vhost) -> Vec<Value> {
    let name = vhost.name().as_str();
    let limits = limits::of_vhost(&vhost.metadata());
    let mut found = Vec::new();
    if !limits.is_empty() {
        let component = Component::VhostLimits;
        found.push(parameters::object(name, component.as_str(), parameters::LIMITS, &Value::Object(limits)));
    }
    found.extend(policies_of(vhost, PolicyKind::Operator, policies::operator_object));
    let others = vhost.parameters();
    found.extend(
        others.iter().map(|(component, parameter, value)| {
            parameters::object(name, component.as_str(), parameter, value)
        }),
    );
    found
}

fn sorted_exchanges(vhost: &Vhost) -> Vec<Arc<Exchange>> {
    let mut exchanges = vhost.exchanges().all();
    exchanges.sort_by(|one, other| one.name().cmp(other.name()));
    exchanges
}

fn exchanges_of(vhost: Arc<Vhost>) -> impl Iterator<Item = Value> + Send {
    let declared = sorted_exchanges(&vhost)
        .into_iter()
        .filter(|exchange| !exchange.name().as_str().starts_with(RESERVED_PREFIX));
    declared.map(move |exchange| {
        exchanges::object(vhost.name().as_str(), exchange.name().as_str(), exchange.options())
    })
}

/// Without those that go with a connection.
fn queues_of(vhost: Arc<Vhost>) -> impl Iterator<Item = Value> + Send {
    let mut all = vhost.queues().all();
    all.retain(|queue| queue.owner().is_none());
    all.sort_by(|one, other| one.name().cmp(other.name()));
    all.into_iter()
        .map(move |queue| queues::object(vhost.name().as_str(), queue.name().as_str(), &queue.options()))
}

fn bindings_of(vhost: &Vhost, exchange: &Exchange) -> Vec<Value> {
    let routes = exchange.routes();
    let lasting = routes.iter().filter(|binding| match &binding.target {
        Target::Queue(queue) => queue.owner().is_none(),
        Target::Exchange(_) => true,
    });
    let mut found: Vec<_> = lasting
        .map(|binding| {
            let (destination, to_queue) = match binding.target.name() {
                TargetName::Queue(name) => (name.into_owned(), true),
                TargetName::Exchange(name) => (name.into_owned(), false),
            };
            (to_queue, destination, Arc::clone(&binding.key), binding.arguments.clone())
        })
        .collect();
    drop(routes);
    let order = |binding: &(bool, String, Arc<str>, leveret_protocol::table::TableBuf)| {
        (binding.0, binding.1.clone(), Arc::clone(&binding.2), binding.3.as_bytes().to_vec())
    };
    found.sort_by_cached_key(order);
    let (vhost, source) = (vhost.name().as_str(), exchange.name().as_str());
    let told = found.iter().map(|(to_queue, destination, key, arguments)| {
        bindings::object(vhost, source, (destination, *to_queue), key, arguments.as_table())
    });
    told.collect()
}

/// What a document is about, then its sections.
fn document(
    about: &[(&str, Value)],
    sections: impl Iterator<Item = (Section, Objects)> + Send + 'static,
) -> Pieces {
    let mut head = "{".to_owned();
    for (at, (name, value)) in about.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        // A string takes all that is written to it.
        let _ = write!(head, "{comma}\n\"{name}\":{value}");
    }
    let sections = sections.flat_map(|(section, objects)| {
        let first = std::iter::once(format!(",\n\"{}\":[", section.as_str()));
        let objects = objects.enumerate().map(|(at, object)| {
            let comma = if at > 0 { "," } else { "" };
            format!("{comma}\n{object}")
        });
        first.chain(objects).chain(std::iter::once("]".to_owned()))
    });
    Box::new(std::iter::once(head).chain(sections).chain(std::iter::once("\n}\n".to_owned())))
}
