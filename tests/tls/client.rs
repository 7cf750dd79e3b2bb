//! A client that does the handshake of TLS and sees what comes of it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version};

use crate::authority::{Authority, Identity};
use crate::support::raw::{DEADLINE, PROTOCOL_HEADER};

pub(crate) static BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

/// A client that trusts an authority, and shows a certificate if it has one.
pub(crate) fn trusting(authority: &Authority, identity: Option<&Identity>) -> Arc<ClientConfig> {
    speaking(&BOTH, authority, identity)
}

pub(crate) fn speaking(
    versions: &[&'static SupportedProtocolVersion],
    authority: &Authority,
    identity: Option<&Identity>,
) -> Arc<ClientConfig> {
    let provider = rustls::crypto::ring::default_provider();
    with_provider(provider, versions, authority, identity)
}

pub(crate) fn with_provider(
    provider: CryptoProvider,
    versions: &[&'static SupportedProtocolVersion],
    authority: &Authority,
    identity: Option<&Identity>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_protocol_versions(versions).unwrap().with_root_certificates(roots);
    Arc::new(match identity {
        Some(identity) => {
            builder.with_client_auth_cert(identity.certificates(), identity.private_key()).unwrap()
        }
        None => builder.with_no_client_auth(),
    })
}

/// Asks over TLS for a path, and gives the whole answer.
pub(crate) fn ask(address: SocketAddr, path: &str, config: &Arc<ClientConfig>) -> Result<String, String> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let host = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::clone(config), host).unwrap();
    let mut stream = StreamOwned::new(session, stream);
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if answer.is_empty() => Err(error.to_string()),
        _ => Ok(String::from_utf8(answer).unwrap()),
    }
}

pub(crate) type Secured = StreamOwned<ClientConnection, TcpStream>;

/// Connects, does the handshake with the host of that name, and waits until AMQP is answered: with TLS 1.3 the handshake is
/// over for a client before the broker has seen its certificate. The error is the client's, which may be what it was told.
pub(crate) fn connect(
    address: SocketAddr,
    host: &str,
    config: &Arc<ClientConfig>,
) -> Result<Secured, String> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let host = ServerName::try_from(host.to_owned()).unwrap();
    let session = ClientConnection::new(Arc::clone(config), host).unwrap();
    let mut stream = StreamOwned::new(session, stream);
    stream.write_all(PROTOCOL_HEADER).map_err(|error| error.to_string())?;
    let mut start = [0; 4];
    stream.read_exact(&mut start).map_err(|error| error.to_string())?;
    // Of connection.start: a method on channel 0.
    assert_eq!(start[..3], [1, 0, 0]);
    Ok(stream)
}
