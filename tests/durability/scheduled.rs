//! Messages that wait for their times, across the end of the broker.

use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::lives::{Death, Lives, Script};
use crate::support::{Properties, Raw, Table, assert_waited, method};

const DEADLINE: Duration = Duration::from_mins(1);

fn publish(raw: &mut Raw, exchange: &str, key: &str, delay: i32, body: &str) {
    publish_with(raw, exchange, key, &Table::new().int("x-delay", delay), body);
}

fn publish_with(raw: &mut Raw, exchange: &str, key: &str, headers: &Table, body: &str) {
    let properties = Properties::new().headers(headers).delivery_mode(2);
    raw.publish(1, exchange, key, &properties, body.as_bytes());
    raw.expect(1, method::BASIC_ACK);
}

/// What a queue gives, until it has given so many.
fn take(raw: &mut Raw, queue: &str, count: usize) -> Vec<(String, bool)> {
    let (mut taken, deadline) = (Vec::new(), Instant::now() + DEADLINE);
    while taken.len() < count {
        assert!(Instant::now() < deadline, "{taken:?}");
        taken.extend(raw.take(queue));
    }
    taken
}

/// That messages were taken is written, but nobody waits for it: what is confirmed afterwards stands behind it.
fn written(raw: &mut Raw) {
    raw.call(method::confirm_select());
    raw.durable_queue("other");
    raw.publish_confirmed("other", "");
}

fn wait_until(moment: Instant) {
    while Instant::now() < moment {
        std::thread::yield_now();
    }
}

#[test]
fn messages_wait_on_for_the_next_broker_and_come_in_the_order_of_their_times() {
    for death in [Death::Stop, Death::Kill] {
        let mut lives = Lives::new(&[]);
        let mut raw = lives.connect();
        raw.call(method::queue_declare("q", method::DURABLE, &Table::new().boolean("x-scheduled", true)));
        raw.call(method::confirm_select());
        let start = Instant::now();
        for (delay, body) in [(3_600_000, "never"), (3000, "c"), (900, "b"), (800, "a")] {
            publish(&mut raw, "", "q", delay, body);
        }
        raw.publish_confirmed("q", "ready");
        drop(raw);
        lives.end(death);
        // Two are due while there is no broker.
        wait_until(start + Duration::from_secs(1));
        lives.begin();
        let mut raw = lives.connect();
        let taken = take(&mut raw, "q", 4);
        assert_waited(start, 3000, "c");
        let bodies: Vec<&str> = taken.iter().map(|(body, _)| body.as_str()).collect();
        assert_eq!(bodies, ["ready", "a", "b", "c"], "{death:?}");
        written(&mut raw);
        // What was moved is not there once more.
        lives.again(death);
        assert_eq!(lives.connect().take_bodies("q"), [""; 0], "{death:?}");
    }
}

#[test]
fn a_delayed_exchange_keeps_what_waits_and_its_end() {
    let arguments = Table::new().text("x-delayed-type", "topic");
    for death in [Death::Stop, Death::Kill] {
        let mut lives = Lives::new(&[]);
        let mut raw = lives.connect();
        for exchange in ["kept", "deleted"] {
            raw.call(method::exchange_declare(exchange, "x-delayed-message", method::DURABLE, &arguments));
        }
        raw.call(method::confirm_select());
        let start = Instant::now();
        publish(&mut raw, "deleted", "a.b", 500, "deleted");
        for (delay, body) in [(2500, "c"), (800, "b"), (700, "a")] {
            publish(&mut raw, "kept", "a.b", delay, body);
        }
        raw.durable_queue("q");
        for exchange in ["kept", "deleted"] {
            raw.call(method::queue_bind("q", exchange, "a.*", &Table::new()));
        }
        raw.call(method::exchange_delete("deleted"));
        drop(raw);
        lives.end(death);
        wait_until(start + Duration::from_millis(900));
        lives.begin();
        let mut raw = lives.connect();
        let bodies: Vec<_> = take(&mut raw, "q", 3).into_iter().map(|(body, _)| body).collect();
        assert_waited(start, 2500, "c");
        assert_eq!(bodies, ["a", "b", "c"], "{death:?}");
        written(&mut raw);
        lives.again(death);
        let mut raw = lives.connect();
        assert_eq!(raw.take_bodies("q"), [""; 0], "{death:?}");
        // It is the same as before, and works.
        raw.call(method::exchange_declare("kept", "x-delayed-message", method::DURABLE, &arguments));
        raw.call(method::confirm_select());
        publish(&mut raw, "kept", "a.b", 1, "again");
        assert_eq!(take(&mut raw, "q", 1)[0].0, "again");
    }
}

#[test]
fn what_left_the_journal_for_a_segment_waits_on_there() {
    const MESSAGES: usize = 180;
    let mut lives = Lives::new(&[]);
    let mut raw = lives.connect();
    raw.call(method::queue_declare("q", method::DURABLE, &Table::new().boolean("x-scheduled", true)));
    raw.call(method::confirm_select());
    let start = Instant::now();
    let now = u64::try_from(UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let filler = "x".repeat(1_500_000);
    for n in 0..MESSAGES {
        // The other way round, and all of them later than the start of the next broker.
        let due = now + 15_000 - u64::try_from(n).unwrap();
        let headers = Table::new().field("x-deliver-at", b'l', due.to_be_bytes());
        publish_with(&mut raw, "", "q", &headers, &format!("{n} {filler}"));
    }
    drop(raw);
    let deadline = Instant::now() + DEADLINE;
    while lives.disk_bytes("queue") < 40 << 20 {
        assert!(Instant::now() < deadline, "nothing leaves the journal");
        std::thread::yield_now();
    }
    lives.again(Death::Kill);
    let mut raw = lives.connect();
    let taken = take(&mut raw, "q", MESSAGES);
    written(&mut raw);
    assert!(start.elapsed() >= Duration::from_secs(15) - Duration::from_millis(200));
    let numbers = taken.iter().map(|(body, _)| body.split_once(' ').unwrap().0.parse::<usize>().unwrap());
    assert_eq!(numbers.collect::<Vec<_>>(), (0..MESSAGES).rev().collect::<Vec<_>>());
    lives.again(Death::Kill);
    assert_eq!(lives.connect().take_bodies("q"), [""; 0]);
}
