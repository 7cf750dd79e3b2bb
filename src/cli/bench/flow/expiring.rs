//! What it costs the broker that messages expire, beside what it costs it to deliver as many.

use super::{Flow, Snapshot, Synchronise, since};
use crate::cli::bench::connection::Connection;
use crate::cli::bench::failure::Failure;
use crate::cli::bench::image::Expiration;
use crate::cli::bench::live::Live;
use crate::cli::bench::producer::Course;
use crate::cli::bench::report::{Report, per_second};
use std::num::NonZeroU64;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long those may take to go that should be gone.
const LATE_MAX: Duration = Duration::from_secs(30);
/// How often the queues are asked whether they are empty: it costs the broker something as well.
const ASK: Duration = Duration::from_millis(50);

impl Flow<'_> {
    /// Publishes messages that expire at random moments of a span and waits until they have; publishes as many that do not,
    /// evenly over as long a span, and drains them at once; publishes as many in the same way while they are consumed, so
    /// that these are delivered as evenly as the first ones expired.
    pub(super) fn expire(&mut self, live: &mut Live) -> Result<Report, Failure> {
        let span = self.options.measured().unwrap_or(Duration::from_secs(10));
        let count = self.options.messages_in_all().map_or(0, NonZeroU64::get);
        let from = self.snapshot(live);
        let first = Instant::now() + self.options.expire_after;
        let expiration = Some(Expiration::new(self.options.expire_after, span));
        self.publish_all(live, Course { rate: None, expiration })?;
        let last = Instant::now() + self.options.expire_after + span;
        if Instant::now() > first {
            return Err(Failure::new("messages expire while others are published: raise --expire-after"));
        }
        let mut control = Connection::open(&self.options.url, super::CONTROL_INPUT_BYTES)?;
        control.open_channel()?;
        live.watch(self.run, Some(first), || false);
        let waiting = self.snapshot(live);
        live.watch(self.run, Some(last), || false);
        let gone = self.wait_until_empty(live, &mut control, last + LATE_MAX)?;
        let late = Instant::now().saturating_duration_since(last);
        control.close()?;

        let evenly = Course { rate: rate(count, span), expiration: None };
        let empty = self.snapshot(live);
        self.publish_all(live, evenly)?;
        let filled = self.snapshot(live);
        self.start_consumers()?;
        live.show(self.groups());
        let drained = self.consume_all(live, count);
        let consumed_at_once = since(&self.consumers, filled.at_ns);
        let consumed = self.snapshot(live);
        self.publish_all(live, evenly)?;
        let both = self.consume_all(live, count.saturating_mul(2));

        let mut report = self.report("expire", from, both, live);
        report.add("expired", count);
        report.add("emptied_after_last_deadline_ms", u64::try_from(late.as_millis()).unwrap_or(u64::MAX));
        report.add("consume_rate", per_second(count, consumed_at_once));
        if live.has_process() {
            let mut add = |key, from: Snapshot, to: Snapshot| {
                let each = live.microseconds_each(from.usage, to.usage, count);
                report.add(key, each);
                each
            };
            let expiring = add("expire_cpu_us", waiting, gone);
            let delivering = add("deliver_at_once_cpu_us", filled, drained);
            add("publish_evenly_cpu_us", empty, filled);
            add("publish_and_deliver_evenly_cpu_us", consumed, both);
            if delivering > 0.0 {
                report.add("expire_of_deliver_at_once", (expiring / delivering * 100.0).round() / 100.0);
            }
        }
        self.add_counts(&mut report, both, count)?;
        Ok(report)
    }

    /// Publishes all there is to publish and waits until the broker has it.
    fn publish_all(&mut self, live: &mut Live, course: Course) -> Result<(), Failure> {
        let before = self.start_producers(Synchronise::Yes, course)?;
        live.show(self.groups());
        live.watch(self.run, None, || self.threads.iter().skip(before).all(JoinHandle::is_finished));
        self.run.failure().map_or(Ok(()), Err)
    }

    fn consume_all(&self, live: &mut Live, expected: u64) -> Snapshot {
        live.watch(self.run, None, || self.consumed() >= expected);
        self.snapshot(live)
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

/// Messages a second.
fn rate(count: u64, span: Duration) -> Option<NonZeroU64> {
    let milliseconds = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
    NonZeroU64::new(count.saturating_mul(1000) / milliseconds)
}
