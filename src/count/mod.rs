//! Counting: what has happened since the broker started.
//!
//! Nothing that is shared is written for a message. A queue counts in plain numbers of its own, under the lock that it holds
//! anyway. All else counts in a [`Count`], which has one writer: a load and a store, both relaxed, and no locked cycle of
//! the processor. Who reads sums up.

mod queue;

pub use queue::{Ended, QueueCounts};
