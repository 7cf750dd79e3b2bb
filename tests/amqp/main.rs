//! What AMQP 0-9-1 promises, method by method, as clients see it.
//!
//! Most tests are conversations: a script of the frames that go to the broker and of those that must come back. A few use `lapin`, to see
//! that a client library gets along.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends when something is not as it must be"
)]

#[path = "../support/mod.rs"]
mod support;

mod line;
mod methods;
mod model;
mod peer;
mod wire;

mod bindings;
mod cancel_notify;
mod client;
mod concurrency;
mod confirm;
mod connection;
mod consume;
mod consumer_timeout;
mod costly_bindings;
mod dead_letters;
mod deduplication;
mod delayed_exchange;
mod delayed_retry;
mod delivery_count;
mod exchanges;
mod exclusive;
mod get;
mod hash_exchanges;
mod message_groups;
mod publish;
mod qos;
mod queue_arguments;
mod queue_expiry;
mod queues;
mod recent_history;
mod recover;
mod reply_to;
mod scheduled;
mod settle;
mod shutdown;
mod soak;
mod transaction;
mod waiting;
