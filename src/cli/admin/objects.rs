//! What is declared, deleted, purged and closed.

use serde_json::{Map, Value, json};

use super::desk::Desk;
use crate::cli::failure::Failure;

/// A field that is `true` or `false`.
fn switch(desk: &Desk, name: &str, otherwise: bool) -> Result<bool, Failure> {
    match desk.words.find(&[name]) {
        None => Ok(otherwise),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(other) => Err(Failure::usage(format!("{name} is true or false, not '{other}'"))),
    }
}

/// A field that is JSON.
fn parsed(desk: &Desk, name: &str, otherwise: Value) -> Result<Value, Failure> {
    let Some(text) = desk.words.find(&[name]) else { return Ok(otherwise) };
    serde_json::from_str(text)
        .map_err(|error| Failure::usage(format!("{name} is no JSON")).because(error.to_string()))
}

/// A field that is a whole number.
fn number(desk: &Desk, name: &str) -> Result<i64, Failure> {
    let text = desk.words.find(&[name]).unwrap_or("0");
    text.parse().map_err(|_| Failure::usage(format!("{name} is a whole number, not '{text}'")))
}

/// The object that a verb is about, with one name for each.
fn kind(desk: &Desk) -> String {
    let kind = desk.words.plain.get(1).map(|kind| kind.replace('-', "_")).unwrap_or_default();
    match kind.as_str() {
        "permissions" => "permission".to_owned(),
        "topic_permissions" => "topic_permission".to_owned(),
        _ => kind,
    }
}

fn unknown(verb: &str, kind: &str, known: &str) -> Failure {
    Failure::usage(format!("'{verb} {kind}' means nothing")).because(format!("there are {known}"))
}

/// `declare OBJECT name=... ...`
pub(super) fn declare(desk: &mut Desk) -> Result<(), Failure> {
    let (kind, vhost) = (kind(desk), desk.vhost());
    match kind.as_str() {
        "queue" => declare_queue(desk, &vhost)?,
        "exchange" => declare_exchange(desk, &vhost)?,
        "binding" => bind(desk, &vhost)?,
        "vhost" => declare_vhost(desk)?,
        "user" => declare_user(desk)?,
        "permission" => {
            desk.words.check(&["vhost", "user", "configure", "write", "read"])?;
            let user = desk.words.field(&["user"])?.to_owned();
            let body = json!({
                "configure": desk.words.field(&["configure"])?, "write": desk.words.field(&["write"])?,
                "read": desk.words.field(&["read"])?,
            });
            desk.put(&["permissions", &vhost, &user], &body)?;
        }
        "policy" | "operator_policy" => declare_policy(desk, &kind, &vhost)?,
        "parameter" => {
            desk.words.check(&["vhost", "component", "name", "value"])?;
            let component = desk.words.field(&["component"])?.to_owned();
            let name = desk.words.field(&["name"])?.to_owned();
            desk.words.field(&["value"])?;
            let value = parsed(desk, "value", Value::Null)?;
            let body = json!({ "component": component, "vhost": vhost, "name": name, "value": value });
            desk.put(&["parameters", &component, &vhost, &name], &body)?;
        }
        "vhost_limit" | "user_limit" => {
            desk.words.check(&["vhost", "user", "name", "value"])?;
            let name = desk.words.field(&["name"])?.to_owned();
            desk.words.field(&["value"])?;
            let body = json!({ "value": number(desk, "value")? });
            if kind == "vhost_limit" {
                desk.put(&["vhost-limits", &vhost, &name], &body)?;
            } else {
                let user = desk.words.field(&["user"])?.to_owned();
                desk.put(&["user-limits", &user, &name], &body)?;
            }
        }
        _ => {
            let known = "queue, exchange, binding, vhost, user, permissions, policy, operator_policy, parameter, \
                         vhost_limit, user_limit";
            return Err(unknown("declare", &kind, known));
        }
    }
    desk.say(&format!("{kind} declared"))
}

fn declare_queue(desk: &mut Desk, vhost: &str) -> Result<(), Failure> {
    desk.words.check(&[
        "name",
        "vhost",
        "durable",
        "auto_delete",
        "exclusive",
        "arguments",
        "node",
        "queue_type",
        "type",
    ])?;
    let name = desk.words.field(&["name"])?.to_owned();
    let mut arguments = parsed(desk, "arguments", json!({}))?;
    if let (Some(kind), Some(arguments)) =
        (desk.words.find(&["queue_type", "type"]), arguments.as_object_mut())
    {
        arguments.insert("x-queue-type".to_owned(), json!(kind));
    }
    let body = json!({
        "durable": switch(desk, "durable", true)?, "auto_delete": switch(desk, "auto_delete", false)?,
        "arguments": arguments,
    });
    desk.put(&["queues", vhost, &name], &body).map(drop)
}

fn declare_exchange(desk: &mut Desk, vhost: &str) -> Result<(), Failure> {
    desk.words.check(&["name", "vhost", "type", "durable", "auto_delete", "internal", "arguments"])?;
    let name = desk.words.field(&["name"])?.to_owned();
    let body = json!({
        "type": desk.words.field(&["type"])?, "durable": switch(desk, "durable", true)?,
        "auto_delete": switch(desk, "auto_delete", false)?, "internal": switch(desk, "internal", false)?,
        "arguments": parsed(desk, "arguments", json!({}))?,
    });
    desk.put(&["exchanges", vhost, &name], &body).map(drop)
}

/// The two ends of a binding, as paths have them.
fn ends(desk: &Desk) -> Result<(String, &'static str, String), Failure> {
    let source = desk.words.field(&["source"])?.to_owned();
    let destination = desk.words.field(&["destination"])?.to_owned();
    match desk.words.find(&["destination_type"]).unwrap_or("queue") {
        "queue" => Ok((source, "q", destination)),
        "exchange" => Ok((source, "e", destination)),
        other => Err(Failure::usage(format!("destination_type is queue or exchange, not '{other}'"))),
    }
}

fn bind(desk: &mut Desk, vhost: &str) -> Result<(), Failure> {
    desk.words.check(&["vhost", "source", "destination", "destination_type", "routing_key", "arguments"])?;
    let (source, kind, destination) = ends(desk)?;
    let body = json!({
        "routing_key": desk.words.find(&["routing_key"]).unwrap_or_default(),
        "arguments": parsed(desk, "arguments", json!({}))?,
    });
    desk.post(&["bindings", vhost, "e", &source, kind, &destination], &body).map(drop)
}

fn declare_vhost(desk: &mut Desk) -> Result<(), Failure> {
    desk.words.check(&["name", "description", "default_queue_type", "tracing"])?;
    let name = desk.words.field(&["name"])?.to_owned();
    let mut body = Map::new();
    for field in ["description", "default_queue_type"] {
        if let Some(value) = desk.words.find(&[field]) {
            body.insert(field.to_owned(), json!(value));
        }
    }
    if desk.words.find(&["tracing"]).is_some() {
        body.insert("tracing".to_owned(), json!(switch(desk, "tracing", false)?));
    }
    desk.put(&["vhosts", &name], &Value::Object(body)).map(drop)
}

fn declare_user(desk: &mut Desk) -> Result<(), Failure> {
    // The password may stand behind a switch of the same name.
    desk.words.check(&["name", "password", "password_hash", "tags"])?;
    let name = desk.words.field(&["name"])?.to_owned();
    let mut body = Map::new();
    body.insert("tags".to_owned(), json!(desk.words.find(&["tags"]).unwrap_or_default()));
    match (desk.words.find(&["password"]), desk.words.find(&["password_hash"])) {
        (Some(password), _) => body.insert("password".to_owned(), json!(password)),
        (None, Some(hash)) => body.insert("password_hash".to_owned(), json!(hash)),
        (None, None) => {
            return Err(
                Failure::usage("password is missing").helped_by("Say password=VALUE or password_hash=VALUE.")
            );
        }
    };
    desk.put(&["users", &name], &Value::Object(body)).map(drop)
}

fn declare_policy(desk: &mut Desk, kind: &str, vhost: &str) -> Result<(), Failure> {
    desk.words.check(&["name", "vhost", "pattern", "definition", "priority", "apply_to", "apply-to"])?;
    let name = desk.words.field(&["name"])?.to_owned();
    desk.words.field(&["definition"])?;
    let body = json!({
        "pattern": desk.words.field(&["pattern"])?, "definition": parsed(desk, "definition", json!({}))?,
        "priority": number(desk, "priority")?,
        "apply-to": desk.words.find(&["apply_to", "apply-to"]).unwrap_or("all"),
    });
    let place = if kind == "policy" { "policies" } else { "operator-policies" };
    desk.put(&[place, vhost, &name], &body).map(drop)
}

/// `delete OBJECT name=...`
pub(super) fn delete(desk: &mut Desk) -> Result<(), Failure> {
    let (kind, vhost) = (kind(desk), desk.vhost());
    let name = || desk.words.field(&["name"]).map(str::to_owned);
    let user = || desk.words.field(&["user", "name"]).map(str::to_owned);
    match kind.as_str() {
        "queue" => desk.delete(&["queues", &vhost, &name()?])?,
        "exchange" => desk.delete(&["exchanges", &vhost, &name()?])?,
        "vhost" => desk.delete(&["vhosts", &name()?])?,
        "user" => desk.delete(&["users", &name()?])?,
        "policy" => desk.delete(&["policies", &vhost, &name()?])?,
        "operator_policy" => desk.delete(&["operator-policies", &vhost, &name()?])?,
        "permission" => desk.delete(&["permissions", &vhost, &user()?])?,
        "vhost_limit" => desk.delete(&["vhost-limits", &vhost, &name()?])?,
        "user_limit" => {
            let (user, name) = (desk.words.field(&["user"])?.to_owned(), name()?);
            desk.delete(&["user-limits", &user, &name])?;
        }
        "parameter" => {
            let (component, name) = (desk.words.field(&["component"])?.to_owned(), name()?);
            desk.delete(&["parameters", &component, &vhost, &name])?;
        }
        "binding" => unbind(desk, &vhost)?,
        _ => {
            let known = "queue, exchange, binding, vhost, user, permissions, policy, operator_policy, parameter, \
                         vhost_limit, user_limit";
            return Err(unknown("delete", &kind, known));
        }
    }
    desk.say(&format!("{kind} deleted"))
}

fn unbind(desk: &mut Desk, vhost: &str) -> Result<(), Failure> {
    let (source, kind, destination) = ends(desk)?;
    let parts = ["bindings", vhost, "e", &source, kind, &destination];
    if let Some(key) = desk.words.find(&["properties_key"]).map(str::to_owned) {
        let parts: Vec<&str> = parts.into_iter().chain([key.as_str()]).collect();
        return desk.delete(&parts);
    }
    // Named by its routing key and arguments: looked for among those between the two.
    let key = desk.words.find(&["routing_key"]).unwrap_or_default().to_owned();
    let arguments = parsed(desk, "arguments", json!({}))?;
    let found = desk.get(&parts)?;
    let is_meant = |binding: &&Value| {
        binding.get("routing_key").and_then(Value::as_str) == Some(&key)
            && binding.get("arguments") == Some(&arguments)
    };
    let binding = found.as_array().into_iter().flatten().find(is_meant);
    let properties = binding.and_then(|binding| binding.get("properties_key")?.as_str()).map(str::to_owned);
    let Some(properties) = properties else {
        if desk.words.has("idempotently") {
            return Ok(());
        }
        let failure = Failure::new(crate::cli::exit::NO_INPUT, "there is no such binding");
        return Err(failure.helped_by("See 'rabbitmqadmin list bindings'."));
    };
    let parts: Vec<&str> = parts.into_iter().chain([properties.as_str()]).collect();
    desk.delete(&parts)
}

/// `purge queue name=...`
pub(super) fn purge(desk: &mut Desk) -> Result<(), Failure> {
    let (vhost, name) = (desk.vhost(), desk.words.field(&["name"])?.to_owned());
    desk.delete(&["queues", &vhost, &name, "contents"])?;
    desk.say("queue purged")
}

/// `close connection name=...`
pub(super) fn close(desk: &mut Desk) -> Result<(), Failure> {
    let name = desk.words.field(&["name"])?.to_owned();
    desk.delete(&["connections", &name])?;
    desk.say("connection closed")
}
