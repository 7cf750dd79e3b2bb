//! What RabbitMQ does not tell: the disk, the memory by what it is used for, and why publishers wait.

use std::time::UNIX_EPOCH;

use super::family::{Group, LEVERET, Row, counter, gauge};
use super::memory::Memory;
use super::queues::QueueRow;
use super::scrape::Subject;
use super::text::{Bucket, Kind, Labels, Text};
use crate::count::{AGES, Histogram};
use crate::store::{Blocked, Journal, Paged, StoreHandle};

/// What is told of queues beside what RabbitMQ tells.
pub(super) static QUEUES: Group<QueueRow> = Group {
    name: "leveret_queue_metrics",
    families: &[
        gauge(
            "queue_messages_scheduled",
            "Messages that wait for the time that they are scheduled for",
            |row| Some(row.held.status.scheduled.into()),
        ),
        gauge("queue_messages_retrying", "Messages that came back and wait to be tried again", |row| {
            Some(row.held.status.retrying.into())
        }),
        gauge("queue_oldest_message_age_seconds", "How long the oldest ready message has waited", |row| {
            row.oldest.map(|oldest| oldest.as_secs_f64().into())
        }),
        counter("queue_redeliveries_total", "Messages that were given to somebody again", |row| {
            Some(row.held.counts.redeliver.into())
        }),
        counter(
            "queue_dead_lettered_total",
            "Messages that went where the dead messages of a queue go",
            |row| {
                let counts = &row.held.counts;
                Some((counts.at_most_once.sum() + counts.at_least_once.sum()).into())
            },
        ),
        counter(
            "queue_dropped_total",
            "Messages that expired, were rejected or did not fit, and went nowhere: there is no dead-letter exchange",
            |row| Some(row.held.counts.dropped.sum().into()),
        ),
        gauge(
            "queue_is_dead_letter_queue",
            "1 for a queue to which dead letters of other queues may go, and from which none go on to another queue",
            |row| row.is_resting_place.then_some(true.into()),
        ),
    ],
};

/// The store at one moment.
struct Backlog {
    paged: Paged,
    budget_used: u64,
    budget_limit: u64,
}

impl Row for Backlog {
    fn label(&self, _: &mut Labels<'_>) {}
}

impl Backlog {
    fn look(handle: &StoreHandle) -> Self {
        let budget = handle.budget();
        Self { paged: handle.paged(), budget_used: budget.used(), budget_limit: budget.limit() }
    }
}

static BACKLOG: Group<Backlog> = Group {
    name: "leveret_backlog_metrics",
    families: &[
        gauge("backlog_memory_bytes", "Ready messages in memory, as paging counts them", |row| {
            Some(row.budget_used.into())
        }),
        gauge("backlog_memory_limit_bytes", "Ready messages beyond this leave memory", |row| {
            Some(row.budget_limit.into())
        }),
        counter("paged_out_bytes_total", "Bytes of backlogs that left memory for segments", |row| {
            Some(row.paged.out_bytes.into())
        }),
        counter("paged_in_bytes_total", "Bytes of backlogs that were read back", |row| {
            Some(row.paged.in_bytes.into())
        }),
        counter("paged_in_blocks_total", "Blocks of backlogs that were read back", |row| {
            Some(row.paged.in_blocks.into())
        }),
        counter("damaged_blocks_total", "Blocks of backlogs that could not be read", |row| {
            Some(row.paged.damaged_blocks.into())
        }),
        gauge("open_segments", "Segments that are open", |row| Some(row.paged.open_segments.into())),
    ],
};

/// The journal at one moment.
struct JournalRow<'j>(&'j Journal);

impl JournalRow<'_> {
    fn write(&self, text: &mut Text) {
        let (journal, counters) = (self.0, self.0.counters());
        let live = journal.live_files();
        let bytes = live.iter().map(|file| file.len).fold(0, u64::saturating_add);
        let rows = [
            (
                "journal_written_bytes_total",
                Kind::Counter,
                counters.bytes_written(),
                "Bytes written to the journal",
            ),
            (
                "journal_record_bytes_total",
                Kind::Counter,
                counters.record_bytes(),
                "Bytes of records among what was written to the journal",
            ),
            ("journal_writes_total", Kind::Counter, counters.batches(), "Batches written to the journal"),
            (
                "journal_waiting_bytes",
                Kind::Gauge,
                journal.waiting_bytes() as u64,
                "Bytes of records that wait to be written to the journal",
            ),
            (
                "journal_complete_files",
                Kind::Gauge,
                live.len() as u64,
                "Complete files of the journal that are still needed",
            ),
            ("journal_complete_bytes", Kind::Gauge, bytes, "The length of these files"),
        ];
        for (name, kind, value, help) in rows {
            text.family(LEVERET, name, kind, help);
            text.plain(LEVERET, name, value);
        }
        let name = "journal_io_in_progress_seconds";
        let help =
            "How long the write or sync of the journal has taken so far that is under way; 0 when none is";
        text.family(LEVERET, name, Kind::Gauge, help);
        text.plain(LEVERET, name, counters.at_work_for().as_secs_f64());
        let help = "How long it takes to make what was written to the journal outlive a loss of power";
        histogram("journal_fsync_seconds", help, counters.sync_times(), 1e9, text);
        let help = "How many groups of records, each of a batch of one connection, one sync makes durable";
        histogram("journal_commit_groups", help, counters.groups_of_sync(), 1.0, text);
    }
}

/// A histogram whose values are so many times larger than its unit.
fn histogram<const N: usize>(name: &str, help: &str, of: &Histogram<N>, scale: f64, text: &mut Text) {
    text.family(LEVERET, name, Kind::Histogram, help);
    let classes: Vec<(String, u64)> = of.classes().map(|(bound, count)| (le(bound, scale), count)).collect();
    let buckets = classes.iter().map(|(le, count)| Bucket { le, count: *count });
    text.histogram(LEVERET, name, |_| (), buckets, real(of.sum()) / scale);
}

/// A bound as Prometheus writes it: always as a fraction.
fn le(bound: Option<u64>, scale: f64) -> String {
    match bound.map(|bound| real(bound) / scale) {
        None => "+Inf".to_owned(),
        Some(bound) if bound.fract() == 0.0 => format!("{bound}.0"),
        Some(bound) => bound.to_string(),
    }
}

#[allow(clippy::cast_precision_loss, reason = "a sum beyond 2^53 need not be exact")]
fn real(number: u64) -> f64 {
    number as f64
}

/// What the process occupies, by what for. `queues` is all of them together.
fn write_memory(subject: &Subject, queues: &QueueRow, text: &mut Text) {
    let memory = Memory::look(subject, queues);
    text.family(LEVERET, "memory_bytes", Kind::Gauge, "What memory is used for");
    for (purpose, bytes) in [
        ("ready_messages", memory.ready_messages),
        ("unacked_messages", memory.unacked_messages),
        ("journal", memory.journal),
        ("other", memory.other),
        ("held_by_allocator", memory.unused),
    ] {
        text.sample(LEVERET, "memory_bytes", |labels| _ = labels.put("purpose", purpose), bytes);
    }
}

/// For each reason to hold publishers back whether it is one at present.
fn write_blocked(subject: &Subject, text: &mut Text) {
    let raised = subject.site.environment.alarms.raised();
    let store = subject.site.environment.vhosts.stored().and_then(|store| store.handle.blocked());
    text.family(
        LEVERET,
        "publishers_blocked",
        Kind::Gauge,
        "Whether publishers are held back, by the reason",
    );
    for (reason, is) in [
        ("memory", raised.memory),
        ("disk_free", raised.disk),
        ("no_space", store == Some(Blocked::NoSpace)),
        ("disk_failed", store == Some(Blocked::DiskFailed)),
        ("journal_full", store == Some(Blocked::JournalFull)),
        ("paging_lags", store == Some(Blocked::PagingLags)),
    ] {
        text.sample(LEVERET, "publishers_blocked", |labels| _ = labels.put("reason", reason), is);
    }
}

/// How long messages wait in queues until they are given to somebody.
fn write_times(subject: &Subject, text: &mut Text) {
    let name = "time_in_queue_seconds";
    text.family(
        LEVERET,
        name,
        Kind::Histogram,
        "How long messages waited before they were given to somebody",
    );
    let (classes, sum) = subject.site.environment.vhosts.counts().queues().times_in_queue();
    let bounds: Vec<String> = AGES.into_iter().map(Some).chain([None]).map(|bound| le(bound, 1e3)).collect();
    let buckets = bounds.iter().zip(classes).map(|(le, count)| Bucket { le, count });
    text.histogram(LEVERET, name, |_| (), buckets, real(sum) / 1e3);
}

/// Until when the certificates are valid that listeners show.
fn write_certificates(subject: &Subject, text: &mut Text) {
    let (site, config) = (&subject.site, subject.site.environment.config());
    let name = "certificate_expiry_timestamp_seconds";
    text.family(LEVERET, name, Kind::Gauge, "When the certificate of a listener ends, since unix epoch");
    for listening in site.served() {
        let Some((tls, _)) = site.encryption(&config, listening) else { continue };
        // One that had ended before there were computers has ended.
        let ends = tls.certificate().not_after.duration_since(UNIX_EPOCH).unwrap_or_default();
        let label = |labels: &mut Labels<'_>| {
            let address = listening.address.to_string();
            labels.put("protocol", listening.protocol).put("address", &address);
        };
        text.sample(LEVERET, name, label, ends.as_secs());
    }
}

/// All of it that there is one of. `queues` is all of them together.
pub(super) fn write(subject: &Subject, queues: &QueueRow, text: &mut Text) {
    write_memory(subject, queues, text);
    write_blocked(subject, text);
    write_times(subject, text);
    write_certificates(subject, text);
    if let Some(store) = subject.site.environment.vhosts.stored() {
        super::family::write_one(LEVERET, &[&BACKLOG], &Backlog::look(&store.handle), text);
        JournalRow(&store.journal).write(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_fractions_of_their_unit() {
        for (bound, scale, expected) in [
            (Some(50_000), 1e9, "0.00005"),
            (Some(2_500_000), 1e9, "0.0025"),
            (Some(1_000_000_000), 1e9, "1.0"),
            (Some(1024), 1.0, "1024.0"),
            (None, 1.0, "+Inf"),
        ] {
            assert_eq!(le(bound, scale), expected);
        }
    }
}
