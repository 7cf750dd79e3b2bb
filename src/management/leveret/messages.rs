//! A look at the messages of a queue that takes none of them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::super::answer::Answer;
use super::super::call::Call;
use super::super::failure::Failure;
use super::super::wire_json::from_properties;
use super::filter::Filter;
use super::{gone, permitted};
use crate::auth::Action;
use crate::connection::registry::Described;
use crate::message::Message;
use crate::name::ConsumerTag;
use crate::place::Position;
use crate::queue::core::HeldBy;
use crate::queue::queue::{ListedMessage, Walk};
use crate::queue::ready::Mark;
use crate::queue::scheduled::ScheduledId;
use crate::queue::{Gone, Queue};
use crate::store::stored::Returns;
use crate::time::Time;

/// So many messages are shown unless more are asked for, and so many at most.
const LIMIT: usize = 50;
const LIMIT_MAX: usize = 1000;
/// So many bytes of a payload are shown unless it is said otherwise.
const TRUNCATE: usize = 50_000;
/// An answer is held whole: when it has so many bytes it ends.
const ANSWER_MAX_BYTES: usize = 16 * 1024 * 1024;
/// So long it is looked for what the filter wants; then the answer says where to go on.
const LOOK_MAX: Duration = Duration::from_secs(5);
/// So many messages that wait are looked at at a time.
const LISTED_AT_ONCE: usize = 500;

/// How messages are shown, and which.
struct Page {
    filter: Filter,
    limit: usize,
    truncate: usize,
    as_text: bool,
    now: Time,
    until: Instant,
    messages: Vec<Value>,
    looked_at: u64,
    bytes: usize,
    /// The position that the next message will take.
    next_position: Position,
}

impl Page {
    fn asked(call: &Call) -> Result<Self, Failure> {
        let number = |name: &str, otherwise: usize| match call.query.get(name) {
            None => Ok(otherwise),
            Some(text) => {
                text.parse().map_err(|_| Failure::bad_request(format!("{name} must be a whole number")))
            }
        };
        let limit = number("limit", LIMIT)?;
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Failure::bad_request(format!("limit must be from 1 to {LIMIT_MAX}")));
        }
        let as_text = match call.query.get("encoding") {
            None | Some("auto") => true,
            Some("base64") => false,
            Some(_) => {
                return Err(Failure::bad_request("Unsupported encoding. Please use auto or base64."));
            }
        };
        Ok(Self {
            filter: Filter::of_query(call)?,
            limit,
            truncate: number("truncate", TRUNCATE)?,
            as_text,
            now: Time::now(),
            until: Instant::now() + LOOK_MAX,
            messages: Vec::new(),
            looked_at: 0,
            bytes: 0,
            next_position: Position::default(),
        })
    }

    fn is_full(&self) -> bool {
        self.messages.len() >= self.limit || self.bytes >= ANSWER_MAX_BYTES
    }

    fn is_over(&self) -> bool {
        self.is_full() || Instant::now() >= self.until
    }

    /// Shows a message if it is wanted, with what else is to be said of it.
    fn show(&mut self, position: Position, message: &Message, further: impl FnOnce(&mut Map<String, Value>)) {
        self.looked_at = self.looked_at.saturating_add(1);
        if !self.filter.has(message, self.now) {
            return;
        }
        let body = message.body();
        let payload = body.get(..self.truncate.min(body.len())).unwrap_or(body);
        let text = if self.as_text { str::from_utf8(payload).ok() } else { None };
        let (payload, encoding) = match text {
            Some(text) => (text.to_owned(), "string"),
            None => (STANDARD.encode(payload), "base64"),
        };
        self.bytes =
            self.bytes.saturating_add(payload.len()).saturating_add(message.properties_bytes().len());
        let shown = json!({
            "position": position.0,
            "arrived": message.arrived().as_millis(),
            "age": millis(self.now.since(message.arrived())),
            "exchange": message.exchange(),
            "routing_key": message.routing_key(),
            "properties": from_properties(message.properties()),
            "payload_bytes": body.len(),
            "payload": payload,
            "payload_encoding": encoding,
        });
        if let Value::Object(mut shown) = shown {
            further(&mut shown);
            self.messages.push(Value::Object(shown));
        }
    }

    fn answer(self, state: &str, next: Option<&impl ToString>, unreadable: u64) -> Answer {
        Answer::Json(json!({
            "state": state,
            "messages": self.messages,
            "looked_at": self.looked_at,
            "unreadable": unreadable,
            "next": next.map(ToString::to_string),
            "next_position": self.next_position.0,
        }))
    }
}

/// `GET /api/leveret/queues/{vhost}/{queue}/messages`
pub(in crate::management) fn browse(call: &Call) -> Result<Answer, Failure> {
    let (_, queue, _) = permitted(call, Action::Read)?;
    let next_position = queue.next_position().map_err(gone)?;
    let page = Page { next_position, ..Page::asked(call)? };
    match call.query.get("state").unwrap_or("ready") {
        "ready" => ready(call, &queue, page),
        "unacked" => unacked(call, &queue, page),
        "scheduled" => scheduled(call, &queue),
        "retrying" => waiting(call, page, "retrying", |after, max| queue.retrying(after, max)),
        _ => Err(Failure::bad_request("state must be ready, unacked, scheduled or retrying")),
    }
}

/// The messages of a queue that wait for their times.
pub(super) fn scheduled(call: &Call, queue: &Queue) -> Result<Answer, Failure> {
    waiting(call, Page::asked(call)?, "scheduled", |after, max| queue.scheduled(after, max))
}

/// Where to go on, from an earlier answer.
fn after<T>(call: &Call, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Failure> {
    let not_ours = || Failure::bad_request("after must be the next of an earlier answer");
    call.query.get("after").map(|text| parse(text).ok_or_else(not_ours)).transpose()
}

fn ready(call: &Call, queue: &Queue, mut page: Page) -> Result<Answer, Failure> {
    let mark = after(call, |text| {
        let (level, from) = text.split_once('-')?;
        Some(Mark { level: level.parse().ok()?, from: Position(from.parse().ok()?) })
    })?;
    let mut walk = mark.map_or_else(Walk::default, Walk::from);
    let mut next = None;
    while !page.is_over()
        && next.is_none()
        && let Some(part) = walk.next(queue).map_err(gone)?
    {
        for seen in part {
            if page.is_full() {
                next = Some(Mark { level: seen.level, from: seen.position });
                break;
            }
            page.show(seen.position, &seen.message, |shown| {
                returns(shown, seen.returns, seen.redelivered);
                shown.insert("priority".to_owned(), json!(seen.level));
            });
        }
    }
    let next = next.or(walk.mark()).map(|mark| format!("{}-{}", mark.level, mark.from.0));
    Ok(page.answer("ready", next.as_ref(), walk.unreadable()))
}

fn unacked(call: &Call, queue: &Queue, mut page: Page) -> Result<Answer, Failure> {
    let mut next = Some(after(call, |text| text.parse().ok())?.unwrap_or(0));
    let now = page.now;
    let connections: HashMap<u64, Described> = call.environment().connections.by_recipient();
    while !page.is_over()
        && let Some(from) = next
    {
        let (held, more) = queue.unacked(from).map_err(gone)?;
        next = more;
        for held in held {
            if page.is_full() {
                next = Some(held.number);
                break;
            }
            page.show(held.position, &held.message, |shown| {
                returns(shown, held.returns, held.redelivered);
                shown.insert("held_for".to_owned(), json!(millis(now.since(held.given))));
                shown.insert("holder".to_owned(), holder(&held.by, &connections));
            });
        }
    }
    Ok(page.answer("unacked", next.as_ref(), 0))
}

fn holder(by: &HeldBy, connections: &HashMap<u64, Described>) -> Value {
    match by {
        HeldBy::Get => json!({ "kind": "get" }),
        HeldBy::Consumer { tag, recipient } => {
            let connection = recipient.and_then(|recipient| connections.get(&recipient));
            json!({
                "kind": "consumer",
                "consumer_tag": tag.as_ref().map(ConsumerTag::as_str),
                "connection": connection.map(Described::name),
                "user": connection.map(|connection| connection.user.as_str()),
            })
        }
    }
}

fn waiting(
    call: &Call,
    mut page: Page,
    state: &str,
    list: impl Fn(Option<ScheduledId>, usize) -> Result<Vec<ListedMessage>, Gone>,
) -> Result<Answer, Failure> {
    let mut reached = after(call, |text| text.parse::<ScheduledId>().ok())?;
    let (mut unreadable, mut is_end) = (0, false);
    while !page.is_over() && !is_end {
        let listed = list(reached, LISTED_AT_ONCE).map_err(gone)?;
        is_end = listed.len() < LISTED_AT_ONCE;
        for ListedMessage { id, message } in listed {
            if page.is_full() {
                is_end = false;
                break;
            }
            reached = Some(id);
            let Some(message) = message else {
                unreadable += 1;
                continue;
            };
            page.show(id.position, &message, |shown| {
                shown.insert("id".to_owned(), json!(id.to_string()));
                shown.insert("due".to_owned(), json!(id.due.as_millis()));
            });
        }
    }
    let next = reached.filter(|_| !is_end);
    Ok(page.answer(state, next.as_ref(), unreadable))
}

fn returns(shown: &mut Map<String, Value>, returns: Returns, redelivered: bool) {
    shown.insert("redelivered".to_owned(), json!(redelivered));
    shown.insert("acquired_count".to_owned(), json!(returns.acquired));
    shown.insert("delivery_count".to_owned(), json!(returns.deliveries));
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
