//! How often a message came back: what consumers are told of it, and where it ends.

use crate::peer::Peer;
use crate::support::Broker;

const QUORUM: &str = "durable arguments={x-queue-type:\"quorum\"}";

/// What the headers of the next message in `q` say, which is taken by a get and held.
fn counts(peer: &mut Peer) -> String {
    peer.send("basic.get queue=q");
    peer.await_method("basic.get-ok").get("headers").to_owned()
}

#[test]
fn each_way_back_counts_as_rabbitmq_counts_it() {
    let both = "{x-delivery-count:1l,x-acquired-count:1l}";
    for (declare, way, expected) in [
        (QUORUM, "basic.reject delivery-tag=1 requeue", both),
        (QUORUM, "basic.nack delivery-tag=1 requeue", "{x-acquired-count:1l}"),
        (QUORUM, "basic.nack delivery-tag=1 multiple requeue", "{x-acquired-count:1l}"),
        (QUORUM, "basic.recover requeue", "{x-acquired-count:1l}"),
        (QUORUM, "channel.close reply-code=200", both),
        ("durable arguments={x-delivery-limit:3}", "basic.reject delivery-tag=1 requeue", both),
        ("arguments={x-delivery-limit:3}", "channel.close reply-code=200", both),
        ("", "basic.reject delivery-tag=1 requeue", ""),
        ("arguments={x-delivery-limit:-1}", "basic.reject delivery-tag=1 requeue", ""),
    ] {
        for persistent in [1, 2] {
            let broker = Broker::start();
            let mut peer = Peer::connect(&broker);
            peer.ok(&format!("queue.declare queue=q {declare}"));
            peer.send(&format!("basic.publish routing-key=q | delivery-mode={persistent} | m"));
            assert_eq!(counts(&mut peer), "", "the first time");
            peer.send(way);
            if way.starts_with("basic.recover") {
                peer.await_method("basic.recover-ok");
            }
            if way.starts_with("channel.close") {
                peer.await_method("channel.close-ok");
                peer.open(1);
            }
            assert_eq!(counts(&mut peer), expected, "{declare} {way}");
        }
    }
}

#[test]
fn a_consumer_is_told_the_counts_beside_the_publishers_headers() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok(&format!("queue.declare queue=q {QUORUM}"));
    peer.send("basic.publish routing-key=q | headers={a:\"b\"} message-id=i | the body");
    peer.ok("basic.consume queue=q consumer-tag=c");
    let delivery = "basic.deliver consumer-tag=c routing-key=q message-id=i";
    let given = delivery.replace(" message-id=i", "");
    peer.expect(&format!("{given} delivery-tag=1 | headers={{a:\"b\"}} message-id=i | the body"));
    peer.send("basic.nack delivery-tag=1 requeue");
    let again = "headers={a:\"b\",x-acquired-count:1l} message-id=i | the body";
    peer.expect(&format!("{given} delivery-tag=2 redelivered | {again}"));
    peer.send("basic.reject delivery-tag=2 requeue");
    let again = "headers={a:\"b\",x-delivery-count:1l,x-acquired-count:2l} message-id=i | the body";
    peer.expect(&format!("{given} delivery-tag=3 redelivered | {again}"));
}

/// Rejects the first message of `q` back to it until it has gone, and gives how often that was.
fn rejections(peer: &mut Peer, tag: &mut u32, way: &str, max: u32) -> u32 {
    for count in 0..max {
        peer.send("basic.get queue=q");
        if peer.next().method.name == "basic.get-empty" {
            return count;
        }
        *tag += 1;
        peer.send(&format!("{way} delivery-tag={tag} requeue"));
    }
    max
}

#[test]
fn a_message_that_came_back_more_often_than_the_limit_is_dead() {
    for (declare, way, expected) in [
        (QUORUM, "basic.reject", 21),
        ("durable arguments={x-queue-type:\"quorum\",x-delivery-limit:2}", "basic.reject", 3),
        ("durable arguments={x-queue-type:\"quorum\",x-delivery-limit:-1}", "basic.reject", 30),
        ("arguments={x-delivery-limit:2}", "basic.reject", 3),
        ("durable arguments={x-delivery-limit:2}", "basic.reject", 3),
        ("arguments={x-delivery-limit:0}", "basic.reject", 1),
        ("arguments={x-delivery-limit:2}", "basic.nack", 30),
        ("", "basic.reject", 30),
    ] {
        let broker = Broker::start();
        let mut peer = Peer::connect(&broker);
        peer.ok("queue.declare queue=dead");
        let with = match declare.strip_suffix('}') {
            Some(rest) => format!("{rest},x-dead-letter-exchange:\"\",x-dead-letter-routing-key:\"dead\"}}"),
            None => String::new(),
        };
        let mut tag = 0;
        peer.ok(&format!("queue.declare queue=q {with}"));
        peer.send("basic.publish routing-key=q | delivery-mode=2 | m");
        assert_eq!(rejections(&mut peer, &mut tag, way, 30), expected, "{declare} {way}");
        if expected < 30 {
            peer.send("basic.get queue=dead");
            let dead = peer.await_method("basic.get-ok");
            let reason = "x-first-death-reason:\"delivery_limit\"";
            assert!(dead.get("headers").contains(reason) && dead.text() == "m", "{declare}: {dead}");
        }
    }
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q durable arguments={x-delivery-limit:1}");
    peer.send("basic.publish routing-key=q | delivery-mode=2 | m");
    assert_eq!(rejections(&mut peer, &mut 0, "basic.reject", 9), 2, "without a dead-letter exchange");
}
