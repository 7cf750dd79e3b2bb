//! Taking messages out of a queue.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::client::{Request, path};
use crate::cli::desk::{Desk, named};
use crate::cli::failure::Failure;
use crate::cli::nouns::queues;

const COLUMNS: [&str; 6] =
    ["exchange", "routing_key", "redelivered", "payload_bytes", "payload", "properties"];

/// Which messages, and what becomes of them.
#[derive(Debug, Args)]
pub(super) struct Getting {
    /// The queue.
    queue: String,
    /// How many at most
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 1)]
    count: u32,
    /// Put them back at their places; they count as redelivered then
    #[arg(long)]
    requeue: bool,
    /// Reject them: without --requeue they go to the dead-letter exchange, if the queue has one
    #[arg(long)]
    reject: bool,
    /// Show so many bytes of each body at most
    #[arg(long, value_name = "BYTES")]
    truncate: Option<u32>,
}

impl Getting {
    pub(super) fn run(&self, desk: &mut Desk, vhost: &str) -> Result<(), Failure> {
        let Self { queue, count, requeue, reject, truncate } = self;
        let what = queues::of(vhost, queue);
        if desk.is_dry_run() {
            let found = desk.find(&path(&["queues", vhost, queue]), &what)?;
            let ready = found.get("messages_ready").and_then(Value::as_u64).unwrap_or(0);
            let taken = ready.min(u64::from(*count));
            return desk.output.done(&format!(
                "{taken} of {} would be taken out of {what}",
                queues::counted(ready, "message")
            ));
        }
        let ackmode = match (reject, requeue) {
            (false, false) => "ack_requeue_false",
            (false, true) => "ack_requeue_true",
            (true, false) => "reject_requeue_false",
            (true, true) => "reject_requeue_true",
        };
        let mut body = json!({ "count": count, "ackmode": ackmode, "encoding": "auto" });
        if let (Some(truncate), Some(body)) = (truncate, body.as_object_mut()) {
            body.insert("truncate".to_owned(), json!(truncate));
        }
        let request = Request::post(path(&["queues", vhost, queue, "get"]), &body);
        let answer = desk.ask(&request).map_err(|failure| named(failure, &what))?.json()?;
        let messages = answer.as_array().cloned().unwrap_or_default();
        desk.output.list(messages, &COLUMNS)
    }
}
