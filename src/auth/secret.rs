//! Bytes that are never shown.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};

/// A password or the like. It has no way into a log.
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Takes the content.
    pub fn new(content: impl Into<Box<[u8]>>) -> Self {
        Self(content.into())
    }

    /// Whether `given` is the same, in a time that depends on neither's content nor on the given one's length.
    pub fn matches(&self, given: &[u8]) -> Choice {
        let same_length = self.0.len().ct_eq(&given.len());
        let octets = self.0.iter().enumerate();
        octets.fold(same_length, |same, (at, octet)| same & octet.ct_eq(given.get(at).unwrap_or(&0)))
    }

    /// The content, for whoever needs it: to hash it, or to write it down.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(&other.0).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_matches_itself_alone_and_is_not_shown() {
        let secret = Secret::new(*b"guest");
        for (given, expected) in [
            (&b"guest"[..], true),
            (b"", false),
            (b"gues", false),
            (b"guest\0", false),
            (b"guesT", false),
            (&[b'g'; 4096], false),
        ] {
            assert_eq!(bool::from(secret.matches(given)), expected, "{given:?}");
        }
        assert!(!bool::from(Secret::new(*b"a\0").matches(b"a")), "padding is not content");
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}
