//! `status` and `cluster_status`: what there is to know of the broker at a glance.

use serde_json::{Value, json};

use super::checks::{described, ratio, rounded, unit_bytes};
use super::desk::Desk;
use super::field::Field;
use super::output::{Found, section};
use super::trouble::Trouble;

type Done = Result<Found, Trouble>;

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Listeners, as objects and as lines.
fn listeners(overview: &Value) -> (Vec<Value>, Vec<String>) {
    let listeners = overview.of("listeners").as_array().cloned().unwrap_or_default();
    described(&listeners).into_iter().unzip()
}

fn alarms(node: &Value) -> Vec<String> {
    let named = [("mem_alarm", "Memory alarm"), ("disk_free_alarm", "Free disk space alarm")];
    let raised = named.into_iter().filter(|(field, _)| *node.of(field) == json!(true));
    raised.map(|(_, words)| format!("{words} on node {}", text(node.of("name")))).collect()
}

fn or_none(lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() { vec!["(none)".to_owned()] } else { lines }
}

/// A field that is a list, each of it on a line.
fn items(node: &Value, field: &str) -> Vec<String> {
    let items = node.of(field).as_array().into_iter().flatten();
    or_none(items.map(|item| format!(" * {}", text(item))).collect())
}

pub(super) fn status(desk: &mut Desk) -> Done {
    let name = desk.node()?;
    desk.say(&format!("Status of node {name} ..."))?;
    let unit = desk.value("unit").unwrap_or("gb").to_ascii_lowercase();
    let divisor = unit_bytes(&unit)?;
    let overview = desk.get(&["overview"])?;
    let node = desk.get(&["nodes", &name])?;
    let vhosts = desk.list(&["vhosts"])?.len();
    let words = words(&name, &overview, &node, vhosts, |value| {
        format!("{} {unit}", rounded(ratio(value.as_u64().unwrap_or(0), divisor), 4))
    });
    Ok(Found::Text(words, Some(object(&overview, &node, vhosts))))
}

/// The status for people.
fn words(
    name: &str,
    overview: &Value,
    node: &Value,
    vhosts: usize,
    bytes: impl Fn(&Value) -> String,
) -> String {
    let totals = overview.of("object_totals");
    let mut report = String::new();
    let runtime = [
        format!("OS PID: {}", text(node.of("os_pid"))),
        "OS: Linux".to_owned(),
        format!("Uptime (seconds): {}", node.of("uptime").as_u64().unwrap_or(0) / 1000),
        format!("Is under maintenance?: {}", node.of("being_drained")),
        format!("RabbitMQ version: {}", text(overview.of("rabbitmq_version"))),
        format!("Leveret version: {}", text(overview.of("leveret_version"))),
        format!("Node name: {name}"),
        format!("Erlang configuration: {}", text(overview.of("erlang_full_version"))),
        format!("Erlang processes: {} used, {} limit", node.of("proc_used"), node.of("proc_total")),
        format!("Scheduler run queue: {}", node.of("run_queue")),
        format!("Cluster heartbeat timeout (net_ticktime): {}", node.of("net_ticktime")),
    ];
    section(&mut report, "Runtime", &runtime);
    section(&mut report, "Plugins", &items(node, "enabled_plugins"));
    section(&mut report, "Data directory", &[format!("Node data directory: {}", text(node.of("db_dir")))]);
    section(&mut report, "Config files", &items(node, "config_files"));
    section(&mut report, "Log file(s)", &items(node, "log_files"));
    section(&mut report, "Alarms", &or_none(alarms(node)));
    let memory = [
        format!("Total memory used: {}", bytes(node.of("mem_used"))),
        format!("Calculation strategy: {}", text(node.of("mem_calculation_strategy"))),
        format!("Memory high watermark setting: computed to: {}", bytes(node.of("mem_limit"))),
    ];
    section(&mut report, "Memory", &memory);
    let descriptors = [
        format!("Total: {}, limit: {}", node.of("fd_used"), node.of("fd_total")),
        format!("Sockets: {}, limit: {}", node.of("sockets_used"), node.of("sockets_total")),
    ];
    section(&mut report, "File Descriptors", &descriptors);
    let disk = [
        format!("Low free disk space watermark: {}", bytes(node.of("disk_free_limit"))),
        format!("Free disk space: {}", bytes(node.of("disk_free"))),
    ];
    section(&mut report, "Free Disk Space", &disk);
    let counts = [
        format!("Connection count: {}", totals.of("connections")),
        format!("Queue count: {}", totals.of("queues")),
        format!("Virtual host count: {vhosts}"),
    ];
    section(&mut report, "Totals", &counts);
    section(&mut report, "Listeners", &listeners(overview).1);
    report.trim_end().to_owned() + "\n"
}

/// The status for programs.
fn object(overview: &Value, node: &Value, vhosts: usize) -> Value {
    let totals = overview.of("object_totals");
    let used = node.of("mem_used");
    json!({
        "active_plugins": node.of("enabled_plugins"),
        "alarms": alarms(node),
        "config_files": node.of("config_files"),
        "data_directory": node.of("db_dir"),
        "disk_free": node.of("disk_free"),
        "disk_free_limit": node.of("disk_free_limit"),
        "erlang_version": overview.of("erlang_full_version"),
        "file_descriptors": {
            "total_limit": node.of("fd_total"), "total_used": node.of("fd_used"),
            "sockets_limit": node.of("sockets_total"), "sockets_used": node.of("sockets_used"),
        },
        "is_under_maintenance": node.of("being_drained"),
        "leveret_version": overview.of("leveret_version"),
        "listeners": listeners(overview).0,
        "log_files": node.of("log_files"),
        "memory": {
            "total": { "allocated": used, "rss": used }, "strategy": node.of("mem_calculation_strategy"),
        },
        "net_ticktime": node.of("net_ticktime"),
        "os": "Linux",
        "pid": node.of("os_pid").as_str().and_then(|pid| pid.parse::<u64>().ok()),
        "processes": { "limit": node.of("proc_total"), "used": node.of("proc_used") },
        "rabbitmq_version": overview.of("rabbitmq_version"),
        "run_queue": node.of("run_queue"),
        "totals": {
            "connection_count": totals.of("connections"), "queue_count": totals.of("queues"),
            "virtual_host_count": vhosts,
        },
        "uptime": node.of("uptime").as_u64().unwrap_or(0) / 1000,
        "vm_memory_calculation_strategy": node.of("mem_calculation_strategy"),
        "vm_memory_high_watermark_limit": node.of("mem_limit"),
    })
}

pub(super) fn cluster_status(desk: &mut Desk) -> Done {
    let name = desk.node()?;
    desk.say(&format!("Cluster status of node {name} ..."))?;
    let overview = desk.get(&["overview"])?;
    let node = desk.get(&["nodes", &name])?;
    let flags = desk.list(&["feature-flags"])?;
    let (listener_objects, listener_lines) = listeners(&overview);
    let version = text(overview.of("rabbitmq_version"));
    let mut report = String::new();
    section(&mut report, "Basics", &[format!("Cluster name: {}", text(overview.of("cluster_name")))]);
    section(&mut report, "Disk Nodes", std::slice::from_ref(&name));
    section(&mut report, "Running Nodes", std::slice::from_ref(&name));
    section(&mut report, "Versions", &[format!("{name}: RabbitMQ {version}")]);
    section(&mut report, "Maintenance status", &[format!("Node: {name}, status: not under maintenance")]);
    section(&mut report, "Alarms", &or_none(alarms(&node)));
    section(&mut report, "Network Partitions", &or_none(Vec::new()));
    let lines = listener_lines.iter().map(|line| format!("Node: {name}, {}", line.replacen('I', "i", 1)));
    section(&mut report, "Listeners", &lines.collect::<Vec<String>>());
    let flag = |flag: &Value| format!("Flag: {}, state: {}", text(flag.of("name")), text(flag.of("state")));
    section(&mut report, "Feature flags", &flags.iter().map(flag).collect::<Vec<String>>());
    let versions = json!({ "rabbitmq_version": version, "erlang_version": overview.of("erlang_version") });
    let object = json!({
        "alarms": alarms(&node),
        "cluster_name": overview.of("cluster_name"),
        "disk_nodes": [name],
        "feature_flags": flags,
        "listeners": { name.clone(): listener_objects },
        "maintenance_status": { name.clone(): "not under maintenance" },
        "partitions": {},
        "ram_nodes": [],
        "running_nodes": [name],
        "versions": { name.clone(): versions },
    });
    Ok(Found::Text(report.trim_end().to_owned() + "\n", Some(object)))
}

/// Everything that helps to find a fault, one report after the other.
pub(super) fn report(desk: &mut Desk) -> Done {
    let name = desk.node()?;
    desk.say(&format!("Reporting server status of node {name} ..."))?;
    let mut text = String::new();
    let parts: [fn(&mut Desk) -> Done; 3] = [status, cluster_status, super::node::environment];
    for part in parts {
        if let Found::Text(lines, _) = part(desk)? {
            text.push_str(&lines);
            text.push('\n');
        }
    }
    Ok(Found::Text(text, None))
}
