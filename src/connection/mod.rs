//! One AMQP connection: its handshake, its frames, its end.

pub mod capabilities;
pub mod handshake;
pub mod heartbeat;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use leveret_protocol::decode::{PROTOCOL_HEADER, protocol_header};
use leveret_protocol::method::connection::{Close, CloseOk, Method as Connection, OpenOk};
use leveret_protocol::{Decoder, Event, Method, ReplyCode, TableBuf, encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::alarm::heap::live_bytes;
use crate::alarm::{MemoryAlarm, granted_memory};
use crate::auth::{Action, Credentials, DEFAULT_VHOST, LoginRefused, Resource, User, Users, authorize};
use crate::config::Config;
use crate::name::VhostName;
use crate::net::{Accepted, Permit, watch_without_heartbeats};
use handshake::{Answer, EntryRefused, Gatekeeper, Handshake, Refusal, Step};

/// What every connection of a broker shares.
#[derive(Debug)]
pub struct Environment {
    /// The checked configuration.
    pub config: Arc<Config>,
    /// The `server-properties` of every `connection.start`.
    pub server_properties: Arc<TableBuf>,
    /// Who may log in.
    pub users: Users,
    /// Raised while publishers are to be blocked.
    pub memory: MemoryAlarm,
    /// Cancelled when the broker stops: each connection is then closed with 320.
    pub stopping: CancellationToken,
}

impl Environment {
    /// The environment of a broker with this configuration.
    pub fn new(config: Config) -> Self {
        let server_properties = Arc::new(capabilities::server_properties(&config.cluster_name));
        let memory = MemoryAlarm::new(config.memory_limit.bytes(granted_memory()), live_bytes);
        let (users, stopping) = (Users::default(), CancellationToken::new());
        Self { config: Arc::new(config), server_properties, users, memory, stopping }
    }
}

impl Gatekeeper for Environment {
    fn log_in(&self, credentials: &Credentials<'_>, peer: IpAddr) -> Result<Arc<User>, LoginRefused> {
        self.users.log_in(credentials, peer)
    }

    fn enter(&self, user: &User, vhost: &VhostName) -> Result<(), EntryRefused> {
        if vhost.as_str() != DEFAULT_VHOST {
            return Err(EntryRefused::NoSuchVhost);
        }
        authorize(user, Action::Access, Resource::Vhost(vhost)).map_err(|_| EntryRefused::AccessRefused)
    }
}

/// Serves a connection until it has ended. Runs on a worker's thread.
pub async fn serve(accepted: Accepted, permit: Permit, environment: Arc<Environment>) {
    let (peer, local) = (accepted.peer, accepted.local);
    let Ok(stream) = TcpStream::from_std(accepted.stream) else { return };
    let mut driver = Driver { stream, input: BytesMut::new(), output: BytesMut::new(), permit };
    let handshake = driver.handshake(peer.ip(), &environment);
    let handshake = tokio::time::timeout(environment.config.handshake_timeout, handshake);
    let handshake = tokio::select! {
        done = handshake => done,
        // A peer that is not yet in has nothing to be told.
        () = environment.stopping.cancelled() => return,
    };
    match handshake {
        Err(_) => tracing::warn!("closing AMQP connection {peer} -> {local}: handshake timed out"),
        Ok(Err(End::Refused(refusal))) => {
            tracing::warn!("closing AMQP connection {peer} -> {local}: {refusal}");
            driver.refuse(&refusal).await;
        }
        Ok(Err(End::Socket)) => {}
        Ok(Ok(decoder)) => driver.run(decoder, &environment).await,
    }
}

enum End {
    Refused(Refusal),
    Socket,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Socket
    }
}

struct Driver {
    stream: TcpStream,
    input: BytesMut,
    output: BytesMut,
    permit: Permit,
}

impl Driver {
    async fn handshake(&mut self, peer: IpAddr, environment: &Environment) -> Result<Decoder, End> {
        let properties = Arc::clone(&environment.server_properties);
        let mut handshake = Handshake::new(Arc::clone(&environment.config), properties, peer);
        while self.input.len() < PROTOCOL_HEADER.len() {
            self.read().await?;
        }
        let start = handshake.protocol_header(protocol_header(&self.input)).map_err(End::Refused)?;
        encode::method(0, &start.into(), &mut self.output);
        self.input.advance(PROTOCOL_HEADER.len());
        let mut decoder = Decoder::new(handshake.frame_max());
        loop {
            self.flush().await?;
            let Some((used, event)) =
                decoder.next(&self.input).map_err(|error| End::Refused(error.into()))?
            else {
                self.read().await?;
                continue;
            };
            let step = match event {
                Event::Method { channel, method, .. } => {
                    handshake.method(channel, &method, environment).map_err(End::Refused)?
                }
                Event::Heartbeat => Step::Await,
                Event::Header { .. } | Event::Body { .. } => return Err(End::Socket),
            };
            self.input.advance(used);
            decoder.set_frame_max(handshake.frame_max());
            if handshake.is_authenticated() {
                self.permit.authenticated();
            }
            match step {
                Step::Await => {}
                Step::Send(method) => encode::method(0, &method, &mut self.output),
                Step::Close => {
                    encode::method(0, &CloseOk {}.into(), &mut self.output);
                    self.flush().await?;
                    return Err(End::Socket);
                }
                Step::Open(negotiated) => {
                    encode::method(0, &OpenOk {}.into(), &mut self.output);
                    self.flush().await?;
                    if negotiated.heartbeat == 0 {
                        watch_without_heartbeats(&self.stream)?;
                    }
                    tracing::info!(
                        "connection {peer}: user '{}' authenticated and granted access to vhost '{}'",
                        negotiated.user.name(),
                        negotiated.vhost
                    );
                    return Ok(decoder);
                }
            }
        }
    }

    /// Waits for the peer's end or the broker's.
    async fn run(&mut self, mut decoder: Decoder, environment: &Environment) {
        let stopping = async { environment.stopping.cancelled().await };
        tokio::select! {
            () = stopping => {
                let text = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
                self.close(ReplyCode::ConnectionForced, text).await;
            }
            () = self.until_closed(&mut decoder) => {}
        }
    }

    async fn until_closed(&mut self, decoder: &mut Decoder) {
        loop {
            match decoder.next(&self.input) {
                Ok(None) => {
                    if self.read().await.is_err() {
                        return;
                    }
                }
                Ok(Some((used, event))) => {
                    let closes = matches!(
                        event,
                        Event::Method { method: Method::Connection(Connection::Close(_)), .. }
                    );
                    self.input.advance(used);
                    if closes {
                        encode::method(0, &CloseOk {}.into(), &mut self.output);
                        let _ = self.flush().await;
                        return;
                    }
                }
                Err(error) => return self.close(error.reply_code(), &error.reply_text()).await,
            }
        }
    }

    async fn close(&mut self, code: ReplyCode, text: &str) {
        let close = Close { reply_code: code.code(), reply_text: text, class_id: 0, method_id: 0 };
        encode::method(0, &close.into(), &mut self.output);
        let _ = self.flush().await;
        let _ = self.stream.shutdown().await;
    }

    async fn refuse(&mut self, refusal: &Refusal) {
        match &refusal.answer {
            Answer::ProtocolHeader => self.output.extend_from_slice(&PROTOCOL_HEADER),
            answer => {
                if let Some(close) = answer.method() {
                    encode::method(0, &close.into(), &mut self.output);
                }
            }
        }
        let _ = self.flush().await;
        let _ = self.stream.shutdown().await;
    }

    async fn read(&mut self) -> io::Result<()> {
        self.input.reserve(4096);
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.output).await
    }
}
