//! `leveret serve`: runs the broker.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::exit;
use crate::broker::{self, StartError, Stopped};
use crate::config::{
    Config, Durability, InvalidUnit, ListenAddress, LogFormat, LogLevel, MemoryLimit, parse_bytes,
    parse_duration,
};
use crate::log;

pub(super) const EXAMPLES: &str = "\
Examples:
  leveret                                              serve on port 5672, data in ./leveret-data
  leveret --listen 127.0.0.1:5672 --listen [::1]:5672  on these addresses only
  leveret --listen 127.0.0.1:0                         on a free port, which the log names
  leveret --data-dir /var/lib/leveret --memory-limit 2GiB --log-format json";

/// Flags of the server; what is not given stays at its default.
#[derive(Debug, Args)]
// The last of a repeated flag counts, so that a wrapper's flags can be overridden.
#[command(after_help = EXAMPLES, args_override_self = true)]
pub(super) struct ServeOptions {
    /// Where to accept AMQP connections; may be repeated. Port 0 takes a free one [default: port 5672 of every
    /// interface].
    #[arg(long, value_name = "ADDR:PORT")]
    pub(super) listen: Vec<ListenAddress>,
    /// The directory for everything that is kept; made if it is missing, used by one broker at a time, never deleted
    /// [default: ./leveret-data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Keep nothing: a broker that stops forgets everything, and the data directory is not touched. For tests and
    /// throw-away brokers.
    #[arg(long)]
    in_memory: bool,
    /// When a persistent message is confirmed: after it was written and synced (fsync), after it was written (os: a loss
    /// of power takes the last seconds), or at once (memory: it ends with the broker). For virtual hosts that say
    /// nothing of it themselves [default: fsync].
    #[arg(long, value_name = "MODE", value_enum)]
    durability: Option<Durability>,
    /// How much memory the ready messages of all queues may take before they are paged out to the disk: a size such as
    /// 64MiB, or a share such as 0.01 of what the machine or the container grants [default: 1/256 of that, at least 16MiB,
    /// at most 32MiB].
    #[arg(long, value_name = "SIZE|SHARE")]
    backlog_memory: Option<MemoryLimit>,
    /// How long a client may take from connecting to an open connection, such as 10s or 500ms [default: 10s].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    handshake_timeout: Option<Duration>,
    /// The heartbeat interval to propose, such as 60 or 60s; 0 proposes none [default: 60].
    #[arg(long, value_name = "SECONDS", value_parser = parse_heartbeat)]
    heartbeat: Option<u16>,
    /// The largest frame to propose, such as 131072 or 128KiB; at least 4096 [default: 131072].
    #[arg(long, value_name = "BYTES", value_parser = parse_frame_max)]
    frame_max: Option<u32>,
    /// How many channels a connection may have open [default: 2047].
    #[arg(long, value_name = "N")]
    channel_max: Option<u16>,
    /// The largest message body to accept, at most 512MiB [default: 16MiB].
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    max_message_size: Option<u64>,
    /// How many connections there may be [default: what the limit of open files allows].
    #[arg(long, value_name = "N")]
    max_connections: Option<usize>,
    /// From how much memory on publishers are blocked: a size such as 2GiB, or a share such as 0.6 of what the
    /// machine or the container grants [default: 0.6].
    #[arg(long, value_name = "SIZE|SHARE")]
    memory_limit: Option<MemoryLimit>,
    /// How many threads serve connections [default: one for each core].
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// The least severe lines to log [default: info].
    #[arg(long, value_name = "LEVEL", value_enum)]
    log_level: Option<LogLevel>,
    /// How lines of the log look [default: human].
    #[arg(long, value_name = "FORMAT", value_enum)]
    log_format: Option<LogFormat>,
}

impl ServeOptions {
    /// The flags that say how to keep what is not kept.
    fn without_effect(&self) -> Option<&'static str> {
        match (self.in_memory, &self.data_dir, self.durability) {
            (false, ..) | (true, None, None) => None,
            (true, Some(_), None) => Some("--data-dir"),
            (true, None, Some(_)) => Some("--durability"),
            (true, Some(_), Some(_)) => Some("--data-dir and --durability"),
        }
    }

    /// Changes what was given as a flag.
    fn apply(self, config: &mut Config) {
        if !self.listen.is_empty() {
            config.listeners = self.listen;
        }
        set(&mut config.data_dir, self.data_dir);
        config.in_memory |= self.in_memory;
        set(&mut config.durability, self.durability);
        set(&mut config.backlog_memory, self.backlog_memory.map(Some));
        set(&mut config.handshake_timeout, self.handshake_timeout);
        set(&mut config.heartbeat, self.heartbeat);
        set(&mut config.frame_max, self.frame_max);
        set(&mut config.channel_max, self.channel_max);
        set(&mut config.max_message_size, self.max_message_size);
        set(&mut config.max_connections, self.max_connections.map(Some));
        set(&mut config.memory_limit, self.memory_limit);
        set(&mut config.workers, self.workers);
        set(&mut config.log_level, self.log_level);
        set(&mut config.log_format, self.log_format);
    }
}

fn set<T>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}

fn parse_heartbeat(text: &str) -> Result<u16, String> {
    let interval = parse_duration(text).map_err(|error: InvalidUnit| error.to_string())?;
    if interval.subsec_millis() != 0 {
        return Err("expected whole seconds".to_owned());
    }
    u16::try_from(interval.as_secs()).map_err(|_| "expected at most 65535 seconds".to_owned())
}

fn parse_frame_max(text: &str) -> Result<u32, String> {
    let bytes = parse_bytes(text).map_err(|error| error.to_string())?;
    u32::try_from(bytes).map_err(|_| "expected less than 4GiB".to_owned())
}

impl ValueEnum for Durability {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.as_str()))
    }
}

impl ValueEnum for LogLevel {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Debug, Self::Info, Self::Warning, Self::Error, Self::None]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let name = match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::None => "none",
        };
        Some(clap::builder::PossibleValue::new(name))
    }
}

impl ValueEnum for LogFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Human, Self::Json]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let name = match self {
            Self::Human => "human",
            Self::Json => "json",
        };
        Some(clap::builder::PossibleValue::new(name))
    }
}

/// Serves until it is told to stop.
pub(super) fn run(options: ServeOptions, started: Instant) -> ExitCode {
    let mut config = Config::default();
    let without_effect = options.without_effect();
    options.apply(&mut config);
    let config = match config.check() {
        Ok(config) => config,
        Err(error) => return refuse(exit::CONFIGURATION, &error),
    };
    // Declared before the runtime, so that the last lines are written after everything has stopped.
    let log = match log::start(config.log_level, config.log_format) {
        Ok(guard) => guard,
        Err(error) => return refuse(exit::UNAVAILABLE, &error),
    };
    if let Some(flags) = without_effect {
        tracing::info!("{flags}: without effect, since --in-memory keeps nothing");
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(exit::UNAVAILABLE, &error),
    };
    match runtime.block_on(broker::run(config, started)) {
        Ok(Stopped::Gracefully) => ExitCode::SUCCESS,
        Ok(Stopped::AtOnce) => {
            drop(log);
            // Without waiting for a thread, whatever it is doing.
            std::process::exit(exit::STOPPED_AT_ONCE.into())
        }
        Ok(Stopped::BeforeItBegan) => {
            drop(log);
            // Likewise: it may be reading for long.
            std::process::exit(0)
        }
        Ok(Stopped::DiskFailed) => ExitCode::from(exit::DISK_FAILED),
        Err(error) => refuse(code(&error), &error),
    }
}

fn code(error: &StartError) -> u8 {
    match error {
        StartError::Directory(error) if error.is_misconfigured() => exit::CONFIGURATION,
        StartError::Store { error, .. } if error.is_of_other_version() => exit::CONFIGURATION,
        StartError::Directory(_) | StartError::Store { .. } => exit::CANNOT_CREATE,
        StartError::Listen { .. } | StartError::Thread(_) => exit::UNAVAILABLE,
    }
}

/// Says on standard error why there is no broker: the log may be off or unread.
fn refuse(code: u8, reason: &dyn std::fmt::Display) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "leveret: {reason}");
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        options: ServeOptions,
    }

    fn config(flags: &[&str]) -> Config {
        let flags = Flags::parse_from(std::iter::once("leveret").chain(flags.iter().copied()));
        let mut config = Config::default();
        flags.options.apply(&mut config);
        config
    }

    #[test]
    fn without_flags_the_configuration_is_the_default() {
        assert_eq!(config(&[]), Config::default());
    }

    #[test]
    fn what_says_how_to_keep_has_no_effect_where_nothing_is_kept() {
        for (flags, expected) in [
            (&["--data-dir=x", "--durability=os"][..], None),
            (&["--in-memory"], None),
            (&["--in-memory", "--data-dir=x"], Some("--data-dir")),
            (&["--in-memory", "--durability=os"], Some("--durability")),
            (&["--in-memory", "--durability=os", "--data-dir=x"], Some("--data-dir and --durability")),
        ] {
            let flags = Flags::parse_from(std::iter::once("leveret").chain(flags.iter().copied()));
            assert_eq!(flags.options.without_effect(), expected);
        }
    }

    #[test]
    fn every_flag_changes_its_setting() {
        let changed = config(&[
            "--listen=127.0.0.1:0",
            "--listen=[::1]:0",
            "--data-dir=elsewhere",
            "--durability=os",
            "--backlog-memory=32MiB",
            "--handshake-timeout=500ms",
            "--heartbeat=2s",
            "--frame-max=64KiB",
            "--channel-max=7",
            "--max-message-size=1MiB",
            "--max-connections=9",
            "--memory-limit=0.4",
            "--workers=3",
            "--log-level=debug",
            "--log-format=json",
        ]);
        let expected = Config {
            listeners: vec!["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()],
            data_dir: "elsewhere".into(),
            durability: Durability::Os,
            backlog_memory: Some(MemoryLimit::Absolute(32 << 20)),
            handshake_timeout: Duration::from_millis(500),
            heartbeat: 2,
            frame_max: 65_536,
            channel_max: 7,
            max_message_size: 1 << 20,
            max_connections: Some(9),
            memory_limit: MemoryLimit::Relative(0.4),
            workers: 3,
            log_level: LogLevel::Debug,
            log_format: LogFormat::Json,
            ..Config::default()
        };
        assert_eq!(changed, expected);
        assert_eq!(config(&["--in-memory"]), Config { in_memory: true, ..Config::default() });
    }
}
