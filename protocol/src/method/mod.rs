//! The methods of AMQP 0-9-1 with RabbitMQ's additions: one list (`classes.rs`), from which structs, ids, names,
//! decoder and encoder are derived.
//!
//! [`Method`] is nested, class then method, so that a dispatch reads
//! `match method { Basic(Publish(publish)) => .., Queue(Declare(declare)) => .. }`.

mod classes;

pub use classes::{Method, access, basic, channel, confirm, connection, exchange, queue, tx};

use crate::wire::{FieldError, Reader, Writer};

/// Who may send a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    Client,
    Server,
    Both,
}

/// A method of the list could not be made from its octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MethodError {
    Unknown,
    Field(FieldError),
    /// Octets are left after the last argument.
    Trailing,
}

impl From<FieldError> for MethodError {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}

impl<'a> basic::Publish<'a> {
    /// Where exchange and routing key begin in the payload of a `basic.publish`: after the ids and the ticket.
    const ADDRESS: usize = 6;

    /// Of the payload of a `basic.publish` frame: the exchange's and the routing key's shortstrs as they are on the
    /// wire, which is how `basic.deliver` ends (see [`crate::encode::deliver`]).
    #[inline]
    pub fn address(payload: &[u8]) -> &[u8] {
        payload.get(Self::ADDRESS..payload.len().saturating_sub(1)).unwrap_or_default()
    }

    /// Reads the payload of a `basic.publish` with one check for UTF-8 instead of two: lengths below 128 are characters
    /// themselves. `None` for longer names, and for anything that is wrong.
    #[inline]
    pub(crate) fn read_fast(payload: &'a [u8]) -> Option<Self> {
        let (&flags, rest) = payload.split_last()?;
        let address = str::from_utf8(rest.get(Self::ADDRESS..)?).ok()?;
        let (exchange, rest) = split_short(address)?;
        let (routing_key, rest) = split_short(rest)?;
        let (mandatory, immediate) = (flags & 1 == 1, flags & 2 == 2);
        rest.is_empty().then_some(Self { exchange, routing_key, mandatory, immediate })
    }
}

/// The shortstr of less than 128 octets at the start of `text`, and what follows it.
#[inline]
fn split_short(text: &str) -> Option<(&str, &str)> {
    let length = *text.as_bytes().first().filter(|length| length.is_ascii())?;
    text.get(1..)?.split_at_checked(length.into())
}

impl<'a> Method<'a> {
    /// Reads the arguments of the method with these ids.
    pub(crate) fn decode(
        (class_id, method_id): (u16, u16),
        arguments: &'a [u8],
    ) -> Result<Self, MethodError> {
        let mut reader = Reader::new(arguments);
        let method = Self::read(class_id, method_id, &mut reader)?;
        if reader.rest().is_empty() { Ok(method) } else { Err(MethodError::Trailing) }
    }

    /// Writes ids and arguments.
    pub(crate) fn encode(&self, writer: &mut Writer<'_>) {
        let (class_id, method_id) = self.id();
        writer.put(&class_id.to_be_bytes());
        writer.put(&method_id.to_be_bytes());
        self.write(writer);
        writer.flush();
    }

    /// Whether a client may send this method.
    pub const fn is_from_client(&self) -> bool {
        matches!(self.sender(), Sender::Client | Sender::Both)
    }

    /// Whether a server may send this method.
    pub const fn is_from_server(&self) -> bool {
        matches!(self.sender(), Sender::Server | Sender::Both)
    }

    /// Whether a content header and a body follow.
    pub const fn has_content(&self) -> bool {
        use basic::Method::{Deliver, GetOk, Publish, Return};
        matches!(self, Self::Basic(Publish(_) | Deliver(_) | Return(_) | GetOk(_)))
    }
}
