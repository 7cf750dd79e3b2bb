//! `x-delayed-retry-type` and its kin: what came back waits before it is delivered again.

use std::time::{Duration, Instant};

use crate::peer::Peer;
use crate::support::Broker;

/// Takes the first message of `q`, and with this settlement gives it back; says how long it was away.
fn away(peer: &mut Peer, tag: &mut u32, settlement: &str) -> Duration {
    peer.send("basic.get queue=q");
    peer.await_method("basic.get-ok");
    *tag += 1;
    let start = Instant::now();
    peer.send(&format!("{settlement} delivery-tag={tag} requeue"));
    loop {
        peer.send("basic.get queue=q");
        if peer.next().method.name == "basic.get-ok" {
            let away = start.elapsed();
            *tag += 1;
            // As it was: a get more does not fail it.
            peer.send(&format!("basic.nack delivery-tag={tag} requeue"));
            return away;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "it does not come back");
    }
}

#[test]
fn what_failed_is_away_for_a_while_that_grows_with_its_failures() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for declare in [
        "x-delayed-retry-type:\"failed\",x-delayed-retry-min:100,x-delayed-retry-max:5000",
        "x-delayed-retry-type:\"failed\",x-delayed-retry-min:100,x-delayed-retry-factor:2",
    ] {
        for durable in ["", "durable"] {
            let mut tag = 0;
            peer.open(2);
            peer.ok(&format!("queue.declare queue=q {durable} arguments={{{declare}}}"));
            peer.send("basic.publish routing-key=q | delivery-mode=2 | m");
            for least in [100, 200] {
                let away = away(&mut peer, &mut tag, "basic.reject");
                // The broker counts whole milliseconds.
                assert!(away >= Duration::from_millis(least - 1), "{declare}: {away:?}, not {least} ms");
            }
            peer.ok("queue.delete queue=q");
            peer.ok("channel.close reply-code=200");
            peer.open(1);
            peer.ok("2:channel.close reply-code=200");
        }
    }
}

#[test]
fn only_what_is_to_wait_waits_and_a_message_says_for_itself_how_long() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for (kind, settlement, headers, waits) in [
        ("failed", "basic.reject", "", true),
        ("failed", "basic.nack", "", false),
        ("returned", "basic.nack", "", true),
        ("returned", "basic.reject", "", false),
        ("all", "basic.nack", "", true),
        ("all", "basic.reject", "", true),
        ("all", "basic.reject", "headers={x-retry-delay:0}", false),
        ("disabled", "basic.reject", "headers={x-retry-delay:600000}", false),
    ] {
        peer.ok(&format!(
            "queue.declare queue=q arguments={{x-delayed-retry-type:\"{kind}\",x-delayed-retry-min:600000}}"
        ));
        peer.send(&format!("basic.publish routing-key=q | {headers} | m"));
        peer.send("basic.get queue=q");
        let tag = peer.await_method("basic.get-ok").number("delivery-tag");
        peer.send(&format!("{settlement} delivery-tag={tag} requeue"));
        let found = u64::from(!waits);
        let declared = peer.ok("queue.declare queue=q passive");
        assert_eq!(declared.number("message-count"), found, "{kind} {settlement} {headers}");
        peer.ok("queue.delete queue=q");
    }
    peer.ok("queue.declare queue=q arguments={x-delayed-retry-type:\"all\",x-delayed-retry-min:600000}");
    peer.send("basic.publish routing-key=q | headers={x-retry-delay:100} | m");
    peer.ok("channel.close reply-code=200");
    peer.open(1);
    let away = away(&mut peer, &mut 0, "basic.reject");
    assert!(away >= Duration::from_millis(99), "{away:?}");
}

#[test]
fn a_consumer_goes_on_with_others_meanwhile_and_gets_it_in_its_place() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q arguments={x-delayed-retry-type:\"all\",x-delayed-retry-min:200}");
    for body in ["a", "b"] {
        peer.send(&format!("basic.publish routing-key=q | | {body}"));
    }
    peer.ok("basic.qos prefetch-count=1");
    peer.ok("basic.consume queue=q consumer-tag=c");
    peer.talk(
        "< basic.deliver consumer-tag=c delivery-tag=1 routing-key=q | | a
         > basic.reject delivery-tag=1 requeue
         < basic.deliver consumer-tag=c delivery-tag=2 routing-key=q | | b
         > basic.ack delivery-tag=2",
    );
    let again = peer.await_method("basic.deliver");
    assert_eq!((&*again.text(), again.get("redelivered")), ("a", "true"));
    assert_eq!(again.get("headers"), "{x-delivery-count:1l,x-acquired-count:1l}");
}
