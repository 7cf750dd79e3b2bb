//! What every answer is made of: the broker, and where it is.

use std::net::SocketAddr;
use std::sync::Arc;

use super::leveret::Jobs;
use super::statistics::Statistics;
use crate::config::{Config, TlsSettings};
use crate::connection::Environment;
use crate::net::{CurrentTls, TlsServer};
use crate::time::Time;

/// A socket that the broker listens at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// What is spoken there, as RabbitMQ calls it.
    pub protocol: &'static str,
    /// Where it is.
    pub address: SocketAddr,
}

impl Listening {
    /// AMQP 0-9-1.
    pub const AMQP: &'static str = "amqp";
    /// The same over TLS.
    pub const AMQPS: &'static str = "amqp/ssl";
    /// The HTTP API.
    pub const HTTP: &'static str = "http";
    /// The same over TLS.
    pub const HTTPS: &'static str = "https";
    /// Metrics.
    pub const METRICS: &'static str = "http/prometheus";
    /// The same over TLS.
    pub const METRICS_TLS: &'static str = "https/prometheus";

    /// What is spoken there if it is HTTP, as RabbitMQ lists it beside the listeners.
    pub(super) fn context(&self) -> Option<&'static str> {
        match self.protocol {
            Self::HTTP | Self::HTTPS => Some("RabbitMQ Management"),
            Self::METRICS | Self::METRICS_TLS => Some("RabbitMQ Prometheus"),
            _ => None,
        }
    }
}

impl Site {
    /// Where it listens at present.
    pub(crate) fn served(&self) -> impl Iterator<Item = &Listening> {
        let is_running = self.environment.app.is_running();
        let is_amqp =
            |listening: &Listening| [Listening::AMQP, Listening::AMQPS].contains(&listening.protocol);
        self.listening.iter().filter(move |listening| is_running || !is_amqp(listening))
    }

    /// What is spoken there with and what is configured for it, if it is TLS.
    pub(crate) fn encryption(
        &self,
        config: &Config,
        listening: &Listening,
    ) -> Option<(Arc<TlsServer>, TlsSettings)> {
        let of_amqp = &config.tls;
        match listening.protocol {
            Listening::AMQPS => Some((self.environment.tls()?, of_amqp.clone())),
            Listening::HTTPS => {
                Some((self.management_tls.as_ref()?.get(), config.management.tls.settings(of_amqp)))
            }
            Listening::METRICS_TLS => {
                Some((self.metrics_tls.as_ref()?.get(), config.metrics.tls.settings(of_amqp)))
            }
            _ => None,
        }
    }
}

/// The broker that is managed.
#[derive(Debug)]
pub struct Site {
    /// What its connections share.
    pub environment: Arc<Environment>,
    /// Where it listens, this interface among it.
    pub listening: Vec<Listening>,
    /// What the HTTP API is encrypted with, where it is...
    pub management_tls: Option<CurrentTls>,
    /// ...and metrics.
    pub metrics_tls: Option<CurrentTls>,
    /// The name of this node.
    pub node: String,
    /// When it began.
    pub started: Time,
    /// How many files the process may open.
    pub descriptors: usize,
    /// What was sampled of what is counted.
    pub statistics: Statistics,
    /// Long jobs that operators have asked for.
    pub jobs: Jobs,
    /// What the machine calls itself, which a browser on it may call it.
    pub host_name: String,
}
