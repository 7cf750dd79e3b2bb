//! What the key of a message is, which bindings can be, and where keys go.

use std::collections::BTreeMap;
use std::sync::Arc;

use leveret_protocol::properties::{Properties, PropertiesBuilder};
use leveret_protocol::table::{TableBuf, TableBuilder, Value};

use super::*;

fn binding(target: &'static str, key: &str) -> Binding<&'static str> {
    Binding { target, key: Arc::from(key), arguments: TableBuf::default() }
}

fn declared(arguments: &TableBuf, bindings: &[(&'static str, &str)]) -> ConsistentHash<&'static str> {
    let mut exchange = ConsistentHash::default();
    exchange.declared(arguments.as_table());
    for (target, key) in bindings {
        exchange.bind(&binding(target, key)).unwrap();
    }
    exchange
}

fn routed(exchange: &ConsistentHash<&'static str>, message: &Routable<'_>) -> Option<&'static str> {
    let mut targets = Vec::new();
    exchange.route(message, &mut |target| targets.push(*target));
    assert!(targets.len() <= 1, "{targets:?}");
    targets.pop()
}

/// Where the keys 0, 1, 2 ... go.
fn placed(exchange: &ConsistentHash<&'static str>, keys: usize) -> Vec<&'static str> {
    (0..keys).map(|n| routed(exchange, &Routable::with_key(&n.to_string())).unwrap()).collect()
}

fn shares(placed: &[&'static str]) -> BTreeMap<&'static str, usize> {
    let mut shares = BTreeMap::new();
    for target in placed {
        *shares.entry(*target).or_default() += 1;
    }
    shares
}

fn on(argument: &str, value: &str) -> TableBuf {
    TableBuilder::new().string(argument, value).finish()
}

#[test]
fn these_keys_lead_to_these_queues_for_ever() {
    let exchange = declared(&TableBuf::default(), &[("q0", "1"), ("q1", "2"), ("q2", "1"), ("q3", "3")]);
    let found = ["", "a", "b", "order.1", "order.2", "order.3", "order.4", "order.5"]
        .map(|key| routed(&exchange, &Routable::with_key(key)).unwrap());
    assert_eq!(found, ["q1", "q3", "q3", "q0", "q2", "q2", "q3", "q1"]);
}

#[test]
fn nothing_is_found_without_bindings() {
    let exchange = declared(&TableBuf::default(), &[]);
    assert_eq!(routed(&exchange, &Routable::with_key("a")), None);
}

#[test]
fn a_binding_key_is_a_weight_as_rabbitmq_reads_it() {
    let no_integer = |printed: &str| Err(format!("The binding key must be an integer: {printed}"));
    let too_small = || Err("The binding key must be greater than 0".to_owned());
    let too_large = || Err("The binding key must not exceed 10000".to_owned());
    for (key, expected) in [
        ("1", Ok(1)),
        ("+1", Ok(1)),
        ("007", Ok(7)),
        ("10000", Ok(10_000)),
        ("10001", too_large()),
        ("70000", too_large()),
        ("4294967297", too_large()),
        ("99999999999999999999", too_large()),
        ("0", too_small()),
        ("-0", too_small()),
        ("-1", too_small()),
        ("-99999999999999999999", too_small()),
        ("", no_integer("<<>>")),
        ("+", no_integer("<<\"+\">>")),
        ("-", no_integer("<<\"-\">>")),
        ("a", no_integer("<<\"a\">>")),
        ("1.5", no_integer("<<\"1.5\">>")),
        (" 1", no_integer("<<\" 1\">>")),
        ("1a", no_integer("<<\"1a\">>")),
    ] {
        assert_eq!(weight(key).map_err(|invalid| invalid.to_string()), expected, "{key:?}");
        let is_bound = ConsistentHash::default().bind(&binding("q", key)).is_ok();
        assert_eq!(is_bound, expected.is_ok(), "{key:?}");
    }
}

#[test]
fn keys_are_shared_by_weight() {
    let exchange = declared(&TableBuf::default(), &[("q1", "1"), ("q2", "2"), ("q3", "3")]);
    let shares = shares(&placed(&exchange, 6000));
    for (target, share) in [("q1", 1000_usize), ("q2", 2000), ("q3", 3000)] {
        assert!(shares[target].abs_diff(share) < 200, "{shares:?}");
    }
}

#[test]
fn one_binding_to_a_target_counts_and_it_is_the_same_in_any_order() {
    let lightest = placed(&declared(&TableBuf::default(), &[("q1", "1"), ("q2", "1")]), 500);
    for bindings in [[("q1", "1"), ("q1", "50")], [("q1", "50"), ("q1", "1")], [("q1", "1"), ("q1", "+1")]] {
        let mut exchange = declared(&TableBuf::default(), &[("q2", "1")]);
        for (target, key) in bindings {
            exchange.bind(&binding(target, key)).unwrap();
        }
        assert_eq!(placed(&exchange, 500), lightest, "{bindings:?}");
        // What is left counts when one goes, and the target goes with its last.
        exchange.unbind(&binding("q1", bindings[0].1));
        let left = declared(&TableBuf::default(), &[bindings[1], ("q2", "1")]);
        assert_eq!(placed(&exchange, 500), placed(&left, 500), "{bindings:?}");
        exchange.unbind(&binding("q1", bindings[1].1));
        assert_eq!(placed(&exchange, 500), ["q2"; 500], "{bindings:?}");
    }
}

#[test]
fn the_key_is_what_the_arguments_say() {
    let headers = |value: Value<'_>| TableBuilder::new().value("h", value).finish();
    let with_headers = |headers: &TableBuf| {
        PropertiesBuilder { headers: Some(headers.as_table()), ..PropertiesBuilder::default() }.finish()
    };
    let text = |correlation_id, message_id| {
        PropertiesBuilder { correlation_id, message_id, ..PropertiesBuilder::default() }.finish()
    };
    let at =
        |timestamp| PropertiesBuilder { timestamp: Some(timestamp), ..PropertiesBuilder::default() }.finish();
    let of = |on: &HashOn, routing_key: &str, properties: &[u8]| {
        let properties = Properties::parse(properties).unwrap();
        let headers = properties.headers();
        on.hash(&Routable { headers, properties, ..Routable::with_key(routing_key) })
    };
    let parse = |argument, value| HashOn::parse(on(argument, value).as_table()).unwrap();

    let key = HashOn::default();
    assert_eq!(of(&key, "a", &text(Some("x"), None)), of(&key, "a", &text(None, Some("y"))));
    assert_ne!(of(&key, "a", &[0, 0]), of(&key, "b", &[0, 0]));
    for (on, same, other) in [
        (
            parse("hash-header", "h"),
            with_headers(&headers(Value::LongStr(b"1"))),
            with_headers(&headers(Value::LongStr(b"2"))),
        ),
        (
            parse("hash-header", "h"),
            with_headers(&headers(Value::Byte(1))),
            with_headers(&headers(Value::LongStr(b"1"))),
        ),
        (parse("hash-property", "correlation_id"), text(Some("x"), None), text(Some("y"), None)),
        (parse("hash-property", "message_id"), text(None, Some("x")), text(None, Some("y"))),
        (parse("hash-property", "timestamp"), at(1), at(2)),
    ] {
        assert_eq!(of(&on, "a", &same), of(&on, "b", &same), "{on:?}");
        assert_ne!(of(&on, "a", &same), of(&on, "a", &other), "{on:?}");
        // Without it all go to the same, whatever their routing keys.
        assert_eq!(of(&on, "a", &[0, 0]), of(&on, "b", &[0, 0]), "{on:?}");
        assert_ne!(of(&on, "a", &[0, 0]), of(&on, "a", &same), "{on:?}");
    }
    let header = parse("hash-header", "h");
    for (one, other) in [
        (Value::Byte(5), Value::Long(5)),
        (Value::UnsignedShort(5), Value::Timestamp(5)),
        (Value::Float(0.5), Value::Double(0.5)),
        (Value::LongStr(b"a"), Value::Binary(b"a")),
    ] {
        let (one, other) = (with_headers(&headers(one)), with_headers(&headers(other)));
        assert_eq!(of(&header, "", &one), of(&header, "", &other));
    }
}

#[test]
fn only_routes_by_the_routing_key_hold_for_it() {
    for (arguments, holds) in [
        (TableBuf::default(), true),
        (on("hash-header", "h"), false),
        (on("hash-property", "timestamp"), false),
    ] {
        assert_eq!(declared(&arguments, &[]).holds_for_the_key(), holds, "{arguments:?}");
    }
}

#[test]
fn a_key_beside_the_routing_key_moves_no_message() {
    let exchange = declared(&TableBuf::default(), &[("q1", "1"), ("q2", "1"), ("q3", "1")]);
    for n in 0..100 {
        let key = n.to_string();
        let alone = Routable::with_key(&key);
        let copied = Routable { extra_keys: &["a", "b"], ..alone };
        assert_eq!(routed(&exchange, &copied), routed(&exchange, &alone));
    }
}

#[test]
fn arguments_that_cannot_be_are_refused_in_rabbitmqs_words() {
    let both = TableBuilder::new().string("hash-header", "h").string("hash-property", "nope").finish();
    let number = TableBuilder::new().int("hash-header", 1).finish();
    for (arguments, expected) in [
        (on("hash-property", "app_id"), "Unsupported property: app_id"),
        (on("hash-property", ""), "Unsupported property: "),
        (both, "hash-header and hash-property are mutually exclusive"),
        (number, "invalid type 'signedint' for arg 'hash-header' in exchange 'e' in vhost '/'"),
    ] {
        let invalid = HashOn::parse(arguments.as_table()).unwrap_err();
        assert_eq!(invalid.text("e", "/"), expected);
    }
}
