//! `leveret parameters`: what components of the broker are told while it runs.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::arguments::value_of;
use super::listing::{Kind, ListFlags};
use super::vhost::VhostFlag;
use crate::cli::client::{Request, path};
use crate::cli::desk::{Desk, DeskFlags};
use crate::cli::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  leveret parameters ls                                          those of virtual hosts
  leveret parameters ls federation-upstream
  leveret parameters ls global                                   those of the broker as a whole
  leveret parameters show global cluster_name
  leveret parameters declare global cluster_tags '{\"region\":\"eu\"}'
  leveret parameters declare shovel mine '{\"src-uri\":\"amqp://\"}' -p /
  leveret parameters delete global cluster_tags --yes";

const COLUMNS: [&str; 4] = ["vhost", "component", "name", "value"];
const GLOBAL_COLUMNS: [&str; 2] = ["name", "value"];
/// What is said in the place of a component for parameters of the broker as a whole.
const GLOBAL: &str = "global";

/// List, show, declare and delete parameters.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "parameter")]
pub(in crate::cli) struct ParametersOptions {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    vhost: VhostFlag,
    #[command(flatten)]
    desk: DeskFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List parameters.
    #[command(visible_alias = "list")]
    Ls {
        /// Only those of this component; 'global' for those of the broker as a whole
        component: Option<String>,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Show a parameter.
    Show(Named),
    /// Set a parameter.
    #[command(visible_alias = "set")]
    Declare {
        #[command(flatten)]
        named: Named,
        /// Its value: JSON; what is none is taken as text.
        value: String,
    },
    /// Delete a parameter.
    #[command(visible_alias = "clear")]
    Delete(Named),
}

/// A parameter.
#[derive(Debug, Args)]
struct Named {
    /// The component; 'global' for a parameter of the broker as a whole.
    component: String,
    /// The parameter.
    name: String,
}

impl Named {
    fn parts<'a>(&'a self, vhost: &'a str) -> Vec<&'a str> {
        match self.component.as_str() {
            GLOBAL => vec!["global-parameters", &self.name],
            component => vec!["parameters", component, vhost, &self.name],
        }
    }

    fn of(&self, vhost: &str) -> String {
        let Self { component, name } = self;
        match component.as_str() {
            GLOBAL => format!("global parameter '{name}'"),
            component => format!("parameter '{name}' of component '{component}' in vhost '{vhost}'"),
        }
    }
}

/// Does what the command says.
pub(in crate::cli) fn run(options: ParametersOptions) -> ExitCode {
    let ParametersOptions { verb, vhost, desk } = options;
    desk.run(|desk| act(verb, &vhost, desk))
}

fn act(verb: Verb, vhost: &VhostFlag, desk: &mut Desk) -> Result<(), Failure> {
    let listed = desk.vhost_of_list(vhost.given());
    let vhost = desk.vhost(vhost.given());
    match verb {
        Verb::Ls { component, list } => {
            if component.as_deref() == Some(GLOBAL) {
                let kind = Kind { parts: &["global-parameters"], columns: &GLOBAL_COLUMNS, name: "name" };
                return list.show(desk, &kind);
            }
            let Some(component) = component else {
                return of_all_components(desk, &list, listed.as_deref());
            };
            let parts = ["parameters", &component].into_iter().chain(listed.as_deref());
            let parts: Vec<&str> = parts.collect();
            list.show(desk, &Kind { parts: &parts, columns: &COLUMNS, name: "name" })
        }
        Verb::Show(named) => {
            let found = desk.find(&path(&named.parts(&vhost)), &named.of(&vhost))?;
            desk.output.object_in_order(found, &COLUMNS)
        }
        Verb::Declare { named, value } => {
            let mut body = json!({ "name": named.name, "value": value_of(&value) });
            if let (true, Some(body)) = (named.component != GLOBAL, body.as_object_mut()) {
                body.insert("component".to_owned(), json!(named.component));
                body.insert("vhost".to_owned(), json!(vhost));
            }
            let request = Request::put(path(&named.parts(&vhost)), &body);
            desk.change(&request, &named.of(&vhost), "declared")
        }
        Verb::Delete(named) => {
            let what = named.of(&vhost);
            let _: Value = desk.find(&path(&named.parts(&vhost)), &what)?;
            desk.confirm(&format!("delete {what}?"))?;
            desk.change(&Request::delete(path(&named.parts(&vhost))), &what, "deleted")
        }
    }
}

/// Those of all components, which the HTTP API lists for all virtual hosts together.
fn of_all_components(desk: &mut Desk, list: &ListFlags, vhost: Option<&str>) -> Result<(), Failure> {
    desk.output.clone().watched(|| {
        let kind = Kind { parts: &["parameters"], columns: &COLUMNS, name: "name" };
        let mut found = list.read_with(desk, &kind, &["vhost"])?;
        found.retain(|parameter| {
            vhost.is_none_or(|vhost| parameter.get("vhost").and_then(Value::as_str) == Some(vhost))
        });
        desk.output.list(found, &COLUMNS)
    })
}
