//! What memory is used for, by RabbitMQ's names: most of what these name is not there, and tells nothing.

use super::family::RABBITMQ;
use super::queues::QueueRow;
use super::scrape::Subject;
use super::text::{Kind, Text};
use crate::alarm::{MemoryMeter, ProcessMemory};
use crate::management::stand_ins;

/// The memory of the process at one moment, in bytes.
pub(super) struct Memory {
    pub(super) ready_messages: u64,
    pub(super) unacked_messages: u64,
    pub(super) journal: u64,
    /// What else is allocated.
    pub(super) other: u64,
    /// What the allocator has and nobody uses.
    pub(super) unused: u64,
}

impl Memory {
    /// `queues` is all of them together.
    pub(super) fn look(subject: &Subject, queues: &QueueRow) -> Self {
        let (live, resident) = (ProcessMemory.live_bytes(), ProcessMemory.resident_bytes());
        let (ready_messages, unacked_messages) = (queues.held.memory, queues.held.unacked_memory);
        let journal = subject.journal().map_or(0, |journal| journal.waiting_bytes() as u64);
        Self {
            ready_messages,
            unacked_messages,
            journal,
            other: live
                .saturating_sub(ready_messages)
                .saturating_sub(unacked_messages)
                .saturating_sub(journal),
            unused: resident.saturating_sub(live),
        }
    }
}

type Part = fn(&Memory) -> u64;

/// RabbitMQ's parts.
const PARTS: [(&str, &str, Part); 26] = [
    ("code_module", "Code module memory footprint", nothing),
    ("client_connection_reader", "Client connection reader processes footprint in bytes", nothing),
    ("client_connection_writer", "Client connection writer processes footprint in bytes", nothing),
    ("client_connection_channel", "Client connection channel processes footprint in bytes", nothing),
    ("client_connection_other", "Client connection other processes footprint in bytes", nothing),
    ("classic_queue_erlang_process", "Classic queue processes footprint in bytes", nothing),
    ("quorum_queue_erlang_process", "Quorum queue processes footprint in bytes", nothing),
    ("quorum_queue_dlx_erlang_process", "Quorum queue DLX worker processes footprint in bytes", nothing),
    ("stream_erlang_process", "Stream processes footprint in bytes", nothing),
    ("stream_replica_reader_erlang_process", "Stream replica reader processes footprint in bytes", nothing),
    ("stream_coordinator_erlang_process", "Stream coordinator processes footprint in bytes", nothing),
    ("plugin", "Total plugin footprint in bytes", nothing),
    ("modern_metadata_store", "Modern metadata store footprint in bytes", nothing),
    ("other_erlang_process", "Other processes footprint in bytes", nothing),
    ("metrics", "Metric table footprint in bytes", nothing),
    ("management_stats_db", "Management stats database footprint in bytes", nothing),
    ("classic_metadata_store", "Classic metadata store footprint in bytes", nothing),
    ("quorum_queue_ets_table", "Quorum queue ETS tables footprint in bytes", nothing),
    ("modern_metadata_store_ets_table", "Modern metadata store ETS tables footprint in bytes", nothing),
    ("other_ets_table", "Other ETS tables footprint in bytes", nothing),
    ("binary_heap", "Binary heap size in bytes", |memory| memory.ready_messages + memory.unacked_messages),
    ("message_index", "Message index footprint in bytes", nothing),
    ("atom_table", "Atom table size in bytes", nothing),
    ("other_system", "Other runtime footprint in bytes", |memory| memory.other + memory.journal),
    ("runtime_allocated_unused", "Runtime allocated but unused blocks size in bytes", |memory| memory.unused),
    ("runtime_reserved_unallocated", "Runtime reserved but unallocated blocks size in bytes", nothing),
];

fn nothing(_: &Memory) -> u64 {
    stand_ins::NOTHING
}

/// All of RabbitMQ's parts.
pub(super) fn write(subject: &Subject, text: &mut Text) {
    let memory = Memory::look(subject, &QueueRow::sum(subject));
    for (part, help, bytes) in PARTS {
        let name = format!("memory_{part}_bytes");
        text.family(RABBITMQ, &name, Kind::Gauge, help);
        text.plain(RABBITMQ, &name, bytes(&memory));
    }
}
