//! The exchanges that choose one of their bindings: x-consistent-hash, x-modulus-hash, x-random and x-local-random.

use crate::peer::Peer;
use crate::support::Broker;

const CHOOSING: [(&str, &str); 4] =
    [("x-consistent-hash", "1"), ("x-modulus-hash", ""), ("x-random", ""), ("x-local-random", "")];

/// Declares an exchange `e` and binds queues to it.
fn bound(peer: &mut Peer, declare: &str, bindings: &[(&str, &str)]) {
    peer.ok(&format!("exchange.declare exchange=e {declare}"));
    for (queue, key) in bindings {
        peer.ok(&format!("queue.declare queue={queue}"));
        peer.ok(&format!("queue.bind queue={queue} exchange=e routing-key={key}"));
    }
}

/// Publishes one message for each number, and gives those that each queue got.
fn spread(
    peer: &mut Peer,
    queues: &[&str],
    numbers: usize,
    publish: impl Fn(usize) -> String,
) -> Vec<Vec<String>> {
    for n in 0..numbers {
        peer.send(&format!("basic.publish exchange=e {} | {n}", publish(n)));
    }
    queues.iter().map(|queue| peer.drain(1, queue)).collect()
}

fn by_key(n: usize) -> String {
    format!("routing-key=key.{n} |")
}

#[test]
fn each_message_goes_to_one_of_the_bound_queues_and_each_queue_gets_some() {
    for (kind, key) in CHOOSING {
        let broker = Broker::start();
        let mut peer = Peer::connect(&broker);
        bound(&mut peer, &format!("type={kind}"), &[("a", key), ("b", key), ("c", key)]);
        let found = spread(&mut peer, &["a", "b", "c"], 300, by_key);
        assert_eq!(found.iter().map(Vec::len).sum::<usize>(), 300, "{kind}");
        assert!(found.iter().all(|bodies| (50..=150).contains(&bodies.len())), "{kind}: {found:?}");
    }
}

#[test]
fn what_leads_nowhere_goes_to_the_alternate_exchange_or_comes_back() {
    for (kind, key) in CHOOSING {
        let broker = Broker::start();
        let mut peer = Peer::connect(&broker);
        peer.talk(&format!(
            "> exchange.declare exchange=e type={kind} arguments={{alternate-exchange:\"rest\"}}
             < exchange.declare-ok
             > basic.publish exchange=e routing-key=k mandatory | | nowhere
             < basic.return reply-code=312 reply-text=NO_ROUTE exchange=e routing-key=k | | nowhere
             > exchange.declare exchange=rest type=fanout
             < exchange.declare-ok
             > queue.declare queue=others
             < queue.declare-ok queue=others
             > queue.bind queue=others exchange=rest
             < queue.bind-ok
             > basic.publish exchange=e routing-key=k mandatory | | other
             > basic.get queue=others no-ack
             < basic.get-ok delivery-tag=1 exchange=e routing-key=k | | other
             > queue.declare queue=q
             < queue.declare-ok queue=q
             > queue.bind queue=q exchange=e routing-key={key}
             < queue.bind-ok
             > basic.publish exchange=e routing-key=k mandatory | | routed
             > basic.get queue=q no-ack
             < basic.get-ok delivery-tag=2 exchange=e routing-key=k | | routed
             > queue.delete queue=q
             < queue.delete-ok
             > basic.publish exchange=e routing-key=k mandatory | | other again
             > basic.get queue=others no-ack
             < basic.get-ok delivery-tag=3 exchange=e routing-key=k | | other again"
        ));
    }
}

#[test]
fn exchanges_are_chosen_as_queues_are() {
    for (kind, key) in CHOOSING {
        let broker = Broker::start();
        let mut peer = Peer::connect(&broker);
        bound(&mut peer, &format!("type={kind}"), &[]);
        for name in ["one", "two"] {
            peer.ok(&format!("exchange.declare exchange={name} type=fanout"));
            peer.ok(&format!("exchange.bind source=e destination={name} routing-key={key}"));
            for number in 1..=2 {
                peer.ok(&format!("queue.declare queue={name}{number}"));
                peer.ok(&format!("queue.bind queue={name}{number} exchange={name}"));
            }
        }
        let found = spread(&mut peer, &["one1", "one2", "two1", "two2"], 100, by_key);
        assert_eq!((&found[0], &found[2]), (&found[1], &found[3]), "{kind}");
        assert_eq!(found[0].len() + found[2].len(), 100, "{kind}");
        assert!((10..=90).contains(&found[0].len()), "{kind}");
    }
}

#[test]
fn a_message_with_copies_is_still_one_message_to_one_queue() {
    for (kind, key) in CHOOSING {
        let broker = Broker::start();
        let mut peer = Peer::connect(&broker);
        bound(&mut peer, &format!("type={kind}"), &[("a", key), ("b", key), ("c", key)]);
        let found = spread(&mut peer, &["a", "b", "c"], 50, |n| {
            format!("routing-key=k | headers={{CC:[\"x{n}\",\"y\"],BCC:[\"z\"]}}")
        });
        assert_eq!(found.iter().map(Vec::len).sum::<usize>(), 50, "{kind}");
    }
}

#[test]
fn a_consistent_hash_shares_by_weight_and_moves_only_what_the_new_queue_takes() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    bound(&mut peer, "type=x-consistent-hash", &[("a", "1"), ("b", "2"), ("c", "1")]);
    let queues = ["a", "b", "c", "d"];
    let before = spread(&mut peer, &queues[..3], 800, by_key);
    assert!((330..=470).contains(&before[1].len()), "{}", before[1].len());
    bound(&mut peer, "type=x-consistent-hash", &[("d", "1")]);
    let joined = spread(&mut peer, &queues, 800, by_key);
    for (was, is) in before.iter().zip(&joined) {
        assert!(is.iter().all(|body| was.contains(body)));
    }
    assert!((100..=220).contains(&joined[3].len()), "{}", joined[3].len());
    peer.ok("queue.unbind queue=d exchange=e routing-key=1");
    assert_eq!(spread(&mut peer, &queues[..3], 800, by_key), before);
    // A queue that goes gives its keys to the others, which keep their own.
    peer.ok("queue.delete queue=b");
    let left = spread(&mut peer, &["a", "c"], 800, by_key);
    assert!(before[0].iter().all(|body| left[0].contains(body)));
    assert!(before[2].iter().all(|body| left[1].contains(body)));
}

#[test]
fn a_consistent_hash_counts_one_binding_to_a_queue() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    bound(&mut peer, "type=x-consistent-hash", &[("a", "1"), ("b", "1")]);
    let before = spread(&mut peer, &["a", "b"], 200, by_key);
    bound(&mut peer, "type=x-consistent-hash", &[("a", "100")]);
    assert_eq!(spread(&mut peer, &["a", "b"], 200, by_key), before);
    peer.ok("queue.unbind queue=a exchange=e routing-key=100");
    assert_eq!(spread(&mut peer, &["a", "b"], 200, by_key), before);
}

#[test]
fn a_consistent_hash_takes_a_header_or_a_property_for_the_key() {
    type Publish = fn(usize) -> String;
    let cases: [(&str, Publish); 4] = [
        ("hash-header:\"h\"", |n| format!("routing-key=r{n} | headers={{h:\"{}\"}}", n % 20)),
        ("hash-property:\"correlation_id\"", |n| format!("routing-key=r{n} | correlation-id={}", n % 20)),
        ("hash-property:\"message_id\"", |n| format!("routing-key=r{n} | message-id={}", n % 20)),
        ("hash-property:\"timestamp\"", |n| format!("routing-key=r{n} | timestamp={}", n % 20)),
    ];
    for (argument, publish) in cases {
        let broker = Broker::start();
        let mut peer = Peer::connect(&broker);
        let declare = format!("type=x-consistent-hash arguments={{{argument}}}");
        bound(&mut peer, &declare, &[("a", "1"), ("b", "1"), ("c", "1")]);
        let found = spread(&mut peer, &["a", "b", "c"], 200, publish);
        assert!(found.iter().filter(|bodies| !bodies.is_empty()).count() > 1, "{argument}");
        for bodies in &found {
            // The same key, one of twenty, is with its like.
            let key = |body: &String| body.parse::<usize>().unwrap() % 20;
            let keys: std::collections::BTreeSet<usize> = bodies.iter().map(key).collect();
            assert_eq!(bodies.len(), 10 * keys.len(), "{argument}");
        }
        let without = spread(&mut peer, &["a", "b", "c"], 50, by_key);
        assert!(without.iter().any(|bodies| bodies.len() == 50), "{argument}: {without:?}");
    }
}

#[test]
fn a_consistent_hash_that_cannot_be_is_refused() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for (arguments, text) in [
        ("hash-property:\"app_id\"", "Unsupported property: app_id"),
        (
            "hash-header:\"h\",hash-property:\"message_id\"",
            "hash-header and hash-property are mutually exclusive",
        ),
        ("hash-header:1", "invalid type 'signedint' for arg 'hash-header' in exchange 'e' in vhost '/'"),
    ] {
        let declare = format!("exchange.declare exchange=e type=x-consistent-hash arguments={{{arguments}}}");
        peer.refused(&declare, 406, text);
    }
    peer.refused("exchange.declare exchange=e passive", 404, "no exchange 'e' in vhost '/'");
    bound(&mut peer, "type=x-consistent-hash arguments={hash-header:\"h\"}", &[("q", "10000")]);
    for (key, text) in [
        ("k", "The binding key must be an integer: <<\"k\">>"),
        ("00", "The binding key must be greater than 0"),
        ("-1", "The binding key must be greater than 0"),
        ("10001", "The binding key must not exceed 10000"),
    ] {
        peer.refused(&format!("queue.bind queue=q exchange=e routing-key={key}"), 406, text);
    }
    // Only the alternate exchange is compared when it is declared again.
    peer.ok("exchange.declare exchange=e type=x-consistent-hash");
    let text = "inequivalent arg 'type' for exchange 'e' in vhost '/': \
                received 'x-modulus-hash' but current is 'x-consistent-hash'";
    peer.refused("exchange.declare exchange=e type=x-modulus-hash", 406, text);
}

#[test]
fn a_modulus_hash_goes_by_the_order_of_names_and_counts_bindings() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    bound(&mut peer, "type=x-modulus-hash", &[("a", "1"), ("b", "x"), ("c", "")]);
    let before = spread(&mut peer, &["a", "b", "c"], 200, by_key);
    for queue in ["a", "b", "c"] {
        peer.ok(&format!("queue.delete queue={queue}"));
    }
    bound(&mut peer, "type=x-modulus-hash", &[("c", "other"), ("b", "other"), ("a", "other")]);
    assert_eq!(spread(&mut peer, &["a", "b", "c"], 200, by_key), before);
    bound(&mut peer, "type=x-modulus-hash", &[("c", "again"), ("c", "thrice")]);
    let found = spread(&mut peer, &["a", "b", "c"], 1000, by_key);
    assert!((500..=700).contains(&found[2].len()), "{}", found[2].len());
}

#[test]
fn a_local_random_exchange_takes_no_binding_keys() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    bound(&mut peer, "type=x-local-random", &[("q", "")]);
    let text = "Non empty binding 'k' key not permitted";
    peer.refused("queue.bind queue=q exchange=e routing-key=k", 406, text);
}
