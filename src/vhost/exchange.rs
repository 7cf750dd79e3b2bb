//! An exchange of a virtual host: its options, its bindings, and the lock around them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::count::{Flow, Sum};
use crate::exchange::{ExchangeOptions, ExchangeType, Routes, TargetName};
use crate::name::ExchangeName;
use crate::policy::InForce;
use crate::queue::{Queue, QueueId};

/// Which exchange: given once, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExchangeId(u64);

/// Where a binding leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// To a queue.
    Queue(Arc<Queue>),
    /// To another exchange.
    Exchange(Arc<Exchange>),
}

/// A target without the thing itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetId {
    /// A queue.
    Queue(QueueId),
    /// An exchange.
    Exchange(ExchangeId),
}

impl crate::exchange::Target for Target {
    fn name(&self) -> TargetName<'_> {
        match self {
            Self::Queue(queue) => TargetName::Queue(queue.name().as_str().into()),
            Self::Exchange(exchange) => TargetName::Exchange(exchange.name().as_str().into()),
        }
    }
}

impl Target {
    /// Which target this is.
    pub fn id(&self) -> TargetId {
        match self {
            Self::Queue(queue) => TargetId::Queue(queue.id()),
            Self::Exchange(exchange) => TargetId::Exchange(exchange.id),
        }
    }
}

/// An exchange: where messages are published to, and what leads on from there.
pub struct Exchange {
    id: ExchangeId,
    name: ExchangeName,
    options: ExchangeOptions,
    keeps_history: bool,
    /// Where messages wait that are not due yet, if they do here.
    waiting: OnceLock<Arc<Queue>>,
    /// What knows which messages it had, if it is to know.
    known: OnceLock<Arc<Queue>>,
    published: Arc<Sum<Flow>>,
    policies: RwLock<Option<Arc<InForce>>>,
    routes: RwLock<Routes<Target>>,
}

impl Exchange {
    /// An exchange without bindings.
    pub fn new(name: ExchangeName, options: ExchangeOptions) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = ExchangeId(NEXT.fetch_add(1, Ordering::Relaxed));
        let routes = RwLock::new(Routes::declared(options.exchange_type, options.arguments.as_table()));
        let keeps_history = options.routes_by() == ExchangeType::RecentHistory;
        Self {
            id,
            name,
            options,
            keeps_history,
            waiting: OnceLock::new(),
            known: OnceLock::new(),
            published: Arc::default(),
            policies: RwLock::default(),
            routes,
        }
    }

    /// Which exchange this is.
    pub fn id(&self) -> ExchangeId {
        self.id
    }

    /// Its name.
    pub fn name(&self) -> &ExchangeName {
        &self.name
    }

    /// What it was declared with.
    pub fn options(&self) -> &ExchangeOptions {
        &self.options
    }

    /// What is published to it, and where that is counted.
    pub fn published(&self) -> &Arc<Sum<Flow>> {
        &self.published
    }

    /// Whether its messages may ask to be routed later.
    pub fn delays(&self) -> bool {
        self.options.exchange_type == ExchangeType::DelayedMessage
    }

    /// The queue in which its messages wait until they are due. Nobody else knows it.
    pub fn waiting(&self) -> Option<&Arc<Queue>> {
        self.waiting.get()
    }

    /// Messages that are not due yet wait in this queue from now on. Once, before the exchange is used.
    pub(super) fn wait_in(&self, queue: Arc<Queue>) {
        // An exchange has one.
        let _ = self.waiting.set(queue);
    }

    /// Whether it takes each message once.
    pub fn deduplicates(&self) -> bool {
        self.options.routes_by() == ExchangeType::MessageDeduplication
    }

    /// The queue that knows for it which messages it had, and has none itself. Nobody else knows it.
    pub fn knows_messages_by(&self) -> Option<&Arc<Queue>> {
        self.known.get()
    }

    /// This queue knows which messages it had from now on. Once, before the exchange is used.
    pub(super) fn know_messages_by(&self, queue: Arc<Queue>) {
        // An exchange has one.
        let _ = self.known.set(queue);
    }

    /// What policies put in force on it; nothing when none matches.
    pub fn policies(&self) -> Option<Arc<InForce>> {
        self.policies.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// These policies match from now on. Follow with a new epoch.
    pub(super) fn set_policies(&self, policies: Option<Arc<InForce>>) {
        *self.policies.write().unwrap_or_else(PoisonError::into_inner) = policies;
    }

    /// Where messages go that it has no target for: as it was declared, else as policies say.
    pub fn alternate_exchange(&self) -> Option<ExchangeName> {
        self.options.alternate_exchange.clone().or_else(|| {
            let policies = self.policies.read().unwrap_or_else(PoisonError::into_inner);
            policies.as_ref()?.definition.text("alternate-exchange").map(ExchangeName::from)
        })
    }

    /// Whether it keeps what is published to it.
    pub fn keeps_history(&self) -> bool {
        self.keeps_history
    }

    /// Its bindings, to route by. A leaf lock.
    pub fn routes(&self) -> RwLockReadGuard<'_, Routes<Target>> {
        self.routes.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its bindings, to change them, which is done with the topology's lock, or what it keeps. A leaf lock.
    pub(super) fn routes_mut(&self) -> RwLockWriteGuard<'_, Routes<Target>> {
        self.routes.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Exchange {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Exchange {}

impl std::hash::Hash for Exchange {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Exchange({:?})", self.name)
    }
}
