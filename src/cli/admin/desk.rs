//! The broker that a command is for, and how to show what it says.

use std::time::Duration;

use serde_json::Value;

use super::words::Words;
use crate::auth::Secret;
use crate::cli::client::{ANSWER_TIME, Client, Endpoint, Login, Request, Target, path};
use crate::cli::failure::Failure;
use crate::cli::output::print;
use crate::cli::target::TargetFlags;

/// Who asks where nothing is said.
const GUEST: &str = "guest";

/// A command's desk.
pub(super) struct Desk {
    pub(super) words: Words,
    client: Client,
}

impl Desk {
    /// The broker that the switches name; without any of them, the one that every other command finds.
    pub(super) fn new(words: Words) -> Result<Self, Failure> {
        let named = ["host", "port", "base-uri", "username", "password", "path-prefix", "tls"];
        let target = if named.iter().any(|name| words.setting(name).is_some()) {
            target(&words)?
        } else {
            TargetFlags::default().resolve()?.target
        };
        Ok(Self { words, client: Client::new(target)? })
    }

    /// The virtual host that is meant.
    pub(super) fn vhost(&self) -> String {
        self.words.setting("vhost").or_else(|| self.words.find(&["vhost"])).unwrap_or("/").to_owned()
    }

    pub(super) fn get(&mut self, parts: &[&str]) -> Result<Value, Failure> {
        self.client.get(&path(parts))
    }

    pub(super) fn put(&mut self, parts: &[&str], body: &Value) -> Result<Value, Failure> {
        self.ask(&Request::put(path(parts), body))
    }

    pub(super) fn post(&mut self, parts: &[&str], body: &Value) -> Result<Value, Failure> {
        self.ask(&Request::post(path(parts), body))
    }

    /// Deletes what is there; that it is not is no failure where that is said.
    pub(super) fn delete(&mut self, parts: &[&str]) -> Result<(), Failure> {
        let idempotently = self.words.has("idempotently");
        match self.ask(&Request::delete(path(parts))) {
            Err(failure) if !(idempotently && failure.is_absence()) => Err(failure),
            _ => Ok(()),
        }
    }

    pub(super) fn ask(&mut self, request: &Request) -> Result<Value, Failure> {
        self.client.ask(request)?.json()
    }

    /// Says what was done, unless nothing is to be said.
    pub(super) fn say(&self, what: &str) -> Result<(), Failure> {
        if self.words.has("quiet") { Ok(()) } else { print(&format!("{what}\n")) }
    }
}

fn target(words: &Words) -> Result<Target, Failure> {
    let tls = words.has("tls");
    let scheme = if tls { "https" } else { "http" };
    let host = words.setting("host").unwrap_or("localhost");
    // An IPv6 address needs its brackets.
    let host =
        if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    let port = words.setting("port").map(|port| format!(":{port}")).unwrap_or_default();
    let prefix = words.setting("path-prefix").map(|prefix| prefix.trim_matches('/')).unwrap_or_default();
    let url = match words.setting("base-uri") {
        Some(url) => url.to_owned(),
        None => format!("{scheme}://{host}{port}/{prefix}"),
    };
    let (endpoint, of_url) =
        Endpoint::read(&url).map_err(|why| Failure::usage("that is no place of a broker").because(why))?;
    let given = words.setting("username").or(words.setting("password")).is_some();
    let login = match of_url {
        Some(login) if !given => login,
        _ => Login {
            user: words.setting("username").unwrap_or(GUEST).to_owned(),
            password: Secret::new(words.setting("password").unwrap_or(GUEST).as_bytes()),
        },
    };
    let seconds = words.setting("timeout").map(str::parse).transpose();
    let seconds = seconds.map_err(|_| Failure::usage("--timeout takes a whole number of seconds"))?;
    Ok(Target {
        endpoints: vec![endpoint],
        login: Some(login),
        ca_file: words.setting("ca-file").map(Into::into),
        answer_time: seconds.map_or(ANSWER_TIME, Duration::from_secs),
    })
}
