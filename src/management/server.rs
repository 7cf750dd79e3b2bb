//! The sockets, the limits on what comes in at them, and a thread for all of it: nothing here stands in a delivery's way.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
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

use super::router::{By, Comer, answer, router};
use super::site::Site;
use crate::net::{Accepted, Listener, LocalListener, LocalPeer};

/// Threads for what may wait for the disk or takes long.
const BLOCKING_THREADS: usize = 8;
/// Connections at a time; whoever comes beyond that waits.
const CONNECTIONS_MAX: usize = 512;
/// How long a head may take, and a connection may be silent between two requests.
const HEAD_TIME: Duration = Duration::from_mins(1);
/// The longest head, in bytes, and the most fields in it.
const HEAD_MAX_BYTES: usize = 64 * 1024;
const FIELDS_MAX: usize = 100;
/// How long requests that are being served have when the broker stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// Where requests come in.
#[derive(Debug)]
pub enum Entrance {
    /// An address of the network.
    Tcp(Listener),
    /// A file of this machine, by which its operator needs no password.
    Local(LocalListener),
}

/// A running HTTP server.
#[derive(Debug)]
pub struct Server {
    stopping: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Serves what comes in at these entrances, which are made within its runtime, as what `site` makes of them.
    ///
    /// # Errors
    /// The thread or its runtime cannot be made, or `open` fails.
    pub fn start<E: From<io::Error>>(
        open: impl FnOnce() -> Result<Vec<Entrance>, E>,
        site: impl FnOnce(&[Entrance]) -> Site,
        body_max_bytes: usize,
    ) -> Result<Self, E> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_name("management")
            .max_blocking_threads(BLOCKING_THREADS)
            .build()?;
        let entrances = {
            let _within = runtime.enter();
            open()?
        };
        let router = router(&Arc::new(site(&entrances)), body_max_bytes);
        let stopping = CancellationToken::new();
        let until = stopping.clone();
        let thread = thread::Builder::new().name("management".to_owned()).spawn(move || {
            runtime.block_on(serve(entrances, router, until));
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

async fn serve(entrances: Vec<Entrance>, router: Router, stopping: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut tasks = JoinSet::new();
    for entrance in entrances {
        let service = Service { router: router.clone(), stopping: stopping.clone() };
        tasks.spawn(accept(entrance, service, Arc::clone(&places)));
    }
    while tasks.join_next().await.is_some() {}
    // All places are free when the last connection has ended.
    let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
    let ended = places.acquire_many(all);
    if tokio::time::timeout(FAREWELL, ended).await.is_err() {
        tracing::warn!("HTTP requests that did not end in time are cut off");
    }
}

async fn accept(mut entrance: Entrance, service: Service, places: Arc<Semaphore>) {
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let arrived = tokio::select! {
            arrived = entrance.next() => arrived,
            () = service.stopping.cancelled() => return,
        };
        let service = service.clone();
        tokio::spawn(async move {
            match arrived {
                Arrived::Tcp(accepted) => {
                    let comer = Comer { address: accepted.peer.ip(), by: By::Network };
                    if let Ok(stream) = TcpStream::from_std(accepted.stream) {
                        service.connection(stream, comer).await;
                    }
                }
                Arrived::Local(stream, peer) => {
                    let by = if peer.is_operator() { By::SocketOfOperator } else { By::Socket };
                    let comer = Comer { address: Ipv4Addr::LOCALHOST.into(), by };
                    service.connection(stream, comer).await;
                }
            }
            drop(place);
        });
    }
}

enum Arrived {
    Tcp(Accepted),
    Local(UnixStream, LocalPeer),
}

impl Entrance {
    /// The address, if it has one.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => Some(listener.address()),
            Self::Local(_) => None,
        }
    }

    async fn next(&mut self) -> Arrived {
        match self {
            Self::Tcp(listener) => Arrived::Tcp(listener.accept().await),
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
    router: Router,
    stopping: CancellationToken,
}

impl Service {
    async fn connection(self, stream: impl AsyncRead + AsyncWrite + Unpin, comer: Comer) {
        let Self { router, stopping } = self;
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(comer);
            answer(router.clone(), request.map(Body::new))
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(HEAD_MAX_BYTES)
            .max_headers(FIELDS_MAX)
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service);
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
