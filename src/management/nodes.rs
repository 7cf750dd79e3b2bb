//! The one node that there is.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::listing::{one, whole};
use super::overview::rate;
use super::site::{Listening, Site};
use super::stand_ins;
use super::statistics::NodeSample;
use crate::exchange::ExchangeType;

/// `GET /api/nodes`
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    Ok(whole(call, vec![node(call)], |node| Some(node.clone())))
}

/// `GET /api/nodes/{name}`
pub(super) fn show(call: &Call) -> Result<Answer, Failure> {
    if call.part("name") != call.site.node {
        return Err(Failure::no_object());
    }
    Ok(one(call, node(call)))
}

/// `DELETE /api/reset` and `/api/reset/{name}`: forgets what was sampled.
pub(super) fn reset_statistics(call: &Call) -> Result<Answer, Failure> {
    if call.find("name").is_some_and(|name| name != call.site.node) {
        return Err(Failure::no_object());
    }
    call.site.statistics.reset();
    Ok(Answer::NoContent)
}

fn node(call: &Call) -> Value {
    let site = &*call.site;
    if !call.tells_statistics() {
        return json!({ "name": site.node, "type": "disc", "running": true });
    }
    let alarms = &site.environment.alarms;
    let raised = site.environment.raised();
    let config = site.environment.config();
    let mechanisms = config.access.mechanisms.iter();
    let mechanisms: Vec<Value> = mechanisms
        .map(|mechanism| json!({ "name": mechanism.name(), "description": "", "enabled": true }))
        .collect();
    let mut object = json!({
        "name": site.node,
        "type": "disc",
        "running": true,
        "being_drained": false,
        "os_pid": std::process::id().to_string(),
        "uptime": u64::try_from(site.uptime().as_millis()).unwrap_or(u64::MAX),
        "processors": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "rates_mode": config.statistics.rates_mode.as_str(),
        "net_ticktime": stand_ins::NET_TICK_TIME,
        "run_queue": stand_ins::RUN_QUEUE,
        "proc_used": stand_ins::PROCESSES,
        "proc_used_details": rate(),
        "proc_total": stand_ins::PROCESSES_MAX,
        "fd_total": site.descriptors,
        "sockets_total": config.max_connections.unwrap_or(site.descriptors),
        "mem_limit": alarms.memory().limit(),
        "mem_alarm": raised.memory,
        "mem_calculation_strategy": "allocated",
        "disk_free_limit": alarms.disk().limit(),
        "disk_free_alarm": raised.disk,
        "partitions": [],
        "cluster_links": [],
        "exchange_types": exchange_types(),
        "auth_mechanisms": mechanisms,
        "applications": [{
            "name": "leveret", "description": env!("CARGO_PKG_DESCRIPTION"), "version": env!("CARGO_PKG_VERSION"),
        }],
        "enabled_plugins": stand_ins::ENABLED_PLUGINS,
        "contexts": contexts(site),
        "log_files": config.log.file_path().map(|path| path.display().to_string()).into_iter().collect::<Vec<_>>(),
        "config_files": [],
        "db_dir": config.data_dir.display().to_string(),
        "metrics_gc_queue_length": {},
    });
    if let Some(fields) = object.as_object_mut() {
        let sample = NodeSample::taken(&site.environment);
        site.statistics.tell_node(call.telling(), &site.environment, sample, fields);
        fields.extend(stand_ins::io());
        fields.insert("io_sync_avg_time".to_owned(), json!(sync_milliseconds(site)));
        fields.insert("io_sync_avg_time_details".to_owned(), rate());
    }
    object
}

/// How long a sync of the journal takes, in milliseconds.
fn sync_milliseconds(site: &Site) -> f64 {
    let Some(store) = site.environment.vhosts.stored() else { return 0.0 };
    let counters = store.journal.counters();
    let syncs = u32::try_from(counters.syncs()).unwrap_or(u32::MAX).max(1);
    counters.sync_time().div_f64(f64::from(syncs)).as_secs_f64() * 1000.0
}

/// `GET /api/nodes/{name}/memory`
pub(super) fn memory(call: &Call) -> Result<Answer, Failure> {
    named(call)?;
    let memory = memory_of(&call.site);
    Ok(one(call, json!({ "memory": memory })))
}

/// `GET /api/nodes/{name}/memory/relative`: parts of the whole, in per cent.
pub(super) fn relative_memory(call: &Call) -> Result<Answer, Failure> {
    named(call)?;
    let memory = memory_of(&call.site);
    let total = memory.pointer("/total/rss").and_then(Value::as_u64).unwrap_or_default().max(1);
    let parts = memory
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), json!((value.as_u64()? * 100).div_ceil(total)))));
    let mut relative: serde_json::Map<String, Value> = parts.collect();
    relative.insert("total".to_owned(), json!(100));
    Ok(one(call, json!({ "memory": relative })))
}

/// What memory is used for: what queues hold, and the rest, under the names that RabbitMQ has for something like it.
fn memory_of(site: &Site) -> Value {
    let used = site.environment.alarms.memory().used();
    let queues = site.statistics.totals(&site.environment).all.memory.min(used);
    let resident = resident_bytes().unwrap_or(used);
    let mut memory = stand_ins::memory();
    for (name, bytes) in [
        ("queue_procs", queues),
        ("other_system", used - queues),
        ("allocated_unused", resident.saturating_sub(used)),
    ] {
        memory.insert(name.to_owned(), json!(bytes));
    }
    memory.insert("strategy".to_owned(), json!("rss"));
    memory.insert("total".to_owned(), json!({ "allocated": used, "erlang": used, "rss": resident }));
    Value::Object(memory)
}

/// The memory of this process; nothing where the system does not say.
fn resident_bytes() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

fn named(call: &Call) -> Result<(), Failure> {
    if call.part("name") == call.site.node { Ok(()) } else { Err(Failure::no_object()) }
}

/// The types of exchanges.
pub(super) fn exchange_types() -> Value {
    let types = ExchangeType::ALL
        .iter()
        .map(|exchange_type| json!({ "name": exchange_type.as_str(), "description": "", "enabled": true }));
    types.collect()
}

/// Where the node listens.
pub(super) fn listeners(site: &Site) -> Value {
    let listener = |listening: &Listening| {
        json!({
            "node": site.node,
            "protocol": listening.protocol,
            "ip_address": listening.address.ip().to_string(),
            "port": listening.address.port(),
            "socket_opts": {},
        })
    };
    site.served().map(listener).collect()
}

/// Where HTTP is spoken.
pub(super) fn contexts(site: &Site) -> Value {
    let prefix = site.environment.config().management.path_prefix.clone();
    let path = prefix.unwrap_or_else(|| "/".to_owned());
    let http = site.listening.iter().filter_map(|listening| {
        let description = listening.context()?;
        let is_management = [Listening::HTTP, Listening::HTTPS].contains(&listening.protocol);
        Some(json!({
            "node": site.node,
            "description": description,
            "path": if is_management { &path } else { "/" },
            "ip": listening.address.ip().to_string(),
            "port": listening.address.port().to_string(),
        }))
    });
    http.collect()
}
