//! The exchanges of a virtual host, and the virtual hosts of a broker, by name.
//!
//! No guard of a map leaves this file.

use std::sync::Arc;

use dashmap::DashMap;

use super::Vhost;
use super::exchange::Exchange;
use super::parameters::GlobalParameters;
use crate::name::{ExchangeName, VhostName};

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
    vhosts: DashMap<VhostName, Arc<Vhost>>,
    parameters: GlobalParameters,
}

impl Vhosts {
    /// The virtual host of that name.
    pub fn get(&self, name: &str) -> Option<Arc<Vhost>> {
        self.vhosts.get(name).map(|vhost| Arc::clone(&vhost))
    }

    /// Enters a virtual host under its name.
    pub fn insert(&self, vhost: Vhost) {
        let vhost = Arc::new(vhost);
        vhost.appoint();
        self.vhosts.insert(vhost.name().clone(), vhost);
    }

    /// The parameters of the broker, which belong to none of them.
    pub fn global_parameters(&self) -> &GlobalParameters {
        &self.parameters
    }

    /// No virtual hosts yet, and these parameters.
    pub fn with_global_parameters(parameters: GlobalParameters) -> Self {
        Self { parameters, ..Self::default() }
    }
}

impl std::fmt::Debug for Vhosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.vhosts.iter().map(|entry| entry.key().clone())).finish()
    }
}
