//! Latencies as a histogram. Times are nanoseconds on a clock that producers and consumers share.

use hdrhistogram::{CreationError, Histogram};
use serde_json::{Value, json};

/// Longer latencies, in nanoseconds, are counted as this one.
const LONGEST_NS: u64 = 600_000_000_000;

/// A distribution of latencies, exact to three digits.
///
/// Equal neighbours are counted together before they enter the histogram: all messages of one batch bear one
/// timestamp, so that a message costs a comparison.
#[derive(Clone, Debug)]
pub(super) struct Latency {
    histogram: Histogram<u64>,
    last_ns: u64,
    in_a_row: u64,
}

impl Latency {
    pub(super) fn new() -> Result<Self, CreationError> {
        Ok(Self { histogram: Histogram::new_with_bounds(1, LONGEST_NS, 3)?, last_ns: 0, in_a_row: 0 })
    }

    /// Counts one latency.
    pub(super) fn record(&mut self, nanoseconds: u64) {
        if nanoseconds != self.last_ns {
            self.flush();
            self.last_ns = nanoseconds;
        }
        self.in_a_row += 1;
    }

    /// Adds all that `other` has counted.
    pub(super) fn merge(&mut self, other: &mut Self) {
        other.flush();
        self.flush();
        self.histogram += &other.histogram;
    }

    /// The latency in microseconds that a share `quantile` (0 to 1) of all do not exceed; none without any.
    pub(super) fn microseconds_at(&mut self, quantile: f64) -> Option<f64> {
        self.flush();
        (!self.histogram.is_empty()).then(|| microseconds(self.histogram.value_at_quantile(quantile)))
    }

    /// Microseconds at the percentiles that a report shows; nulls when nothing was measured.
    pub(super) fn percentiles(&mut self) -> Value {
        self.flush();
        let max = (!self.histogram.is_empty()).then(|| microseconds(self.histogram.max()));
        json!({
            "p50": self.microseconds_at(0.5),
            "p95": self.microseconds_at(0.95),
            "p99": self.microseconds_at(0.99),
            "p99.9": self.microseconds_at(0.999),
            "max": max,
            "count": self.histogram.len(),
        })
    }

    fn flush(&mut self) {
        if self.in_a_row > 0 {
            self.histogram.saturating_record_n(self.last_ns.max(1), self.in_a_row);
            self.in_a_row = 0;
        }
    }
}

/// To a tenth of a microsecond: a clock reading is not more exact.
#[allow(clippy::cast_precision_loss)] // at most LONGEST_NS
fn microseconds(nanoseconds: u64) -> f64 {
    (nanoseconds as f64 / 100.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_recorded_whatever_the_runs() {
        let mut latency = Latency::new().unwrap();
        for microsecond in 1..=100 {
            for _ in 0..3 {
                latency.record(microsecond * 1000);
            }
        }
        for (quantile, expected) in [(0.5, 50.0), (0.95, 95.0), (1.0, 100.0)] {
            let actual = latency.microseconds_at(quantile).unwrap();
            assert!((actual - expected).abs() < 0.2, "{quantile}: {actual}");
        }
        assert_eq!(latency.percentiles()["count"], 300);
    }

    #[test]
    fn merging_adds_up_what_is_still_in_a_row() {
        let (mut all, mut one) = (Latency::new().unwrap(), Latency::new().unwrap());
        one.record(1000);
        all.record(3000);
        all.merge(&mut one);
        assert_eq!(all.percentiles()["count"], 2);
        assert_eq!(all.percentiles()["max"], 3.0);
    }

    #[test]
    fn nothing_recorded_is_null_and_an_age_counts_as_the_longest() {
        let mut latency = Latency::new().unwrap();
        assert!(latency.percentiles()["p50"].is_null());
        latency.record(u64::MAX);
        assert!(latency.microseconds_at(0.5).unwrap() >= 600e6);
    }
}
