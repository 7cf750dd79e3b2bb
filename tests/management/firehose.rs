//! Tracing: what is told at `amq.rabbitmq.trace`.

use serde_json::{Value, json};

use crate::desk::Desk;
use crate::support::{Broker, Raw, Table, method};

/// What is in the queue, in its order: keys, bodies and headers.
fn told(desk: &Desk) -> Vec<(String, String, Value)> {
    let get = json!({ "count": 100, "ackmode": "ack_requeue_false", "encoding": "auto" });
    let answer = desk.ask("POST", "/api/queues/%2F/told/get", &get);
    assert_eq!(answer.status, 200, "{answer:?}");
    let of = |message: &Value| {
        let text = |name: &str| message[name].as_str().unwrap().to_owned();
        (text("routing_key"), text("payload"), message["properties"]["headers"].clone())
    };
    answer.json().as_array().unwrap().iter().map(of).collect()
}

fn publish(desk: &Desk, exchange: &str, key: &str, headers: &Value, body: &str) {
    let message = json!({ "routing_key": key, "properties": { "headers": headers, "priority": 3 },
        "payload": body, "payload_encoding": "string" });
    desk.done("POST", &format!("/api/exchanges/%2F/{exchange}/publish"), &message);
}

#[test]
fn while_tracing_is_on_what_is_published_and_delivered_is_told_with_who_where_and_what() {
    let desk = Desk::new();
    for queue in ["told", "q"] {
        desk.done("PUT", &format!("/api/queues/%2F/{queue}"), &json!({}));
    }
    let all = json!({ "routing_key": "#" });
    desk.done("POST", "/api/bindings/%2F/e/amq.rabbitmq.trace/q/told", &all);
    desk.done("POST", "/api/bindings/%2F/e/amq.topic/q/q", &all);
    publish(&desk, "amq.topic", "before", &json!({}), "");
    assert_eq!(told(&desk), []);
    desk.done("PUT", "/api/vhosts/%2F", &json!({ "tracing": true }));
    assert_eq!(desk.get("/api/vhosts/%2F")["tracing"], true);
    publish(&desk, "amq.topic", "a.b", &json!({ "CC": ["c"] }), "body");
    publish(&desk, "amq.default", "nowhere", &json!({}), "lost");
    let node = desk.get("/api/overview")["node"].clone();
    let published = told(&desk);
    let (key, body, headers) = &published[0];
    assert_eq!((key.as_str(), body.as_str()), ("publish.amq.topic", "body"));
    let connection = headers["connection"].as_str().unwrap();
    assert!(connection.starts_with("127.0.0.1"), "{connection}");
    let expected = json!({
        "exchange_name": "amq.topic", "routing_keys": ["a.b", "c"], "node": node, "vhost": "/", "user": "guest",
        "channel": 1, "connection": connection, "routed_queues": ["q"],
        "properties": { "headers": { "CC": ["c"] }, "priority": 3 },
    });
    assert_eq!(*headers, expected);
    assert_eq!((published[1].0.as_str(), &published[1].2["routed_queues"]), ("publish.", &json!([])));
    // Of the trace itself nothing is told, though it is delivered.
    assert_eq!(told(&desk), []);

    let broker = Broker::at(desk.broker().addresses()[0]);
    let mut raw = Raw::connect(&broker);
    raw.open_channel(1);
    raw.send(1, method::basic_consume("q", "tag", 0b0010, &Table::default()));
    raw.expect(1, method::BASIC_CONSUME_OK);
    for _ in 0..2 {
        raw.expect_deliver(1);
    }
    let delivered = told(&desk);
    assert_eq!(delivered.len(), 2, "{delivered:?}");
    let (key, body, headers) = &delivered[1];
    assert_eq!((key.as_str(), body.as_str()), ("deliver.q", "body"));
    assert_eq!((&headers["redelivered"], &headers["exchange_name"]), (&json!(0), &json!("amq.topic")));
    assert_eq!(headers["routed_queues"], Value::Null);
    drop(raw);

    desk.done("PUT", "/api/vhosts/%2F", &json!({ "tracing": false }));
    publish(&desk, "amq.topic", "after", &json!({}), "");
    assert_eq!(told(&desk), []);
}
