//! Messages that are to be delivered later, in queues that allow it.

use std::time::{Duration, Instant};

use crate::peer::Peer;
use crate::support::{Broker, assert_waited};

const DECLARE: &str = "queue.declare queue=q arguments={x-scheduled:true}";

#[test]
fn messages_are_delivered_when_they_are_due_and_behind_what_is_ready_then() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok(DECLARE);
    peer.ok("confirm.select");
    let start = Instant::now();
    let mut lines = Vec::new();
    for (headers, body) in [
        ("headers={x-delay:11000,a:1}", "last"),
        ("headers={x-delay:10500l}", "second"),
        ("headers={x-delay:10000}", "first"),
        ("headers={x-delay:0}", "at once"),
        ("headers={x-delay:-5}", "at once too"),
        ("headers={x-delay:\"soon\"}", "and this"),
        ("headers={x-deliver-at:5l}", "long past"),
        ("headers={x-deliver-at:4102444800000l}", "in another century"),
    ] {
        lines.push(format!("basic.publish routing-key=q | {headers} | {body}"));
    }
    // At once, so that their times are what tells them apart.
    peer.send_all(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    while peer.await_method("basic.ack").number("delivery-tag") < lines.len() as u64 {}
    assert_eq!(peer.counts(1, "q"), (4, 0), "what waits is not ready");
    assert_eq!(peer.drain(1, "q"), ["at once", "at once too", "and this", "long past"]);
    peer.ok("basic.consume queue=q consumer-tag=c no-ack");
    for (wait, body) in [(10_000, "first"), (10_500, "second"), (11_000, "last")] {
        let line = peer.next();
        assert_eq!(line.text(), body);
        assert_waited(start, wait, body);
        let shown = line.to_string();
        assert!(shown.contains(&format!("x-delay:-{wait}")), "{shown}");
        assert!(!line.to_string().contains("redelivered"), "{shown}");
    }
}

#[test]
fn a_queue_without_leave_delivers_at_once_and_leaves_the_header_alone() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for arguments in ["{}", "{x-scheduled:false}", "{x-max-length:5}"] {
        peer.ok(&format!("queue.declare queue=q arguments={arguments}"));
        peer.send("basic.publish routing-key=q | headers={x-delay:60000} | body");
        peer.send("basic.get queue=q no-ack");
        peer.expect("basic.get-ok delivery-tag=1 routing-key=q | headers={x-delay:60000} | body");
        peer.send("1:channel.close reply-code=200");
        peer.expect("1:channel.close-ok");
        peer.open(1);
        peer.ok("queue.delete queue=q");
    }
}

#[test]
fn a_purge_leaves_what_waits_and_if_empty_minds_it() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok(DECLARE);
    peer.send("basic.publish routing-key=q | headers={x-delay:10000} | later");
    peer.send("basic.publish routing-key=q | | now");
    assert_eq!(peer.ok("queue.purge queue=q").number("message-count"), 1);
    peer.refused("queue.delete queue=q if-empty", 406, "queue 'q' in vhost '/' not empty");
    peer.await_counts(1, "q", (1, 0));
    assert_eq!(peer.drain(1, "q"), ["later"]);
    peer.ok("queue.delete queue=q if-empty");
}

#[test]
fn the_time_to_live_of_a_message_begins_when_it_is_ready() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=dead");
    peer.ok(
        "queue.declare queue=q arguments={x-scheduled:true,x-message-ttl:1000,x-dead-letter-exchange:\"\",\
         x-dead-letter-routing-key:\"dead\"}",
    );
    let start = Instant::now();
    peer.send_all(&[
        "basic.publish routing-key=q | headers={x-delay:400} | by the queue",
        "basic.publish routing-key=q | headers={x-delay:400} expiration=50 | its own",
    ]);
    peer.ok("basic.consume queue=dead consumer-tag=c no-ack");
    // In any order: both times may have come when the broker looks.
    let mut dead = Vec::new();
    for _ in 0..2 {
        let body = peer.next().text();
        assert_waited(start, if body == "its own" { 450 } else { 1400 }, &body);
        dead.push(body);
    }
    dead.sort();
    assert_eq!(dead, ["by the queue", "its own"]);
}

#[test]
fn what_a_full_queue_refuses_when_it_is_due_waits_until_there_is_room() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok(
        "queue.declare queue=q arguments={x-scheduled:true,x-max-length:1,x-overflow:\"reject-publish\"}",
    );
    peer.ok("confirm.select");
    for (headers, body) in [("", "fills it"), ("headers={x-delay:50}", "a"), ("headers={x-delay:60}", "b")] {
        peer.send(&format!("basic.publish routing-key=q | {headers} | {body}"));
        peer.await_method("basic.ack");
    }
    let mut found = Vec::new();
    let deadline = Instant::now() + Duration::from_mins(1);
    while found.len() < 3 {
        assert!(Instant::now() < deadline, "{found:?}");
        found.extend(peer.drain(1, "q"));
    }
    assert_eq!(found, ["fills it", "a", "b"]);
}
