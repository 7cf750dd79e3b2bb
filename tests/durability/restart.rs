//! What there is after a restart: all that is durable, as it was, and nothing else.

use crate::lives::{Death, Lives, Script};
use crate::support::raw::Received;
use crate::support::{Payload, Properties, Raw, Table, method};

/// Bits of exchange.declare.
const INTERNAL: u8 = 8;

const DEATHS: [Death; 2] = [Death::Stop, Death::Kill];

/// The same declare is fine and this other one is not.
fn refuses(raw: &mut Raw, declare: Payload) -> bool {
    raw.send(1, declare);
    let frame = raw.recv();
    let Some((code, ..)) = frame.close() else { return false };
    raw.send(1, Payload::method(method::CHANNEL_CLOSE_OK));
    raw.open_channel(1);
    code == 406
}

#[test]
fn queues_and_exchanges_keep_all_their_options() {
    let alternate = Table::new().text("alternate-exchange", "elsewhere");
    let limits = Table::new().int("x-max-length", 7).text("x-overflow", "drop-head").boolean("mine", true);
    let queue = |arguments: &Table, bits| method::queue_declare("kept", method::DURABLE | bits, arguments);
    let auto_delete = method::AUTO_DELETE;
    // exchange.declare has passive, durable, auto-delete, internal as its first bits.
    let exchange = |name: &str, kind: &str, bits: u8, arguments: &Table| {
        method::exchange_declare(name, kind, method::DURABLE | bits, arguments)
    };
    let none = Table::new();
    let table = [
        ("arguments of a queue", queue(&limits, 0), queue(&none, 0)),
        (
            "values of a queue's arguments",
            queue(&limits, 0),
            queue(
                &Table::new().int("x-max-length", 8).text("x-overflow", "drop-head").boolean("mine", true),
                0,
            ),
        ),
        (
            "an alternate exchange",
            exchange("x.alternate", "direct", 0, &alternate),
            exchange("x.alternate", "direct", 0, &none),
        ),
        ("a type", exchange("x.type", "headers", 0, &none), exchange("x.type", "topic", 0, &none)),
        (
            "internal",
            exchange("x.internal", "fanout", INTERNAL, &none),
            exchange("x.internal", "fanout", 0, &none),
        ),
        ("auto-delete", exchange("x.auto", "topic", 4, &none), exchange("x.auto", "topic", 0, &none)),
        (
            "auto-delete of a queue",
            method::queue_declare("auto", method::DURABLE | auto_delete, &none),
            method::queue_declare("auto", method::DURABLE, &none),
        ),
    ];
    let mut lives = Lives::new(&[]);
    let mut raw = lives.connect();
    for (_, same, _) in &table {
        raw.call(same.clone());
    }
    for death in DEATHS {
        lives.again(death);
        let mut raw = lives.connect();
        for (what, same, other) in &table {
            // One that was lost would be declared anew by this, and the next would not be refused.
            assert!(refuses(&mut raw, other.clone()), "{death:?}: {what}");
            raw.call(same.clone());
        }
    }
}

#[test]
fn bindings_keep_their_keys_and_arguments() {
    let mut lives = Lives::new(&[]);
    let mut raw = lives.connect();
    raw.durable_queue("q");
    let any = Table::new().text("x-match", "any").int("size", 3).text("colour", "red");
    raw.call(method::queue_bind("q", "amq.headers", "", &any));
    raw.call(method::queue_bind("q", "amq.topic", "a.*.#", &Table::new()));
    raw.call(method::queue_bind("q", "amq.direct", "with \u{e9} and \u{1f407}", &Table::new()));
    let fields = |table: Table| Properties::new().headers(&table);
    for death in DEATHS {
        lives.again(death);
        let mut raw = lives.connect();
        let none = fields(Table::new());
        for (exchange, key, properties, body) in [
            ("amq.headers", "", &fields(Table::new().int("size", 3)), "by size"),
            ("amq.headers", "", &fields(Table::new().int("size", 4)), "no"),
            ("amq.topic", "a.b.c.d", &none, "by topic"),
            ("amq.topic", "a", &none, "no"),
            ("amq.direct", "with \u{e9} and \u{1f407}", &none, "by key"),
            ("amq.direct", "", &none, "no"),
        ] {
            raw.publish(1, exchange, key, properties, body.as_bytes());
        }
        assert_eq!(raw.take_bodies("q"), ["by size", "by topic", "by key"], "{death:?}");
    }
}

/// The queues, of four, that each of the first numbers goes to as a key.
fn placed(raw: &mut Raw, exchange: &str) -> Vec<Vec<String>> {
    let none = Properties::new();
    for n in 0..200 {
        raw.publish(1, exchange, &n.to_string(), &none, n.to_string().as_bytes());
    }
    ["a", "b", "c", "d"].map(|queue| raw.take_bodies(queue)).into()
}

#[test]
fn a_key_goes_to_the_queue_that_it_went_to_before() {
    let mut lives = Lives::new(&[]);
    let mut raw = lives.connect();
    let none = Table::new();
    for (exchange, weights) in
        [("x-consistent-hash", ["1", "3", "2", "2"]), ("x-modulus-hash", ["", "k", "", ""])]
    {
        raw.call(method::exchange_declare(exchange, exchange, method::DURABLE, &none));
        for (queue, weight) in ["c", "a", "d", "b"].into_iter().zip(weights) {
            raw.durable_queue(queue);
            raw.call(method::queue_bind(queue, exchange, weight, &none));
        }
    }
    // Of two bindings to one queue the same counts as before, too.
    raw.call(method::queue_bind("a", "x-consistent-hash", "500", &none));
    let before = ["x-consistent-hash", "x-modulus-hash"].map(|exchange| placed(&mut raw, exchange));
    assert!(before.iter().flatten().all(|bodies| bodies.len() > 10), "{before:?}");
    for death in DEATHS {
        lives.again(death);
        let mut raw = lives.connect();
        let after = ["x-consistent-hash", "x-modulus-hash"].map(|exchange| placed(&mut raw, exchange));
        assert_eq!(after, before, "{death:?}");
    }
}

#[test]
fn history_that_was_given_to_a_queue_is_its_own_and_the_exchange_begins_anew() {
    let mut lives = Lives::new(&[]);
    let mut raw = lives.connect();
    let none = Table::new();
    raw.call(method::exchange_declare("h", "x-recent-history", method::DURABLE, &none));
    let persistent = Properties::new().delivery_mode(2);
    for death in DEATHS {
        for body in ["1", "2", "3"] {
            raw.publish(1, "h", "", &persistent, body.as_bytes());
        }
        raw.durable_queue("q");
        raw.call(method::queue_bind("q", "h", "", &none));
        // A sync that covers what the binding gave to the queue.
        raw.call(method::confirm_select());
        raw.publish(1, "h", "", &persistent, b"4");
        assert_eq!(raw.recv().method(), Some(method::BASIC_ACK));
        lives.again(death);
        raw = lives.connect();
        assert_eq!(raw.take_bodies("q"), ["1", "2", "3", "4"], "{death:?}");
        raw.call(method::queue_bind("q", "h", "again", &none));
        assert_eq!(raw.take_bodies("q"), [""; 0], "{death:?}");
        raw.call(method::queue_delete("q"));
    }
}

#[test]
fn messages_come_back_in_order_with_every_octet_of_address_properties_and_body() {
    let headers = Table::new()
        .nested("deep", &Table::new().nested("deeper", &Table::new().texts("list", &["", "x"])))
        .int("n", -1)
        .field("void", b'V', []);
    let all =
        Payload::new().short(0b1111_1111_1111_1100).shortstr("text/plain").shortstr("gzip").table(&headers);
    let all = all.octet(2).octet(9).shortstr("correlation").shortstr("reply.to").shortstr("3600000");
    let all = all.shortstr("message-id").longlong(u64::MAX).shortstr("type").shortstr("guest");
    let all = all.shortstr("app-id").shortstr("cluster-id").0;
    let persistent = Properties::new().delivery_mode(2).encoded();
    let bodies: Vec<Vec<u8>> = [0, 1, 2, 4095, 4096, 8191, 8192, 8193, 70_000, 131_064, 1_000_000, 16 << 20]
        .map(|size: usize| (0..size).map(|at| (at % 251).to_le_bytes()[0]).collect())
        .into();
    for death in DEATHS {
        let mut lives = Lives::new(&[]);
        let mut raw = lives.connect();
        raw.durable_queue("q");
        let long_key = "k".repeat(255);
        raw.call(method::queue_bind("q", "amq.direct", &long_key, &Table::new()));
        raw.call(method::confirm_select());
        let mut sent = Vec::new();
        for body in &bodies {
            sent.extend([("", "q", &all, body), ("amq.direct", long_key.as_str(), &persistent, body)]);
        }
        for (exchange, key, properties, body) in &sent {
            raw.publish_with(1, method::basic_publish(exchange, key, 0), properties, body);
            raw.expect(1, method::BASIC_ACK);
        }
        lives.again(death);
        let mut raw = lives.connect();
        for (exchange, key, properties, body) in sent {
            let message = raw.get(1, "q").unwrap_or_else(|| panic!("{death:?}: {} octets", body.len()));
            assert_eq!(
                (message.exchange.as_str(), message.routing_key.as_str()),
                (exchange, key),
                "{death:?}"
            );
            assert_eq!(&message.properties, properties, "{death:?}");
            assert!(message.body == *body, "{death:?}: {} octets", body.len());
        }
        assert!(raw.get(1, "q").is_none());
    }
}

#[test]
fn what_is_not_durable_is_gone() {
    for death in DEATHS {
        let mut lives = Lives::new(&[]);
        let mut raw = lives.connect();
        raw.durable_queue("durable");
        raw.call(method::queue_declare("transient", 0, &Table::new()));
        raw.call(method::queue_declare("exclusive", method::DURABLE | method::EXCLUSIVE, &Table::new()));
        raw.call(method::exchange_declare("x.transient", "fanout", 0, &Table::new()));
        raw.call(method::exchange_declare("x.durable", "fanout", method::DURABLE, &Table::new()));
        raw.call(method::queue_bind("transient", "x.durable", "", &Table::new()));
        raw.call(method::queue_bind("durable", "x.transient", "", &Table::new()));
        raw.call(method::confirm_select());
        for (mode, body) in [(1, "transient"), (2, "persistent")] {
            raw.publish(1, "", "durable", &Properties::new().delivery_mode(mode), body.as_bytes());
            raw.expect(1, method::BASIC_ACK);
        }
        raw.publish(1, "", "durable", &Properties::new(), b"without a mode");
        raw.expect(1, method::BASIC_ACK);
        raw.publish_confirmed("transient", "persistent in a transient queue");
        lives.again(death);
        let mut raw = lives.connect();
        assert_eq!(raw.take_bodies("durable"), ["persistent"], "{death:?}");
        for queue in ["transient", "exclusive"] {
            assert!(!raw.has_queue(queue), "{death:?}: {queue}");
        }
        assert!(!raw.has_exchange("x.transient") && raw.has_exchange("x.durable"), "{death:?}");
        // Bindings of what is gone do not wait for their ends to come back.
        raw.call(method::queue_declare("transient", 0, &Table::new()));
        raw.call(method::exchange_declare("x.transient", "fanout", 0, &Table::new()));
        for exchange in ["x.transient", "x.durable"] {
            raw.publish(1, exchange, "", &Properties::new(), b"nowhere");
        }
        for queue in ["transient", "durable"] {
            assert_eq!(raw.message_count(1, queue), 0, "{death:?}: {queue}");
        }
    }
}

#[test]
fn after_a_clean_stop_exactly_what_was_delivered_is_redelivered_and_after_a_kill_everything_is() {
    for (death, not_delivered) in [(Death::Stop, false), (Death::Kill, true)] {
        let mut lives = Lives::new(&[]);
        let mut publisher = lives.connect();
        publisher.durable_queue("q");
        publisher.durable_queue("other");
        publisher.call(method::confirm_select());
        for number in 0..8 {
            publisher.publish_confirmed("q", &number.to_string());
        }
        let mut raw = lives.connect();
        raw.call(method::basic_qos(3));
        raw.call(method::basic_consume("q", "", 0, &Table::new()));
        let tags: Vec<u64> = (0..3).map(|_| raw.expect_deliver(1).delivery_tag).collect();
        raw.send(1, method::basic_ack(tags[1], false));
        assert_eq!(raw.expect_deliver(1).body, b"3");
        // Given back, and delivered again to the same consumer: what it marks it marks for good.
        raw.send(1, method::basic_reject(tags[0], true));
        assert_eq!(raw.expect_deliver(1).body, b"0");
        // Confirmed, and so the acknowledgement before it is on the disk too.
        raw.open_channel(2);
        raw.send(2, method::confirm_select());
        raw.expect(2, method::CONFIRM_SELECT_OK);
        raw.publish(2, "", "other", &Properties::new().delivery_mode(2), b"");
        raw.expect(2, method::BASIC_ACK);
        lives.again(death);
        let expected = [("0", true), ("2", true), ("3", true), ("4", not_delivered), ("5", not_delivered)];
        let rest = [("6", not_delivered), ("7", not_delivered)];
        let expected: Vec<(String, bool)> = expected
            .iter()
            .chain(&rest)
            .map(|(body, redelivered)| ((*body).to_owned(), *redelivered))
            .collect();
        assert_eq!(lives.connect().take("q"), expected, "{death:?}");
    }
}

#[test]
fn a_clean_stop_marks_what_a_client_was_sent_that_reads_nothing() {
    const MESSAGES: u32 = 400;
    let mut lives = Lives::new(&[]);
    let mut raw = lives.connect();
    raw.durable_queue("q");
    let body = "x".repeat(100_000);
    for _ in 0..MESSAGES {
        raw.publish(1, "", "q", &Properties::new().delivery_mode(2), body.as_bytes());
    }
    assert_eq!(raw.message_count(1, "q"), MESSAGES);
    let mut consumer = lives.connect();
    consumer.send(1, method::basic_consume("q", "", 0, &Table::new()));
    // Until neither its socket nor the broker takes more for it.
    let (mut ready, mut unchanged) = (MESSAGES, 0);
    while unchanged < 200 {
        let now = raw.message_count(1, "q");
        unchanged = if now == ready && now < MESSAGES { unchanged + 1 } else { 0 };
        ready = now;
    }
    assert!(ready > 0, "the sockets have taken all of it");
    lives.end(Death::Stop);
    consumer.expect(1, method::BASIC_CONSUME_OK);
    let mut sent = 0;
    while let Received::Frame(frame) = consumer.next() {
        sent += usize::from(frame.method() == Some(method::BASIC_DELIVER));
    }
    lives.begin();
    let flags: Vec<bool> =
        lives.connect().take("q").into_iter().map(|(_, redelivered)| redelivered).collect();
    assert_eq!(flags.len(), MESSAGES as usize);
    assert!(sent > 0 && flags[..sent].iter().all(|redelivered| *redelivered), "{sent} of {flags:?}");
    assert!(!flags[flags.len() - 1], "what never left is not marked");
}

#[test]
fn a_second_clean_stop_forgets_no_mark_of_the_first() {
    let mut lives = Lives::new(&[]);
    let mut raw = lives.connect();
    raw.durable_queue("q");
    raw.call(method::confirm_select());
    for number in 0..4 {
        raw.publish_confirmed("q", &number.to_string());
    }
    for _ in 0..2 {
        raw.get_unsettled("q").unwrap();
    }
    for _ in 0..3 {
        lives.again(Death::Stop);
    }
    let flags: Vec<bool> =
        lives.connect().take("q").into_iter().map(|(_, redelivered)| redelivered).collect();
    assert_eq!(flags, [true, true, false, false]);
}

#[test]
fn an_auto_delete_queue_outlives_its_broker_only_until_it_has_had_its_last_consumer() {
    let mut lives = Lives::new(&[]);
    let mut raw = lives.connect();
    let durable = method::DURABLE | method::AUTO_DELETE;
    raw.call(method::queue_declare("unused", durable, &Table::new()));
    raw.call(method::queue_declare("used", durable, &Table::new()));
    lives.again(Death::Kill);
    let mut raw = lives.connect();
    assert!(raw.has_queue("unused") && raw.has_queue("used"));
    raw.call(method::basic_consume("used", "c", 0, &Table::new()));
    raw.call(method::basic_cancel("c"));
    assert!(!raw.has_queue("used"));
    // Nobody waits until a queue that deletes itself is gone for good; what is waited for comes behind it in the journal.
    raw.call(method::queue_declare("later", method::DURABLE, &Table::new()));
    lives.again(Death::Kill);
    let mut raw = lives.connect();
    assert!(raw.has_queue("unused") && !raw.has_queue("used"));
}

#[test]
fn b68_what_is_out_after_a_restart_is_late_by_the_configuration_of_the_new_broker() {
    for death in DEATHS {
        let mut lives = Lives::new(&["--consumer-timeout", "1s"]);
        let mut raw = lives.connect();
        raw.durable_queue("q");
        raw.call(method::queue_declare(
            "own",
            method::DURABLE,
            &Table::new().int("x-consumer-timeout", 600_000),
        ));
        raw.call(method::confirm_select());
        for queue in ["q", "own"] {
            raw.publish_confirmed(queue, "x");
        }
        drop(raw);
        lives.again(death);
        let (mut late, mut patient) = (lives.connect(), lives.connect());
        patient.call(method::basic_consume("own", "c", 0, &Table::new()));
        patient.expect_deliver(1);
        late.call(method::basic_consume("q", "c", 0, &Table::new()));
        late.expect_deliver(1);
        // The client knows basic.cancel, or loses its channel.
        let told = late.recv().method();
        assert!([Some((60, 30)), Some(method::CHANNEL_CLOSE)].contains(&told), "{death:?}: {told:?}");
        let mut other = lives.connect();
        let back = other.get(1, "q").unwrap();
        assert!(back.redelivered, "{death:?}");
        assert!(other.get(1, "own").is_none(), "{death:?}: it has longer");
        assert_eq!(patient.recv_within(std::time::Duration::from_millis(1)), Received::Silence, "{death:?}");
    }
}
