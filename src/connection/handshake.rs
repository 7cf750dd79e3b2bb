//! From the protocol header to an open connection.
//!
//! ```text
//! header -> start -> AwaitStartOk -> tune -> AwaitTuneOk -> AwaitOpen -> open-ok
//! ```
//! Pure: it is given what the peer sent and says what to answer. Deadlines, bytes and the log are the caller's.
//! RabbitMQ drops most peers that fail here after three seconds without a frame; we tell them why and at once, but for
//! a failed login, which only those are told who announced that they understand it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use leveret_protocol::decode::{Looks, ProtocolHeader};
use leveret_protocol::method::connection::{Method as Connection, Open, Start, StartOk, Tune, TuneOk};
use leveret_protocol::method::{Method, connection};
use leveret_protocol::table::TableBuf;
use leveret_protocol::{DecodeError, ReplyCode};

use super::capabilities::ClientCapabilities;
use crate::access::{LoginRefused, Origin, Place};
use crate::auth::{Claim, Mechanism, User};
use crate::channel::exception::Exception;
use crate::config::{Config, FRAME_MIN_SIZE};
use crate::name::VhostName;

/// What the handshake asks of the broker.
pub trait Gatekeeper {
    /// The user that a peer from there claims to be.
    fn log_in(&self, claim: Claim<'_>, origin: &Origin) -> Result<Arc<User>, LoginRefused>;

    /// A login from there has failed: how long its answer is to be delayed.
    fn failed(&self, origin: &Origin) -> Duration;

    /// Whether `user` may open a connection to `vhost`, and its places there.
    fn enter(&self, user: &User, vhost: &VhostName) -> Result<Entry, EntryRefused>;
}

/// Where an open connection counts.
#[derive(Debug, Default)]
pub struct Entry {
    /// Among those of its user.
    pub of_user: Option<Place>,
    /// Among those of its virtual host.
    pub of_vhost: Option<Place>,
}

/// Whoever does not understand a refused login waits at least so long for the end of the socket, so that clients that try
/// again at once do not do it all the time.
const SILENT_CLOSE_DELAY: Duration = Duration::from_secs(1);

/// Why a virtual host cannot be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryRefused {
    /// There is none of that name.
    NoSuchVhost,
    /// The user has no permissions in it.
    AccessRefused,
    /// As many connections as it may have are open.
    VhostConnectionLimit(u64),
    /// The user has as many connections as it may have.
    UserConnectionLimit(u64),
}

/// The handshake of one connection.
#[derive(Debug)]
pub struct Handshake {
    config: Arc<Config>,
    server_properties: Arc<TableBuf>,
    origin: Origin,
    /// Names of mechanisms, with blanks between them.
    offered: String,
    state: State,
}

#[derive(Debug)]
enum State {
    AwaitHeader,
    AwaitStartOk,
    AwaitTuneOk(Login),
    AwaitOpen(Login, TuneOk),
    Over,
}

#[derive(Debug)]
struct Login {
    user: Arc<User>,
    mechanism: Mechanism,
    client_properties: TableBuf,
    capabilities: ClientCapabilities,
}

/// What both sides have agreed on.
#[derive(Debug)]
pub struct Negotiated {
    /// The largest frame, in bytes, header and end included.
    pub frame_max: u32,
    /// How many channels may be open at a time.
    pub channel_max: u16,
    /// The heartbeat interval in seconds; 0 is none.
    pub heartbeat: u16,
    /// Who is at the other end.
    pub user: Arc<User>,
    /// How it logged in.
    pub mechanism: Mechanism,
    /// The virtual host that was entered.
    pub vhost: VhostName,
    /// What the client says about itself.
    pub client_properties: TableBuf,
    /// What the client can do.
    pub capabilities: ClientCapabilities,
    /// Where the connection counts.
    pub entry: Entry,
}

/// What is to be done after a method.
#[derive(Debug)]
pub enum Step {
    /// Send this on channel 0.
    Send(Method<'static>),
    /// Nothing: the next method is the peer's.
    Await,
    /// Send `connection.open-ok`: the connection is open.
    Open(Box<Negotiated>),
    /// The peer has ended the connection: send `connection.close-ok` and close.
    Close,
}

impl Handshake {
    /// A handshake with a peer that has sent nothing yet, and may choose one of these mechanisms.
    pub fn new(
        config: Arc<Config>,
        server_properties: Arc<TableBuf>,
        origin: Origin,
        offered: impl IntoIterator<Item = Mechanism>,
    ) -> Self {
        let offered: Vec<&str> = offered.into_iter().map(Mechanism::name).collect();
        Self { config, server_properties, origin, offered: offered.join(" "), state: State::AwaitHeader }
    }

    /// The largest frame that may be read now, in bytes: small until the peer is known and has tuned.
    pub fn frame_max(&self) -> u32 {
        match &self.state {
            State::AwaitOpen(_, tuned) => tuned.frame_max,
            _ => self.config.initial_frame_max,
        }
    }

    /// Whether the peer has said who it is.
    pub fn is_authenticated(&self) -> bool {
        matches!(self.state, State::AwaitTuneOk(_) | State::AwaitOpen(..))
    }

    /// Takes the first eight bytes; the answer is `connection.start`.
    pub fn protocol_header(&mut self, header: ProtocolHeader) -> Result<Start<'_>, Refusal> {
        match header {
            ProtocolHeader::Complete(version) if version.is_supported() => {}
            ProtocolHeader::Complete(version) => {
                let [id, major, minor, revision] = version.0;
                return Err(Refusal::header(format!(
                    "AMQP version {id} {major} {minor} {revision} is not spoken here"
                )));
            }
            ProtocolHeader::Invalid(looks) => return Err(Refusal::header(hint(looks).to_owned())),
            ProtocolHeader::Incomplete => {
                return Err(Refusal::header("incomplete protocol header".to_owned()));
            }
        }
        self.state = State::AwaitStartOk;
        Ok(Start {
            version_major: 0,
            version_minor: 9,
            server_properties: self.server_properties.as_table(),
            mechanisms: self.offered.as_bytes(),
            locales: b"en_US",
        })
    }

    /// Takes a method. After a refusal the handshake is over.
    pub fn method(
        &mut self,
        channel: u16,
        method: &Method<'_>,
        gatekeeper: &impl Gatekeeper,
    ) -> Result<Step, Refusal> {
        let state = std::mem::replace(&mut self.state, State::Over);
        let state_name = state.name();
        match (state, method) {
            (State::AwaitStartOk, Method::Connection(Connection::StartOk(start_ok))) if channel == 0 => {
                self.start_ok(start_ok, gatekeeper)
            }
            (State::AwaitTuneOk(login), Method::Connection(Connection::TuneOk(tune_ok))) if channel == 0 => {
                self.tune_ok(login, *tune_ok)
            }
            (State::AwaitOpen(login, tuned), Method::Connection(Connection::Open(open))) if channel == 0 => {
                open_vhost(login, tuned, open, gatekeeper)
            }
            (_, Method::Connection(Connection::Close(_))) if channel == 0 => Ok(Step::Close),
            (_, method) => {
                let text = format!("unexpected method in connection state {state_name}");
                Err(Refusal::close(ReplyCode::CommandInvalid, method.id(), &text))
            }
        }
    }

    fn start_ok(&mut self, start_ok: &StartOk<'_>, gatekeeper: &impl Gatekeeper) -> Result<Step, Refusal> {
        let capabilities = ClientCapabilities::parse(start_ok.client_properties);
        let is_offered = |mechanism: &Mechanism| self.offered.split(' ').any(|name| name == mechanism.name());
        let Some(mechanism) = Mechanism::from_name(start_ok.mechanism).filter(is_offered) else {
            let text = format!("unknown authentication mechanism '{}'", start_ok.mechanism);
            return Err(Refusal::close(ReplyCode::CommandInvalid, StartOk::ID, &text));
        };
        let Ok(claim) = mechanism.parse(start_ok.response) else {
            let text = format!("malformed {} response", mechanism.name());
            return Err(Refusal::close(ReplyCode::SyntaxError, StartOk::ID, &text));
        };
        let user = gatekeeper.log_in(claim, &self.origin).map_err(|reason| {
            let login = match claim {
                Claim::Password(credentials) => credentials.login,
                Claim::Certificate => self.origin.certificate.as_deref().unwrap_or_default(),
                Claim::Anonymous => "",
            };
            login_refused(mechanism, login, reason, capabilities, gatekeeper.failed(&self.origin))
        })?;
        let client_properties = start_ok.client_properties.to_owned();
        self.state = State::AwaitTuneOk(Login { user, mechanism, client_properties, capabilities });
        let Config { channel_max, frame_max, heartbeat, .. } = *self.config;
        Ok(Step::Send(Tune { channel_max, frame_max, heartbeat }.into()))
    }

    fn tune_ok(&mut self, login: Login, tune_ok: TuneOk) -> Result<Step, Refusal> {
        let Config { channel_max, frame_max, .. } = *self.config;
        check_tuned("frame_max", tune_ok.frame_max, FRAME_MIN_SIZE, frame_max)?;
        check_tuned("channel_max", tune_ok.channel_max.into(), 1, channel_max.into())?;
        self.state = State::AwaitOpen(login, tune_ok);
        Ok(Step::Await)
    }
}

impl State {
    /// RabbitMQ's name of the state, as it stands in its reply texts.
    const fn name(&self) -> &'static str {
        match self {
            Self::AwaitHeader => "pre_init",
            Self::AwaitStartOk => "starting",
            Self::AwaitTuneOk(_) => "tuning",
            Self::AwaitOpen(..) => "opening",
            Self::Over => "closing",
        }
    }
}

const fn hint(looks: Looks) -> &'static str {
    match looks {
        Looks::Http => "this is not AMQP: it looks like HTTP",
        Looks::Tls => "this is not AMQP: it looks like TLS, which this port does not speak",
        Looks::Proxy => {
            "this is not AMQP: it looks like the PROXY protocol, which is off (proxy_protocol.enabled)"
        }
        Looks::Unknown => "this is not AMQP",
    }
}

/// Zero asks for no limit, which is more than any.
fn check_tuned(field: &str, tuned: u32, min: u32, max: u32) -> Result<(), Refusal> {
    let text = if tuned == 0 || tuned > max {
        format!("negotiated {field} = {tuned} is higher than the maximum allowed value ({max})")
    } else if tuned < min {
        format!("negotiated {field} = {tuned} is lower than the minimum allowed value ({min})")
    } else {
        return Ok(());
    };
    Err(Refusal::close(ReplyCode::NotAllowed, TuneOk::ID, &text))
}

fn open_vhost(
    login: Login,
    tuned: TuneOk,
    open: &Open<'_>,
    gatekeeper: &impl Gatekeeper,
) -> Result<Step, Refusal> {
    let Login { user, mechanism, client_properties, capabilities } = login;
    let vhost = VhostName::from(open.virtual_host);
    let entry = gatekeeper.enter(&user, &vhost).map_err(|reason| {
        let text = entry_text(reason, &vhost, &user);
        Refusal::close(ReplyCode::NotAllowed, Open::ID, &text)
    })?;
    let TuneOk { channel_max, frame_max, heartbeat } = tuned;
    Ok(Step::Open(Box::new(Negotiated {
        frame_max,
        channel_max,
        heartbeat,
        user,
        mechanism,
        vhost,
        client_properties,
        capabilities,
        entry,
    })))
}

fn entry_text(reason: EntryRefused, vhost: &VhostName, user: &User) -> String {
    let user = &user.name;
    match reason {
        EntryRefused::NoSuchVhost => format!("vhost {vhost} not found"),
        EntryRefused::AccessRefused => format!("access to vhost '{vhost}' refused for user '{user}'"),
        EntryRefused::VhostConnectionLimit(limit) => format!(
            "access to vhost '{vhost}' refused for user '{user}': connection limit ({limit}) is reached; \
             it is max-connections of the vhost"
        ),
        EntryRefused::UserConnectionLimit(limit) => format!(
            "connection refused for user '{user}': user connection limit ({limit}) is reached; \
             it is max-connections of the user"
        ),
    }
}

/// The peer learns that it was refused, not why; the log does.
fn login_refused(
    mechanism: Mechanism,
    login: &str,
    reason: LoginRefused,
    capabilities: ClientCapabilities,
    delay: Duration,
) -> Refusal {
    let mechanism = mechanism.name();
    let answer = if capabilities.authentication_failure_close {
        let text = format!(
            "Login was refused using authentication mechanism {mechanism}. For details see the broker logfile."
        );
        Answer::close(ReplyCode::AccessRefused, (0, 0), &text)
    } else {
        Answer::Drop
    };
    let delay = if answer == Answer::Drop { delay.max(SILENT_CLOSE_DELAY) } else { delay };
    Refusal { answer, log: format!("{mechanism} login refused: user '{login}' - {reason}"), delay }
}

/// Why a handshake failed, and how the peer learns of it. Displays as a line for the log, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What to send.
    pub answer: Answer,
    /// How long to wait before that.
    pub delay: Duration,
    log: String,
}

/// What a peer that is refused is sent before its socket is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The protocol header that we speak.
    ProtocolHeader,
    /// `connection.close`.
    Close {
        /// The reply code and text.
        exception: Exception,
        /// Class and method id of the method that was refused.
        method: (u16, u16),
    },
    /// Nothing.
    Drop,
}

impl Answer {
    fn close(code: ReplyCode, method: (u16, u16), text: &str) -> Self {
        Self::Close { exception: Exception::new(code, text), method }
    }

    /// The method to send, if it is one.
    pub fn method(&self) -> Option<connection::Close<'_>> {
        let Self::Close { exception, method: (class_id, method_id) } = self else { return None };
        Some(connection::Close {
            reply_code: exception.code.code(),
            reply_text: &exception.text,
            class_id: *class_id,
            method_id: *method_id,
        })
    }
}

impl Refusal {
    fn header(log: String) -> Self {
        Self { answer: Answer::ProtocolHeader, log, delay: Duration::ZERO }
    }

    fn close(code: ReplyCode, method: (u16, u16), text: &str) -> Self {
        Self { answer: Answer::close(code, method, text), log: text.to_owned(), delay: Duration::ZERO }
    }
}

/// A frame that cannot be read ends a handshake as it ends an open connection.
impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        Self::close(error.reply_code(), error.method, &error.to_string())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.log)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests;
