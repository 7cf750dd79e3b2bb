//! Field tables and arrays: validated once, kept as the bytes that came, read lazily.
//!
//! Nothing here is turned into owned values: a table passes through the broker byte for byte, and two tables are
//! equal when their bytes are. [`TableBuilder`] makes tables that did not come from the wire.

mod build;
pub(crate) mod validate;
mod value;

pub use build::{ArrayBuf, ArrayBuilder, TableBuf, TableBuilder};
pub use validate::TableError;
pub use value::Value;

use std::fmt;

/// A field table: validated entries, without the four octets of their length.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Table<'a> {
    bytes: &'a [u8],
}

impl<'a> Table<'a> {
    /// The table without entries.
    pub const EMPTY: Self = Self { bytes: &[] };

    /// Takes the entries of a table, as they follow its length on the wire.
    ///
    /// # Errors
    /// Lengths that pass the end, unknown field types, malformed keys, too many entries, too deep a nesting.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, TableError> {
        validate::table(bytes)?;
        Ok(Self { bytes })
    }

    /// Takes bytes that [`validate::table`] has passed.
    pub(crate) const fn validated(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The entries as on the wire, without their length.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Whether there are no entries.
    pub const fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// The entries in the order of the wire, duplicates included.
    pub const fn iter(self) -> TableIter<'a> {
        TableIter { rest: self.bytes }
    }

    /// The value of `key`: the last one where a key occurs twice, as in RabbitMQ.
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        let mut rest = self.bytes;
        let mut found = None;
        while let Some((name, after)) = value::split_key(rest) {
            if name == key.as_bytes() {
                found = Some(after);
            }
            rest = value::skip(after)?;
        }
        value::split(found?).map(|(value, _)| value)
    }

    /// A copy that owns its bytes.
    pub fn to_owned(self) -> TableBuf {
        TableBuf::from(self)
    }
}

impl<'a> IntoIterator for Table<'a> {
    type Item = (&'a str, Value<'a>);
    type IntoIter = TableIter<'a>;

    fn into_iter(self) -> TableIter<'a> {
        self.iter()
    }
}

/// One line however deep the table is: nested tables print as their number of octets.
impl fmt::Debug for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// The entries of a [`Table`].
#[derive(Debug, Clone)]
pub struct TableIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for TableIter<'a> {
    type Item = (&'a str, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, rest) = value::split_key(self.rest)?;
        let (value, rest) = value::split(rest)?;
        self.rest = rest;
        Some((str::from_utf8(key).ok()?, value))
    }
}

/// An array of field values: validated, without the four octets of its length.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Array<'a> {
    bytes: &'a [u8],
}

impl<'a> Array<'a> {
    /// The array without values.
    pub const EMPTY: Self = Self { bytes: &[] };

    /// Takes the values of an array, as they follow its length on the wire.
    ///
    /// # Errors
    /// As [`Table::parse`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, TableError> {
        validate::array(bytes)?;
        Ok(Self { bytes })
    }

    /// The values as on the wire, without their length.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Whether there are no values.
    pub const fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// The values in the order of the wire.
    pub const fn iter(self) -> ArrayIter<'a> {
        ArrayIter { rest: self.bytes }
    }
}

impl<'a> IntoIterator for Array<'a> {
    type Item = Value<'a>;
    type IntoIter = ArrayIter<'a>;

    fn into_iter(self) -> ArrayIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The values of an [`Array`].
#[derive(Debug, Clone)]
pub struct ArrayIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for ArrayIter<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let (value, rest) = value::split(self.rest)?;
        self.rest = rest;
        Some(value)
    }
}
