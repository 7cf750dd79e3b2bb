//! What a client sends without waiting for answers that wait for the disk, on a broker that keeps things.

use crate::peer::Peer;
use crate::support::{Broker, TempDir};

fn kept() -> (TempDir, Broker) {
    let data = TempDir::new();
    let broker = Broker::start_on::<&str>(data.path(), &[]);
    (data, broker)
}

#[test]
fn what_is_sent_at_once_is_served_in_its_order() {
    let (_data, broker) = kept();
    let mut peer = Peer::connect(&broker);
    peer.open(2);
    peer.send_all(&[
        "exchange.declare exchange=e type=direct durable",
        "queue.declare queue=q durable",
        "queue.bind queue=q exchange=e routing-key=k",
        "confirm.select",
        "basic.publish exchange=e routing-key=k | delivery-mode=2 | 1",
        "queue.declare queue=other durable",
        "basic.publish exchange=e routing-key=k | delivery-mode=2 | 2",
        "2:basic.qos",
    ]);
    // The other channel is answered whenever its turn comes, each channel in its order.
    let mut first = Vec::new();
    let mut answered = false;
    let mut confirmed = 0;
    while !(answered && confirmed == 2 && first.len() == 5) {
        let line = peer.next().to_string();
        let name = line.split_whitespace().next().unwrap().to_owned();
        match name.as_str() {
            "2:basic.qos-ok" => answered = true,
            "basic.ack" => {
                let tag = line.split("delivery-tag=").nth(1).unwrap();
                confirmed = tag.split_whitespace().next().unwrap().parse().unwrap();
            }
            _ => first.push(name),
        }
    }
    assert_eq!(
        first,
        ["exchange.declare-ok", "queue.declare-ok", "queue.bind-ok", "confirm.select-ok", "queue.declare-ok"]
    );
    peer.send_all(&["basic.consume queue=q consumer-tag=c no-ack", "queue.delete queue=other"]);
    peer.await_method("basic.consume-ok");
    let rest: Vec<String> = (0..3).map(|_| peer.next().to_string()).collect();
    let bodies: Vec<&str> = rest
        .iter()
        .filter(|line| line.starts_with("basic.deliver "))
        .map(|line| line.rsplit("| ").next().unwrap())
        .collect();
    assert_eq!(bodies, ["1", "2"], "{rest:?}");
    assert!(rest.iter().any(|line| line.starts_with("queue.delete-ok")), "{rest:?}");
}

#[test]
fn a_channel_or_a_connection_is_closed_behind_what_was_sent_before() {
    let (_data, broker) = kept();
    let mut peer = Peer::connect(&broker);
    peer.send_all(&[
        "queue.declare queue=q durable",
        "basic.publish routing-key=q | delivery-mode=2 | 1",
        "channel.close reply-code=200",
        "channel.open",
    ]);
    for answer in ["queue.declare-ok", "channel.close-ok", "channel.open-ok"] {
        peer.await_method(answer);
    }
    peer.send_all(&[
        "queue.declare queue=more durable",
        "basic.publish routing-key=q | delivery-mode=2 | 2",
        "queue.bind queue=q exchange=amq.fanout",
        "basic.publish exchange=amq.fanout | delivery-mode=2 | 3",
        "0:connection.close reply-code=200",
    ]);
    while peer.next().to_string().split_whitespace().next() != Some("0:connection.close-ok") {}
    let mut other = Peer::connect(&broker);
    assert_eq!(other.drain(1, "q"), ["1", "2", "3"]);
}

#[test]
fn a_refusal_comes_after_the_answers_to_what_was_sent_before_it_and_ends_the_rest() {
    let (_data, broker) = kept();
    let mut peer = Peer::connect(&broker);
    peer.send_all(&[
        "queue.declare queue=q durable",
        "queue.bind queue=q exchange=absent",
        "basic.publish routing-key=q | delivery-mode=2 | never",
    ]);
    peer.await_method("queue.declare-ok");
    let closed = peer.await_method("channel.close");
    assert_eq!(closed.number("reply-code"), 404);
    peer.send_all(&["channel.close-ok", "channel.open"]);
    peer.await_method("channel.open-ok");
    assert_eq!(peer.counts(1, "q"), (0, 0));
}

#[test]
fn many_channels_that_wait_for_the_disk_are_all_answered() {
    const CHANNELS: u16 = 200;
    let (_data, broker) = kept();
    let mut peer = Peer::connect(&broker);
    for channel in 2..=CHANNELS {
        peer.open(channel);
    }
    let lines: Vec<String> = (1..=CHANNELS)
        .flat_map(|channel| {
            [
                format!("{channel}:confirm.select"),
                format!("{channel}:queue.declare queue=q{channel} durable"),
                format!("{channel}:basic.publish routing-key=q{channel} | delivery-mode=2 | {channel}"),
                format!("{channel}:queue.delete queue=q{channel}"),
            ]
        })
        .collect();
    peer.send_all(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let mut answers = 0;
    while answers < 4 * u32::from(CHANNELS) {
        let line = peer.next();
        assert!(!line.to_string().contains("close"), "{line}");
        answers += 1;
    }
}
