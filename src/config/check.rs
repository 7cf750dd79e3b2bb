//! Values that can be read and cannot be served.

use crate::auth::{CredentialValidator, Names};
use crate::pattern::Pattern;

use super::{
    BACKLOG_MEMORY_MIN, Config, FRAME_MAX_CEILING, FRAME_MIN_SIZE, HttpTls, MEMORY_LIMIT_MIN,
    MESSAGE_SIZE_CEILING,
};
use super::{MemoryLimit, SOCKET_BUFFER_MAX, SOCKET_BUFFER_MIN, Verify, WORKERS_MAX};

/// A request's body holds a definition at least.
const BODY_SIZE_MIN: u64 = 1024;
/// It is held whole in memory.
const BODY_SIZE_MAX: u64 = 1 << 30;

pub(super) fn listeners(config: &Config) -> Result<(), String> {
    if config.listeners.is_empty() && config.tls.listeners.is_empty() {
        return Err("at least one address is needed".to_owned());
    }
    Ok(())
}

pub(super) fn tls_certfile(config: &Config) -> Result<(), String> {
    needed_by_listeners(config, config.tls.certfile.is_some())
}

pub(super) fn tls_keyfile(config: &Config) -> Result<(), String> {
    needed_by_listeners(config, config.tls.keyfile.is_some())
}

fn needed_by_listeners(config: &Config, is_there: bool) -> Result<(), String> {
    if is_there || config.tls.listeners.is_empty() {
        return Ok(());
    }
    Err("listeners.tls needs it".to_owned())
}

pub(super) fn tls_cacertfile(config: &Config) -> Result<(), String> {
    if config.tls.verify == Verify::Peer && config.tls.cacertfile.is_none() {
        return Err("tls.verify = verify_peer needs it".to_owned());
    }
    Ok(())
}

pub(super) fn fail_if_no_peer_cert(config: &Config) -> Result<(), String> {
    if config.tls.fail_if_no_peer_cert && config.tls.verify == Verify::None {
        return Err("a client is not asked for a certificate unless tls.verify is verify_peer".to_owned());
    }
    Ok(())
}

pub(super) fn tls_versions(config: &Config) -> Result<(), String> {
    if config.tls.versions.is_empty() {
        return Err("at least one version is needed".to_owned());
    }
    Ok(())
}

pub(super) fn tls_handshake_timeout(config: &Config) -> Result<(), String> {
    if config.tls.handshake_timeout.is_zero() {
        return Err("must be longer than 0".to_owned());
    }
    Ok(())
}

pub(super) fn http_certfile(config: &Config, tls: &HttpTls, is_spoken: bool) -> Result<(), String> {
    needed(is_spoken && tls.settings(&config.tls).certfile.is_none(), "tls.certfile")
}

pub(super) fn http_keyfile(config: &Config, tls: &HttpTls, is_spoken: bool) -> Result<(), String> {
    needed(is_spoken && tls.settings(&config.tls).keyfile.is_none(), "tls.keyfile")
}

pub(super) fn http_cacertfile(config: &Config, tls: &HttpTls) -> Result<(), String> {
    needed(tls.verify == Verify::Peer && tls.settings(&config.tls).cacertfile.is_none(), "tls.cacertfile")
}

fn needed(is_missing: bool, other: &str) -> Result<(), String> {
    if is_missing { Err(format!("TLS needs it there, or {other}")) } else { Ok(()) }
}

pub(super) fn http_fail_if_no_peer_cert(tls: &HttpTls) -> Result<(), String> {
    if tls.fail_if_no_peer_cert && tls.verify == Verify::None {
        return Err("a client is not asked for a certificate unless verify is verify_peer".to_owned());
    }
    Ok(())
}

pub(super) fn http_versions(tls: &HttpTls) -> Result<(), String> {
    if tls.versions.is_empty() {
        return Err("at least one version is needed".to_owned());
    }
    Ok(())
}

pub(super) fn idle_timeout(config: &Config) -> Result<(), String> {
    if config.management.idle_timeout.is_zero() {
        return Err("must be longer than 0".to_owned());
    }
    Ok(())
}

pub(super) fn cors_allow_origins(config: &Config) -> Result<(), String> {
    // What a browser says has nothing behind the port.
    let is_origin = |text: &str| {
        text.split_once("://").is_some_and(|(scheme, host)| {
            !scheme.is_empty() && !host.is_empty() && !host.contains(['/', '?', '#', '@', ' '])
        })
    };
    match config.management.browsers.cors_allow_origins.iter().find(|text| *text != "*" && !is_origin(text)) {
        None => Ok(()),
        Some(text) => Err(format!(
            "'{}' is no origin: expected a scheme, a host and perhaps a port, such as https://ui.example.com, or *",
            text.escape_debug()
        )),
    }
}

pub(super) fn trusted_proxies(config: &Config) -> Result<(), String> {
    if config.proxy_protocol.enabled && config.proxy_protocol.trusted.is_empty() {
        return Err("proxy_protocol.enabled needs at least one address that is trusted".to_owned());
    }
    Ok(())
}

pub(super) fn auth_mechanisms(config: &Config) -> Result<(), String> {
    if config.access.mechanisms.is_empty() {
        return Err("at least one mechanism is needed".to_owned());
    }
    Ok(())
}

pub(super) fn validation_backend(config: &Config) -> Result<(), String> {
    let rules = &config.access.credentials;
    if rules.validator == CredentialValidator::Pattern && rules.pattern.is_none() {
        return Err("it needs credential_validator.regexp".to_owned());
    }
    Ok(())
}

pub(super) fn credential_pattern(config: &Config) -> Result<(), String> {
    let rules = &config.access.credentials;
    // Nobody looks at it otherwise, as in RabbitMQ.
    let used = rules.pattern.as_deref().filter(|_| rules.validator == CredentialValidator::Pattern);
    used.map_or(Ok(()), |text| {
        let invalid = |why| format!("invalid regular expression '{text}': {why}");
        Pattern::parse(text).map(|_| ()).map_err(invalid)
    })
}

pub(super) fn configure(config: &Config) -> Result<(), String> {
    pattern(&config.access.default_user.configure)
}

pub(super) fn write(config: &Config) -> Result<(), String> {
    pattern(&config.access.default_user.write)
}

pub(super) fn read(config: &Config) -> Result<(), String> {
    pattern(&config.access.default_user.read)
}

fn pattern(text: &str) -> Result<(), String> {
    Names::parse(text).map(|_| ()).map_err(|error| error.to_string())
}

pub(super) fn frame_max(config: &Config) -> Result<(), String> {
    bytes_within(config.frame_max.into(), FRAME_MIN_SIZE.into(), FRAME_MAX_CEILING.into())
}

pub(super) fn initial_frame_max(config: &Config) -> Result<(), String> {
    bytes_within(config.initial_frame_max.into(), FRAME_MIN_SIZE.into(), FRAME_MAX_CEILING.into())
}

pub(super) fn channel_max(config: &Config) -> Result<(), String> {
    within(config.channel_max.into(), 1, u16::MAX.into())
}

pub(super) fn max_message_size(config: &Config) -> Result<(), String> {
    bytes_within(config.max_message_size, 1, MESSAGE_SIZE_CEILING)
}

pub(super) fn workers(config: &Config) -> Result<(), String> {
    config.workers.map_or(Ok(()), |workers| within(workers as u64, 1, WORKERS_MAX))
}

pub(super) fn max_connections(config: &Config) -> Result<(), String> {
    config.max_connections.map_or(Ok(()), |max| within(max as u64, 1, u32::MAX.into()))
}

pub(super) fn memory_limit(config: &Config) -> Result<(), String> {
    match config.memory_limit {
        MemoryLimit::Absolute(bytes) if bytes < MEMORY_LIMIT_MIN => Err(format!(
            "{bytes} bytes are too few to serve anybody: at least 16MiB (a bare number is bytes)"
        )),
        _ => Ok(()),
    }
}

pub(super) fn total_memory(config: &Config) -> Result<(), String> {
    match config.total_memory {
        Some(bytes) if bytes < MEMORY_LIMIT_MIN => {
            Err(format!("{bytes} bytes are too few: at least 16MiB (a bare number is bytes)"))
        }
        _ => Ok(()),
    }
}

pub(super) fn backlog_memory(config: &Config) -> Result<(), String> {
    match config.backlog_memory {
        Some(MemoryLimit::Absolute(bytes)) if bytes < BACKLOG_MEMORY_MIN => {
            Err(format!("{bytes} bytes are too few: at least 1MiB (a bare number is bytes)"))
        }
        _ => Ok(()),
    }
}

pub(super) fn handshake_timeout(config: &Config) -> Result<(), String> {
    if config.handshake_timeout.is_zero() {
        return Err("must be longer than 0".to_owned());
    }
    Ok(())
}

pub(super) fn statistics_interval(config: &Config) -> Result<(), String> {
    let interval = config.statistics.interval;
    let (min, max) = (std::time::Duration::from_millis(100), std::time::Duration::from_hours(1));
    if !(min..=max).contains(&interval) {
        return Err("not between 100ms and 1h".to_owned());
    }
    Ok(())
}

pub(super) fn max_body_size(config: &Config) -> Result<(), String> {
    bytes_within(config.management.max_body_size, BODY_SIZE_MIN, BODY_SIZE_MAX)
}

pub(super) fn backlog(config: &Config) -> Result<(), String> {
    within(config.tcp.backlog.into(), 1, i32::MAX.unsigned_abs().into())
}

pub(super) fn linger(config: &Config) -> Result<(), String> {
    let longest = std::time::Duration::from_secs(u16::MAX.into());
    if config.tcp.linger.is_some_and(|linger| linger > longest) {
        return Err("expected at most 65535 seconds".to_owned());
    }
    Ok(())
}

pub(super) fn send_buffer(config: &Config) -> Result<(), String> {
    config.tcp.send_buffer.map_or(Ok(()), socket_buffer)
}

pub(super) fn receive_buffer(config: &Config) -> Result<(), String> {
    config.tcp.receive_buffer.map_or(Ok(()), socket_buffer)
}

fn socket_buffer(bytes: u32) -> Result<(), String> {
    bytes_within(bytes.into(), SOCKET_BUFFER_MIN.into(), SOCKET_BUFFER_MAX.into())
}

fn within(value: u64, min: u64, max: u64) -> Result<(), String> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(format!("{value} is not between {min} and {max}"))
}

/// The same of a size: `max` is whole MiB.
fn bytes_within(value: u64, min: u64, max: u64) -> Result<(), String> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(format!("{value} bytes are not between {min} and {max} bytes ({}MiB)", max >> 20))
}
