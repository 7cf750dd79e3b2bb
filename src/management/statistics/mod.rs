//! How fast things happen: the numbers that are counted, sampled every few seconds.
//!
//! Numbers themselves are read when somebody asks. What does not move costs one comparison, and no queue, exchange or channel is
//! looked at while no total moves and every rate has fallen to zero.

mod finely;
mod rows;
mod sampler;
mod series;
mod told;
mod totals;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::connection::Environment;
use crate::name::{ConnectionId, ExchangeName, QueueName, VhostName};
use crate::place::QueueId;
use crate::time::Time;
use crate::vhost::exchange::ExchangeId;
use finely::With;
use rows::{CONNECTION, EXCHANGE, NODE, OVERVIEW, QUEUE, VHOST};
pub use sampler::{NodeSample, Sampler};
use series::Series;
pub(super) use told::Telling;
pub use totals::{QueueTotals, Totals};

/// What has been sampled of a broker.
#[derive(Default)]
pub struct Statistics {
    past: RwLock<Past>,
    totals: totals::Remembered,
}

/// What has been sampled. It is written at a tick, some at a time.
#[derive(Default)]
struct Past {
    /// When the first sample was taken, the last one, and the one before.
    begun: Time,
    now: Time,
    before: Time,
    overview: Option<Series<OVERVIEW>>,
    node: Option<Series<NODE>>,
    vhosts: HashMap<VhostName, Series<VHOST>>,
    queues: HashMap<QueueId, Series<QUEUE>>,
    exchanges: HashMap<ExchangeId, Series<EXCHANGE>>,
    default_exchanges: HashMap<VhostName, Series<EXCHANGE>>,
    channels: HashMap<(ConnectionId, u16), Series<VHOST>>,
    connections: HashMap<ConnectionId, Series<CONNECTION>>,
    /// Where it is told so finely: what channels publish to each exchange, and their consumers are given from each queue.
    published: HashMap<With<ExchangeName>, Series<VHOST>>,
    given: HashMap<With<QueueName>, Series<VHOST>>,
    /// The last tick at which all of that was known: what is not there then is new when it comes.
    fine_until: Time,
    /// Memory of the series that may be shortened, in bytes.
    memory: usize,
}

impl Statistics {
    /// What all queues hold and have counted together, at present or a moment ago.
    pub fn totals(&self, environment: &Environment) -> Arc<Totals> {
        self.totals.of(environment)
    }

    /// Forgets all samples: rates begin anew with the next ones.
    pub fn reset(&self) {
        *self.past_mut() = Past::default();
    }

    fn past(&self) -> RwLockReadGuard<'_, Past> {
        self.past.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn past_mut(&self) -> RwLockWriteGuard<'_, Past> {
        self.past.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Statistics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let past = self.past();
        write!(f, "Statistics({} queues, {} bytes)", past.queues.len(), past.memory)
    }
}
