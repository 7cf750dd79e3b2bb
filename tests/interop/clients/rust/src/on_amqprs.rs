//! amqprs, which tells its users by callbacks what the broker says.

mod core;
mod own;

use std::collections::BTreeSet;
use std::error::Error;

use amqprs::callbacks::{ChannelCallback, ConnectionCallback};
use amqprs::channel::{
    BasicPublishArguments, Channel, ConfirmSelectArguments, ExchangeDeleteArguments, QueueDeclareArguments,
    QueueDeleteArguments,
};
use amqprs::connection::{Connection, OpenConnectionArguments};
use amqprs::{Ack, BasicProperties, Cancel, Close, CloseChannel, DELIVERY_MODE_PERSISTENT, Nack, Return};
use async_trait::async_trait;
use lapin::uri::AMQPUri;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::expect::soon;
use crate::scenario::{Kind, Outcome, Run, Scenarios};

/// More than any scenario lets wait.
const BUFFER_MAX: usize = 1000;

type Result<T> = std::result::Result<T, amqprs::error::Error>;

pub fn scenarios() -> Scenarios {
    let mut scenarios = Scenarios::new("amqprs", clean);
    core::rows(&mut scenarios);
    own::rows(&mut scenarios);
    scenarios
}

/// Deletes what a scenario made.
async fn clean(run: Run) -> Outcome {
    let connection = connected(&run.url()).await?;
    let channel = connection.open_channel(None).await?;
    for (kind, name) in run.made() {
        match kind {
            Kind::Queue => drop(channel.queue_delete(QueueDeleteArguments::new(&name)).await?),
            Kind::Exchange => channel.exchange_delete(ExchangeDeleteArguments::new(&name)).await?,
        }
    }
    channel.close().await?;
    connection.close().await?;
    Ok(())
}

/// What a callback was told.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Closed(u16),
    Cancelled(String),
    Acked { tag: u64, multiple: bool },
    Nacked { tag: u64 },
    Returned { code: u16, text: String, message_id: Option<String>, body: Vec<u8> },
}

/// Callbacks that pass on what they are told.
struct Teller(Sender<Told>);

impl Teller {
    async fn tell(&self, told: Told) {
        // Whoever has left does not want to know.
        drop(self.0.send(told).await);
    }
}

#[async_trait]
impl ConnectionCallback for Teller {
    async fn close(&mut self, _: &Connection, close: Close) -> Result<()> {
        self.tell(Told::Closed(close.reply_code())).await;
        Ok(())
    }

    // Never called: amqprs does not say to the broker that it understands these notices.
    async fn blocked(&mut self, _: &Connection, _: String) {}

    async fn unblocked(&mut self, _: &Connection) {}

    async fn secret_updated(&mut self, _: &Connection) {}
}

#[async_trait]
impl ChannelCallback for Teller {
    async fn close(&mut self, _: &Channel, close: CloseChannel) -> Result<()> {
        self.tell(Told::Closed(close.reply_code())).await;
        Ok(())
    }

    async fn cancel(&mut self, _: &Channel, cancel: Cancel) -> Result<()> {
        self.tell(Told::Cancelled(cancel.consumer_tag().clone())).await;
        Ok(())
    }

    async fn flow(&mut self, _: &Channel, active: bool) -> Result<bool> {
        Ok(active)
    }

    async fn publish_ack(&mut self, _: &Channel, ack: Ack) {
        self.tell(Told::Acked { tag: ack.delivery_tag(), multiple: ack.mutiple() }).await;
    }

    async fn publish_nack(&mut self, _: &Channel, nack: Nack) {
        self.tell(Told::Nacked { tag: nack.delivery_tag() }).await;
    }

    async fn publish_return(&mut self, _: &Channel, ret: Return, properties: BasicProperties, body: Vec<u8>) {
        let message_id = properties.message_id().cloned();
        self.tell(Told::Returned {
            code: ret.reply_code(),
            text: ret.reply_text().clone(),
            message_id,
            body,
        })
        .await;
    }
}

async fn connected(url: &str) -> std::result::Result<Connection, Box<dyn Error + Send + Sync>> {
    let uri: AMQPUri = url.parse()?;
    let (authority, user) = (&uri.authority, &uri.authority.userinfo);
    let mut arguments =
        OpenConnectionArguments::new(&authority.host, authority.port, &user.username, &user.password);
    Ok(Connection::open(arguments.virtual_host(&uri.vhost)).await?)
}

/// A channel, and what its callbacks are told.
async fn told_channel(connection: &Connection) -> Result<(Channel, Receiver<Told>)> {
    let channel = connection.open_channel(None).await?;
    let (sender, receiver) = mpsc::channel(BUFFER_MAX);
    channel.register_callback(Teller(sender)).await?;
    Ok((channel, receiver))
}

/// A channel in confirm mode that knows which of its messages are not confirmed.
struct Publisher {
    channel: Channel,
    told: Receiver<Told>,
    published: u64,
    unconfirmed: BTreeSet<u64>,
}

impl Publisher {
    async fn new(connection: &Connection) -> Result<Self> {
        let (channel, told) = told_channel(connection).await?;
        channel.confirm_select(ConfirmSelectArguments::default()).await?;
        Ok(Self { channel, told, published: 0, unconfirmed: BTreeSet::new() })
    }

    /// Publishes a persistent message, without waiting.
    async fn publish(&mut self, exchange: &str, key: &str, body: &str) -> Result<()> {
        let properties = BasicProperties::default().with_delivery_mode(DELIVERY_MODE_PERSISTENT).finish();
        self.channel
            .basic_publish(properties, body.into(), BasicPublishArguments::new(exchange, key))
            .await?;
        self.published += 1;
        self.unconfirmed.insert(self.published);
        Ok(())
    }

    /// Waits until everything that was published is confirmed.
    async fn confirmed(&mut self) {
        while !self.unconfirmed.is_empty() {
            match soon("a confirm", self.told.recv()).await {
                Some(Told::Acked { tag, multiple: true }) => self.unconfirmed.retain(|each| *each > tag),
                Some(Told::Acked { tag, .. }) => {
                    assert!(self.unconfirmed.remove(&tag), "{tag} is confirmed twice")
                }
                other => panic!("no confirm: {other:?}"),
            }
        }
    }

    /// Publishes a message and waits for its confirm.
    async fn published(&mut self, exchange: &str, key: &str, body: &str) -> Result<()> {
        self.publish(exchange, key, body).await?;
        self.confirmed().await;
        Ok(())
    }
}

/// Declares a queue that is durable, without arguments.
async fn declared(channel: &Channel, queue: &str) -> Result<()> {
    channel.queue_declare(QueueDeclareArguments::durable_client_named(queue)).await?;
    Ok(())
}

/// How many messages of a queue are ready.
async fn ready(channel: &Channel, queue: &str) -> Result<u32> {
    let passive = QueueDeclareArguments::new(queue).passive(true).finish();
    let (_, messages, _) = channel.queue_declare(passive).await?.expect("an answer");
    Ok(messages)
}
