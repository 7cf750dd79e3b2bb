//! Accepting connections at one address.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::config::{ListenAddress, TcpOptions};

/// The wait after an accept that failed for want of descriptors or memory, doubled up to the longest.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What is spoken below AMQP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Nothing: bytes are sent as they are.
    Tcp,
    /// TLS.
    Tls,
}

/// A connection as the kernel gave it, not yet bound to a runtime.
#[derive(Debug)]
pub struct Accepted {
    /// Its socket: non-blocking, with the options of its listener.
    pub stream: std::net::TcpStream,
    /// Who connected; an IPv4 peer is an IPv4 address even at an IPv6 listener.
    pub peer: SocketAddr,
    /// Where it connected to, in the same form.
    pub local: SocketAddr,
    /// What is spoken there.
    pub transport: Transport,
}

/// A socket that has its address and does not listen: whoever connects is refused.
#[derive(Debug)]
pub struct Bound(Socket);

impl Bound {
    /// Takes the address. Connections that come in there will have these options.
    ///
    /// # Errors
    /// Another program listens there, or it may not be used.
    pub fn to(address: ListenAddress, options: &TcpOptions) -> io::Result<Self> {
        let socket = match address {
            ListenAddress::At(address) => bound(address, true, options)?,
            // A kernel without IPv6 still has every IPv4 interface.
            ListenAddress::AllInterfaces(port) => bound((Ipv6Addr::UNSPECIFIED, port).into(), false, options)
                .or_else(|error| match error.kind() {
                    io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
                    _ => bound((Ipv4Addr::UNSPECIFIED, port).into(), true, options),
                })?,
        };
        Ok(Self(socket))
    }

    /// Takes a socket that listens already, and gives it these options.
    ///
    /// # Errors
    /// It does not take them.
    pub fn inherited(
        listener: std::net::TcpListener,
        options: &TcpOptions,
    ) -> io::Result<(ListenAddress, Self)> {
        let address = ListenAddress::At(listener.local_addr()?);
        let socket = Socket::from(listener);
        socket.set_nonblocking(true)?;
        set(&socket, options)?;
        Ok((address, Self(socket)))
    }

    /// Starts to listen, with so many connections that may wait; must be called within a runtime.
    ///
    /// # Errors
    /// Another program has begun to listen there since.
    pub fn listen(self, backlog: u32) -> io::Result<Listener> {
        self.open(backlog)?.accepting()
    }

    /// The same, for a runtime that is still to be.
    ///
    /// # Errors
    /// Another program has begun to listen there since.
    pub fn open(self, backlog: u32) -> io::Result<Open> {
        self.0.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        let socket = std::net::TcpListener::from(self.0);
        Ok(Open { address: socket.local_addr()?, socket })
    }
}

/// A socket that listens, and at which nobody accepts yet: whoever connects waits.
#[derive(Debug)]
pub struct Open {
    socket: std::net::TcpListener,
    address: SocketAddr,
}

impl Open {
    /// The address with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to accept; must be called within a runtime.
    ///
    /// # Errors
    /// The runtime cannot take it.
    pub fn accepting(self) -> io::Result<Listener> {
        let socket = TcpListener::from_std(self.socket)?;
        Ok(Listener { socket, address: self.address, transport: Transport::Tcp, wait: None })
    }
}

/// A socket that accepts connections.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    transport: Transport,
    /// While connections cannot be accepted: how long it has waited last.
    wait: Option<Duration>,
}

impl Listener {
    /// The same, where something else is spoken.
    #[must_use]
    pub fn over(self, transport: Transport) -> Self {
        Self { transport, ..self }
    }

    /// What is spoken there.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The address with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection. Waits through a lack of descriptors or memory, and says so once; a connection that is gone
    /// before it was accepted is passed over.
    pub async fn accept(&mut self) -> Accepted {
        loop {
            let accepted = self.socket.accept().await;
            match accepted.and_then(|(stream, peer)| prepare(stream, peer, self.transport)) {
                Ok(accepted) => {
                    if self.wait.take().is_some() {
                        tracing::info!("connections on {} are accepted again", self.address);
                    }
                    return accepted;
                }
                Err(error) if is_the_connections_own(&error) => {}
                Err(error) => {
                    if self.wait.is_none() {
                        tracing::warn!(
                            "cannot accept connections on {}: {error}; trying on, clients wait",
                            self.address
                        );
                    }
                    let wait = self.wait.map_or(SHORTEST_WAIT, |wait| (wait * 2).min(LONGEST_WAIT));
                    self.wait = Some(wait);
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }
}

fn bound(address: SocketAddr, only_v6: bool, options: &TcpOptions) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    set(&socket, options)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Accepted sockets inherit all of it.
fn set(socket: &Socket, options: &TcpOptions) -> io::Result<()> {
    socket.set_tcp_nodelay(options.nodelay)?;
    socket.set_keepalive(options.keepalive)?;
    if let Some(linger) = options.linger {
        socket.set_linger(Some(linger))?;
    }
    if let Some(bytes) = options.send_buffer {
        socket.set_send_buffer_size(bytes as usize)?;
    }
    if let Some(bytes) = options.receive_buffer {
        socket.set_recv_buffer_size(bytes as usize)?;
    }
    Ok(())
}

fn prepare(stream: tokio::net::TcpStream, peer: SocketAddr, transport: Transport) -> io::Result<Accepted> {
    let stream = stream.into_std()?;
    let local = stream.local_addr()?;
    Ok(Accepted { stream, peer: unmapped(peer), local: unmapped(local), transport })
}

/// An IPv4 address in IPv6's clothes (`::ffff:127.0.0.1`) is the IPv4 address.
fn unmapped(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn is_the_connections_own(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::NotConnected
            | io::ErrorKind::InvalidInput
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn bind(address: &str) -> io::Result<Listener> {
        Bound::to(address.parse().unwrap(), &TcpOptions::default())?.listen(16)
    }

    #[test]
    fn an_address_that_is_taken_accepts_nobody_before_it_is_listened_at() {
        run(async {
            let bound = Bound::to("127.0.0.1:0".parse().unwrap(), &TcpOptions::default()).unwrap();
            let address = bound.0.local_addr().unwrap().as_socket().unwrap();
            let refused = std::net::TcpStream::connect(address).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            let mut listener = bound.listen(16).unwrap();
            assert_eq!(listener.address(), address);
            let _client = std::net::TcpStream::connect(address).unwrap();
            listener.accept().await;
        });
    }

    #[test]
    fn port_0_takes_a_free_one_and_connections_come_without_delay() {
        run(async {
            let mut listener = bind("127.0.0.1:0").unwrap();
            assert_ne!(listener.address().port(), 0);
            let client = std::net::TcpStream::connect(listener.address()).unwrap();
            let accepted = listener.accept().await;
            assert!(accepted.stream.nodelay().unwrap());
            assert_eq!(accepted.peer, client.local_addr().unwrap());
            assert_eq!(accepted.local, listener.address());
        });
    }

    #[test]
    fn a_connection_has_the_options_of_its_listener() {
        run(async {
            let options = TcpOptions {
                backlog: 1,
                nodelay: false,
                keepalive: true,
                linger: Some(Duration::from_secs(5)),
                send_buffer: Some(8192),
                receive_buffer: Some(16_384),
            };
            let bound = Bound::to("127.0.0.1:0".parse().unwrap(), &options).unwrap();
            let mut listener = bound.listen(options.backlog).unwrap();
            let _client = std::net::TcpStream::connect(listener.address()).unwrap();
            let accepted = listener.accept().await;
            let socket = socket2::SockRef::from(&accepted.stream);
            assert!(!socket.tcp_nodelay().unwrap());
            assert!(socket.keepalive().unwrap());
            assert_eq!(socket.linger().unwrap(), options.linger);
            // Linux doubles what it is given, for its own needs.
            assert!([8192, 16_384].contains(&socket.send_buffer_size().unwrap()));
            assert!([16_384, 32_768].contains(&socket.recv_buffer_size().unwrap()));
        });
    }

    #[test]
    fn an_ipv4_peer_is_one_at_every_interface() {
        run(async {
            let mut listener = bind("0").unwrap();
            let port = listener.address().port();
            let _client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            let accepted = listener.accept().await;
            assert!(accepted.peer.is_ipv4(), "{}", accepted.peer);
            assert_eq!(accepted.local.to_string(), format!("127.0.0.1:{port}"));
        });
    }

    #[test]
    fn an_address_in_use_is_an_error() {
        run(async {
            let first = bind("127.0.0.1:0").unwrap();
            let second = Bound::to(ListenAddress::At(first.address()), &TcpOptions::default());
            assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        });
    }
}
