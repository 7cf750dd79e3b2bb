//! What an endpoint is: a method and a path, who may use it, and the function that serves it.

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;

/// A method that changes or reads something. HEAD is served as GET, OPTIONS by the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Reads.
    Get,
    /// Puts something in its place.
    Put,
    /// Has something done.
    Post,
    /// Takes something away.
    Delete,
}

impl Method {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// Who may use an endpoint. All but the first want a user with one of the four tags of management.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Whoever reaches it: what a client has to know before it can log in.
    Nothing,
    /// Any of the tags.
    Management,
    /// `monitoring` or `administrator`.
    Monitoring,
    /// `policymaker` or `administrator`.
    Policymaker,
    /// `administrator`.
    Administrator,
    /// Access to the virtual host in the path, where there is one, or `administrator`.
    Vhost,
    /// `policymaker` with access to the virtual host in the path, or `administrator`.
    PolicymakerOfVhost,
    /// Access to the virtual host in the path, `monitoring` or `administrator`: to see and not to change.
    SeesVhost,
    /// The user in the path itself, `monitoring` or `administrator`.
    SeesUser,
    /// The user in the path itself, or `administrator`: to change what it has.
    IsUser,
}

/// A row of the table.
pub struct Endpoint {
    /// The method.
    pub method: Method,
    /// The path, with `{names}` where anything may stand.
    pub path: &'static str,
    /// Who may use it.
    pub needs: Needs,
    pub(super) serve: Serve,
}

/// Serves a call. It may wait for the disk.
pub(super) type Serve = fn(&Call) -> Result<Answer, Failure>;

impl Endpoint {
    /// Whether it waits for nothing and tells who watches the broker that it lives: it has a thread whatever the others do.
    pub(super) fn is_health_check(&self) -> bool {
        self.path.starts_with("/api/health/checks/") || self.path.starts_with("/api/healthchecks/")
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({:?})", self.method.as_str(), self.path, self.needs)
    }
}

pub(super) const fn get(path: &'static str, needs: Needs, serve: Serve) -> Endpoint {
    Endpoint { method: Method::Get, path, needs, serve }
}

pub(super) const fn put(path: &'static str, needs: Needs, serve: Serve) -> Endpoint {
    Endpoint { method: Method::Put, path, needs, serve }
}

pub(super) const fn post(path: &'static str, needs: Needs, serve: Serve) -> Endpoint {
    Endpoint { method: Method::Post, path, needs, serve }
}

pub(super) const fn delete(path: &'static str, needs: Needs, serve: Serve) -> Endpoint {
    Endpoint { method: Method::Delete, path, needs, serve }
}
