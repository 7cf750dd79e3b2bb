//! What each channel does with each exchange and each queue: sampled and told where that much is asked for
//! (`statistics.rates_mode`). Channels and consumers count it anyway, so that it costs those who read and nobody else.
//!
//! What nobody counts is not told: through which exchange a message came to a queue, which it enters once whatever led it there,
//! and from which queue a channel gets without consuming.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use serde_json::{Map, Value};

use super::Statistics;
use super::rows::{self, Named, VHOST, of_given, of_publishers};
use super::series::Series;
use super::told::{Numbers, Telling};
use crate::channel::entry::ChannelEntry;
use crate::count::Part;
use crate::name::{ConnectionId, ExchangeName, QueueName};
use crate::time::Time;

/// A channel, and what it has to do with.
pub(super) type With<N> = (ConnectionId, u16, N);

/// The same of a channel.
pub(super) fn with<N>(channel: &ChannelEntry, name: N) -> With<N> {
    (channel.whose.connection, channel.whose.number, name)
}

/// What is looked at: all, or what has this name.
type Wanted<'a> = Option<&'a str>;

fn is_wanted(wanted: Wanted<'_>, name: &str) -> bool {
    wanted.is_none_or(|wanted| wanted == name)
}

/// Numbers by the exchange or queue.
pub(super) type By<N> = BTreeMap<N, [u64; VHOST]>;

/// What a channel publishes, by the exchange.
pub(super) fn published(channel: &ChannelEntry, wanted: Wanted<'_>) -> By<ExchangeName> {
    let mut all = BTreeMap::new();
    for (exchange, flow) in channel.flows() {
        if !is_wanted(wanted, exchange.as_str()) {
            continue;
        }
        add(all.entry(exchange).or_insert([0; VHOST]), rows::of_flow(&flow.total()));
    }
    all
}

/// What its consumers were given, by the queue.
pub(super) fn given(channel: &ChannelEntry, wanted: Wanted<'_>) -> By<QueueName> {
    channel
        .given(wanted)
        .into_iter()
        .map(|(queue, given)| (queue, rows::of_consumers_given(&given)))
        .collect()
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
        wanted: Wanted<'_>,
    ) -> Vec<(ExchangeName, Value)> {
        let published = published(channel, wanted);
        let past = self.past();
        told(past.now, &past.published, (channel, published), &of_publishers(), telling)
    }

    /// What its consumers were given, as it is told of each queue.
    pub(in crate::management) fn told_of_deliveries(
        &self,
        telling: Telling,
        channel: &ChannelEntry,
        wanted: Wanted<'_>,
    ) -> Vec<(QueueName, Value)> {
        let given = given(channel, wanted);
        let past = self.past();
        told(past.now, &past.given, (channel, given), &of_given(), telling)
    }
}

/// What a channel does with each of these, once it has done anything, by these names.
fn told<N: Clone + Eq + Hash>(
    now: Time,
    all: &HashMap<With<N>, Series<VHOST>>,
    (channel, live): (&ChannelEntry, By<N>),
    names: &[Named<VHOST>],
    telling: Telling,
) -> Vec<(N, Value)> {
    let told = live.into_iter().filter_map(|(name, live)| {
        let series = all.get(&with(channel, name.clone()));
        let mut stats = Map::new();
        Numbers { now, live: &live, series, telling }.tell_once(names, &mut stats);
        (!stats.is_empty()).then_some((name, Value::Object(stats)))
    });
    told.collect()
}
