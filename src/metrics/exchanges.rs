//! Virtual hosts and exchanges, which all nodes of a cluster know.

use std::sync::Arc;

use super::family::{Group, Row, counter, gauge};
use super::scrape::Subject;
use super::text::Labels;
use super::wanted::Wanted;
use crate::count::FlowCounts;
use crate::name::ExchangeName;
use crate::vhost::Vhost;
use crate::vhost::exchange::Exchange;

/// A virtual host.
pub(super) struct VhostRow(Arc<Vhost>);

impl Row for VhostRow {
    fn label(&self, labels: &mut Labels<'_>) {
        labels.put("vhost", self.0.name().as_str());
    }
}

impl VhostRow {
    pub(super) fn look(subject: &Subject) -> Vec<Self> {
        subject.vhosts().into_iter().map(Self).collect()
    }
}

pub(super) static VHOSTS: Group<VhostRow> = Group {
    name: "vhost_status",
    // One that is listed is running.
    families: &[gauge("vhost_status", "Whether a given vhost is running", |_| Some(true.into()))],
};

/// An exchange.
pub(super) struct ExchangeRow {
    vhost: Arc<Vhost>,
    exchange: Arc<Exchange>,
}

impl Row for ExchangeRow {
    fn label(&self, labels: &mut Labels<'_>) {
        labels
            .put("vhost", self.vhost.name().as_str())
            .put("exchange", self.exchange.name().as_str())
            .put("type", self.exchange.options().exchange_type.as_str());
    }
}

impl ExchangeRow {
    /// Those that clients publish to, without the default one.
    pub(super) fn look(subject: &Subject) -> Vec<Self> {
        let mut rows = Vec::new();
        for vhost in subject.vhosts() {
            let mut exchanges = vhost.exchanges().all();
            exchanges.retain(|exchange| !exchange.options().internal);
            exchanges.sort_by(|one, other| one.name().cmp(other.name()));
            rows.extend(exchanges.into_iter().map(|exchange| Self { vhost: Arc::clone(&vhost), exchange }));
        }
        rows
    }
}

/// What is published to an exchange, or to all of them.
pub(super) struct PublishedRow {
    /// Nothing for a sum.
    of: Option<(Arc<Vhost>, ExchangeName)>,
    counts: FlowCounts,
}

impl Row for PublishedRow {
    fn label(&self, labels: &mut Labels<'_>) {
        if let Some((vhost, exchange)) = &self.of {
            labels.put("vhost", vhost.name().as_str()).put("exchange", exchange.as_str());
        }
    }
}

impl PublishedRow {
    /// Those that something was published to, as in RabbitMQ.
    pub(super) fn look(subject: &Subject, wanted: &Wanted) -> Vec<Self> {
        let mut rows = Vec::new();
        for vhost in subject.vhosts().into_iter().filter(|vhost| wanted.has_vhost(vhost.name().as_str())) {
            let default = (ExchangeName::from(""), vhost.default_exchange_counts());
            let mut all: Vec<_> = vhost
                .exchanges()
                .all()
                .iter()
                .map(|exchange| (exchange.name().clone(), exchange.published().total()))
                .chain([default])
                .filter(|(_, counts)| counts.publish > 0)
                .collect();
            all.sort_by(|(one, _), (other, _)| one.cmp(other));
            rows.extend(
                all.into_iter().map(|(name, counts)| Self { of: Some((Arc::clone(&vhost), name)), counts }),
            );
        }
        rows
    }

    /// What was published at all.
    pub(super) fn sum(counts: FlowCounts) -> Self {
        Self { of: None, counts }
    }
}

pub(super) static METRICS: Group<PublishedRow> = Group {
    name: "exchange_metrics",
    families: &[
        counter(
            "exchange_messages_published_total",
            "Total number of messages published into an exchange",
            |row: &PublishedRow| Some(row.counts.publish.into()),
        ),
        counter(
            "exchange_messages_confirmed_total",
            "Total number of messages published into an exchange and confirmed",
            |row: &PublishedRow| Some(row.counts.confirm.into()),
        ),
        counter(
            "exchange_messages_unroutable_returned_total",
            "Total number of messages published as mandatory into an exchange and returned to the publisher as \
             unroutable",
            |row: &PublishedRow| Some(row.counts.return_unroutable.into()),
        ),
        counter(
            "exchange_messages_unroutable_dropped_total",
            "Total number of messages published as non-mandatory into an exchange and dropped as unroutable",
            |row: &PublishedRow| Some(row.counts.drop_unroutable.into()),
        ),
    ],
};

pub(super) static BINDINGS: Group<ExchangeRow> = Group {
    name: "exchange_bindings",
    families: &[gauge(
        "exchange_bindings",
        "Number of bindings for an exchange. This value is cluster-wide.",
        |row: &ExchangeRow| Some(row.exchange.routes().len().into()),
    )],
};

pub(super) static NAMES: Group<ExchangeRow> = Group {
    name: "exchange_names",
    families: &[gauge(
        "exchange_name",
        "Enumerates exchanges without any additional info. This value is cluster-wide. A cheaper alternative to \
         `exchange_bindings`",
        |_| Some(true.into()),
    )],
};
