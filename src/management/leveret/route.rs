//! Where a message would go, and why: nothing is published.

use leveret_protocol::table::Value as Field;
use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::call::Call;
use super::super::failure::Failure;
use super::super::fields::text;
use super::super::wire_json::{from_table, to_properties};
use crate::exchange::Routable;
use crate::message::Message;
use crate::time::Time;
use crate::vhost::exchange::Target;
use crate::vhost::explaining::{By, Step, Way};

/// So many bindings of each exchange are told.
const TOLD_MAX: usize = 1000;

/// `POST /api/leveret/exchanges/{vhost}/{exchange}/route`
pub(in crate::management) fn explain(call: &Call) -> Result<Answer, Failure> {
    let object = call.object()?;
    let key = text(&object, "routing_key")?.unwrap_or_default();
    let mut properties = object.get("properties").cloned().unwrap_or_else(|| json!({}));
    if let (Some(headers), Some(properties)) = (object.get("headers"), properties.as_object_mut()) {
        properties.insert("headers".to_owned(), headers.clone());
    }
    let properties = to_properties(&properties)?;
    let vhost = call.vhost()?;
    let exchange = call.exchange("exchange");
    let message = Message::compose(exchange, key, &properties, b"");
    let mut message =
        message.ok_or_else(|| Failure::bad_request("routing_key or properties are too long"))?;
    message.arrive(Time::now());
    let properties = message.properties();
    let headers = properties.headers();
    let beside = |name| {
        let keys = headers.and_then(|headers| headers.get(name)?.as_array()).unwrap_or_default();
        keys.into_iter().filter_map(Field::as_str)
    };
    let extra_keys: Vec<&str> = beside("CC").chain(beside("BCC")).collect();
    let routable =
        Routable { routing_key: key, extra_keys: &extra_keys, headers, properties, message: Some(&message) };
    let way = vhost.explain(exchange, &routable, TOLD_MAX).ok_or_else(Failure::no_object)?;
    Ok(Answer::Json(told(exchange, key, &way)))
}

fn told(exchange: &str, key: &str, way: &Way) -> Value {
    json!({
        "exchange": exchange,
        "routing_key": key,
        "routed": !way.queues.is_empty(),
        "queues": way.queues,
        "missing_alternate_exchanges": way.missing,
        "steps": way.steps.iter().map(step).collect::<Vec<_>>(),
    })
}

fn step(step: &Step) -> Value {
    let (reached_by, from) = match &step.by {
        By::Publish => ("publish", None),
        By::Binding(from) => ("binding", Some(from)),
        By::Alternate(from) => ("alternate-exchange", Some(from)),
    };
    let bindings = step.bindings.iter().map(|(binding, verdict)| {
        let (destination, kind) = match &binding.target {
            Target::Queue(queue) => (queue.name().as_str(), "queue"),
            Target::Exchange(exchange) => (exchange.name().as_str(), "exchange"),
        };
        json!({
            "destination": destination,
            "destination_type": kind,
            "routing_key": &*binding.key,
            "arguments": from_table(binding.arguments.as_table()),
            "matches": verdict.matches,
            "why": verdict.why,
        })
    });
    let names = step.names.iter().map(|(name, is_there)| {
        let why = if *is_there { "there is a queue of this name" } else { "there is no queue of this name" };
        json!({
            "destination": name,
            "destination_type": "queue",
            "routing_key": name,
            "arguments": {},
            "matches": is_there,
            "why": why,
        })
    });
    json!({
        "exchange": step.exchange,
        "type": step.exchange_type.as_str(),
        "reached_by": reached_by,
        "from": from,
        "bindings": bindings.chain(names).collect::<Vec<_>>(),
        "bindings_not_told": step.untold,
        "alternate_exchange": step.alternate,
        "goes_to_alternate": step.goes_to_alternate && step.alternate.is_some(),
        "waits_until_due": step.waits,
    })
}
