//! Answers that wait for the disk: what was asked for is done, and the client is told when it would outlive us.

use leveret_protocol::method::{exchange, queue, tx};

use super::Peer;
use super::get::Getting;
use crate::name::QueueName;
use crate::place::Batch;

/// How a method was served.
#[derive(Debug)]
pub enum Served {
    /// All that there is to say was said.
    Done,
    /// It is done, and to be answered as soon as this is reached; until then the channel serves nothing else.
    Awaits(Until, Answer),
    /// The message that it asks for is being read: to be served again when the recipient of the connection is told.
    Loads(Getting),
}

/// How far the journal must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// This group commit is on the disk.
    Synced(Batch),
    /// This group commit has been given to the operating system.
    Written(Batch),
}

/// What is said when a change would outlive us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `exchange.declare-ok`.
    ExchangeDeclared,
    /// `exchange.delete-ok`.
    ExchangeDeleted,
    /// `exchange.bind-ok`.
    ExchangeBound,
    /// `exchange.unbind-ok`.
    ExchangeUnbound,
    /// `queue.declare-ok`.
    QueueDeclared {
        /// The queue, named by us perhaps.
        queue: QueueName,
        /// Ready messages.
        message_count: u32,
        /// Consumers.
        consumer_count: u32,
    },
    /// `queue.delete-ok`.
    QueueDeleted {
        /// Ready messages that went with it.
        message_count: u32,
    },
    /// `queue.bind-ok`.
    QueueBound,
    /// `queue.unbind-ok`.
    QueueUnbound,
    /// `tx.commit-ok`.
    Committed,
}

impl Answer {
    /// Tells the client.
    pub fn tell(&self, channel: u16, peer: &mut dyn Peer) {
        let method = match self {
            Self::ExchangeDeclared => exchange::DeclareOk {}.into(),
            Self::ExchangeDeleted => exchange::DeleteOk {}.into(),
            Self::ExchangeBound => exchange::BindOk {}.into(),
            Self::ExchangeUnbound => exchange::UnbindOk {}.into(),
            Self::QueueDeclared { queue, message_count, consumer_count } => queue::DeclareOk {
                queue: queue.as_str(),
                message_count: *message_count,
                consumer_count: *consumer_count,
            }
            .into(),
            Self::QueueDeleted { message_count } => queue::DeleteOk { message_count: *message_count }.into(),
            Self::QueueBound => queue::BindOk {}.into(),
            Self::QueueUnbound => queue::UnbindOk {}.into(),
            Self::Committed => tx::CommitOk {}.into(),
        };
        peer.method(channel, method);
    }
}
