//! How old messages are, and how long they wait.

use futures_lite::StreamExt as _;
use lapin::options::BasicAckOptions;
use serde_json::{Value, json};

use super::house::{Client, browse, declare, publish, until};
use crate::desk::Desk;

const AGES: &str = "/api/leveret/queues/%2F/q/ages";

/// How many messages were given by now, and how many of them waited longer than so many milliseconds for sure.
fn given(ages: &Value, longer_than: u64) -> (u64, u64) {
    let times = &ages["time_in_queue"];
    let mut from = 0;
    let mut longer = 0;
    for class in times["classes"].as_array().unwrap() {
        if from >= longer_than {
            longer += class["messages"].as_u64().unwrap();
        }
        from = class["up_to"].as_u64().unwrap_or(u64::MAX);
    }
    (times["messages"].as_u64().unwrap(), longer)
}

#[test]
fn the_oldest_message_of_any_priority_and_the_one_held_longest_are_known_by_their_ages() {
    let desk = Desk::new();
    declare(&desk, "q", &json!({ "x-max-priority": 5 }));
    let none = json!({ "oldest_ready_age": null, "oldest_unacked_age": null, "longest_held": null });
    let ages = desk.get(AGES);
    for (name, expected) in none.as_object().unwrap() {
        assert_eq!(&ages[name], expected, "{name}");
    }
    assert_eq!((given(&ages, 0), &ages["time_to_drain"]), ((0, 0), &json!(0)));
    publish(&desk, "", "q", &json!({ "priority": 1 }), "low");
    let age = |name: &str| desk.get(AGES)[name].as_u64();
    until("it does not grow old", || (age("oldest_ready_age") >= Some(150)).then_some(()));
    publish(&desk, "", "q", &json!({ "priority": 4 }), "high");
    assert!(age("oldest_ready_age") >= Some(150), "that of the lower priority is older");
    let client = Client::new(&desk);
    let mut consumer = client.consume("q", "c", 1);
    let high = client.run(consumer.next()).unwrap().unwrap();
    assert_eq!(high.data, b"high");
    until("it is not held for long", || (age("longest_held") >= Some(100)).then_some(()));
    let held = browse(&desk, "q", "state=unacked")["messages"][0]["held_for"].as_u64().unwrap();
    assert!(held >= 100, "{held}");
    client.run(high.acker.ack(BasicAckOptions::default())).unwrap();
    let low = client.run(consumer.next()).unwrap().unwrap();
    assert_eq!(low.data, b"low");
    let ages = desk.get(AGES);
    assert_eq!(ages["oldest_ready_age"], Value::Null);
    assert!(ages["oldest_unacked_age"].as_u64() >= Some(250), "{ages}");
    // One of them waited for long.
    let (all, longer) = given(&ages, 100);
    assert!(all == 2 && longer >= 1, "{ages}");
    assert!(ages["time_in_queue"]["mean"].as_u64() >= Some(100), "{ages}");
}

#[test]
fn a_message_that_is_got_counts_as_one_that_waited() {
    let desk = Desk::new();
    declare(&desk, "q", &json!({}));
    for _ in 0..3 {
        publish(&desk, "", "q", &json!({}), "x");
    }
    for (ackmode, expected) in [("ack_requeue_true", 3), ("ack_requeue_false", 6)] {
        let get = json!({ "count": 5, "ackmode": ackmode, "encoding": "auto" });
        desk.done("POST", "/api/queues/%2F/q/get", &get);
        assert_eq!(given(&desk.get(AGES), 0), (expected, expected), "{ackmode}");
    }
}
