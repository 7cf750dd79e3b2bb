//! What the key of a message's group is.

use std::borrow::Cow;

use leveret_protocol::properties::Properties;
use leveret_protocol::table::Value;

use crate::message::Message;

/// Where the key of a message's group stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// It is the routing key.
    RoutingKey,
    /// It is a property.
    Property(Property),
    /// It is the header of this name.
    Header(Box<str>),
}

/// A property that names a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are named as the specification names them")]
pub enum Property {
    MessageId,
    CorrelationId,
    Type,
    AppId,
    ReplyTo,
    UserId,
}

impl GroupBy {
    /// What `x-message-group` says: the name of a property of AMQP, with `-` or `_`, `routing-key`, or any other name, which
    /// is that of a header.
    pub fn named(name: &str) -> Self {
        let property = match name {
            "routing-key" | "routing_key" => return Self::RoutingKey,
            "message-id" | "message_id" => Property::MessageId,
            "correlation-id" | "correlation_id" => Property::CorrelationId,
            "type" => Property::Type,
            "app-id" | "app_id" => Property::AppId,
            "reply-to" | "reply_to" => Property::ReplyTo,
            "user-id" | "user_id" => Property::UserId,
            header => return Self::Header(header.into()),
        };
        Self::Property(property)
    }

    /// The key of a message's group. None without one, with an empty one, or with a header that is neither text nor a whole
    /// number; a number counts as its digits.
    pub fn key<'m>(&self, message: &'m Message) -> Option<Cow<'m, [u8]>> {
        let octets = match self {
            Self::RoutingKey => Some(message.routing_key().as_bytes()),
            Self::Property(property) => property.octets(message.properties()),
            Self::Header(name) => match message.properties().headers()?.get(name)? {
                Value::LongStr(octets) | Value::Binary(octets) => Some(octets),
                value => return value.as_integer().map(|number| Cow::Owned(number.to_string().into_bytes())),
            },
        };
        octets.filter(|octets| !octets.is_empty()).map(Cow::Borrowed)
    }
}

impl Property {
    fn octets(self, properties: Properties<'_>) -> Option<&[u8]> {
        match self {
            Self::MessageId => properties.message_id_octets(),
            Self::CorrelationId => properties.correlation_id_octets(),
            Self::Type => properties.type_().map(str::as_bytes),
            Self::AppId => properties.app_id().map(str::as_bytes),
            Self::ReplyTo => properties.reply_to().map(str::as_bytes),
            Self::UserId => properties.user_id().map(str::as_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use leveret_protocol::properties::PropertiesBuilder;
    use leveret_protocol::table::{TableBuf, TableBuilder};

    use super::*;

    fn key(by: &str, properties: &PropertiesBuilder<'_>) -> Option<String> {
        let message = Message::compose("x", "orders", &properties.finish(), b"").unwrap();
        let key = GroupBy::named(by).key(&message).map(Cow::into_owned);
        key.map(|octets| String::from_utf8(octets).unwrap())
    }

    #[test]
    fn a_group_is_named_by_a_property_or_by_the_routing_key() {
        let all = PropertiesBuilder {
            correlation_id: Some("c"),
            reply_to: Some("r"),
            message_id: Some("m"),
            type_: Some("t"),
            user_id: Some("u"),
            app_id: Some(""),
            ..PropertiesBuilder::default()
        };
        for (by, expected) in [
            ("routing-key", Some("orders")),
            ("routing_key", Some("orders")),
            ("correlation-id", Some("c")),
            ("correlation_id", Some("c")),
            ("reply-to", Some("r")),
            ("message-id", Some("m")),
            ("type", Some("t")),
            ("user-id", Some("u")),
            ("app-id", None),
            ("content-type", None),
            ("Type", None),
        ] {
            assert_eq!(key(by, &all).as_deref(), expected, "{by}");
            let none = if by.starts_with("routing") { expected } else { None };
            assert_eq!(key(by, &PropertiesBuilder::default()).as_deref(), none, "{by}");
        }
    }

    #[test]
    fn a_group_is_named_by_a_header_that_is_text_or_a_whole_number() {
        let header = |value| TableBuilder::new().string("other", "no").value("group", value).finish();
        let check = |headers: &TableBuf, expected: Option<&str>| {
            let properties =
                PropertiesBuilder { headers: Some(headers.as_table()), ..PropertiesBuilder::default() };
            assert_eq!(key("group", &properties).as_deref(), expected, "{headers:?}");
        };
        for (value, expected) in [
            (Value::LongStr(b"a"), Some("a")),
            (Value::Binary(b"a"), Some("a")),
            (Value::LongStr(b""), None),
            (Value::Byte(-7), Some("-7")),
            (Value::Long(i64::MIN), Some("-9223372036854775808")),
            (Value::UnsignedInt(7), Some("7")),
            (Value::LongStr(b"7"), Some("7")),
            (Value::Double(7.0), None),
            (Value::Bool(true), None),
            (Value::Void, None),
        ] {
            check(&header(value), expected);
        }
        check(&TableBuilder::new().string("other", "no").finish(), None);
    }
}
