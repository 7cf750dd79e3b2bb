//! lapin, and the rows that it shares with what stands on it.

mod core;
mod own;

use std::error::Error;
use std::ops::Deref;

use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ErrorKind};

use crate::scenario::{Kind, Outcome, Run, Scenarios};

pub use self::core::{consuming, next, rows};

/// Where the connections of the rows come from.
pub trait Source: 'static {
    type Guard: Deref<Target = Connection> + Send + Sync;

    fn connection(
        url: String,
    ) -> impl Future<Output = Result<Self::Guard, Box<dyn Error + Send + Sync>>> + Send;
}

/// Connections that are opened where they are needed, and closed.
pub struct Direct;

impl Source for Direct {
    type Guard = Box<Connection>;

    async fn connection(url: String) -> Result<Self::Guard, Box<dyn Error + Send + Sync>> {
        Ok(Box::new(Connection::connect(&url, ConnectionProperties::default()).await?))
    }
}

pub fn scenarios() -> Scenarios {
    let mut scenarios = Scenarios::new("lapin", clean);
    rows::<Direct>(&mut scenarios);
    own::rows(&mut scenarios);
    scenarios
}

/// Deletes what a scenario made.
pub async fn clean(run: Run) -> Outcome {
    let connection = Connection::connect(&run.url(), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    for (kind, name) in run.made() {
        match kind {
            Kind::Queue => drop(channel.queue_delete(name.into(), QueueDeleteOptions::default()).await?),
            Kind::Exchange => channel.exchange_delete(name.into(), ExchangeDeleteOptions::default()).await?,
        }
    }
    connection.close(200, "done".into()).await?;
    Ok(())
}

/// A channel in confirm mode.
pub async fn confirming(connection: &Connection) -> lapin::Result<Channel> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

/// Publishes a persistent message and waits for its confirm.
pub async fn published(channel: &Channel, exchange: &str, key: &str, body: &str) -> lapin::Result<()> {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    let confirm = channel
        .basic_publish(exchange.into(), key.into(), options, body.as_bytes(), properties)
        .await?
        .await?;
    assert!(confirm.is_ack(), "{body} was not confirmed: {confirm:?}");
    Ok(())
}

/// Declares a queue that is durable, without arguments.
pub async fn declared(channel: &Channel, queue: &str) -> lapin::Result<()> {
    channel.queue_declare(queue.into(), QueueDeclareOptions::durable(), FieldTable::default()).await?;
    Ok(())
}

/// How many messages of a queue are ready.
pub async fn ready(channel: &Channel, queue: &str) -> lapin::Result<u32> {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    Ok(channel.queue_declare(queue.into(), passive, FieldTable::default()).await?.message_count())
}

/// The code with which the broker refused.
pub fn refusal<T: std::fmt::Debug>(result: lapin::Result<T>) -> Option<u16> {
    match result.expect_err("it was not refused").kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}
