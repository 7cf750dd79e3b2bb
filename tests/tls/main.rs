//! TLS, logins by certificate, and the PROXY protocol, from a client's side.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends when something is not as it must be"
)]

#[path = "../support/mod.rs"]
mod support;

mod authority;
mod client;
mod external;
mod files;
mod handshake;
mod house;
mod http;
mod listed;
mod proxy;
mod reload;
mod renegotiation;
mod traffic;
mod tunnel;
