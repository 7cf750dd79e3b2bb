//! Dead letters: a message as it goes to the dead-letter exchange, and what it remembers of its deaths.
//!
//! The memory is in headers that applications read as well: `x-death`, newest first, with one entry for each queue and
//! reason, and the first and the last death again in `x-first-death-*` and `x-last-death-*`. A client may send headers
//! of these names; only those of a message that [is noted](Noted::Died) as a dead letter are believed, and the others
//! give way at its first death (RabbitMQ since 4.0).
//!
//! It knows neither queues nor exchanges: who routes a dead letter, and what becomes of it, is the caller's.

mod origin;

pub use origin::{Death, Origin, origin, redriven, redrives};

use std::borrow::Cow;

use leveret_protocol::table::{ArrayBuf, ArrayBuilder, Table, TableBuf, TableBuilder, Value};

use crate::message::{Message, Noted};
use crate::time::Time;

/// How many deaths a message remembers: each queue and reason once. Of more the oldest are forgotten; a message that
/// died that often in different queues and was never rejected [goes in a circle](would_cycle).
pub const DEATHS_MAX: usize = 128;

/// How many routing keys beside the first of each are remembered with the deaths, the newest deaths first. A message
/// may have a thousand in CC and would take them along once more with each death.
const KEYS_MAX: usize = 512;

/// How long these routing keys may be together, in bytes.
const KEYS_BYTES_MAX: usize = 32 << 10;

const X_DEATH: &str = "x-death";
const FIRST_DEATH: [&str; 3] = ["x-first-death-exchange", "x-first-death-queue", "x-first-death-reason"];
const LAST_DEATH: [&str; 3] = ["x-last-death-exchange", "x-last-death-queue", "x-last-death-reason"];

/// What an entry takes, and what the headers take beside `x-death`, in bytes: a guess, so that little is allocated twice.
const BESIDE_BYTES: usize = 384;

/// Why a message left its queue other than by being consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It waited longer than it or its queue allows.
    Expired,
    /// A consumer refused it for good.
    Rejected,
    /// The queue was full.
    MaxLength,
    /// It was given back more often than the queue allows.
    DeliveryLimit,
}

impl Reason {
    /// The reason as it stands in the headers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::MaxLength => "maxlen",
            Self::DeliveryLimit => "delivery_limit",
        }
    }
}

/// A message that dies in `queue` as it goes to the exchange `to`, with `routing_key` or with the keys that it has.
///
/// Its expiration is taken out and kept in its new entry of `x-death`; the headers come in the order of their names
/// (RabbitMQ sorts them too). Everything else stays byte for byte. It arrives `now`.
///
/// Nothing when `to` or `routing_key` is longer than 255 bytes, as no name is.
pub fn dead_letter(
    message: &Message,
    queue: &str,
    reason: Reason,
    to: &str,
    routing_key: Option<&str>,
    now: Time,
) -> Option<Message> {
    let properties = message.properties();
    let headers = headers(message, queue, reason, now);
    let about = properties.as_bytes().len().saturating_add(headers.as_bytes().len());
    let mut dead = message.as_dead_letter(to, routing_key, about, |into| {
        properties.put_without_expiration(headers.as_table(), into);
    })?;
    dead.arrive(now);
    Some(dead)
}

/// The keys beside the routing key by which a message is routed: those in CC, unless a dead-letter routing key has
/// replaced them. The header stays then (RabbitMQ 4; 3.x took it out).
pub fn cc(message: &Message) -> impl Iterator<Item = &str> + Clone {
    let replaced = message.parts().noted == Noted::Readdressed;
    let header =
        if replaced { None } else { message.properties().headers().and_then(|headers| headers.get("CC")) };
    header.and_then(Value::as_array).unwrap_or_default().into_iter().filter_map(Value::as_str)
}

/// Whether a dead letter that goes to the queue `target` would go in a circle that nobody but the broker keeps going:
/// it died there before, and no consumer has rejected it since.
///
/// A message without a rejection that remembers [`DEATHS_MAX`] deaths has gone further than its memory reaches. It is
/// taken for one in a circle, so that every chain of automatic deaths ends.
pub fn would_cycle(message: &Message, target: &str) -> bool {
    let mut automatic = 0;
    for death in deaths(message) {
        if is(death, "reason", Reason::Rejected.as_str()) {
            return false;
        }
        if is(death, "queue", target) {
            return true;
        }
        automatic += 1;
    }
    automatic >= DEATHS_MAX
}

/// The deaths that the broker has written into a message, newest first.
fn deaths(message: &Message) -> impl Iterator<Item = Table<'_>> {
    let headers = if has_died(message) { message.properties().headers() } else { None };
    let entries = headers.and_then(|headers| headers.get(X_DEATH)).and_then(Value::as_array);
    entries.unwrap_or_default().into_iter().filter_map(Value::as_table)
}

fn has_died(message: &Message) -> bool {
    matches!(message.parts().noted, Noted::Died | Noted::Readdressed)
}

fn is(death: Table<'_>, field: &str, text: &str) -> bool {
    death.get(field) == Some(Value::LongStr(text.as_bytes()))
}

/// The headers of a message with one more death.
fn headers(message: &Message, queue: &str, reason: Reason, now: Time) -> TableBuf {
    let headers = message.properties().headers().unwrap_or_default();
    let first = !has_died(message);
    let history = history(message, queue, reason, now);
    let mut room = headers.as_bytes().len().saturating_add(history.as_bytes().len());
    room = room.saturating_add(BESIDE_BYTES);
    let mut table = TableBuilder::with_capacity(room)
        .entries_where(headers, |name| {
            name != X_DEATH && !tells(name, LAST_DEATH) && !(first && tells(name, FIRST_DEATH))
        })
        .array(X_DEATH, history.as_array());
    for names in [first.then_some(FIRST_DEATH), Some(LAST_DEATH)].into_iter().flatten() {
        let [of_exchange, of_queue, of_reason] = names;
        table = table
            .string(of_exchange, message.exchange())
            .string(of_queue, queue)
            .string(of_reason, reason.as_str());
    }
    table.finish_sorted()
}

fn tells(name: &str, names: [&str; 3]) -> bool {
    names.contains(&name)
}

/// `x-death`: the death in `queue` first, then the others as they were.
fn history(message: &Message, queue: &str, reason: Reason, now: Time) -> ArrayBuf {
    let same = |death: Table<'_>| is(death, "queue", queue) && is(death, "reason", reason.as_str());
    let mut room = Room { keys: KEYS_MAX, bytes: KEYS_BYTES_MAX };
    let newest = match deaths(message).find(|death| same(*death)) {
        Some(before) => once_more(before, 1, &mut room),
        None => death(message, queue, reason, now, &mut room),
    };
    let mut history = ArrayBuilder::new().table(newest.as_table());
    for before in deaths(message).filter(|death| !same(*death)).take(DEATHS_MAX - 1) {
        history = history.table(once_more(before, 0, &mut room).as_table());
    }
    history.finish()
}

/// The entry of a first death in a queue for a reason.
fn death(message: &Message, queue: &str, reason: Reason, now: Time, room: &mut Room) -> TableBuf {
    let expiration = message.properties().expiration().map(plain);
    let entry = TableBuilder::with_capacity(BESIDE_BYTES);
    let entry = match &expiration {
        Some(expiration) => entry.string("original-expiration", expiration.as_bytes()),
        None => entry,
    };
    let routing_keys =
        std::iter::once(message.routing_key().as_bytes()).chain(cc(message).map(str::as_bytes));
    entry
        .long("count", 1)
        .string("reason", reason.as_str())
        .string("queue", queue)
        .timestamp("time", now.as_millis() / 1000)
        .string("exchange", message.exchange())
        .array("routing-keys", room.take(routing_keys).as_array())
        .finish()
}

/// An expiration as RabbitMQ writes the number: without a plus sign or zeros before it.
fn plain(expiration: &str) -> Cow<'_, str> {
    let digits = expiration.trim_start_matches(['+', '-']);
    match digits.parse::<u64>() {
        Ok(milliseconds) => Cow::Owned(milliseconds.to_string()),
        Err(_) => Cow::Borrowed(expiration),
    }
}

/// An entry that is there already, with a count that is `more`. Time, exchange and keys stay those of the first time.
fn once_more(death: Table<'_>, more: i64, room: &mut Room) -> TableBuf {
    let mut entry = TableBuilder::with_capacity(death.as_bytes().len());
    for (field, value) in death {
        entry = match (field, value) {
            ("count", Value::Long(count)) => entry.long(field, count.saturating_add(more)),
            (_, Value::Array(keys)) => {
                let keys = keys.into_iter().filter_map(|key| match key {
                    Value::LongStr(key) => Some(key),
                    _ => None,
                });
                entry.array(field, room.take(keys).as_array())
            }
            (_, value) => entry.value(field, value),
        };
    }
    entry.finish()
}

/// What is left of [`KEYS_MAX`] and [`KEYS_BYTES_MAX`].
struct Room {
    keys: usize,
    bytes: usize,
}

impl Room {
    /// The first key, and those after it up to the one for which there is no room.
    fn take<'k>(&mut self, keys: impl Iterator<Item = &'k [u8]>) -> ArrayBuf {
        let mut taken = ArrayBuilder::new();
        for (at, key) in keys.enumerate() {
            if at > 0 {
                let left = (self.keys.checked_sub(1), self.bytes.checked_sub(key.len()));
                let (Some(keys), Some(bytes)) = left else { break };
                *self = Self { keys, bytes };
            }
            taken = taken.string(key);
        }
        taken.finish()
    }
}

#[cfg(test)]
mod tests;
