//! Publishers during an alarm, and everybody else.

use std::io;
use std::sync::Mutex;

use leveret_protocol::method::basic;
use tokio::io::AsyncWriteExt as _;

use super::super::throttle::ConnectionState;
use super::super::*;
use super::client::{Kept, run, settle_down};
use crate::alarm::{Alarms, DiskMeter, MemoryMeter, Raised, SetBy};
use crate::config::{DiskLimit, Durability, MemoryLimit};

const LIMIT: u64 = 1000;

/// How much memory is used and how much of the disk is free.
#[derive(Clone, Debug)]
struct Meter(Arc<Mutex<(u64, u64)>>);

impl MemoryMeter for Meter {
    fn live_bytes(&self) -> u64 {
        self.0.lock().unwrap().0
    }
    fn resident_bytes(&self) -> u64 {
        0
    }
}

impl DiskMeter for Meter {
    fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().1)
    }
}

/// A broker whose alarms the test raises, with a queue `q`.
struct Alarmed {
    kept: Kept,
    meter: Meter,
}

impl Alarmed {
    fn new() -> Self {
        let mut kept = Kept::new(Durability::Fsync);
        let meter = Meter(Arc::new(Mutex::new((0, LIMIT))));
        let limits = (MemoryLimit::Absolute(LIMIT), DiskLimit::Absolute(LIMIT), None);
        let alarms = Alarms::new(limits, Box::new(meter.clone()), Some(Box::new(meter.clone())));
        kept.environment.alarms = Arc::new(alarms);
        kept.journalled_queue("q");
        Self { kept, meter }
    }

    /// Raises and clears alarms; connections are told of a change, as by a broker.
    fn set(&self, memory: bool, disk: bool) {
        *self.meter.0.lock().unwrap() =
            (if memory { LIMIT + 1 } else { 0 }, if disk { 0 } else { 2 * LIMIT });
        let environment = &self.kept.environment;
        let changes = environment.alarms.changes();
        environment.alarms.set_memory_limit(MemoryLimit::Absolute(LIMIT), SetBy::Configuration);
        environment.alarms.set_disk_limit(DiskLimit::Absolute(LIMIT), SetBy::Configuration);
        assert_eq!(environment.alarms.raised(), Raised { memory, disk });
        if changes.has_changed().unwrap() && !memory && !disk {
            environment.connections.alarms_cleared();
        }
    }

    fn ready(&self) -> usize {
        self.kept.vhost.queues().get("q").unwrap().status().unwrap().ready
    }
}

#[test]
fn who_publishes_is_told_of_the_first_alarm_and_of_the_end_of_the_last_one_and_who_published_before_is_not() {
    let table: [(&[(bool, bool)], &str); 6] = [
        (&[(true, false), (false, false)], "low on memory"),
        (&[(false, true), (false, false)], "low on disk"),
        (&[(true, true), (false, false)], "low on disk & memory"),
        (&[(true, false), (true, true), (false, false)], "low on memory"),
        (&[(true, false), (true, true), (false, true), (false, false)], "low on memory"),
        (&[(false, true), (true, false), (false, false)], "low on disk"),
    ];
    run(async move {
        let alarmed = Alarmed::new();
        let (mut publisher, mut before) = (alarmed.kept.connect(), alarmed.kept.connect());
        for connection in [&mut publisher, &mut before] {
            connection.open(1).await;
            connection.add_message(1, "q", b"a").send().await;
            connection.round_trip(1).await;
        }
        for (steps, reason) in table {
            for (at, (memory, disk)) in steps.iter().enumerate() {
                alarmed.set(*memory, *disk);
                if at == 0 {
                    publisher.add_message(1, "q", b"a").send().await;
                    publisher.expect(&[&format!("0: connection.blocked {reason}")]).await;
                }
                settle_down().await;
            }
            publisher.expect(&["0: connection.unblocked"]).await;
        }
        publisher.round_trip(1).await;
        before.round_trip(1).await;
    });
}

#[test]
fn a_consumer_that_published_before_the_alarm_settles_on_and_is_blocked_when_it_publishes_until_it_is_over() {
    for (memory, disk) in [(true, false), (false, true), (true, true)] {
        run(async move {
            let alarmed = Alarmed::new();
            let mut both = alarmed.kept.connect();
            both.open(1).await;
            for body in ["a", "b", "c", "d"] {
                both.add_message(1, "q", body.as_bytes());
            }
            both.add(1, basic::Qos { prefetch_count: 1, ..basic::Qos::default() });
            both.add(1, basic::Consume { queue: "q", ..basic::Consume::default() }).send().await;
            both.expect(&["1: basic.qos-ok", "1: basic.consume-ok", "1: basic.deliver 1", "1: a"]).await;
            alarmed.set(memory, disk);
            let reason = alarmed.kept.environment.alarms.raised().reason().unwrap();
            both.add(1, ack(1)).send().await;
            both.expect(&["1: basic.deliver 2", "1: b"]).await;
            assert_eq!(both.state(), ConnectionState::Running);

            both.add_message(1, "nobody", b"").send().await;
            both.expect(&[&format!("0: connection.blocked {reason}")]).await;
            assert_eq!(both.state(), ConnectionState::Blocked);
            both.add(1, ack(2)).send().await;
            settle_down().await;
            assert_eq!(alarmed.ready(), 2, "it is not read");

            alarmed.set(false, false);
            both.expect(&["0: connection.unblocked", "1: basic.deliver 3", "1: c"]).await;
            assert_eq!(both.state(), ConnectionState::Running);
            // What it published during that alarm does not count in the next one.
            alarmed.set(memory, disk);
            both.add(1, ack(3)).send().await;
            both.expect(&["1: basic.deliver 4", "1: d"]).await;
        });
    }
}

fn ack(delivery_tag: u64) -> basic::Ack {
    basic::Ack { delivery_tag, multiple: false }
}

#[test]
fn what_a_blocked_publisher_sends_is_read_when_no_alarm_is_raised_any_more_and_its_consumer_goes_on() {
    for (memory, disk) in [(true, false), (false, true), (true, true)] {
        run(async move {
            let alarmed = Alarmed::new();
            let (mut blocked, mut other) = (alarmed.kept.connect(), alarmed.kept.connect());
            blocked.open(1).await;
            other.open(1).await;
            let consume = basic::Consume { queue: "q", no_ack: true, ..basic::Consume::default() };
            blocked.add(1, consume).send().await;
            blocked.expect(&["1: basic.consume-ok"]).await;
            alarmed.set(memory, disk);
            let reason = alarmed.kept.environment.alarms.raised().reason().unwrap();
            // Who publishes is read once.
            blocked.add_message(1, "nobody", b"").send().await;
            blocked.expect(&[&format!("0: connection.blocked {reason}")]).await;
            blocked.add_message(1, "q", b"late").send().await;
            settle_down().await;
            other.add_message(1, "q", b"other's").send().await;
            other.expect(&[&format!("0: connection.blocked {reason}")]).await;
            blocked.expect(&["1: basic.deliver 1", "1: other's"]).await;
            alarmed.set(false, false);
            other.expect(&["0: connection.unblocked"]).await;
            blocked.expect(&["0: connection.unblocked", "1: basic.deliver 2", "1: late"]).await;
        });
    }
}

#[test]
fn a_body_that_was_begun_before_the_alarm_blocks_its_publisher_when_it_goes_on() {
    run(async {
        let alarmed = Alarmed::new();
        let mut publisher = alarmed.kept.connect();
        publisher.open(1).await;
        let message = publisher.add_message(1, "q", &vec![b'a'; 40_000]).take_added();
        let (first, rest) = message.split_at(20_000);
        publisher.pipe.write_all(first).await.unwrap();
        settle_down().await;
        alarmed.set(true, false);
        settle_down().await;
        assert_eq!(publisher.state(), ConnectionState::Running);
        publisher.pipe.write_all(rest).await.unwrap();
        publisher.expect(&["0: connection.blocked low on memory"]).await;
        alarmed.set(false, false);
        publisher.expect(&["0: connection.unblocked"]).await;
        publisher.round_trip(1).await;
        assert_eq!(alarmed.ready(), 1);
    });
}

#[test]
fn a_publisher_that_does_not_want_to_be_told_is_only_paused_and_who_publishes_nothing_is_not() {
    run(async {
        let alarmed = Alarmed::new();
        let mut publisher = alarmed.kept.connect_untold();
        let mut getter = alarmed.kept.connect();
        publisher.open(1).await;
        getter.open(1).await;
        publisher.add_message(1, "q", b"a").send().await;
        publisher.round_trip(1).await;
        alarmed.set(true, false);
        publisher.add_message(1, "nobody", b"").send().await;
        settle_down().await;
        publisher.add_message(1, "q", b"b").add(1, basic::Qos::default()).send().await;
        settle_down().await;
        assert_eq!(alarmed.ready(), 1, "it is not read");
        getter.add(1, basic::Get { queue: "q", no_ack: true }).send().await;
        getter.expect(&["1: basic.get-ok 1", "1: a"]).await;
        getter.round_trip(1).await;
        alarmed.set(false, false);
        publisher.expect(&["1: basic.qos-ok"]).await;
        assert_eq!(alarmed.ready(), 1, "it is read");
    });
}
