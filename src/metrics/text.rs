//! Prometheus' text format, version 0.0.4, with the lines of a family in RabbitMQ's order: the type, then the help.

use std::fmt::Write as _;

/// What a body says it is.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Untyped,
    Histogram,
    Summary,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Untyped => "untyped",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }
}

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Self {
        Self::Whole(number as u64)
    }
}

impl From<bool> for Number {
    fn from(is: bool) -> Self {
        Self::Whole(u64::from(is))
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

/// Text that grows by lines.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }

    /// Begins a family, whose name is made of the two.
    pub(super) fn family(&mut self, prefix: &str, name: &str, kind: Kind, help: &str) {
        self.put(&["# TYPE ", prefix, name, " ", kind.as_str(), "\n# HELP ", prefix, name, " "]);
        self.escaped(help, false);
        self.0.push('\n');
    }

    /// A sample; `label` puts its labels.
    pub(super) fn sample(
        &mut self,
        prefix: &str,
        name: &str,
        label: impl FnOnce(&mut Labels<'_>),
        value: impl Into<Number>,
    ) {
        self.put(&[prefix, name]);
        self.labels(label);
        self.0.push(' ');
        self.number(value.into());
        self.0.push('\n');
    }

    /// The labels of a sample alone.
    pub(super) fn labels(&mut self, label: impl FnOnce(&mut Labels<'_>)) {
        let mut labels = Labels { text: self, any: false };
        label(&mut labels);
        labels.end();
    }

    /// A sample whose labels are written already.
    pub(super) fn labelled(&mut self, prefix: &str, name: &str, labels: &str, value: Number) {
        self.put(&[prefix, name, labels, " "]);
        self.number(value);
        self.0.push('\n');
    }

    /// A sample without labels.
    pub(super) fn plain(&mut self, prefix: &str, name: &str, value: impl Into<Number>) {
        self.sample(prefix, name, |_| (), value);
    }

    fn put(&mut self, parts: &[&str]) {
        for part in parts {
            self.0.push_str(part);
        }
    }

    fn number(&mut self, number: Number) {
        // Text takes all that is written to it.
        let _ = match number {
            Number::Whole(number) => write!(self.0, "{number}"),
            Number::Real(number) if number.is_nan() => write!(self.0, "NaN"),
            Number::Real(number) if number.is_infinite() => {
                write!(self.0, "{}Inf", if number > 0.0 { "+" } else { "-" })
            }
            Number::Real(number) => write!(self.0, "{number}"),
        };
    }

    fn escaped(&mut self, text: &str, is_quoted: bool) {
        let is_special = |octet: &u8| matches!(octet, b'\\' | b'\n') || (is_quoted && *octet == b'"');
        if !text.as_bytes().iter().any(is_special) {
            return self.0.push_str(text);
        }
        for letter in text.chars() {
            match letter {
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '"' if is_quoted => self.0.push_str("\\\""),
                other => self.0.push(other),
            }
        }
    }
}

/// The labels of a sample.
pub(super) struct Labels<'t> {
    text: &'t mut Text,
    any: bool,
}

impl Labels<'_> {
    pub(super) fn put(&mut self, name: &str, value: &str) -> &mut Self {
        self.text.0.push(if self.any { ',' } else { '{' });
        self.any = true;
        self.text.put(&[name, "=\""]);
        self.text.escaped(value, true);
        self.text.0.push('"');
        self
    }

    fn end(self) {
        if self.any {
            self.text.0.push('}');
        }
    }
}

/// What falls into a bucket of a histogram: no more than `le` says, and how many there were of those alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bucket<'b> {
    pub(super) le: &'b str,
    pub(super) count: u64,
}

impl Text {
    /// A histogram: its buckets, of which the last one has no bound, and the sum of all values.
    pub(super) fn histogram<'b>(
        &mut self,
        prefix: &str,
        name: &str,
        label: impl Fn(&mut Labels<'_>),
        buckets: impl IntoIterator<Item = Bucket<'b>>,
        sum: impl Into<Number>,
    ) {
        let mut count = 0_u64;
        for bucket in buckets {
            count = count.saturating_add(bucket.count);
            let name = format!("{name}_bucket");
            let labels = |labels: &mut Labels<'_>| {
                label(labels);
                labels.put("le", bucket.le);
            };
            self.sample(prefix, &name, labels, count);
        }
        self.sample(prefix, &format!("{name}_count"), &label, count);
        self.sample(prefix, &format!("{name}_sum"), &label, sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_its_type_its_help_and_its_samples_with_escaped_labels() {
        let mut text = Text::default();
        text.family("rabbitmq_", "queues", Kind::Gauge, "Back\\slash\nand \"quote\"");
        text.plain("rabbitmq_", "queues", 3_u64);
        let labels = |labels: &mut Labels<'_>| {
            labels.put("vhost", "/").put("queue", "a \"b\"\\c\nd, é");
        };
        text.sample("rabbitmq_", "queues", labels, 0.25);
        let expected = "# TYPE rabbitmq_queues gauge\n\
             # HELP rabbitmq_queues Back\\\\slash\\nand \"quote\"\n\
             rabbitmq_queues 3\n\
             rabbitmq_queues{vhost=\"/\",queue=\"a \\\"b\\\"\\\\c\\nd, é\"} 0.25\n";
        assert_eq!(text.into_string(), expected);
    }

    #[test]
    fn numbers_are_written_as_prometheus_reads_them() {
        for (number, expected) in [
            (Number::from(u64::MAX), "18446744073709551615"),
            (Number::from(true), "1"),
            (Number::from(47.916), "47.916"),
            (Number::from(1e-9), "0.000000001"),
            (Number::from(f64::NAN), "NaN"),
            (Number::from(f64::INFINITY), "+Inf"),
            (Number::from(f64::NEG_INFINITY), "-Inf"),
        ] {
            let mut text = Text::default();
            text.number(number);
            assert_eq!(text.into_string(), expected);
        }
    }

    #[test]
    fn the_buckets_of_a_histogram_hold_all_that_is_smaller() {
        let mut text = Text::default();
        let buckets = [("1.0", 2), ("10.0", 0), ("+Inf", 3)].map(|(le, count)| Bucket { le, count });
        let labels = |labels: &mut Labels<'_>| {
            labels.put("a", "b");
        };
        text.histogram("x_", "size", labels, buckets, 100_u64);
        let expected = "x_size_bucket{a=\"b\",le=\"1.0\"} 2\n\
             x_size_bucket{a=\"b\",le=\"10.0\"} 2\n\
             x_size_bucket{a=\"b\",le=\"+Inf\"} 5\n\
             x_size_count{a=\"b\"} 5\n\
             x_size_sum{a=\"b\"} 100\n";
        assert_eq!(text.into_string(), expected);
    }
}
