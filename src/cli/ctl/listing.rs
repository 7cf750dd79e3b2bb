//! Lists of what is in a virtual host, and of who is connected, with the columns that RabbitMQ's programs know.

use serde_json::{Value, json};

use super::desk::Desk;
use super::field::Field as _;
use super::output::{Found, triples};
use super::trouble::Trouble;
use super::users::names;

type Done = Result<Found, Trouble>;

/// Where a column comes from.
enum Taken {
    /// The field of the HTTP API's object with this name, or of an object in it, with dots.
    Field(&'static str),
    /// The same; nothing is an empty text.
    Text(&'static str),
    /// A table of AMQP.
    Table(&'static str),
    /// Made of the whole object.
    Made(fn(&Value) -> Value),
}

use Taken::{Field, Made, Table, Text};

/// What is listed.
struct Kind {
    columns: &'static [(&'static str, Taken)],
    usually: &'static [&'static str],
}

const QUEUES: Kind = Kind {
    usually: &["name", "messages"],
    columns: &[
        ("name", Field("name")),
        ("vhost", Field("vhost")),
        ("durable", Field("durable")),
        ("auto_delete", Field("auto_delete")),
        ("exclusive", Field("exclusive")),
        ("arguments", Table("arguments")),
        ("type", Field("type")),
        ("state", Field("state")),
        ("policy", Text("policy")),
        ("operator_policy", Text("operator_policy")),
        ("effective_policy_definition", Table("effective_policy_definition")),
        ("pid", Made(queue_pid)),
        ("owner_pid", Text("owner_pid_details.name")),
        ("leader", Field("node")),
        ("members", Made(members)),
        ("online", Made(members)),
        ("messages", Field("messages")),
        ("messages_ready", Field("messages_ready")),
        ("messages_unacknowledged", Field("messages_unacknowledged")),
        ("messages_ram", Field("messages_ram")),
        ("messages_ready_ram", Field("messages_ready_ram")),
        ("messages_unacknowledged_ram", Field("messages_unacknowledged_ram")),
        ("messages_persistent", Field("messages_persistent")),
        ("message_bytes", Field("message_bytes")),
        ("message_bytes_ready", Field("message_bytes_ready")),
        ("message_bytes_unacknowledged", Field("message_bytes_unacknowledged")),
        ("message_bytes_ram", Field("message_bytes_ram")),
        ("message_bytes_persistent", Field("message_bytes_persistent")),
        ("head_message_timestamp", Text("head_message_timestamp")),
        ("disk_reads", Field("message_stats.disk_reads")),
        ("disk_writes", Field("message_stats.disk_writes")),
        ("consumers", Field("consumers")),
        ("consumer_utilisation", Field("consumer_utilisation")),
        ("consumer_capacity", Field("consumer_capacity")),
        ("exclusive_consumer_pid", Text("exclusive_consumer_pid")),
        ("exclusive_consumer_tag", Text("exclusive_consumer_tag")),
        ("single_active_consumer_tag", Text("single_active_consumer_tag")),
        ("memory", Field("memory")),
    ],
};

const EXCHANGES: Kind = Kind {
    usually: &["name", "type"],
    columns: &[
        ("name", Field("name")),
        ("type", Field("type")),
        ("durable", Field("durable")),
        ("auto_delete", Field("auto_delete")),
        ("internal", Field("internal")),
        ("arguments", Table("arguments")),
        ("policy", Text("policy")),
        ("vhost", Field("vhost")),
    ],
};

const BINDINGS: Kind = Kind {
    usually: &[
        "source_name",
        "source_kind",
        "destination_name",
        "destination_kind",
        "routing_key",
        "arguments",
    ],
    columns: &[
        ("source_name", Field("source")),
        ("source_kind", Made(|_| json!("exchange"))),
        ("destination_name", Field("destination")),
        ("destination_kind", Field("destination_type")),
        ("routing_key", Field("routing_key")),
        ("arguments", Table("arguments")),
        ("vhost", Field("vhost")),
    ],
};

const CONNECTIONS: Kind = Kind {
    usually: &["user", "peer_host", "peer_port", "state"],
    columns: &[
        ("pid", Made(connection_pid)),
        ("name", Field("name")),
        ("port", Field("port")),
        ("host", Field("host")),
        ("peer_port", Field("peer_port")),
        ("peer_host", Field("peer_host")),
        ("ssl", Field("ssl")),
        ("ssl_protocol", Text("ssl_protocol")),
        ("ssl_key_exchange", Text("ssl_key_exchange")),
        ("ssl_cipher", Text("ssl_cipher")),
        ("ssl_hash", Text("ssl_hash")),
        ("peer_cert_subject", Text("peer_cert_subject")),
        ("peer_cert_issuer", Text("peer_cert_issuer")),
        ("peer_cert_validity", Text("peer_cert_validity")),
        ("state", Field("state")),
        ("channels", Field("channels")),
        ("protocol", Made(protocol)),
        ("auth_mechanism", Field("auth_mechanism")),
        ("user", Field("user")),
        ("vhost", Field("vhost")),
        ("timeout", Field("timeout")),
        ("frame_max", Field("frame_max")),
        ("channel_max", Field("channel_max")),
        ("client_properties", Table("client_properties")),
        ("user_provided_name", Text("user_provided_name")),
        ("connected_at", Field("connected_at")),
        ("node", Field("node")),
        ("recv_oct", Field("recv_oct")),
        ("recv_cnt", Field("recv_cnt")),
        ("send_oct", Field("send_oct")),
        ("send_cnt", Field("send_cnt")),
        ("send_pend", Field("send_pend")),
        ("reductions", Field("reductions")),
    ],
};

const CHANNELS: Kind = Kind {
    usually: &["pid", "user", "consumer_count", "messages_unacknowledged"],
    columns: &[
        ("pid", Made(channel_pid)),
        ("connection", Made(|channel| pid(channel, channel.of("connection_details").of("name")))),
        ("name", Field("name")),
        ("number", Field("number")),
        ("user", Field("user")),
        ("vhost", Field("vhost")),
        ("transactional", Field("transactional")),
        ("confirm", Field("confirm")),
        ("consumer_count", Field("consumer_count")),
        ("messages_unacknowledged", Field("messages_unacknowledged")),
        ("messages_uncommitted", Field("messages_uncommitted")),
        ("acks_uncommitted", Field("acks_uncommitted")),
        ("messages_unconfirmed", Field("messages_unconfirmed")),
        ("prefetch_count", Field("prefetch_count")),
        ("global_prefetch_count", Field("global_prefetch_count")),
        ("state", Field("state")),
    ],
};

const CONSUMERS: Kind = Kind {
    usually: &[
        "queue_name",
        "channel_pid",
        "consumer_tag",
        "ack_required",
        "prefetch_count",
        "active",
        "arguments",
    ],
    columns: &[
        ("queue_name", Field("queue.name")),
        ("channel_pid", Made(|consumer| pid(consumer, consumer.of("channel_details").of("name")))),
        ("consumer_tag", Field("consumer_tag")),
        ("ack_required", Field("ack_required")),
        ("prefetch_count", Field("prefetch_count")),
        ("active", Field("active")),
        ("activity_status", Field("activity_status")),
        ("exclusive", Field("exclusive")),
        ("arguments", Table("arguments")),
    ],
};

/// An Erlang process stands for each thing in RabbitMQ; here a text of the same form that names the thing.
fn pid(object: &Value, name: &Value) -> Value {
    let node = object.of("node").as_str().or_else(|| object.of("channel_details").of("node").as_str());
    let (node, name) = (node.unwrap_or("leveret"), name.as_str().unwrap_or_default());
    // FNV-1a: the same for the same name, in any process.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    });
    json!(format!("<{node}.{}.{}.0>", hash >> 32, hash & 0xffff_ffff))
}

/// The text that stands for a connection.
pub(super) fn connection_pid(connection: &Value) -> Value {
    pid(connection, connection.of("name"))
}

fn channel_pid(channel: &Value) -> Value {
    pid(channel, channel.of("name"))
}

fn queue_pid(queue: &Value) -> Value {
    pid(queue, &json!(format!("{} {}", queue.of("vhost"), queue.of("name"))))
}

fn members(queue: &Value) -> Value {
    json!([queue.of("node")])
}

fn protocol(connection: &Value) -> Value {
    match connection.of("protocol").as_str() {
        Some("AMQP 0-9-1") => json!("{0,9,1}"),
        Some(other) => json!(other),
        None => Value::Null,
    }
}

fn at(object: &Value, path: &str) -> Value {
    path.split('.').fold(object, |value, name| value.of(name)).clone()
}

fn cell(object: &Value, from: &Taken) -> Value {
    match from {
        Field(path) => at(object, path),
        Text(path) => match at(object, path) {
            Value::Null => json!(""),
            value => value,
        },
        Table(path) => triples(&at(object, path)),
        Made(make) => make(object),
    }
}

/// Rows with the columns that are asked for, or those that usually are.
fn rows(asked: Vec<String>, kind: &Kind, objects: &[Value]) -> Done {
    let columns = if asked.is_empty() { names(kind.usually) } else { asked };
    check(kind, &columns)?;
    let row = |object: &Value| {
        let cells = columns.iter().map(|name| {
            let from = kind.columns.iter().find(|(known, _)| known == name);
            (name.clone(), from.map_or(Value::Null, |(_, from)| cell(object, from)))
        });
        Value::Object(cells.collect())
    };
    let rows = objects.iter().map(row).collect();
    Ok(Found::Rows(columns, rows))
}

fn check(kind: &Kind, columns: &[String]) -> Result<(), Trouble> {
    let is_known = |name: &&String| kind.columns.iter().any(|(known, _)| known == name);
    let unknown: Vec<&str> = columns.iter().filter(|name| !is_known(name)).map(String::as_str).collect();
    refuse(&unknown)
}

fn refuse(unknown: &[&str]) -> Result<(), Trouble> {
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Trouble::usage(format!("Info key(s) {} are not supported", unknown.join(","))))
}

/// Refuses columns that an object does not have.
pub(super) fn known(columns: &[String], object: Option<&Value>) -> Result<(), Trouble> {
    let Some(object) = object else { return Ok(()) };
    let unknown = columns.iter().map(String::as_str).filter(|name| object.get(name).is_none());
    refuse(&unknown.collect::<Vec<&str>>())
}

/// What is in the virtual host; nothing in one that is not there, as RabbitMQ has it.
fn of_vhost(desk: &mut Desk, what: &str) -> Result<Vec<Value>, Trouble> {
    let vhost = desk.vhost();
    match desk.list(&[what, &vhost]) {
        Err(trouble) if trouble.is_absence() => Ok(Vec::new()),
        found => found,
    }
}

pub(super) fn list_queues(desk: &mut Desk) -> Done {
    check(&QUEUES, &desk.rest(0))?;
    let timeout = desk.value("timeout").unwrap_or("60.0").to_owned();
    desk.say(&format!("Timeout: {timeout} seconds ..."))?;
    desk.say(&format!("Listing queues for vhost {} ...", desk.vhost()))?;
    let found = of_vhost(desk, "queues")?;
    rows(desk.rest(0), &QUEUES, &found)
}

/// Queues that do not answer: one that was lost to a fault says so.
pub(super) fn list_unresponsive_queues(desk: &mut Desk) -> Done {
    desk.say(&format!("Listing unresponsive queues for vhost {} ...", desk.vhost()))?;
    let mut found = of_vhost(desk, "queues")?;
    found.retain(|queue| matches!(queue.of("state").as_str(), Some("crashed" | "down" | "stopped")));
    let asked = desk.rest(0);
    let asked = if asked.is_empty() { names(&["name"]) } else { asked };
    rows(asked, &QUEUES, &found)
}

pub(super) fn list_exchanges(desk: &mut Desk) -> Done {
    desk.say(&format!("Listing exchanges for vhost {} ...", desk.vhost()))?;
    let found = of_vhost(desk, "exchanges")?;
    rows(desk.rest(0), &EXCHANGES, &found)
}

pub(super) fn list_bindings(desk: &mut Desk) -> Done {
    desk.say(&format!("Listing bindings for vhost {}...", desk.vhost()))?;
    let found = of_vhost(desk, "bindings")?;
    rows(desk.rest(0), &BINDINGS, &found)
}

pub(super) fn list_connections(desk: &mut Desk) -> Done {
    desk.say("Listing connections ...")?;
    let found = desk.list(&["connections"])?;
    rows(desk.rest(0), &CONNECTIONS, &found)
}

pub(super) fn list_channels(desk: &mut Desk) -> Done {
    desk.say("Listing channels ...")?;
    let found = desk.list(&["channels"])?;
    rows(desk.rest(0), &CHANNELS, &found)
}

pub(super) fn list_consumers(desk: &mut Desk) -> Done {
    desk.say(&format!("Listing consumers in vhost {} ...", desk.vhost()))?;
    let found = of_vhost(desk, "consumers")?;
    rows(desk.rest(0), &CONSUMERS, &found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usually_shown_is_a_column() {
        for kind in [&QUEUES, &EXCHANGES, &BINDINGS, &CONNECTIONS, &CHANNELS, &CONSUMERS] {
            assert_eq!(check(kind, &names(kind.usually)), Ok(()));
            let mut columns: Vec<&str> = kind.columns.iter().map(|(name, _)| *name).collect();
            columns.sort_unstable();
            columns.dedup();
            assert_eq!(columns.len(), kind.columns.len());
        }
        assert!(check(&QUEUES, &names(&["name", "nonsense"])).is_err());
    }

    #[test]
    fn a_text_stands_for_a_connection_and_for_no_other() {
        let connection = |name: &str| json!({ "node": "n@h", "name": name });
        let one = connection_pid(&connection("1.2.3.4:5 -> 6.7.8.9:10"));
        assert_eq!(one, connection_pid(&connection("1.2.3.4:5 -> 6.7.8.9:10")));
        assert_ne!(one, connection_pid(&connection("1.2.3.4:6 -> 6.7.8.9:10")));
        let text = one.as_str().unwrap();
        assert!(text.starts_with("<n@h.") && text.ends_with(".0>"), "{text}");
    }
}
