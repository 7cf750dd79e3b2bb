//! What a queue was declared to be.

use leveret_protocol::method::queue::Declare;
use leveret_protocol::table::TableBuf;

use crate::equivalence::Inequivalence;

/// A declaration of a queue, read once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueOptions {
    /// Whether it survives a restart; an exclusive queue never does.
    pub durable: bool,
    /// Whether it belongs to the connection that declared it and goes with it.
    pub exclusive: bool,
    /// Whether it goes with its last consumer, once it had one.
    pub auto_delete: bool,
    /// The arguments as they were declared, unknown ones included.
    pub arguments: TableBuf,
}

/// The arguments in which a redeclaration must not differ.
const COMPARED: [&str; 16] = [
    "x-queue-type",
    "x-expires",
    "x-message-ttl",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-overflow",
    "x-queue-mode",
    "x-queue-version",
    "x-single-active-consumer",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-delivery-limit",
    "x-consumer-timeout",
    "x-message-group",
];

impl QueueOptions {
    /// Reads a declaration.
    pub fn declared(declare: &Declare<'_>) -> Self {
        Self {
            durable: declare.durable && !declare.exclusive,
            exclusive: declare.exclusive,
            auto_delete: declare.auto_delete,
            arguments: declare.arguments.to_owned(),
        }
    }

    /// The first difference to another declaration of the same queue, in RabbitMQ's order. Who owns an exclusive queue
    /// is not compared here, and its durability not at all.
    pub fn difference(&self, received: &Self) -> Option<Inequivalence> {
        let durable = if self.exclusive {
            None
        } else {
            Inequivalence::of_property("durable", received.durable, self.durable)
        };
        durable
            .or_else(|| Inequivalence::of_property("auto_delete", received.auto_delete, self.auto_delete))
            .or_else(|| {
                let (received, current) = (received.arguments.as_table(), self.arguments.as_table());
                COMPARED.into_iter().find_map(|name| Inequivalence::of_argument(name, received, current))
            })
    }
}
