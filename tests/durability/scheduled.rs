//! Messages that wait for their times, across the end of the broker.

use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::lives::{Death, Lives, Script};
use crate::support::frame::{self, Frame};
use crate::support::{Properties, Raw, Table, assert_waited, method, raw};

const DEADLINE: Duration = Duration::from_mins(5);

fn publish(raw: &mut Raw, exchange: &str, key: &str, delay: i32, body: &str) {
    raw.send_bytes(&delayed(exchange, key, delay, body));
}

/// The bytes of such a publish.
fn delayed(exchange: &str, key: &str, delay: i32, body: &str) -> Vec<u8> {
    let properties = Properties::new().headers(&Table::new().int("x-delay", delay)).delivery_mode(2);
    raw::content(1, method::basic_publish(exchange, key, 0), &properties.encoded(), body.as_bytes(), 131_072)
}

fn publish_with(raw: &mut Raw, exchange: &str, key: &str, headers: &Table, body: &str) {
    let properties = Properties::new().headers(headers).delivery_mode(2);
    raw.publish(1, exchange, key, &properties, body.as_bytes());
}

/// Waits until so many messages are confirmed on this channel.
fn confirmed(raw: &mut Raw, count: u64) {
    while raw.expect(1, method::BASIC_ACK).arguments().longlong() < count {}
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
        // At once, so that a disk or a machine that takes its time does not change their order.
        let messages = [(3_600_000, "never"), (4000, "c"), (2900, "b"), (2000, "a"), (0, "ready")];
        raw.send_bytes(&messages.map(|(delay, body)| delayed("", "q", delay, body)).concat());
        confirmed(&mut raw, 5);
        drop(raw);
        lives.end(death);
        // Two are due while there is no broker.
        wait_until(start + Duration::from_secs(3));
        lives.begin();
        let mut raw = lives.connect();
        let taken = take(&mut raw, "q", 4);
        assert_waited(start, 4000, "c");
        let bodies: Vec<&str> = taken.iter().map(|(body, _)| body.as_str()).collect();
        assert_eq!(bodies, ["ready", "a", "b", "c"], "{death:?}");
        raw.written();
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
        raw.durable_queue("q");
        for exchange in ["kept", "deleted"] {
            raw.call(method::queue_bind("q", exchange, "a.*", &Table::new()));
        }
        raw.call(method::confirm_select());
        let start = Instant::now();
        // At once, so that a disk or a machine that takes its time changes neither their order nor what is deleted.
        let messages =
            [("deleted", 5500, "deleted"), ("kept", 7000, "c"), ("kept", 5900, "b"), ("kept", 5000, "a")];
        let messages = messages.map(|(exchange, delay, body)| delayed(exchange, "a.b", delay, body)).concat();
        let delete = Frame::new(frame::METHOD, 1, method::exchange_delete("deleted")).encode();
        raw.send_bytes(&[messages, delete].concat());
        let (mut known, mut is_deleted) = (0, false);
        while known < 4 || !is_deleted {
            let frame = raw.recv();
            match frame.method() {
                Some(method::BASIC_ACK) => known = frame.arguments().longlong(),
                found => {
                    assert_eq!(found, Some(method::EXCHANGE_DELETE_OK), "{frame:?}");
                    is_deleted = true;
                }
            }
        }
        drop(raw);
        lives.end(death);
        wait_until(start + Duration::from_secs(6));
        lives.begin();
        let mut raw = lives.connect();
        let bodies: Vec<_> = take(&mut raw, "q", 3).into_iter().map(|(body, _)| body).collect();
        assert_waited(start, 7000, "c");
        assert_eq!(bodies, ["a", "b", "c"], "{death:?}");
        raw.written();
        lives.again(death);
        let mut raw = lives.connect();
        assert_eq!(raw.take_bodies("q"), [""; 0], "{death:?}");
        // It is the same as before, and works.
        raw.call(method::exchange_declare("kept", "x-delayed-message", method::DURABLE, &arguments));
        raw.call(method::confirm_select());
        publish(&mut raw, "kept", "a.b", 1, "again");
        confirmed(&mut raw, 1);
        assert_eq!(take(&mut raw, "q", 1)[0].0, "again");
    }
}

/// Schedules messages so many milliseconds ahead that leave the journal, and takes them from the next broker. False when the
/// disk is so slow that they were due before that one served.
fn leaves_the_journal_in_time(ahead: u64) -> bool {
    const MESSAGES: usize = 180;
    let mut lives = Lives::new(&[]);
    let mut raw = lives.connect();
    raw.call(method::queue_declare("q", method::DURABLE, &Table::new().boolean("x-scheduled", true)));
    raw.call(method::confirm_select());
    let clock = || u64::try_from(UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let last = clock() + ahead;
    let filler = "x".repeat(1_500_000);
    for n in 0..MESSAGES {
        // The other way round, and all of them later than the start of the next broker.
        let due = last - n as u64;
        let headers = Table::new().field("x-deliver-at", b'l', due.to_be_bytes());
        publish_with(&mut raw, "", "q", &headers, &format!("{n} {filler}"));
        confirmed(&mut raw, n as u64 + 1);
    }
    drop(raw);
    let deadline = Instant::now() + DEADLINE;
    while lives.disk_bytes("queue") < 40 << 20 {
        assert!(Instant::now() < deadline, "nothing leaves the journal");
        std::thread::yield_now();
    }
    lives.again(Death::Kill);
    let mut raw = lives.connect();
    let ready = raw.message_count(1, "q");
    if clock() + MESSAGES as u64 >= last {
        return false;
    }
    assert_eq!(ready, 0, "what waits is not ready");
    let taken = take(&mut raw, "q", MESSAGES);
    assert!(clock() + 20 >= last, "they came too early");
    raw.written();
    let numbers = taken.iter().map(|(body, _)| body.split_once(' ').unwrap().0.parse::<usize>().unwrap());
    assert_eq!(numbers.collect::<Vec<_>>(), (0..MESSAGES).rev().collect::<Vec<_>>());
    lives.again(Death::Kill);
    assert_eq!(lives.connect().take_bodies("q"), [""; 0]);
    true
}

#[test]
fn what_left_the_journal_for_a_segment_waits_on_there() {
    let in_time = [15_000, 60_000, 240_000].into_iter().any(leaves_the_journal_in_time);
    assert!(in_time, "the disk takes minutes for 270 MB");
}
