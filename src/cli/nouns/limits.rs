//! `leveret limits`: how much virtual hosts and users may have and do.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::cli::client::{Request, path};
use crate::cli::desk::{Desk, DeskFlags};
use crate::cli::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  leveret limits ls                                         of all virtual hosts and users
  leveret limits ls user
  leveret limits ls vhost shop -o json
  leveret limits declare vhost shop max-queues 100
  leveret limits declare user ops max-connections 10
  leveret limits delete vhost shop max-queues --yes

Of virtual hosts: max-connections, max-queues; of users: max-connections, max-channels; of both: max-publish-rate (messages
a second), max-publish-bytes-rate.";

const COLUMNS: [&str; 4] = ["of", "name", "limit", "value"];

/// List, set and delete limits of virtual hosts and users.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "limit")]
pub(in crate::cli) struct LimitsOptions {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    desk: DeskFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List limits.
    #[command(visible_alias = "list")]
    Ls {
        /// Only those of virtual hosts, or of users.
        of: Option<Of>,
        /// Only those of this virtual host or user.
        name: Option<String>,
    },
    /// Set a limit.
    #[command(visible_alias = "set")]
    Declare {
        /// Whose limit it is: that of a virtual host or of a user.
        of: Of,
        /// The virtual host or user.
        name: String,
        /// The limit.
        limit: String,
        /// How much it is; below zero is none.
        #[arg(allow_negative_numbers = true)]
        value: i64,
    },
    /// Delete a limit.
    #[command(visible_alias = "clear")]
    Delete {
        /// Whose limit it is: that of a virtual host or of a user.
        of: Of,
        /// The virtual host or user.
        name: String,
        /// The limit.
        limit: String,
    },
}

/// Who has a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Of {
    Vhost,
    User,
}

impl Of {
    fn called(self) -> &'static str {
        match self {
            Self::Vhost => "vhost",
            Self::User => "user",
        }
    }

    fn part(self) -> &'static str {
        match self {
            Self::Vhost => "vhost-limits",
            Self::User => "user-limits",
        }
    }

    fn what(self, name: &str, limit: &str) -> String {
        format!("limit {limit} of {} '{name}'", self.called())
    }
}

/// Does what the command says.
pub(in crate::cli) fn run(options: LimitsOptions) -> ExitCode {
    let LimitsOptions { verb, desk } = options;
    desk.run(|desk| act(verb, desk))
}

fn act(verb: Verb, desk: &mut Desk) -> Result<(), Failure> {
    match verb {
        Verb::Ls { of, name } => desk.output.clone().watched(|| {
            let of_both = [Of::Vhost, Of::User].into_iter().filter(|one| of.is_none_or(|of| of == *one));
            let mut rows = Vec::new();
            for of in of_both {
                let parts: Vec<&str> = [of.part()].into_iter().chain(name.as_deref()).collect();
                let found = desk.get(&path(&parts))?;
                rows.extend(found.as_array().into_iter().flatten().flat_map(|owner| limits(of, owner)));
            }
            desk.output.list(rows, &COLUMNS)
        }),
        Verb::Declare { of, name, limit, value } => {
            let request = Request::put(path(&[of.part(), &name, &limit]), &json!({ "value": value }));
            desk.change(&request, &of.what(&name, &limit), &format!("set to {value}"))
        }
        Verb::Delete { of, name, limit } => {
            let what = of.what(&name, &limit);
            desk.confirm(&format!("delete {what}?"))?;
            desk.change(&Request::delete(path(&[of.part(), &name, &limit])), &what, "deleted")
        }
    }
}

/// A row for each limit of one that has some.
fn limits(of: Of, owner: &Value) -> Vec<Value> {
    let name = owner.get(of.called()).cloned().unwrap_or(Value::Null);
    let limits = owner.get("value").and_then(Value::as_object).into_iter().flatten();
    limits
        .map(|(limit, value)| json!({ "of": of.called(), "name": name, "limit": limit, "value": value }))
        .collect()
}
