//! AMQP 0-9-1 byte by byte: what the broker answers to frames that a client library would never send.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends when something is not as it must be"
)]

#[path = "../support/mod.rs"]
mod support;

mod arguments;
mod channel_state;
mod content;
mod fairness;
mod flow;
mod framing;
mod fuzz;
mod header;
mod login;
mod memory;
mod properties;
mod tuning;
mod values;
mod witness;
