//! The topic exchange: binding keys are patterns of words between dots, where `*` is one word and `#` any number.
//!
//! The patterns lie in a trie. A routing key is read once, word by word, while the set of nodes that its words so
//! far lead to is carried along: no node is in the set twice, so that no pattern, however many `#` it has, costs
//! more than its length times the key's. RabbitMQ 4.3.5 refuses patterns of more than two `#` for their cost; they
//! are accepted here, since older clients and definitions bind them.
//!
//! A node is entered by its parent's being in the set one word earlier, so once a word at most. Nodes for `#` are
//! the exception: one stays in the set when it has been entered, and may be met again if another `#` lies above
//! it. Only of those is it remembered that they have been entered.

mod trie;
mod words;

use std::cell::RefCell;

use foldhash::HashSet;

use self::trie::{ChildId, Node, ROOT, Trie};
use super::binding::{Binding, InvalidBinding};
use super::router::{Routable, Router, Target};

/// The patterns bound to a topic exchange.
pub(super) struct Topic<T>(Trie<T>);

impl<T> Default for Topic<T> {
    fn default() -> Self {
        Self(Trie::default())
    }
}

/// The nodes in the set, kept from one message to the next for its memory.
#[derive(Default)]
struct Active {
    /// Nodes for a word or `*` that the last word led to.
    nodes: Vec<usize>,
    /// Nodes that the next word leads to.
    next: Vec<usize>,
    /// The `#` after them, not entered yet.
    hashes: Vec<ChildId>,
    /// Nodes for `#` with words below them: any further words may pass before those.
    loops: Vec<usize>,
    /// Nodes for `#` below another `#` that are or were in `loops`.
    entered: HashSet<ChildId>,
}

/// Rooms for more nodes than this are given back after use.
const KEPT_MAX: usize = 16 * 1024;

thread_local! {
    static ACTIVE: RefCell<Active> = RefCell::default();
}

impl<T: Target> Router<T> for Topic<T> {
    fn bind(&mut self, binding: &Binding<T>) -> Result<(), InvalidBinding> {
        self.0.bind(&binding.key, &binding.target);
        Ok(())
    }

    fn unbind(&mut self, binding: &Binding<T>) {
        self.0.unbind(&binding.key, &binding.target);
    }

    fn route(&self, message: &Routable<'_>, found: &mut dyn FnMut(&T)) {
        ACTIVE.with(|active| match active.try_borrow_mut() {
            Ok(mut active) => self.walk(message.routing_key, &mut active, found),
            // `found` routes in turn.
            Err(_) => self.walk(message.routing_key, &mut Active::default(), found),
        });
    }
}

impl<T: Target> Topic<T> {
    fn walk(&self, key: &str, active: &mut Active, found: &mut dyn FnMut(&T)) {
        let mut left = trie::count(key);
        active.clear();
        self.enter(ROOT, left, &mut active.nodes, &mut active.hashes);
        self.enter_loops(active, found);
        for word in trie::words(key) {
            if active.nodes.is_empty() && active.loops.is_empty() {
                break;
            }
            left -= 1;
            self.step(word, left, active);
            self.enter_loops(active, found);
        }
        for node in active.nodes.iter().filter_map(|id| self.0.node(*id)) {
            node.targets.iter().for_each(&mut *found);
        }
        active.shrink();
    }

    /// Replaces the nodes in the set by those that `word` leads to, with `left` more words to come; loops stay.
    fn step(&self, word: &str, left: usize, active: &mut Active) {
        let word = self.0.words.get(word);
        let Active { nodes, next, hashes, loops, .. } = active;
        next.clear();
        for node in nodes.iter().filter_map(|id| self.0.node(*id)) {
            if let Some(child) = node.star {
                self.enter(child.get(), left, next, hashes);
            }
            if let Some(child) = word.and_then(|word| node.literal(word)) {
                self.enter(child.get(), left, next, hashes);
            }
        }
        if let Some(word) = word {
            for child in loops.iter().filter_map(|id| self.0.node(*id)?.literal(word)) {
                self.enter(child.get(), left, next, hashes);
            }
        }
        std::mem::swap(nodes, next);
    }

    #[inline]
    fn enter(&self, id: usize, left: usize, nodes: &mut Vec<usize>, hashes: &mut Vec<ChildId>) {
        if let Some(node) = self.0.node(id).filter(|node| node.can_match(left)) {
            nodes.push(id);
            if let Some(hash) = node.hash {
                hashes.push(hash);
            }
        }
    }

    /// Enters the `#` after each node in the set: it matches whatever follows, so its own targets are found.
    fn enter_loops(&self, active: &mut Active, found: &mut dyn FnMut(&T)) {
        let Active { hashes, loops, entered, .. } = active;
        for (id, node) in hashes.drain(..).filter_map(|id| Some((id, self.0.node(id.get())?))) {
            if node.hash_above.is_some() && !entered.insert(id) {
                continue;
            }
            node.targets.iter().for_each(&mut *found);
            if node.has_literals() {
                if loops.last().is_some_and(|last| self.covers(node, *last)) {
                    loops.pop();
                }
                loops.push(id.get());
            }
        }
    }

    /// Whether all that the loop `last` can still find lies below `node`, a later `#` of the same patterns, which
    /// is then the only one to follow: what makes a pattern of many `#` cost no more than one of few.
    fn covers(&self, node: &Node<T>, last: usize) -> bool {
        node.hash_above.is_some_and(|above| above.get() == last)
            && self.0.node(last).is_some_and(|above| above.bindings == node.bindings)
    }
}

impl Active {
    /// Empties the set, also of what a panic may have left in it.
    fn clear(&mut self) {
        self.nodes.clear();
        self.hashes.clear();
        self.loops.clear();
        if !self.entered.is_empty() {
            self.entered.clear();
        }
    }

    fn shrink(&mut self) {
        let rooms = self.nodes.capacity() + self.next.capacity() + self.loops.capacity();
        if rooms + self.hashes.capacity() + self.entered.capacity() > KEPT_MAX {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use leveret_protocol::table::TableBuf;
    use proptest::prelude::*;

    use super::*;

    fn binding<T>(key: &str, target: T) -> Binding<T> {
        Binding { target, key: Arc::from(key), arguments: TableBuf::default() }
    }

    fn bound(keys: &[&str]) -> Topic<usize> {
        let mut topic = Topic::default();
        for (target, key) in keys.iter().enumerate() {
            topic.bind(&binding(key, target)).unwrap();
        }
        topic
    }

    /// What is found, each as often as it is.
    fn routed<T: Target + Ord>(topic: &Topic<T>, routing_key: &str) -> Vec<T> {
        let mut targets = Vec::new();
        topic.route(&Routable { routing_key, headers: None }, &mut |target| targets.push(target.clone()));
        targets.sort_unstable();
        targets
    }

    fn matches(pattern: &str, key: &str) -> bool {
        !routed(&bound(&[pattern]), key).is_empty()
    }

    /// The rule as it is told, word by word.
    fn naive(pattern: &[&str], key: &[&str]) -> bool {
        match (pattern, key) {
            ([], key) => key.is_empty(),
            (["#", rest @ ..], key) => (0..=key.len()).any(|skipped| naive(rest, &key[skipped..])),
            (["*", rest @ ..], [_, words @ ..]) => naive(rest, words),
            ([word, rest @ ..], [first, words @ ..]) => word == first && naive(rest, words),
            (_, []) => false,
        }
    }

    fn naively_matches(pattern: &str, key: &str) -> bool {
        let words = |key| trie::words(key).collect::<Vec<_>>();
        naive(&words(pattern), &words(key))
    }

    #[test]
    fn a_pattern_matches_the_keys_that_it_matches_in_rabbitmq() {
        for (pattern, key, expected) in [
            ("*.stock.#", "usd.stock", true),
            ("*.stock.#", "stock", false),
            ("*.stock.#", "eur.stock.db.nyse", true),
            ("usd.stock", "usd.stock", true),
            ("usd.stock", "usd.stock.db", false),
            ("usd", "USD", false),
            ("#", "", true),
            ("#", "a", true),
            ("#", "..", true),
            ("", "", true),
            ("", "a", false),
            ("", ".", false),
            ("*", "", false),
            ("*", "a", true),
            ("*", ".", false),
            ("*.*", ".", true),
            ("*.#", "", false),
            ("#.*", "", false),
            ("#.", "", false),
            (".#", "", false),
            (".#", ".", true),
            ("#.", ".", true),
            ("#.", "a.", true),
            ("#.", "a", false),
            (".", ".", true),
            (".a", ".a", true),
            (".a", "a", false),
            ("a.", "a.", true),
            ("a.", "a", false),
            ("a..b", "a..b", true),
            ("a..b", "a.b", false),
            ("a.*.b", "a..b", true),
            ("a.#.b", "a.b", true),
            ("a.#.b", "a..b", true),
            ("#.a.#", "b.a.c", true),
            ("#.a.#", "b.c", false),
            ("#.#", "", true),
            ("#.*.#", "a", true),
            ("#.*.#", "", false),
            ("a*", "ab", false),
            ("a*", "a*", true),
            ("##", "##", true),
            ("##", "a", false),
            ("a", "#", false),
            ("a", "*", false),
            ("*", "#", true),
            ("#", "*.#", true),
        ] {
            assert_eq!(matches(pattern, key), expected, "{pattern:?} {key:?}");
            assert_eq!(naively_matches(pattern, key), expected, "{pattern:?} {key:?}");
        }
    }

    #[test]
    fn equal_bindings_are_unbound_one_by_one() {
        let mut topic = bound(&[]);
        for _ in 0..2 {
            topic.bind(&binding("a.#", 7)).unwrap();
        }
        topic.unbind(&binding("a.#", 7));
        assert_eq!(routed(&topic, "a.b"), [7]);
        topic.unbind(&binding("a.#", 7));
        assert_eq!(routed(&topic, "a.b"), [0_usize; 0]);
        topic.unbind(&binding("a.#", 7));
    }

    #[test]
    fn nothing_is_left_of_patterns_that_have_gone() {
        let mut topic = bound(&["stay.#"]);
        let (nodes, words) = (topic.0.nodes(), topic.0.words.len());
        for round in 0..3 {
            let keys: Vec<String> = (0..1000).map(|n| format!("a.{n}.*.{}.#.{round}", n % 7)).collect();
            for (target, key) in keys.iter().enumerate() {
                topic.bind(&binding(key, target)).unwrap();
            }
            for (target, key) in keys.iter().enumerate() {
                topic.unbind(&binding(key, target));
            }
            assert_eq!((topic.0.nodes(), topic.0.words.len()), (nodes, words));
        }
        assert_eq!(routed(&topic, "stay.there"), [0]);
    }

    #[test]
    fn a_target_may_route_on_while_it_is_found() {
        let topic = bound(&["#.a", "#"]);
        let mut inner = 0;
        topic.route(&Routable { routing_key: "b.a", headers: None }, &mut |_| {
            inner += routed(&topic, "a").len();
        });
        assert_eq!(inner, 4);
    }

    /// The nodes that were looked at for a message.
    fn visits(patterns: &[&str], key: &str) -> usize {
        let topic = bound(patterns);
        let (mut active, mut visits) = (Active::default(), 0);
        let mut left = trie::count(key);
        topic.enter(ROOT, left, &mut active.nodes, &mut active.hashes);
        topic.enter_loops(&mut active, &mut |_| ());
        for word in trie::words(key) {
            left -= 1;
            visits += active.nodes.len() + active.loops.len();
            topic.step(word, left, &mut active);
            topic.enter_loops(&mut active, &mut |_| ());
        }
        visits
    }

    #[test]
    fn a_hostile_pattern_costs_no_more_than_its_length_times_the_keys() {
        let key = vec!["a"; 127].join(".");
        let other = format!("{}.b", vec!["a"; 126].join("."));
        let repeated = |part: &str, times| vec![part; times].join(".");
        for pattern in [
            repeated("#", 127),
            repeated("*.#", 63),
            repeated("#.a", 63),
            repeated("#.a.*", 42),
            repeated("*.#.a", 42),
            format!("#.{}", repeated("a", 126)),
            format!("#.{}.#", repeated("a", 125)),
            format!("#.{}.b.#", repeated("a", 62)),
            format!("#.{0}.#.{0}.#", repeated("a", 62)),
            format!("{}.c", repeated("#.a", 63)),
        ] {
            for key in [&key, &other] {
                let visits = visits(&[&pattern], key);
                assert!(visits <= 5_000, "{visits} visits for {pattern}");
            }
        }
    }

    #[test]
    fn many_hostile_patterns_together_cost_no_more_than_their_sum() {
        let patterns: Vec<String> = (1..60)
            .flat_map(|n| [vec!["#.a"; n].join("."), format!("{}.b", vec!["#.a"; n].join("."))])
            .collect();
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let key = vec!["a"; 127].join(".");
        assert!(visits(&patterns, &key) <= 2 * 60 * 127);
        assert_eq!(routed(&bound(&patterns), &key).len(), 59);
    }

    #[test]
    fn a_message_looks_at_as_many_nodes_among_10000_bindings_as_among_ten() {
        let visits_among = |count| {
            let patterns: Vec<String> = (0..count)
                .map(|n| match n % 3 {
                    0 => format!("stock.{n}.*"),
                    1 => format!("stock.{n}.#"),
                    _ => format!("*.{n}.nyse"),
                })
                .collect();
            visits(&patterns.iter().map(String::as_str).collect::<Vec<_>>(), "stock.4.nyse")
        };
        assert_eq!(visits_among(10), visits_among(10_000));
    }

    fn key(words: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(words), 0..=most).prop_map(|words| words.join("."))
    }

    proptest! {
        #[test]
        fn the_trie_finds_what_a_search_of_all_patterns_finds(
            steps in prop::collection::vec(
                (0..4_u8, key(&["a", "b", "", "*", "#", "#"], 6), 0..4_usize), 1..60
            ),
            keys in prop::collection::vec(key(&["a", "b", "c", "", "*", "#"], 7), 1..12),
        ) {
            let mut topic = Topic::default();
            let mut model: BTreeSet<(String, usize)> = BTreeSet::new();
            for (kind, pattern, target) in steps {
                // Mostly binds; the others take out one that is there, whatever the pattern drawn.
                if kind > 0 {
                    if model.insert((pattern.clone(), target)) {
                        topic.bind(&binding(&pattern, target)).unwrap();
                    }
                } else if let Some((pattern, target)) = model.pop_last() {
                    topic.unbind(&binding(&pattern, target));
                }
                for key in &keys {
                    let found: BTreeSet<usize> = routed(&topic, key).into_iter().collect();
                    let expected: BTreeSet<usize> = model
                        .iter()
                        .filter(|(pattern, _)| naively_matches(pattern, key))
                        .map(|(_, target)| *target)
                        .collect();
                    prop_assert_eq!(found, expected, "{} among {:?}", key, model);
                }
            }
        }
    }
}
