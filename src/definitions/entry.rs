//! What is defined: one object, whatever it is.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::document::Scope;
use super::exchanges::is_predeclared;
use super::fields::Fields;
use super::path::Finding;
use crate::channel::exception::{self, Subject};
use crate::connection::Environment;
use crate::name::VhostName;
use crate::place::Batch;
use crate::vhost::Vhost;
use crate::vhost::refused::Refused;

/// An object of a document that can be applied.
pub(super) trait Entry {
    /// As it would be exported.
    fn json(&self) -> Value;

    /// What keeps it from being applied, before it is tried.
    fn obstacle(&self, there: &There<'_>) -> Option<Obstacle>;

    /// How it stands to what there is.
    fn standing(&self, environment: &Environment) -> Standing;

    /// Makes it so. Gives what to wait for until that is on the disk.
    fn apply(&self, environment: &Environment) -> Result<Option<Batch>, Obstacle>;

    /// What there is, once it was applied, that others need.
    fn makes(&self) -> Option<Made> {
        None
    }
}

/// Why an object is not applied: with the names of the field that it is for, one within the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    pub(super) at: Vec<String>,
    pub(super) reason: String,
    /// Whether the import ends there. If not, the object is left out, and that is told.
    pub(super) is_mistake: bool,
}

impl Obstacle {
    pub(super) fn mistake(at: &[&str], reason: impl Into<String>) -> Self {
        let at = at.iter().map(|name| (*name).to_owned()).collect();
        Self { at, reason: reason.into(), is_mistake: true }
    }

    pub(super) fn left_out(at: &[&str], reason: impl Into<String>) -> Self {
        Self { is_mistake: false, ..Self::mistake(at, reason) }
    }
}

/// How an object of a document stands to what there is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Standing {
    /// There is none of its name.
    New,
    /// It is so already.
    Same,
    /// It is otherwise, and will be as the document says.
    Differs(Value),
    /// It is otherwise, and stays as it is.
    Stays(Value, String),
}

impl Standing {
    /// Of what is replaced where it differs.
    pub(super) fn of(found: Option<Value>, said: &Value) -> Self {
        match found {
            None => Self::New,
            Some(found) if found == *said => Self::Same,
            Some(found) => Self::Differs(found),
        }
    }
}

/// Something that others need.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Made {
    User(String),
    Vhost(String),
    Exchange(VhostName, String),
    Queue(VhostName, String),
}

/// What there is, and what there would be after what was looked at without being applied.
pub(super) struct There<'e> {
    pub(super) environment: &'e Environment,
    pub(super) made: HashSet<Made>,
}

impl There<'_> {
    pub(super) fn user(&self, name: &str) -> bool {
        self.environment.access.user(name).is_some() || self.made.contains(&Made::User(name.to_owned()))
    }

    pub(super) fn vhost(&self, name: &VhostName) -> bool {
        self.environment.vhosts.get(name.as_str()).is_some()
            || self.made.contains(&Made::Vhost(name.to_string()))
    }

    pub(super) fn exchange(&self, vhost: &VhostName, name: &str) -> bool {
        let found = self.environment.vhosts.get(vhost.as_str());
        let is_promised = || self.made.contains(&Made::Vhost(vhost.to_string()));
        found.map_or_else(
            || is_predeclared(name) && is_promised(),
            |vhost| vhost.exchanges().get(name).is_some(),
        ) || self.made.contains(&Made::Exchange(vhost.clone(), name.to_owned()))
    }

    pub(super) fn queue(&self, vhost: &VhostName, name: &str) -> bool {
        let found = self.environment.vhosts.get(vhost.as_str());
        found.is_some_and(|vhost| vhost.queues().get(name).is_some())
            || self.made.contains(&Made::Queue(vhost.clone(), name.to_owned()))
    }

    /// What is wrong with an object of a virtual host that is not there.
    pub(super) fn no_vhost(&self, vhost: &VhostName) -> Option<Obstacle> {
        (!self.vhost(vhost)).then(|| {
            let vhost = vhost.as_str().escape_debug();
            Obstacle::mistake(
                &["vhost"],
                format!("there is no virtual host '{vhost}': create it first, or add it to vhosts"),
            )
        })
    }

    /// The same for one of a user.
    pub(super) fn no_user(&self, user: &str) -> Option<Obstacle> {
        (!self.user(user)).then(|| {
            let user = user.escape_debug();
            Obstacle::mistake(
                &["user"],
                format!("there is no user '{user}': create it first, or add it to users"),
            )
        })
    }
}

/// What reading an object needs beside it, and what it tells on the way.
pub(super) struct Reading<'r> {
    pub(super) environment: &'r Environment,
    pub(super) scope: &'r Scope,
    pub(super) remarks: Vec<Finding>,
}

/// What became of an object when it was read: nothing if it is left out, which was told if it is worth it.
pub(super) type Read = Result<Option<Box<dyn Entry>>, Finding>;

/// Reads an object of a kind.
pub(super) type Reader = fn(&Fields<'_>, &mut Reading<'_>) -> Read;

/// An object that can be applied.
#[allow(clippy::unnecessary_wraps, reason = "it is what every reader ends with")]
pub(super) fn some(entry: impl Entry + 'static) -> Read {
    Ok(Some(Box::new(entry)))
}

/// The virtual host of that name, which was there a moment ago.
pub(super) fn vhost(environment: &Environment, name: &VhostName) -> Result<Arc<Vhost>, Obstacle> {
    let gone = || Obstacle::mistake(&["vhost"], "the virtual host is gone");
    environment.vhosts.get(name.as_str()).ok_or_else(gone)
}

/// Why a virtual host refuses an object, in RabbitMQ's words.
pub(super) fn refusal(refused: &Refused, subject: Subject<'_>, vhost: &VhostName) -> String {
    let exception = exception::refused(refused, subject, vhost);
    let prefix = format!("{} - ", exception.code.name());
    exception.text.strip_prefix(&prefix).unwrap_or(&exception.text).to_owned()
}
