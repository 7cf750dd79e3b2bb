//! The arguments of `queue.declare` that are known, and what each of them may be.
//!
//! What RabbitMQ knows for either of classic and quorum queues is known here for both. Where it has no rule for an
//! argument there is none here: such a value is stored, compared, and without effect when it makes no sense.

use std::fmt;

use leveret_protocol::table::{Table, Value};

use super::retry::thousandths;

/// The type of a queue.
/// The argument that says of which type a queue is.
pub const QUEUE_TYPE: &str = "x-queue-type";
/// The exchange to which a queue's dead messages go.
pub(super) const DEAD_LETTER_EXCHANGE: &str = "x-dead-letter-exchange";
/// How long a queue stays without being used, in milliseconds.
pub(super) const EXPIRES: &str = "x-expires";
/// How long a message may wait, in milliseconds.
pub(super) const MESSAGE_TTL: &str = "x-message-ttl";
/// The routing key of dead messages.
pub(super) const DEAD_LETTER_ROUTING_KEY: &str = "x-dead-letter-routing-key";
/// How surely dead messages arrive.
pub(super) const DEAD_LETTER_STRATEGY: &str = "x-dead-letter-strategy";
/// How many messages may be ready.
pub(super) const MAX_LENGTH: &str = "x-max-length";
/// How many bytes of bodies may be ready.
pub(super) const MAX_LENGTH_BYTES: &str = "x-max-length-bytes";
/// What happens at a limit.
pub(super) const OVERFLOW: &str = "x-overflow";
/// How often a message may come back.
pub(super) const DELIVERY_LIMIT: &str = "x-delivery-limit";
/// Which messages wait that come back.
pub(super) const DELAYED_RETRY_TYPE: &str = "x-delayed-retry-type";
/// How long they wait the first time, in milliseconds.
pub(super) const DELAYED_RETRY_MIN: &str = "x-delayed-retry-min";
/// How long they wait at most, in milliseconds.
pub(super) const DELAYED_RETRY_MAX: &str = "x-delayed-retry-max";
/// How many times longer they wait each time, a number of one or more; our own.
pub(super) const DELAYED_RETRY_FACTOR: &str = "x-delayed-retry-factor";
/// Up to how much less they wait, in percent; our own.
pub(super) const DELAYED_RETRY_JITTER: &str = "x-delayed-retry-jitter";
/// How long a message may be unacked, in milliseconds.
pub(super) const CONSUMER_TIMEOUT: &str = "x-consumer-timeout";
/// How many messages are taken in a second; our own, as the two below.
pub(super) const MAX_PUBLISH_RATE: &str = "x-max-publish-rate";
/// How many bytes of bodies are taken in a second.
pub(super) const MAX_PUBLISH_BYTES_RATE: &str = "x-max-publish-bytes-rate";
/// What happens to those who publish more.
pub(super) const PUBLISH_RATE_OVERFLOW: &str = "x-publish-rate-overflow";
/// The highest priority of a queue's messages.
pub(super) const MAX_PRIORITY: &str = "x-max-priority";
/// Whether only one consumer at a time gets messages.
pub(super) const SINGLE_ACTIVE_CONSUMER: &str = "x-single-active-consumer";
/// Whether messages may ask to be delivered later; our own.
pub(super) const SCHEDULED: &str = "x-scheduled";

/// Whether a second message with a key is not taken.
pub(super) const MESSAGE_DEDUPLICATION: &str = "x-message-deduplication";
/// Whether keys are known for a time. Our own.
pub(super) const DEDUPLICATION_WINDOW: &str = "x-deduplication-window";
/// How long keys are known, in milliseconds.
pub(super) const CACHE_TTL: &str = "x-cache-ttl";
/// How many keys are known.
pub(super) const CACHE_SIZE: &str = "x-cache-size";
/// What groups a queue's messages.
pub(super) const MESSAGE_GROUP: &str = "x-message-group";
/// How many messages are looked at behind those that wait for others of their groups. Our own.
pub(super) const MESSAGE_GROUP_LOOK_AHEAD: &str = "x-message-group-look-ahead";

/// Ten years: the longest time that RabbitMQ takes, in milliseconds.
const MILLISECONDS_MAX: i64 = 315_360_000_000;
const PRIORITY_MAX: i64 = 255;

type Rule = fn(Value<'_>, Table<'_>) -> Result<(), Reason>;

/// In the order in which RabbitMQ looks at them.
const KNOWN: [(&str, Rule); 37] = [
    (QUEUE_TYPE, queue_type),
    (EXPIRES, expires),
    (MESSAGE_TTL, milliseconds),
    (DEAD_LETTER_EXCHANGE, any),
    (DEAD_LETTER_ROUTING_KEY, dead_letter_routing_key),
    (DEAD_LETTER_STRATEGY, dead_letter_strategy),
    (MAX_LENGTH, non_negative),
    (MAX_LENGTH_BYTES, non_negative),
    ("x-max-in-memory-length", non_negative),
    ("x-max-in-memory-bytes", non_negative),
    (MAX_PRIORITY, max_priority),
    (OVERFLOW, overflow),
    ("x-queue-mode", queue_mode),
    ("x-queue-version", queue_version),
    (SINGLE_ACTIVE_CONSUMER, boolean),
    ("x-quorum-initial-group-size", positive),
    ("x-queue-leader-locator", leader_locator),
    ("x-queue-master-locator", any),
    (DELIVERY_LIMIT, any),
    (DELAYED_RETRY_TYPE, any),
    (DELAYED_RETRY_MIN, any),
    (DELAYED_RETRY_MAX, any),
    (DELAYED_RETRY_FACTOR, retry_factor),
    (DELAYED_RETRY_JITTER, percent),
    (CONSUMER_TIMEOUT, non_negative),
    ("x-consumer-disconnected-timeout", non_negative),
    (MESSAGE_GROUP, message_group),
    (MESSAGE_GROUP_LOOK_AHEAD, positive),
    ("x-member-placement-tag", any),
    (SCHEDULED, boolean),
    (MESSAGE_DEDUPLICATION, boolean),
    (DEDUPLICATION_WINDOW, boolean),
    (CACHE_TTL, expires),
    (CACHE_SIZE, positive),
    (MAX_PUBLISH_RATE, positive),
    (MAX_PUBLISH_BYTES_RATE, positive),
    (PUBLISH_RATE_OVERFLOW, rate_overflow),
];

/// What may be changed while a queue is used.
const CHANGEABLE: [&str; 24] = [
    EXPIRES,
    MESSAGE_TTL,
    DEAD_LETTER_EXCHANGE,
    DEAD_LETTER_ROUTING_KEY,
    DEAD_LETTER_STRATEGY,
    MAX_LENGTH,
    MAX_LENGTH_BYTES,
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    OVERFLOW,
    SCHEDULED,
    "x-queue-mode",
    "x-queue-version",
    DELIVERY_LIMIT,
    DELAYED_RETRY_TYPE,
    DELAYED_RETRY_MIN,
    DELAYED_RETRY_MAX,
    DELAYED_RETRY_FACTOR,
    DELAYED_RETRY_JITTER,
    CONSUMER_TIMEOUT,
    "x-consumer-disconnected-timeout",
    MAX_PUBLISH_RATE,
    MAX_PUBLISH_BYTES_RATE,
    PUBLISH_RATE_OVERFLOW,
];

/// What is checked, stored and compared, but not acted on yet.
const WITHOUT_EFFECT: [&str; 1] = ["x-consumer-disconnected-timeout"];

/// What only streams have: RabbitMQ refuses these on queues of the other types.
const OF_STREAMS: [&str; 4] =
    ["x-max-age", "x-stream-max-segment-size-bytes", "x-stream-filter-size-bytes", "x-initial-cluster-size"];

/// The arguments of a declaration that have no effect yet, so that nobody relies on them unawares.
pub fn without_effect(arguments: Table<'_>) -> impl Iterator<Item = &'static str> {
    WITHOUT_EFFECT.into_iter().filter(move |name| arguments.get(name).is_some())
}

/// An argument whose value cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidArgument {
    /// Its name.
    pub argument: &'static str,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with an argument's value. Prints as RabbitMQ prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It is of this type and has to be an integer.
    NotInteger(&'static str),
    /// It is of this type and has to be of another one.
    UnacceptableType(&'static str),
    /// It is of this type and has to be a number.
    NotNumber(&'static str),
    /// It is below one.
    BelowOne,
    /// It is below zero.
    Negative(i64),
    /// It is zero.
    Zero,
    /// It is a longer time than ten years.
    TooLarge(i64),
    /// It is a higher priority than there can be.
    MaxExceeded(i64),
    /// It is none of the words that it may be; RabbitMQ's name for that.
    NoSuchWord(&'static str),
    /// There is no such kind of something.
    Unsupported(&'static str, String),
    /// A routing key for dead letters without an exchange for them.
    RoutingKeyWithoutExchange,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInteger(type_name) => write!(f, "\"expected integer, got {type_name}\""),
            Self::UnacceptableType(type_name) => write!(f, "{{unacceptable_type,{type_name}}}"),
            Self::NotNumber(type_name) => write!(f, "\"expected number, got {type_name}\""),
            Self::BelowOne => f.write_str("value_below_one"),
            Self::Negative(value) => write!(f, "{{value_negative,{value}}}"),
            Self::Zero => f.write_str("{value_zero,0}"),
            Self::TooLarge(value) => write!(f, "{{value_too_large,{value}}}"),
            Self::MaxExceeded(value) => write!(f, "{{max_value_exceeded,{value}}}"),
            Self::NoSuchWord(name) => f.write_str(name),
            Self::Unsupported(what, value) => write!(f, "\"unsupported {what} '{value}'\""),
            Self::RoutingKeyWithoutExchange => f.write_str("routing_key_but_no_dlx_defined"),
        }
    }
}

/// The names of the arguments in which a redeclaration must not differ.
pub(super) fn known() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(name, _)| *name)
}

/// The names of the arguments that may be changed while a queue is used.
pub fn changeable() -> impl Iterator<Item = &'static str> {
    CHANGEABLE.into_iter()
}

/// The names of the arguments that are fixed at a declaration.
pub(super) fn fixed() -> impl Iterator<Item = &'static str> {
    known().filter(|name| !CHANGEABLE.contains(name))
}

/// Checks the arguments that are known.
pub(super) fn check(arguments: Table<'_>) -> Result<(), InvalidArgument> {
    if arguments.is_empty() {
        return Ok(());
    }
    for (argument, rule) in KNOWN {
        if let Some(value) = arguments.get(argument) {
            rule(value, arguments).map_err(|reason| InvalidArgument { argument, reason })?;
        }
    }
    Ok(())
}

/// An argument that only a stream can have.
pub(super) fn of_streams(arguments: Table<'_>) -> Option<&'static str> {
    OF_STREAMS.into_iter().find(|name| arguments.get(name).is_some())
}

#[allow(clippy::unnecessary_wraps, reason = "a rule among rules")]
fn any(_: Value<'_>, _: Table<'_>) -> Result<(), Reason> {
    Ok(())
}

fn integer(value: Value<'_>) -> Result<i64, Reason> {
    let number = value.as_integer().ok_or(Reason::NotInteger(value.type_name()))?;
    if number < 0 { Err(Reason::Negative(number)) } else { Ok(number) }
}

fn non_negative(value: Value<'_>, _: Table<'_>) -> Result<(), Reason> {
    integer(value).map(|_| ())
}

fn positive(value: Value<'_>, _: Table<'_>) -> Result<(), Reason> {
    if integer(value)? == 0 { Err(Reason::Zero) } else { Ok(()) }
}

fn milliseconds(value: Value<'_>, _: Table<'_>) -> Result<(), Reason> {
    let number = integer(value)?;
    if number > MILLISECONDS_MAX { Err(Reason::TooLarge(number)) } else { Ok(()) }
}

fn expires(value: Value<'_>, arguments: Table<'_>) -> Result<(), Reason> {
    positive(value, arguments)?;
    milliseconds(value, arguments)
}

fn max_priority(value: Value<'_>, _: Table<'_>) -> Result<(), Reason> {
    let number = integer(value)?;
    if number > PRIORITY_MAX { Err(Reason::MaxExceeded(number)) } else { Ok(()) }
}

fn percent(value: Value<'_>, _: Table<'_>) -> Result<(), Reason> {
    let number = integer(value)?;
    if number > 100 { Err(Reason::MaxExceeded(number)) } else { Ok(()) }
}

fn retry_factor(value: Value<'_>, _: Table<'_>) -> Result<(), Reason> {
    if !matches!(value, Value::Float(_) | Value::Double(_)) && value.as_integer().is_none() {
        return Err(Reason::NotNumber(value.type_name()));
    }
    thousandths(value).map(|_| ()).ok_or(Reason::BelowOne)
}

fn boolean(value: Value<'_>, _: Table<'_>) -> Result<(), Reason> {
    value.as_bool().map(|_| ()).ok_or(Reason::UnacceptableType(value.type_name()))
}

fn text(value: Value<'_>) -> Result<String, Reason> {
    match value {
        Value::LongStr(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        value => Err(Reason::UnacceptableType(value.type_name())),
    }
}

fn word(value: Value<'_>, words: &[&str], otherwise: &'static str) -> Result<(), Reason> {
    if words.contains(&text(value)?.as_str()) { Ok(()) } else { Err(Reason::NoSuchWord(otherwise)) }
}

fn kind(value: Value<'_>, kinds: &[&str], what: &'static str) -> Result<(), Reason> {
    let text = text(value)?;
    if kinds.contains(&text.as_str()) { Ok(()) } else { Err(Reason::Unsupported(what, text)) }
}

fn message_group(value: Value<'_>, _: Table<'_>) -> Result<(), Reason> {
    text(value).map(|_| ())
}

fn queue_type(value: Value<'_>, _: Table<'_>) -> Result<(), Reason> {
    kind(value, &["classic", "quorum"], "queue type")
}

fn queue_mode(value: Value<'_>, _: Table<'_>) -> Result<(), Reason> {
    kind(value, &["default", "lazy"], "queue mode")
}

/// Version 1 is no more in RabbitMQ 4.3, but what was declared for an older one is to work.
fn queue_version(value: Value<'_>, _: Table<'_>) -> Result<(), Reason> {
    match integer(value)? {
        1 | 2 => Ok(()),
        version => Err(Reason::Unsupported("queue version", version.to_string())),
    }
}

fn overflow(value: Value<'_>, _: Table<'_>) -> Result<(), Reason> {
    word(value, &["drop-head", "reject-publish", "reject-publish-dlx"], "invalid_overflow")
}

fn rate_overflow(value: Value<'_>, _: Table<'_>) -> Result<(), Reason> {
    word(value, &["block", "reject"], "invalid_publish_rate_overflow")
}

fn dead_letter_strategy(value: Value<'_>, _: Table<'_>) -> Result<(), Reason> {
    word(value, &["at-most-once", "at-least-once"], "invalid_dlx_strategy")
}

fn leader_locator(value: Value<'_>, _: Table<'_>) -> Result<(), Reason> {
    let locators = ["client-local", "balanced", "random", "least-leaders"];
    word(value, &locators, "invalid_queue_locator_arg")
}

fn dead_letter_routing_key(value: Value<'_>, arguments: Table<'_>) -> Result<(), Reason> {
    text(value)?;
    if arguments.get(DEAD_LETTER_EXCHANGE).is_some() {
        Ok(())
    } else {
        Err(Reason::RoutingKeyWithoutExchange)
    }
}
