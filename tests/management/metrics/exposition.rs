//! A strict reader of Prometheus' text format.

use std::collections::{BTreeMap, BTreeSet};

/// A family.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) samples: Vec<Sample>,
}

/// A line with a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// The family's name, or that with `_bucket`, `_sum`, `_count` behind it.
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// All families of an answer by name.
#[derive(Debug)]
pub(crate) struct Exposition(pub(crate) BTreeMap<String, Family>);

impl Exposition {
    /// Reads an answer. Every line has to be as it must be: a family's type, its help, its samples, all together and once.
    #[track_caller]
    pub(crate) fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has no end");
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut at = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect(line);
                assert!(is_name(name, true), "{line}");
                let known = ["counter", "gauge", "untyped", "histogram", "summary"];
                assert!(known.contains(&kind), "{line}");
                let help = lines.next().expect("a help behind each type");
                let help = help.strip_prefix("# HELP ").expect(help);
                let help = help.strip_prefix(name).and_then(|rest| rest.strip_prefix(' ')).expect(help);
                assert!(!help.is_empty(), "{line}");
                let family = Family { kind: kind.to_owned(), samples: Vec::new() };
                assert!(families.insert(name.to_owned(), family).is_none(), "twice: {line}");
                name.clone_into(&mut at);
                continue;
            }
            assert!(!line.starts_with('#') && !line.is_empty(), "{line:?}");
            let sample = Sample::read(line);
            let family = families.get_mut(&at).expect("a type before a value");
            let behind =
                sample.name.strip_prefix(at.as_str()).unwrap_or_else(|| panic!("{line} within {at}"));
            let allowed: &[&str] = match family.kind.as_str() {
                "histogram" => &["_bucket", "_count", "_sum"],
                "summary" => &["_count", "_sum"],
                _ => &[""],
            };
            assert!(allowed.contains(&behind), "{line} within a {}", family.kind);
            assert!(family.kind != "counter" || sample.value >= 0.0, "{line}");
            assert!(seen.insert((sample.name.clone(), sample.labels.clone())), "twice: {line}");
            family.samples.push(sample);
        }
        let this = Self(families);
        this.check_histograms();
        this
    }

    /// Buckets grow, the last one has no bound and is the count.
    fn check_histograms(&self) {
        for (name, family) in self.0.iter().filter(|(_, family)| family.kind == "histogram") {
            let mut before: Option<(f64, f64)> = None;
            for sample in &family.samples {
                let bound = sample
                    .labels
                    .get("le")
                    .map(|le| if le == "+Inf" { f64::INFINITY } else { le.parse().unwrap() });
                match (bound, before) {
                    (Some(bound), Some((last, count))) => {
                        assert!(bound > last && sample.value >= count, "{name}: {sample:?}");
                        before = Some((bound, sample.value));
                    }
                    (Some(bound), None) => before = Some((bound, sample.value)),
                    (None, Some((last, count))) if sample.name.ends_with("_count") => {
                        assert!(last.is_infinite(), "{name}");
                        assert!((sample.value - count).abs() < 0.5, "{name}: {sample:?}");
                        before = None;
                    }
                    (None, _) => assert!(sample.name.ends_with("_sum"), "{name}: {sample:?}"),
                }
            }
        }
    }

    /// The value of a family, of the sample with at least these labels; there has to be one.
    #[track_caller]
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let found = self.samples(name, labels);
        assert_eq!(found.len(), 1, "{name} {labels:?}: {found:?}");
        found[0].value
    }

    /// The samples with at least these labels.
    pub(crate) fn samples(&self, name: &str, labels: &[(&str, &str)]) -> Vec<&Sample> {
        let families = self.0.values().flat_map(|family| &family.samples);
        let has = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(label, value)| sample.labels.get(*label).is_some_and(|found| found == value))
        };
        families.filter(has).collect()
    }
}

impl Sample {
    fn read(line: &str) -> Self {
        let end = line.find(['{', ' ']).expect(line);
        let (name, mut rest) = line.split_at(end);
        assert!(is_name(name, true), "{line}");
        let mut labels = BTreeMap::new();
        if let Some(mut within) = rest.strip_prefix('{') {
            loop {
                let (label, value) = within.split_once("=\"").expect(line);
                assert!(is_name(label, false), "{line}");
                let (value, behind) = quoted(value).expect(line);
                assert!(labels.insert(label.to_owned(), value).is_none(), "twice in {line}");
                match behind.split_at(1) {
                    (",", more) => within = more,
                    ("}", more) => {
                        rest = more;
                        break;
                    }
                    _ => panic!("{line}"),
                }
            }
        }
        let value = rest.strip_prefix(' ').expect(line);
        let value = match value {
            "+Inf" => f64::INFINITY,
            "NaN" => f64::NAN,
            _ => {
                assert!(!value.contains(' '), "{line}");
                value.parse().unwrap_or_else(|error| panic!("{error}: {line}"))
            }
        };
        Self { name: name.to_owned(), labels, value }
    }
}

/// What stands before the quote that ends it, without its escapes, and what stands behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                other @ ('\\' | '"') => other,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}

fn is_name(name: &str, with_colons: bool) -> bool {
    let is_letter =
        |octet: u8| octet.is_ascii_alphabetic() || octet == b'_' || (with_colons && octet == b':');
    let octets = name.as_bytes();
    octets.first().is_some_and(|first| is_letter(*first))
        && octets.iter().all(|octet| is_letter(*octet) || octet.is_ascii_digit())
}

#[test]
fn what_is_not_the_format_is_refused() {
    let head = "# TYPE a counter\n# HELP a A\n";
    let fine = Exposition::read(&format!("{head}a{{b=\"\\\"\\\\\\n\",c=\"\"}} 1\na 2.5\n"));
    assert_eq!(fine.value("a", &[("b", "\"\\\n")]), 1.0);
    for wrong in [
        "a 1\n",
        "# TYPE a counter\na 1\n",
        "# TYPE a counters\n# HELP a A\n",
        "# TYPE a counter\n# HELP b A\n",
        "# TYPE a counter\n# HELP a A\na -1\n",
        "# TYPE a counter\n# HELP a A\na 1\na 1\n",
        "# TYPE a counter\n# HELP a A\na{b=\"c} 1\n",
        "# TYPE a counter\n# HELP a A\na{b=\"c\"d=\"e\"} 1\n",
        "# TYPE a counter\n# HELP a A\na 1 2\n",
        "# TYPE a counter\n# HELP a A\na x\n",
        "# TYPE a counter\n# HELP a A\nb 1\n",
        "# TYPE a counter\n# HELP a A\na 1",
        "# TYPE a histogram\n# HELP a A\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_count 1\na_sum 1\n",
        "# TYPE a histogram\n# HELP a A\na_bucket{le=\"1\"} 2\na_count 2\na_sum 1\n",
    ] {
        let read = std::panic::catch_unwind(|| Exposition::read(wrong));
        assert!(read.is_err(), "{wrong}");
    }
}
