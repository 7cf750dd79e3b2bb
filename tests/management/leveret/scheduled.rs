//! Messages that wait for their times.

use serde_json::{Value, json};

use super::house::{bodies, declare, payloads, publish, until};
use crate::desk::Desk;
use crate::support::TempDir;

const SCHEDULED: &str = "/api/leveret/queues/%2F/q/scheduled";

#[test]
fn what_waits_is_listed_rescheduled_and_cancelled_and_stays_so() {
    let data = TempDir::new();
    let desk = Desk::on(data.path());
    declare(&desk, "q", &json!({ "x-scheduled": true }));
    for (delay, body) in [(9_000_000, "last"), (3_600_000, "first"), (7_200_000, "second")] {
        publish(&desk, "", "q", &json!({ "headers": { "x-delay": delay } }), body);
    }
    let listed = desk.get(SCHEDULED);
    assert_eq!(payloads(&listed), ["first", "second", "last"]);
    let (first, second) = (&listed["messages"][0], &listed["messages"][1]);
    let due = first["due"].as_u64().unwrap();
    assert!(due >= first["arrived"].as_u64().unwrap() + 3_600_000);
    let place = |message: &Value| format!("{SCHEDULED}/{}", message["id"].as_str().unwrap());
    let later = due + 100_000_000;
    let moved = desk.ask("PUT", &place(first), &json!({ "due": later }));
    assert_eq!((moved.status, moved.json()["due"].clone()), (200, json!(later)), "{moved:?}");
    desk.done("DELETE", &place(second), &Value::Null);
    desk.check(&[
        ("DELETE", &place(second), Value::Null, 404, Value::Null),
        ("PUT", &place(first), json!({ "delay": 1 }), 404, Value::Null),
        ("PUT", &place(first), json!({}), 400, Value::Null),
        ("DELETE", &format!("{SCHEDULED}/x"), Value::Null, 404, Value::Null),
    ]);
    desk.stop();
    let desk = Desk::on(data.path());
    let listed = desk.get(SCHEDULED);
    assert_eq!(payloads(&listed), ["last", "first"]);
    assert_eq!(payloads(&desk.get(&format!("{SCHEDULED}?limit=1"))), ["last"]);
    let next = desk.get(&format!("{SCHEDULED}?limit=1"))["next"].as_str().unwrap().to_owned();
    assert_eq!(payloads(&desk.get(&format!("{SCHEDULED}?limit=1&after={next}"))), ["first"]);
    // At once, which is a millisecond from now.
    desk.done("PUT", &place(&listed["messages"][0]), &json!({ "delay": 0 }));
    until("it does not come", || (bodies(&desk, "q") == ["last"]).then_some(()));
}

#[test]
fn what_waits_in_a_delayed_exchange_is_reached_through_it() {
    let desk = Desk::new();
    let exchange = json!({ "type": "x-delayed-message", "arguments": { "x-delayed-type": "direct" } });
    desk.done("PUT", "/api/exchanges/%2F/later", &exchange);
    declare(&desk, "q", &json!({}));
    desk.done("POST", "/api/bindings/%2F/e/later/q/q", &json!({ "routing_key": "k" }));
    publish(&desk, "later", "k", &json!({ "headers": { "x-delay": 3_600_000 } }), "body");
    let path = "/api/leveret/exchanges/%2F/later/scheduled";
    let listed = desk.get(path);
    assert_eq!(payloads(&listed), ["body"]);
    let id = listed["messages"][0]["id"].as_str().unwrap();
    desk.done("PUT", &format!("{path}/{id}"), &json!({ "delay": 0 }));
    until("it does not come", || (bodies(&desk, "q") == ["body"]).then_some(()));
    let answer = desk.ask("GET", "/api/leveret/exchanges/%2F/amq.topic/scheduled", &Value::Null);
    assert_eq!(answer.status, 400);
}
