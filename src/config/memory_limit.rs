//! From how much memory on publishers are blocked.

use std::fmt;
use std::str::FromStr;

use super::units::{InvalidUnit, parse_bytes};

/// A bound on the live memory, absolute or as a share of what the broker is granted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MemoryLimit {
    /// This many bytes.
    Absolute(u64),
    /// This share, above 0 and at most 1, of what the machine or the control group grants.
    Relative(f64),
}

impl MemoryLimit {
    /// RabbitMQ's default since 4.0.
    pub const DEFAULT: Self = Self::Relative(0.6);

    /// The bound in bytes, given what the machine or the control group grants.
    pub fn bytes(self, granted: u64) -> u64 {
        match self {
            Self::Absolute(bytes) => bytes,
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            // a share of at most 1 of a u64 fits one, and a rounding of bytes is of no account
            Self::Relative(share) => (granted as f64 * share) as u64,
        }
    }
}

impl FromStr for MemoryLimit {
    type Err = InvalidUnit;

    /// Reads a share (`0.6`, `60%`) or a size (`512MiB`).
    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        let invalid = InvalidUnit("a share such as 0.6 or 60%, or a size such as 512MiB");
        let share = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f64>().map_err(|_| invalid)? / 100.0,
            None if text.contains('.') && text.parse::<f64>().is_ok() => text.parse().map_err(|_| invalid)?,
            None => return parse_bytes(text).map(Self::Absolute).map_err(|_| invalid),
        };
        if share > 0.0 && share <= 1.0 { Ok(Self::Relative(share)) } else { Err(invalid) }
    }
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute(bytes) => write!(f, "{bytes}"),
            Self::Relative(share) => write!(f, "{share}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_limit_is_a_share_or_a_size() {
        for (text, bytes_of_1000) in
            [("0.6", 600), ("1.0", 1000), ("60%", 600), ("100 %", 1000), ("512", 512), ("2KiB", 2048)]
        {
            assert_eq!(text.parse::<MemoryLimit>().unwrap().bytes(1000), bytes_of_1000, "{text}");
        }
        for text in ["", "0.0", "1.1", "-0.5", "101%", "0%", "NaN", "inf", "much", "%"] {
            assert!(text.parse::<MemoryLimit>().is_err(), "{text}");
        }
    }
}
