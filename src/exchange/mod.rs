//! Exchanges: what a binding means, and which targets a message goes to.
//!
//! Pure: no socket, clock, lock, task or log. An exchange here knows no queue either: its bindings lead to
//! targets of a type `T` that the virtual host chooses (its queues and exchanges; in tests, names).
//!
//! An exchange type is one file that implements [`Router`] and one line in [`exchange_type`]. [`Routes`] keeps
//! the bindings of one exchange and its router in step.

pub mod binding;
mod by_name;
mod consistent_hash;
mod delayed;
mod direct;
pub mod exchange_type;
pub mod explain;
mod fanout;
mod headers;
mod local_random;
mod message_deduplication;
mod modulus_hash;
pub mod options;
mod random;
mod recent_history;
mod rendezvous;
pub mod router;
pub mod routes;
mod stable_hash;
mod targets;
mod topic;

pub use binding::{Binding, InvalidBinding};
pub use exchange_type::ExchangeType;
pub use message_deduplication::CacheRules;
pub use options::{ExchangeOptions, InvalidExchange};
pub use router::{Routable, Router, Target, TargetName};
pub use routes::Routes;
