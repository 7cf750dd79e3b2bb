//! The moment of a line, in UTC.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::Time;

/// Microseconds since the epoch, shown as `2026-11-23 10:44:33.654012+00:00`.
#[derive(Clone, Copy)]
pub(super) struct Timestamp(u64);

impl Timestamp {
    /// The wall clock, not [`crate::time::Time`]: an operator compares lines with those of other machines, whose
    /// clocks are stepped alike.
    #[allow(clippy::disallowed_methods)]
    pub(super) fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
    }

    /// Whole minutes since the epoch.
    pub(super) fn minutes(self) -> u64 {
        self.0 / 60_000_000
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}+00:00")
    }
}

/// A moment as RabbitMQ writes it in JSON: `2026-11-23T10:44:33.654+00:00`.
pub fn rfc3339(time: Time) -> String {
    let millis = time.as_millis();
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (year, month, day) = civil(seconds / 86_400);
    let second = seconds % 86_400;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}+00:00")
}

/// The day of the month, and how many months have begun since the year 0, `days` after 1970-01-01.
pub(super) fn day_and_month(days: u64) -> (u64, u64) {
    let (year, month, day) = civil(days);
    (day, year * 12 + month)
}

/// Year, month and day of the Gregorian calendar, `days` after 1970-01-01.
fn civil(mut days: u64) -> (u64, u64, u64) {
    const DAYS_IN_400_YEARS: u64 = 146_097;
    let mut year = 1970 + days / DAYS_IN_400_YEARS * 400;
    days %= DAYS_IN_400_YEARS;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_as_rabbitmq_shows_it() {
        for (micros, shown) in [
            (0, "1970-01-01 00:00:00.000000+00:00"),
            (951_782_399_999_999, "2000-02-28 23:59:59.999999+00:00"),
            (951_782_400_000_000, "2000-02-29 00:00:00.000000+00:00"),
            (1_709_251_199_000_001, "2024-02-29 23:59:59.000001+00:00"),
            (1_735_603_200_000_000, "2024-12-31 00:00:00.000000+00:00"),
            (1_795_430_673_654_012, "2026-11-23 10:44:33.654012+00:00"),
            (4_107_542_400_000_000, "2100-03-01 00:00:00.000000+00:00"),
        ] {
            assert_eq!(Timestamp(micros).to_string(), shown);
        }
    }
}
