//! What a client is told that asked for what it may not have, or broke the protocol.
//!
//! Here, and only here, refusals become reply codes and texts. The texts are RabbitMQ's: client libraries and people
//! match on them.

use std::time::Duration;

use leveret_protocol::reply_code::ReplyCode;

use crate::access::ChannelRefused;
use crate::auth::{DEFAULT_EXCHANGE, Denied, Resource as Protected, Rights};
use crate::equivalence::Resource;
use crate::name::{QueueName, UserName, VhostName};
use crate::vhost::refused::Refused;

/// The end of a channel, or of the whole connection when the code is a hard one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// What kind of wrong it is; decides what is closed.
    pub code: ReplyCode,
    /// The whole reply text, `NAME - text`.
    pub text: String,
}

impl Exception {
    /// An exception; the code's name goes before the text. What passes the 255 bytes of a short string is cut, and
    /// three dots say so, as in RabbitMQ.
    pub fn new(code: ReplyCode, text: impl AsRef<str>) -> Self {
        let mut text = format!("{} - {}", code.name(), text.as_ref());
        if text.len() > TEXT_MAX {
            text.truncate(text.floor_char_boundary(TEXT_MAX - 3));
            text.push_str("...");
        }
        Self { code, text }
    }
}

/// Bytes of a short string.
const TEXT_MAX: usize = 255;

macro_rules! exceptions {
    ($($(#[$doc:meta])* $name:ident $code:ident)*) => {$(
        $(#[$doc])*
        pub fn $name(text: impl AsRef<str>) -> Exception {
            Exception::new(ReplyCode::$code, text)
        }
    )*};
}

exceptions! {
    /// 320, closes the connection.
    connection_forced ConnectionForced
    /// 403, closes the channel.
    access_refused AccessRefused
    /// 404, closes the channel.
    not_found NotFound
    /// 405, closes the channel.
    resource_locked ResourceLocked
    /// 406, closes the channel.
    precondition_failed PreconditionFailed
    /// 501, closes the connection.
    frame_error FrameError
    /// 503, closes the connection.
    command_invalid CommandInvalid
    /// 504, closes the connection.
    channel_error ChannelError
    /// 505, closes the connection.
    unexpected_frame UnexpectedFrame
    /// 506, closes the connection.
    resource_error ResourceError
    /// 530, closes the connection.
    not_allowed NotAllowed
    /// 540, closes the connection.
    not_implemented NotImplemented
    /// 541, closes the connection.
    internal_error InternalError
}

/// A delivery was not settled in time.
pub fn delivery_timed_out(channel: u16, timeout: Duration) -> Exception {
    precondition_failed(format!(
        "delivery acknowledgement on channel {channel} timed out. Timeout value used: {} ms. \
         This timeout value can be configured: it is x-consumer-timeout or the policy consumer-timeout of the queue, \
         or consumer_timeout in the configuration",
        timeout.as_millis()
    ))
}

/// What a refusal is about.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A queue.
    Queue(&'a str),
    /// An exchange.
    Exchange(&'a str),
}

impl Subject<'_> {
    fn kind(self) -> &'static str {
        match self {
            Self::Queue(_) => "queue",
            Self::Exchange(_) => "exchange",
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Queue(name) | Self::Exchange(name) => name,
        }
    }
}

/// The exception for what a virtual host refused.
pub fn refused(refused: &Refused, subject: Subject<'_>, vhost: &VhostName) -> Exception {
    let (kind, name) = (subject.kind(), subject.name());
    match refused {
        Refused::NoQueue => no_queue(name, vhost),
        Refused::NoExchange | Refused::NoSource => no_exchange(name, vhost),
        Refused::Inequivalent(difference) => {
            precondition_failed(difference.text(Resource { kind, name, vhost: vhost.as_str() }))
        }
        Refused::ReservedPrefix => {
            access_refused(format!("{kind} name '{name}' contains reserved prefix 'amq.*'"))
        }
        Refused::Locked => resource_locked(format!(
            "cannot obtain exclusive access to locked queue '{name}' in vhost '{vhost}'. It could be originally \
             declared on another connection or the exclusive property value does not match that of the original \
             declaration."
        )),
        Refused::InUse => precondition_failed(format!("{kind} '{name}' in vhost '{vhost}' in use")),
        Refused::NotEmpty => precondition_failed(format!("{kind} '{name}' in vhost '{vhost}' not empty")),
        Refused::ExclusiveUse => {
            access_refused(format!("{kind} '{name}' in vhost '{vhost}' in exclusive use"))
        }
        Refused::DefaultExchange => access_refused("operation not permitted on the default exchange"),
        Refused::SystemExchange => {
            access_refused(format!("deletion of system exchange '{name}' in vhost '{vhost}' not allowed"))
        }
        Refused::InternalExchange => {
            access_refused(format!("cannot publish to internal exchange '{name}' in vhost '{vhost}'"))
        }
        Refused::InvalidBinding(text) => precondition_failed(text),
        Refused::QueueLimit(max) => precondition_failed(format!(
            "cannot declare {kind} '{name}': queue limit in vhost '{vhost}' ({max}) is reached; \
             it is max-queues of the vhost"
        )),
        Refused::NodeQueueLimit(max) => precondition_failed(format!(
            "cannot declare {kind} '{name}': queue limit in cluster ({max}) is reached; \
             it is cluster_queue_limit in the configuration"
        )),
        Refused::NodeExchangeLimit(max) => precondition_failed(format!(
            "cannot declare {kind} '{name}' in vhost '{vhost}': exchange limit of {max} is reached; \
             it is cluster_exchange_limit in the configuration"
        )),
        Refused::VhostEnds => connection_forced(vhost_deleted(vhost)),
        Refused::Crashed => {
            internal_error(format!("{kind} '{name}' in vhost '{vhost}' failed and must be deleted"))
        }
    }
}

/// The user may not do that.
pub fn denied(refused: &Denied<'_>, rights: &Rights) -> Exception {
    access_refused(denied_text(refused, rights))
}

/// What the user may not do, without the name of a code.
pub fn denied_text(refused: &Denied<'_>, rights: &Rights) -> String {
    let (action, vhost, user) = (refused.action, &rights.vhost, &rights.user.name);
    match refused.resource {
        Protected::Vhost => format!("access to vhost '{vhost}' refused for user '{user}'"),
        Protected::Queue(name) => {
            format!("{action} access to queue '{name}' in vhost '{vhost}' refused for user '{user}'")
        }
        Protected::Exchange(name) => {
            let name = if name.is_empty() { DEFAULT_EXCHANGE } else { name };
            format!("{action} access to exchange '{name}' in vhost '{vhost}' refused for user '{user}'")
        }
        Protected::Topic(exchange, key) => format!(
            "{action} access to topic '{key}' in exchange '{exchange}' in vhost '{vhost}' refused for user '{user}'"
        ),
    }
}

/// What clients of a virtual host are told that is deleted.
pub fn vhost_deleted(vhost: &VhostName) -> String {
    format!("vhost '{vhost}' is deleted")
}

/// What clients of a user are told that is deleted.
pub fn user_deleted(user: &UserName) -> String {
    format!("user '{user}' is deleted")
}

/// How a broker is called in texts that name one of a cluster.
const NODE: &str = "leveret";

/// A channel has as many consumers as it may have.
pub fn too_many_consumers(max: u64) -> Exception {
    not_allowed(format!(
        "reached maximum ({max}) of consumers per channel; it is consumer_max_per_channel in the configuration"
    ))
}

/// As many channels are open as may be.
pub fn too_many_channels(refused: ChannelRefused, user: &UserName) -> Exception {
    not_allowed(match refused {
        ChannelRefused::User(max) => format!(
            "number of channels opened for user '{user}' has reached the maximum allowed user limit of {max}; \
             it is max-channels of the user"
        ),
        ChannelRefused::Node(max) => format!(
            "number of channels opened on node '{NODE}' has reached the maximum allowed limit of {max}; \
             it is channel_max_per_node in the configuration"
        ),
    })
}

/// A queue failed us under its lock; nothing of it can be trusted.
pub fn crashed_queue(name: &QueueName, vhost: &VhostName) -> Exception {
    refused(&Refused::Crashed, Subject::Queue(name.as_str()), vhost)
}

/// There is no such queue.
pub fn no_queue(name: &str, vhost: &VhostName) -> Exception {
    not_found(format!("no queue '{name}' in vhost '{vhost}'"))
}

/// There is no such exchange.
pub fn no_exchange(name: &str, vhost: &VhostName) -> Exception {
    not_found(format!("no exchange '{name}' in vhost '{vhost}'"))
}

/// The client named a delivery tag that is not out.
pub fn unknown_delivery_tag(tag: u64) -> Exception {
    precondition_failed(format!("unknown delivery tag {tag}"))
}
