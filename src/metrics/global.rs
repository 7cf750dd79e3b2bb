//! What RabbitMQ counts by protocol and by the type of queues, over all objects, those that are gone among them.

use super::family::RABBITMQ;
use super::queues::{CLASSIC, QUORUM};
use super::scrape::Subject;
use super::text::{Bucket, Kind, Labels, Text};
use crate::count::{ChannelCounts, Ended, QueueCounts, QueueKind, SIZES_MAX_BYTES, What};

/// RabbitMQ's word for AMQP 0-9-1.
const PROTOCOL: &str = "amqp091";
const PREFIX: &str = "rabbitmq_global_";

/// By protocol.
const BY_PROTOCOL: [(&str, What, &str); 6] = [
    ("messages_received_total", What::Publish, "Total number of messages received from publishers"),
    (
        "messages_received_confirm_total",
        What::PublishConfirm,
        "Total number of messages received from publishers expecting confirmations",
    ),
    ("messages_routed_total", What::Routed, "Total number of messages routed to queues or streams"),
    (
        "messages_unroutable_dropped_total",
        What::DropUnroutable,
        "Total number of messages published as non-mandatory into an exchange and dropped as unroutable",
    ),
    (
        "messages_unroutable_returned_total",
        What::ReturnUnroutable,
        "Total number of messages published as mandatory into an exchange and returned to the publisher as unroutable",
    ),
    ("messages_confirmed_total", What::Confirm, "Total number of messages confirmed to publishers"),
];

type Number = fn(&QueueCounts) -> u64;

/// By protocol and type of queue.
const BY_TYPE: [(&str, Number, &str); 8] = [
    ("messages_delivered_total", QueueCounts::deliver_get, "Total number of messages delivered to consumers"),
    (
        "messages_delivered_consume_manual_ack_total",
        |counts| counts.deliver,
        "Total number of messages delivered to consumers using basic.consume with manual acknowledgment",
    ),
    (
        "messages_delivered_consume_auto_ack_total",
        |counts| counts.deliver_no_ack,
        "Total number of messages delivered to consumers using basic.consume with automatic acknowledgment",
    ),
    (
        "messages_delivered_get_manual_ack_total",
        |counts| counts.get,
        "Total number of messages delivered to consumers using basic.get with manual acknowledgment",
    ),
    (
        "messages_delivered_get_auto_ack_total",
        |counts| counts.get_no_ack,
        "Total number of messages delivered to consumers using basic.get with automatic acknowledgment",
    ),
    (
        "messages_get_empty_total",
        |counts| counts.get_empty,
        "Total number of times basic.get operations fetched no message",
    ),
    (
        "messages_redelivered_total",
        |counts| counts.redeliver,
        "Total number of messages redelivered to consumers",
    ),
    (
        "messages_acknowledged_total",
        |counts| counts.ack,
        "Total number of messages acknowledged by consumers",
    ),
];

type Reason = fn(&Ended) -> u64;

/// By type of queue and what becomes of dead letters.
const DEAD: [(&str, Reason, &str); 4] = [
    (
        "messages_dead_lettered_expired_total",
        |ended| ended.expired,
        "Total number of messages dead-lettered due to message TTL exceeded",
    ),
    (
        "messages_dead_lettered_rejected_total",
        |ended| ended.rejected,
        "Total number of messages dead-lettered due to basic.reject or basic.nack",
    ),
    (
        "messages_dead_lettered_maxlen_total",
        |ended| ended.max_length,
        "Total number of messages dead-lettered due to overflow drop-head or reject-publish-dlx",
    ),
    (
        "messages_dead_lettered_delivery_limit_total",
        |ended| ended.delivery_limit,
        "Total number of messages dead-lettered due to delivery-limit exceeded",
    ),
];

/// Bounds of the sizes of messages, as Prometheus and RabbitMQ's dashboard write [`SIZES_MAX_BYTES`].
const SIZES: [&str; SIZES_MAX_BYTES.len() + 1] =
    ["100.0", "1000.0", "10000.0", "100000.0", "1e+06", "1e+07", "5e+07", "1e+08", "+Inf"];

/// What was counted, and how many publish and consume at present.
pub(super) fn write(
    subject: &Subject,
    channels: &ChannelCounts,
    publishers: u64,
    consumers: u64,
    text: &mut Text,
) {
    let protocol = |labels: &mut Labels<'_>| {
        labels.put("protocol", PROTOCOL);
    };
    for (name, what, help) in BY_PROTOCOL {
        text.family(PREFIX, name, Kind::Counter, help);
        text.sample(PREFIX, name, protocol, channels.messages.of(what));
    }
    for (name, value, help) in [
        ("publishers", publishers, "Current number of publishers"),
        ("consumers", consumers, "Current number of consumers"),
    ] {
        text.family(PREFIX, name, Kind::Gauge, help);
        text.sample(PREFIX, name, protocol, value);
    }
    let totals = subject.site.environment.vhosts.counts().queues();
    let types = [(QueueKind::Classic, CLASSIC), (QueueKind::Quorum, QUORUM)]
        .map(|(kind, name)| (name, totals.counts(kind)));
    for (name, number, help) in BY_TYPE {
        text.family(PREFIX, name, Kind::Counter, help);
        for (queue_type, counts) in &types {
            let labels = |labels: &mut Labels<'_>| {
                labels.put("protocol", PROTOCOL).put("queue_type", queue_type);
            };
            text.sample(PREFIX, name, labels, number(counts));
        }
    }
    write_dead(&types, text);
}

fn write_dead(types: &[(&str, QueueCounts)], text: &mut Text) {
    let labels = |queue_type: &str, strategy: &str, labels: &mut Labels<'_>| {
        labels.put("queue_type", queue_type).put("dead_letter_strategy", strategy);
    };
    for (name, number, help) in DEAD {
        text.family(PREFIX, name, Kind::Counter, help);
        for (queue_type, counts) in types {
            for (strategy, number) in [
                ("at_most_once", number(&counts.at_most_once)),
                ("at_least_once", number(&counts.at_least_once)),
                ("disabled", number(&counts.dropped)),
            ] {
                text.sample(PREFIX, name, |put| labels(queue_type, strategy, put), number);
            }
        }
    }
    let name = "messages_dead_lettered_confirmed_total";
    let help = "Total number of messages dead-lettered and confirmed by target queues";
    text.family(PREFIX, name, Kind::Counter, help);
    for (queue_type, counts) in types {
        text.sample(PREFIX, name, |put| labels(queue_type, "at_least_once", put), counts.letters_taken);
    }
}

/// How large messages are.
pub(super) fn write_sizes(channels: &ChannelCounts, text: &mut Text) {
    let name = "message_size_bytes";
    text.family(RABBITMQ, name, Kind::Histogram, "Size of messages received from publishers");
    let buckets = SIZES.into_iter().zip(channels.sizes.classes).map(|(le, count)| Bucket { le, count });
    let protocol = |labels: &mut Labels<'_>| {
        labels.put("protocol", PROTOCOL);
    };
    text.histogram(RABBITMQ, name, protocol, buckets, channels.sizes.bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_of_sizes_say_what_is_counted() {
        for (text, bytes) in SIZES.into_iter().zip(SIZES_MAX_BYTES) {
            #[allow(clippy::cast_precision_loss, reason = "these are far below 2^53")]
            let expected = bytes as f64;
            assert!((text.parse::<f64>().unwrap() - expected).abs() < 0.5, "{text}");
        }
    }
}
