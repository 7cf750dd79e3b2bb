//! Our own format: TOML, whose keys are the table's.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::given::{Given, Mistake, Origin};
use super::key::{Arity, Key};
use super::keys::keys;

/// Reads a file's text. A key that is there twice, or is not one of ours, is a mistake, as is a list in the place of a value.
pub(super) fn read(path: &Path, text: &str) -> (Vec<Given>, Vec<Mistake>) {
    let mut reading = Reading { path, text, given: Vec::new(), mistakes: Vec::new() };
    match DeTable::parse(text) {
        Ok(table) => reading.table("", table.get_ref()),
        Err(error) => {
            let origin = reading.at(error.span().unwrap_or(0..0));
            // The first line says it all; some go on about what would be right.
            let reason = error.message().lines().collect::<Vec<_>>().join(", ");
            reading.mistakes.push(Mistake::new(origin, None, reason));
        }
    }
    (reading.given, reading.mistakes)
}

struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    given: Vec<Given>,
    mistakes: Vec<Mistake>,
}

impl Reading<'_> {
    fn at(&self, span: Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        Origin::File { path: self.path.to_owned(), line: before.matches('\n').count() + 1 }
    }

    /// Goes no deeper than there are keys.
    fn table(&mut self, section: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let full = match section {
                "" => name.get_ref().to_string(),
                _ => format!("{section}.{}", name.get_ref()),
            };
            let origin = self.at(name.span());
            let below = keys().find(|key| is_within(key.name, &full));
            match (Key::named(&full), below, value.get_ref()) {
                (Some(key), ..) => self.value(key, value.get_ref(), origin),
                (None, Some(_), DeValue::Table(table)) => self.table(&full, table),
                (None, Some(key), _) => {
                    let reason = format!("expected a section with keys such as \"{}\"", key.name);
                    self.mistakes.push(Mistake::new(origin, Some(&full), reason));
                }
                (None, None, _) => self.mistakes.push(Mistake::unknown(origin, &full)),
            }
        }
    }

    fn value(&mut self, key: &'static Key, value: &DeValue<'_>, origin: Origin) {
        let texts = match value {
            DeValue::Array(list) if key.field.arity() == Arity::List => {
                list.iter().map(|value| scalar(value.get_ref())).collect()
            }
            value => scalar(value).map(|text| vec![text]),
        };
        let Some(texts) = texts else {
            let expected = if key.field.arity() == Arity::List { "a list of values" } else { "one value" };
            let reason = format!("expected {expected}, not {}", kind(value));
            self.mistakes.push(Mistake::new(origin, Some(key.name), reason));
            return;
        };
        self.given.push(Given { key, texts, origin });
    }
}

fn is_within(name: &str, section: &str) -> bool {
    name.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'))
}

/// A value as it would be written elsewhere.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Integer(number) => {
            Some(u64::from_str_radix(number.as_str(), number.radix()).ok()?.to_string())
        }
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(switch) => Some(switch.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
        DeValue::Datetime(_) => "a date",
        _ => "a number that is too large",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_text(text: &str) -> (Vec<String>, Vec<String>) {
        let (given, mistakes) = read(Path::new("f.toml"), text);
        let given =
            given.iter().map(|one| format!("{} {}={}", one.origin, one.key.name, one.texts.join("|")));
        (given.collect(), mistakes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn keys_are_read_with_their_lines_however_they_are_written() {
        let text = "# first\nheartbeat = 30\nlog.console.enabled = false\n\n[log]\nlevel = \"debug\"\n\
                    [listeners]\ntcp = [\"127.0.0.1:0\",\n  5672]\n[tcp]\nbacklog = 0x10\nlinger = '5s'\n";
        // The table `log` stands before the section, so that the section is one too many.
        let (_, mistakes) = read_text(text);
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        let text = text.replace("log.console.enabled = false\n", "memory_limit = 1_000_000_000\n");
        let (mut given, mistakes) = read_text(&text);
        given.sort();
        assert_eq!(mistakes, Vec::<String>::new());
        assert_eq!(
            given,
            [
                "f.toml:11 tcp.backlog=16",
                "f.toml:12 tcp.linger=5s",
                "f.toml:2 heartbeat=30",
                "f.toml:3 memory_limit=1000000000",
                "f.toml:6 log.level=debug",
                "f.toml:8 listeners.tcp=127.0.0.1:0|5672",
            ]
        );
    }

    #[test]
    fn b86_a_mistake_is_told_with_its_line_its_key_and_the_nearest_right_one() {
        for (text, expected) in [
            (
                "\nheartbaet = 1\n",
                "f.toml:2: \"heartbaet\": there is no such key; did you mean \"heartbeat\"?",
            ),
            (
                "[log]\nlevle = 1",
                "f.toml:2: \"log.levle\": there is no such key; did you mean \"log.level\"?",
            ),
            ("[xyzzy]\na = 1", "f.toml:1: \"xyzzy\": there is no such key"),
            ("log = 1", "f.toml:1: \"log\": expected a section with keys such as \"log.level\""),
            ("heartbeat = [1]", "f.toml:1: \"heartbeat\": expected one value, not a list"),
            ("heartbeat = { a = 1 }", "f.toml:1: \"heartbeat\": expected one value, not a section"),
            ("heartbeat = 2026-01-01", "f.toml:1: \"heartbeat\": expected one value, not a date"),
            ("listeners.tcp = [[1]]", "f.toml:1: \"listeners.tcp\": expected a list of values, not a list"),
            ("heartbeat = 1\nheartbeat = 2", "f.toml:2: duplicate key"),
            ("a = \n", "f.toml:1: "),
            ("\"\\u001b\" = 1", "f.toml:1: \"\\u001b\": there is no such key"),
        ] {
            let (_, mistakes) = read_text(text);
            assert_eq!(mistakes.len(), 1, "{text}: {mistakes:?}");
            assert!(mistakes[0].starts_with(expected), "{text}: {mistakes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z0-9_.=\\[\\]{}\"'#,\\- \n\u{0}é]{0,200}") {
            read(Path::new("f.toml"), &text);
        }

        #[test]
        fn whatever_a_key_is_set_to_is_read_or_refused(at in 0..keys().count(), value in ".{0,40}") {
            let key = keys().nth(at).unwrap();
            let text = format!("{} = {}", key.name, crate::config::shown::quote(&value));
            let (given, mistakes) = read(Path::new("f.toml"), &text);
            prop_assert_eq!((given.len(), mistakes.len()), (1, 0), "{}", text);
            prop_assert_eq!(&given[0].texts, &vec![value]);
            let _ = key.field.set(&mut crate::config::Config::default(), &given[0].texts);
        }
    }
}
