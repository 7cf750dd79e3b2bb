//! Peers that send more than the broker wants or take less than it gives.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::raw::{DEADLINE, content};
use crate::support::{Broker, Payload, Properties, Raw, Received, Table, frame, method};
use crate::witness::{others_go_on, others_go_on_with};

const BODY: usize = 65_536;
const MIB: u64 = 1 << 20;

#[test]
fn b67_a_forged_reply_address_reaches_nobody() {
    others_go_on(|broker| {
        let mut requester = open(broker);
        let consume =
            method::basic_consume("amq.rabbitmq.reply-to", "", method::CONSUME_NO_ACK, &Table::new());
        requester.send(1, consume);
        requester.expect(1, method::BASIC_CONSUME_OK);
        let asked = requester.declare_own(1);
        let request = Properties::new().text(Properties::REPLY_TO, "amq.rabbitmq.reply-to");
        requester.publish(1, "", &asked, &request, b"request");
        let request = requester.get(1, &asked).unwrap();
        // Flags and the length of the only property stand before it.
        let address = String::from_utf8(request.properties[3..].to_vec()).unwrap();
        assert!(address.starts_with("amq.rabbitmq.reply-to."), "{address}");

        let mut forger = open(broker);
        let addresses = [
            "amq.rabbitmq.reply-to.".to_owned(),
            "amq.rabbitmq.reply-to.forged".to_owned(),
            "amq.rabbitmq.reply-to.g2dkABByZXBseUAx.AAAA==".to_owned(),
            format!("{address}x"),
            address[..address.len() - 2].to_owned(),
            "amq.rabbitmq.reply-to.#".to_owned(),
            "amq.rabbitmq.reply-to.*".to_owned(),
        ];
        for key in &addresses {
            forger.publish(1, "", key, &Properties::new(), b"forged");
            forger.expect_open(1);
        }
        forger.publish(1, "", &address, &Properties::new(), b"reply");
        assert_eq!(requester.expect_deliver(1).body, b"reply", "the only one to arrive");
    });
}

#[test]
fn b67_a_forged_reply_queue_does_not_exist() {
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        let queue = "amq.rabbitmq.reply-to.forged";
        for declare in [method::PASSIVE, 0] {
            raw.open_channel(1);
            raw.send(1, method::queue_declare(queue, declare, &Table::new()));
            let (code, ..) = raw.expect(1, method::CHANNEL_CLOSE).close().unwrap();
            assert_eq!(code, 404);
            raw.send(1, Payload::method(method::CHANNEL_CLOSE_OK));
        }
        for method in [
            method::basic_consume(queue, "", method::CONSUME_NO_ACK, &Table::new()),
            method::basic_get(queue, true),
            method::queue_bind(queue, "amq.fanout", "", &Table::new()),
        ] {
            raw.open_channel(1);
            raw.send(1, method);
            let (code, ..) = raw.expect(1, method::CHANNEL_CLOSE).close().unwrap();
            assert!([403, 404].contains(&code), "{code}");
            raw.send(1, Payload::method(method::CHANNEL_CLOSE_OK));
        }
    });
}

#[test]
fn b69_a_publisher_that_ignores_blocked_is_not_read_any_more_and_goes_on_when_there_is_room() {
    const LIMIT: u64 = 64 * MIB;
    others_go_on_with(&["--memory-limit", &LIMIT.to_string()], |broker| {
        let mut consumer = open(broker);
        let queue = consumer.declare(1, "b69-blocked", 0, &Table::new());
        let mut publisher = Raw::connect_tuned(broker, 10, 131_072, 1);
        publisher.open_channel(1);
        let before = broker.resident_bytes();
        let publish = publish(&queue);

        let (sent, rest) = publish_until_blocked(&mut publisher, &publish, 64 * LIMIT);
        for at in 0..4 {
            let received = publisher.recv_within(DEADLINE);
            let is_heartbeat = matches!(&received, Received::Frame(frame) if frame.kind == frame::HEARTBEAT);
            assert!(is_heartbeat, "{at} heartbeats of a blocked publisher, then {received:?}");
        }
        let grown = broker.resident_bytes().saturating_sub(before);
        assert!(grown < 2 * LIMIT, "{grown} bytes at a limit of {LIMIT}, {sent} bytes sent");

        consumer.send(1, method::queue_purge(&queue));
        consumer.expect(1, (50, 31));
        publisher.send_bytes(rest);
        publisher.expect(0, method::CONNECTION_UNBLOCKED);
        publisher.expect_open(1);
        assert!(consumer.message_count(1, &queue) >= 1, "what was half sent is whole now");
    });
}

#[test]
fn b69_consuming_goes_on_while_publishers_are_blocked() {
    others_go_on_with(&["--memory-limit", "32MiB"], |broker| {
        let mut consumer = open(broker);
        let queue = consumer.declare(1, "b69-consuming", 0, &Table::new());
        let mut publisher = open(broker);
        let publish = publish(&queue);
        publish_until_blocked(&mut publisher, &publish, 2048 * MIB);
        for _ in 0..10 {
            let message = consumer.get(1, &queue).expect("messages that were taken in");
            assert_eq!(message.body.len(), BODY);
        }
        let mut late = open(broker);
        assert!(late.get(1, &queue).is_some(), "a connection that does not publish is not blocked");
        late.send(1, method::queue_delete(&queue));
        late.expect(1, (50, 41));
        publisher.expect(0, method::CONNECTION_UNBLOCKED);
    });
}

#[test]
fn b69_a_blocked_publisher_can_answer_the_close_of_a_broker_that_stops() {
    let broker = Broker::start_with(&["--memory-limit", "32MiB"]);
    if broker.is_external() {
        return;
    }
    let mut consumer = open(&broker);
    let queue = consumer.declare(1, "b69-stop", 0, &Table::new());
    let mut publisher = open(&broker);
    let publish = publish(&queue);
    let (_, rest) = publish_until_blocked(&mut publisher, &publish, 2048 * MIB);
    broker.signal(Signal::TERM);
    publisher.expect(0, method::CONNECTION_CLOSE);
    assert_eq!(publisher.send_some(rest, DEADLINE), rest.len());
    publisher.send(0, Payload::method(method::CONNECTION_CLOSE_OK));
    assert_eq!(publisher.next(), Received::End(0));
}

#[test]
fn b69_a_blocked_publisher_without_heartbeats_that_goes_away_is_noticed() {
    others_go_on_with(&["--memory-limit", "32MiB"], |broker| {
        let mut consumer = open(broker);
        let queue = consumer.declare(1, "b69-gone", 0, &Table::new());
        let mut publisher = Raw::connect_tuned(broker, 10, 131_072, 0);
        publisher.open_channel(1);
        let own = publisher.declare(1, "b69-own", method::EXCLUSIVE, &Table::new());
        let publish = publish(&queue);
        publish_until_blocked(&mut publisher, &publish, 2048 * MIB);
        let mut other = open(broker);
        other.publish(1, "", &queue, &Properties::new(), b"one");
        other.expect(0, method::CONNECTION_BLOCKED);
        drop(publisher);

        let patience = Instant::now() + DEADLINE;
        loop {
            consumer.open_channel(2);
            consumer.send(2, method::queue_declare(&own, 0, &Table::new()));
            if consumer.recv().method() == Some((50, 11)) {
                break;
            }
            assert!(Instant::now() < patience, "its exclusive queue is locked still");
            consumer.send(2, Payload::method(method::CHANNEL_CLOSE_OK));
        }
        consumer.send(1, method::queue_delete(&queue));
        consumer.expect(1, (50, 41));
        other.expect(0, method::CONNECTION_UNBLOCKED);
    });
}

#[test]
fn b70_a_requester_that_never_reads_its_replies_costs_little_and_holds_up_its_replier_for_moments_only() {
    const REPLIES: u64 = 2048;
    others_go_on(|broker| {
        let mut requester = open(broker);
        let consume =
            method::basic_consume("amq.rabbitmq.reply-to", "", method::CONSUME_NO_ACK, &Table::new());
        requester.send(1, consume);
        requester.expect(1, method::BASIC_CONSUME_OK);
        let mut replier = open(broker);
        let asked = replier.declare(1, "b70-asked", 0, &Table::new());
        let request = Properties::new().text(Properties::REPLY_TO, "amq.rabbitmq.reply-to");
        requester.publish(1, "", &asked, &request, b"request");
        requester.expect_open(1);
        let request = replier.get(1, &asked).unwrap();
        let address = String::from_utf8(request.properties[3..].to_vec()).unwrap();
        let before = broker.resident_bytes();
        let reply = publish(&address);
        for at in 0..REPLIES {
            // Who is held up for good goes on when the requester is dropped, which is after fifteen seconds.
            let start = Instant::now();
            replier.send_bytes(&reply);
            assert!(start.elapsed() < Duration::from_secs(10), "{at} of {REPLIES} replies");
        }
        replier.expect_open(1);
        let grown = broker.resident_bytes().saturating_sub(before);
        assert!(grown < 40 * MIB, "{grown} bytes of {} bytes of replies", REPLIES * BODY as u64);
    });
}

#[test]
fn b70_a_client_that_publishes_first_and_reads_its_deliveries_later_is_not_held_up_for_good() {
    const MESSAGES: usize = 120_000;
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        raw.send(1, method::basic_consume(&queue, "mine", method::CONSUME_NO_ACK, &Table::new()));
        raw.expect(1, method::BASIC_CONSUME_OK);
        let body = [7; 128];
        let publish =
            content(1, method::basic_publish("", &queue, 0), &Properties::new().encoded(), &body, 131_072);
        let all = publish.repeat(MESSAGES);
        let sent = raw.send_some(&all, DEADLINE);
        assert_eq!(sent, all.len(), "it writes and does not read yet");
        for _ in 0..MESSAGES {
            assert_eq!(raw.expect_deliver(1).body, body);
        }
    });
}

#[test]
fn b70_a_consumer_that_stops_reading_costs_little_and_is_dropped_and_its_messages_go_back() {
    const MESSAGES: u32 = 1024;
    others_go_on(|broker| {
        let mut steady = open(broker);
        let queue = steady.declare(1, "b70-stalled", 0, &Table::new());
        for _ in 0..MESSAGES {
            steady.send_bytes(&publish(&queue));
        }
        steady.expect_open(1);
        assert_eq!(steady.message_count(1, &queue), MESSAGES);
        let before = broker.resident_bytes();

        let mut stalled = open(broker);
        stalled.send(1, method::basic_consume(&queue, "stalled", 0, &Table::new()));
        stalled.expect(1, method::BASIC_CONSUME_OK);
        let start = Instant::now();
        let mut taken = false;
        let mut peak = 0;
        loop {
            let ready = steady.message_count(1, &queue);
            taken |= ready < MESSAGES;
            peak = broker.resident_bytes().max(peak);
            if taken && ready == MESSAGES {
                break;
            }
            assert!(start.elapsed() < 2 * DEADLINE, "{ready} of {MESSAGES} messages are back");
            // The pace of the questions; nothing is due on this connection.
            assert_eq!(steady.recv_within(Duration::from_millis(200)), Received::Silence);
        }
        let grown = peak.saturating_sub(before);
        assert!(grown < 24 * MIB, "{grown} bytes for a peer that does not read");
        let first = steady.get(1, &queue).unwrap();
        assert!(first.redelivered);
        steady.send(1, method::queue_delete(&queue));
        steady.expect(1, (50, 41));
    });
}

#[test]
fn b70_a_client_that_never_reads_its_replies_costs_little() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        raw.publish(1, "", &queue, &Properties::new(), &vec![7; BODY]);
        raw.expect_open(1);
        let before = broker.resident_bytes();
        // Each request of some twenty bytes asks for 64 KiB that nobody reads.
        let asking = method::basic_get(&queue, false);
        let asking = frame::Frame::new(frame::METHOD, 1, asking).encode();
        let releasing = Payload::method((60, 110)).octet(1);
        let releasing = frame::Frame::new(frame::METHOD, 1, releasing).encode();
        let requests = [asking, releasing].concat().repeat(4096);
        raw.send_some(&requests, Duration::from_secs(2));
        let grown = broker.resident_bytes().saturating_sub(before);
        assert!(grown < 24 * MIB, "{grown} bytes of replies that nobody reads");
    });
}

fn open(broker: &Broker) -> Raw {
    let mut raw = Raw::connect(broker);
    raw.open_channel(1);
    raw
}

/// The bytes of one publish of 64 KiB to a queue.
fn publish(queue: &str) -> Vec<u8> {
    content(1, method::basic_publish("", queue, 0), &Properties::new().encoded(), &vec![7; BODY], 131_072)
}

/// Publishes again and again until nothing more is taken and the client was told why. Gives how many bytes were taken, at
/// most about `max`, and what was not taken of the last publish.
fn publish_until_blocked<'a>(raw: &mut Raw, publish: &'a [u8], max: u64) -> (u64, &'a [u8]) {
    let (mut sent, mut rest) = (0, publish);
    let mut taken = Instant::now();
    loop {
        assert!(sent < max, "the broker has read {sent} bytes and still reads");
        let count = raw.send_some(rest, Duration::from_secs(1));
        sent += count as u64;
        rest = &rest[count..];
        if count > 0 {
            taken = Instant::now();
        }
        assert!(taken.elapsed() < DEADLINE, "it takes nothing, and does not say why");
        if rest.is_empty() {
            rest = publish;
            continue;
        }
        // It takes nothing: blocked, or busy for a moment.
        match raw.recv_within(Duration::from_millis(1)) {
            Received::Frame(frame) if frame.kind == frame::HEARTBEAT => {}
            Received::Silence => {}
            Received::Frame(frame) => {
                assert_eq!(frame.method(), Some(method::CONNECTION_BLOCKED), "{frame:?}");
                assert_eq!(frame.arguments().shortstr(), "low on memory");
                return (sent, rest);
            }
            end @ Received::End(_) => panic!("after {sent} bytes: {end:?}"),
        }
    }
}
