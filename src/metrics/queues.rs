//! Queues: what they hold and what has happened to it.

use std::sync::Arc;
use std::time::Duration;

use foldhash::HashSet;

use super::family::{Group, Row, counter, gauge};
use super::own;
use super::scrape::Subject;
use super::text::{Labels, Number};
use super::wanted::{Endpoint, Wanted};
use crate::count::{QueueCounts, QueueKind, QueueNumber, What};
use crate::management::stand_ins;
use crate::queue::queue::{Inspection, Status};
use crate::queue::{Queue, QueueId};
use crate::time::Time;
use crate::vhost::Vhost;

/// A queue at one moment, or all of them added up.
#[derive(Default)]
pub(super) struct QueueRow {
    /// Nothing for a sum.
    of: Option<(Arc<Vhost>, Arc<Queue>)>,
    pub(super) held: Inspection,
    /// How long its oldest ready message has waited.
    pub(super) oldest: Option<Duration>,
    /// Whether dead letters of other queues come to rest here.
    pub(super) is_resting_place: bool,
}

impl Row for QueueRow {
    fn label(&self, labels: &mut Labels<'_>) {
        if let Some((vhost, queue)) = &self.of {
            labels.put("vhost", vhost.name().as_str()).put("queue", queue.name().as_str());
        }
    }
}

/// The queues that are asked for, with their virtual hosts.
fn asked_for(subject: &Subject, wanted: &Wanted) -> Vec<(Arc<Vhost>, Arc<Queue>)> {
    let mut found = Vec::new();
    for vhost in subject.vhosts() {
        if wanted.has_vhost(vhost.name().as_str()) {
            let queues = vhost.queues().all().into_iter();
            let queues = queues.filter(|queue| wanted.has_queue(queue.name().as_str()));
            found.extend(queues.map(|queue| (Arc::clone(&vhost), queue)));
        }
    }
    found
}

/// Where dead letters come to rest, if that is asked for.
fn resting_places(subject: &Subject, wanted: &Wanted) -> HashSet<QueueId> {
    if wanted.endpoint != Endpoint::PerObject && !wanted.has_family(own::QUEUES.name) {
        return HashSet::default();
    }
    let vhosts = subject.vhosts().into_iter().filter(|vhost| wanted.has_vhost(vhost.name().as_str()));
    vhosts.flat_map(|vhost| vhost.resting_places()).collect()
}

impl QueueRow {
    /// All queues that are asked for, each looked at by itself.
    pub(super) fn look(subject: &Subject, wanted: &Wanted) -> Vec<Self> {
        let now = Time::now();
        let resting_places = resting_places(subject, wanted);
        let mut rows = Vec::new();
        for (vhost, queue) in asked_for(subject, wanted) {
            // One that has gone meanwhile, or failed, has nothing to tell.
            let Ok(held) = queue.inspect() else { continue };
            let arrived = if held.status.ready > 0 { queue.known_arrival().ok().flatten() } else { None };
            let oldest = arrived.map(|arrived| now.since(arrived));
            let is_resting_place = resting_places.contains(&queue.id());
            rows.push(Self { of: Some((vhost, queue)), held, oldest, is_resting_place });
        }
        rows
    }

    /// All queues together, without looking at any of them.
    pub(super) fn sum(subject: &Subject) -> Self {
        let totals = subject.site.environment.vhosts.counts().queues();
        let of = |number| QueueKind::ALL.iter().map(|kind| totals.of(*kind, number)).sum::<u64>();
        let count = |number| usize::try_from(of(number)).unwrap_or(usize::MAX);
        let mut held = Inspection {
            status: Status {
                ready: count(QueueNumber::Ready),
                unacked: count(QueueNumber::Unacked),
                consumers: count(QueueNumber::Consumers),
                scheduled: count(QueueNumber::Scheduled),
                retrying: count(QueueNumber::Retrying),
            },
            ready_bytes: of(QueueNumber::ReadyBytes),
            memory: of(QueueNumber::Memory),
            unacked_memory: of(QueueNumber::UnackedMemory),
            unacked_bytes: of(QueueNumber::UnackedBytes),
            ..Inspection::default()
        };
        for kind in QueueKind::ALL {
            held.counts += totals.counts(kind);
        }
        // Without dead letters, and what the broker sends by itself.
        held.counts.publish = subject.site.environment.vhosts.counts().channels().messages.of(What::Routed);
        Self { held, ..Self::default() }
    }

    /// Consumers of it.
    pub(super) fn consumers(&self) -> u64 {
        self.held.status.consumers as u64
    }

    fn is_sum(&self) -> bool {
        self.of.is_none()
    }

    /// What is found out by looking at a queue's blocks: sums do without it.
    fn looked(&self, number: impl FnOnce(&Inspection) -> Number) -> Option<Number> {
        (!self.is_sum()).then(|| number(&self.held))
    }

    fn memory(&self) -> u64 {
        self.held.memory + self.held.unacked_memory
    }

    /// A number of messages that were given to clients; nothing of a queue of which none ever was, as in RabbitMQ.
    fn given(&self, number: impl FnOnce(&QueueCounts) -> u64) -> Option<Number> {
        let counts = &self.held.counts;
        let is_used = self.is_sum() || counts.deliver_get() + counts.get_empty + counts.ack > 0;
        is_used.then(|| number(counts).into())
    }
}

pub(super) static COARSE: Group<QueueRow> = Group {
    name: "queue_coarse_metrics",
    families: &[
        gauge("queue_messages_ready", "Messages ready to be delivered to consumers", |row: &QueueRow| {
            Some(row.held.status.ready.into())
        }),
        gauge(
            "queue_messages_unacked",
            "Messages delivered to consumers but not yet acknowledged",
            |row: &QueueRow| Some(row.held.status.unacked.into()),
        ),
        gauge(
            "queue_messages",
            "Sum of ready and unacknowledged messages - total queue depth",
            |row: &QueueRow| Some((row.held.status.ready + row.held.status.unacked).into()),
        ),
        counter(
            "queue_process_reductions_total",
            "Total number of queue process reductions",
            |_: &QueueRow| Some(stand_ins::NOTHING.into()),
        ),
    ],
};

pub(super) static CONSUMER_COUNT: Group<QueueRow> = Group {
    name: "queue_consumer_count",
    families: &[gauge("queue_consumers", "Consumers on a queue", |row: &QueueRow| {
        Some(row.held.status.consumers.into())
    })],
};

pub(super) static METRICS: Group<QueueRow> = Group {
    name: "queue_metrics",
    families: &[
        gauge("queue_consumers", "Consumers on a queue", |row: &QueueRow| {
            Some(row.held.status.consumers.into())
        }),
        gauge(
            "queue_process_memory_bytes",
            "Memory in bytes used by the Erlang queue process",
            |row: &QueueRow| Some(row.memory().into()),
        ),
        gauge(
            "queue_messages_ram_bytes",
            "Size of ready and unacknowledged messages stored in memory",
            |row: &QueueRow| Some(row.memory().into()),
        ),
        gauge("queue_consumer_capacity", "Consumer capacity", |row: &QueueRow| {
            row.looked(|held| held.consumer_capacity.into())
        }),
        gauge("queue_consumer_utilisation", "Same as consumer capacity", |row: &QueueRow| {
            row.looked(|held| held.consumer_capacity.into())
        }),
        gauge(
            "queue_messages_ram",
            "Ready and unacknowledged messages stored in memory",
            |row: &QueueRow| row.looked(|held| (held.ram.messages + held.status.unacked as u64).into()),
        ),
        gauge("queue_messages_ready_ram", "Ready messages stored in memory", |row: &QueueRow| {
            row.looked(|held| held.ram.messages.into())
        }),
        gauge("queue_messages_unacked_ram", "Unacknowledged messages stored in memory", |row: &QueueRow| {
            Some(row.held.status.unacked.into())
        }),
        gauge("queue_messages_persistent", "Persistent messages", |row: &QueueRow| {
            row.looked(|held| held.persistent.messages.into())
        }),
        gauge("queue_messages_persistent_bytes", "Size in bytes of persistent messages", |row: &QueueRow| {
            row.looked(|held| held.persistent.bytes.into())
        }),
        gauge(
            "queue_messages_bytes",
            "Size in bytes of ready and unacknowledged messages",
            |row: &QueueRow| Some((row.held.ready_bytes + row.held.unacked_bytes).into()),
        ),
        gauge("queue_messages_ready_bytes", "Size in bytes of ready messages", |row: &QueueRow| {
            Some(row.held.ready_bytes.into())
        }),
        gauge(
            "queue_messages_unacked_bytes",
            "Size in bytes of all unacknowledged messages",
            |row: &QueueRow| Some(row.held.unacked_bytes.into()),
        ),
        counter(
            "queue_disk_reads_total",
            "Total number of times queue read messages from disk",
            |row: &QueueRow| Some(row.held.counts.disk_reads.into()),
        ),
        counter(
            "queue_disk_writes_total",
            "Total number of times queue wrote messages to disk",
            |row: &QueueRow| Some(row.held.counts.disk_writes.into()),
        ),
    ],
};

pub(super) static DELIVERY: Group<QueueRow> = Group {
    name: "queue_delivery_metrics",
    families: &[
        counter(
            "queue_get_ack_total",
            "Total number of messages fetched from a queue with basic.get in manual acknowledgement mode",
            |row: &QueueRow| row.given(|counts| counts.get),
        ),
        counter(
            "queue_get_total",
            "Total number of messages fetched from a queue with basic.get in automatic acknowledgement mode",
            |row: &QueueRow| row.given(|counts| counts.get_no_ack),
        ),
        counter(
            "queue_messages_delivered_ack_total",
            "Total number of messages delivered from a queue to consumers in manual acknowledgement mode",
            |row: &QueueRow| row.given(|counts| counts.deliver),
        ),
        counter(
            "queue_messages_delivered_total",
            "Total number of messages delivered from a queue to consumers in automatic acknowledgement mode",
            |row: &QueueRow| row.given(|counts| counts.deliver_no_ack),
        ),
        counter(
            "queue_messages_redelivered_total",
            "Total number of messages redelivered from a queue to consumers",
            |row: &QueueRow| row.given(|counts| counts.redeliver),
        ),
        counter(
            "queue_messages_acked_total",
            "Total number of messages acknowledged by consumers on a queue",
            |row: &QueueRow| row.given(|counts| counts.ack),
        ),
        counter(
            "queue_get_empty_total",
            "Total number of times basic.get operations fetched no message on a queue",
            |row: &QueueRow| row.given(|counts| counts.get_empty),
        ),
    ],
};

/// What was published to queues. Through which exchange is not counted by the queue: a message is handed over once, whatever
/// led it there.
pub(super) static PUBLISHED: Group<QueueRow> = Group {
    name: "queue_exchange_metrics",
    families: &[counter(
        "queue_exchange_messages_published_total",
        "Total number of messages published into a queue through an exchange",
        |row: &QueueRow| Some(row.held.counts.publish.into()),
    )],
};

/// What a queue is.
pub(super) struct QueueInfoRow {
    vhost: Arc<Vhost>,
    queue: Arc<Queue>,
}

impl Row for QueueInfoRow {
    fn label(&self, labels: &mut Labels<'_>) {
        labels
            .put("vhost", self.vhost.name().as_str())
            .put("queue", self.queue.name().as_str())
            .put("queue_type", queue_type(&self.queue))
            .put("membership", "leader");
    }
}

impl QueueInfoRow {
    /// All queues that are asked for.
    pub(super) fn look(subject: &Subject, wanted: &Wanted) -> Vec<Self> {
        let rows = asked_for(subject, wanted);
        rows.into_iter().map(|(vhost, queue)| Self { vhost, queue }).collect()
    }
}

/// What RabbitMQ's module is called that makes such a queue.
pub(super) fn queue_type(queue: &Queue) -> &'static str {
    if queue.options().is_quorum() { QUORUM } else { CLASSIC }
}

pub(super) const CLASSIC: &str = "rabbit_classic_queue";
pub(super) const QUORUM: &str = "rabbit_quorum_queue";

pub(super) static INFO: Group<QueueInfoRow> = Group {
    name: "queue_info",
    families: &[gauge(
        "queue_info",
        "A metric with a constant '1' value and labels that provide some queue details",
        |_| Some(true.into()),
    )],
};
