//! When a producer sends what, at a given rate. Pure: the time comes in.

/// An even pace: message `k` of producer `i` out of `n` is due where message `k * n + i` of them all is.
///
/// The due time is the message's timestamp, however late it is really sent: a broker that holds the producer up
/// for a second is shown with that second in the latencies, not with a gap in the samples.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    start_ns: u64,
    rate: u64,
    producers: u64,
    producer: u64,
}

impl Pace {
    /// The pace of `producer` (from 0) of `producers` that together send `rate` messages a second.
    pub(super) fn new(start_ns: u64, rate: u64, producers: u64, producer: u64) -> Self {
        Self { start_ns, rate: rate.max(1), producers: producers.max(1), producer }
    }

    /// Starts at `now_ns`.
    pub(super) fn begin(&mut self, now_ns: u64) {
        self.start_ns = now_ns;
    }

    /// When message `number` (from 0) of this producer is due.
    pub(super) fn due_ns(&self, number: u64) -> u64 {
        let overall = u128::from(number) * u128::from(self.producers) + u128::from(self.producer);
        let after = overall * 1_000_000_000 / u128::from(self.rate);
        self.start_ns.saturating_add(u64::try_from(after).unwrap_or(u64::MAX))
    }

    /// How many messages of this producer are due at `now_ns`, since the start.
    pub(super) fn due(&self, now_ns: u64) -> u64 {
        let Some(since) = now_ns.checked_sub(self.start_ns) else { return 0 };
        // Message m of all is due at floor(m * 10^9 / rate), so those due are the m with m * 10^9 < (since + 1) * rate.
        let all = ((u128::from(since) + 1) * u128::from(self.rate)).div_ceil(1_000_000_000);
        let own = all.saturating_sub(u128::from(self.producer)).div_ceil(u128::from(self.producers));
        u64::try_from(own).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn producers_take_turns_evenly() {
        let first = Pace::new(1000, 1_000_000, 2, 0);
        let second = Pace::new(1000, 1_000_000, 2, 1);
        assert_eq!([first.due_ns(0), first.due_ns(1), first.due_ns(2)], [1000, 3000, 5000]);
        assert_eq!([second.due_ns(0), second.due_ns(1)], [2000, 4000]);
        for (now, expected) in [(0, (0, 0)), (1000, (1, 0)), (1999, (1, 0)), (2000, (1, 1)), (3000, (2, 1))] {
            assert_eq!((first.due(now), second.due(now)), expected, "{now}");
        }
    }

    proptest! {
        #[test]
        fn a_message_is_due_exactly_from_its_time_on(
            rate in 1_u64..20_000_000, producers in 1_u64..20, number in 0_u64..1_000_000, shift in 0_u64..20,
        ) {
            let pace = Pace::new(77, rate, producers, shift % producers);
            let due = pace.due_ns(number);
            prop_assert!(pace.due(due) > number);
            prop_assert!(pace.due(due - 1) <= number);
        }
    }
}
