//! The exchanges that a connection publishes to, numbered, so that what is counted of each is found by a comparison.

use std::sync::Arc;

use foldhash::HashMap;

use super::{Publisher, Routed};
use crate::count::{Flow, Sum};

/// Which exchange of a publisher: given once, and of no other one later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeNumber(u32);

/// The exchanges that routes are remembered from.
#[derive(Default)]
pub(super) struct PublishedTo {
    /// The number of the first one.
    first: u32,
    exchanges: Vec<Arc<Sum<Flow>>>,
    /// Where each stands, once there are many.
    by_address: HashMap<usize, usize>,
}

/// Up to this many a look at each is cheaper than a hash.
const FEW: usize = 8;

impl ExchangeNumber {
    /// No exchange.
    pub const NONE: Self = Self(u32::MAX);
}

impl PublishedTo {
    /// The number of an exchange.
    pub(super) fn number(&mut self, exchange: &Arc<Sum<Flow>>) -> ExchangeNumber {
        let address = |exchange: &Arc<Sum<Flow>>| Arc::as_ptr(exchange).addr();
        let known = if self.exchanges.len() <= FEW {
            self.exchanges.iter().position(|known| Arc::ptr_eq(known, exchange))
        } else {
            self.by_address.get(&address(exchange)).copied()
        };
        let at = known.unwrap_or_else(|| {
            self.exchanges.push(Arc::clone(exchange));
            if self.exchanges.len() > FEW {
                let from = if self.by_address.is_empty() { 0 } else { self.exchanges.len() - 1 };
                let others = self.exchanges.iter().enumerate().skip(from);
                self.by_address.extend(others.map(|(at, exchange)| (address(exchange), at)));
            }
            self.exchanges.len().saturating_sub(1)
        });
        ExchangeNumber(self.first.wrapping_add(u32::try_from(at).unwrap_or(u32::MAX)))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.exchanges.len()
    }

    /// No route is remembered any more.
    pub(super) fn forget(&mut self) {
        let count = u32::try_from(self.exchanges.len()).unwrap_or(u32::MAX);
        self.first = self.first.wrapping_add(count);
        self.exchanges.clear();
        self.by_address.clear();
    }
}

impl Publisher {
    /// Where is counted what is published to an exchange, as long as a route from it is remembered.
    pub fn published_to(&self, exchange: ExchangeNumber) -> Option<&Arc<Sum<Flow>>> {
        let at = exchange.0.checked_sub(self.published_to.first)?;
        self.published_to.exchanges.get(at as usize)
    }
}

impl Routed {
    /// From which exchange, and to how many queues.
    #[inline]
    pub fn counted(self) -> (ExchangeNumber, u32) {
        match self {
            Self::Lasting(route) | Self::Once(route) => (route.exchange, route.count),
            Self::Reply => (ExchangeNumber::NONE, 1),
        }
    }
}
