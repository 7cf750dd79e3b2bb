//! What keeps a connection from being read, for those who operate a broker.
//!
//! Its task alone writes it; who reads it asks nobody, since the task of a blocked connection would answer late.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::time::Time;

/// Whoever was slowed for a moment counts as slowed for so long: nobody would see it otherwise (as RabbitMQ).
const FLOW_SHOWN: Duration = Duration::from_secs(5);

/// The state of an open connection, in RabbitMQ's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// It is read.
    Running,
    /// It is read, but less often, or was a moment ago: it publishes faster than the disk or the consumers take it.
    Flow,
    /// It has published and is not read: an alarm is raised, or a limit is passed.
    Blocked,
}

impl ConnectionState {
    /// As RabbitMQ calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Flow => "flow",
            Self::Blocked => "blocked",
        }
    }
}

/// Whether a connection is read.
#[derive(Debug, Default)]
pub struct Throttle {
    is_blocked: AtomicBool,
    /// When it was slowed last, in milliseconds since the Unix epoch; 0 is never.
    slowed: AtomicU64,
}

impl Throttle {
    /// The state at a moment.
    pub fn state(&self, now: Time) -> ConnectionState {
        let slowed = self.slowed.load(Ordering::Relaxed);
        if self.is_blocked.load(Ordering::Relaxed) {
            ConnectionState::Blocked
        } else if slowed != 0 && now.since(Time::from_millis(slowed)) < FLOW_SHOWN {
            ConnectionState::Flow
        } else {
            ConnectionState::Running
        }
    }

    pub(super) fn set_blocked(&self, is_blocked: bool) {
        self.is_blocked.store(is_blocked, Ordering::Relaxed);
    }

    pub(super) fn slowed(&self, now: Time) {
        self.slowed.store(now.as_millis(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_slowed_is_seen_for_five_seconds_and_who_is_blocked_for_as_long_as_that_lasts() {
        let throttle = Throttle::default();
        let state = |seconds| throttle.state(Time::from_millis(1_000_000).plus(Duration::from_secs(seconds)));
        assert_eq!(state(0), ConnectionState::Running);
        throttle.slowed(Time::from_millis(1_000_000));
        for (after, expected) in [(0, "flow"), (4, "flow"), (5, "running")] {
            assert_eq!(state(after).as_str(), expected, "{after} s later");
        }
        throttle.set_blocked(true);
        assert_eq!([state(1), state(1000)], [ConnectionState::Blocked; 2]);
        throttle.set_blocked(false);
        assert_eq!([state(1), state(1000)], [ConnectionState::Flow, ConnectionState::Running]);
    }
}
