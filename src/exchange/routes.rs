//! The bindings of one exchange, and its router kept in step with them.

use std::sync::Arc;

use foldhash::{HashMap, HashSet};
use leveret_protocol::table::{Table, TableBuf, TableBuilder};

use super::binding::{Binding, InvalidBinding};
use super::exchange_type::ExchangeType;
use super::router::{Routable, Router, Target};
use crate::message::Message;

/// The bindings of one exchange. Whatever their number, binding and unbinding cost the same, and taking a target
/// out costs its own bindings.
pub struct Routes<T> {
    bindings: HashMap<T, HashSet<Binding<T>>>,
    len: usize,
    router: Box<dyn Router<T>>,
}

impl<T: Target> Routes<T> {
    /// No bindings yet, of an exchange of this type.
    pub fn new(exchange_type: ExchangeType) -> Self {
        Self::declared(exchange_type, Table::EMPTY)
    }

    /// The same, of an exchange that was declared with these arguments.
    pub fn declared(exchange_type: ExchangeType, arguments: Table<'_>) -> Self {
        let mut router = exchange_type.router();
        router.declared(arguments);
        Self { bindings: HashMap::default(), len: 0, router }
    }

    /// Adds a binding and gives it; nothing if it is there already, which changes nothing.
    ///
    /// # Errors
    /// The exchange's type cannot have such a binding.
    pub fn bind(
        &mut self,
        target: T,
        key: &str,
        arguments: Table<'_>,
    ) -> Result<Option<Binding<T>>, InvalidBinding> {
        let binding = binding(target, key, arguments);
        if self.contains(&binding) {
            return Ok(None);
        }
        self.router.bind(&binding)?;
        self.bindings.entry(binding.target.clone()).or_default().insert(binding.clone());
        self.len += 1;
        Ok(Some(binding))
    }

    /// Takes a binding out and gives it; nothing if there is no such binding.
    pub fn unbind(&mut self, target: &T, key: &str, arguments: Table<'_>) -> Option<Binding<T>> {
        let binding = binding(target.clone(), key, arguments);
        let bindings = self.bindings.get_mut(target)?;
        if !bindings.remove(&binding) {
            return None;
        }
        if bindings.is_empty() {
            self.bindings.remove(target);
        }
        self.router.unbind(&binding);
        self.len -= 1;
        Some(binding)
    }

    /// Takes out every binding that leads to `target`, and gives them.
    pub fn remove_target(&mut self, target: &T) -> Vec<Binding<T>> {
        let bindings = self.bindings.remove(target).unwrap_or_default();
        for binding in &bindings {
            self.router.unbind(binding);
        }
        self.len -= bindings.len();
        bindings.into_iter().collect()
    }

    /// Calls `found` with the target of every binding that the message matches, in no particular order. A target
    /// may be reported more than once.
    pub fn route(&self, message: &Routable<'_>, found: &mut dyn FnMut(&T)) {
        self.router.route(message, found);
    }

    /// The same, and gives at how many places it looked that need not lead anywhere.
    pub fn route_counting(&self, message: &Routable<'_>, found: &mut dyn FnMut(&T)) -> usize {
        self.router.route_counting(message, found)
    }

    /// Whether every message with the same routing key, and no other keys, goes to the same targets while the bindings
    /// stay as they are.
    pub fn holds_for_the_key(&self) -> bool {
        self.router.holds_for_the_key()
    }

    /// A message is published: an exchange with a memory keeps it.
    pub fn keep(&mut self, message: &Routable<'_>) {
        self.router.keep(message);
    }

    /// What a target is to get that is bound now, oldest first.
    pub fn history(&self) -> Vec<Message> {
        self.router.history()
    }

    /// Whether the exchange has no binding.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of bindings.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Every binding, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Binding<T>> {
        self.bindings.values().flatten()
    }

    /// Each target once, in no particular order.
    pub fn targets(&self) -> impl Iterator<Item = &T> {
        self.bindings.keys()
    }

    /// The bindings that lead to `target`, in no particular order.
    pub fn bindings_of(&self, target: &T) -> impl Iterator<Item = &Binding<T>> {
        self.bindings.get(target).into_iter().flatten()
    }

    /// Whether there is such a binding.
    pub fn has(&self, target: &T, key: &str, arguments: Table<'_>) -> bool {
        self.bindings.contains_key(target) && self.contains(&binding(target.clone(), key, arguments))
    }

    fn contains(&self, binding: &Binding<T>) -> bool {
        self.bindings.get(&binding.target).is_some_and(|bindings| bindings.contains(binding))
    }
}

fn binding<T>(target: T, key: &str, arguments: Table<'_>) -> Binding<T> {
    Binding { target, key: Arc::from(key), arguments: sorted(arguments) }
}

/// The arguments in the order of their names: as in RabbitMQ, their order makes no other binding.
fn sorted(arguments: Table<'_>) -> TableBuf {
    if arguments.iter().is_sorted_by_key(|(name, _)| name) {
        return arguments.to_owned();
    }
    let mut entries: Vec<_> = arguments.iter().collect();
    entries.sort_by_key(|(name, _)| *name);
    entries.into_iter().fold(TableBuilder::new(), |table, (name, value)| table.value(name, value)).finish()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeSet;
    use std::hash::{Hash, Hasher};

    use proptest::prelude::*;

    use super::*;
    use crate::exchange::TargetName;

    fn routed<T: Target + Ord>(routes: &Routes<T>, routing_key: &str) -> BTreeSet<T> {
        let mut targets = BTreeSet::new();
        routes.route(&Routable::with_key(routing_key), &mut |target| {
            targets.insert(target.clone());
        });
        targets
    }

    fn bound(exchange_type: ExchangeType, bindings: &[(&'static str, &str)]) -> Routes<&'static str> {
        let mut routes = Routes::new(exchange_type);
        for &(target, key) in bindings {
            assert!(routes.bind(target, key, Table::EMPTY).unwrap().is_some());
        }
        routes
    }

    #[test]
    fn each_type_chooses_its_targets() {
        let bindings = [("q1", "a"), ("q2", "a"), ("q2", "a.b"), ("q3", "a.*"), ("q4", "#")];
        for (exchange_type, key, expected) in [
            (ExchangeType::Direct, "a", &["q1", "q2"][..]),
            (ExchangeType::Direct, "a.b", &["q2"]),
            (ExchangeType::Direct, "#", &["q4"]),
            (ExchangeType::Direct, "A", &[]),
            (ExchangeType::Direct, "", &[]),
            (ExchangeType::Fanout, "whatever", &["q1", "q2", "q3", "q4"]),
            (ExchangeType::Topic, "a", &["q1", "q2", "q4"]),
            (ExchangeType::Topic, "a.b", &["q2", "q3", "q4"]),
            (ExchangeType::Headers, "whatever", &["q1", "q2", "q3", "q4"]),
        ] {
            let routes = bound(exchange_type, &bindings);
            assert_eq!(routed(&routes, key), expected.iter().copied().collect(), "{exchange_type} {key}");
        }
    }

    /// The types that take more than one binding key.
    fn with_keys() -> impl Iterator<Item = ExchangeType> {
        ExchangeType::ALL.iter().copied().filter(|exchange_type| *exchange_type != ExchangeType::LocalRandom)
    }

    /// A binding key that such a type takes: `key`, or a weight that stands for it.
    fn key_for(exchange_type: ExchangeType, key: &str) -> String {
        if exchange_type != ExchangeType::ConsistentHash {
            return key.to_owned();
        }
        let digit = |character| 1 + ".ab*#k0123456789".find(character).unwrap();
        (1 + key.chars().fold(0, |weight, character| 6 * weight + digit(character)) % 10_000).to_string()
    }

    #[test]
    fn a_binding_is_one_by_target_key_and_arguments_in_any_order() {
        let ab = TableBuilder::new().int("a", 1).int("b", 2).finish();
        let ba = TableBuilder::new().int("b", 2).int("a", 1).finish();
        for exchange_type in with_keys() {
            let (k, empty) = (&key_for(exchange_type, "k"), &key_for(exchange_type, ""));
            let mut routes = Routes::new(exchange_type);
            assert!(routes.bind("q", k, ab.as_table()).unwrap().is_some());
            assert_eq!(routes.bind("q", k, ba.as_table()), Ok(None));
            assert!(routes.bind("q", k, Table::EMPTY).unwrap().is_some());
            assert!(routes.bind("q", empty, Table::EMPTY).unwrap().is_some());
            assert_eq!(routes.len(), 3);
            assert_eq!(routes.unbind(&"other", k, Table::EMPTY), None);
            assert_eq!(routes.unbind(&"q", "nope", Table::EMPTY), None);
            assert!(routes.unbind(&"q", k, ba.as_table()).is_some());
            assert_eq!(routes.unbind(&"q", k, ab.as_table()), None);
            assert_eq!(routed(&routes, "k"), ["q"].into());
            assert_eq!(routes.remove_target(&"q").len(), 2);
            assert_eq!(routed(&routes, "k"), [].into());
            assert!(routes.is_empty() && routes.iter().next().is_none());
        }
    }

    #[test]
    fn a_refused_binding_leaves_nothing_behind() {
        let arguments = TableBuilder::new().string("x-match", "none").finish();
        for (exchange_type, key) in [
            (ExchangeType::Headers, ""),
            (ExchangeType::ConsistentHash, "0"),
            (ExchangeType::LocalRandom, "k"),
        ] {
            let mut routes = Routes::new(exchange_type);
            assert!(routes.bind("q", key, arguments.as_table()).is_err());
            assert!(routes.is_empty() && routes.bindings_of(&"q").next().is_none());
            assert_eq!(routes.unbind(&"q", key, arguments.as_table()), None);
            assert_eq!(routed(&routes, key), [].into());
        }
    }

    #[test]
    fn a_local_random_exchange_is_bound_to_without_a_key() {
        let mut routes = Routes::new(ExchangeType::LocalRandom);
        assert!(routes.bind("q1", "", Table::EMPTY).unwrap().is_some());
        assert!(routes.bind("q2", "", Table::EMPTY).unwrap().is_some());
        let found: BTreeSet<_> = (0..1000).flat_map(|_| routed(&routes, "whatever")).collect();
        assert_eq!(found, ["q1", "q2"].into());
        let refused = routes.bind("q3", "k", Table::EMPTY).unwrap_err();
        assert_eq!(refused.to_string(), "Non empty binding 'k' key not permitted");
        assert_eq!(routes.remove_target(&"q2").len(), 1);
        assert_eq!(routed(&routes, ""), ["q1"].into());
    }

    thread_local! {
        static COMPARED: Cell<usize> = const { Cell::new(0) };
    }

    /// A target that counts how often it is compared or hashed.
    #[derive(Debug, Clone)]
    struct Counted(usize);

    impl Target for Counted {
        fn name(&self) -> TargetName<'_> {
            TargetName::Queue(self.count().to_string().into())
        }
    }

    impl Counted {
        fn count(&self) -> usize {
            COMPARED.set(COMPARED.get() + 1);
            self.0
        }
    }

    impl PartialEq for Counted {
        fn eq(&self, other: &Self) -> bool {
            self.count() == other.0
        }
    }

    impl Eq for Counted {}

    impl Hash for Counted {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.count().hash(state);
        }
    }

    /// How often targets are compared or hashed when the number of targets, all with the same binding or each with
    /// one of its own, is bound, then taken out in turns by unbinding and by removing the target.
    fn compared(exchange_type: ExchangeType, targets: usize, same: bool) -> usize {
        let arguments = TableBuilder::new().int("a", 1).finish();
        let key = |n| key_for(exchange_type, &if same { "a.*.b".to_owned() } else { format!("a.{n}.#") });
        let mut routes = Routes::new(exchange_type);
        COMPARED.set(0);
        for n in 0..targets {
            assert!(routes.bind(Counted(n), &key(n), arguments.as_table()).unwrap().is_some());
        }
        for n in 0..targets {
            if n % 2 == 0 {
                assert!(routes.unbind(&Counted(n), &key(n), arguments.as_table()).is_some());
            } else {
                assert_eq!(routes.remove_target(&Counted(n)).len(), 1);
            }
        }
        assert!(routes.is_empty());
        COMPARED.get()
    }

    #[test]
    fn b66_a_bind_and_an_unbind_cost_the_same_among_any_number_of_bindings() {
        for exchange_type in with_keys() {
            for same in [true, false] {
                let few = compared(exchange_type, 100, same);
                let many = compared(exchange_type, 20_000, same);
                // Growing maps hash what they hold again, some more times than others.
                assert!(many < 2 * 200 * few, "{exchange_type} {same}: {few} for 100, {many} for 20,000");
            }
        }
    }

    #[test]
    fn removing_a_target_costs_its_own_bindings() {
        let mut routes = Routes::new(ExchangeType::Topic);
        for n in 0..10_000 {
            routes.bind(Counted(n % 100), &format!("{n}.*"), Table::EMPTY).unwrap();
        }
        COMPARED.set(0);
        assert_eq!(routes.remove_target(&Counted(7)).len(), 100);
        assert!(COMPARED.get() <= 1_000, "{}", COMPARED.get());
        assert_eq!(routes.len(), 9_900);
    }

    proptest! {
        #[test]
        fn the_bindings_and_the_router_stay_in_step(
            exchange_type in prop::sample::select(with_keys().collect::<Vec<_>>()),
            steps in prop::collection::vec((0..5_u8, 0..4_u8, "[ab#*]{0,1}(\\.[ab#*]){0,2}"), 0..80),
        ) {
            let mut routes = Routes::new(exchange_type);
            let mut model: BTreeSet<(u8, String)> = BTreeSet::new();
            for (step, target, key) in steps {
                let key = key_for(exchange_type, &key);
                match step {
                    0 => {
                        let before = model.len();
                        model.retain(|(other, _)| *other != target);
                        prop_assert_eq!(routes.remove_target(&target).len(), before - model.len());
                    }
                    1 => prop_assert_eq!(
                        routes.unbind(&target, &key, Table::EMPTY).is_some(),
                        model.remove(&(target, key))
                    ),
                    _ => prop_assert_eq!(
                        routes.bind(target, &key, Table::EMPTY).unwrap().is_some(),
                        model.insert((target, key))
                    ),
                }
                prop_assert_eq!(routes.len(), model.len());
                let listed: BTreeSet<_> = routes.iter().map(|b| (b.target, b.key.to_string())).collect();
                prop_assert_eq!(&listed, &model);
                prop_assert_eq!(
                    routes.bindings_of(&target).count(),
                    model.iter().filter(|(other, _)| *other == target).count()
                );
                // Routed over again from nothing, the same bindings find the same.
                let mut again = Routes::new(exchange_type);
                for (target, key) in &model {
                    prop_assert!(again.bind(*target, key, Table::EMPTY).unwrap().is_some());
                }
                for key in ["", "a", "b.a", "a.b.a"] {
                    let (found, expected) = (routed(&routes, key), routed(&again, key));
                    prop_assert!(found == expected || exchange_type == ExchangeType::Random && found.len() == 1);
                }
            }
        }
    }
}
