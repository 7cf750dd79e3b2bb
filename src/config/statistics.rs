//! What is counted and how often it is looked at.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How much is told of how fast things happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RatesMode {
    /// Nothing.
    None,
    /// Of each thing by itself.
    #[default]
    Basic,
    /// The same, and of what a channel publishes to an exchange or takes from a queue.
    Detailed,
}

impl RatesMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::None, Self::Basic, Self::Detailed];

    /// The name that RabbitMQ has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::Detailed => "detailed",
        }
    }
}

impl fmt::Display for RatesMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// There is no such mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownRatesMode;

impl fmt::Display for UnknownRatesMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected none, basic or detailed")
    }
}

impl FromStr for RatesMode {
    type Err = UnknownRatesMode;

    fn from_str(text: &str) -> Result<Self, UnknownRatesMode> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or(UnknownRatesMode)
    }
}

/// What is told by numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatisticsConfig {
    /// How far samples are apart, of which rates are made.
    pub interval: Duration,
    /// How much is told of how fast things happen.
    pub rates_mode: RatesMode,
    /// The HTTP API tells what there is, and nothing of what it does.
    pub disabled: bool,
    /// No samples are taken.
    pub collector_disabled: bool,
}

impl Default for StatisticsConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            rates_mode: RatesMode::default(),
            disabled: false,
            collector_disabled: false,
        }
    }
}
