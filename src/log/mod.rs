//! The log: lines on standard output, in RabbitMQ's manner or as JSON.
//!
//! Events come from `tracing`. A line never holds a control character, whatever a client put into a name, and writing
//! never makes a connection wait (`writer.rs`), nor does a peer decide how much is written (`limit.rs`).

mod limit;
mod line;
mod panics;
mod timestamp;
mod writer;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, LogLevel};
use line::LineFormat;
pub use writer::LogGuard;

/// Starts logging for the whole process, until the guard is dropped: that writes what is still waiting.
pub fn start(level: LogLevel, format: LogFormat) -> std::io::Result<LogGuard> {
    let (lines, guard) = writer::start(std::io::stdout())?;
    let layer = tracing_subscriber::fmt::layer().event_format(LineFormat::new(format)).with_writer(lines);
    let installed = tracing_subscriber::registry().with(filter(level)).with(layer).try_init();
    installed.map_err(std::io::Error::other)?;
    panics::log_from_now_on();
    Ok(guard)
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::None => LevelFilter::OFF,
    }
}
