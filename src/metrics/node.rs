//! What there is one of: the process, the machine, the alarms.

use std::time::Duration;

use super::family::{Family, Group, RABBITMQ, Row, counter, gauge};
use super::scrape::Subject;
use super::text::{Kind, Labels, Text};
use crate::count::{Churn, Event};
use crate::management::stand_ins;
use crate::net::open_descriptors;
use crate::store::Journal;

/// The node at one moment.
pub(super) struct Node {
    open_descriptors: Option<usize>,
    memory_used: u64,
    memory_limit: u64,
    disk_free: Option<u64>,
    disk_limit: u64,
    descriptors_max: usize,
    uptime: Duration,
    io: Io,
}

/// What went to the disk.
#[derive(Default)]
struct Io {
    writes: u64,
    written_bytes: u64,
    syncs: u64,
    sync_time: Duration,
}

impl Row for Node {
    fn label(&self, _: &mut Labels<'_>) {}
}

impl Node {
    pub(super) fn look(subject: &Subject) -> Self {
        let alarms = &subject.site.environment.alarms;
        Self {
            open_descriptors: open_descriptors(),
            memory_used: alarms.memory().used(),
            memory_limit: alarms.memory().limit(),
            disk_free: alarms.disk().free(),
            disk_limit: alarms.disk().limit(),
            descriptors_max: subject.site.descriptors,
            uptime: subject.site.uptime(),
            io: subject.journal().map(|journal| Io::of(&journal)).unwrap_or_default(),
        }
    }
}

impl Io {
    fn of(journal: &Journal) -> Self {
        let counters = journal.counters();
        Self {
            writes: counters.batches(),
            written_bytes: counters.bytes_written(),
            syncs: counters.syncs(),
            sync_time: counters.sync_time(),
        }
    }
}

/// What comes and goes.
pub(super) struct Comings<'s>(&'s Churn);

pub(super) const CHURN: &str = "connection_churn_metrics";

impl<'s> Comings<'s> {
    pub(super) fn of(subject: &'s Subject) -> Self {
        Self(subject.site.environment.vhosts.counts().churn())
    }

    pub(super) fn write(&self, prefix: &str, text: &mut Text) {
        for (name, event, help) in COMINGS {
            text.family(prefix, name, Kind::Counter, help);
            text.plain(prefix, name, self.0.of(event));
        }
    }
}

const COMINGS: [(&str, Event, &str); 7] = [
    ("connections_opened_total", Event::ConnectionOpened, "Total number of connections opened"),
    ("connections_closed_total", Event::ConnectionClosed, "Total number of connections closed or terminated"),
    ("channels_opened_total", Event::ChannelOpened, "Total number of channels opened"),
    ("channels_closed_total", Event::ChannelClosed, "Total number of channels closed"),
    ("queues_declared_total", Event::QueueDeclared, "Total number of queues declared"),
    ("queues_created_total", Event::QueueCreated, "Total number of queues created"),
    ("queues_deleted_total", Event::QueueDeleted, "Total number of queues deleted"),
];

/// A number that only a broker in Erlang has.
const fn of_erlang(name: &'static str, kind: Kind, help: &'static str) -> Family<Node> {
    Family { name, kind, help, value: |_| Some(stand_ins::NOTHING.into()) }
}

pub(super) static COARSE: Group<Node> = Group {
    name: "node_coarse_metrics",
    families: &[
        gauge("process_open_fds", "Open file descriptors", |node: &Node| {
            node.open_descriptors.map(Into::into)
        }),
        gauge("process_resident_memory_bytes", "Memory used in bytes", |node: &Node| {
            Some(node.memory_used.into())
        }),
        gauge("disk_space_available_bytes", "Disk space available in bytes", |node: &Node| {
            node.disk_free.map(Into::into)
        }),
        gauge("erlang_processes_used", "Erlang processes used", |_| Some(stand_ins::PROCESSES.into())),
        of_erlang("erlang_gc_runs_total", Kind::Counter, "Total number of Erlang garbage collector runs"),
        of_erlang(
            "erlang_gc_reclaimed_bytes_total",
            Kind::Counter,
            "Total number of bytes of memory reclaimed by Erlang garbage collector",
        ),
        of_erlang(
            "erlang_scheduler_context_switches_total",
            Kind::Counter,
            "Total number of Erlang scheduler context switches",
        ),
    ],
};

pub(super) static LIMITS: Group<Node> = Group {
    name: "node_metrics",
    families: &[
        gauge("process_max_fds", "Open file descriptors limit", |node: &Node| {
            Some(node.descriptors_max.into())
        }),
        gauge("resident_memory_limit_bytes", "Memory high watermark in bytes", |node: &Node| {
            Some(node.memory_limit.into())
        }),
        gauge("disk_space_available_limit_bytes", "Free disk space low watermark in bytes", |node: &Node| {
            Some(node.disk_limit.into())
        }),
        gauge("erlang_processes_limit", "Erlang processes limit", |_| Some(stand_ins::PROCESSES_MAX.into())),
        gauge("erlang_scheduler_run_queue", "Erlang scheduler run queue", |_| {
            Some(stand_ins::RUN_QUEUE.into())
        }),
        gauge("erlang_net_ticktime_seconds", "Inter-node heartbeat interval", |_| {
            Some(stand_ins::NET_TICK_TIME.into())
        }),
        gauge("erlang_uptime_seconds", "Node uptime", |node: &Node| Some(node.uptime.as_secs_f64().into())),
    ],
};

pub(super) static PERSISTER: Group<Node> = Group {
    name: "node_persister_metrics",
    families: &[
        of_erlang("io_read_ops_total", Kind::Counter, "Total number of I/O read operations"),
        of_erlang("io_read_bytes_total", Kind::Counter, "Total number of I/O bytes read"),
        counter("io_write_ops_total", "Total number of I/O write operations", |node: &Node| {
            Some(node.io.writes.into())
        }),
        counter("io_write_bytes_total", "Total number of I/O bytes written", |node: &Node| {
            Some(node.io.written_bytes.into())
        }),
        counter("io_sync_ops_total", "Total number of I/O sync operations", |node: &Node| {
            Some(node.io.syncs.into())
        }),
        of_erlang("io_seek_ops_total", Kind::Counter, "Total number of I/O seek operations"),
        of_erlang("io_reopen_ops_total", Kind::Counter, "Total number of times files have been reopened"),
        of_erlang("schema_db_ram_tx_total", Kind::Counter, "Total number of Schema DB memory transactions"),
        of_erlang("schema_db_disk_tx_total", Kind::Counter, "Total number of Schema DB disk transactions"),
        of_erlang("msg_store_read_total", Kind::Counter, "Total number of Message Store read operations"),
        of_erlang("msg_store_write_total", Kind::Counter, "Total number of Message Store write operations"),
        of_erlang("queue_index_read_ops_total", Kind::Counter, "Total number of Queue Index read operations"),
        of_erlang(
            "queue_index_write_ops_total",
            Kind::Counter,
            "Total number of Queue Index write operations",
        ),
        of_erlang("io_read_time_seconds_total", Kind::Counter, "Total I/O read time"),
        of_erlang("io_write_time_seconds_total", Kind::Counter, "Total I/O write time"),
        counter("io_sync_time_seconds_total", "Total I/O sync time", |node: &Node| {
            Some(node.io.sync_time.as_secs_f64().into())
        }),
        of_erlang("io_seek_time_seconds_total", Kind::Counter, "Total I/O seek time"),
    ],
};

/// Which alarms are raised, and what else belongs to no group.
pub(super) fn write_state(subject: &Subject, text: &mut Text) {
    let raised = subject.site.environment.alarms.raised();
    let alarms = [
        (
            "alarms_free_disk_space_watermark",
            raised.disk,
            "is 1 if free disk space watermark alarm is in effect",
        ),
        ("alarms_memory_used_watermark", raised.memory, "is 1 if VM memory watermark alarm is in effect"),
        // Beyond the limit connections are refused, and those that are open go on.
        ("alarms_file_descriptor_limit", false, "is 1 if file descriptor limit alarm is in effect"),
    ];
    for (name, is_raised, help) in alarms {
        text.family(RABBITMQ, name, Kind::Untyped, help);
        text.plain(RABBITMQ, name, is_raised);
    }
    let name = "unreachable_cluster_peers_count";
    text.family(RABBITMQ, name, Kind::Gauge, "Number of peers in the cluster the current node cannot reach.");
    text.plain(RABBITMQ, name, 0_u64);
    let name = "process_start_time_seconds";
    text.family("", name, Kind::Gauge, "Start time of the process since unix epoch in seconds.");
    // In fractions: who counts restarts by its changes would take two starts within a second for one.
    text.plain("", name, Duration::from_millis(subject.site.started.as_millis()).as_secs_f64());
}
