//! Policies and operator policies.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::fields::text;
use super::listing::{one, whole};
use crate::policy::{Invalid, Policy, PolicyKind};
use crate::vhost::Vhost;

/// `GET /api/policies` and `/api/policies/{vhost}`
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    list_of(call, PolicyKind::User)
}

/// `GET /api/operator-policies` and `/api/operator-policies/{vhost}`
pub(super) fn list_operator(call: &Call) -> Result<Answer, Failure> {
    list_of(call, PolicyKind::Operator)
}

/// `GET /api/policies/{vhost}/{name}`
pub(super) fn show(call: &Call) -> Result<Answer, Failure> {
    show_of(call, PolicyKind::User)
}

/// `GET /api/operator-policies/{vhost}/{name}`
pub(super) fn show_operator(call: &Call) -> Result<Answer, Failure> {
    show_of(call, PolicyKind::Operator)
}

/// `PUT /api/policies/{vhost}/{name}`
pub(super) fn put(call: &Call) -> Result<Answer, Failure> {
    put_of(call, PolicyKind::User)
}

/// `PUT /api/operator-policies/{vhost}/{name}`
pub(super) fn put_operator(call: &Call) -> Result<Answer, Failure> {
    put_of(call, PolicyKind::Operator)
}

/// `DELETE /api/policies/{vhost}/{name}`
pub(super) fn delete(call: &Call) -> Result<Answer, Failure> {
    delete_of(call, PolicyKind::User)
}

/// `DELETE /api/operator-policies/{vhost}/{name}`
pub(super) fn delete_operator(call: &Call) -> Result<Answer, Failure> {
    delete_of(call, PolicyKind::Operator)
}

fn list_of(call: &Call, kind: PolicyKind) -> Result<Answer, Failure> {
    let mut found = Vec::new();
    for vhost in call.vhosts()? {
        let policies = vhost.policies();
        let mut policies = policies.of(kind).to_vec();
        policies.sort_by(|one, other| one.name.cmp(&other.name));
        found.extend(policies.into_iter().map(|policy| (Arc::clone(&vhost), policy)));
    }
    Ok(whole(call, found, |(vhost, policy)| Some(object(vhost, policy))))
}

fn object(vhost: &Vhost, policy: &Policy) -> Value {
    json!({
        "vhost": vhost.name().as_str(),
        "name": policy.name,
        "pattern": policy.pattern.as_str(),
        "apply-to": policy.apply_to.as_str(),
        "definition": policy.definition.json(),
        "priority": policy.priority,
    })
}

fn show_of(call: &Call, kind: PolicyKind) -> Result<Answer, Failure> {
    let vhost = call.vhost()?;
    let policies = vhost.policies();
    let policy = policies.get(kind, call.part("name")).ok_or_else(Failure::no_object)?;
    Ok(one(call, object(&vhost, policy)))
}

fn put_of(call: &Call, kind: PolicyKind) -> Result<Answer, Failure> {
    let object = call.object_with(&["pattern", "definition"])?;
    let vhost = call.vhost()?;
    let name = call.part("name");
    let pattern =
        text(&object, "pattern")?.ok_or_else(|| Failure::bad_request("pattern must be a string"))?;
    let apply_to = text(&object, "apply-to")?.unwrap_or("all");
    let priority = match object.get("priority") {
        None => 0,
        Some(value) => value.as_i64().ok_or_else(|| {
            Failure::bad_request(format!(
                "Validation failed\n\npriority should be a number, actually was {value}\n"
            ))
        })?,
    };
    let definition = object.get("definition").unwrap_or(&Value::Null);
    let policy =
        Policy::parse(kind, name, pattern, apply_to, priority, definition).map_err(|why| invalid(&why))?;
    let is_new = vhost.policies().get(kind, name).is_none();
    call.wait(vhost.set_policy(kind, policy))?;
    Ok(Answer::put(is_new))
}

fn delete_of(call: &Call, kind: PolicyKind) -> Result<Answer, Failure> {
    let until = call.vhost()?.clear_policy(kind, call.part("name")).map_err(|_| Failure::no_object())?;
    call.wait(until)?;
    Ok(Answer::NoContent)
}

/// What is wrong with a policy or a parameter, as RabbitMQ tells it.
pub(super) fn invalid(invalid: &Invalid) -> Failure {
    Failure::bad_request(format!("Validation failed\n\n{}\n", invalid.reasons().join("\n")))
}
