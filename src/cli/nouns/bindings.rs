//! `leveret bindings`: what leads from exchanges to queues and other exchanges.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::arguments::ArgumentFlags;
use super::exchanges::in_path;
use super::listing::{Kind, ListFlags};
use super::vhost::VhostFlag;
use crate::cli::client::{Request, path};
use crate::cli::desk::{Desk, DeskFlags};
use crate::cli::exit;
use crate::cli::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  leveret bindings ls                                            all that you may see
  leveret bindings ls --source orders
  leveret bindings ls --destination invoices -o json
  leveret bindings declare orders invoices --routing-key order.paid
  leveret bindings declare orders archive --to exchange --routing-key '#'
  leveret bindings declare heads big --arg x-match=all --arg size=big
  leveret bindings delete orders invoices --routing-key order.paid --yes";

pub(super) const COLUMNS: [&str; 6] =
    ["vhost", "source", "destination_type", "destination", "routing_key", "arguments"];

/// List, declare and delete bindings.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "binding")]
pub(in crate::cli) struct BindingsOptions {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    vhost: VhostFlag,
    #[command(flatten)]
    desk: DeskFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List bindings.
    #[command(visible_alias = "list")]
    Ls {
        /// Only those of this exchange
        #[arg(long, value_name = "EXCHANGE")]
        source: Option<String>,
        /// Only those to this queue or exchange
        #[arg(long, value_name = "NAME")]
        destination: Option<String>,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Have an exchange lead to a queue or to another exchange.
    #[command(visible_alias = "bind")]
    Declare(Ends),
    /// Have it lead there no more.
    #[command(visible_alias = "unbind")]
    Delete {
        #[command(flatten)]
        ends: Ends,
        /// All bindings between the two, whatever their keys
        #[arg(long, conflicts_with_all = ["routing_key", "arg", "arguments"])]
        all: bool,
    },
}

/// What leads where, and which messages go there.
#[derive(Debug, Args)]
struct Ends {
    /// The exchange that messages come from.
    source: String,
    /// The queue or exchange that they go to.
    destination: String,
    /// The binding key: what the routing key of a message is held against
    #[arg(long, short = 'k', value_name = "KEY", default_value = "")]
    routing_key: String,
    /// What the destination is
    #[arg(long, value_enum, value_name = "KIND", default_value_t = DestinationKind::Queue)]
    to: DestinationKind,
    #[command(flatten)]
    arguments: ArgumentFlags,
}

/// What messages go to.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum DestinationKind {
    Queue,
    Exchange,
}

impl Ends {
    fn parts<'a>(&'a self, vhost: &'a str) -> [&'a str; 6] {
        let kind = match self.to {
            DestinationKind::Queue => "q",
            DestinationKind::Exchange => "e",
        };
        ["bindings", vhost, "e", in_path(&self.source), kind, &self.destination]
    }

    fn of(&self, vhost: &str) -> String {
        let kind = match self.to {
            DestinationKind::Queue => "queue",
            DestinationKind::Exchange => "exchange",
        };
        let Self { source, destination, .. } = self;
        format!("binding from exchange '{source}' to {kind} '{destination}' in vhost '{vhost}'")
    }
}

/// Does what the command says.
pub(in crate::cli) fn run(options: BindingsOptions) -> ExitCode {
    let BindingsOptions { verb, vhost, desk } = options;
    desk.run(|desk| act(verb, &vhost, desk))
}

fn act(verb: Verb, vhost: &VhostFlag, desk: &mut Desk) -> Result<(), Failure> {
    let listed = desk.vhost_of_list(vhost.given());
    let vhost = desk.vhost(vhost.given());
    match verb {
        Verb::Ls { source, destination, list } => {
            let parts: Vec<&str> = ["bindings"].into_iter().chain(listed.as_deref()).collect();
            let wanted = |binding: &Value| {
                let is = |field: &str, wanted: &Option<String>| {
                    wanted
                        .as_deref()
                        .is_none_or(|wanted| binding.get(field).and_then(Value::as_str) == Some(wanted))
                };
                is("source", &source) && is("destination", &destination)
            };
            desk.output.clone().watched(|| {
                let kind = Kind { parts: &parts, columns: &COLUMNS, name: "destination" };
                // Filters look at what may not be among the columns that are shown.
                let mut found = list.read_with(desk, &kind, &["source", "destination"])?;
                found.retain(wanted);
                desk.output.list(found, &COLUMNS)
            })
        }
        Verb::Declare(ends) => {
            let body = json!({ "routing_key": ends.routing_key, "arguments": ends.arguments.object() });
            let request = Request::post(path(&ends.parts(&vhost)), &body);
            desk.change(&request, &ends.of(&vhost), "declared")
        }
        Verb::Delete { ends, all } => delete(desk, &vhost, &ends, all),
    }
}

fn delete(desk: &mut Desk, vhost: &str, ends: &Ends, all: bool) -> Result<(), Failure> {
    let arguments = ends.arguments.object();
    let found = desk.find(&path(&ends.parts(vhost)), &ends.of(vhost))?;
    let mut keys: Vec<String> = Vec::new();
    for binding in found.as_array().into_iter().flatten() {
        let is_meant = all
            || (binding.get("routing_key").and_then(Value::as_str) == Some(&ends.routing_key)
                && binding.get("arguments") == Some(&arguments));
        if let (true, Some(key)) = (is_meant, binding.get("properties_key").and_then(Value::as_str)) {
            keys.push(key.to_owned());
        }
    }
    if keys.is_empty() {
        return Err(Failure::new(exit::NO_INPUT, format!("there is no {} with that key", ends.of(vhost)))
            .helped_by("See 'leveret bindings ls'; --all deletes all between the two."));
    }
    let several = if keys.len() > 1 { format!(" ({} of them)", keys.len()) } else { String::new() };
    desk.confirm(&format!("delete the {}{several}?", ends.of(vhost)))?;
    desk.each(&keys, |desk, key| {
        let parts: Vec<&str> = ends.parts(vhost).into_iter().chain([key]).collect();
        desk.change(&Request::delete(path(&parts)), &ends.of(vhost), "deleted")
    })
}
