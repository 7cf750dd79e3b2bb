//! What clients may make the broker remember: as much as they use, and no more than it can bear.

use std::time::Duration;

use crate::support::frame::{self, Frame};
use crate::support::raw::content;
use crate::support::{Broker, Payload, Properties, Raw, Received, Table, method};
use crate::witness::{others_go_on, others_go_on_with};

const MIB: u64 = 1 << 20;

#[test]
fn b70_small_requests_for_messages_that_are_copied_ask_for_no_more_than_the_client_reads() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        raw.publish(1, "", &queue, &Properties::new(), &[7; 15_000]);
        raw.expect_open(1);
        let before = broker.resident_bytes();
        // Each pair of some forty bytes asks for 15 KB, and puts them back.
        let ask = Frame::new(frame::METHOD, 1, method::basic_get(&queue, false)).encode();
        let put_back = Frame::new(frame::METHOD, 1, Payload::method((60, 110)).octet(1)).encode();
        // Many bytes at first make the broker read many at a time.
        let heartbeats = Frame::new(frame::HEARTBEAT, 0, Payload::new()).encode().repeat(250_000);
        let requests = [heartbeats, [ask, put_back].concat().repeat(10_000)].concat();
        raw.send_some(&requests, Duration::from_secs(1));
        // The time that the broker has for them; nothing is due on this connection.
        assert_eq!(open(broker).recv_within(Duration::from_millis(500)), Received::Silence);
        let grown = broker.resident_bytes().saturating_sub(before);
        assert!(grown < 12 * MIB, "{grown} bytes of replies that nobody reads");
    });
}

#[test]
fn a_queue_that_was_consumed_or_got_from_is_forgotten_with_its_end() {
    const ROUNDS: usize = 20_000;
    others_go_on(|broker| {
        let mut raw = open(broker);
        // An exclusive queue that deletes itself with its last consumer, as it is made for each single reply.
        raw.send_bytes(&consume_once().repeat(100));
        raw.expect_all(300);
        let before = broker.resident_bytes();
        for _ in 0..ROUNDS / 100 {
            raw.send_bytes(&consume_once().repeat(100));
            raw.expect_all(300);
        }
        for round in 0..ROUNDS / 100 {
            let rounds = (0..100).map(|at| get_once(&format!("got-{}", round * 100 + at)));
            raw.send_bytes(&rounds.collect::<Vec<_>>().concat());
            raw.expect_all(400);
        }
        let grown = broker.resident_bytes().saturating_sub(before);
        assert!(grown < 6 * MIB, "{grown} bytes are left of {ROUNDS} queues");
    });
}

#[test]
fn a_message_that_a_consumer_holds_pins_nothing_that_came_with_it() {
    const HELD: usize = 300;
    others_go_on(|broker| {
        let mut consumer = open(broker);
        let queue = consumer.declare_own(1);
        consumer.send(1, method::basic_consume(&queue, "slow", 0, &Table::new()));
        consumer.expect(1, method::BASIC_CONSUME_OK);
        let mut publisher = open(broker);
        let others = content(1, method::basic_publish("", "nobody", 0), &[0, 0], &[7; 1000], 131_072);
        let held = content(1, method::basic_publish("amq.direct", "held", 0), &[0, 0], b"held", 131_072);
        consumer.send(1, method::queue_bind(&queue, "amq.direct", "held", &Table::new()));
        consumer.expect(1, method::QUEUE_BIND_OK);
        let stream = [others.repeat(250), held].concat();
        publisher.send_bytes(&stream);
        publisher.expect_open(1);
        let before = broker.resident_bytes();
        for _ in 0..HELD {
            publisher.send_bytes(&stream);
        }
        publisher.expect_open(1);
        for _ in 0..=HELD {
            assert_eq!(consumer.expect_deliver(1).body, b"held");
        }
        let grown = broker.resident_bytes().saturating_sub(before);
        assert!(grown < 12 * MIB, "{grown} bytes for {HELD} messages of a few bytes");
    });
}

#[test]
fn the_alarm_is_raised_in_time_when_each_message_goes_to_many_queues() {
    const LIMIT: u64 = 64 * MIB;
    const QUEUES: usize = 500;
    others_go_on_with(&["--memory-limit", &LIMIT.to_string()], |broker| {
        let mut raw = open(broker);
        for at in 0..QUEUES {
            let queue = raw.declare(1, &format!("copy-{at}"), method::EXCLUSIVE, &Table::new());
            raw.send(1, method::queue_bind(&queue, "amq.fanout", "", &Table::new()));
            raw.expect(1, method::QUEUE_BIND_OK);
        }
        let before = broker.resident_bytes();
        let mut publisher = open(broker);
        let publish = content(1, method::basic_publish("amq.fanout", "", 0), &[0, 0], &[7; 1000], 131_072);
        // A thousand of them are a megabyte on the wire and half a gigabyte in the queues.
        publisher.send_some(&publish.repeat(1000), Duration::from_secs(1));
        publisher.expect(0, method::CONNECTION_BLOCKED);
        let grown = broker.resident_bytes().saturating_sub(before);
        assert!(grown < 2 * LIMIT, "{grown} bytes at a limit of {LIMIT}");
        // With their owner the queues go, and what was published.
        drop(raw);
        publisher.expect(0, method::CONNECTION_UNBLOCKED);
    });
}

fn open(broker: &Broker) -> Raw {
    let mut raw = Raw::connect(broker);
    raw.open_channel(1);
    raw
}

fn frames(methods: impl IntoIterator<Item = Payload>) -> Vec<u8> {
    methods.into_iter().flat_map(|method| Frame::new(frame::METHOD, 1, method).encode()).collect()
}

/// Three answers.
fn consume_once() -> Vec<u8> {
    let bits = method::EXCLUSIVE | method::AUTO_DELETE;
    frames([
        method::queue_declare("reply", bits, &Table::new()),
        method::basic_consume("reply", "tag", 0, &Table::new()),
        Payload::method((60, 30)).shortstr("tag").octet(0),
    ])
}

/// Four answers: three methods and a header.
fn get_once(queue: &str) -> Vec<u8> {
    let publish = content(1, method::basic_publish("", queue, 0), &[0, 0], b"", 131_072);
    let declare = frames([method::queue_declare(queue, 0, &Table::new())]);
    let rest =
        frames([method::basic_get(queue, false), method::basic_ack(0, true), method::queue_delete(queue)]);
    [declare, publish, rest].concat()
}
