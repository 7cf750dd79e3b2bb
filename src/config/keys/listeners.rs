//! Keys of sockets: where they listen, and their options.

use super::{PLAIN, many, maybe, one, same};
use crate::config::key::{Alias, Key, Written};
use crate::config::{check, rabbitmq_values as from};

pub(super) static KEYS: [Key; 8] = [
    Key {
        name: "listeners.tcp",
        doc: "Where to accept AMQP connections: addresses with a port, or ports alone for every interface. Port 0 takes a \
              free one, which the log names.",
        own_flag: Some("listen"),
        rabbitmq: &[Alias { name: "listeners.tcp.$name", written: Written::As(from::address) }],
        check: check::listeners,
        field: many!(ADDRESS, listeners),
        ..PLAIN
    },
    Key {
        name: "listeners.tls",
        doc: "Where to accept AMQP connections over TLS, 5671 by custom. It needs tls.certfile and tls.keyfile.",
        unset: Some("nowhere"),
        example: Some("5671"),
        rabbitmq: &[Alias { name: "listeners.ssl.$name", written: Written::As(from::address) }],
        field: many!(ADDRESS, tls.listeners),
        ..PLAIN
    },
    Key {
        name: "tcp.backlog",
        doc: "How many connections may wait to be accepted; the system may allow fewer.",
        rabbitmq: &[same("tcp_listen_options.backlog")],
        check: check::backlog,
        field: one!(NUMBER_32, tcp.backlog),
        ..PLAIN
    },
    Key {
        name: "tcp.nodelay",
        doc: "Send small packets at once, without Nagle's delay.",
        rabbitmq: &[same("tcp_listen_options.nodelay")],
        field: one!(SWITCH, tcp.nodelay),
        ..PLAIN
    },
    Key {
        name: "tcp.keepalive",
        doc: "Let the system probe connections that are silent. Those without heartbeats are probed in any case.",
        rabbitmq: &[same("tcp_listen_options.keepalive")],
        field: one!(SWITCH, tcp.keepalive),
        ..PLAIN
    },
    Key {
        name: "tcp.linger",
        doc: "How long the system goes on sending what a closed connection has not yet taken; 0s resets it instead.",
        unset: Some("as the system does it"),
        example: Some("5s"),
        rabbitmq: &[same("tcp_listen_options.linger.timeout")],
        check: check::linger,
        field: maybe!(DURATION, tcp.linger),
        ..PLAIN
    },
    Key {
        name: "tcp.send_buffer",
        doc: "The size of the system's send buffer of a connection.",
        unset: Some("the system chooses"),
        example: Some("192KiB"),
        rabbitmq: &[same("tcp_listen_options.sndbuf")],
        check: check::send_buffer,
        field: maybe!(BYTES_BELOW_4_GIB, tcp.send_buffer),
        ..PLAIN
    },
    Key {
        name: "tcp.receive_buffer",
        doc: "The size of the system's receive buffer of a connection.",
        unset: Some("the system chooses"),
        example: Some("192KiB"),
        rabbitmq: &[same("tcp_listen_options.recbuf")],
        check: check::receive_buffer,
        field: maybe!(BYTES_BELOW_4_GIB, tcp.receive_buffer),
        ..PLAIN
    },
];
