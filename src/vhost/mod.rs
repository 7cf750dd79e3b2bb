//! A virtual host: exchanges, queues and bindings of one name space, and the routing of messages through them.
//!
//! It knows no channel and no reply code.

mod burial;
pub mod counts;
mod delaying;
mod ending;
pub mod exchange;
pub mod explaining;
pub mod generated;
pub mod moving;
pub mod operate;
pub mod parameters;
pub mod policies;
pub mod publisher;
mod records;
pub mod refused;
pub mod registry;
mod remembering;
mod replay;
pub mod reply_to;
mod resting;
pub mod restore;
pub mod routing;
mod settings;
mod telling;
mod together;
pub mod topology;
mod waking;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::access::Places;
use crate::config::Durability;
use crate::event::{EVENT_EXCHANGE, Events};
use crate::exchange::{ExchangeOptions, ExchangeType};
use crate::name::VhostName;
use crate::place::Batch;
use crate::policy::Policies;
use crate::queue::registry::Registry;
use crate::queue::undertaker::UndertakerCell;
use crate::rate::{Limited, RateLimit, RateMeter};
use crate::store::definitions::{Definition, Definitions, VhostDefinition, VhostMetadata};
use crate::store::unit::Unit;
use crate::store::{Journal, StoreHandle};
use counts::{Counts, NodeCounts};
use exchange::Exchange;
use registry::Exchanges;
use reply_to::Requesters;
use settings::Settings;
use together::Together;

/// What a virtual host keeps its definitions and messages with.
#[derive(Clone, Debug)]
pub struct VhostStore {
    /// For messages.
    pub journal: Arc<Journal>,
    /// For exchanges, queues and bindings.
    pub definitions: Arc<Definitions>,
    /// For the backlogs of queues.
    pub handle: StoreHandle,
}

/// One name space of exchanges and queues.
pub struct Vhost {
    name: VhostName,
    durability: Durability,
    /// What it was defined with; nothing when it follows the broker.
    own_durability: Option<Durability>,
    metadata: RwLock<Arc<VhostMetadata>>,
    connections: Places,
    publish_rate: RwLock<Option<Arc<RateMeter>>>,
    /// Whether what is published and delivered in it is told at `amq.rabbitmq.trace`.
    tracing: AtomicBool,
    /// What holds for those that say nothing themselves.
    settings: Arc<Settings>,
    /// What happens in it is told here.
    events: Arc<Events>,
    /// Its queues count among these.
    all_queues: Arc<Together>,
    all_exchanges: Arc<Together>,
    /// Whether nothing is made in it any more, since it is being deleted.
    is_ending: AtomicBool,
    /// Who sees to what its queues cannot do alone: itself.
    undertaker: UndertakerCell,
    /// Where the backlogs of its queues go.
    handle: StoreHandle,
    /// None in a broker that keeps nothing.
    stored: Option<VhostStore>,
    queues: Registry,
    exchanges: Exchanges,
    requesters: Requesters,
    sources: Mutex<topology::Sources>,
    policies: RwLock<Arc<Policies>>,
    /// Held while what is in force on exchanges and queues changes.
    changing: Mutex<()>,
    parameters: Mutex<parameters::Parameters>,
    counts: Counts,
    epoch: AtomicU64,
}

impl Vhost {
    /// A virtual host with the exchanges that each has from the start, of which nothing is kept.
    pub fn new(name: VhostName) -> Self {
        Self::durable_as(name, Some(Durability::Memory), Durability::Memory, StoreHandle::in_memory())
    }

    /// A virtual host with the exchanges that each has from the start, for a broker that keeps things. Unless it has its
    /// `own`, its durability is the broker's.
    fn durable_as(
        name: VhostName,
        own: Option<Durability>,
        default: Durability,
        handle: StoreHandle,
    ) -> Self {
        let vhost = Self {
            name,
            durability: own.unwrap_or(default),
            own_durability: own,
            metadata: RwLock::default(),
            connections: Places::default(),
            publish_rate: RwLock::default(),
            tracing: AtomicBool::new(false),
            settings: Arc::default(),
            events: Arc::default(),
            all_queues: Arc::default(),
            all_exchanges: Arc::default(),
            is_ending: AtomicBool::new(false),
            undertaker: UndertakerCell::default(),
            handle,
            stored: None,
            queues: Registry::default(),
            exchanges: Exchanges::default(),
            requesters: Requesters::default(),
            sources: Mutex::default(),
            policies: RwLock::default(),
            changing: Mutex::default(),
            parameters: Mutex::default(),
            counts: Counts::default(),
            epoch: AtomicU64::new(0),
        };
        if vhost.name.as_str() == registry::EVENTS_VHOST {
            vhost.exchanges.insert(Exchange::new(
                EVENT_EXCHANGE.into(),
                ExchangeOptions { internal: true, ..ExchangeOptions::durable(ExchangeType::Topic) },
            ));
        }
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

    /// What a confirm promises in it.
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// What it keeps its definitions and messages with; nothing in a broker that keeps nothing.
    pub fn stored(&self) -> Option<&VhostStore> {
        self.stored.as_ref()
    }

    /// From now on changes of what is durable are written down.
    fn keep(&mut self, store: VhostStore) {
        self.stored = Some(store);
    }

    fn kept(mut self, store: &VhostStore) -> Self {
        self.keep(store.clone());
        self
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

    /// Defines a virtual host without anything in it, and gives what to wait for until that is on the disk. Unless it has
    /// its `own`, its durability is the broker's.
    pub fn define(
        name: VhostName,
        own: Option<Durability>,
        default: Durability,
        store: VhostStore,
    ) -> (Self, Option<Batch>) {
        let mut vhost = Self::durable_as(name, own, default, store.handle.clone());
        vhost.keep(store);
        let until = vhost.set_metadata(VhostMetadata::default());
        (vhost, until)
    }

    /// It is one of a broker's from now on: its queues and exchanges count among those of all, and have what the settings say.
    fn join(
        &mut self,
        (all_queues, all_exchanges): (&Arc<Together>, &Arc<Together>),
        settings: &Arc<Settings>,
        counts: &Arc<NodeCounts>,
        events: &Arc<Events>,
    ) {
        self.events = Arc::clone(events);
        if self.exchanges.get(EVENT_EXCHANGE).is_some_and(|exchange| !exchange.routes().is_empty()) {
            self.events.want(true);
        }
        let queues = self.queues.all();
        self.counts.join(counts, &queues);
        all_queues.add(self.queues.len());
        self.all_queues = Arc::clone(all_queues);
        // With the default one.
        all_exchanges.add(self.exchanges.len() + 1);
        self.all_exchanges = Arc::clone(all_exchanges);
        self.settings = Arc::clone(settings);
        self.put_settings_in_force();
    }

    /// What an operator says of it.
    pub fn metadata(&self) -> Arc<VhostMetadata> {
        Arc::clone(&self.metadata.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// An operator says something else of it, or begins to. Gives what to wait for until that is on the disk.
    pub fn set_metadata(&self, metadata: VhostMetadata) -> Option<Batch> {
        let _topology = self.topology();
        if self.is_ending() {
            return None;
        }
        let (name, durability) = (self.name.clone(), self.own_durability);
        let until = self.stored.as_ref().and_then(|store| {
            let mut record = store.definitions.record();
            let metadata = metadata.clone();
            record.define(&Definition::Vhost(VhostDefinition { name, durability, metadata }));
            record.commit()
        });
        self.tell_limits(&self.metadata(), &metadata);
        let mut rate = self.publish_rate.write().unwrap_or_else(PoisonError::into_inner);
        let limited = || Limited::Vhost(self.name.as_str().into());
        let limit = rate.as_ref().map_or(RateLimit::NONE, |meter| meter.limit());
        let is_limited_otherwise = limit != metadata.publish_rate;
        *rate = RateMeter::changed(rate.take(), metadata.publish_rate, limited);
        drop(rate);
        *self.metadata.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(metadata);
        if is_limited_otherwise {
            // Publishers find out anew what limits them.
            self.new_epoch();
        }
        until
    }

    /// How much clients may publish in it in a second, if there is a limit.
    pub fn publish_rate(&self) -> Option<Arc<RateMeter>> {
        self.publish_rate.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether what clients publish and what is delivered to them is told at `amq.rabbitmq.trace`: RabbitMQ's firehose.
    #[inline]
    pub fn is_tracing(&self) -> bool {
        self.tracing.load(Ordering::Relaxed)
    }

    /// Has it told from now on, or not any more. A restart forgets that, as RabbitMQ's does.
    pub fn set_tracing(&self, tracing: bool) {
        if self.tracing.swap(tracing, Ordering::Relaxed) != tracing {
            let name = self.name.as_str().escape_debug();
            tracing::info!("tracing is {} in vhost '{name}'", if tracing { "on" } else { "off" });
            // Publishers find out anew whether anybody wants to know.
            self.new_epoch();
        }
    }

    /// Its connections.
    pub fn connections(&self) -> &Places {
        &self.connections
    }

    /// Whatever anybody remembers of routes and of what may be done is to be found out anew.
    pub fn forget_routes(&self) {
        self.new_epoch();
    }

    /// For the records of what one connection does in it, or it does by itself.
    pub fn unit(&self) -> Unit {
        let journal = self.stored.as_ref().map(|stored| Arc::clone(&stored.journal));
        Unit::new(journal, self.durability)
    }

    fn new_epoch(&self) {
        self.epoch.fetch_add(1, Ordering::Release);
    }
}
