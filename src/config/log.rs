//! What is logged, where to, and how a line looks.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::rotation::RotationDate;

/// The least severe events that are logged, in RabbitMQ's words. The greater, the less is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What an operator wants to know: the default.
    Info,
    /// What may need attention.
    Warning,
    /// What needs it.
    Error,
    /// Nothing.
    None,
}

impl LogLevel {
    /// Every level, the most talkative first.
    pub const ALL: [Self; 5] = [Self::Debug, Self::Info, Self::Warning, Self::Error, Self::None];
    /// Their names, in the same order.
    pub const NAMES: [&'static str; 5] = ["debug", "info", "warning", "error", "none"];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::None => "none",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LogLevel {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Self::ALL.into_iter().find(|level| level.as_str() == text).ok_or(UnknownLevel)
    }
}

/// There is no such level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownLevel;

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected debug, info, warning, error or none")
    }
}

impl std::error::Error for UnknownLevel {}

/// The form of a line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `2026-11-23 10:44:33.654012+00:00 [info] text`, as RabbitMQ writes it.
    Human,
    /// One JSON object a line, with `time`, `level` and `msg`.
    Json,
}

/// What an event is about, in RabbitMQ's words where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogCategory {
    /// Connections that come, log in and go.
    Connection,
    /// What clients do on their channels.
    Channel,
    /// Queues, exchanges and what happens to their messages.
    Queue,
    /// The journal, segments, checkpoints, recovery.
    Storage,
    /// Everything else.
    Default,
}

impl LogCategory {
    /// Every category.
    pub const ALL: [Self; 5] = [Self::Connection, Self::Channel, Self::Queue, Self::Storage, Self::Default];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Channel => "channel",
            Self::Queue => "queue",
            Self::Storage => "storage",
            Self::Default => "default",
        }
    }
}

impl FromStr for LogCategory {
    type Err = UnknownCategory;

    fn from_str(text: &str) -> Result<Self, UnknownCategory> {
        Self::ALL.into_iter().find(|category| category.as_str() == text).ok_or(UnknownCategory)
    }
}

/// There is no such category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCategory;

impl fmt::Display for UnknownCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected connection, channel, queue, storage or default")
    }
}

impl std::error::Error for UnknownCategory {}

/// What is logged, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The level of every category that has none of its own.
    pub level: LogLevel,
    /// How a line looks where the output says nothing else.
    pub format: LogFormat,
    /// The level of connections' events.
    pub connection: Option<LogLevel>,
    /// The level of channels' events.
    pub channel: Option<LogLevel>,
    /// The level of queues' events.
    pub queue: Option<LogLevel>,
    /// The level of the store's events.
    pub storage: Option<LogLevel>,
    /// Standard output.
    pub console: ConsoleLog,
    /// Where a log file with a relative path is.
    pub dir: PathBuf,
    /// A file.
    pub file: FileLog,
}

/// Whether and what is written to standard output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleLog {
    /// Whether anything is.
    pub enabled: bool,
    /// Nothing below it is, whatever the category.
    pub level: Option<LogLevel>,
    /// How a line looks.
    pub format: Option<LogFormat>,
}

/// Whether and what is written to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLog {
    /// The file, in [`LogConfig::dir`] if it is relative; without one nothing is written.
    pub path: Option<PathBuf>,
    /// Nothing below it is, whatever the category.
    pub level: Option<LogLevel>,
    /// How a line looks.
    pub format: Option<LogFormat>,
    /// The size in bytes from which on it is set aside; 0 is never.
    pub rotation_size: u64,
    /// How many files that were set aside are kept.
    pub rotation_count: u16,
    /// When it is set aside, whatever its size.
    pub rotation_date: Option<RotationDate>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            format: LogFormat::Human,
            connection: None,
            channel: None,
            queue: None,
            storage: None,
            console: ConsoleLog { enabled: true, level: None, format: None },
            dir: PathBuf::from("."),
            file: FileLog {
                path: None,
                level: None,
                format: None,
                rotation_size: 0,
                rotation_count: 5,
                rotation_date: None,
            },
        }
    }
}

impl LogConfig {
    /// The level of a category.
    pub fn level_of(&self, category: LogCategory) -> LogLevel {
        let own = match category {
            LogCategory::Connection => self.connection,
            LogCategory::Channel => self.channel,
            LogCategory::Queue => self.queue,
            LogCategory::Storage => self.storage,
            LogCategory::Default => None,
        };
        own.unwrap_or(self.level)
    }

    /// Whether lines are written anywhere.
    pub fn is_written(&self) -> bool {
        self.console.enabled || self.file.path.is_some()
    }

    /// The log file, if there is to be one.
    pub fn file_path(&self) -> Option<PathBuf> {
        self.file.path.as_ref().map(|path| self.dir.join(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_shown() {
        for (level, name) in LogLevel::ALL.into_iter().zip(LogLevel::NAMES) {
            assert_eq!((level.as_str(), name.parse()), (name, Ok(level)));
        }
        for category in LogCategory::ALL {
            assert_eq!(category.as_str().parse(), Ok(category));
        }
        for text in ["", "Info", "trace", "connections"] {
            assert_eq!(text.parse::<LogLevel>(), Err(UnknownLevel), "{text}");
            assert_eq!(text.parse::<LogCategory>(), Err(UnknownCategory), "{text}");
        }
    }

    #[test]
    fn a_category_without_a_level_of_its_own_has_the_general_one() {
        let config =
            LogConfig { level: LogLevel::Error, channel: Some(LogLevel::Debug), ..LogConfig::default() };
        let levels = LogCategory::ALL.map(|category| config.level_of(category).as_str());
        assert_eq!(levels, ["error", "debug", "error", "error", "error"]);
    }
}
