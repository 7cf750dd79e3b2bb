//! Variables of RabbitMQ, of its images and of Bitnami's, that are not one key each.

use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::erlang_arguments;
use super::given::{Given, Mistake, Origin};
use super::key::Key;
use super::keys::keys;
use super::rabbitmq_conf::RabbitmqConf;

/// Those that say where its files are.
pub(super) const CONFIG_FILE: &str = "RABBITMQ_CONFIG_FILE";
pub(super) const CONFIG_FILES: &str = "RABBITMQ_CONFIG_FILES";
pub(super) const ADVANCED_CONFIG_FILE: &str = "RABBITMQ_ADVANCED_CONFIG_FILE";
const MNESIA_DIR: &str = "RABBITMQ_MNESIA_DIR";
const MNESIA_BASE: &str = "RABBITMQ_MNESIA_BASE";
/// Where a broker keeps its data below the directory that one of the two names: there RabbitMQ's data may be as well.
const OURS: &str = "leveret";

/// Those that say which plugins are to be there.
const PLUGINS: [&str; 2] = ["RABBITMQ_ENABLED_PLUGINS", "RABBITMQ_PLUGINS"];
const PLUGINS_FILE: &str = "RABBITMQ_ENABLED_PLUGINS_FILE";

const ARGUMENTS: &str = "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS";

const PORT: [&str; 2] = ["RABBITMQ_NODE_PORT", "RABBITMQ_NODE_PORT_NUMBER"];
const ADDRESS: &str = "RABBITMQ_NODE_IP_ADDRESS";
const LOG: &str = "RABBITMQ_LOG";
const LOGS: &str = "RABBITMQ_LOGS";
/// Bitnami's: with how little of the disk free, as a share of the memory.
const DISK_SHARE: &str = "RABBITMQ_DISK_FREE_RELATIVE_LIMIT";
const LOAD: &str = "RABBITMQ_LOAD_DEFINITIONS";
const DEFINITIONS: &str = "RABBITMQ_DEFINITIONS_FILE";
/// Where Bitnami's image has definitions unless that is said.
const DEFINITIONS_OF_BITNAMI: &str = "/app/load_definition.json";

/// Sections of TLS by the prefixes of their variables, with the list or the place that says where it is spoken, and the port by
/// custom.
const TLS: [(&str, &str, &str, &str, &str); 2] = [
    ("RABBITMQ_SSL", "tls", "listeners.tls", "5671", "RABBITMQ_NODE_SSL_PORT_NUMBER"),
    (
        "RABBITMQ_MANAGEMENT_SSL",
        "management.tls",
        "management.tls.listen",
        "15671",
        "RABBITMQ_MANAGEMENT_SSL_PORT_NUMBER",
    ),
];
const TLS_SETTINGS: [&str; 6] =
    ["CACERTFILE", "CERTFILE", "KEYFILE", "VERIFY", "FAIL_IF_NO_PEER_CERT", "DEPTH"];

/// What Erlang's nodes know each other by. There is one node, and whoever sets it need not be told.
const COOKIES: [&str; 2] = ["RABBITMQ_ERLANG_COOKIE", "RABBITMQ_ERL_COOKIE"];

/// Whether a variable is read, or need not be.
pub(super) fn is_known(name: &str) -> bool {
    let mut others = [CONFIG_FILE, CONFIG_FILES, ADVANCED_CONFIG_FILE, MNESIA_DIR, MNESIA_BASE].into_iter();
    let more = [PLUGINS_FILE, ARGUMENTS, ADDRESS, LOG, LOGS, LOAD, DEFINITIONS, DISK_SHARE];
    let of_tls = TLS.iter().any(|(prefix, .., port)| {
        let setting = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_'));
        setting.is_some_and(|setting| TLS_SETTINGS.contains(&setting)) || name == *port
    });
    others.any(|other| other == name)
        || of_tls
        || more.contains(&name)
        || PORT.contains(&name)
        || PLUGINS.contains(&name)
        || COOKIES.contains(&name)
}

/// Where variables of RabbitMQ have the data be, and which of them: `variable` knows them.
pub(crate) fn data_dir(variable: impl Fn(&str) -> Option<String>) -> Option<(&'static str, PathBuf)> {
    [MNESIA_DIR, MNESIA_BASE]
        .into_iter()
        .find_map(|name| Some((name, Path::new(&variable(name)?).join(OURS))))
}

impl Environment {
    /// What RabbitMQ's variables say of our keys, and what of that is nothing.
    pub(super) fn of_rabbitmq(&self) -> (Vec<Given>, Vec<Mistake>, Vec<String>) {
        let mut reading = Reading::of(self);
        reading.data_dir();
        reading.listeners();
        reading.log();
        reading.definitions();
        reading.disk_free_share();
        for (prefix, section, listen, port, own_port) in TLS {
            reading.tls(prefix, section, (listen, port, own_port));
        }
        reading.erlang_arguments();
        (reading.given, reading.mistakes, reading.remarks)
    }

    /// The names of plugins that are to be enabled, and the file that has more of them, as variables say.
    pub fn plugins(&self) -> (Vec<&str>, Option<PathBuf>) {
        let lists = PLUGINS.iter().filter_map(|name| self.get(name));
        let names = lists.flat_map(|list| list.split([',', ' ', ';'])).filter(|name| !name.is_empty());
        (names.collect(), self.get(PLUGINS_FILE).map(PathBuf::from))
    }
}

struct Reading<'a> {
    environment: &'a Environment,
    given: Vec<Given>,
    mistakes: Vec<Mistake>,
    remarks: Vec<String>,
}

impl<'a> Reading<'a> {
    fn of(environment: &'a Environment) -> Self {
        Self { environment, given: Vec::new(), mistakes: Vec::new(), remarks: Vec::new() }
    }

    fn give(&mut self, key: &str, variable: &str, texts: &[&str]) {
        if let Some(key) = Key::named(key) {
            let origin = Origin::Variable(variable.to_owned());
            self.given.push(Given {
                key,
                texts: texts.iter().map(|text| (*text).to_owned()).collect(),
                origin,
            });
        }
    }

    fn data_dir(&mut self) {
        let found = data_dir(|name| self.environment.get(name).map(str::to_owned));
        if let Some((name, path)) = found {
            self.give("data_dir", name, &[&path.to_string_lossy()]);
        }
    }

    fn listeners(&mut self) {
        let set = |name: &&'static str| Some((*name, self.environment.get(name)?));
        let address = self.environment.get(ADDRESS);
        let (name, port) = match PORT.iter().find_map(set) {
            Some(found) => found,
            None if address.is_some() => (ADDRESS, "5672"),
            None => return,
        };
        match address {
            None => self.give("listeners.tcp", name, &[port]),
            Some(address) if address.contains(':') => {
                self.give("listeners.tcp", name, &[&format!("[{address}]:{port}")]);
            }
            Some(address) => self.give("listeners.tcp", name, &[&format!("{address}:{port}")]),
        }
    }

    fn log(&mut self) {
        if let Some(levels) = self.environment.get(LOG) {
            self.levels(levels);
        }
        match self.environment.get(LOGS) {
            None => {}
            Some("-" | "-stderr") => self.give("log.console.enabled", LOGS, &["true"]),
            Some(path) => self.give("log.file.path", LOGS, &[path]),
        }
    }

    /// `debug`, `connection=debug,channel=info`, `+json`.
    fn levels(&mut self, text: &str) {
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (category, level) =
                part.split_once('=').map_or((None, part), |(category, level)| (Some(category), level));
            let key = match category {
                None | Some("default") => "log.level".to_owned(),
                Some(category) => format!("log.{category}.level"),
            };
            match (category, level) {
                (None, "+json") => self.give("log.format", LOG, &["json"]),
                (None, "-json") => self.give("log.format", LOG, &["human"]),
                (None, "+color" | "-color" | "+single_line" | "-single_line") => {}
                _ => match super::rabbitmq_values::level(level) {
                    // A category that RabbitMQ has and we have not says nothing.
                    Ok(Some(level)) => self.give(&key, LOG, &[&level]),
                    Ok(None) => {}
                    Err(reason) => {
                        let origin = Origin::Variable(LOG.to_owned());
                        self.mistakes.push(Mistake::new(origin, Some(&key), reason));
                    }
                },
            }
        }
    }

    /// Bitnami's image has one variable that says whether, and one that says which.
    fn definitions(&mut self) {
        let Some(said) = self.environment.get(LOAD) else { return };
        if ["yes", "true", "1"].iter().any(|yes| said.eq_ignore_ascii_case(yes)) {
            let path = self.environment.get(DEFINITIONS).unwrap_or(DEFINITIONS_OF_BITNAMI);
            self.give("load_definitions", LOAD, &[path]);
        } else if !["no", "false", "0", ""].iter().any(|no| said.eq_ignore_ascii_case(no)) {
            let origin = Origin::Variable(LOAD.to_owned());
            self.mistakes.push(Mistake::new(origin, Some("load_definitions"), "expected yes or no"));
        }
    }

    /// A whole number is a share of the memory here, and not one of bytes.
    fn disk_free_share(&mut self) {
        let Some(said) = self.environment.get(DISK_SHARE) else { return };
        match super::rabbitmq_values::share(said) {
            Ok(Some(share)) => self.give("disk_free_limit", DISK_SHARE, &[&share]),
            Ok(None) => {}
            Err(reason) => {
                let origin = Origin::Variable(DISK_SHARE.to_owned());
                self.mistakes.push(Mistake::new(origin, Some("disk_free_limit"), reason));
            }
        }
    }

    /// RabbitMQ's images took a certificate for a wish to speak TLS, for AMQP TLS alone, and authorities for one to have clients
    /// known by them.
    fn tls(&mut self, prefix: &str, section: &str, (listen, port, own_port): (&str, &str, &str)) {
        let certificate = format!("{prefix}_CERTFILE");
        if self.environment.get(&certificate).is_some() {
            let (name, port) =
                self.environment.get(own_port).map_or((&*certificate, port), |port| (own_port, port));
            self.give(listen, name, &[port]);
            if section == "tls" {
                if !PORT.iter().any(|name| self.environment.get(name).is_some()) {
                    self.give("listeners.tcp", &certificate, &[]);
                }
                let authorities = format!("{prefix}_CACERTFILE");
                if self.environment.get(&authorities).is_some() {
                    self.give("tls.verify", &authorities, &["verify_peer"]);
                    self.give("tls.fail_if_no_peer_cert", &authorities, &["true"]);
                }
                if self.environment.get(&format!("{prefix}_VERIFY")) == Some("verify_none") {
                    self.give("tls.fail_if_no_peer_cert", &authorities, &["false"]);
                }
            }
        }
        for setting in TLS_SETTINGS {
            let name = format!("{prefix}_{setting}");
            if let Some(text) = self.environment.get(&name) {
                self.give(&format!("{section}.{}", setting.to_ascii_lowercase()), &name, &[text]);
            }
        }
    }

    /// They say what a rabbitmq.conf could say.
    fn erlang_arguments(&mut self) {
        let Some(text) = self.environment.get(ARGUMENTS) else { return };
        let read = erlang_arguments::read(text);
        let mut conf = RabbitmqConf::default();
        for (name, value) in &read.settings {
            conf.set(Path::new(ARGUMENTS), name, value);
        }
        let origin = || Origin::Variable(ARGUMENTS.to_owned());
        for key in keys() {
            match conf.of(key) {
                Ok(Some(given)) => self.given.push(Given { origin: origin(), ..given }),
                Ok(None) => {}
                Err(mistake) => self.mistakes.push(Mistake {
                    origin: origin(),
                    reason: format!("{}: {}", mistake.key.as_deref().unwrap_or(key.name), mistake.reason),
                    ..mistake
                }),
            }
        }
        self.mistakes.extend(read.mistake.map(|reason| Mistake::new(origin(), None, reason)));
        let nothing: Vec<&str> =
            conf.ignored().into_iter().chain(read.others.iter().map(String::as_str)).collect();
        if !nothing.is_empty() {
            self.remarks.push(format!("{ARGUMENTS}: what has no meaning here: {}", nothing.join(" ")));
        }
    }
}
