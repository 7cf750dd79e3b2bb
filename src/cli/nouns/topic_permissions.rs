//! `leveret topic-permissions`: with which keys of topic exchanges users may publish and bind.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::exchanges::in_path;
use super::listing::{Kind, ListFlags};
use super::vhost::VhostFlag;
use crate::cli::client::{Request, path};
use crate::cli::desk::{Desk, DeskFlags};
use crate::cli::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  leveret topic-permissions ls
  leveret topic-permissions ls --user-name shop
  leveret topic-permissions show shop -p /
  leveret topic-permissions declare shop amq.topic --write '^shop\\.' --read '.*'
  leveret topic-permissions delete shop amq.topic --yes
  leveret topic-permissions delete shop --yes                        of all exchanges";

const COLUMNS: [&str; 5] = ["user", "vhost", "exchange", "write", "read"];

/// List, show, declare and delete with which keys of topic exchanges users may publish and bind.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "topic-permission")]
pub(in crate::cli) struct TopicPermissionsOptions {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    vhost: VhostFlag,
    #[command(flatten)]
    desk: DeskFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List topic permissions.
    #[command(visible_alias = "list")]
    Ls {
        /// Only those of this user
        #[arg(long, value_name = "NAME", conflicts_with = "vhost")]
        user_name: Option<String>,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Show those of a user in a virtual host.
    Show {
        /// The user.
        user_name: String,
    },
    /// Say with which keys a user may publish and bind, in place of what was said before.
    #[command(visible_alias = "set")]
    Declare {
        /// The user.
        user_name: String,
        /// The exchange.
        exchange: String,
        /// Routing keys with which it may publish: a regular expression
        #[arg(long, value_name = "PATTERN", default_value = "")]
        write: String,
        /// Binding keys with which it may bind
        #[arg(long, value_name = "PATTERN", default_value = "")]
        read: String,
    },
    /// Take the restriction away: of an exchange, or of all.
    #[command(visible_alias = "clear")]
    Delete {
        /// The user.
        user_name: String,
        /// The exchange [default: all]
        exchange: Option<String>,
    },
}

/// Does what the command says.
pub(in crate::cli) fn run(options: TopicPermissionsOptions) -> ExitCode {
    let TopicPermissionsOptions { verb, vhost, desk } = options;
    desk.run(|desk| act(verb, &vhost, desk))
}

fn act(verb: Verb, vhost: &VhostFlag, desk: &mut Desk) -> Result<(), Failure> {
    let listed = desk.vhost_of_list(vhost.given());
    let vhost = desk.vhost(vhost.given());
    match verb {
        Verb::Ls { user_name, list } => {
            let parts = match (&user_name, &listed) {
                (Some(user), _) => vec!["users", user, "topic-permissions"],
                (None, Some(vhost)) => vec!["vhosts", vhost, "topic-permissions"],
                (None, None) => vec!["topic-permissions"],
            };
            list.show(desk, &Kind { parts: &parts, columns: &COLUMNS, name: "user" })
        }
        Verb::Show { user_name } => {
            let found =
                desk.find(&path(&["topic-permissions", &vhost, &user_name]), &of(&vhost, &user_name))?;
            let found = found.as_array().cloned().unwrap_or_default();
            desk.output.list(found, &COLUMNS)
        }
        Verb::Declare { user_name, exchange, write, read } => {
            let body = json!({ "exchange": exchange, "write": write, "read": read });
            let request = Request::put(path(&["topic-permissions", &vhost, &user_name]), &body);
            desk.change(&request, &of(&vhost, &user_name), "declared")
        }
        Verb::Delete { user_name, exchange } => {
            let what = of(&vhost, &user_name);
            let parts = ["topic-permissions", &vhost, &user_name];
            let parts: Vec<&str> = parts.into_iter().chain(exchange.as_deref().map(in_path)).collect();
            desk.find(&path(&parts), &what)?;
            desk.confirm(&format!("delete the {what}?"))?;
            desk.change(&Request::delete(path(&parts)), &what, "deleted")
        }
    }
}

fn of(vhost: &str, user: &str) -> String {
    format!("topic permission of user '{user}' in vhost '{vhost}'")
}
