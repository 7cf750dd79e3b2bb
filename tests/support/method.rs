//! The methods that tests send most, with the arguments that they vary.

use super::{Payload, Table};

pub(crate) const CONNECTION_START: (u16, u16) = (10, 10);
pub(crate) const CONNECTION_TUNE: (u16, u16) = (10, 30);
pub(crate) const CONNECTION_OPEN_OK: (u16, u16) = (10, 41);
pub(crate) const CONNECTION_CLOSE: (u16, u16) = (10, 50);
pub(crate) const CONNECTION_CLOSE_OK: (u16, u16) = (10, 51);
pub(crate) const CONNECTION_BLOCKED: (u16, u16) = (10, 60);
pub(crate) const CONNECTION_UNBLOCKED: (u16, u16) = (10, 61);
pub(crate) const CHANNEL_OPEN_OK: (u16, u16) = (20, 11);
pub(crate) const CHANNEL_FLOW_OK: (u16, u16) = (20, 21);
pub(crate) const CHANNEL_CLOSE: (u16, u16) = (20, 40);
pub(crate) const CHANNEL_CLOSE_OK: (u16, u16) = (20, 41);
pub(crate) const QUEUE_DECLARE_OK: (u16, u16) = (50, 11);
pub(crate) const QUEUE_BIND_OK: (u16, u16) = (50, 21);
pub(crate) const QUEUE_UNBIND_OK: (u16, u16) = (50, 51);
pub(crate) const QUEUE_DELETE_OK: (u16, u16) = (50, 41);
pub(crate) const EXCHANGE_DECLARE_OK: (u16, u16) = (40, 11);
pub(crate) const EXCHANGE_DELETE_OK: (u16, u16) = (40, 21);
pub(crate) const BASIC_QOS_OK: (u16, u16) = (60, 11);
pub(crate) const BASIC_CONSUME_OK: (u16, u16) = (60, 21);
pub(crate) const BASIC_RETURN: (u16, u16) = (60, 50);
pub(crate) const BASIC_DELIVER: (u16, u16) = (60, 60);
pub(crate) const BASIC_GET_OK: (u16, u16) = (60, 71);
pub(crate) const BASIC_GET_EMPTY: (u16, u16) = (60, 72);
pub(crate) const BASIC_ACK: (u16, u16) = (60, 80);
pub(crate) const CONFIRM_SELECT_OK: (u16, u16) = (85, 11);

/// Bits of queue.declare.
pub(crate) const PASSIVE: u8 = 1;
pub(crate) const DURABLE: u8 = 2;
pub(crate) const EXCLUSIVE: u8 = 4;
pub(crate) const AUTO_DELETE: u8 = 8;

/// Bits of basic.publish.
pub(crate) const MANDATORY: u8 = 1;
pub(crate) const IMMEDIATE: u8 = 2;

/// A bit of basic.consume, and the only one of basic.get in its place.
pub(crate) const CONSUME_NO_ACK: u8 = 2;

pub(crate) fn connection_open(vhost: impl AsRef<[u8]>) -> Payload {
    Payload::method((10, 40)).shortstr(vhost).shortstr("").octet(0)
}

pub(crate) fn connection_tune_ok(channel_max: u16, frame_max: u32, heartbeat: u16) -> Payload {
    Payload::method((10, 31)).short(channel_max).long(frame_max).short(heartbeat)
}

pub(crate) fn connection_start_ok(properties: &Table, mechanism: &str, response: &[u8]) -> Payload {
    Payload::method((10, 11)).table(properties).shortstr(mechanism).longstr(response).shortstr("en_US")
}

/// connection.close (10, 50) or channel.close (20, 40), from the client.
pub(crate) fn close(method: (u16, u16)) -> Payload {
    Payload::method(method).short(200).shortstr("Goodbye").short(0).short(0)
}

pub(crate) fn channel_open() -> Payload {
    Payload::method((20, 10)).shortstr("")
}

pub(crate) fn channel_flow(active: bool) -> Payload {
    Payload::method((20, 20)).octet(u8::from(active))
}

pub(crate) fn exchange_declare(name: impl AsRef<[u8]>, kind: &str, bits: u8, arguments: &Table) -> Payload {
    Payload::method((40, 10)).short(0).shortstr(name).shortstr(kind).octet(bits).table(arguments)
}

pub(crate) fn exchange_delete(name: &str) -> Payload {
    Payload::method((40, 20)).short(0).shortstr(name).octet(0)
}

pub(crate) fn queue_declare(name: impl AsRef<[u8]>, bits: u8, arguments: &Table) -> Payload {
    Payload::method((50, 10)).short(0).shortstr(name).octet(bits).table(arguments)
}

pub(crate) fn queue_bind(queue: &str, exchange: &str, key: &str, arguments: &Table) -> Payload {
    let names = Payload::method((50, 20)).short(0).shortstr(queue).shortstr(exchange).shortstr(key);
    names.octet(0).table(arguments)
}

pub(crate) fn queue_unbind(queue: &str, exchange: &str, key: &str, arguments: &Table) -> Payload {
    Payload::method((50, 50)).short(0).shortstr(queue).shortstr(exchange).shortstr(key).table(arguments)
}

pub(crate) fn queue_purge(queue: &str) -> Payload {
    Payload::method((50, 30)).short(0).shortstr(queue).octet(0)
}

pub(crate) fn queue_delete(queue: &str) -> Payload {
    Payload::method((50, 40)).short(0).shortstr(queue).octet(0)
}

pub(crate) fn basic_qos(prefetch_count: u16) -> Payload {
    Payload::method((60, 10)).long(0).short(prefetch_count).octet(0)
}

pub(crate) fn basic_consume(queue: &str, tag: impl AsRef<[u8]>, bits: u8, arguments: &Table) -> Payload {
    Payload::method((60, 20)).short(0).shortstr(queue).shortstr(tag).octet(bits).table(arguments)
}

pub(crate) fn basic_cancel(tag: impl AsRef<[u8]>) -> Payload {
    Payload::method((60, 30)).shortstr(tag).octet(0)
}

pub(crate) fn basic_publish(exchange: impl AsRef<[u8]>, routing_key: impl AsRef<[u8]>, bits: u8) -> Payload {
    Payload::method((60, 40)).short(0).shortstr(exchange).shortstr(routing_key).octet(bits)
}

pub(crate) fn basic_get(queue: &str, no_ack: bool) -> Payload {
    Payload::method((60, 70)).short(0).shortstr(queue).octet(u8::from(no_ack))
}

pub(crate) fn basic_ack(delivery_tag: u64, multiple: bool) -> Payload {
    Payload::method((60, 80)).longlong(delivery_tag).octet(u8::from(multiple))
}

pub(crate) fn basic_reject(delivery_tag: u64, requeue: bool) -> Payload {
    Payload::method((60, 90)).longlong(delivery_tag).octet(u8::from(requeue))
}

pub(crate) fn basic_nack(delivery_tag: u64, multiple: bool, requeue: bool) -> Payload {
    Payload::method((60, 120)).longlong(delivery_tag).octet(u8::from(multiple) | u8::from(requeue) << 1)
}

pub(crate) fn confirm_select() -> Payload {
    Payload::method((85, 10)).octet(0)
}
