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
    /// No moment: later than all that come.
    pub const NEVER: Self = Self(u64::MAX);

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
        static START: OnceLock<Start> = OnceLock::new();
        START.get_or_init(|| Start { wall: wall_clock(), monotonic: Instant::now() }).at(Instant::now())
    }

    /// Now, but for a few milliseconds: as the kernel noted it last, which costs a quarter of what it costs to look.
    pub fn about() -> Self {
        static START: OnceLock<(u64, Duration)> = OnceLock::new();
        let (wall, then) = START.get_or_init(|| {
            loop {
                let (noted, now) = (coarse_clock(), Self::now());
                if coarse_clock() == noted {
                    return (now.0, noted);
                }
            }
        });
        Self(*wall).plus(coarse_clock().saturating_sub(*then))
    }

    /// This moment, `after` later.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        Self(self.0.saturating_add(millis(after)))
    }

    /// This moment, `before` earlier.
    #[must_use]
    pub fn minus(self, before: Duration) -> Self {
        Self(self.0.saturating_sub(millis(before)))
    }

    /// The time from `earlier` to this moment; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// The one moment at which both clocks are read.
struct Start {
    /// Milliseconds since the Unix epoch.
    wall: u64,
    monotonic: Instant,
}

impl Start {
    /// The moment at which the monotonic clock says `now`.
    fn at(&self, now: Instant) -> Time {
        Time(self.wall).plus(now.saturating_duration_since(self.monotonic))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[allow(clippy::disallowed_methods)] // the one place that reads the wall clock
fn wall_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

/// The monotonic clock, as the kernel noted it last.
fn coarse_clock() -> Duration {
    let noted = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
    let seconds = u64::try_from(noted.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(noted.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn b73_time_goes_on_with_the_monotonic_clock_whatever_the_wall_clock_said_at_the_start() {
        let monotonic = Instant::now();
        let end_of_32_bits = 0x7fff_ffff * 1000;
        for wall in [0, 999, 1_483_228_799_999, end_of_32_bits, 253_402_300_800_000] {
            let start = Start { wall, monotonic };
            let mut before = start.at(monotonic);
            assert_eq!(before, Time::from_millis(wall));
            for passed in [Duration::from_millis(1), Duration::from_millis(999), DAY, 3650 * DAY] {
                let moment = start.at(monotonic + passed);
                assert_eq!(moment.as_millis(), wall + millis(passed));
                assert_eq!(moment, Time::from_millis(wall).plus(passed));
                assert!(moment > before);
                before = moment;
            }
        }
    }

    #[test]
    fn b73_now_never_goes_back_in_any_thread() {
        let read = || {
            let mut last = Time::now();
            for _ in 0..100_000 {
                let now = Time::now();
                assert!(now >= last, "{now:?} after {last:?}");
                last = now;
            }
            last
        };
        let last = std::thread::scope(|scope| {
            let readers = [0; 4].map(|_| scope.spawn(read));
            readers.map(|reader| reader.join().unwrap()).into_iter().max()
        });
        assert!(Some(Time::now()) >= last);
    }

    #[test]
    fn about_now_is_near_to_now_and_never_goes_back() {
        let (mut last, first) = (Time::about(), Time::now());
        let mut is_near = false;
        while !is_near {
            assert!(Time::now().since(first) < Duration::from_mins(1), "it stands still");
            let (before, about) = (Time::now(), Time::about());
            assert!(about >= last, "{about:?} after {last:?}");
            // The kernel looks every ten milliseconds at least, unless its machine stood still. What stands still is near
            // at first only.
            is_near = before.since(first) > Duration::from_millis(50)
                && before.since(about) <= Duration::from_millis(25);
            assert!(about <= Time::now().plus(Duration::from_millis(25)));
            last = about;
        }
    }

    #[test]
    fn b73_between_two_moments_lies_what_the_monotonic_clock_says() {
        let rounding = Duration::from_millis(1);
        let outside = Instant::now();
        let first = Time::now();
        let inside = Instant::now();
        let mut between = Duration::ZERO;
        while between < Duration::from_millis(5) {
            let at_least = inside.elapsed();
            between = Time::now().since(first);
            let at_most = outside.elapsed();
            assert!(between + rounding > at_least, "{between:?} in {at_least:?} or more");
            assert!(between < at_most + rounding, "{between:?} in {at_most:?} or less");
        }
    }

    #[test]
    fn b73_at_either_end_time_stops_and_does_not_wrap() {
        let end = Time::from_millis(u64::MAX);
        assert_eq!(end.plus(DAY), end);
        assert_eq!(Time::from_millis(1).plus(Duration::MAX), end);
        assert_eq!(Time::default().since(end), Duration::ZERO);
        let start = Start { wall: u64::MAX, monotonic: Instant::now() };
        assert_eq!(start.at(start.monotonic + DAY), end);
        let earlier = Start { wall: 5, monotonic: start.monotonic + DAY };
        assert_eq!(earlier.at(start.monotonic), Time::from_millis(5));
    }
}
