//! basic.recover and basic.recover-async.

use crate::peer::Peer;
use crate::support::Broker;

#[test]
fn recover_ok_comes_before_the_redeliveries() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.consume queue=q consumer-tag=c
         < basic.consume-ok consumer-tag=c
         > basic.publish routing-key=q | | 1
         < basic.deliver consumer-tag=c delivery-tag=1 routing-key=q | | 1
         > basic.publish routing-key=q | | 2
         < basic.deliver consumer-tag=c delivery-tag=2 routing-key=q | | 2
         > basic.publish routing-key=q | | 3
         < basic.deliver consumer-tag=c delivery-tag=3 routing-key=q | | 3
         > basic.ack delivery-tag=2
         > basic.recover requeue
         < basic.recover-ok
         < basic.deliver consumer-tag=c delivery-tag=4 redelivered routing-key=q | | 1
         < basic.deliver consumer-tag=c delivery-tag=5 redelivered routing-key=q | | 3",
    );
    peer.refused("basic.ack delivery-tag=1", 406, "unknown delivery tag 1");
}

#[test]
fn recover_async_has_no_reply() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.publish routing-key=q | | 1
         > basic.publish routing-key=q | | 2
         > basic.get queue=q
         < basic.get-ok delivery-tag=1 routing-key=q message-count=1 | | 1
         > basic.recover-async requeue
         > basic.get queue=q
         < basic.get-ok delivery-tag=2 redelivered routing-key=q message-count=1 | | 1",
    );
}

#[test]
fn recover_with_nothing_unacked_is_fine() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("basic.recover requeue");
    peer.send("basic.recover-async requeue");
    peer.ok("basic.qos");
}

#[test]
fn recover_concerns_its_channel_only() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.open(2);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.publish routing-key=q | | 1
         > basic.get queue=q
         < basic.get-ok delivery-tag=1 routing-key=q | | 1
         > 2:basic.recover requeue
         < 2:basic.recover-ok
         > basic.get queue=q
         < basic.get-empty
         > basic.ack delivery-tag=1
         > basic.qos
         < basic.qos-ok",
    );
}

#[test]
fn b57_recover_without_requeue_is_not_implemented() {
    let broker = Broker::start();
    for request in ["basic.recover", "basic.recover-async"] {
        Peer::connect(&broker).disconnected(request, 540, "requeue=false");
    }
}
