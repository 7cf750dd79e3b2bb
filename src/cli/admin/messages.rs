//! Messages published and taken, and definitions in files.

use std::io::{self, Read};

use serde_json::{Value, json};

use super::desk::Desk;
use super::show::shown;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::print;

/// `publish exchange=... routing_key=... payload=...`, or `publish message --exchange ...`; without a payload, what standard
/// input has.
pub(super) fn publish(desk: &mut Desk) -> Result<(), Failure> {
    desk.words.check(&["vhost", "exchange", "routing_key", "payload", "payload_encoding", "properties"])?;
    let (vhost, exchange) = (desk.vhost(), desk.words.find(&["exchange"]).unwrap_or_default().to_owned());
    let payload = if let Some(payload) = desk.words.find(&["payload"]) {
        payload.to_owned()
    } else {
        let mut text = String::new();
        let read = io::stdin().lock().read_to_string(&mut text);
        read.map_err(|error| Failure::data("standard input is no text").because(error.to_string()))?;
        text
    };
    let properties = desk.words.find(&["properties"]).unwrap_or("{}");
    let properties: Value = serde_json::from_str(properties)
        .map_err(|error| Failure::usage("properties are no JSON").because(error.to_string()))?;
    let body = json!({
        "routing_key": desk.words.field(&["routing_key"])?, "payload": payload, "properties": properties,
        "payload_encoding": desk.words.find(&["payload_encoding"]).unwrap_or("string"),
    });
    // The default exchange has a name in paths.
    let exchange = if exchange.is_empty() { "amq.default".to_owned() } else { exchange };
    let answer = desk.post(&["exchanges", &vhost, &exchange, "publish"], &body)?;
    if answer.get("routed") == Some(&json!(true)) {
        desk.say("Message published")
    } else {
        desk.say("Message published but NOT routed")
    }
}

/// `get queue=... [count=N] [ackmode=...]`
pub(super) fn get(desk: &mut Desk) -> Result<(), Failure> {
    desk.words.check(&["vhost", "queue", "count", "ackmode", "ack_mode", "encoding", "payload_file"])?;
    let (vhost, queue) = (desk.vhost(), desk.words.field(&["queue"])?.to_owned());
    let count = desk.words.find(&["count"]).unwrap_or("1");
    let count: u64 = count.parse().map_err(|_| Failure::usage("count is a whole number"))?;
    let body = json!({
        "count": count, "ackmode": desk.words.find(&["ackmode", "ack_mode"]).unwrap_or("ack_requeue_true"),
        "encoding": desk.words.find(&["encoding"]).unwrap_or("auto"),
    });
    let Value::Array(messages) = desk.post(&["queues", &vhost, &queue, "get"], &body)? else {
        return Err(Failure::data("the broker answered no list"));
    };
    let columns = ["routing_key", "exchange", "message_count", "payload", "payload_bytes", "redelivered"];
    print(&shown(desk.words.setting("format").unwrap_or("table"), messages, &columns)?)
}

/// `export FILE`, or `definitions export --file FILE`
pub(super) fn export(desk: &mut Desk) -> Result<(), Failure> {
    let file = file(desk)?;
    let definitions = desk.get(&["definitions"])?.to_string();
    if file == "-" {
        return print(&(definitions + "\n"));
    }
    std::fs::write(&file, definitions).map_err(|error| {
        Failure::new(exit::CANNOT_CREATE, format!("{file} cannot be written")).because(error.to_string())
    })?;
    desk.say(&format!("Exported definitions to \"{file}\""))
}

/// `import FILE`, or `definitions import --file FILE`
pub(super) fn import(desk: &mut Desk) -> Result<(), Failure> {
    let file = file(desk)?;
    let octets = std::fs::read(&file).map_err(|error| Failure::unreadable(file.as_ref(), &error))?;
    let definitions: Value = serde_json::from_slice(&octets)
        .map_err(|error| Failure::data(format!("{file} is no JSON")).because(error.to_string()))?;
    desk.post(&["definitions"], &definitions)?;
    desk.say(&format!("Uploaded definitions from \"{file}\""))
}

fn file(desk: &Desk) -> Result<String, Failure> {
    let plain = desk.words.plain.get(1).filter(|word| *word != "export" && *word != "import");
    match (desk.words.find(&["file"]), plain) {
        (Some(file), _) => Ok(file.to_owned()),
        (None, Some(file)) => Ok(file.clone()),
        (None, None) => Err(Failure::usage("the file is missing")),
    }
}
