//! The consistent hash exchange: messages with the same key go to the same target, and the keys are shared among the
//! targets by weight. The key is the routing key, a header or a property, as the exchange was declared; a binding key
//! is the target's weight.
//!
//! How a target is chosen is told at [`super::rendezvous`]: the same after a restart, as RabbitMQ's is not. Messages
//! without the header or property all go to one target, as in RabbitMQ. Of several bindings to one target that with
//! the least weight counts, whichever came first; RabbitMQ counts the first.

use foldhash::HashMap;
use leveret_protocol::table::Table;

use super::binding::{Binding, InvalidBinding};
use super::options::InvalidExchange;
use super::rendezvous::Rendezvous;
use super::router::{Routable, Router, Target};
use super::stable_hash::StableHash;
use crate::term::Term;

const HASH_HEADER: &str = "hash-header";
const HASH_PROPERTY: &str = "hash-property";
/// So many candidates are looked at in the time that another place takes to be found in memory.
const CANDIDATES_FOR_A_PLACE: usize = 16;
/// The largest weight (RabbitMQ's limit).
const WEIGHT_MAX: u16 = 10_000;

/// The targets with their weights.
pub(super) struct ConsistentHash<T> {
    hash_on: HashOn,
    /// The weights of each target's bindings, the least first.
    weights: HashMap<T, Vec<u16>>,
    rendezvous: Rendezvous<T>,
}

/// What the key of a message is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum HashOn {
    /// The routing key; with CC and BCC still the routing key.
    #[default]
    RoutingKey,
    /// The value of this header.
    Header(Box<str>),
    /// The correlation id.
    CorrelationId,
    /// The message id.
    MessageId,
    /// The timestamp.
    Timestamp,
}

impl HashOn {
    /// Reads the arguments of a declaration.
    pub(super) fn parse(arguments: Table<'_>) -> Result<Self, InvalidExchange> {
        match (text(arguments, HASH_HEADER)?, text(arguments, HASH_PROPERTY)?) {
            (None, None) => Ok(Self::RoutingKey),
            (Some(header), None) => Ok(Self::Header(header.into())),
            (None, Some("correlation_id")) => Ok(Self::CorrelationId),
            (None, Some("message_id")) => Ok(Self::MessageId),
            (None, Some("timestamp")) => Ok(Self::Timestamp),
            (None, Some(other)) => Err(InvalidExchange::UnsupportedProperty(other.to_owned())),
            (Some(_), Some(_)) => Err(InvalidExchange::HashedTwice),
        }
    }

    /// The hash of a message's key.
    fn hash(&self, message: &Routable<'_>) -> u64 {
        let properties = message.properties;
        let key = match self {
            Self::RoutingKey => Some(Term::Binary(message.routing_key.as_bytes())),
            Self::Header(name) => message.headers.and_then(|headers| headers.get(name)).map(Term::from),
            Self::CorrelationId => properties.correlation_id_octets().map(Term::Binary),
            Self::MessageId => properties.message_id_octets().map(Term::Binary),
            Self::Timestamp => properties.timestamp().map(|seconds| Term::Integer(seconds.into())),
        };
        hash(key.unwrap_or(Term::Undefined))
    }
}

/// An argument that is text, if it is there.
fn text<'a>(arguments: Table<'a>, argument: &'static str) -> Result<Option<&'a str>, InvalidExchange> {
    match arguments.get(argument) {
        None => Ok(None),
        Some(value) => match value.as_str() {
            Some(text) => Ok(Some(text)),
            None => Err(InvalidExchange::ArgumentType { argument, type_name: value.type_name() }),
        },
    }
}

/// The hash of a value, the same for equal values of different types.
fn hash(term: Term<'_>) -> u64 {
    let mut hash = StableHash::new();
    match term {
        Term::Binary(octets) => {
            hash.write(b"b");
            hash.write(octets);
        }
        Term::Integer(value) => {
            hash.write(b"i");
            hash.write(&value.to_le_bytes());
        }
        Term::Float(bits) => {
            hash.write(b"f");
            hash.write(&bits.to_le_bytes());
        }
        Term::Bool(value) => hash.write(if value { b"t1" } else { b"t0" }),
        Term::Decimal(scale, value) => {
            hash.write(&[b'd', scale]);
            hash.write(&value.to_le_bytes());
        }
        Term::Array(array) => {
            hash.write(b"a");
            hash.write(array.as_bytes());
        }
        Term::Table(table) => {
            hash.write(b"m");
            hash.write(table.as_bytes());
        }
        Term::Undefined => {}
    }
    hash.finish()
}

/// The weight that a binding key says: a whole number with or without a sign, of any length, as Erlang reads it.
fn weight(key: &str) -> Result<u16, InvalidBinding> {
    let (is_negative, digits) = match key.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(InvalidBinding::WeightNoInteger(Term::Binary(key.as_bytes()).to_string()));
    }
    let value = digits.iter().fold(0_u32, |value, digit| {
        value.saturating_mul(10).saturating_add(u32::from(digit.saturating_sub(b'0')))
    });
    match u16::try_from(value) {
        _ if is_negative || value == 0 => Err(InvalidBinding::WeightNotPositive),
        Ok(weight) if weight <= WEIGHT_MAX => Ok(weight),
        _ => Err(InvalidBinding::WeightTooLarge(WEIGHT_MAX)),
    }
}

impl<T> Default for ConsistentHash<T> {
    fn default() -> Self {
        Self { hash_on: HashOn::default(), weights: HashMap::default(), rendezvous: Rendezvous::default() }
    }
}

impl<T: Target> Router<T> for ConsistentHash<T> {
    fn declared(&mut self, arguments: Table<'_>) {
        self.hash_on = HashOn::parse(arguments).unwrap_or_default();
    }

    fn bind(&mut self, binding: &Binding<T>) -> Result<(), InvalidBinding> {
        let weight = weight(&binding.key)?;
        let weights = self.weights.entry(binding.target.clone()).or_default();
        weights.insert(weights.partition_point(|other| *other < weight), weight);
        self.rendezvous.set(&binding.target, weights.first().copied().unwrap_or(weight));
        Ok(())
    }

    fn unbind(&mut self, binding: &Binding<T>) {
        let Some(weights) = self.weights.get_mut(&binding.target) else { return };
        if let Ok(at) = weight(&binding.key).map_or(Err(0), |weight| weights.binary_search(&weight)) {
            weights.remove(at);
        }
        if let Some(least) = weights.first() {
            self.rendezvous.set(&binding.target, *least);
        } else {
            self.weights.remove(&binding.target);
            self.rendezvous.remove(&binding.target);
        }
    }

    fn route(&self, message: &Routable<'_>, found: &mut dyn FnMut(&T)) {
        if let Some(target) = self.rendezvous.choose(self.hash_on.hash(message)) {
            found(target);
        }
    }

    fn route_counting(&self, message: &Routable<'_>, found: &mut dyn FnMut(&T)) -> usize {
        self.route(message, found);
        self.rendezvous.len() / CANDIDATES_FOR_A_PLACE
    }

    fn holds_for_the_key(&self) -> bool {
        self.hash_on == HashOn::RoutingKey
    }
}

#[cfg(test)]
mod tests;
