//! Passwords as RabbitMQ keeps them: a salt of four bytes, then the hash of salt and password, in base64 when written.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512};
use subtle::{Choice, ConditionallySelectable as _};

use super::secret::Secret;

/// How passwords are hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hashing {
    /// SHA-256, for what is set here unless the configuration says another.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
    /// MD5, which RabbitMQ used before 3.6.
    Md5,
}

/// Bytes of salt before a hash.
pub const SALT_BYTES: usize = 4;

/// What a password has to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordHash {
    hashing: Hashing,
    /// The salt, then the hash.
    salted: Secret,
}

/// The text is no hash of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHash;

impl fmt::Display for InvalidHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a password hash is base64 of a salt of 4 bytes and a hash of the algorithm's length")
    }
}

impl std::error::Error for InvalidHash {}

impl Hashing {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha512, Self::Md5];

    /// RabbitMQ's name of it, as in `hashing_algorithm`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "rabbit_password_hashing_sha256",
            Self::Sha512 => "rabbit_password_hashing_sha512",
            Self::Md5 => "rabbit_password_hashing_md5",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hashing| hashing.as_str() == name)
    }

    const fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
            Self::Md5 => 16,
        }
    }

    fn hash(self, salt: &[u8], password: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::new().chain_update(salt).chain_update(password).finalize().to_vec(),
            Self::Sha512 => Sha512::new().chain_update(salt).chain_update(password).finalize().to_vec(),
            Self::Md5 => Md5::new().chain_update(salt).chain_update(password).finalize().to_vec(),
        }
    }
}

impl PasswordHash {
    /// The hash of a password with this salt, which is to be random.
    pub fn new(hashing: Hashing, salt: [u8; SALT_BYTES], password: &[u8]) -> Self {
        let hash = hashing.hash(&salt, password);
        Self { hashing, salted: Secret::new([&salt[..], &hash].concat()) }
    }

    /// The hash of bytes as they are kept.
    pub fn from_bytes(hashing: Hashing, salted: &[u8]) -> Result<Self, InvalidHash> {
        if salted.len() != SALT_BYTES + hashing.len() {
            return Err(InvalidHash);
        }
        Ok(Self { hashing, salted: Secret::new(salted) })
    }

    /// The hash of a text as in `password_hash` of definitions.
    pub fn from_base64(hashing: Hashing, text: &str) -> Result<Self, InvalidHash> {
        let salted = STANDARD.decode(text.trim()).map_err(|_| InvalidHash)?;
        Self::from_bytes(hashing, &salted)
    }

    /// The same where it may be said how it was hashed. Before RabbitMQ 3.6 nothing said so; the lengths differ.
    pub fn from_base64_of(hashing: Option<Hashing>, text: &str) -> Result<Self, InvalidHash> {
        let Some(hashing) = hashing else {
            let mut any = Hashing::ALL.into_iter();
            return any.find_map(|hashing| Self::from_base64(hashing, text).ok()).ok_or(InvalidHash);
        };
        Self::from_base64(hashing, text)
    }

    /// The text for `password_hash` of definitions.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.as_bytes())
    }

    /// The bytes as they are kept.
    pub fn as_bytes(&self) -> &[u8] {
        self.salted.expose()
    }

    /// How it was hashed.
    pub fn hashing(&self) -> Hashing {
        self.hashing
    }

    /// Whether a password matches this hash, or none when there is none: the work is the same for all users, and for those
    /// that do not exist.
    pub fn verify(hash: Option<&Self>, password: &[u8]) -> Choice {
        static NOBODY: [u8; SALT_BYTES] = [0; SALT_BYTES];
        let salted = hash.map_or(&NOBODY[..], Self::as_bytes);
        let (salt, expected) = salted.split_at_checked(SALT_BYTES).unwrap_or((&NOBODY, &[]));
        let expected = Secret::new(expected);
        let mut matches = 0_u8;
        for hashing in Hashing::ALL {
            let is_it = Choice::from(u8::from(hash.is_some_and(|hash| hash.hashing == hashing)));
            let same = expected.matches(&hashing.hash(salt, password));
            matches.conditional_assign(&1, is_it & same);
        }
        Choice::from(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As RabbitMQ 3.10 hashes it; the first is the example of its documentation.
    #[test]
    fn a_hash_is_rabbitmqs_and_matches_the_password_that_it_was_made_of_and_no_other() {
        let salt = [0x90, 0x8D, 0xC6, 0x0A];
        for (hashing, text) in [
            (Hashing::Sha256, "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"),
            (
                Hashing::Sha512,
                "kI3GChuNuIYf8lRbCCxZjgjKwsY19ns6+uFO0zcXRBGA/XGJPYD8OWMy7EB8TaOmAzjP2azv84GbINYwX2cDWb4DHnc=",
            ),
            (Hashing::Md5, "kI3GChNpte2FApYFXScl+0dIluk="),
        ] {
            assert_eq!(PasswordHash::new(hashing, salt, b"test12").to_base64(), text);
            let hash = PasswordHash::from_base64(hashing, text).unwrap();
            assert_eq!((hash.hashing(), hash.to_base64().as_str()), (hashing, text));
            for (password, expected) in [
                (&b"test12"[..], true),
                (b"test1", false),
                (b"test12\0", false),
                (b"", false),
                (&[0; 9000], false),
            ] {
                assert_eq!(bool::from(PasswordHash::verify(Some(&hash), password)), expected, "{hashing:?}");
            }
        }
        assert!(!bool::from(PasswordHash::verify(None, b"test12")));
        assert!(!bool::from(PasswordHash::verify(None, b"")));
    }

    /// The digests of the algorithms' own specifications: of "abc" with an empty salt.
    #[test]
    fn the_algorithms_are_those_of_their_specifications() {
        for (hashing, expected) in [
            (Hashing::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (Hashing::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                Hashing::Sha512,
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ] {
            let bytes = expected.as_bytes().chunks(2).map(|digits| str::from_utf8(digits).unwrap());
            let bytes: Vec<u8> = bytes.map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect();
            assert_eq!(hashing.hash(b"a", b"bc"), bytes);
            assert_eq!(Hashing::from_name(hashing.as_str()), Some(hashing));
        }
    }

    #[test]
    fn a_text_that_is_no_hash_is_none() {
        for text in [
            "",
            "x",
            "kI3GCg==",
            "not base64 at all!",
            "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2PORAAAA",
        ] {
            assert_eq!(PasswordHash::from_base64(Hashing::Sha256, text), Err(InvalidHash), "{text}");
        }
        let shown = format!("{:?}", PasswordHash::new(Hashing::Sha256, [1, 2, 3, 4], b"planted"));
        assert!(shown.contains("Secret(..)") && !shown.contains('1'), "{shown}");
    }
}
