//! Where dead letters come to rest.

use leveret_protocol::table::TableBuilder;

use super::*;

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
    let places = vhost.resting_places();
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
    for (exchange_type, binding_key, ways_max, expected_ways) in [
        (Direct, None, 50, 50),
        (Fanout, Some(""), 1_000_000, 50),
        (Topic, Some("#"), 1_000_000, 50 * 50),
        (Topic, Some("#"), 50 * 50, 50 * 50),
        (Topic, Some("#"), 50 * 50 - 1, 50),
    ] {
        let vhost = vhost(&senders, &[("x", exchange_type, &by_name(binding_key))]);
        let (_, ways) = vhost.resting_places_within(ways_max);
        assert_eq!(
            (resting(&vhost), ways),
            (dead.iter().map(|name| (*name).to_owned()).collect(), expected_ways)
        );
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
