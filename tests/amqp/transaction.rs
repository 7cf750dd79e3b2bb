//! Class tx.

use crate::peer::Peer;
use crate::support::Broker;

#[test]
fn published_messages_appear_with_the_commit_all_at_once_and_in_order() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    let mut other = Peer::connect(&broker);
    peer.ok("queue.declare queue=a");
    peer.ok("queue.declare queue=b");
    peer.ok("tx.select");
    for n in 1..=20 {
        peer.send(&format!("basic.publish routing-key={} | | {n}", if n % 2 == 0 { "a" } else { "b" }));
    }
    peer.ok("basic.qos");
    assert_eq!((other.counts(1, "a"), other.counts(1, "b")), ((0, 0), (0, 0)));
    peer.ok("tx.commit");
    let numbers = |first: u32| (first..=20).step_by(2).map(|n| n.to_string()).collect::<Vec<_>>();
    assert_eq!(other.drain(1, "a"), numbers(2));
    assert_eq!(other.drain(1, "b"), numbers(1));
}

#[test]
fn a_rollback_forgets_what_was_published() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("tx.select");
    peer.send("basic.publish routing-key=q | | never");
    peer.send("basic.publish routing-key=nobody mandatory | | never");
    peer.ok("tx.rollback");
    peer.send("basic.publish routing-key=q | | kept");
    peer.ok("tx.commit");
    peer.ok("tx.commit");
    assert_eq!(peer.drain(1, "q"), ["kept"]);
}

#[test]
fn a_rollback_takes_acks_back_without_a_redelivery() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.publish routing-key=q | | 1
         > tx.select
         < tx.select-ok
         > basic.consume queue=q consumer-tag=c
         < basic.consume-ok consumer-tag=c
         < basic.deliver consumer-tag=c delivery-tag=1 routing-key=q | | 1
         > basic.ack delivery-tag=1
         > tx.rollback
         < tx.rollback-ok
         > basic.ack delivery-tag=1
         > tx.commit
         < tx.commit-ok
         > channel.close reply-code=200
         < channel.close-ok
         > channel.open
         < channel.open-ok
         > basic.get queue=q
         < basic.get-empty",
    );
}

#[test]
fn settlements_count_from_the_commit() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.publish routing-key=q | | 1
         > basic.publish routing-key=q | | 2
         > basic.publish routing-key=q | | 3
         > tx.select
         < tx.select-ok
         > basic.get queue=q
         < basic.get-ok delivery-tag=1 routing-key=q message-count=2 | | 1
         > basic.get queue=q
         < basic.get-ok delivery-tag=2 routing-key=q message-count=1 | | 2
         > basic.get queue=q
         < basic.get-ok delivery-tag=3 routing-key=q | | 3
         > basic.nack delivery-tag=1 requeue
         > basic.reject delivery-tag=2 requeue
         > basic.ack delivery-tag=3
         > basic.get queue=q
         < basic.get-empty
         > tx.commit
         < tx.commit-ok
         > basic.get queue=q
         < basic.get-ok delivery-tag=4 redelivered routing-key=q message-count=1 | | 1
         > basic.get queue=q
         < basic.get-ok delivery-tag=5 redelivered routing-key=q | | 2",
    );
}

#[test]
fn uncommitted_acks_and_messages_are_undone_when_the_channel_closes() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.publish routing-key=q | | 1
         > basic.publish routing-key=q | | 2
         > tx.select
         < tx.select-ok
         > basic.get queue=q
         < basic.get-ok delivery-tag=1 routing-key=q message-count=1 | | 1
         > basic.ack delivery-tag=1
         > basic.publish routing-key=q | | never
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

#[test]
fn a_connection_that_is_lost_in_a_transaction_publishes_nothing() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.send("basic.publish routing-key=q | | 1");
    peer.ok("tx.select");
    peer.send("basic.get queue=q");
    peer.await_method("basic.get-ok");
    peer.send("basic.ack delivery-tag=1");
    peer.send("basic.publish routing-key=q | | never");
    peer.ok("basic.qos");
    drop(peer);
    let mut other = Peer::connect(&broker);
    other.await_counts(1, "q", (1, 0));
    other.send("basic.get queue=q no-ack");
    other.expect("basic.get-ok delivery-tag=1 redelivered routing-key=q | | 1");
}

#[test]
fn returns_come_before_commit_ok() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > tx.select
         < tx.select-ok
         > basic.publish routing-key=nobody mandatory | | 1
         > basic.publish routing-key=q mandatory | | 2
         > basic.publish routing-key=nobody mandatory | | 3
         > tx.commit
         < basic.return reply-code=312 reply-text=NO_ROUTE routing-key=nobody | | 1
         < basic.return reply-code=312 reply-text=NO_ROUTE routing-key=nobody | | 3
         < tx.commit-ok",
    );
}

#[test]
fn a_bad_tag_and_an_absent_exchange_fail_at_once() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("tx.select");
    peer.send("basic.publish routing-key=q | | never");
    peer.refused("basic.ack delivery-tag=77", 406, "unknown delivery tag 77");
    peer.ok("tx.select");
    peer.send("basic.publish routing-key=q | | never");
    peer.refused("basic.publish exchange=x | | y", 404, "no exchange 'x' in vhost '/'");
    assert_eq!(peer.counts(1, "q"), (0, 0));
}

#[test]
fn a_tag_that_is_acked_twice_in_a_transaction_is_unknown_the_second_time() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.send("basic.publish routing-key=q | | 1");
    peer.ok("tx.select");
    peer.send("basic.get queue=q");
    peer.await_method("basic.get-ok");
    peer.send("basic.ack delivery-tag=1");
    peer.refused("basic.ack delivery-tag=1", 406, "unknown delivery tag 1");
}

#[test]
fn b60_commit_and_rollback_need_a_select() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.refused("tx.commit", 406, "channel is not transactional");
    peer.refused("tx.rollback", 406, "channel is not transactional");
    peer.ok("tx.select");
    peer.ok("tx.select");
    peer.ok("tx.commit");
    peer.ok("tx.rollback");
}

#[test]
fn a_commit_works_though_a_target_was_deleted_meanwhile() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    let mut other = Peer::connect(&broker);
    peer.ok("queue.declare queue=gone");
    peer.ok("queue.declare queue=kept");
    peer.ok("exchange.declare exchange=e type=direct");
    peer.ok("queue.bind queue=kept exchange=e");
    peer.ok("tx.select");
    peer.send("basic.publish routing-key=gone | | 1");
    peer.send("basic.publish routing-key=kept | | 2");
    peer.send("basic.publish exchange=e | | 3");
    peer.ok("basic.qos");
    other.ok("queue.delete queue=gone");
    other.ok("exchange.delete exchange=e");
    peer.ok("tx.commit");
    assert_eq!(other.drain(1, "kept").first().map(String::as_str), Some("2"));
}

#[test]
fn a_second_select_keeps_what_is_open() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("tx.select");
    peer.send("basic.publish routing-key=q | | 1");
    peer.ok("tx.select");
    peer.ok("tx.commit");
    assert_eq!(peer.drain(1, "q"), ["1"]);
}

#[test]
fn deliveries_go_on_in_a_transaction_and_prefetch_is_given_back_by_the_commit() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.publish routing-key=q | | 1
         > basic.publish routing-key=q | | 2
         > tx.select
         < tx.select-ok
         > basic.qos prefetch-count=1
         < basic.qos-ok
         > basic.consume queue=q consumer-tag=c
         < basic.consume-ok consumer-tag=c
         < basic.deliver consumer-tag=c delivery-tag=1 routing-key=q | | 1
         > basic.ack delivery-tag=1
         > queue.declare queue=q passive
         < queue.declare-ok queue=q message-count=1 consumer-count=1
         > tx.commit
         < tx.commit-ok
         < basic.deliver consumer-tag=c delivery-tag=2 routing-key=q | | 2",
    );
}
