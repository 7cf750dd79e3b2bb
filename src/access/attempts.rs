//! How often somebody has tried to log in, over what and from where.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// No more addresses with names than this are told apart; those that come later are counted by protocol only.
const SOURCES_MAX: usize = 1000;

/// Of names that cannot be anybody's no more than this is kept.
const NAME_MAX_CHARS: usize = 255;

/// What logins are made over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoginProtocol {
    /// AMQP 0-9-1, with TLS or without.
    Amqp,
    /// The HTTP API, where each request is a login.
    Http,
}

impl LoginProtocol {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Amqp, Self::Http];

    /// Its name, which is RabbitMQ's.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Amqp => "amqp091",
            Self::Http => "http",
        }
    }
}

/// Logins that were tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that did not.
    pub failed: u64,
}

/// Who tried to log in: over what, from where, under which name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// Over what.
    pub protocol: LoginProtocol,
    /// From where.
    pub address: IpAddr,
    /// The name that was given; it may be nobody's.
    pub user: String,
}

/// The logins since the start, or since they were forgotten.
#[derive(Debug, Default)]
pub struct Attempts {
    amqp: Counter,
    http: Counter,
    sources: Mutex<HashMap<Source, Tried>>,
}

#[derive(Debug, Default)]
struct Counter {
    succeeded: AtomicU64,
    failed: AtomicU64,
}

impl Attempts {
    /// Counts one.
    pub fn count(&self, protocol: LoginProtocol, address: IpAddr, user: &str, succeeded: bool) {
        let counter = self.counter(protocol);
        let counter = if succeeded { &counter.succeeded } else { &counter.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        let user = user.chars().take(NAME_MAX_CHARS).collect();
        let source = Source { protocol, address, user };
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.len() >= SOURCES_MAX && !sources.contains_key(&source) {
            return;
        }
        let tried = sources.entry(source).or_default();
        let count = if succeeded { &mut tried.succeeded } else { &mut tried.failed };
        *count = count.saturating_add(1);
    }

    /// Those over a protocol.
    pub fn over(&self, protocol: LoginProtocol) -> Tried {
        let counter = self.counter(protocol);
        Tried {
            succeeded: counter.succeeded.load(Ordering::Relaxed),
            failed: counter.failed.load(Ordering::Relaxed),
        }
    }

    /// By who tried, in order.
    pub fn by_source(&self) -> Vec<(Source, Tried)> {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sources: Vec<_> = sources.iter().map(|(source, tried)| (source.clone(), *tried)).collect();
        sources.sort_by(|(one, _), (other, _)| one.cmp(other));
        sources
    }

    /// Forgets those by protocol.
    pub fn forget(&self) {
        for counter in LoginProtocol::ALL.map(|protocol| self.counter(protocol)) {
            counter.succeeded.store(0, Ordering::Relaxed);
            counter.failed.store(0, Ordering::Relaxed);
        }
    }

    /// Forgets who tried.
    pub fn forget_sources(&self) {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn counter(&self, protocol: LoginProtocol) -> &Counter {
        match protocol {
            LoginProtocol::Amqp => &self.amqp,
            LoginProtocol::Http => &self.http,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_counted_by_protocol_and_by_who_tried_within_a_bound() {
        let attempts = Attempts::default();
        let here = IpAddr::from([127, 0, 0, 1]);
        attempts.count(LoginProtocol::Http, here, "guest", true);
        attempts.count(LoginProtocol::Http, here, "guest", false);
        for n in 0..2 * SOURCES_MAX {
            attempts.count(LoginProtocol::Amqp, here, &n.to_string(), false);
        }
        let failed = u64::try_from(2 * SOURCES_MAX).unwrap();
        assert_eq!(attempts.over(LoginProtocol::Amqp), Tried { succeeded: 0, failed });
        assert_eq!(attempts.over(LoginProtocol::Http), Tried { succeeded: 1, failed: 1 });
        let sources = attempts.by_source();
        assert_eq!(sources.len(), SOURCES_MAX);
        let guest = sources.iter().find(|(source, _)| source.user == "guest").unwrap();
        assert_eq!(guest.1, Tried { succeeded: 1, failed: 1 });
        attempts.forget();
        assert_eq!(attempts.over(LoginProtocol::Amqp), Tried::default());
        attempts.forget_sources();
        assert!(attempts.by_source().is_empty());
    }
}
