//! Policies, and operator policies, which stand among the parameters.

use serde_json::{Map, Value, json};

use super::entry::{Entry, Obstacle, Read, Reading, Standing, There, some};
use super::fields::Fields;
use super::path::Finding;
use crate::connection::Environment;
use crate::name::VhostName;
use crate::place::Batch;
use crate::policy::{Policy, PolicyKind, is_known_setting};

/// The component that operator policies have among parameters.
pub(super) const OPERATOR_POLICY: &str = "operator_policy";

/// A policy as it is exported.
pub(super) fn object(vhost: &str, policy: &Policy) -> Value {
    json!({
        "vhost": vhost,
        "name": policy.name,
        "pattern": policy.pattern.as_str(),
        "apply-to": policy.apply_to.as_str(),
        "definition": policy.definition.json(),
        "priority": policy.priority,
    })
}

/// An operator policy as it is exported.
pub(super) fn operator_object(vhost: &str, policy: &Policy) -> Value {
    json!({
        "vhost": vhost,
        "component": OPERATOR_POLICY,
        "name": policy.name,
        "value": {
            "pattern": policy.pattern.as_str(),
            "apply-to": policy.apply_to.as_str(),
            "definition": policy.definition.json(),
            "priority": policy.priority,
        },
    })
}

struct PolicyEntry {
    vhost: VhostName,
    kind: PolicyKind,
    policy: Policy,
}

const KNOWN: [&str; 6] = ["vhost", "name", "pattern", "apply-to", "definition", "priority"];

pub(super) fn read(fields: &Fields<'_>, reading: &mut Reading<'_>) -> Read {
    let (name, vhost) = (fields.some_name("name")?, fields.vhost(reading.scope)?);
    reading.remarks.extend(fields.unknown(&KNOWN));
    policy(fields, PolicyKind::User, vhost, name, reading)
}

/// An operator policy, of a parameter.
pub(super) fn read_operator(
    fields: &Fields<'_>,
    vhost: VhostName,
    name: &str,
    reading: &mut Reading<'_>,
) -> Read {
    let within = fields.within("value")?;
    reading.remarks.extend(within.unknown(&["pattern", "apply-to", "definition", "priority"]));
    policy(&within, PolicyKind::Operator, vhost, name, reading)
}

fn policy(
    fields: &Fields<'_>,
    kind: PolicyKind,
    vhost: VhostName,
    name: &str,
    reading: &mut Reading<'_>,
) -> Read {
    let pattern = fields.text("pattern")?;
    let apply_to = fields.maybe_text("apply-to")?.unwrap_or("all");
    let priority = fields.integer("priority", 0)?;
    let Some(definition) = definition(fields, kind, reading)? else { return Ok(None) };
    let policy = Policy::parse(kind, name, pattern, apply_to, priority, &definition);
    let policy = policy.map_err(|invalid| invalid_policy(fields, &invalid.reasons().join("; "), apply_to))?;
    some(PolicyEntry { vhost, kind, policy })
}

/// The place of what is wrong is not told with it; some of it can be seen.
fn invalid_policy(fields: &Fields<'_>, reason: &str, apply_to: &str) -> Finding {
    if reason.starts_with("pattern ") {
        fields.finding(&["pattern"], reason)
    } else if reason.starts_with(&format!("apply-to '{apply_to}'")) {
        fields.finding(&["apply-to"], reason)
    } else {
        fields.finding(&["definition"], reason)
    }
}

/// What a policy says, without what is not known here, such as how its queues would be mirrored. Nothing if it says nothing
/// else.
fn definition(
    fields: &Fields<'_>,
    kind: PolicyKind,
    reading: &mut Reading<'_>,
) -> Result<Option<Value>, Finding> {
    let value = fields.value("definition")?;
    let Value::Object(settings) = value else { return Ok(Some(value.clone())) };
    let mut kept = Map::new();
    for (name, value) in settings {
        if is_known_setting(kind, name) {
            kept.insert(name.clone(), value.clone());
        } else {
            let reason = "left out: not a setting of such policies here";
            reading.remarks.push(fields.finding(&["definition", name], reason));
        }
    }
    if kept.is_empty() && !settings.is_empty() {
        reading.remarks.push(fields.finding(&[], "left out: nothing that it says is known here"));
        return Ok(None);
    }
    Ok(Some(Value::Object(kept)))
}

impl PolicyEntry {
    fn object(&self, policy: &Policy) -> Value {
        match self.kind {
            PolicyKind::User => object(self.vhost.as_str(), policy),
            PolicyKind::Operator => operator_object(self.vhost.as_str(), policy),
        }
    }
}

impl Entry for PolicyEntry {
    fn json(&self) -> Value {
        self.object(&self.policy)
    }

    fn obstacle(&self, there: &There<'_>) -> Option<Obstacle> {
        there.no_vhost(&self.vhost)
    }

    fn standing(&self, environment: &Environment) -> Standing {
        let policies = environment.vhosts.get(self.vhost.as_str()).map(|vhost| vhost.policies());
        let found = policies.as_ref().and_then(|policies| policies.get(self.kind, &self.policy.name));
        Standing::of(found.map(|policy| self.object(policy)), &self.json())
    }

    fn apply(&self, environment: &Environment) -> Result<Option<Batch>, Obstacle> {
        let vhost = super::entry::vhost(environment, &self.vhost)?;
        Ok(vhost.set_policy(self.kind, self.policy.clone()))
    }
}
