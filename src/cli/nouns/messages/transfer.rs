//! Moving messages, and sending dead letters back to where they died.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use crate::cli::client::{Request, path};
use crate::cli::desk::{Desk, named};
use crate::cli::failure::Failure;
use crate::cli::nouns::filter::FilterFlags;
use crate::cli::nouns::{jobs, queues};

/// How a long job is done.
#[derive(Debug, Args)]
struct Pace {
    /// Move so many at most
    #[arg(long, short = 'n', value_name = "COUNT")]
    limit: Option<u64>,
    /// Move so many a second at most
    #[arg(long, value_name = "RATE")]
    rate: Option<f64>,
    /// Begin, and do not wait for the end: 'leveret jobs' tells how it goes
    #[arg(long)]
    detach: bool,
}

/// Which messages go where.
#[derive(Debug, Args)]
pub(super) struct Moving {
    /// The queue that they are in.
    queue: String,
    /// The queue that they go to.
    #[arg(required_unless_present = "to_exchange", conflicts_with = "to_exchange")]
    to: Option<String>,
    /// Publish them to an exchange instead
    #[arg(long, value_name = "NAME")]
    to_exchange: Option<String>,
    /// With this routing key in place of their own
    #[arg(long, value_name = "KEY", requires = "to_exchange")]
    with_key: Option<String>,
    #[command(flatten)]
    pace: Pace,
    #[command(flatten)]
    filter: FilterFlags,
}

/// Which dead letters go back.
#[derive(Debug, Args)]
pub(super) struct Redriving {
    /// The queue that they are in.
    queue: String,
    /// Where each goes: to the queue that it died in, or to the exchange that it was published to
    #[arg(long, value_enum, value_name = "WHERE", default_value_t = Origin::Queue)]
    to: Origin,
    /// Of one that died several times: where it died first, or last
    #[arg(long, value_enum, value_name = "DEATH", default_value_t = Death::First)]
    death: Death,
    /// What was sent back so often stays
    #[arg(long, value_name = "COUNT")]
    max_redrives: Option<u64>,
    #[command(flatten)]
    pace: Pace,
    #[command(flatten)]
    filter: FilterFlags,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Origin {
    Queue,
    Exchange,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Death {
    First,
    Last,
}

impl Moving {
    pub(super) fn run(&self, desk: &mut Desk, vhost: &str) -> Result<(), Failure> {
        let to = match (&self.to, &self.to_exchange) {
            (_, Some(exchange)) => match &self.with_key {
                Some(key) => json!({ "exchange": exchange, "routing_key": key }),
                None => json!({ "exchange": exchange }),
            },
            (to, None) => json!({ "queue": to }),
        };
        let body = Map::from_iter([("to".to_owned(), to)]);
        begin(desk, vhost, &self.queue, "move", body, &self.pace, &self.filter)
    }
}

impl Redriving {
    pub(super) fn run(&self, desk: &mut Desk, vhost: &str) -> Result<(), Failure> {
        let to = match self.to {
            Origin::Queue => "queue",
            Origin::Exchange => "exchange",
        };
        let death = match self.death {
            Death::First => "first",
            Death::Last => "last",
        };
        let mut body = Map::from_iter([("to".to_owned(), json!(to)), ("death".to_owned(), json!(death))]);
        if let Some(max) = self.max_redrives {
            body.insert("max_redrives".to_owned(), json!(max));
        }
        begin(desk, vhost, &self.queue, "redrive", body, &self.pace, &self.filter)
    }
}

fn begin(
    desk: &mut Desk,
    vhost: &str,
    queue: &str,
    verb: &str,
    mut body: Map<String, Value>,
    pace: &Pace,
    filter: &FilterFlags,
) -> Result<(), Failure> {
    let further = [
        ("limit", pace.limit.map(|limit| json!(limit))),
        ("rate", pace.rate.map(|rate| json!(rate))),
        ("filter", Some(filter.json())),
        // What would go is counted by the broker.
        ("dry_run", Some(json!(desk.is_dry_run()))),
    ];
    body.extend(further.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    let request = Request::post(path(&["leveret", "queues", vhost, queue, verb]), &Value::Object(body));
    let job = desk.ask(&request).map_err(|failure| named(failure, &queues::of(vhost, queue)))?.json()?;
    if pace.detach { jobs::begun(desk, &job) } else { jobs::follow(desk, job) }
}
