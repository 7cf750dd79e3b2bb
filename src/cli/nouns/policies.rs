//! `leveret policies` and `leveret operator-policies`: settings for queues and exchanges by their names.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::arguments::{object, pair};
use super::listing::{Kind, ListFlags};
use super::vhost::VhostFlag;
use crate::cli::client::{Request, path};
use crate::cli::desk::{Desk, DeskFlags};
use crate::cli::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  leveret policies ls
  leveret policies show short -p /
  leveret policies declare short --pattern '^logs\\.' --set max-length=10000 --set overflow=reject-publish
  leveret policies declare dead --pattern '.*' --definition '{\"dead-letter-exchange\":\"dead\"}' --apply-to queues
  leveret policies declare first --pattern '^a' --set message-ttl=60000 --priority 10
  leveret policies delete short --yes";

const OPERATOR_EXAMPLES: &str = "\
Examples:
  leveret operator-policies ls
  leveret operator-policies show bound -p /
  leveret operator-policies declare bound --pattern '.*' --set max-length=1000000
  leveret operator-policies delete bound --yes";

const COLUMNS: [&str; 6] = ["vhost", "name", "pattern", "apply-to", "definition", "priority"];

/// List, show, declare and delete policies: settings for queues and exchanges by their names.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "policy")]
pub(in crate::cli) struct PoliciesOptions {
    #[command(flatten)]
    policies: Policies,
}

/// List, show, declare and delete operator policies: bounds that other policies cannot widen.
#[derive(Debug, Args)]
#[command(after_help = OPERATOR_EXAMPLES, visible_alias = "operator-policy")]
pub(in crate::cli) struct OperatorPoliciesOptions {
    #[command(flatten)]
    policies: Policies,
}

#[derive(Debug, Args)]
struct Policies {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    vhost: VhostFlag,
    #[command(flatten)]
    desk: DeskFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List them.
    #[command(visible_alias = "list")]
    Ls(ListFlags),
    /// Show one.
    Show {
        /// The policy.
        name: String,
    },
    /// Set one, in place of another with its name.
    #[command(visible_alias = "set")]
    Declare {
        /// The policy.
        name: String,
        /// Which names it is for: a regular expression
        #[arg(long, value_name = "PATTERN")]
        pattern: String,
        /// What it sets; a value that is JSON is taken as that, any other as text
        #[arg(long, value_name = "KEY=VALUE", value_parser = pair, required_unless_present = "definition")]
        set: Vec<(String, Value)>,
        /// What it sets, as a JSON object
        #[arg(long, value_name = "JSON", value_parser = object)]
        definition: Option<Value>,
        /// The one with the highest is the one that holds
        #[arg(long, value_name = "NUMBER", default_value_t = 0, allow_negative_numbers = true)]
        priority: i64,
        /// What it is for: all, queues, exchanges, classic_queues, quorum_queues or streams
        #[arg(long, value_name = "KIND")]
        apply_to: Option<String>,
    },
    /// Delete some.
    #[command(visible_alias = "clear")]
    Delete {
        /// The policies.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
}

/// Which of the two, and where it is.
struct Sort {
    part: &'static str,
    called: &'static str,
    /// What one applies to that does not say.
    applies_to: &'static str,
}

/// Does what the command says.
pub(in crate::cli) fn run(options: PoliciesOptions) -> ExitCode {
    act_on(options.policies, &Sort { part: "policies", called: "policy", applies_to: "all" })
}

/// The same for operator policies.
pub(in crate::cli) fn run_operator(options: OperatorPoliciesOptions) -> ExitCode {
    let sort = Sort { part: "operator-policies", called: "operator policy", applies_to: "queues" };
    act_on(options.policies, &sort)
}

fn act_on(policies: Policies, sort: &Sort) -> ExitCode {
    let Policies { verb, vhost, desk } = policies;
    desk.run(|desk| act(verb, &vhost, desk, sort))
}

fn act(verb: Verb, vhost: &VhostFlag, desk: &mut Desk, sort: &Sort) -> Result<(), Failure> {
    let listed = desk.vhost_of_list(vhost.given());
    let vhost = desk.vhost(vhost.given());
    let of = |name: &str| format!("{} '{name}' in vhost '{vhost}'", sort.called);
    match verb {
        Verb::Ls(flags) => {
            let parts: Vec<&str> = [sort.part].into_iter().chain(listed.as_deref()).collect();
            flags.show(desk, &Kind { parts: &parts, columns: &COLUMNS, name: "name" })
        }
        Verb::Show { name } => {
            let found = desk.find(&path(&[sort.part, &vhost, &name]), &of(&name))?;
            desk.output.object_in_order(found, &COLUMNS)
        }
        Verb::Declare { name, pattern, set, definition, priority, apply_to } => {
            let mut definition = definition.unwrap_or_else(|| json!({}));
            if let Some(definition) = definition.as_object_mut() {
                definition.extend(set);
            }
            let body = json!({
                "pattern": pattern,
                "definition": definition,
                "priority": priority,
                "apply-to": apply_to.as_deref().unwrap_or(sort.applies_to),
            });
            desk.change(&Request::put(path(&[sort.part, &vhost, &name]), &body), &of(&name), "declared")
        }
        Verb::Delete { names } => {
            desk.confirm(&format!("delete {}?", of(&names.join("', '"))))?;
            desk.each(&names, |desk, name| {
                let parts = [sort.part, &vhost, name];
                desk.find(&path(&parts), &of(name))?;
                desk.change(&Request::delete(path(&parts)), &of(name), "deleted")
            })
        }
    }
}
