//! `leveret permissions`: what users may do in virtual hosts.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::listing::{Kind, ListFlags};
use super::vhost::VhostFlag;
use crate::cli::client::{Request, path};
use crate::cli::desk::{Desk, DeskFlags};
use crate::cli::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  leveret permissions ls
  leveret permissions ls --user-name shop -o json
  leveret permissions show shop -p /
  leveret permissions declare shop -p / --write '^orders$' --read '^(orders|replies-.*)$'
  leveret permissions declare ops --configure '.*' --write '.*' --read '.*'
  leveret permissions delete shop -p / --yes               it may not enter there any more";

const COLUMNS: [&str; 5] = ["user", "vhost", "configure", "write", "read"];

/// List, show, declare and delete what users may do in virtual hosts.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "permission")]
pub(in crate::cli) struct PermissionsOptions {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    vhost: VhostFlag,
    #[command(flatten)]
    desk: DeskFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List permissions.
    #[command(visible_alias = "list")]
    Ls {
        /// Only those of this user
        #[arg(long, value_name = "NAME", conflicts_with = "vhost")]
        user_name: Option<String>,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Show what a user may do in a virtual host.
    Show {
        /// The user.
        user_name: String,
    },
    /// Say what a user may do in a virtual host, in place of what was said before.
    #[command(visible_alias = "set")]
    Declare {
        /// The user.
        user_name: String,
        /// Which queues and exchanges it may declare and delete: a regular expression; none unless it is given
        #[arg(long, value_name = "PATTERN", default_value = "")]
        configure: String,
        /// Where it may publish and bind
        #[arg(long, value_name = "PATTERN", default_value = "")]
        write: String,
        /// What it may consume, get, purge and bind from
        #[arg(long, value_name = "PATTERN", default_value = "")]
        read: String,
    },
    /// Let a user enter a virtual host no more.
    #[command(visible_alias = "clear")]
    Delete {
        /// The user.
        user_name: String,
    },
}

/// Does what the command says.
pub(in crate::cli) fn run(options: PermissionsOptions) -> ExitCode {
    let PermissionsOptions { verb, vhost, desk } = options;
    desk.run(|desk| act(verb, &vhost, desk))
}

fn act(verb: Verb, vhost: &VhostFlag, desk: &mut Desk) -> Result<(), Failure> {
    let listed = desk.vhost_of_list(vhost.given());
    let vhost = desk.vhost(vhost.given());
    match verb {
        Verb::Ls { user_name, list } => {
            let parts = match (&user_name, &listed) {
                (Some(user), _) => vec!["users", user, "permissions"],
                (None, Some(vhost)) => vec!["vhosts", vhost, "permissions"],
                (None, None) => vec!["permissions"],
            };
            list.show(desk, &Kind { parts: &parts, columns: &COLUMNS, name: "user" })
        }
        Verb::Show { user_name } => {
            let found = find(desk, &vhost, &user_name)?;
            desk.output.object_in_order(found, &COLUMNS)
        }
        Verb::Declare { user_name, configure, write, read } => {
            let body = json!({ "configure": configure, "write": write, "read": read });
            let request = Request::put(path(&["permissions", &vhost, &user_name]), &body);
            desk.change(&request, &of(&vhost, &user_name), "declared")
        }
        Verb::Delete { user_name } => {
            find(desk, &vhost, &user_name)?;
            desk.confirm(&format!("delete the {}?", of(&vhost, &user_name)))?;
            let request = Request::delete(path(&["permissions", &vhost, &user_name]));
            desk.change(&request, &of(&vhost, &user_name), "deleted")
        }
    }
}

fn find(desk: &mut Desk, vhost: &str, user: &str) -> Result<Value, Failure> {
    desk.find(&path(&["permissions", vhost, user]), &of(vhost, user))
}

fn of(vhost: &str, user: &str) -> String {
    format!("permission of user '{user}' in vhost '{vhost}'")
}
