//! `leveret vhosts`: virtual hosts.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::listing::{Kind, ListFlags};
use crate::cli::client::{Request, path};
use crate::cli::desk::{Desk, DeskFlags};
use crate::cli::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  leveret vhosts ls
  leveret vhosts show /
  leveret vhosts declare shop --description 'the shop' --tags production
  leveret vhosts declare shop --default-queue-type quorum
  leveret vhosts protect shop                      nobody deletes it by mistake
  leveret vhosts unprotect shop
  leveret vhosts delete shop --yes                 with all that is in it";

const COLUMNS: [&str; 6] =
    ["name", "description", "tags", "default_queue_type", "messages", "protected_from_deletion"];

/// List, show, declare, protect and delete virtual hosts.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "vhost")]
pub(in crate::cli) struct VhostsOptions {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    desk: DeskFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List virtual hosts.
    #[command(visible_alias = "list")]
    Ls(ListFlags),
    /// Show all that is told of a virtual host.
    Show {
        /// The virtual host.
        name: String,
    },
    /// Make a virtual host, or say something else of it. What is not said stays.
    Declare {
        /// The virtual host.
        name: String,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Words for it, with commas between
        #[arg(long, value_name = "TAG", value_delimiter = ',')]
        tags: Option<Vec<String>>,
        /// The type of queues whose declaration names none
        #[arg(long, value_name = "TYPE", value_parser = ["classic", "quorum"])]
        default_queue_type: Option<String>,
    },
    /// Refuse to delete a virtual host.
    Protect {
        /// The virtual host.
        name: String,
    },
    /// Let a virtual host be deleted again.
    Unprotect {
        /// The virtual host.
        name: String,
    },
    /// Delete virtual hosts with all queues, exchanges and messages in them.
    Delete {
        /// The virtual hosts.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
}

/// Does what the command says.
pub(in crate::cli) fn run(options: VhostsOptions) -> ExitCode {
    let VhostsOptions { verb, desk } = options;
    desk.run(|desk| act(verb, desk))
}

fn act(verb: Verb, desk: &mut Desk) -> Result<(), Failure> {
    match verb {
        Verb::Ls(flags) => flags.show(desk, &Kind { parts: &["vhosts"], columns: &COLUMNS, name: "name" }),
        Verb::Show { name } => {
            let found = find(desk, &name)?;
            desk.output.object_in_order(found, &COLUMNS)
        }
        Verb::Declare { name, description, tags, default_queue_type } => {
            let fields = [
                ("description", description.map(Value::from)),
                ("tags", tags.map(|tags| json!(tags.join(",")))),
                ("default_queue_type", default_queue_type.map(Value::from)),
            ];
            let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            let body = Value::Object(fields.collect::<Map<_, _>>());
            desk.change(&Request::put(path(&["vhosts", &name]), &body), &of(&name), "declared")
        }
        Verb::Protect { name } => {
            let request = Request::post(path(&["vhosts", &name, "deletion", "protection"]), &json!({}));
            desk.change(&request, &of(&name), "protected from deletion")
        }
        Verb::Unprotect { name } => {
            let request = Request::delete(path(&["vhosts", &name, "deletion", "protection"]));
            desk.change(&request, &of(&name), "protected no more")
        }
        Verb::Delete { names } => {
            let question = format!("delete vhost '{}' with all queues and messages?", names.join("', '"));
            desk.confirm(&question)?;
            desk.each(&names, |desk, name| {
                find(desk, name)?;
                desk.change(&Request::delete(path(&["vhosts", name])), &of(name), "deleted")
            })
        }
    }
}

fn find(desk: &mut Desk, name: &str) -> Result<Value, Failure> {
    desk.find(&path(&["vhosts", name]), &of(name))
}

fn of(name: &str) -> String {
    format!("vhost '{name}'")
}
