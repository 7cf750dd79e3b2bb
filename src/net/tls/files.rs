//! Files of certificates and keys, PEM.

use std::fs;
use std::path::Path;

use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::TlsError;
use crate::auth::Secret;

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

/// The first key in a file, which may be encrypted with a password.
pub(super) fn key(
    key: &'static str,
    path: &Path,
    password: Option<&Secret>,
) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(key, path)?;
    let read = match encryption(&text) {
        Encryption::None => PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
            pem::Error::NoItemsFound => "there is no private key (BEGIN PRIVATE KEY) in it".to_owned(),
            other => reason_of(&other),
        }),
        Encryption::Pkcs8(section) => decrypted(&section, password),
        Encryption::OpenSsl => Err("it is encrypted in the way of old OpenSSL (Proc-Type: 4,ENCRYPTED), which is not \
                                    supported: write it as PKCS #8 (openssl pkcs8 -topk8 -in key.pem -out new.pem)"
            .to_owned()),
    };
    read.map_err(|reason| TlsError::of(key, Some(path), &reason))
}

const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";

/// What a key is encrypted by.
enum Encryption {
    None,
    /// RFC 5958, with the lines of the key.
    Pkcs8(String),
    /// What OpenSSL wrote before.
    OpenSsl,
}

fn encryption(text: &[u8]) -> Encryption {
    let text = String::from_utf8_lossy(text);
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        return Encryption::OpenSsl;
    }
    let Some(begin) = text.find(BEGIN) else { return Encryption::None };
    let end = text.find(END).map_or(text.len(), |end| end + END.len());
    let section = text.get(begin..end).unwrap_or_default().to_owned();
    Encryption::Pkcs8(section)
}

fn decrypted(section: &str, password: Option<&Secret>) -> Result<PrivateKeyDer<'static>, String> {
    let Some(password) = password else {
        return Err(
            "the key is encrypted with a password, and there is none: set tls.password, or store the key \
                    without one, readable by the broker alone (openssl pkey -in key.pem -out new.pem)"
                .to_owned(),
        );
    };
    let (_, document) =
        SecretDocument::from_pem(section).map_err(|error| format!("it is no PEM: {error}"))?;
    let info = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes());
    let key = info.and_then(|info| info.decrypt(password.expose())).map_err(|error| {
        format!(
            "it cannot be decrypted ({error}): tls.password is not its password, or it is encrypted by something else than \
             AES with PBKDF2 or scrypt; openssl pkcs8 -topk8 -v2 aes-256-cbc writes one that is not"
        )
    })?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The same key as `openssl pkcs8 -topk8` writes it by default, with scrypt, and in an older way.
    const BY_DEFAULT: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n\
         MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAh3yHNgPBgsmQICCAAw\n\
         DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEGfeiKNuK8TdJ0LV2prLimUEQPWH\n\
         LvG+OkvJQLmaxdd5Mx/3Y8G+KwF8DD0JBlexg0w5Um4BUpqbM7tyDZHQe5i1K89y\n\
         45mDz3ymQIXLIQL60d0=\n\
         -----END ENCRYPTED PRIVATE KEY-----\n";
    const SCRYPT: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n\
         MIGTME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAicX7cDoBwnAQICQAAC\n\
         AQgCAQEwHQYJYIZIAWUDBAEqBBBcnZ8XMtp5u+tkwd4HHRLxBEARi2aiYWK3NCQe\n\
         Y9fhUrpfnKEf+ZOyMCkdmgSGpy1ISM+AedeJ8hV1YsGjPlqTcbL2RPoWz+rrT0Bc\n\
         27OFJOFn\n\
         -----END ENCRYPTED PRIVATE KEY-----\n";
    const TRIPLE_DES: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n\
         MIGKME4GCSqGSIb3DQEFDTBBMCkGCSqGSIb3DQEFDDAcBAgIBJniLqv+YgICCAAw\n\
         DAYIKoZIhvcNAgkFADAUBggqhkiG9w0DBwQIxVF2YqLn34QEOK1WqvsJxNgwMzvh\n\
         eifL8mdlHnTgDMRrgMbuG3pKBgxYQa9hNlOW+CHCe/dUgjgPLD08yHZEeMw1\n\
         -----END ENCRYPTED PRIVATE KEY-----\n";
    const PLAIN: [u8; 16] =
        [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

    #[test]
    fn what_openssl_has_encrypted_is_read_with_its_password_alone() {
        let key = |text: &str, password: &str| {
            let Encryption::Pkcs8(section) = encryption(text.as_bytes()) else {
                panic!("not encrypted: {text}")
            };
            decrypted(&section, Some(&Secret::new(password.as_bytes())))
        };
        for text in [BY_DEFAULT, SCRYPT] {
            let text = format!("Bag Attributes\n    friendlyName: broker\n{text}");
            let found = key(&text, "secret").unwrap();
            assert_eq!((&found.secret_der()[..16], found.secret_der().len()), (&PLAIN[..], 48));
            let error = key(&text, "another").unwrap_err();
            assert!(error.contains("tls.password is not its password"), "{error}");
        }
        let error = key(TRIPLE_DES, "secret").unwrap_err();
        assert!(error.contains("openssl pkcs8 -topk8 -v2 aes-256-cbc"), "{error}");
    }
}
