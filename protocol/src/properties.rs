//! The properties of a message: validated once, kept as the bytes that came, read where something needs them.

use std::fmt;

use bytes::BytesMut;

use crate::table::{Table, TableError};
use crate::wire::cut;

const CONTENT_TYPE: u16 = 1 << 15;
const CONTENT_ENCODING: u16 = 1 << 14;
const HEADERS: u16 = 1 << 13;
const DELIVERY_MODE: u16 = 1 << 12;
const PRIORITY: u16 = 1 << 11;
const CORRELATION_ID: u16 = 1 << 10;
const REPLY_TO: u16 = 1 << 9;
const EXPIRATION: u16 = 1 << 8;
const MESSAGE_ID: u16 = 1 << 7;
const TIMESTAMP: u16 = 1 << 6;
const TYPE: u16 = 1 << 5;
const USER_ID: u16 = 1 << 4;
const APP_ID: u16 = 1 << 3;
const CLUSTER_ID: u16 = 1 << 2;
/// The lowest bit says that more flags follow, which no property of the class `basic` needs; the next is unused.
const UNUSED: u16 = 0b11;

/// `delivery_mode` of a message that is to survive a restart.
pub const PERSISTENT: u8 = 2;

/// What is wrong with the properties of a content header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertiesError {
    /// They end inside a value.
    Truncated,
    /// Octets follow the last value.
    Trailing,
    /// A flag that stands for no property, or for more flags.
    UnknownFlag,
    /// A shortstr is not UTF-8.
    MalformedUtf8,
    /// The headers are malformed.
    Table(TableError),
}

impl fmt::Display for PropertiesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("malformed properties: a value passes the end"),
            Self::Trailing => f.write_str("malformed properties: octets follow the last value"),
            Self::UnknownFlag => f.write_str("malformed properties: unknown flag"),
            Self::MalformedUtf8 => f.write_str("Malformed UTF-8 in shortstr"),
            Self::Table(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PropertiesError {}

/// The properties of a message: flags and values as on the wire, validated.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Properties<'a> {
    bytes: &'a [u8],
}

impl Default for Properties<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// The octets of one value, and what follows it.
#[inline]
fn split(bytes: &[u8], property: u16) -> Option<(&[u8], &[u8])> {
    match property {
        DELIVERY_MODE | PRIORITY => bytes.split_at_checked(1),
        TIMESTAMP => bytes.split_at_checked(8),
        HEADERS => {
            let (length, rest) = bytes.split_first_chunk()?;
            rest.split_at_checked(u32::from_be_bytes(*length) as usize)
        }
        _ => {
            let (&length, rest) = bytes.split_first()?;
            rest.split_at_checked(length.into())
        }
    }
}

/// The highest flag that is set.
#[inline]
const fn highest(flags: u16) -> u16 {
    1 << 15 >> flags.leading_zeros()
}

impl<'a> Properties<'a> {
    /// No property at all: two octets of flags.
    pub const EMPTY: Self = Self { bytes: &[0, 0] };

    /// Takes flags and values as they stand in a content header.
    ///
    /// # Errors
    /// See [`PropertiesError`].
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PropertiesError> {
        let (flags, mut rest) = bytes.split_first_chunk().ok_or(PropertiesError::Truncated)?;
        let mut flags = u16::from_be_bytes(*flags);
        if flags & UNUSED != 0 {
            return Err(PropertiesError::UnknownFlag);
        }
        while flags != 0 {
            let property = highest(flags);
            let (value, after) = split(rest, property).ok_or(PropertiesError::Truncated)?;
            match property {
                HEADERS => crate::table::validate::table(value).map_err(PropertiesError::Table)?,
                // What a broker reads of these has to be text. RabbitMQ passes on any octets in the others, and some clients
                // send binary correlation ids.
                USER_ID | EXPIRATION => {
                    str::from_utf8(value).map_err(|_| PropertiesError::MalformedUtf8)?;
                }
                _ => {}
            }
            rest = after;
            flags ^= property;
        }
        if rest.is_empty() { Ok(Self { bytes }) } else { Err(PropertiesError::Trailing) }
    }

    /// Takes bytes that [`Self::parse`] has passed before, or that were made here. Of others some values are missing.
    #[inline]
    pub const fn validated(bytes: &'a [u8]) -> Self {
        if bytes.len() < 2 { Self::EMPTY } else { Self { bytes } }
    }

    /// Flags and values as on the wire.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Whether no property is set.
    pub const fn is_empty(self) -> bool {
        self.bytes.len() == 2
    }

    #[inline]
    fn flags(self) -> u16 {
        self.bytes.first_chunk().copied().map_or(0, u16::from_be_bytes)
    }

    #[inline]
    fn value(self, property: u16) -> Option<&'a [u8]> {
        let mut flags = self.flags();
        if flags & property == 0 {
            return None;
        }
        let mut rest = self.bytes.get(2..)?;
        loop {
            let next = highest(flags);
            let (value, after) = split(rest, next)?;
            if next == property {
                return Some(value);
            }
            rest = after;
            flags ^= next;
        }
    }

    fn text(self, property: u16) -> Option<&'a str> {
        str::from_utf8(self.value(property)?).ok()
    }

    fn octet(self, property: u16) -> Option<u8> {
        self.value(property)?.first().copied()
    }

    /// MIME type of the body.
    pub fn content_type(self) -> Option<&'a str> {
        self.text(CONTENT_TYPE)
    }

    /// MIME encoding of the body.
    pub fn content_encoding(self) -> Option<&'a str> {
        self.text(CONTENT_ENCODING)
    }

    /// The application's headers, and RabbitMQ's.
    pub fn headers(self) -> Option<Table<'a>> {
        self.value(HEADERS).map(Table::validated)
    }

    /// [`PERSISTENT`]; anything else is transient.
    pub fn delivery_mode(self) -> Option<u8> {
        self.octet(DELIVERY_MODE)
    }

    /// Whether the message is to survive a restart.
    pub fn is_persistent(self) -> bool {
        self.delivery_mode() == Some(PERSISTENT)
    }

    /// Priority, from 0.
    pub fn priority(self) -> Option<u8> {
        self.octet(PRIORITY)
    }

    /// What the reply names.
    pub fn correlation_id(self) -> Option<&'a str> {
        self.text(CORRELATION_ID)
    }

    /// What the reply names, text or not.
    pub fn correlation_id_octets(self) -> Option<&'a [u8]> {
        self.value(CORRELATION_ID)
    }

    /// Where to reply.
    pub fn reply_to(self) -> Option<&'a str> {
        self.text(REPLY_TO)
    }

    /// Milliseconds to live, as decimal text; not checked here.
    pub fn expiration(self) -> Option<&'a str> {
        self.text(EXPIRATION)
    }

    /// The application's id of the message.
    pub fn message_id(self) -> Option<&'a str> {
        self.text(MESSAGE_ID)
    }

    /// The application's id of the message, text or not.
    pub fn message_id_octets(self) -> Option<&'a [u8]> {
        self.value(MESSAGE_ID)
    }

    /// Seconds since the epoch.
    pub fn timestamp(self) -> Option<u64> {
        self.value(TIMESTAMP)?.first_chunk().copied().map(u64::from_be_bytes)
    }

    /// The application's type of the message.
    pub fn type_(self) -> Option<&'a str> {
        self.text(TYPE)
    }

    /// The user who published.
    pub fn user_id(self) -> Option<&'a str> {
        self.text(USER_ID)
    }

    /// The application that published.
    pub fn app_id(self) -> Option<&'a str> {
        self.text(APP_ID)
    }

    /// Reserved by the specification, passed through.
    pub fn cluster_id(self) -> Option<&'a str> {
        self.text(CLUSTER_ID)
    }

    /// All properties taken apart, to change some and [`PropertiesBuilder::finish`] again.
    pub fn to_builder(self) -> PropertiesBuilder<'a> {
        PropertiesBuilder {
            content_type: self.content_type(),
            content_encoding: self.content_encoding(),
            headers: self.headers(),
            delivery_mode: self.delivery_mode(),
            priority: self.priority(),
            correlation_id: self.correlation_id(),
            reply_to: self.reply_to(),
            expiration: self.expiration(),
            message_id: self.message_id(),
            timestamp: self.timestamp(),
            type_: self.type_(),
            user_id: self.user_id(),
            app_id: self.app_id(),
            cluster_id: self.cluster_id(),
        }
    }

    /// The same properties with other headers, as on the wire; everything else byte for byte.
    pub fn with_headers(self, headers: Table<'_>) -> Vec<u8> {
        let length = u32::try_from(headers.as_bytes().len()).unwrap_or(u32::MAX);
        self.with(HEADERS, &length.to_be_bytes(), headers.as_bytes())
    }

    /// The same properties without the header `key`, as on the wire.
    pub fn without_header(self, key: &str) -> Vec<u8> {
        let Some(headers) = self.headers() else { return self.bytes.to_vec() };
        let kept = crate::table::TableBuilder::new().entries_where(headers, |name| name != key).finish();
        self.with_headers(kept.as_table())
    }

    /// The same properties with another address for replies, as on the wire; everything else byte for byte.
    pub fn with_reply_to(self, reply_to: &str) -> Vec<u8> {
        let (length, octets) = cut(reply_to);
        self.with(REPLY_TO, &[length], octets)
    }

    /// Appends the same properties with other headers and without an expiration; everything else byte for byte.
    pub fn put_without_expiration(self, headers: Table<'_>, into: &mut BytesMut) {
        let length = u32::try_from(headers.as_bytes().len()).unwrap_or(u32::MAX).to_be_bytes();
        let flags = (self.flags() | HEADERS) & !EXPIRATION;
        into.extend_from_slice(&flags.to_be_bytes());
        self.put_values(flags, HEADERS, [&length, headers.as_bytes()], |octets| {
            into.extend_from_slice(octets);
        });
    }

    /// The same properties with one set to a value, given as its length and its octets.
    fn with(self, property: u16, length: &[u8], octets: &[u8]) -> Vec<u8> {
        let flags = self.flags() | property;
        let mut out = flags.to_be_bytes().to_vec();
        self.put_values(flags, property, [length, octets], |octets| out.extend_from_slice(octets));
        out
    }

    /// Puts the values of `flags`: of `property` the given one, of the others those that are here.
    fn put_values(self, flags: u16, property: u16, value: [&[u8]; 2], mut put: impl FnMut(&[u8])) {
        let mut rest = self.bytes.get(2..).unwrap_or_default();
        let mut left = self.flags() | property;
        while left != 0 {
            let next = highest(left);
            if self.flags() & next != 0 {
                let Some((_, after)) = split(rest, next) else { break };
                let whole = rest.len().saturating_sub(after.len());
                if next != property && flags & next != 0 {
                    put(rest.get(..whole).unwrap_or_default());
                }
                rest = after;
            }
            if next == property {
                value.into_iter().for_each(&mut put);
            }
            left ^= next;
        }
    }
}

impl fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_builder().fmt(f)
    }
}

/// Properties taken apart; what is `None` is absent. Texts longer than 255 octets are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the accessors of Properties say what the fields mean")]
pub struct PropertiesBuilder<'a> {
    pub content_type: Option<&'a str>,
    pub content_encoding: Option<&'a str>,
    pub headers: Option<Table<'a>>,
    pub delivery_mode: Option<u8>,
    pub priority: Option<u8>,
    pub correlation_id: Option<&'a str>,
    pub reply_to: Option<&'a str>,
    pub expiration: Option<&'a str>,
    pub message_id: Option<&'a str>,
    pub timestamp: Option<u64>,
    pub type_: Option<&'a str>,
    pub user_id: Option<&'a str>,
    pub app_id: Option<&'a str>,
    pub cluster_id: Option<&'a str>,
}

impl PropertiesBuilder<'_> {
    /// Flags and values as on the wire.
    pub fn finish(&self) -> Vec<u8> {
        let mut out = Raw { flags: 0, bytes: vec![0, 0] };
        out.text(CONTENT_TYPE, self.content_type);
        out.text(CONTENT_ENCODING, self.content_encoding);
        if let Some(headers) = self.headers {
            let length = u32::try_from(headers.as_bytes().len()).unwrap_or(u32::MAX);
            out.put(HEADERS, &length.to_be_bytes());
            out.put(HEADERS, headers.as_bytes());
        }
        out.octets(DELIVERY_MODE, self.delivery_mode.map(|mode| [mode]));
        out.octets(PRIORITY, self.priority.map(|priority| [priority]));
        out.text(CORRELATION_ID, self.correlation_id);
        out.text(REPLY_TO, self.reply_to);
        out.text(EXPIRATION, self.expiration);
        out.text(MESSAGE_ID, self.message_id);
        out.octets(TIMESTAMP, self.timestamp.map(u64::to_be_bytes));
        out.text(TYPE, self.type_);
        out.text(USER_ID, self.user_id);
        out.text(APP_ID, self.app_id);
        out.text(CLUSTER_ID, self.cluster_id);
        out.finish()
    }
}

struct Raw {
    flags: u16,
    bytes: Vec<u8>,
}

impl Raw {
    fn put(&mut self, property: u16, octets: &[u8]) {
        self.flags |= property;
        self.bytes.extend_from_slice(octets);
    }

    fn octets<const N: usize>(&mut self, property: u16, octets: Option<[u8; N]>) {
        if let Some(octets) = octets {
            self.put(property, &octets);
        }
    }

    fn text(&mut self, property: u16, text: Option<&str>) {
        if let Some(text) = text {
            let (length, octets) = cut(text);
            self.put(property, &[length]);
            self.put(property, octets);
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if let Some(flags) = self.bytes.first_chunk_mut() {
            *flags = self.flags.to_be_bytes();
        }
        self.bytes
    }
}
