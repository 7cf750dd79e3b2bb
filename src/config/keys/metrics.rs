//! Keys of the metrics.

use super::http_tls::http_tls;
use super::{PLAIN, many, maybe, one, same};
use crate::config::key::{Alias, Key, Reload, Written};
use crate::config::{check, rabbitmq_values as from};

pub(super) static KEYS: [Key; 5] = [
    Key {
        name: "metrics.listen",
        doc: "Where to serve metrics for Prometheus, /health/live and /health/ready, without a password: an \
              address with a port, a port alone, or none. Port 0 takes a free one, which the log names.",
        unset: Some("15692, unless another program has it or metrics.tls.listen is set"),
        example: Some("127.0.0.1:15692"),
        rabbitmq: &[Alias { name: "prometheus.tcp.port", written: Written::As(from::address) }],
        field: maybe!(LISTEN, metrics.listen),
        ..PLAIN
    },
    Key {
        name: "metrics.ip",
        doc: "The address to serve them at where metrics.listen names a port alone, or nothing.",
        unset: Some("every interface"),
        example: Some("127.0.0.1"),
        rabbitmq: &[same("prometheus.tcp.ip")],
        field: maybe!(IP, metrics.ip),
        ..PLAIN
    },
    Key {
        name: "metrics.path",
        doc: "The path of the metrics.",
        rabbitmq: &[same("prometheus.path")],
        field: one!(URL_PATH, metrics.path),
        ..PLAIN
    },
    Key {
        name: "metrics.return_per_object_metrics",
        doc: "Whether the metrics at that path tell each queue, channel and connection by itself, as those below it at \
              /per-object always do. With many of them answers are large.",
        reload: Reload::AtOnce,
        rabbitmq: &[same("prometheus.return_per_object_metrics")],
        field: one!(SWITCH, metrics.return_per_object_metrics),
        ..PLAIN
    },
    Key {
        name: "metrics.authentication",
        doc: "Whether metrics ask for a user and a password, of a user with the tag monitoring or administrator.",
        reload: Reload::AtOnce,
        rabbitmq: &[same("prometheus.authentication.enabled")],
        field: one!(SWITCH, metrics.authentication),
        ..PLAIN
    },
];

/// TLS of the metrics.
pub(super) static TLS: [Key; 12] = http_tls!(
    "metrics.tls",
    "metrics",
    "15691",
    ["prometheus.ssl"],
    ["prometheus.ssl.port"],
    ["prometheus.ssl.ip"],
    |config| config.metrics.tls.address().is_some(),
    metrics.tls
);
