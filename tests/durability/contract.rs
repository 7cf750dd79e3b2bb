//! What an answer promises: once it has come, a broker that is killed at once had it on the disk.

use crate::lives::{Death, Lives, Script};
use crate::support::frame::Frame;
use crate::support::{Payload, Properties, Raw, Table, method};

const COMMIT: (u16, u16) = (90, 20);
const ROLLBACK: (u16, u16) = (90, 30);

fn tx_select() -> Payload {
    Payload::method((90, 10))
}

fn exchange_bind(destination: &str, source: &str, key: &str) -> Payload {
    let names = Payload::method((40, 30)).short(0).shortstr(destination).shortstr(source).shortstr(key);
    names.octet(0).table(&Table::new())
}

fn exchange_unbind(destination: &str, source: &str, key: &str) -> Payload {
    let names = Payload::method((40, 40)).short(0).shortstr(destination).shortstr(source).shortstr(key);
    names.octet(0).table(&Table::new())
}

/// Whether a persistent message that is sent so comes to a queue.
fn is_routed(raw: &mut Raw, exchange: &str, key: &str) -> bool {
    let publish = method::basic_publish(exchange, key, method::MANDATORY);
    raw.publish_with(1, publish, &Properties::new().delivery_mode(2).encoded(), b"probe");
    // An answer that comes behind whatever the publish caused.
    raw.send(1, method::basic_qos(0));
    let frame = raw.recv();
    if frame.method() != Some(method::BASIC_RETURN) {
        assert_eq!(frame.method(), Some((60, 11)), "{frame:?}");
        return true;
    }
    raw.content(1);
    raw.expect(1, (60, 11));
    false
}

#[test]
fn a_confirmed_message_outlives_a_kill() {
    let mut lives = Lives::new(&[]);
    let mut raw = lives.connect();
    raw.durable_queue("kept");
    raw.call(method::confirm_select());
    let mut expected = Vec::new();
    for life in 0..5 {
        for number in 0..20 {
            expected.push(format!("message {number} of life {life}"));
            raw.publish_confirmed("kept", expected.last().unwrap());
        }
        lives.again(Death::Kill);
        raw = lives.connect();
        raw.call(method::confirm_select());
    }
    assert_eq!(raw.take_bodies("kept"), expected);
}

type Check = fn(&mut Raw) -> bool;

#[test]
fn an_answer_about_something_durable_outlives_a_kill() {
    let declare = |name| method::queue_declare(name, method::DURABLE, &Table::new());
    let exchange = |name, kind| method::exchange_declare(name, kind, method::DURABLE, &Table::new());
    // What is asked for one after the other, and what is so after the last of these answers and not before it.
    let table: Vec<(&str, Vec<Payload>, Check)> = vec![
        ("queue.declare", vec![declare("q")], |raw| raw.has_queue("q")),
        ("exchange.declare", vec![exchange("x", "topic")], |raw| raw.has_exchange("x")),
        ("queue.bind", vec![method::queue_bind("q", "x", "a.#", &Table::new())], |raw| {
            is_routed(raw, "x", "a.b")
        }),
        ("queue.unbind", vec![method::queue_unbind("q", "x", "a.#", &Table::new())], |raw| {
            !is_routed(raw, "x", "a.b")
        }),
        (
            "exchange.bind",
            vec![
                exchange("y", "fanout"),
                method::queue_bind("q", "y", "", &Table::new()),
                exchange_bind("y", "x", "e.*"),
            ],
            |raw| is_routed(raw, "x", "e.e"),
        ),
        ("exchange.unbind", vec![exchange_unbind("y", "x", "e.*")], |raw| !is_routed(raw, "x", "e.e")),
        ("exchange.delete", vec![method::exchange_delete("x")], |raw| !raw.has_exchange("x")),
        ("queue.delete", vec![method::queue_delete("q")], |raw| !raw.has_queue("q")),
        ("its bindings", vec![declare("q")], |raw| !is_routed(raw, "y", "")),
    ];
    let mut lives = Lives::new(&[]);
    for (what, requests, check) in table {
        let mut raw = lives.connect();
        for request in requests {
            let (class, id) = Frame::new(1, 1, request.clone()).method().unwrap();
            raw.send(1, request);
            // exchange.unbind-ok is 51.
            let answer = if (class, id) == (40, 40) { 51 } else { id + 1 };
            raw.expect(1, (class, answer));
        }
        lives.again(Death::Kill);
        assert!(check(&mut lives.connect()), "{what}");
    }
}

#[test]
fn a_committed_transaction_outlives_a_kill_in_all_its_parts() {
    let mut lives = Lives::new(&[]);
    let mut raw = lives.connect();
    for queue in ["from", "one", "two"] {
        raw.durable_queue(queue);
    }
    raw.call(tx_select());
    let persistent = Properties::new().delivery_mode(2);
    let publish_and_end = |raw: &mut Raw, queue: &str, body: &str, end| {
        raw.publish(1, "", queue, &persistent, body.as_bytes());
        raw.call(Payload::method(end));
    };
    publish_and_end(&mut raw, "from", "first", COMMIT);
    publish_and_end(&mut raw, "from", "second", COMMIT);
    let first = raw.get_unsettled("from").unwrap();
    raw.send(1, method::basic_ack(first.delivery_tag, false));
    raw.publish(1, "", "one", &persistent, b"in one");
    publish_and_end(&mut raw, "two", "in two", COMMIT);
    // Undone, and never done.
    let second = raw.get_unsettled("from").unwrap();
    raw.send(1, method::basic_ack(second.delivery_tag, false));
    publish_and_end(&mut raw, "one", "rolled back", ROLLBACK);
    raw.publish(1, "", "one", &persistent, b"not committed");
    raw.send(1, method::basic_ack(second.delivery_tag, false));
    assert_eq!(lives.connect().message_count(1, "one"), 1);
    lives.again(Death::Kill);
    let mut raw = lives.connect();
    assert_eq!(raw.take_bodies("from"), ["second"]);
    assert_eq!(raw.take_bodies("one"), ["in one"]);
    assert_eq!(raw.take_bodies("two"), ["in two"]);
}

#[test]
fn what_was_settled_before_a_confirm_on_its_connection_does_not_come_back() {
    let mut lives = Lives::new(&[]);
    let mut raw = lives.connect();
    raw.durable_queue("kept");
    raw.durable_queue("other");
    raw.call(method::confirm_select());
    for number in 0..10 {
        raw.publish_confirmed("kept", &format!("{number}"));
    }
    for number in 0..5 {
        let message = raw.get_unsettled("kept").unwrap();
        assert_eq!(message.body, number.to_string().as_bytes());
        // Alternately taken without acknowledgement, acknowledged, and refused.
        let settle = if number % 2 == 0 {
            method::basic_ack(message.delivery_tag, false)
        } else {
            method::basic_reject(message.delivery_tag, false)
        };
        raw.send(1, settle);
    }
    assert_eq!(raw.get(1, "kept").unwrap().body, b"5");
    raw.publish_confirmed("other", "behind all of that");
    lives.again(Death::Kill);
    assert_eq!(lives.connect().take_bodies("kept"), ["6", "7", "8", "9"]);
}

#[test]
fn a_purge_before_a_confirm_and_a_delete_outlive_a_kill() {
    let mut lives = Lives::new(&[]);
    let mut raw = lives.connect();
    for queue in ["purged", "deleted", "other"] {
        raw.durable_queue(queue);
    }
    raw.call(method::confirm_select());
    for number in 0..100 {
        raw.publish_confirmed("purged", &format!("{number}"));
        raw.publish_confirmed("deleted", &format!("{number}"));
    }
    raw.call(method::queue_purge("purged"));
    raw.publish_confirmed("purged", "behind the purge");
    raw.call(method::queue_delete("deleted"));
    lives.again(Death::Kill);
    let mut raw = lives.connect();
    assert_eq!(raw.take_bodies("purged"), ["behind the purge"]);
    assert!(!raw.has_queue("deleted"));
    raw.durable_queue("deleted");
    raw.call(method::confirm_select());
    raw.publish_confirmed("deleted", "of another queue");
    lives.again(Death::Kill);
    assert_eq!(lives.connect().take_bodies("deleted"), ["of another queue"]);
}

#[test]
fn with_durability_os_a_confirm_outlives_a_kill_and_with_memory_nothing_does() {
    for (durability, expected) in [("fsync", 1), ("os", 1), ("memory", 0)] {
        let mut lives = Lives::new(&["--durability", durability]);
        let mut raw = lives.connect();
        raw.durable_queue("kept");
        raw.call(method::confirm_select());
        raw.publish_confirmed("kept", "message");
        lives.again(Death::Kill);
        let mut raw = lives.connect();
        raw.durable_queue("kept");
        assert_eq!(raw.message_count(1, "kept"), expected, "{durability}");
    }
}

#[test]
fn a_broker_in_memory_writes_nothing() {
    let broker = crate::support::Broker::start();
    if broker.is_external() {
        return;
    }
    let mut raw = Raw::connect(&broker);
    raw.open_channel(1);
    raw.durable_queue("forgotten");
    raw.call(method::confirm_select());
    raw.publish_confirmed("forgotten", "message");
    let kept = crate::lives::files(broker.data_dir());
    assert!(kept.iter().all(|(_, bytes)| *bytes < 4096 * 2), "{kept:?}");
}
