//! One AMQP connection: its handshake, its frames, its end.
//!
//! Only here are frames known; channels know methods, and below them nobody knows a delivery tag.

pub mod app;
mod arrival;
mod backpressure;
pub mod buffers;
pub mod capabilities;
pub mod channels;
pub mod entry;
mod farewell;
mod greeting;
pub mod handshake;
pub mod heartbeat;
mod in_place;
mod lateness;
pub mod open;
pub mod operate;
pub mod outbox;
pub mod output;
pub mod registry;
mod rights;
mod serving;
mod telling;
pub mod throttle;
mod timing;
mod waiting;

#[cfg(test)]
mod tests;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use leveret_protocol::method::connection::OpenOk;
use leveret_protocol::table::Value;
use leveret_protocol::{ReplyCode, TableBuf};
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

use crate::access::{Access, AllTaken, LoginProtocol, LoginRefused, Origin};
use crate::alarm::{Alarms, DiskMeter, FileSystemOf, ProcessMemory};
use crate::auth::{Action, Claim, Resource, User, authorize};
use crate::channel::authority::Authority;
use crate::channel::exception::{connection_forced, user_deleted, vhost_deleted};
use crate::channel::{Peer, Session};
use crate::config::Config;
use crate::count::Event;
use crate::name::VhostName;
use crate::net::{Accepted, Encryption, Permit, TlsServer, is_hung_up};
use crate::queue::delivery::Recipient;
use crate::time::Time;
use crate::vhost::registry::Vhosts;
use app::App;
use arrival::{Arrived, arrive};
use channels::Channels;
use entry::ConnectionEntry;
use greeting::{Greeted, Greeting};
use handshake::{Entry, EntryRefused, Gatekeeper};
use open::{End, Open, Parts};
use outbox::{Notice, Outbox};
use registry::{About, Connections};
use telling::Ends;
use throttle::Throttle;

/// What every connection of a broker shares.
#[derive(Debug)]
pub struct Environment {
    /// The checked configuration; another one when it was read again.
    config: RwLock<Arc<Config>>,
    /// What is read for TLS, where it is spoken; another one when it was read again.
    tls: RwLock<Option<Arc<TlsServer>>>,
    /// The `server-properties` of every `connection.start`.
    pub server_properties: Arc<TableBuf>,
    /// Who may log in, and do what.
    pub access: Arc<Access>,
    /// The virtual hosts.
    pub vhosts: Vhosts,
    /// The open connections.
    pub connections: Connections,
    /// What publishers are blocked for.
    pub alarms: Arc<Alarms>,
    /// Whether clients are served.
    pub app: App,
    /// Cancelled when the broker stops: each connection is then closed with 320.
    pub stopping: CancellationToken,
    /// Cancelled by an operator who wants the broker to stop.
    pub stop_asked: CancellationToken,
}

impl Environment {
    /// The environment of a broker with this configuration, that keeps nothing, with the default user and virtual host.
    pub fn new(config: Config) -> Self {
        let environment = Self::empty(config);
        let config = environment.config();
        environment.vhosts.create_default(config.access.default_user.vhost.clone());
        environment.access.add_default_user();
        environment
    }

    /// The same, in which there is nobody and nothing yet.
    pub fn empty(config: Config) -> Self {
        let server_properties = Arc::new(capabilities::server_properties(&config.cluster_name));
        let vhosts = Vhosts::default();
        vhosts.set_queue_max(config.access.cluster_queue_limit);
        vhosts.set_exchange_max(config.access.cluster_exchange_limit);
        vhosts.set_settings(config.vhosts.clone());
        let mut access = Access::empty(config.access.clone());
        access.tell_to(vhosts.events());
        let access = Arc::new(access);
        let limits = (config.memory_limit, config.disk_free_limit, config.total_memory);
        let directory = (!config.in_memory).then(|| FileSystemOf(config.data_dir.clone()));
        let disk = directory.map(|directory| -> Box<dyn DiskMeter> { Box::new(directory) });
        let alarms = Arc::new(Alarms::new(limits, Box::new(ProcessMemory), disk));
        Self {
            config: RwLock::new(Arc::new(config)),
            tls: RwLock::default(),
            server_properties,
            access,
            vhosts,
            connections: Connections::default(),
            alarms,
            app: App::default(),
            stopping: CancellationToken::new(),
            stop_asked: CancellationToken::new(),
        }
    }
}

impl Environment {
    /// The configuration at present. Whoever needs several values takes them from one.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Connections that come from now on are served by this one.
    pub fn set_config(&self, config: Arc<Config>) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// The certificate and the rules of TLS at present.
    pub fn tls(&self) -> Option<Arc<TlsServer>> {
        self.tls.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connections that come from now on go by these.
    pub fn set_tls(&self, tls: TlsServer) {
        *self.tls.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(tls));
    }
}

impl Gatekeeper for Environment {
    fn log_in(&self, claim: Claim<'_>, origin: &Origin) -> Result<Arc<User>, LoginRefused> {
        let name = match &claim {
            Claim::Password(credentials) if self.vhosts.events().is_wanted() => credentials.login.to_owned(),
            _ => String::new(),
        };
        let logged_in = self.access.log_in_over(LoginProtocol::Amqp, claim, origin);
        telling::logged_in(self, &name, &logged_in, origin);
        logged_in
    }

    fn failed(&self, origin: &Origin) -> Duration {
        self.access.failed(origin)
    }

    /// In RabbitMQ's order: limits before permissions.
    fn enter(&self, user: &User, vhost: &VhostName) -> Result<Entry, EntryRefused> {
        let entered = self.vhosts.get(vhost.as_str()).ok_or(EntryRefused::NoSuchVhost)?;
        let of_vhost = entered.connections().take(entered.metadata().max_connections);
        let of_vhost = of_vhost.map_err(|AllTaken(max)| EntryRefused::VhostConnectionLimit(max))?;
        let of_user = self.access.connect(user.name.as_str());
        let of_user = of_user.map_err(|AllTaken(max)| EntryRefused::UserConnectionLimit(max))?;
        let rights = self.access.rights(user.name.as_str(), vhost).ok_or(EntryRefused::AccessRefused)?;
        authorize(&rights, Action::Access, Resource::Vhost).map_err(|_| EntryRefused::AccessRefused)?;
        Ok(Entry { of_user, of_vhost: Some(of_vhost) })
    }
}

/// What a client is told when the broker stops.
pub const SHUTDOWN: (ReplyCode, &str) = (
    ReplyCode::ConnectionForced,
    "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'",
);

/// What a client is told when the journal has failed: nothing is durable any more, and the broker ends.
pub const DISK_FAILED: (ReplyCode, &str) = (
    ReplyCode::InternalError,
    "INTERNAL_ERROR - the disk failed: nothing more can be stored, and what was not confirmed may be lost",
);

/// Serves a connection until it has ended. Runs on a worker's thread.
pub async fn serve(accepted: Accepted, mut permit: Permit, environment: Arc<Environment>) {
    let (peer, local) = (accepted.peer, accepted.local);
    let deadline = tokio::time::Instant::now() + environment.config().handshake_timeout;
    // Apart, so that its size is not that of every connection for as long as it lives.
    let arriving = Box::pin(arrive(accepted, &mut permit, &environment));
    let arrived = tokio::select! {
        arrived = timeout_at(deadline, arriving) => arrived,
        () = environment.stopping.cancelled() => return,
    };
    let Arrived { socket, peer, local, origin, encryption } = match arrived {
        Ok(Ok(arrived)) => arrived,
        Ok(Err(why)) => {
            tracing::warn!("closing AMQP connection {peer} -> {local}: {why}");
            return why.end().await;
        }
        Err(_) => return tracing::warn!("closing AMQP connection {peer} -> {local}: handshake timed out"),
    };
    let mut greeting = Greeting::new(socket, permit);
    let handshake = greeting.handshake(origin, &environment);
    let outcome = tokio::select! {
        outcome = timeout_at(deadline, handshake) => outcome,
        // A peer that is not yet in has nothing to be told.
        () = environment.stopping.cancelled() => return,
    };
    match outcome {
        Err(_) => tracing::warn!("closing AMQP connection {peer} -> {local}: handshake timed out"),
        Ok(Err(greeting::End::Refused(refusal))) => {
            tracing::warn!("closing AMQP connection {peer} -> {local}: {refusal}");
            tokio::select! {
                () = greeting.refuse(&refusal) => {}
                () = environment.stopping.cancelled() => {}
            }
        }
        Ok(Err(greeting::End::Socket)) => {}
        Ok(Err(greeting::End::Tls(error))) => {
            tracing::warn!("closing AMQP connection {peer} -> {local}: TLS failed before the login: {error}");
        }
        Ok(Ok(agreed)) => {
            serve_open(greeting.into_greeted(agreed), encryption, (peer, local), &environment).await;
        }
    }
}

/// Serves a connection after its handshake.
async fn serve_open(
    greeted: Greeted,
    encryption: Option<Arc<Encryption>>,
    (peer, local): (SocketAddr, SocketAddr),
    environment: &Environment,
) {
    let Greeted { mut negotiated, decoder, stream, read_ahead, permit } = greeted;
    let entry = std::mem::take(&mut negotiated.entry);
    let user = &negotiated.user.name;
    // They may have gone since it was entered.
    let Some(vhost) = environment.vhosts.get(negotiated.vhost.as_str()) else { return };
    let access = Arc::clone(&environment.access);
    let Some(authority) = Authority::new(access, user.as_str(), vhost.name()) else { return };
    let outbox = Arc::new(Outbox::new());
    let id = environment.connections.enter(&outbox, user.clone(), vhost.name().clone());
    vhost.churn().add(Event::ConnectionOpened);
    let encryption_is_used = encryption.is_some();
    if let Some(encryption) = encryption {
        tracing::info!("connection {peer} -> {local}: {encryption}");
        environment.connections.set_encryption(id, encryption);
    }
    let throttle = Arc::new(Throttle::default());
    let traffic = vhost.count_traffic();
    let seen = Arc::new(ConnectionEntry::counting(traffic.part()));
    environment.connections.describe(
        id,
        About {
            peer,
            local,
            connected_at: Time::now(),
            frame_max: negotiated.frame_max,
            channel_max: negotiated.channel_max,
            heartbeat: negotiated.heartbeat,
            client_properties: negotiated.client_properties.clone(),
            mechanism: negotiated.mechanism,
            throttle: Arc::clone(&throttle),
            entry: Arc::clone(&seen),
        },
    );
    if environment.stopping.is_cancelled() || !environment.app.is_running() {
        outbox.notify(Notice::Close(SHUTDOWN.0, SHUTDOWN.1.to_owned()));
    }
    // Whoever goes from now on finds it among the connections.
    let forced = if environment.vhosts.get(vhost.name().as_str()).is_none_or(|now| !Arc::ptr_eq(&now, &vhost))
    {
        Some(connection_forced(vhost_deleted(vhost.name())))
    } else if environment.access.user(user.as_str()).is_none() {
        Some(connection_forced(user_deleted(user)))
    } else {
        None
    };
    if let Some(exception) = forced {
        outbox.notify(Notice::Close(exception.code, exception.text));
    }
    tracing::info!(
        "connection {peer} -> {local}: user '{}' authenticated and granted access to vhost '{}'",
        user,
        negotiated.vhost
    );
    let properties = negotiated.client_properties.as_table();
    if let Some(name) = properties.get("connection_name").and_then(Value::as_str) {
        tracing::info!("connection {peer} -> {local} has a client-provided name: {name}");
    }
    let message_size_max = environment.config().max_message_size;
    let recipient: Arc<dyn Recipient> = Arc::<Outbox>::clone(&outbox);
    let session = Session::new(
        id,
        format!("{peer} -> {local}"),
        authority,
        vhost,
        recipient,
        negotiated.capabilities.consumer_cancel_notify,
        message_size_max,
    )
    .told_by_the_journal(Arc::<Outbox>::clone(&outbox))
    .of_peer(peer);
    let mut open = Open::new(Parts {
        socket: stream,
        is_hung_up: |socket| is_hung_up(socket),
        decoder,
        read_ahead,
        channels: Channels::new(negotiated.channel_max, message_size_max).seen_in(seen),
        session,
        outbox,
        alarms: Arc::clone(&environment.alarms),
        throttle,
        frame_max: negotiated.frame_max,
        heartbeat: negotiated.heartbeat,
        tell_blocked: negotiated.capabilities.connection_blocked,
    });
    open.output().method(0, OpenOk {}.into());
    let ends = Ends { peer, local, is_tls: encryption_is_used };
    telling::opened(environment, &negotiated, ends);
    let end = open.serve().await;
    telling::closed(environment, &negotiated, ends);
    // Whoever does not find it among the connections any more finds it counted.
    environment.vhosts.counts().churn().add(Event::ConnectionClosed);
    drop(traffic);
    environment.connections.leave(id);
    // Its places are free before its socket has gone: the client may come again at once.
    drop(entry);
    log_end(&end, open.heartbeat_secs(), (peer, local));
    if matches!(end, End::Client | End::Server(..)) {
        farewell::farewell(&mut open.into_socket(), farewell::AGREED).await;
    }
    drop(permit);
}

fn log_end(end: &End, heartbeat_secs: u16, (peer, local): (SocketAddr, SocketAddr)) {
    match end {
        End::Client => tracing::info!("closing AMQP connection {peer} -> {local}"),
        End::Server(_, text) => tracing::warn!("closed AMQP connection {peer} -> {local}: {text}"),
        End::Crashed => {
            tracing::error!("closing AMQP connection {peer} -> {local}: it failed, see the panic above");
        }
        _ => {
            let why = match end {
                End::Socket(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    "client unexpectedly closed TCP connection".to_owned()
                }
                End::Socket(error) => error.to_string(),
                End::MissedHeartbeats => format!("missed heartbeats from client, timeout: {heartbeat_secs}s"),
                End::Stalled => "client takes nothing of what it is sent".to_owned(),
                _ => "client did not answer connection.close".to_owned(),
            };
            tracing::warn!("closing AMQP connection {peer} -> {local}: {why}");
        }
    }
}
