//! The flags of the server: one for each key of the configuration, and the file to read.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser, ValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use crate::config::{Arity, Config, Environment, Given, Key, Origin, Sources, keys};

const CONFIG: &str = "config";

/// What the command line says of the configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct ConfigFlags {
    file: Option<PathBuf>,
    given: Vec<Given>,
}

impl ConfigFlags {
    /// These flags, with the environment of the process.
    pub(super) fn sources(self) -> Sources {
        Sources {
            file: self.file,
            flags: self.given,
            environment: Environment::of_process(),
            ..Sources::default()
        }
    }

    /// What they say of a key.
    #[cfg(test)]
    pub(super) fn given(&self) -> &[Given] {
        &self.given
    }
}

impl Args for ConfigFlags {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(CONFIG)
            .long(CONFIG)
            .short('c')
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help(
                "The configuration file: TOML, or RabbitMQ's if its name ends with .conf. Files of conf.d beside it are \
                 read after it [default: /etc/leveret/leveret.toml, else /etc/rabbitmq/rabbitmq.conf]",
            );
        // The last of a repeated flag counts, so that a wrapper's flags can be overridden.
        // No secrets: whoever lists the processes would read them.
        let keys = keys().filter(|key| !key.field.is_secret());
        keys.fold(command.args_override_self(true).arg(file), |command, key| command.arg(flag(key)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(key: &'static Key) -> Arg {
    let arg = Arg::new(key.flag()).long(key.flag()).value_name(key.field.placeholder()).help(help(key));
    let arg = match heading(key.section()) {
        Some(heading) => arg.help_heading(heading),
        None => arg,
    };
    let choices = key.field.choices();
    match key.field.arity() {
        // Without a value it is `true`.
        Arity::Switch => arg
            .value_parser(PossibleValuesParser::new(choices))
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        Arity::One if !choices.is_empty() => arg.value_parser(PossibleValuesParser::new(choices)),
        Arity::One => arg.value_parser(ValueParser::new(KeyValue(key))),
        Arity::List => {
            arg.value_parser(ValueParser::new(KeyValue(key))).action(ArgAction::Append).value_delimiter(',')
        }
    }
}

fn heading(section: &str) -> Option<&'static str> {
    match section.split('.').next() {
        Some("listeners" | "tcp") => Some("Listeners"),
        Some("log") => Some("Log"),
        _ => None,
    }
}

/// What it means, and what happens without it.
fn help(key: &Key) -> String {
    let default = match key.unset {
        Some(unset) => unset.to_owned(),
        None => key.shown(&Config::default()).to_string(),
    };
    format!("{} [default: {default}]", key.doc.trim_end_matches('.'))
}

/// Lets a value through that its key can read.
#[derive(Clone)]
struct KeyValue(&'static Key);

impl TypedValueParser for KeyValue {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, Error> {
        let text =
            |value: &std::ffi::OsStr| value.to_str().map(str::to_owned).ok_or("expected text in UTF-8");
        let read = text(value).map_err(str::to_owned).and_then(|text| {
            // Between the commas of a list there may be blanks.
            let text = if self.0.field.arity() == Arity::List { text.trim().to_owned() } else { text };
            let texts = [text.clone()];
            self.0.field.set(&mut Config::default(), &texts).map(|()| text)
        });
        read.map_err(|reason| {
            let name = arg.map(ToString::to_string).unwrap_or_default();
            let value = OsString::from(value).to_string_lossy().into_owned();
            Error::raw(
                ErrorKind::ValueValidation,
                format!("invalid value '{value}' for '{name}': {reason}\n"),
            )
            .with_cmd(command)
        })
    }
}

impl FromArgMatches for ConfigFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.file = matches.get_one::<PathBuf>(CONFIG).cloned();
        for key in keys().filter(|key| !key.field.is_secret()) {
            if let Some(values) = matches.get_many::<String>(key.flag()) {
                let texts = values.cloned().collect();
                self.given.push(Given { key, texts, origin: Origin::Flag(key.flag()) });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        flags: ConfigFlags,
    }

    fn config(flags: &[&str]) -> Config {
        let flags =
            Flags::try_parse_from(std::iter::once("leveret").chain(flags.iter().copied())).unwrap().flags;
        let mut config = Config::default();
        for given in flags.given() {
            given.key.field.set(&mut config, &given.texts).unwrap();
        }
        config
    }

    #[test]
    fn without_flags_the_configuration_is_the_default() {
        assert_eq!(config(&[]), Config::default());
    }

    #[test]
    fn every_key_has_a_flag_that_sets_it() {
        for key in keys().filter(|key| !key.field.is_secret()) {
            let shown = key.shown(&Config::default()).to_string();
            let value = key.example.unwrap_or(&shown);
            let flags =
                Flags::try_parse_from(["leveret", &format!("--{}={value}", key.flag())]).unwrap().flags;
            let given: Vec<_> =
                flags.given().iter().map(|given| (given.key.name, given.texts.join(","))).collect();
            assert_eq!(given, [(key.name, value.replace(", ", ","))]);
        }
    }

    #[test]
    fn a_flag_may_be_repeated_and_the_last_one_counts_but_addresses_add_up() {
        let changed = config(&[
            "--listen=127.0.0.1:0",
            "--listen",
            "[::1]:0,5672",
            "--heartbeat=2s",
            "--heartbeat=3",
            "--in-memory",
            "--tcp-nodelay=false",
        ]);
        let mut expected = Config { heartbeat: 3, in_memory: true, ..Config::default() };
        expected.listeners =
            ["127.0.0.1:0", "[::1]:0", "5672"].map(|address| address.parse().unwrap()).into();
        expected.tcp.nodelay = false;
        assert_eq!(changed, expected);
    }
}
