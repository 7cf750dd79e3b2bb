//! What every client has, for lapin and for the pool of its connections.

use futures_lite::StreamExt;
use lapin::message::{BasicGetMessage, Delivery};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions,
    BasicQosOptions, ExchangeBindOptions, ExchangeDeclareOptions, ExchangeUnbindOptions, QueueBindOptions,
    QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Consumer, ExchangeKind};

use super::{Source, confirming, declared, published, ready, refusal};
use crate::expect::{numbered, soon, until};
use crate::scenario::{Outcome, Run, Scenarios};

const PREFETCH: u16 = 2;

pub fn rows<S: Source>(scenarios: &mut Scenarios) {
    scenarios.row("declare", declare::<S>);
    scenarios.row("bind", bind::<S>);
    scenarios.row("confirmed-publish", confirmed_publish::<S>);
    scenarios.row("consume-ack-prefetch", consume_ack_prefetch::<S>);
    scenarios.row("return", returned::<S>);
    scenarios.row("get", get::<S>);
    scenarios.row("rpc-reply-to", rpc_reply_to::<S>);
    scenarios.row("ttl-dead-letter", ttl_dead_letter::<S>);
}

fn table<const N: usize>(entries: [(&str, AMQPValue); N]) -> FieldTable {
    entries
        .into_iter()
        .map(|(key, value)| (key.into(), value))
        .collect::<std::collections::BTreeMap<_, _>>()
        .into()
}

async fn declare<S: Source>(run: Run) -> Outcome {
    let connection = S::connection(run.url()).await?;
    let channel = connection.create_channel().await?;
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    for kind in [ExchangeKind::Direct, ExchangeKind::Fanout, ExchangeKind::Topic, ExchangeKind::Headers] {
        let exchange = run.exchange("exchange");
        for _ in 0..2 {
            channel
                .exchange_declare(exchange.as_str().into(), kind.clone(), durable, FieldTable::default())
                .await?;
        }
    }
    let queue = run.queue("queue");
    let arguments = |length: i32| {
        table([
            ("x-max-length", AMQPValue::LongInt(length)),
            ("x-message-ttl", AMQPValue::LongInt(60_000)),
            ("x-overflow", AMQPValue::LongString("reject-publish".into())),
        ])
    };
    let options = QueueDeclareOptions::durable();
    for _ in 0..2 {
        let answer = channel.queue_declare(queue.as_str().into(), options, arguments(10)).await?;
        assert_eq!(
            (answer.name().as_str(), answer.message_count(), answer.consumer_count()),
            (queue.as_str(), 0, 0)
        );
    }
    let other = connection.create_channel().await?;
    assert_eq!(refusal(other.queue_declare(queue.as_str().into(), options, arguments(11)).await), Some(406));
    channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await?;
    let other = connection.create_channel().await?;
    assert_eq!(refusal(ready(&other, &queue).await), Some(404));
    // The connection goes on.
    channel.queue_declare(queue.as_str().into(), options, FieldTable::default()).await?;
    assert!(connection.status().connected());
    Ok(())
}

async fn bind<S: Source>(run: Run) -> Outcome {
    let connection = S::connection(run.url()).await?;
    let channel = confirming(&connection).await?;
    let (front, back, queue) = (run.exchange("front"), run.exchange("back"), run.queue("queue"));
    let options = ExchangeDeclareOptions::default();
    channel
        .exchange_declare(front.as_str().into(), ExchangeKind::Direct, options, FieldTable::default())
        .await?;
    channel
        .exchange_declare(back.as_str().into(), ExchangeKind::Topic, options, FieldTable::default())
        .await?;
    declared(&channel, &queue).await?;
    let (to, from) = (back.as_str(), front.as_str());
    let none = FieldTable::default;
    channel
        .exchange_bind(to.into(), from.into(), "order.paid".into(), ExchangeBindOptions::default(), none())
        .await?;
    channel
        .queue_bind(queue.as_str().into(), to.into(), "order.*".into(), QueueBindOptions::default(), none())
        .await?;
    assert_eq!(arrived(&channel, &queue, &front, "order.paid").await?, 1);
    assert_eq!(arrived(&channel, &queue, &front, "order.sent").await?, 0);
    channel
        .exchange_unbind(
            to.into(),
            from.into(),
            "order.paid".into(),
            ExchangeUnbindOptions::default(),
            none(),
        )
        .await?;
    assert_eq!(arrived(&channel, &queue, &front, "order.paid").await?, 0);
    assert_eq!(arrived(&channel, &queue, &back, "order.sent").await?, 1);
    channel.queue_unbind(queue.as_str().into(), to.into(), "order.*".into(), none()).await?;
    assert_eq!(arrived(&channel, &queue, &back, "order.sent").await?, 0);
    Ok(())
}

async fn arrived(channel: &Channel, queue: &str, exchange: &str, key: &str) -> lapin::Result<u32> {
    published(channel, exchange, key, key).await?;
    channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await
}

async fn confirmed_publish<S: Source>(run: Run) -> Outcome {
    let connection = S::connection(run.url()).await?;
    let channel = confirming(&connection).await?;
    let queue = run.queue("queue");
    declared(&channel, &queue).await?;
    let mut confirms = Vec::new();
    for body in numbered("message", 500) {
        let properties = BasicProperties::default().with_delivery_mode(2);
        let options = BasicPublishOptions::default();
        let confirm = channel
            .basic_publish("".into(), queue.as_str().into(), options, body.as_bytes(), properties)
            .await?;
        confirms.push(confirm);
    }
    for confirm in confirms {
        assert!(soon("a confirm", confirm).await?.is_ack());
    }
    assert_eq!(ready(&channel, &queue).await?, 500);
    Ok(())
}

/// Consumes with acknowledgements, at most as many at a time as the prefetch.
pub async fn consuming(channel: &Channel, queue: &str, prefetch: u16) -> lapin::Result<Consumer> {
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    channel
        .basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
        .await
}

pub async fn next(consumer: &mut Consumer, what: &str) -> lapin::Result<Delivery> {
    soon(what, consumer.next()).await.expect("the consumer ended")
}

async fn consume_ack_prefetch<S: Source>(run: Run) -> Outcome {
    let connection = S::connection(run.url()).await?;
    let publishing = confirming(&connection).await?;
    let queue = run.queue("queue");
    declared(&publishing, &queue).await?;
    let bodies = numbered("task", 10);
    for body in &bodies {
        published(&publishing, "", &queue, body).await?;
    }
    let channel = connection.create_channel().await?;
    let mut consumer = consuming(&channel, &queue, PREFETCH).await?;
    let mut held = vec![next(&mut consumer, "the first").await?, next(&mut consumer, "the second").await?];
    for (acked, body) in bodies.iter().take(4).enumerate() {
        // What is not given out is ready: there are no more than the prefetch with the consumer.
        assert_eq!(ready(&publishing, &queue).await? as usize, bodies.len() - acked - held.len());
        let first = held.remove(0);
        assert_eq!(first.data, body.as_bytes());
        first.ack(BasicAckOptions::default()).await?;
        held.push(next(&mut consumer, "another for the one that was acked").await?);
    }
    channel.close(200, "done".into()).await?;
    for (place, body) in bodies.iter().enumerate().skip(4) {
        let message = taken(&publishing, &queue).await?.expect("a message that was not acked");
        assert_eq!((message.data.as_slice(), message.redelivered), (body.as_bytes(), place < 6));
        message.ack(BasicAckOptions::default()).await?;
    }
    assert!(taken(&publishing, &queue).await?.is_none());
    Ok(())
}

async fn taken(channel: &Channel, queue: &str) -> lapin::Result<Option<BasicGetMessage>> {
    channel.basic_get(queue.into(), BasicGetOptions::default()).await
}

async fn returned<S: Source>(run: Run) -> Outcome {
    let connection = S::connection(run.url()).await?;
    let channel = confirming(&connection).await?;
    let nowhere = run.queue("nowhere");
    for mandatory in [false, true] {
        let options = BasicPublishOptions { mandatory, ..BasicPublishOptions::default() };
        let properties = BasicProperties::default().with_message_id("lost".into());
        let confirm = channel
            .basic_publish("".into(), nowhere.as_str().into(), options, b"body", properties)
            .await?
            .await?;
        assert!(confirm.is_ack());
        let message = confirm.take_message();
        assert_eq!(message.is_some(), mandatory);
        if let Some(message) = message {
            assert_eq!((message.reply_code, message.reply_text.as_str()), (312, "NO_ROUTE"));
            assert_eq!(
                (message.data.as_slice(), message.routing_key.as_str()),
                (&b"body"[..], nowhere.as_str())
            );
            assert_eq!(message.properties.message_id().as_ref().map(|id| id.as_str()), Some("lost"));
        }
    }
    Ok(())
}

async fn get<S: Source>(run: Run) -> Outcome {
    let connection = S::connection(run.url()).await?;
    let channel = confirming(&connection).await?;
    let queue = run.queue("queue");
    declared(&channel, &queue).await?;
    assert!(taken(&channel, &queue).await?.is_none());
    for body in ["first", "second"] {
        published(&channel, "", &queue, body).await?;
    }
    let first = taken(&channel, &queue).await?.expect("the first");
    assert_eq!((first.data.as_slice(), first.message_count, first.redelivered), (&b"first"[..], 1, false));
    first.nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() }).await?;
    for (body, behind, redelivered) in [("first", 1, true), ("second", 0, false)] {
        let message = taken(&channel, &queue).await?.expect(body);
        assert_eq!((message.data.as_slice(), message.message_count), (body.as_bytes(), behind));
        assert_eq!(message.redelivered, redelivered);
        message.ack(BasicAckOptions::default()).await?;
    }
    assert!(taken(&channel, &queue).await?.is_none());
    Ok(())
}

async fn rpc_reply_to<S: Source>(run: Run) -> Outcome {
    let connection = S::connection(run.url()).await?;
    let queue = run.queue("rpc");
    let server = connection.create_channel().await?;
    declared(&server, &queue).await?;
    let mut requests = consuming(&server, &queue, 10).await?;
    let client = connection.create_channel().await?;
    let address = "amq.rabbitmq.reply-to";
    let no_ack = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let mut replies = client.basic_consume(address.into(), "".into(), no_ack, FieldTable::default()).await?;
    let options = BasicPublishOptions::default();
    for number in [3_u32, 4, 5] {
        let properties = BasicProperties::default()
            .with_reply_to(address.into())
            .with_correlation_id(format!("square of {number}").into());
        let body = number.to_string();
        client.basic_publish("".into(), queue.as_str().into(), options, body.as_bytes(), properties).await?;
    }
    for _ in 0..3 {
        let request = next(&mut requests, "a request").await?;
        let reply_to = request.properties.reply_to().clone().expect("an address for the reply");
        let correlation_id = request.properties.correlation_id().clone().expect("a correlation id");
        let number: u32 = String::from_utf8_lossy(&request.data).parse()?;
        let properties = BasicProperties::default().with_correlation_id(correlation_id);
        let body = (number * number).to_string();
        server.basic_publish("".into(), reply_to, options, body.as_bytes(), properties).await?;
        request.ack(BasicAckOptions::default()).await?;
    }
    for number in [3_u32, 4, 5] {
        let reply = next(&mut replies, "a reply").await?;
        let correlation_id = reply.properties.correlation_id().as_ref().map(|id| id.as_str().to_owned());
        assert_eq!(correlation_id, Some(format!("square of {number}")));
        assert_eq!(reply.data, (number * number).to_string().as_bytes());
    }
    Ok(())
}

async fn ttl_dead_letter<S: Source>(run: Run) -> Outcome {
    let connection = S::connection(run.url()).await?;
    let channel = confirming(&connection).await?;
    let (waiting, dead) = (run.queue("waiting"), run.queue("dead"));
    declared(&channel, &dead).await?;
    let arguments = table([
        ("x-message-ttl", AMQPValue::LongInt(50)),
        ("x-dead-letter-exchange", AMQPValue::LongString("".into())),
        ("x-dead-letter-routing-key", AMQPValue::LongString(dead.as_str().into())),
    ]);
    channel.queue_declare(waiting.as_str().into(), QueueDeclareOptions::default(), arguments).await?;
    published(&channel, "", &waiting, "expires").await?;
    until("the message that expired", async || ready(&channel, &dead).await.is_ok_and(|count| count == 1))
        .await;
    let letter = taken(&channel, &dead).await?.expect("the dead letter");
    assert_eq!(letter.data, b"expires");
    let headers = letter.properties.headers().as_ref().expect("headers").inner();
    let deaths = headers["x-death"].as_array().expect("a list of deaths").as_slice();
    let death = deaths[0].as_field_table().expect("a table").inner();
    assert_eq!(death["reason"], AMQPValue::LongString("expired".into()));
    assert_eq!(death["queue"], AMQPValue::LongString(waiting.as_str().into()));
    assert_eq!(death["count"], AMQPValue::LongLongInt(1));
    letter.ack(BasicAckOptions::default()).await?;
    Ok(())
}
