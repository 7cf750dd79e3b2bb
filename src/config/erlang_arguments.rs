//! Arguments of Erlang's virtual machine, by which some set RabbitMQ's settings: `-rabbit heartbeat 30 disk_free_limit 2000000`.
//!
//! Each is told under the name that it has in rabbitmq.conf, which says what it means here. Nothing is evaluated.

use std::iter::Peekable;
use std::str::Chars;

/// Terms deeper than this are no settings.
const DEPTH_MAX: usize = 16;

/// The applications whose settings have a meaning, and where these are in rabbitmq.conf.
const APPLICATIONS: [(&str, &str); 3] =
    [("rabbit", ""), ("rabbitmq_management", "management."), ("rabbitmq_prometheus", "prometheus.")];

/// Settings that rabbitmq.conf calls otherwise; what stands below them keeps its name.
const RENAMED: [(&str, &str); 11] = [
    ("connection_max", "max_connections"),
    ("tcp_listeners", "listeners.tcp"),
    ("ssl_listeners", "listeners.ssl"),
    ("log.console.enabled", "log.console"),
    ("log.file.file", "log.file"),
    ("management.tcp_config", "management.tcp"),
    ("management.ssl_config", "management.ssl"),
    ("management.cors_allow_origins", "management.cors.allow_origins"),
    ("management.cors_max_age", "management.cors.max_age"),
    ("prometheus.tcp_config", "prometheus.tcp"),
    ("prometheus.ssl_config", "prometheus.ssl"),
];

/// What arguments say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ErlangArguments {
    /// Names and values of rabbitmq.conf.
    pub(super) settings: Vec<(String, String)>,
    /// The switches of something else.
    pub(super) others: Vec<String>,
    /// Where it cannot be understood.
    pub(super) mistake: Option<String>,
}

/// Reads `-application key value key value ...`, and whatever stands between them.
pub(super) fn read(text: &str) -> ErlangArguments {
    let mut read = ErlangArguments::default();
    let mut rest = Cursor(unquoted(text).chars().peekable());
    while let Some(word) = rest.argument() {
        let application = word.strip_prefix('-').and_then(|name| {
            APPLICATIONS.iter().find(|(application, _)| *application == name).map(|(_, section)| *section)
        });
        let Some(section) = application else {
            // Their values are not told: a cookie or a password may be among them.
            if word.starts_with(['-', '+']) {
                read.others.push(word);
            }
            continue;
        };
        while !rest.is_at_switch() {
            let Some(key) = rest.argument() else { break };
            let Some(term) = rest.term(0) else {
                read.mistake = Some(format!("expected a term of Erlang behind '{word} {key}'"));
                return read;
            };
            settings(format!("{section}{key}"), &term, &mut read.settings);
        }
    }
    read
}

/// Compose files that write variables as a list keep the quotes around a value.
fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let inside = ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote));
    inside.filter(|inside| inside.trim_start().starts_with(['-', '+'])).unwrap_or(text)
}

/// A term, as far as settings need it: atoms, numbers, strings and binaries are all texts.
#[derive(Debug, PartialEq, Eq)]
enum Term {
    Text(String),
    List(Vec<Term>),
    Tuple(Vec<Term>),
}

impl Term {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(_) | Self::Tuple(_) => None,
        }
    }
}

/// The lines of rabbitmq.conf that say what a term does.
fn settings(name: String, term: &Term, told: &mut Vec<(String, String)>) {
    let renamed = RENAMED.iter().find(|(erlang, _)| *erlang == name);
    let name = renamed.map_or(name, |(_, ours)| (*ours).to_owned());
    let mut tell = |name: String, value: &str| told.push((name, value.to_owned()));
    match (name.as_str(), term) {
        ("disk_free_limit", Term::Text(text)) => tell(format!("{name}.absolute"), text),
        ("vm_memory_high_watermark", Term::Text(text)) => tell(format!("{name}.relative"), text),
        ("disk_free_limit" | "vm_memory_high_watermark", Term::Tuple(parts)) => {
            if let [Term::Text(kind), Term::Text(value)] = parts.as_slice() {
                tell(format!("{name}.{}", kind.trim_start_matches("mem_")), value);
            }
        }
        ("loopback_users" | "default_user_tags", Term::List(names)) if !names.is_empty() => {
            for each in names.iter().filter_map(Term::text) {
                tell(format!("{name}.{each}"), "true");
            }
        }
        ("default_permissions", Term::List(patterns)) => {
            for (right, pattern) in ["configure", "write", "read"].iter().zip(patterns) {
                tell(format!("{name}.{right}"), pattern.text().unwrap_or_default());
            }
        }
        ("log_levels", Term::List(levels)) => {
            for level in levels {
                if let Term::Tuple(pair) = level
                    && let [Term::Text(category), Term::Text(level)] = pair.as_slice()
                {
                    tell(format!("log.{category}.level"), level);
                }
            }
        }
        ("tcp_listen_options.linger", Term::Tuple(pair)) => {
            for (part, value) in ["on", "timeout"].iter().zip(pair) {
                tell(format!("{name}.{part}"), value.text().unwrap_or_default());
            }
        }
        (_, Term::Text(text)) => tell(name, text),
        // An address with its port.
        (_, Term::Tuple(parts)) => {
            let parts: Vec<&str> = parts.iter().filter_map(Term::text).collect();
            tell(name, &parts.join(":"));
        }
        (_, Term::List(list)) if list.is_empty() => tell(name, "none"),
        (_, Term::List(list)) => {
            let is_listener = name.starts_with("listeners.");
            for (at, each) in list.iter().enumerate() {
                match each {
                    Term::Tuple(pair) if !is_listener => match pair.as_slice() {
                        [Term::Text(key), value] => settings(format!("{name}.{key}"), value, told),
                        _ => settings(name.clone(), each, told),
                    },
                    each => settings(format!("{name}.{}", at + 1), each, told),
                }
            }
        }
    }
}

/// What is still to be read.
struct Cursor<'a>(Peekable<Chars<'a>>);

impl Cursor<'_> {
    fn blanks(&mut self) -> Option<char> {
        while self.0.next_if(|c| c.is_whitespace()).is_some() {}
        self.0.peek().copied()
    }

    fn is_at_switch(&mut self) -> bool {
        let next = self.blanks();
        let mut ahead = self.0.clone();
        let negative = next == Some('-') && ahead.nth(1).is_some_and(|c| c.is_ascii_digit());
        matches!(next, Some('-' | '+')) && !negative
    }

    /// A word up to a blank.
    fn argument(&mut self) -> Option<String> {
        self.blanks()?;
        Some(std::iter::from_fn(|| self.0.next_if(|c| !c.is_whitespace())).collect())
    }

    fn term(&mut self, depth: usize) -> Option<Term> {
        if depth > DEPTH_MAX {
            return None;
        }
        match self.blanks()? {
            '[' => Some(Term::List(self.several(']', depth)?)),
            '{' => Some(Term::Tuple(self.several('}', depth)?)),
            quote @ ('"' | '\'') => Some(Term::Text(self.quoted(quote)?)),
            '<' => {
                self.expect("<<")?;
                let text = match self.blanks()? {
                    '>' => String::new(),
                    _ => self.quoted('"')?,
                };
                self.blanks()?;
                self.expect(">>")?;
                Some(Term::Text(text))
            }
            _ => {
                let ends = |c: &char| c.is_whitespace() || (depth > 0 && ",]}".contains(*c));
                let word: String = std::iter::from_fn(|| self.0.next_if(|c| !ends(c))).collect();
                (!word.is_empty()).then_some(Term::Text(word))
            }
        }
    }

    fn several(&mut self, end: char, depth: usize) -> Option<Vec<Term>> {
        self.0.next();
        let mut terms = Vec::new();
        if self.blanks()? == end {
            self.0.next();
            return Some(terms);
        }
        loop {
            terms.push(self.term(depth + 1)?);
            self.blanks()?;
            match self.0.next()? {
                ',' => {}
                c if c == end => return Some(terms),
                _ => return None,
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Option<String> {
        self.0.next_if_eq(&quote)?;
        let mut text = String::new();
        loop {
            match self.0.next()? {
                '\\' => text.push(self.0.next()?),
                c if c == quote => return Some(text),
                c => text.push(c),
            }
        }
    }

    fn expect(&mut self, text: &str) -> Option<()> {
        text.chars().try_for_each(|c| self.0.next_if_eq(&c).map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(text: &str) -> String {
        let ErlangArguments { settings, others, mistake } = read(text);
        let settings = settings.iter().map(|(name, value)| format!("{name} = {value}"));
        let others = others.iter().map(|other| format!("({other})"));
        settings.chain(others).chain(mistake).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn settings_have_the_names_of_rabbitmq_conf() {
        for (text, expected) in [
            ("", ""),
            (
                "-rabbit log_levels [{connection,error},{default,warning}] disk_free_limit 2147483648",
                "log.connection.level = error; log.default.level = warning; disk_free_limit.absolute = 2147483648",
            ),
            ("-rabbit disk_free_limit {mem_relative, 1.0}", "disk_free_limit.relative = 1.0"),
            ("-rabbit vm_memory_high_watermark 0.4", "vm_memory_high_watermark.relative = 0.4"),
            (
                "-rabbit vm_memory_high_watermark {absolute,\"1GB\"}",
                "vm_memory_high_watermark.absolute = 1GB",
            ),
            ("-rabbit loopback_users []", "loopback_users = none"),
            ("-rabbit loopback_users [<<\"guest\">>]", "loopback_users.guest = true"),
            (
                "-rabbitmq_management load_definitions \"/etc/a b.json\"",
                "management.load_definitions = /etc/a b.json",
            ),
            (
                "-rabbitmq_management load_definitions '/opt/d.json'",
                "management.load_definitions = /opt/d.json",
            ),
            (
                "-rabbitmq_management load_definitions /opt/d.json",
                "management.load_definitions = /opt/d.json",
            ),
            ("'-rabbit consumer_timeout undefined'", "consumer_timeout = undefined"),
            ("\"-rabbit heartbeat 0\"", "heartbeat = 0"),
            (
                "-rabbit tcp_listeners [5673,{\"127.0.0.1\",5674}] ssl_listeners []",
                "listeners.tcp.1 = 5673; listeners.tcp.2 = 127.0.0.1:5674; listeners.ssl = none",
            ),
            (
                "-rabbit ssl_options [{certfile,\"/c\"},{versions,['tlsv1.2','tlsv1.3']}]",
                "ssl_options.certfile = /c; ssl_options.versions.1 = tlsv1.2; ssl_options.versions.2 = tlsv1.3",
            ),
            (
                "-rabbit tcp_listen_options [{backlog,128},{linger,{true,0}}] default_permissions [\".*\",\"a\",\"b\"]",
                "tcp_listen_options.backlog = 128; tcp_listen_options.linger.on = true; \
                 tcp_listen_options.linger.timeout = 0; default_permissions.configure = .*; \
                 default_permissions.write = a; default_permissions.read = b",
            ),
            (
                "-rabbit log [{console,[{enabled,true},{level,debug}]}] default_user <<\"me\">> default_pass <<>>",
                "log.console = true; log.console.level = debug; default_user = me; default_pass = ",
            ),
            (
                "+P 1048576 -kernel x 1 -rabbit connection_max 5 +S 2:2 -rabbitmq_prometheus tcp_config [{port,1}]",
                "max_connections = 5; prometheus.tcp.port = 1; (+P); (-kernel); (+S)",
            ),
            ("-rabbit heartbeat", "expected a term of Erlang behind '-rabbit heartbeat'"),
            ("-rabbit a [1", "expected a term of Erlang behind '-rabbit a'"),
            ("-rabbit a {x,\"}", "expected a term of Erlang behind '-rabbit a'"),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(-rabbit |a |[\\[\\]{}<>,\"'\\\\ 0-9.+-]|é){0,60}") {
            read(&text);
        }
    }
}
