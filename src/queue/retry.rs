//! How long a message that came back waits before it is given to somebody again. Pure.

use std::time::Duration;

use leveret_protocol::table::Value;

use crate::message::Message;
use crate::store::stored::Returns;

/// The header in which a message says for itself how long it waits, in milliseconds, each time that it is to wait; our own.
const RETRY_DELAY: &str = "x-retry-delay";
/// Ten years in milliseconds: nothing waits longer.
const DELAY_MAX: u64 = 315_360_000_000;

/// How messages wait that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Which of them wait.
    pub which: Which,
    /// How long after the first time.
    pub min: Duration,
    /// How long at most.
    pub max: Duration,
    /// Each time this many times as long as the time before, in thousandths. Without it, as many times the minimum as the
    /// message has failed: RabbitMQ's rule.
    pub factor: Option<u32>,
    /// Up to so many percent of it are taken off, for each message and each time others.
    pub jitter: u8,
}

/// Which messages wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Whatever came back.
    All,
    /// Those that failed.
    Failed,
    /// Those that were given back as they were.
    Returned,
}

impl Retry {
    /// What is said of each of these, if anything is: RabbitMQ's arguments, then the factor in thousandths and the jitter in
    /// percent. As in RabbitMQ nothing waits where that makes no sense together.
    pub(super) fn said(
        which: Option<&str>,
        min: Option<u64>,
        max: Option<u64>,
        factor: Option<u32>,
        jitter: Option<i64>,
    ) -> Option<Self> {
        let which = match which? {
            "all" => Which::All,
            "failed" => Which::Failed,
            "returned" => Which::Returned,
            _ => return None,
        };
        let min = min.filter(|min| *min > 0)?.min(DELAY_MAX);
        // What grows by itself needs no end.
        let otherwise = if factor.is_some() { DELAY_MAX } else { min };
        let max = max.filter(|max| *max > 0).unwrap_or(otherwise).min(DELAY_MAX);
        Some(Self {
            which,
            min: Duration::from_millis(min),
            max: Duration::from_millis(max),
            factor,
            jitter: jitter.and_then(|percent| u8::try_from(percent).ok()).unwrap_or(0).min(100),
        })
    }

    /// How long a message waits that has just come back, as one that `failed` or not, and so often by now. `seed` is what
    /// its jitter comes from. Nothing: it need not wait.
    pub fn delay(&self, message: &Message, failed: bool, returns: Returns, seed: u64) -> Option<Duration> {
        match self.which {
            Which::All => {}
            Which::Failed if failed => {}
            Which::Returned if !failed => {}
            Which::Failed | Which::Returned => return None,
        }
        let delay = match own_delay(message) {
            Some(own) => own,
            None => self.less_jitter(self.grown(returns), seed),
        };
        (!delay.is_zero()).then_some(delay)
    }

    fn grown(&self, returns: Returns) -> Duration {
        let Some(factor) = self.factor else {
            return self.min.saturating_mul(returns.deliveries.max(1)).min(self.max);
        };
        // Counted is what waits: a message that never fails would wait no longer each time otherwise.
        let times = match self.which {
            Which::All => returns.acquired,
            Which::Failed => returns.deliveries,
            Which::Returned => returns.acquired.saturating_sub(returns.deliveries),
        };
        let max = millis(self.max);
        let mut delay = millis(self.min);
        for _ in 1..times {
            if delay >= max || factor == 1000 {
                break;
            }
            delay = delay.saturating_mul(factor.into()) / 1000;
        }
        Duration::from_millis(delay.min(max))
    }

    fn less_jitter(&self, delay: Duration, seed: u64) -> Duration {
        if self.jitter == 0 {
            return delay;
        }
        let most = millis(delay).saturating_mul(self.jitter.into()) / 100;
        let less = mixed(seed).checked_rem(most.saturating_add(1)).unwrap_or(0);
        delay.saturating_sub(Duration::from_millis(less))
    }
}

/// How long a message wants to wait by itself.
fn own_delay(message: &Message) -> Option<Duration> {
    let own = message.properties().headers()?.get(RETRY_DELAY)?.as_integer()?;
    u64::try_from(own).ok().map(|own| Duration::from_millis(own.min(DELAY_MAX)))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A number of at least one in thousandths; nothing is more than a thousand.
pub(super) fn thousandths(value: Value<'_>) -> Option<u32> {
    const MOST: f64 = 1000.0;
    let number = match value {
        Value::Float(number) => f64::from(number),
        Value::Double(number) => number,
        #[allow(clippy::cast_precision_loss, reason = "what is larger than that is cut anyway")]
        value => value.as_integer()? as f64,
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1,000 and 1,000,000")]
    (number >= 1.0).then(|| (number.min(MOST) * 1000.0).round() as u32)
}

/// Bits that follow from those of `seed`, all of them from each (splitmix64's last step): the same seed gives the same, so
/// that the core needs no chance.
fn mixed(seed: u64) -> u64 {
    let seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}

#[cfg(test)]
mod tests;
