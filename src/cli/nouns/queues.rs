//! `leveret queues`: listed, declared, emptied and deleted.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::arguments::{ArgumentFlags, pair};
use super::listing::{Kind, ListFlags};
use super::vhost::VhostFlag;
use crate::cli::client::{Request, path, query};
use crate::cli::desk::{Desk, DeskFlags};
use crate::cli::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  leveret queues ls                                        all that you may see
  leveret queues ls -p / --sort messages --reverse         the longest first
  leveret queues ls --watch --columns name,messages,consumers
  leveret queues ls -o json                                an array of the HTTP API's objects
  leveret queues show orders
  leveret queues declare orders --durable --arg x-max-length=100000
  leveret queues declare orders --type quorum
  leveret queues declare replies --transient --auto-delete
  leveret queues purge orders --yes                        drops what is ready in it
  leveret queues delete orders --dry-run                   what would be deleted
  leveret queues delete orders invoices --if-empty --yes
  leveret queues pause orders                              consumers get nothing until it is resumed
  leveret queues resume orders
  leveret queues change orders --arg x-max-length=500 --without x-expires
  leveret queues bindings orders                           what leads to it";

const COLUMNS: [&str; 8] =
    ["vhost", "name", "type", "state", "messages", "messages_ready", "messages_unacknowledged", "consumers"];

/// List, show, declare, change, pause, empty and delete queues.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "queue")]
pub(in crate::cli) struct QueuesOptions {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    vhost: VhostFlag,
    #[command(flatten)]
    desk: DeskFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List queues.
    #[command(visible_alias = "list")]
    Ls(ListFlags),
    /// Show all that is told of a queue.
    Show {
        /// The queue.
        name: String,
    },
    /// Make a queue, or check that one is as it is declared.
    Declare(Declaration),
    /// Drop the ready messages of queues.
    Purge {
        /// The queues.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Delete queues with all that is in them.
    Delete {
        /// The queues.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Only if nobody consumes from it.
        #[arg(long)]
        if_unused: bool,
        /// Only if nothing is in it.
        #[arg(long)]
        if_empty: bool,
    },
    /// Keep the messages of queues back from their consumers.
    Pause {
        /// The queues.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Let consumers of paused queues have messages again.
    Resume {
        /// The queues.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Change the arguments of a queue in place, without losing a message.
    Change {
        /// The queue.
        name: String,
        /// An argument and its new value; those that are not named stay
        #[arg(long = "arg", short = 'a', value_name = "KEY=VALUE", value_parser = pair, required_unless_present = "without")]
        arg: Vec<(String, Value)>,
        /// An argument that goes
        #[arg(long, value_name = "KEY")]
        without: Vec<String>,
    },
    /// List what leads to a queue.
    Bindings {
        /// The queue.
        name: String,
    },
}

/// What a queue is to be.
#[derive(Debug, Args)]
struct Declaration {
    /// The queue.
    name: String,
    /// It outlives a restart of the broker (what is assumed)
    #[arg(long)]
    durable: bool,
    /// It does not outlive a restart of the broker
    #[arg(long, conflicts_with = "durable")]
    transient: bool,
    /// It goes with its last consumer
    #[arg(long)]
    auto_delete: bool,
    /// Its type: classic or quorum [default: the virtual host's]
    #[arg(long = "type", value_name = "TYPE")]
    queue_type: Option<String>,
    #[command(flatten)]
    arguments: ArgumentFlags,
}

/// Does what the command says.
pub(in crate::cli) fn run(options: QueuesOptions) -> ExitCode {
    let QueuesOptions { verb, vhost, desk } = options;
    desk.run(|desk| act(verb, &vhost, desk))
}

fn act(verb: Verb, vhost: &VhostFlag, desk: &mut Desk) -> Result<(), Failure> {
    let listed = desk.vhost_of_list(vhost.given());
    let vhost = desk.vhost(vhost.given());
    match verb {
        Verb::Ls(flags) => {
            let parts: Vec<&str> = ["queues"].into_iter().chain(listed.as_deref()).collect();
            flags.show(desk, &Kind { parts: &parts, columns: &COLUMNS, name: "name" })
        }
        Verb::Show { name } => desk.output.clone().watched(|| {
            let found = find(desk, &vhost, &name)?;
            desk.output.object_in_order(found, &COLUMNS)
        }),
        Verb::Declare(declaration) => declare(desk, &vhost, &declaration),
        Verb::Purge { names } => {
            let question = format!("drop the ready messages of {} in vhost '{vhost}'?", list(&names));
            desk.confirm(&question)?;
            desk.each(&names, |desk, name| {
                let found = find(desk, &vhost, name)?;
                let ready = found.get("messages_ready").and_then(Value::as_u64).unwrap_or(0);
                let request = Request::delete(path(&["queues", &vhost, name, "contents"]));
                desk.change(&request, &of(&vhost, name), &format!("purged of {}", counted(ready, "message")))
            })
        }
        Verb::Delete { names, if_unused, if_empty } => {
            let question = format!("delete {} in vhost '{vhost}' with all messages?", list(&names));
            desk.confirm(&question)?;
            let conditions = [("if-unused", if_unused), ("if-empty", if_empty)];
            let conditions = conditions.into_iter().filter(|(_, set)| *set).map(|(name, _)| (name, "true"));
            let conditions: Vec<(&str, &str)> = conditions.collect();
            desk.each(&names, |desk, name| {
                let found = find(desk, &vhost, name)?;
                let messages = found.get("messages").and_then(Value::as_u64).unwrap_or(0);
                let request = Request::delete(query(&path(&["queues", &vhost, name]), &conditions));
                desk.change(
                    &request,
                    &of(&vhost, name),
                    &format!("deleted with {}", counted(messages, "message")),
                )
            })
        }
        Verb::Pause { names } => desk.each(&names, |desk, name| {
            let request = Request::post(path(&["leveret", "queues", &vhost, name, "pause"]), &json!({}));
            desk.change(&request, &of(&vhost, name), "paused")
        }),
        Verb::Resume { names } => desk.each(&names, |desk, name| {
            let request = Request::post(path(&["leveret", "queues", &vhost, name, "resume"]), &json!({}));
            desk.change(&request, &of(&vhost, name), "resumed")
        }),
        Verb::Change { name, arg, without } => change(desk, &vhost, &name, arg, &without),
        Verb::Bindings { name } => {
            find(desk, &vhost, &name)?;
            let parts = ["queues", &vhost, &name, "bindings"];
            ListFlags::default()
                .show(desk, &Kind { parts: &parts, columns: &super::bindings::COLUMNS, name: "source" })
        }
    }
}

fn declare(desk: &mut Desk, vhost: &str, declaration: &Declaration) -> Result<(), Failure> {
    let mut arguments = declaration.arguments.object();
    if let (Some(queue_type), Some(arguments)) = (&declaration.queue_type, arguments.as_object_mut()) {
        arguments.insert("x-queue-type".to_owned(), json!(queue_type));
    }
    let body = json!({
        "durable": !declaration.transient,
        "auto_delete": declaration.auto_delete,
        "arguments": arguments,
    });
    let request = Request::put(path(&["queues", vhost, &declaration.name]), &body);
    desk.change(&request, &of(vhost, &declaration.name), "declared")
}

fn change(
    desk: &mut Desk,
    vhost: &str,
    name: &str,
    arg: Vec<(String, Value)>,
    without: &[String],
) -> Result<(), Failure> {
    let place = path(&["leveret", "queues", vhost, name, "arguments"]);
    let known = desk.find(&place, &of(vhost, name))?;
    let mut arguments = known.get("arguments").and_then(Value::as_object).cloned().unwrap_or_default();
    arguments.retain(|key, _| !without.contains(key));
    arguments.extend(arg);
    desk.change(&Request::put(place, &json!({ "arguments": arguments })), &of(vhost, name), "changed")
}

fn find(desk: &mut Desk, vhost: &str, name: &str) -> Result<Value, Failure> {
    desk.find(&path(&["queues", vhost, name]), &of(vhost, name))
}

/// What a queue is called in texts.
pub(super) fn of(vhost: &str, name: &str) -> String {
    format!("queue '{name}' in vhost '{vhost}'")
}

/// A number of things in words.
pub(super) fn counted(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// Several queues in a question.
fn list(names: &[String]) -> String {
    match names {
        [name] => format!("queue '{name}'"),
        names => format!("queues '{}'", names.join("', '")),
    }
}
