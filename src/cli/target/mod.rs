//! Which broker a command is for: flags, a saved context, `LEVERET_URL`, or a broker on this machine.

#![allow(clippy::doc_markdown, reason = "help texts are shown as they are written")]

mod contexts;
mod password;
mod sockets;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{StringValueParser, TypedValueParser};

use super::client::{ANSWER_TIME, Endpoint, Login, Target};
use super::failure::Failure;
use crate::auth::Secret;

pub(in crate::cli) use contexts::{Context, Contexts};
pub(in crate::cli) use password::{ask_for, read as read_password};

/// The variables that say which broker is meant. None of them is a key of the server's configuration.
pub(in crate::cli) const URL: &str = "LEVERET_URL";
const CONTEXT: &str = "LEVERET_CONTEXT";
const DATA_DIR: &str = "LEVERET_DATA_DIR";

/// Where the broker is, and as whom to ask it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Broker")]
pub(in crate::cli) struct TargetFlags {
    /// The broker's HTTP API: http://HOST:15672, https://HOST:15671 or unix:///PATH [default: the context in use, else
    /// LEVERET_URL, else a broker on this machine]
    #[arg(long, global = true, value_name = "URL", conflicts_with = "data_dir")]
    pub(in crate::cli) url: Option<String>,
    /// The data directory of a broker on this machine, which needs no password of its owner [default: leveret-data, else
    /// where packages put it]
    #[arg(long, global = true, value_name = "DIR")]
    pub(in crate::cli) data_dir: Option<PathBuf>,
    /// As whom to ask [default: the URL's user; at a URL without one 'guest']
    #[arg(long, global = true, value_name = "NAME")]
    pub(in crate::cli) user: Option<String>,
    /// That user's password; other users of this machine can see it while the command runs: better is --password-file
    #[arg(long, global = true, value_name = "PASSWORD", conflicts_with = "password_file", value_parser = StringValueParser::new().map(secret))]
    password: Option<Secret>,
    /// The file that the password is read from, '-' for standard input; asked for on a terminal unless it is given
    #[arg(long, global = true, value_name = "FILE")]
    pub(in crate::cli) password_file: Option<PathBuf>,
    /// Whose certificates are trusted, PEM [default: those that this machine trusts]
    #[arg(long, global = true, value_name = "FILE")]
    pub(in crate::cli) ca_file: Option<PathBuf>,
    /// A saved broker: see 'leveret context' [default: the one in use]
    #[arg(long, global = true, value_name = "NAME", conflicts_with_all = ["url", "data_dir"])]
    context: Option<String>,
    /// How many seconds an answer may take [default: 120]
    #[arg(long, global = true, value_name = "SECONDS", hide_short_help = true, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
}

/// The broker that is meant, and what else is saved with it.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Meant {
    pub(in crate::cli) target: Target,
    /// The virtual host that commands are about.
    pub(in crate::cli) vhost: Option<String>,
}

impl TargetFlags {
    /// The broker that uses a data directory of this machine; it has `seconds` for an answer.
    pub(in crate::cli) fn of_data_dir(dir: &std::path::Path, seconds: u64) -> Self {
        Self { data_dir: Some(dir.to_owned()), timeout: Some(seconds), ..Self::default() }
    }

    /// The broker that is meant.
    ///
    /// What is said for this command goes before what is said for this shell, that before what is saved for always.
    pub(in crate::cli) fn resolve(&self) -> Result<Meant, Failure> {
        self.resolve_with(|name| std::env::var(name).ok().filter(|value| !value.is_empty()), &Contexts::read)
    }

    fn resolve_with(
        &self,
        variable: impl Fn(&str) -> Option<String>,
        contexts: &dyn Fn() -> Result<Contexts, Failure>,
    ) -> Result<Meant, Failure> {
        if let Some(url) = &self.url {
            return self.at_url("--url", url, None);
        }
        if let Some(dir) = &self.data_dir {
            return self.here(vec![sockets::in_data_dir(dir)]);
        }
        if let Some(name) = self.context.clone().or_else(|| variable(CONTEXT)) {
            return self.in_context(&name, &contexts()?);
        }
        if let Some(url) = variable(URL) {
            return self.at_url(URL, &url, None);
        }
        let contexts = contexts()?;
        if let Some(name) = contexts.in_use() {
            return self.in_context(name, &contexts);
        }
        let said = variable(DATA_DIR).map(PathBuf::from);
        let said = said.or_else(|| Some(crate::config::rabbitmq_data_dir(variable)?.1));
        self.here(sockets::candidates(said))
    }

    fn in_context(&self, name: &str, contexts: &Contexts) -> Result<Meant, Failure> {
        let context = contexts.named(name)?;
        self.at_url(&format!("the context '{name}'"), &context.url, Some(context))
    }

    /// `said_by` names who said the URL, which is not repeated: a password may be in it.
    fn at_url(&self, said_by: &str, url: &str, context: Option<&Context>) -> Result<Meant, Failure> {
        let (endpoint, of_url) = Endpoint::read(url)
            .map_err(|why| Failure::usage(format!("{said_by} is no URL of a broker")).because(why))?;
        let is_socket = matches!(endpoint, Endpoint::Socket(_));
        let of_context = context.and_then(|context| context.user.as_deref());
        let password_file = context.and_then(|context| context.password_file.clone());
        let login = match (self.login(of_context, password_file.as_deref(), &endpoint)?, of_url) {
            (Some(login), _) => Some(login),
            (None, Some(of_url)) => Some(of_url),
            (None, None) if is_socket => None,
            (None, None) => Some(guest()),
        };
        let ca_file = self.ca_file.clone().or_else(|| context.and_then(|context| context.ca_file.clone()));
        let target = Target { endpoints: vec![endpoint], login, ca_file, answer_time: self.answer_time() };
        Ok(Meant { target, vhost: context.and_then(|context| context.vhost.clone()) })
    }

    /// A broker on this machine, which knows who asks.
    fn here(&self, sockets: Vec<PathBuf>) -> Result<Meant, Failure> {
        let endpoints: Vec<Endpoint> = sockets.into_iter().map(Endpoint::Socket).collect();
        let login = match endpoints.first() {
            Some(first) => self.login(None, None, first)?,
            None => None,
        };
        let ca_file = self.ca_file.clone();
        let target = Target { endpoints, login, ca_file, answer_time: self.answer_time() };
        Ok(Meant { target, vhost: None })
    }

    /// The user that is named, with its password.
    fn login(
        &self,
        of_context: Option<&str>,
        file_of_context: Option<&std::path::Path>,
        endpoint: &Endpoint,
    ) -> Result<Option<Login>, Failure> {
        let Some(user) = self.user.as_deref().or(of_context) else {
            if self.password.is_some() || self.password_file.is_some() {
                return Err(Failure::usage("there is a password and nobody to whom it belongs")
                    .helped_by("Say whose it is: --user NAME."));
            }
            return Ok(None);
        };
        let file = self.password_file.as_deref();
        // The context's password is that of the context's user.
        let file = file
            .or(file_of_context.filter(|_| self.user.as_deref().is_none_or(|name| Some(name) == of_context)));
        let password = match (&self.password, file) {
            (Some(password), _) => password.clone(),
            (None, Some(file)) => password::read(file)?,
            (None, None) => password::ask(user, endpoint)?,
        };
        Ok(Some(Login { user: user.to_owned(), password }))
    }

    fn answer_time(&self) -> Duration {
        self.timeout.map_or(ANSWER_TIME, Duration::from_secs)
    }
}

/// Any text may be a password.
fn secret(text: String) -> Secret {
    Secret::new(text.into_bytes())
}

/// Whom a broker that was not configured lets in from its own machine.
fn guest() -> Login {
    Login { user: "guest".to_owned(), password: Secret::new(*b"guest") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(flags: &TargetFlags, variables: &[(&str, &str)], saved: &Contexts) -> String {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        match flags.resolve_with(variable, &|| Ok(saved.clone())) {
            Ok(Meant { target, .. }) => {
                let endpoints: Vec<String> = target.endpoints.iter().map(ToString::to_string).collect();
                let user = target.login.map(|login| format!(" as {}", login.user)).unwrap_or_default();
                format!("{}{user}", endpoints.join(" "))
            }
            Err(failure) => failure.to_string(),
        }
    }

    fn saved(in_use: Option<&str>) -> Contexts {
        let mut contexts = Contexts::default();
        contexts.save("far", Context { url: "https://far".to_owned(), ..Context::default() });
        contexts.save("near", Context { url: "unix:///near.sock".to_owned(), ..Context::default() });
        if let Some(name) = in_use {
            contexts.use_by_default(name).unwrap();
        }
        contexts
    }

    fn flags(change: impl FnOnce(&mut TargetFlags)) -> TargetFlags {
        let mut flags = TargetFlags::default();
        change(&mut flags);
        flags
    }

    #[test]
    fn a_flag_goes_before_a_variable_and_that_before_what_is_saved() {
        let url = (URL, "http://u:p@env:1");
        for (flags, variables, in_use, expected) in [
            (flags(|_| {}), &[url][..], Some("far"), "http://env:1 as u"),
            (flags(|_| {}), &[], Some("far"), "https://far:15671 as guest"),
            (flags(|_| {}), &[(CONTEXT, "near"), url], Some("far"), "/near.sock"),
            (flags(|_| {}), &[("RABBITMQ_MNESIA_BASE", "/base")], None, "/base/leveret/leveret.sock"),
            (
                flags(|_| {}),
                &[("RABBITMQ_MNESIA_BASE", "/base"), (DATA_DIR, "/data")],
                None,
                "/data/leveret.sock",
            ),
            (flags(|f| f.context = Some("near".to_owned())), &[url], None, "/near.sock"),
            (
                flags(|f| f.url = Some("http://flag".to_owned())),
                &[url],
                Some("far"),
                "http://flag:15672 as guest",
            ),
            (flags(|f| f.data_dir = Some("/data".into())), &[url], Some("far"), "/data/leveret.sock"),
            (
                flags(|f| (f.user, f.password) = (Some("me".to_owned()), Some(Secret::new(*b"x")))),
                &[url],
                None,
                "http://env:1 as me",
            ),
        ] {
            assert_eq!(resolved(&flags, variables, &saved(in_use)), expected);
        }
    }

    #[test]
    fn an_answer_may_take_as_long_where_there_is_no_flag_for_it() {
        assert_eq!(TargetFlags::default().answer_time(), ANSWER_TIME);
    }

    #[test]
    fn what_cannot_be_meant_is_said_without_a_password() {
        for (flags, variables, expected) in [
            (
                flags(|_| {}),
                &[(URL, "amqp://u:hidden@h")][..],
                "LEVERET_URL is no URL of a broker: that is where AMQP clients connect; the command line uses the HTTP \
                 API, usually http://HOST:15672",
            ),
            (
                flags(|f| f.password = Some(Secret::new(*b"hidden"))),
                &[],
                "there is a password and nobody to whom it belongs\nSay whose it is: --user NAME.",
            ),
        ] {
            assert_eq!(resolved(&flags, variables, &Contexts::default()), expected);
        }
        let nowhere = resolved(&flags(|f| f.context = Some("nowhere".to_owned())), &[], &saved(None));
        assert!(nowhere.starts_with("there is no context 'nowhere'"), "{nowhere}");
        let shown = format!("{:?}", flags(|f| f.password = Some(Secret::new(*b"hidden"))));
        assert!(!shown.contains("hidden"), "{shown}");
    }
}
