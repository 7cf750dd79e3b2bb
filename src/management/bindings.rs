//! Bindings, those to the default exchange among them, which nobody makes.

use std::fmt::Write;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use leveret_protocol::method::{exchange, queue};
use leveret_protocol::table::{Table, TableBuf};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::answer::Answer;
use super::call::Call;
use super::direct::Direct;
use super::exchanges::{self, arguments, vhost};
use super::failure::Failure;
use super::fields::text;
use super::listing::{one, whole};
use super::queues;
use super::router::NAME_MAX_BYTES;
use super::wire_json::from_table;
use crate::exchange::Target as _;
use crate::exchange::TargetName;
use crate::vhost::Vhost;
use crate::vhost::exchange::{Exchange, Target};

/// A binding as it is told.
struct Row {
    vhost: String,
    source: String,
    destination: String,
    to_queue: bool,
    key: String,
    arguments: TableBuf,
}

impl Row {
    fn object(&self) -> Value {
        json!({
            "source": self.source,
            "vhost": self.vhost,
            "destination": self.destination,
            "destination_type": if self.to_queue { "queue" } else { "exchange" },
            "routing_key": self.key,
            "arguments": from_table(self.arguments.as_table()),
            "properties_key": properties_key(&self.key, self.arguments.as_table()),
        })
    }

    fn default(vhost: &Vhost, queue: &str) -> Self {
        Self {
            vhost: vhost.name().to_string(),
            source: String::new(),
            destination: queue.to_owned(),
            to_queue: true,
            key: queue.to_owned(),
            arguments: Table::EMPTY.to_owned(),
        }
    }
}

/// What names a binding among those between two ends: its key, quoted, and behind a tilde what its arguments hash to.
/// Stable over restarts; another text than RabbitMQ's where there are arguments.
fn properties_key(key: &str, arguments: Table<'_>) -> String {
    if key.is_empty() && arguments.is_empty() {
        return "~".to_owned();
    }
    let quoted = quote(key);
    if arguments.is_empty() {
        return quoted;
    }
    let digest = Sha256::digest(arguments.as_bytes());
    format!("{quoted}~{}", URL_SAFE_NO_PAD.encode(digest.first_chunk::<6>().copied().unwrap_or_default()))
}

/// As forms quote, with the tilde.
fn quote(text: &str) -> String {
    escape(text, |c| c == b' ')
}

/// For a path: everything but letters, digits and few signs.
fn escape(text: &str, is_plus: impl Fn(u8) -> bool) -> String {
    let mut quoted = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => quoted.push(char::from(octet)),
            octet if is_plus(octet) => quoted.push('+'),
            octet => {
                // A string takes all that is written to it.
                let _ = write!(quoted, "%{octet:02X}");
            }
        }
    }
    quoted
}

fn rows_from(vhost: &Vhost, exchange: &Exchange, wanted: impl Fn(&Target) -> bool) -> Vec<Row> {
    let routes = exchange.routes();
    let found = routes.iter().filter(|binding| wanted(&binding.target));
    let rows = found.map(|binding| {
        let (destination, to_queue) = match binding.target.name() {
            TargetName::Queue(name) => (name.to_string(), true),
            TargetName::Exchange(name) => (name.to_string(), false),
        };
        Row {
            vhost: vhost.name().to_string(),
            source: exchange.name().to_string(),
            destination,
            to_queue,
            key: binding.key.to_string(),
            arguments: binding.arguments.clone(),
        }
    });
    rows.collect()
}

/// All bindings of a virtual host that lead to what is wanted, without those of the default exchange.
fn rows_to(vhost: &Vhost, wanted: impl Fn(&Target) -> bool) -> Vec<Row> {
    let exchanges = vhost.exchanges().all();
    exchanges.iter().flat_map(|exchange| rows_from(vhost, exchange, &wanted)).collect()
}

fn answer(call: &Call, mut rows: Vec<Row>) -> Answer {
    rows.sort_by(|one, other| {
        let key =
            |row: &Row| (row.vhost.clone(), row.source.clone(), row.destination.clone(), row.key.clone());
        key(one).cmp(&key(other))
    });
    whole(call, rows, |row| Some(row.object()))
}

/// `GET /api/bindings` and `/api/bindings/{vhost}`
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    let mut rows = Vec::new();
    for vhost in call.vhosts()? {
        rows.extend(vhost.queues().all().iter().map(|queue| Row::default(&vhost, queue.name().as_str())));
        rows.extend(rows_to(&vhost, |_| true));
    }
    Ok(answer(call, rows))
}

/// `GET /api/queues/{vhost}/{queue}/bindings`
pub(super) fn of_queue(call: &Call) -> Result<Answer, Failure> {
    let vhost = call.vhost()?;
    let queue = queues::named(call, &vhost)?;
    let mut rows = vec![Row::default(&vhost, queue.name().as_str())];
    rows.extend(rows_to(&vhost, |target| matches!(target, Target::Queue(found) if *found == queue)));
    Ok(answer(call, rows))
}

/// `GET /api/exchanges/{vhost}/{exchange}/bindings/source`
pub(super) fn from_exchange(call: &Call) -> Result<Answer, Failure> {
    let vhost = call.vhost()?;
    let rows = match exchanges::named(call, &vhost)? {
        Some(exchange) => rows_from(&vhost, &exchange, |_| true),
        None => {
            vhost.queues().all().iter().map(|queue| Row::default(&vhost, queue.name().as_str())).collect()
        }
    };
    Ok(answer(call, rows))
}

/// `GET /api/exchanges/{vhost}/{exchange}/bindings/destination`
pub(super) fn to_exchange(call: &Call) -> Result<Answer, Failure> {
    let vhost = call.vhost()?;
    let rows = match exchanges::named(call, &vhost)? {
        Some(exchange) => {
            rows_to(&vhost, |target| matches!(target, Target::Exchange(found) if *found == exchange))
        }
        None => Vec::new(),
    };
    Ok(answer(call, rows))
}

/// The bindings between the two ends in the path; 404 when there is no such end.
fn between(call: &Call, vhost: &Arc<Vhost>, to_queue: bool) -> Result<Vec<Row>, Failure> {
    let destination = call.part("destination");
    let target = if to_queue {
        Target::Queue(vhost.queues().get(destination).ok_or_else(Failure::no_object)?)
    } else {
        match call.exchange("destination") {
            // Nothing leads there.
            "" => return Ok(Vec::new()),
            name => Target::Exchange(vhost.exchanges().get(name).ok_or_else(Failure::no_object)?),
        }
    };
    match exchanges::named(call, vhost)? {
        Some(source) => Ok(rows_from(vhost, &source, |found| *found == target)),
        None if to_queue => Ok(vec![Row::default(vhost, destination)]),
        None => Ok(Vec::new()),
    }
}

/// `GET /api/bindings/{vhost}/e/{exchange}/q/{destination}`
pub(super) fn to_queue(call: &Call) -> Result<Answer, Failure> {
    Ok(answer(call, between(call, &call.vhost()?, true)?))
}

/// `GET /api/bindings/{vhost}/e/{exchange}/e/{destination}`
pub(super) fn between_exchanges(call: &Call) -> Result<Answer, Failure> {
    Ok(answer(call, between(call, &call.vhost()?, false)?))
}

/// The binding that the path names. One by its key alone, when it is the only one with that.
fn named(call: &Call, vhost: &Arc<Vhost>, to_queue: bool) -> Result<Row, Failure> {
    let name = call.part("properties_key");
    let mut rows = between(call, vhost, to_queue)?;
    if let Some(at) = rows.iter().position(|row| properties_key(&row.key, row.arguments.as_table()) == name) {
        return Ok(rows.swap_remove(at));
    }
    let key = name.split_once('~').map_or(name, |(key, _)| key);
    rows.retain(|row| quote(&row.key) == key || row.key == name);
    match (rows.pop(), rows.is_empty()) {
        (Some(row), true) => Ok(row),
        _ => Err(Failure::no_object()),
    }
}

/// `GET /api/bindings/{vhost}/e/{exchange}/q/{destination}/{properties_key}`
pub(super) fn show_to_queue(call: &Call) -> Result<Answer, Failure> {
    Ok(one(call, named(call, &call.vhost()?, true)?.object()))
}

/// `GET /api/bindings/{vhost}/e/{exchange}/e/{destination}/{properties_key}`
pub(super) fn show_between_exchanges(call: &Call) -> Result<Answer, Failure> {
    Ok(one(call, named(call, &call.vhost()?, false)?.object()))
}

/// `POST /api/bindings/{vhost}/e/{exchange}/q/{destination}`
pub(super) fn bind_queue(call: &Call) -> Result<Answer, Failure> {
    bind(call, true)
}

/// `POST /api/bindings/{vhost}/e/{exchange}/e/{destination}`
pub(super) fn bind_exchange(call: &Call) -> Result<Answer, Failure> {
    bind(call, false)
}

fn bind(call: &Call, to_queue: bool) -> Result<Answer, Failure> {
    let object = call.object()?;
    let vhost = vhost(call)?;
    let arguments = arguments(&object)?;
    let key = text(&object, "routing_key")?.unwrap_or_default();
    if key.len() > NAME_MAX_BYTES {
        return Err(Failure::bad_request("A routing key has at most 255 bytes"));
    }
    let mut direct = Direct::open(call, &vhost)?;
    let (source, table) = (call.exchange("exchange"), arguments.as_table());
    let bound = if to_queue {
        let queue = call.part("destination");
        let bind =
            queue::Bind { queue, exchange: source, routing_key: key, no_wait: false, arguments: table };
        direct.call(bind)
    } else {
        let destination = call.exchange("destination");
        let bind = exchange::Bind { destination, source, routing_key: key, no_wait: false, arguments: table };
        direct.call(bind)
    };
    bound.map_err(|exception| Failure::of_method(&exception))?;
    direct.check_disk()?;
    // Its arguments have an order of their own since, which its name is made of.
    let name = between(call, &vhost, to_queue)?.into_iter().find(|row| row.key == key && same(row, table));
    let name =
        name.map_or_else(|| properties_key(key, table), |row| properties_key(key, row.arguments.as_table()));
    let never = |_| false;
    let location = format!("{}/{}", escape(call.part("destination"), never), location(&name));
    Ok(Answer::Created(Some(location)))
}

fn same(row: &Row, arguments: Table<'_>) -> bool {
    from_table(row.arguments.as_table()) == from_table(arguments)
}

/// A name of a binding, escaped for a path. Its tilde stays, as RabbitMQ has it.
fn location(name: &str) -> String {
    let parts: Vec<String> = name.split('~').map(|part| escape(part, |_| false)).collect();
    parts.join("~")
}

/// `DELETE /api/bindings/{vhost}/e/{exchange}/q/{destination}/{properties_key}`
pub(super) fn unbind_queue(call: &Call) -> Result<Answer, Failure> {
    let vhost = call.vhost()?;
    let row = named(call, &vhost, true)?;
    let mut direct = Direct::open(call, &vhost)?;
    let unbound = direct.call(queue::Unbind {
        queue: &row.destination,
        exchange: &row.source,
        routing_key: &row.key,
        arguments: row.arguments.as_table(),
    });
    unbound.map_err(|exception| Failure::of_method(&exception))?;
    direct.check_disk()?;
    Ok(Answer::NoContent)
}

/// `DELETE /api/bindings/{vhost}/e/{exchange}/e/{destination}/{properties_key}`
pub(super) fn unbind_exchange(call: &Call) -> Result<Answer, Failure> {
    let vhost = call.vhost()?;
    let row = named(call, &vhost, false)?;
    let mut direct = Direct::open(call, &vhost)?;
    let unbound = direct.call(exchange::Unbind {
        destination: &row.destination,
        source: &row.source,
        routing_key: &row.key,
        no_wait: false,
        arguments: row.arguments.as_table(),
    });
    unbound.map_err(|exception| Failure::of_method(&exception))?;
    direct.check_disk()?;
    Ok(Answer::NoContent)
}

#[cfg(test)]
mod tests {
    use leveret_protocol::table::TableBuilder;

    use super::*;

    #[test]
    fn a_binding_is_named_by_its_key_and_by_what_its_arguments_hash_to() {
        for (key, expected) in [("", "~"), ("a.b", "a.b"), ("a b~c/d", "a+b%7Ec%2Fd"), ("é", "%C3%A9")] {
            assert_eq!(properties_key(key, Table::EMPTY), expected);
        }
        let arguments = TableBuilder::new().long("x", 1).finish();
        let (named, other) =
            (properties_key("k", arguments.as_table()), TableBuilder::new().long("x", 2).finish());
        assert!(named.starts_with("k~") && named != properties_key("k", other.as_table()), "{named}");
        assert_eq!(location("a+b%7Ec~x_-"), "a%2Bb%257Ec~x_-");
    }
}
