//! Message groups: what is of one group is delivered in order and to one consumer at a time.

use crate::peer::Peer;
use crate::support::Broker;

const DECLARE: &str = "queue.declare queue=q arguments={x-message-group:\"type\"}";

/// Publishes bodies whose first letter is their group; one that begins with `-` has none.
fn publish(peer: &mut Peer, bodies: &[&str]) {
    for body in bodies {
        let group = &body[..1];
        let properties = if group == "-" { String::new() } else { format!("type={group}") };
        peer.send(&format!("basic.publish routing-key=q | {properties} | {body}"));
    }
}

/// What comes next, as `consumer:body`, with a `*` when it came before.
fn delivered(peer: &mut Peer, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..count {
        let line = peer.await_method("basic.deliver");
        let again = if line.get("redelivered") == "true" { "*" } else { "" };
        all.push(format!("{}:{}{again}", line.get("consumer-tag"), line.text()));
    }
    all
}

/// What a get finds.
fn got(peer: &mut Peer) -> String {
    peer.send("basic.get queue=q");
    let line = peer.next();
    if line.method.name == "basic.get-empty" {
        return String::from("nothing");
    }
    line.text() + if line.get("redelivered") == "true" { "*" } else { "" }
}

/// A connection with a queue that has groups, and a consumer on each of its channels 1 and 2 who may have two messages.
fn with_consumers(broker: &Broker) -> Peer {
    let mut peer = Peer::connect(broker);
    peer.open(2);
    peer.ok(DECLARE);
    for (channel, tag) in [(1, "one"), (2, "two")] {
        peer.ok(&format!("{channel}:basic.qos prefetch-count=2"));
        peer.ok(&format!("{channel}:basic.consume queue=q consumer-tag={tag}"));
    }
    peer
}

#[test]
fn groups_are_shared_among_consumers_and_each_goes_to_who_has_some_of_it() {
    let broker = Broker::start();
    let mut peer = with_consumers(&broker);
    publish(&mut peer, &["a1", "b1", "a2", "a3", "b2", "-1", "c1"]);
    let mut first = delivered(&mut peer, 4);
    // Each gets what is his in order; both together as it happens to be read.
    first.sort_unstable();
    assert_eq!(first, ["one:a1", "one:a2", "two:b1", "two:b2"]);
    assert_eq!(peer.counts(2, "q").0, 3, "what waits for others counts as ready");
    // Neither can take more than he has; what was free before the settlement goes by its place.
    peer.send("2:basic.ack delivery-tag=1");
    assert_eq!(delivered(&mut peer, 1), ["two:-1"]);
    peer.send("1:basic.ack delivery-tag=1");
    assert_eq!(delivered(&mut peer, 1), ["one:a3"]);
    peer.send("1:basic.ack delivery-tag=3 multiple");
    assert_eq!(delivered(&mut peer, 1), ["one:c1"]);
    // Nothing of it is in flight: another may have it.
    publish(&mut peer, &["a4"]);
    peer.send("2:basic.ack delivery-tag=3 multiple");
    let next = delivered(&mut peer, 1);
    assert!(next == ["one:a4"] || next == ["two:a4"], "{next:?}");
}

#[test]
fn what_comes_back_holds_its_group_until_the_rest_is_settled() {
    let broker = Broker::start();
    let mut peer = with_consumers(&broker);
    publish(&mut peer, &["a1", "a2", "a3", "b1"]);
    assert_eq!(delivered(&mut peer, 3), ["one:a1", "one:a2", "two:b1"]);
    // He has credit again, but a2 would come before a1 then, for all that anyone knows.
    peer.send("1:basic.nack delivery-tag=1 requeue");
    publish(&mut peer, &["c1"]);
    assert_eq!(delivered(&mut peer, 1), ["two:c1"], "the one after who had the last");
    publish(&mut peer, &["d1"]);
    assert_eq!(delivered(&mut peer, 1), ["one:d1"]);
    peer.send("2:basic.ack delivery-tag=2 multiple");
    assert_eq!(peer.counts(2, "q").0, 2);
    peer.send("1:basic.ack delivery-tag=2");
    // To whoever is next, and all of it to him.
    let both = delivered(&mut peer, 2);
    let bodies: Vec<&str> = both.iter().map(|line| &line[4..]).collect();
    assert_eq!(bodies, ["a1*", "a3"], "{both:?}");
    assert_eq!(both[0][..3], both[1][..3]);
}

#[test]
fn a_get_takes_one_message_of_a_group_and_none_of_others() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok(DECLARE);
    publish(&mut peer, &["a1", "a2", "b1", "-1", "-2"]);
    for expected in ["a1", "b1", "-1", "-2", "nothing"] {
        assert_eq!(got(&mut peer), expected);
    }
    peer.send("basic.nack delivery-tag=2 requeue");
    assert_eq!(got(&mut peer), "b1*");
    peer.send("basic.reject delivery-tag=1 requeue");
    assert_eq!(got(&mut peer), "a1*");
    assert_eq!(got(&mut peer), "nothing");
    peer.send("basic.ack delivery-tag=6");
    assert_eq!(got(&mut peer), "a2");
    assert_eq!(got(&mut peer), "nothing");
    assert_eq!(peer.ok("queue.purge queue=q").number("message-count"), 0);
}

#[test]
fn a_group_stays_with_a_cancelled_consumer_until_what_he_has_is_settled() {
    let broker = Broker::start();
    let mut peer = with_consumers(&broker);
    publish(&mut peer, &["a1"]);
    assert_eq!(delivered(&mut peer, 1), ["one:a1"]);
    peer.ok("1:basic.cancel consumer-tag=one");
    publish(&mut peer, &["a2", "b1"]);
    assert_eq!(delivered(&mut peer, 1), ["two:b1"]);
    peer.send("1:basic.ack delivery-tag=1");
    assert_eq!(delivered(&mut peer, 1), ["two:a2"]);
}

#[test]
fn what_a_lost_connection_had_goes_on_in_order() {
    let broker = Broker::start();
    let mut other = Peer::connect(&broker);
    other.ok(DECLARE);
    other.ok("basic.qos prefetch-count=2");
    other.ok("basic.consume queue=q consumer-tag=other");
    publish(&mut other, &["a1", "a2", "a3"]);
    assert_eq!(delivered(&mut other, 2), ["other:a1", "other:a2"]);
    let mut peer = Peer::connect(&broker);
    peer.ok("basic.consume queue=q consumer-tag=mine");
    publish(&mut peer, &["b1"]);
    assert_eq!(delivered(&mut peer, 1), ["mine:b1"]);
    drop(other);
    assert_eq!(delivered(&mut peer, 3), ["mine:a1*", "mine:a2*", "mine:a3"]);
}

#[test]
fn with_automatic_acknowledgements_everything_comes_in_order() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok(DECLARE);
    let bodies: Vec<String> = (0..500).map(|n| format!("{}{n}", ["a", "b", "-"][n % 3])).collect();
    publish(&mut peer, &bodies.iter().map(String::as_str).collect::<Vec<_>>());
    peer.ok("basic.consume queue=q consumer-tag=c no-ack");
    let expected: Vec<String> = bodies.iter().map(|body| format!("c:{body}")).collect();
    assert_eq!(delivered(&mut peer, 500), expected);
    peer.await_counts(1, "q", (0, 1));
}

#[test]
fn a_declaration_says_what_groups_as_text_and_how_far_to_look_ahead_as_a_number() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for (argument, value, reason) in [
        ("x-message-group", "1", "{unacceptable_type,signedint}"),
        ("x-message-group", "true", "{unacceptable_type,bool}"),
        ("x-message-group", "void", "{unacceptable_type,void}"),
        ("x-message-group-look-ahead", "0", "{value_zero,0}"),
        ("x-message-group-look-ahead", "-1", "{value_negative,-1}"),
        ("x-message-group-look-ahead", "\"5\"", "\"expected integer, got longstr\""),
    ] {
        let text = format!("invalid arg '{argument}' for queue 'q' in vhost '/': {reason}");
        peer.refused(&format!("queue.declare queue=q arguments={{{argument}:{value}}}"), 406, &text);
    }
    peer.ok(DECLARE);
    let text = "inequivalent arg 'x-message-group' for queue 'q' in vhost '/': received 'app-id' but current is 'type'";
    peer.refused("queue.declare queue=q arguments={x-message-group:\"app-id\"}", 406, text);
}
