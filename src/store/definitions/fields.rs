//! Values of definitions: a version's octet, then fields, each a tag, a length and its bytes.
//!
//! A field that is not known is passed over, so that a value of a later version with more to say is still read. A
//! later version whose values mean something else has another version octet.

use std::num::NonZeroU64;

use crate::rate::{RateLimit, RateOverflow};

/// The version of the values written here.
const VERSION: u8 = 1;

/// Why a definition cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Its key is none of its kind.
    Key,
    /// Its value is of this version, which a later broker has written.
    Version(u8),
    /// Its value ends too early, or a field is too long.
    Value,
    /// A field that must be there is missing or has a value that it cannot have.
    Field(&'static str),
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key => f.write_str("its key is malformed"),
            Self::Version(version) => write!(f, "a later version has written it (version {version})"),
            Self::Value => f.write_str("its value is malformed"),
            Self::Field(field) => write!(f, "its {field} is missing or malformed"),
        }
    }
}

impl std::error::Error for Malformed {}

/// Writes a value.
#[derive(Debug)]
pub(super) struct FieldWriter(Vec<u8>);

impl FieldWriter {
    /// A value without fields.
    pub(super) fn new() -> Self {
        Self(vec![VERSION])
    }

    /// Appends a field.
    pub(super) fn bytes(mut self, tag: u8, bytes: &[u8]) -> Self {
        self.0.push(tag);
        self.0.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends a number, if there is one.
    pub(super) fn number(self, tag: u8, number: Option<u64>) -> Self {
        match number {
            Some(number) => self.bytes(tag, &number.to_le_bytes()),
            None => self,
        }
    }

    /// Appends the limits of a rate, and what happens at them: up to three fields.
    pub(super) fn rate(self, tag: u8, rate: RateLimit) -> Self {
        let fields = self.number(tag, rate.messages.map(NonZeroU64::get));
        let fields = fields.number(tag.saturating_add(1), rate.bytes.map(NonZeroU64::get));
        fields.flag(tag.saturating_add(2), rate.overflow == RateOverflow::Reject)
    }

    /// Appends a field that is there when it is true.
    pub(super) fn flag(self, tag: u8, flag: bool) -> Self {
        if flag { self.bytes(tag, &[]) } else { self }
    }

    /// The value.
    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// A value's fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The fields of `value`, all of which are whole.
    pub(super) fn parse(value: &'a [u8]) -> Result<Self, Malformed> {
        let (version, fields) = value.split_first().ok_or(Malformed::Value)?;
        if *version != VERSION {
            return Err(Malformed::Version(*version));
        }
        let mut rest = fields;
        while !rest.is_empty() {
            (_, _, rest) = split(rest).ok_or(Malformed::Value)?;
        }
        Ok(Self(fields))
    }

    /// A field, if it is there.
    pub(super) fn get(self, tag: u8) -> Option<&'a [u8]> {
        let mut rest = self.0;
        while let Some((found, bytes, after)) = split(rest) {
            if found == tag {
                return Some(bytes);
            }
            rest = after;
        }
        None
    }

    /// All fields of this tag, in their order.
    pub(super) fn all(self, tag: u8) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (found, bytes, after) = split(rest)?;
            rest = after;
            Some((found, bytes))
        })
        .filter(move |(found, _)| *found == tag)
        .map(|(_, bytes)| bytes)
    }

    /// A text that must be there; `name` is what it is called.
    pub(super) fn text(self, tag: u8, name: &'static str) -> Result<&'a str, Malformed> {
        self.get(tag).and_then(|bytes| str::from_utf8(bytes).ok()).ok_or(Malformed::Field(name))
    }

    /// A number, if it is there.
    pub(super) fn number(self, tag: u8) -> Result<Option<u64>, Malformed> {
        let Some(bytes) = self.get(tag) else { return Ok(None) };
        bytes.try_into().map(|bytes| Some(u64::from_le_bytes(bytes))).map_err(|_| Malformed::Field("number"))
    }

    /// The limits of a rate, and what happens at them.
    pub(super) fn rate(self, tag: u8) -> Result<RateLimit, Malformed> {
        let rejects = self.flag(tag.saturating_add(2));
        let overflow = if rejects { RateOverflow::Reject } else { RateOverflow::Block };
        Ok(RateLimit::new(self.number(tag)?, self.number(tag.saturating_add(1))?, overflow))
    }

    /// A field that is there or not.
    pub(super) fn flag(self, tag: u8) -> bool {
        self.get(tag).is_some()
    }
}

/// The first field and what follows it.
fn split(fields: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = fields.split_first()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((*tag, bytes, rest))
}
