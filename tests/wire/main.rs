//! AMQP 0-9-1 byte by byte: what the broker answers to frames that a client library would never send.

#[path = "../support/mod.rs"]
mod support;

mod start;
