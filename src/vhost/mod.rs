//! A virtual host: exchanges, queues and bindings of one name space, and the routing of messages through them.
//!
//! It knows no channel and no reply code.

pub mod exchange;
pub mod generated;
pub mod refused;
pub mod registry;
pub mod reply_to;
pub mod routing;
pub mod topology;

#[cfg(test)]
mod tests;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::exchange::ExchangeOptions;
use crate::name::VhostName;
use crate::queue::registry::Registry;
use exchange::Exchange;
use registry::Exchanges;
use reply_to::Requesters;

/// One name space of exchanges and queues.
pub struct Vhost {
    name: VhostName,
    queues: Registry,
    exchanges: Exchanges,
    requesters: Requesters,
    sources: Mutex<topology::Sources>,
    epoch: AtomicU64,
}

impl Vhost {
    /// A virtual host with the exchanges that each has from the start.
    pub fn new(name: VhostName) -> Self {
        let vhost = Self {
            name,
            queues: Registry::default(),
            exchanges: Exchanges::default(),
            requesters: Requesters::default(),
            sources: Mutex::default(),
            epoch: AtomicU64::new(0),
        };
        for (name, exchange_type, internal) in topology::SYSTEM_EXCHANGES {
            vhost.exchanges.insert(Exchange::new(
                name.into(),
                ExchangeOptions { internal, ..ExchangeOptions::durable(exchange_type) },
            ));
        }
        vhost
    }

    /// Its name.
    pub fn name(&self) -> &VhostName {
        &self.name
    }

    /// Its queues.
    pub fn queues(&self) -> &Registry {
        &self.queues
    }

    /// Its exchanges, without the default one.
    pub fn exchanges(&self) -> &Exchanges {
        &self.exchanges
    }

    /// Those that wait for direct replies.
    pub fn requesters(&self) -> &Requesters {
        &self.requesters
    }

    /// A number that grows with every change of exchanges, queues and bindings: what was found out about routes holds
    /// as long as it stays the same.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    fn new_epoch(&self) {
        self.epoch.fetch_add(1, Ordering::Release);
    }
}
