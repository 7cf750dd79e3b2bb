//! Queues.

use std::sync::Arc;

use leveret_protocol::method::queue;
use leveret_protocol::table::{Table, Value as Field};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::call::Call;
use super::channels;
use super::consumers;
use super::direct::Direct;
use super::exchanges::{arguments, vhost};
use super::failure::Failure;
use super::fields::switch;
use super::listing::{one, paged};
use super::site::Site;
use super::stand_ins;
use super::statistics::Telling;
use super::wire_json::from_table;
use crate::queue::queue::Walk;
use crate::queue::subscriber::Subscriber;
use crate::queue::{Gone, Queue};
use crate::vhost::Vhost;

/// How much is told of a queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// What it was declared to be, and nothing that has to be counted.
    Declaration,
    /// The same with the numbers of its messages.
    Totals,
    /// All that there is.
    Everything,
}

impl Told {
    fn asked(call: &Call) -> Self {
        match (!call.tells_statistics(), call.query.is_true("enable_queue_totals")) {
            (false, _) => Self::Everything,
            (true, true) => Self::Totals,
            (true, false) => Self::Declaration,
        }
    }
}

/// `GET /api/queues` and `/api/queues/{vhost}`
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    let mut rows = Vec::new();
    for vhost in call.vhosts()? {
        let mut queues = vhost.queues().all();
        queues.sort_by(|one, other| one.name().cmp(other.name()));
        rows.extend(queues.into_iter().map(|queue| (Arc::clone(&vhost), queue)));
    }
    let (site, told) = (Arc::clone(&call.site), (Told::asked(call), call.telling()));
    paged(
        call,
        rows,
        |(_, queue)| queue.name().as_str(),
        move |(vhost, queue)| object(vhost, queue, &site, told),
    )
}

/// `GET /api/queues/{vhost}/{queue}`
pub(super) fn show(call: &Call) -> Result<Answer, Failure> {
    let vhost = call.vhost()?;
    let queue = named(call, &vhost)?;
    let told = Told::asked(call);
    let mut object =
        object(&vhost, &queue, &call.site, (told, call.telling())).ok_or_else(Failure::no_object)?;
    if let (Told::Everything, Some(object)) = (told, object.as_object_mut()) {
        let consumers = queue.subscribers();
        let consumers = consumers.iter().map(|consumer| consumers::object(consumer, &call.site));
        object.insert("consumer_details".to_owned(), consumers.collect());
        object.insert("head_message_timestamp".to_owned(), json!(head_timestamp(&queue)));
        let deliveries = channels::delivered(call, &vhost, queue.name().as_str());
        object.insert("deliveries".to_owned(), deliveries);
        // Through which exchanges nobody counts.
        object.insert("incoming".to_owned(), json!([]));
    }
    Ok(one(call, object))
}

/// The queue in the path; 404 when there is none.
pub(super) fn named(call: &Call, vhost: &Vhost) -> Result<Arc<Queue>, Failure> {
    vhost.queues().get(call.part("queue")).ok_or_else(Failure::no_object)
}

/// Nothing of a queue that went a moment ago.
fn object(vhost: &Vhost, queue: &Queue, site: &Site, (told, telling): (Told, Telling)) -> Option<Value> {
    let node = site.node.as_str();
    let options = queue.options();
    let policies = queue.policies();
    let policy = policies.as_ref().and_then(|policies| policies.policy.as_ref());
    let operator_policy = policies.as_ref().and_then(|policies| policies.operator_policy.as_ref());
    let definition = policies.as_ref().map_or_else(|| json!({}), |policies| policies.definition.json());
    let mut object = json!({
        "name": queue.name().as_str(),
        "vhost": vhost.name().as_str(),
        "type": if options.is_quorum() { "quorum" } else { "classic" },
        "durable": options.durable,
        "exclusive": options.exclusive,
        "auto_delete": options.auto_delete,
        "arguments": from_table(options.arguments.as_table()),
        "node": node,
        "state": "running",
        "policy": policy.map(|policy| policy.name.clone()),
        "operator_policy": operator_policy.map(|policy| policy.name.clone()),
        "effective_policy_definition": definition,
    });
    let fields = object.as_object_mut()?;
    if options.is_quorum() {
        fields.insert("leader".to_owned(), json!(node));
        fields.insert("members".to_owned(), json!([node]));
        fields.insert("online".to_owned(), json!([node]));
    }
    if told == Told::Declaration {
        return Some(object);
    }
    let inspection = match queue.inspect() {
        Ok(inspection) => inspection,
        Err(Gone::Deleted) => return None,
        Err(Gone::Crashed) => {
            fields.insert("state".to_owned(), json!("crashed"));
            return Some(object);
        }
    };
    let status = &inspection.status;
    if told == Told::Totals {
        fields.insert("messages".to_owned(), json!(status.ready + status.unacked));
        fields.insert("messages_ready".to_owned(), json!(status.ready));
        fields.insert("messages_unacknowledged".to_owned(), json!(status.unacked));
        return Some(object);
    }
    site.statistics.tell_queue(telling, queue, &inspection.observation(), fields);
    tell_consumers(queue, fields);
    if options.is_quorum()
        && let Ok(terms) = queue.terms()
    {
        let limit = terms.delivery_limit.map_or_else(|| json!("unlimited"), |limit| json!(limit));
        fields.insert("delivery_limit".to_owned(), limit);
    }
    let further = json!({
        "consumers": status.consumers,
        "consumer_capacity": inspection.consumer_capacity,
        "consumer_utilisation": inspection.consumer_capacity,
        "memory": inspection.memory + inspection.unacked_memory,
        "message_bytes": inspection.ready_bytes + inspection.unacked_bytes,
        "message_bytes_ready": inspection.ready_bytes,
        "message_bytes_unacknowledged": inspection.unacked_bytes,
        "message_bytes_ram": inspection.ram.bytes + inspection.unacked_bytes,
        "message_bytes_persistent": inspection.persistent.bytes,
        "message_bytes_paged_out": inspection.ready_bytes.saturating_sub(inspection.ram.bytes),
        "messages_ram": inspection.ram.messages + status.unacked as u64,
        "messages_ready_ram": inspection.ram.messages,
        "messages_unacknowledged_ram": status.unacked,
        "messages_persistent": inspection.persistent.messages,
        "messages_paged_out": (status.ready as u64).saturating_sub(inspection.ram.messages),
        "messages_scheduled": status.scheduled,
        "messages_retrying": status.retrying,
        "paused": inspection.paused,
        "head_message_timestamp": null,
        "reductions": 0,
        "reductions_details": { "rate": 0.0 },
        "garbage_collection": stand_ins::garbage_collection(),
    });
    if let Value::Object(further) = further {
        fields.extend(further);
    }
    Some(object)
}

/// What the message that goes next says of its time, if it says anything. It may have to be read.
fn head_timestamp(queue: &Queue) -> Option<u64> {
    let mut walk = Walk::default();
    loop {
        let part = walk.next(queue).ok()??;
        if let Some(first) = part.first() {
            return first.message.properties().timestamp();
        }
    }
}

/// Who takes from a queue, as far as that is told in a list.
fn tell_consumers(queue: &Queue, fields: &mut Map<String, Value>) {
    let consumers = queue.subscribers();
    let tag = |is: fn(&Subscriber) -> bool| {
        consumers.iter().find(|consumer| is(consumer)).map(|consumer| consumer.tag.as_str())
    };
    fields.insert("exclusive_consumer_tag".to_owned(), json!(tag(|consumer| consumer.exclusive)));
    let single = tag(|consumer| consumer.activity() == "single_active");
    fields.insert("single_active_consumer_tag".to_owned(), json!(single));
}

/// `PUT /api/queues/{vhost}/{queue}`: declares it.
pub(super) fn put(call: &Call) -> Result<Answer, Failure> {
    let object = call.object()?;
    let vhost = vhost(call)?;
    let arguments = arguments(&object)?;
    let name = call.part("queue");
    let is_new = vhost.queues().get(name).is_none();
    let is_quorum = type_of(arguments.as_table()) == Some("quorum");
    let mut direct = Direct::open(call, &vhost)?;
    let declared = direct.call(queue::Declare {
        queue: name,
        passive: false,
        // Nobody says so of what cannot be otherwise.
        durable: switch(&object, "durable")? || (is_quorum && !object.contains_key("durable")),
        exclusive: false,
        auto_delete: switch(&object, "auto_delete")?,
        no_wait: false,
        arguments: arguments.as_table(),
    });
    declared.map_err(|exception| Failure::of_method(&exception))?;
    direct.check_disk()?;
    Ok(Answer::put(is_new))
}

fn type_of(arguments: Table<'_>) -> Option<&str> {
    arguments.get("x-queue-type").and_then(Field::as_str)
}

/// `DELETE /api/queues/{vhost}/{queue}`
pub(super) fn delete(call: &Call) -> Result<Answer, Failure> {
    let vhost = call.vhost()?;
    named(call, &vhost)?;
    let mut direct = Direct::open(call, &vhost)?;
    let deleted = direct.call(queue::Delete {
        queue: call.part("queue"),
        if_unused: call.query.is_true("if-unused"),
        if_empty: call.query.is_true("if-empty"),
        no_wait: false,
    });
    deleted.map_err(|exception| Failure::of_method(&exception))?;
    direct.check_disk()?;
    Ok(Answer::NoContent)
}

/// `DELETE /api/queues/{vhost}/{queue}/contents`: purges it.
pub(super) fn purge(call: &Call) -> Result<Answer, Failure> {
    let vhost = call.vhost()?;
    named(call, &vhost)?;
    let mut direct = Direct::open(call, &vhost)?;
    let purged = direct.call(queue::Purge { queue: call.part("queue"), no_wait: false });
    purged.map_err(|exception| Failure::of_method(&exception))?;
    Ok(Answer::NoContent)
}

/// `POST /api/queues/{vhost}/{queue}/actions`
pub(super) fn act(call: &Call) -> Result<Answer, Failure> {
    let object = call.object_with(&["action"])?;
    let vhost = call.vhost()?;
    named(call, &vhost)?;
    match object.get("action").and_then(Value::as_str) {
        // There is one copy of a queue, which is as it is.
        Some("sync" | "cancel_sync") => Ok(Answer::NoContent),
        _ => Err(Failure::bad_request(format!(
            "{} is not a valid action",
            object.get("action").unwrap_or(&Value::Null)
        ))),
    }
}
