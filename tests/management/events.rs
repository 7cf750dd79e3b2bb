//! What happens, told at `amq.rabbitmq.event`.

use std::time::{Duration, Instant};

use leveret::alarm::SetBy;
use leveret::config::DiskLimit;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::support::raw::client_properties;
use crate::support::{Broker, Raw, Table, TempDir, method};

/// What came to the queue `told` until this was told: keys and headers.
#[track_caller]
fn told_until(desk: &Desk, last: &str) -> Vec<(String, Value)> {
    let get = json!({ "count": 1000, "ackmode": "ack_requeue_false", "encoding": "auto" });
    let (begun, mut told) = (Instant::now(), Vec::new());
    while !told.iter().any(|(key, _): &(String, Value)| key == last) {
        assert!(begun.elapsed() < Duration::from_mins(1), "{last}: {told:?}");
        let answer = desk.ask("POST", "/api/queues/%2F/told/get", &get);
        assert_eq!(answer.status, 200, "{answer:?}");
        told.extend(answer.json().as_array().unwrap().iter().map(|message| {
            assert_eq!(message["payload"], "");
            let properties = &message["properties"];
            assert!(properties["headers"]["timestamp_in_ms"].as_u64() > Some(1_700_000_000_000));
            assert_eq!(properties["delivery_mode"], 2);
            (message["routing_key"].as_str().unwrap().to_owned(), properties["headers"].clone())
        }));
    }
    told
}

fn keys(told: &[(String, Value)]) -> Vec<&str> {
    told.iter().map(|(key, _)| key.as_str()).collect()
}

fn listening() -> Desk {
    listening_at(Desk::new())
}

fn listening_at(desk: Desk) -> Desk {
    desk.done("PUT", "/api/queues/%2F/told", &json!({}));
    desk.done("POST", "/api/bindings/%2F/e/amq.rabbitmq.event/q/told", &json!({ "routing_key": "#" }));
    assert_eq!(keys(&told_until(&desk, "binding.created")), ["binding.created"], "nothing before it is told");
    desk
}

#[test]
fn what_operators_do_is_told_with_who_did_it() {
    let desk = listening();
    let all = json!({ "configure": ".*", "write": ".*", "read": ".*" });
    let policy = json!({ "pattern": "q", "definition": { "max-length": 1 } });
    for (method, path, body) in [
        ("PUT", "/api/vhosts/v", json!({ "description": "d" })),
        ("PUT", "/api/users/u", json!({ "password": "p", "tags": "management" })),
        ("PUT", "/api/users/u", json!({ "password_hash": "", "tags": "management" })),
        ("PUT", "/api/permissions/v/u", all),
        ("DELETE", "/api/permissions/v/u", Value::Null),
        ("PUT", "/api/queues/v/q", json!({ "arguments": { "x-max-length": 3 } })),
        ("PUT", "/api/exchanges/v/x", json!({ "type": "fanout" })),
        ("POST", "/api/bindings/v/e/x/q/q", json!({ "routing_key": "k" })),
        ("PUT", "/api/policies/v/p", policy.clone()),
        ("DELETE", "/api/policies/v/p", Value::Null),
        ("PUT", "/api/operator-policies/v/p", policy),
        ("PUT", "/api/parameters/shovel/v/s", json!({ "value": { "src-uri": "amqp://" } })),
        ("DELETE", "/api/exchanges/v/x", Value::Null),
        ("DELETE", "/api/queues/v/q", Value::Null),
        ("DELETE", "/api/users/u", Value::Null),
        ("DELETE", "/api/vhosts/v", Value::Null),
    ] {
        desk.done(method, path, &body);
    }
    let told = told_until(&desk, "vhost.deleted");
    let without_end: Vec<&str> = keys(&told)
        .into_iter()
        .filter(|key| *key != "exchange.deleted" && *key != "permission.deleted")
        .collect();
    assert_eq!(
        without_end,
        [
            "vhost.created",
            "permission.created",
            "user.created",
            "user.tags.set",
            "user.password.cleared",
            "permission.created",
            "queue.created",
            "exchange.created",
            "binding.created",
            "policy.set",
            "queue.policy.updated",
            "policy.cleared",
            "queue.policy.cleared",
            "parameter.set",
            "policy.set",
            "queue.policy.updated",
            "parameter.set",
            "binding.deleted",
            "queue.deleted",
            "user.deleted",
            "vhost.deleted",
        ]
    );
    let of = |key: &str| &told.iter().find(|(told, _)| told == key).unwrap().1;
    let queue = of("queue.created");
    let expected = json!({
        "name": "q", "vhost": "v", "durable": false, "auto_delete": false, "exclusive": false,
        "arguments": ["{<<\"x-max-length\">>,long,3}"], "user_who_performed_action": "guest",
        "timestamp_in_ms": queue["timestamp_in_ms"],
    });
    assert_eq!(*queue, expected);
    assert_eq!(of("policy.set")["definition"], json!({ "max-length": 1 }));
    assert_eq!(of("binding.created")["destination_name"], "q");
    assert_eq!(of("vhost.created")["description"], "d");
}

#[test]
fn limits_parameters_of_the_broker_and_what_policies_do_to_queues_are_told() {
    let desk = listening();
    let limit = |value: i64| json!({ "value": value });
    let policy = |max: u64| json!({ "pattern": "^q$", "definition": { "max-length": max } });
    desk.done("PUT", "/api/vhosts/v", &json!({}));
    desk.done("PUT", "/api/queues/v/q", &json!({}));
    desk.done("PUT", "/api/queues/v/untouched", &json!({}));
    told_until(&desk, "queue.created");
    for (method, path, body) in [
        ("PUT", "/api/vhost-limits/v/max-queues", limit(7)),
        ("PUT", "/api/vhosts/v", json!({ "description": "no limit" })),
        ("PUT", "/api/vhost-limits/v/max-connections", limit(9)),
        ("DELETE", "/api/vhost-limits/v/max-queues", Value::Null),
        ("DELETE", "/api/vhost-limits/v/max-connections", Value::Null),
        ("PUT", "/api/user-limits/guest/max-channels", limit(100)),
        ("DELETE", "/api/user-limits/guest/max-channels", Value::Null),
        ("PUT", "/api/policies/v/p", policy(5)),
        ("PUT", "/api/policies/v/p", policy(6)),
        ("PUT", "/api/policies/v/elsewhere", json!({ "pattern": "x", "definition": { "max-length": 1 } })),
        ("DELETE", "/api/policies/v/p", Value::Null),
        ("PUT", "/api/global-parameters/g", json!({ "value": { "a": 1 } })),
        ("DELETE", "/api/global-parameters/g", Value::Null),
    ] {
        desk.done(method, path, &body);
    }
    let told = told_until(&desk, "parameter.cleared");
    let told: Vec<(&str, Value)> = told
        .iter()
        .filter(|(key, _)| key != "queue.created")
        .map(|(key, headers)| {
            let mut headers = headers.clone();
            assert_eq!(headers["user_who_performed_action"], "guest");
            let fields = headers.as_object_mut().unwrap();
            fields
                .retain(|name, _| !["user_who_performed_action", "timestamp_in_ms"].contains(&name.as_str()));
            (key.as_str(), headers)
        })
        .filter(|(key, _)| !["policy.set", "policy.cleared"].contains(key))
        .collect();
    assert_eq!(
        told,
        [
            ("vhost.limits.set", json!({ "name": "limits", "vhost": "v", "max-queues": 7 })),
            (
                "vhost.limits.set",
                json!({ "name": "limits", "vhost": "v", "max-queues": 7, "max-connections": 9 })
            ),
            ("vhost.limits.set", json!({ "name": "limits", "vhost": "v", "max-connections": 9 })),
            ("vhost.limits.cleared", json!({ "name": "limits", "vhost": "v" })),
            ("user.limits.set", json!({ "name": "limits", "username": "guest", "max-channels": 100 })),
            ("user.limits.cleared", json!({ "name": "limits", "username": "guest" })),
            ("queue.policy.updated", json!({ "name": "q", "vhost": "v", "definition": { "max-length": 5 } })),
            ("queue.policy.updated", json!({ "name": "q", "vhost": "v", "definition": { "max-length": 6 } })),
            ("queue.policy.cleared", json!({ "name": "q", "vhost": "v" })),
            ("parameter.set", json!({ "name": "g", "value": { "a": 1 } })),
            ("parameter.cleared", json!({ "name": "g" })),
        ]
    );
}

#[test]
fn a_login_that_fails_is_told_with_the_name_and_where_it_came_from() {
    let desk = listening();
    let mut raw = Raw::started(&Broker::at(desk.broker().addresses()[0]));
    raw.send(0, method::connection_start_ok(&client_properties(), "PLAIN", b"\0nobody\0wrong"));
    raw.expect(0, method::CONNECTION_CLOSE);
    let told = told_until(&desk, "user.authentication.failure");
    let (_, headers) = &told[0];
    assert_eq!((&headers["name"], &headers["peer_host"]), (&json!("nobody"), &json!("127.0.0.1")));
    assert!(headers["error"].as_str().is_some_and(|error| !error.contains("wrong")), "{headers}");
    assert_eq!(keys(&told), ["user.authentication.failure"]);
}

#[test]
fn an_alarm_is_told_when_it_is_raised_and_when_it_is_over() {
    let data = TempDir::new();
    let desk = listening_at(Desk::on(data.path()));
    let limit = |bytes| {
        let alarms = &desk.broker().environment().alarms;
        alarms.set_disk_limit(DiskLimit::Absolute(bytes), SetBy::Operator);
    };
    limit(u64::MAX);
    let raised = told_until(&desk, "alarm.set");
    limit(0);
    let over = told_until(&desk, "alarm.cleared");
    for (told, key) in [(raised, "alarm.set"), (over, "alarm.cleared")] {
        assert_eq!(keys(&told), [key]);
        assert_eq!(told[0].1["alarm_id"], "disk");
        assert!(told[0].1["node"].as_str().is_some_and(|node| node.contains('@')), "{told:?}");
    }
}

#[test]
fn connections_channels_and_consumers_come_and_go_and_logins_fail() {
    let desk = listening();
    let mut raw = Raw::connect(&Broker::at(desk.broker().addresses()[0]));
    raw.open_channel(1);
    raw.declare(1, "mine", method::EXCLUSIVE, &Table::default());
    raw.send(1, method::basic_consume("mine", "tag", 0, &Table::default()));
    raw.expect(1, method::BASIC_CONSUME_OK);
    raw.send(1, method::basic_cancel("tag"));
    raw.recv();
    drop(raw);
    let told = told_until(&desk, "connection.closed");
    let mut found = keys(&told);
    // A connection that is cut off takes its things along in no order that anybody could rely on.
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "channel.closed",
            "channel.created",
            "connection.closed",
            "connection.created",
            "consumer.created",
            "consumer.deleted",
            "queue.created",
            "queue.deleted",
            "user.authentication.success",
        ]
    );
    let of = |key: &str| &told.iter().find(|(told, _)| told == key).unwrap().1;
    assert_eq!(
        (&of("consumer.created")["queue"], &of("channel.created")["number"]),
        (&json!("mine"), &json!(1))
    );
    assert_eq!(of("queue.created")["user_who_performed_action"], "guest");
    assert_eq!(of("connection.created")["name"], of("connection.closed")["name"]);
    desk.done("DELETE", "/api/queues/%2F/told", &Value::Null);
}
