//! Where dead letters come to rest: the queues that somebody has to look into.
//!
//! It is read off the topology when somebody asks, so that neither a message nor its death costs anything for it, and holds
//! for messages that came before the broker started as well. A queue that sends its own dead letters on, to be tried again
//! later, is a station on their way and not the end of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::HashSet;

use super::Vhost;
use super::exchange::{Exchange, ExchangeId, Target};
use crate::exchange::{ExchangeType, Routable};
use crate::queue::{Queue, QueueId};

/// The routing keys that dead letters get on their way to one exchange, nothing for those that keep their own, each with the
/// queues that they come from.
type Senders = BTreeMap<Option<Arc<str>>, Vec<QueueId>>;

/// So many ways from a key to a queue are followed one by one when somebody asks. Beyond that the exchange counts as one that
/// looks at more than the key, so that many keys, each of which leads to many queues, are not the product of both.
const WAYS_MAX: usize = 1_000_000;

impl Vhost {
    /// The queues to which dead letters of other queues may go, and from which none go on to another queue.
    ///
    /// Where the address of a dead letter does not say where it goes (it keeps its routing key, or the exchange looks at
    /// more than that), all that is bound counts. Dead letters that go to the default exchange with the routing key that
    /// they have are left out: that can be any queue.
    pub fn resting_places(&self) -> HashSet<QueueId> {
        self.resting_places_within(WAYS_MAX).0
    }

    /// The same, and how many ways were followed to find that out.
    pub(super) fn resting_places_within(&self, ways_max: usize) -> (HashSet<QueueId>, usize) {
        let mut sent_to: BTreeMap<Arc<str>, Senders> = BTreeMap::new();
        for queue in self.queues().all() {
            if let Ok(terms) = queue.terms()
                && let Some(to) = &terms.dead_letter
            {
                let senders = sent_to.entry(Arc::from(to.exchange.as_str())).or_default();
                senders.entry(to.routing_key.clone()).or_default().push(queue.id());
            }
        }
        let (mut rest, mut ways) = (Rest::default(), 0);
        for (exchange, senders) in sent_to {
            let by_key = if self.looks_at_keys(&exchange) {
                self.followed_by_key(&exchange, &senders, ways_max.saturating_sub(ways))
            } else {
                None
            };
            let followed = by_key.unwrap_or_else(|| {
                let all = senders.into_values().flatten().collect();
                vec![(all, self.possible_targets(&exchange, None))]
            });
            for (from, targets) in followed {
                ways += targets.len();
                rest.add(&from, &targets);
            }
        }
        (rest.places(), ways)
    }

    /// Whether it depends on the routing key alone where a message goes that is published to an exchange.
    fn looks_at_keys(&self, exchange: &str) -> bool {
        let Some(exchange) = self.exchanges().get(exchange) else { return true };
        let routes = exchange.routes();
        let to_all = exchange.options().exchange_type == ExchangeType::Fanout
            && !routes.is_empty()
            && routes.iter().all(|binding| matches!(binding.target, Target::Queue(_)));
        !to_all && routes.holds_for_the_key()
    }

    /// Where the dead letters of each key may go; nothing if that is more than so many ways.
    fn followed_by_key(
        &self,
        exchange: &str,
        senders: &Senders,
        ways_max: usize,
    ) -> Option<Vec<(Vec<QueueId>, HashSet<QueueId>)>> {
        let (mut followed, mut ways) = (Vec::new(), 0_usize);
        for (key, from) in senders {
            let targets = self.possible_targets(exchange, key.as_deref());
            ways += targets.len();
            // One for each key is no product.
            if ways > ways_max.max(senders.len()) {
                return None;
            }
            followed.push((from.clone(), targets));
        }
        Some(followed)
    }

    /// The queues that a message comes to that is published to an exchange, or may come to.
    fn possible_targets(&self, exchange: &str, key: Option<&str>) -> HashSet<QueueId> {
        let mut walk = Walk::default();
        self.go_on(exchange, key, &mut walk);
        while let Some(exchange) = walk.to_visit.pop() {
            let led_on = walk.follow(&exchange, key);
            // Without a key one message may match and the next one not, but where all of them match.
            let takes_all = exchange.options().exchange_type == ExchangeType::Fanout;
            if (!led_on || (key.is_none() && !takes_all))
                && let Some(alternate) = exchange.alternate_exchange()
            {
                self.go_on(alternate.as_str(), key, &mut walk);
            }
        }
        walk.queues
    }

    fn go_on(&self, exchange: &str, key: Option<&str>, walk: &mut Walk) {
        if !exchange.is_empty() {
            walk.to_visit.extend(self.exchanges().get(exchange).filter(|next| walk.seen.insert(next.id())));
        } else if let Some(queue) = key.and_then(|key| self.queues().get(key)) {
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
}

impl Walk {
    fn add(&mut self, queue: &Queue) {
        self.queues.insert(queue.id());
    }

    /// Adds what the bindings of an exchange lead to; gives whether that is anything.
    fn follow(&mut self, exchange: &Exchange, key: Option<&str>) -> bool {
        let mut led_on = false;
        let mut found = |target: &Target| {
            led_on = true;
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
        match key {
            Some(key) if routes.holds_for_the_key() => routes.route(&Routable::with_key(key), &mut found),
            _ => routes.iter().for_each(|binding| found(&binding.target)),
        }
        led_on
    }
}
