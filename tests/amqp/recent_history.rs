//! The exchange that gives its last messages to whoever is bound to it.

use crate::peer::Peer;
use crate::support::Broker;

fn publish(peer: &mut Peer, numbers: std::ops::Range<usize>) {
    for n in numbers {
        peer.send(&format!("basic.publish exchange=h routing-key=k | | {n}"));
    }
}

fn numbers(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|n| n.to_string()).collect()
}

#[test]
fn a_queue_gets_the_last_messages_when_it_is_bound_and_all_that_follow() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for (declare, length) in [
        ("type=x-recent-history", 20),
        ("type=x-recent-history arguments={x-recent-history-length:3}", 3),
        ("type=x-recent-history arguments={x-recent-history-length:1000}", 1000),
    ] {
        peer.ok(&format!("exchange.declare exchange=h {declare}"));
        peer.ok("queue.declare queue=early");
        peer.ok("queue.bind queue=early exchange=h");
        publish(&mut peer, 0..30);
        peer.ok("queue.declare queue=late");
        peer.ok("queue.bind queue=late exchange=h routing-key=whatever");
        publish(&mut peer, 30..40);
        assert_eq!(peer.drain(1, "early"), numbers(0..40), "{declare}");
        assert_eq!(peer.drain(1, "late"), numbers(30_usize.saturating_sub(length)..40), "{declare}");
        // The same binding again is none; another is.
        peer.ok("queue.bind queue=late exchange=h routing-key=whatever");
        assert_eq!(peer.drain(1, "late"), [""; 0], "{declare}");
        peer.ok("queue.bind queue=late exchange=h");
        assert_eq!(peer.drain(1, "late"), numbers(40_usize.saturating_sub(length)..40), "{declare}");
        for name in ["early", "late"] {
            peer.ok(&format!("queue.delete queue={name}"));
        }
        peer.ok("exchange.delete exchange=h");
    }
}

#[test]
fn history_is_what_was_published_unless_it_says_no() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> exchange.declare exchange=h type=x-recent-history
         < exchange.declare-ok
         > basic.publish exchange=h routing-key=k | delivery-mode=2 headers={n:1} message-id=m | kept
         > basic.publish exchange=h routing-key=k | headers={x-recent-history-no-store:true} | not kept
         > basic.publish exchange=h routing-key=k mandatory | | kept and returned
         < basic.return reply-code=312 reply-text=NO_ROUTE exchange=h routing-key=k | | kept and returned
         > queue.declare queue=q durable
         < queue.declare-ok queue=q
         > queue.bind queue=q exchange=h
         < queue.bind-ok
         > basic.get queue=q no-ack
         < basic.get-ok delivery-tag=1 exchange=h routing-key=k message-count=1 | delivery-mode=2 headers={n:1} message-id=m | kept
         > basic.get queue=q no-ack
         < basic.get-ok delivery-tag=2 exchange=h routing-key=k | | kept and returned
         > basic.get queue=q no-ack
         < basic.get-empty",
    );
}

#[test]
fn what_comes_through_another_exchange_is_kept_and_history_goes_on_through_one() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("exchange.declare exchange=from type=topic");
    peer.ok("exchange.declare exchange=h type=x-recent-history internal");
    peer.ok("exchange.bind source=from destination=h routing-key=a.#");
    for key in ["a.1", "b.1", "a.2"] {
        peer.send(&format!("basic.publish exchange=from routing-key={key} | | {key}"));
    }
    peer.ok("exchange.declare exchange=to type=direct internal");
    for (queue, key) in [("one", "a.1"), ("two", "a.2"), ("copied", "cc")] {
        peer.ok(&format!("queue.declare queue={queue}"));
        peer.ok(&format!("queue.bind queue={queue} exchange=to routing-key={key}"));
    }
    peer.send("basic.publish exchange=from routing-key=a.3 | headers={CC:[\"cc\"]} | a.3");
    peer.ok("exchange.bind source=h destination=to");
    assert_eq!(peer.drain(1, "one"), ["a.1"]);
    assert_eq!(peer.drain(1, "two"), ["a.2"]);
    assert_eq!(peer.drain(1, "copied"), ["a.3"]);
}

#[test]
fn a_committed_message_is_kept_once_and_one_that_is_rolled_back_never() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("exchange.declare exchange=h type=x-recent-history");
    peer.ok("queue.declare queue=q");
    peer.open(2);
    peer.ok("2:tx.select");
    peer.send("2:basic.publish exchange=h | | undone");
    peer.ok("2:tx.rollback");
    peer.send("2:basic.publish exchange=h | | done");
    peer.ok("2:tx.commit");
    peer.ok("queue.bind queue=q exchange=h");
    assert_eq!(peer.drain(1, "q"), ["done"]);
}

#[test]
fn a_length_that_is_no_number_above_zero_is_refused() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for (length, printed) in [("0", "0"), ("-5", "-5"), ("\"5\"", "<<\"5\">>"), ("true", "true")] {
        peer.refused(
            &format!(
                "exchange.declare exchange=h type=x-recent-history arguments={{x-recent-history-length:{length}}}"
            ),
            406,
            &format!("Invalid argument {printed}, 'x-recent-history-length' must be a positive integer"),
        );
    }
}
