//! Where dead letters come to rest: the queues that somebody has to look into.
//!
//! It is read off the topology when somebody asks, so that neither a message nor its death costs anything for it, and holds
//! for messages that came before the broker started as well. A queue that sends its own dead letters on, to be tried again
//! later, is a station on their way and not the end of it.
//!
//! What all dead letters may reach whose keys are not known is found at a cost that is that of the bindings there are
//! ([`spread`]). Keys that are known are followed one by one, up to a bound.

mod spread;

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::HashSet;

use self::spread::Spread;
use super::Vhost;
use super::exchange::{Exchange, ExchangeId, Target};
use crate::exchange::{ExchangeType, Routable};
use crate::queue::{Queue, QueueId};

/// The routing keys that dead letters get on their way to one exchange, nothing for those that keep their own, each with the
/// queues that they come from.
type Senders = BTreeMap<Option<Arc<str>>, Vec<QueueId>>;

/// So much is visited for keys that are followed one by one when somebody asks: exchanges, what their bindings lead to, and
/// what a router looks at to find that out. From where that is too little on exchanges count as ones that look at more than the
/// key, so that many keys, each of which leads to much, are not the product of both.
const VISITS_MAX: usize = 1_000_000;

/// So much may be visited for each key whatever the bound is: that is no product.
const VISITS_A_KEY: usize = 8;

impl Vhost {
    /// The queues to which dead letters of other queues may go, and from which none go on to another queue.
    ///
    /// Where the address of a dead letter does not say where it goes (it keeps its routing key, or the exchange looks at
    /// more than that), all that is bound counts. Dead letters that go to the default exchange with the routing key that
    /// they have are left out: that can be any queue.
    pub fn resting_places(&self) -> HashSet<QueueId> {
        self.resting_places_within(VISITS_MAX).0
    }

    /// The same, and how much was visited for keys that were followed one by one.
    pub(super) fn resting_places_within(&self, visits_max: usize) -> (HashSet<QueueId>, usize) {
        let mut sent_to: BTreeMap<Arc<str>, Senders> = BTreeMap::new();
        for queue in self.queues().all() {
            if let Ok(terms) = queue.terms()
                && let Some(to) = &terms.dead_letter
            {
                let senders = sent_to.entry(Arc::from(to.exchange.as_str())).or_default();
                senders.entry(to.routing_key.clone()).or_default().push(queue.id());
            }
        }
        let (mut rest, mut visits) = (Rest::default(), 0);
        let mut without_key = Spread::default();
        let mut is_given_up = false;
        for (exchange, mut senders) in sent_to {
            if let Some(from) = senders.remove(&None) {
                without_key.send(self, &exchange, from);
            }
            let budget = visits_max.saturating_sub(visits).max(VISITS_A_KEY * senders.len());
            // The default exchange leads a key to one queue.
            let may_follow = exchange.is_empty() || (!is_given_up && self.looks_at_keys(&exchange));
            let mut of_exchange = 0;
            let by_key = if may_follow {
                self.followed_by_key(&exchange, &senders, budget, &mut of_exchange)
            } else {
                None
            };
            visits += of_exchange;
            if let Some(followed) = by_key {
                for (from, targets) in followed {
                    rest.add(from, &targets);
                }
            } else {
                is_given_up |= may_follow;
                without_key.send(self, &exchange, senders.into_values().flatten().collect());
            }
        }
        without_key.come_to_rest(self, &mut rest);
        (rest.places(), visits)
    }

    /// Whether it depends on the routing key alone where a message goes that is published to an exchange.
    fn looks_at_keys(&self, exchange: &str) -> bool {
        let Some(exchange) = self.exchanges().get(exchange) else { return true };
        let routes = exchange.routes();
        let to_all = exchange.options().exchange_type == ExchangeType::Fanout
            && !routes.is_empty()
            && routes.targets().all(|target| matches!(target, Target::Queue(_)));
        !to_all && routes.holds_for_the_key()
    }

    /// Where the dead letters of each key may go; nothing if more than this would have to be visited for it.
    fn followed_by_key<'a>(
        &self,
        exchange: &str,
        senders: &'a Senders,
        budget: usize,
        visits: &mut usize,
    ) -> Option<Vec<(&'a [QueueId], HashSet<QueueId>)>> {
        let mut followed = Vec::new();
        for (key, from) in senders {
            let mut walk = Walk { budget: budget.saturating_sub(*visits), ..Walk::default() };
            if let Some(key) = key {
                self.walk(exchange, key, &mut walk);
            }
            *visits += walk.visits;
            if walk.is_too_long() {
                return None;
            }
            followed.push((from.as_slice(), walk.queues));
        }
        Some(followed)
    }

    /// Finds the queues that a message comes to that is published to an exchange, or may come to.
    fn walk(&self, exchange: &str, key: &str, walk: &mut Walk) {
        self.go_on(exchange, key, walk);
        while !walk.is_too_long()
            && let Some(exchange) = walk.to_visit.pop()
        {
            if !walk.follow(&exchange, key)
                && let Some(alternate) = exchange.alternate_exchange()
            {
                self.go_on(alternate.as_str(), key, walk);
            }
        }
    }

    fn go_on(&self, exchange: &str, key: &str, walk: &mut Walk) {
        if !exchange.is_empty() {
            walk.to_visit.extend(self.exchanges().get(exchange).filter(|next| walk.seen.insert(next.id())));
            return;
        }
        walk.visits += 1;
        if let Some(queue) = self.queues().get(key) {
            walk.add(&queue);
        }
    }
}

/// What has been found out of the queues that have to do with dead letters.
#[derive(Default)]
struct Rest {
    /// Where they come from other queues.
    ends: HashSet<QueueId>,
    /// From where they go on to other queues.
    stations: HashSet<QueueId>,
}

impl Rest {
    /// Dead letters go from each of these queues to each of those.
    fn add(&mut self, from: &[QueueId], targets: &HashSet<QueueId>) {
        self.ends.extend(targets.iter().copied().filter(|target| from != [*target].as_slice()));
        self.stations.extend(from.iter().copied().filter(|source| match targets.len() {
            0 => false,
            1 => !targets.contains(source),
            _ => true,
        }));
    }

    fn places(mut self) -> HashSet<QueueId> {
        let Self { ends, stations } = &mut self;
        ends.retain(|queue| !stations.contains(queue));
        self.ends
    }
}

/// A way through the exchanges.
#[derive(Default)]
struct Walk {
    queues: HashSet<QueueId>,
    to_visit: Vec<Arc<Exchange>>,
    seen: HashSet<ExchangeId>,
    /// What was visited, as [`VISITS_MAX`] counts it, and how much of that may be.
    visits: usize,
    budget: usize,
}

impl Walk {
    fn is_too_long(&self) -> bool {
        self.visits > self.budget
    }

    fn add(&mut self, queue: &Queue) {
        self.queues.insert(queue.id());
    }

    /// Adds what the bindings of an exchange lead to; gives whether that is anything.
    fn follow(&mut self, exchange: &Exchange, key: &str) -> bool {
        let mut found_of_it = 0;
        let mut found = |target: &Target| {
            found_of_it += 1;
            match target {
                Target::Queue(queue) => self.add(queue),
                Target::Exchange(next) => {
                    if self.seen.insert(next.id()) {
                        self.to_visit.push(Arc::clone(next));
                    }
                }
            }
        };
        let routes = exchange.routes();
        let looked_at = if routes.holds_for_the_key() {
            routes.route_counting(&Routable::with_key(key), &mut found)
        } else {
            routes.targets().for_each(&mut found);
            0
        };
        self.visits += 1 + looked_at + found_of_it;
        found_of_it > 0
    }
}
