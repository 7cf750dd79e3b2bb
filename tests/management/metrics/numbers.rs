//! What was done is told exactly.

use std::thread;
use std::time::Instant;

use super::{busy, scrape};
use crate::desk::Desk;
use crate::support::raw::DEADLINE;
use crate::support::{Broker, Properties, Raw, Table, TempDir, method};

/// The queue whose name has to be escaped.
const OTHER: &str = "a \"b\"\\";

#[test]
fn two_starts_within_a_second_are_told_apart() {
    let [first, second] = [Desk::new(), Desk::new()]
        .map(|desk| scrape(&desk, "/metrics").value("process_start_time_seconds", &[]));
    assert!(first < second && second < first + DEADLINE.as_secs_f64(), "{first} and {second}");
}

#[test]
fn what_a_client_did_is_told_exactly_in_sums() {
    let desk = Desk::new();
    let client = busy(&desk);
    let told = scrape(&desk, "/metrics");
    for (name, expected) in [
        ("connections", 1.0),
        ("channels", 3.0),
        ("consumers", 1.0),
        ("queues", 2.0),
        ("connections_opened_total", 1.0),
        ("channels_opened_total", 3.0),
        ("queues_created_total", 2.0),
        ("queue_messages_ready", 1.0),
        ("queue_messages_unacked", 2.0),
        ("queue_messages", 3.0),
        ("queue_consumers", 1.0),
        ("queue_get_ack_total", 2.0),
        ("queue_get_total", 1.0),
        ("queue_get_empty_total", 1.0),
        ("queue_messages_delivered_ack_total", 1.0),
        ("queue_messages_acked_total", 1.0),
        ("channel_consumers", 1.0),
        ("channel_messages_unacked", 2.0),
        ("channel_messages_unconfirmed", 0.0),
        ("consumer_prefetch", 1.0),
        ("channel_messages_published_total", 6.0),
        ("channel_messages_confirmed_total", 1.0),
        ("channel_messages_unroutable_dropped_total", 1.0),
        ("exchange_messages_published_total", 6.0),
        ("queue_messages_published_total", 5.0),
        ("queue_exchange_messages_published_total", 5.0),
        ("connection_channels", 3.0),
    ] {
        assert_eq!(told.value(&format!("rabbitmq_{name}"), &[]), expected, "{name}");
    }
    for (name, expected) in [
        ("messages_received_total", 6.0),
        ("messages_received_confirm_total", 1.0),
        ("messages_routed_total", 5.0),
        ("messages_confirmed_total", 1.0),
        ("messages_unroutable_dropped_total", 1.0),
        ("publishers", 2.0),
        ("consumers", 1.0),
    ] {
        assert_eq!(told.value(&format!("rabbitmq_global_{name}"), &[]), expected, "{name}");
    }
    let classic = [("queue_type", "rabbit_classic_queue")];
    for (name, expected) in [
        ("delivered_total", 4.0),
        ("delivered_consume_manual_ack_total", 1.0),
        ("delivered_get_manual_ack_total", 2.0),
        ("delivered_get_auto_ack_total", 1.0),
        ("get_empty_total", 1.0),
        ("acknowledged_total", 1.0),
    ] {
        assert_eq!(told.value(&format!("rabbitmq_global_messages_{name}"), &classic), expected, "{name}");
    }
    for (le, expected) in [("100.0", 5.0), ("1000.0", 6.0), ("+Inf", 6.0)] {
        assert_eq!(told.value("rabbitmq_message_size_bytes_bucket", &[("le", le)]), expected, "{le}");
    }
    assert_eq!(told.value("rabbitmq_message_size_bytes_sum", &[]), 200.0);
    drop(client);
}

#[test]
fn each_object_is_told_by_itself_with_its_name_escaped() {
    let desk = Desk::new();
    let mut client = busy(&desk);
    let told = scrape(&desk, "/metrics/per-object");
    for (name, queue, expected) in [
        ("rabbitmq_queue_messages_ready", "q", 1.0),
        ("rabbitmq_queue_messages_ready", OTHER, 0.0),
        ("rabbitmq_queue_messages_unacked", "q", 2.0),
        ("rabbitmq_queue_messages_acked_total", "q", 1.0),
        ("rabbitmq_queue_get_empty_total", OTHER, 1.0),
        ("rabbitmq_queue_exchange_messages_published_total", "q", 5.0),
        ("leveret_queue_redeliveries_total", "q", 0.0),
    ] {
        assert_eq!(told.value(name, &[("vhost", "/"), ("queue", queue)]), expected, "{name} {queue}");
    }
    let published = told.samples("rabbitmq_channel_messages_published_total", &[("exchange", "")]);
    assert_eq!(published.iter().map(|sample| sample.value).sum::<f64>(), 4.0);
    let topic = [("vhost", "/"), ("exchange", "amq.topic")];
    assert_eq!(told.value("rabbitmq_exchange_messages_published_total", &topic), 2.0);
    assert_eq!(told.value("rabbitmq_channel_messages_unroutable_dropped_total", &topic), 1.0);
    let info = [("queue", "q"), ("queue_type", "rabbit_classic_queue"), ("membership", "leader")];
    assert_eq!(told.value("rabbitmq_queue_info", &info), 1.0);
    assert_eq!(told.value("rabbitmq_channel_messages_delivered_ack_total", &[("queue", "q")]), 1.0);
    told.value("rabbitmq_identity_info", &[("rabbitmq_endpoint", "per-object")]);
    client.send(3, method::basic_cancel("tag"));
    client.expect(3, (60, 31));
    let told = scrape(&desk, "/metrics/per-object");
    let delivered = told.value("rabbitmq_channel_messages_delivered_ack_total", &[("queue", "q")]);
    assert_eq!(delivered, 1.0, "what was given to a consumer that is cancelled");
}

#[test]
fn what_is_gone_holds_nothing_and_stays_counted() {
    let desk = Desk::new();
    let mut client = busy(&desk);
    client.send(1, method::queue_delete("q"));
    client.expect(1, method::QUEUE_DELETE_OK);
    let told = scrape(&desk, "/metrics");
    for (name, expected) in [
        ("rabbitmq_queues", 1.0),
        ("rabbitmq_queues_deleted_total", 1.0),
        ("rabbitmq_queue_messages", 0.0),
        ("rabbitmq_queue_consumers", 0.0),
        ("rabbitmq_queue_messages_ready_bytes", 0.0),
        ("rabbitmq_queue_process_memory_bytes", 0.0),
        ("rabbitmq_queue_messages_delivered_ack_total", 1.0),
        ("rabbitmq_global_messages_received_total", 6.0),
    ] {
        assert_eq!(told.value(name, &[]), expected, "{name}");
    }
}

#[test]
fn dead_letters_and_quorum_queues_are_told_by_their_kinds() {
    let desk = Desk::new();
    let mut raw = Raw::connect(&Broker::at(desk.broker().addresses()[0]));
    raw.open_channel(1);
    let limited = Table::new().text("x-queue-type", "quorum").int("x-max-length", 1);
    raw.declare(1, "quorum", 0b00010, &limited);
    let dead = Table::new().int("x-max-length", 1).text("x-dead-letter-exchange", "amq.fanout");
    raw.declare(1, "classic", 0, &dead);
    for queue in ["quorum", "quorum", "quorum", "classic", "classic"] {
        raw.publish(1, "", queue, &Properties::new(), b"x");
    }
    raw.get(1, "quorum").unwrap();
    raw.message_count(1, "classic");
    let told = scrape(&desk, "/metrics");
    let name = "rabbitmq_global_messages_dead_lettered_maxlen_total";
    for (queue_type, strategy, expected) in [
        ("rabbit_quorum_queue", "disabled", 2.0),
        ("rabbit_quorum_queue", "at_most_once", 0.0),
        ("rabbit_classic_queue", "at_most_once", 1.0),
        ("rabbit_classic_queue", "disabled", 0.0),
    ] {
        let labels = [("queue_type", queue_type), ("dead_letter_strategy", strategy)];
        assert_eq!(told.value(name, &labels), expected, "{queue_type} {strategy}");
    }
    let got = "rabbitmq_global_messages_delivered_get_auto_ack_total";
    assert_eq!(told.value(got, &[("queue_type", "rabbit_quorum_queue")]), 1.0);
    assert_eq!(told.value(got, &[("queue_type", "rabbit_classic_queue")]), 0.0);
}

#[test]
fn dead_letters_that_stay_until_they_are_taken_are_told_apart_and_when_they_are() {
    let desk = Desk::new();
    let mut raw = Raw::connect(&Broker::at(desk.broker().addresses()[0]));
    raw.open_channel(1);
    raw.declare(1, "dead", 0, &Table::default());
    for (queue, exchange) in [("sure", ""), ("stays", "nowhere")] {
        let to =
            Table::new().text("x-dead-letter-exchange", exchange).text("x-dead-letter-routing-key", "dead");
        let to = to.text("x-dead-letter-strategy", "at-least-once").text("x-overflow", "reject-publish");
        raw.declare(1, queue, 0, &to.int("x-message-ttl", 0));
        raw.publish(1, "", queue, &Properties::new(), b"x");
    }
    let labels = |strategy| [("queue_type", "rabbit_classic_queue"), ("dead_letter_strategy", strategy)];
    let name = |what: &str| format!("rabbitmq_global_messages_dead_lettered_{what}_total");
    let begun = Instant::now();
    let told = loop {
        let told = scrape(&desk, "/metrics");
        let expired = told.value(&name("expired"), &labels("at_least_once"));
        if (expired, told.value(&name("confirmed"), &labels("at_least_once"))) == (2.0, 1.0) {
            break told;
        }
        assert!(begun.elapsed() < DEADLINE, "{expired}");
        thread::yield_now();
    };
    for strategy in ["at_most_once", "disabled"] {
        assert_eq!(told.value(&name("expired"), &labels(strategy)), 0.0, "{strategy}");
    }
    assert_eq!(raw.message_count(1, "dead"), 1);
}

#[test]
fn a_queue_in_which_dead_letters_end_is_told_and_what_leaves_a_queue_by_dying() {
    let desk = Desk::new();
    let mut raw = Raw::connect(&Broker::at(desk.broker().addresses()[0]));
    raw.open_channel(1);
    raw.declare(1, "dead", 0, &Table::default());
    let arguments = Table::new().text("x-dead-letter-exchange", "").text("x-dead-letter-routing-key", "dead");
    raw.declare(1, "work", 0, &arguments.int("x-max-length", 1));
    raw.declare(1, "strict", 0, &Table::new().int("x-max-length", 1));
    for queue in ["work", "work", "work", "strict", "strict"] {
        raw.publish(1, "", queue, &Properties::new(), b"x");
    }
    assert_eq!(raw.message_count(1, "dead"), 2);
    let is_end = "leveret_queue_is_dead_letter_queue";
    for path in ["/metrics/per-object", "/metrics/detailed?vhost=%2F&family=leveret_queue_metrics"] {
        let told = scrape(&desk, path);
        let ends = told.samples(is_end, &[]);
        assert_eq!(
            (ends.len(), told.value(is_end, &[("vhost", "/"), ("queue", "dead")])),
            (1, 1.0),
            "{path}"
        );
        for (queue, dead_lettered, dropped) in [("work", 2.0, 0.0), ("strict", 0.0, 1.0), ("dead", 0.0, 0.0)]
        {
            let of = |name: &str| told.value(&format!("leveret_queue_{name}_total"), &[("queue", queue)]);
            assert_eq!((of("dead_lettered"), of("dropped")), (dead_lettered, dropped), "{path} {queue}");
        }
    }
    let sums = scrape(&desk, "/metrics");
    assert_eq!(sums.value("leveret_queue_dead_lettered_total", &[]), 2.0);
    assert_eq!(sums.value("leveret_queue_dropped_total", &[]), 1.0);
    assert!(sums.samples(is_end, &[]).is_empty());
}

#[test]
fn what_came_back_after_a_restart_is_held_and_the_cluster_is_the_same_one() {
    let data = TempDir::new();
    let desk = Desk::on(data.path());
    let mut raw = Raw::connect(&Broker::at(desk.broker().addresses()[0]));
    raw.open_channel(1);
    raw.declare(1, "q", 0b00010, &Table::default());
    raw.send(1, method::confirm_select());
    raw.expect(1, method::CONFIRM_SELECT_OK);
    let persistent = Properties::new().delivery_mode(2).encoded();
    for _ in 0..3 {
        raw.publish_with(1, method::basic_publish("", "q", 0), &persistent, b"0123456789");
        raw.expect(1, method::BASIC_ACK);
    }
    let before = scrape(&desk, "/metrics");
    assert_eq!(before.value("rabbitmq_queue_disk_writes_total", &[]), 3.0);
    assert!(before.value("rabbitmq_io_sync_ops_total", &[]) >= 3.0);
    assert!(before.value("leveret_journal_fsync_seconds_count", &[]) >= 3.0);
    assert!(before.value("leveret_journal_commit_groups_count", &[]) >= 3.0);
    assert!(before.value("leveret_backlog_memory_limit_bytes", &[]) > 0.0);
    assert!(before.value("leveret_journal_io_in_progress_seconds", &[]) < 60.0);
    let id = |told: &super::Exposition| {
        told.samples("rabbitmq_identity_info", &[])[0].labels["rabbitmq_cluster_permanent_id"].clone()
    };
    drop(raw);
    desk.stop();
    let desk = Desk::on(data.path());
    let after = scrape(&desk, "/metrics");
    assert_eq!(after.value("rabbitmq_queue_messages_ready", &[]), 3.0);
    assert_eq!(after.value("rabbitmq_queue_messages_ready_bytes", &[]), 30.0);
    assert_eq!(after.value("rabbitmq_queues", &[]), 1.0);
    assert_eq!(id(&before), id(&after));
    assert!(id(&before).starts_with("rabbitmq-cluster-id-"));
}

#[test]
fn how_long_messages_waited_and_how_old_the_oldest_is_is_told() {
    let desk = Desk::new();
    let _client = busy(&desk);
    let told = scrape(&desk, "/metrics");
    // Got three times, delivered once.
    assert_eq!(told.value("leveret_time_in_queue_seconds_count", &[]), 4.0);
    assert_eq!(told.value("leveret_time_in_queue_seconds_bucket", &[("le", "+Inf")]), 4.0);
    assert_eq!(told.samples("leveret_time_in_queue_seconds_bucket", &[("le", "0.01")]).len(), 1);
    let each = scrape(&desk, "/metrics/detailed?family=leveret_queue_metrics");
    let age =
        |queue: &str| each.samples("leveret_queue_oldest_message_age_seconds", &[("queue", queue)]).len();
    // Nothing waits in the other one.
    assert_eq!((age("q"), age(OTHER)), (1, 0));
    assert_eq!(each.value("leveret_queue_messages_scheduled", &[("queue", "q")]), 0.0);
}

#[test]
fn a_queue_whose_messages_are_on_the_disk_only_tells_the_age_of_the_oldest_as_well() {
    // Together more than may be in memory, each by itself not much.
    const QUEUES: usize = 80;
    const MESSAGES: usize = 10;
    let data = TempDir::new();
    let desk = Desk::on(data.path());
    let mut raw = Raw::connect(&Broker::at(desk.broker().addresses()[0]));
    raw.open_channel(1);
    raw.send(1, method::confirm_select());
    raw.expect(1, method::CONFIRM_SELECT_OK);
    let (persistent, body) = (Properties::new().delivery_mode(2).encoded(), vec![b'x'; 60 * 1024]);
    let begun = Instant::now();
    for number in 0..QUEUES {
        let queue = format!("q{number}");
        raw.declare(1, &queue, 0b00010, &Table::default());
        for _ in 0..MESSAGES {
            raw.publish_with(1, method::basic_publish("", &queue, 0), &persistent, &body);
        }
        let last = ((number + 1) * MESSAGES) as u64;
        while raw.expect(1, method::BASIC_ACK).arguments().longlong() < last {}
    }
    let path = "/metrics/detailed?family=leveret_queue_metrics&family=queue_metrics";
    let any_on_the_disk_only = |told: &super::Exposition| {
        let in_memory = told.samples("rabbitmq_detailed_queue_messages_ready_ram", &[]);
        in_memory.iter().any(|sample| sample.value == 0.0)
    };
    // Also those that came back go out again, by and by.
    let scraped = |desk: &Desk| {
        let begun = Instant::now();
        loop {
            let told = scrape(desk, path);
            if any_on_the_disk_only(&told) {
                break told;
            }
            assert!(begun.elapsed() < DEADLINE, "no queue is on the disk only");
            thread::yield_now();
        }
    };
    let age = "leveret_queue_oldest_message_age_seconds";
    assert_eq!(scraped(&desk).samples(age, &[]).len(), QUEUES);
    drop(raw);
    desk.stop();
    let desk = Desk::on(data.path());
    let told = scraped(&desk);
    assert_eq!(told.samples(age, &[]).len(), QUEUES);
    assert!(told.samples(age, &[]).iter().all(|sample| sample.value < begun.elapsed().as_secs_f64() + 60.0));
}

#[test]
fn what_memory_is_used_for_is_told_in_rabbitmqs_parts_and_in_ours() {
    let desk = Desk::new();
    let _client = busy(&desk);
    let told = scrape(&desk, "/metrics/memory-breakdown");
    let parts = told.0.keys().filter(|name| name.starts_with("rabbitmq_memory_")).count();
    assert_eq!(parts, 26);
    let messages = told.value("rabbitmq_memory_binary_heap_bytes", &[]);
    assert!(messages >= 30.0, "{messages}");
    told.value("rabbitmq_identity_info", &[("rabbitmq_endpoint", "memory-breakdown")]);
    let ours = scrape(&desk, "/metrics");
    let of = |purpose: &str| ours.value("leveret_memory_bytes", &[("purpose", purpose)]);
    assert_eq!(of("ready_messages") + of("unacked_messages"), messages);
    for reason in ["memory", "disk_free", "no_space", "disk_failed", "journal_full", "paging_lags"] {
        assert_eq!(ours.value("leveret_publishers_blocked", &[("reason", reason)]), 0.0, "{reason}");
    }
}

#[test]
fn attempts_to_log_in_are_told_by_what_was_spoken() {
    let desk = Desk::new();
    let _client = busy(&desk);
    desk.get("/api/whoami");
    assert_eq!(desk.ask_as("nobody", "GET", "/api/whoami", &serde_json::Value::Null).status, 401);
    for (path, prefix) in [
        ("/metrics", "rabbitmq_"),
        ("/metrics/per-object", "rabbitmq_"),
        ("/metrics/detailed?family=auth_attempt_metrics", "rabbitmq_detailed_"),
    ] {
        let told = scrape(&desk, path);
        for (protocol, expected) in [("amqp091", [1.0, 1.0, 0.0]), ("http", [2.0, 1.0, 1.0])] {
            let of =
                |name: &str| told.value(&format!("{prefix}auth_attempts_{name}"), &[("protocol", protocol)]);
            assert_eq!(["total", "succeeded_total", "failed_total"].map(of), expected, "{path} {protocol}");
        }
    }
}
