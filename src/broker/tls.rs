//! Reading what TLS needs, at the start and again.

use std::time::{Duration, UNIX_EPOCH};

use crate::config::Config;
use crate::net::{TlsError, TlsServer};
use crate::time::Time;

/// From so long before a certificate ends on, the log warns of it.
const ENDS_SOON: Duration = Duration::from_hours(30 * 24);

/// What the configuration names, if TLS is spoken anywhere. Tells what was read.
pub(super) fn read(config: &Config) -> Result<Option<TlsServer>, TlsError> {
    if config.tls.listeners.is_empty() {
        return Ok(None);
    }
    let server = TlsServer::read(&config.tls)?;
    let certificate = server.certificate();
    let (subject, validity) = (&certificate.subject, certificate.validity());
    tracing::info!("TLS certificate of '{subject}', issued by '{}', valid {validity}", certificate.issuer);
    let now = UNIX_EPOCH + Duration::from_millis(Time::now().as_millis());
    if now < certificate.not_before {
        tracing::warn!(
            "the TLS certificate of '{subject}' is not valid yet ({validity}): clients will refuse it"
        );
    } else if now > certificate.not_after {
        tracing::warn!("the TLS certificate of '{subject}' has expired ({validity}): clients will refuse it");
    } else if now + ENDS_SOON > certificate.not_after {
        tracing::warn!("the TLS certificate of '{subject}' expires soon ({validity})");
    }
    if !server.unknown_ciphers().is_empty() {
        let names = server.unknown_ciphers().join(", ");
        tracing::warn!("tls.ciphers: not known here and passed over: {names}");
    }
    Ok(Some(server))
}
