//! What an operator may decide, as one checked struct.
//!
//! [`Config::default`] is the embedded default. Every setting is a key of one table ([`keys()`]); [`Sources::load`] reads
//! files, environment and flags, in order of precedence, and refuses what cannot be served, once, so that nobody below asks
//! again. A setting is added by a field here and a row there.

mod check;
mod convert;
mod definitions;
mod disk_limit;
mod durability;
mod environment;
mod erlang_arguments;
mod example;
mod given;
mod http;
mod key;
mod keys;
mod kind;
mod listen_address;
mod log;
mod management;
mod memory_limit;
mod metrics;
mod nearest;
mod network;
mod rabbitmq_conf;
mod rabbitmq_values;
mod rabbitmq_variables;
mod reload;
mod rotation;
mod shown;
mod sources;
mod statistics;
mod tls;
mod toml_file;
mod units;
mod vhost_users;
mod vhosts;
mod words;

use std::path::PathBuf;
use std::time::Duration;

use crate::auth::AccessSettings;

pub use convert::convert;
pub use definitions::DefinitionsConfig;
pub use disk_limit::DiskLimit;
pub use durability::{Durability, UnknownDurability};
pub use environment::Environment;
pub use example::example;
pub use given::{Given, Mistake, Mistakes, Origin};
pub use http::HttpTls;
pub use key::{Alias, Arity, Field, Key, Reload};
pub use keys::keys;
pub use listen_address::{InvalidListenAddress, ListenAddress};
pub use log::{
    ConsoleLog, FileLog, LogCategory, LogConfig, LogFormat, LogLevel, UnknownCategory, UnknownLevel,
};
pub use management::{Browsers, FileMode, Listen, ManagementConfig, SocketFile};
pub use memory_limit::MemoryLimit;
pub use metrics::MetricsConfig;
pub(crate) use nearest::distance;
pub use network::{InvalidNetwork, Network};
pub(crate) use rabbitmq_values::share_text;
pub(crate) use rabbitmq_variables::data_dir as rabbitmq_data_dir;
pub use reload::{Change, Changes};
pub use rotation::{InvalidRotationDate, RotationDate};
pub use shown::Shown;
pub use sources::{Loaded, Sources};
pub use statistics::{RatesMode, StatisticsConfig};
pub use tls::{CertLogin, ProxyProtocol, SanType, TlsSettings, TlsVersion, Verify};
pub use units::{InvalidUnit, parse_bytes, parse_duration};
pub use vhost_users::VhostUser;
pub use vhosts::{DefaultLimits, DefaultPolicy, VhostSettings};

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

/// So many threads may serve connections.
const WORKERS_MAX: u64 = 1024;
/// The smallest socket buffer, in bytes: Linux takes no smaller receive buffer.
const SOCKET_BUFFER_MIN: u32 = 2048;
/// The largest, in bytes: Linux doubles what it is given, in 32 bits with a sign.
const SOCKET_BUFFER_MAX: u32 = 1 << 30;

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
    /// How much memory there is, in bytes, for shares of it; `None` is what the machine or the control group grants
    /// (`total_memory_available_override_value`).
    pub total_memory: Option<u64>,
    /// With less free space than this where the data directory is, publishers are blocked (`disk_free_limit`).
    pub disk_free_limit: DiskLimit,
    /// How many threads serve connections; `None` is one for each core.
    pub workers: Option<usize>,
    /// Sockets' options.
    pub tcp: TcpOptions,
    /// TLS (`ssl_options`), and where it is spoken (`listeners.ssl`).
    pub tls: TlsSettings,
    /// Proxies that say for whom they connect.
    pub proxy_protocol: ProxyProtocol,
    /// Where the addresses are written that are listened at.
    pub ports_file: Option<PathBuf>,
    /// Where the number of the process is written.
    pub pid_file: Option<PathBuf>,
    /// What is logged, and where to.
    pub log: LogConfig,
    /// The name of this node, with or without a host.
    pub node_name: Option<String>,
    /// The name of this broker or cluster in `server-properties`.
    pub cluster_name: String,
    /// What virtual hosts and their queues have that say nothing themselves.
    pub vhosts: VhostSettings,
    /// The first user, and how users may log in.
    pub access: AccessSettings,
    /// The HTTP API.
    pub management: ManagementConfig,
    /// What is counted, and how much is told of it.
    pub statistics: StatisticsConfig,
    /// What is imported at the start.
    pub definitions: DefinitionsConfig,
    /// Metrics.
    pub metrics: MetricsConfig,
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
            total_memory: None,
            disk_free_limit: DiskLimit::DEFAULT,
            workers: None,
            tcp: TcpOptions::default(),
            tls: TlsSettings::default(),
            proxy_protocol: ProxyProtocol::default(),
            ports_file: None,
            pid_file: None,
            log: LogConfig::default(),
            node_name: None,
            cluster_name: "leveret".to_owned(),
            vhosts: VhostSettings::default(),
            access: AccessSettings::default(),
            management: ManagementConfig::default(),
            statistics: StatisticsConfig::default(),
            definitions: DefinitionsConfig::default(),
            metrics: MetricsConfig::default(),
        }
    }
}

/// Options of the sockets that connections come in at, which they inherit (`tcp_listen_options`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpOptions {
    /// How many connections may wait to be accepted.
    pub backlog: u32,
    /// Whether small packets are sent at once.
    pub nodelay: bool,
    /// Whether the system probes silent connections.
    pub keepalive: bool,
    /// How long the system goes on sending after a close; `None` leaves it to the system.
    pub linger: Option<Duration>,
    /// The system's send buffer in bytes.
    pub send_buffer: Option<u32>,
    /// The system's receive buffer in bytes.
    pub receive_buffer: Option<u32>,
}

impl Default for TcpOptions {
    fn default() -> Self {
        // The backlog is a burst of clients that connect again.
        Self {
            backlog: 1024,
            nodelay: true,
            keepalive: false,
            linger: None,
            send_buffer: None,
            receive_buffer: None,
        }
    }
}

impl Config {
    /// How many threads serve connections.
    pub fn worker_threads(&self) -> usize {
        self.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
    }

    /// The keys whose values cannot be served, and why.
    fn refused(&self) -> Vec<(&'static Key, String)> {
        keys().filter_map(|key| Some((key, (key.check)(self).err()?))).collect()
    }

    /// How many bytes of ready messages stay in memory before they are paged out, given what the machine or the control
    /// group grants: 1/256 of that, at least 16 MiB and at most 32 MiB, unless it is set.
    pub fn backlog_memory_bytes(&self, granted: u64) -> u64 {
        match self.backlog_memory {
            Some(limit) => limit.bytes(granted).max(BACKLOG_MEMORY_MIN),
            None => (granted / 256).clamp(16 * 1024 * 1024, 32 * 1024 * 1024),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_default_passes_its_own_check() {
        assert!(Config::default().refused().is_empty());
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
}
