//! What a run found out: one JSON object, or lines for people.

use super::failure::Failure;
use super::latency::Latency;
use super::run::Run;
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::time::Duration;

/// Figures in the order in which they are shown. A rate is a second's, a time in seconds unless its name says
/// otherwise, memory in bytes.
#[derive(Debug)]
pub(super) struct Report {
    figures: Vec<(&'static str, Value)>,
    failure: Option<Failure>,
}

/// These keys are there in every scenario, so that whoever reads the JSON need not ask.
const ALWAYS: [&str; 2] = ["publish_rate", "consume_rate"];
const ALWAYS_LATENCIES: [&str; 2] = ["end_to_end_latency_us", "confirm_latency_us"];

impl Report {
    /// A report about a scenario with a broker.
    pub(super) fn new(scenario: &str, broker: &str) -> Self {
        Self { figures: vec![("scenario", json!(scenario)), ("broker", json!(broker))], failure: None }
    }

    /// Adds a figure.
    pub(super) fn add(&mut self, key: &'static str, value: impl Into<Value>) {
        self.figures.push((key, value.into()));
    }

    /// Says how the run ended: whether it was interrupted, and what has failed, if anything. What was measured until
    /// then stands.
    pub(super) fn end(&mut self, run: &Run) {
        self.add("interrupted", run.is_interrupted());
        if let Some(failure) = run.failure() {
            self.fail(failure);
        }
    }

    /// Says what has failed, unless something else failed before: what follows from that is no news.
    pub(super) fn fail(&mut self, failure: Failure) {
        if self.failure.is_none() {
            self.figures.push(("failure", json!(failure.to_string())));
            self.failure = Some(failure);
        }
    }

    /// What ended the run before its time.
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Adds the percentiles of a latency.
    pub(super) fn add_latency(&mut self, key: &'static str, latency: &mut Latency) {
        self.figures.push((key, latency.percentiles()));
    }

    /// The report as one object.
    pub(super) fn to_json(&self) -> Value {
        let mut object: Map<String, Value> =
            self.figures.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        for key in ALWAYS {
            object.entry(key).or_insert(json!(0.0));
        }
        for key in ALWAYS_LATENCIES {
            object.entry(key).or_insert_with(
                || json!({"p50": null, "p95": null, "p99": null, "p99.9": null, "max": null, "count": 0}),
            );
        }
        Value::Object(object)
    }

    /// Prints it to standard output.
    pub(super) fn print(&self, as_json: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if as_json {
            return writeln!(out, "{}", self.to_json());
        }
        for (key, value) in self.figures.iter().filter(|(_, value)| has_something(value)) {
            writeln!(out, "{:<24} {}", key.replace('_', " "), text(value))?;
        }
        Ok(())
    }
}

/// What was not measured is a figure for programs, not for people.
fn has_something(value: &Value) -> bool {
    match value {
        Value::Array(values) => !values.is_empty(),
        Value::Object(figures) => figures.get("count") != Some(&json!(0)),
        _ => true,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), grouped),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join("  "),
        Value::Object(figures) => {
            let shown = ["p50", "p95", "p99", "p99.9", "max"];
            let parts = shown.iter().filter_map(|key| Some(format!("{key} {}", text(figures.get(*key)?))));
            parts.collect::<Vec<_>>().join("  ")
        }
        other => other.to_string(),
    }
}

/// With commas between thousands; small numbers with their fraction.
pub(super) fn grouped(number: f64) -> String {
    let decimals = if number.fract() == 0.0 || number.abs() >= 1000.0 { 0 } else { 2 };
    let plain = format!("{number:.decimals$}");
    let (whole, fraction) = plain
        .split_once('.')
        .map_or((plain.as_str(), ""), |(whole, _)| (whole, plain.get(whole.len()..).unwrap_or_default()));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut text = String::from(sign);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text + fraction
}

/// `count` in `elapsed` as a rate a second; 0 where no time has passed.
#[allow(clippy::cast_precision_loss)] // a rate is not that exact
pub(super) fn per_second(count: u64, elapsed: Duration) -> f64 {
    if elapsed.is_zero() { 0.0 } else { (count as f64 / elapsed.as_secs_f64() * 10.0).round() / 10.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, expected) in [
            (0.0, "0"),
            (12.5, "12.50"),
            (999.0, "999"),
            (1000.0, "1,000"),
            (-1_234_567.8, "-1,234,568"),
            (100_000.0, "100,000"),
        ] {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn every_report_has_rates_and_latencies() {
        let mut report = Report::new("idle", "RabbitMQ 4.1.0");
        assert_eq!(report.to_json()["publish_rate"], 0.0);
        assert!(report.to_json()["confirm_latency_us"]["p99.9"].is_null());
        let mut latency = Latency::new().unwrap();
        latency.record(5000);
        report.add("publish_rate", 5.5);
        report.add_latency("end_to_end_latency_us", &mut latency);
        let json = report.to_json();
        assert_eq!(
            (&json["publish_rate"], &json["end_to_end_latency_us"]["p50"]),
            (&json!(5.5), &json!(5.0))
        );
    }

    #[test]
    fn people_are_not_shown_what_was_not_measured() {
        for (figure, shown) in [
            (json!([]), false),
            (json!([1.5]), true),
            (json!({"count": 0, "p50": null}), false),
            (json!({"count": 1, "p50": 7.0}), true),
            (json!(0), true),
            (json!(false), true),
        ] {
            assert_eq!(has_something(&figure), shown, "{figure}");
        }
    }

    #[test]
    fn a_rate_of_no_time_is_zero() {
        assert_eq!(per_second(5, Duration::ZERO).to_string(), "0");
        assert_eq!(per_second(5, Duration::from_millis(500)).to_string(), "10");
    }
}
