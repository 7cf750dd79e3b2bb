//! Which headers a binding matches, and under which of its conditions it is found.

use std::collections::BTreeSet;

use leveret_protocol::table::{TableBuf, TableBuilder};
use proptest::prelude::*;

use super::*;

fn table(entries: &[(&str, Value<'_>)]) -> TableBuf {
    entries.iter().fold(TableBuilder::new(), |table, (name, value)| table.value(name, *value)).finish()
}

fn binding(arguments: TableBuf, target: usize) -> Binding<usize> {
    Binding { target, key: Arc::from(""), arguments }
}

fn routed(exchange: &Headers<usize>, headers: &TableBuf) -> BTreeSet<usize> {
    let mut targets = BTreeSet::new();
    let message = Routable { headers: Some(headers.as_table()), ..Routable::with_key("") };
    exchange.route(&message, &mut |target| {
        targets.insert(*target);
    });
    targets
}

fn matches(arguments: &[(&str, Value<'_>)], headers: &[(&str, Value<'_>)]) -> bool {
    let mut exchange = Headers::default();
    exchange.bind(&binding(table(arguments), 1)).unwrap();
    !routed(&exchange, &table(headers)).is_empty()
}

const ANY: (&str, Value<'_>) = ("x-match", Value::LongStr(b"any"));
const ALL: (&str, Value<'_>) = ("x-match", Value::LongStr(b"all"));
const ANY_WITH_X: (&str, Value<'_>) = ("x-match", Value::LongStr(b"any-with-x"));
const ALL_WITH_X: (&str, Value<'_>) = ("x-match", Value::LongStr(b"all-with-x"));

#[test]
fn a_binding_matches_the_headers_that_it_matches_in_rabbitmq() {
    let a = ("a", Value::LongStr(b"1"));
    let b = ("b", Value::SignedInt(2));
    let x = ("x-c", Value::Bool(true));
    let cases: &[(&[_], &[_], bool)] = &[
        (&[], &[], true),
        (&[], &[a], true),
        (&[ALL], &[a], true),
        (&[ANY], &[], false),
        (&[ANY], &[a], false),
        (&[a, b], &[b, a, x], true),
        (&[a, b], &[a], false),
        (&[ALL, a, b], &[a, b], true),
        (&[ANY, a, b], &[b], true),
        (&[ANY, a, b], &[x], false),
        // Arguments that begin with x- are conditions only where the mode says so.
        (&[a, x], &[a], true),
        (&[ANY, x], &[x], false),
        (&[x], &[], true),
        (&[ALL_WITH_X, a, x], &[a], false),
        (&[ALL_WITH_X, a, x], &[a, x], true),
        (&[ANY_WITH_X, a, x], &[x], true),
        (&[ANY_WITH_X, a, x], &[b], false),
        (&[ALL_WITH_X], &[], true),
        (&[ANY_WITH_X], &[ANY_WITH_X], false),
        // Presence.
        (&[("a", Value::Void)], &[a], true),
        (&[("a", Value::Void)], &[("a", Value::Void)], true),
        (&[("a", Value::Void)], &[b], false),
        (&[ANY, ("a", Value::Void), b], &[a], true),
        (&[a], &[("a", Value::Void)], false),
        // Equality.
        (&[b], &[("b", Value::Long(2))], true),
        (&[b], &[("b", Value::UnsignedByte(2))], true),
        (&[b], &[("b", Value::Double(2.0))], false),
        (&[b], &[("b", Value::LongStr(b"2"))], false),
        (&[("f", Value::Float(0.5))], &[("f", Value::Double(0.5))], true),
        (&[("s", Value::Binary(b"z"))], &[("s", Value::LongStr(b"z"))], true),
        (&[("t", Value::Bool(true))], &[("t", Value::Byte(1))], false),
        (&[("t", Value::Timestamp(9))], &[("t", Value::Timestamp(9))], true),
        (&[a], &[("A", Value::LongStr(b"1"))], false),
        // A header that comes twice has its last value.
        (&[a], &[("a", Value::Void), a], true),
        (&[a], &[a, ("a", Value::Void)], false),
        (&[ANY, a], &[a, ("a", Value::Void)], false),
        // Arguments that come twice are two conditions.
        (&[a, ("a", Value::Void)], &[a], true),
        (&[a, ("a", Value::LongStr(b"2"))], &[a], false),
        (&[ANY, a, ("a", Value::LongStr(b"2"))], &[a], true),
    ];
    for (arguments, headers, expected) in cases {
        assert_eq!(matches(arguments, headers), *expected, "{arguments:?} {headers:?}");
    }
}

#[test]
fn an_x_match_that_means_nothing_is_refused_in_rabbitmqs_words() {
    for (value, text) in [
        (
            Value::LongStr(b"foo"),
            "Invalid x-match field value <<\"foo\">>; expected all, any, all-with-x, or any-with-x",
        ),
        (Value::SignedInt(5), "Invalid x-match field type signedint (value 5); expected longstr"),
        (Value::Void, "Invalid x-match field type void (value undefined); expected longstr"),
        (Value::Binary(b"all"), "Invalid x-match field type binary (value <<\"all\">>); expected longstr"),
    ] {
        let refused = Headers::default().bind(&binding(table(&[("x-match", value)]), 1)).unwrap_err();
        assert_eq!(refused.to_string(), text);
    }
}

#[test]
fn b62_a_binding_of_a_thousand_conditions_needs_each_of_them() {
    let names: Vec<String> = (0..1000).map(|n| format!("h{n}")).collect();
    let all: Vec<_> = names.iter().map(|name| (name.as_str(), Value::Bool(true))).collect();
    assert!(matches(&all, &all));
    assert!(!matches(&all, &all[1..]));
    assert!(!matches(&all, &all[..999]));
    let any: Vec<_> = all.iter().copied().chain([ANY]).collect();
    assert!(matches(&any, &all[999..]));
}

#[test]
fn bindings_that_share_a_condition_are_found_by_the_other() {
    let mut exchange = Headers::default();
    let arguments = |n| table(&[("kind", Value::LongStr(b"order")), ("zone", Value::Long(n))]);
    for (target, n) in (0..1000).enumerate() {
        exchange.bind(&binding(arguments(n), target)).unwrap();
    }
    assert!(exchange.filed.values().map(Targets::len).max() <= Some(2));
    assert_eq!(routed(&exchange, &arguments(0)), [0].into());
    assert_eq!(routed(&exchange, &arguments(999)), [999].into());
}

/// The rule as it is told.
fn naive(arguments: Table<'_>, headers: Table<'_>) -> bool {
    let (kind, with_x) = x_match(arguments).unwrap();
    let mut conditions = arguments
        .iter()
        .filter(|(name, _)| *name != "x-match" && (with_x || !name.starts_with("x-")))
        .map(|(name, value)| match (value, headers.get(name)) {
            (_, None) => false,
            (Value::Void, Some(_)) => true,
            (value, Some(header)) => Term::from(value) == Term::from(header),
        });
    if kind == Match::All { conditions.all(|holds| holds) } else { conditions.any(|holds| holds) }
}

fn entries() -> impl Strategy<Value = TableBuf> {
    let name = prop::sample::select(vec!["a", "b", "c", "x-d"]);
    let value = prop::sample::select(vec![
        Value::Void,
        Value::Byte(1),
        Value::Long(1),
        Value::Long(2),
        Value::LongStr(b"1"),
        Value::Bool(true),
    ]);
    prop::collection::vec((name, value), 0..5).prop_map(|entries| table(&entries))
}

fn arguments() -> impl Strategy<Value = TableBuf> {
    let mode = prop::option::of(prop::sample::select(vec![ALL, ANY, ALL_WITH_X, ANY_WITH_X]));
    (mode, entries()).prop_map(|(mode, entries)| {
        let table =
            mode.into_iter().fold(TableBuilder::new(), |table, (name, value)| table.value(name, value));
        table.entries(entries.as_table()).finish()
    })
}

proptest! {
    #[test]
    fn the_index_finds_what_a_search_of_all_bindings_finds(
        bindings in prop::collection::vec((arguments(), any::<bool>()), 0..30),
        messages in prop::collection::vec(entries(), 1..12),
    ) {
        let mut exchange = Headers::default();
        for (target, (arguments, _)) in bindings.iter().enumerate() {
            exchange.bind(&binding(arguments.clone(), target)).unwrap();
        }
        for (target, (arguments, stays)) in bindings.iter().enumerate() {
            if !stays {
                exchange.unbind(&binding(arguments.clone(), target));
            }
        }
        for headers in &messages {
            let expected: BTreeSet<usize> = bindings
                .iter()
                .enumerate()
                .filter(|(_, (arguments, stays))| *stays && naive(arguments.as_table(), headers.as_table()))
                .map(|(target, _)| target)
                .collect();
            prop_assert_eq!(routed(&exchange, headers), expected, "{:?}", headers);
        }
        for (target, (arguments, stays)) in bindings.iter().enumerate() {
            if *stays {
                exchange.unbind(&binding(arguments.clone(), target));
            }
        }
        prop_assert!(exchange.filed.is_empty() && exchange.unconditional.is_empty());
    }
}
