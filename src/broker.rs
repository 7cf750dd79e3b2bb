//! A broker from start to stop.
//!
//! It holds what there is one of: the data directory's lock, the listeners, the workers, and the environment that the
//! connections share. Dropped in the reverse order of its making.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use crate::config::{Config, ListenAddress};
use crate::connection::{self, Environment};
use crate::net::{Admission, Listener, Workers, raise_descriptor_limit};
use crate::store::{DataDirectory, DirectoryError};

/// How long clients have to answer the `connection.close` of a broker that stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// A broker that accepts connections.
#[derive(Debug)]
pub struct Broker {
    environment: Arc<Environment>,
    admission: Arc<Admission>,
    addresses: Vec<SocketAddr>,
    /// Of the runtime that the broker was started in: accepting, and the end of an alarm.
    tasks: JoinSet<()>,
    workers: Arc<Workers>,
    _directory: DataDirectory,
}

/// How a broker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Every connection was closed, or had its time to be.
    Gracefully,
    /// A second signal cut it short.
    AtOnce,
}

impl Broker {
    /// Starts a broker: when this returns, its ports accept. Must be called within a runtime.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let directory = DataDirectory::open(&config.data_dir).map_err(StartError::Directory)?;
        tracing::info!("data directory: {}", directory.path().display());
        tracing::warn!("messages, queues and exchanges are kept in memory only: a restart forgets them");
        let descriptors = raise_descriptor_limit();
        if let Some(max) = config.max_connections.filter(|max| *max > descriptors) {
            tracing::warn!(
                "--max-connections {max} is more than the {descriptors} files that this process may open: \
                 raise the limit (ulimit -n) or lower the setting"
            );
        }
        let admission = Admission::new(config.max_connections.unwrap_or(descriptors));
        let workers = Arc::new(Workers::start(config.workers).map_err(StartError::Thread)?);
        let listeners = config.listeners.iter().map(|address| {
            Listener::bind(*address).map_err(|error| StartError::Listen { address: *address, error })
        });
        let listeners = listeners.collect::<Result<Vec<_>, _>>()?;
        let addresses: Vec<SocketAddr> = listeners.iter().map(Listener::address).collect();
        let environment = Arc::new(Environment::new(config));
        tracing::info!("memory limit: {} MiB", environment.memory.limit() >> 20);
        let mut tasks = JoinSet::new();
        let alarmed = Arc::clone(&environment);
        tasks.spawn(async move { alarmed.memory.clear_in_time().await });
        for listener in listeners {
            tracing::info!("started TCP listener on {}", listener.address());
            tasks.spawn(accept(
                listener,
                Arc::clone(&admission),
                Arc::clone(&workers),
                Arc::clone(&environment),
            ));
        }
        Ok(Self { environment, admission, addresses, tasks, workers, _directory: directory })
    }

    /// The addresses that accept connections, in the order of the configuration.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops accepting, closes every connection with 320 and waits for them, for at most five seconds.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        self.environment.stopping.cancel();
        self.environment.connections.close_all(connection::SHUTDOWN.0, connection::SHUTDOWN.1);
        if tokio::time::timeout(FAREWELL, self.admission.emptied()).await.is_err() {
            tracing::warn!(
                "connections that did not end in time and are cut off: {}",
                self.admission.connections()
            );
        }
        drop(self.workers);
    }
}

async fn accept(
    mut listener: Listener,
    admission: Arc<Admission>,
    workers: Arc<Workers>,
    environment: Arc<Environment>,
) {
    loop {
        let accepted = listener.accept().await;
        // Without room the socket is closed at once, which frees the descriptor for those that are served.
        let Some(permit) = admission.admit() else {
            let (peer, open) = (accepted.peer, admission.connections());
            tracing::warn!(
                "refusing a connection from {peer}: {open} are open, or too many of them have not logged in; \
                 raise --max-connections if they are meant to be"
            );
            continue;
        };
        let environment = Arc::clone(&environment);
        workers.serve(move || connection::serve(accepted, permit, environment));
    }
}

/// Serves until SIGTERM or SIGINT, then stops gracefully. `started` is when the process began.
///
/// After a second signal the answer is [`Stopped::AtOnce`] while the first one's work still goes on: the caller ends
/// the process.
pub async fn run(config: Config, started: Instant) -> Result<Stopped, StartError> {
    let mut signals = StopSignals::new().map_err(StartError::Thread)?;
    let broker = Broker::start(config)?;
    let milliseconds = started.elapsed().as_millis();
    tracing::info!("Server startup complete; 0 plugins started. ({milliseconds} ms)");
    let name = signals.next().await;
    tracing::info!("{name} received: shutting down");
    // A task of its own: dropping a broker waits for its threads, which a second signal must not.
    let stopping = tokio::spawn(broker.stop());
    tokio::select! {
        _ = stopping => {
            tracing::info!("shutdown complete");
            Ok(Stopped::Gracefully)
        }
        name = signals.next() => {
            tracing::warn!("{name} received again: stopping at once");
            Ok(Stopped::AtOnce)
        }
    }
}

struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn new() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Why a broker did not start.
#[derive(Debug)]
pub enum StartError {
    /// The data directory cannot be used.
    Directory(DirectoryError),
    /// An address cannot be listened at.
    Listen {
        /// The address as configured.
        address: ListenAddress,
        /// What the operating system says.
        error: io::Error,
    },
    /// A thread, a runtime or a signal handler could not be made.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(error) => error.fmt(f),
            Self::Listen { address, error } => write!(f, "cannot listen on {address}: {error}"),
            Self::Thread(error) => write!(f, "cannot start: {error}"),
        }
    }
}

impl std::error::Error for StartError {}
