//! A key: what it is called, what it holds, what it means.

use std::sync::LazyLock;

use super::Config;
use super::keys::keys;
use super::kind::{Form, Kind};
use super::shown::Shown;

/// When a value that was changed in a file takes effect after SIGHUP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// At once.
    AtOnce,
    /// For connections that come afterwards.
    NewConnections,
    /// When the broker is started anew.
    Restart,
}

/// Another name of a key, in rabbitmq.conf, and how its values are written there.
pub struct Alias {
    /// The name. One that ends with `.$name` stands for several, each of which gives one value of a list; so does
    /// each `$name` of one that ends with `.$name.$setting`.
    pub name: &'static str,
    /// How the value is written there.
    pub written: Written,
}

/// How a value is written in rabbitmq.conf.
#[derive(Clone, Copy)]
pub enum Written {
    /// As a value, of which this makes one of ours; `None` says nothing of the key.
    As(fn(&str) -> Result<Option<String>, String>),
    /// In the place of `$name`, with `true` or `false` as its value: whether it is one of the list.
    InName,
    /// Of what ends with `.$name.$setting`, one value of a list for each `$name`: words `setting=value`, after one that says
    /// the name if it is to be said.
    Words(Option<&'static str>),
}

/// A setting. Everything that is known of it stands in [`keys()`], and every source and every page of help is made of that.
pub struct Key {
    /// Its name in TOML, with its section: `log.level`.
    pub name: &'static str,
    /// What it decides, in sentences.
    pub doc: &'static str,
    /// The flag, where it is not the name.
    pub own_flag: Option<&'static str>,
    /// What happens when it is not set, where its default is no value.
    pub unset: Option<&'static str>,
    /// A value to show how one looks, where its default is none.
    pub example: Option<&'static str>,
    /// When a change takes effect.
    pub reload: Reload,
    /// Its names in rabbitmq.conf; the first that is there counts.
    pub rabbitmq: &'static [Alias],
    /// RabbitMQ's variables that say it; with `_FILE` behind, they name a file that does.
    pub variables: &'static [&'static str],
    /// Refuses values that can be read and cannot be served.
    pub check: fn(&Config) -> Result<(), String>,
    /// Its place in the configuration.
    pub field: &'static dyn Field,
}

impl Key {
    /// The key with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        keys().find(|key| key.name == name)
    }

    /// Its place in [`keys()`].
    pub fn index(&self) -> usize {
        keys().position(|key| key.name == self.name).unwrap_or(usize::MAX)
    }

    /// The section that it stands in, empty at the top.
    pub fn section(&self) -> &'static str {
        self.name.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// Its name within its section.
    pub fn last_name(&self) -> &'static str {
        self.name.rsplit_once('.').map_or(self.name, |(_, last)| last)
    }

    /// Its flag without dashes: `log-level`. A secret has none in use: whoever lists the processes would read it.
    pub fn flag(&self) -> &'static str {
        FLAGS.get(self.index()).map_or(self.name, |flag| flag.as_str())
    }

    /// Its environment variable: `LEVERET_LOG_LEVEL`.
    pub fn variable(&self) -> &'static str {
        VARIABLES.get(self.index()).map_or(self.name, |variable| variable.as_str())
    }

    /// Its value, or that there is one if it is a secret.
    pub fn shown(&self, config: &Config) -> Shown {
        self.field.show(config)
    }
}

static FLAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let flag = |key: &Key| key.own_flag.map_or_else(|| key.name.replace(['.', '_'], "-"), str::to_owned);
    keys().map(flag).collect()
});

static VARIABLES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let variable = |key: &Key| format!("LEVERET_{}", key.name.replace('.', "_").to_ascii_uppercase());
    keys().map(variable).collect()
});

/// How many values a key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// One, which is true or false.
    Switch,
    /// One.
    One,
    /// A list.
    List,
}

/// A place in the configuration, whatever its type.
pub trait Field: Sync {
    /// How many values it has.
    fn arity(&self) -> Arity;
    /// What stands for a value in help.
    fn placeholder(&self) -> &'static str;
    /// Every value, where there are few.
    fn choices(&self) -> &'static [&'static str];
    /// Whether it is a secret.
    fn is_secret(&self) -> bool;
    /// Sets it from what a source gives.
    fn set(&self, config: &mut Config, texts: &[String]) -> Result<(), String>;
    /// Its value.
    fn show(&self, config: &Config) -> Shown;
    /// Whether two configurations agree on it.
    fn is_same(&self, one: &Config, other: &Config) -> bool;
    /// Takes it over.
    fn copy(&self, from: &Config, to: &mut Config);
}

/// Borrows a place in a configuration.
type Of<T> = fn(&Config) -> &T;
/// Borrows it to change it.
type OfMut<T> = fn(&mut Config) -> &mut T;

/// A value that is always there.
pub(super) struct One<T: 'static>(pub Of<T>, pub OfMut<T>, pub &'static Kind<T>);
/// One that need not be.
pub(super) struct Maybe<T: 'static>(pub Of<Option<T>>, pub OfMut<Option<T>>, pub &'static Kind<T>);
/// A list.
pub(super) struct Many<T: 'static>(pub Of<Vec<T>>, pub OfMut<Vec<T>>, pub &'static Kind<T>);

fn read_one<T>(kind: &Kind<T>, texts: &[String]) -> Result<T, String> {
    match texts {
        [text] => (kind.read)(text),
        _ => Err("expected one value".to_owned()),
    }
}

impl<T: Clone + PartialEq> Field for One<T> {
    fn arity(&self) -> Arity {
        if self.2.form == Form::Switch { Arity::Switch } else { Arity::One }
    }

    fn placeholder(&self) -> &'static str {
        self.2.placeholder
    }

    fn choices(&self) -> &'static [&'static str] {
        self.2.choices
    }

    fn is_secret(&self) -> bool {
        self.2.form == Form::Secret
    }

    fn set(&self, config: &mut Config, texts: &[String]) -> Result<(), String> {
        *(self.1)(config) = read_one(self.2, texts)?;
        Ok(())
    }

    fn show(&self, config: &Config) -> Shown {
        (self.2.show)((self.0)(config))
    }

    fn is_same(&self, one: &Config, other: &Config) -> bool {
        (self.0)(one) == (self.0)(other)
    }

    fn copy(&self, from: &Config, to: &mut Config) {
        (self.1)(to).clone_from((self.0)(from));
    }
}

impl<T: Clone + PartialEq> Field for Maybe<T> {
    fn arity(&self) -> Arity {
        Arity::One
    }

    fn placeholder(&self) -> &'static str {
        self.2.placeholder
    }

    fn choices(&self) -> &'static [&'static str] {
        self.2.choices
    }

    fn is_secret(&self) -> bool {
        self.2.form == Form::Secret
    }

    fn set(&self, config: &mut Config, texts: &[String]) -> Result<(), String> {
        *(self.1)(config) = Some(read_one(self.2, texts)?);
        Ok(())
    }

    fn show(&self, config: &Config) -> Shown {
        (self.0)(config).as_ref().map_or(Shown::Unset, self.2.show)
    }

    fn is_same(&self, one: &Config, other: &Config) -> bool {
        (self.0)(one) == (self.0)(other)
    }

    fn copy(&self, from: &Config, to: &mut Config) {
        (self.1)(to).clone_from((self.0)(from));
    }
}

impl<T: Clone + PartialEq> Field for Many<T> {
    fn arity(&self) -> Arity {
        Arity::List
    }

    fn placeholder(&self) -> &'static str {
        self.2.placeholder
    }

    fn choices(&self) -> &'static [&'static str] {
        self.2.choices
    }

    fn is_secret(&self) -> bool {
        self.2.form == Form::Secret
    }

    fn set(&self, config: &mut Config, texts: &[String]) -> Result<(), String> {
        let list = texts.iter().map(|text| (self.2.read)(text)).collect::<Result<_, _>>()?;
        *(self.1)(config) = list;
        Ok(())
    }

    fn show(&self, config: &Config) -> Shown {
        let list = (self.0)(config);
        if self.2.form == Form::Secret && !list.is_empty() {
            return Shown::Hidden;
        }
        Shown::List(list.iter().map(self.2.show).collect())
    }

    fn is_same(&self, one: &Config, other: &Config) -> bool {
        (self.0)(one) == (self.0)(other)
    }

    fn copy(&self, from: &Config, to: &mut Config) {
        (self.1)(to).clone_from((self.0)(from));
    }
}
