//! How many connections one address has at a time, so that it cannot have them all.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::auth::network;

/// Connections by the address that they come from; a network (/64) of IPv6 is one.
#[derive(Debug)]
pub(super) struct Comers {
    max: usize,
    counts: Mutex<HashMap<IpAddr, usize>>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    comers: Arc<Comers>,
    from: IpAddr,
}

impl Comers {
    /// An address may have `max` connections.
    pub(super) fn new(max: usize) -> Self {
        Self { max, counts: Mutex::default() }
    }

    /// One more from this address; none if it has as many as it may.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Counted> {
        let from = network(address);
        let mut counts = self.counts();
        let count = counts.entry(from).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Counted { comers: Arc::clone(self), from })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.comers.counts().entry(self.from) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_and_another_one_its_own() {
        let comers = Arc::new(Comers::new(2));
        let admit = |address: &str| comers.admit(address.parse().unwrap());
        let (first, _second) = (admit("192.0.2.1").unwrap(), admit("::ffff:192.0.2.1").unwrap());
        assert!(admit("192.0.2.1").is_none());
        let _other = admit("192.0.2.2").unwrap();
        drop(first);
        let _third = admit("192.0.2.1").unwrap();
        assert!(admit("192.0.2.1").is_none());
        let of_network = (admit("2001:db8::1").unwrap(), admit("2001:db8::2").unwrap());
        assert!(admit("2001:db8::3").is_none() && admit("2001:db8:0:1::3").is_some());
        drop(of_network);
        assert_eq!(comers.counts().len(), 2, "who has none is forgotten");
    }
}
