//! Channels: what clients hold and wait for on them, and what has happened there.

use std::sync::Arc;

use super::family::{Group, Row, counter, gauge};
use super::scrape::Subject;
use super::text::{Labels, Number};
use crate::channel::entry::ChannelEntry;
use crate::count::{FlowCounts, GivenCounts, MessageCounts, Part, What};
use crate::management::stand_ins;
use crate::name::{ExchangeName, QueueName};

/// The open channels.
pub(super) fn open(subject: &Subject) -> Vec<Arc<ChannelEntry>> {
    let connections = subject.site.environment.connections.described();
    connections.iter().flat_map(|connection| connection.about.entry.channels()).collect()
}

/// A channel at one moment, or all of them added up.
#[derive(Default)]
pub(super) struct ChannelRow {
    /// Nothing for a sum.
    name: Option<String>,
    consumers: u64,
    unacked: u64,
    unconfirmed: u64,
    uncommitted: u64,
    uncommitted_acks: u64,
    prefetch: u64,
    global_prefetch: u64,
}

impl Row for ChannelRow {
    fn label(&self, labels: &mut Labels<'_>) {
        if let Some(name) = &self.name {
            labels.put("channel", name);
        }
    }
}

impl ChannelRow {
    fn of(channel: &ChannelEntry) -> Self {
        Self {
            name: Some(channel.whose.channel_name()),
            consumers: channel.consumers() as u64,
            unacked: channel.unacked.get(),
            unconfirmed: channel.unconfirmed(),
            uncommitted: channel.uncommitted.get(),
            uncommitted_acks: channel.uncommitted_acks.get(),
            prefetch: channel.prefetch.get(),
            global_prefetch: channel.global_prefetch.get(),
        }
    }

    pub(super) fn look(subject: &Subject) -> Vec<Self> {
        open(subject).iter().map(|channel| Self::of(channel)).collect()
    }

    /// All channels together.
    pub(super) fn sum(channels: &[Arc<ChannelEntry>]) -> Self {
        let mut sum = Self::default();
        for channel in channels {
            let row = Self::of(channel);
            sum.consumers += row.consumers;
            sum.unacked += row.unacked;
            sum.unconfirmed += row.unconfirmed;
            sum.uncommitted += row.uncommitted;
            sum.uncommitted_acks += row.uncommitted_acks;
            sum.prefetch += row.prefetch;
            sum.global_prefetch += row.global_prefetch;
        }
        sum
    }
}

pub(super) static METRICS: Group<ChannelRow> = Group {
    name: "channel_metrics",
    families: &[
        gauge("channel_consumers", "Consumers on a channel", |row: &ChannelRow| Some(row.consumers.into())),
        gauge(
            "channel_messages_unacked",
            "Delivered but not yet acknowledged messages",
            |row: &ChannelRow| Some(row.unacked.into()),
        ),
        gauge(
            "channel_messages_unconfirmed",
            "Published but not yet confirmed messages",
            |row: &ChannelRow| Some(row.unconfirmed.into()),
        ),
        gauge(
            "channel_messages_uncommitted",
            "Messages received in a transaction but not yet committed",
            |row: &ChannelRow| Some(row.uncommitted.into()),
        ),
        gauge(
            "channel_acks_uncommitted",
            "Message acknowledgements in a transaction not yet committed",
            |row: &ChannelRow| Some(row.uncommitted_acks.into()),
        ),
        gauge(
            "consumer_prefetch",
            "Limit of unacknowledged messages for each consumer",
            |row: &ChannelRow| Some(row.prefetch.into()),
        ),
        gauge(
            "channel_prefetch",
            "Deprecated and will be removed in a future version",
            |row: &ChannelRow| Some(row.global_prefetch.into()),
        ),
    ],
};

pub(super) static PROCESS: Group<ChannelRow> = Group {
    name: "channel_process_metrics",
    families: &[counter(
        "channel_process_reductions_total",
        "Total number of channel process reductions",
        |_: &ChannelRow| Some(stand_ins::NOTHING.into()),
    )],
};

/// What a channel publishes to an exchange, or all of it together.
pub(super) struct FlowRow {
    /// Nothing for a sum.
    of: Option<(Arc<ChannelEntry>, String, ExchangeName)>,
    counts: FlowCounts,
}

impl Row for FlowRow {
    fn label(&self, labels: &mut Labels<'_>) {
        if let Some((channel, name, exchange)) = &self.of {
            labels
                .put("channel", name)
                .put("vhost", channel.whose.vhost.as_str())
                .put("exchange", exchange.as_str());
        }
    }
}

impl FlowRow {
    pub(super) fn look(subject: &Subject) -> Vec<Self> {
        let mut rows = Vec::new();
        for channel in open(subject) {
            let name = channel.whose.channel_name();
            rows.extend(channel.flows().into_iter().map(|(exchange, flow)| Self {
                of: Some((Arc::clone(&channel), name.clone(), exchange)),
                counts: flow.total(),
            }));
        }
        rows
    }

    /// What was published on all channels, those that are closed among them.
    pub(super) fn sum(counts: &MessageCounts) -> Self {
        Self { of: None, counts: published(counts) }
    }
}

/// What was published on channels, whatever it was published to.
pub(super) fn published(counts: &MessageCounts) -> FlowCounts {
    FlowCounts {
        publish: counts.of(What::Publish),
        routed: counts.of(What::Routed),
        confirm: counts.of(What::Confirm),
        return_unroutable: counts.of(What::ReturnUnroutable),
        drop_unroutable: counts.of(What::DropUnroutable),
    }
}

pub(super) static EXCHANGE: Group<FlowRow> = Group {
    name: "channel_exchange_metrics",
    families: &[
        counter(
            "channel_messages_published_total",
            "Total number of messages published into an exchange on a channel",
            |row: &FlowRow| Some(row.counts.publish.into()),
        ),
        counter(
            "channel_messages_confirmed_total",
            "Total number of messages published into an exchange and confirmed on the channel",
            |row: &FlowRow| Some(row.counts.confirm.into()),
        ),
        counter(
            "channel_messages_unroutable_returned_total",
            "Total number of messages published as mandatory into an exchange and returned to the publisher as \
             unroutable",
            |row: &FlowRow| Some(row.counts.return_unroutable.into()),
        ),
        counter(
            "channel_messages_unroutable_dropped_total",
            "Total number of messages published as non-mandatory into an exchange and dropped as unroutable",
            |row: &FlowRow| Some(row.counts.drop_unroutable.into()),
        ),
    ],
};

/// What a channel publishes to queues through an exchange; which queues it does not count.
pub(super) struct RoutedRow(FlowRow);

impl Row for RoutedRow {
    fn label(&self, labels: &mut Labels<'_>) {
        if let Some((channel, name, exchange)) = &self.0.of {
            let vhost = channel.whose.vhost.as_str();
            labels.put("channel", name).put("queue_vhost", vhost).put("exchange_vhost", vhost);
            labels.put("exchange", exchange.as_str());
        }
    }
}

impl RoutedRow {
    pub(super) fn look(subject: &Subject) -> Vec<Self> {
        FlowRow::look(subject).into_iter().map(Self).collect()
    }

    /// What was published on all channels, those that are closed among them.
    pub(super) fn sum(counts: &MessageCounts) -> Self {
        Self(FlowRow::sum(counts))
    }
}

pub(super) static ROUTED: Group<RoutedRow> = Group {
    name: "channel_queue_exchange_metrics",
    families: &[counter(
        "queue_messages_published_total",
        "Total number of messages published into a queue through an exchange on a channel",
        |row: &RoutedRow| Some(row.0.counts.routed.into()),
    )],
};

/// What a channel was given, or all channels.
#[derive(Default)]
pub(super) struct GivenRow {
    /// Nothing for a sum. Without a queue: by all that it gets from, which are not counted one by one.
    of: Option<(Arc<ChannelEntry>, String, Option<QueueName>)>,
    got: Option<[u64; 3]>,
    sent: Option<GivenCounts>,
}

const GOT: [What; 3] = [What::Get, What::GetNoAck, What::GetEmpty];

impl Row for GivenRow {
    fn label(&self, labels: &mut Labels<'_>) {
        if let Some((channel, name, queue)) = &self.of {
            labels.put("channel", name).put("vhost", channel.whose.vhost.as_str());
            if let Some(queue) = queue {
                labels.put("queue", queue.as_str());
            }
        }
    }
}

impl GivenRow {
    pub(super) fn look(subject: &Subject) -> Vec<Self> {
        let mut rows = Vec::new();
        for channel in open(subject) {
            let name = channel.whose.channel_name();
            rows.extend(channel.given(None).into_iter().map(|(queue, sent)| Self {
                of: Some((Arc::clone(&channel), name.clone(), Some(queue))),
                got: None,
                sent: Some(sent),
            }));
            let counts = channel.tally.messages.counts();
            let got = GOT.map(|what| counts.of(what));
            if got.iter().any(|number| *number > 0) {
                rows.push(Self { of: Some((channel, name, None)), got: Some(got), sent: None });
            }
        }
        rows
    }

    /// What was given on all channels, those that are closed among them.
    pub(super) fn sum(counts: &MessageCounts) -> Self {
        let sent = GivenCounts {
            deliver: counts.of(What::Deliver),
            deliver_no_ack: counts.of(What::DeliverNoAck),
            redeliver: counts.of(What::Redeliver),
            ack: counts.of(What::Ack),
        };
        Self { of: None, got: Some(GOT.map(|what| counts.of(what))), sent: Some(sent) }
    }

    fn sent(&self, number: impl FnOnce(&GivenCounts) -> u64) -> Option<Number> {
        self.sent.as_ref().map(|sent| number(sent).into())
    }

    fn got(&self, what: usize) -> Option<Number> {
        self.got?.get(what).copied().map(Into::into)
    }
}

pub(super) static QUEUE: Group<GivenRow> = Group {
    name: "channel_queue_metrics",
    families: &[
        counter(
            "channel_get_ack_total",
            "Total number of messages fetched with basic.get in manual acknowledgement mode",
            |row: &GivenRow| row.got(0),
        ),
        counter(
            "channel_get_total",
            "Total number of messages fetched with basic.get in automatic acknowledgement mode",
            |row: &GivenRow| row.got(1),
        ),
        counter(
            "channel_messages_delivered_ack_total",
            "Total number of messages delivered to consumers in manual acknowledgement mode",
            |row: &GivenRow| row.sent(|sent| sent.deliver),
        ),
        counter(
            "channel_messages_delivered_total",
            "Total number of messages delivered to consumers in automatic acknowledgement mode",
            |row: &GivenRow| row.sent(|sent| sent.deliver_no_ack),
        ),
        counter(
            "channel_messages_redelivered_total",
            "Total number of messages redelivered to consumers",
            |row: &GivenRow| row.sent(|sent| sent.redeliver),
        ),
        counter(
            "channel_messages_acked_total",
            "Total number of messages acknowledged by consumers",
            |row: &GivenRow| row.sent(|sent| sent.ack),
        ),
        counter(
            "channel_get_empty_total",
            "Total number of times basic.get operations fetched no message",
            |row: &GivenRow| row.got(2),
        ),
    ],
};
