//! The exchange type x-delayed-message.

use std::time::Instant;

use crate::peer::Peer;
use crate::support::{Broker, assert_waited};

const DECLARE: &str =
    "exchange.declare exchange=x type=x-delayed-message arguments={x-delayed-type:\"direct\"}";

/// The next message that a consumer gets, without what tells deliveries apart.
fn next(peer: &mut Peer) -> String {
    let line = peer.await_method("basic.deliver");
    format!("{} {} {}", line.get("exchange"), line.get("routing-key"), line.text())
}

#[test]
fn a_declaration_without_an_existing_type_is_refused_in_the_plugins_words() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    let none = "Invalid argument, 'x-delayed-type' must be an existing exchange type";
    for (arguments, text) in [
        ("{}", none),
        ("{x-delayed-type:5}", none),
        ("{x-delayed-type:\"x-delayed-message\"}", none),
        ("{x-delayed-type:\"nope\"}", "unknown exchange type 'nope'"),
    ] {
        let request = format!("exchange.declare exchange=x type=x-delayed-message arguments={arguments}");
        peer.refused(&request, 406, text);
    }
    peer.ok(DECLARE);
    peer.ok(DECLARE);
}

#[test]
fn messages_are_routed_when_they_are_due_by_the_bindings_of_then() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok(DECLARE);
    peer.ok("confirm.select");
    for queue in ["early", "late"] {
        peer.ok(&format!("queue.declare queue={queue}"));
    }
    peer.ok("queue.bind queue=early exchange=x routing-key=k");
    let start = Instant::now();
    let mut lines = Vec::new();
    for (fields, body) in [
        ("routing-key=k | headers={x-delay:11000,a:1} message-id=m", "last"),
        ("routing-key=k | headers={x-delay:10000}", "first"),
        ("routing-key=k | headers={x-delay:0}", "at once"),
        ("routing-key=k | ", "at once too"),
        ("routing-key=k | headers={x-delay:-300}", "and this"),
        ("routing-key=other | headers={x-delay:200}", "nobody's"),
    ] {
        lines.push(format!("basic.publish exchange=x {fields} | {body}"));
    }
    // At once, so that their times are what tells them apart.
    peer.send_all(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    while peer.await_method("basic.ack").number("delivery-tag") < lines.len() as u64 {}
    assert_eq!(peer.drain(1, "early"), ["at once", "at once too", "and this"]);
    peer.ok("queue.unbind queue=early exchange=x routing-key=k");
    peer.ok("queue.bind queue=late exchange=x routing-key=k");
    peer.ok("basic.consume queue=late consumer-tag=c no-ack");
    assert_eq!(next(&mut peer), "x k first");
    assert_waited(start, 10_000, "the first");
    let last = peer.await_method("basic.deliver").to_string();
    assert_waited(start, 11_000, "the last");
    assert!(
        last.ends_with("exchange=x routing-key=k | headers={x-delay:-11000,a:1} message-id=m | last"),
        "{last}"
    );
    assert_eq!(peer.drain(1, "early"), [""; 0]);
}

#[test]
fn what_waits_is_out_of_reach_and_goes_with_the_exchange() {
    let goes = |end: &str| {
        let broker = Broker::start();
        let mut peer = Peer::connect(&broker);
        peer.ok(&format!("{DECLARE} auto-delete"));
        peer.ok("queue.declare queue=q");
        peer.ok("queue.bind queue=q exchange=x routing-key=k");
        peer.send("basic.publish exchange=x routing-key=k | headers={x-delay:10000} | body");
        let hidden = "amq.delayed-message.x";
        let none = format!("no queue '{hidden}' in vhost '/'");
        for request in ["queue.declare passive", "queue.purge", "basic.get", "basic.consume"] {
            peer.refused(&format!("{request} queue={hidden}"), 404, &none);
        }
        peer.send(&format!("basic.publish routing-key={hidden} mandatory | | body"));
        peer.await_method("basic.return");
        peer.ok(end);
        // The same name again is another exchange, without what waited.
        peer.ok(&format!("{DECLARE} auto-delete"));
        peer.ok("queue.bind queue=q exchange=x routing-key=k");
        peer.send("basic.publish exchange=x routing-key=k | headers={x-delay:10200} | after");
        peer.await_counts(1, "q", (1, 0));
        assert_eq!(peer.drain(1, "q"), ["after"], "{end}");
    };
    std::thread::scope(|scope| {
        for end in ["exchange.delete exchange=x", "queue.unbind queue=q exchange=x routing-key=k"] {
            scope.spawn(move || goes(end));
        }
    });
}

#[test]
fn what_nobody_takes_when_it_is_due_goes_to_the_alternate_exchange_and_is_not_returned() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("exchange.declare exchange=alternate type=fanout");
    peer.ok("queue.bind queue=q exchange=alternate");
    peer.ok("exchange.declare exchange=x type=x-delayed-message \
         arguments={x-delayed-type:\"direct\",alternate-exchange:\"alternate\"}");
    peer.ok("exchange.declare exchange=y type=x-delayed-message arguments={x-delayed-type:\"fanout\"}");
    peer.ok("confirm.select");
    peer.send("basic.publish exchange=x routing-key=k mandatory | headers={x-delay:100} | later");
    peer.await_method("basic.ack");
    peer.send("basic.publish exchange=y routing-key=k mandatory | headers={x-delay:1} | lost");
    peer.await_method("basic.ack");
    peer.send("basic.publish exchange=y routing-key=k mandatory | | nobody's");
    peer.await_method("basic.return");
    peer.await_method("basic.ack");
    peer.ok("basic.consume queue=q consumer-tag=c no-ack");
    assert_eq!(next(&mut peer), "x k later");
}

#[test]
fn messages_wait_wherever_they_meet_the_exchange_once_and_are_routed_by_all_their_keys() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=direct");
    peer.ok("queue.declare queue=copied arguments={x-scheduled:true}");
    peer.ok("exchange.declare exchange=from type=fanout");
    peer.ok(DECLARE);
    peer.ok("exchange.declare exchange=second type=x-delayed-message arguments={x-delayed-type:\"topic\"}");
    peer.ok("exchange.bind source=from destination=x");
    peer.ok("exchange.bind source=x destination=second routing-key=copy.1");
    peer.ok("queue.bind queue=direct exchange=from");
    peer.ok("queue.bind queue=copied exchange=second routing-key=copy.*");
    peer.ok("confirm.select");
    let start = Instant::now();
    // At once, so that their times are what tells them apart: delayed by each of them, the first one would be due last.
    peer.send_all(&[
        "basic.publish exchange=from routing-key=k | headers={CC:[\"copy.1\"],x-delay:6000} | body",
        "basic.publish exchange=second routing-key=copy.2 | headers={x-delay:11000} | other",
    ]);
    while peer.await_method("basic.ack").number("delivery-tag") < 2 {}
    assert_eq!(peer.drain(1, "direct"), ["body"], "not delayed by what it does not pass");
    peer.ok("basic.consume queue=copied consumer-tag=c no-ack");
    assert_eq!(next(&mut peer), "from k body");
    assert_waited(start, 6000, "body");
}
