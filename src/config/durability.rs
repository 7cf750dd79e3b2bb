//! What a confirm promises.

use std::fmt;
use std::str::FromStr;

/// What is done with a persistent message before it is confirmed. Definitions are synced in every mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Durability {
    /// It is written and synced: it outlives a loss of power.
    #[default]
    Fsync,
    /// It is written, not synced: it outlives the broker, and a loss of power takes the last seconds. Lossy.
    Os,
    /// It is kept in memory: it ends with the broker. Lossy.
    Memory,
}

impl Durability {
    /// Every mode, the safest first.
    pub const ALL: [Self; 3] = [Self::Fsync, Self::Os, Self::Memory];

    /// The name that an operator gives it by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fsync => "fsync",
            Self::Os => "os",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Durability {
    type Err = UnknownDurability;

    fn from_str(text: &str) -> Result<Self, UnknownDurability> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or(UnknownDurability)
    }
}

/// There is no such mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownDurability;

impl fmt::Display for UnknownDurability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected fsync, os or memory")
    }
}

impl std::error::Error for UnknownDurability {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_read_from_the_name_that_it_prints() {
        for mode in Durability::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        for text in ["", "Fsync", "none", "fsync "] {
            assert_eq!(text.parse::<Durability>(), Err(UnknownDurability), "{text}");
        }
    }
}
