//! How many connections there may be, and how many of them may not have said who they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Unauthenticated connections are never more than this many.
const UNAUTHENTICATED_MAX: usize = 4096;
/// Nor fewer, as long as there may be so many connections: a small cap is not made smaller still.
const UNAUTHENTICATED_MIN: usize = 64;

/// The door: gives a [`Permit`] to each connection while there is room.
#[derive(Debug)]
pub struct Admission {
    max: AtomicUsize,
    connections: AtomicUsize,
    unauthenticated: AtomicUsize,
    emptied: Notify,
}

impl Admission {
    /// At most `max` connections, a quarter of them (and at most 4096) unauthenticated.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max: AtomicUsize::new(max),
            connections: AtomicUsize::new(0),
            unauthenticated: AtomicUsize::new(0),
            emptied: Notify::new(),
        })
    }

    /// Another cap from now on. Those that are there stay.
    pub fn set_max(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// Room for one more connection, unauthenticated so far; `None` if there is none.
    pub fn admit(self: &Arc<Self>) -> Option<Permit> {
        let max = self.max.load(Ordering::Relaxed);
        take(&self.unauthenticated, unauthenticated_max(max))?;
        if take(&self.connections, max).is_none() {
            self.unauthenticated.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Permit { admission: Arc::clone(self), authenticated: false })
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    /// Waits until there is no connection.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.connections() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

fn unauthenticated_max(max: usize) -> usize {
    (max / 4).clamp(UNAUTHENTICATED_MIN, UNAUTHENTICATED_MAX).min(max)
}

fn take(count: &AtomicUsize, max: usize) -> Option<usize> {
    count.try_update(Ordering::AcqRel, Ordering::Acquire, |count| (count < max).then_some(count + 1)).ok()
}

/// A connection's room, given back when it is dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    authenticated: bool,
}

impl Permit {
    /// The peer has said who it is, so that it no longer counts against the unauthenticated.
    pub fn authenticated(&mut self) {
        if !self.authenticated {
            self.authenticated = true;
            self.admission.unauthenticated.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.authenticated();
        if self.admission.connections.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.admission.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_admitted_up_to_the_cap_and_again_when_one_has_gone() {
        let admission = Admission::new(2);
        let first = admission.admit().unwrap();
        let second = admission.admit().unwrap();
        assert!(admission.admit().is_none());
        drop(first);
        assert!(admission.admit().is_some());
        drop(second);
        assert_eq!(admission.connections(), 0);
        admission.set_max(1);
        let _only = admission.admit().unwrap();
        assert!(admission.admit().is_none(), "the cap was lowered");
    }

    #[test]
    fn a_quarter_of_the_connections_may_be_unauthenticated() {
        for (max, unauthenticated_max) in [(1, 1), (40, 40), (100, 64), (400, 100), (100_000, 4096)] {
            let admission = Admission::new(max);
            let mut permits: Vec<Permit> = std::iter::from_fn(|| admission.admit()).collect();
            assert_eq!(permits.len(), unauthenticated_max, "of {max}");
            if max > unauthenticated_max {
                let permit = permits.first_mut().unwrap();
                permit.authenticated();
                permit.authenticated();
                assert!(admission.admit().is_some(), "one of {max} is authenticated");
            }
        }
    }
}
