//! `leveret health`: whether a broker can do what it is for.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::vhost::VhostFlag;
use crate::cli::client::{Request, path};
use crate::cli::desk::{Desk, DeskFlags};
use crate::cli::exit;
use crate::cli::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  leveret health                              all checks; ends with 69 when one fails
  leveret health check alarms                 one check
  leveret health check virtual-hosts -o json
  leveret health port 5672                    whether the broker listens there
  leveret health protocol amqp                whether it speaks that
  leveret health alive -p /                   publishes a message and gets it again";

/// The checks of the broker as a whole, as the HTTP API names them.
const CHECKS: [&str; 7] = [
    "alarms",
    "local-alarms",
    "virtual-hosts",
    "is-in-service",
    "ready-to-serve-clients",
    "below-node-connection-limit",
    "node-is-quorum-critical",
];

/// Check whether a broker can do what it is for.
///
/// Ends with 0 when it can, with 69 when a check fails or no broker answers.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct HealthOptions {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    vhost: VhostFlag,
    #[command(flatten)]
    desk: DeskFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Do one of the checks, or all.
    Check {
        /// The check [default: all]
        #[arg(value_parser = CHECKS)]
        name: Option<String>,
    },
    /// Whether the broker listens at a port.
    Port {
        /// The port.
        number: u16,
    },
    /// Whether the broker listens for a protocol.
    Protocol {
        /// The protocol, such as amqp, amqp/ssl or http.
        name: String,
    },
    /// Send a message through a queue of the broker.
    Alive,
}

/// Does what the command says.
pub(in crate::cli) fn run(options: HealthOptions) -> ExitCode {
    let HealthOptions { verb, vhost, desk } = options;
    desk.run(|desk| {
        let vhost = desk.vhost(vhost.given());
        let paths: Vec<(String, String)> = match verb.unwrap_or(Verb::Check { name: None }) {
            Verb::Check { name: None } => CHECKS.iter().map(|name| check(&[name])).collect(),
            Verb::Check { name: Some(name) } => vec![check(&[&name])],
            Verb::Port { number } => vec![check(&["port-listener", &number.to_string()])],
            Verb::Protocol { name } => vec![check(&["protocol-listener", &name])],
            Verb::Alive => vec![(format!("alive in '{vhost}'"), path(&["aliveness-test", &vhost]))],
        };
        desk.output.clone().watched(|| all(desk, &paths))
    })
}

/// A check's name and path.
fn check(parts: &[&str]) -> (String, String) {
    let whole: Vec<&str> = ["health", "checks"].iter().chain(parts).copied().collect();
    (parts.join(" "), path(&whole))
}

fn all(desk: &mut Desk, paths: &[(String, String)]) -> Result<(), Failure> {
    let mut results = Vec::new();
    let mut failed = Vec::new();
    for (name, path) in paths {
        let request = Request::get(path);
        let answer = desk.send(&request)?;
        let (result, reason) = match answer.status {
            200..300 => ("ok", answer.reason().unwrap_or_default()),
            503 => {
                failed.push(name.as_str());
                ("failed", details(&answer.json()?))
            }
            // The check was not made.
            _ => return Err(desk.refusal(&answer, &request)),
        };
        results.push(json!({ "check": name, "result": result, "reason": reason }));
    }
    desk.output.list(results, &["check", "result", "reason"])?;
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(exit::UNAVAILABLE, format!("the broker is not well: {}", failed.join(", "))))
}

/// What a failed check says.
fn details(body: &Value) -> String {
    let reason = body.get("reason").and_then(Value::as_str).unwrap_or("it failed").to_owned();
    match body.get("alarms").and_then(Value::as_array) {
        Some(alarms) => {
            let resources = alarms.iter().filter_map(|alarm| alarm.get("resource")?.as_str());
            format!("{reason}: {}", resources.collect::<Vec<_>>().join(", "))
        }
        None => reason,
    }
}
