//! basic.qos: prefetch for each consumer, and with `global` truly for the channel.

use crate::peer::Peer;
use crate::support::Broker;

/// A connection with `count` messages in queue `q`.
fn with_ready(broker: &Broker, count: u32) -> Peer {
    let mut peer = Peer::connect(broker);
    peer.ok("queue.declare queue=q");
    for n in 1..=count {
        peer.send(&format!("basic.publish routing-key=q | | {n}"));
    }
    peer
}

/// Reads deliveries until `count` have come, then makes sure that no other follows. Returns the consumers' tags and the bodies.
fn exactly(peer: &mut Peer, count: usize) -> Vec<(String, String)> {
    let deliveries = (0..count)
        .map(|_| {
            let delivery = peer.await_method("basic.deliver");
            (delivery.get("consumer-tag").to_owned(), delivery.text())
        })
        .collect();
    // Two round trips: the first passes through the queue, the second through the channel.
    peer.ok("queue.declare queue=q passive");
    peer.ok("basic.cancel consumer-tag=nobody");
    deliveries
}

#[test]
fn a_consumer_has_at_most_prefetch_messages_unacked() {
    let broker = Broker::start();
    let mut peer = with_ready(&broker, 6);
    peer.ok("basic.qos prefetch-count=2");
    peer.ok("basic.consume queue=q consumer-tag=c");
    exactly(&mut peer, 2);
    peer.send("basic.ack delivery-tag=1");
    exactly(&mut peer, 1);
    peer.send("basic.ack delivery-tag=3 multiple");
    exactly(&mut peer, 2);
    peer.send("basic.nack delivery-tag=4");
    exactly(&mut peer, 1);
    peer.send("basic.reject delivery-tag=5");
    exactly(&mut peer, 0);
}

#[test]
fn prefetch_zero_is_no_limit() {
    let broker = Broker::start();
    let mut peer = with_ready(&broker, 200);
    peer.ok("basic.qos prefetch-count=1");
    peer.ok("basic.qos prefetch-count=0");
    peer.ok("basic.consume queue=q consumer-tag=c");
    exactly(&mut peer, 200);
}

#[test]
fn prefetch_counts_for_the_consumers_that_come_later_each_by_itself() {
    let broker = Broker::start();
    let mut peer = with_ready(&broker, 10);
    peer.ok("basic.qos prefetch-count=1");
    peer.ok("basic.consume queue=q consumer-tag=one");
    exactly(&mut peer, 1);
    peer.ok("basic.qos prefetch-count=3");
    exactly(&mut peer, 0);
    peer.ok("basic.consume queue=q consumer-tag=three");
    let deliveries = exactly(&mut peer, 3);
    assert!(deliveries.iter().all(|(tag, _)| tag == "three"), "{deliveries:?}");
    peer.send("basic.ack delivery-tag=1");
    assert_eq!(exactly(&mut peer, 1)[0].0, "one");
}

#[test]
fn prefetch_of_one_channel_says_nothing_about_another() {
    let broker = Broker::start();
    let mut peer = with_ready(&broker, 4);
    peer.open(2);
    peer.ok("basic.qos prefetch-count=1");
    peer.ok("basic.qos prefetch-count=1 global");
    peer.ok("2:basic.consume queue=q consumer-tag=free");
    for _ in 0..4 {
        peer.await_method("basic.deliver");
    }
}

#[test]
fn global_prefetch_is_shared_by_the_consumers_of_a_channel() {
    let broker = Broker::start();
    let mut peer = with_ready(&broker, 6);
    peer.ok("queue.declare queue=r");
    peer.ok("basic.qos prefetch-count=2 global");
    peer.ok("basic.consume queue=q consumer-tag=a");
    exactly(&mut peer, 2);
    peer.ok("basic.consume queue=q consumer-tag=b");
    peer.ok("basic.consume queue=r consumer-tag=c");
    peer.send("basic.publish routing-key=r | | r1");
    exactly(&mut peer, 0);
    peer.send("basic.ack delivery-tag=1");
    exactly(&mut peer, 1);
    peer.send("basic.ack delivery-tag=3 multiple");
    exactly(&mut peer, 2);
    peer.send("basic.ack delivery-tag=5 multiple");
    exactly(&mut peer, 2);
}

#[test]
fn global_prefetch_applies_to_consumers_that_are_there_already() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("basic.consume queue=q consumer-tag=c");
    peer.ok("basic.qos prefetch-count=1 global");
    peer.send("basic.publish routing-key=q | | 1");
    peer.send("basic.publish routing-key=q | | 2");
    peer.send("basic.publish routing-key=q | | 3");
    exactly(&mut peer, 1);
    peer.ok("basic.qos prefetch-count=2 global");
    exactly(&mut peer, 1);
    peer.ok("basic.qos prefetch-count=0 global");
    exactly(&mut peer, 1);
}

#[test]
fn a_lower_global_prefetch_waits_until_enough_is_settled() {
    let broker = Broker::start();
    let mut peer = with_ready(&broker, 6);
    peer.ok("basic.qos prefetch-count=4 global");
    peer.ok("basic.consume queue=q consumer-tag=c");
    exactly(&mut peer, 4);
    peer.ok("basic.qos prefetch-count=2 global");
    peer.send("basic.ack delivery-tag=2 multiple");
    exactly(&mut peer, 0);
    peer.send("basic.ack delivery-tag=3");
    exactly(&mut peer, 1);
}

#[test]
fn consumer_and_global_prefetch_hold_both() {
    let broker = Broker::start();
    let mut peer = with_ready(&broker, 10);
    peer.ok("basic.qos prefetch-count=2");
    peer.ok("basic.qos prefetch-count=3 global");
    peer.ok("basic.consume queue=q consumer-tag=a");
    assert_eq!(exactly(&mut peer, 2), [("a".into(), "1".into()), ("a".into(), "2".into())]);
    peer.ok("basic.consume queue=q consumer-tag=b");
    assert_eq!(exactly(&mut peer, 1), [("b".into(), "3".into())]);
    peer.send("basic.ack delivery-tag=3");
    assert_eq!(exactly(&mut peer, 1), [("b".into(), "4".into())]);
    peer.send("basic.ack delivery-tag=1");
    exactly(&mut peer, 1);
}

#[test]
fn a_consumer_without_acks_knows_no_prefetch() {
    let broker = Broker::start();
    let mut peer = with_ready(&broker, 50);
    peer.ok("basic.qos prefetch-count=1 global");
    peer.ok("basic.qos prefetch-count=1");
    peer.ok("basic.consume queue=q consumer-tag=c no-ack");
    exactly(&mut peer, 50);
}

#[test]
fn what_a_cancelled_consumer_has_unacked_still_counts_for_the_channel() {
    let broker = Broker::start();
    let mut peer = with_ready(&broker, 3);
    peer.ok("basic.qos prefetch-count=1 global");
    peer.ok("basic.consume queue=q consumer-tag=a");
    exactly(&mut peer, 1);
    peer.ok("basic.cancel consumer-tag=a");
    peer.ok("basic.consume queue=q consumer-tag=b");
    exactly(&mut peer, 0);
    peer.send("basic.ack delivery-tag=1");
    exactly(&mut peer, 1);
}

#[test]
fn b57_a_prefetch_size_is_not_implemented() {
    let broker = Broker::start();
    for size in ["1", "10", "4294967295"] {
        for rest in ["", "prefetch-count=1 global"] {
            let request = format!("basic.qos prefetch-size={size} {rest}");
            Peer::connect(&broker).disconnected(&request, 540, &format!("prefetch_size!=0 ({size})"));
        }
    }
}
