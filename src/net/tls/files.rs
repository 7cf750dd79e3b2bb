//! Files of certificates and keys, PEM.

use std::fs;
use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use super::TlsError;

/// No file of these is larger, in bytes: a bundle of a system has a few hundred KiB, a list of those that were revoked more.
const FILE_MAX: u64 = 64 * 1024 * 1024;

/// All certificates in a file, at least one.
pub(super) fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    sections(key, path, "certificate (BEGIN CERTIFICATE)")
}

/// All lists of revoked certificates in a file, at least one.
pub(super) fn revocation_lists(
    key: &'static str,
    path: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    sections(key, path, "list of revoked certificates (BEGIN X509 CRL)")
}

/// The first key in a file.
pub(super) fn key(key: &'static str, path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(key, path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let reason = match error {
            _ if is_encrypted(&text) => {
                "the key is encrypted with a password, which is not supported: store it without one, readable by the broker \
                 alone (openssl pkey -in encrypted.pem -out key.pem)"
                    .to_owned()
            }
            pem::Error::NoItemsFound => "there is no private key (BEGIN PRIVATE KEY) in it".to_owned(),
            other => reason_of(&other),
        };
        TlsError::of(key, Some(path), &reason)
    })
}

/// PKCS #8 and, with a header of its own, what OpenSSL wrote before.
fn is_encrypted(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
}

fn sections<T: PemObject>(key: &'static str, path: &Path, what: &str) -> Result<Vec<T>, TlsError> {
    let text = read(key, path)?;
    let found = T::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| TlsError::of(key, Some(path), &reason_of(&error)))?;
    if found.is_empty() {
        return Err(TlsError::of(key, Some(path), &format!("there is no {what} in it")));
    }
    Ok(found)
}

fn reason_of(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section of it has no end".to_owned(),
        pem::Error::Base64Decode(_) => "it is not base64 between its BEGIN and END".to_owned(),
        pem::Error::SectionTooLarge => "a section of it is too large".to_owned(),
        _ => "it is no PEM".to_owned(),
    }
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |error: std::io::Error| TlsError::of(key, Some(path), &error);
    if fs::metadata(path).map_err(failed)?.len() > FILE_MAX {
        return Err(TlsError::of(key, Some(path), &"it is too large"));
    }
    fs::read(path).map_err(failed)
}
