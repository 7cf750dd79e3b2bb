//! Numbers and rates as they are told, in RabbitMQ's words.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::rows::{
    self, EXCHANGE, Named, OF_CHURN, OF_EXCHANGE, OF_NODE, OF_OCTETS_OF_CONNECTION, OF_OCTETS_OF_VHOST,
    QUEUE, VHOST, of_consumers, of_disk, of_lengths, of_publishers, of_publishes,
};
use super::series::{Series, Window, difference};
use super::{NodeSample, QueueTotals, Statistics};
use crate::channel::entry::ChannelEntry;
use crate::connection::Environment;
use crate::connection::entry::ConnectionEntry;
use crate::log::rfc3339;
use crate::management::query::Query;
use crate::name::{ConnectionId, VhostName};
use crate::queue::Queue;
use crate::queue::queue::Observation;
use crate::time::Time;
use crate::vhost::Vhost;
use crate::vhost::exchange::Exchange;

/// What of the past is asked for, and whether anything is told of how fast things happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::management) struct Telling {
    lengths: Option<Window>,
    messages: Option<Window>,
    octets: Option<Window>,
    node: Option<Window>,
    without_rates: bool,
}

impl Telling {
    /// What a query asks for.
    pub(in crate::management) fn asked(query: &Query, without_rates: bool) -> Self {
        let window = |kind: &str| {
            let seconds = |what: &str| query.get(&format!("{kind}_{what}"))?.parse().ok();
            let (age, step) = (seconds("age")?, seconds("incr").filter(|step| *step > 0)?);
            Some(Window { age: Duration::from_secs(age), step: Duration::from_secs(step) })
        };
        Self {
            lengths: window("lengths"),
            messages: window("msg_rates"),
            octets: window("data_rates"),
            node: window("node_stats"),
            without_rates,
        }
    }
}

type Object = Map<String, Value>;

/// The numbers of one thing.
pub(super) struct Numbers<'a, const N: usize> {
    pub(super) now: Time,
    pub(super) live: &'a [u64; N],
    pub(super) series: Option<&'a Series<N>>,
    pub(super) telling: Telling,
}

impl<const N: usize> Numbers<'_, N> {
    fn tell(&self, names: &[Named<N>], window: Option<Window>, into: &mut Object) {
        for (name, number) in names {
            into.insert((*name).to_owned(), json!(number(self.live)));
            if !self.telling.without_rates {
                into.insert(format!("{name}_details"), self.details(*number, window));
            }
        }
    }

    /// The same, once any of it has happened.
    pub(super) fn tell_once(&self, names: &[Named<N>], into: &mut Object) {
        if !self.telling.without_rates && names.iter().any(|(_, number)| number(self.live) > 0) {
            self.tell(names, self.telling.messages, into);
        }
    }

    fn details(&self, number: fn(&[u64; N]) -> u64, window: Option<Window>) -> Value {
        let Some(window) = window else {
            return json!({ "rate": self.series.map_or(0.0, |series| series.pace(number).rate()) });
        };
        let Some(series) = self.series else { return json!({ "rate": 0.0, "samples": [] }) };
        let samples = series.samples(self.now, window, number);
        let value = |sample: Option<&(Time, u64)>| sample.map_or(0, |(_, value)| *value);
        let (first, last) = (value(samples.first()), value(samples.last()));
        let step = window.step.as_secs_f64();
        let span = step * difference(samples.len() as u64, 1);
        let sum: f64 = samples.iter().map(|(_, value)| difference(*value, 0)).sum();
        let shown: Vec<Value> = samples
            .iter()
            .map(|(time, value)| json!({ "sample": value, "timestamp": time.as_millis() }))
            .collect();
        json!({
            "rate": difference(first, value(samples.get(1).or(samples.first()))) / step,
            "avg_rate": if span > 0.0 { difference(first, last) / span } else { 0.0 },
            "avg": sum / difference(samples.len() as u64, 0),
            "samples": shown,
        })
    }
}

fn enter(stats: Object, into: &mut Object) {
    if !stats.is_empty() {
        into.insert("message_stats".to_owned(), Value::Object(stats));
    }
}

impl Statistics {
    /// What a queue holds and does.
    pub(in crate::management) fn tell_queue(
        &self,
        telling: Telling,
        queue: &Queue,
        seen: &Observation,
        into: &mut Object,
    ) {
        let (past, live) = (self.past(), rows::of_queue(seen));
        let series = past.queues.get(&queue.id());
        let numbers = Numbers { now: past.now, live: &live, series, telling };
        numbers.tell(&of_lengths(), telling.lengths, into);
        let mut stats = Object::new();
        numbers.tell_once(&of_publishes(), &mut stats);
        numbers.tell_once(&of_consumers::<QUEUE>(), &mut stats);
        enter(stats, into);
        // What has moved since it was looked at is not idle.
        if series.map_or(live == [0; QUEUE], |series| series.last() == live) {
            let since = series.map_or(past.begun, Series::changed);
            into.insert("idle_since".to_owned(), json!(rfc3339(since)));
        }
    }

    /// What is published to an exchange; the default one of a virtual host when there is none.
    pub(in crate::management) fn tell_exchange(
        &self,
        telling: Telling,
        vhost: &Vhost,
        exchange: Option<&Exchange>,
        into: &mut Object,
    ) {
        let past = self.past();
        let (counts, series) = match exchange {
            Some(exchange) => (exchange.published().total(), past.exchanges.get(&exchange.id())),
            None => (vhost.default_exchange_counts(), past.default_exchanges.get(vhost.name())),
        };
        let live: [u64; EXCHANGE] = [counts.publish, counts.routed];
        let mut stats = Object::new();
        Numbers { now: past.now, live: &live, series, telling }.tell_once(&OF_EXCHANGE, &mut stats);
        enter(stats, into);
    }

    /// What a channel does.
    pub(in crate::management) fn tell_channel(
        &self,
        telling: Telling,
        channel: &ChannelEntry,
        into: &mut Object,
    ) {
        let (past, live) = (self.past(), rows::of_channels(&channel.tally.messages.counts()));
        let series = past.channels.get(&(channel.whose.connection, channel.whose.number));
        let numbers = Numbers { now: past.now, live: &live, series, telling };
        let mut stats = Object::new();
        numbers.tell_once(&of_publishers(), &mut stats);
        numbers.tell_once(&of_consumers(), &mut stats);
        enter(stats, into);
        if series.map_or(live == [0; VHOST], |series| series.last() == live) {
            let since = series.map_or(channel.opened_at, Series::changed);
            into.insert("idle_since".to_owned(), json!(rfc3339(since)));
        }
    }

    /// What comes from a connection and goes to it.
    pub(in crate::management) fn tell_connection(
        &self,
        telling: Telling,
        id: ConnectionId,
        connection: &ConnectionEntry,
        into: &mut Object,
    ) {
        let live = [connection.traffic.received_bytes.get(), connection.traffic.sent_bytes.get()];
        let past = self.past();
        let series = past.connections.get(&id);
        let numbers = Numbers { now: past.now, live: &live, series, telling };
        numbers.tell(&OF_OCTETS_OF_CONNECTION, telling.octets, into);
    }

    /// What there is in a virtual host, and happens there.
    pub(in crate::management) fn tell_vhost(
        &self,
        telling: Telling,
        vhost: &Vhost,
        held: &QueueTotals,
        into: &mut Object,
    ) {
        let past = self.past();
        let series = past.vhosts.get(vhost.name());
        let mut live = rows::of_channels(&vhost.channel_counts().messages);
        rows::fill(&mut live, held);
        rows::set_octets(&mut live, vhost.traffic());
        let numbers = Numbers { now: past.now, live: &live, series, telling };
        numbers.tell(&of_lengths(), telling.lengths, into);
        numbers.tell(&OF_OCTETS_OF_VHOST, telling.octets, into);
        let mut stats = Object::new();
        numbers.tell_once(&of_publishers(), &mut stats);
        numbers.tell_once(&of_consumers(), &mut stats);
        enter(stats, into);
    }

    /// What there is in some virtual hosts, and happens there: `message_stats`, `queue_totals` and `churn_rates`. With what was
    /// in those that are gone when it is `all` of them.
    pub(in crate::management) fn tell_overview(
        &self,
        telling: Telling,
        environment: &Environment,
        (seen, all): (&[VhostName], bool),
        into: &mut Object,
    ) {
        let totals = self.totals(environment);
        let counts = environment.vhosts.counts();
        let past = self.past();
        let (mut live, mut held) = ([0; VHOST], QueueTotals::default());
        if all {
            (live, held) = (rows::of_channels(&counts.channels().messages), totals.all);
        } else {
            for vhost in seen.iter().filter_map(|name| environment.vhosts.get(name.as_str())) {
                held += totals.vhosts.get(vhost.name()).copied().unwrap_or_default();
                let more = rows::of_channels(&vhost.channel_counts().messages);
                live.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            }
        }
        rows::fill(&mut live, &held);
        let with_churn = rows::of_all(live, counts.churn());
        let of_all = Numbers { now: past.now, live: &with_churn, series: past.overview.as_ref(), telling };
        let (mut stats, mut lengths, mut churn) = (Object::new(), Object::new(), Object::new());
        of_all.tell(&OF_CHURN, telling.messages, &mut churn);
        if all {
            tell_messages(&of_all, &mut lengths, &mut stats);
        } else {
            let known: Vec<_> = seen.iter().filter_map(|name| past.vhosts.get(name)).collect();
            let series = Series::sum(&known);
            let some = Numbers { now: past.now, live: &live, series: series.as_ref(), telling };
            tell_messages(&some, &mut lengths, &mut stats);
        }
        into.insert("message_stats".to_owned(), Value::Object(stats));
        into.insert("queue_totals".to_owned(), Value::Object(lengths));
        into.insert("churn_rates".to_owned(), Value::Object(churn));
    }

    /// What the node uses, and what comes and goes there.
    pub(in crate::management) fn tell_node(
        &self,
        telling: Telling,
        environment: &Environment,
        sample: NodeSample,
        into: &mut Object,
    ) {
        let sockets = environment.connections.len() as u64;
        let live = sample.row(sockets);
        let past = self.past();
        let (now, series) = (past.now, past.node.as_ref());
        Numbers { now, live: &live, series, telling }.tell(&OF_NODE, telling.node, into);
        let live = rows::of_all([0; VHOST], environment.vhosts.counts().churn());
        let series = past.overview.as_ref();
        Numbers { now, live: &live, series, telling }.tell(&OF_CHURN, telling.node, into);
    }
}

fn tell_messages<const N: usize>(numbers: &Numbers<'_, N>, lengths: &mut Object, stats: &mut Object) {
    numbers.tell(&of_lengths(), numbers.telling.lengths, lengths);
    numbers.tell_once(&of_publishers(), stats);
    numbers.tell_once(&of_consumers(), stats);
    numbers.tell_once(&of_disk(), stats);
}
