//! Keys of the HTTP API.

use super::http_tls::http_tls;
use super::{PLAIN, many, maybe, one, same};
use crate::config::check;
use crate::config::key::{Alias, Key, Reload, Written};
use crate::config::rabbitmq_values as from;

pub(super) static KEYS: [Key; 9] = [
    Key {
        name: "management.listen",
        doc: "Where to serve the HTTP API: an address with a port, a port alone, or none. Port 0 takes a free one, which the \
              log names.",
        unset: Some("15672, unless another program has it or management.tls.listen is set"),
        example: Some("127.0.0.1:15672"),
        rabbitmq: &[
            Alias { name: "management.tcp.port", written: Written::As(from::address) },
            Alias { name: "management.listener.port", written: Written::As(from::address) },
        ],
        variables: &["RABBITMQ_MANAGEMENT_PORT_NUMBER"],
        field: maybe!(LISTEN, management.listen),
        ..PLAIN
    },
    Key {
        name: "management.ip",
        doc: "The address to serve the HTTP API at where management.listen names a port alone, or nothing.",
        unset: Some("every interface"),
        example: Some("127.0.0.1"),
        rabbitmq: &[same("management.tcp.ip"), same("management.listener.ip")],
        variables: &["RABBITMQ_MANAGEMENT_BIND_IP"],
        field: maybe!(IP, management.ip),
        ..PLAIN
    },
    Key {
        name: "management.listen_tls",
        doc: "Whether TLS is spoken at management.listen, with what the keys of management.tls say of it.",
        rabbitmq: &[same("management.listener.ssl")],
        field: one!(SWITCH, management.listen_tls),
        ..PLAIN
    },
    Key {
        name: "management.socket",
        doc: "The Unix socket of the HTTP API, or none. Programs of the broker's own user and of root need no password there: \
              it is how leveret's commands find the broker.",
        unset: Some(
            "leveret.sock in data_dir; under the runtime directory where that path is too long or nothing is kept",
        ),
        example: Some("/run/leveret/leveret.sock"),
        field: maybe!(SOCKET, management.socket),
        ..PLAIN
    },
    Key {
        name: "management.socket_mode",
        doc: "Who may connect to that socket, as octal permissions of a file. Other users have to log in there.",
        field: one!(MODE, management.socket_mode),
        ..PLAIN
    },
    Key {
        name: "management.path_prefix",
        doc: "What stands before the paths of the HTTP API, such as /mq for /mq/api/overview.",
        unset: Some("nothing"),
        example: Some("/mq"),
        rabbitmq: &[same("management.path_prefix")],
        field: maybe!(PREFIX, management.path_prefix),
        ..AT_ONCE
    },
    Key {
        name: "management.hosts",
        doc: "Further names of this machine. Requests from this machine itself that call it by a name with a dot are \
              refused unless the name is known, since pages of others could have it lead here.",
        unset: Some("the machine's own name"),
        example: Some("mq.example.com"),
        field: many!(TEXT, management.hosts),
        ..AT_ONCE
    },
    Key {
        name: "management.max_body_size",
        doc: "The largest body of a request.",
        rabbitmq: &[same("management.http.max_body_size")],
        check: check::max_body_size,
        field: one!(BYTES, management.max_body_size),
        ..AT_ONCE
    },
    Key {
        name: "management.idle_timeout",
        doc: "How long a connection to the HTTP API may be silent between two requests, and the head of a request may take.",
        reload: Reload::NewConnections,
        rabbitmq: &[
            Alias { name: "management.tcp.idle_timeout", written: Written::As(from::milliseconds) },
            Alias { name: "management.ssl.idle_timeout", written: Written::As(from::milliseconds) },
            Alias {
                name: "management.listener.server.idle_timeout",
                written: Written::As(from::milliseconds),
            },
        ],
        check: check::idle_timeout,
        field: one!(DURATION, management.idle_timeout),
        ..PLAIN
    },
];

/// A request finds what was read last.
const AT_ONCE: Key = Key { reload: Reload::AtOnce, ..PLAIN };

/// TLS of the HTTP API.
pub(super) static TLS: [Key; 12] = http_tls!(
    "management.tls",
    "the HTTP API",
    "15671",
    ["management.ssl", "management.listener.ssl_opts"],
    ["management.ssl.port"],
    ["management.ssl.ip"],
    |config| config.management.speaks_tls(),
    management.tls
);

/// What browsers are told, section by section.
pub(super) static CORS: [Key; 2] = [
    Key {
        name: "management.cors.allow_origins",
        doc: "The origins whose pages may use the HTTP API from a browser, such as https://ui.example.com. * is every page there \
              is, which is safe only where no browser knows a password.",
        unset: Some("none but its own"),
        example: Some("https://ui.example.com"),
        rabbitmq: &[same("management.cors.allow_origins.$name")],
        check: check::cors_allow_origins,
        field: many!(TEXT, management.browsers.cors_allow_origins),
        ..AT_ONCE
    },
    Key {
        name: "management.cors.max_age",
        doc: "For how many seconds browsers remember that.",
        rabbitmq: &[same("management.cors.max_age")],
        field: one!(NUMBER_32, management.browsers.cors_max_age),
        ..AT_ONCE
    },
];

pub(super) static CSP: [Key; 1] = [Key {
    name: "management.csp.policy",
    doc: "The Content-Security-Policy of every answer.",
    unset: Some("default-src 'none'"),
    example: Some("default-src 'self'"),
    rabbitmq: &[same("management.csp.policy")],
    field: maybe!(HEADER, management.browsers.csp_policy),
    ..AT_ONCE
}];

pub(super) static HSTS: [Key; 1] = [Key {
    name: "management.hsts.policy",
    doc: "The Strict-Transport-Security of every answer: browsers use TLS alone from then on.",
    unset: Some("nothing is said of it"),
    example: Some("max-age=31536000; includeSubDomains"),
    rabbitmq: &[same("management.hsts.policy")],
    field: maybe!(HEADER, management.browsers.hsts_policy),
    ..AT_ONCE
}];

pub(super) static HEADERS: [Key; 4] = [
    Key {
        name: "management.headers.content_type_options",
        doc: "The X-Content-Type-Options of every answer.",
        unset: Some("nosniff"),
        example: Some("nosniff"),
        rabbitmq: &[same("management.headers.content_type_options")],
        field: maybe!(HEADER, management.browsers.content_type_options),
        ..AT_ONCE
    },
    Key {
        name: "management.headers.xss_protection",
        doc: "The X-XSS-Protection of every answer.",
        unset: Some("nothing is said of it"),
        example: Some("1; mode=block"),
        rabbitmq: &[same("management.headers.xss_protection")],
        field: maybe!(HEADER, management.browsers.xss_protection),
        ..AT_ONCE
    },
    Key {
        name: "management.headers.frame_options",
        doc: "The X-Frame-Options of every answer.",
        unset: Some("nothing is said of it"),
        example: Some("DENY"),
        rabbitmq: &[same("management.headers.frame_options")],
        field: maybe!(HEADER, management.browsers.frame_options),
        ..AT_ONCE
    },
    Key {
        name: "management.headers.referrer_policy",
        doc: "The Referrer-Policy of every answer.",
        unset: Some("nothing is said of it"),
        example: Some("no-referrer"),
        rabbitmq: &[same("management.headers.referrer_policy")],
        field: maybe!(HEADER, management.browsers.referrer_policy),
        ..AT_ONCE
    },
];
