//! Publishing of one connection: routes remembered by address, and messages gathered by queue, so that a batch of
//! frames locks each queue once.
//!
//! What is remembered holds for one epoch of the virtual host.

mod behind;
mod exchanges;
mod known;
mod once;
mod rates;
mod records;
mod routes;
mod traced;

use std::collections::HashMap;
use std::sync::Arc;

use crate::message::Message;
use crate::name::QueueName;
use crate::queue::queue::Pressure;
use crate::queue::{Gone, Queue, QueueId};
use crate::store::unit::Unit;
use crate::vhost::Vhost;
use crate::vhost::reply_to::Reply;
use crate::vhost::routing::Found;
pub use behind::Behind;
pub use exchanges::ExchangeNumber;
use exchanges::PublishedTo;
use known::{Known, Record, gather_for, hand_over};
pub use once::{Claim, Claims, Copied};
use once::{Once, know};
use rates::Rates;
use records::{copied, of, place, publish_again, record};
pub use traced::Traced;

/// The keys besides the routing key that a message is routed by (CC and BCC).
pub type ExtraKeys<'m> = &'m [&'m str];

/// Where the messages of one connection go.
#[derive(Default)]
pub struct Publisher {
    epoch: u64,
    known: Vec<Known>,
    by_id: HashMap<QueueId, u32, foldhash::fast::RandomState>,
    routes: HashMap<Box<[u8]>, Route, foldhash::quality::RandomState>,
    /// The size of their addresses.
    route_bytes: usize,
    /// The queues of all routes, each route a range.
    targets: Vec<u32>,
    last: Option<(Vec<u8>, Route)>,
    published_to: PublishedTo,
    /// Which of the known queues have messages gathered.
    gathered: Vec<u32>,
    /// Memory for gathering that no queue has at present.
    spare: Vec<Vec<Message>>,
    found: Found,
    behind: Vec<Behind>,
    /// Messages that a queue has refused.
    refused: Vec<Refusal>,
    /// Those that are taken once only.
    once: Once,
    /// Something is gathered for a queue that takes messages once.
    gathers_once: bool,
    by: By,
    /// A queue that could not take what was gathered for it.
    crashed: Option<QueueName>,
    /// Records were made for messages that were said to have none.
    late_records: bool,
    /// Bytes that were gathered beyond what was received: messages that go to more than one queue.
    copied_bytes: usize,
    /// The limits on what its client publishes in a second.
    rates: Rates,
    /// What is to be told at `amq.rabbitmq.trace`.
    traced: Vec<Traced>,
}

/// Which publish a message is, for whoever has to know that a queue refused it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The channel.
    pub channel: u16,
    /// The publish, as the channel numbers them.
    pub number: u64,
}

/// A publish was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// Which publish.
    pub origin: Origin,
    /// Which queue; none when it is over a limit on all that is published.
    pub by: Option<QueueId>,
}

/// Who publishes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum By {
    #[default]
    Client,
    /// The broker, to internal exchanges as well.
    Broker,
    /// A queue what was in it before.
    Queue,
}

/// A range of the remembered targets.
#[derive(Clone, Copy)]
pub struct Route {
    first: u32,
    count: u32,
    exchange: ExchangeNumber,
    /// Whether any of them outlives the broker.
    journalled: bool,
    /// Whether any of them takes messages once.
    once: bool,
    /// Whether each message is to be looked at: there is a limit on what is published to them in a second, or somebody wants to
    /// know of it.
    limited: bool,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gathered {
    /// It leads nowhere.
    Unroutable,
    /// Exchanges that it was to go through know it already.
    Known,
    /// It goes to somebody, and ends with the broker.
    Transient,
    /// It has a record in the unit.
    Journalled,
}

/// Routes that are remembered at a time; beyond that all are forgotten at once.
const ROUTES_MAX: usize = 16_384;
/// The same in bytes of exchange and routing key.
const ROUTE_BYTES_MAX: usize = 1024 * 1024;
/// Queues that are known at a time, or exchanges.
const KNOWN_MAX: usize = 4096;
/// Queues of all remembered routes together.
const TARGETS_MAX: usize = 1_000_000;
/// A gathering that was larger than this lends its memory to others: a queue that gets little keeps little.
const KEEP_GATHERED: usize = 32;
/// How many are lent at a time.
const SPARE_MAX: usize = 8;

impl Publisher {
    /// Gathers a message for the queues that it goes to. When any of them outlives the broker, and the message with it, its
    /// record is made now, with a place for its position in each of those.
    #[inline]
    pub fn gather(
        &mut self,
        vhost: &Vhost,
        routed: Routed,
        message: Message,
        origin: Origin,
        unit: &mut Unit,
    ) -> Gathered {
        let (Routed::Lasting(mut route) | Routed::Once(mut route)) = routed else {
            return self.reply(vhost, &message, origin, unit);
        };
        if route.limited {
            match self.within_rates(routed, &message, origin) {
                Some(within) => route = within,
                None => return Gathered::Transient,
            }
        }
        let targets = route.range();
        let Some((last, others)) = self.targets.get(targets).and_then(<[u32]>::split_last) else {
            let is_known = !self.once.routed.is_empty() && self.once.goes_nowhere(origin);
            return if is_known { Gathered::Known } else { Gathered::Unroutable };
        };
        if !others.is_empty() {
            let copied = message.len().saturating_mul(others.len());
            self.copied_bytes = self.copied_bytes.saturating_add(copied);
        }
        let journalled = route.journalled && message.is_persistent();
        self.gathers_once |= route.once;
        if journalled {
            record(&mut self.known, &self.targets, route, &message, unit);
        }
        if !self.once.routed.is_empty() {
            let place =
                |at: &u32| Some((*at, u32::try_from(self.known.get(*at as usize)?.gathered.len()).ok()?));
            let places: Vec<_> = others.iter().chain([last]).filter_map(place).collect();
            self.once.gather(origin, journalled, &places);
        }
        for at in others {
            gather_for(&mut self.known, &mut self.gathered, &mut self.spare, *at, message.clone(), origin);
        }
        // The message itself goes to the last: with one queue nothing is counted up and down.
        gather_for(&mut self.known, &mut self.gathered, &mut self.spare, *last, message, origin);
        if let Routed::Once(once) = routed {
            self.targets.truncate(once.first as usize);
        } else if route.limited {
            self.forget_those_left(routed, route);
        }
        if journalled { Gathered::Journalled } else { Gathered::Transient }
    }

    /// The same without some of the queues.
    pub fn without(&mut self, routed: Routed, mut dropped: impl FnMut(&Queue) -> bool) -> Routed {
        let (Routed::Lasting(route) | Routed::Once(route)) = routed else { return routed };
        let targets = self.targets.get(route.range()).unwrap_or_default();
        let (mut journalled, mut once, limited) = (false, false, route.limited);
        let known = |at: &u32| self.known.get(*at as usize);
        let left: Vec<u32> = targets
            .iter()
            .copied()
            .filter(|at| {
                let Some(known) = known(at).filter(|known| !dropped(&known.queue)) else { return false };
                journalled |= known.queue.is_journalled();
                once |= known.queue.deduplicates();
                true
            })
            .collect();
        if left.len() == targets.len() {
            return routed;
        }
        // It is forgotten together with what it was made of.
        let first = u32::try_from(self.targets.len()).unwrap_or(u32::MAX);
        let count = u32::try_from(left.len()).unwrap_or(u32::MAX);
        self.targets.extend(left);
        Routed::Once(Route { first, count, exchange: route.exchange, journalled, once, limited })
    }

    /// Whether no queue is to get a message, nor a requester, and no exchange knows it.
    pub fn leads_nowhere(&self, routed: Routed) -> bool {
        match routed {
            Routed::Lasting(route) | Routed::Once(route) => route.count == 0 && self.once.routed.is_empty(),
            Routed::Reply => false,
        }
    }

    /// Hands the gathered messages to their queues, and completes their records.
    pub fn flush(&mut self, vhost: &Vhost, unit: &mut Unit) {
        self.gathers_once = false;
        for at in self.gathered.drain(..) {
            let Some(known) = self.known.get_mut(at as usize) else { continue };
            let file = if known.records.is_empty() { None } else { unit.file() };
            match hand_over(known, file, self.by == By::Queue, unit) {
                Ok(published) => {
                    place(known.records.drain(..), &published, unit);
                    self.refused.extend(of(&known.origins, &published.refused, known.queue.id()));
                    if known.queue.deduplicates() {
                        know(&known.queue, &published, unit);
                        self.once.copied.extend(copied(&known.origins, &published));
                    }
                    if self.once.is_waiting() {
                        self.once.handed_over(at, Some(&published));
                    }
                    if published.pressure == Pressure::Behind {
                        self.behind.push(Behind::Queue(Arc::clone(&known.queue)));
                    }
                }
                Err(gone) => {
                    // Their records say that they are nowhere.
                    known.records.clear();
                    let mut messages = std::mem::take(&mut known.gathered);
                    match gone {
                        Gone::Deleted => {
                            let mut origins = std::mem::take(&mut known.origins);
                            if origins.is_empty() {
                                origins.resize(messages.len(), Origin::default());
                            }
                            let sent = messages.drain(..).zip(origins);
                            let again = publish_again(vhost, &known.queue, sent, unit);
                            self.late_records |= again.has_records;
                            self.refused.extend(again.refused);
                            self.once.copied.extend(again.copied);
                        }
                        Gone::Crashed => {
                            self.crashed = Some(known.queue.name().clone());
                            self.once.handed_over(at, None);
                        }
                    }
                }
            }
            known.origins.clear();
            if known.records.capacity() > KEEP_GATHERED {
                known.records = Vec::new();
            }
            if known.gathered.capacity() > KEEP_GATHERED {
                let emptied = std::mem::take(&mut known.gathered);
                if self.spare.len() < SPARE_MAX {
                    self.spare.push(emptied);
                }
            }
        }
        if self.once.is_waiting() {
            self.once.finish(unit);
        }
    }

    /// The queue that failed us, if one did since this was last taken: what was published to it is lost and must not be
    /// confirmed.
    pub fn take_crashed(&mut self) -> Option<QueueName> {
        self.crashed.take()
    }

    /// The messages that a queue has refused since this was last taken, each as often as one did.
    pub fn take_refused(&mut self) -> Vec<Refusal> {
        std::mem::take(&mut self.refused)
    }

    /// The messages that exchanges or queues have had before, found since this was last taken, each as often as one has.
    pub fn take_copied(&mut self) -> Vec<Copied> {
        std::mem::take(&mut self.once.copied)
    }

    /// Whether something is gathered for a queue that takes messages once: what was acknowledged before it, and what is
    /// after it, is to come to the queues in that order.
    #[inline]
    pub fn gathers_once(&self) -> bool {
        self.gathers_once
    }

    /// What is published from now on was in its queue before.
    #[must_use]
    pub fn moving(self) -> Self {
        Self { by: By::Queue, ..self }
    }

    /// The broker publishes from now on, to internal exchanges as well.
    #[must_use]
    pub fn from_within(self) -> Self {
        Self { by: By::Broker, ..self }
    }

    /// Whether records were made for messages that were said to be [transient](Gathered::Transient) since this was last
    /// taken: a queue went, and one that outlives the broker is in its place.
    pub fn take_late_records(&mut self) -> bool {
        std::mem::take(&mut self.late_records)
    }

    /// Bytes that were gathered beyond what was received since this was last taken: a message to a thousand queues may
    /// take a thousand times its place. All that there can be when a limit on what is published in a second was passed.
    pub fn copied_bytes(&self) -> usize {
        self.copied_bytes
    }

    /// Those that were found to be behind since this was last asked.
    pub fn take_behind(&mut self) -> Vec<Behind> {
        std::mem::take(&mut self.behind)
    }

    /// To exactly these queues, whatever the message says.
    pub fn to_queues(&mut self, queues: &[Arc<Queue>]) -> Routed {
        Routed::Once(self.route_to(queues))
    }

    /// To where a message was found to go.
    pub fn to_found(&mut self, found: &mut Found) -> Routed {
        Routed::Once(self.route_found(found))
    }

    fn route_found(&mut self, found: &mut Found) -> Route {
        if found.has_claims() {
            // Of one that was routed before and not gathered.
            self.once.routed.withdraw();
            self.once.routed = found.take_claims();
        }
        self.route_to(found.queues())
    }

    fn route_to(&mut self, queues: &[Arc<Queue>]) -> Route {
        let first = u32::try_from(self.targets.len()).unwrap_or(u32::MAX);
        let (mut journalled, mut once, mut limited) = (false, false, self.rates.look_at_all());
        for queue in queues {
            journalled |= queue.is_journalled();
            once |= queue.deduplicates();
            let at = self.know(queue);
            limited |= self.known.get(at as usize).is_some_and(|known| known.rate.is_some());
            self.targets.push(at);
        }
        let count = u32::try_from(queues.len()).unwrap_or(u32::MAX);
        Route { first, count, exchange: ExchangeNumber::NONE, journalled, once, limited }
    }

    fn know(&mut self, queue: &Arc<Queue>) -> u32 {
        *self.by_id.entry(queue.id()).or_insert_with(|| {
            self.known.push(Known {
                queue: Arc::clone(queue),
                rate: self.rates.of(queue),
                gathered: Vec::new(),
                origins: Vec::new(),
                may_refuse: queue.may_refuse() || queue.deduplicates(),
                records: Vec::new(),
            });
            u32::try_from(self.known.len().saturating_sub(1)).unwrap_or(u32::MAX)
        })
    }

    fn reply(&mut self, vhost: &Vhost, message: &Message, origin: Origin, unit: &mut Unit) -> Gathered {
        if self.rates.traces {
            self.trace_reply(message, origin);
        }
        // What was published before goes first.
        self.flush(vhost, unit);
        match vhost.requesters().send(message) {
            Reply::NoRequester => Gathered::Unroutable,
            Reply::Sent => Gathered::Transient,
            Reply::Behind(requester) => {
                self.behind.push(Behind::Requester(requester));
                Gathered::Transient
            }
        }
    }

    fn remembers_too_much(&self) -> bool {
        self.routes.len() > ROUTES_MAX
            || self.route_bytes > ROUTE_BYTES_MAX
            || self.known.len().max(self.published_to.len()) > KNOWN_MAX
            || self.targets.len() > TARGETS_MAX
    }

    fn forget_routes(&mut self, vhost: &Vhost, epoch: u64, unit: &mut Unit) {
        self.flush(vhost, unit);
        self.known.clear();
        self.by_id.clear();
        self.routes.clear();
        self.route_bytes = 0;
        self.targets.clear();
        self.last = None;
        self.published_to.forget();
        self.rates.renew(vhost);
        self.epoch = epoch;
    }
}

/// Where a message goes.
#[derive(Clone, Copy)]
pub enum Routed {
    /// To queues: the same for every message with this address.
    Lasting(Route),
    /// To queues: for this message only.
    Once(Route),
    /// It is a direct reply.
    Reply,
}

impl Route {
    fn range(self) -> std::ops::Range<usize> {
        self.first as usize..self.first.saturating_add(self.count) as usize
    }
}

#[cfg(test)]
mod tests;
