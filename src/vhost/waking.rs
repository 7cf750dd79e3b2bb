//! Messages whose time has come, on their way from where they waited: from a queue behind all that is ready in it, from a
//! delayed exchange to wherever its bindings lead by now.
//!
//! As with dead letters, the records of the old place and of the new ones are one group of the journal.

use std::sync::Arc;

use super::Vhost;
use super::exchange::Exchange;
use super::publisher::{Origin, Publisher, Refusal, Routed};
use super::routing::Found;
use crate::exchange::Routable;
use crate::message::Message;
use crate::queue::Queue;
use crate::queue::core::Due;
use crate::queue::death::cc;
use crate::queue::due::woken;
use crate::queue::id::UnackedKey;
use crate::queue::terms::Overflow;
use crate::time::Time;

/// So much goes on at once, in bytes of messages.
const WOKEN_AT_ONCE_BYTES: usize = 4 * 1024 * 1024;

impl Vhost {
    /// Messages that waited in a queue go on.
    pub(super) fn wake(&self, queue: &Arc<Queue>, due: &[Due]) {
        // With the exchange the queue is gone, and what waited there.
        let Ok(exchange) = self.delays_for(queue) else { return };
        let mut rest = due;
        while !rest.is_empty() {
            let mut bytes = 0_usize;
            let fits = |due: &&Due| {
                bytes = bytes.saturating_add(due.message.len());
                bytes <= WOKEN_AT_ONCE_BYTES
            };
            let count = rest.iter().take_while(fits).count().clamp(1, rest.len());
            let (part, others) = rest.split_at(count);
            self.wake_part(queue, exchange.as_ref(), part);
            rest = others;
        }
    }

    /// Moves some messages in one group of records.
    fn wake_part(&self, queue: &Arc<Queue>, exchange: Option<&Arc<Exchange>>, part: &[Due]) {
        // Its ticket is taken now: what is settled in it was published before.
        let mut unit = self.unit();
        unit.begin();
        let (mut found, now) = (Found::default(), Time::now());
        let moving = exchange.is_none();
        let mut publisher = if moving { Publisher::default().moving() } else { Publisher::default() };
        for (number, due) in (0..).zip(part) {
            let message = woken(&due.message, now);
            let routed = match exchange {
                Some(exchange) => self.route_on(exchange, &message, &mut found, &mut publisher),
                None => publisher.to_queues(std::slice::from_ref(queue)),
            };
            publisher.gather(self, routed, message, Origin { channel: 0, number }, &mut unit);
        }
        publisher.flush(self, &mut unit);
        let (refused, left) = Self::divide(queue, exchange.is_some(), part, publisher.take_refused());
        queue.left(&left, unit.group());
        unit.end();
        if !refused.is_empty() {
            queue.put_off(&refused);
        }
    }

    /// Where a message leads from an exchange, whatever its address says.
    pub(super) fn route_on(
        &self,
        exchange: &Arc<Exchange>,
        message: &Message,
        found: &mut Found,
        publisher: &mut Publisher,
    ) -> Routed {
        let (properties, keys) = (message.properties(), cc(message).collect::<Vec<_>>());
        let routable = Routable {
            routing_key: message.routing_key(),
            extra_keys: &keys,
            headers: properties.headers(),
            properties,
            message: Some(message),
        };
        found.clear();
        self.route_from(exchange, &routable, found);
        publisher.to_found(found)
    }

    /// What stays for another try, and what has left. A message was confirmed long ago, so that a queue which is full keeps
    /// its own until there is room, or has sent it to where its dead messages go; what other queues refuse of an exchange's
    /// is lost to them, as with the plugin.
    fn divide(
        queue: &Queue,
        by_exchange: bool,
        part: &[Due],
        mut refused: Vec<Refusal>,
    ) -> (Vec<Due>, Vec<UnackedKey>) {
        let goes = by_exchange
            || queue.terms().is_ok_and(|terms| terms.overflow == Overflow::RejectPublishDeadLetter);
        if goes {
            refused.clear();
        }
        refused.sort_unstable();
        let (mut stays, mut left) = (Vec::new(), Vec::with_capacity(part.len()));
        for (number, due) in (0..).zip(part) {
            if refused.binary_search_by_key(&number, |refusal| refusal.origin.number).is_ok() {
                stays.push(due.clone());
            } else {
                left.push(due.key);
            }
        }
        (stays, left)
    }
}
