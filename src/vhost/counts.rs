//! What is counted of a virtual host, and of all of them together.

use std::sync::{Arc, Mutex, PoisonError};

use super::Vhost;
use crate::count::{
    ChannelCounts, ChannelTally, Churn, Event, Flow, FlowCounts, QueueCounts, QueueTotals, Seat, Sum, Sums,
    Traffic, TrafficCounts,
};
use crate::queue::Queue;

/// What is counted of a broker.
#[derive(Default)]
pub struct NodeCounts {
    channels: Sums<ChannelTally>,
    /// What queues counted that went with their virtual hosts.
    gone_queues: Mutex<QueueCounts>,
    churn: Churn,
    queues: Arc<QueueTotals>,
}

/// What is counted of a virtual host.
#[derive(Default)]
pub(super) struct Counts {
    channels: Arc<Sum<ChannelTally>>,
    default_exchange: Arc<Sum<Flow>>,
    traffic: Arc<Sum<Traffic>>,
    gone_queues: Mutex<QueueCounts>,
    node: Arc<NodeCounts>,
}

impl NodeCounts {
    /// What its channels counted, those that are closed among them.
    pub fn channels(&self) -> ChannelCounts {
        self.channels.total()
    }

    /// What those queues counted that went with their virtual hosts.
    pub fn gone_queues(&self) -> QueueCounts {
        *lock(&self.gone_queues)
    }

    /// What its queues hold and have counted, without looking at any of them.
    pub fn queues(&self) -> &QueueTotals {
        &self.queues
    }

    /// What came and went.
    pub fn churn(&self) -> &Churn {
        &self.churn
    }
}

impl Counts {
    /// It is one of a broker's from now on, with these queues.
    pub(super) fn join(&mut self, node: &Arc<NodeCounts>, queues: &[Arc<Queue>]) {
        self.node = Arc::clone(node);
        node.channels.add(&self.channels);
        for queue in queues {
            self.queue_made(queue);
        }
    }

    /// A queue counts here from now on.
    pub(super) fn queue_made(&self, queue: &Queue) {
        queue.count_in(&self.node.queues);
    }

    /// A queue has gone; what it counted stays.
    pub(super) fn queue_gone(&self, queue: &Queue) {
        *lock(&self.gone_queues) += queue.counts();
        self.node.churn.add(Event::QueueDeleted);
    }

    /// The virtual host has gone.
    pub(super) fn end(&self) {
        *lock(&self.node.gone_queues) += std::mem::take(&mut *lock(&self.gone_queues));
    }

    pub(super) fn default_exchange(&self) -> &Arc<Sum<Flow>> {
        &self.default_exchange
    }
}

impl Vhost {
    /// A channel counts here from now on.
    pub fn count_channel(&self) -> Seat<ChannelTally> {
        self.counts.channels.join(Arc::default())
    }

    /// What its channels counted, those that are closed among them.
    pub fn channel_counts(&self) -> ChannelCounts {
        self.counts.channels.total()
    }

    /// A connection's bytes count here from now on.
    pub fn count_traffic(&self) -> Seat<Traffic> {
        self.counts.traffic.join(Arc::default())
    }

    /// What came and went by its connections, those that are closed among them.
    pub fn traffic(&self) -> TrafficCounts {
        self.counts.traffic.total()
    }

    /// What is published to its default exchange.
    pub fn default_exchange_counts(&self) -> FlowCounts {
        self.counts.default_exchange.total()
    }

    /// What queues counted that are gone.
    pub fn gone_queue_counts(&self) -> QueueCounts {
        *lock(&self.counts.gone_queues)
    }

    /// How often something happened to its queues that no channel counts.
    pub fn stirs(&self) -> u64 {
        self.undertaker.stirs()
    }

    /// What comes and goes in its broker.
    pub fn churn(&self) -> &Churn {
        self.counts.node.churn()
    }
}

fn lock(counts: &Mutex<QueueCounts>) -> std::sync::MutexGuard<'_, QueueCounts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}
