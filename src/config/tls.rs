//! What the configuration says of TLS, and of proxies that stand before the broker.

use std::path::PathBuf;
use std::time::Duration;

use super::{ListenAddress, Network};
use crate::auth::Secret;

/// TLS, with the names of rabbitmq.conf (`ssl_options`, `ssl_cert_login_from`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// Where AMQP connections are accepted over TLS (`listeners.ssl`).
    pub listeners: Vec<ListenAddress>,
    /// The authorities whose certificates are trusted, PEM.
    pub cacertfile: Option<PathBuf>,
    /// The broker's certificate, with those between it and its authority behind it, PEM.
    pub certfile: Option<PathBuf>,
    /// Its key, PEM.
    pub keyfile: Option<PathBuf>,
    /// What that is encrypted with (PKCS #8), if it is.
    pub password: Option<Secret>,
    /// Lists of certificates that were revoked, PEM.
    pub crlfile: Option<PathBuf>,
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
    /// How long a client may take for the handshake of TLS.
    pub handshake_timeout: Duration,
    /// What of a certificate is the name of a user.
    pub cert_login_from: CertLogin,
    /// The kind of alternative name that is.
    pub cert_login_san_type: SanType,
    /// Which one of several of that kind, from 0.
    pub cert_login_san_index: usize,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            cacertfile: None,
            certfile: None,
            keyfile: None,
            password: None,
            crlfile: None,
            verify: Verify::None,
            fail_if_no_peer_cert: false,
            depth: None,
            versions: vec![TlsVersion::Tls13, TlsVersion::Tls12],
            ciphers: Vec::new(),
            honor_cipher_order: false,
            handshake_timeout: Duration::from_secs(5),
            cert_login_from: CertLogin::DistinguishedName,
            cert_login_san_type: SanType::Dns,
            cert_login_san_index: 0,
        }
    }
}

/// Whether clients are asked for certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// They are not.
    None,
    /// They are, and one that is not trusted ends the handshake.
    Peer,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// What of a certificate is the name of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertLogin {
    /// Its whole subject, in the form of RFC 4514.
    DistinguishedName,
    /// The common name in it; several with commas between them.
    CommonName,
    /// One of its subject alternative names.
    SubjectAlternativeName,
}

/// A kind of subject alternative name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SanType {
    /// A name of a host.
    Dns,
    /// An IP address.
    Ip,
    /// An address of mail.
    Email,
    /// A URI.
    Uri,
    /// Something else that is text.
    OtherName,
}

/// Proxies that say for whom they connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyProtocol {
    /// Whether every connection begins with a header of the PROXY protocol (`proxy_protocol`).
    pub enabled: bool,
    /// Where proxies may connect from; others are refused.
    pub trusted: Vec<Network>,
}

impl Default for ProxyProtocol {
    fn default() -> Self {
        Self { enabled: false, trusted: Network::private() }
    }
}
