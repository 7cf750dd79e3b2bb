//! The data types of method arguments, read from a frame and written to one.

use bytes::{BufMut, BytesMut};

use crate::table::{Table, TableError};

/// Why the arguments of a method cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldError {
    Truncated,
    MalformedUtf8,
    Table(TableError),
}

/// Reads arguments one after the other; bits that follow each other share an octet.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    octet: u8,
    /// How many bits of `octet` have been read; eight when there is none.
    bits: u8,
}

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, octet: 0, bits: 8 }
    }

    #[inline]
    pub(crate) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], FieldError> {
        let (octets, rest) = self.rest.split_first_chunk().ok_or(FieldError::Truncated)?;
        self.rest = rest;
        self.bits = 8;
        Ok(*octets)
    }

    #[inline]
    pub(crate) fn take(&mut self, octets: usize) -> Result<&'a [u8], FieldError> {
        let (taken, rest) = self.rest.split_at_checked(octets).ok_or(FieldError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn bit(&mut self) -> Result<bool, FieldError> {
        if self.bits == 8 {
            [self.octet] = self.fixed()?;
            self.bits = 0;
        }
        let bit = self.octet >> self.bits & 1 == 1;
        self.bits += 1;
        Ok(bit)
    }

    /// What has not been read.
    #[inline]
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// Writes arguments one after the other; bits that follow each other share an octet.
#[derive(Debug)]
pub(crate) struct Writer<'b> {
    buf: &'b mut BytesMut,
    octet: u8,
    bits: u8,
}

impl<'b> Writer<'b> {
    #[inline]
    pub(crate) fn new(buf: &'b mut BytesMut) -> Self {
        Self { buf, octet: 0, bits: 0 }
    }

    #[inline]
    pub(crate) fn put(&mut self, octets: &[u8]) {
        self.flush();
        self.buf.put_slice(octets);
    }

    #[inline]
    fn bit(&mut self, bit: bool) {
        if self.bits == 8 {
            self.flush();
        }
        self.octet |= u8::from(bit) << self.bits;
        self.bits += 1;
    }

    /// Ends a run of bits.
    #[inline]
    pub(crate) fn flush(&mut self) {
        if self.bits > 0 {
            self.buf.put_u8(self.octet);
            self.octet = 0;
            self.bits = 0;
        }
    }
}

/// A type of argument. The Rust type tells the type on the wire: `&str` is a shortstr, `&[u8]` a longstr, `bool` a bit.
pub(crate) trait Field<'a>: Sized + Copy {
    fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError>;
    fn write(self, writer: &mut Writer<'_>);
}

macro_rules! number {
    ($($type:ty)*) => {$(
        impl Field<'_> for $type {
            #[inline]
            fn read(reader: &mut Reader<'_>) -> Result<Self, FieldError> {
                reader.fixed().map(Self::from_be_bytes)
            }

            #[inline]
            fn write(self, writer: &mut Writer<'_>) {
                writer.put(&self.to_be_bytes());
            }
        }
    )*};
}

number! { u8 u16 u32 u64 }

impl Field<'_> for bool {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, FieldError> {
        reader.bit()
    }

    #[inline]
    fn write(self, writer: &mut Writer<'_>) {
        writer.bit(self);
    }
}

impl<'a> Field<'a> for &'a str {
    #[inline]
    fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError> {
        let [length] = reader.fixed()?;
        str::from_utf8(reader.take(length.into())?).map_err(|_| FieldError::MalformedUtf8)
    }

    #[inline]
    fn write(self, writer: &mut Writer<'_>) {
        let (length, text) = cut(self);
        writer.put(&[length]);
        writer.put(text);
    }
}

impl<'a> Field<'a> for &'a [u8] {
    #[inline]
    fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError> {
        let length = u32::read(reader)?;
        reader.take(length as usize)
    }

    #[inline]
    fn write(self, writer: &mut Writer<'_>) {
        let length = u32::try_from(self.len()).unwrap_or(u32::MAX);
        writer.put(&length.to_be_bytes());
        writer.put(self.get(..length as usize).unwrap_or(self));
    }
}

impl<'a> Field<'a> for Table<'a> {
    #[inline]
    fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError> {
        let length = u32::read(reader)?;
        let bytes = reader.take(length as usize).map_err(|_| FieldError::Table(TableError::Truncated))?;
        Table::parse(bytes).map_err(FieldError::Table)
    }

    #[inline]
    fn write(self, writer: &mut Writer<'_>) {
        self.as_bytes().write(writer);
    }
}

/// The octets of a shortstr with their number: the text, cut before the first character that passes 255 octets. Names
/// that came from the wire always fit; reply texts may not.
#[inline]
pub(crate) fn cut(text: &str) -> (u8, &[u8]) {
    if let Ok(length) = u8::try_from(text.len()) {
        return (length, text.as_bytes());
    }
    let end = text.floor_char_boundary(255);
    (u8::try_from(end).unwrap_or(u8::MAX), text.as_bytes().get(..end).unwrap_or_default())
}
