//! A connection of AMQP, so that there are a connection, a channel and a consumer to see.

use lapin::options::{BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};
use tokio::runtime::Runtime;

use crate::Broker;

/// A connection with one channel.
pub struct Amqp {
    runtime: Runtime,
    connection: Connection,
    channel: Channel,
    consumers: Vec<Consumer>,
}

impl Amqp {
    /// Opens a connection of a given name as a user whose password is its name.
    ///
    /// # Panics
    ///
    /// When that, or any of the below, fails.
    pub fn open(broker: &Broker, user: &str, name: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let url = format!("amqp://{user}:{user}@127.0.0.1:{}/%2f", broker.amqp);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connection = runtime.block_on(Connection::connect(&url, properties)).expect("a connection");
        let channel = runtime.block_on(connection.create_channel()).expect("a channel");
        Self { runtime, connection, channel, consumers: Vec::new() }
    }

    /// Consumes with a prefetch of 10 and settles nothing.
    pub fn consume(&mut self, queue: &str, tag: &str) {
        let Self { runtime, channel, .. } = self;
        runtime.block_on(channel.basic_qos(10, BasicQosOptions::default())).expect("qos");
        let options = BasicConsumeOptions::default();
        let consumed = channel.basic_consume(queue.into(), tag.into(), options, FieldTable::default());
        let consumer = runtime.block_on(consumed).expect("a consumer");
        self.consumers.push(consumer);
    }

    /// Publishes to a queue, and returns when that is confirmed.
    pub fn publish(&self, queue: &str, body: &[u8]) {
        let Self { runtime, channel, .. } = self;
        runtime.block_on(channel.confirm_select(ConfirmSelectOptions::default())).expect("confirms");
        let options = BasicPublishOptions::default();
        let properties = BasicProperties::default().with_delivery_mode(2);
        let confirmed = runtime.block_on(async {
            channel.basic_publish("".into(), queue.into(), options, body, properties).await?.await
        });
        confirmed.expect("a confirm");
    }

    /// Whether the connection is open.
    pub fn is_open(&self) -> bool {
        self.connection.status().connected()
    }
}
