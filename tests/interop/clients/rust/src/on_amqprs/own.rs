//! What users of amqprs rely on besides: callbacks, consumers that are types, transactions, large messages.

use amqprs::BasicProperties;
use amqprs::channel::{
    BasicAckArguments, BasicConsumeArguments, BasicGetArguments, BasicPublishArguments, Channel,
    QueueDeleteArguments,
};
use amqprs::consumer::{AsyncConsumer, BlockingConsumer};
use async_trait::async_trait;
use tokio::sync::mpsc::{self, Sender};

use super::{BUFFER_MAX, Publisher, Teller, Told, connected, declared, ready, told_channel};
use crate::control::{How, restart};
use crate::expect::{numbered, soon, until};
use crate::scenario::{Outcome, Run, Scenarios};

const LARGE_BYTES: usize = 16 * 1024 * 1024;

pub fn rows(scenarios: &mut Scenarios) {
    scenarios.row("cancel-notify", cancel_notify);
    scenarios.row("consumers", consumers);
    scenarios.row("connection-error", connection_error);
    scenarios.row("tx", tx);
    scenarios.row("message-16mb", message_16mb);
    scenarios.own_broker_row("reconnect-told", reconnect_told);
}

/// The callback of the channel is told the tag of a consumer whose queue is deleted.
async fn cancel_notify(run: Run) -> Outcome {
    let connection = connected(&run.url()).await?;
    let (channel, mut told) = told_channel(&connection).await?;
    let queue = run.queue("queue");
    declared(&channel, &queue).await?;
    let (tag, _receiver) = channel.basic_consume_rx(BasicConsumeArguments::new(&queue, "watching")).await?;
    let other = connection.open_channel(None).await?;
    other.queue_delete(QueueDeleteArguments::new(&queue)).await?;
    assert_eq!(soon("the cancellation", told.recv()).await, Some(Told::Cancelled(tag)));
    declared(&channel, &queue).await?;
    Ok(())
}

/// Acks what it gets and passes it on.
struct Passing(Sender<Vec<u8>>);

#[async_trait]
impl AsyncConsumer for Passing {
    async fn consume(
        &mut self,
        channel: &Channel,
        deliver: amqprs::Deliver,
        _: BasicProperties,
        content: Vec<u8>,
    ) {
        channel.basic_ack(BasicAckArguments::new(deliver.delivery_tag(), false)).await.expect("an ack");
        drop(self.0.send(content).await);
    }
}

impl BlockingConsumer for Passing {
    fn consume(&mut self, channel: &Channel, deliver: amqprs::Deliver, _: BasicProperties, content: Vec<u8>) {
        channel.basic_ack_blocking(BasicAckArguments::new(deliver.delivery_tag(), false)).expect("an ack");
        drop(self.0.blocking_send(content));
    }
}

/// Both of the ways to consume by a type: in a task, and in a thread.
async fn consumers(run: Run) -> Outcome {
    let connection = connected(&run.url()).await?;
    let mut publisher = Publisher::new(&connection).await?;
    for blocking in [false, true] {
        let channel = connection.open_channel(None).await?;
        let queue = run.queue("queue");
        declared(&channel, &queue).await?;
        let (sender, mut receiver) = mpsc::channel(BUFFER_MAX);
        let arguments = BasicConsumeArguments::new(&queue, "");
        if blocking {
            channel.basic_consume_blocking(Passing(sender), arguments).await?;
        } else {
            channel.basic_consume(Passing(sender), arguments).await?;
        }
        let bodies = numbered("task", 20);
        for body in &bodies {
            publisher.published("", &queue, body).await?;
        }
        for body in &bodies {
            assert_eq!(soon("a task", receiver.recv()).await.as_deref(), Some(body.as_bytes()));
        }
        channel.close().await?;
    }
    Ok(())
}

/// What ends a connection ends no other, and is told to its callback.
async fn connection_error(run: Run) -> Outcome {
    let bystander = connected(&run.url()).await?;
    let connection = connected(&run.url()).await?;
    let (sender, mut told) = mpsc::channel(BUFFER_MAX);
    connection.register_callback(Teller(sender)).await?;
    let channel = connection.open_channel(None).await?;
    // Nobody has this flag any more.
    let immediate = BasicPublishArguments::new("amq.fanout", "").immediate(true).finish();
    channel.basic_publish(BasicProperties::default(), b"now".to_vec(), immediate).await?;
    assert_eq!(soon("the end of the connection", told.recv()).await, Some(Told::Closed(540)));
    until("a connection that is closed", async || !connection.is_open()).await;
    let channel = bystander.open_channel(None).await?;
    declared(&channel, &run.queue("queue")).await?;
    Ok(())
}

async fn tx(run: Run) -> Outcome {
    let connection = connected(&run.url()).await?;
    let channel = connection.open_channel(None).await?;
    let looking = connection.open_channel(None).await?;
    let queue = run.queue("queue");
    declared(&looking, &queue).await?;
    channel.tx_select().await?;
    for (commit, expected) in [(false, 0), (true, 3)] {
        for _ in 0..3 {
            let arguments = BasicPublishArguments::new("", &queue);
            channel.basic_publish(BasicProperties::default(), b"x".to_vec(), arguments).await?;
        }
        assert_eq!(ready(&looking, &queue).await?, 0);
        if commit {
            channel.tx_commit().await?;
        } else {
            channel.tx_rollback().await?;
        }
        assert_eq!(ready(&looking, &queue).await?, expected);
    }
    Ok(())
}

async fn message_16mb(run: Run) -> Outcome {
    let connection = connected(&run.url()).await?;
    let mut publisher = Publisher::new(&connection).await?;
    let channel = connection.open_channel(None).await?;
    let queue = run.queue("queue");
    declared(&channel, &queue).await?;
    let body: String = (0..LARGE_BYTES).map(|place| char::from(b'a' + (place * 31 % 26) as u8)).collect();
    publisher.published("", &queue, &body).await?;
    let no_ack = BasicGetArguments::new(&queue).no_ack(true).finish();
    let (_, _, content) = channel.basic_get(no_ack).await?.expect("the large message");
    assert!(content == body.as_bytes(), "{} bytes, not those that were sent", content.len());
    Ok(())
}

/// A broker that stops says so to the callback; one that is killed cannot, and the network's failure is told.
async fn reconnect_told(run: Run) -> Outcome {
    let connection = connected(&run.restart_url()).await?;
    let (sender, mut told) = mpsc::channel(BUFFER_MAX);
    connection.register_callback(Teller(sender)).await?;
    restart(How::Stop).await?;
    assert_eq!(soon("the end of the connection", told.recv()).await, Some(Told::Closed(320)));
    let connection = connected(&run.restart_url()).await?;
    let (failed, restarted) =
        tokio::join!(soon("the failure", connection.listen_network_io_failure()), restart(How::Kill));
    restarted?;
    assert!(failed);
    connected(&run.restart_url()).await?.close().await?;
    Ok(())
}
