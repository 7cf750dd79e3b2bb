//! basic.get.

use crate::peer::Peer;
use crate::support::Broker;

#[test]
fn a_get_takes_the_oldest_message_and_tells_how_many_are_left() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.get queue=q
         < basic.get-empty
         > basic.publish routing-key=q | headers={n:1} | 1
         > basic.publish routing-key=q | | 2
         > basic.publish routing-key=q | | 3
         > basic.get queue=q
         < basic.get-ok delivery-tag=1 routing-key=q message-count=2 | headers={n:1} | 1
         > basic.get queue=q no-ack
         < basic.get-ok delivery-tag=2 routing-key=q message-count=1 | | 2
         > basic.get queue=q
         < basic.get-ok delivery-tag=3 routing-key=q | | 3
         > basic.get queue=q
         < basic.get-empty",
    );
}

#[test]
fn a_get_and_a_consumer_share_the_channel_s_delivery_tags() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.open(2);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > queue.declare queue=r
         < queue.declare-ok queue=r
         > basic.consume queue=q consumer-tag=c
         < basic.consume-ok consumer-tag=c
         > basic.publish routing-key=q | | 1
         < basic.deliver consumer-tag=c delivery-tag=1 routing-key=q | | 1
         > basic.publish routing-key=r | | 2
         > basic.get queue=r no-ack
         < basic.get-ok delivery-tag=2 routing-key=r | | 2
         > basic.publish routing-key=q | | 3
         < basic.deliver consumer-tag=c delivery-tag=3 routing-key=q | | 3
         > basic.publish routing-key=r | | 4
         > queue.declare queue=r passive
         < queue.declare-ok queue=r message-count=1
         > 2:basic.get queue=r
         < 2:basic.get-ok delivery-tag=1 routing-key=r | | 4",
    );
}

#[test]
fn a_get_is_not_bound_by_prefetch() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("basic.qos prefetch-count=1 global");
    peer.ok("basic.qos prefetch-count=1");
    for n in 1..=5 {
        peer.send(&format!("basic.publish routing-key=q | | {n}"));
        peer.send("basic.get queue=q");
        peer.expect(&format!("basic.get-ok delivery-tag={n} routing-key=q | | {n}"));
    }
}

#[test]
fn an_unacked_message_is_back_in_its_place_when_the_channel_closes() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.publish routing-key=q | | 1
         > basic.publish routing-key=q | | 2
         > basic.get queue=q
         < basic.get-ok delivery-tag=1 routing-key=q message-count=1 | | 1
         > channel.close reply-code=200
         < channel.close-ok
         > channel.open
         < channel.open-ok
         > basic.get queue=q no-ack
         < basic.get-ok delivery-tag=1 redelivered routing-key=q message-count=1 | | 1
         > basic.get queue=q no-ack
         < basic.get-ok delivery-tag=2 routing-key=q | | 2",
    );
}
