//! TLS by rustls: a certificate and the rules for those of clients, read from files as a whole.
//!
//! What was read does not change. A reload reads another one; connections keep the one that they began with. No session is
//! ever resumed: connections last, and whoever comes back is held against the authorities and lists of that moment.

mod certificate;
mod chain;
mod current;
mod depth;
mod files;
mod subject;
mod suites;

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::{CertLogin, SanType, TlsSettings, TlsVersion, Verify};
pub use certificate::{Certificate, InvalidCertificate};
pub use current::CurrentTls;
use depth::LimitedDepth;
pub use suites::cipher_suites;

/// What a listener needs to speak TLS.
pub struct TlsServer {
    acceptor: TlsAcceptor,
    handshake_timeout: Duration,
    login: CertLogin,
    san: (SanType, usize),
    certificate: Certificate,
    unknown_ciphers: Vec<String>,
}

/// A connection whose handshake is over.
pub struct Secured {
    /// Its bytes.
    pub stream: TlsStream<TcpStream>,
    /// How it is encrypted, and who is at the other end.
    pub encryption: Encryption,
}

/// How a connection is encrypted, with the words of RabbitMQ's listings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// The version: `tlsv1.3`.
    pub protocol: &'static str,
    /// How the keys were agreed on: `any` with TLS 1.3, `ecdhe_rsa` or `ecdhe_ecdsa`.
    pub key_exchange: &'static str,
    /// The cipher: `aes_256_gcm`.
    pub cipher: &'static str,
    /// What authenticates the records: `aead`.
    pub hash: &'static str,
    /// What the peer has shown, if it was asked; it is trusted.
    pub peer: Option<Certificate>,
    /// The user that the peer's certificate names.
    pub login: Option<Arc<str>>,
}

impl TlsServer {
    /// Reads all that the settings name.
    ///
    /// # Errors
    /// A file is missing, cannot be read or does not hold what it should, or the key is not the certificate's.
    pub fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let suites = suites::chosen(&settings.ciphers)?;
        let provider = Arc::new(CryptoProvider {
            cipher_suites: suites.known,
            ..rustls::crypto::ring::default_provider()
        });
        let versions: Vec<_> = settings.versions.iter().map(|version| of_rustls(*version)).collect();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(&versions);
        let builder = builder.map_err(|error| TlsError::of("tls.ciphers", None, &error))?;
        let authorities = match &settings.cacertfile {
            Some(path) => files::certificates("tls.cacertfile", path)?,
            None => Vec::new(),
        };
        let certfile = required("tls.certfile", settings.certfile.as_deref())?;
        let keyfile = required("tls.keyfile", settings.keyfile.as_deref())?;
        let chain = chain::completed(files::certificates("tls.certfile", certfile)?, &authorities);
        let key = files::key("tls.keyfile", keyfile, settings.password.as_ref())?;
        let certificate = chain.first().and_then(|own| Certificate::read(own).ok());
        let certificate = certificate.ok_or_else(|| {
            TlsError::of("tls.certfile", Some(certfile), &"the first certificate in it cannot be read")
        })?;
        let builder = match settings.verify {
            Verify::None => builder.with_no_client_auth(),
            Verify::Peer => builder.with_client_cert_verifier(verifier(settings, &authorities, &provider)?),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| {
            let reason = match error {
                rustls::Error::InconsistentKeys(_) => {
                    format!("it is not the key of the certificate in {}", certfile.display())
                }
                other => other.to_string(),
            };
            TlsError::of("tls.keyfile", Some(keyfile), &reason)
        })?;
        config.ignore_client_order = settings.honor_cipher_order;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            handshake_timeout: settings.handshake_timeout,
            login: settings.cert_login_from,
            san: (settings.cert_login_san_type, settings.cert_login_san_index),
            certificate,
            unknown_ciphers: suites.unknown,
        })
    }

    /// The certificate that clients are shown.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The names of suites that were asked for and are not known.
    pub fn unknown_ciphers(&self) -> &[String] {
        &self.unknown_ciphers
    }

    /// How long a client may take for the handshake.
    pub fn handshake_timeout(&self) -> Duration {
        self.handshake_timeout
    }

    /// Does the handshake. Nothing may have been read from the stream that belongs to it.
    ///
    /// # Errors
    /// The peer speaks no TLS that is spoken here, or has no certificate that is trusted. It was told so, and its stream is
    /// given back.
    pub async fn accept(&self, stream: TcpStream) -> Result<Secured, (io::Error, TcpStream)> {
        let stream = self.acceptor.accept(stream).into_fallible().await?;
        let (_, session) = stream.get_ref();
        let suite = session.negotiated_cipher_suite().and_then(suites::parts);
        let (key_exchange, cipher) = suite.unwrap_or_default();
        let shown = session.peer_certificates().and_then(<[_]>::first);
        let peer = shown.and_then(|shown| Certificate::read(shown).ok());
        let login = peer.as_ref().and_then(|peer| peer.login(self.login, self.san)).map(Arc::from);
        let protocol = match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => TLS13,
            _ => TLS12,
        };
        let encryption = Encryption { protocol, key_exchange, cipher, hash: "aead", peer, login };
        Ok(Secured { stream, encryption })
    }
}

fn required<'a>(key: &'static str, path: Option<&'a Path>) -> Result<&'a Path, TlsError> {
    path.ok_or_else(|| TlsError::of(key, None, &"it is not set"))
}

/// RabbitMQ's names of the versions.
const TLS12: &str = "tlsv1.2";
const TLS13: &str = "tlsv1.3";

/// The names of the versions that can be spoken, the newest first.
pub const fn tls_versions() -> [&'static str; 2] {
    [TLS13, TLS12]
}

const fn of_rustls(version: TlsVersion) -> &'static SupportedProtocolVersion {
    match version {
        TlsVersion::Tls12 => &version::TLS12,
        TlsVersion::Tls13 => &version::TLS13,
    }
}

fn verifier(
    settings: &TlsSettings,
    authorities: &[rustls::pki_types::CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let cacertfile = required("tls.cacertfile", settings.cacertfile.as_deref())?;
    let mut roots = RootCertStore::empty();
    // A bundle of a system has some that nobody can read any more.
    let (read, _) = roots.add_parsable_certificates(authorities.iter().cloned());
    if read == 0 {
        return Err(TlsError::of("tls.cacertfile", Some(cacertfile), &"no certificate in it can be read"));
    }
    let roots = Arc::new(roots);
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider));
    let builder = match &settings.crlfile {
        Some(path) => {
            let lists = files::revocation_lists("tls.crlfile", path)?;
            builder.with_crls(lists).allow_unknown_revocation_status()
        }
        None => builder,
    };
    let builder = if settings.fail_if_no_peer_cert { builder } else { builder.allow_unauthenticated() };
    let verifier = builder.build().map_err(|error| {
        let path = settings.crlfile.as_deref().unwrap_or(cacertfile);
        let key = if settings.crlfile.is_some() { "tls.crlfile" } else { "tls.cacertfile" };
        TlsError::of(key, Some(path), &error)
    })?;
    Ok(match settings.depth {
        Some(depth) => {
            let algorithms = provider.signature_verification_algorithms;
            Arc::new(LimitedDepth::new(verifier, roots, algorithms, depth))
        }
        None => verifier,
    })
}

/// Why TLS cannot be spoken as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError {
    /// The key of the configuration that it is about.
    pub key: Cow<'static, str>,
    /// What is wrong, with the file that it is wrong with.
    pub reason: String,
}

impl TlsError {
    /// The same of settings that stand in a section of their own, as `tls` in `management`.
    #[must_use]
    pub fn in_section(self, section: &str) -> Self {
        Self { key: format!("{section}.{}", self.key).into(), ..self }
    }

    fn of(key: &'static str, path: Option<&Path>, reason: &dyn fmt::Display) -> Self {
        let reason = match path {
            Some(path) => format!("{}: {reason}", path.display()),
            None => reason.to_string(),
        };
        Self { key: key.into(), reason }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.reason)
    }
}

impl std::error::Error for TlsError {}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServer").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}", self.protocol, self.key_exchange, self.cipher)?;
        if let Some(peer) = &self.peer {
            write!(f, ", certificate of '{}', issued by '{}'", peer.subject, peer.issuer)?;
        }
        Ok(())
    }
}
