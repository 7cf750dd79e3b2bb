//! Messages are moved, and dead ones sent back to where they came from.

use std::collections::BTreeSet;

use futures_lite::StreamExt as _;
use lapin::options::BasicAckOptions;
use serde_json::{Value, json};

use super::house::{
    Client, bodies, browse, counts, declare, ended, job, payloads, publish, reject_all, until,
};
use crate::desk::{Desk, no_object, not_authorised};
use crate::support::TempDir;

const MOVE: &str = "/api/leveret/queues/%2F/q/move";
const REDRIVE: &str = "/api/leveret/queues/%2F/dead/redrive";

/// Messages of these bodies, rejected from `jobs` to `dead`.
fn with_dead(desk: &Desk, dead: &[&str]) {
    declare(desk, "dead", &json!({}));
    let arguments = json!({ "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead" });
    declare(desk, "jobs", &arguments);
    desk.done("PUT", "/api/exchanges/%2F/orders", &json!({ "type": "topic" }));
    desk.done("POST", "/api/bindings/%2F/e/orders/q/jobs", &json!({ "routing_key": "new.#" }));
    for body in dead {
        publish(desk, "orders", "new.eu", &json!({ "headers": { "body": body } }), body);
    }
    reject_all(desk, "jobs");
    assert_eq!(bodies(desk, "dead"), *dead);
}

#[test]
fn messages_that_a_filter_wants_are_moved_as_they_are_and_the_others_keep_their_places() {
    let desk = Desk::new();
    declare(&desk, "q", &json!({}));
    declare(&desk, "to", &json!({}));
    for number in 0..20 {
        let headers = json!({ "headers": { "odd": number % 2 } });
        publish(&desk, "", "q", &headers, &number.to_string());
    }
    let order = json!({ "to": { "queue": "to" }, "filter": { "headers": { "odd": 1 } }, "limit": 4 });
    let done = job(&desk, MOVE, &order);
    for (name, expected) in [
        ("state", json!("finished")),
        ("kind", json!("move")),
        ("queue", json!("q")),
        ("total", json!(20)),
        ("matched", json!(4)),
        ("done", json!(4)),
        ("to", json!({ "to": 4 })),
        ("stay", json!({})),
        ("asked", order),
    ] {
        assert_eq!(done[name], expected, "{name}");
    }
    assert_eq!(bodies(&desk, "to"), ["1", "3", "5", "7"]);
    let moved = &browse(&desk, "to", "")["messages"][0];
    assert_eq!((&moved["routing_key"], &moved["properties"]["headers"]), (&json!("q"), &json!({ "odd": 1 })));
    let rest: Vec<String> = (0..20).filter(|n| n % 2 == 0 || *n > 7).map(|n| n.to_string()).collect();
    assert_eq!(bodies(&desk, "q"), rest);
    assert_eq!(counts(&desk, "q"), [16, 0, 16].map(|count| json!(count)));
    // What stays was never given to anybody.
    assert!(browse(&desk, "q", "")["messages"].as_array().unwrap().iter().all(|m| m["redelivered"] == false));
    let rest = job(&desk, MOVE, &json!({ "to": { "exchange": "", "routing_key": "to" } }));
    assert_eq!((&rest["done"], bodies(&desk, "q").len()), (&json!(16), 0));
    assert_eq!(bodies(&desk, "to").len(), 20);
}

#[test]
fn a_dry_run_says_what_would_go_where_and_moves_nothing() {
    let desk = Desk::new();
    with_dead(&desk, &["a", "b", "c"]);
    publish(&desk, "", "dead", &json!({}), "not dead");
    let done = job(&desk, REDRIVE, &json!({ "dry_run": true }));
    for (name, expected) in [
        ("dry_run", json!(true)),
        ("matched", json!(4)),
        ("done", json!(3)),
        ("to", json!({ "jobs": 3 })),
        ("stay", json!({ "no_origin": 1 })),
    ] {
        assert_eq!(done[name], expected, "{name}");
    }
    assert_eq!((bodies(&desk, "dead").len(), bodies(&desk, "jobs").len()), (4, 0));
}

#[test]
fn a_dead_letter_goes_back_to_its_queue_as_it_came_there_first() {
    let desk = Desk::new();
    with_dead(&desk, &["a", "b", "c"]);
    let done = job(&desk, REDRIVE, &json!({ "filter": { "headers": { "body": "b" } } }));
    assert_eq!((&done["done"], &done["to"]), (&json!(1), &json!({ "jobs": 1 })));
    assert_eq!(
        (bodies(&desk, "jobs"), bodies(&desk, "dead")),
        (vec!["b".to_owned()], vec!["a".into(), "c".into()])
    );
    let back = &browse(&desk, "jobs", "")["messages"][0];
    assert_eq!((&back["exchange"], &back["routing_key"]), (&json!("orders"), &json!("new.eu")));
    let headers = &back["properties"]["headers"];
    assert_eq!((&headers["x-redrive-count"], &headers["x-death"][0]["count"]), (&json!(1), &json!(1)));
    // It dies once more, and that is counted on.
    reject_all(&desk, "jobs");
    let again = browse(&desk, "dead", "header.body=b");
    let headers = &again["messages"][0]["properties"]["headers"];
    assert_eq!((&headers["x-redrive-count"], &headers["x-death"][0]["count"]), (&json!(1), &json!(2)));
}

#[test]
fn what_was_sent_back_too_often_or_would_come_back_stays() {
    let desk = Desk::new();
    with_dead(&desk, &["a"]);
    for round in 1..=2 {
        let done = job(&desk, REDRIVE, &json!({ "max_redrives": 2 }));
        assert_eq!(done["done"], 1, "{round}");
        reject_all(&desk, "jobs");
    }
    let third = job(&desk, REDRIVE, &json!({ "max_redrives": 2 }));
    assert_eq!((&third["done"], &third["stay"]), (&json!(0), &json!({ "redriven_too_often": 1 })));
    // A queue that is full would drop what it has, or send it here.
    let full = json!({
        "x-max-length": 1, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead",
    });
    desk.done("PUT", "/api/leveret/queues/%2F/jobs/arguments", &json!({ "arguments": full }));
    publish(&desk, "", "jobs", &json!({}), "fills it");
    let fourth = job(&desk, REDRIVE, &json!({}));
    assert_eq!((&fourth["done"], &fourth["stay"]), (&json!(0), &json!({ "target_full": 1 })));
    assert_eq!(bodies(&desk, "jobs"), ["fills it"]);
    // By its exchange it would come here as well.
    desk.done("POST", "/api/bindings/%2F/e/orders/q/dead", &json!({ "routing_key": "new.eu" }));
    desk.done("DELETE", "/api/queues/%2F/jobs/contents", &Value::Null);
    let fifth = job(&desk, REDRIVE, &json!({ "to": "exchange" }));
    assert_eq!((&fifth["done"], &fifth["stay"]), (&json!(0), &json!({ "would_come_back": 1 })));
    desk.done("DELETE", "/api/queues/%2F/jobs", &Value::Null);
    let sixth = job(&desk, REDRIVE, &json!({}));
    assert_eq!((&sixth["done"], &sixth["stay"]), (&json!(0), &json!({ "no_target": 1 })));
    assert_eq!(bodies(&desk, "dead"), ["a"]);
}

#[test]
fn a_dead_letter_may_go_by_its_exchange_to_all_that_are_bound_now() {
    let desk = Desk::new();
    with_dead(&desk, &["a", "b"]);
    declare(&desk, "audit", &json!({}));
    desk.done("POST", "/api/bindings/%2F/e/orders/q/audit", &json!({ "routing_key": "new.*" }));
    let done = job(&desk, REDRIVE, &json!({ "to": "exchange", "death": "last" }));
    assert_eq!((&done["done"], &done["to"]), (&json!(2), &json!({ "jobs": 2, "audit": 2 })));
    for queue in ["jobs", "audit"] {
        assert_eq!(bodies(&desk, queue), ["a", "b"], "{queue}");
    }
    assert_eq!(bodies(&desk, "dead"), [""; 0]);
}

#[test]
fn what_a_queue_refuses_stays() {
    let desk = Desk::new();
    declare(&desk, "q", &json!({}));
    declare(&desk, "small", &json!({ "x-max-length": 3, "x-overflow": "reject-publish" }));
    for number in 0..5 {
        publish(&desk, "", "q", &json!({}), &number.to_string());
    }
    let done = job(&desk, MOVE, &json!({ "to": { "queue": "small" } }));
    assert_eq!((&done["done"], &done["stay"]), (&json!(3), &json!({ "target_full": 2 })));
    assert_eq!(
        (bodies(&desk, "small"), bodies(&desk, "q")),
        (vec!["0".into(), "1".into(), "2".into()], vec!["3".to_owned(), "4".into()])
    );
}

#[test]
fn what_a_queue_has_had_before_and_what_leads_nowhere_stays() {
    let desk = Desk::new();
    declare(&desk, "q", &json!({}));
    declare(&desk, "once", &json!({ "x-message-deduplication": true }));
    publish(&desk, "", "once", &json!({ "headers": { "x-deduplication-header": "a" } }), "a");
    for key in ["a", "b"] {
        publish(&desk, "", "q", &json!({ "headers": { "x-deduplication-header": key } }), key);
    }
    let done = job(&desk, MOVE, &json!({ "to": { "exchange": "amq.default", "routing_key": "once" } }));
    assert_eq!((&done["done"], &done["stay"]), (&json!(1), &json!({ "duplicate": 1 })));
    assert_eq!(
        (bodies(&desk, "once"), bodies(&desk, "q")),
        (vec!["a".into(), "b".into()], vec!["a".to_owned()])
    );
    let nowhere = job(&desk, MOVE, &json!({ "to": { "exchange": "amq.topic" } }));
    assert_eq!((&nowhere["done"], &nowhere["stay"]), (&json!(0), &json!({ "unroutable": 1 })));
    // It keeps its place, and nobody was given it.
    let left = &browse(&desk, "q", "")["messages"][0];
    assert_eq!((&left["position"], &left["redelivered"]), (&json!(0), &json!(false)));
}

#[test]
fn a_message_group_keeps_its_order_when_some_of_it_moves() {
    let desk = Desk::new();
    declare(&desk, "q", &json!({ "x-message-group": "g" }));
    declare(&desk, "to", &json!({}));
    let client = Client::new(&desk);
    let mut consumer = client.consume("q", "c", 1);
    for number in 0..6 {
        publish(&desk, "", "q", &json!({ "headers": { "g": "x", "n": number } }), &number.to_string());
    }
    let first = client.run(consumer.next()).unwrap().unwrap();
    assert_eq!((&first.data[..], bodies(&desk, "q").len()), (&b"0"[..], 5));
    for number in [1, 3] {
        let order = json!({ "to": { "queue": "to" }, "filter": { "headers": { "n": number } } });
        assert_eq!(job(&desk, MOVE, &order)["done"], 1);
    }
    assert_eq!(
        (bodies(&desk, "q"), bodies(&desk, "to")),
        (vec!["2".into(), "4".into(), "5".into()], vec!["1".to_owned(), "3".into()])
    );
    client.run(first.acker.ack(BasicAckOptions::default())).unwrap();
    for expected in ["2", "4", "5"] {
        let next = client.run(consumer.next()).unwrap().unwrap();
        assert_eq!(next.data, expected.as_bytes());
        client.run(next.acker.ack(BasicAckOptions::default())).unwrap();
    }
}

#[test]
fn a_job_keeps_to_its_rate_and_is_cancelled() {
    let desk = Desk::new();
    declare(&desk, "q", &json!({}));
    declare(&desk, "to", &json!({}));
    let client = Client::new(&desk);
    client.publish("q", (0..500).map(|number| number.to_string().into_bytes()));
    let order = json!({ "to": { "queue": "to" }, "rate": 20 });
    let answer = desk.ask("POST", MOVE, &order);
    let place = answer.header("location").unwrap().to_owned();
    until("it does not begin", || (desk.get(&place)["done"].as_u64() >= Some(3)).then_some(()));
    assert_eq!(desk.get("/api/leveret/jobs")[0]["state"], "running");
    desk.done("DELETE", &place, &Value::Null);
    let end = ended(&desk, &place);
    assert_eq!(end["state"], "cancelled");
    let done = end["done"].as_u64().unwrap();
    assert!(done < 500, "{end}");
    let took = end["finished"].as_u64().unwrap() - end["started"].as_u64().unwrap();
    // The first part goes at once.
    assert!(done <= 20 * (took + 1000) / 1000 + 2, "{end}");
    assert_eq!(bodies(&desk, "to").len() as u64, done);
    assert_eq!(counts(&desk, "q")[0], 500 - done);
}

#[test]
fn a_job_ends_with_the_broker_and_whoever_asks_for_it_later_is_told_so() {
    let data = TempDir::new();
    let desk = Desk::on(data.path());
    declare(&desk, "q", &json!({}));
    declare(&desk, "to", &json!({}));
    let all: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    for body in &all {
        publish(&desk, "", "q", &json!({}), body);
    }
    let answer = desk.ask("POST", MOVE, &json!({ "to": { "queue": "to" }, "rate": 2 }));
    let place = answer.header("location").unwrap().to_owned();
    until("it does not begin", || (desk.get(&place)["done"].as_u64() >= Some(3)).then_some(()));
    desk.stop();

    let desk = Desk::on(data.path());
    let (moved, rest) = (bodies(&desk, "to"), bodies(&desk, "q"));
    assert!(moved.len() >= 3, "{moved:?} {rest:?}");
    assert_eq!([moved, rest].concat(), all);
    let reason = "If there was such a job, it ended with a broker that has stopped since. What it moved stays moved, and the rest is where it was: \
                  ask for it again to go on";
    let gone = json!({ "error": "Object Not Found", "reason": reason });
    for (method, path, expected) in [
        ("GET", place.as_str(), gone.clone()),
        ("DELETE", &place, gone),
        ("GET", "/api/leveret/jobs/99999999999999-0", no_object()),
        ("GET", "/api/leveret/jobs/1", no_object()),
        ("GET", "/api/leveret/jobs/1-x", no_object()),
    ] {
        let answer = desk.ask(method, path, &Value::Null);
        assert_eq!((answer.status, answer.json()), (404, expected), "{method} {path}");
    }
    assert_eq!(desk.get("/api/leveret/jobs"), json!([]));
}

#[test]
fn a_move_beside_consumers_loses_and_doubles_nothing() {
    const COUNT: usize = 3000;
    let desk = Desk::new();
    declare(&desk, "q", &json!({}));
    declare(&desk, "to", &json!({}));
    let client = Client::new(&desk);
    client.publish("q", (0..COUNT).map(|number| number.to_string().into_bytes()));
    let mut consumer = client.consume("q", "c", 10);
    let answer = desk.ask("POST", MOVE, &json!({ "to": { "queue": "to" } }));
    assert_eq!(answer.status, 202, "{answer:?}");
    let place = answer.header("location").unwrap().to_owned();
    let mut all = Vec::new();
    loop {
        let job = desk.get(&place);
        let done = job["done"].as_u64().unwrap();
        if !job["finished"].is_null() && all.len() as u64 + done == COUNT as u64 {
            break;
        }
        let next = client.run(async { futures_lite::future::poll_once(consumer.next()).await });
        if let Some(Some(delivery)) = next {
            let delivery = delivery.unwrap();
            all.push(String::from_utf8(delivery.data.clone()).unwrap());
            client.run(delivery.acker.ack(BasicAckOptions::default())).unwrap();
        }
    }
    let (mut query, mut moved) = ("limit=1000".to_owned(), 0);
    loop {
        let page = browse(&desk, "to", &query);
        moved += payloads(&page).len();
        all.extend(payloads(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("limit=1000&after={next}");
    }
    assert!(moved > 0);
    assert_eq!(all.len(), COUNT, "lost or doubled");
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), COUNT, "doubled");
}

#[test]
fn a_job_that_cannot_begin_is_told_at_once() {
    let desk = Desk::new();
    declare(&desk, "q", &json!({}));
    desk.add_user("u", "management");
    let some = json!({ "configure": "", "write": "^mine", "read": ".*" });
    desk.done("PUT", "/api/permissions/%2F/u", &some);
    let answer = desk.ask_as("u", "POST", MOVE, &json!({ "to": { "exchange": "amq.topic" } }));
    let refused = "write access to exchange 'amq.topic' in vhost '/' refused for user 'u'";
    assert_eq!((answer.status, answer.json()), (401, not_authorised(refused)));
    for (order, reason) in [
        (json!({}), "[{key_missing,to}]"),
        (json!({ "to": "x" }), "to must be an object with a queue or an exchange"),
        (json!({ "to": { "queue": "x" } }), "there is no queue 'x' to move to"),
        (json!({ "to": { "queue": "q" } }), "a queue cannot be moved into itself"),
        (json!({ "to": { "exchange": "x" } }), "there is no exchange 'x' that may be published to"),
        (json!({ "to": {} }), "to must have a queue, or an exchange and perhaps a routing_key"),
        (
            json!({ "to": { "queue": "q" }, "rate": 0 }),
            "rate must be a number of messages a second, at least 0.1",
        ),
        (json!({ "to": { "queue": "q" }, "limit": -1 }), "limit must be a whole number, and not negative"),
        (
            json!({ "to": { "queue": "q" }, "fliter": {} }),
            "fliter is unknown; known are to, filter, limit, rate, dry_run",
        ),
        (
            json!({ "to": { "queue": "x" }, "filter": { "body": "x".repeat(17_000) } }),
            "a job is remembered with what was asked for, which may have 16384 bytes",
        ),
    ] {
        let answer = desk.ask("POST", MOVE, &order);
        assert_eq!((answer.status, answer.json()["reason"].clone()), (400, json!(reason)), "{order}");
    }
    assert_eq!(desk.get("/api/leveret/jobs"), json!([]));
}

#[test]
fn a_job_is_seen_in_its_virtual_host_and_cancelled_by_its_owner() {
    let desk = Desk::new();
    for name in ["owner", "other", "outsider"] {
        desk.add_user(name, "management");
        if name != "outsider" {
            desk.let_in(name, "%2F");
        }
    }
    declare(&desk, "q", &json!({}));
    declare(&desk, "to", &json!({}));
    for _ in 0..10 {
        publish(&desk, "", "q", &json!({}), "x");
    }
    let answer = desk.ask_as("owner", "POST", MOVE, &json!({ "to": { "queue": "to" }, "rate": 0.1 }));
    let place = answer.header("location").unwrap().to_owned();
    for (user, method, expected) in [
        ("outsider", "GET", 404),
        ("outsider", "DELETE", 404),
        ("other", "GET", 200),
        ("other", "DELETE", 401),
        ("owner", "DELETE", 204),
    ] {
        assert_eq!(desk.ask_as(user, method, &place, &Value::Null).status, expected, "{user} {method}");
    }
    assert_eq!(ended(&desk, &place)["state"], "cancelled");
}
