//! The one node that there is.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::listing::{one, whole};
use super::overview::rate;
use super::site::{Listening, Site};
use super::stand_ins;
use crate::exchange::ExchangeType;

/// `GET /api/nodes`
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    Ok(whole(call, vec![node(&call.site)], |node| Some(node.clone())))
}

/// `GET /api/nodes/{name}`
pub(super) fn show(call: &Call) -> Result<Answer, Failure> {
    if call.part("name") != call.site.node {
        return Err(Failure::no_object());
    }
    Ok(one(call, node(&call.site)))
}

fn node(site: &Site) -> Value {
    let alarms = &site.environment.alarms;
    let raised = site.environment.raised();
    let config = site.environment.config();
    let mechanisms = config.access.mechanisms.iter();
    let mechanisms: Vec<Value> = mechanisms
        .map(|mechanism| json!({ "name": mechanism.name(), "description": "", "enabled": true }))
        .collect();
    let sockets = site.environment.connections.len();
    json!({
        "name": site.node,
        "type": "disc",
        "running": true,
        "being_drained": false,
        "os_pid": std::process::id().to_string(),
        "uptime": u64::try_from(site.uptime().as_millis()).unwrap_or(u64::MAX),
        "processors": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "rates_mode": "basic",
        "net_ticktime": stand_ins::NET_TICK_TIME,
        "run_queue": stand_ins::RUN_QUEUE,
        "proc_used": stand_ins::PROCESSES,
        "proc_used_details": rate(),
        "proc_total": stand_ins::PROCESSES_MAX,
        "fd_used": open_descriptors(),
        "fd_used_details": rate(),
        "fd_total": site.descriptors,
        "sockets_used": sockets,
        "sockets_used_details": rate(),
        "sockets_total": config.max_connections.unwrap_or(site.descriptors),
        "mem_used": alarms.memory().used(),
        "mem_used_details": rate(),
        "mem_limit": alarms.memory().limit(),
        "mem_alarm": raised.memory,
        "mem_calculation_strategy": "allocated",
        "disk_free": alarms.disk().free(),
        "disk_free_details": rate(),
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
        "log_files": [],
        "config_files": [],
        "db_dir": config.data_dir.display().to_string(),
        "metrics_gc_queue_length": {},
    })
}

/// How many files this process has open; nothing where the system does not say.
fn open_descriptors() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count())
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
