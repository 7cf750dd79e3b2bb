//! A binding: what leads from an exchange to a target.

use std::fmt;
use std::sync::Arc;

use leveret_protocol::table::TableBuf;

/// A binding of one exchange. Two bindings are the same if target, key and arguments are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Binding<T> {
    /// Where matching messages go.
    pub target: T,
    /// The binding key: a routing key, a pattern or nothing, as the exchange's type has it.
    pub key: Arc<str>,
    /// The arguments, in the order of their names.
    pub arguments: TableBuf,
}

/// Why a type of exchange cannot have a binding. It prints the reason in RabbitMQ's words.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidBinding {
    /// `x-match` is a string that means nothing.
    MatchValue(String),
    /// `x-match` is no string: its type and value, as RabbitMQ prints them.
    MatchType(&'static str, String),
    /// The key is to be a weight and is no whole number; printed as RabbitMQ prints it.
    WeightNoInteger(String),
    /// The weight is less than 1.
    WeightNotPositive,
    /// The weight is more than this.
    WeightTooLarge(u16),
    /// The key is to be empty and is this.
    NonEmptyKey(String),
}

impl fmt::Display for InvalidBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MatchValue(value) => {
                write!(f, "Invalid x-match field value {value}; expected all, any, all-with-x, or any-with-x")
            }
            Self::MatchType(kind, value) => {
                write!(f, "Invalid x-match field type {kind} (value {value}); expected longstr")
            }
            Self::WeightNoInteger(printed) => write!(f, "The binding key must be an integer: {printed}"),
            Self::WeightNotPositive => f.write_str("The binding key must be greater than 0"),
            Self::WeightTooLarge(most) => write!(f, "The binding key must not exceed {most}"),
            Self::NonEmptyKey(key) => write!(f, "Non empty binding '{key}' key not permitted"),
        }
    }
}

impl std::error::Error for InvalidBinding {}
