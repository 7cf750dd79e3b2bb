//! Publishers during an alarm, and everybody else.

use std::io;
use std::sync::Mutex;

use leveret_protocol::method::basic;

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
        let limits = (MemoryLimit::Absolute(LIMIT), DiskLimit::Absolute(LIMIT));
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
        let mut changes = environment.alarms.changes();
        environment.alarms.set_memory_limit(MemoryLimit::Absolute(LIMIT), SetBy::Configuration);
        environment.alarms.set_disk_limit(DiskLimit::Absolute(LIMIT), SetBy::Configuration);
        assert_eq!(environment.alarms.raised(), Raised { memory, disk });
        if changes.has_changed().unwrap() {
            environment.connections.alarms_changed();
            changes.mark_unchanged();
        }
    }

    fn ready(&self) -> usize {
        self.kept.vhost.queues().get("q").unwrap().status().unwrap().ready
    }
}

#[test]
fn an_idle_publisher_is_told_of_the_first_alarm_and_of_the_end_of_the_last_one() {
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
        let mut publisher = alarmed.kept.connect();
        publisher.open(1).await;
        publisher.add_message(1, "q", b"a").send().await;
        publisher.round_trip(1).await;
        for (steps, reason) in table {
            for (memory, disk) in steps {
                alarmed.set(*memory, *disk);
                settle_down().await;
            }
            publisher.expect(&[&format!("0: connection.blocked {reason}"), "0: connection.unblocked"]).await;
        }
        publisher.round_trip(1).await;
    });
}

#[test]
fn what_a_blocked_publisher_sends_is_read_when_no_alarm_is_raised_any_more_and_its_consumer_goes_on() {
    for (memory, disk) in [(true, false), (false, true), (true, true)] {
        run(async move {
            let alarmed = Alarmed::new();
            let (mut blocked, mut other) = (alarmed.kept.connect(), alarmed.kept.connect());
            blocked.open(1).await;
            other.open(1).await;
            blocked.add_message(1, "nobody", b"").send().await;
            let consume = basic::Consume { queue: "q", no_ack: true, ..basic::Consume::default() };
            blocked.add(1, consume).send().await;
            blocked.expect(&["1: basic.consume-ok"]).await;
            alarmed.set(memory, disk);
            let reason = alarmed.kept.environment.alarms.raised().reason().unwrap();
            blocked.expect(&[&format!("0: connection.blocked {reason}")]).await;
            blocked.add_message(1, "q", b"late").send().await;
            settle_down().await;
            // Who has published nothing before is read once.
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
