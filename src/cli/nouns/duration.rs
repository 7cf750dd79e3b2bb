//! Lengths of time, as people write them.

/// The milliseconds of `500ms`, `30s`, `5m`, `2h` or `1d`; a number alone is of seconds.
pub(super) fn millis(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let each = match unit {
        "ms" => 1.0,
        "" | "s" => 1000.0,
        "m" | "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return Err("expected a time such as 500ms, 30s, 5m, 2h or 1d".to_owned()),
    };
    let number: f64 =
        number.parse().map_err(|_| "expected a time such as 500ms, 30s, 5m, 2h or 1d".to_owned())?;
    let millis = number * each;
    if millis > 1e15 {
        return Err("that is too long".to_owned());
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was looked at")]
    Ok(millis.round() as u64)
}

/// A length of time in words of at most two units: `1h 5m`.
pub(in crate::cli) fn words(millis: u64) -> String {
    let seconds = millis / 1000;
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, 0) => format!("{millis}ms"),
        (0, 0, 0, seconds) => format!("{seconds}s"),
        (0, 0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (0, hours, minutes, _) => format!("{hours}h {minutes}m"),
        (days, hours, ..) => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written_as_people_do() {
        for (text, expected, written) in [
            ("500ms", 500, "500ms"),
            ("30", 30_000, "30s"),
            ("1.5m", 90_000, "1m 30s"),
            ("2h", 7_200_000, "2h 0m"),
            ("1d", 86_400_000, "1d 0h"),
        ] {
            assert_eq!(millis(text), Ok(expected));
            assert_eq!(words(expected), written);
        }
        for wrong in ["", "s", "-1s", "1y", "1..5s", "99999999999999999d"] {
            assert!(millis(wrong).is_err(), "{wrong}");
        }
    }
}
