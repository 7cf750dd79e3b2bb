//! Keys that stand in no section: what is kept, and what clients may do.

use super::{PLAIN, maybe, one, same};
use crate::config::key::{Alias, Key, Reload, Written};
use crate::config::{check, rabbitmq_values as from};

pub(super) static KEYS: [Key; 22] = [
    Key {
        name: "data_dir",
        doc: "The directory for everything that is kept; made if it is missing, used by one broker at a time, never deleted.",
        field: one!(PATH, data_dir),
        ..PLAIN
    },
    Key {
        name: "in_memory",
        doc: "Keep nothing: a broker that stops forgets everything, and the data directory is not touched. For tests and \
              throw-away brokers.",
        field: one!(SWITCH, in_memory),
        ..PLAIN
    },
    Key {
        name: "durability",
        doc: "When a persistent message is confirmed: after it was written and synced (fsync), after it was written (os: a \
              loss of power takes the last seconds), or at once (memory: it ends with the broker). For virtual hosts that say \
              nothing of it themselves.",
        field: one!(DURABILITY, durability),
        ..PLAIN
    },
    Key {
        name: "backlog_memory",
        doc: "How much memory the ready messages of all queues may take before they are paged out to the disk: a size such \
              as 64MiB, or a share such as 0.01 of what the machine or the container grants.",
        unset: Some("1/256 of what is granted, at least 16MiB, at most 32MiB"),
        example: Some("64MiB"),
        check: check::backlog_memory,
        field: maybe!(MEMORY, backlog_memory),
        ..PLAIN
    },
    Key {
        name: "memory_limit",
        doc: "From how much live memory on publishers are blocked: a size such as 2GiB, or a share such as 0.6 of what the \
              machine or the container grants.",
        reload: Reload::AtOnce,
        rabbitmq: &[
            same("vm_memory_high_watermark.absolute"),
            Alias { name: "vm_memory_high_watermark.relative", written: Written::As(from::share) },
        ],
        variables: &["RABBITMQ_VM_MEMORY_HIGH_WATERMARK"],
        check: check::memory_limit,
        field: one!(MEMORY, memory_limit),
        ..PLAIN
    },
    Key {
        name: "total_memory_available_override_value",
        doc: "How much memory there is, of which memory_limit, disk_free_limit and backlog_memory may be shares: where the \
              system grants more than the broker is to use.",
        unset: Some("what the machine or the container grants"),
        example: Some("8GiB"),
        rabbitmq: &[same("total_memory_available_override_value")],
        check: check::total_memory,
        field: maybe!(BYTES, total_memory),
        ..PLAIN
    },
    Key {
        name: "disk_free_limit",
        doc: "With how little free space where data_dir is publishers are blocked: a size such as 2GB, or a factor such as 1.5 \
              of the memory that the machine or the container grants; 0 never blocks them.",
        reload: Reload::AtOnce,
        rabbitmq: &[
            same("disk_free_limit.absolute"),
            Alias { name: "disk_free_limit.relative", written: Written::As(from::share) },
        ],
        variables: &["RABBITMQ_DISK_FREE_ABSOLUTE_LIMIT"],
        field: one!(DISK, disk_free_limit),
        ..PLAIN
    },
    Key {
        name: "workers",
        doc: "How many threads serve connections.",
        unset: Some("one for each core"),
        example: Some("4"),
        check: check::workers,
        field: maybe!(NUMBER, workers),
        ..PLAIN
    },
    Key {
        name: "node_name",
        doc: "What this node is called where RabbitMQ's nodes have names: a name, to which the host's is added, or NAME@HOST.",
        unset: Some("leveret"),
        example: Some("rabbit"),
        variables: &["RABBITMQ_NODENAME", "RABBITMQ_NODE_NAME"],
        field: maybe!(NODE, node_name),
        ..PLAIN
    },
    Key {
        name: "cluster_name",
        doc: "The name of this broker in the server-properties that clients are told.",
        rabbitmq: &[same("cluster_name")],
        field: one!(TEXT, cluster_name),
        ..PLAIN
    },
    Key {
        name: "handshake_timeout",
        doc: "How long a client may take from connecting to an open connection, such as 10s or 500ms; a bare number is \
              seconds.",
        reload: Reload::NewConnections,
        rabbitmq: &[Alias { name: "handshake_timeout", written: Written::As(from::milliseconds) }],
        check: check::handshake_timeout,
        field: one!(DURATION, handshake_timeout),
        ..PLAIN
    },
    Key {
        name: "heartbeat",
        doc: "The heartbeat interval to propose, such as 60 or 60s; 0 proposes none.",
        reload: Reload::NewConnections,
        rabbitmq: &[same("heartbeat")],
        field: one!(SECONDS, heartbeat),
        ..PLAIN
    },
    Key {
        name: "frame_max",
        doc: "The largest frame to propose, such as 131072 or 128KiB; at least 4096.",
        reload: Reload::NewConnections,
        rabbitmq: &[same("frame_max")],
        check: check::frame_max,
        field: one!(BYTES_BELOW_4_GIB, frame_max),
        ..PLAIN
    },
    Key {
        name: "initial_frame_max",
        doc: "The largest frame before that is agreed on; at least 4096.",
        reload: Reload::NewConnections,
        rabbitmq: &[same("initial_frame_max")],
        check: check::initial_frame_max,
        field: one!(BYTES_BELOW_4_GIB, initial_frame_max),
        ..PLAIN
    },
    Key {
        name: "channel_max",
        doc: "How many channels a connection may have open.",
        reload: Reload::NewConnections,
        rabbitmq: &[same("channel_max"), same("max_channels_per_connection")],
        check: check::channel_max,
        field: one!(NUMBER_16, channel_max),
        ..PLAIN
    },
    Key {
        name: "max_message_size",
        doc: "The largest message body to accept, at most 512MiB.",
        reload: Reload::NewConnections,
        rabbitmq: &[same("max_message_size")],
        check: check::max_message_size,
        field: one!(BYTES, max_message_size),
        ..PLAIN
    },
    Key {
        name: "max_connections",
        doc: "How many connections there may be.",
        unset: Some("what the limit of open files allows"),
        example: Some("10000"),
        reload: Reload::AtOnce,
        rabbitmq: &[Alias { name: "max_connections", written: Written::As(from::unless_infinity) }],
        check: check::max_connections,
        field: maybe!(NUMBER, max_connections),
        ..PLAIN
    },
    Key {
        name: "ports_file",
        doc: "A file to write the addresses to that are listened at, one a line (amqp 127.0.0.1:5672), as soon as they accept \
              connections: for programs that let the system choose the port.",
        unset: Some("none is written"),
        example: Some("/run/leveret/ports"),
        field: maybe!(PATH, ports_file),
        ..PLAIN
    },
    Key {
        name: "pid_file",
        doc: "A file to write the number of this process to as soon as it starts; removed when it stops.",
        unset: Some("none is written"),
        example: Some("/run/leveret/pid"),
        variables: &["RABBITMQ_PID_FILE"],
        field: maybe!(PATH, pid_file),
        ..PLAIN
    },
    Key {
        name: "vhost_max",
        doc: "How many virtual hosts there may be.",
        unset: Some("no limit"),
        example: Some("100"),
        reload: Reload::AtOnce,
        rabbitmq: &[Alias { name: "vhost_max", written: Written::As(from::unless_infinity) }],
        field: maybe!(NUMBER_64, vhosts.max),
        ..PLAIN
    },
    Key {
        name: "default_queue_type",
        doc: "The type of durable queues that are declared without one, in virtual hosts that do not say it themselves.",
        unset: Some("classic"),
        example: Some("quorum"),
        reload: Reload::AtOnce,
        rabbitmq: &[same("default_queue_type")],
        field: maybe!(QUEUE_TYPE, vhosts.default_queue_type),
        ..PLAIN
    },
    Key {
        name: "consumer_timeout",
        doc: "How long a consumer may hold a delivery of queues that do not say it by x-consumer-timeout or a policy; 0 is \
              for ever. RabbitMQ's default is 30m.",
        unset: Some("for ever"),
        example: Some("1800s"),
        reload: Reload::AtOnce,
        rabbitmq: &[Alias { name: "consumer_timeout", written: Written::As(from::consumer_timeout) }],
        field: maybe!(DURATION, vhosts.consumer_timeout),
        ..PLAIN
    },
];
