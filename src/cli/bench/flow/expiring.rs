//! What it costs the broker that messages expire, beside what it costs it to deliver as many.

use super::{Flow, Snapshot, Synchronise, nanoseconds, since};
use crate::cli::bench::connection::Connection;
use crate::cli::bench::failure::Failure;
use crate::cli::bench::image::Expiration;
use crate::cli::bench::live::Live;
use crate::cli::bench::report::{Report, per_second};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long those may take to go that should be gone.
const LATE_MAX: Duration = Duration::from_secs(30);
/// How often the queues are asked whether they are empty: it costs the broker something as well.
const ASK: Duration = Duration::from_millis(50);

impl Flow<'_> {
    /// Publishes messages that expire at random moments and waits until they have; publishes as many that do not, and
    /// consumes those.
    pub(super) fn expire(&mut self, live: &mut Live) -> Result<Report, Failure> {
        let spread = self.options.measured().unwrap_or(Duration::from_secs(10));
        let expiration = Expiration::new(self.options.expire_after, spread);
        let from = self.snapshot(live);
        let first = Instant::now() + self.options.expire_after;
        self.publish_all(live, Some(expiration))?;
        let mut control = Connection::open(&self.options.url, super::CONTROL_INPUT_BYTES)?;
        control.open_channel()?;
        let last = Instant::now() + self.options.expire_after + spread;
        if Instant::now() > first {
            return Err(Failure::new(
                "the first messages expire before the last are published: raise --expire-after",
            ));
        }
        live.watch(self.run, Some(first), || false);
        let waiting = self.snapshot(live);
        live.watch(self.run, Some(last), || false);
        let gone = self.wait_until_empty(live, &mut control, last + LATE_MAX)?;
        let late = Instant::now().saturating_duration_since(last);
        control.close()?;

        let published_before = self.published();
        self.publish_all(live, None)?;
        let filled = self.snapshot(live);
        self.start_consumers()?;
        live.show(self.groups());
        let expected = self.published() - published_before;
        live.watch(self.run, None, || self.consumed() >= expected);
        let drained = self.snapshot(live);

        let mut report = self.report("expire", from, drained, live);
        report.add("expired", published_before);
        report.add("emptied_after_last_deadline_ms", u64::try_from(late.as_millis()).unwrap_or(u64::MAX));
        let rate = per_second(expected, since(&self.consumers, filled.at_ns));
        report.add("consume_rate", rate);
        report.add("expire_seconds", nanoseconds(waiting.at_ns, gone.at_ns).as_secs_f64());
        if live.has_process() {
            let expiring = live.microseconds_each(waiting.usage, gone.usage, published_before);
            let delivering = live.microseconds_each(filled.usage, drained.usage, expected);
            report.add("expire_cpu_us", expiring);
            report.add("deliver_cpu_us", delivering);
            if delivering > 0.0 {
                report.add("expire_of_deliver", (expiring / delivering * 1000.0).round() / 1000.0);
            }
        }
        self.add_counts(&mut report, drained, published_before)?;
        Ok(report)
    }

    /// Publishes all there is to publish and waits until the broker has it.
    fn publish_all(&mut self, live: &mut Live, expiration: Option<Expiration>) -> Result<(), Failure> {
        let before = self.start_producers(Synchronise::Yes, expiration)?;
        live.show(self.groups());
        live.watch(self.run, None, || self.threads.iter().skip(before).all(JoinHandle::is_finished));
        if let Some(failure) = self.run.failure() {
            return Err(failure);
        }
        Ok(())
    }

    fn wait_until_empty(
        &self,
        live: &mut Live,
        control: &mut Connection,
        longest: Instant,
    ) -> Result<Snapshot, Failure> {
        while self.topology.ready(control)? > 0 && !self.run.is_interrupted() {
            if Instant::now() > longest {
                return Err(Failure::new("messages that should have expired are still there"));
            }
            live.watch(self.run, Some(Instant::now() + ASK), || false);
        }
        Ok(self.snapshot(live))
    }
}
