//! What is counted: true numbers at every place that tells them, and rates that fall to zero.

use std::time::{Duration, Instant};

use leveret::config::{Config, RatesMode, StatisticsConfig};
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::support::{Broker, Properties, Raw, Table, TempDir, method};

fn desk(statistics: StatisticsConfig) -> Desk {
    Desk::with(Config { in_memory: true, statistics, ..Config::default() })
}

fn sampling() -> StatisticsConfig {
    StatisticsConfig { interval: Duration::from_millis(100), ..StatisticsConfig::default() }
}

/// Waits until something is so.
#[track_caller]
fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

fn connected(desk: &Desk) -> Raw {
    Raw::connect(&Broker::at(desk.broker().addresses()[0]))
}

/// As it stands in a path.
fn escaped(name: &str) -> String {
    name.replace(' ', "%20").replace('>', "%3E").replace('(', "%28").replace(')', "%29")
}

/// The numbers of an object without their details.
fn numbers(of: &Value) -> Value {
    let numbers = of["message_stats"].as_object().unwrap().iter();
    numbers
        .filter(|(name, _)| !name.ends_with("_details"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn publishers(publish: u64, confirm: u64, dropped: u64) -> Value {
    json!({ "publish": publish, "confirm": confirm, "return_unroutable": 0, "drop_unroutable": dropped })
}

fn consumers(deliver: u64, ack: u64) -> Value {
    json!({
        "deliver": deliver, "deliver_no_ack": 0, "deliver_get": deliver, "get": 0, "get_no_ack": 0, "get_empty": 0,
        "ack": ack, "redeliver": 0,
    })
}

fn both(mut one: Value, other: &Value) -> Value {
    one.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    one
}

/// Publishes ten messages by an exchange and one to nowhere, delivers six of them, and acknowledges four.
fn exchange_some(raw: &mut Raw) {
    raw.open_channel(1);
    raw.declare(1, "q", 0, &Table::new());
    raw.send(1, method::exchange_declare("x", "fanout", 0, &Table::new()));
    raw.expect(1, method::EXCHANGE_DECLARE_OK);
    raw.send(1, method::queue_bind("q", "x", "", &Table::new()));
    raw.expect(1, method::QUEUE_BIND_OK);
    raw.open_channel(2);
    raw.send(2, method::confirm_select());
    raw.expect(2, method::CONFIRM_SELECT_OK);
    for _ in 0..10 {
        raw.publish(2, "x", "", &Properties::new(), b"body");
        raw.expect(2, method::BASIC_ACK);
    }
    raw.publish(2, "", "nowhere", &Properties::new(), b"body");
    raw.expect(2, method::BASIC_ACK);
    raw.send(1, method::basic_qos(6));
    raw.expect(1, (60, 11));
    raw.send(1, method::basic_consume("q", "tag", 0, &Table::new()));
    raw.expect(1, method::BASIC_CONSUME_OK);
    for _ in 0..6 {
        raw.expect(1, method::BASIC_DELIVER);
        raw.recv();
        raw.recv();
    }
    // Else what it gives back would be replaced.
    raw.send(1, method::basic_cancel("tag"));
    raw.expect(1, (60, 31));
    raw.send(1, method::basic_ack(4, true));
    raw.message_count(1, "q");
}

#[test]
fn a_node_tells_how_often_its_journal_is_written_and_synced() {
    let data = TempDir::new();
    let desk = Desk::on(data.path());
    let name = desk.get("/api/overview")["node"].as_str().unwrap().to_owned();
    let of = |field: &str| desk.get(&format!("/api/nodes/{name}"))[field].as_f64().unwrap();
    let before = (of("io_write_count"), of("io_write_bytes"), of("io_sync_count"));
    desk.done("PUT", "/api/queues/%2F/q", &json!({ "durable": true }));
    assert!(of("io_write_count") > before.0);
    assert!(of("io_write_bytes") >= before.1 + 4096.0);
    assert!(of("io_sync_count") > before.2 && of("io_sync_avg_time") > 0.0);
}

#[test]
fn ten_published_six_delivered_four_acknowledged_are_told_everywhere() {
    let desk = desk(sampling());
    let mut raw = connected(&desk);
    exchange_some(&mut raw);
    let (published, consumed) = (publishers(11, 11, 1), consumers(6, 4));
    for (path, expected) in [
        ("/api/overview", both(published.clone(), &consumed)),
        ("/api/vhosts/%2F", both(published.clone(), &consumed)),
        ("/api/queues/%2F/q", both(json!({ "publish": 10 }), &consumed)),
        ("/api/exchanges/%2F/x", json!({ "publish_in": 10, "publish_out": 10 })),
        ("/api/exchanges/%2F/amq.default", json!({ "publish_in": 1, "publish_out": 0 })),
    ] {
        assert_eq!(numbers(&desk.get(path)), expected, "{path}");
    }
    let queue = desk.get("/api/queues/%2F/q");
    for (field, expected) in [
        ("messages", 6),
        ("messages_ready", 4),
        ("messages_unacknowledged", 2),
        ("message_bytes", 24),
        ("message_bytes_ready", 16),
        ("message_bytes_unacknowledged", 8),
        ("messages_ram", 6),
    ] {
        assert_eq!(queue[field], expected, "{field}");
    }
    let channels = desk.get("/api/channels");
    assert_eq!(numbers(&channels[0]), consumed);
    assert_eq!(numbers(&channels[1]), published);
    for (channel, unacked, confirm, prefetch) in [(0, 2, false, 6), (1, 0, true, 0)] {
        let told = &channels[channel];
        assert_eq!(told["number"], channel + 1);
        assert_eq!(told["messages_unacknowledged"], unacked);
        assert_eq!((&told["confirm"], &told["messages_unconfirmed"]), (&json!(confirm), &json!(0)));
        assert_eq!(told["prefetch_count"], prefetch);
    }
    let connection = &desk.get("/api/connections")[0];
    assert_eq!(connection["channels"], 2);
    assert!(connection["recv_oct"].as_u64() > Some(500) && connection["send_oct"].as_u64() > Some(200));
    drop(raw);
    wait_for("the connection has gone", || desk.get("/api/connections") == json!([]));
    let overview = desk.get("/api/overview");
    assert_eq!(numbers(&overview), both(published, &consumed), "what has closed stays counted");
    assert_eq!(numbers(&desk.get("/api/exchanges/%2F/x"))["publish_in"], 10);
    for (name, expected) in [
        ("connection_created", 1),
        ("connection_closed", 1),
        ("channel_created", 2),
        ("channel_closed", 2),
        ("queue_declared", 1),
        ("queue_created", 1),
        ("queue_deleted", 0),
    ] {
        assert_eq!(overview["churn_rates"][name], expected, "{name}");
    }
    desk.done("DELETE", "/api/queues/%2F/q", &Value::Null);
    assert_eq!(desk.get("/api/overview")["churn_rates"]["queue_deleted"], 1);
}

#[test]
fn rates_are_seen_and_fall_to_zero() {
    let desk = desk(sampling());
    let mut raw = connected(&desk);
    raw.open_channel(1);
    raw.declare(1, "q", 0, &Table::new());
    let places = [
        ("/api/overview", "publish"),
        ("/api/vhosts/%2F", "publish"),
        ("/api/queues/%2F/q", "publish"),
        ("/api/exchanges/%2F/amq.default", "publish_in"),
        ("/api/channels", "publish"),
    ];
    let rate = |path: &str, name: &str| {
        let told = desk.get(path);
        let told = told.get(0).unwrap_or(&told);
        told["message_stats"][format!("{name}_details")]["rate"].as_f64().unwrap_or(0.0)
    };
    for (path, name) in places {
        wait_for(path, || {
            raw.publish(1, "", "q", &Properties::new(), b"body");
            rate(path, name) > 0.0
        });
    }
    for (path, name) in places {
        wait_for(path, || rate(path, name) == 0.0);
    }
    wait_for("messages come and no more", || {
        desk.get("/api/overview")["queue_totals"]["messages_details"]["rate"] == 0.0
    });
    let sampled =
        desk.get("/api/queues/%2F/q?msg_rates_age=60&msg_rates_incr=5&lengths_age=60&lengths_incr=5");
    for details in [&sampled["message_stats"]["publish_details"], &sampled["messages_details"]] {
        assert_eq!(details["samples"].as_array().unwrap().len(), 13);
        assert!(details["avg"].is_f64() && details["avg_rate"].is_f64(), "{details}");
    }
}

#[test]
fn what_each_channel_does_with_each_exchange_and_queue_is_told_where_that_is_asked_for() {
    for rates_mode in [RatesMode::Basic, RatesMode::Detailed] {
        let desk = desk(StatisticsConfig { rates_mode, ..sampling() });
        let mut raw = connected(&desk);
        raw.open_channel(1);
        raw.declare(1, "q", 0, &Table::new());
        raw.declare(1, "other", 0, &Table::new());
        raw.open_channel(2);
        for (queue, tag) in [("q", "one"), ("q", "two"), ("other", "three")] {
            raw.send(2, method::basic_consume(queue, tag, 0, &Table::new()));
            raw.expect(2, method::BASIC_CONSUME_OK);
        }
        for (key, count) in [("q", 3), ("other", 1), ("nowhere", 1)] {
            for _ in 0..count {
                raw.publish(1, "", key, &Properties::new(), b"body");
            }
        }
        for _ in 0..4 {
            raw.expect(2, method::BASIC_DELIVER);
            raw.recv();
            raw.recv();
        }
        raw.send(2, method::basic_ack(0, true));
        raw.message_count(2, "q");
        let channels = desk.get("/api/channels");
        let of_channel = |at: usize| {
            let name = channels[at]["name"].as_str().unwrap();
            desk.get(&format!("/api/channels/{}", escaped(name)))
        };
        let (publishing, consuming) = (of_channel(0), of_channel(1));
        let (exchange, queue) = (desk.get("/api/exchanges/%2F/amq.default"), desk.get("/api/queues/%2F/q"));
        assert_eq!(
            (&exchange["outgoing"], &queue["incoming"]),
            (&json!([]), &json!([])),
            "which nobody counts"
        );
        let told = [
            &publishing["publishes"],
            &publishing["deliveries"],
            &consuming["publishes"],
            &consuming["deliveries"],
            &exchange["incoming"],
            &queue["deliveries"],
        ];
        if rates_mode == RatesMode::Basic {
            assert_eq!(told, [&json!([]); 6]);
            continue;
        }
        assert_eq!(told.map(|told| told.as_array().unwrap().len()), [1, 0, 0, 2, 1, 1]);
        let in_numbers = |told: &Value| numbers(&json!({ "message_stats": told["stats"] }));
        let given = |count: u64| json!({ "deliver": count, "deliver_no_ack": 0, "deliver_get": count, "ack": count, "redeliver": 0 });
        let details = |channel: usize| {
            let peer = &channels[channel];
            json!({
                "name": peer["name"], "number": channel + 1, "connection_name": peer["connection_details"]["name"],
                "node": peer["node"], "peer_host": "127.0.0.1", "peer_port": peer["connection_details"]["peer_port"],
                "user": "guest",
            })
        };
        for (told, beside, what, expected) in [
            (
                &publishing["publishes"][0],
                "exchange",
                json!({ "name": "", "vhost": "/" }),
                publishers(5, 0, 1),
            ),
            (&exchange["incoming"][0], "channel_details", details(0), publishers(5, 0, 1)),
            (&consuming["deliveries"][0], "queue", json!({ "name": "other", "vhost": "/" }), given(1)),
            (&consuming["deliveries"][1], "queue", json!({ "name": "q", "vhost": "/" }), given(3)),
            (&queue["deliveries"][0], "channel_details", details(1), given(3)),
        ] {
            assert_eq!((&told[beside], in_numbers(told)), (&what, expected));
        }
        for (path, list, number) in [
            ("/api/queues/%2F/q", "deliveries", "deliver"),
            ("/api/exchanges/%2F/amq.default", "incoming", "publish"),
        ] {
            wait_for(path, || {
                raw.publish(1, "", "q", &Properties::new(), b"body");
                let rate = &desk.get(path)[list][0]["stats"][format!("{number}_details")]["rate"];
                rate.as_f64() > Some(0.0)
            });
        }
        let window = "?msg_rates_age=60&msg_rates_incr=5";
        let queue = desk.get(&format!("/api/queues/%2F/q{window}"));
        let samples = &queue["deliveries"][0]["stats"]["ack_details"]["samples"];
        assert_eq!(samples.as_array().unwrap().len(), 13);
    }
}

#[test]
fn what_was_given_to_cancelled_consumers_is_told_of_each_queue_until_that_goes() {
    let desk = desk(StatisticsConfig { rates_mode: RatesMode::Detailed, ..sampling() });
    let mut raw = connected(&desk);
    raw.open_channel(1);
    for queue in ["q", "other"] {
        raw.declare(1, queue, 0, &Table::new());
        raw.publish(1, "", queue, &Properties::new(), b"body");
        raw.send(1, method::basic_consume(queue, queue, 0, &Table::new()));
        raw.expect(1, method::BASIC_CONSUME_OK);
        raw.expect_deliver(1);
        raw.send(1, method::basic_cancel(queue));
        raw.expect(1, (60, 31));
    }
    // What it was given before it was cancelled.
    raw.send(1, method::basic_ack(1, false));
    raw.message_count(1, "q");
    let name = desk.get("/api/channels")[0]["name"].as_str().unwrap().to_owned();
    let of_channel = || desk.get(&format!("/api/channels/{}", escaped(&name)))["deliveries"].clone();
    let in_numbers = |told: &Value| numbers(&json!({ "message_stats": told["stats"] }));
    let given =
        |ack: u64| json!({ "deliver": 1, "deliver_no_ack": 0, "deliver_get": 1, "ack": ack, "redeliver": 0 });
    let told = of_channel();
    assert_eq!([&told[0], &told[1]].map(in_numbers), [given(0), given(1)]);
    assert_eq!(in_numbers(&desk.get("/api/queues/%2F/q")["deliveries"][0]), given(1));
    raw.send(1, method::queue_delete("other"));
    raw.expect(1, method::QUEUE_DELETE_OK);
    let told = of_channel();
    assert_eq!((told.as_array().map(Vec::len), &told[0]["queue"]["name"]), (Some(1), &json!("q")));
}

#[test]
fn consumers_are_listed_and_one_of_a_queue_with_a_single_active_one_is_active() {
    let desk = desk(sampling());
    let mut raw = connected(&desk);
    raw.open_channel(1);
    raw.declare(1, "q", 0, &Table::new().boolean("x-single-active-consumer", true));
    for tag in ["first", "second"] {
        raw.send(1, method::basic_consume("q", tag, 0, &Table::new().int("x-priority", 1)));
        raw.expect(1, method::BASIC_CONSUME_OK);
    }
    let listed = || desk.get("/api/consumers");
    let told = listed();
    let name = told[0]["channel_details"]["name"].as_str().unwrap().to_owned();
    for (at, tag, active, status) in [(0, "first", true, "single_active"), (1, "second", false, "waiting")] {
        let consumer = &told[at];
        assert_eq!(consumer["consumer_tag"], tag);
        assert_eq!(consumer["queue"], json!({ "name": "q", "vhost": "/" }));
        assert_eq!((&consumer["active"], &consumer["activity_status"]), (&json!(active), &json!(status)));
        assert_eq!(consumer["arguments"], json!({ "x-priority": 1 }));
        assert_eq!(consumer["ack_required"], true);
    }
    assert_eq!(desk.get("/api/consumers/%2F"), told);
    assert_eq!(desk.get("/api/queues/%2F/q")["consumer_details"], told);
    assert_eq!(desk.get("/api/queues/%2F/q")["single_active_consumer_tag"], "first");
    assert_eq!(desk.get(&format!("/api/channels/{}", escaped(&name)))["consumer_details"], told);
    raw.send(1, method::basic_cancel("first"));
    raw.expect(1, (60, 31));
    let left = listed();
    assert_eq!((left.as_array().unwrap().len(), &left[0]["activity_status"]), (1, &json!("single_active")));
}

#[test]
fn what_is_not_to_be_told_is_not_told() {
    let refused = json!({
        "error": "bad_request", "reason": "Stats in management UI are disabled on this node",
    });
    for (statistics, query) in [
        (sampling(), "?disable_stats=true"),
        (StatisticsConfig { disabled: true, ..sampling() }, ""),
        (StatisticsConfig { collector_disabled: true, ..sampling() }, ""),
    ] {
        let desk = desk(statistics);
        let mut raw = connected(&desk);
        raw.open_channel(1);
        raw.declare(1, "q", 0, &Table::new());
        raw.publish(1, "", "q", &Properties::new(), b"body");
        raw.message_count(1, "q");
        for path in ["/api/channels", "/api/consumers", "/api/vhosts/%2F/channels"] {
            let answer = desk.ask("GET", &format!("{path}{query}"), &Value::Null);
            assert_eq!((answer.status, answer.json()), (400, refused.clone()), "{path}");
        }
        for path in [
            "/api/overview",
            "/api/vhosts/%2F",
            "/api/queues/%2F/q",
            "/api/exchanges/%2F/amq.default",
            "/api/connections",
        ] {
            let told = desk.get(&format!("{path}{query}"));
            let told = told.get(0).unwrap_or(&told);
            for absent in
                ["message_stats", "messages_details", "churn_rates", "recv_oct", "incoming", "deliveries"]
            {
                assert_eq!(told.get(absent), None, "{path} {query}");
            }
        }
        assert_eq!(desk.get(&format!("/api/overview{query}"))["disable_stats"], true);
    }
    let desk = desk(StatisticsConfig { rates_mode: RatesMode::None, ..sampling() });
    assert_eq!(desk.get("/api/overview")["rates_mode"], "none");
    assert_eq!(desk.get("/api/overview")["queue_totals"].get("messages_details"), None);
}
