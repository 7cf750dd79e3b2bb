//! What an exchange was declared to be.

use std::fmt;

use leveret_protocol::table::{Table, TableBuf, Value};

use super::delayed::delayed_type;
use super::exchange_type::ExchangeType;
use crate::equivalence::{Inequivalence, Resource};
use crate::name::ExchangeName;

const ALTERNATE_EXCHANGE: &str = "alternate-exchange";

/// A declaration of an exchange, read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeOptions {
    /// How it routes.
    pub exchange_type: ExchangeType,
    /// Whether it survives a restart.
    pub durable: bool,
    /// Whether it goes when its last binding has gone.
    pub auto_delete: bool,
    /// Whether clients may not publish to it.
    pub internal: bool,
    /// Where messages go that it has no target for. It need not exist.
    pub alternate_exchange: Option<ExchangeName>,
    /// The arguments as they were declared, unknown ones included.
    pub arguments: TableBuf,
}

/// Why an exchange cannot be declared like that.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidExchange {
    /// There is no such type.
    UnknownType(String),
    /// An argument is of a type that it cannot have.
    ArgumentType {
        /// The argument's name.
        argument: &'static str,
        /// RabbitMQ's name of the type that it had.
        type_name: &'static str,
    },
    /// A consistent hash exchange cannot hash this property.
    UnsupportedProperty(String),
    /// A consistent hash exchange is to hash a header and a property.
    HashedTwice,
    /// A delayed message exchange routes by no type that there is.
    DelayedType,
    /// A recent history exchange cannot be of this length, which is printed as RabbitMQ prints it.
    HistoryLength(String),
    /// A message deduplication exchange does not say how many messages it is to know.
    CacheSize,
    /// A message deduplication exchange is to know messages for a time that is none.
    CacheTtl,
    /// A message deduplication exchange is to know messages in a place that is none.
    CachePersistence,
}

impl InvalidExchange {
    /// RabbitMQ's text about the exchange `name` in `vhost`.
    pub fn text(&self, name: &str, vhost: &str) -> String {
        match self {
            Self::ArgumentType { .. } => format!("{self} in {}", Resource { kind: "exchange", name, vhost }),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for InvalidExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(type_name) => write!(f, "unknown exchange type '{type_name}'"),
            Self::ArgumentType { argument, type_name } => {
                write!(f, "invalid type '{type_name}' for arg '{argument}'")
            }
            Self::UnsupportedProperty(property) => write!(f, "Unsupported property: {property}"),
            Self::HashedTwice => f.write_str("hash-header and hash-property are mutually exclusive"),
            Self::DelayedType => {
                f.write_str("Invalid argument, 'x-delayed-type' must be an existing exchange type")
            }
            Self::CacheSize => {
                f.write_str("Missing or invalid argument, 'x-cache-size' must be an integer greater than 0")
            }
            Self::CacheTtl => {
                f.write_str("Invalid argument, 'x-cache-ttl' must be an integer greater than 0")
            }
            Self::CachePersistence => {
                f.write_str("Invalid argument, 'x-cache-persistence' must be either 'disk' or 'memory'")
            }
            Self::HistoryLength(printed) => {
                write!(f, "Invalid argument {printed}, 'x-recent-history-length' must be a positive integer")
            }
        }
    }
}

impl std::error::Error for InvalidExchange {}

impl ExchangeOptions {
    /// An exchange of this type that survives a restart and has no arguments, as the predeclared ones are.
    pub fn durable(exchange_type: ExchangeType) -> Self {
        Self {
            exchange_type,
            durable: true,
            auto_delete: false,
            internal: false,
            alternate_exchange: None,
            arguments: TableBuf::default(),
        }
    }

    /// Reads the type and the arguments of a declaration; durable, auto-delete and internal are the caller's to
    /// set, who has them as they are.
    ///
    /// # Errors
    /// The type is unknown, or an argument that is known cannot be what it is.
    pub fn parse(type_name: &str, arguments: Table<'_>) -> Result<Self, InvalidExchange> {
        let exchange_type = ExchangeType::parse(type_name)
            .ok_or_else(|| InvalidExchange::UnknownType(type_name.to_owned()))?;
        exchange_type.check(arguments)?;
        Ok(Self {
            exchange_type,
            durable: false,
            auto_delete: false,
            internal: false,
            alternate_exchange: alternate_exchange(arguments)?,
            arguments: arguments.to_owned(),
        })
    }

    /// The type by which it routes messages that are due.
    pub fn routes_by(&self) -> ExchangeType {
        match self.exchange_type {
            ExchangeType::DelayedMessage => {
                delayed_type(self.arguments.as_table()).unwrap_or(ExchangeType::Direct)
            }
            other => other,
        }
    }

    /// The first difference to another declaration of the same exchange, in RabbitMQ's order. Arguments other than
    /// `alternate-exchange` are not compared.
    pub fn difference(&self, received: &Self) -> Option<Inequivalence> {
        let types = (received.exchange_type.as_str(), self.exchange_type.as_str());
        Inequivalence::of_property("type", types.0, types.1)
            .or_else(|| Inequivalence::of_property("durable", received.durable, self.durable))
            .or_else(|| Inequivalence::of_property("auto_delete", received.auto_delete, self.auto_delete))
            .or_else(|| Inequivalence::of_property("internal", received.internal, self.internal))
            .or_else(|| {
                let tables = (received.arguments.as_table(), self.arguments.as_table());
                Inequivalence::of_argument(ALTERNATE_EXCHANGE, tables.0, tables.1)
            })
    }
}

fn alternate_exchange(arguments: Table<'_>) -> Result<Option<ExchangeName>, InvalidExchange> {
    match arguments.get(ALTERNATE_EXCHANGE) {
        None => Ok(None),
        Some(Value::LongStr(name)) => Ok(Some(ExchangeName::from(&*String::from_utf8_lossy(name)))),
        Some(value) => {
            Err(InvalidExchange::ArgumentType { argument: ALTERNATE_EXCHANGE, type_name: value.type_name() })
        }
    }
}

#[cfg(test)]
mod tests {
    use leveret_protocol::table::TableBuilder;

    use super::*;

    fn alternate(name: &str) -> TableBuf {
        TableBuilder::new().string(ALTERNATE_EXCHANGE, name).finish()
    }

    #[test]
    fn a_declaration_that_cannot_be_is_refused_in_rabbitmqs_words() {
        let unknown = ExchangeOptions::parse("nope", Table::EMPTY).unwrap_err();
        assert_eq!(unknown.text("x", "/"), "unknown exchange type 'nope'");
        let arguments = TableBuilder::new().int(ALTERNATE_EXCHANGE, 5).finish();
        let invalid = ExchangeOptions::parse("direct", arguments.as_table()).unwrap_err();
        assert_eq!(
            invalid.text("px2", "/"),
            "invalid type 'signedint' for arg 'alternate-exchange' in exchange 'px2' in vhost '/'"
        );
    }

    #[test]
    fn the_first_difference_is_told_and_other_arguments_are_not_compared() {
        let parse = |type_name, arguments: &TableBuf| {
            ExchangeOptions::parse(type_name, arguments.as_table()).unwrap()
        };
        let none = TableBuf::default();
        let direct = parse("direct", &none);
        let differences = [
            (parse("direct", &TableBuilder::new().int("x-other", 1).finish()), None),
            (
                ExchangeOptions { durable: true, ..parse("topic", &none) },
                Some(("type", "received 'topic' but current is 'direct'")),
            ),
            (
                ExchangeOptions { durable: true, internal: true, ..direct.clone() },
                Some(("durable", "received 'true' but current is 'false'")),
            ),
            (
                ExchangeOptions { auto_delete: true, ..direct.clone() },
                Some(("auto_delete", "received 'true' but current is 'false'")),
            ),
            (
                ExchangeOptions { internal: true, ..direct.clone() },
                Some(("internal", "received 'true' but current is 'false'")),
            ),
            (
                parse("direct", &alternate("ae")),
                Some(("alternate-exchange", "received the value 'ae' of type 'longstr' but current is none")),
            ),
        ];
        for (received, expected) in differences {
            let text = direct
                .difference(&received)
                .map(|difference| difference.text(Resource { kind: "exchange", name: "x", vhost: "/" }));
            let expected = expected.map(|(argument, told)| {
                format!("inequivalent arg '{argument}' for exchange 'x' in vhost '/': {told}")
            });
            assert_eq!(text, expected);
        }
        let difference = parse("direct", &alternate("a")).difference(&parse("direct", &alternate("b")));
        let text = difference.unwrap().text(Resource { kind: "exchange", name: "x", vhost: "/" });
        assert!(text.ends_with("received 'b' but current is 'a'"), "{text}");
    }

    #[test]
    fn an_alternate_exchange_is_read_from_its_argument() {
        let options = ExchangeOptions::parse("fanout", alternate("ae").as_table()).unwrap();
        assert_eq!(options.alternate_exchange, Some(ExchangeName::from("ae")));
        assert_eq!(ExchangeOptions::parse("fanout", Table::EMPTY).unwrap().alternate_exchange, None);
    }
}
