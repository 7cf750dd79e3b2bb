//! The bytes of a connection of the load generator, encrypted where the URL is `amqps://`. Never blocks.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::url::{AmqpUrl, Authority};

/// How long connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A socket that never blocks.
#[derive(Debug)]
pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<Encrypted>),
}

/// TLS over one.
#[derive(Debug)]
pub(super) struct Encrypted {
    stream: TcpStream,
    session: ClientConnection,
    /// The last read filled its buffer: there may be more that no poll tells of.
    has_more: bool,
}

impl Socket {
    /// Connects. The handshake of TLS, if there is one, goes with the first reads and writes.
    pub(super) fn connect(url: &AmqpUrl) -> io::Result<Self> {
        let stream = connect(url)?;
        let Some(authority) = &url.tls else { return Ok(Self::Plain(stream)) };
        let host = ServerName::try_from(url.host.clone()).map_err(io::Error::other)?;
        let session = ClientConnection::new(config(authority)?, host).map_err(io::Error::other)?;
        Ok(Self::Tls(Box::new(Encrypted { stream, session, has_more: false })))
    }

    /// Whether there are bytes to be read of which a poll of the socket says nothing.
    pub(super) fn has_more(&self) -> bool {
        matches!(self, Self::Tls(encrypted) if encrypted.has_more)
    }

    /// Sends what waits within, as much as goes now. Whether something is left.
    pub(super) fn push(&mut self) -> io::Result<bool> {
        match self {
            Self::Plain(_) => Ok(false),
            Self::Tls(encrypted) => encrypted.push(),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(encrypted) => encrypted.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(encrypted) => encrypted.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.push().map(drop)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Plain(stream) => stream.as_fd(),
            Self::Tls(encrypted) => encrypted.stream.as_fd(),
        }
    }
}

impl Encrypted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Ok(count) => {
                    self.has_more = count == buffer.len();
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.has_more = false,
                Err(error) => return Err(error),
            }
            self.session.read_tls(&mut self.stream)?;
            let processed = self.session.process_new_packets();
            // A handshake answers what it reads.
            self.push()?;
            processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.push()? {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = self.session.writer().write(bytes)?;
        self.push()?;
        Ok(count)
    }

    fn push(&mut self) -> io::Result<bool> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.stream) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

fn connect(url: &AmqpUrl) -> io::Result<TcpStream> {
    let mut refused = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in (url.host.as_str(), url.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_MAX) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                return Ok(stream);
            }
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Read once: a run has one broker.
fn config(authority: &Authority) -> io::Result<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let Authority(path) = authority;
    let failed = |reason: &dyn std::fmt::Display| io::Error::other(format!("{}: {reason}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(&error))? {
        let certificate = certificate.map_err(|error| failed(&error))?;
        roots.add(certificate).map_err(|error| failed(&error))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(io::Error::other)?.with_root_certificates(roots);
    // Each handshake is a whole one, as that of a new client.
    let mut config = builder.with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::clone(CONFIG.get_or_init(|| Arc::new(config))))
}
