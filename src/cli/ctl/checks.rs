//! Whether a broker is as it should be: the checks of `rabbitmq-diagnostics`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use super::desk::Desk;
use super::field::Field;
use super::node::is_running;
use super::output::Found;
use super::trouble::Trouble;
use crate::cli::client::{Request, path, query};
use crate::cli::exit;

type Done = Result<Found, Trouble>;

/// How long a port may take to accept.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// A check has passed: words for people, an object for programs.
fn passed(words: String) -> Found {
    Found::Text(words + "\n", Some(json!({ "result": "ok" })))
}

/// The answer of a health check: `None` when it has passed, else what it says.
fn check(desk: &mut Desk, parts: &[&str]) -> Result<Option<Value>, Trouble> {
    let parts = ["health", "checks"].iter().chain(parts).copied().collect::<Vec<&str>>();
    let request = Request::get(path(&parts));
    match desk.send(&request)? {
        (200, _) => Ok(None),
        (503, said) => Ok(Some(said)),
        _ => desk.ask(&request).map(|_| None),
    }
}

pub(super) fn check_running(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Checking if RabbitMQ is running on node {node} ..."))?;
    if is_running(desk) {
        return Ok(passed(format!("RabbitMQ on node {node} is fully booted and running")));
    }
    Err(Trouble::unavailable(format!(
        "RabbitMQ on node {node} is not running or has not fully booted yet (check with is_booting)"
    )))
}

pub(super) fn is_running_or_not(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Asking node {node} for its status ..."))?;
    let running = is_running(desk);
    let words = if running { "is fully booted and running" } else { "is not running" };
    Ok(Found::Text(format!("RabbitMQ on node {node} {words}\n"), Some(json!({ "result": running }))))
}

/// One that answers has booted.
pub(super) fn is_booting(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Asking node {node} for its boot status ..."))?;
    let words = "is fully booted (check with is_running), stopped or has not started booting yet";
    Ok(Found::Text(format!("RabbitMQ on node {node} {words}\n"), Some(json!({ "result": false }))))
}

/// The alarms that are raised, as health checks tell them.
fn alarms(desk: &mut Desk) -> Result<Vec<String>, Trouble> {
    let Some(said) = check(desk, &["alarms"])? else { return Ok(Vec::new()) };
    let alarm = |alarm: &Value| match alarm.of("resource").as_str() {
        Some("memory") => "Memory alarm".to_owned(),
        Some("disk" | "disk_free") => "Free disk space alarm".to_owned(),
        other => format!("{} alarm", other.unwrap_or("unknown")),
    };
    let named: Vec<String> = said.of("alarms").as_array().into_iter().flatten().map(alarm).collect();
    Ok(if named.is_empty() { vec!["an alarm".to_owned()] } else { named })
}

/// The words for what is raised, and the failure where that is one.
fn alarms_as(desk: &mut Desk, doing: &str, all_is_well: &str, otherwise: &str, is_check: bool) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Asking node {node} to report any {doing} ..."))?;
    let raised = alarms(desk)?;
    if raised.is_empty() {
        let object = json!({ "result": "ok", "alarms": [] });
        return Ok(Found::Text(format!("Node {node} {all_is_well}\n"), Some(object)));
    }
    let lines: Vec<String> = raised.iter().map(|alarm| format!("{alarm} on node {node}")).collect();
    let words = format!("Node {node} {otherwise}\n\n{}", lines.join("\n"));
    if is_check {
        return Err(Trouble::unavailable(words));
    }
    Ok(Found::Text(words + "\n", Some(json!({ "alarms": raised, "node": node }))))
}

/// What is said when no alarm is raised.
const NO_ALARM: &str = "reported no alarms, local or clusterwide";

pub(super) fn check_local_alarms(desk: &mut Desk) -> Done {
    let otherwise = "reported the following local alarms:";
    alarms_as(desk, "local resource alarms", "reported no local alarms", otherwise, true)
}

pub(super) fn check_alarms(desk: &mut Desk) -> Done {
    alarms_as(desk, "local resource alarms", NO_ALARM, "reported the following alarms:", true)
}

pub(super) fn list_alarms(desk: &mut Desk) -> Done {
    alarms_as(desk, "known resource alarms", NO_ALARM, "reported the following alarms:", false)
}

pub(super) fn check_virtual_hosts(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Checking if all vhosts are running on node {node} ..."))?;
    match check(desk, &["virtual-hosts"])? {
        None => Ok(passed(format!("Node {node} reported all vhosts as running"))),
        Some(said) => {
            Err(Trouble::unavailable(format!("Some virtual hosts on node {node} are down: {said}")))
        }
    }
}

/// The listeners: what is spoken, where.
fn listening(desk: &mut Desk) -> Result<Vec<Value>, Trouble> {
    Ok(desk.get(&["overview"])?.of("listeners").as_array().cloned().unwrap_or_default())
}

/// What a protocol is for.
fn purpose(protocol: &str) -> &str {
    match protocol {
        "amqp" => "AMQP 0-9-1",
        "amqp/ssl" => "AMQP 0-9-1 over TLS",
        "http" => "HTTP API",
        "https" => "HTTP API over TLS (HTTPS)",
        "http/prometheus" => "Prometheus exporter API over HTTP",
        "https/prometheus" => "Prometheus exporter API over TLS (HTTPS)",
        other => other,
    }
}

/// Listeners as objects and as lines.
pub(super) fn described(listeners: &[Value]) -> Vec<(Value, String)> {
    let one = |listener: &Value| {
        let address = listener.of("ip_address").as_str().unwrap_or_default();
        let interface = match address.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => address.to_owned(),
        };
        let (protocol, port) = (listener.of("protocol").as_str().unwrap_or_default(), listener.of("port"));
        let purpose = purpose(protocol);
        let line = format!("Interface: {interface}, port: {port}, protocol: {protocol}, purpose: {purpose}");
        let object = json!({
            "interface": interface, "node": listener.of("node"), "port": port, "protocol": protocol,
            "purpose": purpose,
        });
        (object, line)
    };
    listeners.iter().map(one).collect()
}

pub(super) fn listeners(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Asking node {node} to report its protocol listeners ..."))?;
    let (objects, lines): (Vec<Value>, Vec<String>) = described(&listening(desk)?).into_iter().unzip();
    Ok(Found::Text(lines.join("\n") + "\n", Some(json!({ "listeners": objects }))))
}

/// Of a broker that is this program.
pub(super) fn tls_versions(desk: &mut Desk) -> Done {
    desk.node()?;
    desk.say("Listing all TLS versions supported by the runtime...")?;
    let versions = crate::net::tls_versions();
    Ok(Found::Text(versions.join("\n") + "\n", Some(json!({ "versions": versions }))))
}

/// The same. Of the forms that RabbitMQ has, only names of `OpenSSL` are what configurations take here.
pub(super) fn cipher_suites(desk: &mut Desk) -> Done {
    match desk.value("format") {
        None | Some("openssl") => {}
        Some(other) => {
            let known = "suites have the names that tls.ciphers and ssl_options.ciphers take: openssl";
            return Err(Trouble::usage(format!("there is no format '{other}' here; {known}")));
        }
    }
    desk.node()?;
    desk.say("Listing available cipher suites in OpenSSL format")?;
    let suites: Vec<&str> = crate::net::cipher_suites().collect();
    Ok(Found::Text(suites.join("\n") + "\n", Some(json!(suites))))
}

pub(super) fn check_port_listener(desk: &mut Desk) -> Done {
    let (node, port) = (desk.node()?, desk.argument(0).to_owned());
    desk.say(&format!("Asking node {node} if there's an active listener on port {port} ..."))?;
    let ports: Vec<String> =
        listening(desk)?.iter().map(|listener| listener.of("port").to_string()).collect();
    if ports.contains(&port) {
        return Ok(passed(format!("A listener for port {port} is running on node {node}.")));
    }
    Err(Trouble::unavailable(format!(
        "No listener for port {port} is active on node {node}. Found listeners that use the following ports: {}",
        ports.join(", ")
    )))
}

pub(super) fn check_protocol_listener(desk: &mut Desk) -> Done {
    let (node, wanted) = (desk.node()?, desk.argument(0).to_owned());
    desk.say(&format!("Asking node {node} if there's an active listener for protocol {wanted} ..."))?;
    let listeners = listening(desk)?;
    let protocols: Vec<&str> =
        listeners.iter().filter_map(|listener| listener.of("protocol").as_str()).collect();
    // Names that RabbitMQ's program takes for them.
    let meant = match wanted.to_ascii_lowercase().as_str() {
        "amqp091" | "amqp0.9.1" | "amqp0-9-1" | "amqp0_9_1" => "amqp".to_owned(),
        "amqps" | "amqp/tls" => "amqp/ssl".to_owned(),
        "management" => "http".to_owned(),
        "prometheus" => "http/prometheus".to_owned(),
        other => other.to_owned(),
    };
    if protocols.contains(&meant.as_str()) {
        return Ok(passed(format!("A listener for protocol {wanted} is running on node {node}.")));
    }
    Err(Trouble::unavailable(format!(
        "No listener for protocol {wanted} is active on node {node}. Found listeners for the following protocols: {}",
        protocols.join(", ")
    )))
}

pub(super) fn check_port_connectivity(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Testing TCP connections to all active listeners on node {node} ..."))?;
    let given: Option<IpAddr> = match desk.value("address") {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| Trouble::usage("--address takes an IP address"))?),
    };
    let (mut ports, mut failed) = (Vec::new(), Vec::new());
    for listener in listening(desk)? {
        let address: Option<IpAddr> = listener.of("ip_address").as_str().and_then(|text| text.parse().ok());
        let port = listener.of("port").as_u64().and_then(|port| u16::try_from(port).ok());
        let (Some(address), Some(port)) = (address, port) else { continue };
        // Every address is reached by this machine's own.
        let own = if address.is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address };
        let reached = given.unwrap_or(own);
        match TcpStream::connect_timeout(&SocketAddr::new(reached, port), CONNECT_TIME) {
            Ok(_) => ports.push(port.to_string()),
            Err(error) => failed.push(format!("port {port} of {reached}: {error}")),
        }
    }
    if failed.is_empty() {
        return Ok(passed(format!("Successfully connected to ports {} on node {node}.", ports.join(", "))));
    }
    Err(Trouble::unavailable(format!(
        "Connection to ports of the following listeners on node {node} failed:\n{}",
        failed.join("\n")
    )))
}

/// With one node there is no other whose loss would matter.
pub(super) fn check_if_node_is_quorum_critical(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Checking if node {node} is critical for quorum of any quorum queues ..."))?;
    let words = "seems to be the only one in a single node cluster, the check does not apply";
    Ok(passed(format!("Node {node} {words}")))
}

pub(super) fn check_certificate_expiration(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Checking certificate expiration on node {node} ..."))?;
    let within =
        desk.value("within").ok_or_else(|| Trouble::usage("--within is missing, such as --within 4"))?;
    let (within, unit) = (within.to_owned(), desk.value("unit").unwrap_or("weeks").to_owned());
    match check(desk, &["certificate-expiration", &within, &unit])? {
        None => Ok(passed(format!("No certificates are expiring within {within} {unit}."))),
        Some(said) => Err(Trouble::unavailable(format!(
            "Found certificates that expire within {within} {unit}: {}",
            said.of("expired")
        ))),
    }
}

pub(super) fn node_health_check(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Checking health of node {node} ..."))?;
    if !is_running(desk) {
        return Err(Trouble::unavailable("the broker does not serve clients"));
    }
    let raised = alarms(desk)?;
    if raised.is_empty() {
        return Ok(passed("Health check passed".to_owned()));
    }
    Err(Trouble::unavailable(format!("resource alarm(s) in effect: {}", raised.join(", "))))
}

pub(super) fn memory_breakdown(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Reporting memory breakdown on node {node}..."))?;
    let unit = desk.value("unit").unwrap_or("gb").to_ascii_lowercase();
    let divisor = unit_bytes(&unit)?;
    let memory = desk.get(&["nodes", &node, "memory"])?;
    let fields = memory.of("memory").as_object().into_iter().flatten();
    // Its total is an object, its strategy a word.
    let mut parts: Vec<(&String, u64)> =
        fields.filter_map(|(name, bytes)| Some((name, bytes.as_u64()?))).collect();
    parts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(other.0)));
    let total: u64 = parts.iter().map(|(_, bytes)| bytes).sum();
    let share = |bytes: u64| if total == 0 { 0.0 } else { rounded(ratio(bytes, total) * 100.0, 2) };
    let line = |(name, bytes): &(&String, u64)| {
        format!("{name}: {} {unit} ({}%)\n", rounded(ratio(*bytes, divisor), 4), share(*bytes))
    };
    let lines: Vec<String> = parts.iter().map(line).collect();
    let objects = parts
        .iter()
        .map(|(name, bytes)| ((*name).clone(), json!({ "bytes": bytes, "percentage": share(*bytes) })));
    let object = Value::Object(objects.collect());
    Ok(Found::Text(lines.concat(), Some(object)))
}

/// So many bytes has a unit.
pub(super) fn unit_bytes(unit: &str) -> Result<u64, Trouble> {
    Ok(match unit {
        "b" | "bytes" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err(Trouble::usage(format!("unit '{unit}' is not supported: try bytes, mb or gb"))),
    })
}

#[allow(clippy::cast_precision_loss, reason = "it is shown with four digits")]
pub(super) fn ratio(one: u64, other: u64) -> f64 {
    one as f64 / other as f64
}

pub(super) fn rounded(number: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (number * scale).round() / scale
}

pub(super) fn log_location(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Log file location(s) on node {node} ..."))?;
    let tail = log(desk, "1")?;
    let file = tail.of("file").as_str().unwrap_or("<stdout>").to_owned();
    Ok(Found::Text(format!("{file}\n"), Some(json!([file]))))
}

/// The end of the log file; nothing where the log goes to standard output only.
fn log(desk: &mut Desk, lines: &str) -> Result<Value, Trouble> {
    let request = Request::get(query(&path(&["leveret", "log"]), &[("lines", lines)]));
    match desk.ask(&request) {
        Err(trouble) if trouble.is_absence() => Ok(Value::Null),
        answer => answer,
    }
}

pub(super) fn log_tail(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    let number = desk.value("number").unwrap_or("50").to_owned();
    desk.say(&format!("Last {number} log lines on node {node} ..."))?;
    let tail = log(desk, &number)?;
    let Some(lines) = tail.of("lines").as_array() else {
        let text =
            "there is no log file: the log goes to standard output only (log.file.path says where one is)";
        return Err(Trouble::new(exit::NO_INPUT, text));
    };
    let lines: Vec<String> = lines.iter().filter_map(Value::as_str).map(|line| format!("{line}\n")).collect();
    Ok(Found::Text(lines.concat(), Some(tail)))
}

pub(super) fn os_env(desk: &mut Desk) -> Done {
    desk.say("Listing environment variables that this command sees, as a broker beside it does ...")?;
    let ours = std::env::vars().filter(|(name, _)| {
        let is_ours = name.starts_with("RABBITMQ_") || name.starts_with("LEVERET_");
        is_ours && !name.contains("PASS") && !name.contains("COOKIE") && name != "LEVERET_URL"
    });
    let ours: BTreeMap<String, String> = ours.collect();
    let lines: Vec<String> = ours.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    Ok(Found::Text(lines.concat(), Some(json!(ours))))
}
