//! From an exchange to the queues that a message goes to.
//!
//! Exchange-to-exchange bindings are walked with a list and a set, never by recursion: cycles end, and each queue is
//! found at most once. The default exchange is the registry of queues.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use super::Vhost;
use super::exchange::{Exchange, ExchangeId, Target};
use super::publisher::{Claim, Claims};
use super::refused::Refused;
use crate::count::{Flow, Sum};
use crate::exchange::{Routable, Routes};
use crate::message::deduplication::{DeduplicationKey, wanted_ttl};
use crate::queue::due::due;
use crate::queue::{Queue, QueueId};
use crate::store::original::Original;

/// The queues that a message goes to; reused from message to message.
#[derive(Default)]
pub struct Found {
    queues: Vec<Arc<Queue>>,
    known: Seen<QueueId>,
    walk: Vec<Arc<Exchange>>,
    visited: Seen<ExchangeId>,
    claims: Claims,
    /// Where is counted what was published to the exchange that it was published to.
    published_to: Option<Arc<Sum<Flow>>>,
    by_more_than_the_key: bool,
}

/// What came up before: a few are looked through, many are hashed.
struct Seen<I> {
    few: Vec<I>,
    many: HashSet<I, foldhash::fast::RandomState>,
}

/// Up to this many a look at each is cheaper than a hash.
const FEW: usize = 16;

impl<I> Default for Seen<I> {
    fn default() -> Self {
        Self { few: Vec::new(), many: HashSet::default() }
    }
}

impl<I: Copy + Eq + Hash> Seen<I> {
    fn clear(&mut self) {
        self.few.clear();
        self.many.clear();
    }

    /// Whether it comes up for the first time.
    fn is_new(&mut self, id: I) -> bool {
        if self.few.len() < FEW {
            let new = !self.few.contains(&id);
            if new {
                self.few.push(id);
            }
            return new;
        }
        if self.many.is_empty() {
            self.many.extend(self.few.iter().copied());
        }
        self.many.insert(id)
    }
}

impl Found {
    /// Forgets what was found before.
    pub fn clear(&mut self) {
        self.queues.clear();
        self.known.clear();
        self.walk.clear();
        self.visited.clear();
        self.claims.withdraw();
        self.claims.known.clear();
        self.published_to = None;
        self.by_more_than_the_key = false;
    }

    /// The queues, each once.
    pub fn queues(&self) -> &[Arc<Queue>] {
        &self.queues
    }

    /// Whether another message with the same exchange and routing key goes to the same queues.
    pub fn holds_for_the_key(&self) -> bool {
        !self.by_more_than_the_key
    }

    pub(super) fn add(&mut self, queue: &Arc<Queue>) {
        if self.known.is_new(queue.id()) {
            self.queues.push(Arc::clone(queue));
        }
    }

    /// Adds what the bindings of one exchange lead to; gives whether that is anything.
    fn follow(&mut self, routes: &Routes<Target>, message: &Routable<'_>) -> bool {
        let mut led_on = false;
        self.by_more_than_the_key |= !routes.holds_for_the_key();
        routes.route(message, &mut |target| {
            led_on = true;
            match target {
                Target::Queue(queue) => self.add(queue),
                Target::Exchange(exchange) => self.visit(exchange),
            }
        });
        led_on
    }

    /// Whether a message is not due yet.
    fn waits(&mut self, message: &Routable<'_>) -> bool {
        // The next one with the same key may be.
        self.by_more_than_the_key = true;
        message.message.is_some_and(|message| due(message).is_some())
    }

    /// Whether an exchange that takes each message once has had this one. If not it has it from now on.
    fn is_known(&mut self, keys: &Arc<Queue>, message: &Routable<'_>) -> bool {
        self.by_more_than_the_key = true;
        let Some(published) = message.message else { return false };
        let Some(key) = DeduplicationKey::of_publish(published) else { return false };
        let (original, ttl) = (Original::default(), message.headers.and_then(wanted_ttl));
        match keys.claim(key, published.arrived(), ttl, original.fate()) {
            Ok(Ok(record)) => {
                self.claims.claimed.push(Claim { keys: Arc::clone(keys), record, original });
                false
            }
            Ok(Err(known)) => {
                self.claims.known.push(known);
                true
            }
            // The exchange goes.
            Err(_gone) => false,
        }
    }

    /// Whether an exchange has looked whether it has had the message.
    pub(super) fn has_claims(&self) -> bool {
        !self.claims.is_empty()
    }

    /// Where is counted what was published to the exchange that the message was published to.
    pub(super) fn take_published_to(&mut self) -> Option<Arc<Sum<Flow>>> {
        self.published_to.take()
    }

    /// What those exchanges found.
    pub(super) fn take_claims(&mut self) -> Claims {
        std::mem::take(&mut self.claims)
    }

    fn visit(&mut self, exchange: &Arc<Exchange>) {
        if self.visited.is_new(exchange.id()) {
            self.walk.push(Arc::clone(exchange));
        }
    }
}

impl Vhost {
    /// Adds the queues that a message goes to from `exchange`.
    ///
    /// With several keys (CC, BCC) the exchange's routes for all of them are taken together, so that its alternate
    /// exchange is tried only when none leads anywhere.
    pub fn route(&self, exchange: &str, message: &Routable<'_>, found: &mut Found) -> Result<(), Refused> {
        if exchange.is_empty() {
            found.published_to = Some(Arc::clone(self.counts.default_exchange()));
            self.route_by_name(message, found);
            return Ok(());
        }
        let first = self.published_to(exchange)?;
        found.published_to = Some(Arc::clone(first.published()));
        self.route_from(&first, message, found);
        Ok(())
    }

    /// The same for what the broker publishes by itself, to an internal exchange as well.
    pub fn route_within(
        &self,
        exchange: &str,
        message: &Routable<'_>,
        found: &mut Found,
    ) -> Result<(), Refused> {
        if exchange.is_empty() {
            found.published_to = Some(Arc::clone(self.counts.default_exchange()));
            self.route_by_name(message, found);
            return Ok(());
        }
        let first = self.exchanges().get(exchange).ok_or(Refused::NoExchange)?;
        found.published_to = Some(Arc::clone(first.published()));
        self.route_from(&first, message, found);
        Ok(())
    }

    /// The same from an exchange that was found.
    pub(super) fn route_from(&self, first: &Arc<Exchange>, message: &Routable<'_>, found: &mut Found) {
        found.visit(first);
        while let Some(exchange) = found.walk.pop() {
            let led_on = if let Some(waiting) = exchange.waiting()
                && found.waits(message)
            {
                found.add(waiting);
                true
            } else if let Some(keys) = exchange.knows_messages_by()
                && found.is_known(keys, message)
            {
                true
            } else if exchange.keeps_history() && message.message.is_some() {
                // Whoever is bound meanwhile gets the message either with the history or by its binding.
                let mut routes = exchange.routes_mut();
                routes.keep(message);
                found.follow(&routes, message)
            } else {
                found.follow(&exchange.routes(), message)
            };
            if !led_on && let Some(alternate) = exchange.alternate_exchange() {
                self.route_to_alternate(alternate.as_str(), message, found);
            }
        }
    }

    /// Whether clients may publish to an exchange.
    pub fn check_publish(&self, exchange: &str) -> Result<(), Refused> {
        if exchange.is_empty() { Ok(()) } else { self.published_to(exchange).map(|_| ()) }
    }

    fn published_to(&self, exchange: &str) -> Result<Arc<Exchange>, Refused> {
        let exchange = self.exchanges().get(exchange).ok_or(Refused::NoExchange)?;
        if exchange.options().internal { Err(Refused::InternalExchange) } else { Ok(exchange) }
    }

    fn route_to_alternate(&self, alternate: &str, message: &Routable<'_>, found: &mut Found) {
        if alternate.is_empty() {
            self.route_by_name(message, found);
        } else if let Some(exchange) = self.exchanges().get(alternate) {
            found.visit(&exchange);
        }
    }

    /// As the default exchange does.
    fn route_by_name(&self, message: &Routable<'_>, found: &mut Found) {
        for queue in message.keys().filter_map(|key| self.queues().get(key)) {
            found.add(&queue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once_among_few_and_among_many() {
        let mut seen = Seen::default();
        for _ in 0..2 {
            for count in [0, 1, FEW, FEW + 1, 10 * FEW] {
                seen.clear();
                assert!((0..count).all(|id| seen.is_new(id)), "{count}");
                assert!((0..count).all(|id| !seen.is_new(id)), "{count}");
            }
        }
    }
}
