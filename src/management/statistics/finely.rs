//! What each channel does with each exchange and each queue: sampled and told where that much is asked for
//! (`statistics.rates_mode`). Channels and consumers count it anyway, so that it costs those who read and nobody else.
//!
//! What nobody counts is not told: through which exchange a message came to a queue, which it enters once whatever led it there,
//! and from which queue a channel gets without consuming.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Statistics;
use super::rows::{self, VHOST, of_consumers, of_publishers};
use super::series::Series;
use super::told::{Numbers, Telling};
use crate::channel::entry::ChannelEntry;
use crate::count::Part;
use crate::name::{ConnectionId, ExchangeName, QueueName};

/// A channel, and what it has to do with.
pub(super) type With<N> = (ConnectionId, u16, N);

/// The same of a channel.
pub(super) fn with<N>(channel: &ChannelEntry, name: N) -> With<N> {
    (channel.whose.connection, channel.whose.number, name)
}

/// What a channel publishes, by the exchange.
pub(super) fn published(channel: &ChannelEntry) -> BTreeMap<ExchangeName, [u64; VHOST]> {
    let mut all = BTreeMap::new();
    for (exchange, flow) in channel.flows() {
        add(all.entry(exchange).or_insert([0; VHOST]), rows::of_flow(&flow.total()));
    }
    all
}

/// What its consumers were given, by the queue.
pub(super) fn given(channel: &ChannelEntry) -> BTreeMap<QueueName, [u64; VHOST]> {
    let mut all = BTreeMap::new();
    for consumer in channel.subscribers() {
        add(all.entry(consumer.queue.clone()).or_insert([0; VHOST]), rows::of_consumer(&consumer));
    }
    all
}

fn add(sum: &mut [u64; VHOST], more: [u64; VHOST]) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

impl Statistics {
    /// What a channel publishes, as it is told of each exchange.
    pub(in crate::management) fn told_of_publishes(
        &self,
        telling: Telling,
        channel: &ChannelEntry,
    ) -> Vec<(ExchangeName, Value)> {
        let past = self.past();
        let told = published(channel).into_iter().filter_map(|(exchange, live)| {
            let series = past.published.get(&with(channel, exchange.clone()));
            let mut stats = Map::new();
            numbers(past.now, &live, series, telling).tell_once(&of_publishers(), &mut stats);
            (!stats.is_empty()).then_some((exchange, Value::Object(stats)))
        });
        told.collect()
    }

    /// What its consumers were given, as it is told of each queue.
    pub(in crate::management) fn told_of_deliveries(
        &self,
        telling: Telling,
        channel: &ChannelEntry,
    ) -> Vec<(QueueName, Value)> {
        let past = self.past();
        let told = given(channel).into_iter().filter_map(|(queue, live)| {
            let series = past.given.get(&with(channel, queue.clone()));
            let mut stats = Map::new();
            numbers(past.now, &live, series, telling).tell_once(&of_consumers(), &mut stats);
            (!stats.is_empty()).then_some((queue, Value::Object(stats)))
        });
        told.collect()
    }
}

fn numbers<'a>(
    now: crate::time::Time,
    live: &'a [u64; VHOST],
    series: Option<&'a Series<VHOST>>,
    telling: Telling,
) -> Numbers<'a, VHOST> {
    Numbers { now, live, series, telling }
}
