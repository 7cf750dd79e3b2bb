//! The headers exchange: a binding's arguments are conditions on a message's headers.
//!
//! `x-match` says how many must hold: `all` (without it too) or `any`, both of which leave out arguments that begin
//! with `x-`; `all-with-x` or `any-with-x`, which leave out none but `x-match`. A condition holds if the header has
//! the same value, whatever the width of a number, or, with a value of type void, if the header is there. No
//! conditions hold for `all` and not for `any`. This is RabbitMQ 4's rule, except that a timestamp equals the same
//! timestamp: there it equals a number a thousand times as large.
//!
//! Bindings are found by what a message carries rather than tried in turn: one for `all` is filed under one of its
//! conditions, one for `any` under each.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use foldhash::HashMap;
use foldhash::fast::RandomState;
use leveret_protocol::table::{ArrayBuf, ArrayBuilder, Table, Value};

use super::binding::{Binding, InvalidBinding};
use super::router::{Routable, Router, Target};
use super::targets::Targets;
use crate::term::Term;

/// The bindings of a headers exchange.
pub(super) struct Headers<T> {
    unconditional: Targets<T>,
    /// By the hash of a header's name and value, or of its name alone where any value will do. What else has the
    /// same hash is told apart when the conditions are checked.
    filed: HashMap<u64, Targets<Arc<Conditional<T>>>>,
    hasher: RandomState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Match {
    All,
    Any,
}

/// A binding with conditions.
struct Conditional<T> {
    binding: Binding<T>,
    kind: Match,
    /// In the order of their names.
    conditions: Vec<Condition>,
}

struct Condition {
    name: Box<str>,
    /// The value, alone in an array; none if any will do.
    value: Option<ArrayBuf>,
}

impl<T> Default for Headers<T> {
    fn default() -> Self {
        Self { unconditional: Targets::default(), filed: HashMap::default(), hasher: RandomState::default() }
    }
}

impl<T: Target> Router<T> for Headers<T> {
    fn bind(&mut self, binding: &Binding<T>) -> Result<(), InvalidBinding> {
        let conditional = Arc::new(Conditional::new(binding)?);
        if conditional.is_unconditional() {
            self.unconditional.add(&binding.target);
        }
        for condition in conditional.filing() {
            self.filed.entry(self.key(condition)).or_default().add(&conditional);
        }
        Ok(())
    }

    fn unbind(&mut self, binding: &Binding<T>) {
        let Ok(conditional) = Conditional::new(binding).map(Arc::new) else { return };
        if conditional.is_unconditional() {
            self.unconditional.remove(&binding.target);
        }
        for condition in conditional.filing() {
            let key = self.key(condition);
            let Some(filed) = self.filed.get_mut(&key) else { continue };
            filed.remove(&conditional);
            if filed.is_empty() {
                self.filed.remove(&key);
            }
        }
    }

    fn route(&self, message: &Routable<'_>, found: &mut dyn FnMut(&T)) {
        self.unconditional.iter().for_each(&mut *found);
        let headers = message.headers.unwrap_or_default();
        if self.filed.is_empty() {
            return;
        }
        let mut later = headers.iter();
        while let Some((name, value)) = later.next() {
            let term = Term::from(value);
            let filed =
                [self.hasher.hash_one((name, Some(term))), self.hasher.hash_one((name, None::<Term<'_>>))]
                    .map(|key| self.filed.get(&key));
            // Of a header that comes twice the last one counts.
            if filed.iter().all(Option::is_none) || later.clone().any(|(other, _)| other == name) {
                continue;
            }
            for conditional in filed.into_iter().flatten().flat_map(Targets::iter) {
                if conditional.matches(name, term, headers) {
                    found(&conditional.binding.target);
                }
            }
        }
    }
}

impl<T> Headers<T> {
    fn key(&self, condition: &Condition) -> u64 {
        self.hasher.hash_one((&*condition.name, condition.term()))
    }
}

impl<T: Clone> Conditional<T> {
    fn new(binding: &Binding<T>) -> Result<Self, InvalidBinding> {
        let arguments = binding.arguments.as_table();
        let (kind, with_x) = x_match(arguments)?;
        let mut conditions: Vec<Condition> = arguments
            .iter()
            .filter(|(name, _)| if with_x { *name != "x-match" } else { !name.starts_with("x-") })
            .map(|(name, value)| Condition::new(name, value))
            .collect();
        conditions.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { binding: binding.clone(), kind, conditions })
    }
}

impl<T> Conditional<T> {
    fn is_unconditional(&self) -> bool {
        self.kind == Match::All && self.conditions.is_empty()
    }

    /// The conditions under which to find it: one that asks for a value, if there is one, says most.
    fn filing(&self) -> &[Condition] {
        match self.kind {
            Match::Any => &self.conditions,
            Match::All => {
                let at = self.conditions.iter().position(|condition| condition.value.is_some()).unwrap_or(0);
                self.conditions.get(at..=at).unwrap_or_default()
            }
        }
    }

    /// Whether it matches `headers`, of which `name`, with the value `term`, has led here.
    fn matches(&self, name: &str, term: Term<'_>, headers: Table<'_>) -> bool {
        match self.kind {
            Match::Any => named(&self.conditions, name).any(|(_, condition)| condition.holds(term)),
            Match::All => self.conditions.chunks(64).all(|conditions| all_hold(conditions, headers)),
        }
    }
}

/// Whether each of at most 64 conditions holds. The headers are read once; the last one of a name decides.
fn all_hold(conditions: &[Condition], headers: Table<'_>) -> bool {
    let mut held = 0_u64;
    for (name, value) in headers {
        for (at, condition) in named(conditions, name) {
            held = held & !(1 << at) | u64::from(condition.holds(value.into())) << at;
        }
    }
    held.count_ones() as usize == conditions.len()
}

/// The conditions on the header `name`: one, or several of which only one can be about a value that the header has.
fn named<'a>(conditions: &'a [Condition], name: &str) -> impl Iterator<Item = (usize, &'a Condition)> {
    let first = conditions.partition_point(|condition| &*condition.name < name);
    let rest = conditions.iter().enumerate().skip(first);
    rest.take_while(move |(_, condition)| &*condition.name == name)
}

impl Condition {
    fn new(name: &str, value: Value<'_>) -> Self {
        let value = (value != Value::Void).then(|| ArrayBuilder::new().value(value).finish());
        Self { name: name.into(), value }
    }

    fn term(&self) -> Option<Term<'_>> {
        self.value.as_ref()?.as_array().iter().next().map(Term::from)
    }

    fn holds(&self, header: Term<'_>) -> bool {
        self.term().is_none_or(|term| term == header)
    }
}

/// What `x-match` asks for, and whether arguments that begin with `x-` are conditions.
fn x_match(arguments: Table<'_>) -> Result<(Match, bool), InvalidBinding> {
    match arguments.get("x-match") {
        None | Some(Value::LongStr(b"all")) => Ok((Match::All, false)),
        Some(Value::LongStr(b"any")) => Ok((Match::Any, false)),
        Some(Value::LongStr(b"all-with-x")) => Ok((Match::All, true)),
        Some(Value::LongStr(b"any-with-x")) => Ok((Match::Any, true)),
        Some(value @ Value::LongStr(_)) => Err(InvalidBinding::MatchValue(Term::from(value).to_string())),
        Some(value) => Err(InvalidBinding::MatchType(value.type_name(), Term::from(value).to_string())),
    }
}

/// Two are the same if they are of the same binding.
impl<T: PartialEq> PartialEq for Conditional<T> {
    fn eq(&self, other: &Self) -> bool {
        self.binding == other.binding
    }
}

impl<T: Eq> Eq for Conditional<T> {}

impl<T: Hash> Hash for Conditional<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.binding.hash(state);
    }
}

#[cfg(test)]
mod tests {
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
        let message = Routable { routing_key: "", headers: Some(headers.as_table()) };
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
            (
                Value::Binary(b"all"),
                "Invalid x-match field type binary (value <<\"all\">>); expected longstr",
            ),
        ] {
            let refused = Headers::default().bind(&binding(table(&[("x-match", value)]), 1)).unwrap_err();
            assert_eq!(refused.to_string(), text);
        }
    }

    #[test]
    fn a_binding_of_a_thousand_conditions_needs_each_of_them() {
        let names: Vec<String> = (0..1000).map(|n| format!("h{n}")).collect();
        let all: Vec<_> = names.iter().map(|name| (name.as_str(), Value::Bool(true))).collect();
        assert!(matches(&all, &all));
        assert!(!matches(&all, &all[1..]));
        assert!(!matches(&all, &all[..999]));
        let any: Vec<_> = all.iter().copied().chain([ANY]).collect();
        assert!(matches(&any, &all[999..]));
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
}
