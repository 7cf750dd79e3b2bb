//! Names that clients and operators give to things, each a type of its own.
//!
//! A name is cheap to clone (a shared string). RabbitMQ strips `\r` and `\n` from queue and exchange
//! names; [`QueueName::declared`] and [`ExchangeName::declared`] do the same.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Names are short strings of AMQP, which are no longer, in bytes.
            pub const MAX_BYTES: usize = 255;

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The name that a declaration asks for: line breaks are dropped, as RabbitMQ drops them.
            pub fn declared(name: &str) -> Self {
                if name.contains(['\r', '\n']) {
                    Self(name.replace(['\r', '\n'], "").into())
                } else {
                    Self(name.into())
                }
            }

            /// Whether this is the empty name.
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }

        impl From<&str> for $type {
            fn from(name: &str) -> Self {
                Self(name.into())
            }
        }

        impl From<String> for $type {
            fn from(name: String) -> Self {
                Self(name.into())
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name!(
    /// A virtual host's name; `/` is the default one.
    VhostName
);
name!(
    /// An exchange's name; the empty one is the default exchange.
    ExchangeName
);
name!(
    /// A queue's name.
    QueueName
);
name!(
    /// A consumer's tag, unique on its channel.
    ConsumerTag
);
name!(
    /// A user's login name.
    UserName
);

/// Which connection: given once, never reused while the broker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);
