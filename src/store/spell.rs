//! How often it is told that something cannot be done at present, and that it can again.

use std::time::{Duration, Instant};

/// Where a disk is full and what is consumed makes space for what is published next, both come in turn every second.
const APART: Duration = Duration::from_mins(1);

/// Times in which something cannot be done: of those that begin within a minute, one is told, and its end.
#[derive(Debug, Default)]
pub(super) struct Spell {
    told: Option<Instant>,
    is_told: bool,
}

impl Spell {
    /// It cannot be done, whether that is new or not. Gives whether to tell it.
    pub(super) fn goes_on(&mut self, now: Instant) -> bool {
        if self.is_told || self.told.is_some_and(|told| now.saturating_duration_since(told) < APART) {
            return false;
        }
        (self.told, self.is_told) = (Some(now), true);
        true
    }

    /// It can be done, whether that is new or not. Gives whether to tell it.
    pub(super) fn ends(&mut self) -> bool {
        std::mem::take(&mut self.is_told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_and_goes_is_told_once_a_minute_and_its_end_if_its_beginning_was() {
        let mut spell = Spell::default();
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert!(!spell.ends());
        assert!(spell.goes_on(at(0)) && !spell.goes_on(at(1)) && !spell.goes_on(at(100)));
        assert!(spell.ends() && !spell.ends());
        assert!(spell.goes_on(at(101)) && spell.ends());
        for second in 102..161 {
            assert!(!spell.goes_on(at(second)) && !spell.ends(), "{second}");
        }
        // One that was not told at first is when it lasts.
        assert!(!spell.goes_on(at(160)) && spell.goes_on(at(161)) && !spell.goes_on(at(162)));
        assert!(spell.ends());
    }
}
