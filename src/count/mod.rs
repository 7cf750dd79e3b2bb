//! Counting: what has happened since the broker started.
//!
//! Nothing that is shared is written for a message. A queue counts in plain numbers of its own, under the lock that it holds
//! anyway. All else counts in a [`Count`], which has one writer: a load and a store, both relaxed, and no locked cycle of
//! the processor. Who reads adds up ([`Sum`]): a channel's numbers are among those of its virtual host, and stay there when it
//! has gone.
//!
//! ```text
//! who writes                what                                       who adds up
//! a queue, under its lock   QueueCounts                                its virtual host keeps what gone queues counted
//! whoever leaves that lock  QueueTotals: what has changed, by thread   the broker
//! a channel's task          ChannelTally: messages, sizes              a virtual host, all of them together
//! the same                  Flow: what it publishes to an exchange     the exchange
//! a connection's task       Traffic: octets                            its virtual host
//! the same                  reads and writes                           nobody
//! whoever opens or closes   Churn                                      the broker: seldom, so that many write it
//! ```

mod channel;
mod churn;
mod flow;
mod given;
mod histogram;
mod messages;
mod queue;
mod queues;
mod single;
mod sizes;
mod sum;
mod traffic;

pub use channel::{ChannelCounts, ChannelTally};
pub use churn::{Churn, Event};
pub use flow::{Flow, FlowCounts};
pub use given::GivenCounts;
pub use histogram::Histogram;
pub use messages::{MessageCounts, Tally, What};
pub use queue::{Ended, QueueCounts};
pub use queues::{AGE_CLASSES, AGES, QueueKind, QueueNumber, QueueTotals};
pub use single::Count;
pub use sizes::{SIZES_MAX_BYTES, SizeTally, Sizes};
pub use sum::{Part, Seat, Sum, Sums};
pub use traffic::{Traffic, TrafficCounts};
