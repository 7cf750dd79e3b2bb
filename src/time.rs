//! Time as the broker counts it.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment: milliseconds since the Unix epoch.
///
/// It is the wall clock at the broker's start plus the monotonic time since, so that it can be stored and yet no
/// step of the wall clock fires a time-out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The moment `milliseconds` after the Unix epoch.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(milliseconds)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Now. Only drivers call this (connections, listeners); pure code is given a `Time`.
    pub fn now() -> Self {
        static START: OnceLock<(u64, Instant)> = OnceLock::new();
        let (wall, started) = START.get_or_init(|| (wall_clock(), Instant::now()));
        Self(wall.saturating_add(millis(started.elapsed())))
    }

    /// This moment, `after` later.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        Self(self.0.saturating_add(millis(after)))
    }

    /// The time from `earlier` to this moment; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[allow(clippy::disallowed_methods)] // the one place that reads the wall clock
fn wall_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}
