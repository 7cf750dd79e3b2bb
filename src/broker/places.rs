//! What is taken before anything is read from the disk: addresses, and what TLS needs.

use super::StartError;
use super::doors::Door;
use super::http::{self, OpenDoor, Taken};
use super::management::serve_metrics;
use super::tls::{HttpTlsServers, Read};
use crate::config::Config;
use crate::management::{Listening, Server};
use crate::metrics::Awaited;
use crate::net::{Bound, CurrentTls, TlsServer};

/// Where a broker is going to serve. Metrics and checks are served already.
pub(super) struct Places {
    pub(super) amqp: Vec<(Door, Bound)>,
    pub(super) management: Vec<Taken>,
    pub(super) metrics: Option<Server>,
    pub(super) metrics_doors: Vec<Listening>,
    /// Who serves metrics awaits the broker here.
    pub(super) awaited: Awaited,
    pub(super) tls: Option<TlsServer>,
    pub(super) http_tls: HttpTlsServers,
}

impl Places {
    /// Listens where metrics are to be.
    pub(super) fn take(
        config: &Config,
        amqp: Vec<(Door, Bound)>,
        management: Vec<Taken>,
        metrics: Vec<Taken>,
        tls: Read,
    ) -> Result<Self, StartError> {
        let http_tls = HttpTlsServers {
            management: tls.management.map(CurrentTls::new),
            metrics: tls.metrics.map(CurrentTls::new),
        };
        let awaited = Awaited::default();
        let doors = http::open(metrics, config)?;
        let metrics_doors: Vec<Listening> = doors.iter().map(OpenDoor::listening).collect();
        let metrics = if doors.is_empty() {
            None
        } else {
            Some(serve_metrics(config, doors, http_tls.metrics.as_ref(), &awaited)?)
        };
        Ok(Self { amqp, management, metrics, metrics_doors, awaited, tls: tls.amqp, http_tls })
    }
}
