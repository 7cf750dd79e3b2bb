//! Connections: what goes over the wire.

use super::family::{Group, Row, counter, gauge};
use super::scrape::Subject;
use super::text::Labels;
use crate::connection::registry::Described;
use crate::management::stand_ins;

/// A connection at one moment, or all of them added up.
#[derive(Default)]
pub(super) struct ConnectionRow {
    /// Nothing for a sum.
    name: Option<String>,
    received_bytes: u64,
    sent_bytes: u64,
    reads: u64,
    writes: u64,
    pending_bytes: u64,
    channels: u64,
}

impl Row for ConnectionRow {
    fn label(&self, labels: &mut Labels<'_>) {
        if let Some(name) = &self.name {
            // RabbitMQ's word for it.
            labels.put("channel", name);
        }
    }
}

impl ConnectionRow {
    fn of(connection: &Described) -> Self {
        let entry = &connection.about.entry;
        Self {
            name: Some(connection.name()),
            received_bytes: entry.traffic.received_bytes.get(),
            sent_bytes: entry.traffic.sent_bytes.get(),
            reads: entry.reads.get(),
            writes: entry.writes.get(),
            pending_bytes: entry.pending_bytes.get(),
            channels: entry.channel_count() as u64,
        }
    }

    pub(super) fn look(subject: &Subject) -> Vec<Self> {
        subject.site.environment.connections.described().iter().map(Self::of).collect()
    }

    /// All that are open together.
    pub(super) fn sum(subject: &Subject) -> Self {
        let mut sum = Self::default();
        for row in Self::look(subject) {
            sum.received_bytes += row.received_bytes;
            sum.sent_bytes += row.sent_bytes;
            sum.reads += row.reads;
            sum.writes += row.writes;
            sum.pending_bytes += row.pending_bytes;
            sum.channels += row.channels;
        }
        sum
    }
}

pub(super) static COARSE: Group<ConnectionRow> = Group {
    name: "connection_coarse_metrics",
    families: &[
        counter(
            "connection_incoming_bytes_total",
            "Total number of bytes received on a connection",
            |row: &ConnectionRow| Some(row.received_bytes.into()),
        ),
        counter(
            "connection_outgoing_bytes_total",
            "Total number of bytes sent on a connection",
            |row: &ConnectionRow| Some(row.sent_bytes.into()),
        ),
        counter(
            "connection_process_reductions_total",
            "Total number of connection process reductions",
            |_: &ConnectionRow| Some(stand_ins::NOTHING.into()),
        ),
    ],
};

pub(super) static METRICS: Group<ConnectionRow> = Group {
    name: "connection_metrics",
    families: &[
        counter(
            "connection_incoming_packets_total",
            "Total number of packets received on a connection",
            |row: &ConnectionRow| Some(row.reads.into()),
        ),
        counter(
            "connection_outgoing_packets_total",
            "Total number of packets sent on a connection",
            |row: &ConnectionRow| Some(row.writes.into()),
        ),
        gauge(
            "connection_pending_packets",
            "Number of packets waiting to be sent on a connection",
            |row: &ConnectionRow| Some(row.pending_bytes.into()),
        ),
        gauge("connection_channels", "Channels on a connection", |row: &ConnectionRow| {
            Some(row.channels.into())
        }),
    ],
};
