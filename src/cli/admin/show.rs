//! Lists and objects in the forms that `rabbitmqadmin` has.

use serde_json::Value;

use super::desk::Desk;
use crate::cli::failure::Failure;
use crate::cli::output::{cell, print};

/// What can be listed: its name, where it is, and the columns of interest.
const LISTS: [(&str, &[&str], &[&str]); 18] = [
    ("queues", &["queues"], &["vhost", "name", "type", "messages", "consumers"]),
    ("exchanges", &["exchanges"], &["vhost", "name", "type", "durable"]),
    (
        "bindings",
        &["bindings"],
        &["vhost", "source", "destination", "destination_type", "routing_key", "properties_key"],
    ),
    ("connections", &["connections"], &["name", "user", "vhost", "state", "channels"]),
    ("channels", &["channels"], &["name", "user", "vhost", "consumer_count", "messages_unacknowledged"]),
    ("consumers", &["consumers"], &["queue.vhost", "queue.name", "consumer_tag", "ack_required", "active"]),
    ("vhosts", &["vhosts"], &["name", "messages", "default_queue_type"]),
    ("users", &["users"], &["name", "tags"]),
    ("permissions", &["permissions"], &["vhost", "user", "configure", "write", "read"]),
    ("topic_permissions", &["topic-permissions"], &["vhost", "user", "exchange", "write", "read"]),
    ("policies", &["policies"], &["vhost", "name", "pattern", "apply-to", "priority", "definition"]),
    (
        "operator_policies",
        &["operator-policies"],
        &["vhost", "name", "pattern", "apply-to", "priority", "definition"],
    ),
    ("parameters", &["parameters"], &["vhost", "component", "name", "value"]),
    ("nodes", &["nodes"], &["name", "running", "mem_used", "fd_used"]),
    ("vhost_limits", &["vhost-limits"], &["vhost", "value"]),
    ("user_limits", &["user-limits"], &["user", "value"]),
    ("feature_flags", &["feature-flags"], &["name", "state"]),
    ("deprecated_features", &["deprecated-features"], &["name", "deprecation_phase"]),
];

/// Lists whose paths end with a virtual host.
const OF_VHOST: [&str; 7] =
    ["queues", "exchanges", "bindings", "consumers", "policies", "operator_policies", "vhost_limits"];

/// `list OBJECTS [COLUMN ...]`
pub(super) fn list(desk: &mut Desk) -> Result<(), Failure> {
    let name = desk.words.plain.get(1).map(|name| name.replace('-', "_")).unwrap_or_default();
    let Some((_, parts, columns)) = LISTS.iter().find(|(known, ..)| *known == name) else {
        let known: Vec<&str> = LISTS.iter().map(|(name, ..)| *name).collect();
        return Err(Failure::usage(format!("'{name}' cannot be listed"))
            .because(format!("there are {}", known.join(", "))));
    };
    let mut parts = parts.to_vec();
    let vhost = desk.words.setting("vhost").map(str::to_owned);
    if OF_VHOST.contains(&name.as_str()) {
        parts.extend(vhost.as_deref());
    }
    let Value::Array(mut objects) = desk.get(&parts)? else {
        return Err(Failure::data("the broker answered no list"));
    };
    if let Some(key) = desk.words.setting("sort") {
        objects.sort_by_cached_key(|object| sortable(at(object, key)));
    }
    if desk.words.has("reverse") {
        objects.reverse();
    }
    let asked: Vec<&str> = desk.words.plain.iter().skip(2).map(String::as_str).collect();
    let columns = if asked.is_empty() { columns.to_vec() } else { asked };
    print(&shown(desk.words.setting("format").unwrap_or("table"), objects, &columns)?)
}

/// Numbers by size, the rest by text.
fn sortable(value: &Value) -> (u64, String) {
    (value.as_u64().unwrap_or(0), value.as_str().unwrap_or_default().to_owned())
}

/// `show overview`
pub(super) fn show(desk: &mut Desk) -> Result<(), Failure> {
    let path: &[&str] = match desk.words.plain.get(1).map(String::as_str) {
        Some("overview" | "churn") => &["overview"],
        Some("endpoint" | "whoami") => &["whoami"],
        other => {
            let what = other.unwrap_or("nothing");
            return Err(Failure::usage(format!("'{what}' cannot be shown")).because("there is overview"));
        }
    };
    let object = desk.get(path)?;
    let wanted = [
        "rabbitmq_version",
        "cluster_name",
        "node",
        "name",
        "tags",
        "queue_totals.messages",
        "object_totals.queues",
        "object_totals.connections",
        "object_totals.channels",
        "object_totals.consumers",
    ];
    let columns: Vec<&str> = wanted.into_iter().filter(|name| !at(&object, name).is_null()).collect();
    print(&shown(desk.words.setting("format").unwrap_or("table"), vec![object], &columns)?)
}

fn at<'v>(object: &'v Value, name: &str) -> &'v Value {
    let found = name.split('.').try_fold(object, |value, part| value.get(part));
    found.unwrap_or(&Value::Null)
}

/// Objects in a form, by its name.
pub(super) fn shown(format: &str, objects: Vec<Value>, columns: &[&str]) -> Result<String, Failure> {
    let row = |object: &Value| -> Vec<String> { columns.iter().map(|name| cell(at(object, name))).collect() };
    Ok(match format {
        "raw_json" => format!("{}\n", Value::Array(objects)),
        "pretty_json" => format!("{:#}\n", Value::Array(objects)),
        "tsv" => {
            let lines = objects.iter().map(|object| row(object).join("\t") + "\n");
            [columns.join("\t") + "\n"].into_iter().chain(lines).collect()
        }
        "bash" => {
            let names: Vec<String> = objects.iter().map(|object| cell(at(object, "name"))).collect();
            names.join(" ") + "\n"
        }
        "kvp" | "long" => {
            let line = |object: &Value| {
                let pairs =
                    columns.iter().zip(row(object)).map(|(name, value)| format!("{name}=\"{value}\""));
                pairs.collect::<Vec<String>>().join(" ") + "\n"
            };
            objects.iter().map(line).collect()
        }
        "table" => {
            if objects.is_empty() {
                return Ok("No items\n".to_owned());
            }
            let mut table = comfy_table::Table::new();
            table.load_style(comfy_table::presets::ASCII_FULL_CONDENSED).set_header(columns);
            for object in &objects {
                table.add_row(row(object));
            }
            format!("{table}\n")
        }
        _ => {
            let known = "table, tsv, kvp, long, bash, raw_json, pretty_json";
            return Err(Failure::usage(format!("there is no format '{format}'"))
                .because(format!("there are {known}")));
        }
    })
}
