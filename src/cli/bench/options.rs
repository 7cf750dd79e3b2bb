//! The options of `leveret bench`.

use super::url::AmqpUrl;
use crate::config::{parse_bytes, parse_duration};
use clap::{Args, ValueEnum};
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

/// The largest body and the largest batch, in bytes.
const SIZE_MAX: usize = 1 << 30;

const EXAMPLES: &str = "\
Examples:
  As fast as it goes, small messages, for ten seconds:
    leveret bench --auto-ack
  One acknowledgement a message, confirms with a window of 1000, 1 KB:
    leveret bench --size 1KiB --prefetch 1000 --confirm-window 1000
  The same with persistent messages in durable queues, and how long one confirm takes when nothing else is on its way:
    leveret bench --persistent --size 1KiB --prefetch 1000 --confirm-window 1000
    leveret bench --persistent --size 1KiB --prefetch 1000 --confirm-window 1
  Latency at an even 20,000 messages a second:
    leveret bench --size 1KiB --rate 20000 --prefetch 1000 --duration 30s
  A topic exchange with 10,000 bindings over 100 queues:
    leveret bench --exchange-type topic --bindings 10000 --queues 100 --producers 4 --consumers 4 --auto-ack
  Fill two million messages, then drain them:
    leveret bench --scenario backlog --size 100 --messages 2000000 --auto-ack
  A million messages that expire at random moments of ten seconds, and what that costs beside delivering as many:
    leveret bench --scenario expire --size 100 --prefetch 1000 --pid $(pidof leveret)
  Ten priorities, and a thousand message groups of which each belongs to one consumer at a time:
    leveret bench --auto-ack --priorities 10 --queue-arg x-max-priority=10
    leveret bench --prefetch 100 --consumers 4 --exchange-type direct --bindings 1000 --queue-arg x-message-group=routing-key
  Fill a queue and leave it, for instance to restart the broker; then see what is left of it:
    leveret bench --scenario backlog --name kept --keep --consumers 0 --persistent --confirm-window 1000 --messages 1000000
    leveret bench --scenario drain --name kept
  Connections opened and closed, queues declared (exclusive, or durable ones), memory of idle connections:
    leveret bench --scenario connections --connections 16
    leveret bench --scenario queues
    leveret bench --scenario queues --durable --connections 8
    leveret bench --scenario idle --connections 5000 --pid $(pidof leveret)
  What the disk gives to whoever overwrites a file in batches with an fdatasync each; no broker is asked:
    leveret bench --scenario disk --dir . --batch-size 64KiB

Queues and the exchange have names of their own and are deleted at the end, also on Ctrl-C, unless --keep is given.";

/// Puts load on an AMQP 0-9-1 broker and reports rates and latencies
#[derive(Args, Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // flags of a command line
#[command(after_help = EXAMPLES)]
pub struct BenchOptions {
    /// The broker; with TLS by amqps and, behind a question mark, cacertfile=FILE to trust the certificates in a file
    #[arg(
        long,
        value_name = "amqp://USER:PASSWORD@HOST:PORT/VHOST",
        default_value = "amqp://guest:guest@127.0.0.1:5672/"
    )]
    pub url: AmqpUrl,

    /// What to measure
    #[arg(long, value_enum, default_value_t = Scenario::Flow)]
    pub scenario: Scenario,

    /// Connections that publish
    #[arg(long, value_name = "N", default_value = "1")]
    pub producers: NonZeroUsize,

    /// Connections that consume; 0 leaves the messages in the queues
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub consumers: usize,

    /// Queues; producers and consumers are dealt out over them
    #[arg(long, value_name = "N", default_value = "1")]
    pub queues: NonZeroUsize,

    /// Publish through an exchange of this type instead of the default exchange
    #[arg(long, value_name = "TYPE")]
    pub exchange_type: Option<String>,

    /// Bindings of that exchange, dealt out over the queues; at least one a queue
    #[arg(long, value_name = "N", requires = "exchange_type")]
    pub bindings: Option<NonZeroUsize>,

    /// Size of a body, in bytes or with a unit (1KiB); from 8 on it carries the time that end-to-end latency is
    /// measured with
    #[arg(long, value_name = "SIZE", default_value = "16", value_parser = size)]
    pub size: usize,

    /// Unacknowledged messages a consumer may hold; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub prefetch: u16,

    /// Consume without acknowledgements
    #[arg(long)]
    pub auto_ack: bool,

    /// Acknowledge N messages at once, with the flag multiple
    #[arg(long, value_name = "N", default_value = "1", conflicts_with = "auto_ack")]
    pub ack_batch: NonZeroU32,

    /// Use publisher confirms, with at most N messages unconfirmed a producer
    #[arg(long, value_name = "N")]
    pub confirm_window: Option<NonZeroU32>,

    /// Publish persistent messages to durable queues
    #[arg(long)]
    pub persistent: bool,

    /// Declare durable queues although the messages are transient; the scenario queues: durable ones, not exclusive
    #[arg(long)]
    pub durable: bool,

    /// Publish with the priorities 0 to N - 1 in turn; the queues want --queue-arg x-max-priority=N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub priorities: Option<u8>,

    /// Scenario expire: how long messages wait before the first of them expires
    #[arg(long, value_name = "SECONDS", value_parser = parse_duration, default_value = "10")]
    pub expire_after: Duration,

    /// Type of the queues: the argument x-queue-type; quorum queues are durable
    #[arg(long, value_enum)]
    pub queue_type: Option<QueueType>,

    /// Argument of every queue: an integer, true, false or else a string (repeatable)
    #[arg(long, value_name = "K=V", value_parser = queue_argument)]
    pub queue_arg: Vec<(String, ArgumentValue)>,

    /// Call the queues NAME.0, NAME.1 and so on, and the exchange NAME, instead of a name that nobody else has
    #[arg(long, required_if_eq("scenario", "drain"))]
    pub name: Option<String>,

    /// Leave the queues and what is in them; with --name they can be drained later
    #[arg(long, requires = "name")]
    pub keep: bool,

    /// Messages a second of all producers together, evenly paced
    #[arg(long, value_name = "N")]
    pub rate: Option<NonZeroU64>,

    /// How long to measure: seconds, or with a unit (5s, 500ms, 1m); 10s unless --messages ends the run
    #[arg(long, value_name = "SECONDS", value_parser = parse_duration)]
    pub duration: Option<Duration>,

    /// Seconds of load before measuring begins
    #[arg(long, value_name = "SECONDS", value_parser = parse_duration, default_value = "0")]
    pub warmup: Duration,

    /// End after this many messages of all producers together (or queues, or connections opened)
    #[arg(long, value_name = "N")]
    pub messages: Option<NonZeroU64>,

    /// Connections of the scenarios connections (at once), idle (in all) and queues
    #[arg(long, value_name = "N")]
    pub connections: Option<NonZeroUsize>,

    /// Where the scenario disk writes: a file of its own, which it removes
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,

    /// What the scenario disk writes before each fdatasync, in bytes or with a unit
    #[arg(long, value_name = "SIZE", default_value = "4KiB", value_parser = size)]
    pub batch_size: usize,

    /// Report processor time and memory of this process and its children: the broker's
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,

    /// Print one JSON object to standard output and nothing else
    #[arg(long)]
    pub json: bool,
}

/// What a run does with the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Producers and consumers at the same time
    Flow,
    /// Producers first, without consumers; then consumers until the queues are empty
    Backlog,
    /// Consumers only, of the queues that --keep has left under --name, until they are empty
    Drain,
    /// Producers of messages that expire at random moments within --duration (10 s), a million of them unless --messages
    /// says; then of as many that are drained, and of as many that are consumed while they are published as evenly as the
    /// first ones expired: with --pid, what one of each costs the broker
    Expire,
    /// Open and close connections, one after the other on each of --connections (8) threads
    Connections,
    /// Declare exclusive queues (durable ones with --durable), then delete them, on --connections (4) connections
    Queues,
    /// Hold --connections (1000) connections that do nothing; with --pid, the memory of one
    Idle,
    /// No broker: overwrite a file of 64 MiB in --dir in batches of --batch-size, each with an fdatasync
    Disk,
}

/// The type of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum QueueType {
    /// On one machine.
    Classic,
    /// Replicated, where the broker replicates.
    Quorum,
}

impl QueueType {
    /// The value of `x-queue-type`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
        }
    }
}

/// The value of a queue's argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgumentValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A signed 64-bit integer.
    Integer(i64),
    /// Anything else.
    Text(String),
}

impl BenchOptions {
    /// How many messages are published, if that ends the run.
    pub(super) fn messages_in_all(&self) -> Option<NonZeroU64> {
        let expiring = NonZeroU64::new(1_000_000).filter(|_| self.scenario == Scenario::Expire);
        self.messages.or(expiring)
    }

    /// How long to measure; none when only the number of messages ends the run.
    pub(super) fn measured(&self) -> Option<Duration> {
        self.duration.or_else(|| self.messages.is_none().then_some(Duration::from_secs(10)))
    }
}

fn size(text: &str) -> Result<usize, String> {
    let bytes = parse_bytes(text).map_err(|why| why.to_string())?;
    usize::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes <= SIZE_MAX)
        .ok_or_else(|| "expected at most 1GiB".to_owned())
}

fn queue_argument(text: &str) -> Result<(String, ArgumentValue), String> {
    let (key, value) = text.split_once('=').ok_or("expected K=V")?;
    let value = match (value, value.parse()) {
        ("true", _) => ArgumentValue::Boolean(true),
        ("false", _) => ArgumentValue::Boolean(false),
        (_, Ok(integer)) => ArgumentValue::Integer(integer),
        (text, Err(_)) => ArgumentValue::Text(text.to_owned()),
    };
    Ok((key.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        bench: BenchOptions,
    }

    fn parse(line: &str) -> Result<BenchOptions, clap::Error> {
        let words = std::iter::once("bench").chain(line.split_ascii_whitespace());
        Line::try_parse_from(words).map(|line| line.bench)
    }

    #[test]
    fn a_run_ends_after_ten_seconds_unless_told_otherwise() {
        for (line, seconds) in [
            ("", Some(10)),
            ("--duration 3", Some(3)),
            ("--messages 5", None),
            ("--messages 5 --duration 2s", Some(2)),
        ] {
            assert_eq!(parse(line).unwrap().measured(), seconds.map(Duration::from_secs), "{line}");
        }
    }

    #[test]
    fn queue_arguments_take_the_type_that_they_look_like() {
        let options =
            parse("--queue-arg x-max-length=5 --queue-arg a=true --queue-arg x-overflow=reject-publish=x");
        assert_eq!(
            options.unwrap().queue_arg,
            [
                ("x-max-length".to_owned(), ArgumentValue::Integer(5)),
                ("a".to_owned(), ArgumentValue::Boolean(true)),
                ("x-overflow".to_owned(), ArgumentValue::Text("reject-publish=x".to_owned())),
            ]
        );
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        for line in [
            "--auto-ack --ack-batch 5",
            "--bindings 5",
            "--queues 0",
            "--queue-arg x",
            "--url http://h",
            "--keep",
            "--scenario drain",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_run_without_a_producer_is_refused() {
        assert!(parse("--producers 0").is_err());
        assert_eq!(parse("--producers 2").unwrap().producers.get(), 2);
    }

    #[test]
    fn a_size_is_bytes_or_has_a_unit() {
        for (line, size) in [
            ("", 16),
            ("--size 100", 100),
            ("--size 1KiB", 1024),
            ("--size 1kB", 1000),
            ("--size 2m", 2 << 20),
        ] {
            assert_eq!(parse(line).unwrap().size, size, "{line}");
        }
        assert!(parse("--size 1x").is_err());
        assert!(parse("--size 2GiB").is_err());
    }
}
