//! Where dead letters come to rest: the queues that somebody has to look into.
//!
//! It is read off the topology when somebody asks, so that neither a message nor its death costs anything for it, and holds
//! for messages that came before the broker started as well. A queue that sends its own dead letters on, to be tried again
//! later, is a station on their way and not the end of it.

use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::Vhost;
use super::exchange::{Exchange, ExchangeId, Target};
use crate::exchange::Routable;
use crate::queue::{Queue, QueueId};

/// An exchange, and the routing key that dead letters get; nothing when they keep their own.
type Address = (Arc<str>, Option<Arc<str>>);

/// The queues whose dead letters go to one address, as far as it matters how many they are.
#[derive(Clone, Copy)]
enum Sources {
    One(QueueId),
    More,
}

impl Vhost {
    /// The queues to which dead letters of other queues may go, and from which none go on to another queue.
    ///
    /// Where the address of a dead letter does not say where it goes (it keeps its routing key, or the exchange looks at
    /// more than that), all that is bound counts. Dead letters that go to the default exchange with the routing key that
    /// they have are left out: that can be any queue.
    pub fn resting_places(&self) -> HashSet<QueueId> {
        let queues = self.queues().all();
        let mut sent_from: HashMap<Address, Vec<QueueId>> = HashMap::default();
        for queue in &queues {
            if let Ok(terms) = queue.terms()
                && let Some(to) = &terms.dead_letter
            {
                // What goes to an exchange that looks at more than the key is looked for once.
                let by_key = self
                    .exchanges()
                    .get(to.exchange.as_str())
                    .is_none_or(|exchange| exchange.routes().holds_for_the_key());
                let key = to.routing_key.clone().filter(|_| by_key);
                let address = (Arc::from(to.exchange.as_str()), key);
                sent_from.entry(address).or_default().push(queue.id());
            }
        }
        let (mut ends, mut stations) = (HashSet::default(), HashSet::default());
        for ((exchange, key), from) in sent_from {
            let targets = self.possible_targets(&exchange, key.as_deref());
            let sources = if let [one] = from.as_slice() { Sources::One(*one) } else { Sources::More };
            ends.extend(targets.iter().copied().filter(|target| match sources {
                Sources::One(source) => source != *target,
                Sources::More => true,
            }));
            stations.extend(from.into_iter().filter(|source| match targets.len() {
                0 => false,
                1 => !targets.contains(source),
                _ => true,
            }));
        }
        ends.retain(|queue| !stations.contains(queue));
        ends
    }

    /// The queues that a message comes to that is published to an exchange, or may come to.
    fn possible_targets(&self, exchange: &str, key: Option<&str>) -> HashSet<QueueId> {
        let mut walk = Walk::default();
        self.go_on(exchange, key, &mut walk);
        while let Some(exchange) = walk.to_visit.pop() {
            let led_on = walk.follow(&exchange, key);
            // Without a key one message may match and the next one not.
            if (!led_on || key.is_none())
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
