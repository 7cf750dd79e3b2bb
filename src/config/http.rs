//! Where an HTTP server listens, and how it speaks TLS.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::listen_address::ListenAddress;
use super::management::Listen;
use super::tls::{TlsSettings, TlsVersion, Verify};
use crate::auth::Secret;

/// TLS of an HTTP server (`management.ssl`, `prometheus.ssl`). What is not set here is as it is for AMQP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpTls {
    /// Where it is spoken; nowhere unless that is said.
    pub listen: Option<Listen>,
    /// The address for a port that is given without one.
    pub ip: Option<IpAddr>,
    /// The authorities whose certificates are trusted, PEM.
    pub cacertfile: Option<PathBuf>,
    /// The certificate, with those between it and its authority behind it, PEM.
    pub certfile: Option<PathBuf>,
    /// Its key, PEM.
    pub keyfile: Option<PathBuf>,
    /// What that is encrypted with (PKCS #8), if it is.
    pub password: Option<Secret>,
    /// Whether clients are asked for certificates.
    pub verify: Verify,
    /// Whether a client that is asked has to have one.
    pub fail_if_no_peer_cert: bool,
    /// How many certificates may stand between a client's and an authority; `None` is as many as a chain may have.
    pub depth: Option<u16>,
    /// The versions of the protocol.
    pub versions: Vec<TlsVersion>,
    /// The cipher suites, with `OpenSSL`'s names; none is all.
    pub ciphers: Vec<String>,
    /// Whether the order of the suites is the broker's, and not the client's.
    pub honor_cipher_order: bool,
}

impl Default for HttpTls {
    fn default() -> Self {
        let TlsSettings { verify, fail_if_no_peer_cert, versions, honor_cipher_order, .. } =
            TlsSettings::default();
        Self {
            listen: None,
            ip: None,
            cacertfile: None,
            certfile: None,
            keyfile: None,
            password: None,
            verify,
            fail_if_no_peer_cert,
            depth: None,
            versions,
            ciphers: Vec::new(),
            honor_cipher_order,
        }
    }
}

impl HttpTls {
    /// Where to listen, if anywhere.
    pub fn address(&self) -> Option<ListenAddress> {
        address(self.listen.unwrap_or(Listen::Nowhere), self.ip)
    }

    /// What TLS is to be: files that are not named here are those of AMQP.
    pub fn settings(&self, of_amqp: &TlsSettings) -> TlsSettings {
        let or = |own: &Option<PathBuf>, other: &Option<PathBuf>| own.as_ref().or(other.as_ref()).cloned();
        TlsSettings {
            listeners: Vec::new(),
            cacertfile: or(&self.cacertfile, &of_amqp.cacertfile),
            certfile: or(&self.certfile, &of_amqp.certfile),
            keyfile: or(&self.keyfile, &of_amqp.keyfile),
            password: self.password.clone().or_else(|| of_amqp.password.clone()),
            verify: self.verify,
            fail_if_no_peer_cert: self.fail_if_no_peer_cert,
            depth: self.depth,
            versions: self.versions.clone(),
            ciphers: self.ciphers.clone(),
            honor_cipher_order: self.honor_cipher_order,
            ..of_amqp.clone()
        }
    }
}

/// A port alone is at this address, if there is one.
pub(super) fn address(listen: Listen, ip: Option<IpAddr>) -> Option<ListenAddress> {
    match (listen, ip) {
        (Listen::Nowhere, _) => None,
        (Listen::At(ListenAddress::AllInterfaces(port)), Some(ip)) => {
            Some(ListenAddress::At(SocketAddr::new(ip, port)))
        }
        (Listen::At(address), _) => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_named_is_that_of_amqp_and_the_rules_are_not() {
        let amqp = TlsSettings {
            certfile: Some("amqp.pem".into()),
            keyfile: Some("amqp.key".into()),
            verify: Verify::Peer,
            ..TlsSettings::default()
        };
        let http = HttpTls { keyfile: Some("http.key".into()), ..HttpTls::default() };
        let settings = http.settings(&amqp);
        assert_eq!(settings.certfile, Some("amqp.pem".into()));
        assert_eq!(settings.keyfile, Some("http.key".into()));
        assert_eq!(settings.verify, Verify::None);
    }
}
