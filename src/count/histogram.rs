//! How often something was how much.

use std::sync::atomic::{AtomicU64, Ordering};

/// Values by the first of these bounds that they do not pass; those that pass all of them come last. With one writer at a
/// time that is exact; several never lose any.
#[derive(Debug)]
pub struct Histogram<const BOUNDS: usize> {
    bounds: &'static [u64; BOUNDS],
    within: [AtomicU64; BOUNDS],
    beyond: AtomicU64,
    sum: AtomicU64,
}

impl<const BOUNDS: usize> Histogram<BOUNDS> {
    /// Nothing yet. The bounds grow.
    pub const fn new(bounds: &'static [u64; BOUNDS]) -> Self {
        Self {
            bounds,
            within: [const { AtomicU64::new(0) }; BOUNDS],
            beyond: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }

    /// A value.
    pub fn add(&self, value: u64) {
        let at = self.bounds.partition_point(|bound| value > *bound);
        self.within.get(at).unwrap_or(&self.beyond).fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// The bounds, each with how many values are within it and not within a smaller one; nothing for those beyond all.
    pub fn classes(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let within = self.bounds.iter().copied().map(Some).zip(&self.within);
        let all = within.chain([(None, &self.beyond)]);
        all.map(|(bound, count)| (bound, count.load(Ordering::Relaxed)))
    }

    /// All values together.
    pub fn sum(&self) -> u64 {
        self.sum.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_in_the_first_class_that_it_does_not_pass() {
        let histogram = Histogram::new(&[1, 10, 100]);
        for value in [0, 1, 2, 10, 11, 1000] {
            histogram.add(value);
        }
        let expected = [(Some(1), 2), (Some(10), 2), (Some(100), 1), (None, 1)];
        assert_eq!(histogram.classes().collect::<Vec<_>>(), expected);
        assert_eq!(histogram.sum(), 1024);
    }
}
