//! Leveret, a RabbitMQ-compatible AMQP 0-9-1 message broker.

pub mod alarm;
pub mod auth;
pub mod channel;
pub mod cli;
pub mod config;
pub mod connection;
pub mod exchange;
pub mod message;
pub mod metrics;
pub mod name;
pub mod net;
pub mod queue;
pub mod time;
pub mod vhost;
