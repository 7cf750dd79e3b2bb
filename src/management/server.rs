//! The sockets, the limits on what comes in at them, and a thread for all of it: nothing here stands in a delivery's way.

use std::io;
use std::net::SocketAddr;
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
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::router::{Comer, answer, router};
use super::site::Site;
use crate::net::{Accepted, Listener};

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

/// A running HTTP server.
#[derive(Debug)]
pub struct Server {
    stopping: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Serves what comes in at these listeners, which are made within its runtime.
    ///
    /// # Errors
    /// The thread or its runtime cannot be made, or `listen` fails.
    pub fn start(
        listen: impl FnOnce() -> io::Result<Vec<Listener>>,
        site: impl FnOnce(&[SocketAddr]) -> Site,
        body_max_bytes: usize,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_name("management")
            .max_blocking_threads(BLOCKING_THREADS)
            .build()?;
        let listeners = {
            let _within = runtime.enter();
            listen()?
        };
        let addresses: Vec<SocketAddr> = listeners.iter().map(Listener::address).collect();
        let router = router(&Arc::new(site(&addresses)), body_max_bytes);
        let stopping = CancellationToken::new();
        let until = stopping.clone();
        let thread = thread::Builder::new().name("management".to_owned()).spawn(move || {
            runtime.block_on(serve(listeners, router, until));
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

async fn serve(listeners: Vec<Listener>, router: Router, stopping: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut tasks = JoinSet::new();
    for listener in listeners {
        tasks.spawn(accept(listener, router.clone(), Arc::clone(&places), stopping.clone()));
    }
    while tasks.join_next().await.is_some() {}
    // All places are free when the last connection has ended.
    let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
    let ended = places.acquire_many(all);
    if tokio::time::timeout(FAREWELL, ended).await.is_err() {
        tracing::warn!("HTTP requests that did not end in time are cut off");
    }
}

async fn accept(mut listener: Listener, router: Router, places: Arc<Semaphore>, stopping: CancellationToken) {
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cancelled() => return,
        };
        let (router, stopping) = (router.clone(), stopping.clone());
        tokio::spawn(async move {
            connection(accepted, router, stopping).await;
            drop(place);
        });
    }
}

async fn connection(accepted: Accepted, router: Router, stopping: CancellationToken) {
    let comer = Comer(accepted.peer.ip());
    let Ok(stream) = TcpStream::from_std(accepted.stream) else { return };
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
        tracing::debug!("HTTP connection from {}: {error}", accepted.peer);
    }
}
