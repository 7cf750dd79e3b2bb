//! Messages that leave their queue other than by being consumed, and where they go.

use std::time::Instant;

use crate::peer::Peer;
use crate::support::{Broker, assert_waited};

/// What `queue` gives to a consumer without acknowledgement, `count` messages, in their order.
fn consumed(peer: &mut Peer, queue: &str, count: usize) -> Vec<crate::line::Line> {
    peer.ok(&format!("basic.consume queue={queue} consumer-tag={queue} no-ack"));
    (0..count).map(|_| peer.next()).collect()
}

fn bodies(lines: &[crate::line::Line]) -> Vec<String> {
    lines.iter().map(crate::line::Line::text).collect()
}

/// A queue whose dead messages go to the queue `dead`, which is there.
fn dying(peer: &mut Peer, queue: &str, arguments: &str) {
    peer.ok("queue.declare queue=dead");
    peer.ok(&format!(
        "queue.declare queue={queue} arguments={{x-dead-letter-exchange:\"\",x-dead-letter-routing-key:\"dead\"{arguments}}}"
    ));
}

#[test]
fn a_rejected_message_goes_on_with_its_history() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    dying(&mut peer, "q", "");
    peer.talk(
        "> basic.publish routing-key=q | headers={a:1} message-id=m | body
         > basic.get queue=q
         < basic.get-ok delivery-tag=1 routing-key=q message-count=0 | headers={a:1} message-id=m | body
         > basic.reject delivery-tag=1",
    );
    peer.send("basic.get queue=dead");
    let line = peer.next();
    let (before, rest) =
        line.to_string().split_once("time:").map(|(one, other)| (one.to_owned(), other.to_owned())).unwrap();
    let (_time, after) = rest.split_once(',').unwrap();
    assert_eq!(
        [before.as_str(), after],
        [
            "basic.get-ok delivery-tag=2 routing-key=dead | headers={a:1,x-death:[{count:1l,reason:\"rejected\",queue:\"q\",",
            "exchange:\"\",routing-keys:[\"q\"]}],x-first-death-exchange:\"\",x-first-death-queue:\"q\",\
             x-first-death-reason:\"rejected\",x-last-death-exchange:\"\",x-last-death-queue:\"q\",\
             x-last-death-reason:\"rejected\"} message-id=m | body",
        ]
    );
}

#[test]
fn a_dead_letter_exchange_may_be_internal() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("exchange.declare exchange=inside type=fanout internal");
    peer.ok("queue.declare queue=dead");
    peer.ok("queue.bind queue=dead exchange=inside");
    peer.ok("queue.declare queue=q arguments={x-dead-letter-exchange:\"inside\",x-message-ttl:0}");
    peer.send("basic.publish routing-key=q | | body");
    assert_eq!(bodies(&consumed(&mut peer, "dead", 1)), ["body"]);
}

#[test]
fn a_message_expires_wherever_it_stands_in_its_queue() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    dying(&mut peer, "q", "");
    let lines = [("a", "600000"), ("b", "2000"), ("c", "600000"), ("d", "500"), ("e", "0")];
    let lines = lines
        .map(|(body, expiration)| format!("basic.publish routing-key=q | expiration={expiration} | {body}"));
    let start = Instant::now();
    peer.send_all(&lines.each_ref().map(String::as_str));
    peer.send("basic.publish routing-key=q | | f");
    // The times of more than one of them may have come when the broker looks.
    let mut dead = bodies(&consumed(&mut peer, "dead", 3));
    assert_waited(start, 2000, "the last");
    dead.sort();
    assert_eq!(dead, ["b", "d", "e"]);
    assert_eq!(peer.drain(1, "q"), ["a", "c", "f"]);
}

#[test]
fn a_message_expires_in_its_queue_after_the_shorter_of_both_times() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    dying(&mut peer, "short", ",x-message-ttl:100");
    dying(&mut peer, "long", ",x-message-ttl:600000");
    let start = Instant::now();
    for (queue, expiration) in [("short", "600000"), ("long", "3000")] {
        peer.send(&format!("basic.publish routing-key={queue} | expiration={expiration} | {queue}"));
    }
    peer.send("basic.publish routing-key=long | | stays");
    let mut dead = bodies(&consumed(&mut peer, "dead", 2));
    assert_waited(start, 3000, "long");
    dead.sort();
    assert_eq!(dead, ["long", "short"]);
    assert_eq!(peer.drain(1, "long"), ["stays"]);
}

#[test]
fn a_message_that_may_not_wait_goes_to_a_waiting_consumer_or_dies() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for (queue, arguments, properties) in [("a", ",x-message-ttl:0", ""), ("b", "", "expiration=0")] {
        dying(&mut peer, queue, arguments);
        peer.send(&format!("basic.publish routing-key={queue} | {properties} | early"));
        assert_eq!(peer.counts(1, queue).0, 0);
        peer.ok(&format!("basic.consume queue={queue} consumer-tag={queue} no-ack"));
        peer.send(&format!("basic.publish routing-key={queue} | {properties} | in time"));
        let delivered = peer.next();
        assert_eq!((delivered.get("routing-key"), delivered.text().as_str()), (queue, "in time"));
        assert_eq!(peer.drain(1, "dead"), ["early"]);
    }
}

#[test]
fn what_is_unacked_does_not_expire_and_what_comes_back_too_late_does() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    dying(&mut peer, "q", ",x-message-ttl:1000");
    // At once, since it would expire.
    peer.send_all(&["basic.publish routing-key=q | | held", "basic.get queue=q"]);
    assert_eq!(peer.next().text(), "held");
    // A younger one of the same queue has expired by then.
    peer.send("basic.publish routing-key=q | | younger");
    assert_eq!(bodies(&consumed(&mut peer, "dead", 1)), ["younger"]);
    peer.send("basic.nack delivery-tag=1 requeue");
    assert_eq!(peer.next().text(), "held");
}

#[test]
fn the_first_messages_go_when_there_are_too_many() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    dying(&mut peer, "count", ",x-max-length:2");
    dying(&mut peer, "bytes", ",x-max-length-bytes:4");
    dying(&mut peer, "none", ",x-max-length:0");
    for body in ["11", "22", "33", "44"] {
        for queue in ["count", "bytes", "none"] {
            peer.send(&format!("basic.publish routing-key={queue} | | {body}"));
        }
    }
    for queue in ["count", "bytes"] {
        assert_eq!(peer.drain(1, queue), ["33", "44"], "{queue}");
    }
    assert_eq!(peer.drain(1, "none"), [""; 0]);
    let mut dead = peer.drain(1, "dead");
    dead.sort();
    assert_eq!(dead, ["11", "11", "11", "22", "22", "22", "33", "44"]);
}

#[test]
fn only_ready_messages_are_too_many() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    dying(&mut peer, "q", ",x-max-length:1");
    peer.send("basic.publish routing-key=q | | held");
    peer.send("basic.get queue=q");
    assert_eq!(peer.next().text(), "held");
    peer.send("basic.publish routing-key=q | | ready");
    assert_eq!(peer.counts(1, "q").0, 1);
    // What comes back stands before it, and is one too many.
    peer.send("basic.nack delivery-tag=1 requeue");
    assert_eq!(peer.drain(1, "dead"), ["held"]);
    assert_eq!(peer.drain(1, "q"), ["ready"]);
}

#[test]
fn a_refused_publish_is_told_by_a_nack_and_in_its_turn() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    dying(&mut peer, "plain", ",x-max-length:2,x-overflow:\"reject-publish\"");
    dying(&mut peer, "dying", ",x-max-length:2,x-overflow:\"reject-publish-dlx\"");
    peer.ok("queue.declare queue=open");
    peer.ok("confirm.select");
    for (at, queue) in ["plain", "dying"].into_iter().enumerate() {
        let lines: Vec<String> =
            (1..=4).map(|body| format!("basic.publish routing-key={queue} | | {body}")).collect();
        peer.send_all(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let mut told = Vec::new();
        while told.len() < 4 {
            let line = peer.next();
            let (tag, from) = (line.number("delivery-tag"), told.len() as u64 + 4 * at as u64 + 1);
            let last = if line.get("multiple").is_empty() { from } else { tag };
            told.extend((from..=last).map(|_| line.method.name));
        }
        assert_eq!(told, ["basic.ack", "basic.ack", "basic.nack", "basic.nack"], "{queue}");
        assert_eq!(peer.drain(1, queue), ["1", "2"], "{queue}");
    }
    assert_eq!(peer.drain(1, "dead"), ["3", "4"], "of the one that is to");
}

#[test]
fn a_message_that_one_of_its_queues_refuses_is_in_the_others_and_nacked() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=full arguments={x-max-length:0,x-overflow:\"reject-publish\"}");
    peer.ok("queue.declare queue=open");
    for queue in ["full", "open"] {
        peer.ok(&format!("queue.bind queue={queue} exchange=amq.fanout"));
    }
    peer.talk(
        "> confirm.select
         < confirm.select-ok
         > basic.publish exchange=amq.fanout | | body
         < basic.nack delivery-tag=1 requeue",
    );
    assert_eq!(peer.drain(1, "open"), ["body"]);
}

#[test]
fn a_commit_of_which_a_queue_refuses_a_part_closes_the_channel() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q arguments={x-max-length:1,x-overflow:\"reject-publish\"}");
    peer.talk(
        "> tx.select
         < tx.select-ok
         > basic.publish routing-key=q | | a
         > basic.publish routing-key=q | | b
         > tx.commit
         < channel.close reply-code=406 reply-text=\"PRECONDITION_FAILED - partial tx completion\" class-id=90 method-id=20
         > channel.close-ok
         > channel.open
         < channel.open-ok",
    );
    assert_eq!(peer.drain(1, "q"), ["a"]);
}

#[test]
fn b63_dead_messages_that_go_in_a_circle_are_dropped_unless_they_were_rejected() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for (queue, next) in [("a", "b"), ("b", "a")] {
        peer.ok(&format!(
            "queue.declare queue={queue} arguments={{x-message-ttl:10,x-dead-letter-exchange:\"\",\
             x-dead-letter-routing-key:\"{next}\"}}"
        ));
    }
    peer.ok("queue.declare queue=mark arguments={x-message-ttl:1000,x-dead-letter-exchange:\"\",x-dead-letter-routing-key:\"out\"}");
    peer.ok("queue.declare queue=out");
    peer.send("basic.publish routing-key=a | | goes round");
    peer.ok("basic.consume queue=out consumer-tag=out no-ack");
    // Twice, since one of them is not long after on a machine that stood still.
    for _ in 0..2 {
        peer.send("basic.publish routing-key=mark | | long after");
        assert_eq!(peer.next().text(), "long after");
    }
    for queue in ["a", "b"] {
        assert_eq!(peer.counts(1, queue).0, 0, "{queue}");
    }
    // A rejection is somebody's decision: retries over a queue with a time to live are made like that.
    peer.ok(
        "queue.declare queue=work arguments={x-dead-letter-exchange:\"\",x-dead-letter-routing-key:\"wait\"}",
    );
    peer.ok("queue.declare queue=wait arguments={x-message-ttl:1,x-dead-letter-exchange:\"\",x-dead-letter-routing-key:\"work\"}");
    peer.send("basic.publish routing-key=work | | again and again");
    peer.ok("basic.consume queue=work consumer-tag=work");
    for _ in 0..5 {
        let line = peer.next();
        assert_eq!(line.text(), "again and again");
        peer.send(&format!("basic.reject delivery-tag={}", line.number("delivery-tag")));
    }
}

#[test]
fn a_message_that_must_arrive_stays_until_the_queue_that_refused_it_has_room() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=dead arguments={x-max-length:1,x-overflow:\"reject-publish\"}");
    for (queue, strategy) in [("sure", "at-least-once"), ("unsure", "at-most-once")] {
        peer.ok(&format!(
            "queue.declare queue={queue} arguments={{x-dead-letter-exchange:\"\",x-dead-letter-routing-key:\"dead\",\
             x-dead-letter-strategy:\"{strategy}\",x-overflow:\"reject-publish\"}}"
        ));
    }
    peer.send("basic.publish routing-key=dead | | full");
    for (queue, tag) in [("unsure", 1), ("sure", 2)] {
        peer.send(&format!("basic.publish routing-key={queue} | | {queue}"));
        peer.send(&format!("basic.get queue={queue}"));
        assert_eq!(peer.next().text(), queue);
        peer.send(&format!("basic.reject delivery-tag={tag}"));
        assert_eq!(peer.counts(1, queue), (0, 0), "{queue}: it is seen nowhere");
    }
    assert_eq!(bodies(&consumed(&mut peer, "dead", 2)), ["full", "sure"]);
}

#[test]
fn a_message_that_must_arrive_comes_once_to_those_that_took_it_while_others_refuse_it() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("exchange.declare exchange=x type=fanout");
    peer.ok("queue.declare queue=full arguments={x-max-length:1,x-overflow:\"reject-publish\"}");
    peer.ok("queue.declare queue=roomy");
    peer.ok("queue.declare queue=sure arguments={x-dead-letter-exchange:\"x\",x-dead-letter-strategy:\"at-least-once\",x-overflow:\"reject-publish\",x-message-ttl:0}");
    for queue in ["full", "roomy"] {
        peer.ok(&format!("queue.bind queue={queue} exchange=x"));
    }
    peer.send("basic.publish routing-key=full | | first");
    peer.send("basic.publish routing-key=sure | | second");
    assert_eq!(bodies(&consumed(&mut peer, "full", 2)), ["first", "second"]);
    assert_eq!(peer.counts(1, "roomy"), (1, 0));
}

#[test]
fn a_message_that_must_arrive_stays_until_there_is_somewhere_for_it_to_go() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=sure arguments={x-dead-letter-exchange:\"x\",x-dead-letter-strategy:\"at-least-once\",x-overflow:\"reject-publish\",x-message-ttl:0}");
    peer.send("basic.publish routing-key=sure | | body");
    peer.ok("queue.declare queue=dead");
    assert_eq!(peer.counts(1, "sure"), (0, 0));
    peer.ok("exchange.declare exchange=x type=fanout");
    peer.ok("queue.bind queue=dead exchange=x");
    assert_eq!(bodies(&consumed(&mut peer, "dead", 1)), ["body"]);
}

#[test]
fn a_long_chain_of_full_queues_is_gone_through_to_its_end() {
    const QUEUES: usize = 120;
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for number in 0..QUEUES {
        let next = number + 1;
        peer.ok(&format!(
            "queue.declare queue=q{number} arguments={{x-max-length:1,x-dead-letter-exchange:\"\",\
             x-dead-letter-routing-key:\"q{next}\"}}"
        ));
    }
    peer.ok(&format!("queue.declare queue=q{QUEUES}"));
    for number in 0..=QUEUES {
        peer.send(&format!("basic.publish routing-key=q0 | | {number}"));
        // Each of them has its time to go through.
        peer.ok("basic.qos");
    }
    assert_eq!(peer.drain(1, &format!("q{QUEUES}")), ["0"]);
}

#[test]
fn an_absent_dead_letter_exchange_drops_and_one_that_comes_later_takes() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q arguments={x-dead-letter-exchange:\"later\"}");
    peer.ok("queue.declare queue=dead");
    for round in 1..=2 {
        peer.talk(&format!(
            "> basic.publish routing-key=q | | {round}
             > basic.get queue=q
             < basic.get-ok delivery-tag={round} routing-key=q | | {round}
             > basic.nack delivery-tag={round}"
        ));
        if round == 1 {
            peer.ok("exchange.declare exchange=later type=fanout");
            peer.ok("queue.bind queue=dead exchange=later");
        }
    }
    assert_eq!(peer.drain(1, "dead"), ["2"]);
}

#[test]
fn the_highest_priority_goes_first_and_within_it_the_oldest() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q arguments={x-max-priority:3}");
    for (body, priority) in
        ["9", "3", "2", "1", "0", "none", "3 again"].into_iter().zip(["9", "3", "2", "1", "0", "", "3"])
    {
        let property = if priority.is_empty() { String::new() } else { format!("priority={priority}") };
        peer.send(&format!("basic.publish routing-key=q | {property} | {body}"));
    }
    // What comes back keeps its level and its place.
    peer.send("basic.get queue=q");
    assert_eq!(peer.next().text(), "9");
    peer.send("basic.nack delivery-tag=1 requeue");
    assert_eq!(peer.drain(1, "q"), ["9", "3", "3 again", "2", "1", "0", "none"]);
}

#[test]
fn a_purge_of_priorities_leaves_what_is_unacked() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q arguments={x-max-priority:5}");
    for priority in [0, 5, 1] {
        peer.send(&format!("basic.publish routing-key=q | priority={priority} | {priority}"));
    }
    peer.talk(
        "> basic.get queue=q
         < basic.get-ok delivery-tag=1 routing-key=q message-count=2 | priority=5 | 5
         > queue.purge queue=q
         < queue.purge-ok message-count=2
         > basic.nack delivery-tag=1 requeue",
    );
    assert_eq!(peer.drain(1, "q"), ["5"]);
}
