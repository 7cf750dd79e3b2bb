//! A client library, lapin, in the everyday patterns.

use std::future::Future;
use std::time::Duration;

use futures_lite::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions,
    BasicPublishOptions, BasicQosOptions, BasicRecoverOptions, BasicRejectOptions, ConfirmSelectOptions,
    ExchangeBindOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, ExchangeUnbindOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, ErrorKind,
    ExchangeKind,
};

use crate::support::Broker;

/// Nothing here takes longer than this, however busy the machine is: some of it is thousands of questions.
const DEADLINE: Duration = Duration::from_mins(5);

/// Runs a conversation of lapin's with a broker of its own.
fn with_broker<F: Future<Output = ()>>(conversation: impl FnOnce(Connection) -> F) {
    let broker = Broker::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connection = Connection::connect(&broker.url(), ConnectionProperties::default()).await.unwrap();
        tokio::time::timeout(DEADLINE, conversation(connection)).await.expect("done before the deadline");
    });
}

async fn queue(channel: &Channel, name: &str) -> String {
    let options = QueueDeclareOptions { exclusive: name.is_empty(), ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare(name.into(), options, FieldTable::default()).await.unwrap();
    queue.name().as_str().to_owned()
}

async fn publish(channel: &Channel, exchange: &str, key: &str, body: &str) -> Confirmation {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let properties = BasicProperties::default().with_content_type("text/plain".into());
    let promise =
        channel.basic_publish(exchange.into(), key.into(), options, body.as_bytes(), properties).await;
    promise.unwrap().await.unwrap()
}

async fn consume(channel: &Channel, queue: &str, no_ack: bool) -> Consumer {
    let options = BasicConsumeOptions { no_ack, ..BasicConsumeOptions::default() };
    channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await.unwrap()
}

async fn next(consumer: &mut Consumer) -> (String, Delivery) {
    let delivery = consumer.next().await.expect("a delivery").unwrap();
    (String::from_utf8(delivery.data.clone()).unwrap(), delivery)
}

#[test]
fn hello() {
    with_broker(|connection| async move {
        let channel = connection.create_channel().await.unwrap();
        queue(&channel, "hello").await;
        let mut consumer = consume(&channel, "hello", true).await;
        publish(&channel, "", "hello", "Hello World!").await;
        let (body, delivery) = next(&mut consumer).await;
        assert_eq!((body.as_str(), delivery.redelivered), ("Hello World!", false));
        assert_eq!(delivery.properties.content_type().as_ref().unwrap().as_str(), "text/plain");
        channel.close(200, "bye".into()).await.unwrap();
        connection.close(200, "bye".into()).await.unwrap();
    });
}

#[test]
fn a_work_queue_shares_its_messages_among_workers() {
    with_broker(|connection| async move {
        let producer = connection.create_channel().await.unwrap();
        queue(&producer, "tasks").await;
        let mut workers = Vec::new();
        for _ in 0..2 {
            let channel = connection.create_channel().await.unwrap();
            channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
            workers.push((consume(&channel, "tasks", false).await, channel));
        }
        for n in 0..10 {
            publish(&producer, "", "tasks", &n.to_string()).await;
        }
        let mut seen = Vec::new();
        for _ in 0..5 {
            for (consumer, _) in &mut workers {
                let (body, delivery) = next(consumer).await;
                seen.push(body);
                delivery.ack(BasicAckOptions::default()).await.unwrap();
            }
        }
        seen.sort();
        assert_eq!(seen, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    });
}

#[test]
fn publish_and_subscribe() {
    with_broker(|connection| async move {
        let channel = connection.create_channel().await.unwrap();
        let options = ExchangeDeclareOptions::default();
        channel
            .exchange_declare("logs".into(), ExchangeKind::Fanout, options, FieldTable::default())
            .await
            .unwrap();
        let mut consumers = Vec::new();
        for _ in 0..3 {
            let name = queue(&channel, "").await;
            let bind = QueueBindOptions::default();
            channel
                .queue_bind(name.as_str().into(), "logs".into(), "".into(), bind, FieldTable::default())
                .await
                .unwrap();
            consumers.push(consume(&channel, &name, true).await);
        }
        publish(&channel, "logs", "", "news").await;
        for consumer in &mut consumers {
            assert_eq!(next(consumer).await.0, "news");
        }
    });
}

#[test]
fn routing_by_key_and_by_pattern() {
    with_broker(|connection| async move {
        let channel = connection.create_channel().await.unwrap();
        for (exchange, key, sent, other) in [
            ("amq.direct", "error", "error", "info"),
            ("amq.topic", "kern.*", "kern.critical", "cron.critical"),
        ] {
            let name = queue(&channel, "").await;
            let bind = QueueBindOptions::default();
            channel
                .queue_bind(name.as_str().into(), exchange.into(), key.into(), bind, FieldTable::default())
                .await
                .unwrap();
            let mut consumer = consume(&channel, &name, true).await;
            publish(&channel, exchange, other, "not for us").await;
            publish(&channel, exchange, sent, "for us").await;
            let (body, delivery) = next(&mut consumer).await;
            assert_eq!((body.as_str(), delivery.routing_key.as_str()), ("for us", sent));
            channel
                .queue_unbind(name.as_str().into(), exchange.into(), key.into(), FieldTable::default())
                .await
                .unwrap();
        }
    });
}

#[test]
fn remote_procedure_calls_by_queue_and_by_direct_reply_to() {
    with_broker(|connection| async move {
        let server = connection.create_channel().await.unwrap();
        let client = connection.create_channel().await.unwrap();
        queue(&server, "rpc").await;
        let mut requests = consume(&server, "rpc", false).await;
        let own = queue(&client, "").await;
        for reply_to in [own.as_str(), "amq.rabbitmq.reply-to"] {
            let mut replies = consume(&client, reply_to, true).await;
            let properties =
                BasicProperties::default().with_reply_to(reply_to.into()).with_correlation_id("42".into());
            let options = BasicPublishOptions::default();
            client.basic_publish("".into(), "rpc".into(), options, b"6", properties).await.unwrap();
            let (body, request) = next(&mut requests).await;
            let to = request.properties.reply_to().clone().unwrap();
            let id = request.properties.correlation_id().clone().unwrap();
            let answer = (body.parse::<u32>().unwrap() * 7).to_string();
            let properties = BasicProperties::default().with_correlation_id(id);
            server.basic_publish("".into(), to, options, answer.as_bytes(), properties).await.unwrap();
            request.ack(BasicAckOptions::default()).await.unwrap();
            let (body, reply) = next(&mut replies).await;
            assert_eq!(
                (body.as_str(), reply.properties.correlation_id().as_ref().unwrap().as_str()),
                ("42", "42")
            );
        }
    });
}

#[test]
fn confirms_and_returns() {
    with_broker(|connection| async move {
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        queue(&channel, "q").await;
        for n in 0..100 {
            assert!(matches!(publish(&channel, "", "q", &n.to_string()).await, Confirmation::Ack(None)));
        }
        let Confirmation::Ack(Some(returned)) = publish(&channel, "", "nobody", "lost").await else {
            panic!("not returned");
        };
        assert_eq!((returned.reply_code, returned.reply_text.as_str()), (312, "NO_ROUTE"));
        assert_eq!(returned.delivery.data, b"lost");
        assert!(channel.wait_for_confirms().await.unwrap().is_empty());
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared = channel.queue_declare("q".into(), options, FieldTable::default()).await.unwrap();
        assert_eq!(declared.message_count(), 100);
    });
}

#[test]
fn get_and_every_settlement() {
    with_broker(|connection| async move {
        let channel = connection.create_channel().await.unwrap();
        queue(&channel, "q").await;
        for body in ["acked", "rejected", "requeued", "left"] {
            publish(&channel, "", "q", body).await;
        }
        let get = || async { channel.basic_get("q".into(), BasicGetOptions::default()).await.unwrap() };
        get().await.unwrap().ack(BasicAckOptions::default()).await.unwrap();
        get().await.unwrap().reject(BasicRejectOptions { requeue: false }).await.unwrap();
        let nack = BasicNackOptions { requeue: true, multiple: false };
        get().await.unwrap().nack(nack).await.unwrap();
        let again = get().await.unwrap();
        assert_eq!(
            (again.data.as_slice(), again.redelivered, again.message_count),
            (&b"requeued"[..], true, 1)
        );
        channel.basic_recover(BasicRecoverOptions { requeue: true }).await.unwrap();
        assert_eq!(channel.queue_purge("q".into(), QueuePurgeOptions::default()).await.unwrap(), 2);
        assert!(get().await.is_none());
        assert_eq!(channel.queue_delete("q".into(), QueueDeleteOptions::default()).await.unwrap(), 0);
    });
}

#[test]
fn a_transaction_is_committed_or_rolled_back() {
    with_broker(|connection| async move {
        let channel = connection.create_channel().await.unwrap();
        queue(&channel, "q").await;
        channel.tx_select().await.unwrap();
        publish(&channel, "", "q", "rolled back").await;
        channel.tx_rollback().await.unwrap();
        publish(&channel, "", "q", "committed").await;
        channel.tx_commit().await.unwrap();
        let message = channel.basic_get("q".into(), BasicGetOptions { no_ack: true }).await.unwrap().unwrap();
        assert_eq!((message.data.as_slice(), message.message_count), (&b"committed"[..], 0));
    });
}

#[test]
fn exchanges_are_bound_to_each_other() {
    with_broker(|connection| async move {
        let channel = connection.create_channel().await.unwrap();
        let options =
            ExchangeDeclareOptions { internal: true, auto_delete: true, ..ExchangeDeclareOptions::default() };
        channel
            .exchange_declare("inner".into(), ExchangeKind::Headers, options, FieldTable::default())
            .await
            .unwrap();
        let bind = ExchangeBindOptions::default();
        channel
            .exchange_bind("inner".into(), "amq.fanout".into(), "".into(), bind, FieldTable::default())
            .await
            .unwrap();
        let mut arguments = FieldTable::default();
        arguments.insert("x-match".into(), AMQPValue::LongString("any".into()));
        arguments.insert("colour".into(), AMQPValue::LongString("blue".into()));
        queue(&channel, "q").await;
        let bind = QueueBindOptions::default();
        channel.queue_bind("q".into(), "inner".into(), "".into(), bind, arguments.clone()).await.unwrap();
        let properties = BasicProperties::default().with_headers(arguments);
        let options = BasicPublishOptions::default();
        channel.basic_publish("amq.fanout".into(), "".into(), options, b"x", properties).await.unwrap();
        let message = channel.basic_get("q".into(), BasicGetOptions { no_ack: true }).await.unwrap().unwrap();
        assert_eq!(message.exchange.as_str(), "amq.fanout");
        let unbind = ExchangeUnbindOptions::default();
        channel
            .exchange_unbind("inner".into(), "amq.fanout".into(), "".into(), unbind, FieldTable::default())
            .await
            .unwrap();
        channel.exchange_delete("inner".into(), ExchangeDeleteOptions::default()).await.unwrap();
    });
}

#[test]
fn a_cancelled_consumer_s_stream_ends() {
    with_broker(|connection| async move {
        let channel = connection.create_channel().await.unwrap();
        queue(&channel, "q").await;
        let mut by_us = consume(&channel, "q", true).await;
        let mut by_deletion = consume(&channel, "q", true).await;
        channel.basic_cancel(by_us.tag(), BasicCancelOptions::default()).await.unwrap();
        assert!(by_us.next().await.is_none());
        channel.queue_delete("q".into(), QueueDeleteOptions::default()).await.unwrap();
        assert!(by_deletion.next().await.is_none());
    });
}

#[test]
fn an_exception_arrives_with_its_code_and_text() {
    with_broker(|connection| async move {
        let channel = connection.create_channel().await.unwrap();
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let error = channel.queue_declare("absent".into(), options, FieldTable::default()).await.unwrap_err();
        let ErrorKind::ProtocolError(error) = error.kind() else { panic!("{error}") };
        assert_eq!(
            (error.get_id(), error.get_message().as_str()),
            (404, "NOT_FOUND - no queue 'absent' in vhost '/'")
        );
        assert!(connection.status().connected());
        connection.create_channel().await.unwrap();
    });
}

#[test]
fn a_large_message_and_a_thousand_channels() {
    with_broker(|connection| async move {
        let channel = connection.create_channel().await.unwrap();
        queue(&channel, "q").await;
        let body = "leveret".repeat(1 << 20);
        publish(&channel, "", "q", &body).await;
        let message = channel.basic_get("q".into(), BasicGetOptions { no_ack: true }).await.unwrap().unwrap();
        assert!(message.data == body.as_bytes());
        let mut channels = Vec::new();
        for _ in 0..1000 {
            channels.push(connection.create_channel().await.unwrap());
        }
        for channel in &channels {
            publish(channel, "", "q", "x").await;
        }
        for channel in &channels {
            channel.close(200, "bye".into()).await.unwrap();
        }
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared = channel.queue_declare("q".into(), options, FieldTable::default()).await.unwrap();
        assert_eq!(declared.message_count(), 1000);
        connection.close(200, "bye".into()).await.unwrap();
    });
}
