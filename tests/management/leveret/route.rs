//! Where a message would go, and why.

use serde_json::{Value, json};

use super::house::{bodies, counts, declare, publish};
use crate::desk::Desk;

fn exchange(desk: &Desk, name: &str, kind: &str, arguments: &Value) {
    desk.done("PUT", &format!("/api/exchanges/%2F/{name}"), &json!({ "type": kind, "arguments": arguments }));
}

fn bind(desk: &Desk, source: &str, kind: &str, destination: &str, key: &str, arguments: &Value) {
    let path = format!("/api/bindings/%2F/e/{source}/{kind}/{destination}");
    desk.done("POST", &path, &json!({ "routing_key": key, "arguments": arguments }));
}

fn way(desk: &Desk, exchange: &str, asked: &Value) -> Value {
    let answer = desk.ask("POST", &format!("/api/leveret/exchanges/%2F/{exchange}/route"), asked);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// An exchange, how it was reached, and each binding's destination with whether it matches.
type Short = (String, String, Vec<(String, Value)>);

fn short(way: &Value) -> Vec<Short> {
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let steps = way["steps"].as_array().unwrap().iter();
    let bindings = |step: &Value| {
        let bindings = step["bindings"].as_array().unwrap().iter();
        bindings.map(|binding| (text(&binding["destination"]), binding["matches"].clone())).collect()
    };
    steps.map(|step| (text(&step["exchange"]), text(&step["reached_by"]), bindings(step))).collect()
}

#[test]
fn a_way_is_told_through_bindings_of_exchanges_and_alternate_exchanges() {
    let desk = Desk::new();
    for queue in ["eu", "all", "rest"] {
        declare(&desk, queue, &json!({}));
    }
    exchange(&desk, "orders", "topic", &json!({ "alternate-exchange": "lost" }));
    exchange(&desk, "region", "headers", &json!({ "alternate-exchange": "lost" }));
    exchange(&desk, "lost", "fanout", &json!({}));
    bind(&desk, "orders", "e", "region", "new.#", &json!({}));
    bind(&desk, "orders", "q", "all", "old.*", &json!({}));
    bind(&desk, "region", "q", "eu", "", &json!({ "continent": "eu" }));
    bind(&desk, "lost", "q", "rest", "", &json!({}));
    let eu = json!({ "routing_key": "new.car", "headers": { "continent": "eu" } });
    let told = way(&desk, "orders", &eu);
    assert_eq!((&told["queues"], &told["routed"]), (&json!(["eu"]), &json!(true)));
    let is = |name: &str, matches: bool| (name.to_owned(), json!(matches));
    assert_eq!(
        short(&told),
        [
            ("orders".into(), "publish".into(), vec![is("region", true), is("all", false)]),
            ("region".into(), "binding".into(), vec![is("eu", true)]),
        ]
    );
    assert_eq!(told["steps"][0]["bindings"][1]["why"], "the pattern 'old.*' does not match 'new.car'");
    let other = way(&desk, "orders", &json!({ "routing_key": "new.car", "headers": { "continent": "as" } }));
    assert_eq!(other["queues"], json!(["rest"]));
    let last = &other["steps"][2];
    assert_eq!(
        (&last["exchange"], &last["reached_by"], &last["from"]),
        (&json!("lost"), &json!("alternate-exchange"), &json!("region"))
    );
    assert_eq!(
        other["steps"][1]["bindings"][0]["why"],
        "all headers have to be as they are asked for: 'continent' has to be 'eu' and is 'as'"
    );
    // What is told is what happens, and telling published nothing.
    assert_eq!(counts(&desk, "eu")[2], 0);
    publish(&desk, "orders", "new.car", &json!({ "headers": { "continent": "eu" } }), "x");
    assert_eq!((bodies(&desk, "eu").len(), bodies(&desk, "rest").len()), (1, 0));
    publish(&desk, "orders", "none", &json!({}), "x");
    assert_eq!(bodies(&desk, "rest").len(), 1);
}

#[test]
fn a_way_that_ends_nowhere_or_waits_or_goes_round_says_so() {
    let desk = Desk::new();
    declare(&desk, "q", &json!({}));
    let nowhere = way(&desk, "amq.default", &json!({ "routing_key": "none" }));
    assert_eq!((&nowhere["routed"], &nowhere["queues"]), (&json!(false), &json!([])));
    assert_eq!(nowhere["steps"][0]["bindings"][0]["why"], "there is no queue of this name");
    let copied = way(&desk, "amq.default", &json!({ "routing_key": "none", "headers": { "CC": ["q"] } }));
    assert_eq!(copied["queues"], json!(["q"]));
    exchange(&desk, "a", "fanout", &json!({}));
    exchange(&desk, "b", "fanout", &json!({ "alternate-exchange": "missing" }));
    bind(&desk, "a", "e", "b", "", &json!({}));
    let missing = way(&desk, "a", &json!({}));
    assert_eq!(missing["missing_alternate_exchanges"], json!(["missing"]));
    bind(&desk, "b", "e", "a", "", &json!({}));
    assert_eq!(short(&way(&desk, "a", &json!({}))).len(), 2);
    exchange(&desk, "later", "x-delayed-message", &json!({ "x-delayed-type": "direct" }));
    bind(&desk, "later", "q", "q", "k", &json!({}));
    let waits = way(&desk, "later", &json!({ "routing_key": "k", "headers": { "x-delay": 5000 } }));
    assert_eq!((&waits["steps"][0]["waits_until_due"], &waits["queues"]), (&json!(true), &json!(["q"])));
    let drawn = json!({ "type": "x-random" });
    desk.done("PUT", "/api/exchanges/%2F/drawn", &drawn);
    bind(&desk, "drawn", "q", "q", "", &json!({}));
    let drawn = way(&desk, "drawn", &json!({}));
    assert_eq!(drawn["steps"][0]["bindings"][0]["matches"], Value::Null);
    desk.check(&[
        ("POST", "/api/leveret/exchanges/%2F/none/route", json!({}), 404, Value::Null),
        ("POST", "/api/leveret/exchanges/%2F/a/route", json!({ "routing_key": 5 }), 400, Value::Null),
    ]);
}
