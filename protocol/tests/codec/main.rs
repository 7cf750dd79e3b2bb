//! The codec against itself, against amq-protocol and against everything that a peer should not send.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends when something is not as it must be"
)]

#[path = "../../fuzz/bodies.rs"]
mod bodies;
mod contents;
mod errors;
mod fuzzed;
mod material;
mod methods;
mod properties;
mod stream;
mod tables;
