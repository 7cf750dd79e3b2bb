//! What an operator sets in a broker that runs within the test: policies, parameters, other arguments, pause and resume, as
//! clients notice it, and after restarts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends when something is not as it must be"
)]

mod alarms;
#[path = "../support/directory.rs"]
mod directory;
mod lives;
mod log_levels;
mod rates;
mod restart;
mod running;
