//! Many connections at once: what is promised for one channel and one queue holds whatever the others do.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::line::Line;
use crate::peer::Peer;
use crate::support::Broker;

const PUBLISHERS: usize = 4;
const CONSUMERS: usize = 4;
const MESSAGES: usize = 2000;

/// Publishes its numbers in confirm mode, to one queue through two exchanges, and waits for the last confirm.
fn publish(broker: &Broker, publisher: usize) {
    let mut peer = Peer::connect(broker);
    peer.ok("confirm.select");
    for number in 1..=MESSAGES {
        let to = if number % 3 == 0 { "exchange=amq.fanout" } else { "routing-key=q" };
        peer.send(&format!(
            "basic.publish {to} mandatory | delivery-mode={} | {publisher}:{number}",
            1 + number % 2
        ));
    }
    while peer.await_method("basic.ack").number("delivery-tag") < MESSAGES as u64 {}
}

fn parts(line: &Line) -> (usize, usize) {
    let body = line.text();
    let (publisher, number) = body.split_once(':').expect("a publisher and a number");
    (publisher.parse().expect("a publisher"), number.parse().expect("a number"))
}

/// Consumes until all has been acked by somebody, and now and then requeues, or loses its connection. Returns what it has acked.
fn consume(broker: &Broker, consumer: usize, acked: &AtomicUsize) -> Vec<(usize, usize)> {
    let mut own = Vec::new();
    let mut lives = 0;
    while acked.load(Ordering::SeqCst) < PUBLISHERS * MESSAGES {
        lives += 1;
        let mut peer = Peer::connect(broker);
        peer.ok(&format!("basic.qos prefetch-count={}", 10 * consumer + 5));
        peer.ok("basic.consume queue=q consumer-tag=c");
        let mut last = BTreeMap::new();
        for count in 1.. {
            let Some(line) = peer.try_next(|| acked.load(Ordering::SeqCst) < PUBLISHERS * MESSAGES) else {
                return own;
            };
            let (publisher, number) = parts(&line);
            if line.get("redelivered").is_empty() {
                let before = last.insert(publisher, number).unwrap_or(0);
                assert!(before < number, "{publisher}:{number} after {before}");
            }
            let tag = line.number("delivery-tag");
            if count % 50 == consumer {
                peer.send(&format!("basic.nack delivery-tag={tag} requeue"));
                continue;
            }
            if count == 700 && lives < 4 {
                // The connection is lost with everything that it has been given since its last ack.
                break;
            }
            peer.send(&format!("basic.ack delivery-tag={tag}"));
            own.push((publisher, number));
            acked.fetch_add(1, Ordering::SeqCst);
        }
        // What was acked has arrived when this is answered; the deliveries that are under way come before.
        peer.send("basic.cancel consumer-tag=c");
        while peer.next().method.name != "basic.cancel-ok" {}
    }
    own
}

#[test]
fn with_many_publishers_and_consumers_nothing_is_lost_or_doubled_and_each_publisher_s_order_is_kept() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("queue.bind queue=q exchange=amq.fanout");
    let acked = AtomicUsize::new(0);
    let mut all = std::thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let broker = &broker;
            scope.spawn(move || publish(broker, publisher));
        }
        let consumers: Vec<_> = (0..CONSUMERS)
            .map(|consumer| {
                let (broker, acked) = (&broker, &acked);
                scope.spawn(move || consume(broker, consumer, acked))
            })
            .collect();
        consumers
            .into_iter()
            .flat_map(|consumer| consumer.join().expect("a consumer ends well"))
            .collect::<Vec<_>>()
    });
    all.sort_unstable();
    let expected: Vec<_> =
        (0..PUBLISHERS).flat_map(|publisher| (1..=MESSAGES).map(move |number| (publisher, number))).collect();
    assert!(all == expected, "{} messages acked of {}", all.len(), expected.len());
    peer.await_counts(1, "q", (0, 0));
}

#[test]
fn every_message_to_a_queue_that_comes_and_goes_is_confirmed() {
    let broker = Broker::start();
    std::thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            let mut peer = Peer::connect(&broker);
            peer.ok("confirm.select");
            let mut confirmed = 0;
            for first in (1..=MESSAGES).step_by(50) {
                for number in first..first + 50 {
                    peer.send(&format!("basic.publish routing-key=q mandatory | | {number}"));
                }
                while confirmed < first as u64 + 49 {
                    let line = peer.next();
                    match line.method.name {
                        "basic.return" => {}
                        "basic.ack" => confirmed = confirmed.max(line.number("delivery-tag")),
                        _ => panic!("got {line}"),
                    }
                }
            }
        });
        let mut peer = Peer::connect(&broker);
        while !publisher.is_finished() {
            peer.ok("queue.declare queue=q");
            peer.send("basic.consume queue=q consumer-tag=c no-wait");
            peer.send("queue.delete queue=q");
            // The delete's reply and the consumer's notice may come in either order, deliveries before.
            let mut left = 2;
            while left > 0 {
                left -= usize::from(peer.next().method.name != "basic.deliver");
            }
        }
    });
}

#[test]
fn of_many_that_declare_the_same_exclusive_queue_one_gets_it() {
    let broker = Broker::start();
    let mut peers: Vec<_> = (0..8).map(|_| Peer::connect(&broker)).collect();
    for round in 0..20 {
        let request = format!("queue.declare queue=mine-{round} exclusive");
        for peer in &mut peers {
            peer.send(&request);
        }
        let mut owners = 0;
        for peer in &mut peers {
            let line = peer.next();
            if line.method.name == "queue.declare-ok" {
                owners += 1;
            } else {
                assert_eq!((line.method.name, line.number("reply-code")), ("channel.close", 405), "{line}");
                peer.send("channel.close-ok");
                peer.open(1);
            }
        }
        assert_eq!(owners, 1, "owners in round {round}");
    }
}
