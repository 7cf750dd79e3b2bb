//! Whose certificates are believed, and what to do about one that is not.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::Endpoint;
use crate::cli::exit;
use crate::cli::failure::Failure;

/// What trusts the certificates of a file, or those of the system.
pub(super) fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, Failure> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_file {
        let unreadable = |why: String| {
            Failure::new(exit::NO_INPUT, format!("{} cannot be read as certificates", path.display()))
                .because(why)
                .helped_by("Expected is a file of PEM, which begins with -----BEGIN CERTIFICATE-----.")
        };
        let found = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.to_string()))?;
        for certificate in found {
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(unreadable("there is none in it".to_owned()));
        }
    } else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(Failure::new(exit::NO_INPUT, "this machine has no certificates that are trusted")
                .helped_by("Name those of the authority that signed the broker's: --ca-file FILE."));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| Failure::new(exit::SOFTWARE, "no TLS").because(error.to_string()))?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}

pub(super) fn server_name(host: &str) -> Result<ServerName<'static>, Failure> {
    ServerName::try_from(host.to_owned()).map_err(|error| {
        Failure::usage(format!("'{host}' cannot be in a certificate")).because(error.to_string())
    })
}

/// What went wrong in the handshake.
pub(super) fn failure(host: &str, endpoint: &Endpoint, error: &io::Error) -> Failure {
    let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match reason {
        Some(rustls::Error::InvalidCertificate(invalid)) => {
            let (why, next) = match invalid {
                CertificateError::UnknownIssuer => (
                    "it is signed by nobody who is trusted".to_owned(),
                    "Name the certificates of the authority that signed it: --ca-file FILE.".to_owned(),
                ),
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
                    format!("it is not for '{host}'"),
                    "Use the name that stands in it, or have one made for this name.".to_owned(),
                ),
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
                    "it has expired".to_owned(),
                    "Renew it at the broker, which reads it again on SIGHUP.".to_owned(),
                ),
                other => (other.to_string(), "Check the certificate that the broker is given.".to_owned()),
            };
            Failure::new(exit::PROTOCOL, format!("the certificate of {endpoint} is not trusted"))
                .because(why)
                .helped_by(next)
        }
        _ => Failure::new(exit::PROTOCOL, format!("no TLS with {endpoint}"))
            .because(error.to_string())
            .helped_by("Does it listen with TLS there? Without, the URL begins with http://."),
    }
}
