//! Keys of the HTTP API.

use super::{PLAIN, many, maybe, one, same};
use crate::config::check;
use crate::config::key::{Alias, Key, Written};
use crate::config::rabbitmq_values as from;

pub(super) static KEYS: [Key; 4] = [
    Key {
        name: "management.listen",
        doc: "Where to serve the HTTP API: an address with a port, a port alone, or none. Port 0 takes a free one, which the \
              log names.",
        unset: Some("15672, unless another program has it"),
        example: Some("127.0.0.1:15672"),
        rabbitmq: &[
            Alias { name: "management.tcp.port", written: Written::As(from::address) },
            Alias { name: "management.listener.port", written: Written::As(from::address) },
        ],
        field: maybe!(LISTEN, management.listen),
        ..PLAIN
    },
    Key {
        name: "management.ip",
        doc: "The address to serve the HTTP API at where management.listen names a port alone, or nothing.",
        unset: Some("every interface"),
        example: Some("127.0.0.1"),
        rabbitmq: &[same("management.tcp.ip"), same("management.listener.ip")],
        field: maybe!(IP, management.ip),
        ..PLAIN
    },
    Key {
        name: "management.hosts",
        doc: "Further names of this machine. Requests from this machine itself that call it by a name with a dot are \
              refused unless the name is known, since pages of others could have it lead here.",
        unset: Some("the machine's own name"),
        example: Some("mq.example.com"),
        field: many!(TEXT, management.hosts),
        ..PLAIN
    },
    Key {
        name: "management.max_body_size",
        doc: "The largest body of a request.",
        rabbitmq: &[same("management.http.max_body_size")],
        check: check::max_body_size,
        field: one!(BYTES, management.max_body_size),
        ..PLAIN
    },
];
