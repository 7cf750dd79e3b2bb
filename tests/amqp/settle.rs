//! basic.ack, basic.nack and basic.reject, and what becomes of messages that nobody settled.

use crate::peer::Peer;
use crate::support::Broker;

/// A connection that has the messages 0 to `taken`-1 of `count` unacked, with tags from 1, and the rest ready in queue `q`.
fn with_unacked(broker: &Broker, count: u32, taken: u32) -> Peer {
    let mut peer = Peer::connect(broker);
    peer.ok("queue.declare queue=q");
    for n in 0..count {
        peer.send(&format!("basic.publish routing-key=q | | m{n}"));
    }
    for _ in 0..taken {
        peer.send("basic.get queue=q");
        peer.await_method("basic.get-ok");
    }
    peer
}

/// The ready messages in order, those that were delivered before with a `*`.
fn ready(peer: &mut Peer) -> String {
    let mut all = Vec::new();
    loop {
        peer.send("basic.get queue=q no-ack");
        let line = peer.next();
        if line.method.name == "basic.get-empty" {
            return all.join(" ");
        }
        all.push(line.text() + if line.get("redelivered") == "true" { "*" } else { "" });
    }
}

#[test]
fn each_settlement_does_what_it_says() {
    // Five messages, three of them unacked with the tags 1 to 3; then the channel closes, which requeues what is unsettled.
    for (settlement, before, after) in [
        ("", "m3 m4", "m0* m1* m2*"),
        ("basic.ack delivery-tag=1", "m3 m4", "m1* m2*"),
        ("basic.ack delivery-tag=2", "m3 m4", "m0* m2*"),
        ("basic.ack delivery-tag=2 multiple", "m3 m4", "m2*"),
        ("basic.ack multiple", "m3 m4", ""),
        ("basic.ack delivery-tag=3 multiple", "m3 m4", ""),
        ("basic.nack delivery-tag=2", "m3 m4", "m0* m2*"),
        ("basic.nack delivery-tag=2 multiple", "m3 m4", "m2*"),
        ("basic.nack multiple", "m3 m4", ""),
        ("basic.nack delivery-tag=2 requeue", "m1* m3 m4", "m0* m2*"),
        ("basic.nack delivery-tag=2 multiple requeue", "m0* m1* m3 m4", "m2*"),
        ("basic.nack multiple requeue", "m0* m1* m2* m3 m4", ""),
        ("basic.reject delivery-tag=2", "m3 m4", "m0* m2*"),
        ("basic.reject delivery-tag=2 requeue", "m1* m3 m4", "m0* m2*"),
    ] {
        let broker = Broker::start();
        let mut peer = with_unacked(&broker, 5, 3);
        if !settlement.is_empty() {
            peer.send(settlement);
        }
        assert_eq!(ready(&mut peer), before, "after {settlement}");
        peer.ok("channel.close reply-code=200");
        peer.open(1);
        assert_eq!(ready(&mut peer), after, "after {settlement} and the channel's end");
        peer.ok("queue.delete queue=q");
    }
}

#[test]
fn b56_an_unknown_delivery_tag_closes_the_channel() {
    let broker = Broker::start();
    for method in ["basic.ack", "basic.nack", "basic.reject"] {
        let mut peer = with_unacked(&broker, 3, 3);
        for tag in ["4", "77", "18446744073709551615"] {
            let text = format!("unknown delivery tag {tag}");
            peer.refused(&format!("{method} delivery-tag={tag}"), 406, &text);
        }
        peer.refused(&format!("{method} delivery-tag=0"), 406, "unknown delivery tag 0");
        if method != "basic.reject" {
            let text = "unknown delivery tag 5";
            peer.refused(&format!("{method} delivery-tag=5 multiple"), 406, text);
        }
        assert_eq!(ready(&mut peer), "m0* m1* m2*", "a refused {method} settles nothing");
        peer.ok("queue.delete queue=q");
    }
}

#[test]
fn b56_a_tag_is_unknown_once_it_is_settled() {
    let broker = Broker::start();
    // Of four messages with the tags 1 to 4, some are settled, and the second settlement is of one of those.
    for first in ["basic.ack delivery-tag=2", "basic.nack delivery-tag=2", "basic.reject delivery-tag=2"] {
        for second in [
            "basic.ack delivery-tag=2",
            "basic.ack delivery-tag=2 multiple",
            "basic.nack delivery-tag=2 requeue",
            "basic.nack delivery-tag=2 multiple requeue",
            "basic.reject delivery-tag=2",
        ] {
            let mut peer = with_unacked(&broker, 4, 4);
            peer.send(first);
            peer.refused(second, 406, "unknown delivery tag 2");
            assert_eq!(ready(&mut peer), "m0* m2* m3*", "after {first} and {second}");
        }
    }
    let mut peer = with_unacked(&broker, 4, 4);
    peer.send("basic.ack delivery-tag=3 multiple");
    peer.refused("basic.ack delivery-tag=1", 406, "unknown delivery tag 1");
    assert_eq!(ready(&mut peer), "m3*");
}

#[test]
fn b56_all_of_nothing_is_fine() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> basic.ack multiple
         > basic.nack multiple
         > basic.nack multiple requeue
         > basic.qos
         < basic.qos-ok",
    );
}

#[test]
fn b56_a_delivery_without_acks_cannot_be_settled() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    for request in
        ["basic.ack delivery-tag=1", "basic.ack delivery-tag=1 multiple", "basic.nack delivery-tag=1 requeue"]
    {
        peer.send("basic.publish routing-key=q | | x");
        peer.send("basic.get queue=q no-ack");
        peer.expect("basic.get-ok delivery-tag=1 routing-key=q | | x");
        peer.refused(request, 406, "unknown delivery tag 1");
    }
    for request in ["basic.ack delivery-tag=1 multiple", "basic.reject delivery-tag=1 requeue"] {
        peer.talk(
            "> basic.consume queue=q consumer-tag=c no-ack
             < basic.consume-ok consumer-tag=c
             > basic.publish routing-key=q | | x
             < basic.deliver consumer-tag=c delivery-tag=1 routing-key=q | | x",
        );
        peer.refused(request, 406, "unknown delivery tag 1");
    }
    assert_eq!(peer.counts(1, "q"), (0, 0));
}

#[test]
fn b56_multiple_up_to_a_delivery_without_acks_settles_nothing_before_it() {
    let broker = Broker::start();
    let mut peer = with_unacked(&broker, 2, 1);
    peer.send("basic.get queue=q no-ack");
    peer.expect("basic.get-ok delivery-tag=2 routing-key=q | | m1");
    peer.refused("basic.ack delivery-tag=2 multiple", 406, "unknown delivery tag 2");
    assert_eq!(ready(&mut peer), "m0*");
}

#[test]
fn b56_tags_belong_to_their_channel() {
    let broker = Broker::start();
    let mut peer = with_unacked(&broker, 1, 1);
    peer.open(2);
    peer.refused("2:basic.ack delivery-tag=1", 406, "unknown delivery tag 1");
    peer.send("basic.ack delivery-tag=1");
    peer.ok("channel.close reply-code=200");
    peer.open(1);
    assert_eq!(ready(&mut peer), "");
}

#[test]
fn a_requeued_message_keeps_its_place() {
    let broker = Broker::start();
    let mut peer = with_unacked(&broker, 5, 3);
    peer.talk(
        "> basic.reject delivery-tag=2 requeue
         > basic.get queue=q
         < basic.get-ok delivery-tag=4 redelivered routing-key=q message-count=2 | | m1
         > basic.nack delivery-tag=3 requeue
         > basic.nack delivery-tag=1 requeue",
    );
    assert_eq!(ready(&mut peer), "m0* m2* m3 m4");
}

#[test]
fn a_requeued_message_goes_to_a_waiting_consumer_at_once() {
    let broker = Broker::start();
    let mut peer = with_unacked(&broker, 2, 2);
    peer.open(2);
    peer.talk(
        "> 2:basic.consume queue=q consumer-tag=c
         < 2:basic.consume-ok consumer-tag=c
         > basic.nack delivery-tag=2 multiple requeue
         < 2:basic.deliver consumer-tag=c delivery-tag=1 redelivered routing-key=q | | m0
         < 2:basic.deliver consumer-tag=c delivery-tag=2 redelivered routing-key=q | | m1",
    );
}

#[test]
fn a_sole_consumer_that_requeues_gets_the_message_again() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.qos prefetch-count=1
         < basic.qos-ok
         > basic.consume queue=q consumer-tag=c
         < basic.consume-ok consumer-tag=c
         > basic.publish routing-key=q | | 1
         < basic.deliver consumer-tag=c delivery-tag=1 routing-key=q | | 1
         > basic.publish routing-key=q | | 2
         > basic.nack delivery-tag=1 requeue
         < basic.deliver consumer-tag=c delivery-tag=2 redelivered routing-key=q | | 1
         > basic.ack delivery-tag=2
         < basic.deliver consumer-tag=c delivery-tag=3 routing-key=q | | 2",
    );
}

#[test]
fn a_message_that_was_prefetched_and_not_settled_counts_as_redelivered() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.open(2);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > 2:basic.qos prefetch-count=2
         < 2:basic.qos-ok
         > 2:basic.consume queue=q consumer-tag=c
         < 2:basic.consume-ok consumer-tag=c
         > basic.publish routing-key=q | | m0
         < 2:basic.deliver consumer-tag=c delivery-tag=1 routing-key=q | | m0
         > basic.publish routing-key=q | | m1
         < 2:basic.deliver consumer-tag=c delivery-tag=2 routing-key=q | | m1
         > basic.publish routing-key=q | | m2
         > 2:channel.close reply-code=200
         < 2:channel.close-ok",
    );
    assert_eq!(ready(&mut peer), "m0* m1* m2");
}

#[test]
fn messages_of_a_lost_connection_are_requeued_in_order() {
    let broker = Broker::start();
    let mut lost = with_unacked(&broker, 6, 4);
    lost.send("basic.ack delivery-tag=2");
    lost.ok("basic.qos");
    drop(lost);
    let mut peer = Peer::connect(&broker);
    peer.await_counts(1, "q", (5, 0));
    assert_eq!(ready(&mut peer), "m0* m2* m3* m4 m5");
}

#[test]
fn what_an_exception_leaves_unacked_is_requeued_before_the_channel_opens_again() {
    let broker = Broker::start();
    let mut peer = with_unacked(&broker, 3, 2);
    peer.refused("basic.publish exchange=absent", 404, "no exchange 'absent' in vhost '/'");
    assert_eq!(ready(&mut peer), "m0* m1* m2");
}

#[test]
fn messages_can_be_settled_in_any_order() {
    let broker = Broker::start();
    let mut peer = with_unacked(&broker, 100, 100);
    for tag in (1..=100).filter(|tag| tag % 3 == 0).rev() {
        peer.send(&format!("basic.ack delivery-tag={tag}"));
    }
    peer.send("basic.nack delivery-tag=50 multiple requeue");
    let expected: Vec<_> = (1..=50).filter(|tag| tag % 3 != 0).map(|tag| format!("m{}*", tag - 1)).collect();
    assert_eq!(ready(&mut peer), expected.join(" "));
}

#[test]
fn what_a_closed_channel_or_connection_leaves_goes_to_the_other_consumers() {
    let broker = Broker::start();
    let mut other = Peer::connect(&broker);
    for end in ["channel.close reply-code=200", "0:connection.close reply-code=200"] {
        let mut peer = with_unacked(&broker, 3, 3);
        other.ok("basic.consume queue=q consumer-tag=other no-ack");
        peer.ok(end);
        for n in 0..3 {
            let delivery = other.await_method("basic.deliver");
            assert_eq!(
                (delivery.text(), delivery.get("redelivered")),
                (format!("m{n}"), "true"),
                "after {end}"
            );
        }
        other.ok("basic.cancel consumer-tag=other");
    }
}
