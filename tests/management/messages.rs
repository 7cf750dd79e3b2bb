//! Publishing and getting.

use serde_json::{Value, json};

use crate::desk::{Desk, bad_request};
use crate::support::TempDir;

const PUBLISH: &str = "/api/exchanges/%2F/amq.default/publish";
const GET: &str = "/api/queues/%2F/q/get";

fn message(key: &str, payload: &str) -> Value {
    json!({ "routing_key": key, "properties": { "delivery_mode": 2 }, "payload": payload, "payload_encoding": "string" })
}

fn get(ackmode: &str) -> Value {
    json!({ "count": 10, "ackmode": ackmode, "encoding": "auto" })
}

#[test]
fn a_message_is_published_and_got_with_all_that_it_says() {
    let desk = Desk::new();
    desk.done("PUT", "/api/queues/%2F/q", &json!({}));
    let properties = json!({
        "content_type": "text/plain", "priority": 3, "expiration": "50000", "timestamp": 12,
        "headers": { "a": 1, "b": "c", "d": [1, 2.5, true, { "e": {} }] },
    });
    let sent = json!({ "routing_key": "q", "properties": properties, "payload": "/wAB", "payload_encoding": "base64" });
    desk.check(&[
        ("POST", PUBLISH, sent, 200, json!({ "routed": true })),
        ("POST", PUBLISH, message("nowhere", "x"), 200, json!({ "routed": false })),
        (
            "POST",
            "/api/exchanges/%2F/amq.topic/publish",
            message("nowhere", "x"),
            200,
            json!({ "routed": false }),
        ),
    ]);
    let got = desk.ask("POST", GET, &get("ack_requeue_false")).json();
    assert_eq!(
        got,
        json!([{
            "payload_bytes": 3, "redelivered": false, "exchange": "", "routing_key": "q", "message_count": 0,
            "properties": properties, "payload": "/wAB", "payload_encoding": "base64",
        }])
    );
    desk.done(
        "POST",
        PUBLISH,
        &json!({ "routing_key": "q", "properties": {}, "payload": "hello", "payload_encoding": "string" }),
    );
    let cut = json!({ "count": 1, "ackmode": "ack_requeue_false", "encoding": "base64", "truncate": 2 });
    let got = desk.ask("POST", GET, &cut).json();
    assert_eq!(got[0]["payload"], "aGU=");
    assert_eq!((&got[0]["payload_bytes"], &got[0]["properties"]), (&json!(5), &json!([])));
}

#[test]
fn what_is_got_goes_or_stays_as_the_ackmode_says() {
    let desk = Desk::new();
    for (ackmode, stay) in [
        ("ack_requeue_true", 3),
        ("reject_requeue_true", 3),
        ("ack_requeue_false", 0),
        ("reject_requeue_false", 0),
    ] {
        desk.done("PUT", "/api/queues/%2F/dead", &json!({}));
        let dead = json!({ "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead" });
        desk.done("PUT", "/api/queues/%2F/q", &json!({ "arguments": dead }));
        for payload in ["1", "2", "3"] {
            desk.done("POST", PUBLISH, &message("q", payload));
        }
        let got = desk.ask("POST", GET, &get(ackmode)).json();
        let payloads: Vec<&str> =
            got.as_array().unwrap().iter().map(|got| got["payload"].as_str().unwrap()).collect();
        assert_eq!(payloads, ["1", "2", "3"], "{ackmode}");
        let queue = desk.get("/api/queues/%2F/q");
        assert_eq!(
            (&queue["messages_ready"], &queue["messages_unacknowledged"]),
            (&json!(stay), &json!(0)),
            "{ackmode}"
        );
        let dead = if ackmode == "reject_requeue_false" { 3 } else { 0 };
        assert_eq!(desk.get("/api/queues/%2F/dead")["messages"], dead, "{ackmode}");
        desk.done("DELETE", "/api/queues/%2F/q", &Value::Null);
        desk.done("DELETE", "/api/queues/%2F/dead", &Value::Null);
    }
}

#[test]
fn what_cannot_be_published_or_got_is_told() {
    let desk = Desk::new();
    desk.done(
        "PUT",
        "/api/queues/%2F/q",
        &json!({ "arguments": { "x-max-length": 0, "x-overflow": "reject-publish" } }),
    );
    let with = |key: &str, value: Value| {
        let mut message = message("q", "x");
        message[key] = value;
        message
    };
    let none = json!({ "error": "not_found", "reason": "NOT_FOUND - no queue 'none' in vhost '/'" });
    let missing = "[{key_missing,payload},{key_missing,payload_encoding}]";
    let invalid = "406 PRECONDITION_FAILED - invalid expiration 'x': no_integer";
    let mode = "Invalid ackmode value: x. Valid values are: ack_requeue_true, ack_requeue_false, reject_requeue_true, reject_requeue_false";
    desk.check(&[
        (
            "POST",
            PUBLISH,
            message("q", "x"),
            400,
            bad_request("rejected Unable to publish message. Check queue limits."),
        ),
        (
            "POST",
            PUBLISH,
            with("payload_encoding", json!("x")),
            400,
            bad_request(json!(["unsupported_encoding", "x"])),
        ),
        ("POST", PUBLISH, with("payload", json!(5)), 400, bad_request("payload_not_string")),
        (
            "POST",
            PUBLISH,
            with("properties", json!({ "priority": "x" })),
            400,
            bad_request(json!(["not_int", "priority"])),
        ),
        ("POST", PUBLISH, with("properties", json!({ "expiration": "x" })), 400, bad_request(invalid)),
        ("POST", PUBLISH, json!({ "routing_key": "q", "properties": {} }), 400, bad_request(missing)),
        (
            "POST",
            "/api/exchanges/%2F/none/publish",
            message("q", "x"),
            400,
            bad_request("404 NOT_FOUND - no exchange 'none' in vhost '/'"),
        ),
        (
            "POST",
            GET,
            json!({ "count": 5 }),
            400,
            bad_request("[{key_missing,ackmode},{key_missing,encoding}]"),
        ),
        (
            "POST",
            GET,
            json!({ "count": "x", "ackmode": "ack_requeue_true", "encoding": "auto" }),
            400,
            bad_request(json!(["not_integer", "x"])),
        ),
        ("POST", GET, json!({ "count": 1, "ackmode": "x", "encoding": "auto" }), 400, bad_request(mode)),
        ("POST", "/api/queues/%2F/none/get", get("ack_requeue_true"), 404, none),
    ]);
}

#[test]
fn a_persistent_message_that_was_published_is_there_after_a_restart() {
    let data = TempDir::new();
    let desk = Desk::on(data.path());
    desk.done("PUT", "/api/queues/%2F/q", &json!({ "durable": true }));
    desk.check(&[("POST", PUBLISH, message("q", "kept"), 200, json!({ "routed": true }))]);
    desk.stop();
    let desk = Desk::on(data.path());
    let got = desk.ask("POST", GET, &get("ack_requeue_true")).json();
    assert_eq!(got[0]["payload"], "kept");
    assert_eq!(desk.ask("POST", GET, &get("ack_requeue_false")).json()[0]["redelivered"], true);
    assert_eq!(desk.ask("POST", GET, &get("ack_requeue_false")).json(), json!([]));
}
