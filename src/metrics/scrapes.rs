//! What scraping costs, told by the next one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::text::{CONTENT_TYPE, Kind, Labels, Text};
use super::wanted::Endpoint;

/// The answers that were given until now.
#[derive(Debug, Default)]
pub(super) struct Scrapes([Told; Endpoint::ALL.len()]);

#[derive(Debug, Default)]
struct Told {
    answers: AtomicU64,
    nanos: AtomicU64,
    bytes: AtomicU64,
}

impl Scrapes {
    /// One more, of so many bytes, which took so long to make.
    pub(super) fn add(&self, endpoint: Endpoint, took: Duration, bytes: u64) {
        let Some(told) = self.0.get(endpoint as usize) else { return };
        told.answers.fetch_add(1, Ordering::Relaxed);
        told.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        told.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What is told of them by RabbitMQ's library, of those of one endpoint.
    pub(super) fn write(&self, endpoint: Endpoint, text: &mut Text) {
        let Some(told) = self.0.get(endpoint as usize) else { return };
        let answers = told.answers.load(Ordering::Relaxed);
        let seconds = Duration::from_nanos(told.nanos.load(Ordering::Relaxed)).as_secs_f64();
        let bytes = told.bytes.load(Ordering::Relaxed);
        for (name, help, sum) in [
            ("telemetry_scrape_duration_seconds", "Scrape duration", seconds.into()),
            ("telemetry_scrape_size_bytes", "Scrape size, not encoded", super::text::Number::from(bytes)),
        ] {
            text.family("", name, Kind::Summary, help);
            let labels = |labels: &mut Labels<'_>| {
                labels.put("registry", endpoint.registry()).put("content_type", CONTENT_TYPE);
            };
            text.sample(name, "_count", labels, answers);
            text.sample(name, "_sum", labels, sum);
        }
    }
}
