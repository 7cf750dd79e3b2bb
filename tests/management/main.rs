//! The HTTP API, from a client's side: status codes, bodies, who may what.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod app;
mod attempts;
mod bindings;
mod configuration;
mod connections;
mod definitions;
mod desk;
mod doors;
mod events;
mod firehose;
mod health;
mod http;
mod leveret;
mod listing;
mod local_socket;
mod messages;
mod metrics;
mod one_node;
mod permissions;
mod policies;
mod queues;
mod recorded;
mod server;
mod statistics;
mod users;
mod vhosts;
mod who_may;
