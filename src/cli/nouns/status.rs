//! `leveret status`: what a broker is, and how it is.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::client::path;
use crate::cli::desk::{Desk, DeskFlags};
use crate::cli::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  leveret status                                  the broker on this machine
  leveret status --data-dir /var/lib/leveret      the one with this data directory
  leveret status --url http://admin@mq:15672      one elsewhere; asks for the password
  leveret status -o json                          for programs
  leveret status --watch=5                        again every five seconds";

/// Show what a broker is and how it is: version, load, memory, disk, alarms.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct StatusOptions {
    #[command(flatten)]
    desk: DeskFlags,
}

/// Does what the command says.
pub(in crate::cli) fn run(options: StatusOptions) -> ExitCode {
    options.desk.run(|desk| {
        desk.output.clone().watched(|| {
            let status = read(desk)?;
            desk.output.object_in_order(status, &ORDER)
        })
    })
}

/// What matters most comes first.
const ORDER: [&str; 23] = [
    "state",
    "alarms",
    "version",
    "commit",
    "compatible_with",
    "node",
    "cluster_name",
    "asked_at",
    "asked_as",
    "pid",
    "uptime_ms",
    "data_dir",
    "listeners",
    "messages",
    "objects",
    "memory_used_bytes",
    "memory_limit_bytes",
    "disk_free_bytes",
    "disk_free_limit_bytes",
    "descriptors_used",
    "descriptors_max",
    "connections_max",
    "processors",
];

/// What is told; of the node only to whoever may see it.
fn read(desk: &mut Desk) -> Result<Value, Failure> {
    let overview = desk.get(&path(&["overview"]))?;
    let of = |object: &Value, name: &str| object.get(name).cloned().unwrap_or(Value::Null);
    let mut status = Map::new();
    let mut tell = |name: &str, value: Value| {
        if !value.is_null() {
            status.insert(name.to_owned(), value);
        }
    };
    tell("state", json!("running"));
    tell("version", of(&overview, "leveret_version"));
    tell("commit", of(&overview, "leveret_commit"));
    tell("compatible_with", compatible(&overview));
    tell("node", of(&overview, "node"));
    tell("cluster_name", of(&overview, "cluster_name"));
    tell("asked_at", json!(desk.endpoint().map(ToString::to_string)));
    tell("asked_as", json!(desk.user()));
    for (name, totals) in [("objects", "object_totals"), ("messages", "queue_totals")] {
        tell(name, without_rates(&of(&overview, totals)));
    }
    let listeners = overview.get("listeners").and_then(Value::as_array);
    tell("listeners", listeners.map_or(Value::Null, |listeners| listeners.iter().map(listener).collect()));
    match node(desk, &overview) {
        Ok(node) => {
            for (name, field) in [
                ("pid", "os_pid"),
                ("uptime_ms", "uptime"),
                ("data_dir", "db_dir"),
                ("memory_used_bytes", "mem_used"),
                ("memory_limit_bytes", "mem_limit"),
                ("disk_free_bytes", "disk_free"),
                ("disk_free_limit_bytes", "disk_free_limit"),
                ("descriptors_used", "fd_used"),
                ("descriptors_max", "fd_total"),
                ("connections_max", "sockets_total"),
                ("processors", "processors"),
            ] {
                tell(name, of(&node, field));
            }
            tell("alarms", alarms(&node));
        }
        // That is for monitors and administrators; everybody sees the rest.
        Err(failure) if matches!(failure.status, Some(401 | 403)) => {}
        Err(failure) => return Err(failure),
    }
    Ok(Value::Object(status))
}

fn node(desk: &mut Desk, overview: &Value) -> Result<Value, Failure> {
    let name = overview.get("node").and_then(Value::as_str).unwrap_or_default();
    desk.get(&path(&["nodes", name]))
}

fn compatible(overview: &Value) -> Value {
    let text = |name: &str| overview.get(name).and_then(Value::as_str);
    match (text("product_name"), text("product_version")) {
        (Some(product), Some(version)) => json!(format!("{product} {version}")),
        _ => Value::Null,
    }
}

fn without_rates(totals: &Value) -> Value {
    let Value::Object(totals) = totals else { return Value::Null };
    let plain = totals.iter().filter(|(_, value)| !value.is_object());
    Value::Object(plain.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn listener(listener: &Value) -> Value {
    let text = |name: &str| listener.get(name).and_then(Value::as_str).unwrap_or_default();
    let port = listener.get("port").and_then(Value::as_u64).unwrap_or_default();
    let address = text("ip_address");
    let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    json!(format!("{} {address}:{port}", text("protocol")))
}

fn alarms(node: &Value) -> Value {
    let raised = [("memory", "mem_alarm"), ("disk", "disk_free_alarm")];
    let raised = raised.into_iter().filter(|(_, field)| node.get(*field) == Some(&Value::Bool(true)));
    let raised: Vec<&str> = raised.map(|(name, _)| name).collect();
    if raised.is_empty() { json!("none") } else { json!(raised) }
}
