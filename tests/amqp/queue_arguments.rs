//! The arguments of queue.declare, and what makes two declarations the same.

use crate::peer::Peer;
use crate::support::Broker;

#[test]
fn b49_a_declare_that_differs_from_what_is_there_is_refused() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=plain");
    peer.ok("queue.declare queue=durable durable");
    peer.ok("queue.declare queue=auto auto-delete");
    peer.ok(
        "queue.declare queue=args arguments={x-expires:600000,x-max-length:5,x-dead-letter-exchange:\"a\"}",
    );
    for (request, argument, queue, rest) in [
        ("plain durable", "durable", "plain", "received 'true' but current is 'false'"),
        ("durable", "durable", "durable", "received 'false' but current is 'true'"),
        ("plain auto-delete", "auto_delete", "plain", "received 'true' but current is 'false'"),
        ("auto", "auto_delete", "auto", "received 'false' but current is 'true'"),
        (
            "plain arguments={x-expires:1000}",
            "x-expires",
            "plain",
            "received the value '1000' of type 'signedint' but current is none",
        ),
        (
            "args arguments={x-expires:600000,x-max-length:5}",
            "x-dead-letter-exchange",
            "args",
            "received none but current is the value 'a' of type 'longstr'",
        ),
        (
            "args arguments={x-expires:600000,x-max-length:6,x-dead-letter-exchange:\"a\"}",
            "x-max-length",
            "args",
            "received '6' but current is '5'",
        ),
    ] {
        let text = format!("inequivalent arg '{argument}' for queue '{queue}' in vhost '/': {rest}");
        peer.refused(&format!("queue.declare queue={request}"), 406, &text);
    }
    peer.ok("queue.declare queue=plain");
}

#[test]
fn a_passive_declare_compares_nothing() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("queue.declare queue=q passive durable auto-delete arguments={x-expires:5}");
}

#[test]
fn arguments_of_another_integer_width_or_that_nobody_knows_are_equivalent() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q arguments={x-message-ttl:60000,x-made-up:1,other:\"a\"}");
    for arguments in [
        "{x-message-ttl:60000l}",
        "{x-message-ttl:60000,x-made-up:2}",
        "{x-message-ttl:60000,x-never-heard-of:true}",
        "{other:\"b\",x-message-ttl:60000}",
    ] {
        peer.ok(&format!("queue.declare queue=q arguments={arguments}"));
    }
    for width in ["100b", "100s", "100", "100l"] {
        peer.ok(&format!("queue.declare queue=width-{width} arguments={{x-expires:{width}}}"));
    }
}

#[test]
fn arguments_of_the_wrong_type_or_range_are_refused() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for (name, value, reason) in [
        ("x-expires", "\"5\"", "\"expected integer, got longstr\""),
        ("x-expires", "true", "\"expected integer, got bool\""),
        ("x-expires", "0", "{value_zero,0}"),
        ("x-expires", "-1", "{value_negative,-1}"),
        ("x-expires", "315360000001l", "{value_too_large,315360000001}"),
        ("x-message-ttl", "-1", "{value_negative,-1}"),
        ("x-message-ttl", "\"60000\"", "\"expected integer, got longstr\""),
        ("x-message-ttl", "315360000001l", "{value_too_large,315360000001}"),
        ("x-max-length", "-1", "{value_negative,-1}"),
        ("x-max-length-bytes", "-1", "{value_negative,-1}"),
        ("x-max-length", "\"1\"", "\"expected integer, got longstr\""),
        ("x-max-priority", "256", "{max_value_exceeded,256}"),
        ("x-max-priority", "-1", "{value_negative,-1}"),
        ("x-overflow", "\"drop-middle\"", "invalid_overflow"),
        ("x-overflow", "1", "{unacceptable_type,signedint}"),
        ("x-single-active-consumer", "1", "{unacceptable_type,signedint}"),
        ("x-dead-letter-routing-key", "\"k\"", "routing_key_but_no_dlx_defined"),
        ("x-dead-letter-routing-key", "1", "{unacceptable_type,signedint}"),
        ("x-queue-mode", "\"foo\"", "\"unsupported queue mode 'foo'\""),
        ("x-queue-version", "3", "\"unsupported queue version '3'\""),
    ] {
        peer.refused(
            &format!("queue.declare queue=q arguments={{{name}:{value}}}"),
            406,
            &format!("invalid arg '{name}' for queue 'q' in vhost '/': {reason}"),
        );
    }
    peer.refused(
        "queue.declare queue=q arguments={x-dead-letter-exchange:5}",
        406,
        "invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'",
    );
    peer.refused("queue.declare queue=q passive", 404, "no queue 'q' in vhost '/'");
}

#[test]
fn an_unknown_queue_type_closes_the_channel_and_not_the_connection() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for value in ["\"nope\"", "5"] {
        peer.send(&format!("queue.declare queue=q durable arguments={{x-queue-type:{value}}}"));
        let close = peer.await_method("channel.close");
        assert_eq!(close.number("reply-code"), 406, "{close}");
        peer.send("channel.close-ok");
        peer.open(1);
    }
    peer.ok("queue.declare queue=q durable arguments={x-queue-type:\"classic\"}");
}

#[test]
fn a_quorum_queue_has_a_name_and_is_durable() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.refused(
        "queue.declare durable arguments={x-queue-type:\"quorum\"}",
        406,
        "Cannot declare a server-named queue for type rabbit_quorum_queue",
    );
    peer.refused(
        "queue.declare queue=q arguments={x-queue-type:\"quorum\"}",
        406,
        "invalid property 'non-durable' for queue 'q' in vhost '/'",
    );
}
