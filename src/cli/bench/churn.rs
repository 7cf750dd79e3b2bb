//! The scenarios without messages: connections opened and closed, queues declared and deleted, idle connections.

use super::connection::{CHANNEL, Connection};
use super::failure::Failure;
use super::live::{Group, Live};
use super::options::BenchOptions;
use super::report::{Report, per_second};
use super::run::{Lane, Run, Stage, total};
use super::topology::unique_prefix;
use super::url::AmqpUrl;
use leveret_protocol::Method;
use leveret_protocol::method::queue;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Calls and answers are short.
const INPUT_BYTES: usize = 8 * 1024;
/// Files that are open besides connections.
const OTHER_FILES: u64 = 64;
/// How many threads open connections that will be idle.
const OPENERS: usize = 4;
/// How long idle connections are left alone before their memory is looked at, unless told otherwise.
const SETTLE: Duration = Duration::from_secs(2);

/// Opens connections and closes them.
pub(super) fn connections(
    options: &BenchOptions,
    run: &Arc<Run>,
    live: &mut Live,
) -> Result<Report, Failure> {
    let workers = options.connections.map_or(8, NonZeroUsize::get);
    let broker = broker_of(&options.url)?;
    let mut crew = Crew::new(run, "opened and closed", live);
    let limit = options.messages.map_or(u64::MAX, |all| all.get().div_ceil(workers as u64));
    for _ in 0..workers {
        let url = options.url.clone();
        crew.start(move |run, lane| {
            for count in 1..=limit {
                Connection::open(&url, INPUT_BYTES)?.close()?;
                lane.counted(count, run.now_ns());
                if run.stage() != Stage::Load {
                    break;
                }
            }
            Ok(())
        })?;
    }
    let mut report = Report::new("connections", &broker);
    let rate = crew.measure(options.measured(), &mut report)?;
    report.add("connection_rate", rate);
    report.end(run);
    Ok(report)
}

/// Declares exclusive queues, or durable ones, then deletes them.
pub(super) fn queues(options: &BenchOptions, run: &Arc<Run>, live: &mut Live) -> Result<Report, Failure> {
    let workers = options.connections.map_or(4, NonZeroUsize::get);
    let broker = broker_of(&options.url)?;
    let prefix = unique_prefix()?;
    let limit = options.messages.map_or(u64::MAX, |all| all.get().div_ceil(workers as u64));
    let deadline = options.measured().map(|measured| Instant::now() + measured);
    let durable = options.durable || options.persistent;
    let mut declared = Vec::new();
    let mut report = Report::new("queues", &broker);

    let mut crew = Crew::new(run, "declared", live);
    let (results, finished) = std::sync::mpsc::sync_channel(workers);
    for worker in 0..workers {
        let mut connection = Connection::open(&options.url, INPUT_BYTES)?;
        connection.open_channel()?;
        let (prefix, results) = (format!("{prefix}.{worker}"), results.clone());
        crew.start(move |run, lane| {
            let mut count = 0;
            let is_time = || deadline.is_none_or(|deadline| Instant::now() < deadline);
            while count < limit && run.stage() == Stage::Load && !run.is_interrupted() && is_time() {
                declare(&mut connection, &format!("{prefix}.{count}"), durable)?;
                count += 1;
                lane.counted(count, run.now_ns());
            }
            // The other side outlives this thread and has room for everybody.
            let _ = results.send((connection, prefix, count));
            Ok(())
        })?;
    }
    drop(results);
    let rate = crew.wait()?;
    report.add("declare_rate", rate);
    if run.has_failed() {
        report.end(run);
        return Ok(report);
    }
    declared.extend(finished);

    let mut crew = Crew::new(run, "deleted", live);
    let deadline = options.measured().map(|measured| Instant::now() + measured);
    for (mut connection, prefix, count) in declared {
        crew.start(move |run, lane| {
            for number in 0..count {
                // What is left over goes with its connection where the queues are exclusive.
                let is_time = || deadline.is_none_or(|deadline| Instant::now() < deadline);
                if !durable && (run.is_interrupted() || !is_time()) {
                    break;
                }
                delete(&mut connection, &format!("{prefix}.{number}"))?;
                lane.counted(number + 1, run.now_ns());
            }
            let _ = connection.close();
            Ok(())
        })?;
    }
    let rate = crew.measure(None, &mut report)?;
    report.add("delete_rate", rate);
    report.end(run);
    Ok(report)
}

/// Holds connections with a channel each and reports what they cost the broker.
pub(super) fn idle(options: &BenchOptions, run: &Arc<Run>, live: &mut Live) -> Result<Report, Failure> {
    let wanted = options.connections.map_or(1000, NonZeroUsize::get);
    allow_files(wanted as u64)?;
    let broker = broker_of(&options.url)?;
    let before = live.usage();
    let started = Instant::now();
    let mut crew = Crew::new(run, "opened", live);
    let (results, finished) = std::sync::mpsc::sync_channel(wanted);
    for opener in 0..OPENERS {
        let (url, results) = (options.url.clone(), results.clone());
        crew.start(move |run, lane| {
            for (count, _) in (1..).zip((opener..wanted).step_by(OPENERS)) {
                let mut connection = Connection::open(&url, INPUT_BYTES)?;
                connection.open_channel()?;
                let _ = results.send(connection);
                lane.counted(count, run.now_ns());
                if run.is_interrupted() {
                    break;
                }
            }
            Ok(())
        })?;
    }
    drop(results);
    let rate = crew.wait()?;
    let held: Vec<Connection> = finished.try_iter().collect();
    let settle = options.duration.unwrap_or(SETTLE);
    live.watch(run, Some(Instant::now() + settle), || false);
    let after = live.usage();
    let mut report = Report::new("idle", &broker);
    report.end(run);
    report.add("connections", held.len());
    report.add("open_rate", rate);
    live.add_usage(&mut report, before, after, started.elapsed());
    if live.has_process() && !held.is_empty() {
        let grown = after.rss_bytes.saturating_sub(before.rss_bytes);
        report.add("broker_rss_bytes_per_connection", grown / held.len() as u64);
    }
    // One after the other: a broker that is told of thousands of ends at once takes its time.
    if let Err(why) = held.into_iter().try_for_each(Connection::close) {
        report.fail(why);
    }
    Ok(report)
}

/// Threads that do the same until they are done or time is up.
struct Crew<'r> {
    run: &'r Arc<Run>,
    live: &'r mut Live,
    verb: &'static str,
    started_ns: u64,
    lanes: Vec<Arc<Lane>>,
    threads: Vec<JoinHandle<()>>,
}

impl<'r> Crew<'r> {
    fn new(run: &'r Arc<Run>, verb: &'static str, live: &'r mut Live) -> Self {
        Self { run, live, verb, started_ns: run.now_ns(), lanes: Vec::new(), threads: Vec::new() }
    }

    fn start(
        &mut self,
        work: impl FnOnce(&Run, &Lane) -> Result<(), Failure> + Send + 'static,
    ) -> Result<(), Failure> {
        let lane = Lane::new()?;
        self.lanes.push(Arc::clone(&lane));
        let name = format!("bench-{}", self.threads.len());
        self.threads.push(self.run.spawn(name, move |run| work(run, &lane))?);
        Ok(())
    }

    /// Waits for all to finish and returns what they did a second.
    fn wait(mut self) -> Result<f64, Failure> {
        self.watch(None)
    }

    /// Lets them work for so long, or until they are done; adds what that cost the broker and returns the rate.
    fn measure(mut self, measured: Option<Duration>, report: &mut Report) -> Result<f64, Failure> {
        let from = self.live.usage();
        let rate = self.watch(measured)?;
        let to = self.live.usage();
        let elapsed = Duration::from_nanos(self.run.now_ns() - self.started_ns);
        report.add("count", total(&self.lanes, |lane| &lane.count));
        self.live.add_usage(report, from, to, elapsed);
        Ok(rate)
    }

    fn watch(&mut self, measured: Option<Duration>) -> Result<f64, Failure> {
        self.live.show(vec![Group::new(self.verb, self.lanes.clone())]);
        let threads = std::mem::take(&mut self.threads);
        let is_done = || threads.iter().all(JoinHandle::is_finished);
        let deadline = measured.map(|measured| Instant::now() + measured);
        self.live.watch(self.run, deadline, is_done);
        let elapsed = Duration::from_nanos(self.run.now_ns() - self.started_ns);
        let rate = per_second(total(&self.lanes, |lane| &lane.count), elapsed);
        if deadline.is_some() || self.run.is_interrupted() || self.run.has_failed() {
            self.run.advance(Stage::Drain);
        }
        for thread in threads {
            thread.join().map_err(|_| Failure::new("a thread of the load panicked"))?;
        }
        Ok(rate)
    }
}

fn broker_of(url: &AmqpUrl) -> Result<String, Failure> {
    let connection = Connection::open(url, INPUT_BYTES)?;
    let broker = connection.broker.clone();
    connection.close()?;
    Ok(broker)
}

fn declare(connection: &mut Connection, queue: &str, durable: bool) -> Result<(), Failure> {
    let declare = queue::Declare { queue, durable, exclusive: !durable, ..queue::Declare::default() };
    connection
        .call(declare, |method| matches!(method, Method::Queue(queue::Method::DeclareOk(_))).then_some(()))
        .map_err(|why| Failure::during(format!("queue.declare on channel {CHANNEL}"), why))
}

fn delete(connection: &mut Connection, queue: &str) -> Result<(), Failure> {
    let delete = queue::Delete { queue, ..queue::Delete::default() };
    connection
        .call(delete, |method| matches!(method, Method::Queue(queue::Method::DeleteOk(_))).then_some(()))
}

/// Raises the limit of open files as far as the system allows without asking.
fn allow_files(connections: u64) -> Result<(), Failure> {
    let wanted = connections + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    if limit.maximum.is_some_and(|maximum| maximum < wanted) {
        return Err(Failure::new(format!(
            "{connections} connections need a limit of {wanted} open files (ulimit -n)"
        )));
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum })
        .map_err(|why| Failure::during("cannot raise the limit of open files", why))
}
