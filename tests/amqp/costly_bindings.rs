//! Bindings that are very many, or made to be slow to match: whoever makes them, the others are served.

use crate::peer::Peer;
use crate::support::Broker;

/// Requests that are sent before anybody else gets a turn.
const BATCH: usize = 1000;

/// Somebody else, with a queue `witness`, who sees within the deadline of a frame that the broker serves.
struct Witness {
    peer: Peer,
    seen: u64,
}

impl Witness {
    fn connect(broker: &Broker) -> Self {
        let mut peer = Peer::connect(broker);
        peer.ok("queue.declare queue=witness");
        Self { peer, seen: 0 }
    }

    /// Publishes a message that is to reach the queue, its fields and its properties given, and takes it out.
    fn is_served(&mut self, publish: &str, properties: &str) {
        self.seen += 1;
        let Self { peer, seen } = self;
        peer.send(&format!("basic.publish {publish} | {properties} | {seen}"));
        peer.send("basic.get queue=witness no-ack");
        let got = peer.await_method("basic.get-ok");
        assert_eq!((got.text(), got.number("message-count")), (seen.to_string(), 0));
    }
}

#[test]
fn b61_patterns_made_to_be_slow_hold_nobody_up() {
    const MESSAGES: usize = 100_000;
    let repeated = |part: &str, times: usize| vec![part; times].join(".");
    let broker = Broker::start();
    let mut witness = Witness::connect(&broker);
    let mut peer = Peer::connect(&broker);
    peer.ok("exchange.declare exchange=t type=topic");
    for queue in ["each", "half", "none"] {
        peer.ok(&format!("queue.declare queue={queue}"));
    }
    for (queue, pattern) in [
        ("each", repeated("#", 127)),
        ("each", repeated("*.#", 63)),
        ("each", format!("{}.#", repeated("#.a", 62))),
        ("each", format!("#.{}.#", repeated("a", 120))),
        ("half", format!("{}.b", repeated("#.*", 62))),
        ("none", format!("{}.c", repeated("#.a", 62))),
        ("none", format!("{}.c", repeated("*.#", 62))),
        ("none", format!("#.{0}.c.#.{0}.c", repeated("a", 60))),
        ("none", repeated("*", 126)),
    ] {
        peer.ok(&format!("queue.bind queue={queue} exchange=t routing-key={pattern}"));
    }
    // Two keys in turns, so that no route is remembered from the message before.
    let (key, other) = (repeated("a", 127), format!("{}.b", repeated("a", 126)));
    for _ in 0..MESSAGES / BATCH {
        let lines: Vec<_> = (0..BATCH)
            .map(|n| {
                format!("basic.publish exchange=t routing-key={}", if n % 2 == 0 { &key } else { &other })
            })
            .collect();
        peer.send_all(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        witness.is_served("routing-key=witness", "");
    }
    let count = |part: usize| (part as u64, 0);
    assert_eq!(peer.counts(1, "each"), count(MESSAGES));
    assert_eq!(peer.counts(1, "half"), count(MESSAGES / 2));
    assert_eq!(peer.counts(1, "none"), count(0));
}

/// Sends a request for each number, in batches, the witness having its turn after each, before the replies (none if
/// `reply` is empty) are read.
fn storm(
    peer: &mut Peer,
    numbers: std::ops::Range<usize>,
    request: impl Fn(usize) -> String,
    reply: &str,
    witness: &mut impl FnMut(),
) {
    let numbers: Vec<usize> = numbers.collect();
    for batch in numbers.chunks(BATCH) {
        let lines: Vec<_> = batch.iter().map(|n| request(*n)).collect();
        peer.send_all(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        witness();
        if !reply.is_empty() {
            for _ in batch {
                peer.await_method(reply);
            }
        }
    }
    peer.ok("basic.qos");
}

/// A hundred thousand bindings of one exchange are made, and go one by one, with a queue, and with the exchange. All
/// the while the witness publishes to the same exchange, with `key` and `headers` in both its binding and its message.
fn bind_and_unbind(kind: &str, key: &str, headers: &str, binding: impl Fn(usize) -> String) {
    const BINDINGS: usize = 100_000;
    let broker = Broker::start();
    let mut witness = Witness::connect(&broker);
    let mut peer = Peer::connect(&broker);
    peer.ok(&format!("exchange.declare exchange=e type={kind}"));
    peer.ok(&format!("queue.bind queue=witness exchange=e routing-key={key} arguments={{{headers}}}"));
    let publish = format!("exchange=e routing-key={key}");
    let properties = format!("headers={{{headers}}}");
    for queue in ["a", "b", "c"] {
        peer.ok(&format!("queue.declare queue={queue}"));
    }
    let ends = |n: usize| format!("queue={} exchange=e {}", ["a", "b", "c"][n % 3], binding(n));
    let mut served = || witness.is_served(&publish, &properties);
    storm(&mut peer, 0..BINDINGS, |n| format!("queue.bind no-wait {}", ends(n)), "", &mut served);
    let half = 0..BINDINGS / 2;
    storm(&mut peer, half, |n| format!("queue.unbind {}", ends(n)), "queue.unbind-ok", &mut served);
    peer.send("queue.delete queue=a");
    served();
    peer.await_method("queue.delete-ok");
    peer.send("exchange.delete exchange=e");
    witness.is_served("routing-key=witness", "");
    peer.await_method("exchange.delete-ok");
    peer.ok(&format!("exchange.declare exchange=e type={kind}"));
    peer.send(&format!("basic.publish {publish} | {properties} |"));
    assert_eq!(peer.counts(1, "witness"), (0, 0), "the bindings are gone with their exchange");
}

#[test]
fn b66_a_direct_exchange_takes_a_hundred_thousand_bindings_and_an_unbind_storm() {
    bind_and_unbind("direct", "w", "", |n| format!("routing-key=k{n}"));
}

#[test]
fn b66_a_fanout_exchange_takes_a_hundred_thousand_bindings_and_an_unbind_storm() {
    bind_and_unbind("fanout", "w", "", |n| format!("routing-key=k{n}"));
}

#[test]
fn b66_a_topic_exchange_takes_a_hundred_thousand_bindings_and_an_unbind_storm() {
    bind_and_unbind("topic", "w.*.#", "", |n| format!("routing-key=a.*.k{n}.#"));
}

#[test]
fn b66_a_headers_exchange_takes_a_hundred_thousand_bindings_and_an_unbind_storm() {
    bind_and_unbind("headers", "", "w:1", |n| format!("arguments={{a:1,n:{n}}}"));
}

#[test]
fn b65_queues_and_bindings_count_as_memory() {
    let broker = Broker::start_with(&["--memory-limit", "32MiB"]);
    let mut publisher = Peer::connect(&broker);
    let mut peer = Peer::connect(&broker);
    publisher.ok("confirm.select");
    let mut rounds = 0;
    let reason = loop {
        let lines: Vec<_> = (0..BATCH)
            .map(|n| match n % 10 {
                0 => format!("queue.declare queue=q-{rounds}-{n} auto-delete no-wait"),
                _ => format!("queue.bind exchange=amq.topic routing-key=a.{rounds}.*.{n}.# no-wait"),
            })
            .collect();
        peer.send_all(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        peer.ok("basic.qos");
        publisher.send("basic.publish routing-key=nobody");
        let line = publisher.next();
        if line.method.name == "connection.blocked" {
            break line.get("reason").to_owned();
        }
        assert_eq!(line.method.name, "basic.ack");
        rounds += 1;
        assert!(rounds < 1000, "a million queues and bindings, and no alarm");
    };
    assert_eq!(reason, "low on memory");
    for round in 0..=rounds {
        for n in (0..BATCH).step_by(10) {
            peer.send(&format!("queue.delete queue=q-{round}-{n} no-wait"));
        }
        peer.ok("basic.qos");
    }
    publisher.await_method("connection.unblocked");
}
