//! The scenarios with messages: all at once (flow), or first in, then out (backlog).

use super::connection::Connection;
use super::consumer::Consumer;
use super::failure::Failure;
use super::live::{Group, Live};
use super::options::{BenchOptions, Scenario};
use super::process::Usage;
use super::producer::Producer;
use super::report::{Report, per_second};
use super::run::{Lane, Run, Stage, latency, total};
use super::topology::Topology;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long what is still on its way may take to arrive after a measurement that time has ended.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// How long nothing may move before a wait for the rest is given up.
const STANDSTILL: Duration = Duration::from_secs(10);
const CONTROL_INPUT_BYTES: usize = 16 * 1024;

/// Declares what the run needs, runs it, and deletes everything whatever came of it.
pub(super) fn flow(options: &BenchOptions, run: &Arc<Run>, live: &mut Live) -> Result<Report, Failure> {
    let topology = Arc::new(Topology::new(options)?);
    let mut flow =
        Flow { options, topology, run, producers: Vec::new(), consumers: Vec::new(), threads: Vec::new() };
    let outcome = flow.declare().and_then(|()| match options.scenario {
        Scenario::Backlog => flow.backlog(live),
        _ => flow.at_once(live),
    });
    run.advance(Stage::End);
    for thread in flow.threads.drain(..) {
        // A panic has been printed by then; the other threads' results still count for nothing.
        thread.join().map_err(|_| Failure::new("a thread of the load panicked"))?;
    }
    let deleted = flow.delete();
    let report = outcome?;
    deleted.map_err(|why| Failure::during("cannot delete the queues of the run", why))?;
    Ok(report)
}

struct Flow<'r> {
    options: &'r BenchOptions,
    topology: Arc<Topology>,
    run: &'r Arc<Run>,
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
    fn declare(&self) -> Result<(), Failure> {
        let mut connection = Connection::open(&self.options.url, CONTROL_INPUT_BYTES)?;
        connection.open_channel()?;
        self.topology.declare(&mut connection)?;
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
        let (broker, producing) = self.start_producers(Synchronise::No)?;
        live.show(self.groups())?;
        let is_produced = |flow: &Self| flow.threads.iter().skip(producing).all(JoinHandle::is_finished);

        let warm = Instant::now() + self.options.warmup;
        live.watch(self.run, Some(warm), || is_produced(self))?;
        let from = self.snapshot(live)?;
        self.run.begin_measuring(if self.options.warmup.is_zero() { 0 } else { from.at_ns });
        let deadline = self.options.measured().map(|measured| Instant::now() + measured);
        // Idle producers with nothing published are not "done": there may be none at all.
        live.watch(self.run, deadline, || self.options.producers > 0 && is_produced(self))?;
        let at_deadline = self.snapshot(live)?;
        let by_count = self.options.producers > 0 && is_produced(self);

        self.run.advance(Stage::Drain);
        self.drain(live, (!by_count).then_some(DRAIN_MAX), || is_produced(self))?;
        let drained = self.snapshot(live)?;
        let to = if by_count { drained } else { at_deadline };
        let mut report = self.report(&broker, from, to, live);
        let measured =
            |lanes, to_ns| if by_count { since(lanes, from.at_ns) } else { nanoseconds(from.at_ns, to_ns) };
        let published = to.published - from.published;
        report.add("publish_rate", per_second(published, measured(&self.producers, to.at_ns)));
        let consumed = to.consumed - from.consumed;
        report.add("consume_rate", per_second(consumed, measured(&self.consumers, to.at_ns)));
        self.add_latencies(&mut report, drained)?;
        Ok(report)
    }

    fn backlog(&mut self, live: &mut Live) -> Result<Report, Failure> {
        let (broker, _) = self.start_producers(Synchronise::Yes)?;
        live.show(self.groups())?;
        self.run.begin_measuring(0);
        let from = self.snapshot(live)?;
        let is_produced = |flow: &Self| flow.threads.iter().all(JoinHandle::is_finished);
        let deadline = self.options.measured().map(|measured| Instant::now() + measured);
        live.watch(self.run, deadline, || is_produced(self))?;
        self.run.advance(Stage::Drain);
        self.drain(live, None, || is_produced(self))?;
        let filled = self.snapshot(live)?;
        let filling = since(&self.producers, from.at_ns);

        self.start_consumers()?;
        live.show(self.groups())?;
        let started_ns = self.run.now_ns();
        self.drain(live, None, || true)?;
        let drained = self.snapshot(live)?;
        let mut report = self.report(&broker, from, drained, live);
        report.add("filled_rss_bytes", filled.usage.rss_bytes);
        report.add("publish_rate", per_second(filled.published, filling));
        report.add("consume_rate", per_second(drained.consumed, since(&self.consumers, started_ns)));
        self.add_latencies(&mut report, drained)?;
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

    /// The broker's name and how many threads there were before.
    fn start_producers(&mut self, synchronise: Synchronise) -> Result<(String, usize), Failure> {
        let mut producers = Vec::new();
        for number in 0..self.options.producers {
            let lane = Lane::new()?;
            producers.push(Producer::open(self.options, &self.topology, number, Arc::clone(&lane))?);
            self.producers.push(lane);
        }
        let broker = producers.first().map(Producer::broker).unwrap_or_default().to_owned();
        let before = self.threads.len();
        let start_ns = self.run.now_ns();
        for (number, producer) in producers.into_iter().enumerate() {
            let synchronise = (synchronise == Synchronise::Yes).then(|| Arc::clone(&self.topology));
            let work = move |run: &Run| producer.work(run, start_ns, synchronise.as_deref());
            self.threads.push(self.run.spawn(format!("producer-{number}"), work)?);
        }
        Ok((broker, before))
    }

    /// Waits until `is_produced` and everything has been consumed, at most `longest`, and no longer than anything moves.
    fn drain(
        &self,
        live: &mut Live,
        longest: Option<Duration>,
        is_produced: impl Fn() -> bool,
    ) -> Result<(), Failure> {
        let deadline = longest.map(|longest| Instant::now() + longest);
        let (mut moved, mut seen) = (Instant::now(), u64::MAX);
        live.watch(self.run, deadline, || {
            let (consumed, confirmed) = (self.consumed(), total(&self.producers, |lane| &lane.confirmed));
            if consumed + confirmed != seen {
                (moved, seen) = (Instant::now(), consumed + confirmed);
            }
            (is_produced() && consumed >= self.expected()) || moved.elapsed() > STANDSTILL
        })
    }

    /// How many deliveries the published messages make.
    fn expected(&self) -> u64 {
        if self.consumers.is_empty() { 0 } else { self.published() * self.topology.copies() }
    }

    fn published(&self) -> u64 {
        total(&self.producers, |lane| &lane.count)
    }

    fn consumed(&self) -> u64 {
        total(&self.consumers, |lane| &lane.count)
    }

    fn groups(&self) -> Vec<Group> {
        let mut groups = vec![Group::new("published", self.producers.clone())];
        if !self.consumers.is_empty() {
            groups.push(Group::new("consumed", self.consumers.clone()));
        }
        groups
    }

    fn snapshot(&self, live: &mut Live) -> Result<Snapshot, Failure> {
        Ok(Snapshot {
            at_ns: self.run.now_ns(),
            published: self.published(),
            consumed: self.consumed(),
            usage: live.usage()?,
        })
    }

    fn report(&self, broker: &str, from: Snapshot, to: Snapshot, live: &Live) -> Report {
        let scenario = if self.options.scenario == Scenario::Backlog { "backlog" } else { "flow" };
        let mut report = Report::new(scenario, broker);
        let elapsed = nanoseconds(from.at_ns, to.at_ns);
        report.add("interrupted", self.run.is_interrupted());
        report.add("seconds", elapsed.as_secs_f64());
        report.add("blocked", self.producers.iter().any(|lane| lane.blocked.load(Relaxed)));
        live.add_usage(&mut report, from.usage, to.usage, elapsed);
        report
    }

    fn add_latencies(&self, report: &mut Report, end: Snapshot) -> Result<(), Failure> {
        report.add("published", end.published);
        report.add("confirmed", total(&self.producers, |lane| &lane.confirmed));
        report.add("refused", total(&self.producers, |lane| &lane.refused));
        report.add("consumed", end.consumed);
        report.add("undelivered", self.expected().saturating_sub(end.consumed));
        report.add_latency("end_to_end_latency_us", &mut latency(&self.consumers)?);
        report.add_latency("confirm_latency_us", &mut latency(&self.producers)?);
        Ok(())
    }
}

/// From a moment until the last of the threads last counted something.
fn since(lanes: &[Arc<Lane>], from_ns: u64) -> Duration {
    nanoseconds(from_ns, lanes.iter().map(|lane| lane.last_ns.load(Relaxed)).max().unwrap_or(from_ns))
}

fn nanoseconds(from: u64, to: u64) -> Duration {
    Duration::from_nanos(to.saturating_sub(from))
}
