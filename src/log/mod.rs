//! The log: lines on standard output, in a file, or both, in RabbitMQ's manner or as JSON.
//!
//! Events come from `tracing`. A line never holds a control character, whatever a client put into a name, and writing
//! never makes a connection wait (`writer.rs`), nor does a peer decide how much is written (`limit.rs`). There is one log a
//! process; what is logged can be changed while it runs.

mod file;
mod journal;
mod levels;
mod limit;
mod line;
mod outputs;
pub(crate) mod panics;
mod timestamp;
mod writer;

use std::io;
use std::sync::{Arc, OnceLock};

use tracing::callsite::{Identifier, rebuild_interest_cache};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogCategory, LogConfig, LogLevel};
use crate::time::Time;
use levels::Levels;
use limit::LineLimit;
use line::Line;
use outputs::Outputs;
use timestamp::Timestamp;
pub use timestamp::rfc3339;

static LOG: OnceLock<Arc<Log>> = OnceLock::new();

struct Log {
    levels: Levels,
    outputs: Outputs,
    limit: LineLimit<Identifier>,
}

/// While it lives, lines are written; its drop waits a moment for those that are not.
pub struct LogGuard(Arc<Log>);

/// Starts logging for the whole process, until the guard is dropped: that writes what is still waiting.
pub fn start(config: &LogConfig) -> io::Result<LogGuard> {
    let log = Arc::new(Log {
        levels: Levels::new(config),
        outputs: Outputs::start(config)?,
        limit: LineLimit::new(),
    });
    let installed = tracing_subscriber::registry().with(LogLayer(Arc::clone(&log))).try_init();
    installed.map_err(io::Error::other)?;
    let log = LOG.get_or_init(|| log);
    Ok(LogGuard(Arc::clone(log)))
}

/// Logs as another configuration says, from the next line on. A file is opened anew even if it is the same, since somebody
/// may have moved it away.
///
/// # Errors
/// The file cannot be opened: then nothing changes.
pub fn apply(config: &LogConfig) -> io::Result<()> {
    let Some(log) = LOG.get() else { return Ok(()) };
    log.outputs.apply(config)?;
    for category in LogCategory::ALL {
        log.levels.set(category, config.level_of(category));
    }
    rebuild_interest_cache();
    Ok(())
}

/// Changes the level of a category until the configuration is read again.
pub fn set_level(category: LogCategory, level: LogLevel) {
    let Some(log) = LOG.get() else { return };
    log.levels.set(category, level);
    rebuild_interest_cache();
}

/// The level of a category at present; that of nothing where nothing is logged.
pub fn level(category: LogCategory) -> LogLevel {
    LOG.get().map_or(LogLevel::None, |log| log.levels.get(category))
}

/// Waits a moment until what was logged so far is written.
pub fn flush() {
    if let Some(log) = LOG.get() {
        log.outputs.flush();
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.0.outputs.flush();
    }
}

struct LogLayer(Arc<Log>);

impl<S: Subscriber> Layer<S> for LogLayer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.0.levels.admit(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.0.levels.admit(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.levels.most())
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Log { outputs, limit, .. } = &*self.0;
        let Some(left_out) = limit.admit(event.metadata().callsite(), Time::now()) else { return };
        let line = Line::new(event, left_out);
        outputs.write(line::level(*event.metadata().level()), &line, Timestamp::now());
    }
}
