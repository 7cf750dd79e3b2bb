//! What came back to its queue before a restart: how often is known afterwards.

use crate::lives::{Death, Lives, Script};
use crate::support::{Message, Raw, Table, method};

/// A number in the headers of a message; 0 when it is not there.
fn header(message: &Message, name: &str) -> u64 {
    let key = [&[u8::try_from(name.len()).unwrap()], name.as_bytes(), b"l"].concat();
    let at = message.properties.windows(key.len()).position(|window| window == key);
    let value = |at: usize| message.properties[at + key.len()..][..8].try_into().unwrap();
    at.map_or(0, |at| u64::from_be_bytes(value(at)))
}

fn counts(message: &Message) -> (u64, u64) {
    (header(message, "x-delivery-count"), header(message, "x-acquired-count"))
}

/// Takes the first message and gives it back, as one that failed or not.
fn give_back(raw: &mut Raw, queue: &str, failed: bool) -> (u64, u64) {
    let message = raw.get_unsettled(queue).unwrap();
    let tag = message.delivery_tag;
    raw.send(1, if failed { method::basic_reject(tag, true) } else { method::basic_nack(tag, false, true) });
    counts(&message)
}

#[test]
fn counts_of_returns_outlive_the_broker_and_a_crash_raises_none() {
    let mut lives = Lives::new(&[]);
    let limited = Table::new().int("x-delivery-limit", 4);
    let mut raw = lives.connect();
    raw.call(method::queue_declare("q", method::DURABLE, &limited));
    raw.durable_queue("other");
    raw.call(method::confirm_select());
    raw.publish_confirmed("q", "m");
    let mut expected = (0, 0);
    for (death, ways) in
        [(Death::Kill, [true, false]), (Death::Stop, [false, false]), (Death::Kill, [true, true])]
    {
        for failed in ways {
            assert_eq!(give_back(&mut raw, "q", failed), expected, "{death:?}");
            expected = (expected.0 + u64::from(failed), expected.1 + 1);
        }
        // Nobody waits for a count to be on the disk; what is waited for comes behind it.
        raw.publish_confirmed("other", "x");
        drop(raw.get_unsettled("q"));
        lives.again(death);
        raw = lives.connect();
        raw.call(method::confirm_select());
        if death == Death::Stop {
            // The stop closed the connection, and with it came back what that held.
            expected = (expected.0 + 1, expected.1 + 1);
        }
    }
    assert_eq!(give_back(&mut raw, "q", true), expected);
    assert_eq!(raw.message_count(1, "q"), 0, "that was once more than the limit");
}

#[test]
fn what_waits_to_be_tried_again_waits_on_after_a_restart_and_no_longer_than_it_was_to() {
    let mut lives = Lives::new(&[]);
    let retry = |min| Table::new().text("x-delayed-retry-type", "failed").int("x-delayed-retry-min", min);
    let mut raw = lives.connect();
    raw.call(method::queue_declare("long", method::DURABLE, &retry(600_000)));
    raw.call(method::queue_declare("short", method::DURABLE, &retry(1)));
    raw.durable_queue("other");
    raw.call(method::confirm_select());
    for queue in ["long", "short"] {
        for body in ["a", "b"] {
            raw.publish_confirmed(queue, body);
        }
        assert_eq!(give_back(&mut raw, queue, true), (0, 0));
    }
    raw.publish_confirmed("other", "x");
    for death in [Death::Kill, Death::Stop, Death::Kill] {
        lives.again(death);
        let mut raw = lives.connect();
        assert_eq!(raw.message_count(1, "long"), 1, "{death:?}");
        // Its time has come, at the latest while nobody was there.
        while raw.message_count(1, "short") < 2 {}
    }
    let mut raw = lives.connect();
    assert_eq!(raw.take_bodies("long"), ["b"]);
    let first = raw.get_unsettled("short").unwrap();
    assert_eq!((&first.body[..], first.redelivered, counts(&first)), (&b"a"[..], true, (1, 1)));
}

#[test]
fn a_stop_gives_nothing_that_comes_back_to_clients_that_it_has_yet_to_part_with() {
    const MESSAGES: u32 = 50;
    const OTHERS: usize = 20;
    let mut lives = Lives::new(&["--workers", "1"]);
    let mut raw = lives.connect();
    raw.call(method::queue_declare("q", method::DURABLE, &Table::new().int("x-delivery-limit", 3)));
    raw.call(method::confirm_select());
    for number in 0..MESSAGES {
        raw.publish_confirmed("q", &number.to_string());
    }
    let consume = |raw: &mut Raw| raw.call(method::basic_consume("q", "", 0, &Table::new()));
    consume(&mut raw);
    for _ in 0..MESSAGES {
        assert!(!raw.expect_deliver(1).redelivered);
    }
    // All of them wait for what the first one holds.
    let mut others: Vec<Raw> = (0..OTHERS).map(|_| lives.connect()).collect();
    for other in &mut others {
        consume(other);
    }
    lives.again(Death::Stop);
    let mut raw = lives.connect();
    let found = std::iter::from_fn(|| raw.get_unsettled("q"));
    let found: Vec<_> = found.map(|message| (message.body.clone(), counts(&message))).collect();
    let expected: Vec<_> = (0..MESSAGES).map(|number| (number.to_string().into_bytes(), (1, 1))).collect();
    assert_eq!(found, expected);
    for other in &mut others {
        let frame = other.recv();
        assert_eq!(frame.close().map(|(code, ..)| code), Some(320), "{frame:?}");
    }
}
