//! Who may do what, from a client's side: a broker within the test's process, whose users, permissions and virtual hosts
//! change while clients are connected.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test ends when something is not as it must be, and says where it was"
)]

#[path = "../support/mod.rs"]
mod support;

mod defaults;
mod house;
mod kept;
mod limits;
mod login;
mod operations;
mod reload;
mod revocation;
mod topics;
mod vhosts;
