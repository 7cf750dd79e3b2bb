//! Messages that are taken once, by queues and by exchanges.

use std::time::{Duration, Instant};

use crate::peer::Peer;
use crate::support::{Broker, assert_waited};

const QUEUE: &str = "queue.declare queue=q arguments={x-message-deduplication:true}";
const WINDOW: &str =
    "queue.declare queue=q arguments={x-message-deduplication:true,x-deduplication-window:true}";

/// A publish to the queue `q`, by the value of the header as it is written in a table.
fn of(key: &str, body: &str) -> String {
    format!("basic.publish routing-key=q | headers={{x-deduplication-header:{key}}} | {body}")
}

/// A peer with such a queue and confirms.
fn confirming(broker: &Broker, declare: &str) -> Peer {
    let mut peer = Peer::connect(broker);
    peer.ok(declare);
    peer.ok("confirm.select");
    peer
}

/// Sends publishes one after the other, each of which is confirmed.
fn publish(peer: &mut Peer, lines: &[String]) {
    for line in lines {
        peer.send(line);
        peer.await_method("basic.ack");
    }
}

#[test]
fn a_message_is_not_taken_while_one_with_its_key_is_in_the_queue() {
    let broker = Broker::start();
    let mut peer = confirming(&broker, QUEUE);
    let lines = ["\"a\"", "\"b\"", "\"a\"", "1", "\"1\"", "1l", "t:true", "\"b\""]
        .into_iter()
        .zip(["a", "b", "not", "number", "digits", "not", "truth", "not"]);
    let lines: Vec<_> = lines.map(|(key, body)| of(key.trim_start_matches("t:"), body)).collect();
    publish(&mut peer, &lines);
    publish(
        &mut peer,
        &["basic.publish routing-key=q | | no key".into(), "basic.publish routing-key=q | | no key".into()],
    );
    assert_eq!(peer.drain(1, "q"), ["a", "b", "number", "digits", "truth", "no key", "no key"]);
    publish(&mut peer, &[of("\"a\"", "again")]);
    assert_eq!(peer.drain(1, "q"), ["again"]);
}

#[test]
fn duplicates_are_acked_in_their_turn_within_one_read() {
    let broker = Broker::start();
    let mut peer =
        confirming(&broker, "queue.declare queue=q durable arguments={x-message-deduplication:true}");
    let persistent = |key: u32| {
        format!(
            "basic.publish routing-key=q | delivery-mode=2 headers={{x-deduplication-header:{key}}} | {key}"
        )
    };
    let lines: Vec<_> = (0..300).map(|n| persistent(n % 100)).collect();
    peer.send_all(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let mut through = 0;
    while through < 300 {
        let ack = peer.await_method("basic.ack");
        let tag = ack.number("delivery-tag");
        assert!(tag > through && (ack.get("multiple") == "true" || tag == through + 1), "{through}: {ack}");
        through = tag;
    }
    let expected: Vec<_> = (0..100).map(|n| n.to_string()).collect();
    assert_eq!(peer.drain(1, "q"), expected);
}

#[test]
fn the_key_stays_until_the_message_is_acknowledged() {
    let broker = Broker::start();
    let mut peer = confirming(&broker, QUEUE);
    publish(&mut peer, &[of("\"a\"", "first")]);
    for (settle, is_gone) in [
        ("basic.nack delivery-tag=1 requeue", false),
        ("basic.reject delivery-tag=2 requeue", false),
        ("basic.ack delivery-tag=3", true),
        ("basic.reject delivery-tag=4", true),
        ("basic.nack delivery-tag=5", true),
    ] {
        peer.ok("basic.get queue=q");
        publish(&mut peer, &[of("\"a\"", "while it is unacked")]);
        assert_eq!(peer.counts(1, "q"), (0, 0), "{settle}");
        peer.send(settle);
        publish(&mut peer, &[of("\"a\"", "afterwards")]);
        assert_eq!(peer.counts(1, "q"), (1, 0), "{settle}");
        let mut other = Peer::connect(&broker);
        let expected = if is_gone { "afterwards" } else { "first" };
        let got = other.ok("basic.get queue=q");
        assert_eq!(got.text(), expected, "{settle}");
        other.ok("basic.recover requeue");
    }
}

#[test]
fn what_is_delivered_without_acknowledgement_has_left() {
    let broker = Broker::start();
    for declare in [QUEUE, "queue.declare queue=q durable arguments={x-message-deduplication:true}"] {
        let mut peer = confirming(&broker, declare);
        let line = of("\"a\"", "body").replace("headers", "delivery-mode=2 headers");
        for _ in 0..3 {
            publish(&mut peer, &[line.clone(), line.clone()]);
            assert_eq!(peer.counts(1, "q"), (1, 0));
            peer.ok("basic.get queue=q no-ack");
        }
        let mut consumer = Peer::connect(&broker);
        consumer.ok("basic.consume queue=q consumer-tag=c no-ack");
        for _ in 0..3 {
            publish(&mut peer, std::slice::from_ref(&line));
            assert_eq!(consumer.next().text(), "body");
            // That it was sent is told before this is answered.
            consumer.ok("basic.qos");
        }
        peer.ok("queue.delete queue=q");
    }
}

#[test]
fn keys_leave_with_messages_that_expire_are_dropped_purged_or_die() {
    let broker = Broker::start();
    let mut peer = confirming(&broker, QUEUE);
    publish(&mut peer, &[of("\"a\"", "purged")]);
    peer.ok("queue.purge queue=q");
    publish(&mut peer, &[of("\"a\"", "after the purge")]);
    assert_eq!(peer.drain(1, "q"), ["after the purge"]);
    publish(&mut peer, &[of("\"a\"", "expires").replace("headers", "expiration=1 headers")]);
    peer.await_counts(1, "q", (0, 0));
    publish(&mut peer, &[of("\"a\"", "after the expiry")]);
    assert_eq!(peer.drain(1, "q"), ["after the expiry"]);
    peer.ok("queue.delete queue=q");
    peer.ok("queue.declare queue=q arguments={x-message-deduplication:true,x-max-length:1}");
    publish(&mut peer, &[of("1", "dropped"), of("2", "kept"), of("1", "kept instead")]);
    assert_eq!(peer.drain(1, "q"), ["kept instead"]);
    peer.ok("queue.delete queue=q");
    // A dead letter that comes back is not its own duplicate.
    peer.ok("queue.declare queue=q arguments={x-message-deduplication:true,x-dead-letter-exchange:\"\",\
         x-dead-letter-routing-key:\"q\"}");
    publish(&mut peer, &[of("1", "rejected")]);
    let tag = peer.ok("basic.get queue=q").number("delivery-tag");
    peer.send(&format!("basic.reject delivery-tag={tag}"));
    peer.await_counts(1, "q", (1, 0));
    assert_eq!(peer.drain(1, "q"), ["rejected"]);
}

#[test]
fn a_purge_leaves_the_keys_of_what_is_unacked() {
    let broker = Broker::start();
    let mut peer = confirming(&broker, QUEUE);
    publish(&mut peer, &[of("1", "unacked"), of("2", "ready")]);
    let tag = peer.ok("basic.get queue=q").number("delivery-tag");
    peer.ok("queue.purge queue=q");
    publish(&mut peer, &[of("1", "not"), of("2", "new")]);
    assert_eq!(peer.drain(1, "q"), ["new"]);
    peer.send(&format!("basic.ack delivery-tag={tag}"));
    publish(&mut peer, &[of("1", "new")]);
    assert_eq!(peer.drain(1, "q"), ["new"]);
}

#[test]
fn in_a_window_a_key_outlives_its_message_and_ends_in_time() {
    let broker = Broker::start();
    let mut peer = confirming(&broker, WINDOW);
    publish(&mut peer, &[of("1", "taken")]);
    assert_eq!(peer.drain(1, "q"), ["taken"]);
    publish(&mut peer, &[of("1", "not")]);
    peer.ok("queue.purge queue=q");
    publish(&mut peer, &[of("1", "nor this")]);
    assert_eq!(peer.drain(1, "q"), [""; 0]);
    peer.ok("queue.delete queue=q");
    peer.ok("queue.declare queue=q arguments={x-message-deduplication:true,x-cache-ttl:700}");
    let start = Instant::now();
    // One says for how long it wants to be known.
    let short = of("2", "short").replace("headers={", "headers={x-cache-ttl:100,");
    publish(&mut peer, &[of("1", "long"), short.clone()]);
    assert_eq!(peer.drain(1, "q"), ["long", "short"]);
    for (line, body, ttl) in [(short, "short", 100), (of("1", "long"), "long", 700)] {
        let deadline = Instant::now() + Duration::from_mins(1);
        let mut taken = Vec::new();
        while taken.is_empty() {
            assert!(Instant::now() < deadline);
            publish(&mut peer, std::slice::from_ref(&line));
            taken = peer.drain(1, "q");
        }
        assert_eq!(taken, [body]);
        assert_waited(start, ttl, body);
    }
}

#[test]
fn of_too_many_keys_the_oldest_is_forgotten() {
    let broker = Broker::start();
    let mut peer =
        confirming(&broker, "queue.declare queue=q arguments={x-message-deduplication:true,x-cache-size:2}");
    publish(&mut peer, &[of("1", "1"), of("2", "2"), of("3", "3"), of("2", "not"), of("1", "1 again")]);
    assert_eq!(peer.drain(1, "q"), ["1", "2", "3", "1 again"]);
}

#[test]
fn a_refused_original_leaves_no_key() {
    let broker = Broker::start();
    let full = "x-max-length:1,x-overflow:\"reject-publish\"";
    let mut peer = confirming(
        &broker,
        &format!("queue.declare queue=q arguments={{x-message-deduplication:true,{full}}}"),
    );
    peer.send(&of("1", "fills it"));
    peer.expect("basic.ack delivery-tag=1");
    // A duplicate is taken, full queue or not.
    peer.send(&of("1", "duplicate"));
    peer.expect("basic.ack delivery-tag=2");
    for tag in [3, 4] {
        peer.send(&of("2", "too many"));
        peer.expect(&format!("basic.nack delivery-tag={tag} requeue"));
    }
    assert_eq!(peer.drain(1, "q"), ["fills it"]);
    peer.send(&of("2", "now there is room"));
    peer.expect("basic.ack delivery-tag=5");
    assert_eq!(peer.drain(1, "q"), ["now there is room"]);
}

#[test]
fn in_a_transaction_a_key_counts_from_the_commit_on() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    let mut other = Peer::connect(&broker);
    peer.ok(QUEUE);
    peer.ok("tx.select");
    peer.send(&of("1", "rolled back"));
    peer.ok("tx.rollback");
    peer.send(&of("2", "committed"));
    peer.send(&of("2", "twice in it"));
    other.ok("confirm.select");
    publish(&mut other, &[of("1", "by another"), of("3", "by another")]);
    peer.send(&of("3", "too late"));
    assert_eq!(other.drain(1, "q"), ["by another", "by another"]);
    publish(&mut other, &[of("3", "once more")]);
    peer.ok("tx.commit");
    assert_eq!(other.drain(1, "q"), ["once more", "committed"]);
}

const EXCHANGE: &str =
    "exchange.declare exchange=once type=x-message-deduplication arguments={x-cache-size:100}";

/// A publish through the exchange `once`.
fn through(key: &str, body: &str) -> String {
    of(key, body).replace("routing-key=q", "exchange=once routing-key=any")
}

#[test]
fn an_exchange_takes_a_message_once_and_sends_it_everywhere() {
    let broker = Broker::start();
    let mut peer = confirming(&broker, "queue.declare queue=q");
    peer.ok("queue.declare queue=other");
    peer.ok(EXCHANGE);
    peer.ok("queue.bind queue=q exchange=once routing-key=k");
    peer.ok("queue.bind queue=other exchange=once routing-key=l");
    publish(&mut peer, &[through("1", "1"), through("1", "not"), through("2", "2"), through("2", "not")]);
    let no_key = "basic.publish exchange=once routing-key=any | | no key".to_owned();
    publish(&mut peer, &[no_key.clone(), no_key]);
    for queue in ["q", "other"] {
        assert_eq!(peer.drain(1, queue), ["1", "2", "no key", "no key"], "{queue}");
    }
    publish(&mut peer, &[through("1", "still known")]);
    assert_eq!(peer.drain(1, "q"), [""; 0]);
    // Known to another exchange it is not.
    peer.ok("exchange.delete exchange=once");
    peer.ok(EXCHANGE);
    peer.ok("queue.bind queue=q exchange=once routing-key=k");
    publish(&mut peer, &[through("1", "new")]);
    assert_eq!(peer.drain(1, "q"), ["new"]);
}

#[test]
fn an_exchange_knows_as_many_keys_as_it_says_and_for_as_long() {
    let broker = Broker::start();
    let mut peer = confirming(&broker, "queue.declare queue=q");
    peer.ok("exchange.declare exchange=once type=x-message-deduplication \
         arguments={x-cache-size:2,x-cache-ttl:\"300\"}");
    peer.ok("queue.bind queue=q exchange=once");
    let long =
        |key: &str, body: &str| through(key, body).replace("headers={", "headers={x-cache-ttl:3600000,");
    publish(
        &mut peer,
        &[long("1", "1"), long("2", "2"), long("3", "3"), long("2", "not"), long("1", "1 again")],
    );
    assert_eq!(peer.drain(1, "q"), ["1", "2", "3", "1 again"]);
    let (start, deadline) = (Instant::now(), Instant::now() + Duration::from_mins(1));
    publish(&mut peer, &[through("9", "short")]);
    assert_eq!(peer.drain(1, "q"), ["short"]);
    let mut taken = Vec::new();
    while taken.is_empty() {
        assert!(Instant::now() < deadline);
        publish(&mut peer, &[through("9", "short")]);
        taken = peer.drain(1, "q");
    }
    assert_waited(start, 300, "short");
}

#[test]
fn what_came_to_nothing_is_not_known_to_an_exchange() {
    let broker = Broker::start();
    let mut peer =
        confirming(&broker, "queue.declare queue=q arguments={x-max-length:1,x-overflow:\"reject-publish\"}");
    peer.ok(EXCHANGE);
    // Nobody gets it.
    peer.send(&through("1", "too early").replace(" | headers", " mandatory | headers"));
    peer.await_method("basic.return");
    peer.expect("basic.ack delivery-tag=1");
    peer.ok("queue.bind queue=q exchange=once");
    peer.send(&through("1", "now"));
    peer.expect("basic.ack delivery-tag=2");
    // A duplicate is not returned.
    peer.send(&through("1", "again").replace(" | headers", " mandatory | headers"));
    peer.expect("basic.ack delivery-tag=3");
    for tag in [4, 5] {
        peer.send(&through("2", "too many"));
        peer.expect(&format!("basic.nack delivery-tag={tag} requeue"));
    }
    assert_eq!(peer.drain(1, "q"), ["now"]);
    peer.send(&through("2", "now there is room"));
    peer.expect("basic.ack delivery-tag=6");
    assert_eq!(peer.drain(1, "q"), ["now there is room"]);
    let mut other = Peer::connect(&broker);
    other.ok("tx.select");
    other.send(&through("3", "rolled back"));
    other.ok("tx.rollback");
    peer.send(&through("3", "taken"));
    peer.expect("basic.ack delivery-tag=7");
    assert_eq!(peer.drain(1, "q"), ["taken"]);
}

#[test]
fn copies_in_one_read_share_what_becomes_of_the_first() {
    let broker = Broker::start();
    let mut peer =
        confirming(&broker, "queue.declare queue=q arguments={x-max-length:1,x-overflow:\"reject-publish\"}");
    peer.ok(EXCHANGE);
    peer.ok("queue.bind queue=q exchange=once");
    let lines = [through("1", "1"), through("2", "refused"), through("2", "with it"), through("1", "copy")];
    peer.send_all(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    peer.expect("basic.ack delivery-tag=1");
    peer.expect("basic.nack delivery-tag=2 requeue");
    peer.expect("basic.nack delivery-tag=3 requeue");
    peer.expect("basic.ack delivery-tag=4");
    assert_eq!(peer.drain(1, "q"), ["1"]);
}

#[test]
fn a_scheduled_message_keeps_its_key_while_it_waits_and_afterwards() {
    let broker = Broker::start();
    let mut peer = confirming(
        &broker,
        "queue.declare queue=q arguments={x-message-deduplication:true,x-scheduled:true}",
    );
    publish(&mut peer, &[of("1", "later").replace("headers={", "headers={x-delay:300,"), of("1", "not")]);
    peer.await_counts(1, "q", (1, 0));
    publish(&mut peer, &[of("1", "nor this")]);
    assert_eq!(peer.drain(1, "q"), ["later"]);
    publish(&mut peer, &[of("1", "new")]);
    assert_eq!(peer.drain(1, "q"), ["new"]);
}

#[test]
fn arguments_that_cannot_be_are_refused() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for (arguments, text) in [
        ("", "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0"),
        ("x-cache-size:0", "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0"),
        (
            "x-cache-size:5,x-cache-ttl:-1",
            "Invalid argument, 'x-cache-ttl' must be an integer greater than 0",
        ),
        (
            "x-cache-size:5,x-cache-persistence:\"tape\"",
            "Invalid argument, 'x-cache-persistence' must be either 'disk' or 'memory'",
        ),
    ] {
        let declare =
            format!("exchange.declare exchange=e type=x-message-deduplication arguments={{{arguments}}}");
        peer.refused(&declare, 406, text);
    }
    for (arguments, text) in [
        (
            "x-message-deduplication:1",
            "'x-message-deduplication' for queue 'q' in vhost '/': {unacceptable_type,signedint}",
        ),
        (
            "x-deduplication-window:\"5m\"",
            "'x-deduplication-window' for queue 'q' in vhost '/': {unacceptable_type,longstr}",
        ),
        ("x-cache-ttl:0", "'x-cache-ttl' for queue 'q' in vhost '/': {value_zero,0}"),
        (
            "x-cache-ttl:315360000001l",
            "'x-cache-ttl' for queue 'q' in vhost '/': {value_too_large,315360000001}",
        ),
        (
            "x-cache-size:\"many\"",
            "'x-cache-size' for queue 'q' in vhost '/': \"expected integer, got longstr\"",
        ),
        ("x-cache-size:-5", "'x-cache-size' for queue 'q' in vhost '/': {value_negative,-5}"),
    ] {
        peer.refused(
            &format!("queue.declare queue=q arguments={{{arguments}}}"),
            406,
            &format!("invalid arg {text}"),
        );
    }
    peer.ok(QUEUE);
    peer.refused(
        "queue.declare queue=q",
        406,
        "inequivalent arg 'x-message-deduplication' for queue 'q' in vhost '/': received none but current is the value \
         'true' of type 'bool'",
    );
}

#[test]
fn a_dead_letter_that_comes_back_is_a_duplicate_of_what_waits_but_not_of_itself() {
    let broker = Broker::start();
    let dead = "x-dead-letter-exchange:\"\",x-dead-letter-routing-key";
    for (rules, kept) in [
        ("x-message-deduplication:true", "meanwhile"),
        ("x-message-deduplication:true,x-deduplication-window:true", "first"),
    ] {
        let mut peer =
            confirming(&broker, &format!("queue.declare queue=q arguments={{{rules},{dead}:\"later\"}}"));
        peer.ok(&format!("queue.declare queue=later arguments={{{dead}:\"q\",x-message-ttl:500}}"));
        publish(&mut peer, &[of("1", "first")]);
        let tag = peer.ok("basic.get queue=q").number("delivery-tag");
        // At once, since it comes back soon.
        peer.send_all(&[&format!("basic.reject delivery-tag={tag}"), &of("1", "meanwhile")]);
        peer.await_method("basic.ack");
        // It comes back behind the other one.
        peer.send("basic.publish routing-key=later | | marker");
        peer.await_method("basic.ack");
        peer.await_counts(1, "q", (2, 0));
        assert_eq!(peer.drain(1, "q"), [kept, "marker"], "{rules}");
        peer.ok("queue.delete queue=q");
        peer.ok("queue.delete queue=later");
    }
}
