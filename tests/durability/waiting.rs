//! Messages that wait for their times and leave memory meanwhile, across the end of the broker.

use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::lives::{Death, Lives, Script};
use crate::support::{Properties, Raw, Table, method};

const DEADLINE: Duration = Duration::from_mins(2);
const MESSAGES: u64 = 5000;

/// Publishes so many messages of 10 KB, each with its number, and waits until all are confirmed.
fn publish_all(raw: &mut Raw, queue: &str, headers: impl Fn(u64) -> Table) {
    let filler = "x".repeat(10_000);
    for number in 0..MESSAGES {
        let properties = Properties::new().headers(&headers(number)).delivery_mode(2);
        raw.publish(1, "", queue, &properties, format!("{number} {filler}").as_bytes());
    }
    let mut confirmed = 0;
    while confirmed < MESSAGES {
        let ack = raw.expect(1, method::BASIC_ACK);
        confirmed = u64::from_be_bytes(ack.payload[4..12].try_into().unwrap());
    }
}

/// The numbers of what a queue gives, until it has given all.
fn take_all(raw: &mut Raw, queue: &str, after: Duration) -> Vec<u64> {
    let (mut taken, deadline) = (Vec::new(), Instant::now() + after + DEADLINE);
    while taken.len() as u64 != MESSAGES {
        assert!(Instant::now() < deadline, "{} of {MESSAGES}", taken.len());
        let number = |body: String| body.split_once(' ').unwrap().0.parse::<u64>().unwrap();
        taken.extend(raw.take_bodies(queue).into_iter().map(number));
    }
    taken
}

/// Some of it is in segments.
fn leaves_memory(lives: &Lives) {
    let deadline = Instant::now() + DEADLINE;
    while lives.disk_bytes("queue") < 20 << 20 {
        assert!(Instant::now() < deadline, "nothing leaves memory");
        std::thread::yield_now();
    }
}

/// Milliseconds since the Unix epoch.
fn clock() -> u64 {
    u64::try_from(UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

/// Schedules messages so many milliseconds ahead, and takes them when they are due. False when the disk is so slow that they
/// were due before all of them had left memory and the next broker served.
fn is_scheduled_in_time(death: Option<Death>, ahead: u64) -> bool {
    let mut lives = Lives::new(&["--backlog-memory", "16MiB"]);
    let mut raw = lives.connect();
    raw.call(method::queue_declare("q", method::DURABLE, &Table::new().boolean("x-scheduled", true)));
    raw.call(method::confirm_select());
    let first = clock() + ahead;
    // In no order, and all of them later than the start of the next broker.
    let due = |number: u64| first + number * 3571 % MESSAGES / 4;
    publish_all(&mut raw, "q", |number| Table::new().field("x-deliver-at", b'l', due(number).to_be_bytes()));
    leaves_memory(&lives);
    if let Some(death) = death {
        drop(raw);
        lives.again(death);
        raw = lives.connect();
    }
    let ready = raw.message_count(1, "q");
    if clock() >= first {
        return false;
    }
    assert_eq!(ready, 0, "nothing is ready: {death:?}");
    let taken = take_all(&mut raw, "q", Duration::from_millis(ahead));
    let mut expected: Vec<u64> = (0..MESSAGES).collect();
    expected.sort_by_key(|number| (due(*number), *number));
    assert_eq!(taken, expected, "{death:?}");
    raw.written();
    lives.again(Death::Kill);
    assert_eq!(lives.connect().take_bodies("q"), [""; 0], "{death:?}");
    true
}

#[test]
fn what_is_scheduled_leaves_memory_and_comes_in_the_order_of_its_times() {
    for death in [None, Some(Death::Stop), Some(Death::Kill)] {
        let in_time = [10_000, 40_000, 160_000].into_iter().any(|ahead| is_scheduled_in_time(death, ahead));
        assert!(in_time, "{death:?}: the disk takes minutes for 50 MB");
    }
}

#[test]
fn what_waits_to_be_tried_again_leaves_memory_and_comes_back_to_its_places() {
    for death in [None, Some(Death::Stop), Some(Death::Kill)] {
        let mut lives = Lives::new(&["--backlog-memory", "16MiB"]);
        let mut raw = lives.connect();
        let retry = Table::new().text("x-delayed-retry-type", "all").int("x-delayed-retry-min", 10_000);
        raw.call(method::queue_declare("q", method::DURABLE, &retry));
        raw.call(method::confirm_select());
        publish_all(&mut raw, "q", |_| Table::new());
        let mut last = 0;
        while let Some(message) = raw.get_unsettled("q") {
            last = message.delivery_tag;
        }
        let returned = Instant::now();
        // All at once.
        raw.send(1, method::basic_nack(last, true, true));
        raw.written();
        leaves_memory(&lives);
        if let Some(death) = death {
            drop(raw);
            lives.again(death);
            raw = lives.connect();
        }
        let ready = raw.message_count(1, "q");
        if returned.elapsed() < Duration::from_secs(9) {
            assert_eq!(ready, 0, "{death:?}");
        }
        assert_eq!(take_all(&mut raw, "q", Duration::ZERO), (0..MESSAGES).collect::<Vec<_>>(), "{death:?}");
        raw.written();
        lives.again(Death::Kill);
        assert_eq!(lives.connect().take_bodies("q"), [""; 0], "{death:?}");
    }
}
