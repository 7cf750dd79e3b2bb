//! Bindings.

use serde_json::{Value, json};

use crate::desk::{Desk, no_object};

#[test]
fn a_binding_is_made_named_and_taken_away() {
    let desk = Desk::new();
    desk.done("PUT", "/api/queues/%2F/q%201", &json!({}));
    desk.done("PUT", "/api/exchanges/%2F/e", &json!({ "type": "topic" }));
    desk.done("PUT", "/api/exchanges/%2F/f", &json!({}));
    let (path, to_exchange) = ("/api/bindings/%2F/e/e/q/q%201", "/api/bindings/%2F/e/e/e/f");
    for (path, body, location) in [
        (path, json!({ "routing_key": "a.b ~c", "arguments": {} }), "q%201/a.b%2B%257Ec"),
        (path, json!({}), "q%201/~"),
        (to_exchange, json!({ "routing_key": "k" }), "f/k"),
    ] {
        let answer = desk.ask("POST", path, &body);
        assert_eq!((answer.status, answer.header("location")), (201, Some(location)), "{body}");
    }
    let with_arguments = desk.ask("POST", path, &json!({ "routing_key": "k", "arguments": { "x": 1 } }));
    let (_, named) = with_arguments.header("location").unwrap().split_once('/').unwrap();
    let listed = desk.get(path);
    let keys: Vec<&str> =
        listed.as_array().unwrap().iter().map(|b| b["properties_key"].as_str().unwrap()).collect();
    assert_eq!(keys[..2], ["~", "a.b+%7Ec"]);
    assert!(keys[2].starts_with("k~") && named == keys[2], "{keys:?} {named}");
    let one = json!({
        "source": "e", "vhost": "/", "destination": "q 1", "destination_type": "queue", "routing_key": "a.b ~c",
        "arguments": {}, "properties_key": "a.b+%7Ec",
    });
    let not_found = |reason: &str| json!({ "error": "not_found", "reason": reason });
    desk.check(&[
        ("GET", &format!("{path}/a.b+%257Ec"), Value::Null, 200, one.clone()),
        ("GET", &format!("{path}/a.b%2B%257Ec"), Value::Null, 200, one),
        ("GET", &format!("{path}/none"), Value::Null, 404, no_object()),
        ("DELETE", &format!("{path}/none"), Value::Null, 404, no_object()),
        ("GET", "/api/bindings/%2F/e/none/q/q%201", Value::Null, 404, no_object()),
        (
            "POST",
            "/api/bindings/%2F/e/none/q/q%201",
            json!({}),
            404,
            not_found("no exchange 'none' in vhost '/'"),
        ),
        ("POST", "/api/bindings/%2F/e/e/q/none", json!({}), 404, not_found("no queue 'none' in vhost '/'")),
    ]);
    assert_eq!(desk.get("/api/bindings").as_array().unwrap().len(), 5, "and that to the default exchange");
    assert_eq!(desk.get("/api/queues/%2F/q%201/bindings").as_array().unwrap().len(), 4);
    assert_eq!(desk.get("/api/exchanges/%2F/e/bindings/source").as_array().unwrap().len(), 4);
    assert_eq!(desk.get("/api/exchanges/%2F/f/bindings/destination").as_array().unwrap().len(), 1);
    assert_eq!(desk.get("/api/exchanges/%2F/amq.default/bindings/source")[0]["routing_key"], "q 1");
    // The only one with this key: its hash need not be known.
    for gone in
        [format!("{path}/~"), format!("{path}/k"), format!("{path}/a.b+%257Ec"), format!("{to_exchange}/k")]
    {
        desk.done("DELETE", &gone, &Value::Null);
    }
    assert_eq!(desk.get("/api/exchanges/%2F/e/bindings/source"), json!([]));
}
