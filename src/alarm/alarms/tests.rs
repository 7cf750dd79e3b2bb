use super::*;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// Tells what the test says.
#[derive(Clone, Debug, Default)]
struct Meter(Arc<[AtomicU64; 3]>);

impl Meter {
    fn set(&self, at: usize, value: u64) {
        self.0[at].store(value, Ordering::Relaxed);
    }
}

impl MemoryMeter for Meter {
    fn live_bytes(&self) -> u64 {
        self.0[0].load(Ordering::Relaxed)
    }

    fn resident_bytes(&self) -> u64 {
        self.0[1].load(Ordering::Relaxed)
    }
}

impl DiskMeter for Meter {
    fn free_bytes(&self) -> io::Result<u64> {
        match self.0[2].load(Ordering::Relaxed) {
            u64::MAX => Err(io::ErrorKind::StaleNetworkFileHandle.into()),
            free => Ok(free),
        }
    }
}

fn alarms(memory: u64, disk: u64) -> (Meter, Arc<Alarms>) {
    let meter = Meter::default();
    let limits = (MemoryLimit::Absolute(memory), DiskLimit::Absolute(disk), None);
    let alarms = Alarms::new(limits, Box::new(meter.clone()), Some(Box::new(meter.clone())));
    meter.set(2, disk);
    (meter, Arc::new(alarms))
}

#[test]
fn the_memory_alarm_is_raised_above_its_limit_and_cleared_a_little_below_it() {
    let (meter, alarms) = alarms(1000 * MIB, 0);
    // Live, resident, raised.
    for (live, resident, raised) in [
        (0, 0, false),
        (1000, 1000, false),
        (1001, 1001, true),
        (1000, 1000, true),
        (950, 950, true),
        (949, 949, false),
        // 64 MiB beside what is live are everybody's.
        (700, 1064, false),
        (700, 1065, true),
        (700, 1014, true),
        (700, 1013, false),
        // What is resident counts for no more than as much again.
        (500, 5000, false),
        (501, 5000, true),
        (474, 5000, false),
        (1000, 900, false),
    ] {
        meter.set(0, live * MIB);
        meter.set(1, resident * MIB);
        assert_eq!(alarms.is_short(), raised, "{live} {resident}");
        let memory = Raised { memory: raised, disk: false };
        assert_eq!((alarms.is_raised(), alarms.raised()), (raised, memory), "{live} {resident}");
    }
}

#[test]
fn the_memory_is_looked_at_when_much_was_read_and_when_its_limit_changes() {
    let (meter, alarms) = alarms(GIB, 0);
    meter.set(0, 2 * GIB);
    alarms.read(1024 * 1024 - 1);
    assert!(!alarms.is_raised(), "not looked yet");
    alarms.read(1);
    assert!(alarms.is_raised());
    for (limit, by, raised, said) in [
        (4 * GIB, SetBy::Operator, false, "set while running, in the place of memory_limit"),
        (GIB, SetBy::Configuration, true, "set by memory_limit"),
        (0, SetBy::Operator, true, "set while running, in the place of memory_limit"),
    ] {
        alarms.set_memory_limit(MemoryLimit::Absolute(limit), by);
        assert_eq!((alarms.is_raised(), alarms.memory().limit()), (raised, limit));
        assert_eq!(alarms.memory().limit_text(), said);
    }
    assert_eq!(alarms.memory().used(), 2 * GIB);
}

#[test]
fn the_disk_alarm_is_raised_below_its_limit_and_cleared_a_little_above_it() {
    let (meter, alarms) = alarms(GIB, 1000);
    for (free, raised) in [
        (u64::MAX, false),
        (2000, false),
        (1000, false),
        (999, true),
        (1000, true),
        (u64::MAX, true),
        (1049, true),
        (1050, false),
        (0, true),
        (5000, false),
    ] {
        meter.set(2, free);
        alarms.disk().look();
        assert_eq!(alarms.raised(), Raised { memory: false, disk: raised }, "{free}");
    }
    assert_eq!(alarms.disk().free(), Some(5000));
    for (limit, raised) in [(6000, true), (5000, true), (4000, false), (0, false)] {
        alarms.set_disk_limit(DiskLimit::Absolute(limit), SetBy::Operator);
        assert_eq!((alarms.raised().disk, alarms.disk().limit()), (raised, limit));
    }
    meter.set(2, 0);
    alarms.disk().look();
    assert!(!alarms.is_raised(), "without a limit a full disk is the store's own affair");
}

#[test]
fn the_disk_is_looked_at_the_sooner_the_less_is_left() {
    let (meter, alarms) = alarms(GIB, GIB);
    for (free, milliseconds) in [
        (100 * GIB, 10_000),
        (11 * GIB, 10_000),
        (6 * GIB, 5000),
        (2 * GIB, 1000),
        (GIB + 200 * MIB, 195),
        (GIB + MIB, 100),
        (GIB, 100),
        // Raised.
        (GIB - MIB, 100),
        (0, 500),
        (u64::MAX, 10_000),
    ] {
        meter.set(2, free);
        assert_eq!(alarms.disk().look(), Duration::from_millis(milliseconds), "{free}");
    }
}

#[test]
fn nobody_looks_at_a_disk_that_is_not_there() {
    let meter = Meter::default();
    let limits = (MemoryLimit::Absolute(GIB), DiskLimit::Absolute(u64::MAX), None);
    let alarms = Alarms::new(limits, Box::new(meter), None);
    alarms.disk().look();
    assert_eq!((alarms.is_raised(), alarms.disk().free(), alarms.disk().is_watching()), (false, None, false));
}

#[test]
fn what_clears_by_itself_is_noticed() {
    let (meter, alarms) = alarms(GIB, GIB);
    meter.set(0, 2 * GIB);
    meter.set(2, 0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut changes = alarms.changes();
        let watching = tokio::spawn(Arc::clone(&alarms).watch());
        let noticed = changes.wait_for(|raised| raised.disk).await.map(drop);
        noticed.unwrap();
        assert!(alarms.is_short());
        let noticed = changes.wait_for(|raised| raised.memory).await.map(drop);
        noticed.unwrap();
        meter.set(0, 0);
        meter.set(2, 2 * GIB);
        let noticed = changes.wait_for(|raised| !raised.is_any()).await.map(drop);
        noticed.unwrap();
        // It sleeps for a second now, but for this.
        alarms.set_disk_limit(DiskLimit::Absolute(3 * GIB), SetBy::Operator);
        assert_eq!(alarms.raised(), Raised { memory: false, disk: true });
        watching.abort();
    });
}
