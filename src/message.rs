//! A message: properties, body, where it was sent, and when it arrived.
//!
//! A message is one run of bytes and the offsets in it, so that passing it on is one reference count and storing it
//! one copy. It knows nothing of queues; what a delivery adds (position, tag, redelivered) lies beside it.

pub mod deduplication;

use std::ops::Range;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use leveret_protocol::properties::Properties;

use crate::time::Time;

/// A message as it was published. Cloning shares the bytes.
#[derive(Clone)]
pub struct Message {
    /// Begins with the address and ends with the body; what lies between the parts is framing and never read.
    bytes: Bytes,
    parts: Parts,
}

/// Where the parts of a message lie in its bytes.
///
/// The address (exchange and routing key, each a short string with its length octet, adjoining as in
/// `basic.publish` and in `basic.deliver`) begins at 0; the body reaches to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Length of the address in bytes, at most 512.
    pub address_len: u16,
    /// Offset of the properties: flag words and values as on the wire.
    pub properties_at: u32,
    /// Length of the properties in bytes.
    pub properties_len: u32,
    /// Offset of the body.
    pub body_at: u32,
    /// Whether the message is to outlive the broker in queues that do (delivery mode 2).
    pub persistent: bool,
    /// What is known of the properties without a look at them.
    pub noted: Noted,
    /// When the broker took it.
    pub arrived: Time,
}

/// What the broker has noted of a message's properties, so that nobody looks for it in those of all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Noted {
    /// Nothing.
    #[default]
    Nothing,
    /// They have an expiration that is one.
    Expires,
    /// It is a dead letter: the broker took its expiration out, and what the headers say of its deaths is the broker's
    /// and not a client's.
    Died,
    /// As `Died`, and a dead-letter routing key has replaced all its keys: those in CC say nothing any more.
    Readdressed,
}

impl Parts {
    /// The parts of a message whose bytes have no gaps.
    pub fn packed(address_len: u16, properties_len: u32) -> Self {
        let properties_at = u32::from(address_len);
        Self {
            address_len,
            properties_at,
            properties_len,
            body_at: properties_at.saturating_add(properties_len),
            persistent: false,
            noted: Noted::Nothing,
            arrived: Time::default(),
        }
    }

    /// The same parts without gaps, of properties of this length.
    fn repacked(self, properties_len: u32) -> Self {
        let Self { persistent, noted, arrived, .. } = self;
        Self { persistent, noted, arrived, ..Self::packed(self.address_len, properties_len) }
    }

    /// Whether they are in their order and end where so many bytes end, or before.
    #[inline]
    fn lie_within(self, len: usize) -> bool {
        let properties_end = self.properties_at.checked_add(self.properties_len);
        u32::from(self.address_len) <= self.properties_at
            && properties_end.is_some_and(|end| end <= self.body_at)
            && self.body_at as usize <= len
    }
}

impl Message {
    /// A message over `bytes`, or nothing when `parts` do not lie within them.
    pub fn new(bytes: Bytes, parts: Parts) -> Option<Self> {
        parts.lie_within(bytes.len()).then_some(Self { bytes, parts })
    }

    /// A message over a range of `bytes`, which are shared.
    #[inline]
    pub fn within(bytes: &Bytes, range: Range<usize>, parts: Parts) -> Option<Self> {
        let len = range.end.checked_sub(range.start)?;
        if range.end > bytes.len() || !parts.lie_within(len) {
            return None;
        }
        Some(Self { bytes: bytes.slice(range), parts })
    }

    /// A message made here, not received: each part is copied. Nothing when a name is longer than 255 bytes.
    pub fn compose(exchange: &str, routing_key: &str, properties: &[u8], body: &[u8]) -> Option<Self> {
        let rest = properties.len().saturating_add(body.len());
        let (mut bytes, address_len) = addressed(exchange, routing_key, rest)?;
        bytes.put_slice(properties);
        bytes.put_slice(body);
        let parsed = Properties::parse(properties).unwrap_or(Properties::EMPTY);
        let persistent = parsed.is_persistent();
        let noted = if parsed.expiration().is_some() { Noted::Expires } else { Noted::Nothing };
        let packed = Parts::packed(address_len, u32::try_from(properties.len()).ok()?);
        Self::new(bytes.freeze(), Parts { persistent, noted, ..packed })
    }

    /// Exchange and routing key as they stand on the wire: two short strings with their length octets.
    pub fn address(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.parts.address_len)).unwrap_or_default()
    }

    /// The exchange that the message was published to.
    pub fn exchange(&self) -> &str {
        short_string(self.address())
    }

    /// The routing key that the message was published with.
    pub fn routing_key(&self) -> &str {
        let address = self.address();
        let skip = address.first().map_or(0, |length| usize::from(*length) + 1);
        short_string(address.get(skip..).unwrap_or_default())
    }

    /// The properties as they stand on the wire: flag words and values.
    pub fn properties_bytes(&self) -> &[u8] {
        let from = self.parts.properties_at as usize;
        self.bytes.get(from..from.saturating_add(self.parts.properties_len as usize)).unwrap_or_default()
    }

    /// The properties, to read single ones.
    pub fn properties(&self) -> Properties<'_> {
        Properties::validated(self.properties_bytes())
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.bytes.get(self.parts.body_at as usize..).unwrap_or_default()
    }

    /// The body as shared bytes, for a write without a copy.
    pub fn body_bytes(&self) -> Bytes {
        self.bytes.slice(self.parts.body_at as usize..)
    }

    /// The body's length in bytes.
    pub fn body_len(&self) -> usize {
        self.bytes.len().saturating_sub(self.parts.body_at as usize)
    }

    /// Whether it is to outlive the broker in queues that do (delivery mode 2).
    pub fn is_persistent(&self) -> bool {
        self.parts.persistent
    }

    /// When the broker took it.
    #[inline]
    pub fn arrived(&self) -> Time {
        self.parts.arrived
    }

    /// The broker takes it now.
    #[inline]
    pub fn arrive(&mut self, now: Time) {
        self.parts.arrived = now;
    }

    /// Its properties have an expiration that is one.
    pub fn expires(&mut self) {
        self.parts.noted = Noted::Expires;
    }

    /// When it expires by its own expiration.
    #[inline]
    pub fn deadline(&self) -> Time {
        if self.parts.noted == Noted::Expires { self.own_deadline() } else { Time::NEVER }
    }

    #[cold]
    fn own_deadline(&self) -> Time {
        // It was checked when it was published: a sign may stand before the number, as RabbitMQ allows it.
        let expiration = self.properties().expiration().map(|text| text.trim_start_matches(['+', '-']));
        let milliseconds = expiration.and_then(|digits| digits.parse().ok());
        milliseconds.map_or(Time::NEVER, |after| self.arrived().plus(Duration::from_millis(after)))
    }

    /// Where its parts lie.
    pub fn parts(&self) -> Parts {
        self.parts
    }

    /// Address, properties and body together, in bytes.
    pub fn len(&self) -> usize {
        (usize::from(self.parts.address_len))
            .saturating_add(self.parts.properties_len as usize)
            .saturating_add(self.body_len())
    }

    /// Whether there is nothing at all in it; never true of a message that was published.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends address, properties and body without gaps and gives their places.
    pub fn write_packed(&self, into: &mut BytesMut) -> Parts {
        into.put_slice(self.address());
        into.put_slice(self.properties_bytes());
        into.put_slice(self.body());
        self.parts.repacked(self.parts.properties_len)
    }

    /// The same message in bytes of its own, so that it pins no larger buffer.
    #[must_use]
    pub fn detached(&self) -> Self {
        let mut bytes = BytesMut::with_capacity(self.len());
        let parts = self.write_packed(&mut bytes);
        Self { bytes: bytes.freeze(), parts }
    }

    /// The same message with other properties (BCC taken out, dead-letter headers put in).
    #[must_use]
    pub fn with_properties(&self, properties: &[u8]) -> Self {
        let mut bytes = BytesMut::with_capacity(self.len().saturating_add(properties.len()));
        bytes.put_slice(self.address());
        bytes.put_slice(properties);
        bytes.put_slice(self.body());
        let properties_len = u32::try_from(properties.len()).unwrap_or(u32::MAX);
        Self { bytes: bytes.freeze(), parts: self.parts.repacked(properties_len) }
    }
}

impl Message {
    /// The same message as a dead letter: at another address, with other properties, which `put` appends; they take
    /// about `properties_len` bytes. Nothing when a name is longer than 255 bytes.
    pub fn as_dead_letter(
        &self,
        exchange: &str,
        routing_key: Option<&str>,
        properties_len: usize,
        put: impl FnOnce(&mut BytesMut),
    ) -> Option<Self> {
        let rest = properties_len.saturating_add(self.body_len());
        let (mut bytes, address_len) = addressed(exchange, routing_key.unwrap_or(self.routing_key()), rest)?;
        put(&mut bytes);
        let properties_len = u32::try_from(bytes.len()).ok()?.checked_sub(address_len.into())?;
        bytes.put_slice(self.body());
        let readdressed = routing_key.is_some() || self.parts.noted == Noted::Readdressed;
        let noted = if readdressed { Noted::Readdressed } else { Noted::Died };
        let Parts { persistent, arrived, .. } = self.parts;
        let parts = Parts { persistent, noted, arrived, ..Parts::packed(address_len, properties_len) };
        Self::new(bytes.freeze(), parts)
    }
}

impl Message {
    /// The same message at another address and with other properties, as it is sent on by an operator: what the broker says
    /// in it of its deaths is believed as before. It arrives `now`. Nothing when a name is longer than 255 bytes.
    pub fn sent_on(&self, exchange: &str, routing_key: &str, properties: &[u8], now: Time) -> Option<Self> {
        let rest = properties.len().saturating_add(self.body_len());
        let (mut bytes, address_len) = addressed(exchange, routing_key, rest)?;
        bytes.put_slice(properties);
        bytes.put_slice(self.body());
        let noted = match self.parts.noted {
            // The keys are those of the address again, and of CC.
            Noted::Readdressed => Noted::Died,
            noted => noted,
        };
        let packed = Parts::packed(address_len, u32::try_from(properties.len()).ok()?);
        let parts = Parts { persistent: self.parts.persistent, noted, arrived: now, ..packed };
        Self::new(bytes.freeze(), parts)
    }
}

/// An address with room for `rest` bytes behind it, and its length. Nothing when a name is longer than 255 bytes.
fn addressed(exchange: &str, routing_key: &str, rest: usize) -> Option<(BytesMut, u16)> {
    let names = exchange.len().checked_add(routing_key.len())?;
    let mut bytes = BytesMut::with_capacity(names.saturating_add(rest).saturating_add(2));
    for name in [exchange, routing_key] {
        bytes.put_u8(u8::try_from(name.len()).ok()?);
        bytes.put_slice(name.as_bytes());
    }
    let address_len = u16::try_from(bytes.len()).ok()?;
    Some((bytes, address_len))
}

fn short_string(bytes: &[u8]) -> &str {
    let length = bytes.first().map_or(0, |length| usize::from(*length));
    bytes.get(1..=length).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("exchange", &self.exchange())
            .field("routing_key", &self.routing_key())
            .field("body_len", &self.body_len())
            .finish_non_exhaustive()
    }
}
