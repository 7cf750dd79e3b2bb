//! Parameters of virtual hosts and of the broker. What they are for need not be known: they are kept as they came.

use serde_json::{Map, Value, json};

use super::entry::{Entry, Obstacle, Read, Reading, Standing, There, some};
use super::fields::Fields;
use super::limits;
use super::policies::{OPERATOR_POLICY, read_operator};
use crate::connection::Environment;
use crate::name::VhostName;
use crate::place::Batch;
use crate::policy::Component;
use crate::store::definitions::VhostMetadata;

/// The name of the one parameter that the limits of a virtual host are.
pub(super) const LIMITS: &str = "limits";
/// Global parameters of these names, or that begin so, are a broker's own: they say which one it is, and what it read.
const OWN: [&str; 2] = ["internal", "imported_definition_hash_value"];

/// Whether a global parameter is a broker's own business.
pub(super) fn is_own(name: &str) -> bool {
    OWN.into_iter().any(|own| name.starts_with(own))
}

/// A parameter as it is exported.
pub(super) fn object(vhost: &str, component: &str, name: &str, value: &Value) -> Value {
    json!({ "value": value, "vhost": vhost, "component": component, "name": name })
}

/// A parameter of the broker as it is exported.
pub(super) fn global_object(name: &str, value: &Value) -> Value {
    json!({ "name": name, "value": value })
}

struct Parameter {
    vhost: VhostName,
    component: Component,
    name: String,
    value: Value,
}

struct Limits {
    vhost: VhostName,
    value: Map<String, Value>,
    read: VhostMetadata,
}

struct GlobalParameter {
    name: String,
    value: Value,
}

pub(super) fn read(fields: &Fields<'_>, reading: &mut Reading<'_>) -> Read {
    let vhost = fields.vhost(reading.scope)?;
    let (component, name) = (fields.some_name("component")?, fields.name("name")?);
    reading.remarks.extend(fields.unknown(&["vhost", "component", "name", "value"]));
    if component == OPERATOR_POLICY {
        return read_operator(fields, vhost, name, reading);
    }
    let (component, value) = (Component::named(component), fields.value("value")?);
    component
        .check(name, value)
        .map_err(|invalid| fields.finding(&["value"], invalid.reasons().join("; ")))?;
    if component == Component::VhostLimits {
        return read_limits(fields, vhost);
    }
    if let Component::Other(_) = component {
        reading.remarks.push(fields.finding(&["component"], "kept, and without effect: not known here"));
    }
    some(Parameter { vhost, component, name: name.to_owned(), value: value.clone() })
}

fn read_limits(fields: &Fields<'_>, vhost: VhostName) -> Read {
    let within = fields.within("value")?;
    let mut found = VhostMetadata::default();
    for (name, value) in fields.value("value")?.as_object().into_iter().flatten() {
        let max = value.as_i64().ok_or_else(|| within.finding(&[name], "expected a whole number"))?;
        // Below zero is no limit.
        limits::set_of_vhost(&mut found, name, u64::try_from(max).ok())
            .map_err(|_| within.finding(&[name], "there is no such limit of virtual hosts"))?;
    }
    some(Limits { vhost, value: limits::of_vhost(&found), read: found })
}

pub(super) fn read_global(fields: &Fields<'_>, reading: &mut Reading<'_>) -> Read {
    let name = fields.some_name("name")?;
    let value = fields.value("value")?.clone();
    reading.remarks.extend(fields.unknown(&["name", "value"]));
    if is_own(name) {
        let reason = "left out: it is another broker's own, and says which one that was";
        reading.remarks.push(fields.finding(&[], reason));
        return Ok(None);
    }
    some(GlobalParameter { name: name.to_owned(), value })
}

impl Entry for Parameter {
    fn json(&self) -> Value {
        object(self.vhost.as_str(), self.component.as_str(), &self.name, &self.value)
    }

    fn obstacle(&self, there: &There<'_>) -> Option<Obstacle> {
        there.no_vhost(&self.vhost)
    }

    fn standing(&self, environment: &Environment) -> Standing {
        let vhost = environment.vhosts.get(self.vhost.as_str());
        let found = vhost.and_then(|vhost| vhost.parameter(&self.component, &self.name));
        let (vhost, component) = (self.vhost.as_str(), self.component.as_str());
        Standing::of(found.map(|value| object(vhost, component, &self.name, &value)), &self.json())
    }

    fn apply(&self, environment: &Environment) -> Result<Option<Batch>, Obstacle> {
        let vhost = super::entry::vhost(environment, &self.vhost)?;
        let set = vhost.set_parameter(&self.component, &self.name, self.value.clone());
        set.map_err(|invalid| Obstacle::mistake(&["value"], invalid.reasons().join("; ")))
    }
}

impl Entry for Limits {
    fn json(&self) -> Value {
        let value = Value::Object(self.value.clone());
        object(self.vhost.as_str(), Component::VhostLimits.as_str(), LIMITS, &value)
    }

    fn obstacle(&self, there: &There<'_>) -> Option<Obstacle> {
        there.no_vhost(&self.vhost)
    }

    fn standing(&self, environment: &Environment) -> Standing {
        let vhost = environment.vhosts.get(self.vhost.as_str());
        let found = vhost.map(|vhost| limits::of_vhost(&vhost.metadata())).unwrap_or_default();
        if found.is_empty() && self.value.is_empty() {
            return Standing::Same;
        }
        let found = (!found.is_empty()).then(|| {
            let component = Component::VhostLimits;
            object(self.vhost.as_str(), component.as_str(), LIMITS, &Value::Object(found))
        });
        Standing::of(found, &self.json())
    }

    fn apply(&self, environment: &Environment) -> Result<Option<Batch>, Obstacle> {
        let vhost = super::entry::vhost(environment, &self.vhost)?;
        let metadata = VhostMetadata {
            max_connections: self.read.max_connections,
            max_queues: self.read.max_queues,
            publish_rate: self.read.publish_rate,
            ..(*vhost.metadata()).clone()
        };
        let changed = environment.change_vhost(self.vhost.as_str(), metadata);
        changed.map_err(|why| Obstacle::mistake(&[], why.to_string()))
    }
}

impl Entry for GlobalParameter {
    fn json(&self) -> Value {
        global_object(&self.name, &self.value)
    }

    fn obstacle(&self, _: &There<'_>) -> Option<Obstacle> {
        None
    }

    fn standing(&self, environment: &Environment) -> Standing {
        let found = environment.vhosts.global_parameters().get(&self.name);
        Standing::of(found.map(|value| global_object(&self.name, &value)), &self.json())
    }

    fn apply(&self, environment: &Environment) -> Result<Option<Batch>, Obstacle> {
        Ok(environment.vhosts.global_parameters().set(&self.name, self.value.clone()))
    }
}
