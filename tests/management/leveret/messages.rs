//! A look at the messages of a queue.

use futures_lite::StreamExt as _;
use lapin::options::BasicNackOptions;
use leveret::config::{Config, MemoryLimit};
use serde_json::{Value, json};

use super::house::{Client, browse, counts, declare, payloads, publish, until};
use crate::desk::{Desk, not_authorised};
use crate::support::TempDir;

#[test]
fn looking_at_messages_shows_what_they_say_and_changes_nothing() {
    let desk = Desk::new();
    declare(&desk, "q", &json!({}));
    publish(&desk, "", "q", &json!({ "headers": { "tenant": "a" }, "type": "order" }), "first");
    publish(&desk, "", "q", &json!({}), "second");
    for _ in 0..3 {
        let found = browse(&desk, "q", "");
        assert_eq!(payloads(&found), ["first", "second"]);
        assert_eq!((&found["next"], &found["looked_at"]), (&Value::Null, &json!(2)));
        let first = &found["messages"][0];
        for (name, expected) in [
            ("position", json!(0)),
            ("exchange", json!("")),
            ("routing_key", json!("q")),
            ("redelivered", json!(false)),
            ("delivery_count", json!(0)),
            ("payload_bytes", json!(5)),
            ("payload_encoding", json!("string")),
            ("properties", json!({ "headers": { "tenant": "a" }, "type": "order", "delivery_mode": 2 })),
        ] {
            assert_eq!(first[name], expected, "{name}");
        }
        assert_eq!(counts(&desk, "q"), [2, 0, 2].map(|count| json!(count)));
    }
    // Nobody is told that they were looked at.
    let get = json!({ "count": 1, "ackmode": "ack_requeue_true", "encoding": "auto" });
    let got = desk.ask("POST", "/api/queues/%2F/q/get", &get).json();
    assert_eq!(got[0]["redelivered"], false);
    assert_eq!(browse(&desk, "q", "truncate=2&encoding=base64")["messages"][0]["payload"], "Zmk=");
    assert_eq!(browse(&desk, "q", "")["messages"][0]["redelivered"], true);
}

#[test]
fn messages_are_found_by_headers_properties_body_and_age_a_page_at_a_time() {
    let desk = Desk::new();
    declare(&desk, "q", &json!({}));
    for number in 0..10 {
        let headers = json!({ "headers": { "n": number % 3, "name": "x" }, "priority": number % 2 });
        publish(&desk, "", "q", &headers, &format!("number {number}"));
    }
    for (query, expected) in [
        ("header.n=0", &[0, 3, 6, 9][..]),
        ("header.n=0&property.priority=1", &[3, 9]),
        ("header.name=x&body=ber+7", &[7]),
        ("header.none=0", &[]),
        ("routing_key=other", &[]),
        ("routing_key=q&exchange=&limit=2", &[0, 1]),
        ("min_age=3600000", &[]),
        ("max_age=3600000&header.n=1", &[1, 4, 7]),
    ] {
        let expected: Vec<String> = expected.iter().map(|number| format!("number {number}")).collect();
        assert_eq!(payloads(&browse(&desk, "q", query)), expected, "{query}");
    }
    let (mut all, mut query) = (Vec::new(), "limit=3".to_owned());
    loop {
        let page = browse(&desk, "q", &query);
        all.extend(payloads(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("limit=3&after={next}");
    }
    assert_eq!(all, (0..10).map(|number| format!("number {number}")).collect::<Vec<_>>());
}

#[test]
fn an_unacked_message_is_shown_with_who_holds_it() {
    let desk = Desk::new();
    declare(&desk, "q", &json!({ "x-single-active-consumer": false }));
    let client = Client::new(&desk);
    let mut consumer = client.consume("q", "worker", 1);
    publish(&desk, "", "q", &json!({}), "held");
    publish(&desk, "", "q", &json!({}), "waits");
    let delivery = client.run(consumer.next()).unwrap().unwrap();
    let found = browse(&desk, "q", "state=unacked");
    assert_eq!(payloads(&found), ["held"]);
    let connection = desk.get("/api/connections")[0]["name"].clone();
    let holder = &found["messages"][0]["holder"];
    assert_eq!(
        holder,
        &json!({ "kind": "consumer", "consumer_tag": "worker", "connection": connection, "user": "guest" })
    );
    assert_eq!(payloads(&browse(&desk, "q", "")), ["waits"]);
    client.run(delivery.acker.ack(lapin::options::BasicAckOptions::default())).unwrap();
    let next = client.run(consumer.next()).unwrap().unwrap();
    assert_eq!(next.data, b"waits");
    until("the first is still there", || {
        (payloads(&browse(&desk, "q", "state=unacked")) == ["waits"]).then_some(())
    });
}

#[test]
fn what_waits_to_be_tried_again_is_shown_with_its_time() {
    let desk = Desk::new();
    let arguments = json!({ "x-delayed-retry-type": "all", "x-delayed-retry-min": 3_600_000 });
    declare(&desk, "q", &arguments);
    let client = Client::new(&desk);
    let mut consumer = client.consume("q", "c", 1);
    publish(&desk, "", "q", &json!({}), "again");
    let delivery = client.run(consumer.next()).unwrap().unwrap();
    let nack = BasicNackOptions { requeue: true, multiple: false };
    client.run(delivery.acker.nack(nack)).unwrap();
    let found = until("it does not wait", || {
        let found = browse(&desk, "q", "state=retrying");
        (!payloads(&found).is_empty()).then_some(found)
    });
    let message = &found["messages"][0];
    let (due, arrived) = (message["due"].as_u64().unwrap(), message["arrived"].as_u64().unwrap());
    assert!(due >= arrived + 3_600_000 && due < arrived + 3_700_000, "{message}");
    assert_eq!(payloads(&browse(&desk, "q", "")), [""; 0]);
}

#[test]
fn a_backlog_on_the_disk_is_looked_through_where_it_is() {
    let data = TempDir::new();
    let backlog_memory = Some(MemoryLimit::Absolute(1 << 20));
    let config = Config { data_dir: data.path().to_owned(), backlog_memory, ..Config::default() };
    let desk = Desk::with(config);
    declare(&desk, "q", &json!({}));
    let client = Client::new(&desk);
    let filler = "x".repeat(2000);
    client.publish("q", (0..5000).map(|number| format!("{number} {filler}").into_bytes()));
    until("it stays in memory", || {
        let memory = desk.get("/api/queues/%2F/q")["memory"].as_u64().unwrap();
        (memory < 4 << 20).then_some(())
    });
    let found = browse(&desk, "q", "limit=1&body=4321+x&truncate=8");
    assert_eq!(payloads(&found), ["4321 xxx"]);
    let (mut numbers, mut query) = (Vec::new(), "limit=1000&truncate=4".to_owned());
    loop {
        let page = browse(&desk, "q", &query);
        assert_eq!(page["unreadable"], 0);
        let number = |text: &str| text.split(' ').next().unwrap().parse::<usize>().unwrap();
        numbers.extend(payloads(&page).into_iter().map(number));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("limit=1000&truncate=4&after={next}");
    }
    assert_eq!(numbers, (0..5000).collect::<Vec<_>>());
    let memory = desk.get("/api/queues/%2F/q")["memory"].as_u64().unwrap();
    assert!(memory < 4 << 20, "it came into memory by being looked at: {memory}");
    assert_eq!(counts(&desk, "q")[0], 5000);
}

#[test]
fn only_who_may_read_a_queue_may_look_into_it() {
    let desk = Desk::new();
    declare(&desk, "secret", &json!({}));
    desk.add_user("u", "management");
    let some = json!({ "configure": ".*", "write": ".*", "read": "^mine" });
    desk.done("PUT", "/api/permissions/%2F/u", &some);
    let path = "/api/leveret/queues/%2F/secret/messages";
    let answer = desk.ask_as("u", "GET", path, &Value::Null);
    let refused = "read access to queue 'secret' in vhost '/' refused for user 'u'";
    assert_eq!((answer.status, answer.json()), (401, not_authorised(refused)));
    for (query, reason) in [
        ("state=x", "state must be ready, unacked, scheduled or retrying"),
        ("limit=0", "limit must be from 1 to 1000"),
        ("limit=x", "limit must be a whole number"),
        ("after=x", "after must be the next of an earlier answer"),
        ("min_age=x", "min_age must be a number of milliseconds"),
    ] {
        let answer = desk.ask("GET", &format!("{path}?{query}"), &Value::Null);
        assert_eq!((answer.status, answer.json()["reason"].clone()), (400, json!(reason)), "{query}");
    }
}
