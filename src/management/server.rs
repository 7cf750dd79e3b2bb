//! A server of HTTP/1.1: its sockets, the limits on what comes in at them, and a thread for all of it, so that nothing stands in
//! a delivery's way. What is served there it does not know.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;

use super::comers::Comers;
use super::patient::Patient;
use crate::net::{Accepted, CurrentTls, Listener, LocalListener, LocalPeer};

/// Requests that may wait for the disk or take long, at a time: each has a thread for as long.
pub(super) const LONG_AT_A_TIME: usize = 8;
/// Threads for these, and for what is short: logins, health checks, slices of answers.
const BLOCKING_THREADS: usize = LONG_AT_A_TIME + 4;
/// Connections from the network at a time; whoever comes beyond that waits.
const CONNECTIONS_MAX: usize = 512;
/// Of these so many may come from one address, so that nobody has them all; who comes beyond that is told so (503).
const CONNECTIONS_MAX_OF_ADDRESS: usize = CONNECTIONS_MAX / 2;
/// The same by files of this machine: whatever comes over the network, its operator is let in.
const LOCAL_CONNECTIONS_MAX: usize = 64;
/// Whoever takes nothing of an answer for so long gets no more of it.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest head, in bytes, and the most fields in it.
const HEAD_MAX_BYTES: usize = 64 * 1024;
const FIELDS_MAX: usize = 100;
/// The answer to whoever has too many connections.
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/// How long requests that are being served have when the broker stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// Where requests come in.
#[derive(Debug)]
pub enum Entrance {
    /// An address of the network.
    Tcp(Listener),
    /// The same with TLS.
    Tls(Listener, CurrentTls),
    /// A file of this machine, by which its operator needs no password.
    Local(LocalListener),
}

/// Who is at the other end of a connection: every request has it among its extensions.
#[derive(Clone, Copy, Debug)]
pub struct Comer {
    /// The address that it comes from; this machine's own where it has none.
    pub address: IpAddr,
    /// How it came.
    pub by: By,
}

/// The way that somebody came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The network: a browser may be made to do it.
    Network,
    /// The socket on this machine, as somebody who has to log in.
    Socket,
    /// The same, as the operator.
    SocketOfOperator,
}

/// What is served.
#[derive(Clone)]
pub struct Served {
    /// Answers whatever is asked.
    pub router: Router,
    /// How long the head of a request may take, and a connection may be silent between two, as it is to be at present.
    pub idle_timeout: Arc<dyn Fn() -> Duration + Send + Sync>,
}

/// A running HTTP server.
#[derive(Debug)]
pub struct Server {
    stopping: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Serves what comes in at these entrances, which are made within its runtime. Its thread has this name.
    ///
    /// # Errors
    /// The thread or its runtime cannot be made, or `open` fails.
    pub fn start<E: From<io::Error>>(
        name: &str,
        served: Served,
        open: impl FnOnce() -> Result<Vec<Entrance>, E>,
    ) -> Result<Self, E> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_name(name)
            .max_blocking_threads(BLOCKING_THREADS)
            .build()?;
        let entrances = {
            let _within = runtime.enter();
            open()?
        };
        let stopping = CancellationToken::new();
        let until = stopping.clone();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(serve(entrances, &served, &until));
            runtime.shutdown_timeout(FAREWELL);
        })?;
        Ok(Self { stopping, thread: Some(thread) })
    }

    /// Takes no more requests, and waits for those that are being served, for a few seconds at most.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stopping.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic there was logged.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

async fn serve(entrances: Vec<Entrance>, served: &Served, stopping: &CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let local_places = Arc::new(Semaphore::new(LOCAL_CONNECTIONS_MAX));
    let comers = Arc::new(Comers::new(CONNECTIONS_MAX_OF_ADDRESS));
    let mut tasks = JoinSet::new();
    for entrance in entrances {
        let service = Service { served: served.clone(), stopping: stopping.clone() };
        let places = if matches!(entrance, Entrance::Local(_)) { &local_places } else { &places };
        tasks.spawn(accept(entrance, service, Arc::clone(places), Arc::clone(&comers)));
    }
    while tasks.join_next().await.is_some() {}
    // All places are free when the last connection has ended.
    let all = |max| u32::try_from(max).unwrap_or(u32::MAX);
    let ended = async {
        let _network = places.acquire_many(all(CONNECTIONS_MAX)).await;
        let _local = local_places.acquire_many(all(LOCAL_CONNECTIONS_MAX)).await;
    };
    if tokio::time::timeout(FAREWELL, ended).await.is_err() {
        tracing::warn!("HTTP requests that did not end in time are cut off");
    }
}

async fn accept(mut entrance: Entrance, service: Service, places: Arc<Semaphore>, comers: Arc<Comers>) {
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let arrived = tokio::select! {
            arrived = entrance.next() => arrived,
            () = service.stopping.cancelled() => return,
        };
        let address = arrived.address();
        let counted = address.map(|address| comers.admit(address));
        if let (Some(address), Some(None)) = (address, &counted) {
            tracing::warn!(
                "HTTP connection from {address} refused: {CONNECTIONS_MAX_OF_ADDRESS} connections from there are open, \
                 and no address may have more"
            );
            arrived.refuse();
            continue;
        }
        let service = service.clone();
        tokio::spawn(async move {
            service.welcome(arrived).await;
            drop((counted, place));
        });
    }
}

enum Arrived {
    Tcp(Accepted),
    Tls(Accepted, CurrentTls),
    Local(UnixStream, LocalPeer),
}

impl Arrived {
    /// Where it comes from over the network.
    fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(accepted) | Self::Tls(accepted, _) => Some(accepted.peer.ip()),
            Self::Local(..) => None,
        }
    }

    /// Says that there is no place, where that needs no handshake, and waits for nothing.
    fn refuse(self) {
        if let Self::Tcp(Accepted { stream, .. }) = self {
            // Who does not take it finds the connection closed.
            let _ = stream.set_nonblocking(true).and_then(|()| (&stream).write_all(REFUSAL));
        }
    }
}

impl Entrance {
    async fn next(&mut self) -> Arrived {
        match self {
            Self::Tcp(listener) => Arrived::Tcp(listener.accept().await),
            Self::Tls(listener, tls) => Arrived::Tls(listener.accept().await, tls.clone()),
            Self::Local(listener) => {
                let (stream, peer) = listener.accept().await;
                Arrived::Local(stream, peer)
            }
        }
    }
}

/// What a connection is served with.
#[derive(Clone)]
struct Service {
    served: Served,
    stopping: CancellationToken,
}

impl Service {
    async fn welcome(self, arrived: Arrived) {
        match arrived {
            Arrived::Tcp(accepted) => {
                let comer = Comer { address: accepted.peer.ip(), by: By::Network };
                if let Ok(stream) = TcpStream::from_std(accepted.stream) {
                    self.connection(stream, comer).await;
                }
            }
            Arrived::Tls(accepted, tls) => {
                let (tls, stopping) = (tls.get(), self.stopping.clone());
                let comer = Comer { address: accepted.peer.ip(), by: By::Network };
                let Ok(stream) = TcpStream::from_std(accepted.stream) else { return };
                let secured = tokio::select! {
                    secured = tokio::time::timeout(tls.handshake_timeout(), tls.accept(stream)) => secured,
                    () = stopping.cancelled() => return,
                };
                match secured {
                    Ok(Ok(secured)) => self.connection(secured.stream, comer).await,
                    Ok(Err((error, _))) => {
                        tracing::debug!("HTTPS connection from {}: TLS failed: {error}", accepted.peer);
                    }
                    Err(_) => {
                        tracing::debug!("HTTPS connection from {}: TLS took too long", accepted.peer);
                    }
                }
            }
            Arrived::Local(stream, peer) => {
                let by = if peer.is_operator() { By::SocketOfOperator } else { By::Socket };
                self.connection(stream, Comer { address: Ipv4Addr::LOCALHOST.into(), by }).await;
            }
        }
    }

    async fn connection(self, stream: impl AsyncRead + AsyncWrite + Unpin, comer: Comer) {
        let Self { served: Served { router, idle_timeout }, stopping } = self;
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(comer);
            router.clone().call(request.map(Body::new))
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(idle_timeout())
            .max_buf_size(HEAD_MAX_BYTES)
            .max_headers(FIELDS_MAX)
            .half_close(true)
            .serve_connection(TokioIo::new(Patient::new(stream, SEND_TIMEOUT)), service);
        let mut served = pin!(served);
        let ended = tokio::select! {
            ended = &mut served => ended,
            () = stopping.cancelled() => {
                served.as_mut().graceful_shutdown();
                served.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!("HTTP connection from {}: {error}", comer.address);
        }
    }
}
