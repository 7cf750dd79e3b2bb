//! Reading what TLS needs, at the start and again.

use std::time::{Duration, UNIX_EPOCH};

use super::http::{HttpDoor, HttpService};
use crate::config::{Config, TlsSettings};
use crate::net::{CurrentTls, TlsError, TlsServer, Transport};
use crate::time::Time;

/// From so long before a certificate ends on, the log warns of it.
const ENDS_SOON: Duration = Duration::from_hours(30 * 24);

/// Where TLS is spoken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spoken {
    pub(super) amqp: bool,
    pub(super) management: bool,
    pub(super) metrics: bool,
}

impl Spoken {
    /// As configured, and at these doors.
    pub(super) fn by(config: &Config, http: impl Iterator<Item = HttpDoor>) -> Self {
        let mut spoken = Self { amqp: !config.tls.listeners.is_empty(), ..Self::default() };
        for door in http.filter(|door| door.transport == Transport::Tls) {
            match door.service {
                HttpService::Management => spoken.management = true,
                HttpService::Metrics => spoken.metrics = true,
            }
        }
        spoken
    }
}

/// What was read for each.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) amqp: Option<TlsServer>,
    pub(super) management: Option<TlsServer>,
    pub(super) metrics: Option<TlsServer>,
}

/// What HTTP is encrypted with at present.
#[derive(Debug, Default)]
pub(super) struct HttpTlsServers {
    pub(super) management: Option<CurrentTls>,
    pub(super) metrics: Option<CurrentTls>,
}

impl HttpTlsServers {
    /// It was read again.
    pub(super) fn set(&self, management: Option<TlsServer>, metrics: Option<TlsServer>) {
        for (current, read) in [(&self.management, management), (&self.metrics, metrics)] {
            if let (Some(current), Some(read)) = (current, read) {
                current.set(read);
            }
        }
    }
}

/// What the configuration names, for all that speak TLS. Tells what was read.
pub(super) fn read(config: &Config, spoken: Spoken) -> Result<Read, TlsError> {
    let server = |is_spoken: bool, settings: &TlsSettings, section: Option<&str>| {
        if !is_spoken {
            return Ok(None);
        }
        let read = TlsServer::read(settings);
        let server = read.map_err(|error| match section {
            Some(section) => error.in_section(section),
            None => error,
        })?;
        tell(&server, section);
        Ok(Some(server))
    };
    let (management, metrics) = (&config.management.tls, &config.metrics.tls);
    Ok(Read {
        amqp: server(spoken.amqp, &config.tls, None)?,
        management: server(spoken.management, &management.settings(&config.tls), Some("management"))?,
        metrics: server(spoken.metrics, &metrics.settings(&config.tls), Some("metrics"))?,
    })
}

fn tell(server: &TlsServer, section: Option<&str>) {
    let certificate = server.certificate();
    let (subject, validity) = (&certificate.subject, certificate.validity());
    let of = section.map_or(String::new(), |section| format!(" ({section})"));
    tracing::info!(
        "TLS certificate{of} of '{subject}', issued by '{}', valid {validity}",
        certificate.issuer
    );
    let now = UNIX_EPOCH + Duration::from_millis(Time::now().as_millis());
    if now < certificate.not_before {
        tracing::warn!(
            "the TLS certificate{of} of '{subject}' is not valid yet ({validity}): clients will refuse it"
        );
    } else if now > certificate.not_after {
        tracing::warn!(
            "the TLS certificate{of} of '{subject}' has expired ({validity}): clients will refuse it"
        );
    } else if now + ENDS_SOON > certificate.not_after {
        tracing::warn!("the TLS certificate{of} of '{subject}' expires soon ({validity})");
    }
    if !server.unknown_ciphers().is_empty() {
        let names = server.unknown_ciphers().join(", ");
        let before = section.map_or(String::new(), |section| format!("{section}."));
        tracing::warn!("{before}tls.ciphers: not known here and passed over: {names}");
    }
}
