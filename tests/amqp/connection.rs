//! Connections and channels: opening, closing, and the methods that concern nothing else.

use crate::peer::Peer;
use crate::support::Broker;

#[test]
fn a_new_secret_is_acknowledged() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> 0:connection.update-secret new-secret=guest reason=\"it was time\"
         < 0:connection.update-secret-ok
         > queue.declare queue=q
         < queue.declare-ok queue=q",
    );
}

#[test]
fn access_request_gets_ticket_one() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> access.request realm=/data exclusive passive active write read
         < access.request-ok ticket=1
         > access.request
         < access.request-ok ticket=1",
    );
}

#[test]
fn flow_can_be_asked_for_and_not_stopped() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> channel.flow active
         < channel.flow-ok active",
    );
    peer.disconnected("channel.flow", 540, "active=false");
}

#[test]
fn what_comes_before_a_close_is_done() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    let mut other = Peer::connect(&broker);
    other.ok("queue.declare queue=q");
    let mut lines = vec!["basic.publish routing-key=q | | x"; 100];
    lines.push("0:connection.close reply-code=200 reply-text=bye");
    peer.send_all(&lines);
    peer.await_method("connection.close-ok");
    assert_eq!(other.drain(1, "q").len(), 100);
}

#[test]
fn a_channel_can_be_closed_and_opened_again() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for _ in 0..100 {
        peer.talk(
            "> channel.close reply-code=200 reply-text=bye
             < channel.close-ok
             > channel.open
             < channel.open-ok",
        );
    }
    peer.talk(
        "> 2047:channel.open
         < 2047:channel.open-ok
         > 2047:basic.qos
         < 2047:basic.qos-ok",
    );
}

#[test]
fn an_exception_closes_one_channel_and_nothing_else() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    let mut other = Peer::connect(&broker);
    peer.open(2);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > 2:basic.consume queue=q consumer-tag=c no-ack
         < 2:basic.consume-ok consumer-tag=c",
    );
    peer.refused("queue.declare queue=absent passive", 404, "no queue 'absent' in vhost '/'");
    other.send("basic.publish routing-key=q | | x");
    peer.expect("2:basic.deliver consumer-tag=c delivery-tag=1 routing-key=q | | x");
}

#[test]
fn what_follows_an_exception_on_its_channel_is_not_done() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.open(2);
    peer.ok("queue.declare queue=q");
    peer.send_all(&[
        "queue.declare queue=absent passive",
        "queue.declare queue=never",
        "basic.publish routing-key=q | | never",
        "basic.publish exchange=absent | | never",
        "queue.delete queue=q",
        "2:queue.declare queue=other",
    ]);
    let mut seen = [peer.next(), peer.next()];
    seen.sort_by_key(|line| line.channel);
    assert_eq!((seen[0].method.name, seen[0].number("reply-code")), ("channel.close", 404));
    assert_eq!(seen[1].to_string(), "2:queue.declare-ok queue=other");
    peer.send("channel.close-ok");
    peer.refused("2:queue.declare queue=never passive", 404, "no queue 'never' in vhost '/'");
    assert_eq!(peer.counts(2, "q"), (0, 0));
    peer.open(1);
}

#[test]
fn when_both_sides_close_a_channel_both_closes_are_answered() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for _ in 0..20 {
        peer.send_all(&["queue.declare queue=absent passive", "channel.close reply-code=200"]);
        assert_eq!(peer.await_method("channel.close").number("reply-code"), 404);
        peer.await_method("channel.close-ok");
        peer.send("channel.close-ok");
        peer.open(1);
    }
}

#[test]
fn a_connection_exception_ends_one_connection_and_nothing_else() {
    let broker = Broker::start();
    let mut other = Peer::connect(&broker);
    other.ok("queue.declare queue=q");
    other.ok("basic.consume queue=q consumer-tag=c");
    let mut bad = Peer::connect(&broker);
    bad.ok("queue.declare queue=q passive");
    bad.disconnected("basic.publish routing-key=q immediate | | x", 540, "immediate=true");
    other.send("basic.publish routing-key=q | | y");
    other.expect("basic.deliver consumer-tag=c delivery-tag=1 routing-key=q | | y");
}

#[test]
fn channels_of_one_connection_do_not_wait_for_each_other() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    for channel in 2..=200 {
        peer.open(channel);
        peer.ok(&format!("{channel}:basic.qos prefetch-count=1"));
        peer.ok(&format!("{channel}:basic.consume queue=q consumer-tag=c{channel}"));
    }
    for n in 2..=200 {
        peer.send(&format!("basic.publish routing-key=q | | {n}"));
    }
    let mut channels: Vec<_> = (2..=200).map(|_| peer.await_method("basic.deliver").channel).collect();
    channels.sort_unstable();
    assert_eq!(channels, (2..=200).collect::<Vec<_>>());
}
