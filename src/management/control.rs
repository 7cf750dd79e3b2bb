//! What only an operator of the whole broker does: levels of the log, limits until the next start, its end.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::fields::text;
use crate::access::Origin;
use crate::alarm::SetBy;
use crate::auth::{Claim, Credentials};
use crate::config::{DiskLimit, LogCategory, LogLevel, MemoryLimit, Shown, keys};
use crate::log;

/// The part of a log file's end that lines are taken from, in bytes.
const TAIL_MAX_BYTES: u64 = 1024 * 1024;
/// So many lines are shown unless more are asked for, and so many at most.
const LINES: usize = 50;
const LINES_MAX: usize = 10_000;

/// A field that has to be there, read as what it says.
fn read<T: FromStr>(object: &Map<String, Value>, name: &str) -> Result<T, Failure>
where
    T::Err: std::fmt::Display,
{
    let given = match object.get(name) {
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => text(object, name)?.map(str::to_owned),
    };
    let given = given.ok_or_else(|| Failure::missing_keys(&[name]))?;
    given.parse().map_err(|error| Failure::bad_request(format!("{name}: {error}")))
}

/// `POST /api/leveret/authenticate`: whether a user has this password. Nobody is logged in by it.
pub(super) fn authenticate(call: &Call) -> Result<Answer, Failure> {
    let object = call.object_with(&["username", "password"])?;
    let login = text(&object, "username")?.unwrap_or_default();
    let password = text(&object, "password")?.unwrap_or_default();
    let claim = Claim::Password(Credentials { login, password: password.as_bytes() });
    // As from this machine: where somebody may come from is not what is asked.
    let origin = Origin::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let found = call.environment().access.log_in(claim, &origin);
    Ok(Answer::Json(json!({ "authenticated": found.is_ok() })))
}

/// `PUT /api/leveret/log-level`: of all categories, or of one, until the configuration is read again.
pub(super) fn set_log_level(call: &Call) -> Result<Answer, Failure> {
    let object = call.object_with(&["level"])?;
    let level: LogLevel = read(&object, "level")?;
    let categories = match object.get("category") {
        Some(_) => vec![read::<LogCategory>(&object, "category")?],
        None => LogCategory::ALL.to_vec(),
    };
    for category in categories {
        tracing::info!("log level of category '{}' set to '{level}'", category.as_str());
        log::set_level(category, level);
    }
    Ok(Answer::NoContent)
}

/// `GET /api/leveret/log-level`
pub(super) fn log_levels(_: &Call) -> Result<Answer, Failure> {
    let levels = LogCategory::ALL.into_iter();
    let levels = levels.map(|category| (category.as_str().to_owned(), json!(log::level(category).as_str())));
    Ok(Answer::Json(Value::Object(levels.collect())))
}

/// `POST /api/leveret/reopen-logs`: a log file is opened anew, for whoever moved it away.
pub(super) fn reopen_logs(call: &Call) -> Result<Answer, Failure> {
    let config = call.environment().config();
    log::apply(&config.log)
        .map_err(|error| Failure::precondition_failed(format!("the log file cannot be opened: {error}")))?;
    Ok(Answer::NoContent)
}

/// `GET /api/leveret/log?lines=N`: the last lines of the log file.
pub(super) fn log_tail(call: &Call) -> Result<Answer, Failure> {
    let lines = call.query.get("lines").map_or(Ok(LINES), str::parse);
    let lines = lines.map_err(|_| Failure::bad_request("lines must be a whole number"))?.min(LINES_MAX);
    let path = call.environment().config().log.file_path().ok_or_else(Failure::no_object)?;
    log::flush();
    let (octets, is_whole) = File::open(&path).and_then(end_of).map_err(|error| {
        Failure::precondition_failed(format!("{} cannot be read: {error}", path.display()))
    })?;
    let text = String::from_utf8_lossy(&octets);
    // The first one may have been cut.
    let all: Vec<&str> = text.lines().skip(usize::from(!is_whole)).collect();
    let last = all.get(all.len().saturating_sub(lines)..).unwrap_or_default();
    Ok(Answer::Json(json!({ "file": path.display().to_string(), "lines": last })))
}

/// The end of a file, and whether that is all of it.
fn end_of(mut file: File) -> io::Result<(Vec<u8>, bool)> {
    let from = file.metadata()?.len().saturating_sub(TAIL_MAX_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut octets = Vec::new();
    file.take(TAIL_MAX_BYTES).read_to_end(&mut octets)?;
    Ok((octets, from == 0))
}

/// `PUT /api/leveret/memory-limit`: from how much memory on publishers are blocked, until the configuration is read again.
pub(super) fn set_memory_limit(call: &Call) -> Result<Answer, Failure> {
    let limit: MemoryLimit = read(&call.object_with(&["limit"])?, "limit")?;
    let alarms = &call.environment().alarms;
    alarms.set_memory_limit(limit, SetBy::Operator);
    tracing::info!("memory limit set to {limit} ({} bytes)", alarms.memory().limit());
    Ok(Answer::NoContent)
}

/// `PUT /api/leveret/disk-free-limit`: with how little free space publishers are blocked, likewise.
pub(super) fn set_disk_limit(call: &Call) -> Result<Answer, Failure> {
    let limit: DiskLimit = read(&call.object_with(&["limit"])?, "limit")?;
    let alarms = &call.environment().alarms;
    alarms.set_disk_limit(limit, SetBy::Operator);
    tracing::info!("disk free limit set to {limit} ({} bytes)", alarms.disk().limit());
    Ok(Answer::NoContent)
}

/// `GET /api/leveret/configuration`: every key with its value; secrets are not shown.
pub(super) fn configuration(call: &Call) -> Result<Answer, Failure> {
    let config = call.environment().config();
    let shown = keys().map(|key| (key.name.to_owned(), value(&key.shown(&config))));
    Ok(Answer::Json(Value::Object(shown.collect())))
}

fn value(shown: &Shown) -> Value {
    // What TOML and JSON write alike, unless it is no number of JSON's.
    serde_json::from_str(&shown.quoted()).unwrap_or_else(|_| Value::from(shown.to_string()))
}

/// `POST /api/leveret/stop`: the broker ends as by a signal.
pub(super) fn stop(call: &Call) -> Result<Answer, Failure> {
    let user = call.user()?;
    tracing::info!("user '{}' asks for the broker to stop", user.name.as_str().escape_debug());
    call.environment().stop_asked.cancel();
    Ok(Answer::NoContent)
}
