//! The names that RabbitMQ has, held against its own list of them.

use std::collections::BTreeSet;

use super::{busy, scrape};
use crate::desk::Desk;
use crate::support::TempDir;

/// RabbitMQ's families by their groups, with their types and labels.
const RABBITMQ: &str = include_str!("rabbitmq.txt");

/// What is not summed up: that takes a look at each queue.
const EACH: [&str; 6] = [
    "queue_consumer_capacity",
    "queue_consumer_utilisation",
    "queue_messages_ram",
    "queue_messages_ready_ram",
    "queue_messages_persistent",
    "queue_messages_persistent_bytes",
];

struct Expected {
    group: &'static str,
    name: &'static str,
    kind: &'static str,
    labels: BTreeSet<&'static str>,
}

fn expected() -> Vec<Expected> {
    let (mut all, mut group) = (Vec::new(), "");
    for line in RABBITMQ.lines() {
        if !line.starts_with(' ') {
            group = line;
            continue;
        }
        let mut words = line.split_whitespace();
        let (name, kind) = (words.next().unwrap(), words.next().unwrap());
        all.push(Expected { group, name, kind, labels: words.collect() });
    }
    assert!(all.len() > 80);
    all
}

#[test]
fn every_family_of_rabbitmq_has_its_name_its_type_and_its_labels_at_each_endpoint() {
    // One that keeps what it has, and so has a disk.
    let data = TempDir::new();
    let desk = Desk::on(data.path());
    let _client = busy(&desk);
    let (aggregated, each) = (scrape(&desk, "/metrics"), scrape(&desk, "/metrics/per-object"));
    for Expected { group, name, kind, labels } in expected() {
        let detailed = scrape(&desk, &format!("/metrics/detailed?family={group}"));
        let base = name;
        for (told, name, is_sum) in [
            (&aggregated, format!("rabbitmq_{name}"), true),
            (&each, format!("rabbitmq_{name}"), false),
            (&detailed, format!("rabbitmq_detailed_{name}"), false),
        ] {
            let family = told.0.get(&name).unwrap_or_else(|| panic!("{group}: no {name}"));
            assert_eq!(family.kind, kind, "{name}");
            assert_eq!(family.samples.is_empty(), is_sum && EACH.contains(&base), "{name}");
        }
        let sums = aggregated.samples(&format!("rabbitmq_{name}"), &[]);
        let by_protocol = labels.contains("protocol");
        let is_one = sums.len() == 1 && sums[0].labels.is_empty();
        assert!(is_one || by_protocol || EACH.contains(&name), "{name}: {sums:?}");
        for sample in each.samples(&format!("rabbitmq_{name}"), &[]) {
            let found: BTreeSet<&str> = sample.labels.keys().map(String::as_str).collect();
            assert!(found.is_subset(&labels), "{sample:?}");
        }
    }
}

#[test]
fn only_the_groups_that_are_asked_for_are_told_in_detail() {
    let desk = Desk::new();
    let _client = busy(&desk);
    let groups: BTreeSet<&str> = expected().iter().map(|family| family.group).collect();
    for asked in groups {
        let told = scrape(&desk, &format!("/metrics/detailed?family={asked}&family=nonsense"));
        for family in expected() {
            let name = format!("rabbitmq_detailed_{}", family.name);
            assert_eq!(told.0.contains_key(&name), family.group == asked, "{asked}: {name}");
        }
    }
    let nothing = scrape(&desk, "/metrics/detailed");
    let names: Vec<&str> = nothing.0.keys().map(String::as_str).collect();
    let always = [
        "leveret_build_info",
        "rabbitmq_build_info",
        "rabbitmq_identity_info",
        "telemetry_scrape_duration_seconds",
        "telemetry_scrape_size_bytes",
    ];
    assert_eq!(names, always);
}

/// What the queries of RabbitMQ's own overview dashboard name, with the labels that they ask for.
#[test]
fn the_overview_dashboard_finds_all_that_it_asks_for() {
    let desk = Desk::new();
    let _client = busy(&desk);
    let told = scrape(&desk, "/metrics");
    let plain = [
        "channels",
        "channels_closed_total",
        "channels_opened_total",
        "connections",
        "connections_closed_total",
        "connections_opened_total",
        "disk_space_available_limit_bytes",
        "erlang_uptime_seconds",
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "queue_messages_ready",
        "queue_messages_unacked",
        "queues",
        "queues_created_total",
        "queues_declared_total",
        "queues_deleted_total",
        "resident_memory_limit_bytes",
    ];
    for name in plain {
        told.value(&format!("rabbitmq_{name}"), &[]);
    }
    let by_protocol = [
        "publishers",
        "consumers",
        "messages_received_total",
        "messages_received_confirm_total",
        "messages_routed_total",
        "messages_confirmed_total",
        "messages_unroutable_dropped_total",
        "messages_unroutable_returned_total",
    ];
    for name in by_protocol {
        told.value(&format!("rabbitmq_global_{name}"), &[("protocol", "amqp091")]);
    }
    let by_type = [
        "delivered_total",
        "delivered_consume_manual_ack_total",
        "delivered_consume_auto_ack_total",
        "delivered_get_manual_ack_total",
        "delivered_get_auto_ack_total",
        "get_empty_total",
        "redelivered_total",
        "acknowledged_total",
    ];
    for name in by_type {
        for queue_type in ["rabbit_classic_queue", "rabbit_quorum_queue"] {
            let labels = [("protocol", "amqp091"), ("queue_type", queue_type)];
            told.value(&format!("rabbitmq_global_messages_{name}"), &labels);
        }
    }
    for le in ["100.0", "1000.0", "10000.0", "100000.0", "1e+06", "1e+07", "5e+07", "1e+08", "+Inf"] {
        told.value("rabbitmq_message_size_bytes_bucket", &[("protocol", "amqp091"), ("le", le)]);
    }
    for name in ["rabbitmq_message_size_bytes_sum", "rabbitmq_message_size_bytes_count"] {
        told.value(name, &[("protocol", "amqp091")]);
    }
    let identity = told.samples("rabbitmq_identity_info", &[("rabbitmq_endpoint", "aggregated")]);
    let labels: Vec<&str> = identity[0].labels.keys().map(String::as_str).collect();
    let all = ["rabbitmq_cluster", "rabbitmq_cluster_permanent_id", "rabbitmq_endpoint", "rabbitmq_node"];
    assert_eq!((labels.as_slice(), identity[0].value), (&all[..], 1.0));
    let build = told.samples("rabbitmq_build_info", &[("product_name", "RabbitMQ")]);
    for label in ["rabbitmq_version", "erlang_version", "product_version", "prometheus_plugin_version"] {
        assert!(!build[0].labels[label].is_empty(), "{label}");
    }
}
