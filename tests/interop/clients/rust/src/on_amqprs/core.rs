//! What every client has, with the methods of amqprs.

use amqprs::channel::{
    BasicAckArguments, BasicConsumeArguments, BasicGetArguments, BasicNackArguments, BasicPublishArguments,
    BasicQosArguments, Channel, ConsumerMessage, ExchangeBindArguments, ExchangeDeclareArguments,
    ExchangeUnbindArguments, QueueBindArguments, QueueDeclareArguments, QueueDeleteArguments,
    QueuePurgeArguments, QueueUnbindArguments,
};
use amqprs::{BasicProperties, FieldArray, FieldTable, FieldValue};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{Publisher, Result, Told, connected, declared, ready, told_channel};
use crate::control::{How, restart};
use crate::expect::{Received, numbered, soon, until};
use crate::scenario::{Outcome, Run, Scenarios};

const PREFETCH: u16 = 2;

pub fn rows(scenarios: &mut Scenarios) {
    scenarios.row("declare", declare);
    scenarios.row("bind", bind);
    scenarios.row("confirmed-publish", confirmed_publish);
    scenarios.row("consume-ack-prefetch", consume_ack_prefetch);
    scenarios.row("return", returned);
    scenarios.row("get", get);
    scenarios.row("rpc-reply-to", rpc_reply_to);
    scenarios.row("ttl-dead-letter", ttl_dead_letter);
    scenarios.own_broker_row("reconnect", reconnect);
}

fn table<const N: usize>(entries: [(&str, FieldValue); N]) -> FieldTable {
    let mut table = FieldTable::new();
    for (key, value) in entries {
        table.insert(key.try_into().unwrap(), value);
    }
    table
}

async fn declare(run: Run) -> Outcome {
    let connection = connected(&run.url()).await?;
    let channel = connection.open_channel(None).await?;
    for kind in ["direct", "fanout", "topic", "headers"] {
        let exchange = run.exchange(kind);
        for _ in 0..2 {
            channel
                .exchange_declare(ExchangeDeclareArguments::new(&exchange, kind).durable(true).finish())
                .await?;
        }
    }
    let queue = run.queue("queue");
    let arguments = |length| {
        let table = table([
            ("x-max-length", FieldValue::I(length)),
            ("x-message-ttl", FieldValue::I(60_000)),
            ("x-overflow", "reject-publish".into()),
        ]);
        QueueDeclareArguments::durable_client_named(&queue).arguments(table).finish()
    };
    for _ in 0..2 {
        assert_eq!(channel.queue_declare(arguments(10)).await?, Some((queue.clone(), 0, 0)));
    }
    let (other, mut told) = told_channel(&connection).await?;
    assert!(other.queue_declare(arguments(11)).await.is_err());
    assert_eq!(soon("the end of the channel", told.recv()).await, Some(Told::Closed(406)));
    channel.queue_delete(QueueDeleteArguments::new(&queue)).await?;
    let (other, mut told) = told_channel(&connection).await?;
    assert!(ready(&other, &queue).await.is_err());
    assert_eq!(soon("the end of the other channel", told.recv()).await, Some(Told::Closed(404)));
    // The connection goes on.
    declared(&channel, &queue).await?;
    assert!(connection.is_open());
    Ok(())
}

async fn bind(run: Run) -> Outcome {
    let connection = connected(&run.url()).await?;
    let mut publisher = Publisher::new(&connection).await?;
    let channel = connection.open_channel(None).await?;
    let (front, back, queue) = (run.exchange("front"), run.exchange("back"), run.queue("queue"));
    channel.exchange_declare(ExchangeDeclareArguments::new(&front, "direct")).await?;
    channel.exchange_declare(ExchangeDeclareArguments::new(&back, "topic")).await?;
    declared(&channel, &queue).await?;
    channel.exchange_bind(ExchangeBindArguments::new(&back, &front, "order.paid")).await?;
    channel.queue_bind(QueueBindArguments::new(&queue, &back, "order.*")).await?;
    let mut arrived = async |exchange: &str, key: &str| -> Result<Option<u32>> {
        publisher.published(exchange, key, key).await?;
        channel.queue_purge(QueuePurgeArguments::new(&queue)).await
    };
    assert_eq!(arrived(&front, "order.paid").await?, Some(1));
    assert_eq!(arrived(&front, "order.sent").await?, Some(0));
    channel.exchange_unbind(ExchangeUnbindArguments::new(&back, &front, "order.paid")).await?;
    assert_eq!(arrived(&front, "order.paid").await?, Some(0));
    assert_eq!(arrived(&back, "order.sent").await?, Some(1));
    channel.queue_unbind(QueueUnbindArguments::new(&queue, &back, "order.*")).await?;
    assert_eq!(arrived(&back, "order.sent").await?, Some(0));
    Ok(())
}

async fn confirmed_publish(run: Run) -> Outcome {
    let connection = connected(&run.url()).await?;
    let mut publisher = Publisher::new(&connection).await?;
    let channel = connection.open_channel(None).await?;
    let queue = run.queue("queue");
    let arguments = table([("x-max-length", FieldValue::I(500)), ("x-overflow", "reject-publish".into())]);
    channel
        .queue_declare(QueueDeclareArguments::durable_client_named(&queue).arguments(arguments).finish())
        .await?;
    for body in numbered("message", 500) {
        publisher.publish("", &queue, &body).await?;
    }
    publisher.confirmed().await;
    assert_eq!(ready(&channel, &queue).await?, 500);
    publisher.publish("", &queue, "one too many").await?;
    assert_eq!(soon("the nack", publisher.told.recv()).await, Some(Told::Nacked { tag: 501 }));
    Ok(())
}

/// Consumes with acknowledgements, at most as many at a time as the prefetch.
async fn consuming(
    channel: &Channel,
    queue: &str,
    prefetch: u16,
) -> Result<UnboundedReceiver<ConsumerMessage>> {
    channel.basic_qos(BasicQosArguments::new(0, prefetch, false)).await?;
    let (_, receiver) = channel.basic_consume_rx(BasicConsumeArguments::new(queue, "")).await?;
    Ok(receiver)
}

struct Delivery {
    tag: u64,
    redelivered: bool,
    properties: BasicProperties,
    body: Vec<u8>,
}

async fn next(consumer: &mut UnboundedReceiver<ConsumerMessage>, what: &str) -> Delivery {
    let message = soon(what, consumer.recv()).await.expect("the consumer ended");
    let deliver = message.deliver.expect("a delivery");
    Delivery {
        tag: deliver.delivery_tag(),
        redelivered: deliver.redelivered(),
        properties: message.basic_properties.expect("properties"),
        body: message.content.expect("a body"),
    }
}

async fn acked(channel: &Channel, tag: u64) -> Result<()> {
    channel.basic_ack(BasicAckArguments::new(tag, false)).await
}

async fn consume_ack_prefetch(run: Run) -> Outcome {
    let connection = connected(&run.url()).await?;
    let mut publisher = Publisher::new(&connection).await?;
    let looking = connection.open_channel(None).await?;
    let queue = run.queue("queue");
    declared(&looking, &queue).await?;
    let bodies = numbered("task", 10);
    for body in &bodies {
        publisher.published("", &queue, body).await?;
    }
    let channel = connection.open_channel(None).await?;
    let mut consumer = consuming(&channel, &queue, PREFETCH).await?;
    let mut held = vec![next(&mut consumer, "the first").await, next(&mut consumer, "the second").await];
    for (count, body) in bodies.iter().take(4).enumerate() {
        // What is not given out is ready: there are no more than the prefetch with the consumer.
        assert_eq!(ready(&looking, &queue).await? as usize, bodies.len() - count - held.len());
        let first = held.remove(0);
        assert_eq!(first.body, body.as_bytes());
        acked(&channel, first.tag).await?;
        held.push(next(&mut consumer, "another for the one that was acked").await);
    }
    channel.close().await?;
    for (place, body) in bodies.iter().enumerate().skip(4) {
        let (answer, _, content) =
            looking.basic_get(BasicGetArguments::new(&queue)).await?.expect("the rest");
        assert_eq!((content.as_slice(), answer.redelivered()), (body.as_bytes(), place < 6));
        acked(&looking, answer.delivery_tag()).await?;
    }
    assert!(looking.basic_get(BasicGetArguments::new(&queue)).await?.is_none());
    Ok(())
}

async fn returned(run: Run) -> Outcome {
    let connection = connected(&run.url()).await?;
    let mut publisher = Publisher::new(&connection).await?;
    let nowhere = run.queue("nowhere");
    for mandatory in [false, true] {
        let properties = BasicProperties::default().with_message_id("lost").finish();
        let arguments = BasicPublishArguments::new("", &nowhere).mandatory(mandatory).finish();
        publisher.channel.basic_publish(properties, b"body".to_vec(), arguments).await?;
    }
    // One ack may be for both.
    let mut returned = Vec::new();
    loop {
        match soon("an ack of the second message", publisher.told.recv()).await.expect("more to be told") {
            Told::Acked { tag: 2, .. } => break,
            Told::Acked { tag: 1, .. } => {}
            other => returned.push(other),
        }
    }
    let (text, message_id) = ("NO_ROUTE".to_owned(), Some("lost".to_owned()));
    let expected = Told::Returned { code: 312, text, message_id, body: b"body".to_vec() };
    assert_eq!(returned, [expected], "the return comes before its ack");
    Ok(())
}

async fn get(run: Run) -> Outcome {
    let connection = connected(&run.url()).await?;
    let mut publisher = Publisher::new(&connection).await?;
    let channel = connection.open_channel(None).await?;
    let queue = run.queue("queue");
    declared(&channel, &queue).await?;
    let arguments = BasicGetArguments::new(&queue);
    assert!(channel.basic_get(arguments.clone()).await?.is_none());
    for body in ["first", "second"] {
        publisher.published("", &queue, body).await?;
    }
    let (first, _, content) = channel.basic_get(arguments.clone()).await?.expect("the first");
    assert_eq!((content.as_slice(), first.message_count(), first.redelivered()), (&b"first"[..], 1, false));
    channel.basic_nack(BasicNackArguments::new(first.delivery_tag(), false, true)).await?;
    for (body, behind, redelivered) in [("first", 1, true), ("second", 0, false)] {
        let (answer, _, content) = channel.basic_get(arguments.clone()).await?.expect(body);
        assert_eq!((content.as_slice(), answer.message_count()), (body.as_bytes(), behind));
        assert_eq!(answer.redelivered(), redelivered);
        acked(&channel, answer.delivery_tag()).await?;
    }
    assert!(channel.basic_get(arguments).await?.is_none());
    Ok(())
}

async fn rpc_reply_to(run: Run) -> Outcome {
    let connection = connected(&run.url()).await?;
    let queue = run.queue("rpc");
    let server = connection.open_channel(None).await?;
    declared(&server, &queue).await?;
    let mut requests = consuming(&server, &queue, 10).await?;
    let client = connection.open_channel(None).await?;
    let address = "amq.rabbitmq.reply-to";
    let no_ack = BasicConsumeArguments::new(address, "").manual_ack(false).finish();
    let (_, mut replies) = client.basic_consume_rx(no_ack).await?;
    for number in [3_u32, 4, 5] {
        let id = format!("square of {number}");
        let properties = BasicProperties::default().with_reply_to(address).with_correlation_id(&id).finish();
        let arguments = BasicPublishArguments::new("", &queue);
        client.basic_publish(properties, number.to_string().into(), arguments).await?;
    }
    for _ in 0..3 {
        let request = next(&mut requests, "a request").await;
        let reply_to = request.properties.reply_to().expect("an address for the reply");
        let id = request.properties.correlation_id().expect("a correlation id");
        let number: u32 = String::from_utf8_lossy(&request.body).parse()?;
        let properties = BasicProperties::default().with_correlation_id(id).finish();
        let arguments = BasicPublishArguments::new("", reply_to);
        server.basic_publish(properties, (number * number).to_string().into(), arguments).await?;
        acked(&server, request.tag).await?;
    }
    for number in [3_u32, 4, 5] {
        let reply = next(&mut replies, "a reply").await;
        assert_eq!(reply.properties.correlation_id(), Some(&format!("square of {number}")));
        assert_eq!(reply.body, (number * number).to_string().as_bytes());
    }
    Ok(())
}

async fn ttl_dead_letter(run: Run) -> Outcome {
    let connection = connected(&run.url()).await?;
    let mut publisher = Publisher::new(&connection).await?;
    let channel = connection.open_channel(None).await?;
    let (waiting, dead) = (run.queue("waiting"), run.queue("dead"));
    declared(&channel, &dead).await?;
    let arguments = table([
        ("x-message-ttl", FieldValue::I(50)),
        ("x-dead-letter-exchange", "".into()),
        ("x-dead-letter-routing-key", dead.as_str().into()),
    ]);
    channel.queue_declare(QueueDeclareArguments::new(&waiting).arguments(arguments).finish()).await?;
    publisher.published("", &waiting, "expires").await?;
    until("the message that expired", async || ready(&channel, &dead).await.is_ok_and(|count| count == 1))
        .await;
    let no_ack = BasicGetArguments::new(&dead).no_ack(true).finish();
    let (_, properties, content) = channel.basic_get(no_ack).await?.expect("the dead letter");
    assert_eq!(content, b"expires");
    let deaths = properties.headers().expect("headers").get(&"x-death".try_into()?).cloned();
    let Some(FieldValue::A(deaths)) = deaths else { panic!("no list of deaths: {deaths:?}") };
    let death: FieldTable = first(deaths).try_into()?;
    let field = |name: &str| death.get(&name.try_into().unwrap()).cloned();
    assert_eq!(field("reason"), Some("expired".into()));
    assert_eq!(field("queue"), Some(waiting.as_str().into()));
    assert_eq!(field("count"), Some(FieldValue::l(1)));
    Ok(())
}

fn first(array: FieldArray) -> FieldValue {
    Vec::from(array).remove(0)
}

/// amqprs does not connect again by itself: its users do, when its connection is closed.
async fn reconnect(run: Run) -> Outcome {
    let queue = run.queue("queue");
    let mut received = Received::default();
    for how in [How::Stop, How::Kill] {
        let connection = connected(&run.restart_url()).await?;
        let mut publisher = Publisher::new(&connection).await?;
        let channel = connection.open_channel(None).await?;
        declared(&channel, &queue).await?;
        let bodies = numbered(how.word(), 30);
        received.expect(&bodies);
        for body in &bodies {
            publisher.published("", &queue, body).await?;
        }
        let mut consumer = consuming(&channel, &queue, PREFETCH).await?;
        for _ in 0..PREFETCH {
            let held = next(&mut consumer, "as many as the prefetch").await;
            received.add(&held.body, held.redelivered);
        }
        restart(how).await?;
        until("the end of the connection", async || !connection.is_open()).await;

        let connection = connected(&run.restart_url()).await?;
        let mut publisher = Publisher::new(&connection).await?;
        let after = format!("after {}", how.word());
        received.expect(std::slice::from_ref(&after));
        publisher.published("", &queue, &after).await?;
        let channel = connection.open_channel(None).await?;
        let mut consumer = consuming(&channel, &queue, PREFETCH).await?;
        while !received.has_all() {
            let delivery = next(&mut consumer, "everything that was confirmed").await;
            received.add(&delivery.body, delivery.redelivered);
            acked(&channel, delivery.tag).await?;
        }
        channel.close().await?;
        connection.close().await?;
    }
    Ok(())
}
