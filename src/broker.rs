//! A broker from start to stop.
//!
//! It holds what there is one of: the data directory's lock, the listeners, the workers, and the environment that the
//! connections share. Dropped in the reverse order of its making.

mod alarms;
mod doors;
mod first;
mod kept;
mod management;
mod ports_file;
mod reload;
mod tls;
mod watchdog;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::alarm::Alarms;
use crate::config::{Config, ListenAddress, Sources};
use crate::connection::{self, Environment};
use crate::definitions::LoadError;
use crate::management::Listening;
use crate::net::{
    Admission, Bound, Listener, TlsError, TlsServer, Transport, Workers, inherited_listeners,
    raise_descriptor_limit,
};
use crate::store::{DirectoryError, OpenError};
use crate::supervisor;
use crate::vhost::registry::Vhosts;
use doors::Door;
use first::First;
use kept::Kept;
use management::{Management, ManagementSocket};

/// How long clients have to answer the `connection.close` of a broker that stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// A signal that comes sooner after the first one is no second wish: `timeout`, supervisors and terminals signal the process
/// and its group.
const SIGNALS_APART: Duration = Duration::from_millis(500);

/// A broker that accepts connections.
#[derive(Debug)]
pub struct Broker {
    environment: Arc<Environment>,
    admission: Arc<Admission>,
    addresses: Vec<SocketAddr>,
    /// Of the runtime that the broker was started in: accepting, and the end of an alarm.
    tasks: JoinSet<()>,
    workers: Arc<Workers>,
    management: Management,
    /// None in a broker that keeps nothing.
    kept: Option<Kept>,
    /// Cancelled when nothing can be made durable any more.
    disk_failed: CancellationToken,
}

/// How a broker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Every connection was closed, or had its time to be.
    Gracefully,
    /// A second signal cut it short.
    AtOnce,
    /// A signal came before it served anybody; what it was at goes on until the process ends.
    BeforeItBegan,
    /// Nothing could be made durable any more. Every connection was closed.
    DiskFailed,
}

impl Broker {
    /// Starts a broker: when this returns, its ports accept. Must be called within a runtime. Brings back what it has kept,
    /// for as long as that takes, once it has taken the addresses: one that is not free is told at once.
    pub fn start(config: Config) -> Result<Self, StartError> {
        Self::start_at(config, Vec::new())
    }

    /// The same at sockets that listen already, if there are any, and not at the configured addresses.
    pub fn start_at(config: Config, inherited: Vec<TcpListener>) -> Result<Self, StartError> {
        let tls = tls::read(&config).map_err(StartError::Tls)?;
        let first = First::read(&config).map_err(StartError::Definitions)?;
        let bound = doors::bound(&config, inherited)?;
        let management = ManagementSocket::take(&config)?;
        let disk_failed = CancellationToken::new();
        let (kept, stored) = if config.in_memory {
            tracing::warn!(
                "in memory: messages, queues and exchanges are kept in memory only, and a restart forgets them"
            );
            (None, None)
        } else {
            let failed = disk_failed.clone();
            let (kept, vhosts, access) = Kept::open(&config, move |failure| {
                if failure.is_end_without_space() {
                    tracing::warn!(
                        "the broker stops before the disk has space again: all that was confirmed is safe; \
                         free some, and start again"
                    );
                    return failed.cancel();
                }
                tracing::error!(
                    "{failure}. What the disk has is not known any more: nothing is confirmed from now on, and the \
                     broker stops. All that was confirmed is safe; start again when the disk is in order"
                );
                failed.cancel();
            })?;
            (Some(kept), Some((vhosts, access)))
        };
        match Self::serve(config, tls, bound, management, (stored, &first), disk_failed) {
            Ok(broker) => {
                if let Some(kept) = &kept {
                    kept.watch(Arc::<Alarms>::clone(&broker.environment.alarms));
                }
                Ok(Self { kept, ..broker })
            }
            Err(error) => {
                if let Some(kept) = kept {
                    kept.close(true);
                }
                Err(error)
            }
        }
    }

    fn serve(
        config: Config,
        tls: Option<TlsServer>,
        bound: Vec<(Door, Bound)>,
        management: ManagementSocket,
        (stored, first): (Option<(Vhosts, Access)>, &First),
        disk_failed: CancellationToken,
    ) -> Result<Self, StartError> {
        let descriptors = raise_descriptor_limit();
        if let Some(max) = config.max_connections.filter(|max| *max > descriptors) {
            tracing::warn!(
                "max_connections {max} is more than the {descriptors} files that this process may open: \
                 raise the limit (ulimit -n) or lower the setting"
            );
        }
        let admission = Admission::new(config.max_connections.unwrap_or(descriptors));
        let workers = Arc::new(Workers::start(config.worker_threads()).map_err(StartError::Thread)?);
        let listeners = bound.into_iter().map(|(Door { address, transport }, bound)| {
            let listener = bound.listen(config.tcp.backlog);
            let listener = listener.map_err(|error| StartError::Listen { address, error })?;
            Ok(listener.over(transport))
        });
        let listeners = listeners.collect::<Result<Vec<_>, StartError>>()?;
        let addresses: Vec<SocketAddr> = listeners.iter().map(Listener::address).collect();
        let ports_file = config.ports_file.clone();
        let mut listening: Vec<Listening> = listeners
            .iter()
            .map(|listener| {
                let protocol = match listener.transport() {
                    Transport::Tcp => Listening::AMQP,
                    Transport::Tls => Listening::AMQPS,
                };
                Listening { protocol, address: listener.address() }
            })
            .collect();
        let mut environment = Environment::empty(config);
        if let Some((vhosts, access)) = stored {
            environment.vhosts = vhosts;
            environment.access = Arc::new(access);
        }
        if let Some(tls) = tls {
            environment.set_tls(tls);
        }
        first.make(&environment).map_err(StartError::Definitions)?;
        let environment = Arc::new(environment);
        let management = management.serve(&environment, &listening, descriptors)?;
        let http = management.addresses.iter();
        listening.extend(http.map(|address| Listening { protocol: Listening::HTTP, address: *address }));
        if let Some(path) = ports_file {
            let written = ports_file::write(&path, &listening);
            written.map_err(|error| StartError::PortsFile { path, error })?;
        }
        let mut tasks = JoinSet::new();
        alarms::watch(&environment, &mut tasks);
        if let Some(interval) = supervisor::alive_interval() {
            tasks.spawn(watchdog::say_alive(Arc::clone(&workers), interval));
        }
        for listener in listeners {
            match listener.transport() {
                Transport::Tcp => tracing::info!("started TCP listener on {}", listener.address()),
                Transport::Tls => tracing::info!("started TLS (SSL) listener on {}", listener.address()),
            }
            tasks.spawn(accept(
                listener,
                Arc::clone(&admission),
                Arc::clone(&workers),
                Arc::clone(&environment),
            ));
        }
        Ok(Self { environment, admission, addresses, tasks, workers, management, kept: None, disk_failed })
    }

    /// The addresses that accept connections, in the order of the configuration, those with TLS last.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The addresses at which the HTTP API is served.
    pub fn management_addresses(&self) -> &[SocketAddr] {
        &self.management.addresses
    }

    /// What its connections share, for whoever operates it.
    pub fn environment(&self) -> &Arc<Environment> {
        &self.environment
    }

    /// Its virtual hosts, for whoever operates it.
    pub fn vhosts(&self) -> &Vhosts {
        &self.environment.vhosts
    }

    /// Until nothing can be made durable any more.
    pub fn disk_failed(&self) -> CancellationToken {
        self.disk_failed.clone()
    }

    /// Stops accepting, closes every connection with 320 (541 when the disk failed) and waits for them, for at most five
    /// seconds. Then all is written that is to be kept.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        self.environment.stopping.cancel();
        let (code, text) =
            if self.disk_failed.is_cancelled() { connection::DISK_FAILED } else { connection::SHUTDOWN };
        self.environment.connections.close_all(code, text);
        if tokio::time::timeout(FAREWELL, self.admission.emptied()).await.is_err() {
            tracing::warn!(
                "connections that did not end in time and are cut off: {}",
                self.admission.connections()
            );
        }
        drop(self.workers);
        // A panic there was logged.
        let _ = spawn_blocking(move || self.management.server.stop()).await;
        if let Some(kept) = self.kept {
            // Connections that were cut off gave back what they held when they were asked to close.
            let is_in_order = !self.disk_failed.is_cancelled();
            // A panic there was logged.
            let _ = spawn_blocking(move || kept.close(is_in_order)).await;
        }
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
        let Some(permit) = admission.admit(accepted.peer.ip()) else {
            let (peer, open) = (accepted.peer, admission.connections());
            tracing::warn!(
                "refusing a connection from {peer}: {open} are open, or too many of them have not logged in; \
                 raise max_connections if they are meant to be"
            );
            continue;
        };
        let environment = Arc::clone(&environment);
        workers.serve(move || connection::serve(accepted, permit, environment));
    }
}

/// Serves until SIGTERM or SIGINT, then stops gracefully; SIGHUP has `sources` read again. `started` is when the process
/// began.
///
/// After a second signal the answer is [`Stopped::AtOnce`] while the first one's work still goes on: the caller ends
/// the process.
pub async fn run(config: Config, sources: Sources, started: Instant) -> Result<Stopped, StartError> {
    let mut signals = StopSignals::new().map_err(StartError::Thread)?;
    let mut hangups = signal(SignalKind::hangup()).map_err(StartError::Thread)?;
    let runtime = tokio::runtime::Handle::current();
    let inherited = inherited_listeners().map_err(StartError::Inherited)?;
    let starting = spawn_blocking(move || {
        let _within = runtime.enter();
        Broker::start_at(config, inherited)
    });
    let broker = tokio::select! {
        started = starting => started.map_err(|panic| StartError::Thread(panic.into()))??,
        name = signals.next() => {
            tracing::info!("{name} received: the start is given up, and nothing is lost by it");
            return Ok(Stopped::BeforeItBegan);
        }
    };
    let milliseconds = started.elapsed().as_millis();
    tracing::info!("Server startup complete; 0 plugins started. ({milliseconds} ms)");
    supervisor::ready();
    let disk_failed = broker.disk_failed();
    let stopped = loop {
        tokio::select! {
            name = signals.next() => {
                tracing::info!("{name} received: shutting down");
                break Stopped::Gracefully;
            }
            () = disk_failed.cancelled() => break Stopped::DiskFailed,
            _ = hangups.recv() => {
                tracing::info!("SIGHUP received: reading the configuration again");
                supervisor::reloading();
                broker.reload_from(&sources).await;
                supervisor::ready();
            }
        }
    };
    supervisor::stopping();
    // A task of its own: dropping a broker waits for its threads, which a second signal must not.
    let stopping = tokio::spawn(broker.stop());
    tokio::select! {
        _ = stopping => {
            tracing::info!("shutdown complete");
            Ok(stopped)
        }
        name = signals.next_after(SIGNALS_APART) => {
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

    /// The next one that does not come within `interval` from now.
    async fn next_after(&mut self, interval: Duration) -> &'static str {
        let from = Instant::now() + interval;
        loop {
            let name = self.next().await;
            if Instant::now() >= from {
                return name;
            }
        }
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
    /// TLS cannot be spoken.
    Tls(TlsError),
    /// The HTTP API cannot be served where it is to be.
    Management {
        /// The address as configured.
        address: ListenAddress,
        /// What the operating system says.
        error: io::Error,
    },
    /// A socket that was passed cannot be listened at.
    Inherited(io::Error),
    /// What is in the data directory cannot be used.
    Store {
        /// The data directory.
        path: PathBuf,
        /// Why.
        error: OpenError,
    },
    /// The file cannot be written that names the addresses.
    PortsFile {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// What is to be imported cannot be.
    Definitions(LoadError),
    /// A thread, a runtime or a signal handler could not be made.
    Thread(io::Error),
}

impl From<io::Error> for StartError {
    /// Of what is made of the system's: a thread, a runtime.
    fn from(error: io::Error) -> Self {
        Self::Thread(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(error) => error.fmt(f),
            Self::Listen { address, error } => {
                write!(
                    f,
                    "cannot listen on {address}: {error}; {}",
                    remedy(error.kind(), "--listen or --listeners-tls")
                )
            }
            Self::Tls(error) => write!(f, "TLS cannot be spoken as configured: {error}"),
            Self::Management { address, error } => write!(
                f,
                "cannot serve the HTTP API on {address}: {error}; {}",
                remedy(error.kind(), "--management-listen")
            ),
            Self::Inherited(error) => write!(f, "sockets that were passed cannot be used: {error}"),
            Self::Store { path, error } => {
                write!(
                    f,
                    "data directory {} cannot be used: {error}; nothing in it was deleted",
                    path.display()
                )
            }
            Self::PortsFile { path, error } => {
                write!(f, "the file {} of ports_file cannot be written: {error}", path.display())
            }
            Self::Definitions(error) => write!(f, "{error}; correct it, or start without load_definitions"),
            Self::Thread(error) => write!(f, "cannot start: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// What helps against an address that cannot be listened at.
fn remedy(kind: io::ErrorKind, flag: &str) -> String {
    match kind {
        io::ErrorKind::AddrInUse => {
            format!(
                "another program listens there (ss -ltnp names it): stop it, or choose another address with {flag}"
            )
        }
        io::ErrorKind::PermissionDenied => format!(
            "ports below 1024 need a right of their own (CAP_NET_BIND_SERVICE): grant it, or choose another with {flag}"
        ),
        _ => format!("choose another address with {flag}"),
    }
}
