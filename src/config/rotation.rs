//! When a log file is set aside, as RabbitMQ's `log.file.rotation.date` says it.

use std::fmt;
use std::str::FromStr;

/// Minutes of an hour, a day, a week.
const HOUR: u64 = 60;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;
/// 1970-01-01 was a Thursday; weeks are counted from Sundays, as RabbitMQ counts days of the week.
const EPOCH_WEEKDAY: u64 = 4;

/// A moment that comes again and again, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationDate {
    /// At this minute of each hour (`$H00`).
    Hourly {
        /// 0 to 59.
        minute: u8,
    },
    /// At this hour of each day (`$D0`).
    Daily {
        /// 0 to 23.
        hour: u8,
    },
    /// On this day of each week (`$W0D23`).
    Weekly {
        /// 0, a Sunday, to 6.
        day: u8,
        /// 0 to 23.
        hour: u8,
    },
    /// On this day of each month (`$M1D0`); after a month that has no such day, when the next one begins.
    Monthly {
        /// 1 to 31.
        day: u8,
        /// 0 to 23.
        hour: u8,
    },
}

impl RotationDate {
    /// How often it has come up to `minutes` after 1970-01-01 00:00 UTC, counted from some fixed number: between two
    /// moments it has come if the numbers differ. `days_of_month` gives the day of the month, and the number of the month,
    /// of a day after 1970-01-01.
    pub fn period(self, minutes: u64, days_of_month: impl Fn(u64) -> (u64, u64)) -> u64 {
        match self {
            Self::Hourly { minute } => (minutes + HOUR - u64::from(minute)) / HOUR,
            Self::Daily { hour } => (minutes + DAY - u64::from(hour) * HOUR) / DAY,
            Self::Weekly { day, hour } => {
                let at = u64::from(day) * DAY + u64::from(hour) * HOUR;
                (minutes + EPOCH_WEEKDAY * DAY + WEEK - at) / WEEK
            }
            Self::Monthly { day, hour } => {
                // In time that begins with the hour.
                let Some(shifted) = minutes.checked_sub(u64::from(hour) * HOUR) else { return 0 };
                let (of_month, month) = days_of_month(shifted / DAY);
                // From the day on a month has the number that the next one begins with.
                month + u64::from(of_month >= u64::from(day))
            }
        }
    }
}

impl fmt::Display for RotationDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hourly { minute } => write!(f, "$H{minute:02}"),
            Self::Daily { hour } => write!(f, "$D{hour}"),
            Self::Weekly { day, hour } => write!(f, "$W{day}D{hour}"),
            Self::Monthly { day, hour } => write!(f, "$M{day}D{hour}"),
        }
    }
}

impl FromStr for RotationDate {
    type Err = InvalidRotationDate;

    /// Reads `$H00`, `$D0`, `$W0`, `$W0D23`, `$M1D0`, or the words `hourly`, `daily`, `weekly` (on Sundays) and `monthly`.
    fn from_str(text: &str) -> Result<Self, InvalidRotationDate> {
        let date = match text {
            "hourly" => Some(Self::Hourly { minute: 0 }),
            "daily" => Some(Self::Daily { hour: 0 }),
            "weekly" => Some(Self::Weekly { day: 0, hour: 0 }),
            "monthly" => Some(Self::Monthly { day: 1, hour: 0 }),
            _ => text.strip_prefix('$').and_then(coded),
        };
        date.ok_or(InvalidRotationDate)
    }
}

fn coded(code: &str) -> Option<RotationDate> {
    let within = |text: &str, from: u8, to: u8| {
        let number: u8 = text.parse().ok().filter(|_| text.len() <= 2 && !text.starts_with('+'))?;
        (from..=to).contains(&number).then_some(number)
    };
    let day_and_hour = |text: &str, from: u8, to: u8| {
        let (day, hour) = text.split_once('D').unwrap_or((text, "0"));
        Some((within(day, from, to)?, within(hour, 0, 23)?))
    };
    if let Some(minute) = code.strip_prefix('H') {
        return Some(RotationDate::Hourly { minute: within(minute, 0, 59)? });
    }
    if let Some(hour) = code.strip_prefix('D') {
        return Some(RotationDate::Daily { hour: within(hour, 0, 23)? });
    }
    if let Some(rest) = code.strip_prefix('W') {
        return day_and_hour(rest, 0, 6).map(|(day, hour)| RotationDate::Weekly { day, hour });
    }
    let (day, hour) = day_and_hour(code.strip_prefix('M')?, 1, 31)?;
    Some(RotationDate::Monthly { day, hour })
}

/// The text is no such date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidRotationDate;

impl fmt::Display for InvalidRotationDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected hourly, daily, weekly or monthly, or RabbitMQ's $D0 (each day at 0 o'clock UTC), $H30, $W0D23, $M1D0",
        )
    }
}

impl std::error::Error for InvalidRotationDate {}

#[cfg(test)]
mod tests {
    use super::*;

    /// As if all months had 30 days.
    fn thirty(days: u64) -> (u64, u64) {
        (days % 30 + 1, days / 30)
    }

    #[test]
    fn a_date_is_read_as_rabbitmq_reads_it() {
        for (text, shown) in [
            ("$D0", "$D0"),
            ("$D23", "$D23"),
            ("$H00", "$H00"),
            ("$H5", "$H05"),
            ("$W0D23", "$W0D23"),
            ("$W5D16", "$W5D16"),
            ("$W6", "$W6D0"),
            ("$M1D0", "$M1D0"),
            ("$M31D6", "$M31D6"),
            ("hourly", "$H00"),
            ("daily", "$D0"),
            ("weekly", "$W0D0"),
            ("monthly", "$M1D0"),
        ] {
            assert_eq!(text.parse::<RotationDate>().unwrap().to_string(), shown, "{text}");
        }
        for text in
            ["", "$", "$D24", "$D", "D0", "$H60", "$W7", "$M0D0", "$M32", "$M1D24", "$D+1", "$D001", "yearly"]
        {
            assert_eq!(text.parse::<RotationDate>(), Err(InvalidRotationDate), "{text}");
        }
    }

    #[test]
    fn a_date_comes_when_its_minute_begins_and_not_before() {
        // 1970-01-04 was a Sunday.
        let sunday = 3 * DAY;
        for (text, first, every) in [
            ("$H15", 15, HOUR),
            ("$D0", DAY, DAY),
            ("$D23", 23 * HOUR, DAY),
            ("$W0", sunday, WEEK),
            ("$W3D5", sunday + 3 * DAY + 5 * HOUR, WEEK),
            ("$W6D5", sunday + 6 * DAY + 5 * HOUR, WEEK),
            ("$M2D6", DAY + 6 * HOUR, 30 * DAY),
            ("$M1D0", 30 * DAY, 30 * DAY),
        ] {
            let date: RotationDate = text.parse().unwrap();
            let came = |before: u64| date.period(before, thirty) != date.period(before - 1, thirty);
            let times: Vec<u64> = (1..100 * DAY).filter(|minute| came(*minute)).take(4).collect();
            let from = times.iter().position(|time| *time == first);
            assert!(from.is_some_and(|from| from < 2), "{text}: {times:?}, not {first}");
            assert!(times.windows(2).all(|two| two[1] - two[0] == every), "{text}: {times:?}");
        }
    }
}
