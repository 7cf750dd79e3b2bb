//! `leveret exchanges`: listed, declared and deleted.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::arguments::ArgumentFlags;
use super::bindings;
use super::listing::{Kind, ListFlags};
use super::vhost::VhostFlag;
use crate::cli::client::{Request, path, query};
use crate::cli::desk::{Desk, DeskFlags};
use crate::cli::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  leveret exchanges ls                                     all that you may see
  leveret exchanges ls --name order -o json
  leveret exchanges show orders
  leveret exchanges declare orders --type topic --durable
  leveret exchanges declare ticks --type fanout --transient --auto-delete
  leveret exchanges declare rest --type direct --arg alternate-exchange=unrouted
  leveret exchanges delete orders --yes
  leveret exchanges bindings orders                        where it leads to, and what leads to it";

const COLUMNS: [&str; 7] = ["vhost", "name", "type", "durable", "auto_delete", "internal", "arguments"];

/// List, show, declare and delete exchanges.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "exchange")]
pub(in crate::cli) struct ExchangesOptions {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    vhost: VhostFlag,
    #[command(flatten)]
    desk: DeskFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List exchanges.
    #[command(visible_alias = "list")]
    Ls(ListFlags),
    /// Show all that is told of an exchange.
    Show {
        /// The exchange; amq.default is the default one.
        name: String,
    },
    /// Make an exchange, or check that one is as it is declared.
    Declare(Declaration),
    /// Delete exchanges with their bindings.
    Delete {
        /// The exchanges.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Only if nothing is bound to it.
        #[arg(long)]
        if_unused: bool,
    },
    /// List what an exchange leads to and what leads to it.
    Bindings {
        /// The exchange.
        name: String,
    },
}

/// What an exchange is to be.
#[derive(Debug, Args)]
struct Declaration {
    /// The exchange.
    name: String,
    /// Its type: direct, fanout, topic, headers, x-consistent-hash, ...
    #[arg(long = "type", short = 't', value_name = "TYPE", default_value = "direct")]
    exchange_type: String,
    /// It outlives a restart of the broker (what is assumed)
    #[arg(long)]
    durable: bool,
    /// It does not outlive a restart of the broker
    #[arg(long, conflicts_with = "durable")]
    transient: bool,
    /// It goes with its last binding
    #[arg(long)]
    auto_delete: bool,
    /// Nobody may publish to it; other exchanges lead there
    #[arg(long)]
    internal: bool,
    #[command(flatten)]
    arguments: ArgumentFlags,
}

/// Does what the command says.
pub(in crate::cli) fn run(options: ExchangesOptions) -> ExitCode {
    let ExchangesOptions { verb, vhost, desk } = options;
    desk.run(|desk| act(verb, &vhost, desk))
}

fn act(verb: Verb, vhost: &VhostFlag, desk: &mut Desk) -> Result<(), Failure> {
    let listed = desk.vhost_of_list(vhost.given());
    let vhost = desk.vhost(vhost.given());
    match verb {
        Verb::Ls(flags) => {
            let parts: Vec<&str> = ["exchanges"].into_iter().chain(listed.as_deref()).collect();
            flags.show(desk, &Kind { parts: &parts, columns: &COLUMNS, name: "name" })
        }
        Verb::Show { name } => {
            let found = find(desk, &vhost, &name)?;
            desk.output.object_in_order(found, &COLUMNS)
        }
        Verb::Declare(declaration) => {
            let body = json!({
                "type": declaration.exchange_type,
                "durable": !declaration.transient,
                "auto_delete": declaration.auto_delete,
                "internal": declaration.internal,
                "arguments": declaration.arguments.object(),
            });
            let request = Request::put(path(&["exchanges", &vhost, in_path(&declaration.name)]), &body);
            desk.change(&request, &of(&vhost, &declaration.name), "declared")
        }
        Verb::Delete { names, if_unused } => {
            desk.confirm(&format!("delete exchange '{}' in vhost '{vhost}'?", names.join("', '")))?;
            let condition = [("if-unused", "true")];
            let condition = if if_unused { &condition[..] } else { &[] };
            desk.each(&names, |desk, name| {
                find(desk, &vhost, name)?;
                let request = Request::delete(query(&path(&["exchanges", &vhost, in_path(name)]), condition));
                desk.change(&request, &of(&vhost, name), "deleted")
            })
        }
        Verb::Bindings { name } => {
            find(desk, &vhost, &name)?;
            desk.output.clone().watched(|| {
                let mut all = Vec::new();
                for end in ["source", "destination"] {
                    let found = desk.get(&path(&["exchanges", &vhost, in_path(&name), "bindings", end]))?;
                    if let Value::Array(found) = found {
                        all.extend(found);
                    }
                }
                desk.output.list(all, &bindings::COLUMNS)
            })
        }
    }
}

fn find(desk: &mut Desk, vhost: &str, name: &str) -> Result<Value, Failure> {
    desk.find(&path(&["exchanges", vhost, in_path(name)]), &of(vhost, name))
}

/// What an exchange is called in texts.
pub(super) fn of(vhost: &str, name: &str) -> String {
    format!("exchange '{name}' in vhost '{vhost}'")
}

/// The default exchange has a name in paths, though none on the wire.
pub(super) fn in_path(name: &str) -> &str {
    if name.is_empty() { "amq.default" } else { name }
}
