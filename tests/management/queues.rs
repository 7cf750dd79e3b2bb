//! Queues and exchanges.

use serde_json::{Value, json};

use crate::desk::{Desk, bad_request, no_object};

#[test]
fn a_queue_is_declared_as_over_amqp() {
    let desk = Desk::new();
    let limited = json!({ "durable": true, "auto_delete": false, "arguments": { "x-max-length": 5, "x-message-ttl": 60000 } });
    let differs = "inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received none but current is the value '60000' of type 'long'";
    let negative = "invalid arg 'x-max-length' for queue 'n' in vhost '/': {value_negative,-6}";
    desk.check(&[
        ("PUT", "/api/queues/%2F/q", limited.clone(), 201, Value::Null),
        ("PUT", "/api/queues/%2F/q", limited, 204, Value::Null),
        (
            "PUT",
            "/api/queues/%2F/q",
            json!({ "durable": true, "arguments": { "x-max-length": 6 } }),
            400,
            bad_request(differs),
        ),
        (
            "PUT",
            "/api/queues/%2F/n",
            json!({ "durable": "yes" }),
            400,
            bad_request(json!(["not_boolean", "yes"])),
        ),
        (
            "PUT",
            "/api/queues/%2F/n",
            json!({ "arguments": { "x-max-length": -6 } }),
            400,
            bad_request(negative),
        ),
        (
            "PUT",
            "/api/queues/%2F/n",
            json!({ "arguments": { "x": null } }),
            400,
            bad_request("null_not_allowed"),
        ),
        (
            "PUT",
            "/api/queues/none/q",
            json!({}),
            404,
            json!({ "error": "not_found", "reason": "vhost_not_found" }),
        ),
        ("PUT", "/api/queues/%2F/amq.x", json!({}), 401, Value::Null),
        ("GET", "/api/queues/%2F/n", Value::Null, 404, no_object()),
        ("DELETE", "/api/queues/%2F/n", Value::Null, 404, no_object()),
        ("DELETE", "/api/queues/%2F/n/contents", Value::Null, 404, no_object()),
        (
            "PUT",
            "/api/queues/%2F/quorum",
            json!({ "arguments": { "x-queue-type": "quorum" } }),
            201,
            Value::Null,
        ),
    ]);
    let queue = desk.get("/api/queues/%2F/q");
    for (key, expected) in [
        ("name", json!("q")),
        ("vhost", json!("/")),
        ("type", json!("classic")),
        ("durable", json!(true)),
        ("auto_delete", json!(false)),
        ("exclusive", json!(false)),
        ("arguments", json!({ "x-max-length": 5, "x-message-ttl": 60000 })),
        ("state", json!("running")),
        ("policy", Value::Null),
        ("effective_policy_definition", json!({})),
        ("messages", json!(0)),
        ("messages_details", json!({ "rate": 0.0 })),
        ("messages_ready", json!(0)),
        ("messages_unacknowledged", json!(0)),
        ("consumers", json!(0)),
        ("message_bytes", json!(0)),
    ] {
        assert_eq!(queue[key], expected, "{key}");
    }
    let quorum = desk.get("/api/queues/%2F/quorum");
    assert_eq!(
        (&quorum["type"], &quorum["durable"], &quorum["leader"]),
        (&json!("quorum"), &json!(true), &queue["node"])
    );
}

#[test]
fn a_queue_with_messages_or_an_exchange_with_bindings_is_kept_where_that_is_asked_for() {
    let desk = Desk::new();
    desk.done("PUT", "/api/queues/%2F/q", &json!({}));
    desk.done("PUT", "/api/exchanges/%2F/e", &json!({ "type": "fanout" }));
    desk.done("POST", "/api/bindings/%2F/e/e/q/q", &json!({}));
    let message =
        json!({ "routing_key": "q", "properties": {}, "payload": "x", "payload_encoding": "string" });
    desk.done("POST", "/api/exchanges/%2F/amq.default/publish", &message);
    assert_eq!(desk.get("/api/queues/%2F/q")["messages_ready"], 1);
    desk.check(&[
        (
            "DELETE",
            "/api/queues/%2F/q?if-empty=true",
            Value::Null,
            400,
            bad_request("queue 'q' in vhost '/' not empty"),
        ),
        (
            "DELETE",
            "/api/exchanges/%2F/e?if-unused=true",
            Value::Null,
            400,
            bad_request("exchange 'e' in vhost '/' in use"),
        ),
        ("DELETE", "/api/queues/%2F/q/contents", Value::Null, 204, Value::Null),
        ("DELETE", "/api/queues/%2F/q?if-empty=true&if-unused=true", Value::Null, 204, Value::Null),
        ("DELETE", "/api/exchanges/%2F/e?if-unused=true", Value::Null, 204, Value::Null),
    ]);
}

#[test]
fn an_exchange_is_declared_as_over_amqp() {
    let desk = Desk::new();
    let differs =
        "inequivalent arg 'type' for exchange 'e' in vhost '/': received 'direct' but current is 'topic'";
    desk.check(&[
        (
            "PUT",
            "/api/exchanges/%2F/e",
            json!({ "type": "topic", "durable": true, "arguments": { "alternate-exchange": "a" } }),
            201,
            Value::Null,
        ),
        (
            "PUT",
            "/api/exchanges/%2F/e",
            json!({ "type": "direct", "durable": true }),
            400,
            bad_request(differs),
        ),
        ("PUT", "/api/exchanges/%2F/d", json!({}), 201, Value::Null),
        (
            "PUT",
            "/api/exchanges/%2F/x",
            json!({ "type": "nonsense" }),
            400,
            bad_request("unknown exchange type 'nonsense'"),
        ),
        (
            "PUT",
            "/api/exchanges/none/x",
            json!({}),
            404,
            json!({ "error": "not_found", "reason": "vhost_not_found" }),
        ),
        ("PUT", "/api/exchanges/%2F/amq.x", json!({}), 401, Value::Null),
        ("DELETE", "/api/exchanges/%2F/amq.direct", Value::Null, 401, Value::Null),
        ("DELETE", "/api/exchanges/%2F/x", Value::Null, 404, no_object()),
        ("GET", "/api/exchanges/%2F/x", Value::Null, 404, no_object()),
    ]);
    let exchange = desk.get("/api/exchanges/%2F/e");
    assert_eq!(
        exchange,
        json!({
            "name": "e", "vhost": "/", "type": "topic", "durable": true, "auto_delete": false, "internal": false,
            "arguments": { "alternate-exchange": "a" }, "policy": null, "incoming": [], "outgoing": [],
        })
    );
    let names = desk.get("/api/exchanges/%2F/?columns=name");
    let names: Vec<&str> =
        names.as_array().unwrap().iter().map(|found| found["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "",
            "amq.direct",
            "amq.fanout",
            "amq.headers",
            "amq.match",
            "amq.rabbitmq.event",
            "amq.rabbitmq.trace",
            "amq.topic",
            "d",
            "e"
        ]
    );
    assert_eq!(desk.get("/api/exchanges/%2F/amq.default")["name"], "");
}
