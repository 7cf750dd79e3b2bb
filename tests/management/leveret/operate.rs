//! What an operator changes while a queue is used.

use futures_lite::StreamExt as _;
use serde_json::{Value, json};

use super::house::{Client, bodies, counts, declare, publish, reject_all};
use crate::desk::Desk;
use crate::support::{Broker, Raw, Table, TempDir, method};

const ARGUMENTS: &str = "/api/leveret/queues/%2F/q/arguments";

#[test]
fn what_is_exclusive_to_a_connection_is_looked_at_and_not_changed() {
    let desk = Desk::new();
    let mut raw = Raw::connect(&Broker::at(desk.broker().addresses()[0]));
    raw.open_channel(1);
    raw.send(1, method::queue_declare("mine", 4, &Table::new()));
    raw.expect(1, (50, 11));
    let queue = "/api/leveret/queues/%2F/mine";
    let locked = "cannot obtain exclusive access to locked queue 'mine' in vhost '/'";
    for (verb, path, body) in [
        ("POST", "/pause", Value::Null),
        ("POST", "/resume", Value::Null),
        ("PUT", "/arguments", json!({ "arguments": {} })),
        ("PUT", "/scheduled/1-1", json!({ "delay": 1 })),
        ("DELETE", "/scheduled/1-1", Value::Null),
    ] {
        let answer = desk.ask(verb, &format!("{queue}{path}"), &body);
        assert_eq!(answer.status, 400, "{verb} {path}");
        let reason = answer.json()["reason"].as_str().unwrap().to_owned();
        assert!(reason.contains(locked), "{verb} {path}: {reason}");
    }
    assert_eq!(desk.ask("GET", &format!("{queue}/messages"), &Value::Null).status, 200);
}

#[test]
fn a_paused_queue_takes_messages_and_gives_none_also_after_a_restart() {
    let data = TempDir::new();
    let desk = Desk::on(data.path());
    declare(&desk, "q", &json!({}));
    desk.done("POST", "/api/leveret/queues/%2F/q/pause", &Value::Null);
    desk.stop();
    let desk = Desk::on(data.path());
    assert_eq!(desk.get("/api/queues/%2F/q")["paused"], true);
    let client = Client::new(&desk);
    let mut consumer = client.consume("q", "c", 0);
    publish(&desk, "", "q", &json!({}), "kept");
    assert_eq!(counts(&desk, "q"), [1, 0, 1].map(|count| json!(count)));
    desk.done("POST", "/api/leveret/queues/%2F/q/resume", &Value::Null);
    let delivery = client.run(consumer.next()).unwrap().unwrap();
    assert_eq!((&delivery.data[..], delivery.redelivered), (&b"kept"[..], false));
    desk.done("POST", "/api/leveret/queues/%2F/q/resume", &Value::Null);
    assert_eq!(desk.get("/api/queues/%2F/q")["paused"], false);
}

#[test]
fn arguments_are_changed_in_place_and_kept() {
    let data = TempDir::new();
    let desk = Desk::on(data.path());
    declare(&desk, "dead", &json!({}));
    declare(&desk, "q", &json!({ "x-max-length": 10, "x-max-priority": 3 }));
    for number in 0..5 {
        publish(&desk, "", "q", &json!({}), &number.to_string());
    }
    let arguments = json!({
        "x-max-length": 3, "x-max-priority": 3, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead",
    });
    desk.done("PUT", ARGUMENTS, &json!({ "arguments": arguments }));
    assert_eq!(
        (bodies(&desk, "q"), bodies(&desk, "dead").len()),
        (vec!["2".into(), "3".into(), "4".to_owned()], 2)
    );
    desk.stop();
    let desk = Desk::on(data.path());
    assert_eq!(desk.get("/api/queues/%2F/q")["arguments"], arguments);
    assert_eq!(desk.get(ARGUMENTS)["arguments"], arguments);
    reject_all(&desk, "q");
    assert_eq!(bodies(&desk, "dead").len(), 5);
    // Who declares it anew has to name these.
    let declared = json!({ "durable": true, "arguments": arguments });
    desk.check(&[("PUT", "/api/queues/%2F/q", declared, 204, Value::Null)]);
}

#[test]
fn what_is_fixed_at_a_declaration_is_refused_with_a_reason() {
    let desk = Desk::new();
    declare(&desk, "q", &json!({ "x-max-priority": 3 }));
    for (arguments, reason) in [
        (
            json!({ "x-max-priority": 4 }),
            "inequivalent arg 'x-max-priority' for queue 'q' in vhost '/': received '4' but current is '3': \
             'x-max-priority' is fixed when a queue is declared; delete the queue and declare it anew, or move its \
             messages to another one",
        ),
        (
            json!({ "x-max-priority": 3, "x-max-length": -1 }),
            "invalid arg 'x-max-length' for queue 'q' in vhost '/': {value_negative,-1}",
        ),
    ] {
        let answer = desk.ask("PUT", ARGUMENTS, &json!({ "arguments": arguments }));
        assert_eq!((answer.status, answer.json()["reason"].clone()), (400, json!(reason)), "{arguments}");
    }
    assert_eq!(desk.get(ARGUMENTS)["arguments"], json!({ "x-max-priority": 3 }));
    let changeable = desk.get(ARGUMENTS)["changeable"].clone();
    let has = |name: &str| changeable.as_array().unwrap().contains(&json!(name));
    assert!(has("x-max-length") && !has("x-max-priority"));
}
