//! Connections that always have more to say, and those beside them.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::support::raw::{Raw, content};
use crate::support::{Broker, method};
use crate::witness::others_go_on;

#[test]
fn a_connection_with_little_to_ask_is_answered_beside_those_that_never_stop() {
    const ROUND_TRIPS: usize = 50;
    /// What each of the others may send during a round trip. Not a time: a slow machine is slow for all of them.
    const SHARE: u64 = 1 << 20;
    others_go_on(|broker| {
        let greedy = 2 * thread::available_parallelism().unwrap().get();
        let (under_way, over) = (Barrier::new(greedy + 1), AtomicBool::new(false));
        let sent = AtomicU64::new(0);
        let mut meanwhile = thread::scope(|scope| {
            for _ in 0..greedy {
                scope.spawn(|| never_stop(broker, &under_way, &over, &sent));
            }
            let mut polite = Raw::connect(broker);
            polite.open_channel(1);
            under_way.wait();
            let meanwhile: Vec<u64> = (0..ROUND_TRIPS)
                .map(|_| {
                    let before = sent.load(Ordering::Relaxed);
                    polite.expect_open(1);
                    (sent.load(Ordering::Relaxed) - before) / greedy as u64
                })
                .collect();
            over.store(true, Ordering::Relaxed);
            meanwhile
        });
        // Of some of them it was the test that slept.
        meanwhile.sort_unstable();
        let each = meanwhile[ROUND_TRIPS / 2];
        assert!(each < SHARE, "{each} bytes of each of the others in a round trip: {meanwhile:?}");
    });
}

/// Publishes to nobody as fast as the broker reads.
fn never_stop(broker: &Broker, under_way: &Barrier, over: &AtomicBool, sent: &AtomicU64) {
    let mut raw = Raw::connect(broker);
    raw.open_channel(1);
    let publish = content(1, method::basic_publish("", "nobody", 0), &[0, 0], &[7; 1000], 131_072);
    raw.send_bytes(&publish.repeat(1000));
    under_way.wait();
    let many = publish.repeat(50);
    while !over.load(Ordering::Relaxed) {
        raw.send_bytes(&many);
        sent.fetch_add(many.len() as u64, Ordering::Relaxed);
    }
}
