//! A tick: what is looked at, and what is kept of it.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::finely::{By, given, published, with};
use super::rows::{self, VHOST};
use super::series::Series;
use super::totals::{QueueTotals, Totals, enter};
use super::{Past, Statistics};
use crate::channel::entry::ChannelEntry;
use crate::config::RatesMode;
use crate::connection::Environment;
use crate::count::{Event, MessageCounts};
use crate::name::{ExchangeName, QueueName};
use crate::net::open_descriptors;
use crate::place::QueueId;
use crate::time::Time;

/// How long the past of the broker and its virtual hosts is kept...
const SPAN: Duration = Duration::from_hours(24);
/// ...and that of what is in them.
const SPAN_WITHIN: Duration = Duration::from_mins(11);
/// What has not moved for so long is forgotten: that it moves again is seen at once, and how fast one tick later.
const IDLE_MAX: Duration = Duration::from_hours(1);
/// The past of queues, exchanges, channels and connections takes no more memory than this; beyond it only as much is kept
/// as rates are made of, in bytes.
const MEMORY_MAX: usize = 64 * 1024 * 1024;
/// Old samples are thinned out each so many ticks.
const TIDY_TICKS: u64 = 12;
/// So many queues that are gone are kept at most.
const GONE_MAX: usize = 256;
/// What channels do with each exchange and queue is kept of so many at most; of others it is told without rates.
const FINE_MAX: usize = 20_000;
/// So many are entered before those who read have a turn.
const ENTERED_AT_ONCE: usize = 1024;

/// What was seen at the last tick.
#[derive(Debug, Default)]
pub struct Sampler {
    ticks: u64,
    last: Totalled,
    /// Some rate is not zero.
    moves: bool,
    /// No queue that was there had a higher number.
    newest_queue: u64,
}

/// Totals, of which one moves whenever anything does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totalled {
    messages: MessageCounts,
    churn: u64,
    stirs: u64,
}

/// What else is sampled of the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeSample {
    /// Files that are open.
    pub descriptors: u64,
    /// Memory that is used, in bytes.
    pub memory: u64,
    /// What is free where the data is, in bytes.
    pub disk_free: u64,
    /// Batches that were written to the journal, their bytes, and syncs of it.
    pub journal: [u64; 3],
}

impl NodeSample {
    /// What is used now.
    pub fn taken(environment: &Environment) -> Self {
        let alarms = &environment.alarms;
        // Nothing where the system does not say.
        let descriptors = open_descriptors().unwrap_or_default();
        Self {
            descriptors: descriptors as u64,
            memory: alarms.memory().used(),
            disk_free: alarms.disk().free().unwrap_or_default(),
            journal: environment.vhosts.stored().map_or([0; 3], |store| {
                let counters = store.journal.counters();
                [counters.batches(), counters.bytes_written(), counters.syncs()]
            }),
        }
    }
}

impl NodeSample {
    /// Its numbers in the order in which they are kept.
    pub(super) fn row(&self, sockets: u64) -> [u64; rows::NODE] {
        let [writes, bytes, syncs] = self.journal;
        [self.descriptors, sockets, self.memory, self.disk_free, writes, bytes, syncs]
    }
}

/// A tick and the one before.
#[derive(Clone, Copy)]
struct Tick {
    now: Time,
    before: Time,
}

impl Sampler {
    /// Samples what has moved.
    pub fn tick(&mut self, statistics: &Statistics, environment: &Environment, now: Time, node: NodeSample) {
        self.ticks += 1;
        let counts = environment.vhosts.counts();
        let totalled = Totalled {
            messages: counts.channels().messages,
            churn: Event::ALL.iter().map(|event| counts.churn().of(*event)).sum(),
            stirs: environment.vhosts.all().iter().map(|vhost| vhost.stirs()).sum(),
        };
        let looks = totalled != self.last || self.moves || self.ticks == 1;
        self.last = totalled;
        let tick = statistics.past_mut().begin(now);
        statistics.connections(environment, tick);
        let finely = environment.config().statistics.rates_mode == RatesMode::Detailed;
        let totals = if looks {
            let begun = Instant::now();
            let totals = Arc::new(statistics.queues(environment, &mut self.newest_queue, tick));
            statistics.totals.set(Arc::clone(&totals), begun.elapsed());
            statistics.exchanges(environment, tick);
            statistics.channels(environment, tick, finely);
            totals
        } else {
            // Heartbeats alone make bytes move, and nothing else: what was known of it all still is.
            let mut past = statistics.past_mut();
            if finely && past.fine_until == tick.before {
                past.fine_until = tick.now;
            }
            drop(past);
            statistics.totals.last()
        };
        let mut past = statistics.past_mut();
        past.overview(environment, &totals, tick);
        past.node(environment.connections.len(), node, tick);
        if looks {
            self.moves = past.moves();
        }
        if self.ticks.is_multiple_of(TIDY_TICKS) {
            past.tidy(now);
        }
    }
}

impl Statistics {
    /// Looks at each queue, and enters those that have moved.
    fn queues(&self, environment: &Environment, newest: &mut u64, tick: Tick) -> Totals {
        let (known, mut totals, mut alive) = (*newest, Totals::default(), Vec::new());
        for vhost in environment.vhosts.all() {
            let (mut sum, mut moved) = (QueueTotals::default(), Vec::new());
            for queue in vhost.queues().all() {
                let Ok(seen) = queue.observe(true) else { continue };
                let id = queue.id();
                sum.add(&seen);
                alive.push(id);
                *newest = id.number().max(*newest);
                if seen.has_moved {
                    moved.push((id, rows::of_queue(&seen), id.number() > known));
                }
            }
            enter(&mut totals, &vhost, sum);
            for some in moved.chunks(ENTERED_AT_ONCE) {
                let mut past = self.past_mut();
                for (id, values, is_new) in some {
                    push(&mut past.queues, *id, tick, *is_new, *values);
                }
            }
        }
        totals.all.counts += environment.vhosts.counts().gone_queues();
        let mut past = self.past_mut();
        if past.queues.len() > alive.len() + GONE_MAX {
            let alive: HashSet<QueueId> = alive.into_iter().collect();
            past.queues.retain(|id, _| alive.contains(id));
        }
        // Those that were not entered have not moved.
        for series in past.queues.values_mut().filter(|series| series.moves() && series.until() < tick.now) {
            series.stay(tick.now);
        }
        totals
    }

    fn exchanges(&self, environment: &Environment, tick: Tick) {
        for vhost in environment.vhosts.all() {
            let default = vhost.default_exchange_counts();
            let all = vhost.exchanges().all();
            let counted = all.iter().map(|exchange| (exchange.id(), exchange.published().total()));
            let counted: Vec<_> = counted.filter(|(_, counts)| counts.publish > 0).collect();
            let mut past = self.past_mut();
            for (id, counts) in counted {
                push(&mut past.exchanges, id, tick, true, [counts.publish, counts.routed]);
            }
            if default.publish > 0 {
                let values = [default.publish, default.routed];
                push(&mut past.default_exchanges, vhost.name().clone(), tick, true, values);
            }
        }
        let mut past = self.past_mut();
        past.exchanges.retain(|_, series| series.until() == tick.now);
        past.default_exchanges.retain(|_, series| series.until() == tick.now);
    }

    fn channels(&self, environment: &Environment, tick: Tick, finely: bool) {
        let mut knows_all = finely;
        for connection in environment.connections.described() {
            for channel in connection.about.entry.channels() {
                if finely {
                    let (published, given) = (published(&channel, None), given(&channel, None));
                    knows_all &= self.past_mut().enter_finely(&channel, tick, published, given);
                }
                let values = rows::of_channels(&channel.tally.messages.counts());
                if values.iter().any(|value| *value > 0) {
                    let key = (connection.id, channel.whose.number);
                    let is_new = channel.opened_at > tick.before;
                    push(&mut self.past_mut().channels, key, tick, is_new, values);
                }
            }
        }
        let mut past = self.past_mut();
        past.channels.retain(|_, series| series.until() == tick.now);
        past.published.retain(|_, series| series.until() == tick.now);
        past.given.retain(|_, series| series.until() == tick.now);
        if knows_all {
            past.fine_until = tick.now;
        }
    }

    fn connections(&self, environment: &Environment, tick: Tick) {
        for connection in environment.connections.described() {
            let entry = &connection.about.entry;
            let values = [entry.traffic.received_bytes.get(), entry.traffic.sent_bytes.get()];
            let is_new = connection.about.connected_at > tick.before;
            push(&mut self.past_mut().connections, connection.id, tick, is_new, values);
        }
        self.past_mut().connections.retain(|_, series| series.until() == tick.now);
    }
}

impl Past {
    fn begin(&mut self, now: Time) -> Tick {
        if self.begun == Time::default() {
            (self.begun, self.now) = (now, now);
        }
        (self.before, self.now) = (self.now, now);
        Tick { now, before: self.before }
    }

    /// Enters what a channel does with each exchange and queue, and says whether there was room for all of it. What it begins with
    /// was not there before if that is known.
    fn enter_finely(
        &mut self,
        channel: &ChannelEntry,
        tick: Tick,
        published: By<ExchangeName>,
        given: By<QueueName>,
    ) -> bool {
        let is_new = channel.opened_at > tick.before || self.fine_until == tick.before;
        let mut room = FINE_MAX.saturating_sub(self.published.len() + self.given.len());
        let mut has_room = true;
        for (exchange, values) in published {
            let key = with(channel, exchange);
            has_room &= push_finely(&mut self.published, key, tick, is_new, values, &mut room);
        }
        for (queue, values) in given {
            let key = with(channel, queue);
            has_room &= push_finely(&mut self.given, key, tick, is_new, values, &mut room);
        }
        has_room
    }

    /// Samples what there is of all, and of virtual hosts.
    fn overview(&mut self, environment: &Environment, totals: &Totals, tick: Tick) {
        for vhost in environment.vhosts.all() {
            let mut values = rows::of_channels(&vhost.channel_counts().messages);
            rows::fill(&mut values, &totals.vhosts.get(vhost.name()).copied().unwrap_or_default());
            rows::set_octets(&mut values, vhost.traffic());
            push(&mut self.vhosts, vhost.name().clone(), tick, true, values);
        }
        self.vhosts.retain(|_, series| series.until() == tick.now);
        let counts = environment.vhosts.counts();
        let mut values = rows::of_channels(&counts.channels().messages);
        rows::fill(&mut values, &totals.all);
        let values = rows::of_all(values, counts.churn());
        match &mut self.overview {
            Some(series) => series.push(tick.now, tick.before, values),
            None => self.overview = Some(Series::begun(tick.now, tick.before, true, values)),
        }
    }

    /// Whether any rate is not zero.
    fn moves(&self) -> bool {
        self.overview.as_ref().is_some_and(Series::moves)
            || self.queues.values().any(Series::moves)
            || self.channels.values().any(Series::moves)
            || self.published.values().chain(self.given.values()).any(Series::moves)
            || self.exchanges.values().chain(self.default_exchanges.values()).any(Series::moves)
    }

    fn node(&mut self, sockets: usize, node: NodeSample, tick: Tick) {
        let values = node.row(sockets as u64);
        match &mut self.node {
            Some(series) => series.push(tick.now, tick.before, values),
            None => self.node = Some(Series::begun(tick.now, tick.before, false, values)),
        }
    }

    /// Forgets what is old.
    fn tidy(&mut self, now: Time) {
        self.overview.iter_mut().for_each(|series| series.thin(now, SPAN));
        self.node.iter_mut().for_each(|series| series.thin(now, SPAN));
        self.vhosts.values_mut().for_each(|series| series.thin(now, SPAN));
        self.memory = tidy(&mut self.queues, now)
            + tidy(&mut self.channels, now)
            + tidy(&mut self.connections, now)
            // If these were forgotten while they are idle, they would look new.
            + thin(&mut self.exchanges, now)
            + thin(&mut self.default_exchanges, now)
            + thin(&mut self.published, now)
            + thin(&mut self.given, now);
        if self.memory > MEMORY_MAX {
            self.queues.values_mut().for_each(Series::shorten);
            self.exchanges.values_mut().for_each(Series::shorten);
            self.channels.values_mut().for_each(Series::shorten);
            self.published.values_mut().for_each(Series::shorten);
            self.given.values_mut().for_each(Series::shorten);
            self.connections.values_mut().for_each(Series::shorten);
        }
    }
}

fn push<K: Hash + Eq, const N: usize>(
    all: &mut HashMap<K, Series<N>>,
    key: K,
    Tick { now, before }: Tick,
    is_new: bool,
    values: [u64; N],
) {
    match all.entry(key) {
        Entry::Occupied(mut known) => known.get_mut().push(now, before, values),
        Entry::Vacant(place) => {
            place.insert(Series::begun(now, before, is_new, values));
        }
    }
}

/// The same of what may begin anew at less than it was, such as when a consumer is cancelled, while there is room for more.
fn push_finely<K: Hash + Eq>(
    all: &mut HashMap<K, Series<VHOST>>,
    key: K,
    Tick { now, before }: Tick,
    is_new: bool,
    values: [u64; VHOST],
    room: &mut usize,
) -> bool {
    if values == [0; VHOST] {
        return true;
    }
    match all.entry(key) {
        Entry::Occupied(mut known) => {
            let series = known.get_mut();
            if series.last().iter().zip(&values).any(|(last, value)| value < last) {
                *series = Series::begun(now, before, false, values);
            } else {
                series.push(now, before, values);
            }
        }
        Entry::Vacant(_) if *room == 0 => return false,
        Entry::Vacant(place) => {
            *room -= 1;
            place.insert(Series::begun(now, before, is_new, values));
        }
    }
    true
}

/// Thins out series, forgets the idle ones, and gives the memory that the others take, in bytes.
fn tidy<K: Hash + Eq, const N: usize>(all: &mut HashMap<K, Series<N>>, now: Time) -> usize {
    all.retain(|_, series| now.since(series.changed()) < IDLE_MAX);
    thin(all, now)
}

/// The same without forgetting any.
fn thin<K: Hash + Eq, const N: usize>(all: &mut HashMap<K, Series<N>>, now: Time) -> usize {
    for series in all.values_mut() {
        series.thin(now, SPAN_WITHIN);
    }
    all.shrink_to(all.len() * 2);
    all.values().map(Series::memory).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::ChannelTally;
    use crate::name::{ConnectionId, UserName, VhostName};
    use crate::queue::subscriber::Whose;
    use crate::vhost::Vhost;

    fn at(seconds: u64) -> Time {
        Time::from_millis(1_000_000_000).plus(Duration::from_secs(seconds))
    }

    fn opened(seconds: u64) -> ChannelEntry {
        let whose = Whose {
            connection: ConnectionId(1),
            connection_name: "c".to_owned(),
            peer: None,
            user: UserName::from("u"),
            vhost: VhostName::from("/"),
            number: 1,
        };
        ChannelEntry::new(Arc::new(whose), Arc::new(ChannelTally::default()), at(seconds))
    }

    /// A channel has been given so much of a queue at a tick, each five seconds; how fast that is.
    fn rate_of_given(past: &mut Past, channel: &ChannelEntry, seconds: u64, queue: &str, count: u64) -> f64 {
        let mut values = [0; VHOST];
        values[3] = count;
        let tick = Tick { now: at(seconds), before: at(seconds - 5) };
        let given = By::from([(QueueName::from(queue), values)]);
        if past.enter_finely(channel, tick, By::new(), given) {
            past.fine_until = tick.now;
        }
        let series = past.given.get(&with(channel, QueueName::from(queue)));
        series.map_or(0.0, |series| series.pace(|values| values[3]).rate())
    }

    #[test]
    fn what_was_counted_before_anybody_looked_at_it_is_no_rate() {
        let (mut past, old) = (Past::default(), opened(0));
        for (seconds, queue, count, rate) in
            [(100, "q", 1000, 0.0), (105, "q", 1010, 2.0), (110, "new", 10, 2.0), (120, "late", 1000, 0.0)]
        {
            let told = rate_of_given(&mut past, &old, seconds, queue, count);
            assert!((told - rate).abs() < 1e-9, "{seconds}: {told}");
        }
        let told = rate_of_given(&mut Past::default(), &opened(98), 100, "q", 10);
        assert!((told - 2.0).abs() < 1e-9, "{told} of a new channel");
    }

    #[test]
    fn an_idle_one_is_not_new_after_an_hour() {
        let (mut past, channel) = (Past::default(), opened(0));
        for tick in 1..=1000 {
            assert!(rate_of_given(&mut past, &channel, 100 + 5 * tick, "q", 1000).abs() < 1e-9, "{tick}");
            past.tidy(at(100 + 5 * tick));
        }
    }

    #[test]
    fn an_exchange_that_nobody_publishes_to_for_an_hour_is_not_new() {
        let mut past = Past::default();
        let name = VhostName::from("/");
        let exchange = Vhost::new(name.clone()).exchanges().all()[0].id();
        for tick in 1..=1000 {
            let (seconds, values) = (5 * tick, [1000, 1000]);
            let tick = Tick { now: at(seconds), before: at(seconds - 5) };
            push(&mut past.exchanges, exchange, tick, tick.now == at(5), values);
            push(&mut past.default_exchanges, name.clone(), tick, true, values);
            past.tidy(tick.now);
        }
        let known = past.exchanges.values().chain(past.default_exchanges.values());
        assert_eq!(known.map(Series::changed).collect::<Vec<_>>(), [at(5), at(5)]);
    }

    #[test]
    fn what_is_less_than_it_was_begins_anew_and_nothing_is_not_kept() {
        let (mut past, channel) = (Past::default(), opened(99));
        for (seconds, count, rate) in [(100, 50, 10.0), (105, 20, 0.0), (110, 30, 2.0)] {
            let told = rate_of_given(&mut past, &channel, seconds, "q", count);
            assert!((told - rate).abs() < 1e-9, "{seconds}: {told}");
        }
        rate_of_given(&mut past, &channel, 115, "other", 0);
        assert_eq!(past.given.len(), 1);
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for() {
        let (mut past, channel) = (Past::default(), opened(0));
        let given: By<QueueName> =
            (0..=FINE_MAX).map(|at| (QueueName::from(at.to_string().as_str()), [1; VHOST])).collect();
        for seconds in [100, 105] {
            let tick = Tick { now: at(seconds), before: at(seconds - 5) };
            assert!(!past.enter_finely(&channel, tick, By::new(), given.clone()));
            assert_eq!(past.given.len(), FINE_MAX);
        }
    }
}
