//! Publishing a message.

use std::io::Read;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::client::{Request, path};
use crate::cli::desk::{Desk, DeskFlags};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::nouns::arguments::pair;
use crate::cli::nouns::exchanges;
use crate::cli::nouns::vhost::VhostFlag;

const EXAMPLES: &str = "\
Examples:
  leveret publish amq.topic order.paid 'hello'                  to an exchange, with a routing key
  leveret publish '' orders 'hello'                             to a queue by its name
  leveret publish orders order.paid - < body.json --property content_type=application/json
  leveret publish orders order.paid --file body.bin --persistent --header tries=3
  leveret publish orders order.paid 'hello' --require-route     ends with 65 when no queue takes it";

/// Publish a message to an exchange: short for 'leveret messages publish'.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct PublishOptions {
    #[command(flatten)]
    pub(super) publication: Publication,
    #[command(flatten)]
    pub(super) vhost: VhostFlag,
    #[command(flatten)]
    pub(super) desk: DeskFlags,
}

/// A message, and where it goes.
#[derive(Debug, Args)]
pub(super) struct Publication {
    /// The exchange; '' is the default one, which leads to the queue that the key names.
    exchange: String,
    /// The routing key.
    #[arg(value_name = "KEY")]
    routing_key: String,
    /// The body; '-' reads it from standard input.
    #[arg(required_unless_present = "file")]
    body: Option<String>,
    /// Read the body from a file
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    file: Option<PathBuf>,
    /// A property: content_type, content_encoding, priority, correlation_id, reply_to, expiration (ms), message_id,
    /// timestamp (s), type, user_id, app_id
    #[arg(long, value_name = "NAME=VALUE", value_parser = property)]
    property: Vec<(String, Value)>,
    /// A header; a value that is JSON is taken as that, any other as text
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    header: Vec<(String, Value)>,
    /// It outlives a restart of the broker in durable queues
    #[arg(long)]
    persistent: bool,
    /// Fail when no queue takes it
    #[arg(long)]
    require_route: bool,
}

/// The properties whose values are numbers; all others are texts.
const NUMBERS: [&str; 3] = ["priority", "timestamp", "delivery_mode"];
const TEXTS: [&str; 11] = [
    "content_type",
    "content_encoding",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "type",
    "user_id",
    "app_id",
    "cluster_id",
    "headers",
];

fn property(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    if NUMBERS.contains(&name) {
        let number: u64 = value.parse().map_err(|_| format!("the value of {name} is a number"))?;
        return Ok((name.to_owned(), json!(number)));
    }
    if name == "headers" || !TEXTS.contains(&name) {
        return Err(format!("there is no property '{name}'; headers are set with --header"));
    }
    Ok((name.to_owned(), json!(value)))
}

impl Publication {
    pub(super) fn run(self, desk: &mut Desk, vhost: &str) -> Result<(), Failure> {
        let body = self.read()?;
        let (payload, encoding) = match std::str::from_utf8(&body) {
            Ok(text) => (text.to_owned(), "string"),
            Err(_) => (STANDARD.encode(&body), "base64"),
        };
        let mut properties: Map<String, Value> = self.property.into_iter().collect();
        if self.persistent {
            properties.insert("delivery_mode".to_owned(), json!(2));
        }
        if !self.header.is_empty() {
            let headers: Map<String, Value> = self.header.into_iter().collect();
            properties.insert("headers".to_owned(), Value::Object(headers));
        }
        let what = exchanges::of(vhost, &self.exchange);
        let message = json!({
            "routing_key": self.routing_key,
            "properties": properties,
            "payload": payload,
            "payload_encoding": encoding,
        });
        let parts = ["exchanges", vhost, exchanges::in_path(&self.exchange), "publish"];
        if desk.is_dry_run() {
            let said = format!("a message of {} bytes would be published to {what}", body.len());
            return desk.output.done(&said);
        }
        let request = Request::post(path(&parts), &message);
        let answer = desk.ask(&request).map_err(|failure| crate::cli::desk::named(failure, &what))?;
        let routed = answer.json()?.get("routed").and_then(Value::as_bool).unwrap_or(false);
        if !routed && self.require_route {
            return Err(Failure::new(exit::DATA, format!("no queue took the message from {what}"))
                .because(format!("nothing is bound there that '{}' matches", self.routing_key)));
        }
        let said = if routed { "published" } else { "published, but no queue took it" };
        desk.output.said(&json!({ "routed": routed }), said)
    }

    fn read(&self) -> Result<Vec<u8>, Failure> {
        if let Some(file) = &self.file {
            return std::fs::read(file).map_err(|error| Failure::unreadable(file, &error));
        }
        match self.body.as_deref() {
            Some("-") => {
                let mut body = Vec::new();
                let read = std::io::stdin().lock().read_to_end(&mut body);
                read.map_err(|error| Failure::unreadable("standard input".as_ref(), &error))?;
                Ok(body)
            }
            body => Ok(body.unwrap_or_default().as_bytes().to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_known_by_their_names() {
        assert_eq!(property("priority=5"), Ok(("priority".to_owned(), json!(5))));
        assert_eq!(property("expiration=5"), Ok(("expiration".to_owned(), json!("5"))));
        assert_eq!(property("type=a=b"), Ok(("type".to_owned(), json!("a=b"))));
        for wrong in ["priority=high", "colour=red", "headers={}", "type"] {
            assert!(property(wrong).is_err(), "{wrong}");
        }
    }
}
