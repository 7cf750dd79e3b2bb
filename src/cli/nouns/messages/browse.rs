//! Looking at the messages of a queue without taking any.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::cli::client::{path, query};
use crate::cli::desk::{Desk, named};
use crate::cli::failure::Failure;
use crate::cli::nouns::duration::words;
use crate::cli::nouns::filter::FilterFlags;
use crate::cli::nouns::queues;
use crate::cli::output::Format;

/// As many as are shown at a time.
const PAGE: usize = 500;

/// Which messages, and how much of them.
#[derive(Debug, Args)]
pub(super) struct Browsing {
    /// The queue.
    queue: String,
    /// Which messages: ready ones, those that consumers hold, or those that wait for a time
    #[arg(long, value_enum, value_name = "STATE", default_value_t = State::Ready)]
    state: State,
    /// How many at most
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50)]
    limit: usize,
    /// Show so many bytes of each body at most
    #[arg(long, value_name = "BYTES")]
    truncate: Option<usize>,
    #[command(flatten)]
    filter: FilterFlags,
}

/// Where messages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum State {
    Ready,
    Unacked,
    Scheduled,
    Retrying,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Unacked => "unacked",
            Self::Scheduled => "scheduled",
            Self::Retrying => "retrying",
        }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Ready => &[
                "position",
                "age",
                "exchange",
                "routing_key",
                "redelivered",
                "payload_bytes",
                "payload",
                "properties",
            ],
            Self::Unacked => &[
                "position",
                "age",
                "exchange",
                "routing_key",
                "holder.user",
                "holder.consumer_tag",
                "holder.connection",
                "payload",
            ],
            Self::Scheduled | Self::Retrying => {
                &["id", "due", "exchange", "routing_key", "payload_bytes", "payload", "properties"]
            }
        }
    }
}

impl Browsing {
    pub(super) fn run(&self, desk: &mut Desk, vhost: &str) -> Result<(), Failure> {
        let what = queues::of(vhost, &self.queue);
        let place = path(&["leveret", "queues", vhost, &self.queue, "messages"]);
        desk.output.clone().watched(|| {
            let messages = self.read(desk, &place).map_err(|failure| named(failure, &what))?;
            desk.output.list(in_words(&desk.output, messages), self.state.columns())
        })
    }

    fn read(&self, desk: &mut Desk, place: &str) -> Result<Vec<Value>, Failure> {
        let mut fields = self.filter.fields();
        fields.push(("state".to_owned(), self.state.name().to_owned()));
        fields.extend(self.truncate.map(|bytes| ("truncate".to_owned(), bytes.to_string())));
        pages(desk, place, &fields, self.limit)
    }
}

/// So many messages, however many answers that takes.
pub(super) fn pages(
    desk: &mut Desk,
    place: &str,
    fields: &[(String, String)],
    limit: usize,
) -> Result<Vec<Value>, Failure> {
    let mut messages: Vec<Value> = Vec::new();
    let mut after: Option<String> = None;
    while messages.len() < limit {
        let count = (limit - messages.len()).min(PAGE).to_string();
        let mut fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fields.push(("limit", &count));
        fields.extend(after.as_deref().map(|after| ("after", after)));
        let mut answer = desk.get(&query(place, &fields))?;
        if let Some(Value::Array(found)) = answer.get_mut("messages").map(Value::take) {
            messages.extend(found);
        }
        after = answer.get("next").and_then(Value::as_str).map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    Ok(messages)
}

/// For people: ages in words. Programs are given milliseconds.
pub(super) fn in_words(output: &crate::cli::output::OutputFlags, mut messages: Vec<Value>) -> Vec<Value> {
    if output.format() != Format::Table {
        return messages;
    }
    for message in &mut messages {
        if let Some(age) = message.get_mut("age") {
            *age = json!(words(age.as_u64().unwrap_or(0)));
        }
        if let Some(due) = message.get_mut("due") {
            *due = json!(from_now(due.as_u64().unwrap_or(0)));
        }
    }
    messages
}

fn from_now(due: u64) -> String {
    let now = crate::time::Time::now().as_millis();
    match due.checked_sub(now) {
        Some(left) => format!("in {}", words(left)),
        None => "now".to_owned(),
    }
}
