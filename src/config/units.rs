//! Sizes and durations as an operator writes them.

use std::fmt;
use std::time::Duration;

/// The text is not what the setting expects; holds what it expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUnit(pub(super) &'static str);

impl fmt::Display for InvalidUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.0)
    }
}

impl std::error::Error for InvalidUnit {}

/// Reads a size in bytes: `16777216`, `16MiB`, `16 MB`, `1k`.
///
/// As in rabbitmq.conf `KB`, `MB` and so on are powers of 1000, `KiB`, `MiB` and a bare `K`, `M` powers of 1024.
pub fn parse_bytes(text: &str) -> Result<u64, InvalidUnit> {
    let invalid = InvalidUnit("a size in bytes, such as 16777216 or 16MiB");
    let (number, unit) = split(text);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1000_u64.pow(2),
        "gb" => 1000_u64.pow(3),
        "tb" => 1000_u64.pow(4),
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        _ => return Err(invalid),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or(invalid)
}

/// Reads a duration: `10` (seconds), `10s`, `500ms`, `2m`.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidUnit> {
    let invalid = InvalidUnit("a duration, such as 10s or 500ms; a bare number is seconds");
    let (number, unit) = split(text);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        _ => return Err(invalid),
    };
    let number = number.parse::<u64>().ok();
    number.and_then(|number| number.checked_mul(milliseconds)).map(Duration::from_millis).ok_or(invalid)
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    (number, unit.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_and_perhaps_a_unit() {
        for (text, bytes) in [
            ("0", 0),
            ("16777216", 16_777_216),
            ("16MiB", 16_777_216),
            ("16m", 16_777_216),
            ("16 MB", 16_000_000),
            ("1k", 1024),
            ("2TiB", 2 << 40),
            ("7B", 7),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "-1", "1.5G", "1 X", "99999999999999999999", "18446744073709551615k"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_is_a_number_and_perhaps_a_unit() {
        for (text, milliseconds) in
            [("10", 10_000), ("10s", 10_000), ("500ms", 500), ("2m", 120_000), ("0", 0)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "s", "-1s", "1h", "1.5s", "99999999999999999999"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
