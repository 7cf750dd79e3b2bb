//! One value of a table or array, and how it is read from validated bytes.

use super::{Array, Table};

/// A field value. The variants are RabbitMQ's types, which differ from the specification's in some letters.
///
/// Two values are equal when type and bytes are: a NaN equals itself, and no type equals another.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// `t`: any octet but zero is true.
    Bool(bool),
    /// `b`
    Byte(i8),
    /// `B`
    UnsignedByte(u8),
    /// `s`
    Short(i16),
    /// `u`
    UnsignedShort(u16),
    /// `I`
    SignedInt(i32),
    /// `i`
    UnsignedInt(u32),
    /// `l` and `L`
    Long(i64),
    /// `f`
    Float(f32),
    /// `d`
    Double(f64),
    /// `D`: `value` divided by ten to the power of `scale`.
    Decimal {
        /// Digits after the point.
        scale: u8,
        /// The digits.
        value: u32,
    },
    /// `S`: text or any other bytes.
    LongStr(&'a [u8]),
    /// `A`
    Array(Array<'a>),
    /// `T`: seconds since the epoch.
    Timestamp(u64),
    /// `F`
    Table(Table<'a>),
    /// `V`
    Void,
    /// `x`
    Binary(&'a [u8]),
}

impl<'a> Value<'a> {
    /// RabbitMQ's name of the type, as it stands in its reply texts.
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::Byte(_) => "byte",
            Self::UnsignedByte(_) => "unsignedbyte",
            Self::Short(_) => "short",
            Self::UnsignedShort(_) => "unsignedshort",
            Self::SignedInt(_) => "signedint",
            Self::UnsignedInt(_) => "unsignedint",
            Self::Long(_) => "long",
            Self::Float(_) => "float",
            Self::Double(_) => "double",
            Self::Decimal { .. } => "decimal",
            Self::LongStr(_) => "longstr",
            Self::Array(_) => "array",
            Self::Timestamp(_) => "timestamp",
            Self::Table(_) => "table",
            Self::Void => "void",
            Self::Binary(_) => "binary",
        }
    }

    /// The value of any of the integer types.
    pub fn as_integer(self) -> Option<i64> {
        match self {
            Self::Byte(value) => Some(value.into()),
            Self::UnsignedByte(value) => Some(value.into()),
            Self::Short(value) => Some(value.into()),
            Self::UnsignedShort(value) => Some(value.into()),
            Self::SignedInt(value) => Some(value.into()),
            Self::UnsignedInt(value) => Some(value.into()),
            Self::Long(value) => Some(value),
            _ => None,
        }
    }

    /// The text of a `longstr`, if it is UTF-8.
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            Self::LongStr(bytes) => str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The truth of a `bool`.
    pub const fn as_bool(self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The table of a `table`.
    pub const fn as_table(self) -> Option<Table<'a>> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The array of an `array`.
    pub const fn as_array(self) -> Option<Array<'a>> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (*self, *other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Byte(a), Self::Byte(b)) => a == b,
            (Self::UnsignedByte(a), Self::UnsignedByte(b)) => a == b,
            (Self::Short(a), Self::Short(b)) => a == b,
            (Self::UnsignedShort(a), Self::UnsignedShort(b)) => a == b,
            (Self::SignedInt(a), Self::SignedInt(b)) => a == b,
            (Self::UnsignedInt(a), Self::UnsignedInt(b)) => a == b,
            (Self::Long(a), Self::Long(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Double(a), Self::Double(b)) => a.to_bits() == b.to_bits(),
            (Self::Decimal { scale: a, value: x }, Self::Decimal { scale: b, value: y }) => a == b && x == y,
            (Self::LongStr(a), Self::LongStr(b)) | (Self::Binary(a), Self::Binary(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Timestamp(a), Self::Timestamp(b)) => a == b,
            (Self::Table(a), Self::Table(b)) => a == b,
            (Self::Void, Self::Void) => true,
            _ => false,
        }
    }
}

impl Eq for Value<'_> {}

/// How many octets a value takes.
pub(crate) enum Size {
    Fixed(usize),
    /// Four octets of length, then that many.
    Counted,
    /// As `Counted`, with values inside.
    Nested {
        table: bool,
    },
}

/// The size of the values of a type letter; `None` for letters that no type has.
#[inline]
pub(crate) const fn size(letter: u8) -> Option<Size> {
    Some(match letter {
        b'S' | b'x' => Size::Counted,
        b'I' | b'i' | b'f' => Size::Fixed(4),
        b't' | b'b' | b'B' => Size::Fixed(1),
        b's' | b'u' => Size::Fixed(2),
        b'l' | b'L' | b'd' | b'T' => Size::Fixed(8),
        b'D' => Size::Fixed(5),
        b'V' => Size::Fixed(0),
        b'F' => Size::Nested { table: true },
        b'A' => Size::Nested { table: false },
        _ => return None,
    })
}

/// The key at the start of a table's entries, and what follows it.
#[inline]
pub(crate) fn split_key(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = bytes.split_first()?;
    rest.split_at_checked(length.into())
}

#[inline]
pub(crate) fn split_counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

/// What follows the value at the start of `bytes`.
pub(crate) fn skip(bytes: &[u8]) -> Option<&[u8]> {
    let (&letter, rest) = bytes.split_first()?;
    match size(letter)? {
        Size::Fixed(octets) => rest.get(octets..),
        Size::Counted | Size::Nested { .. } => split_counted(rest).map(|(_, rest)| rest),
    }
}

/// The value at the start of `bytes`, and what follows it. Expects validated bytes; others give `None` or a nested
/// table whose iteration ends early.
pub(crate) fn split(bytes: &[u8]) -> Option<(Value<'_>, &[u8])> {
    fn fixed<const N: usize>(bytes: &[u8]) -> Option<([u8; N], &[u8])> {
        bytes.split_first_chunk().map(|(octets, rest)| (*octets, rest))
    }
    let (&letter, rest) = bytes.split_first()?;
    macro_rules! number {
        ($variant:ident, $type:ty) => {
            fixed(rest).map(|(octets, rest)| (Value::$variant(<$type>::from_be_bytes(octets)), rest))
        };
    }
    match letter {
        b't' => fixed(rest).map(|([octet], rest)| (Value::Bool(octet != 0), rest)),
        b'b' => number!(Byte, i8),
        b'B' => number!(UnsignedByte, u8),
        b's' => number!(Short, i16),
        b'u' => number!(UnsignedShort, u16),
        b'I' => number!(SignedInt, i32),
        b'i' => number!(UnsignedInt, u32),
        b'l' | b'L' => number!(Long, i64),
        b'f' => number!(Float, f32),
        b'd' => number!(Double, f64),
        b'T' => number!(Timestamp, u64),
        b'D' => fixed(rest).map(|([scale, v3, v2, v1, v0], rest)| {
            (Value::Decimal { scale, value: u32::from_be_bytes([v3, v2, v1, v0]) }, rest)
        }),
        b'S' => split_counted(rest).map(|(bytes, rest)| (Value::LongStr(bytes), rest)),
        b'x' => split_counted(rest).map(|(bytes, rest)| (Value::Binary(bytes), rest)),
        b'A' => split_counted(rest).map(|(bytes, rest)| (Value::Array(Array { bytes }), rest)),
        b'F' => split_counted(rest).map(|(bytes, rest)| (Value::Table(Table { bytes }), rest)),
        b'V' => Some((Value::Void, rest)),
        _ => None,
    }
}
