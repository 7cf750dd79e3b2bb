//! What only a broker in Erlang has, and tools read all the same: constants, all in one place.

use serde_json::{Map, Value, json};

/// Tools compare versions and expect one of Erlang's.
pub(crate) const ERLANG_VERSION: &str = "26.2.5";
/// The same with all that it says of itself.
pub(crate) const ERLANG_FULL_VERSION: &str = "Erlang/OTP 26 [none: this broker is not made in Erlang]";
/// Erlang's processes, of which there are none. The limit is Erlang's, so that shares of it can be computed.
pub(crate) const PROCESSES: u64 = 0;
pub(crate) const PROCESSES_MAX: u64 = 1_048_576;
/// Tasks that wait for a scheduler.
pub(crate) const RUN_QUEUE: u64 = 0;
/// Events that wait to be counted: counting is not behind here.
pub(crate) const EVENT_QUEUE: u64 = 0;
/// Seconds between two signs of life of nodes.
pub(crate) const NET_TICK_TIME: u64 = 60;

/// RabbitMQ's plugins whose work is done here without any: tools look for them before they ask.
pub(crate) const ENABLED_PLUGINS: [&str; 11] = [
    "rabbitmq_auth_mechanism_ssl",
    "rabbitmq_consistent_hash_exchange",
    "rabbitmq_delayed_message_exchange",
    "rabbitmq_event_exchange",
    "rabbitmq_management",
    "rabbitmq_management_agent",
    "rabbitmq_message_deduplication",
    "rabbitmq_prometheus",
    "rabbitmq_random_exchange",
    "rabbitmq_recent_history_exchange",
    "rabbitmq_sharding",
];

/// What is counted of a runtime that is not there.
pub(crate) const NOTHING: u64 = 0;

/// How long samples are kept, in seconds, as RabbitMQ has it by default.
pub(super) fn sample_retention_policies() -> Value {
    json!({ "global": [600, 3600, 28800, 86400], "basic": [600, 3600], "detailed": [600] })
}

/// A queue's garbage collection.
pub(super) fn garbage_collection() -> Value {
    json!({
        "fullsweep_after": 65535, "max_heap_size": 0, "min_bin_vheap_size": 46422, "min_heap_size": 233,
        "minor_gcs": 0,
    })
}

/// What Erlang's file layer and its processes do: neither is there. How often the journal is written and synced is told.
pub(super) fn io() -> Map<String, Value> {
    let counts = [
        "io_read_count",
        "io_read_bytes",
        "io_read_avg_time",
        "io_write_avg_time",
        "io_seek_count",
        "io_seek_avg_time",
        "io_reopen_count",
        "mnesia_ram_tx_count",
        "mnesia_disk_tx_count",
        "msg_store_read_count",
        "msg_store_write_count",
        "queue_index_read_count",
        "queue_index_write_count",
        "gc_num",
        "gc_bytes_reclaimed",
        "context_switches",
    ];
    let counts = counts
        .into_iter()
        .flat_map(|name| [(name.to_owned(), json!(0)), (format!("{name}_details"), json!({ "rate": 0.0 }))]);
    counts.collect()
}

/// What Erlang's memory is used for.
pub(super) fn memory() -> Map<String, Value> {
    let parts = [
        "atom",
        "binary",
        "code",
        "connection_channels",
        "connection_other",
        "connection_readers",
        "connection_writers",
        "metadata_store",
        "metadata_store_ets",
        "metrics",
        "mgmt_db",
        "mnesia",
        "msg_index",
        "other_ets",
        "other_proc",
        "plugins",
        "queue_slave_procs",
        "quorum_ets",
        "quorum_queue_dlx_procs",
        "quorum_queue_procs",
        "reserved_unallocated",
        "stream_queue_coordinator_procs",
        "stream_queue_procs",
        "stream_queue_replica_reader_procs",
    ];
    parts.into_iter().map(|name| (name.to_owned(), json!(0))).collect()
}
