//! What is in force on a queue: its arguments, and the policies that match it. Pure.

use std::sync::Arc;
use std::time::Duration;

use leveret_protocol::table::{Table, Value};

use super::arguments as name;
use super::retry::{Retry, thousandths};
use crate::name::ExchangeName;
use crate::policy::Definition;
use crate::rate::{self, RateLimit, RateOverflow};

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
    /// How messages wait that come back.
    pub retry: Option<Retry>,
    /// Whether it is a queue of the type that counts in any case.
    pub is_quorum: bool,
    /// How long an unacked message may stay with a consumer.
    pub consumer_timeout: Option<Duration>,
    /// Whether messages wait here for the times that they ask for. Those that do when this ends wait on.
    pub scheduled: bool,
    /// How much may be published to it in a second.
    pub publish_rate: RateLimit,
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
        Self::merged(arguments, Definition::NONE)
    }

    /// The same as [`Self::merged`], with the time that a delivery may be out where neither says it. One that says 0 has none.
    pub fn in_force(arguments: Table<'_>, policies: &Definition, default_timeout: Option<Duration>) -> Self {
        let terms = Self::merged(arguments, policies);
        let said = Said { arguments, policies }.least(name::CONSUMER_TIMEOUT, "consumer-timeout");
        match default_timeout.filter(|timeout| said.is_none() && !timeout.is_zero()) {
            None => terms,
            default => Self { consumer_timeout: default, ..terms },
        }
    }

    /// What the arguments of a declaration say together with the policies that match the queue. RabbitMQ: of two numbers
    /// the lower holds, else the argument, but of quorum queues the policy decides what happens at a limit.
    pub fn merged(arguments: Table<'_>, policies: &Definition) -> Self {
        if arguments.is_empty() && policies.is_empty() {
            return Self::default();
        }
        let said = Said { arguments, policies };
        let milliseconds = |name, key| said.least(name, key).map(Duration::from_millis);
        let is_quorum = text(arguments, name::QUEUE_TYPE) == Some("quorum");
        let overflow = if is_quorum {
            said.policy_first(name::OVERFLOW, "overflow")
        } else {
            said.argument_first(name::OVERFLOW, "overflow")
        };
        let overflow = match overflow {
            Some("reject-publish") => Overflow::RejectPublish,
            // RabbitMQ's quorum queues do not have the third.
            Some("reject-publish-dlx") if !is_quorum => Overflow::RejectPublishDeadLetter,
            _ => Overflow::DropHead,
        };
        let exchange = said.argument_first(name::DEAD_LETTER_EXCHANGE, "dead-letter-exchange");
        let routing_key = said.argument_first(name::DEAD_LETTER_ROUTING_KEY, "dead-letter-routing-key");
        let strategy = said.argument_first(name::DEAD_LETTER_STRATEGY, "dead-letter-strategy");
        let dead_letter = exchange.map(|exchange| DeadLetter {
            exchange: exchange.into(),
            routing_key: routing_key.map(Arc::from),
            // RabbitMQ: only together with refusing, else there is no end to what waits.
            at_least_once: strategy == Some("at-least-once") && overflow == Overflow::RejectPublish,
        });
        Self {
            message_ttl: milliseconds(name::MESSAGE_TTL, "message-ttl"),
            expires: milliseconds(name::EXPIRES, "expires"),
            max_length: said.least(name::MAX_LENGTH, "max-length"),
            max_length_bytes: said.least(name::MAX_LENGTH_BYTES, "max-length-bytes"),
            overflow,
            dead_letter,
            is_quorum,
            delivery_limit: match said.limit(name::DELIVERY_LIMIT, "delivery-limit") {
                Some(limit) => u32::try_from(limit).ok(),
                None => is_quorum.then_some(QUORUM_DELIVERY_LIMIT),
            },
            retry: Retry::said(
                said.policy_first(name::DELAYED_RETRY_TYPE, "delayed-retry-type"),
                said.least(name::DELAYED_RETRY_MIN, "delayed-retry-min"),
                said.least(name::DELAYED_RETRY_MAX, "delayed-retry-max"),
                said.factor(),
                said.jitter(),
            ),
            consumer_timeout: milliseconds(name::CONSUMER_TIMEOUT, "consumer-timeout")
                .filter(|timeout| !timeout.is_zero()),
            scheduled: said.is_so(name::SCHEDULED, "scheduled"),
            publish_rate: said.publish_rate(),
        }
    }

    /// Whether consumers are told how often a message came back.
    pub fn counts(&self) -> bool {
        self.is_quorum || self.delivery_limit.is_some() || self.retry.is_some()
    }

    /// Whether new messages may be refused.
    pub fn may_refuse(&self) -> bool {
        self.overflow != Overflow::DropHead && (self.max_length.is_some() || self.max_length_bytes.is_some())
    }
}

/// How often a message of a quorum queue may come back that says nothing of it.
const QUORUM_DELIVERY_LIMIT: u32 = 20;

/// What arguments and policies say of one thing, which has a name in each of them.
#[derive(Clone, Copy)]
struct Said<'a> {
    arguments: Table<'a>,
    policies: &'a Definition,
}

impl<'a> Said<'a> {
    /// The lower of two numbers; negative ones say nothing.
    fn least(self, name: &str, key: &str) -> Option<u64> {
        let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
        let argument = number(self.arguments.get(name).and_then(Value::as_integer));
        least(argument, number(self.policies.integer(key)))
    }

    /// The lower of two limits of which a negative one is none: any other is lower then.
    fn limit(self, name: &str, key: &str) -> Option<i64> {
        let argument = self.arguments.get(name).and_then(Value::as_integer);
        match (argument, self.policies.integer(key)) {
            (Some(first), Some(second)) if first < 0 || second < 0 => Some(first.max(second)),
            (first, second) => least(first, second),
        }
    }

    fn argument_first(self, name: &str, key: &str) -> Option<&'a str> {
        text(self.arguments, name).or_else(|| self.policies.text(key))
    }

    /// Whether the argument says yes, or the policy where there is none.
    fn is_so(self, name: &str, key: &str) -> bool {
        let argument = self.arguments.get(name).and_then(Value::as_bool);
        argument.or_else(|| self.policies.boolean(key)) == Some(true)
    }

    fn publish_rate(self) -> RateLimit {
        let overflow = self.argument_first(name::PUBLISH_RATE_OVERFLOW, rate::PUBLISH_RATE_OVERFLOW);
        RateLimit::new(
            self.least(name::MAX_PUBLISH_RATE, rate::MAX_PUBLISH_RATE),
            self.least(name::MAX_PUBLISH_BYTES_RATE, rate::MAX_PUBLISH_BYTES_RATE),
            overflow.and_then(RateOverflow::from_name).unwrap_or_default(),
        )
    }

    /// As the type of the retry: the policy decides.
    fn factor(self) -> Option<u32> {
        let policy = self.policies.number("delayed-retry-factor").map(Value::Double);
        policy.or_else(|| self.arguments.get(name::DELAYED_RETRY_FACTOR)).and_then(thousandths)
    }

    fn jitter(self) -> Option<i64> {
        let policy = self.policies.integer("delayed-retry-jitter");
        policy.or_else(|| self.arguments.get(name::DELAYED_RETRY_JITTER).and_then(Value::as_integer))
    }

    fn policy_first(self, name: &str, key: &str) -> Option<&'a str> {
        self.policies.text(key).or_else(|| text(self.arguments, name))
    }
}

fn least<N: Ord>(first: Option<N>, second: Option<N>) -> Option<N> {
    match (first, second) {
        (Some(first), Some(second)) => Some(first.min(second)),
        (only, None) | (None, only) => only,
    }
}

fn text<'a>(arguments: Table<'a>, name: &str) -> Option<&'a str> {
    arguments.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests;
