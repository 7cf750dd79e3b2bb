//! Leveret, a RabbitMQ-compatible AMQP 0-9-1 message broker.
//!
#![doc = include_str!("../ARCHITECTURE.md")]

pub mod access;
pub mod alarm;
pub mod auth;
pub mod broker;
pub mod channel;
pub mod cli;
pub mod config;
pub mod connection;
pub mod count;
pub mod definitions;
pub mod equivalence;
pub mod event;
pub mod exchange;
pub mod json;
pub mod log;
pub mod management;
pub mod message;
pub mod metrics;
pub mod name;
pub mod net;
pub mod pattern;
pub mod place;
pub mod policy;
pub mod queue;
pub mod rate;
pub mod store;
pub mod supervisor;
pub mod term;
pub mod time;
pub mod timer;
pub mod version;
pub mod vhost;
