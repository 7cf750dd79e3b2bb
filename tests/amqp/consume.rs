//! basic.consume, basic.cancel and basic.deliver.

use crate::peer::Peer;
use crate::support::Broker;

#[test]
fn what_is_in_the_queue_comes_after_consume_ok_and_in_order() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.publish routing-key=q | content-type=a | 1
         > basic.publish routing-key=q | | 2
         > basic.consume queue=q consumer-tag=c
         < basic.consume-ok consumer-tag=c
         < basic.deliver consumer-tag=c delivery-tag=1 routing-key=q | content-type=a | 1
         < basic.deliver consumer-tag=c delivery-tag=2 routing-key=q | | 2
         > basic.publish routing-key=q | | 3
         < basic.deliver consumer-tag=c delivery-tag=3 routing-key=q | | 3",
    );
}

#[test]
fn a_consumer_without_a_tag_gets_one() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    let first = peer.ok("basic.consume queue=q").get("consumer-tag").to_owned();
    let second = peer.ok("basic.consume queue=q").get("consumer-tag").to_owned();
    assert_ne!(first, second);
    for tag in [first, second] {
        assert_eq!(tag.strip_prefix("amq.ctag-").map(str::len), Some(22), "{tag}");
        peer.ok(&format!("basic.cancel consumer-tag={tag}"));
    }
}

#[test]
fn a_consume_with_no_wait_answers_with_deliveries_only() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.publish routing-key=q | | 1
         > basic.consume queue=q consumer-tag=c no-ack no-wait
         < basic.deliver consumer-tag=c delivery-tag=1 routing-key=q | | 1
         > basic.cancel consumer-tag=c no-wait
         > queue.declare queue=q passive
         < queue.declare-ok queue=q",
    );
}

#[test]
fn a_consume_with_no_wait_and_no_tag_has_a_generated_one() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.send("basic.publish routing-key=q | | 1");
    peer.send("basic.consume queue=q no-ack no-wait");
    let delivery = peer.await_method("basic.deliver");
    let tag = delivery.get("consumer-tag");
    assert!(tag.starts_with("amq.ctag-"), "{tag}");
    peer.ok(&format!("basic.cancel consumer-tag={tag}"));
    assert_eq!(peer.counts(1, "q"), (0, 0));
}

#[test]
fn without_acks_a_message_is_gone_when_it_is_delivered() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.consume queue=q consumer-tag=c no-ack
         < basic.consume-ok consumer-tag=c
         > basic.publish routing-key=q | | 1
         < basic.deliver consumer-tag=c delivery-tag=1 routing-key=q | | 1
         > channel.close reply-code=200
         < channel.close-ok
         > channel.open
         < channel.open-ok
         > basic.get queue=q
         < basic.get-empty",
    );
}

#[test]
fn b58_a_consumer_tag_is_unique_on_its_channel() {
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
         > 2:basic.consume queue=q consumer-tag=c
         < 2:basic.consume-ok consumer-tag=c
         > basic.cancel consumer-tag=c
         < basic.cancel-ok consumer-tag=c
         > basic.consume queue=r consumer-tag=c
         < basic.consume-ok consumer-tag=c",
    );
    peer.disconnected("basic.consume queue=q consumer-tag=c", 530, "attempt to reuse consumer tag 'c'");
    let mut peer = Peer::connect(&broker);
    peer.send("basic.consume queue=q consumer-tag=c no-wait");
    peer.disconnected(
        "basic.consume queue=q consumer-tag=c no-wait",
        530,
        "attempt to reuse consumer tag 'c'",
    );
}

#[test]
fn a_cancel_of_an_unknown_tag_is_answered() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> basic.cancel consumer-tag=unknown
         < basic.cancel-ok consumer-tag=unknown
         > basic.cancel consumer-tag=unknown no-wait
         > basic.cancel
         < basic.cancel-ok",
    );
}

#[test]
fn a_cancel_does_not_requeue() {
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
         > basic.cancel consumer-tag=c
         < basic.cancel-ok consumer-tag=c
         > basic.get queue=q
         < basic.get-empty
         > basic.ack delivery-tag=1
         > basic.nack delivery-tag=2 requeue
         > basic.get queue=q
         < basic.get-ok delivery-tag=3 redelivered routing-key=q | | 2",
    );
}

#[test]
fn nothing_is_delivered_after_cancel_ok() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    let mut publisher = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    for _ in 0..20 {
        peer.ok("basic.consume queue=q consumer-tag=c no-ack");
        for n in 0..50 {
            publisher.send(&format!("basic.publish routing-key=q | | {n}"));
        }
        peer.send("basic.cancel consumer-tag=c");
        while peer.next().method.name != "basic.cancel-ok" {}
        publisher.ok("queue.declare queue=q passive");
        peer.ok("basic.qos prefetch-count=0");
        peer.ok("queue.purge queue=q");
    }
}

#[test]
fn consumers_take_turns() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    for tag in ["a", "b", "c"] {
        peer.ok(&format!("basic.consume queue=q consumer-tag={tag}"));
    }
    let mut counts = std::collections::BTreeMap::new();
    for n in 0..30 {
        peer.send(&format!("basic.publish routing-key=q | | {n}"));
        let delivery = peer.await_method("basic.deliver");
        assert_eq!((delivery.text(), delivery.number("delivery-tag")), (n.to_string(), n + 1));
        *counts.entry(delivery.get("consumer-tag").to_owned()).or_insert(0) += 1;
    }
    assert!(counts.len() == 3 && counts.values().all(|count| *count == 10), "{counts:?}");
}

#[test]
fn a_consumer_of_higher_priority_is_served_first_while_it_has_credit() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.qos prefetch-count=2
         < basic.qos-ok
         > basic.consume queue=q consumer-tag=low arguments={x-priority:-5}
         < basic.consume-ok consumer-tag=low
         > basic.consume queue=q consumer-tag=none
         < basic.consume-ok consumer-tag=none
         > basic.consume queue=q consumer-tag=high arguments={x-priority:10l}
         < basic.consume-ok consumer-tag=high
         > basic.publish routing-key=q | | 1
         < basic.deliver consumer-tag=high delivery-tag=1 routing-key=q | | 1
         > basic.publish routing-key=q | | 2
         < basic.deliver consumer-tag=high delivery-tag=2 routing-key=q | | 2
         > basic.publish routing-key=q | | 3
         < basic.deliver consumer-tag=none delivery-tag=3 routing-key=q | | 3
         > basic.publish routing-key=q | | 4
         < basic.deliver consumer-tag=none delivery-tag=4 routing-key=q | | 4
         > basic.publish routing-key=q | | 5
         < basic.deliver consumer-tag=low delivery-tag=5 routing-key=q | | 5
         > basic.publish routing-key=q | | 6
         < basic.deliver consumer-tag=low delivery-tag=6 routing-key=q | | 6
         > basic.publish routing-key=q | | 7
         > basic.ack delivery-tag=3
         < basic.deliver consumer-tag=none delivery-tag=7 routing-key=q | | 7
         > basic.ack delivery-tag=1
         > basic.publish routing-key=q | | 8
         < basic.deliver consumer-tag=high delivery-tag=8 routing-key=q | | 8",
    );
}

#[test]
fn a_consumer_s_priority_is_an_integer() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    for value in ["\"5\"", "true", "1.5d"] {
        peer.send(&format!("basic.consume queue=q arguments={{x-priority:{value}}}"));
        let close = peer.await_method("channel.close");
        let seen = (close.number("reply-code"), close.number("class-id"), close.number("method-id"));
        assert_eq!(seen, (406, 60, 20), "{close}");
        peer.send("channel.close-ok");
        peer.open(1);
    }
    for value in ["5b", "5s", "5", "5l", "-5"] {
        peer.ok(&format!("basic.consume queue=q arguments={{x-priority:{value}}}"));
    }
}

#[test]
fn unknown_consumer_arguments_are_accepted() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("basic.consume queue=q arguments={x-cancel-on-ha-failover:true,x-made-up:\"a\",other:5}");
}

#[test]
fn b59_an_exclusive_consumer_is_alone() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.open(2);
    let text = "queue 'q' in vhost '/' in exclusive use";
    peer.ok("queue.declare queue=q");
    peer.ok("2:basic.consume queue=q consumer-tag=alone exclusive");
    peer.refused("basic.consume queue=q", 403, text);
    peer.refused("basic.consume queue=q exclusive", 403, text);
    peer.refused("basic.consume queue=q no-wait", 403, text);
    peer.ok("2:basic.cancel consumer-tag=alone");
    peer.ok("2:basic.consume queue=q consumer-tag=shared");
    peer.refused("basic.consume queue=q exclusive", 403, text);
    peer.ok("basic.consume queue=q");
    peer.ok("2:basic.cancel consumer-tag=shared");
    peer.refused("2:basic.consume queue=q exclusive", 403, text);
}

#[test]
fn an_exclusive_consumer_excludes_nobody_from_getting() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    let mut other = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("basic.qos prefetch-count=1");
    peer.ok("basic.consume queue=q consumer-tag=c exclusive");
    peer.send("basic.publish routing-key=q | | 1");
    peer.await_method("basic.deliver");
    peer.send("basic.publish routing-key=q | | 2");
    peer.ok("queue.declare queue=q passive");
    other.send("basic.get queue=q no-ack");
    other.expect("basic.get-ok delivery-tag=1 routing-key=q | | 2");
}

#[test]
fn an_exclusive_consumer_s_place_is_free_when_its_channel_closes() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.open(2);
    peer.ok("queue.declare queue=q");
    peer.ok("2:basic.consume queue=q consumer-tag=c exclusive");
    peer.ok("2:channel.close reply-code=200");
    peer.ok("basic.consume queue=q exclusive");
}

#[test]
fn a_queue_with_a_single_active_consumer_takes_no_exclusive_one() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q arguments={x-single-active-consumer:true}");
    peer.refused("basic.consume queue=q exclusive", 403, "queue 'q' in vhost '/' in exclusive use");
}

#[test]
fn a_single_active_consumer_is_followed_by_the_next_when_it_is_cancelled() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q arguments={x-single-active-consumer:true}
         < queue.declare-ok queue=q
         > basic.consume queue=q consumer-tag=first no-ack
         < basic.consume-ok consumer-tag=first
         > basic.consume queue=q consumer-tag=second no-ack
         < basic.consume-ok consumer-tag=second
         > basic.consume queue=q consumer-tag=preferred no-ack arguments={x-priority:1}
         < basic.consume-ok consumer-tag=preferred
         > basic.publish routing-key=q | | 1
         < basic.deliver consumer-tag=first delivery-tag=1 routing-key=q | | 1
         > basic.publish routing-key=q | | 2
         < basic.deliver consumer-tag=first delivery-tag=2 routing-key=q | | 2
         > basic.cancel consumer-tag=first
         < basic.cancel-ok consumer-tag=first
         > basic.publish routing-key=q | | 3
         < basic.deliver consumer-tag=preferred delivery-tag=3 routing-key=q | | 3
         > basic.cancel consumer-tag=preferred
         < basic.cancel-ok consumer-tag=preferred
         > basic.publish routing-key=q | | 4
         < basic.deliver consumer-tag=second delivery-tag=4 routing-key=q | | 4",
    );
}

#[test]
fn a_single_active_consumer_is_followed_when_its_connection_ends_and_what_it_held_goes_to_the_next() {
    let broker = Broker::start();
    let mut first = Peer::connect(&broker);
    let mut second = Peer::connect(&broker);
    first.ok("queue.declare queue=q arguments={x-single-active-consumer:true}");
    first.ok("basic.qos prefetch-count=1");
    first.ok("basic.consume queue=q consumer-tag=a");
    second.ok("basic.consume queue=q consumer-tag=b");
    first.send("basic.publish routing-key=q | | 1");
    first.expect("basic.deliver consumer-tag=a delivery-tag=1 routing-key=q | | 1");
    first.send("basic.publish routing-key=q | | 2");
    first.ok("queue.declare queue=q passive");
    first.close();
    second.expect("basic.deliver consumer-tag=b delivery-tag=1 redelivered routing-key=q | | 1");
    second.expect("basic.deliver consumer-tag=b delivery-tag=2 routing-key=q | | 2");
}

#[test]
fn no_local_is_ignored() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("basic.consume queue=q consumer-tag=c no-local no-ack");
    peer.send("basic.publish routing-key=q | | mine");
    peer.expect("basic.deliver consumer-tag=c delivery-tag=1 routing-key=q | | mine");
}

#[test]
fn each_consumer_of_a_fanout_has_its_own_copy_and_its_own_acks() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for queue in ["a", "b"] {
        peer.ok(&format!("queue.declare queue={queue}"));
        peer.ok(&format!("queue.bind queue={queue} exchange=amq.fanout"));
    }
    peer.send("basic.publish exchange=amq.fanout | | x");
    peer.talk(
        "> basic.get queue=a
         < basic.get-ok delivery-tag=1 exchange=amq.fanout | | x
         > basic.get queue=b
         < basic.get-ok delivery-tag=2 exchange=amq.fanout | | x
         > basic.ack delivery-tag=1
         > basic.nack delivery-tag=2 requeue
         > basic.get queue=a
         < basic.get-empty
         > basic.get queue=b
         < basic.get-ok delivery-tag=3 redelivered exchange=amq.fanout | | x",
    );
}
