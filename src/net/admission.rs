//! How many connections there may be, and how many of them may not have said who they are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::auth::network;

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
    /// The same of each address, or network of them, that has any.
    by_network: Mutex<HashMap<IpAddr, usize>>,
    emptied: Notify,
}

impl Admission {
    /// At most `max` connections, a quarter of them (and at most 4096) unauthenticated, of which one address has at most
    /// half, or 64 if those are more: whoever fills its share keeps nobody else out.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max: AtomicUsize::new(max),
            connections: AtomicUsize::new(0),
            unauthenticated: AtomicUsize::new(0),
            by_network: Mutex::default(),
            emptied: Notify::new(),
        })
    }

    /// Another cap from now on. Those that are there stay.
    pub fn set_max(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// Room for one more connection from there, unauthenticated so far; `None` if there is none.
    pub fn admit(self: &Arc<Self>, from: IpAddr) -> Option<Permit> {
        let max = self.max.load(Ordering::Relaxed);
        let (unauthenticated_max, network) = (unauthenticated_max(max), network(from));
        take(&self.unauthenticated, unauthenticated_max)?;
        if !self.take_of(network, of_network_max(unauthenticated_max)) {
            self.unauthenticated.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        if take(&self.connections, max).is_none() {
            self.give_back(network);
            return None;
        }
        Some(Permit { admission: Arc::clone(self), unauthenticated: Some(network) })
    }

    fn take_of(&self, network: IpAddr, max: usize) -> bool {
        let mut by_network = self.by_network();
        let count = by_network.entry(network).or_default();
        let is_room = *count < max;
        *count = count.saturating_add(usize::from(is_room));
        is_room
    }

    /// An unauthenticated connection of there is none any more.
    fn give_back(&self, network: IpAddr) {
        self.unauthenticated.fetch_sub(1, Ordering::AcqRel);
        self.leave(network);
    }

    fn leave(&self, network: IpAddr) {
        let mut by_network = self.by_network();
        if let Some(count) = by_network.get_mut(&network) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                by_network.remove(&network);
            }
        }
    }

    fn by_network(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.by_network.lock().unwrap_or_else(PoisonError::into_inner)
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

fn of_network_max(unauthenticated_max: usize) -> usize {
    (unauthenticated_max / 2).max(UNAUTHENTICATED_MIN).min(unauthenticated_max)
}

fn take(count: &AtomicUsize, max: usize) -> Option<usize> {
    count.try_update(Ordering::AcqRel, Ordering::Acquire, |count| (count < max).then_some(count + 1)).ok()
}

/// A connection's room, given back when it is dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    /// From where, as long as the peer has not said who it is.
    unauthenticated: Option<IpAddr>,
}

impl Permit {
    /// The peer has said who it is, so that it no longer counts against the unauthenticated.
    pub fn authenticated(&mut self) {
        if let Some(network) = self.unauthenticated.take() {
            self.admission.give_back(network);
        }
    }
}

impl Permit {
    /// The peer comes from there, as its proxy says, and counts there from now on. False if there is no room: it counts
    /// where it did.
    #[must_use]
    pub fn comes_from(&mut self, from: IpAddr) -> bool {
        let network = network(from);
        let Some(before) = self.unauthenticated.filter(|before| *before != network) else { return true };
        let max = unauthenticated_max(self.admission.max.load(Ordering::Relaxed));
        if !self.admission.take_of(network, of_network_max(max)) {
            return false;
        }
        self.admission.leave(before);
        self.unauthenticated = Some(network);
        true
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

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn connections_are_admitted_up_to_the_cap_and_again_when_one_has_gone() {
        let admission = Admission::new(2);
        let first = admission.admit(HERE).unwrap();
        let second = admission.admit(HERE).unwrap();
        assert!(admission.admit(HERE).is_none());
        drop(first);
        assert!(admission.admit(HERE).is_some());
        drop(second);
        assert_eq!(admission.connections(), 0);
        admission.set_max(1);
        let _only = admission.admit(HERE).unwrap();
        assert!(admission.admit(HERE).is_none(), "the cap was lowered");
    }

    #[test]
    fn a_quarter_of_the_connections_may_be_unauthenticated() {
        for (max, unauthenticated_max) in [(1, 1), (40, 40), (100, 64), (400, 100), (100_000, 4096)] {
            let admission = Admission::new(max);
            let mut permits: Vec<Permit> =
                (1_u32..).map_while(|at| admission.admit(IpAddr::from(at.to_be_bytes()))).collect();
            assert_eq!(permits.len(), unauthenticated_max, "of {max}");
            if max > unauthenticated_max {
                let permit = permits.first_mut().unwrap();
                permit.authenticated();
                permit.authenticated();
                assert!(admission.admit(HERE).is_some(), "one of {max} is authenticated");
            }
        }
    }

    #[test]
    fn b6_an_address_has_half_of_the_unauthenticated_ones_and_keeps_nobody_else_out() {
        for (max, of_one) in [(40, 40), (400, 64), (800, 100), (100_000, 2048)] {
            let admission = Admission::new(max);
            for network in ["192.0.2.1", "2001:db8::1"] {
                let from: IpAddr = network.parse().unwrap();
                let mut permits: Vec<Permit> = std::iter::from_fn(|| admission.admit(from)).collect();
                assert_eq!(permits.len(), of_one, "{network} of {max}");
                if max > of_one {
                    assert!(
                        admission.admit("2001:db8:0:0:1::1".parse().unwrap()).is_some() == from.is_ipv4()
                    );
                    assert!(admission.admit("192.0.2.2".parse().unwrap()).is_some(), "another one");
                    permits.first_mut().unwrap().authenticated();
                    assert!(admission.admit(from).is_some(), "one has said who it is");
                }
            }
            assert!(admission.by_network().is_empty());
        }
    }

    #[test]
    fn clients_behind_a_proxy_count_where_they_come_from() {
        let admission = Admission::new(400);
        let (proxy, client) = (HERE, IpAddr::from([192, 0, 2, 1]));
        let mut permits: Vec<Permit> = Vec::new();
        for _ in 0..64 {
            let mut permit = admission.admit(proxy).unwrap();
            assert!(permit.comes_from(client) && permit.comes_from(client));
            permits.push(permit);
        }
        let mut one_more = admission.admit(proxy).unwrap();
        assert!(!one_more.comes_from(client), "a client's share is full");
        assert!(one_more.comes_from([192, 0, 2, 2].into()), "another one has room");
        one_more.authenticated();
        assert!(one_more.comes_from(client), "it does not count any more");
        drop((one_more, permits));
        assert!(admission.by_network().is_empty());
        assert_eq!(admission.unauthenticated.load(Ordering::Relaxed), 0);
    }
}
