//! Waiting for what comes a little later.

use std::time::{Duration, Instant};

/// Asks until there is an answer, for up to a minute.
#[track_caller]
pub(crate) fn waited<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        if let Some(found) = ask() {
            return found;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    panic!("{what}: not within a minute");
}
