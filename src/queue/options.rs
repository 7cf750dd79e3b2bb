//! What a queue was declared to be.

use std::fmt;
use std::time::Duration;

use leveret_protocol::method::queue::Declare;
use leveret_protocol::table::{Table, TableBuf, TableBuilder, Value};

use super::arguments::{
    self, CACHE_SIZE, CACHE_TTL, DEAD_LETTER_EXCHANGE, InvalidArgument, MAX_PRIORITY, MESSAGE_DEDUPLICATION,
    MESSAGE_GROUP, MESSAGE_GROUP_LOOK_AHEAD, QUEUE_TYPE, SCHEDULED, SINGLE_ACTIVE_CONSUMER,
};
use super::deduplication::Deduplication;
use super::groups::{GroupBy, LOOK_AHEAD, MessageGroups};
use crate::equivalence::{Inequivalence, Resource};

/// A declaration of a queue, read once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "they are what a client says, each for itself")]
pub struct QueueOptions {
    /// Whether it survives a restart; an exclusive queue never does.
    pub durable: bool,
    /// Whether it belongs to the connection that declared it and goes with it.
    pub exclusive: bool,
    /// Whether it goes with its last consumer, once it had one.
    pub auto_delete: bool,
    /// Whether only one of its consumers gets messages, and another one when that has gone.
    pub single_active_consumer: bool,
    /// The highest priority of its messages; 0 when they have none.
    pub max_priority: u8,
    /// Its message groups, if it has any.
    pub message_groups: Option<MessageGroups>,
    /// How it knows which messages it had, if it is to know.
    pub deduplication: Option<Deduplication>,
    /// The arguments as they were declared, unknown ones included.
    pub arguments: TableBuf,
}

/// Why a queue cannot be declared like that.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidQueue {
    /// A queue of this type must have a name; RabbitMQ's word for the type.
    ServerNamed(&'static str),
    /// A queue of this type cannot have that property, as RabbitMQ calls it.
    Property(&'static str),
    /// `x-dead-letter-exchange` is of this type, and names are strings.
    DeadLetterExchangeType(&'static str),
    /// An argument that only streams have.
    NotOfType {
        /// The argument's name.
        argument: &'static str,
        /// RabbitMQ's word for the type.
        queue_type: &'static str,
    },
    /// An argument has a value that it cannot have.
    Argument(InvalidArgument),
}

/// Why the arguments of a queue cannot become these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidChange {
    /// No queue can have them.
    Argument(InvalidQueue),
    /// What is fixed at the declaration differs.
    Fixed(Inequivalence),
}

impl InvalidQueue {
    /// RabbitMQ's text about the queue `name` in `vhost`.
    pub fn text(&self, name: &str, vhost: &str) -> String {
        let queue = Resource { kind: "queue", name, vhost };
        match self {
            Self::ServerNamed(queue_type) => {
                format!("Cannot declare a server-named queue for type {queue_type}")
            }
            Self::Property(property) => format!("invalid property '{property}' for {queue}"),
            Self::DeadLetterExchangeType(type_name) => {
                format!("invalid type '{type_name}' for arg '{DEAD_LETTER_EXCHANGE}' in {queue}")
            }
            Self::NotOfType { argument, queue_type } => {
                format!("invalid arg '{argument}' for {queue} of queue type {queue_type}")
            }
            Self::Argument(InvalidArgument { argument, reason }) => {
                format!("invalid arg '{argument}' for {queue}: {reason}")
            }
        }
    }
}

impl fmt::Display for InvalidQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerNamed(queue_type) => write!(f, "a queue of type {queue_type} needs a name"),
            Self::Property(property) => write!(f, "invalid property '{property}'"),
            Self::DeadLetterExchangeType(type_name) => {
                write!(f, "invalid type '{type_name}' for arg '{DEAD_LETTER_EXCHANGE}'")
            }
            Self::NotOfType { argument, queue_type } => {
                write!(f, "invalid arg '{argument}' of queue type {queue_type}")
            }
            Self::Argument(InvalidArgument { argument, reason }) => {
                write!(f, "invalid arg '{argument}': {reason}")
            }
        }
    }
}

impl std::error::Error for InvalidQueue {}

const CLASSIC: &str = "rabbit_classic_queue";
const QUORUM: &str = "rabbit_quorum_queue";

impl QueueOptions {
    /// Reads a declaration. What is wrong with it is found in RabbitMQ's order.
    ///
    /// # Errors
    /// A known argument has a value that it cannot have, or a quorum queue has no name, is not durable, exclusive or
    /// goes by itself.
    pub fn declared(declare: &Declare<'_>) -> Result<Self, InvalidQueue> {
        let table = declare.arguments;
        let is_quorum = !table.is_empty() && table.get(QUEUE_TYPE).and_then(Value::as_str) == Some("quorum");
        if is_quorum && declare.queue.is_empty() {
            return Err(InvalidQueue::ServerNamed(QUORUM));
        }
        check_arguments(table, is_quorum)?;
        if is_quorum {
            check_quorum(declare)?;
        }
        Ok(Self {
            durable: declare.durable && !declare.exclusive,
            exclusive: declare.exclusive,
            ..Self::restored(declare.auto_delete, table.to_owned())
        })
    }

    /// A durable queue as it was declared to an earlier run, which has checked the arguments.
    pub fn restored(auto_delete: bool, arguments: TableBuf) -> Self {
        let max_priority = arguments.as_table().get(MAX_PRIORITY).and_then(Value::as_integer).unwrap_or(0);
        let single_active = arguments.as_table().get(SINGLE_ACTIVE_CONSUMER).and_then(Value::as_bool);
        Self {
            durable: true,
            exclusive: false,
            auto_delete,
            single_active_consumer: single_active == Some(true),
            max_priority: u8::try_from(max_priority).unwrap_or(0),
            message_groups: message_groups(arguments.as_table()),
            deduplication: Deduplication::said(arguments.as_table()),
            arguments,
        }
    }

    /// A queue that nobody declares, for messages that wait for their times.
    pub fn scheduling(durable: bool) -> Self {
        let arguments = TableBuilder::new().bool(SCHEDULED, true).finish();
        Self { durable, arguments, ..Self::default() }
    }

    /// A queue that nobody declares and that has no messages: it knows `size` keys, of which those that say nothing of a
    /// time are known for `ttl`, or as long as there is room.
    pub fn remembering(durable: bool, size: u32, ttl: Option<Duration>) -> Self {
        let arguments = TableBuilder::new().bool(MESSAGE_DEDUPLICATION, true).long(CACHE_SIZE, size.into());
        let arguments = match ttl {
            Some(ttl) => arguments.long(CACHE_TTL, i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX)),
            None => arguments,
        };
        Self { durable, ..Self::restored(false, arguments.finish()) }
    }

    /// Whether it has the semantics of RabbitMQ's quorum queues.
    pub fn is_quorum(&self) -> bool {
        !self.arguments.is_empty()
            && self.arguments.as_table().get(QUEUE_TYPE).and_then(Value::as_str) == Some("quorum")
    }

    /// The same queue with other arguments.
    ///
    /// # Errors
    /// An argument has a value that it cannot have, or is fixed and would be another.
    pub fn changed(&self, arguments: TableBuf) -> Result<Self, InvalidChange> {
        check_arguments(arguments.as_table(), self.is_quorum()).map_err(InvalidChange::Argument)?;
        let (received, current) = (arguments.as_table(), self.arguments.as_table());
        let fixed = arguments::fixed().find_map(|name| Inequivalence::of_argument(name, received, current));
        match fixed {
            Some(difference) => Err(InvalidChange::Fixed(difference)),
            None => Ok(Self { arguments, ..self.clone() }),
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
                if received == current {
                    return None;
                }
                arguments::known().find_map(|name| Inequivalence::of_argument(name, received, current))
            })
    }
}

fn message_groups(arguments: Table<'_>) -> Option<MessageGroups> {
    let by = GroupBy::named(arguments.get(MESSAGE_GROUP)?.as_str()?);
    let wanted = arguments.get(MESSAGE_GROUP_LOOK_AHEAD).and_then(Value::as_integer);
    let look_ahead = wanted.and_then(|wanted| u32::try_from(wanted).ok()).unwrap_or(LOOK_AHEAD);
    Some(MessageGroups { by, look_ahead: look_ahead.clamp(1, LOOK_AHEAD) })
}

fn check_arguments(table: Table<'_>, is_quorum: bool) -> Result<(), InvalidQueue> {
    check_dead_letter_exchange(table)?;
    arguments::check(table).map_err(InvalidQueue::Argument)?;
    match arguments::of_streams(table) {
        Some(argument) => {
            let queue_type = if is_quorum { QUORUM } else { CLASSIC };
            Err(InvalidQueue::NotOfType { argument, queue_type })
        }
        None => Ok(()),
    }
}

fn check_dead_letter_exchange(table: Table<'_>) -> Result<(), InvalidQueue> {
    match table.get(DEAD_LETTER_EXCHANGE) {
        None | Some(Value::LongStr(_)) => Ok(()),
        Some(value) => Err(InvalidQueue::DeadLetterExchangeType(value.type_name())),
    }
}

/// A quorum queue belongs to everyone and stays.
fn check_quorum(declare: &Declare<'_>) -> Result<(), InvalidQueue> {
    let refused = [
        (declare.auto_delete, "auto-delete"),
        (declare.exclusive, "exclusive-owner"),
        (!declare.durable, "non-durable"),
    ];
    match refused.into_iter().find(|(wrong, _)| *wrong) {
        Some((_, property)) => Err(InvalidQueue::Property(property)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
