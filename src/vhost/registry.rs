//! The exchanges of a virtual host, and the virtual hosts of a broker, by name.
//!
//! No guard of a map leaves this file.

use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;
use leveret_protocol::table::{ArrayBuilder, Value};

use super::counts::NodeCounts;
use super::exchange::Exchange;
use super::parameters::GlobalParameters;
use super::settings::Settings;
use super::together::Together;
use super::{Vhost, VhostStore};
use crate::config::{Durability, VhostSettings};
use crate::event::Events;
use crate::name::{ExchangeName, VhostName};
use crate::place::Batch;
use crate::policy::PolicyKind;
use crate::store::Blocked;
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

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none: not of a virtual host that is in use.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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
pub struct Vhosts {
    by_name: DashMap<VhostName, Arc<Vhost>>,
    parameters: GlobalParameters,
    /// None in a broker that keeps nothing.
    store: Option<VhostStore>,
    durability: Durability,
    all_queues: Arc<Together>,
    all_exchanges: Arc<Together>,
    settings: Arc<Settings>,
    events: Arc<Events>,
    counts: Arc<NodeCounts>,
    /// Held while one is made or deleted.
    changing: Mutex<()>,
}

/// Names are shortstrs of AMQP: no longer, in bytes, and not empty.
const NAME_MAX_BYTES: usize = 255;

/// Where what happens is told: where RabbitMQ has it unless its configuration says otherwise.
pub const EVENTS_VHOST: &str = "/";

/// Why a virtual host was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCreated {
    /// There is one of that name.
    Exists,
    /// There are as many as there may be.
    TooMany(u64),
    /// No client could ask for it by that name.
    InvalidName,
}

/// Why a virtual host was not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDeleted {
    /// There is none of that name.
    NoSuchVhost,
    /// It is protected.
    Protected,
}

/// There is no virtual host of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchVhost;

impl Default for Vhosts {
    fn default() -> Self {
        Self::with(GlobalParameters::default(), None, Durability::default())
    }
}

impl Vhosts {
    /// No virtual hosts yet, and these parameters. Those that are made from now on are written down, and promise what
    /// `durability` says.
    pub fn kept_in(parameters: GlobalParameters, store: VhostStore, durability: Durability) -> Self {
        Self::with(parameters, Some(store), durability)
    }

    fn with(mut parameters: GlobalParameters, store: Option<VhostStore>, durability: Durability) -> Self {
        let events = Arc::default();
        parameters.tell_to(&events);
        Self {
            by_name: DashMap::default(),
            parameters,
            store,
            durability,
            all_queues: Arc::default(),
            all_exchanges: Arc::default(),
            settings: Arc::default(),
            events,
            counts: Arc::default(),
            changing: Mutex::default(),
        }
    }

    /// All of them together may have so many queues from now on.
    pub fn set_queue_max(&self, max: Option<u64>) {
        self.all_queues.set_max(max);
    }

    /// All of them together may have so many exchanges from now on, each its default one among them.
    pub fn set_exchange_max(&self, max: Option<u64>) {
        self.all_exchanges.set_max(max);
    }

    /// What the configuration says of them changes. Limits and operator policies are for those that are made afterwards.
    pub fn set_settings(&self, settings: VhostSettings) {
        self.settings.set(settings);
        for vhost in self.all() {
            vhost.put_settings_in_force();
        }
    }

    /// What happens in all of them.
    pub fn events(&self) -> &Arc<Events> {
        &self.events
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
        vhost.join((&self.all_queues, &self.all_exchanges), &self.settings, &self.counts, &self.events);
        let vhost = Arc::new(vhost);
        vhost.appoint();
        self.by_name.insert(vhost.name().clone(), vhost);
    }

    /// Makes a virtual host, with the limits and operator policies that the configuration has for its name. Gives what to
    /// wait for until it is on the disk.
    pub fn create(&self, name: VhostName, mut metadata: VhostMetadata) -> Result<Option<Batch>, NotCreated> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.by_name.contains_key(&name) {
            return Err(NotCreated::Exists);
        }
        if name.is_empty() || name.as_str().len() > NAME_MAX_BYTES {
            return Err(NotCreated::InvalidName);
        }
        let settings = self.settings.get();
        if let Some(max) = settings.max.filter(|max| self.by_name.len() as u64 >= *max) {
            return Err(NotCreated::TooMany(max));
        }
        if let Some(limits) = settings.limits_for(name.as_str()) {
            metadata.max_connections = metadata.max_connections.or(limits.max_connections);
            metadata.max_queues = metadata.max_queues.or(limits.max_queues);
        }
        let vhost = match &self.store {
            None => Vhost::new(name),
            Some(store) => Vhost::durable_as(name, None, self.durability, store.handle.clone()).kept(store),
        };
        let mut until = vhost.set_metadata(metadata);
        for policy in settings.policies_for(vhost.name().as_str()) {
            until = until.max(vhost.set_policy(PolicyKind::Operator, policy.clone()));
        }
        let (name, told) = (vhost.name().clone(), vhost.metadata());
        self.insert(vhost);
        self.events.tell("vhost.created", |headers| {
            let tags = told.tags.iter().fold(ArrayBuilder::new(), ArrayBuilder::string);
            headers
                .string("name", name.as_str())
                .string("description", &told.description)
                .value("tags", Value::Array(tags.finish().as_array()))
        });
        Ok(until)
    }

    /// Makes the one that a broker has from the start; that is there already stays.
    pub fn create_default(&self, name: VhostName) -> Option<Batch> {
        let description = "Default virtual host".into();
        self.create(name, VhostMetadata { description, ..VhostMetadata::default() }).unwrap_or_default()
    }

    /// Deletes a virtual host with all that is in it, unless it is protected. It is found no more when `found_no_more` is
    /// called, which is to end its connections; then all in it goes. Gives what to wait for until it is gone for good.
    pub fn delete(
        &self,
        name: &str,
        found_no_more: impl FnOnce(&Vhost),
    ) -> Result<Option<Batch>, NotDeleted> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let vhost = self.get(name).ok_or(NotDeleted::NoSuchVhost)?;
        if vhost.metadata().protected_from_deletion {
            return Err(NotDeleted::Protected);
        }
        Ok(self.remove(&vhost, found_no_more))
    }

    /// The same of all of them, protected or not.
    pub fn delete_all(&self, found_no_more: impl Fn(&Vhost)) -> Option<Batch> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.all().iter().map(|vhost| self.remove(vhost, &found_no_more)).max().flatten()
    }

    fn remove(&self, vhost: &Vhost, found_no_more: impl FnOnce(&Vhost)) -> Option<Batch> {
        let name = vhost.name().as_str();
        self.by_name.remove(name);
        found_no_more(vhost);
        let until = vhost.end();
        // The default exchange.
        self.all_exchanges.give_back();
        vhost.counts.end();
        self.events.tell("vhost.deleted", |headers| headers.string("name", name));
        until
    }

    /// Waits until a change is on the disk; false when it will not be.
    pub fn wait(&self, until: Option<Batch>) -> bool {
        match (&self.store, until) {
            (Some(store), Some(until)) => store.journal.wait(until),
            _ => true,
        }
    }

    /// What is counted of all of them together.
    pub fn counts(&self) -> &NodeCounts {
        &self.counts
    }

    /// Why publishers of what is kept are held back, if they are.
    pub fn store_blocked(&self) -> Option<Blocked> {
        let one = self.by_name.iter().next().map(|vhost| Arc::clone(&vhost));
        one?.stored()?.handle.blocked()
    }

    /// What those that are made from now on keep their definitions and messages with; nothing in a broker that keeps nothing.
    pub fn stored(&self) -> Option<&VhostStore> {
        self.store.as_ref()
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
