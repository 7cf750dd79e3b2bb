//! The exchange types by name: the one line that a new type adds outside its own file.

use leveret_protocol::table::Table;

use super::message_deduplication::CacheRules;
use super::options::InvalidExchange;
use super::router::{Router, Target};
use super::{
    consistent_hash, delayed, direct, fanout, headers, local_random, modulus_hash, random, recent_history,
    topic,
};

macro_rules! exchange_types {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $router:path;)*) => {
        /// The type of an exchange: how it chooses among its bindings.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ExchangeType {
            $($(#[$doc])* $variant,)*
        }

        impl ExchangeType {
            /// Every type, in the order in which they are told to operators.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The type that `name` means. Names are matched exactly, as RabbitMQ matches them.
            pub fn parse(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The name that clients declare it by.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// A router of this type without bindings.
            pub(super) fn router<T: Target>(self) -> Box<dyn Router<T>> {
                match self {
                    $(Self::$variant => Box::new(<$router>::default()),)*
                }
            }
        }
    };
}

exchange_types! {
    /// To every binding whose key is the routing key.
    Direct, "direct", direct::Direct<T>;
    /// To every binding.
    Fanout, "fanout", fanout::Fanout<T>;
    /// To every binding whose pattern matches the words of the routing key.
    Topic, "topic", topic::Topic<T>;
    /// To every binding whose arguments match the message's headers.
    Headers, "headers", headers::Headers<T>;
    /// To the one binding that the message's key belongs to; weights are binding keys.
    ConsistentHash, "x-consistent-hash", consistent_hash::ConsistentHash<T>;
    /// To the one binding whose number is the hash of the routing key modulo their count.
    ModulusHash, "x-modulus-hash", modulus_hash::ModulusHash<T>;
    /// To any one binding.
    Random, "x-random", random::Random<T>;
    /// To any one binding on the node that the message was published to.
    LocalRandom, "x-local-random", local_random::LocalRandom<T>;
    /// To every binding, and to those that are made later.
    RecentHistory, "x-recent-history", recent_history::RecentHistory<T>;
    /// To every binding, unless it has had the message before.
    MessageDeduplication, "x-message-deduplication", fanout::Fanout<T>;
    /// As another type, when messages are due.
    DelayedMessage, "x-delayed-message", delayed::Delayed<T>;
}

impl ExchangeType {
    /// Whether an exchange of this type can have these arguments.
    pub(super) fn check(self, arguments: Table<'_>) -> Result<(), InvalidExchange> {
        match self {
            Self::ConsistentHash => consistent_hash::HashOn::parse(arguments).map(|_| ()),
            Self::RecentHistory => recent_history::length(arguments).map(|_| ()),
            Self::MessageDeduplication => CacheRules::parse(arguments).map(|_| ()),
            Self::DelayedMessage => delayed::delayed_type(arguments).map(|_| ()),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Display for ExchangeType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_parsed_from_the_name_that_it_prints() {
        for exchange_type in ExchangeType::ALL {
            assert_eq!(ExchangeType::parse(exchange_type.as_str()), Some(*exchange_type));
        }
        for unknown in ["", "nope", "Direct", "direct ", "x-nope"] {
            assert_eq!(ExchangeType::parse(unknown), None, "{unknown}");
        }
    }
}
