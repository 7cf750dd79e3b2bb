//! A wall clock that is set while no broker runs: nothing expires before its time, nothing is lost, and time goes on.
//!
//! Needs a C compiler, as the broker itself does: the clock is a library of a few lines that is loaded into its process.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use crate::lives::Script;
use crate::preloaded::compiled;
use crate::support::raw::DEADLINE;
use crate::support::{Broker, Properties, Raw, Table, TempDir, method};

const DAY: i64 = 24 * 60 * 60;
/// The first second that 32 bits with a sign cannot count.
const END_OF_32_BITS: i64 = 1 << 31;
/// The bit of the property `expiration`.
const EXPIRATION: u8 = 8;

struct SteppedClock {
    library: PathBuf,
    folder: TempDir,
}

impl SteppedClock {
    fn new() -> Self {
        let folder = TempDir::new();
        Self { library: compiled("stepped_clock.c", folder.path()), folder }
    }

    /// The next broker on the same data, whose clock is wrong by so many seconds, and a connection to it.
    fn start(&self, by: i64) -> (Broker, Raw) {
        let variables = [format!("LD_PRELOAD={}", self.library.display()), format!("STEPPED_CLOCK_BY={by}")];
        let by: Vec<&str> = std::iter::once("env").chain(variables.iter().map(String::as_str)).collect();
        let starting = Broker::spawn_by::<&str>(&by, &self.folder.path().join("data"), &[]);
        let broker = starting.ready().unwrap_or_else(|ended| panic!("{ended:#?}"));
        let mut raw = Raw::connect(&broker);
        raw.open_channel(1);
        raw.call(method::confirm_select());
        (broker, raw)
    }
}

fn wait_for_count(raw: &mut Raw, queue: &str, expected: u32) {
    let deadline = Instant::now() + DEADLINE;
    while raw.message_count(1, queue) != expected {
        assert!(Instant::now() < deadline, "{queue} has {}", raw.message_count(1, queue));
        std::thread::yield_now();
    }
}

#[test]
fn b73_a_clock_that_is_set_between_two_lives_makes_nothing_expire_early_and_loses_nothing() {
    let clock = SteppedClock::new();
    let hour = Table::new()
        .int("x-message-ttl", 3_600_000)
        .text("x-dead-letter-exchange", "")
        .text("x-dead-letter-routing-key", "dead");
    let (broker, mut raw) = clock.start(0);
    raw.durable_queue("dead");
    raw.durable_queue("endless");
    raw.declare(1, "hour", method::DURABLE, &hour);
    raw.publish_confirmed("endless", "first");
    raw.publish_confirmed("hour", "first");
    drop(raw);
    broker.kill();

    // Set back: what came in the future stays its time, and what comes now is not held up by it.
    let (broker, mut raw) = clock.start(-DAY);
    raw.publish_confirmed("endless", "second");
    let brief = Properties::new().delivery_mode(2).text(EXPIRATION, "1");
    raw.publish(1, "", "hour", &brief, b"brief");
    raw.expect(1, method::BASIC_ACK);
    wait_for_count(&mut raw, "dead", 1);
    assert_eq!(raw.message_count(1, "hour"), 1);
    drop(raw);
    assert_eq!(broker.stop().status.code(), Some(0));

    // Set forward, and beyond: its hour is over.
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO).as_secs();
    let ahead = END_OF_32_BITS - i64::try_from(now).unwrap();
    let (broker, mut raw) = clock.start(ahead);
    wait_for_count(&mut raw, "dead", 2);
    raw.publish_confirmed("hour", "later");
    raw.publish_confirmed("endless", "third");
    assert_eq!(raw.message_count(1, "hour"), 1);
    drop(raw);
    broker.kill();

    // Set right: all that is there came long before its time, and in its order.
    let (broker, mut raw) = clock.start(0);
    assert_eq!(raw.message_count(1, "hour"), 1);
    assert_eq!(raw.take_bodies("endless"), ["first", "second", "third"]);
    assert_eq!(raw.take_bodies("dead"), ["brief", "first"]);
    drop(raw);
    assert_eq!(broker.stop().status.code(), Some(0));
}
