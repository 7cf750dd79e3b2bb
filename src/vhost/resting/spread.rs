//! Where dead letters may go whose keys are not known: everywhere that bindings lead to.
//!
//! That an exchange has many senders, or leads to many queues, is all that has to be known of it beside the one that it has
//! or leads to alone. So a few looks at each exchange do, however many come to it and by however many ways.

use std::sync::Arc;

use foldhash::HashMap;

use super::Rest;
use crate::exchange::ExchangeType;
use crate::queue::QueueId;
use crate::vhost::Vhost;
use crate::vhost::exchange::{Exchange, ExchangeId, Target};

/// How many queues there are of a kind, and which if it is one only.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Queues {
    #[default]
    None,
    One(QueueId),
    Many,
}

impl Queues {
    fn of(queues: &[QueueId]) -> Self {
        match queues {
            [] => Self::None,
            // Each is there once.
            [only] => Self::One(*only),
            _ => Self::Many,
        }
    }

    /// Adds others; gives whether that makes a difference.
    fn add(&mut self, more: Self) -> bool {
        let sum = match (*self, more) {
            (Self::None, other) | (other, Self::None) => other,
            (Self::One(one), Self::One(other)) if one == other => more,
            _ => Self::Many,
        };
        std::mem::replace(self, sum) != sum
    }

    /// Whether there is any other than this.
    fn has_other_than(self, queue: QueueId) -> bool {
        match self {
            Self::None => false,
            Self::One(only) => only != queue,
            Self::Many => true,
        }
    }
}

/// What is known of each exchange, once each has told those that it leads to by these edges, and they those behind them.
fn told_on(mut known: Vec<Queues>, edges: &[Vec<usize>]) -> Vec<Queues> {
    let mut to_tell: Vec<usize> = (0..known.len()).collect();
    while let Some(at) = to_tell.pop() {
        let (Some(news), Some(next)) = (known.get(at).copied(), edges.get(at)) else { continue };
        for to in next {
            if known.get_mut(*to).is_some_and(|queues| queues.add(news)) {
                to_tell.push(*to);
            }
        }
    }
    known
}

/// Dead letters without a key that is known, on their way.
#[derive(Default)]
pub(super) struct Spread {
    exchanges: Exchanges,
    /// The exchanges that they are sent to, and from where.
    sources: Vec<(usize, Vec<QueueId>)>,
}

impl Spread {
    /// These queues send theirs to this exchange. The default exchange leads nowhere without a key.
    pub(super) fn send(&mut self, vhost: &Vhost, exchange: &str, from: Vec<QueueId>) {
        if let Some(exchange) = vhost.exchanges().get(exchange) {
            self.sources.push((self.exchanges.number(&exchange), from));
        }
    }

    /// Adds where they end, and from where they go on.
    pub(super) fn come_to_rest(mut self, vhost: &Vhost, rest: &mut Rest) {
        self.exchanges.discover(vhost);
        let Exchanges { queues, next, .. } = self.exchanges;
        let mut senders = vec![Queues::None; queues.len()];
        for (at, from) in &self.sources {
            let Some(senders) = senders.get_mut(*at) else { continue };
            for queue in from {
                senders.add(Queues::One(*queue));
            }
        }
        let senders = told_on(senders, &next);
        let mut senders_of: HashMap<QueueId, Queues> = HashMap::default();
        for (senders, queues) in senders.into_iter().zip(&queues) {
            for queue in queues {
                senders_of.entry(*queue).or_default().add(senders);
            }
        }
        let ends = senders_of.into_iter().filter(|(queue, senders)| senders.has_other_than(*queue));
        rest.ends.extend(ends.map(|(queue, _)| queue));
        let reached = told_on(queues.iter().map(|queues| Queues::of(queues)).collect(), &turned_round(&next));
        for (at, from) in self.sources {
            let reached = reached.get(at).copied().unwrap_or_default();
            rest.stations.extend(from.into_iter().filter(|source| reached.has_other_than(*source)));
        }
    }
}

/// From where each is led to.
fn turned_round(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut turned = vec![Vec::new(); edges.len()];
    for (from, next) in edges.iter().enumerate() {
        for to in next {
            turned.get_mut(*to).into_iter().for_each(|edges| edges.push(from));
        }
    }
    turned
}

/// All exchanges that they may come to, by number, with what their bindings lead to.
#[derive(Default)]
struct Exchanges {
    all: Vec<Arc<Exchange>>,
    numbers: HashMap<ExchangeId, usize>,
    queues: Vec<Vec<QueueId>>,
    next: Vec<Vec<usize>>,
}

impl Exchanges {
    fn number(&mut self, exchange: &Arc<Exchange>) -> usize {
        *self.numbers.entry(exchange.id()).or_insert_with(|| {
            self.all.push(Arc::clone(exchange));
            self.all.len() - 1
        })
    }

    /// Looks at the bindings of each exchange that is known, and of those that come up by that.
    fn discover(&mut self, vhost: &Vhost) {
        while let Some(exchange) = self.all.get(self.next.len()).map(Arc::clone) {
            let (mut queues, mut next) = (Vec::new(), Vec::new());
            for target in exchange.routes().targets() {
                match target {
                    Target::Queue(queue) => queues.push(queue.id()),
                    Target::Exchange(exchange) => next.push(Arc::clone(exchange)),
                }
            }
            // One message may match and the next one not, but where all of them match.
            let takes_all = exchange.options().exchange_type == ExchangeType::Fanout;
            if (!takes_all || (queues.is_empty() && next.is_empty()))
                && let Some(alternate) = exchange.alternate_exchange()
            {
                next.extend(vhost.exchanges().get(alternate.as_str()));
            }
            let next = next.iter().map(|exchange| self.number(exchange)).collect();
            self.next.push(next);
            self.queues.push(queues);
        }
    }
}
