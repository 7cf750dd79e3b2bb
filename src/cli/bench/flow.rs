//! The scenarios with messages: all at once (flow), first in, then out (backlog), only out (drain), or out by themselves
//! (expire).

mod expiring;

use super::connection::Connection;
use super::consumer::Consumer;
use super::failure::Failure;
use super::live::{Group, Live};
use super::options::{BenchOptions, Scenario};
use super::process::Usage;
use super::producer::{Course, Producer};
use super::report::{Report, per_second};
use super::run::{Lane, Run, Stage, latency, total};
use super::topology::Topology;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long what is still on its way may take to arrive after a measurement that time has ended.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// How long nothing may move before a wait for the rest is given up.
const STANDSTILL: Duration = Duration::from_secs(10);
const CONTROL_INPUT_BYTES: usize = 16 * 1024;
/// A backlog of a given number of messages is timed in so many parts, to see whether its depth slows publishing down.
const PARTS: u64 = 10;

/// Declares what the run needs, runs it, and deletes everything whatever came of it.
pub(super) fn flow(options: &BenchOptions, run: &Arc<Run>, live: &mut Live) -> Result<Report, Failure> {
    let topology = Arc::new(Topology::new(options)?);
    let mut flow = Flow {
        options,
        topology,
        run,
        broker: String::new(),
        found: 0,
        producers: Vec::new(),
        consumers: Vec::new(),
        threads: Vec::new(),
    };
    let outcome = flow.declare().and_then(|()| match options.scenario {
        Scenario::Backlog => flow.backlog(live),
        Scenario::Drain => flow.drain_what_was_found(live),
        Scenario::Expire => flow.expire(live),
        _ => flow.at_once(live),
    });
    run.advance(Stage::End);
    for thread in flow.threads.drain(..) {
        // A panic has been printed by then; the other threads' results still count for nothing.
        thread.join().map_err(|_| Failure::new("a thread of the load panicked"))?;
    }
    let deleted = if options.keep { Ok(()) } else { flow.delete() };
    let mut report = outcome?;
    if let Err(why) = deleted {
        report.fail(Failure::during("cannot delete the queues of the run", why));
    }
    Ok(report)
}

struct Flow<'r> {
    options: &'r BenchOptions,
    topology: Arc<Topology>,
    run: &'r Arc<Run>,
    /// The broker's name and version.
    broker: String,
    /// Messages that were in the queues before.
    found: u64,
    producers: Vec<Arc<Lane>>,
    consumers: Vec<Arc<Lane>>,
    threads: Vec<JoinHandle<()>>,
}

/// Whether producers end with a call that the broker answers once it has taken all their messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Synchronise {
    Yes,
    No,
}

/// The counts at a moment.
#[derive(Debug, Clone, Copy)]
struct Snapshot {
    at_ns: u64,
    published: u64,
    consumed: u64,
    usage: Usage,
}

impl Flow<'_> {
    /// Declares what does not exist yet, but for a drain: a queue made for it would only hide that one is missing.
    fn declare(&mut self) -> Result<(), Failure> {
        let mut connection = Connection::open(&self.options.url, CONTROL_INPUT_BYTES)?;
        connection.open_channel()?;
        self.broker.clone_from(&connection.broker);
        if self.options.scenario != Scenario::Drain {
            self.topology.declare(&mut connection)?;
        }
        if self.options.name.is_some() {
            self.found = self.topology.ready(&mut connection)?;
        }
        connection.close()
    }

    fn delete(&self) -> Result<(), Failure> {
        let mut connection = Connection::open(&self.options.url, CONTROL_INPUT_BYTES)?;
        connection.open_channel()?;
        self.topology.delete(&mut connection)?;
        connection.close()
    }

    fn at_once(&mut self, live: &mut Live) -> Result<Report, Failure> {
        self.start_consumers()?;
        let producing = self.start_producers(Synchronise::No, self.course())?;
        live.show(self.groups());
        let is_produced = |flow: &Self| flow.threads.iter().skip(producing).all(JoinHandle::is_finished);

        let warm = Instant::now() + self.options.warmup;
        live.watch(self.run, Some(warm), || is_produced(self));
        let from = self.snapshot(live);
        self.run.begin_measuring(if self.options.warmup.is_zero() { 0 } else { from.at_ns });
        let deadline = self.options.measured().map(|measured| Instant::now() + measured);
        live.watch(self.run, deadline, || is_produced(self));
        let at_deadline = self.snapshot(live);
        // Ended by the number of messages, or by a failure: what counts is when the last message was.
        let before_time = is_produced(self) || self.run.has_failed();

        self.run.advance(Stage::Drain);
        self.drain(live, (!before_time).then_some(DRAIN_MAX), || is_produced(self));
        let drained = self.snapshot(live);
        let to = if before_time { drained } else { at_deadline };
        let mut report = self.report("flow", from, to, live);
        let measured = |lanes, to_ns| {
            if before_time { since(lanes, from.at_ns) } else { nanoseconds(from.at_ns, to_ns) }
        };
        let published = to.published - from.published;
        report.add("publish_rate", per_second(published, measured(&self.producers, to.at_ns)));
        let consumed = to.consumed - from.consumed;
        report.add("consume_rate", per_second(consumed, measured(&self.consumers, to.at_ns)));
        self.add_counts(&mut report, drained, 0)?;
        Ok(report)
    }

    fn backlog(&mut self, live: &mut Live) -> Result<Report, Failure> {
        self.run.begin_measuring(0);
        let from = self.snapshot(live);
        self.start_producers(Synchronise::Yes, self.course())?;
        live.show(self.groups());
        let is_produced = |flow: &Self| flow.threads.iter().all(JoinHandle::is_finished);
        let deadline = self.options.measured().map(|measured| Instant::now() + measured);
        let mut parts = Parts::new(self.options.messages.map_or(0, NonZeroU64::get), from.at_ns);
        live.watch(self.run, deadline, || {
            parts.look(self.published(), self.run.now_ns());
            is_produced(self)
        });
        self.run.advance(Stage::Drain);
        self.drain(live, None, || is_produced(self));
        let filled = self.snapshot(live);
        let filling = since(&self.producers, from.at_ns);
        parts.look(filled.published, from.at_ns + u64::try_from(filling.as_nanos()).unwrap_or(u64::MAX));

        let mut started_ns = self.run.now_ns();
        if !self.run.has_failed() {
            // What has been published until now stands in the report even if nobody can consume it.
            self.start_consumers().unwrap_or_else(|why| self.run.fail(why));
            live.show(self.groups());
            started_ns = self.run.now_ns();
            self.drain(live, None, || true);
        }
        let drained = self.snapshot(live);
        let mut report = self.report("backlog", from, drained, live);
        if live.has_process() {
            report.add("filled_rss_bytes", filled.usage.rss_bytes);
        }
        report.add("publish_rate", per_second(filled.published, filling));
        report.add("publish_rates_by_depth", parts.rates);
        report.add("consume_rate", per_second(drained.consumed, since(&self.consumers, started_ns)));
        self.add_counts(&mut report, drained, 0)?;
        Ok(report)
    }

    fn drain_what_was_found(&mut self, live: &mut Live) -> Result<Report, Failure> {
        let from = self.snapshot(live);
        self.start_consumers()?;
        live.show(self.groups());
        self.drain(live, self.options.duration, || true);
        let drained = self.snapshot(live);
        let mut report = self.report("drain", from, drained, live);
        report.add("consume_rate", per_second(drained.consumed, since(&self.consumers, from.at_ns)));
        self.add_counts(&mut report, drained, 0)?;
        Ok(report)
    }

    fn start_consumers(&mut self) -> Result<(), Failure> {
        let mut consumers = Vec::new();
        for number in 0..self.options.consumers {
            let lane = Lane::new()?;
            consumers.push(Consumer::open(self.options, &self.topology, number, Arc::clone(&lane))?);
            self.consumers.push(lane);
        }
        for (number, mut consumer) in consumers.into_iter().enumerate() {
            consumer.subscribe()?;
            let thread = self.run.spawn(format!("consumer-{number}"), move |run| consumer.work(run))?;
            self.threads.push(thread);
        }
        Ok(())
    }

    /// As the options say.
    fn course(&self) -> Course {
        Course { rate: self.options.rate, expiration: None }
    }

    /// Returns how many threads there were before.
    fn start_producers(&mut self, synchronise: Synchronise, course: Course) -> Result<usize, Failure> {
        let mut producers = Vec::new();
        for number in 0..self.options.producers.get() {
            let lane = Lane::new()?;
            producers.push(Producer::open(self.options, &self.topology, number, course, Arc::clone(&lane))?);
            self.producers.push(lane);
        }
        let before = self.threads.len();
        let start_ns = self.run.now_ns();
        for (number, producer) in producers.into_iter().enumerate() {
            let synchronise = (synchronise == Synchronise::Yes).then(|| Arc::clone(&self.topology));
            let work = move |run: &Run| producer.work(run, start_ns, synchronise.as_deref());
            self.threads.push(self.run.spawn(format!("producer-{number}"), work)?);
        }
        Ok(before)
    }

    /// Waits until `is_produced` and everything has been consumed, at most `longest`, and no longer than anything moves.
    fn drain(&self, live: &mut Live, longest: Option<Duration>, is_produced: impl Fn() -> bool) {
        let deadline = longest.map(|longest| Instant::now() + longest);
        let (mut moved, mut seen) = (Instant::now(), u64::MAX);
        live.watch(self.run, deadline, || {
            let (consumed, confirmed) = (self.consumed(), total(&self.producers, |lane| &lane.confirmed));
            if consumed + confirmed != seen {
                (moved, seen) = (Instant::now(), consumed + confirmed);
            }
            (is_produced() && consumed >= self.expected()) || moved.elapsed() > STANDSTILL
        });
    }

    /// How many deliveries there will be.
    fn expected(&self) -> u64 {
        if self.consumers.is_empty() { 0 } else { self.found + self.published() * self.topology.copies() }
    }

    fn published(&self) -> u64 {
        total(&self.producers, |lane| &lane.count)
    }

    fn consumed(&self) -> u64 {
        total(&self.consumers, |lane| &lane.count)
    }

    fn groups(&self) -> Vec<Group> {
        let mut groups = Vec::new();
        if !self.producers.is_empty() {
            groups.push(Group::new("published", self.producers.clone()));
        }
        if !self.consumers.is_empty() {
            groups.push(Group::new("consumed", self.consumers.clone()));
        }
        groups
    }

    fn snapshot(&self, live: &mut Live) -> Snapshot {
        Snapshot {
            at_ns: self.run.now_ns(),
            published: self.published(),
            consumed: self.consumed(),
            usage: live.usage(),
        }
    }

    fn report(&self, scenario: &str, from: Snapshot, to: Snapshot, live: &Live) -> Report {
        let mut report = Report::new(scenario, &self.broker);
        let elapsed = nanoseconds(from.at_ns, to.at_ns);
        report.end(self.run);
        report.add("seconds", elapsed.as_secs_f64());
        report.add("blocked", self.producers.iter().any(|lane| lane.blocked.load(Relaxed)));
        live.add_usage(&mut report, from.usage, to.usage, elapsed);
        report
    }

    fn add_counts(&self, report: &mut Report, end: Snapshot, expired: u64) -> Result<(), Failure> {
        if self.options.name.is_some() {
            report.add("found", self.found);
        }
        let confirmed = total(&self.producers, |lane| &lane.confirmed);
        let refused = total(&self.producers, |lane| &lane.refused);
        report.add("published", end.published);
        if self.options.confirm_window.is_some() {
            report.add("confirmed", confirmed);
            report.add("refused", refused);
            report.add("unconfirmed", end.published.saturating_sub(confirmed + refused));
        }
        report.add("consumed", end.consumed);
        report.add("undelivered", self.expected().saturating_sub(end.consumed + expired));
        report.add_latency("end_to_end_latency_us", &mut latency(&self.consumers)?);
        report.add_latency("confirm_latency_us", &mut latency(&self.producers)?);
        Ok(())
    }
}

/// The rates at which equal parts of a backlog were published.
#[derive(Debug)]
struct Parts {
    /// Messages of a part; 0 where nobody has said how many there will be.
    size: u64,
    from: (u64, u64),
    rates: Vec<f64>,
}

impl Parts {
    fn new(messages: u64, now_ns: u64) -> Self {
        Self { size: messages / PARTS, from: (0, now_ns), rates: Vec::new() }
    }

    /// Ends a part when so many messages have been published. A part lasts from one look to another.
    fn look(&mut self, published: u64, now_ns: u64) {
        let (published_before, before_ns) = self.from;
        let end = self.size * (self.rates.len() as u64 + 1);
        if self.size > 0 && published >= end && (self.rates.len() as u64) < PARTS {
            self.rates.push(per_second(published - published_before, nanoseconds(before_ns, now_ns)));
            self.from = (published, now_ns);
        }
    }
}

/// From a moment until the last of the threads last counted something.
fn since(lanes: &[Arc<Lane>], from_ns: u64) -> Duration {
    nanoseconds(from_ns, lanes.iter().map(|lane| lane.last_ns.load(Relaxed)).max().unwrap_or(from_ns))
}

fn nanoseconds(from: u64, to: u64) -> Duration {
    Duration::from_nanos(to.saturating_sub(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_is_timed_in_ten_parts_however_often_it_is_looked_at() {
        for step in [1, 7, 10, 13] {
            let mut parts = Parts::new(1000, 500);
            let mut published = 0;
            while published < 1000 {
                published = (published + step).min(1000);
                parts.look(published, 500 + published * 1_000_000);
                parts.look(published, 500 + published * 1_000_000);
            }
            assert_eq!(parts.rates, [1000.0; 10], "{step}");
        }
    }

    #[test]
    fn a_backlog_of_unknown_size_has_no_parts() {
        for messages in [0, 9] {
            let mut parts = Parts::new(messages, 0);
            parts.look(9, 5);
            assert!(parts.rates.is_empty(), "{messages}");
        }
    }
}
