//! Limits on how much is published in a second: per user, per virtual host, per queue. Pure: the time is given.
//!
//! What is taken is paid for in time: each message, and each byte, takes its part of a second, and nothing has to tick for
//! that. Who owes more than [`BURST`] is over the limit.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::time::Time;

/// What may be taken at once, after a while in which nothing was: as much as in this time.
pub const BURST: Duration = Duration::from_secs(1);
/// Nobody owes more than this: a single message may be larger than what is allowed in an hour.
const DEBT_MAX: Duration = Duration::from_mins(1);
/// Who stays over the limit is said to be so once; again when he was within it for so long.
const SILENCE: Duration = Duration::from_secs(10);

/// The name of the limit of messages, in definitions, policies and, after `x-`, arguments.
pub const MAX_PUBLISH_RATE: &str = "max-publish-rate";
/// The name of the limit of bytes.
pub const MAX_PUBLISH_BYTES_RATE: &str = "max-publish-bytes-rate";
/// The name of what happens at these limits.
pub const PUBLISH_RATE_OVERFLOW: &str = "publish-rate-overflow";

/// How much may be published in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimit {
    /// Messages.
    pub messages: Option<NonZeroU64>,
    /// Bytes of bodies.
    pub bytes: Option<NonZeroU64>,
    /// What happens beyond that.
    pub overflow: RateOverflow,
}

/// What happens to whoever publishes more than he may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateOverflow {
    /// His connection is not read for a while, and he is told.
    #[default]
    Block,
    /// His messages are refused: nacked, where he asked for confirms.
    Reject,
}

impl RateOverflow {
    /// Its name in a setting.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Reject => "reject",
        }
    }

    /// What a setting names.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Block, Self::Reject].into_iter().find(|overflow| overflow.as_str() == name)
    }
}

impl RateLimit {
    /// No limit.
    pub const NONE: Self = Self { messages: None, bytes: None, overflow: RateOverflow::Block };

    /// Limits of so many messages and bytes a second; 0 is the least that can be had, one.
    pub fn new(messages: Option<u64>, bytes: Option<u64>, overflow: RateOverflow) -> Self {
        let rate = |rate: Option<u64>| rate.map(|rate| NonZeroU64::new(rate).unwrap_or(NonZeroU64::MIN));
        Self { messages: rate(messages), bytes: rate(bytes), overflow }
    }

    /// Whether there is none.
    pub const fn is_none(self) -> bool {
        self.messages.is_none() && self.bytes.is_none()
    }
}

/// Whose limit it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limited {
    /// A user's.
    User(Box<str>),
    /// A virtual host's.
    Vhost(Box<str>),
    /// A queue's.
    Queue(Box<str>),
}

/// A limit, and what was taken of it. Shared by all who publish under it.
#[derive(Debug)]
pub struct RateMeter {
    limit: RateLimit,
    limited: Limited,
    messages: Bucket,
    bytes: Bucket,
    /// When somebody last said that it was passed, in milliseconds since the epoch.
    said: AtomicU64,
}

/// When all that was taken is paid for, in nanoseconds since the epoch.
#[derive(Debug, Default)]
struct Bucket(AtomicU64);

impl Bucket {
    fn take(&self, now: u64, amount: u64, rate: NonZeroU64) {
        let cost = u128::from(amount) * u128::from(NANOS_A_SECOND) / u128::from(rate.get());
        let cost = u64::try_from(cost).unwrap_or(u64::MAX);
        let latest = now.saturating_add(nanos(DEBT_MAX));
        let paid = |paid: u64| paid.max(now).saturating_add(cost).min(latest);
        // Who comes at the same time takes as well; nothing else depends on it.
        self.0.update(Ordering::Relaxed, Ordering::Relaxed, paid);
    }

    /// What is owed, in nanoseconds.
    fn debt(&self, now: u64) -> u64 {
        self.0.load(Ordering::Relaxed).saturating_sub(now)
    }
}

const NANOS_A_SECOND: u64 = 1_000_000_000;

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn since_epoch(time: Time) -> u64 {
    time.as_millis().saturating_mul(1_000_000)
}

impl RateMeter {
    /// A limit of which nothing was taken; nothing when there is no limit.
    pub fn new(limit: RateLimit, limited: Limited) -> Option<Arc<Self>> {
        let (messages, bytes, said) = Default::default();
        (!limit.is_none()).then(|| Arc::new(Self { limit, limited, messages, bytes, said }))
    }

    /// The meter for a limit that was set: the old one when it is the same, with all that was taken.
    pub fn changed(
        old: Option<Arc<Self>>,
        limit: RateLimit,
        limited: impl FnOnce() -> Limited,
    ) -> Option<Arc<Self>> {
        match old {
            Some(meter) if meter.limit == limit => Some(meter),
            old => {
                if let Some(old) = old {
                    old.forgive();
                }
                if limit.is_none() { None } else { Self::new(limit, limited()) }
            }
        }
    }

    /// Nobody owes anything: whoever waits may go on.
    fn forgive(&self) {
        self.messages.0.store(0, Ordering::Relaxed);
        self.bytes.0.store(0, Ordering::Relaxed);
    }

    /// The limit.
    pub fn limit(&self) -> RateLimit {
        self.limit
    }

    /// A message with a body of so many bytes is published, whatever was before.
    pub fn take(&self, now: Time, bytes: usize) {
        let now = since_epoch(now);
        if let Some(rate) = self.limit.messages {
            self.messages.take(now, 1, rate);
        }
        if let Some(rate) = self.limit.bytes {
            self.bytes.take(now, bytes as u64, rate);
        }
    }

    /// Whether nobody should publish now.
    pub fn is_over(&self, now: Time) -> bool {
        self.debt(since_epoch(now)) >= nanos(BURST)
    }

    /// Whether messages are to be refused now.
    pub fn refuses(&self, now: Time) -> bool {
        self.limit.overflow == RateOverflow::Reject && self.is_over(now)
    }

    /// When somebody may publish again.
    pub fn over_until(&self, now: Time) -> Time {
        self.until(now, BURST)
    }

    /// When it is worth while to say so: half of what may be taken at once is there again.
    pub fn eased_at(&self, now: Time) -> Time {
        self.until(now, BURST / 2)
    }

    /// Whether it is worth a line in the log that the limit is passed: it was not said a moment ago.
    pub fn is_news(&self, now: Time) -> bool {
        let said = self.said.swap(now.as_millis(), Ordering::Relaxed);
        now.since(Time::from_millis(said)) >= SILENCE
    }

    fn until(&self, now: Time, owed: Duration) -> Time {
        match self.debt(since_epoch(now)).checked_sub(nanos(owed)) {
            None => now,
            // In the next millisecond: who owes just as much does so still.
            Some(left) => now.plus(Duration::from_millis(left / 1_000_000 + 1)),
        }
    }

    fn debt(&self, now: u64) -> u64 {
        self.messages.debt(now).max(self.bytes.debt(now))
    }
}

/// A name may be as long as a text that a client is told: of longer ones this much is, in bytes.
const NAME_BYTES_MAX: usize = 100;

/// What is to be told of whoever is over the limit: which one it is, its value and where it is set.
impl fmt::Display for RateMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match &self.limited {
            Limited::User(name) => ("user", name),
            Limited::Vhost(name) => ("vhost", name),
            Limited::Queue(name) => ("queue", name),
        };
        let name = name.get(..name.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or_default();
        let setting = |messages: bool| if messages { MAX_PUBLISH_RATE } else { MAX_PUBLISH_BYTES_RATE };
        // Of two limits the one that more is owed of.
        let is_of_messages = self.limit.bytes.is_none()
            || (self.limit.messages.is_some()
                && self.messages.0.load(Ordering::Relaxed) >= self.bytes.0.load(Ordering::Relaxed));
        let (rate, what) =
            if is_of_messages { (self.limit.messages, "messages") } else { (self.limit.bytes, "bytes") };
        let rate = rate.map_or(0, NonZeroU64::get);
        let setting = setting(is_of_messages);
        write!(
            f,
            "publish rate of {kind} '{name}' is over {rate} {what} a second; it is {setting} of the {kind}"
        )
    }
}

#[cfg(test)]
mod tests;
