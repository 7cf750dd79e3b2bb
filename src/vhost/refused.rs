//! Why a virtual host refuses what was asked of it. What a client is told of it is the channel's business.

use crate::equivalence::Inequivalence;
use crate::queue::Gone;

/// A refusal, without the names of what was asked for: the caller knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such queue.
    NoQueue,
    /// There is no such exchange.
    NoExchange,
    /// The exchange that a binding is to lead from does not exist.
    NoSource,
    /// It exists and was declared otherwise.
    Inequivalent(Inequivalence),
    /// A new name must not begin with `amq.`.
    ReservedPrefix,
    /// The queue is exclusive to another connection.
    Locked,
    /// It has consumers, or bindings, and `if-unused` was asked for.
    InUse,
    /// It has messages and `if-empty` was asked for.
    NotEmpty,
    /// Another consumer has the queue exclusively, or exclusive use was asked for beside others.
    ExclusiveUse,
    /// The default exchange can be neither declared, deleted nor bound.
    DefaultExchange,
    /// An exchange that every virtual host has cannot be deleted.
    SystemExchange,
    /// Only other exchanges may publish to an internal exchange.
    InternalExchange,
    /// A binding's arguments are wrong; the text says how.
    InvalidBinding(String),
    /// The virtual host has as many queues as it may have, which is so many.
    QueueLimit(u64),
    /// All virtual hosts together have as many queues as they may have, which is so many.
    NodeQueueLimit(u64),
    /// The same of exchanges.
    NodeExchangeLimit(u64),
    /// The virtual host is being deleted.
    VhostEnds,
    /// A queue's fault of our own.
    Crashed,
}

impl From<Gone> for Refused {
    fn from(gone: Gone) -> Self {
        match gone {
            Gone::Deleted => Self::NoQueue,
            Gone::Crashed => Self::Crashed,
        }
    }
}
