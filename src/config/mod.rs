//! What an operator may decide, as one checked struct.
//!
//! [`Config::default`] is the embedded default. A source (flags today) changes fields of it in order of precedence and
//! [`Config::check`] refuses what cannot be served, once, so that nobody below asks again.

mod durability;
mod listen_address;
mod log;
mod memory_limit;
mod units;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub use durability::{Durability, UnknownDurability};
pub use listen_address::ListenAddress;
pub use log::{LogFormat, LogLevel};
pub use memory_limit::MemoryLimit;
pub use units::{InvalidUnit, parse_bytes, parse_duration};

/// The smallest `frame_max` that a peer may negotiate, in bytes (AMQP 0-9-1, `frame-min-size`).
pub const FRAME_MIN_SIZE: u32 = 4096;
/// The largest `frame_max` that may be configured, in bytes: a frame is buffered whole.
pub const FRAME_MAX_CEILING: u32 = 16 * 1024 * 1024;
/// A memory limit below this would block the first publisher for good, in bytes.
pub const MEMORY_LIMIT_MIN: u64 = 16 * 1024 * 1024;
/// Ready messages get at least this much memory, in bytes: the blocks that are being filled and read need as much.
pub const BACKLOG_MEMORY_MIN: u64 = 1024 * 1024;
/// No configuration allows a message's body beyond this, in bytes (RabbitMQ's hard cap).
pub const MESSAGE_SIZE_CEILING: u64 = 512 * 1024 * 1024;

/// Everything that is configurable, with names close to those of rabbitmq.conf.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where AMQP connections are accepted (`listeners.tcp`).
    pub listeners: Vec<ListenAddress>,
    /// Where the broker keeps what must survive it.
    pub data_dir: PathBuf,
    /// Whether nothing is kept at all: the data directory is not touched.
    pub in_memory: bool,
    /// What a confirm promises in virtual hosts that say nothing of it themselves.
    pub durability: Durability,
    /// How much of the ready messages stays in memory; `None` is [`Config::backlog_memory_bytes`]'s own choice.
    pub backlog_memory: Option<MemoryLimit>,
    /// The whole time that a connection has from accept to `connection.open-ok`.
    pub handshake_timeout: Duration,
    /// The heartbeat interval that is proposed, in seconds; 0 proposes none.
    pub heartbeat: u16,
    /// The largest frame that is proposed, in bytes, frame header and end included.
    pub frame_max: u32,
    /// The largest frame before tuning is done, in bytes.
    pub initial_frame_max: u32,
    /// How many channels a connection may have open at a time.
    pub channel_max: u16,
    /// The largest message body that may be published, in bytes.
    pub max_message_size: u64,
    /// How many connections there may be; `None` is as many as the process may have descriptors for.
    pub max_connections: Option<usize>,
    /// From this much live memory on, publishers are blocked (`vm_memory_high_watermark`).
    pub memory_limit: MemoryLimit,
    /// How many threads serve connections.
    pub workers: usize,
    /// What is logged.
    pub log_level: LogLevel,
    /// How a line of the log looks.
    pub log_format: LogFormat,
    /// The name of this broker or cluster in `server-properties`.
    pub cluster_name: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listeners: vec![ListenAddress::AllInterfaces(5672)],
            data_dir: PathBuf::from("leveret-data"),
            in_memory: false,
            durability: Durability::Fsync,
            backlog_memory: None,
            handshake_timeout: Duration::from_secs(10),
            heartbeat: 60,
            frame_max: 131_072,
            initial_frame_max: 8192,
            channel_max: 2047,
            max_message_size: 16 * 1024 * 1024,
            max_connections: None,
            memory_limit: MemoryLimit::DEFAULT,
            workers: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            log_level: LogLevel::Info,
            log_format: LogFormat::Human,
            cluster_name: "leveret".to_owned(),
        }
    }
}

impl Config {
    /// How many bytes of ready messages stay in memory before they are paged out, given what the machine or the control
    /// group grants: 1/256 of that, at least 16 MiB and at most 32 MiB, unless it is set.
    pub fn backlog_memory_bytes(&self, granted: u64) -> u64 {
        match self.backlog_memory {
            Some(limit) => limit.bytes(granted).max(BACKLOG_MEMORY_MIN),
            None => (granted / 256).clamp(16 * 1024 * 1024, 32 * 1024 * 1024),
        }
    }

    /// Refuses values that cannot be served, naming the setting and what it accepts.
    pub fn check(self) -> Result<Self, ConfigError> {
        if self.listeners.is_empty() {
            return Err(ConfigError::new("listen", "at least one address is needed"));
        }
        bytes_within("frame-max", self.frame_max.into(), FRAME_MIN_SIZE.into(), FRAME_MAX_CEILING.into())?;
        within("channel-max", self.channel_max.into(), 1, u16::MAX.into())?;
        bytes_within("max-message-size", self.max_message_size, 1, MESSAGE_SIZE_CEILING)?;
        within("workers", self.workers as u64, 1, 1024)?;
        if let MemoryLimit::Absolute(bytes) = self.memory_limit
            && bytes < MEMORY_LIMIT_MIN
        {
            let reason = format!(
                "{bytes} bytes are too few to serve anybody: at least 16MiB (a bare number is bytes)"
            );
            return Err(ConfigError::new("memory-limit", reason));
        }
        if let Some(MemoryLimit::Absolute(bytes)) = self.backlog_memory
            && bytes < BACKLOG_MEMORY_MIN
        {
            let reason = format!("{bytes} bytes are too few: at least 1MiB (a bare number is bytes)");
            return Err(ConfigError::new("backlog-memory", reason));
        }
        if let Some(max) = self.max_connections {
            within("max-connections", max as u64, 1, u32::MAX.into())?;
        }
        if self.handshake_timeout.is_zero() {
            return Err(ConfigError::new("handshake-timeout", "must be longer than 0"));
        }
        Ok(self)
    }
}

fn within(setting: &'static str, value: u64, min: u64, max: u64) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::new(setting, format!("{value} is not between {min} and {max}")))
}

/// The same of a size: `max` is whole MiB.
fn bytes_within(setting: &'static str, value: u64, min: u64, max: u64) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let mebibytes = max >> 20;
    let reason = format!("{value} bytes are not between {min} and {max} bytes ({mebibytes}MiB)");
    Err(ConfigError::new(setting, reason))
}

/// A setting with a value that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    setting: &'static str,
    reason: String,
}

impl ConfigError {
    fn new(setting: &'static str, reason: impl Into<String>) -> Self {
        Self { setting, reason: reason.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "setting '{}': {}", self.setting, self.reason)
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_default_passes_its_own_check() {
        assert_eq!(Config::default().check(), Ok(Config::default()));
    }

    #[test]
    fn the_memory_of_the_backlog_is_a_share_within_bounds_unless_it_is_set() {
        const MIB: u64 = 1024 * 1024;
        for (granted, expected) in [(64, 16), (4096, 16), (6144, 24), (1024 * 1024, 32)] {
            assert_eq!(
                Config::default().backlog_memory_bytes(granted * MIB),
                expected * MIB,
                "{granted} MiB"
            );
        }
        for (text, expected) in [("8MiB", 8), ("0.5", 2048), ("0.00001", 1)] {
            let config = Config { backlog_memory: Some(text.parse().unwrap()), ..Config::default() };
            assert_eq!(config.backlog_memory_bytes(4096 * MIB), expected * MIB, "{text}");
        }
    }

    #[test]
    fn a_setting_out_of_range_is_refused_with_its_name_and_its_range() {
        type Change = fn(&mut Config);
        let table: [(Change, &str); 10] = [
            (
                |c| c.backlog_memory = Some(MemoryLimit::Absolute(100)),
                "setting 'backlog-memory': 100 bytes are too few: at least 1MiB (a bare number is bytes)",
            ),
            (
                |c| c.memory_limit = MemoryLimit::Absolute(100),
                "setting 'memory-limit': 100 bytes are too few to serve anybody: at least 16MiB (a bare number is bytes)",
            ),
            (
                |c| c.frame_max = 4095,
                "setting 'frame-max': 4095 bytes are not between 4096 and 16777216 bytes (16MiB)",
            ),
            (
                |c| c.frame_max = 16_777_217,
                "setting 'frame-max': 16777217 bytes are not between 4096 and 16777216 bytes (16MiB)",
            ),
            (|c| c.channel_max = 0, "setting 'channel-max': 0 is not between 1 and 65535"),
            (
                |c| c.max_message_size = MESSAGE_SIZE_CEILING + 1,
                "setting 'max-message-size': 536870913 bytes are not between 1 and 536870912 bytes (512MiB)",
            ),
            (|c| c.workers = 0, "setting 'workers': 0 is not between 1 and 1024"),
            (|c| c.max_connections = Some(0), "setting 'max-connections': 0 is not between 1 and 4294967295"),
            (|c| c.listeners.clear(), "setting 'listen': at least one address is needed"),
            (|c| c.handshake_timeout = Duration::ZERO, "setting 'handshake-timeout': must be longer than 0"),
        ];
        for (change, expected) in table {
            let mut config = Config::default();
            change(&mut config);
            assert_eq!(config.check().unwrap_err().to_string(), expected);
        }
    }
}
