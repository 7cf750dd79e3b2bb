//! `x-consumer-timeout`: a delivery that is not settled in time.

use crate::peer::Peer;
use crate::support::Broker;

/// A client that does not understand `basic.cancel` from a server.
const WITHOUT_CANCEL: &str = "{capabilities:{basic.nack:true}}";

#[test]
fn b68_a_client_that_understands_it_loses_the_consumer_and_keeps_its_channel() {
    for (declare, consume) in [
        ("arguments={x-consumer-timeout:150}", ""),
        ("durable arguments={x-queue-type:\"quorum\",x-consumer-timeout:150}", ""),
        ("", "arguments={x-consumer-timeout:150}"),
        ("arguments={x-consumer-timeout:600000}", "arguments={x-consumer-timeout:150}"),
    ] {
        let broker = Broker::start();
        let mut peer = Peer::connect(&broker);
        peer.ok(&format!("queue.declare queue=q {declare}"));
        for body in ["a", "b", "c"] {
            peer.send(&format!("basic.publish routing-key=q | delivery-mode=2 | {body}"));
        }
        peer.ok("basic.qos prefetch-count=2");
        peer.ok(&format!("basic.consume queue=q consumer-tag=late {consume}"));
        peer.talk(
            "< basic.deliver consumer-tag=late delivery-tag=1 routing-key=q | delivery-mode=2 | a
             < basic.deliver consumer-tag=late delivery-tag=2 routing-key=q | delivery-mode=2 | b
             < basic.cancel consumer-tag=late no-wait",
        );
        let declared = peer.ok("queue.declare queue=q passive");
        assert_eq!(
            (declared.number("message-count"), declared.number("consumer-count")),
            (3, 0),
            "{declare}"
        );
        // What it says of them later is let pass, and settles nothing.
        peer.send("basic.ack delivery-tag=1");
        peer.send("basic.reject delivery-tag=2");
        let again = peer.ok("basic.get queue=q");
        assert_eq!((&*again.text(), again.get("redelivered")), ("a", "true"), "{declare}");
        assert_eq!(peer.ok("queue.declare queue=q passive").number("message-count"), 2, "{declare}");
        peer.ok("basic.consume queue=q consumer-tag=late no-ack");
        assert_eq!([peer.next().text(), peer.next().text()], ["b", "c"], "{declare}");
    }
}

#[test]
fn b68_of_another_client_the_channel_is_closed_and_what_it_held_goes_back() {
    let broker = Broker::start();
    let mut peer = Peer::connect_with(&broker, WITHOUT_CANCEL);
    peer.ok("queue.declare queue=q arguments={x-consumer-timeout:150}");
    peer.open(2);
    peer.send("basic.publish routing-key=q | | a");
    peer.ok("2:basic.consume queue=q consumer-tag=late");
    peer.expect("2:basic.deliver consumer-tag=late delivery-tag=1 routing-key=q | | a");
    let close = peer.await_method("channel.close");
    let text = "PRECONDITION_FAILED - delivery acknowledgement on channel 2 timed out. Timeout value used: 150 ms. \
                This timeout value can be configured: it is x-consumer-timeout or the policy consumer-timeout of \
                the queue, or consumer_timeout in the configuration";
    assert_eq!((close.channel, close.number("reply-code"), close.get("reply-text")), (2, 406, text));
    assert_eq!((close.number("class-id"), close.number("method-id")), (0, 0));
    peer.send("2:channel.close-ok");
    let declared = peer.ok("queue.declare queue=q passive");
    assert_eq!((declared.number("message-count"), declared.number("consumer-count")), (1, 0));
}

#[test]
fn one_that_settles_in_time_is_left_alone_however_long_it_goes_on() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q arguments={x-consumer-timeout:10000}");
    peer.ok("queue.declare queue=other");
    peer.ok("basic.consume queue=q consumer-tag=c");
    let start = std::time::Instant::now();
    let mut tag = 0;
    while start.elapsed() < std::time::Duration::from_millis(12_500) {
        tag += 1;
        peer.send("basic.publish routing-key=q | | m");
        peer.expect(&format!("basic.deliver consumer-tag=c delivery-tag={tag} routing-key=q | | m"));
        peer.send(&format!("basic.ack delivery-tag={tag}"));
    }
    assert_eq!(peer.ok("queue.declare queue=q passive").number("consumer-count"), 1);
}

#[test]
fn a_consumers_own_time_is_a_number_that_is_not_negative() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    for (value, reason) in [("\"5\"", "{unacceptable_type,longstr}"), ("-1", "{value_negative,-1}")] {
        peer.refused(
            &format!("basic.consume queue=q arguments={{x-consumer-timeout:{value}}}"),
            406,
            &format!("invalid arg 'x-consumer-timeout' for queue 'q' in vhost '/': {reason}"),
        );
    }
}
