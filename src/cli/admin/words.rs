//! The words of a command line of `rabbitmqadmin`, as both of its versions write them: `declare queue name=orders` and
//! `declare queue --name orders`.

use std::collections::BTreeMap;

use crate::cli::failure::Failure;

/// What a switch is called here, by each of its names. What follows it is its value.
const SETTINGS: [(&str, &[&str]); 13] = [
    ("host", &["-H", "--host"]),
    ("port", &["-P", "--port"]),
    ("username", &["-u", "--username"]),
    ("password", &["-p", "--password"]),
    ("vhost", &["-V", "--vhost"]),
    ("base-uri", &["-U", "--base-uri"]),
    ("path-prefix", &["--path-prefix"]),
    ("ca-file", &["--ssl-ca-cert-file", "--tls-ca-cert-file"]),
    ("format", &["-f", "--format"]),
    ("sort", &["-S", "--sort"]),
    ("timeout", &["--timeout", "--request-timeout"]),
    ("node", &["-N", "--node"]),
    ("depth", &["-d", "--depth"]),
];

/// Those that nothing follows.
const FLAGS: [(&str, &[&str]); 6] = [
    ("tls", &["-s", "--ssl", "--use-tls"]),
    ("quiet", &["-q", "--quiet"]),
    ("reverse", &["-R", "--sort-reverse"]),
    ("help", &["-h", "--help"]),
    ("idempotently", &["--idempotently"]),
    ("non-interactive", &["--non-interactive"]),
];

/// A command line that is read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// The verb, its object, and what else stands by itself.
    pub(super) plain: Vec<String>,
    settings: BTreeMap<&'static str, String>,
    fields: BTreeMap<String, String>,
}

impl Words {
    /// Reads a command line, without the program's name.
    pub(super) fn read(words: impl IntoIterator<Item = String>) -> Result<Self, Failure> {
        let mut read = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let (name, attached) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            let mut value = || {
                attached
                    .clone()
                    .or_else(|| words.next())
                    .ok_or_else(|| Failure::usage(format!("a value is missing behind {name}")))
            };
            if let Some((flag, _)) = FLAGS.iter().find(|(_, names)| names.contains(&name)) {
                read.settings.insert(flag, attached.unwrap_or_else(|| "true".to_owned()));
            } else if let Some((setting, _)) = SETTINGS.iter().find(|(_, names)| names.contains(&name)) {
                let value = value()?;
                read.settings.insert(setting, value);
            } else if let Some(field) = name.strip_prefix("--") {
                let field = field.replace('-', "_");
                let value = value()?;
                read.fields.insert(field, value);
            } else if name.starts_with('-') {
                return Err(Failure::usage(format!("there is no switch {name}")));
            } else if let (Some(value), true, false) = (attached, is_name(name), read.plain.is_empty()) {
                read.fields.insert(name.to_owned(), value);
            } else {
                read.plain.push(word);
            }
        }
        Ok(read)
    }

    /// What a switch says.
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// Whether a switch is on.
    pub(super) fn has(&self, flag: &str) -> bool {
        self.setting(flag) == Some("true")
    }

    /// What is given under one of these names.
    pub(super) fn find(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.fields.get(*name)).map(String::as_str)
    }

    /// The same for what has to be given.
    pub(super) fn field(&self, names: &[&str]) -> Result<&str, Failure> {
        let wanted = names.first().copied().unwrap_or_default();
        self.find(names).ok_or_else(|| {
            Failure::usage(format!("{wanted} is missing"))
                .helped_by(format!("Say {wanted}=VALUE or --{} VALUE.", wanted.replace('_', "-")))
        })
    }

    /// Refuses what is given under a name that means nothing.
    pub(super) fn check(&self, known: &[&str]) -> Result<(), Failure> {
        match self.fields.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(Failure::usage(format!("'{name}' means nothing here"))
                .because(format!("known are {}", known.join(", ")))),
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Words, Failure> {
        Words::read(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn both_versions_say_the_same() {
        let first = read("-u a -p b --vhost=/v declare queue name=q durable=true").unwrap();
        let second = read("--username a --password=b -V /v declare queue --name q --durable true").unwrap();
        assert_eq!(first, second);
        assert_eq!(first.plain, ["declare", "queue"]);
        assert_eq!((first.find(&["name"]), first.setting("vhost")), (Some("q"), Some("/v")));
        let dashed = read("declare binding --routing-key a=b --destination-type queue").unwrap();
        assert_eq!(dashed.find(&["routing_key"]), Some("a=b"));
    }

    #[test]
    fn what_is_missing_or_unknown_is_refused() {
        for line in ["-u", "declare queue --name", "-z list queues"] {
            assert!(read(line).is_err(), "{line}");
        }
        let words = read("declare queue name=q nmae=q").unwrap();
        assert!(words.check(&["name"]).is_err());
        assert!(words.field(&["type"]).unwrap_err().to_string().contains("--type VALUE"));
    }
}
