//! The command line against a running broker: every command as people type it, with all that it says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../tls/authority.rs"]
#[allow(dead_code, reason = "the tests of TLS use all of it")]
mod authority;
mod connections;
mod doctor;
mod failures;
mod jobs;
mod metrics;
mod pages;
mod rabbitmqctl;
mod shell;
mod tail;
mod tls;
mod transcripts;
