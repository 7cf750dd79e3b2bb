//! RabbitMQ's own format: `rabbitmq.conf`, a key and a value a line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Config;
use super::given::{Given, Mistake, Origin};
use super::key::{Alias, Arity, Key, Written};
use super::keys::keys;
use super::nearest::slip_of;

/// An alias with this end stands for several names.
const OF_SEVERAL: &str = ".$name";

/// Names that say nothing here, and why that is no loss, or what to do.
const EXPLAINED: [(&str, &str); 2] = [
    (
        "vm_memory_high_watermark_paging_ratio",
        "what waits leaves memory long before memory_limit, from backlog_memory on",
    ),
    (
        "vm_memory_calculation_strategy",
        "what is live is counted where it is allocated, and what is resident beyond that",
    ),
];

/// A line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    name: String,
    value: String,
    line: usize,
}

/// Reads lines: `key = value`, empty ones, and comments, which begin with `#` wherever it stands. A value in single quotes may
/// have a `#` in it.
pub(super) fn lines(path: &Path, text: &str) -> (Vec<Setting>, Vec<Mistake>) {
    let (mut settings, mut mistakes) = (Vec::new(), Vec::new());
    for (at, text) in text.lines().enumerate() {
        let line = at + 1;
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let mut refuse = |key: Option<&str>, reason: &str| {
            let origin = Origin::File { path: path.to_owned(), line };
            mistakes.push(Mistake::new(origin, key, reason));
        };
        let Some((name, rest)) = text.split_once('=') else {
            refuse(None, "expected a key, '=' and a value");
            continue;
        };
        let name = name.trim_end();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-\\$%".contains(c)) {
            refuse(Some(name), "expected a key of letters, digits and points before '='");
            continue;
        }
        match value(rest.trim_start()) {
            "" => refuse(Some(name), "expected a value behind '='"),
            value => settings.push(Setting { name: name.to_owned(), value: value.to_owned(), line }),
        }
    }
    (settings, mistakes)
}

fn value(rest: &str) -> &str {
    if let Some((quoted, behind)) = rest.strip_prefix('\'').and_then(|rest| rest.split_once('\'')) {
        let behind = behind.trim_start();
        if behind.is_empty() || behind.starts_with('#') {
            return quoted;
        }
    }
    rest.split('#').next().unwrap_or_default().trim_end()
}

/// Files of this format, read one after the other: what a later one says of a name holds.
#[derive(Debug, Default)]
pub(super) struct RabbitmqConf {
    settings: BTreeMap<String, (PathBuf, Setting)>,
}

impl RabbitmqConf {
    /// Reads one more file.
    pub(super) fn add(&mut self, path: &Path, text: &str) -> Vec<Mistake> {
        let (settings, mistakes) = lines(path, text);
        for setting in settings {
            self.settings.insert(setting.name.clone(), (path.to_owned(), setting));
        }
        mistakes
    }

    /// Takes a setting that stands in no line.
    pub(super) fn set(&mut self, source: &Path, name: &str, value: &str) {
        let setting = Setting { name: name.to_owned(), value: value.to_owned(), line: 0 };
        self.settings.insert(name.to_owned(), (source.to_owned(), setting));
    }

    /// What the files say of our keys.
    pub(super) fn given(&mut self) -> (Vec<Given>, Vec<Mistake>) {
        // RabbitMQ says with two keys what is one here.
        if self.settings.get("tcp_listen_options.linger.on").is_some_and(|(_, on)| on.value == "false") {
            self.settings.remove("tcp_listen_options.linger.timeout");
        }
        let (mut given, mut mistakes) = (Vec::new(), Vec::new());
        for key in keys() {
            match self.of(key) {
                Ok(Some(one)) => given.push(one),
                Ok(None) => {}
                Err(mistake) => mistakes.push(mistake),
            }
        }
        mistakes.extend(self.slips());
        (given, mistakes)
    }

    /// What the files say of a key: several names of one key give a list its values, otherwise the first alias holds.
    pub(super) fn of(&self, key: &'static Key) -> Result<Option<Given>, Mistake> {
        for alias in key.rabbitmq {
            if let Written::Words(name) = alias.written {
                return self.words(key, alias, name);
            }
        }
        let found = key.rabbitmq.iter().flat_map(|alias| {
            let named = self.settings.values().filter(|(_, setting)| is_named(alias, &setting.name));
            named.map(move |(path, setting)| (alias, path, setting))
        });
        let mut given: Option<Given> = None;
        for (alias, path, setting) in found {
            let origin = Origin::File { path: path.clone(), line: setting.line };
            // Read at once, so that a mistake is told of the line and the name that it stands in.
            let texts = texts(alias, setting).and_then(|texts| readable(key, texts));
            let texts = texts.map_err(|reason| Mistake::new(origin.clone(), Some(&setting.name), reason))?;
            let Some(texts) = texts else { continue };
            let is_list = matches!(alias.written, Written::InName) || key.field.arity() == Arity::List;
            match &mut given {
                Some(given) if is_list => given.texts.extend(texts),
                Some(_) => {}
                None => given = Some(Given { key, texts, origin }),
            }
        }
        let none = key.rabbitmq.iter().find_map(|alias| {
            let (path, setting) = self.settings.get(alias.name.strip_suffix(OF_SEVERAL)?)?;
            (setting.value == "none").then(|| Origin::File { path: path.clone(), line: setting.line })
        });
        if let Some(origin) = none {
            given = Some(Given { key, texts: Vec::new(), origin });
        }
        // Some lists are one value of ours.
        Ok(given.map(|given| match key.field.arity() {
            Arity::List => given,
            Arity::One | Arity::Switch => Given { texts: vec![given.texts.join(",")], ..given },
        }))
    }

    /// What the files say of a list whose values are of several lines each, in the order of their names; numbers go by size.
    fn words(&self, key: &'static Key, alias: &Alias, said: Option<&str>) -> Result<Option<Given>, Mistake> {
        let mut groups = BTreeMap::new();
        for (path, setting) in self.settings.values() {
            let Some((name, last)) = grouped(alias, &setting.name) else { continue };
            let rank = (name.parse::<u64>().unwrap_or(u64::MAX), name);
            let first = || {
                let origin = Origin::File { path: path.clone(), line: setting.line };
                let text = said.map_or_else(String::new, |said| format!("{said}={name} "));
                (origin, setting.name.as_str(), text)
            };
            let (.., text) = groups.entry(rank).or_insert_with(first);
            // A blank would end the word; in a pattern this stands for one.
            let value = setting.value.replace(' ', "\\x20");
            for part in [last, "=", &value, " "] {
                text.push_str(part);
            }
        }
        let mut given: Option<Given> = None;
        for (origin, name, text) in groups.into_values() {
            let texts = vec![text.trim_end().to_owned()];
            let read = key.field.set(&mut Config::default(), &texts);
            read.map_err(|reason| Mistake::new(origin.clone(), Some(name), reason))?;
            given.get_or_insert_with(|| Given { key, texts: Vec::new(), origin }).texts.extend(texts);
        }
        Ok(given)
    }

    /// Names that RabbitMQ does not have, and that are nearly ones that mean something here: to take them for some of the
    /// many that mean nothing here would hide the mistake.
    fn slips(&self) -> impl Iterator<Item = Mistake> {
        let unknown = self.settings.values().filter(|(_, setting)| !is_known(&setting.name));
        unknown.filter_map(|(path, setting)| {
            let nearest = Some(slip_of(&setting.name)?);
            let origin = Origin::File { path: path.clone(), line: setting.line };
            Some(Mistake { nearest, ..Mistake::new(origin, Some(&setting.name), "there is no such key") })
        })
    }

    /// Why some of those names say nothing, where somebody may rely on them.
    pub(super) fn explained(&self) -> impl Iterator<Item = String> {
        let there = EXPLAINED.iter().filter(|(name, _)| self.settings.contains_key(*name));
        there.map(|(name, why)| format!("{name} has no effect: {why}"))
    }

    /// The names that say nothing here.
    pub(super) fn ignored(&self) -> Vec<&str> {
        let names = self.settings.keys().map(String::as_str);
        names.filter(|name| !is_known(name)).collect()
    }
}

/// What a line says of a list or of a value: nothing, or several, or none of it.
fn texts(alias: &Alias, setting: &Setting) -> Result<Option<Vec<String>>, String> {
    if setting.value.starts_with("encrypted:") {
        return Err(
            "encrypted values cannot be read: write it in plain, or into a file of its own".to_owned()
        );
    }
    match alias.written {
        Written::As(read) => Ok(read(&setting.value)?.map(|text| vec![text])),
        Written::Words(_) => Ok(None),
        Written::InName => {
            let name = setting.name.rsplit_once('.').map_or("", |(_, name)| name);
            match setting.value.as_str() {
                "true" => Ok(Some(vec![name.to_owned()])),
                "false" => Ok(Some(Vec::new())),
                _ => Err("expected true or false".to_owned()),
            }
        }
    }
}

/// Refuses what the key cannot read.
fn readable(key: &Key, texts: Option<Vec<String>>) -> Result<Option<Vec<String>>, String> {
    match &texts {
        Some(texts) if !texts.is_empty() => key.field.set(&mut Config::default(), texts)?,
        _ => {}
    }
    Ok(texts)
}

fn is_known(name: &str) -> bool {
    let mut aliases = keys().flat_map(|key| key.rabbitmq);
    aliases.any(|alias| is_named(alias, name) || alias.name.strip_suffix(OF_SEVERAL) == Some(name))
        || name == "tcp_listen_options.linger.on"
}

/// The two last parts of a name that stands for a line of a group.
fn grouped<'a>(alias: &Alias, name: &'a str) -> Option<(&'a str, &'a str)> {
    let (name, last) = name.strip_prefix(alias.name.strip_suffix("$name.$setting")?)?.split_once('.')?;
    (!name.is_empty() && !last.is_empty() && !last.contains('.')).then_some((name, last))
}

fn is_named(alias: &Alias, name: &str) -> bool {
    if matches!(alias.written, Written::Words(_)) {
        return grouped(alias, name).is_some();
    }
    match alias.name.strip_suffix("$name") {
        Some(prefix) => name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && !rest.contains('.')),
        None => alias.name == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn conf(texts: &[&str]) -> (Vec<String>, Vec<String>, Vec<String>) {
        let mut conf = RabbitmqConf::default();
        let mut mistakes = Vec::new();
        for (at, text) in texts.iter().enumerate() {
            mistakes.extend(conf.add(Path::new(&format!("{at}.conf")), text));
        }
        let (given, more) = conf.given();
        mistakes.extend(more);
        let given =
            given.iter().map(|one| format!("{} {}={}", one.origin, one.key.name, one.texts.join("|")));
        let mistakes = mistakes.iter().map(ToString::to_string).collect();
        (given.collect(), mistakes, conf.ignored().iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn a_line_is_read_as_rabbitmq_reads_it() {
        let text = "# c\r\nheartbeat = 60 # inline\r\n\n  a.b=ab#cd\n\tc.d =  x y z  \n  # indented\ne\\.f = foo=bar\n\
                    q.1 = 'a#b' # c\nq.2 = 'a#b\nq.3 = 'a' b";
        let (settings, mistakes) = lines(Path::new("f"), text);
        assert_eq!(mistakes, []);
        let read: Vec<_> = settings.iter().map(|s| (s.line, s.name.as_str(), s.value.as_str())).collect();
        assert_eq!(
            read,
            [
                (2, "heartbeat", "60"),
                (4, "a.b", "ab"),
                (5, "c.d", "x y z"),
                (7, "e\\.f", "foo=bar"),
                (8, "q.1", "a#b"),
                (9, "q.2", "'a"),
                (10, "q.3", "'a' b"),
            ]
        );
        for (text, expected) in [
            ("\nnonsense", "f:2: expected a key, '=' and a value"),
            ("a b = c", "f:1: \"a b\": expected a key of letters"),
            ("= c", "f:1: \"\": expected a key of letters"),
            ("a =", "f:1: \"a\": expected a value"),
            ("a = # nothing", "f:1: \"a\": expected a value"),
        ] {
            let (_, mistakes) = lines(Path::new("f"), text);
            assert!(mistakes[0].to_string().starts_with(expected), "{text}: {mistakes:?}");
        }
    }

    #[test]
    fn keys_that_we_have_are_read_and_the_others_are_listed() {
        let (given, mistakes, ignored) = conf(&[
            "listeners.tcp.default = 5673\nlisteners.tcp.local = ::1:5674\nheartbeat = 10\n\
             vm_memory_high_watermark.relative = 0.4\nvm_memory_high_watermark.absolute = 2GB\n\
             handshake_timeout = 5000\nlog.file = false\nlog.console.formatter = json\nmqtt.exchange = x\n",
            "heartbeat = 20\ntcp_listen_options.linger.on = false\ntcp_listen_options.linger.timeout = 5\n\
             tcp_listen_options.backlog = 128\ncollect_statistics_interval = 5000\nnum_acceptors.tcp = 10\nmax_connections = infinity",
        ]);
        assert_eq!(mistakes, Vec::<String>::new());
        assert_eq!(
            given,
            [
                "0.conf:5 memory_limit=2GB",
                "0.conf:6 handshake_timeout=5000ms",
                "1.conf:1 heartbeat=20",
                "0.conf:1 listeners.tcp=5673|[::1]:5674",
                "1.conf:4 tcp.backlog=128",
                "1.conf:5 statistics.interval=5000ms",
                "0.conf:8 log.console.format=json",
            ]
        );
        assert_eq!(ignored, ["mqtt.exchange", "num_acceptors.tcp"]);
    }

    #[test]
    fn a_value_that_cannot_be_read_is_told_under_the_name_it_has_there() {
        for (text, expected) in [
            ("\nlog.default.level = loud", "0.conf:2: \"log.default.level\": expected debug, info, notice"),
            (
                "handshake_timeout = 10s",
                "0.conf:1: \"handshake_timeout\": expected a whole number of milliseconds",
            ),
            (
                "\nvm_memory_high_watermark.absolute = x",
                "0.conf:2: \"vm_memory_high_watermark.absolute\": expected",
            ),
            (
                "listeners.tcp.1 = 1\nlisteners.tcp.2 = x",
                "0.conf:2: \"listeners.tcp.2\": expected an IP address",
            ),
            ("heartbeat = encrypted:abc", "0.conf:1: \"heartbeat\": encrypted values cannot be read"),
        ] {
            let (_, mistakes, _) = conf(&[text]);
            assert_eq!(mistakes.len(), 1);
            assert!(mistakes[0].starts_with(expected), "{mistakes:?}");
        }
    }

    #[test]
    fn a_name_that_is_nearly_one_that_means_something_is_a_mistake() {
        for (text, expected) in [
            (
                "\ndefualt_vhost = x",
                "0.conf:2: \"defualt_vhost\": there is no such key; did you mean \"default_vhost\"?",
            ),
            (
                "listeners.tpc.default = 1",
                "0.conf:1: \"listeners.tpc.default\": there is no such key; did you mean \"listeners.tcp.$name\"?",
            ),
            (
                "ssl_options.certfiel = x",
                "0.conf:1: \"ssl_options.certfiel\": there is no such key; did you mean \"ssl_options.certfile\"?",
            ),
        ] {
            assert_eq!(conf(&[text]).1, [expected]);
        }
        for name in ["ssl_options.hibernate_after", "mqtt.vhost", "log.exchange", "queue_leader_locator"] {
            assert_eq!(conf(&[&format!("{name} = x")]).1, Vec::<String>::new());
        }
    }

    #[test]
    fn names_may_be_the_values() {
        let (given, mistakes, ignored) = conf(&[
            "loopback_users.guest = false\ndefault_user_tags.administrator = true\ndefault_user_tags.x = true\n\
             auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = EXTERNAL\ndefault_pass = 'a#b'\n\
             anonymous_login_user = none\ndefault_permissions.read = ^x",
        ]);
        assert_eq!((mistakes.len(), ignored.len()), (0, 0));
        assert_eq!(
            given,
            [
                "0.conf:6 default_pass=a#b",
                "0.conf:2 default_user_tags=administrator,x",
                "0.conf:1 loopback_users=",
                "0.conf:4 auth_mechanisms=PLAIN|EXTERNAL",
                "0.conf:8 default_permissions.read=^x",
            ]
        );
        let (given, ..) = conf(&["loopback_users = none\nloopback_users.other = true"]);
        assert_eq!(given, ["0.conf:1 loopback_users="]);
        let (given, ..) =
            conf(&["loopback_users.guest = true\nloopback_users.a = true\nloopback_users.b = false"]);
        assert_eq!(given, ["0.conf:2 loopback_users=a|guest"]);
        let (_, mistakes, _) = conf(&["loopback_users.guest = perhaps"]);
        assert_eq!(mistakes, ["0.conf:1: \"loopback_users.guest\": expected true or false"]);
    }

    #[test]
    fn lines_of_one_name_are_one_value() {
        let (given, mistakes, ignored) = conf(&[
            "default_limits.vhosts.10.max_queues = 1\ndefault_limits.vhosts.2.pattern = ^a b\n\
             default_limits.vhosts.2.max_connections = 3\n\
             default_policies.operator.short.vhost_pattern = ^device\ndefault_policies.operator.short.expires = 2m\n\
             default_policies.operator.short.classic_queues.ha_mode = all\nconsumer_timeout = 1800000\n\
             vhost_max = 5\ndefault_queue_type = quorum",
        ]);
        assert_eq!(
            (mistakes.len(), ignored),
            (0, vec!["default_policies.operator.short.classic_queues.ha_mode".to_owned()])
        );
        assert_eq!(
            given,
            [
                "0.conf:8 vhost_max=5",
                "0.conf:9 default_queue_type=quorum",
                "0.conf:7 consumer_timeout=1800000ms",
                "0.conf:3 default_limits.vhosts=max_connections=3 pattern=^a\\x20b|max_queues=1",
                "0.conf:5 default_policies.operator=name=short expires=2m vhost_pattern=^device",
            ]
        );
        let (_, mistakes, _) = conf(&["\ndefault_limits.vhosts.1.max_queues = many"]);
        assert!(
            mistakes[0].starts_with("0.conf:2: \"default_limits.vhosts.1.max_queues\": max_queues: expected")
        );
    }

    #[test]
    fn of_some_names_it_is_said_why_they_say_nothing() {
        let mut conf = RabbitmqConf::default();
        conf.add(
            Path::new("f"),
            "vm_memory_high_watermark_paging_ratio = 0.5\nheartbeat = 5\nmqtt.exchange = x",
        );
        assert_eq!(conf.ignored(), ["mqtt.exchange", "vm_memory_high_watermark_paging_ratio"]);
        assert_eq!(
            conf.explained().collect::<Vec<_>>(),
            ["vm_memory_high_watermark_paging_ratio has no effect: what waits leaves memory long before \
              memory_limit, from backlog_memory on"]
        );
    }

    #[test]
    fn users_of_virtual_hosts_are_read_and_their_passwords_keep_their_blanks() {
        let (given, mistakes, ignored) =
            conf(&["default_users.device.vhost_pattern = ^device\ndefault_users.device.password = 'a #b'\n\
             default_users.device.tags = monitoring\ndefault_users.device.configure = ^$\n\
             total_memory_available_override_value = 2GB"]);
        assert_eq!((mistakes.len(), ignored.len()), (0, 0), "{mistakes:?}");
        assert_eq!(
            given,
            [
                "0.conf:5 total_memory_available_override_value=2GB",
                "0.conf:4 default_users=name=device configure=^$ password=a\\x20#b tags=monitoring \
                 vhost_pattern=^device",
            ]
        );
    }

    #[test]
    fn no_listener_is_none() {
        let (given, mistakes, ignored) = conf(&["listeners.tcp = none"]);
        assert_eq!(
            (given, mistakes.len(), ignored.len()),
            (vec!["0.conf:1 listeners.tcp=".to_owned()], 0, 0)
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z0-9_.=$%'#\\\\ \n\r\u{0}é]{0,200}") {
            let mut conf = RabbitmqConf::default();
            conf.add(Path::new("f"), &text);
            conf.given();
            conf.ignored();
        }
    }
}
