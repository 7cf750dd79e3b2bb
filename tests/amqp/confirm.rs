//! Publisher confirms.

use std::collections::BTreeSet;

use crate::peer::Peer;
use crate::support::Broker;

/// Reads confirms on channel 1 until every number up to `last` has been confirmed, each once.
fn await_confirms(peer: &mut Peer, first: u64, last: u64) {
    let mut open: BTreeSet<u64> = (first..=last).collect();
    while !open.is_empty() {
        let ack = peer.await_method("basic.ack");
        let tag = ack.number("delivery-tag");
        assert!(open.contains(&tag) || ack.get("multiple") == "true", "confirmed twice or never sent: {ack}");
        if ack.get("multiple") == "true" {
            assert!(tag <= last && open.range(..=tag).next().is_some(), "confirms nothing: {ack}");
            open = open.split_off(&(tag + 1));
        } else {
            open.remove(&tag);
        }
    }
}

#[test]
fn every_message_is_confirmed_once_whether_routed_or_not() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=transient");
    peer.ok("queue.declare queue=durable durable");
    peer.ok("queue.bind queue=transient exchange=amq.fanout");
    peer.ok("queue.bind queue=durable exchange=amq.fanout");
    peer.ok("confirm.select");
    let rows = [
        "routing-key=transient",
        "routing-key=transient | delivery-mode=2 |",
        "routing-key=durable",
        "routing-key=durable | delivery-mode=2 |",
        "exchange=amq.fanout | delivery-mode=2 |",
        "routing-key=nobody",
        "exchange=amq.topic routing-key=nobody | delivery-mode=2 |",
    ];
    for (number, row) in (1..).zip(rows) {
        peer.send(&format!("basic.publish {row}"));
        peer.expect(&format!("basic.ack delivery-tag={number}"));
    }
}

#[test]
fn confirms_may_cover_several_messages_and_cover_all_of_them() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=a");
    peer.ok("queue.declare queue=b durable");
    peer.ok("confirm.select");
    let mut sent = 0;
    for window in [1, 2, 20, 1000] {
        let lines: Vec<_> = (0..window)
            .map(|n| {
                let queue = ["a", "b", "nobody"][n % 3];
                format!("basic.publish routing-key={queue} | delivery-mode={} | {n}", 1 + n % 2)
            })
            .collect();
        peer.send_all(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        await_confirms(&mut peer, sent + 1, sent + window as u64);
        sent += window as u64;
    }
}

#[test]
fn a_confirmed_message_is_in_its_queue() {
    let broker = Broker::start();
    let mut publisher = Peer::connect(&broker);
    let mut reader = Peer::connect(&broker);
    publisher.ok("queue.declare queue=q");
    publisher.ok("confirm.select");
    for n in 1..=100 {
        publisher.send(&format!("basic.publish routing-key=q | | {n}"));
        publisher.expect(&format!("basic.ack delivery-tag={n}"));
        assert_eq!(reader.drain(1, "q"), [n.to_string()]);
    }
}

#[test]
fn b55_a_return_comes_before_the_confirm_of_its_message() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("confirm.select");
    for n in 1..=20 {
        peer.send(&format!("basic.publish routing-key=nobody mandatory | | {n}"));
        peer.expect(&format!("basic.return reply-code=312 reply-text=NO_ROUTE routing-key=nobody | | {n}"));
        peer.expect(&format!("basic.ack delivery-tag={n}"));
    }
}

#[test]
fn returns_in_a_burst_come_in_order_and_before_their_confirms() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("confirm.select");
    let lines: Vec<_> = (1..=300)
        .map(|n| {
            format!("basic.publish routing-key={} mandatory | | {n}", if n % 3 == 0 { "nobody" } else { "q" })
        })
        .collect();
    peer.send_all(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let (mut returned, mut confirmed) = (0, BTreeSet::new());
    while confirmed.len() < 300 {
        let line = peer.next();
        if line.method.name == "basic.return" {
            assert_eq!(line.text(), (returned + 3).to_string());
            returned += 3;
        } else {
            assert_eq!(line.method.name, "basic.ack");
            let tag = line.number("delivery-tag");
            let from = if line.get("multiple") == "true" { 1 } else { tag };
            confirmed.extend(from..=tag);
            let unroutable = confirmed.iter().filter(|tag| **tag % 3 == 0).max().copied();
            assert!(unroutable.unwrap_or(0) <= returned, "{line} before the return of {unroutable:?}");
        }
    }
    assert_eq!(returned, 300);
}

#[test]
fn numbers_count_from_the_select_and_for_each_channel() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.open(2);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.publish routing-key=q | | before
         > confirm.select
         < confirm.select-ok
         > basic.publish routing-key=q | | a
         < basic.ack delivery-tag=1
         > confirm.select
         < confirm.select-ok
         > basic.publish routing-key=q | | b
         < basic.ack delivery-tag=2
         > 2:confirm.select no-wait
         > 2:basic.publish routing-key=q | | c
         < 2:basic.ack delivery-tag=1
         > channel.close reply-code=200
         < channel.close-ok
         > channel.open
         < channel.open-ok
         > basic.publish routing-key=q | | unconfirmed
         > confirm.select no-wait
         > basic.publish routing-key=q | | d
         < basic.ack delivery-tag=1",
    );
}

#[test]
fn b60_confirm_and_transaction_mode_exclude_each_other() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("tx.select");
    peer.refused("confirm.select", 406, "cannot switch from tx to confirm mode");
    peer.ok("confirm.select");
    peer.refused("tx.select", 406, "cannot switch from confirm to tx mode");
    peer.ok("confirm.select");
    peer.refused("tx.commit", 406, "channel is not transactional");
    peer.ok("tx.select");
    peer.refused("confirm.select no-wait", 406, "cannot switch from tx to confirm mode");
}

#[test]
fn messages_before_an_exception_are_confirmed_or_their_channel_is_closed() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("confirm.select");
    let publish = "basic.publish routing-key=q | | x";
    let bad = "basic.publish exchange=absent | | x";
    peer.send_all(&[publish, publish, publish, bad, publish]);
    let mut confirmed = 0;
    loop {
        let line = peer.next();
        match line.method.name {
            "basic.ack" => confirmed = line.number("delivery-tag"),
            "channel.close" => break,
            _ => panic!("got {line}"),
        }
    }
    assert!(confirmed <= 3, "{confirmed}");
    peer.send("channel.close-ok");
    peer.open(1);
    assert_eq!(
        peer.drain(1, "q").len(),
        3,
        "what came before the exception is there, what came after is not"
    );
}
