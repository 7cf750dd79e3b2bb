//! A broker from start to stop.
//!
//! It holds what there is one of: the data directory's lock, the listeners, the workers, and the environment that the
//! connections share. Dropped in the reverse order of its making.

mod alarms;
mod doors;
mod events;
mod http;
mod kept;
mod management;
mod orphans;
mod pid_file;
mod places;
mod ports_file;
mod reload;
mod sampling;
mod start_error;
mod tls;
mod watchdog;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::alarm::Alarms;
use crate::config::{Config, Sources};
use crate::connection::{self, Environment};
use crate::definitions::{First, NotMade};
use crate::management::statistics::Statistics;
use crate::management::{Jobs, Listening, Server, Site};
use crate::net::{
    Admission, Listener, Passed, Transport, Workers, host_name, inherited_listeners, name_node, node_name,
    raise_descriptor_limit,
};
use crate::supervisor;
use crate::time::Time;
use crate::vhost::registry::Vhosts;
use doors::Door;
use events::Teller;
use http::OpenDoor;
pub use http::{HttpDoor, HttpService};
use kept::Kept;
use management::{LocalSocket, serve_management};
use pid_file::PidFile;
use places::Places;
pub use start_error::StartError;
use tls::{HttpTlsServers, Spoken};

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
    management: Server,
    management_addresses: Vec<SocketAddr>,
    /// Metrics and checks, where they are served.
    metrics: Option<Server>,
    /// Ends with it.
    _teller: Teller,
    metrics_addresses: Vec<SocketAddr>,
    http_tls: HttpTlsServers,
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
    pub fn start_at(config: Config, passed: Vec<Passed>) -> Result<Self, StartError> {
        let (for_amqp, for_http) = http::by_name(passed);
        let planned = http::planned(&config, for_http);
        let spoken = Spoken::by(&config, planned.iter().map(|planned| planned.door));
        let tls = tls::read(&config, spoken).map_err(StartError::Tls)?;
        let first = First::read(&config).map_err(|error| StartError::Definitions(NotMade::Load(error)))?;
        let are_passed = !for_amqp.is_empty();
        let amqp = doors::bound(&config, for_amqp)?;
        let taken = planned.into_iter().filter_map(|planned| planned.take(&config).transpose());
        let (metrics, management) = taken
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .partition(|taken| taken.is_for(HttpService::Metrics));
        let places = Places::take(&config, amqp, management, metrics, tls)?;
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
        match Self::serve(config, places, (stored, &first), (disk_failed, are_passed)) {
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
        places: Places,
        (stored, first): (Option<(Vhosts, Access)>, &First),
        (disk_failed, are_passed): (CancellationToken, bool),
    ) -> Result<Self, StartError> {
        let Places { amqp, management, metrics, metrics_doors, awaited, tls, http_tls } = places;
        let descriptors = raise_descriptor_limit();
        if let Some(max) = config.max_connections.filter(|max| *max > descriptors) {
            tracing::warn!(
                "max_connections {max} is more than the {descriptors} files that this process may open: \
                 raise the limit (ulimit -n) or lower the setting"
            );
        }
        let admission = Admission::new(config.max_connections.unwrap_or(descriptors));
        let workers = Arc::new(Workers::start(config.worker_threads()).map_err(StartError::Thread)?);
        let listeners = amqp.into_iter().map(|(Door { address, transport }, bound)| {
            let listener = bound.listen(config.tcp.backlog);
            let is_tls = transport == Transport::Tls;
            let listener = listener.map_err(|error| StartError::Listen { address, is_tls, error })?;
            Ok(listener.over(transport))
        });
        let listeners = listeners.collect::<Result<Vec<_>, StartError>>()?;
        let addresses: Vec<SocketAddr> = listeners.iter().map(Listener::address).collect();
        let management = http::open(management, &config)?;
        let mut listening: Vec<Listening> = listeners.iter().map(doors::listening).collect();
        listening.extend(management.iter().map(OpenDoor::listening));
        listening.extend(metrics_doors.iter().cloned());
        let ports_file = config.ports_file.clone();
        let socket = LocalSocket::of(&config);
        let mut environment = Environment::empty(config);
        if let Some((vhosts, mut access)) = stored {
            access.tell_to(vhosts.events());
            environment.vhosts = vhosts;
            environment.access = Arc::new(access);
        }
        if let Some(tls) = tls {
            environment.set_tls(tls);
        }
        first.make(&environment).map_err(StartError::Definitions)?;
        let environment = Arc::new(environment);
        let teller = Teller::start(&environment).map_err(StartError::Thread)?;
        let site = Arc::new(Site {
            environment: Arc::clone(&environment),
            listening,
            management_tls: http_tls.management.clone(),
            metrics_tls: http_tls.metrics.clone(),
            node: node_name().to_owned(),
            started: Time::now(),
            descriptors,
            statistics: Statistics::default(),
            jobs: Jobs::default(),
            host_name: host_name(),
        });
        let management_addresses = management.iter().map(OpenDoor::address).collect();
        let socket_path = socket.as_ref().map(|socket| socket.path().to_owned());
        let management = serve_management(&site, management, socket, http_tls.management.as_ref())?;
        if let Some(path) = ports_file {
            let written = ports_file::write(&path, &site.listening, socket_path.as_deref());
            written.map_err(|error| StartError::PortsFile { path, error })?;
        }
        let mut tasks = JoinSet::new();
        alarms::watch(&environment, &mut tasks);
        sampling::sample(&site, &mut tasks);
        if let Some(interval) = supervisor::alive_interval() {
            tasks.spawn(watchdog::say_alive(Arc::clone(&workers), interval));
        }
        for listener in listeners {
            match listener.transport() {
                Transport::Tcp => tracing::info!("started TCP listener on {}", listener.address()),
                Transport::Tls => tracing::info!("started TLS (SSL) listener on {}", listener.address()),
            }
            environment.app.add_door();
            let parts = (Arc::clone(&admission), Arc::clone(&workers), Arc::clone(&environment));
            tasks.spawn(doors::keep(listener, are_passed, parts));
        }
        awaited.fulfil(site);
        Ok(Self {
            environment,
            admission,
            addresses,
            tasks,
            workers,
            management,
            management_addresses,
            metrics,
            _teller: teller,
            metrics_addresses: metrics_doors.iter().map(|listening| listening.address).collect(),
            http_tls,
            kept: None,
            disk_failed,
        })
    }

    /// The addresses that accept connections, in the order of the configuration, those with TLS last.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The addresses at which the HTTP API is served.
    pub fn management_addresses(&self) -> &[SocketAddr] {
        &self.management_addresses
    }

    /// The addresses at which metrics and checks are served.
    pub fn metrics_addresses(&self) -> &[SocketAddr] {
        &self.metrics_addresses
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
        let _ = spawn_blocking(move || self.management.stop()).await;
        if let Some(kept) = self.kept {
            // Connections that were cut off gave back what they held when they were asked to close.
            let is_in_order = !self.disk_failed.is_cancelled();
            // A panic there was logged.
            let _ = spawn_blocking(move || kept.close(is_in_order)).await;
        }
        // Last: until then it can be asked what the broker is at.
        if let Some(server) = self.metrics {
            let _ = spawn_blocking(move || server.stop()).await;
        }
    }
}

/// Serves until one of `signals`, then stops gracefully; SIGHUP has `sources` read again. `started` is when the process
/// began.
///
/// After a second signal the answer is [`Stopped::AtOnce`] while the first one's work still goes on: the caller ends
/// the process.
pub async fn run(
    config: Config,
    sources: Sources,
    mut signals: StopSignals,
    started: Instant,
) -> Result<Stopped, StartError> {
    let mut hangups = signal(SignalKind::hangup()).map_err(StartError::Thread)?;
    let runtime = tokio::runtime::Handle::current();
    let pid_file = config.pid_file.clone();
    orphans::collect();
    if let Some(name) = &config.node_name {
        name_node(name);
    }
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
    // Who finds the data in use by another broker leaves that one's file as it is.
    let _pid_file = pid_file.and_then(PidFile::write);
    let milliseconds = started.elapsed().as_millis();
    tracing::info!("Server startup complete; 0 plugins started. ({milliseconds} ms)");
    supervisor::ready();
    let disk_failed = broker.disk_failed();
    let stop_asked = broker.environment.stop_asked.clone();
    let stopped = loop {
        tokio::select! {
            () = stop_asked.cancelled() => {
                tracing::info!("shutting down, as an operator asked for");
                break Stopped::Gracefully;
            }
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

/// SIGTERM and SIGINT, which end a broker.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Waits for them from now on; must be called within a runtime.
    ///
    /// # Errors
    /// The operating system refuses it.
    pub fn new() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one.
    pub async fn told(&mut self) {
        self.next().await;
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
