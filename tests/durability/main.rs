//! Durability as a client notices it: a broker process that is stopped, killed and damaged, and what the next one on the
//! same data directory serves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test ends when something is not as it must be, and says with which seed"
)]

#[path = "../support/mod.rs"]
mod support;

mod account;
mod backlog;
mod checker;
mod churn;
mod client;
mod contract;
mod corruption;
mod crash;
mod deduplication;
mod disk_full;
mod failing_disk;
mod features;
mod first_start;
mod lives;
mod load;
mod message_groups;
mod misplaced;
mod moving;
mod preloaded;
mod publication;
mod random;
mod restart;
mod returns;
mod scheduled;
mod stepped_clock;
mod topology;
mod verification;
mod waiting;
