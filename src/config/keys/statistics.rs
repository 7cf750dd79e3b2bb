//! Keys of what is counted.

use super::{PLAIN, one, same};
use crate::config::check;
use crate::config::key::{Alias, Key, Reload, Written};
use crate::config::rabbitmq_values as from;

pub(super) static KEYS: [Key; 4] = [
    Key {
        name: "statistics.interval",
        doc: "How far samples are apart, of which rates are made, such as 5s.",
        reload: Reload::AtOnce,
        rabbitmq: &[Alias { name: "collect_statistics_interval", written: Written::As(from::milliseconds) }],
        check: check::statistics_interval,
        field: one!(DURATION, statistics.interval),
        ..PLAIN
    },
    Key {
        name: "statistics.rates_mode",
        doc: "How much the HTTP API tells of how fast things happen: nothing (none), what each thing does (basic), or what each \
              channel does with each exchange and queue as well (detailed; through which exchange a message came to a queue is \
              not counted, nor what is got without consuming; what cancelled consumers were given is told no more; beyond \
              20000 pairs of a channel and an exchange or queue there are no rates).",
        reload: Reload::AtOnce,
        rabbitmq: &[same("management.rates_mode")],
        field: one!(RATES_MODE, statistics.rates_mode),
        ..PLAIN
    },
    Key {
        name: "statistics.disabled",
        doc: "The HTTP API tells what there is and nothing of what it does; channels and consumers are not listed.",
        reload: Reload::AtOnce,
        rabbitmq: &[same("management.disable_stats")],
        field: one!(SWITCH, statistics.disabled),
        ..PLAIN
    },
    Key {
        name: "statistics.collector_disabled",
        doc: "No samples are taken: the HTTP API answers as with statistics.disabled, metrics go on.",
        reload: Reload::AtOnce,
        rabbitmq: &[same("management_agent.disable_metrics_collector")],
        field: one!(SWITCH, statistics.collector_disabled),
        ..PLAIN
    },
];
