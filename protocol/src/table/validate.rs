//! The one pass over the bytes of a table before anything reads them.
//!
//! Iterative, with a stack of fixed size, so that no nesting overflows a thread's stack; nothing is allocated, so that
//! no claimed length costs memory.

use std::fmt;

use super::value::{self, Size};
use crate::limits::{TABLE_DEPTH_MAX, TABLE_ENTRIES_MAX};

/// What is wrong with a table; 502 on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableError {
    /// A length passes the end of the table, or the table ends inside an entry.
    Truncated,
    /// A field type that RabbitMQ does not have.
    UnknownType(u8),
    /// A key is not UTF-8.
    MalformedKey,
    /// More than [`TABLE_ENTRIES_MAX`] entries.
    TooManyEntries,
    /// Tables and arrays in one another, more than [`TABLE_DEPTH_MAX`].
    TooDeep,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("malformed table: an entry passes the end"),
            Self::UnknownType(letter) => write!(f, "malformed table: unknown field type {letter}"),
            Self::MalformedKey => f.write_str("malformed table: a key is not UTF-8"),
            Self::TooManyEntries => write!(f, "table has more than {TABLE_ENTRIES_MAX} entries"),
            Self::TooDeep => write!(f, "table is nested deeper than {TABLE_DEPTH_MAX}"),
        }
    }
}

impl std::error::Error for TableError {}

pub(crate) fn table(bytes: &[u8]) -> Result<(), TableError> {
    if bytes.is_empty() { Ok(()) } else { Walk::new(bytes, true).run() }
}

pub(crate) fn array(bytes: &[u8]) -> Result<(), TableError> {
    if bytes.is_empty() { Ok(()) } else { Walk::new(bytes, false).run() }
}

/// A walk over nested entries. Levels are told by where they end, counted from the end of the outermost: what is left
/// in `rest` when they do.
struct Walk<'a> {
    rest: &'a [u8],
    /// What is left in `rest` when the current level ends.
    end: usize,
    /// The `end` of the levels around the current one.
    outer: [usize; TABLE_DEPTH_MAX],
    depth: usize,
    /// A bit a level, the current one lowest: a table, whose entries have keys, or an array.
    tables: u32,
    entries: usize,
}

impl<'a> Walk<'a> {
    #[inline]
    fn new(bytes: &'a [u8], table: bool) -> Self {
        Self {
            rest: bytes,
            end: 0,
            outer: [0; TABLE_DEPTH_MAX],
            depth: 1,
            tables: u32::from(table),
            entries: 0,
        }
    }

    fn run(mut self) -> Result<(), TableError> {
        loop {
            while self.rest.len() == self.end {
                if self.depth == 1 {
                    return Ok(());
                }
                self.leave();
            }
            self.entry()?;
        }
    }

    #[inline]
    fn entry(&mut self) -> Result<(), TableError> {
        self.entries += 1;
        if self.entries > TABLE_ENTRIES_MAX {
            return Err(TableError::TooManyEntries);
        }
        if self.tables & 1 == 1 {
            let (key, rest) = value::split_key(self.rest).ok_or(TableError::Truncated)?;
            if str::from_utf8(key).is_err() {
                return Err(TableError::MalformedKey);
            }
            self.rest = rest;
        }
        let (&letter, rest) = self.rest.split_first().ok_or(TableError::Truncated)?;
        self.rest = rest;
        match value::size(letter).ok_or(TableError::UnknownType(letter))? {
            Size::Fixed(octets) => self.skip(octets),
            Size::Counted => {
                let length = self.length()?;
                self.skip(length)
            }
            Size::Nested { table } => {
                let length = self.length()?;
                self.enter(length, table)
            }
        }
    }

    #[inline]
    fn length(&mut self) -> Result<usize, TableError> {
        let (length, rest) = self.rest.split_first_chunk().ok_or(TableError::Truncated)?;
        self.rest = rest;
        Ok(u32::from_be_bytes(*length) as usize)
    }

    #[inline]
    fn skip(&mut self, octets: usize) -> Result<(), TableError> {
        let rest = self.rest.get(octets..).ok_or(TableError::Truncated)?;
        if rest.len() < self.end {
            return Err(TableError::Truncated);
        }
        self.rest = rest;
        Ok(())
    }

    fn enter(&mut self, length: usize, table: bool) -> Result<(), TableError> {
        let end = self.rest.len().checked_sub(length).ok_or(TableError::Truncated)?;
        if end < self.end {
            return Err(TableError::Truncated);
        }
        if self.depth == TABLE_DEPTH_MAX {
            return Err(TableError::TooDeep);
        }
        *self.outer.get_mut(self.depth).ok_or(TableError::TooDeep)? = self.end;
        self.depth += 1;
        self.end = end;
        self.tables = self.tables << 1 | u32::from(table);
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
        self.tables >>= 1;
        self.end = self.outer.get(self.depth).copied().unwrap_or_default();
    }
}
