//! Connections that always have more to say, and those beside them.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::raw::{Raw, content};
use crate::support::{Broker, method};
use crate::witness::others_go_on;

#[test]
fn a_connection_with_little_to_ask_is_answered_beside_those_that_never_stop() {
    const ROUND_TRIPS: u32 = 50;
    others_go_on(|broker| {
        let greedy = 2 * thread::available_parallelism().unwrap().get();
        let (under_way, over) = (Barrier::new(greedy + 1), AtomicBool::new(false));
        let took = thread::scope(|scope| {
            for _ in 0..greedy {
                scope.spawn(|| never_stop(broker, &under_way, &over));
            }
            let mut polite = Raw::connect(broker);
            polite.open_channel(1);
            under_way.wait();
            let start = Instant::now();
            for _ in 0..ROUND_TRIPS {
                polite.expect_open(1);
            }
            over.store(true, Ordering::Relaxed);
            start.elapsed()
        });
        assert!(took < ROUND_TRIPS * Duration::from_millis(100), "{took:?} for {ROUND_TRIPS} round trips");
    });
}

/// Publishes to nobody as fast as the broker reads.
fn never_stop(broker: &Broker, under_way: &Barrier, over: &AtomicBool) {
    let mut raw = Raw::connect(broker);
    raw.open_channel(1);
    let publish = content(1, method::basic_publish("", "nobody", 0), &[0, 0], &[7; 1000], 131_072);
    let many = publish.repeat(1000);
    raw.send_bytes(&many);
    under_way.wait();
    while !over.load(Ordering::Relaxed) {
        raw.send_bytes(&many);
    }
}
