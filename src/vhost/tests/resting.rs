//! Where dead letters come to rest.

use foldhash::HashSet;
use leveret_protocol::table::TableBuilder;

use super::*;
use crate::queue::QueueId;

/// A queue, the exchange of its dead letters and their routing key.
type Sender<'a> = (&'a str, &'a str, Option<&'a str>);
/// An exchange, its type and the queues that are bound to it, each with a key.
type Bound<'a> = (&'a str, ExchangeType, &'a [(&'a str, &'a str)]);
/// What it is about, and the names of the queues where dead letters rest.
type Case<'a> = (&'a str, &'a [Sender<'a>], &'a [Bound<'a>], &'a [&'a str]);

fn vhost(senders: &[Sender<'_>], exchanges: &[Bound<'_>]) -> Vhost {
    let vhost = Vhost::new(VhostName::from("/"));
    let declare = |name: &str, arguments| {
        let options = QueueOptions::restored(false, arguments);
        vhost.queue_declare(Some(QueueName::from(name)), &options, MINE).unwrap();
    };
    for (queue, exchange, key) in senders {
        let arguments = TableBuilder::new().string("x-dead-letter-exchange", exchange);
        let arguments = match key {
            Some(key) => arguments.string("x-dead-letter-routing-key", key),
            None => arguments,
        };
        declare(queue, arguments.finish());
    }
    for (name, exchange_type, bound) in exchanges {
        vhost.exchange_declare(&ExchangeName::from(*name), ExchangeOptions::durable(*exchange_type)).unwrap();
        for (queue, key) in *bound {
            if vhost.queues().get(queue).is_none() {
                declare(queue, Table::EMPTY.to_owned());
            }
            let destination = Destination::Queue(queue, MINE);
            let ends = BindingEnds { source: name, destination, binding_key: key, arguments: Table::EMPTY };
            vhost.bind(&ends).unwrap();
        }
    }
    vhost
}

fn resting(vhost: &Vhost) -> Vec<String> {
    names_of(vhost, &vhost.resting_places())
}

fn names_of(vhost: &Vhost, places: &HashSet<QueueId>) -> Vec<String> {
    let queues = vhost.queues().all().into_iter();
    let mut names: Vec<String> =
        queues.filter(|queue| places.contains(&queue.id())).map(|queue| queue.name().to_string()).collect();
    names.sort_unstable();
    names
}

#[test]
fn dead_letters_rest_where_those_of_other_queues_come_and_go_no_further() {
    use ExchangeType::{Direct, Fanout, Headers, Random, Topic};
    let cases: [Case<'_>; 10] = [
        (
            "by name",
            &[("work", "", Some("dead"))],
            &[("x", Fanout, &[("dead", ""), ("other", "")])],
            &["dead"],
        ),
        (
            "a key of their own, to what is bound by it",
            &[("work", "x", Some("a"))],
            &[("x", Direct, &[("dead", "a"), ("other", "b")])],
            &["dead"],
        ),
        (
            "a key that they keep",
            &[("work", "x", None)],
            &[("x", Topic, &[("dead", "a"), ("other", "b.#")])],
            &["dead", "other"],
        ),
        (
            "more than the key",
            &[("work", "x", Some("a"))],
            &[("x", Headers, &[("dead", "a"), ("other", "b")])],
            &["dead", "other"],
        ),
        (
            "by chance",
            &[("work", "x", Some("a"))],
            &[("x", Random, &[("dead", ""), ("other", "")])],
            &["dead", "other"],
        ),
        ("around, to be tried again", &[("work", "", Some("wait")), ("wait", "", Some("work"))], &[], &[]),
        (
            "around, and out of it",
            &[("work", "", Some("wait")), ("wait", "x", Some("a"))],
            &[("x", Fanout, &[("work", ""), ("dead", "")])],
            &["dead"],
        ),
        (
            "by a policy for all queues, also for the last one",
            &[("one", "x", None), ("two", "x", None), ("dead", "x", None)],
            &[("x", Fanout, &[("dead", "")])],
            &["dead"],
        ),
        (
            "only to where they come from",
            &[("dead", "", Some("dead"))],
            &[("x", Fanout, &[("other", "")])],
            &[],
        ),
        ("nowhere", &[("work", "gone", None), ("two", "", None)], &[("x", Fanout, &[("other", "")])], &[]),
    ];
    for (case, senders, exchanges, expected) in cases {
        assert_eq!(resting(&vhost(senders, exchanges)), expected, "{case}");
    }
}

#[test]
fn dead_letters_are_followed_through_exchanges_and_alternates_in_a_circle() {
    let vhost = vhost(
        &[("work", "one", Some("a"))],
        &[("one", ExchangeType::Direct, &[("other", "b")]), ("two", ExchangeType::Fanout, &[("dead", "")])],
    );
    assert_eq!(resting(&vhost), [""; 0]);
    let bind = |source, destination| {
        let destination = Destination::Exchange(destination);
        let ends = BindingEnds { source, destination, binding_key: "a", arguments: Table::EMPTY };
        vhost.bind(&ends).unwrap();
    };
    bind("one", "two");
    bind("two", "one");
    assert_eq!(resting(&vhost), ["dead"]);
    let options = ExchangeOptions {
        alternate_exchange: Some(ExchangeName::from("two")),
        ..ExchangeOptions::durable(ExchangeType::Direct)
    };
    vhost.exchange_declare(&ExchangeName::from("three"), options).unwrap();
    let arguments = TableBuilder::new().string("x-dead-letter-exchange", "three");
    let arguments = arguments.string("x-dead-letter-routing-key", "z").finish();
    vhost.queue_delete("work", MINE, false, false).unwrap();
    assert_eq!(resting(&vhost), [""; 0]);
    let options = QueueOptions::restored(false, arguments);
    vhost.queue_declare(Some(QueueName::from("work")), &options, MINE).unwrap();
    assert_eq!(resting(&vhost), ["dead"]);
}

#[test]
fn many_keys_that_lead_to_many_queues_are_not_followed_to_each() {
    use ExchangeType::{Direct, Fanout, Topic};
    let names: Vec<[String; 2]> = (0..50).map(|n| [format!("work{n}"), format!("dead{n}")]).collect();
    let by_name = |binding_key: Option<&'static str>| {
        let key = |work| binding_key.unwrap_or(work);
        names.iter().map(|[work, dead]| (dead.as_str(), key(work.as_str()))).collect::<Vec<_>>()
    };
    let senders: Vec<Sender<'_>> =
        names.iter().map(|[work, _]| (work.as_str(), "x", Some(work.as_str()))).collect();
    let mut dead: Vec<&str> = names.iter().map(|[_, dead]| dead.as_str()).collect();
    dead.sort_unstable();
    // Of each key: the exchange, and what is found there, with where a topic exchange looks for the only word.
    let each = |found: usize| 50 * (1 + found);
    for (exchange_type, binding_key, visits_max, expected) in [
        (Direct, None, 0, Some(each(1))),
        (Fanout, Some(""), 1_000_000, Some(0)),
        (Topic, Some("#"), 1_000_000, Some(each(51))),
        (Topic, Some("#"), each(51), Some(each(51))),
        // Given up, at the latest with the last key.
        (Topic, Some("#"), each(51) - 1, None),
    ] {
        let vhost = vhost(&senders, &[("x", exchange_type, &by_name(binding_key))]);
        let (places, visits) = vhost.resting_places_within(visits_max);
        assert!(
            expected.map_or(visits > visits_max, |expected| visits == expected),
            "{exchange_type}: {visits}"
        );
        assert_eq!(names_of(&vhost, &places), dead.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    }
}

/// A virtual host whose queues send their dead letters, each with a key of its own, to a topic exchange that takes all of
/// these keys to many exchanges, and to a queue for the key of the first one only.
fn a_hub(queues: usize, exchanges: usize, patterns: impl Fn(usize) -> String) -> Vhost {
    let names: Vec<[String; 2]> = (0..queues).map(|n| [format!("work{n}"), format!("a.b.{n}")]).collect();
    let senders: Vec<Sender<'_>> =
        names.iter().map(|[queue, key]| (queue.as_str(), "hub", Some(key.as_str()))).collect();
    let bound = [("dead", "a.b.0"), ("other", "a.b.none")];
    let vhost = vhost(&senders, &[("hub", ExchangeType::Topic, &bound)]);
    for n in 0..exchanges {
        let name = format!("to{n}");
        vhost
            .exchange_declare(&ExchangeName::from(&*name), ExchangeOptions::durable(ExchangeType::Fanout))
            .unwrap();
        let destination = Destination::Exchange(&name);
        let key = patterns(n);
        let ends = BindingEnds { source: "hub", destination, binding_key: &key, arguments: Table::EMPTY };
        vhost.bind(&ends).unwrap();
    }
    vhost
}

#[test]
fn whatever_is_visited_for_a_key_counts() {
    // Exchanges that lead nowhere; patterns that begin as the keys do and match none of them, half of a tree of words.
    let leading_on = |_| "#".to_owned();
    let words = |n: usize| {
        let word = |bit: usize, word| if n >> bit & 1 == 0 { "*" } else { word };
        format!("{}.{}.#.end{n}", word(0, "a"), word(1, "b"))
    };
    for (what, vhost, least) in [
        ("exchanges", a_hub(10, 100, leading_on), 10 * (1 + 2 * 100)),
        ("words", a_hub(10, 100, words), 10 * (1 + 4)),
    ] {
        let (places, visits) = vhost.resting_places_within(usize::MAX);
        assert_eq!(names_of(&vhost, &places), ["dead"], "{what}");
        assert!(visits >= least, "{what}: {visits}");
        // One less: what all keys may reach is what is left to say.
        let (places, _) = vhost.resting_places_within(visits - 1);
        assert_eq!(names_of(&vhost, &places), ["dead", "other"], "{what}");
    }
}

#[test]
fn what_is_given_up_for_one_exchange_is_not_begun_for_the_next() {
    let vhost = a_hub(10, 100, |_| "#".to_owned());
    let arguments = |exchange: &str| {
        let arguments = TableBuilder::new().string("x-dead-letter-exchange", exchange);
        arguments.string("x-dead-letter-routing-key", "k").finish()
    };
    for n in 0..100 {
        let options = QueueOptions::restored(false, arguments(&format!("from{n}")));
        let exchange = ExchangeName::from(&*format!("from{n}"));
        vhost.exchange_declare(&exchange, ExchangeOptions::durable(ExchangeType::Direct)).unwrap();
        vhost.queue_declare(Some(QueueName::from(&*format!("queue{n}"))), &options, MINE).unwrap();
        let destination = Destination::Exchange("hub");
        let ends =
            BindingEnds { source: exchange.as_str(), destination, binding_key: "k", arguments: Table::EMPTY };
        vhost.bind(&ends).unwrap();
    }
    // Each of the hundred would go on to a hundred exchanges, and those of the hub ten times.
    let (places, visits) = vhost.resting_places_within(300);
    assert!((301..300 + 110).contains(&visits), "{visits}");
    assert_eq!(names_of(&vhost, &places), ["dead", "other"]);
}

#[test]
fn dead_letters_without_a_known_key_end_where_each_sender_by_itself_says() {
    // Found by following each sender, as far as it goes.
    let mut random = 7_u64;
    let mut draw = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % below
    };
    for round in 0..300 {
        let (exchanges, queues) = (1 + draw(5), 1 + draw(6));
        let exchange_names: Vec<String> = (0..exchanges).map(|n| format!("x{n}")).collect();
        let queue_names: Vec<String> = (0..queues).map(|n| format!("q{n}")).collect();
        let sent_to: Vec<Option<usize>> = (0..queues).map(|_| draw(exchanges + 1).checked_sub(1)).collect();
        let senders: Vec<Sender<'_>> = (0..queues)
            .filter_map(|n| Some((queue_names[n].as_str(), exchange_names[sent_to[n]?].as_str(), None)))
            .collect();
        let bound: Vec<Vec<usize>> =
            (0..exchanges).map(|_| (0..draw(3)).map(|_| draw(queues)).collect()).collect();
        let edges: Vec<Vec<usize>> =
            (0..exchanges).map(|_| (0..draw(3)).map(|_| draw(exchanges)).collect()).collect();
        let bound_names: Vec<Vec<(&str, &str)>> =
            bound.iter().map(|to| to.iter().map(|n| (queue_names[*n].as_str(), "k")).collect()).collect();
        let declared: Vec<Bound<'_>> = (0..exchanges)
            .map(|n| (exchange_names[n].as_str(), ExchangeType::Topic, bound_names[n].as_slice()))
            .collect();
        let vhost = vhost(&senders, &declared);
        for (from, next) in edges.iter().enumerate() {
            for to in next {
                let destination = Destination::Exchange(&exchange_names[*to]);
                let source = &exchange_names[from];
                let ends = BindingEnds { source, destination, binding_key: "k", arguments: Table::EMPTY };
                vhost.bind(&ends).unwrap();
            }
        }
        let reach = |source: usize| {
            let (mut to_visit, mut seen, mut reached) = (vec![source], vec![source], Vec::new());
            while let Some(at) = to_visit.pop() {
                reached.extend(&bound[at]);
                let new: Vec<usize> = edges[at].iter().copied().filter(|to| !seen.contains(to)).collect();
                seen.extend(&new);
                to_visit.extend(new);
            }
            reached
        };
        let goes: Vec<Vec<usize>> = sent_to.iter().map(|to| to.map(reach).unwrap_or_default()).collect();
        let is_station = |queue: usize| goes[queue].iter().any(|to| *to != queue);
        let is_end = |queue: usize| (0..queues).any(|from| from != queue && goes[from].contains(&queue));
        let expected: Vec<&str> =
            (0..queues).filter(|n| is_end(*n) && !is_station(*n)).map(|n| queue_names[n].as_str()).collect();
        assert_eq!(resting(&vhost), expected, "round {round}");
    }
}

#[test]
fn a_fanout_with_bindings_leaves_nothing_to_its_alternate() {
    let vhost = vhost(&[("work", "x", None)], &[("y", ExchangeType::Fanout, &[("other", "")])]);
    let options = ExchangeOptions {
        alternate_exchange: Some(ExchangeName::from("y")),
        ..ExchangeOptions::durable(ExchangeType::Fanout)
    };
    vhost.exchange_declare(&ExchangeName::from("x"), options).unwrap();
    assert_eq!(resting(&vhost), ["other"]);
    let options = QueueOptions::restored(false, Table::EMPTY.to_owned());
    vhost.queue_declare(Some(QueueName::from("dead")), &options, MINE).unwrap();
    let destination = Destination::Queue("dead", MINE);
    vhost.bind(&BindingEnds { source: "x", destination, binding_key: "", arguments: Table::EMPTY }).unwrap();
    assert_eq!(resting(&vhost), ["dead"]);
}
