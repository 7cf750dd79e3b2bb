//! The headers exchange: a binding's arguments are conditions on a message's headers.
//!
//! `x-match` says how many must hold: `all` (without it too) or `any`, both of which leave out arguments that begin
//! with `x-`; `all-with-x` or `any-with-x`, which leave out none but `x-match`. A condition holds if the header has
//! the same value, whatever the width of a number, or, with a value of type void, if the header is there. No
//! conditions hold for `all` and not for `any`. This is RabbitMQ 4's rule, except that a timestamp equals the same
//! timestamp: there it equals a number a thousand times as large.
//!
//! Bindings are found by what a message carries rather than tried in turn: one for `any` is filed under each of its
//! conditions, one for `all` under one, that with the fewest others: where all bindings ask for the same value of
//! one header and tell each other apart by a second, they come to lie under the second.

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
        match conditional.kind {
            Match::Any => {
                for condition in &conditional.conditions {
                    self.filed.entry(self.key(condition)).or_default().add(&conditional);
                }
            }
            Match::All => match self.least_filed(&conditional.conditions) {
                Some(key) => self.filed.entry(key).or_default().add(&conditional),
                None => self.unconditional.add(&binding.target),
            },
        }
        Ok(())
    }

    fn unbind(&mut self, binding: &Binding<T>) {
        let Ok(conditional) = Conditional::new(binding).map(Arc::new) else { return };
        if conditional.kind == Match::All && conditional.conditions.is_empty() {
            self.unconditional.remove(&binding.target);
        }
        for condition in &conditional.conditions {
            let key = self.key(condition);
            let Some(filed) = self.filed.get_mut(&key) else { continue };
            let removed = filed.remove(&conditional);
            if filed.is_empty() {
                self.filed.remove(&key);
            }
            if removed && conditional.kind == Match::All {
                return;
            }
        }
    }

    fn route(&self, message: &Routable<'_>, found: &mut dyn FnMut(&T)) {
        self.unconditional.iter().for_each(&mut *found);
        let headers = message.headers.unwrap_or_default();
        if self.filed.is_empty() {
            return;
        }
        let present = present(headers);
        for (name, term) in &present {
            let filed =
                [self.hasher.hash_one((name, Some(term))), self.hasher.hash_one((name, None::<Term<'_>>))];
            for conditional in filed.iter().filter_map(|key| self.filed.get(key)).flat_map(Targets::iter) {
                if conditional.matches(name, *term, &present) {
                    found(&conditional.binding.target);
                }
            }
        }
    }

    fn holds_for_the_key(&self) -> bool {
        false
    }
}

impl<T: Target> Headers<T> {
    /// The key of the condition under which the fewest bindings are filed.
    fn least_filed(&self, conditions: &[Condition]) -> Option<u64> {
        let keys = conditions.iter().map(|condition| self.key(condition));
        keys.min_by_key(|key| self.filed.get(key).map_or(0, Targets::len))
    }

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
    /// Whether it matches the headers `present`, of which `name`, with the value `term`, has led here.
    fn matches(&self, name: &str, term: Term<'_>, present: &[(&str, Term<'_>)]) -> bool {
        match self.kind {
            Match::Any => named(&self.conditions, name).any(|condition| condition.holds(term)),
            Match::All => self.conditions.iter().all(|condition| {
                let at = present.binary_search_by(|(name, _)| (*name).cmp(&condition.name));
                at.ok().and_then(|at| present.get(at)).is_some_and(|(_, term)| condition.holds(*term))
            }),
        }
    }
}

/// The headers of a message in the order of their names, read once however many bindings ask for them. Of one that
/// comes twice the last counts.
fn present(headers: Table<'_>) -> Vec<(&str, Term<'_>)> {
    let mut present: Vec<_> = headers.iter().map(|(name, value)| (name, Term::from(value))).collect();
    present.reverse();
    present.sort_by_key(|(name, _)| *name);
    present.dedup_by_key(|(name, _)| *name);
    present
}

/// The conditions on the header `name`: one, or several of which only one can be about a value that the header has.
fn named<'a>(conditions: &'a [Condition], name: &str) -> impl Iterator<Item = &'a Condition> {
    let first = conditions.partition_point(|condition| &*condition.name < name);
    conditions.iter().skip(first).take_while(move |condition| &*condition.name == name)
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

/// Why a binding matches these headers, or why not, in words.
pub(super) fn why<T: Clone>(binding: &Binding<T>, headers: Option<Table<'_>>) -> String {
    let Ok(Conditional { kind, conditions, .. }) = Conditional::new(binding) else {
        return "its arguments mean nothing".to_owned();
    };
    let present = present(headers.unwrap_or_default());
    let told = |condition: &Condition| {
        let name = &condition.name;
        let found = present.iter().find(|(known, _)| *known == &**name).map(|(_, term)| *term);
        match (condition.term(), found) {
            (_, None) => Err(format!("'{name}' is missing")),
            (Some(wanted), Some(found)) if wanted != found => {
                Err(format!("'{name}' has to be {} and is {}", shown(wanted), shown(found)))
            }
            (_, Some(_)) => Ok(format!("'{name}'")),
        }
    };
    let (met, unmet): (Vec<_>, Vec<_>) = conditions.iter().map(told).partition(Result::is_ok);
    let joined = |told: Vec<Result<String, String>>| {
        let told: Vec<String> = told.into_iter().map(|told| told.unwrap_or_else(|unmet| unmet)).collect();
        told.join("; ")
    };
    match kind {
        _ if conditions.is_empty() => match kind {
            Match::All => "no header is asked for".to_owned(),
            Match::Any => "no header is asked for, of which one has to be right".to_owned(),
        },
        Match::All if unmet.is_empty() => format!("all headers are as they are asked for: {}", joined(met)),
        Match::All => format!("all headers have to be as they are asked for: {}", joined(unmet)),
        Match::Any if met.is_empty() => {
            format!("one of the headers has to be as it is asked for: {}", joined(unmet))
        }
        Match::Any => format!("one of the headers has to be as it is asked for, and {} is", joined(met)),
    }
}

fn shown(term: Term<'_>) -> String {
    match term {
        Term::Binary(bytes) => format!("'{}'", String::from_utf8_lossy(bytes)),
        term => term.to_string(),
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
mod tests;
