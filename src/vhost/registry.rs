//! The exchanges of a virtual host, and the virtual hosts of a broker, by name.
//!
//! No guard of a map leaves this file.

use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;

use super::all_queues::AllQueues;
use super::exchange::Exchange;
use super::parameters::GlobalParameters;
use super::{Vhost, VhostStore};
use crate::config::Durability;
use crate::name::{ExchangeName, VhostName};
use crate::place::Batch;
use crate::store::definitions::VhostMetadata;

/// The exchanges of a virtual host, without the default one.
#[derive(Default)]
pub struct Exchanges(DashMap<ExchangeName, Arc<Exchange>, foldhash::quality::RandomState>);

impl Exchanges {
    /// The exchange of that name.
    pub fn get(&self, name: &str) -> Option<Arc<Exchange>> {
        self.0.get(name).map(|exchange| Arc::clone(&exchange))
    }

    /// All exchanges, in no order.
    pub fn all(&self) -> Vec<Arc<Exchange>> {
        self.0.iter().map(|exchange| Arc::clone(&exchange)).collect()
    }

    /// Enters an exchange under its name.
    pub fn insert(&self, exchange: Exchange) {
        self.0.insert(exchange.name().clone(), Arc::new(exchange));
    }

    /// Removes exactly this exchange.
    pub fn remove(&self, exchange: &Exchange) -> bool {
        self.0.remove_if(exchange.name().as_str(), |_, present| present.id() == exchange.id()).is_some()
    }
}

/// The virtual hosts of a broker.
#[derive(Default)]
pub struct Vhosts {
    by_name: DashMap<VhostName, Arc<Vhost>>,
    parameters: GlobalParameters,
    /// None in a broker that keeps nothing.
    store: Option<VhostStore>,
    durability: Durability,
    all_queues: Arc<AllQueues>,
    /// Held while one is made or deleted.
    changing: Mutex<()>,
}

/// There is a virtual host of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VhostExists;

/// There is no virtual host of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchVhost;

impl Vhosts {
    /// No virtual hosts yet, and these parameters. Those that are made from now on are written down, and promise what
    /// `durability` says.
    pub fn kept_in(parameters: GlobalParameters, store: VhostStore, durability: Durability) -> Self {
        Self { parameters, store: Some(store), durability, ..Self::default() }
    }

    /// All of them together may have so many queues from now on.
    pub fn set_queue_max(&self, max: Option<u64>) {
        self.all_queues.set_max(max);
    }

    /// The virtual host of that name.
    pub fn get(&self, name: &str) -> Option<Arc<Vhost>> {
        self.by_name.get(name).map(|vhost| Arc::clone(&vhost))
    }

    /// All of them, in no order.
    pub fn all(&self) -> Vec<Arc<Vhost>> {
        self.by_name.iter().map(|vhost| Arc::clone(&vhost)).collect()
    }

    /// Enters a virtual host under its name.
    pub fn insert(&self, mut vhost: Vhost) {
        vhost.count_among(&self.all_queues);
        let vhost = Arc::new(vhost);
        vhost.appoint();
        self.by_name.insert(vhost.name().clone(), vhost);
    }

    /// Makes a virtual host. Gives what to wait for until it is on the disk.
    pub fn create(&self, name: VhostName, metadata: VhostMetadata) -> Result<Option<Batch>, VhostExists> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.by_name.contains_key(&name) {
            return Err(VhostExists);
        }
        let vhost = match &self.store {
            None => Vhost::new(name),
            Some(store) => Vhost::durable_as(name, None, self.durability, store.handle.clone()).kept(store),
        };
        let until = vhost.set_metadata(metadata);
        self.insert(vhost);
        Ok(until)
    }

    /// Deletes a virtual host with all that is in it. It is found no more when `found_no_more` is called, which is to end
    /// its connections; then all in it goes. Gives what to wait for until it is gone for good.
    pub fn delete(
        &self,
        name: &str,
        found_no_more: impl FnOnce(&Vhost),
    ) -> Result<Option<Batch>, NoSuchVhost> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, vhost) = self.by_name.remove(name).ok_or(NoSuchVhost)?;
        found_no_more(&vhost);
        Ok(vhost.end())
    }

    /// Waits until a change is on the disk; false when it will not be.
    pub fn wait(&self, until: Option<Batch>) -> bool {
        match (&self.store, until) {
            (Some(store), Some(until)) => store.journal.wait(until),
            _ => true,
        }
    }

    /// The parameters of the broker, which belong to none of them.
    pub fn global_parameters(&self) -> &GlobalParameters {
        &self.parameters
    }
}

impl std::fmt::Debug for Vhosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.by_name.iter().map(|entry| entry.key().clone())).finish()
    }
}
