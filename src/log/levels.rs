//! Which events are logged: a level a category, changeable while the broker runs.

use std::sync::atomic::{AtomicU8, Ordering};

use tracing::Metadata;
use tracing::level_filters::LevelFilter;

use super::line::level;
use crate::config::{LogCategory, LogConfig, LogLevel};

/// A level for each category.
#[derive(Debug)]
pub(super) struct Levels([AtomicU8; LogCategory::ALL.len()]);

impl Levels {
    pub(super) fn new(config: &LogConfig) -> Self {
        Self(LogCategory::ALL.map(|category| AtomicU8::new(config.level_of(category) as u8)))
    }

    pub(super) fn set(&self, category: LogCategory, level: LogLevel) {
        if let Some(place) = self.0.get(category as usize) {
            place.store(level as u8, Ordering::Relaxed);
        }
    }

    pub(super) fn get(&self, category: LogCategory) -> LogLevel {
        let number = self.0.get(category as usize).map_or(0, |place| place.load(Ordering::Relaxed));
        LogLevel::ALL.into_iter().find(|level| *level as u8 == number).unwrap_or(LogLevel::None)
    }

    /// Whether events like this are logged.
    pub(super) fn admit(&self, metadata: &Metadata<'_>) -> bool {
        level(*metadata.level()) >= self.get(category(metadata.target()))
    }

    /// The most talkative level of all.
    pub(super) fn most(&self) -> LevelFilter {
        let least = LogCategory::ALL.map(|category| self.get(category)).into_iter().min();
        match least.unwrap_or(LogLevel::None) {
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Warning => LevelFilter::WARN,
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::None => LevelFilter::OFF,
        }
    }
}

/// The category of a place in the code, by its module.
fn category(target: &str) -> LogCategory {
    match target.split("::").nth(1) {
        Some("connection" | "net") => LogCategory::Connection,
        Some("channel") => LogCategory::Channel,
        Some("queue" | "exchange" | "vhost") => LogCategory::Queue,
        Some("store") => LogCategory::Storage,
        _ => LogCategory::Default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_of_an_event_is_its_category() {
        for (target, expected) in [
            ("leveret::connection::serving", LogCategory::Connection),
            ("leveret::net::listener", LogCategory::Connection),
            ("leveret::channel", LogCategory::Channel),
            ("leveret::queue::queue", LogCategory::Queue),
            ("leveret::vhost::burial", LogCategory::Queue),
            ("leveret::store::journal", LogCategory::Storage),
            ("leveret::broker", LogCategory::Default),
            ("leveret", LogCategory::Default),
            ("", LogCategory::Default),
        ] {
            assert_eq!(category(target), expected, "{target}");
        }
    }

    #[test]
    fn the_most_talkative_category_says_what_is_looked_at() {
        let levels = Levels::new(&LogConfig::default());
        assert_eq!(levels.most(), LevelFilter::INFO);
        levels.set(LogCategory::Queue, LogLevel::Debug);
        assert_eq!((levels.get(LogCategory::Queue), levels.most()), (LogLevel::Debug, LevelFilter::DEBUG));
        for category in LogCategory::ALL {
            levels.set(category, LogLevel::None);
        }
        assert_eq!(levels.most(), LevelFilter::OFF);
    }
}
