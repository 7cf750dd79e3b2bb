//! `leveret tail`: follows a queue without taking anything from it.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::filter::FilterFlags;
use super::queues;
use super::vhost::VhostFlag;
use crate::cli::client::{path, query};
use crate::cli::desk::{Desk, DeskFlags, named};
use crate::cli::failure::Failure;
use crate::cli::output::{Format, cell, print};

const EXAMPLES: &str = "\
Examples:
  leveret tail orders                          what comes from now on, until Ctrl-C
  leveret tail orders -n 10                    the last ten first
  leveret tail orders --routing-key order.paid --header tenant=a
  leveret tail orders -o jsonl | jq .payload
  leveret tail orders -n 100 --no-follow       what is there, and no more";

/// So many messages are asked for at a time.
const PAGE: &str = "1000";

/// Follow a queue without consuming: show each message that comes.
///
/// The messages are looked at where they wait or are being worked on. One that comes and is acknowledged between two looks is
/// not seen: look more often with --interval.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct TailOptions {
    /// The queue.
    queue: String,
    /// Begin with so many of the last messages
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 0)]
    last: u64,
    /// Do not wait for more
    #[arg(long)]
    no_follow: bool,
    /// How many seconds lie between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    interval: f64,
    /// Show so many bytes of each body at most
    #[arg(long, value_name = "BYTES")]
    truncate: Option<usize>,
    #[command(flatten)]
    filter: FilterFlags,
    #[command(flatten)]
    vhost: VhostFlag,
    #[command(flatten)]
    desk: DeskFlags,
}

/// How far a queue was read.
struct Tail<'a> {
    place: String,
    fields: Vec<(String, String)>,
    what: String,
    /// The first position that was not shown yet.
    from: u64,
    /// The highest priority that messages have.
    priority_max: u64,
    /// Unacked messages that have been there for longer were seen before; at the first look all are new.
    new_within: Option<Duration>,
    desk: &'a mut Desk,
}

/// Does what the command says.
pub(in crate::cli) fn run(options: TailOptions) -> ExitCode {
    let TailOptions { queue, last, no_follow, interval, truncate, filter, vhost, desk } = options;
    desk.run(|desk| {
        let vhost = desk.vhost(vhost.given());
        let what = queues::of(&vhost, &queue);
        let known = desk.find(&path(&["queues", &vhost, &queue]), &what)?;
        let priority_max = known.pointer("/arguments/x-max-priority").and_then(Value::as_u64).unwrap_or(0);
        let place = path(&["leveret", "queues", &vhost, &queue, "messages"]);
        let end = desk.get(&query(&place, &[("limit", "1")])).map_err(|failure| named(failure, &what))?;
        let end = end.get("next_position").and_then(Value::as_u64).unwrap_or(0);
        let mut fields = filter.fields();
        fields.extend(truncate.map(|bytes| ("truncate".to_owned(), bytes.to_string())));
        let interval = Duration::from_secs_f64(interval.clamp(0.05, 3600.0));
        let from = end.saturating_sub(last);
        let mut tail = Tail { place, fields, what, from, priority_max, new_within: None, desk };
        loop {
            tail.show()?;
            if no_follow {
                return Ok(());
            }
            // What came since the last look, with some time for looks that take long.
            tail.new_within = Some(interval * 3 + Duration::from_secs(10));
            std::thread::sleep(interval);
        }
    })
}

impl Tail<'_> {
    /// Shows what has come since the last look.
    fn show(&mut self) -> Result<(), Failure> {
        let mut found = Vec::new();
        for level in 0..=self.priority_max {
            found.extend(self.ready(level)?);
        }
        found.extend(self.unacked()?);
        found.retain(|message| position(message) >= self.from);
        found.sort_by_key(position);
        // One that was given to somebody between the two answers is in both.
        found.dedup_by_key(|message| position(message));
        if let Some(last) = found.last() {
            self.from = position(last) + 1;
        }
        found.iter().try_for_each(|message| self.print(message))
    }

    /// The ready ones of a priority.
    fn ready(&mut self, level: u64) -> Result<Vec<Value>, Failure> {
        let of_level = format!("{level}-");
        let mut after = Some(format!("{of_level}{}", self.from));
        let mut found = Vec::new();
        while let Some(mark) = after.filter(|mark| mark.starts_with(&of_level)) {
            let (page, next) = self.page(&[("state", "ready"), ("after", &mark)])?;
            let is_of_level =
                |message: &Value| message.get("priority").and_then(Value::as_u64).unwrap_or(0) == level;
            found.extend(page.into_iter().filter(is_of_level));
            after = next;
        }
        Ok(found)
    }

    fn unacked(&mut self) -> Result<Vec<Value>, Failure> {
        let age = self.new_within.map(|age| age.as_millis().to_string());
        let mut after: Option<String> = None;
        let mut found = Vec::new();
        loop {
            let mut further = vec![("state", "unacked")];
            further.extend(age.as_deref().map(|age| ("max_age", age)));
            further.extend(after.as_deref().map(|mark| ("after", mark)));
            let (page, next) = self.page(&further)?;
            found.extend(page.into_iter().filter(|message| position(message) >= self.from));
            if next.is_none() {
                return Ok(found);
            }
            after = next;
        }
    }

    fn page(&mut self, further: &[(&str, &str)]) -> Result<(Vec<Value>, Option<String>), Failure> {
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        // What is asked for by the user goes before what we would.
        let further = further.iter().filter(|(name, _)| !self.fields.iter().any(|(known, _)| known == name));
        let fields: Vec<(&str, &str)> = fields.chain(further.copied()).chain([("limit", PAGE)]).collect();
        let answer = self.desk.get(&query(&self.place, &fields));
        let mut answer = answer.map_err(|failure| named(failure, &self.what))?;
        let next = answer.get("next").and_then(Value::as_str).map(str::to_owned);
        match answer.get_mut("messages").map(Value::take) {
            Some(Value::Array(messages)) => Ok((messages, next)),
            _ => Ok((Vec::new(), next)),
        }
    }

    /// A line each: it is to be read while it grows.
    fn print(&self, message: &Value) -> Result<(), Failure> {
        let text = |name: &str| message.get(name).map(cell).unwrap_or_default();
        match self.desk.output.format() {
            Format::Json | Format::Jsonl => self.desk.output.said(message, ""),
            Format::Table | Format::Plain | Format::Csv => print(&format!(
                "{}\t{}\t{}\t{}\n",
                text("position"),
                text("exchange"),
                text("routing_key"),
                payload(message)
            )),
        }
    }
}

fn position(message: &Value) -> u64 {
    message.get("position").and_then(Value::as_u64).unwrap_or(0)
}

/// The body, or how long it is where it is no text.
fn payload(message: &Value) -> String {
    if message.get("payload_encoding") == Some(&json!("base64")) {
        let bytes = message.get("payload_bytes").and_then(Value::as_u64).unwrap_or(0);
        return format!("({} that are no text)", queues::counted(bytes, "byte"));
    }
    message.get("payload").map(cell).unwrap_or_default()
}
