//! What is asked of an endpoint, by whom.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use serde_json::{Map, Value};

use super::failure::Failure;
use super::query::Query;
use super::site::Site;
use super::statistics::Telling;
use crate::auth::{Action, Resource, Tags, User, authorize};
use crate::config::RatesMode;
use crate::connection::Environment;
use crate::connection::operate::{Changed, Unchanged};
use crate::place::Batch;
use crate::vhost::Vhost;

/// A request that may be served.
pub(super) struct Call {
    pub(super) site: Arc<Site>,
    /// Who asks; nobody in particular at an endpoint that needs nothing.
    pub(super) user: Option<Arc<User>>,
    /// Whether that is the operator of this machine, whom no user list knows.
    pub(super) is_operator: bool,
    pub(super) peer: IpAddr,
    pub(super) path: Vec<(String, String)>,
    pub(super) query: Query,
    pub(super) body: Bytes,
    /// What the body is said to be.
    pub(super) content_type: Option<String>,
    /// Why, in words of whoever asks: `X-Reason`.
    pub(super) reason: Option<String>,
}

/// The name of the default exchange in paths.
pub(super) const DEFAULT_EXCHANGE: &str = "amq.default";

impl Call {
    pub(super) fn environment(&self) -> &Environment {
        &self.site.environment
    }

    /// What is told of how fast things happen.
    pub(super) fn telling(&self) -> Telling {
        Telling::asked(&self.query, self.environment().config().statistics.rates_mode == RatesMode::None)
    }

    /// Whether what a channel does with each exchange and queue is told.
    pub(super) fn tells_details(&self) -> bool {
        self.environment().config().statistics.rates_mode == RatesMode::Detailed
    }

    /// Whether it is told what things do, and not only what there is.
    pub(super) fn tells_statistics(&self) -> bool {
        let config = self.environment().config();
        !(config.statistics.disabled
            || config.statistics.collector_disabled
            || self.query.is_true("disable_stats"))
    }

    /// The same of an endpoint that makes no sense otherwise.
    pub(super) fn needs_statistics(&self) -> Result<(), Failure> {
        let disabled = || Failure::bad_request("Stats in management UI are disabled on this node");
        if self.tells_statistics() { Ok(()) } else { Err(disabled()) }
    }

    /// Who asks.
    pub(super) fn user(&self) -> Result<&Arc<User>, Failure> {
        self.user.as_ref().ok_or_else(|| Failure::not_authenticated("Not_Authorized"))
    }

    /// What stands in the path for a name, if that is in it.
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.path.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The same for a name that is in it.
    pub(super) fn part(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// The same for an exchange: the default one has another name in paths than on the wire.
    pub(super) fn exchange(&self, name: &str) -> &str {
        match self.part(name) {
            DEFAULT_EXCHANGE => "",
            name => name,
        }
    }

    /// The virtual host in the path; 404 when there is none.
    pub(super) fn vhost(&self) -> Result<Arc<Vhost>, Failure> {
        self.environment().vhosts.get(self.part("vhost")).ok_or_else(Failure::no_object)
    }

    /// The virtual host in the path, or those that the user may enter; in the order of their names. All of them for whoever
    /// may see everything.
    pub(super) fn vhosts(&self) -> Result<Vec<Arc<Vhost>>, Failure> {
        if self.find("vhost").is_some() {
            return Ok(vec![self.vhost()?]);
        }
        let mut vhosts = self.environment().vhosts.all();
        vhosts.retain(|vhost| self.sees(vhost));
        vhosts.sort_by(|one, other| one.name().cmp(other.name()));
        Ok(vhosts)
    }

    /// Whether what is in a virtual host is listed for the user.
    pub(super) fn sees(&self, vhost: &Vhost) -> bool {
        let Some(user) = &self.user else { return false };
        has_any(user, &[Tags::ADMINISTRATOR, MONITORING])
            || may_enter(self.environment(), user, vhost.name().as_str())
    }

    /// The body, which is an object; nothing counts as an empty one.
    pub(super) fn object(&self) -> Result<Map<String, Value>, Failure> {
        match self.body.trim_ascii() {
            b"" | b"null" | b"undefined" => return Ok(Map::new()),
            _ => {}
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) if object.values().all(|value| is_within(value, NESTING_MAX)) => {
                Ok(object)
            }
            Ok(Value::Object(_)) => Err(Failure::bad_request("nested_too_deeply")),
            Ok(Value::String(_)) => Err(Failure::bad_request(
                "invalid payload: the request body JSON-decoded to a string. Is the input doubly-JSON-encoded?",
            )),
            Ok(_) | Err(_) => Err(Failure::bad_request("not_json")),
        }
    }

    /// The same; these keys have to be in it.
    pub(super) fn object_with(&self, keys: &[&str]) -> Result<Map<String, Value>, Failure> {
        let object = self.object()?;
        let missing: Vec<&str> = keys.iter().copied().filter(|key| !object.contains_key(*key)).collect();
        if missing.is_empty() { Ok(object) } else { Err(Failure::missing_keys(&missing)) }
    }

    /// Waits until a change is on the disk.
    pub(super) fn wait(&self, until: Option<Batch>) -> Result<(), Failure> {
        if self.environment().wait(until) { Ok(()) } else { Err(Failure::disk_failed()) }
    }

    /// The same for a change that may have been refused: 404 for what is not there.
    pub(super) fn changed(&self, changed: Changed) -> Result<(), Failure> {
        let until = changed.map_err(|unchanged| match unchanged {
            Unchanged::NoSuchUser | Unchanged::NoSuchVhost => Failure::no_object(),
            Unchanged::ProtectedVhost => Failure::precondition_failed(format!(
                "Refusing to delete virtual host '{}' because it is protected from deletion",
                self.part("vhost")
            )),
            Unchanged::UserExists
            | Unchanged::VhostExists
            | Unchanged::TooManyVhosts(_)
            | Unchanged::InvalidName => Failure::bad_request(unchanged.to_string()),
        })?;
        self.wait(until)
    }
}

/// Values are nested no deeper in what is given: what is kept of it stands in files of definitions some levels further down,
/// and has to be read there.
const NESTING_MAX: usize = 64;

fn is_within(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(values) => depth > 0 && values.iter().all(|value| is_within(value, depth - 1)),
        Value::Object(values) => depth > 0 && values.values().all(|value| is_within(value, depth - 1)),
        _ => true,
    }
}

/// Sees everything, changes nothing.
pub(super) const MONITORING: &str = "monitoring";
/// Sets policies and parameters where it may enter.
pub(super) const POLICYMAKER: &str = "policymaker";
/// May use the HTTP API.
pub(super) const MANAGEMENT: &str = "management";

/// Whether a user has one of these tags.
pub(super) fn has_any(user: &User, tags: &[&str]) -> bool {
    tags.iter().any(|tag| user.tags.has(tag))
}

/// Whether a user may enter a virtual host.
pub(super) fn may_enter(environment: &Environment, user: &User, vhost: &str) -> bool {
    let rights = environment.access.rights(user.name.as_str(), &vhost.into());
    rights.is_some_and(|rights| authorize(&rights, Action::Access, Resource::Vhost).is_ok())
}
