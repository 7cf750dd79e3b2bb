//! How often one place in the code may write a line.
//!
//! A peer decides how often some lines are written (a failed login, a refused frame). Thousands of them a second tell
//! no more than a hundred, and would fill a disk.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::time::Time;

const LINES_MAX: u64 = 100;
const WINDOW: Duration = Duration::from_secs(1);

/// Counts the lines of each place.
#[derive(Debug)]
pub(super) struct LineLimit<P> {
    places: Mutex<HashMap<P, Window>>,
}

#[derive(Debug)]
struct Window {
    since: Time,
    lines: u64,
    left_out: u64,
}

impl<P: Hash + Eq> LineLimit<P> {
    pub(super) fn new() -> Self {
        Self { places: Mutex::new(HashMap::new()) }
    }

    /// Whether `place` may write a line now: `None` if not, else how many were left out since the last one.
    pub(super) fn admit(&self, place: P, now: Time) -> Option<u64> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let window = places.entry(place).or_insert(Window { since: now, lines: 0, left_out: 0 });
        if now.since(window.since) >= WINDOW {
            (window.since, window.lines) = (now, 0);
        }
        if window.lines >= LINES_MAX {
            window.left_out += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_writes_too_often_is_cut_and_the_next_line_tells_how_much() {
        let limit = LineLimit::new();
        let admitted = |now| limit.admit("login refused", Time::from_millis(now));
        for _ in 0..LINES_MAX {
            assert_eq!(admitted(5000), Some(0));
        }
        for _ in 0..800 {
            assert_eq!(admitted(5999), None);
        }
        assert_eq!(limit.admit("another place", Time::from_millis(5999)), Some(0));
        assert_eq!(admitted(6000), Some(800));
        assert_eq!(admitted(6000), Some(0));
    }
}
