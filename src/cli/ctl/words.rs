//! The words of a command line as RabbitMQ's programs read it: switches anywhere, the rest in order.

use std::collections::BTreeMap;

use super::trouble::Trouble;

/// A switch: its long name, its short one, and whether a value follows.
pub(super) struct Switch {
    name: &'static str,
    short: Option<char>,
    takes: Takes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
}

const fn flag(name: &'static str) -> Switch {
    Switch { name, short: None, takes: Takes::Nothing }
}

const fn value(name: &'static str) -> Switch {
    Switch { name, short: None, takes: Takes::Value }
}

impl Switch {
    const fn or(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }
}

/// Those that every command takes. Where they say how to reach an Erlang node they mean nothing here, and scripts give them.
const COMMON: [&str; 16] = [
    "node",
    "quiet",
    "silent",
    "timeout",
    "longnames",
    "help",
    "formatter",
    "vhost",
    "no-table-headers",
    "table-headers",
    "erlang-cookie",
    "script-name",
    "rabbitmq-home",
    "print-stacktrace",
    "verbose",
    "printer",
];

/// All that there are, of all commands: a name means the same everywhere.
const SWITCHES: [Switch; 47] = [
    value("node").or('n'),
    flag("quiet").or('q'),
    flag("silent").or('s'),
    value("timeout").or('t'),
    flag("longnames").or('l'),
    flag("help").or('h'),
    value("formatter"),
    value("vhost").or('p'),
    flag("no-table-headers"),
    flag("table-headers"),
    value("erlang-cookie"),
    value("script-name"),
    value("rabbitmq-home"),
    flag("print-stacktrace"),
    flag("verbose").or('v'),
    value("printer"),
    flag("online"),
    flag("offline"),
    flag("local"),
    value("priority"),
    value("apply-to"),
    value("user"),
    flag("global"),
    flag("if-empty").or('e'),
    flag("if-unused").or('u'),
    value("description"),
    value("tags"),
    value("default-queue-type"),
    value("limit"),
    value("per-connection-delay"),
    value("unit"),
    value("within"),
    value("number").or('N'),
    value("pid"),
    value("format"),
    flag("skip-if-unchanged"),
    flag("minimal").or('m'),
    flag("enabled").or('E'),
    flag("implicitly-enabled"),
    flag("all"),
    flag("pre-hashed-password"),
    value("address"),
    value("vhost-pattern"),
    value("queue-pattern"),
    value("if-node"),
    flag("experimental"),
    flag("opt-in"),
];

/// A command line that is read.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// The command and its arguments.
    pub(super) plain: Vec<String>,
    given: BTreeMap<&'static str, String>,
}

impl Words {
    /// Reads a command line, without the program's name.
    pub(super) fn read(words: impl IntoIterator<Item = String>) -> Result<Self, Trouble> {
        let mut read = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if word == "--" {
                read.plain.extend(words);
                break;
            }
            let Some((switch, attached)) = switch(&word) else {
                read.plain.push(word);
                continue;
            };
            let switch = switch.ok_or_else(|| invalid(&word))?;
            let text = match (switch.takes, attached) {
                (Takes::Nothing, None) => "true".to_owned(),
                (Takes::Nothing, Some(text)) if matches!(text, "true" | "false") => text.to_owned(),
                (Takes::Value, Some(text)) => text.to_owned(),
                (Takes::Value, None) => words.next().ok_or_else(|| invalid(&word))?,
                (Takes::Nothing, Some(_)) => return Err(invalid(&word)),
            };
            read.given.insert(switch.name, text);
        }
        Ok(read)
    }

    /// What a switch was given as.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(String::as_str)
    }

    /// Whether a switch is on.
    pub(super) fn has(&self, name: &str) -> bool {
        self.value(name) == Some("true")
    }

    /// Refuses switches that neither all commands nor this one takes.
    pub(super) fn check(&self, of_command: &[&str]) -> Result<(), Trouble> {
        let known = |name: &str| COMMON.contains(&name) || of_command.contains(&name);
        match self.given.keys().find(|name| !known(name)) {
            Some(name) => Err(invalid(&format!("--{name}"))),
            None => Ok(()),
        }
    }
}

fn invalid(word: &str) -> Trouble {
    Trouble::usage(format!("Invalid options for this command:\n\n{word} : "))
}

/// The switch that a word is, with what is attached to it; `None` for a word that is none, inner `None` for one that nobody
/// knows.
fn switch(word: &str) -> Option<(Option<&'static Switch>, Option<&str>)> {
    if let Some(long) = word.strip_prefix("--") {
        let (name, attached) = match long.split_once('=') {
            Some((name, attached)) => (name, Some(attached)),
            None => (long, None),
        };
        let name = name.replace('_', "-");
        return Some((SWITCHES.iter().find(|switch| switch.name == name), attached));
    }
    let short = word.strip_prefix('-')?;
    // A number or nothing is a word: what a policy's pattern or a limit may be.
    let first = short.chars().next().filter(|c| c.is_ascii_alphabetic() || *c == '?')?;
    let first = if first == '?' { 'h' } else { first };
    let rest = short.get(1..).filter(|rest| !rest.is_empty()).map(|rest| rest.trim_start_matches('='));
    Some((SWITCHES.iter().find(|switch| switch.short == Some(first)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Words, Trouble> {
        Words::read(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn switches_stand_anywhere_and_in_each_of_their_forms() {
        for line in [
            "-q list_queues -p /v name",
            "list_queues --quiet --vhost=/v name",
            "list_queues name -p=/v --quiet=true",
            "-p/v -q list_queues name",
        ] {
            let words = read(line).unwrap();
            assert_eq!(words.plain, ["list_queues", "name"], "{line}");
            let given = (words.value("vhost"), words.has("quiet"), words.has("silent"));
            assert_eq!(given, (Some("/v"), true, false));
        }
        let words = read("set_permissions -- -p -q").unwrap();
        assert_eq!(words.plain, ["set_permissions", "-p", "-q"]);
        assert_eq!(read("a -1 -").unwrap().plain, ["a", "-1", "-"]);
        assert!(read("a --apply_to queues").unwrap().check(&["apply-to"]).is_ok());
    }

    #[test]
    fn a_switch_that_nobody_knows_or_that_lacks_its_value_is_refused() {
        for line in
            ["list_queues --nonsense", "list_queues -Z", "list_queues -p", "list_queues --quiet=perhaps"]
        {
            assert_eq!(read(line).unwrap_err().code, crate::cli::exit::USAGE, "{line}");
        }
        assert!(read("list_users --if-empty").unwrap().check(&[]).is_err());
    }

    #[test]
    fn no_two_switches_have_one_name() {
        let mut names: Vec<String> = SWITCHES.iter().map(|switch| switch.name.to_owned()).collect();
        names.extend(SWITCHES.iter().filter_map(|switch| Some(switch.short?.to_string())));
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(COMMON.iter().all(|name| SWITCHES.iter().any(|switch| switch.name == *name)));
    }
}
