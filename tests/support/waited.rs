//! How long something took at least.

use std::time::{Duration, Instant};

/// The broker cuts its times to whole milliseconds, each time that it reads a clock, and another broker on the same directory
/// has another clock.
const CUT_OFF: Duration = Duration::from_millis(20);

/// So much time has passed since `start`; `what` came too early otherwise.
pub(crate) fn assert_waited(start: Instant, millis: u64, what: &str) {
    let waited = start.elapsed();
    assert!(waited + CUT_OFF >= Duration::from_millis(millis), "{what} came after {waited:?}");
}
