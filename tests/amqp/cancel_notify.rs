//! What a consumer hears when its queue goes away.

use crate::peer::Peer;
use crate::support::Broker;

#[test]
fn b72_every_consumer_of_a_deleted_queue_is_told() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    let mut other = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    other.ok("basic.consume queue=q consumer-tag=far");
    peer.open(2);
    peer.ok("2:basic.consume queue=q consumer-tag=near");
    peer.send("queue.delete queue=q");
    let (first, second) = (peer.next(), peer.next());
    let mut seen = [first.to_string(), second.to_string()];
    seen.sort();
    assert_eq!(seen, ["2:basic.cancel consumer-tag=near no-wait", "queue.delete-ok"]);
    other.expect("basic.cancel consumer-tag=far no-wait");
    peer.ok("queue.declare queue=q");
    other.ok("basic.consume queue=q consumer-tag=far");
}

#[test]
fn a_client_without_the_capability_is_not_told() {
    let broker = Broker::start();
    for capabilities in ["{}", "{capabilities:{consumer_cancel_notify:false}}", "{capabilities:{}}"] {
        let mut peer = Peer::connect_with(&broker, capabilities);
        let mut other = Peer::connect(&broker);
        peer.ok("queue.declare queue=q");
        peer.ok("basic.consume queue=q consumer-tag=c");
        other.ok("queue.delete queue=q");
        peer.talk(
            "> queue.declare queue=q
             < queue.declare-ok queue=q
             > queue.delete queue=q
             < queue.delete-ok",
        );
    }
}

#[test]
fn unacked_messages_of_a_deleted_queue_can_be_settled_still() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.open(2);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > 2:basic.consume queue=q consumer-tag=c
         < 2:basic.consume-ok consumer-tag=c
         > basic.publish routing-key=q | | 1
         < 2:basic.deliver consumer-tag=c delivery-tag=1 routing-key=q | | 1
         > basic.publish routing-key=q | | 2
         < 2:basic.deliver consumer-tag=c delivery-tag=2 routing-key=q | | 2
         > queue.delete queue=q no-wait
         < 2:basic.cancel consumer-tag=c no-wait
         > 2:basic.ack delivery-tag=1
         > 2:basic.nack delivery-tag=2 requeue
         > 2:basic.qos
         < 2:basic.qos-ok",
    );
}

#[test]
fn a_consumer_that_was_told_can_be_cancelled_and_its_tag_used_again() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    let mut other = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("basic.consume queue=q consumer-tag=c");
    other.ok("queue.delete queue=q");
    peer.talk(
        "< basic.cancel consumer-tag=c no-wait
         > basic.cancel consumer-tag=c
         < basic.cancel-ok consumer-tag=c
         > queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.consume queue=q consumer-tag=c
         < basic.consume-ok consumer-tag=c",
    );
}
