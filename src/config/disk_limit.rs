//! Below how much free space on the disk publishers are blocked.

use std::fmt;
use std::str::FromStr;

use super::units::{InvalidUnit, parse_bytes};

/// A bound on the free space of a disk, absolute or in relation to the memory that the broker is granted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DiskLimit {
    /// This many bytes; 0 is no bound.
    Absolute(u64),
    /// So many times what the machine or the control group grants: RabbitMQ's `disk_free_limit.relative`.
    Relative(f64),
}

/// Nobody has a disk of so many times its memory.
const TIMES_MAX: f64 = 1_000_000.0;

impl DiskLimit {
    /// RabbitMQ's default.
    pub const DEFAULT: Self = Self::Absolute(50_000_000);

    /// The bound in bytes, given what the machine or the control group grants.
    pub fn bytes(self, granted: u64) -> u64 {
        match self {
            Self::Absolute(bytes) => bytes,
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            // beyond the largest u64 it is cut to that, and a rounding of bytes is of no account
            Self::Relative(times) => (granted as f64 * times) as u64,
        }
    }
}

impl FromStr for DiskLimit {
    type Err = InvalidUnit;

    /// Reads a size (`2GB`) or a factor (`1.5`, `150%`).
    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        let invalid = InvalidUnit("a size such as 2GB, or a factor such as 1.5 or 150%");
        let times = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f64>().map_err(|_| invalid)? / 100.0,
            None if text.contains('.') && text.parse::<f64>().is_ok() => text.parse().map_err(|_| invalid)?,
            None => return parse_bytes(text).map(Self::Absolute).map_err(|_| invalid),
        };
        if times > 0.0 && times <= TIMES_MAX { Ok(Self::Relative(times)) } else { Err(invalid) }
    }
}

impl fmt::Display for DiskLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute(bytes) => write!(f, "{bytes}"),
            Self::Relative(times) => write!(f, "{times}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_limit_is_a_size_or_a_factor_of_the_memory() {
        for (text, bytes_of_1000) in
            [("50MB", 50_000_000), ("0", 0), ("512", 512), ("1.5", 1500), ("2.0", 2000), ("150 %", 1500)]
        {
            assert_eq!(text.parse::<DiskLimit>().unwrap().bytes(1000), bytes_of_1000, "{text}");
        }
        for text in ["", "0.0", "-0.5", "0%", "NaN", "inf", "1e9", "2000000.0", "much", "%"] {
            assert!(text.parse::<DiskLimit>().is_err(), "{text}");
        }
        assert_eq!(DiskLimit::Relative(1e6).bytes(u64::MAX), u64::MAX);
    }
}
