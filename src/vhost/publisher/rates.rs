//! Limits on what a client publishes in a second: its user's, its virtual host's, and those of the queues.
//!
//! They concern clients: what the broker publishes by itself was counted when it came.

use std::sync::Arc;

use super::{Behind, Origin, Publisher, Refusal, Route, Routed};
use crate::message::Message;
use crate::queue::Queue;
use crate::rate::{RateMeter, RateOverflow};
use crate::time::Time;
use crate::vhost::Vhost;

/// So many bytes end any batch: what comes next is looked at again when it may be.
const ENDS_BATCH: usize = usize::MAX;
/// No epoch: routes are to be found out anew.
const NO_EPOCH: u64 = u64::MAX;

/// The limits that a publisher heeds.
#[derive(Default)]
pub(super) struct Rates {
    is_client: bool,
    user: Option<Arc<RateMeter>>,
    vhost: Option<Arc<RateMeter>>,
    /// Whether all that is published is told.
    pub(super) traces: bool,
}

impl Rates {
    /// Whether there is a limit on all that is published, or somebody wants to know of it.
    pub(super) fn look_at_all(&self) -> bool {
        self.user.is_some() || self.vhost.is_some() || self.traces
    }

    /// The limit of a queue.
    pub(super) fn of(&self, queue: &Queue) -> Option<Arc<RateMeter>> {
        if self.is_client { queue.publish_rate() } else { None }
    }

    /// The virtual host may have another limit than before.
    pub(super) fn renew(&mut self, vhost: &Vhost) {
        if self.is_client {
            self.vhost = vhost.publish_rate();
            self.traces = vhost.is_tracing();
        }
    }
}

impl Publisher {
    /// A publisher for a client in a virtual host, whose user may have a limit.
    pub fn of_client(vhost: &Vhost, user: Option<Arc<RateMeter>>) -> Self {
        let rates = Rates { is_client: true, user, vhost: vhost.publish_rate(), traces: vhost.is_tracing() };
        Self { rates, ..Self::default() }
    }

    /// The limit of the client's user, from now on.
    pub fn limit_user(&mut self, rate: Option<Arc<RateMeter>>) {
        self.rates.user = rate;
        self.epoch = NO_EPOCH;
    }

    /// Takes of the limits what a message needs, notes it if it is to be told, and gives where it goes then: a queue may refuse it for its limit, or user
    /// or virtual host may for all, which gives nothing.
    #[cold]
    pub(super) fn within_rates(
        &mut self,
        routed: Routed,
        message: &Message,
        origin: Origin,
    ) -> Option<Route> {
        let (Routed::Lasting(route) | Routed::Once(route)) = routed else { return None };
        if self.rates.traces {
            self.trace(route, message, origin);
        }
        let (now, bytes) = (message.arrived(), message.body().len());
        let of_all: Vec<_> = [&self.rates.user, &self.rates.vhost].into_iter().flatten().cloned().collect();
        if let Some(meter) = of_all.iter().find(|meter| meter.refuses(now)) {
            say_refused(meter, now);
            self.refused.push(Refusal { origin, by: None });
            self.give_up(routed);
            return None;
        }
        for meter in &of_all {
            self.take_of(meter, now, bytes);
        }
        let targets = self.targets.get(route.range()).unwrap_or_default();
        let known = targets.iter().filter_map(|at| self.known.get(*at as usize));
        let limited: Vec<_> =
            known.filter_map(|known| Some((known.queue.id(), Arc::clone(known.rate.as_ref()?)))).collect();
        let mut refusing = Vec::new();
        for (queue, meter) in limited {
            if meter.refuses(now) {
                say_refused(&meter, now);
                self.refused.push(Refusal { origin, by: Some(queue) });
                refusing.push(queue);
            } else {
                self.take_of(&meter, now, bytes);
            }
        }
        if refusing.is_empty() {
            return Some(route);
        }
        let without = self.without(routed, |queue| refusing.contains(&queue.id()));
        let (Routed::Lasting(left) | Routed::Once(left)) = without else { return None };
        if left.count == 0 {
            self.give_up(routed);
            return None;
        }
        Some(left)
    }

    fn take_of(&mut self, meter: &Arc<RateMeter>, now: Time, bytes: usize) {
        meter.take(now, bytes);
        if meter.limit().overflow == RateOverflow::Block && meter.is_over(now) {
            self.copied_bytes = ENDS_BATCH;
            let is_same =
                |behind: &Behind| matches!(behind, Behind::Over(other) if Arc::ptr_eq(other, meter));
            if !self.behind.iter().any(is_same) {
                self.behind.push(Behind::Over(Arc::clone(meter)));
            }
        }
    }

    /// A message comes to nothing that was routed.
    fn give_up(&mut self, routed: Routed) {
        self.once.routed.withdraw();
        if let Routed::Once(route) = routed {
            self.targets.truncate(route.first as usize);
        }
    }

    /// Forgets a route that was made of another one for one message.
    #[cold]
    pub(super) fn forget_those_left(&mut self, routed: Routed, left: Route) {
        if let Routed::Lasting(route) = routed
            && left.first != route.first
        {
            self.targets.truncate(left.first as usize);
        }
    }

    /// Takes the count of [`Self::copied_bytes`].
    pub fn take_copied_bytes(&mut self) -> usize {
        match std::mem::take(&mut self.copied_bytes) {
            ENDS_BATCH => 0,
            copied => copied,
        }
    }
}

fn say_refused(meter: &RateMeter, now: Time) {
    if meter.is_news(now) {
        tracing::warn!("messages are refused: {meter}");
    }
}
