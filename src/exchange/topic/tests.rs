//! Which keys a pattern matches, what that costs, and what is left when patterns go.

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
    topic.route(&Routable::with_key(routing_key), &mut |target| targets.push(target.clone()));
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
    topic.route(&Routable::with_key("b.a"), &mut |_| {
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
fn b61_a_hostile_pattern_costs_no_more_than_its_length_times_the_keys() {
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
fn b61_many_hostile_patterns_together_cost_no_more_than_their_sum() {
    let patterns: Vec<String> =
        (1..60).flat_map(|n| [vec!["#.a"; n].join("."), format!("{}.b", vec!["#.a"; n].join("."))]).collect();
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
