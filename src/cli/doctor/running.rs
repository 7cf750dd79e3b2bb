//! A broker that runs already, or the ports that one would need.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use serde_json::Value;

use super::Finding;
use crate::cli::client::{Client, path};
use crate::cli::target::TargetFlags;
use crate::config::{Config, ListenAddress};
use crate::version;

/// One that is well answers within this.
const ANSWER_SECONDS: u64 = 10;

/// What a running broker says of itself.
pub(super) struct Running {
    overview: Value,
    node: Option<Value>,
}

/// The broker that uses the directory, if one does and tells us.
pub(super) fn look(data_dir: &Path) -> Option<Running> {
    let flags = TargetFlags::of_data_dir(data_dir, ANSWER_SECONDS);
    let mut client = Client::new(flags.resolve().ok()?.target).ok()?;
    let overview = client.get(&path(&["overview"])).ok()?;
    let name = overview.get("node").and_then(Value::as_str).unwrap_or_default();
    let node = client.get(&path(&["nodes", name])).ok();
    Some(Running { overview, node })
}

pub(super) fn findings(config: &Config, running: Option<&Running>) -> Vec<Finding> {
    let Some(running) = running else {
        let mut findings = vec![Finding::well("broker", "none runs with this data directory")];
        findings.extend(ports(config));
        return findings;
    };
    let mut findings = vec![what_runs(running)];
    findings.extend(running.node.as_ref().map(alarms));
    findings
}

fn what_runs(running: &Running) -> Finding {
    let ours = version::TEXT.as_str();
    let text = |name: &str| running.overview.get(name).and_then(Value::as_str);
    let theirs = text("leveret_version").map(|number| version::text(number, text("leveret_commit")));
    match theirs {
        Some(theirs) if theirs == ours => Finding::well("broker", format!("version {theirs} runs")),
        Some(theirs) => Finding::warning(
            "broker",
            format!("version {theirs} runs, and this is {ours}"),
            "Restart the broker to have this version run.",
        ),
        None => Finding::warning("broker", "what runs says no version", "Is it leveret?"),
    }
}

fn alarms(node: &Value) -> Finding {
    let is_raised = |field: &str| node.get(field) == Some(&Value::Bool(true));
    match (is_raised("mem_alarm"), is_raised("disk_free_alarm")) {
        (false, false) => Finding::well("alarms", "none"),
        (true, false) => Finding::failed(
            "alarms",
            "memory: publishers are blocked",
            "Have consumers take messages, or raise memory_limit; 'leveret queues ls --columns name,memory --sort memory \
             --reverse' tells where it is.",
        ),
        (_, true) => Finding::failed(
            "alarms",
            "disk: publishers are blocked",
            "Free some space where the data directory is, or lower disk_free_limit.",
        ),
    }
}

/// Whether the ports can be listened at. A default port that is taken is no failed start for HTTP.
fn ports(config: &Config) -> Vec<Finding> {
    let amqp = config.listeners.iter().map(|address| ("port for AMQP", *address, true));
    let tls = config.tls.listeners.iter().map(|address| ("port for AMQP over TLS", *address, true));
    let http = config.management.address();
    let http = http.map(|address| ("port for HTTP", address, config.management.listen.is_some()));
    let metrics = config.metrics.address();
    let metrics = metrics.map(|address| ("port for metrics", address, config.metrics.listen.is_some()));
    let ports = amqp.chain(tls).chain(http).chain(metrics);
    ports.map(|(check, address, needed)| port(check, address, needed)).collect()
}

fn port(check: &'static str, address: ListenAddress, needed: bool) -> Finding {
    let at = match address {
        ListenAddress::At(at) => at,
        ListenAddress::AllInterfaces(port) => SocketAddr::from(([0, 0, 0, 0], port)),
    };
    // It is closed at once, before anybody is let in.
    match TcpListener::bind(at) {
        Ok(_) => Finding::well(check, format!("{address} is free")),
        Err(error) => {
            let found = match error.kind() {
                ErrorKind::AddrInUse => format!("{address} is taken by another program"),
                ErrorKind::PermissionDenied => format!("{address} may not be used by this user"),
                ErrorKind::AddrNotAvailable => format!("{address} is no address of this machine"),
                _ => format!("{address}: {error}"),
            };
            let advice = "'ss -ltnp' tells who uses it; or listen at another port.";
            if needed {
                Finding::failed(check, found, advice)
            } else {
                Finding::warning(check, found, advice)
            }
        }
    }
}
