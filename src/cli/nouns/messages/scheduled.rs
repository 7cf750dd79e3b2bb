//! Messages that wait for a time: listed, given another time, taken back.

use clap::{Args, Subcommand};
use serde_json::json;

use super::browse::{in_words, pages};
use crate::cli::client::{Request, path};
use crate::cli::desk::{Desk, named};
use crate::cli::failure::Failure;
use crate::cli::nouns::duration::millis;
use crate::cli::nouns::exchanges::in_path;
use crate::cli::nouns::queues::counted;

const COLUMNS: [&str; 6] = ["id", "due", "exchange", "routing_key", "payload_bytes", "payload"];

/// What to do with messages that wait for a time.
#[derive(Debug, Subcommand)]
pub(super) enum Scheduled {
    /// List them, the next first.
    #[command(visible_alias = "list")]
    Ls {
        #[command(flatten)]
        place: Place,
        /// How many at most
        #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50)]
        limit: usize,
    },
    /// Give one another time.
    Reschedule {
        #[command(flatten)]
        place: Place,
        /// The message, as it is listed.
        id: String,
        /// So long from now, such as 30s, 5m or 2h
        #[arg(long = "in", value_name = "TIME", value_parser = millis, required_unless_present = "at")]
        delay: Option<u64>,
        /// At this time, in milliseconds since the beginning of 1970
        #[arg(long, value_name = "MILLISECONDS", conflicts_with = "delay")]
        at: Option<u64>,
    },
    /// Take some back: they are dropped.
    #[command(visible_alias = "delete")]
    Cancel {
        #[command(flatten)]
        place: Place,
        /// The messages, as they are listed.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

/// Where they wait.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The queue, or with --of-exchange the exchange, in which they wait.
    name: String,
    /// It is an exchange of type x-delayed-message
    #[arg(long)]
    of_exchange: bool,
}

impl Place {
    fn parts<'a>(&'a self, vhost: &'a str) -> [&'a str; 5] {
        let (kind, name) = if self.of_exchange {
            ("exchanges", in_path(&self.name))
        } else {
            ("queues", self.name.as_str())
        };
        ["leveret", kind, vhost, name, "scheduled"]
    }

    fn of(&self, vhost: &str) -> String {
        let kind = if self.of_exchange { "exchange" } else { "queue" };
        format!("{kind} '{}' in vhost '{vhost}'", self.name)
    }

    fn one<'a>(&'a self, vhost: &'a str, id: &'a str) -> (String, String) {
        let parts: Vec<&str> = self.parts(vhost).into_iter().chain([id]).collect();
        (path(&parts), format!("scheduled message '{id}' of {}", self.of(vhost)))
    }
}

impl Scheduled {
    pub(super) fn run(&self, desk: &mut Desk, vhost: &str) -> Result<(), Failure> {
        match self {
            Self::Ls { place, limit } => desk.output.clone().watched(|| {
                let found = pages(desk, &path(&place.parts(vhost)), &[], *limit);
                let found = found.map_err(|failure| named(failure, &place.of(vhost)))?;
                desk.output.list(in_words(&desk.output, found), &COLUMNS)
            }),
            Self::Reschedule { place, id, delay, at } => {
                let (path, what) = place.one(vhost, id);
                let body = match (delay, at) {
                    (Some(delay), _) => json!({ "delay": delay }),
                    (None, at) => json!({ "due": at }),
                };
                desk.change(&Request::put(path, &body), &what, "rescheduled")
            }
            Self::Cancel { place, ids } => {
                let count = u64::try_from(ids.len()).unwrap_or(u64::MAX);
                desk.confirm(&format!(
                    "drop {} of {}?",
                    counted(count, "scheduled message"),
                    place.of(vhost)
                ))?;
                desk.each(ids, |desk, id| {
                    let (path, what) = place.one(vhost, id);
                    desk.change(&Request::delete(path), &what, "cancelled")
                })
            }
        }
    }
}
