//! Where metrics are served, and how.

use std::net::IpAddr;

use super::http::{HttpTls, address};
use super::listen_address::ListenAddress;
use super::management::{Listen, usual};

/// The port of RabbitMQ's metrics.
const PORT: u16 = 15692;

/// Settings of the metrics and the checks beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsConfig {
    /// Where they are served; unless that is said, at their usual port if that is free, and if they are not served over TLS.
    pub listen: Option<Listen>,
    /// The address for a port that is given without one, and for the usual port.
    pub ip: Option<IpAddr>,
    /// Where else TLS is spoken, and how.
    pub tls: HttpTls,
    /// The path of the metrics.
    pub path: String,
    /// Whether objects are told one by one where nothing is said of that.
    pub return_per_object_metrics: bool,
    /// Whether a user and a password are asked for.
    pub authentication: bool,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            listen: None,
            ip: None,
            tls: HttpTls::default(),
            path: "/metrics".to_owned(),
            return_per_object_metrics: false,
            authentication: false,
        }
    }
}

impl MetricsConfig {
    /// Where to listen, beside the address for TLS.
    pub fn address(&self) -> Option<ListenAddress> {
        address(self.listen.unwrap_or_else(|| usual(PORT, &self.tls)), self.ip)
    }
}
