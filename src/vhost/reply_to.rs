//! Direct reply-to: requesters that get their replies without a queue.
//!
//! A channel that consumes from `amq.rabbitmq.reply-to` is entered under a random token. The reply-to property of its
//! requests becomes `amq.rabbitmq.reply-to.<token>`, and what is published to that through the default exchange goes
//! straight to the requester's connection. A forged or stale token reaches nobody.

use std::sync::Arc;

use dashmap::DashMap;

use super::generated;
use crate::message::Message;
use crate::queue::delivery::{Delivery, Recipient, cost};
use crate::queue::ready::Position;
use crate::store::stored::Returns;

/// The name that requesters consume from and put into `reply_to`.
pub const PSEUDO_QUEUE: &str = "amq.rabbitmq.reply-to";

const PREFIX: &str = "amq.rabbitmq.reply-to.";

/// The name of one requester.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReplyName(Arc<str>);

impl ReplyName {
    /// The name that goes into `reply_to`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How far beyond its outbox's bound replies may wait for a requester. Nobody has promised that a reply arrives: one
/// beyond that is treated as if the requester had gone, so that a requester that does not read costs its repliers and
/// the broker little.
const OVERDRAFT_MAX_BYTES: usize = 16 * 1024 * 1024;

/// The requesters of a virtual host.
#[derive(Default)]
pub struct Requesters(DashMap<Arc<str>, Requester, foldhash::quality::RandomState>);

struct Requester {
    recipient: Arc<dyn Recipient>,
    slot: u32,
}

/// How a reply was taken.
pub enum Reply {
    /// There is no such requester, or none that reads.
    NoRequester,
    /// It is on its way.
    Sent,
    /// It is on its way, but the requester is behind: its repliers should wait.
    Behind(Arc<dyn Recipient>),
}

impl Requesters {
    /// Enters a requester, which numbers this consumer of its own `slot`.
    pub fn enter(&self, recipient: Arc<dyn Recipient>, slot: u32) -> ReplyName {
        let name: Arc<str> = generated::name(PREFIX).into();
        self.0.insert(Arc::clone(&name), Requester { recipient, slot });
        ReplyName(name)
    }

    /// Removes a requester.
    pub fn leave(&self, name: &ReplyName) {
        self.0.remove(&name.0);
    }

    /// Whether `routing_key` names a requester that is there.
    pub fn contains(&self, routing_key: &str) -> bool {
        is_reply_name(routing_key) && self.0.contains_key(routing_key)
    }

    /// Sends a reply.
    pub fn send(&self, message: &Message) -> Reply {
        let Some(requester) = self.0.get(message.routing_key()) else { return Reply::NoRequester };
        let message = message.clone();
        let bytes = cost(&message);
        let recipient = &requester.recipient;
        let room = recipient.reserve(bytes);
        if !room {
            if recipient.overdrawn() > OVERDRAFT_MAX_BYTES {
                return Reply::NoRequester;
            }
            recipient.charge(bytes);
        }
        let slot = requester.slot;
        recipient.deliver(&mut vec![Delivery {
            message,
            position: Position(0),
            unacked: None,
            slot,
            returns: Returns::default(),
            tells_returns: false,
            redelivered: false,
        }]);
        if room { Reply::Sent } else { Reply::Behind(Arc::clone(recipient)) }
    }
}

/// Whether a routing key can only mean a requester.
pub fn is_reply_name(routing_key: &str) -> bool {
    routing_key.starts_with(PREFIX)
}
