//! A channel as an operator sees it. Its connection's task writes it and never waits for those who read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::former::Former;
use crate::count::{ChannelTally, Count, Flow, GivenCounts, What};
use crate::name::{ExchangeName, QueueName};
use crate::queue::Queue;
use crate::queue::subscriber::{Subscriber, Whose};
use crate::time::Time;

/// A channel, for an operator.
#[derive(Debug)]
pub struct ChannelEntry {
    /// Which it is.
    pub whose: Arc<Whose>,
    /// When it was opened.
    pub opened_at: Time,
    /// What it has counted.
    pub tally: Arc<ChannelTally>,
    /// Deliveries that it has not settled.
    pub unacked: Count,
    /// Publishes that wait for a commit.
    pub uncommitted: Count,
    /// Settlements that wait for a commit.
    pub uncommitted_acks: Count,
    /// How many unsettled deliveries each of its consumers to come may have; 0 is no limit.
    pub prefetch: Count,
    /// The same for all of them together.
    pub global_prefetch: Count,
    pub(super) mode: Count,
    /// Publishes that were confirmed or refused since.
    pub(super) answered: Count,
    /// Leaf locks, taken to subscribe or to begin to publish to an exchange, never for a message.
    subscribers: Mutex<Subscribers>,
    flows: Mutex<Vec<(ExchangeName, Arc<Flow>)>>,
}

/// The consumers that there are and those that there were, so that none is told twice.
#[derive(Debug, Default)]
struct Subscribers {
    present: Vec<Arc<Subscriber>>,
    former: Former,
}

pub(super) const CONFIRMS: u64 = 1;
pub(super) const COMMITS: u64 = 2;

impl ChannelEntry {
    /// A channel on which nothing has happened.
    pub fn new(whose: Arc<Whose>, tally: Arc<ChannelTally>, opened_at: Time) -> Self {
        Self {
            whose,
            opened_at,
            tally,
            unacked: Count::default(),
            uncommitted: Count::default(),
            uncommitted_acks: Count::default(),
            prefetch: Count::default(),
            global_prefetch: Count::default(),
            mode: Count::default(),
            answered: Count::default(),
            subscribers: Mutex::default(),
            flows: Mutex::default(),
        }
    }

    /// Whether it confirms.
    pub fn confirms(&self) -> bool {
        self.mode.get() == CONFIRMS
    }

    /// Whether it commits.
    pub fn is_transactional(&self) -> bool {
        self.mode.get() == COMMITS
    }

    /// Publishes that are to be confirmed and are not.
    pub fn unconfirmed(&self) -> u64 {
        if !self.confirms() {
            return 0;
        }
        let answered = self.answered.get();
        let published = self.tally.messages.counts().of(What::PublishConfirm);
        published.saturating_sub(answered)
    }

    /// Its consumers.
    pub fn subscribers(&self) -> Vec<Arc<Subscriber>> {
        lock(&self.subscribers).present.clone()
    }

    /// How many there are.
    pub fn consumers(&self) -> usize {
        lock(&self.subscribers).present.len()
    }

    /// What its consumers were given, those that are cancelled among them, by the queue; or by one queue.
    pub fn given(&self, wanted: Option<&str>) -> BTreeMap<QueueName, GivenCounts> {
        let mut all: BTreeMap<QueueName, GivenCounts> = BTreeMap::new();
        let known = {
            let subscribers = lock(&self.subscribers);
            for subscriber in &subscribers.present {
                if wanted.is_none_or(|wanted| subscriber.queue.as_str() == wanted) {
                    *all.entry(subscriber.queue.clone()).or_default() += subscriber.given();
                }
            }
            subscribers.former.known(wanted)
        };
        for (queue, given) in known.given() {
            *all.entry(queue).or_default() += given;
        }
        all
    }

    /// What it publishes, by the exchange.
    pub fn flows(&self) -> Vec<(ExchangeName, Arc<Flow>)> {
        lock(&self.flows).clone()
    }

    pub(super) fn subscribe(&self, subscriber: &Arc<Subscriber>) {
        lock(&self.subscribers).present.push(Arc::clone(subscriber));
    }

    /// A consumer is no more; its queue, if that is still there.
    pub(super) fn unsubscribe(&self, tag: &str, queue: Option<&Arc<Queue>>) {
        let mut subscribers = lock(&self.subscribers);
        let Subscribers { present, former } = &mut *subscribers;
        let gone = present.extract_if(.., |subscriber| subscriber.tag.as_str() == tag);
        for subscriber in gone {
            if let Some(queue) = queue {
                former.add(subscriber, queue);
            }
        }
    }

    pub(super) fn begin_flow(&self, exchange: &str, flow: &Arc<Flow>) {
        lock(&self.flows).push((ExchangeName::from(exchange), Arc::clone(flow)));
    }

    pub(super) fn forget_flows(&self) {
        lock(&self.flows).clear();
    }
}

fn lock<T>(list: &Mutex<T>) -> MutexGuard<'_, T> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}
