//! From an accepted socket to a peer that may speak AMQP: what a proxy says of it, then TLS.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use leveret_protocol::decode::{Looks, ProtocolHeader, protocol_header};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Environment;
use super::farewell::{REFUSED, farewell};
use crate::access::Origin;
use crate::net::{
    Accepted, Encryption, Header, NoHeader, Permit, Secured, Socket, TlsServer, Transport, read_header,
};

/// The newest version that a client speaks ends here in what it sends first, or says so further behind if it is 1.3.
const HELLO_VERSION_END: usize = 11;

/// A peer that may speak AMQP.
pub(super) struct Arrived {
    /// Its bytes.
    pub(super) socket: Socket,
    /// Where it connects from, as its proxy says if there is one.
    pub(super) peer: SocketAddr,
    /// Where it connected to, likewise.
    pub(super) local: SocketAddr,
    /// Who it may be.
    pub(super) origin: Origin,
    /// How its bytes are encrypted, if they are.
    pub(super) encryption: Option<Arc<Encryption>>,
}

/// Why a connection ended before AMQP was spoken. Displays as a line for the log.
pub(super) enum NotArrived {
    /// It does not come from where proxies may connect from.
    Untrusted,
    /// The proxy says nothing that can be read.
    NoHeader(NoHeader),
    /// Too many that have not logged in come from where the client does.
    Crowded(SocketAddr),
    /// The peer speaks something else than TLS.
    NotTls(&'static str, TcpStream),
    /// The peer's newest version of TLS is older than those that are spoken.
    OldTls(TcpStream),
    /// The handshake of TLS failed: the peer was told, and is still to read it.
    Tls(io::Error, TcpStream),
    /// It took too long.
    TlsTimedOut(Duration),
    /// The socket has ended.
    Gone,
}

impl From<io::Error> for NotArrived {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl NotArrived {
    /// Ends the connection so that the peer can read why.
    pub(super) async fn end(self) {
        if let Self::NotTls(_, mut stream) | Self::OldTls(mut stream) | Self::Tls(_, mut stream) = self {
            farewell(&mut stream, REFUSED).await;
        }
    }
}

/// Hears what a proxy has to say, if one is expected, and does the handshake of TLS, if it is spoken there.
pub(super) async fn arrive(
    accepted: Accepted,
    permit: &mut Permit,
    environment: &Environment,
) -> Result<Arrived, NotArrived> {
    let Accepted { stream, mut peer, mut local, transport } = accepted;
    let mut stream = TcpStream::from_std(stream)?;
    let mut origin = Origin::from(peer.ip());
    let proxies = &environment.config().proxy_protocol;
    if proxies.enabled {
        if !proxies.trusted.iter().any(|network| network.contains(peer.ip())) {
            return Err(NotArrived::Untrusted);
        }
        if let Header::Client { source, destination } =
            read_header(&mut stream).await.map_err(NotArrived::NoHeader)?
        {
            origin = Origin::from(behind(peer.ip(), source.ip()));
            (peer, local) = (source, destination);
            if !permit.comes_from(origin.address) {
                return Err(NotArrived::Crowded(source));
            }
        }
    }
    let tls = match transport {
        Transport::Tcp => None,
        // There is none only where nobody listens for it.
        Transport::Tls => Some(environment.tls().ok_or(NotArrived::Gone)?),
    };
    let Some(tls) = tls else {
        return Ok(Arrived { socket: Socket::Plain(stream), peer, local, origin, encryption: None });
    };
    let secured = timeout(tls.handshake_timeout(), secure(stream, &tls)).await;
    let Secured { stream, encryption } =
        secured.map_err(|_| NotArrived::TlsTimedOut(tls.handshake_timeout()))??;
    origin.certificate.clone_from(&encryption.login);
    let encryption = Some(Arc::new(encryption));
    Ok(Arrived { socket: Socket::Tls(Box::new(stream)), peer, local, origin, encryption })
}

/// Whose address counts: the client's. That it is on this machine is true only if its proxy is, whatever that one says: there
/// are users who may log in from here alone.
fn behind(proxy: IpAddr, client: IpAddr) -> IpAddr {
    if client.is_loopback() && !proxy.is_loopback() { proxy } else { client }
}

async fn secure(stream: TcpStream, tls: &TlsServer) -> Result<Secured, NotArrived> {
    let mut start = [0; HELLO_VERSION_END];
    let count = stream.peek(&mut start).await?;
    let start = start.get(..count).unwrap_or_default();
    if let Some(hint) = hint(start) {
        return Err(NotArrived::NotTls(hint, stream));
    }
    let is_old = matches!(start, [0x16, 3, .., 3, 0..=2] if count == HELLO_VERSION_END);
    tls.accept(stream).await.map_err(|(error, stream)| {
        if is_old { NotArrived::OldTls(stream) } else { NotArrived::Tls(error, stream) }
    })
}

/// What is spoken in the place of TLS, if it can be told.
fn hint(start: &[u8]) -> Option<&'static str> {
    match protocol_header(start) {
        ProtocolHeader::Complete(_) => Some("it looks like AMQP without TLS, which this port does not speak"),
        ProtocolHeader::Invalid(Looks::Http) => Some("it looks like HTTP"),
        ProtocolHeader::Invalid(Looks::Proxy) => {
            Some("it looks like the PROXY protocol, which is off (proxy_protocol.enabled)")
        }
        ProtocolHeader::Invalid(Looks::Tls | Looks::Unknown) | ProtocolHeader::Incomplete => None,
    }
}

impl fmt::Display for NotArrived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untrusted => f.write_str(
                "proxies may not connect from there; if it is one, add its address to proxy_protocol.trusted",
            ),
            Self::Crowded(client) => {
                write!(f, "too many connections that have not logged in come from where {client} does")
            }
            Self::NoHeader(NoHeader::Malformed(error)) => {
                write!(f, "the proxy does not say for whom it connects: {error}")
            }
            Self::NoHeader(NoHeader::Socket(_)) | Self::Gone => f.write_str("it has gone"),
            Self::OldTls(_) => f.write_str(
                "TLS handshake failed: the client speaks no version from 1.2 on, and older ones are not safe",
            ),
            Self::NotTls(hint, _) => write!(f, "this is not TLS: {hint}"),
            Self::Tls(error, _) => write!(f, "TLS handshake failed: {error}"),
            Self::TlsTimedOut(after) => {
                write!(f, "TLS handshake timed out after {} ms (tls.handshake_timeout)", after.as_millis())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b13_a_client_is_on_this_machine_only_if_its_proxy_is() {
        for (proxy, client, expected) in [
            ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
            ("127.0.0.1", "192.0.2.1", "192.0.2.1"),
            ("10.0.0.1", "127.0.0.1", "10.0.0.1"),
            ("10.0.0.1", "::1", "10.0.0.1"),
            ("::1", "127.0.0.1", "127.0.0.1"),
            ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ] {
            let address = |text: &str| text.parse::<IpAddr>().unwrap();
            assert_eq!(behind(address(proxy), address(client)), address(expected), "{client} behind {proxy}");
        }
    }
}
