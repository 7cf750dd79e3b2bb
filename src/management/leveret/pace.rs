//! How fast a job may go.

use std::time::{Duration, Instant};

/// A number of messages a second, if there is a limit.
pub(super) struct Pace {
    rate: Option<f64>,
    since: Instant,
    done: u64,
}

/// So many parts a second a limited job does.
const PARTS: f64 = 10.0;

impl Pace {
    /// So many messages a second from now on.
    pub(super) fn new(rate: Option<f64>, now: Instant) -> Self {
        Self { rate, since: now, done: 0 }
    }

    /// So many messages go at once.
    pub(super) fn part(&self, most: usize) -> usize {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is cut off")]
        let part = self.rate.map_or(most, |rate| (rate / PARTS) as usize);
        part.clamp(1, most)
    }

    /// So many have gone: how long to rest before the next.
    pub(super) fn rest(&mut self, count: u64, now: Instant) -> Duration {
        self.done = self.done.saturating_add(count);
        let Some(rate) = self.rate else { return Duration::ZERO };
        #[allow(clippy::cast_precision_loss, reason = "a rate is an approximation")]
        let paid = Duration::try_from_secs_f64(self.done as f64 / rate).unwrap_or(Duration::MAX);
        paid.saturating_sub(now.saturating_duration_since(self.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_rests_until_what_it_did_is_paid_for() {
        let now = Instant::now();
        let mut pace = Pace::new(Some(100.0), now);
        assert_eq!(pace.part(1024), 10);
        assert_eq!(pace.rest(10, now), Duration::from_millis(100));
        assert_eq!(pace.rest(10, now + Duration::from_millis(50)), Duration::from_millis(150));
        assert_eq!(pace.rest(0, now + Duration::from_secs(9)), Duration::ZERO);
        let mut slow = Pace::new(Some(0.5), now);
        assert_eq!((slow.part(1024), slow.rest(1, now)), (1, Duration::from_secs(2)));
        let mut unlimited = Pace::new(None, now);
        assert_eq!((unlimited.part(1024), unlimited.rest(1000, now)), (1024, Duration::ZERO));
    }
}
