//! The broker as a whole: its start, its end, and what is set while it runs.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::desk::Desk;
use super::field::Field;
use super::output::Found;
use super::trouble::Trouble;
use crate::cli::exit;
use crate::config::share_text;

type Done = Result<Found, Trouble>;

/// Between two looks whether something has begun or ended.
const PAUSE: Duration = Duration::from_millis(50);
/// How long it is waited for a broker to serve unless that is said.
const STARTUP: Duration = Duration::from_mins(5);
/// The same for the AMQP side of one that runs.
const APP: Duration = Duration::from_mins(1);
/// How long a broker may take to write all that it has when it stops.
const STOP: Duration = Duration::from_mins(10);

/// How long to wait, as `--timeout` says in seconds.
fn patience(desk: &Desk, otherwise: Duration) -> Result<Duration, Trouble> {
    let Some(text) = desk.value("timeout") else { return Ok(otherwise) };
    if text == "infinity" {
        return Ok(Duration::MAX);
    }
    let seconds: f64 = text.parse().map_err(|_| Trouble::usage("--timeout takes seconds, such as 60"))?;
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// Whether it serves clients. One whose AMQP side is stopped does not.
pub(super) fn is_running(desk: &mut Desk) -> bool {
    desk.get(&["health", "checks", "is-in-service"]).is_ok()
}

/// Whether anything answers, if only that something is not as it should be.
fn is_there(desk: &mut Desk) -> bool {
    match desk.get(&["overview"]) {
        Ok(_) => true,
        Err(trouble) => trouble.status.is_some(),
    }
}

/// Waits until it is so, for a while; says whether it is.
fn until(patience: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() >= patience {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
    true
}

pub(super) fn ping(desk: &mut Desk) -> Done {
    desk.say("Will ping the node. This only checks if the broker answers.")?;
    match desk.get(&["overview"]) {
        Err(trouble) if trouble.status.is_none() => Err(trouble),
        _ => Ok(Found::Text("Ping succeeded\n".to_owned(), Some(json!({ "result": "ok" })))),
    }
}

pub(super) fn await_startup(desk: &mut Desk) -> Done {
    let patience = patience(desk, STARTUP)?;
    if until(patience, || is_running(desk)) { Ok(Found::Nothing) } else { Err(not_in_time(desk)) }
}

/// Why it was waited for in vain.
fn not_in_time(desk: &mut Desk) -> Trouble {
    match desk.get(&["overview"]) {
        Err(trouble) => trouble,
        Ok(_) => Trouble::new(exit::TRY_AGAIN, "the broker did not begin to serve clients in time"),
    }
}

/// `wait FILE` or `wait --pid PID`: until a broker that is being started serves.
pub(super) fn wait(desk: &mut Desk) -> Done {
    let patience = patience(desk, Duration::from_secs(10))?;
    let begun = Instant::now();
    let pid = match (desk.value("pid"), desk.find(0).map(str::to_owned)) {
        (Some(pid), _) => pid.to_owned(),
        (None, Some(file)) => {
            desk.say(&format!("Waiting for pid file '{file}' to appear"))?;
            let mut read = String::new();
            let mut running = false;
            let there = until(patience, || {
                read = std::fs::read_to_string(&file).unwrap_or_default();
                // Where RabbitMQ writes such a file by itself, ours writes it only if it is told to.
                running = read.trim().is_empty() && is_running(desk);
                running || !read.trim().is_empty()
            });
            if running {
                return Ok(Found::Nothing);
            }
            if !there {
                return Err(Trouble::new(exit::TRY_AGAIN, format!("there is no pid in {file} yet")));
            }
            read.trim().to_owned()
        }
        (None, None) => return Err(Trouble::usage("name the pid file, or the process with --pid")),
    };
    let pid: u32 = pid.parse().map_err(|_| Trouble::data(format!("'{pid}' is no process id")))?;
    desk.say(&format!("pid is {pid}"))?;
    let process = format!("/proc/{pid}");
    let mut died = false;
    let running = until(patience.saturating_sub(begun.elapsed()), || {
        died = !Path::new(&process).exists();
        died || is_running(desk)
    });
    if died {
        return Err(Trouble::unavailable(format!("process {pid} is not running")));
    }
    if running { Ok(Found::Nothing) } else { Err(not_in_time(desk)) }
}

pub(super) fn stop(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Stopping and halting node {node} ..."))?;
    desk.post(&["leveret", "stop"], &json!({}))?;
    let patience = patience(desk, STOP)?;
    if until(patience, || !is_there(desk)) {
        return Ok(Found::Nothing);
    }
    Err(Trouble::new(exit::TRY_AGAIN, "the broker is still at it: its log says more"))
}

pub(super) fn stop_app(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Stopping rabbit application on node {node} ..."))?;
    desk.post(&["leveret", "app", "stop"], &json!({}))?;
    Ok(Found::Nothing)
}

pub(super) fn start_app(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Starting node {node} ..."))?;
    desk.post(&["leveret", "app", "start"], &json!({}))?;
    if until(APP, || is_running(desk)) { Ok(Found::Nothing) } else { Err(not_in_time(desk)) }
}

pub(super) fn set_log_level(desk: &mut Desk) -> Done {
    let level = desk.argument(0).to_owned();
    // Levels that RabbitMQ has beside ours.
    let meant = match level.as_str() {
        "notice" => "info",
        "critical" | "alert" | "emergency" => "error",
        level => level,
    };
    if !["debug", "info", "warning", "error", "none"].contains(&meant) {
        return Err(Trouble::unavailable(format!(
            "level {level} is not supported. Try one of debug, info, warning, error, critical, none"
        )));
    }
    desk.say(&format!("Setting log level to \"{level}\" ..."))?;
    desk.put(&["leveret", "log-level"], &json!({ "level": meant }))?;
    Ok(Found::Nothing)
}

pub(super) fn rotate_logs(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Reopening the log file of node {node} ..."))?;
    desk.post(&["leveret", "reopen-logs"], &json!({}))?;
    Ok(Found::Nothing)
}

/// A limit, and how it is shown: one word, or `absolute` or `of_memory` and one.
fn limit(desk: &Desk, of_memory: &str) -> Result<(String, String), Trouble> {
    match (desk.argument(0), desk.find(1)) {
        (value, None) => Ok((value.to_owned(), value.to_owned())),
        ("absolute", Some(value)) => Ok((value.to_owned(), format!("{value} bytes"))),
        (word, Some(value)) if word == of_memory => {
            // A share is told from a size by its point.
            let share = if value.contains('.') { value.to_owned() } else { format!("{value}.0") };
            Ok((share, format!("{value} times the total RAM")))
        }
        (word, Some(_)) => {
            Err(Trouble::usage(format!("'{word}' is not understood: say 'absolute' or '{of_memory}'")))
        }
    }
}

pub(super) fn set_vm_memory_high_watermark(desk: &mut Desk) -> Done {
    let (limit, shown) = limit(desk, "relative")?;
    let is_size = desk.find(1).is_some() && desk.argument(0) == "absolute";
    // A number by itself is a share, also without a point: so many bytes would block all publishers.
    let limit = match limit.parse::<f64>() {
        Ok(share) if !is_size && !(0.0..=1.0).contains(&share) => {
            return Err(Trouble::bad_argument("The threshold should be a fraction between 0.0 and 1.0"));
        }
        Ok(share) if !is_size => share_text(share),
        _ => limit,
    };
    let node = desk.node()?;
    desk.say(&format!("Setting memory threshold on {node} to {shown} ..."))?;
    // Nothing at all blocks all publishers, which is what tests want of it: so does one byte.
    let limit = if limit.parse() == Ok(0.0_f64) { "1".to_owned() } else { limit };
    desk.put(&["leveret", "memory-limit"], &json!({ "limit": limit }))?;
    Ok(Found::Nothing)
}

pub(super) fn set_disk_free_limit(desk: &mut Desk) -> Done {
    let (limit, shown) = limit(desk, "mem_relative")?;
    let node = desk.node()?;
    desk.say(&format!("Setting disk free limit on {node} to {shown} ..."))?;
    desk.put(&["leveret", "disk-free-limit"], &json!({ "limit": limit }))?;
    Ok(Found::Nothing)
}

pub(super) fn environment(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Application environment of node {node} ..."))?;
    let configuration = desk.get(&["leveret", "configuration"])?;
    let fields = configuration.as_object().into_iter().flatten();
    let lines: Vec<String> = fields.map(|(name, value)| format!("{name} = {value}\n")).collect();
    Ok(Found::Text(lines.concat(), Some(configuration)))
}

pub(super) fn set_cluster_name(desk: &mut Desk) -> Done {
    let name = desk.argument(0).to_owned();
    desk.say(&format!("Setting cluster name to {name} ..."))?;
    desk.put(&["cluster-name"], &json!({ "name": name }))?;
    Ok(Found::Nothing)
}

pub(super) fn list_feature_flags(desk: &mut Desk) -> Done {
    desk.say("Listing feature flags ...")?;
    let asked = desk.rest(0);
    let columns = if asked.is_empty() { super::users::names(&["name", "state"]) } else { asked };
    let rows = desk.list(&["feature-flags"])?;
    super::listing::known(&columns, rows.first())?;
    Ok(Found::Rows(columns, rows))
}

/// All flags are on from the start.
pub(super) fn enable_feature_flag(desk: &mut Desk) -> Done {
    let name = desk.argument(0).to_owned();
    let flags = desk.list(&["feature-flags"])?;
    if name == "all" {
        desk.say("Enabling all feature flags ...")?;
        return Ok(Found::Nothing);
    }
    desk.say(&format!("Enabling feature flag \"{name}\" ..."))?;
    if flags.iter().any(|flag| *flag.of("name") == json!(name)) {
        return Ok(Found::Nothing);
    }
    Err(Trouble::unavailable(format!("there is no feature flag \"{name}\"")))
}

/// There is no garbage that would have to be collected.
pub(super) fn force_gc(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Node {node} collects no garbage: it gives memory back when it does not need it"))?;
    Ok(Found::Nothing)
}

/// What is asked of a cluster is done when there is one node.
pub(super) fn nothing_to_do(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Node {node} is the only one: there is nothing to be done"))?;
    Ok(Found::Nothing)
}

/// Waits for nodes, of which there will never be more than one.
pub(super) fn await_online_nodes(desk: &mut Desk) -> Done {
    match desk.argument(0).parse() {
        Ok(0 | 1) => await_startup(desk),
        Ok(wanted @ 2_u32..) => Err(Trouble::unavailable(format!(
            "this broker is one node and joins no others: {wanted} will not come"
        ))),
        Err(_) => Err(Trouble::usage("say how many nodes, such as 1")),
    }
}

pub(super) fn reset(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Resetting node {node} ..."))?;
    desk.post(&["leveret", "app", "reset"], &json!({}))?;
    Ok(Found::Nothing)
}

#[allow(clippy::unnecessary_wraps, reason = "all commands are functions of one form")]
pub(super) fn version(_: &mut Desk) -> Done {
    Ok(Found::Text(format!("{}\n", crate::connection::capabilities::COMPATIBLE_VERSION), None))
}

pub(super) fn server_version(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Asking node {node} for its RabbitMQ version..."))?;
    let overview = desk.get(&["overview"])?;
    let version = overview.of("rabbitmq_version").as_str().unwrap_or_default();
    Ok(Found::Text(format!("{version}\n"), Some(json!({ "value": version }))))
}

pub(super) fn erlang_version(desk: &mut Desk) -> Done {
    let node = desk.node()?;
    desk.say(&format!("Asking node {node} for its Erlang/OTP version..."))?;
    let overview = desk.get(&["overview"])?;
    let version = overview.of("erlang_full_version").as_str().unwrap_or_default();
    Ok(Found::Text(format!("{version}\n"), Some(json!({ "value": version }))))
}
