//! What the two sides of a connection say about themselves.

use leveret_protocol::table::{Table, TableBuf, TableBuilder, Value};

/// The product and version that clients are told. kombu, Spring and others branch on them (kombu: per-consumer
/// prefetch from RabbitMQ 3.3 on), so that another name would turn features off; our own stand in keys beside them.
pub const COMPATIBLE_PRODUCT: &str = "RabbitMQ";
/// See [`COMPATIBLE_PRODUCT`].
pub const COMPATIBLE_VERSION: &str = "4.0.5";

/// What we can do; all of it is on.
const SERVER_CAPABILITIES: [&str; 9] = [
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
];

/// The `server-properties` of `connection.start`, with RabbitMQ's keys and our own.
pub fn server_properties(cluster_name: &str) -> TableBuf {
    let capabilities =
        SERVER_CAPABILITIES.iter().fold(TableBuilder::new(), |table, name| table.bool(name, true));
    TableBuilder::new()
        .table("capabilities", capabilities.finish().as_table())
        .string("cluster_name", cluster_name)
        .string("copyright", "Copyright (c) the Leveret authors")
        .string("information", "Licensed under the Apache License 2.0")
        .string("platform", "Rust")
        .string("product", COMPATIBLE_PRODUCT)
        .string("version", COMPATIBLE_VERSION)
        .string("broker", "Leveret")
        .string("broker_version", env!("CARGO_PKG_VERSION"))
        .finish()
}

/// What a client can do that changes what it is sent. Absent means no.
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own on the wire")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientCapabilities {
    /// A failed login is answered with `connection.close` instead of the end of the socket.
    pub authentication_failure_close: bool,
    /// A consumer that the server ends is told by `basic.cancel`.
    pub consumer_cancel_notify: bool,
    /// The client is told when its publishes are not read (`connection.blocked`).
    pub connection_blocked: bool,
    /// The client knows `basic.nack`.
    pub basic_nack: bool,
}

impl ClientCapabilities {
    /// Reads them from `client-properties`; what is no table of booleans counts as absent.
    pub fn parse(client_properties: Table<'_>) -> Self {
        let table = client_properties.get("capabilities").and_then(Value::as_table).unwrap_or_default();
        let has = |name| table.get(name).and_then(Value::as_bool).unwrap_or(false);
        Self {
            authentication_failure_close: has("authentication_failure_close"),
            consumer_cancel_notify: has("consumer_cancel_notify"),
            connection_blocked: has("connection.blocked"),
            basic_nack: has("basic.nack"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_a_rabbitmq_to_those_who_ask_and_leveret_to_those_who_look() {
        let properties = server_properties("rabbits");
        let table = properties.as_table();
        let text = |key| table.get(key).and_then(Value::as_str);
        assert_eq!(text("product"), Some("RabbitMQ"));
        assert_eq!(text("version"), Some("4.0.5"));
        assert_eq!(text("cluster_name"), Some("rabbits"));
        assert_eq!(text("broker"), Some("Leveret"));
        let capabilities = table.get("capabilities").and_then(Value::as_table).unwrap();
        assert!(capabilities.iter().all(|(_, value)| value == Value::Bool(true)));
        assert_eq!(capabilities.iter().count(), 9);
    }

    #[test]
    fn a_capability_is_a_true_boolean_of_the_capabilities_table() {
        let all = TableBuilder::new()
            .bool("authentication_failure_close", true)
            .bool("consumer_cancel_notify", true)
            .bool("connection.blocked", true)
            .bool("basic.nack", true)
            .finish();
        let none = TableBuilder::new()
            .bool("authentication_failure_close", false)
            .int("consumer_cancel_notify", 1)
            .string("connection.blocked", "true")
            .finish();
        let properties = |capabilities: &TableBuf| {
            TableBuilder::new().table("capabilities", capabilities.as_table()).finish()
        };
        let every = ClientCapabilities {
            authentication_failure_close: true,
            consumer_cancel_notify: true,
            connection_blocked: true,
            basic_nack: true,
        };
        let absent = ClientCapabilities::default();
        for (client_properties, expected) in [
            (properties(&all), every),
            (properties(&none), absent),
            (TableBuf::default(), absent),
            (TableBuilder::new().string("capabilities", "all").finish(), absent),
            (all, absent),
        ] {
            let parsed = ClientCapabilities::parse(client_properties.as_table());
            assert_eq!(parsed, expected, "{client_properties:?}");
        }
    }
}
