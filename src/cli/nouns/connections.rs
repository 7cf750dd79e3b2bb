//! `leveret connections`: listed, and closed.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::listing::{Kind, ListFlags};
use super::vhost::VhostFlag;
use crate::cli::client::{Request, path};
use crate::cli::desk::{Desk, DeskFlags};
use crate::cli::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  leveret connections ls                                          all that you may see
  leveret connections ls --user-name shop -o json
  leveret connections ls --columns name,user,state,channels --watch
  leveret connections show '127.0.0.1:52771 -> 127.0.0.1:5672'
  leveret connections close '127.0.0.1:52771 -> 127.0.0.1:5672' --reason 'moving house'
  leveret connections close --of-user shop --yes                  all of a user's";

const COLUMNS: [&str; 7] = ["name", "user", "vhost", "state", "channels", "protocol", "user_provided_name"];

/// List, show and close connections.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "connection")]
pub(in crate::cli) struct ConnectionsOptions {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    vhost: VhostFlag,
    #[command(flatten)]
    desk: DeskFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List connections.
    #[command(visible_alias = "list")]
    Ls {
        /// Only those of this user
        #[arg(long, value_name = "NAME", conflicts_with = "vhost")]
        user_name: Option<String>,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Show all that is told of a connection.
    Show {
        /// The connection, as it is listed.
        name: String,
    },
    /// Close connections; their clients are told why.
    #[command(visible_alias = "delete")]
    Close {
        /// The connections, as they are listed.
        #[arg(required_unless_present = "of_user", value_name = "NAME")]
        names: Vec<String>,
        /// All connections of this user
        #[arg(long, value_name = "NAME", conflicts_with = "names")]
        of_user: Option<String>,
        /// What their clients are told
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// Does what the command says.
pub(in crate::cli) fn run(options: ConnectionsOptions) -> ExitCode {
    let ConnectionsOptions { verb, vhost, desk } = options;
    desk.run(|desk| act(verb, &vhost, desk))
}

fn act(verb: Verb, vhost: &VhostFlag, desk: &mut Desk) -> Result<(), Failure> {
    match verb {
        Verb::Ls { user_name, list } => {
            let vhost = desk.vhost_of_list(vhost.given());
            let parts = match (&user_name, &vhost) {
                (Some(user), _) => vec!["connections", "username", user],
                (None, Some(vhost)) => vec!["vhosts", vhost, "connections"],
                (None, None) => vec!["connections"],
            };
            list.show(desk, &Kind { parts: &parts, columns: &COLUMNS, name: "name" })
        }
        Verb::Show { name } => desk.output.clone().watched(|| {
            let found = desk.find(&path(&["connections", &name]), &of(&name))?;
            desk.output.object_in_order(found, &COLUMNS)
        }),
        Verb::Close { names, of_user, reason } => {
            let names = match of_user {
                Some(user) => {
                    let found = desk.get(&path(&["connections", "username", &user]))?;
                    let found = found.as_array().into_iter().flatten();
                    found.filter_map(|row| row.get("name")?.as_str().map(str::to_owned)).collect()
                }
                None => names,
            };
            let question = match names.as_slice() {
                [] => return desk.output.done("there is no such connection"),
                [name] => format!("close {}?", of(name)),
                names => format!("close {} connections?", names.len()),
            };
            desk.confirm(&question)?;
            desk.each(&names, |desk, name| {
                if desk.is_dry_run() {
                    let _: Value = desk.find(&path(&["connections", name]), &of(name))?;
                }
                let request = Request::delete(path(&["connections", name]));
                let request = match &reason {
                    Some(reason) => request.with_header("x-reason", reason),
                    None => request,
                };
                desk.change(&request, &of(name), "closed")
            })
        }
    }
}

fn of(name: &str) -> String {
    format!("connection '{name}'")
}
