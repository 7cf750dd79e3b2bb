//! What is in force on a queue: its arguments, and the policies that match it. Pure.

use std::sync::Arc;
use std::time::Duration;

use leveret_protocol::table::{Table, Value};

use super::arguments as name;
use crate::name::ExchangeName;

/// What is in force on a queue. None of it changes what was declared, and all of it may change while the queue is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// How long a message may wait from its arrival on.
    pub message_ttl: Option<Duration>,
    /// How long the queue stays without being used.
    pub expires: Option<Duration>,
    /// How many messages may be ready.
    pub max_length: Option<u64>,
    /// How many bytes of bodies may be ready.
    pub max_length_bytes: Option<u64>,
    /// What happens when a limit is reached.
    pub overflow: Overflow,
    /// Where its dead messages go.
    pub dead_letter: Option<DeadLetter>,
    /// How often a message may come back before it is dead.
    pub delivery_limit: Option<u32>,
    /// Whether it is a queue of the type that counts in any case.
    pub is_quorum: bool,
    /// How long an unacked message may stay with a consumer.
    pub consumer_timeout: Option<Duration>,
    /// Whether messages wait here for the times that they ask for. Those that do when this ends wait on.
    pub scheduled: bool,
}

/// What happens when a queue is at its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The first messages go.
    #[default]
    DropHead,
    /// New messages are refused.
    RejectPublish,
    /// New messages are refused, and go where dead messages go.
    RejectPublishDeadLetter,
}

/// Where dead messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The exchange; it need not exist.
    pub exchange: ExchangeName,
    /// The routing key instead of a message's own.
    pub routing_key: Option<Arc<str>>,
    /// Whether a message stays until every queue that it is routed to has taken it.
    pub at_least_once: bool,
}

impl Terms {
    /// What the arguments of a declaration say, which were found good.
    pub fn declared(arguments: Table<'_>) -> Self {
        if arguments.is_empty() {
            return Self::default();
        }
        let milliseconds = |name| number(arguments, name).map(Duration::from_millis);
        let is_quorum = text(arguments, name::QUEUE_TYPE) == Some("quorum");
        let overflow = match text(arguments, name::OVERFLOW) {
            Some("reject-publish") => Overflow::RejectPublish,
            // RabbitMQ's quorum queues do not have the third.
            Some("reject-publish-dlx") if !is_quorum => Overflow::RejectPublishDeadLetter,
            _ => Overflow::DropHead,
        };
        let dead_letter = text(arguments, name::DEAD_LETTER_EXCHANGE).map(|exchange| DeadLetter {
            exchange: exchange.into(),
            routing_key: text(arguments, name::DEAD_LETTER_ROUTING_KEY).map(Arc::from),
            // RabbitMQ: only together with refusing, else there is no end to what waits.
            at_least_once: text(arguments, name::DEAD_LETTER_STRATEGY) == Some("at-least-once")
                && overflow == Overflow::RejectPublish,
        });
        let delivery_limit = arguments.get(name::DELIVERY_LIMIT).and_then(Value::as_integer);
        Self {
            message_ttl: milliseconds(name::MESSAGE_TTL),
            expires: milliseconds(name::EXPIRES),
            max_length: number(arguments, name::MAX_LENGTH),
            max_length_bytes: number(arguments, name::MAX_LENGTH_BYTES),
            overflow,
            dead_letter,
            is_quorum,
            delivery_limit: match delivery_limit {
                Some(limit) => u32::try_from(limit).ok(),
                None => is_quorum.then_some(QUORUM_DELIVERY_LIMIT),
            },
            consumer_timeout: milliseconds(name::CONSUMER_TIMEOUT).filter(|timeout| !timeout.is_zero()),
            scheduled: arguments.get(name::SCHEDULED).and_then(Value::as_bool) == Some(true),
        }
    }

    /// Whether consumers are told how often a message came back.
    pub fn counts(&self) -> bool {
        self.is_quorum || self.delivery_limit.is_some()
    }

    /// Whether new messages may be refused.
    pub fn may_refuse(&self) -> bool {
        self.overflow != Overflow::DropHead && (self.max_length.is_some() || self.max_length_bytes.is_some())
    }
}

/// How often a message of a quorum queue may come back that says nothing of it.
const QUORUM_DELIVERY_LIMIT: u32 = 20;

fn number(arguments: Table<'_>, name: &str) -> Option<u64> {
    arguments.get(name).and_then(Value::as_integer).and_then(|number| u64::try_from(number).ok())
}

fn text<'a>(arguments: Table<'a>, name: &str) -> Option<&'a str> {
    arguments.get(name).and_then(Value::as_str)
}
