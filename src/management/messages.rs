//! Publishing and getting messages.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use leveret_protocol::method::basic;
use leveret_protocol::properties::Properties;
use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::direct::{Direct, PublishRefused, Published, Taken};
use super::failure::Failure;
use super::fields::integer;
use super::wire_json::{from_properties, to_properties};
use crate::message::Message;

/// So many messages are got with one request, and so many bytes: an answer is held whole.
const COUNT_MAX: i64 = 100_000;
const ANSWER_MAX_BYTES: usize = 64 * 1024 * 1024;

/// `POST /api/exchanges/{vhost}/{exchange}/publish`
pub(super) fn publish(call: &Call) -> Result<Answer, Failure> {
    let object = call.object_with(&["routing_key", "properties", "payload", "payload_encoding"])?;
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let payload = text("payload").ok_or_else(|| Failure::bad_request("payload_not_string"))?;
    let key = text("routing_key").ok_or_else(|| Failure::bad_request("routing_key must be a string"))?;
    let body = match text("payload_encoding") {
        Some("string") => payload.as_bytes().to_vec(),
        Some("base64") => {
            STANDARD.decode(payload).map_err(|_| Failure::bad_request(json!(["not_base64", payload])))?
        }
        _ => {
            return Err(Failure::bad_request(json!([
                "unsupported_encoding",
                object.get("payload_encoding")
            ])));
        }
    };
    let properties = to_properties(object.get("properties").unwrap_or(&Value::Null))?;
    let vhost = call.vhost()?;
    let max = call.environment().config().max_message_size;
    if body.len() as u64 > max {
        return Err(Failure::bad_request(format!(
            "message size {} is larger than configured max size {max}",
            body.len()
        )));
    }
    let message = Message::compose(call.exchange("exchange"), key, &properties, &body);
    let message = message.ok_or_else(|| Failure::bad_request("routing_key or properties are too long"))?;
    let mut direct = Direct::open(call, &vhost)?.entered()?;
    match direct.publish(call, message) {
        Ok(Published::Routed) => Ok(Answer::Json(json!({ "routed": true }))),
        Ok(Published::Unroutable) => Ok(Answer::Json(json!({ "routed": false }))),
        Ok(Published::Rejected) => {
            Err(Failure::bad_request("rejected Unable to publish message. Check queue limits."))
        }
        Err(PublishRefused::Exception(exception)) => Err(Failure::of_publish(&exception)),
        Err(PublishRefused::DiskFailed) => Err(Failure::disk_failed()),
    }
}

/// What becomes of messages that were got.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ackmode {
    /// They go, and are acknowledged at once.
    Acked,
    /// They go, as rejected.
    Rejected,
    /// They go back, as those of somebody who could not take them.
    Returned,
    /// They go back, as rejected ones.
    Requeued,
}

impl Ackmode {
    fn parse(value: Option<&Value>) -> Result<Self, Failure> {
        match value.and_then(Value::as_str) {
            Some("ack_requeue_false") => Ok(Self::Acked),
            Some("reject_requeue_false") => Ok(Self::Rejected),
            Some("ack_requeue_true") => Ok(Self::Returned),
            Some("reject_requeue_true") => Ok(Self::Requeued),
            _ => Err(Failure::bad_request(format!(
                "Invalid ackmode value: {}. Valid values are: ack_requeue_true, ack_requeue_false, \
                 reject_requeue_true, reject_requeue_false",
                value.map_or_else(String::new, |value| value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned))
            ))),
        }
    }
}

/// `POST /api/queues/{vhost}/{queue}/get`
pub(super) fn get(call: &Call) -> Result<Answer, Failure> {
    let object = call.object_with(&["ackmode", "count", "encoding"])?;
    let ackmode = Ackmode::parse(object.get("ackmode"))?;
    let count = integer(object.get("count").unwrap_or(&Value::Null))?.clamp(0, COUNT_MAX);
    let as_text = match object.get("encoding").and_then(Value::as_str) {
        Some("auto") => true,
        Some("base64") => false,
        _ => return Err(Failure::bad_request("Unsupported encoding. Please use auto or base64.")),
    };
    let truncate = object.get("truncate").map(integer).transpose()?;
    let truncate = truncate.map(|truncate| usize::try_from(truncate).unwrap_or(0));
    let vhost = call.vhost()?;
    let mut direct = Direct::open(call, &vhost)?.entered()?;
    let (mut told, mut tags, mut bytes) = (Vec::new(), Vec::new(), 0_usize);
    for _ in 0..count {
        let taken = direct.get(call.part("queue"), ackmode == Ackmode::Acked);
        let Some(taken) = taken.map_err(|exception| Failure::of_channel(&exception))? else { break };
        let shown = taken.message.body_len().min(truncate.unwrap_or(usize::MAX));
        bytes = bytes.saturating_add(shown).saturating_add(taken.properties.len());
        tags.push(taken.delivery_tag);
        told.push(object_of(&taken, shown, as_text));
        if bytes > ANSWER_MAX_BYTES {
            break;
        }
    }
    for delivery_tag in tags {
        let settled = match ackmode {
            Ackmode::Acked => Ok(()),
            Ackmode::Returned => direct.call(basic::Nack { delivery_tag, multiple: false, requeue: true }),
            Ackmode::Rejected | Ackmode::Requeued => {
                let requeue = ackmode == Ackmode::Requeued;
                direct.call(basic::Reject { delivery_tag, requeue })
            }
        };
        settled.map_err(|exception| Failure::of_channel(&exception))?;
    }
    direct.flush();
    Ok(Answer::Json(Value::Array(told)))
}

fn object_of(taken: &Taken, shown: usize, as_text: bool) -> Value {
    let body = taken.message.body();
    let payload = body.get(..shown).unwrap_or(body);
    let text = if as_text { str::from_utf8(payload).ok() } else { None };
    let (payload, encoding) = match text {
        Some(text) => (text.to_owned(), "string"),
        None => (STANDARD.encode(payload), "base64"),
    };
    json!({
        "payload_bytes": body.len(),
        "redelivered": taken.redelivered,
        "exchange": taken.message.exchange(),
        "routing_key": taken.message.routing_key(),
        "message_count": taken.message_count,
        "properties": from_properties(Properties::validated(&taken.properties)),
        "payload": payload,
        "payload_encoding": encoding,
    })
}
