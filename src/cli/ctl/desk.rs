//! What a command works with: its words, the broker, and what it may say on the way.

use serde_json::Value;

use super::field::Field;
use super::output::Formatter;
use super::trouble::Trouble;
use super::words::Words;
use crate::cli::client::{Client, Request, path};
use crate::cli::output::{escape, print};
use crate::cli::target::TargetFlags;

/// A command's desk.
pub(super) struct Desk {
    words: Words,
    client: Client,
    formatter: Formatter,
    node: Option<String>,
}

/// The virtual host that is meant unless another is named.
const VHOST: &str = "/";

impl Desk {
    /// Nothing is asked of the broker yet. Where it is, `LEVERET_URL` and the contexts say; otherwise it is on this machine.
    pub(super) fn new(words: Words, formatter: Formatter) -> Result<Self, Trouble> {
        let meant = TargetFlags::default().resolve()?;
        let client = Client::new(meant.target)?;
        Ok(Self { words, client, formatter, node: None })
    }

    /// An argument, from 0 on; those that must be there are.
    pub(super) fn argument(&self, at: usize) -> &str {
        self.find(at).unwrap_or_default()
    }

    /// An argument that may not be there.
    pub(super) fn find(&self, at: usize) -> Option<&str> {
        self.words.plain.get(at + 1).map(String::as_str)
    }

    /// The arguments from one on.
    pub(super) fn rest(&self, from: usize) -> Vec<String> {
        self.words.plain.iter().skip(from + 1).cloned().collect()
    }

    pub(super) fn has(&self, switch: &str) -> bool {
        self.words.has(switch)
    }

    pub(super) fn value(&self, switch: &str) -> Option<&str> {
        self.words.value(switch)
    }

    /// The virtual host that is meant.
    pub(super) fn vhost(&self) -> String {
        self.words.value("vhost").unwrap_or(VHOST).to_owned()
    }

    /// Whether nothing is to be said on the way.
    pub(super) fn is_quiet(&self) -> bool {
        self.has("quiet") || self.has("silent") || !self.formatter.is_for_people()
    }

    /// Says what is being done, to people who did not ask to be left alone.
    pub(super) fn say(&self, what: &str) -> Result<(), Trouble> {
        if self.is_quiet() {
            return Ok(());
        }
        Ok(print(&format!("{}\n", escape(what)))?)
    }

    /// The name of the node.
    pub(super) fn node(&mut self) -> Result<String, Trouble> {
        if let Some(node) = &self.node {
            return Ok(node.clone());
        }
        let overview = self.get(&["overview"])?;
        let node = overview.of("node").as_str().unwrap_or_default().to_owned();
        Ok(self.node.insert(node).clone())
    }

    /// What is at a path of these parts.
    pub(super) fn get(&mut self, parts: &[&str]) -> Result<Value, Trouble> {
        Ok(self.client.get(&path(parts))?)
    }

    /// The same for a list.
    pub(super) fn list(&mut self, parts: &[&str]) -> Result<Vec<Value>, Trouble> {
        match self.get(parts)? {
            Value::Array(list) => Ok(list),
            _ => Err(Trouble::data("the broker answered no list")),
        }
    }

    pub(super) fn put(&mut self, parts: &[&str], body: &Value) -> Result<(), Trouble> {
        self.ask(&Request::put(path(parts), body)).map(drop)
    }

    pub(super) fn post(&mut self, parts: &[&str], body: &Value) -> Result<Value, Trouble> {
        self.ask(&Request::post(path(parts), body))
    }

    pub(super) fn delete(&mut self, parts: &[&str]) -> Result<(), Trouble> {
        self.ask(&Request::delete(path(parts))).map(drop)
    }

    /// Has the broker do it; gives what it answered.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Value, Trouble> {
        Ok(self.client.ask(request)?.json()?)
    }

    /// Status and body of an answer, whatever it is.
    pub(super) fn send(&mut self, request: &Request) -> Result<(u16, Value), Trouble> {
        let answer = self.client.send(request)?;
        Ok((answer.status, answer.json()?))
    }

    /// The user with this name; refuses what is about one who is not there.
    pub(super) fn check_user(&mut self, name: &str) -> Result<Value, Trouble> {
        self.get(&["users", name]).map_err(|trouble| trouble.or_absent(Trouble::no_user(name)))
    }

    /// Refuses what is about a virtual host that is not there.
    pub(super) fn check_vhost(&mut self, name: &str) -> Result<(), Trouble> {
        let found = self.get(&["vhosts", name]).map(drop);
        found.map_err(|trouble| trouble.or_absent(Trouble::no_vhost(name)))
    }
}

/// A text of JSON that was given on the command line.
pub(super) fn json(text: &str) -> Result<Value, Trouble> {
    serde_json::from_str(text)
        .map_err(|error| Trouble::unavailable(format!("JSON decoding error. Reason: {error}")))
}
