//! Tables and arrays that we make ourselves.

use std::fmt;

use super::{Array, Table, Value, value};
use crate::wire::cut;

macro_rules! owned {
    ($(#[$doc:meta])* $Buf:ident $Borrowed:ident $as_borrowed:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, Default)]
        pub struct $Buf(Box<[u8]>);

        impl $Buf {
            /// The borrowed form, with which it is read.
            pub fn $as_borrowed(&self) -> $Borrowed<'_> {
                $Borrowed { bytes: &self.0 }
            }

            /// As on the wire, without the length.
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }

            /// Whether there is nothing inside.
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }

        impl From<$Borrowed<'_>> for $Buf {
            fn from(borrowed: $Borrowed<'_>) -> Self {
                Self(borrowed.bytes.into())
            }
        }

        impl fmt::Debug for $Buf {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.$as_borrowed().fmt(f)
            }
        }
    };
}

owned! {
    /// A [`Table`] that owns its bytes.
    TableBuf Table as_table
}
owned! {
    /// An [`Array`] that owns its bytes.
    ArrayBuf Array as_array
}

/// Makes a [`TableBuf`], entry by entry. Keys longer than 255 octets are cut.
#[derive(Debug, Clone, Default)]
pub struct TableBuilder {
    bytes: Vec<u8>,
}

impl TableBuilder {
    /// A builder without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// A builder with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    /// Adds an entry of any type.
    #[must_use]
    pub fn value(mut self, key: &str, value: Value<'_>) -> Self {
        let (length, key) = cut(key);
        self.bytes.push(length);
        self.bytes.extend_from_slice(key);
        push(&mut self.bytes, value);
        self
    }

    /// Adds a `longstr`.
    #[must_use]
    pub fn string(self, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.value(key, Value::LongStr(value.as_ref()))
    }

    /// Adds a `bool`.
    #[must_use]
    pub fn bool(self, key: &str, value: bool) -> Self {
        self.value(key, Value::Bool(value))
    }

    /// Adds a `signedint`.
    #[must_use]
    pub fn int(self, key: &str, value: i32) -> Self {
        self.value(key, Value::SignedInt(value))
    }

    /// Adds a `long`.
    #[must_use]
    pub fn long(self, key: &str, value: i64) -> Self {
        self.value(key, Value::Long(value))
    }

    /// Adds a `timestamp`, in seconds since the epoch.
    #[must_use]
    pub fn timestamp(self, key: &str, seconds: u64) -> Self {
        self.value(key, Value::Timestamp(seconds))
    }

    /// Adds a `table`.
    #[must_use]
    pub fn table(self, key: &str, value: Table<'_>) -> Self {
        self.value(key, Value::Table(value))
    }

    /// Adds an `array`.
    #[must_use]
    pub fn array(self, key: &str, value: Array<'_>) -> Self {
        self.value(key, Value::Array(value))
    }

    /// Adds all entries of another table.
    #[must_use]
    pub fn entries(mut self, table: Table<'_>) -> Self {
        self.bytes.extend_from_slice(table.as_bytes());
        self
    }

    /// Adds the entries of another table whose keys `keep` accepts, byte for byte.
    #[must_use]
    pub fn entries_where(mut self, table: Table<'_>, mut keep: impl FnMut(&str) -> bool) -> Self {
        let mut entries = table.iter();
        let mut before = entries.rest;
        while let Some((key, _)) = entries.next() {
            let octets = before.len() - entries.rest.len();
            if keep(key) {
                self.bytes.extend_from_slice(before.get(..octets).unwrap_or_default());
            }
            before = entries.rest;
        }
        self
    }

    /// The table.
    pub fn finish(self) -> TableBuf {
        TableBuf(self.bytes.into_boxed_slice())
    }

    /// The table with its entries in the order of their keys, as RabbitMQ sorts headers that it adds to; entries with
    /// one key stay in their order.
    pub fn finish_sorted(self) -> TableBuf {
        let mut entries = Vec::new();
        let mut rest = self.bytes.as_slice();
        while let Some((key, value)) = value::split_key(rest)
            && let Some(after) = value::skip(value)
        {
            entries.push((key, rest.get(..rest.len() - after.len()).unwrap_or_default()));
            rest = after;
        }
        entries.sort_by_key(|(key, _)| *key);
        let mut sorted = Vec::with_capacity(self.bytes.len());
        for (_, entry) in entries {
            sorted.extend_from_slice(entry);
        }
        TableBuf(sorted.into_boxed_slice())
    }
}

/// Makes an [`ArrayBuf`], value by value.
#[derive(Debug, Clone, Default)]
pub struct ArrayBuilder {
    bytes: Vec<u8>,
}

impl ArrayBuilder {
    /// A builder without values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value of any type.
    #[must_use]
    pub fn value(mut self, value: Value<'_>) -> Self {
        push(&mut self.bytes, value);
        self
    }

    /// Adds a `longstr`.
    #[must_use]
    pub fn string(self, value: impl AsRef<[u8]>) -> Self {
        self.value(Value::LongStr(value.as_ref()))
    }

    /// Adds a `table`.
    #[must_use]
    pub fn table(self, value: Table<'_>) -> Self {
        self.value(Value::Table(value))
    }

    /// The array.
    pub fn finish(self) -> ArrayBuf {
        ArrayBuf(self.bytes.into_boxed_slice())
    }
}

fn push(bytes: &mut Vec<u8>, value: Value<'_>) {
    fn fixed<const N: usize>(bytes: &mut Vec<u8>, letter: u8, octets: [u8; N]) {
        bytes.push(letter);
        bytes.extend_from_slice(&octets);
    }
    match value {
        Value::Bool(value) => fixed(bytes, b't', [value.into()]),
        Value::Byte(value) => fixed(bytes, b'b', value.to_be_bytes()),
        Value::UnsignedByte(value) => fixed(bytes, b'B', [value]),
        Value::Short(value) => fixed(bytes, b's', value.to_be_bytes()),
        Value::UnsignedShort(value) => fixed(bytes, b'u', value.to_be_bytes()),
        Value::SignedInt(value) => fixed(bytes, b'I', value.to_be_bytes()),
        Value::UnsignedInt(value) => fixed(bytes, b'i', value.to_be_bytes()),
        Value::Long(value) => fixed(bytes, b'l', value.to_be_bytes()),
        Value::Float(value) => fixed(bytes, b'f', value.to_be_bytes()),
        Value::Double(value) => fixed(bytes, b'd', value.to_be_bytes()),
        Value::Timestamp(value) => fixed(bytes, b'T', value.to_be_bytes()),
        Value::Void => bytes.push(b'V'),
        Value::Decimal { scale, value } => {
            fixed(bytes, b'D', [scale]);
            bytes.extend_from_slice(&value.to_be_bytes());
        }
        Value::LongStr(value) => counted(bytes, b'S', value),
        Value::Binary(value) => counted(bytes, b'x', value),
        Value::Array(value) => counted(bytes, b'A', value.as_bytes()),
        Value::Table(value) => counted(bytes, b'F', value.as_bytes()),
    }
}

fn counted(bytes: &mut Vec<u8>, letter: u8, value: &[u8]) {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    bytes.push(letter);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(value.get(..length as usize).unwrap_or(value));
}
