//! The line a second that a run prints to standard error, and the waiting between the lines.

use super::failure::Failure;
use super::process::{Process, Usage};
use super::report::{Report, grouped, per_second};
use super::run::{Lane, Run, latency, total};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_secs(1);
/// How often conditions are looked at that nobody announces.
const LOOK: Duration = Duration::from_millis(5);

/// Threads that do the same, and what that is called.
#[derive(Debug, Clone)]
pub(super) struct Group {
    verb: &'static str,
    lanes: Vec<Arc<Lane>>,
    shown: u64,
}

impl Group {
    pub(super) fn new(verb: &'static str, lanes: Vec<Arc<Lane>>) -> Self {
        Self { verb, lanes, shown: 0 }
    }
}

/// The live line.
#[derive(Debug)]
pub(super) struct Live {
    process: Option<Process>,
    started: Instant,
    shown: Instant,
    shown_usage: Usage,
    last_usage: Usage,
    rss_max_bytes: u64,
    groups: Vec<Group>,
}

impl Live {
    /// Looks at process `pid`, if there is one to look at.
    pub(super) fn new(pid: Option<u32>) -> Result<Self, Failure> {
        let process = pid.map(Process::attach).transpose()?;
        let now = Instant::now();
        let mut live = Self {
            process,
            started: now,
            shown: now,
            shown_usage: Usage::default(),
            last_usage: Usage::default(),
            rss_max_bytes: 0,
            groups: Vec::new(),
        };
        live.shown_usage = live.usage();
        Ok(live)
    }

    /// Shows these groups from now on.
    pub(super) fn show(&mut self, groups: Vec<Group>) {
        self.groups = groups;
        self.shown = Instant::now();
        self.shown_usage = self.usage();
    }

    /// What the broker's process has used so far: zeros without one, and the last that was seen of one that is gone,
    /// since its end is for the connections to tell.
    pub(super) fn usage(&mut self) -> Usage {
        if let Some(Ok(usage)) = self.process.as_ref().map(Process::usage) {
            self.last_usage = usage;
            self.rss_max_bytes = self.rss_max_bytes.max(usage.rss_bytes);
        }
        self.last_usage
    }

    /// Waits until `done` or the deadline, printing the line meanwhile. Ends early when the run is interrupted or has
    /// failed.
    pub(super) fn watch(&mut self, run: &Run, deadline: Option<Instant>, mut done: impl FnMut() -> bool) {
        loop {
            let now = Instant::now();
            let ended = run.is_interrupted() || run.has_failed();
            if ended || done() || deadline.is_some_and(|deadline| now >= deadline) {
                return;
            }
            if now >= self.shown + TICK {
                self.print(now);
            }
            thread::park_timeout(deadline.map_or(LOOK, |deadline| LOOK.min(deadline - now)));
        }
    }

    fn print(&mut self, now: Instant) {
        let since = now - self.shown;
        let mut line = format!("{:>4} s", (now - self.started).as_secs());
        let mut blocked = false;
        for group in &mut self.groups {
            let count = total(&group.lanes, |lane| &lane.count);
            let rate = per_second(count - group.shown, since);
            let _ = write!(line, "   {} {}/s", group.verb, grouped(rate.round()));
            group.shown = count;
            blocked |= group.lanes.iter().any(|lane| lane.blocked.load(Relaxed));
            if let Ok(mut latency) = latency(&group.lanes)
                && let (Some(half), Some(most)) =
                    (latency.microseconds_at(0.5), latency.microseconds_at(0.99))
            {
                let _ = write!(line, " (p50 {} us, p99 {} us)", grouped(half.round()), grouped(most.round()));
            }
        }
        let usage = self.usage();
        if let Some(process) = &self.process {
            let processors = process.seconds(self.shown_usage, usage) / since.as_secs_f64();
            let _ = write!(line, "   cpu {processors:.2}   rss {} MiB", usage.rss_bytes >> 20);
        }
        if blocked {
            line.push_str("   blocked by the broker");
        }
        (self.shown, self.shown_usage) = (now, usage);
        // Nobody reads standard error: no reason to end the run.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// Adds what the broker's process used between two looks, `elapsed` apart.
    pub(super) fn add_usage(&self, report: &mut Report, from: Usage, to: Usage, elapsed: Duration) {
        let Some(process) = &self.process else { return };
        let seconds = process.seconds(from, to);
        let share = if elapsed.is_zero() { 0.0 } else { seconds / elapsed.as_secs_f64() };
        report.add("broker_cpu_seconds", seconds);
        report.add("broker_cpus", (share * 1000.0).round() / 1000.0);
        report.add("broker_rss_bytes", to.rss_bytes);
        report.add("broker_rss_max_bytes", self.rss_max_bytes);
    }

    /// What the broker's process used between two looks, in microseconds for each of so many.
    pub(super) fn microseconds_each(&self, from: Usage, to: Usage, count: u64) -> f64 {
        let seconds = self.process.as_ref().map_or(0.0, |process| process.seconds(from, to));
        #[allow(clippy::cast_precision_loss)] // it is not that exact
        let each = seconds * 1e6 / count.max(1) as f64;
        (each * 1000.0).round() / 1000.0
    }

    /// Whether there is a process to look at.
    pub(super) fn has_process(&self) -> bool {
        self.process.is_some()
    }
}
