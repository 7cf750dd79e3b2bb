//! What lapin's users rely on besides: recovery, transactions, many confirms at once, the end of a consumer.

use std::env;
use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_lite::StreamExt;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicPublishOptions, QueueDeleteOptions};
use lapin::runtime::default_runtime;
use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, Event};

use super::core::{consuming, next};
use super::{Direct, Source, confirming, declared, published, ready};
use tokio::time::timeout;

use crate::control::{How, alarm, restart};
use crate::expect::{Received, numbered, soon, until};
use crate::scenario::{Outcome, Run, Scenarios, variable};

const PREFETCH: u16 = 2;
const PUBLISH_MAX: Duration = Duration::from_millis(200);
const BUFFER_MAX: usize = 1000;
const LARGE_BYTES: usize = 16 * 1024 * 1024;

pub fn rows(scenarios: &mut Scenarios) {
    scenarios.own_broker_row("reconnect", reconnect);
    scenarios.row("wait-for-confirms", wait_for_confirms);
    scenarios.row("tx", tx);
    scenarios.row("cancel-notify", cancel_notify);
    scenarios.row("message-16mb", message_16mb);
    scenarios.row("delegate", delegate);
    scenarios.own_broker_row("blocked", blocked);
    // Where the broker speaks TLS is not known of one that runs already.
    if env::var_os("INTEROP_TLS_URL").is_some() {
        scenarios.row("tls", tls);
        scenarios.row("tls-external", tls_external);
    }
}

/// With automatic recovery the same channels and the same consumer go on after the broker has been away.
async fn reconnect(run: Run) -> Outcome {
    let properties = ConnectionProperties::default()
        .enable_auto_recover()
        .configure_backoff(|backoff| backoff.with_min_delay(Duration::from_millis(50)).with_max_times(100));
    let connection = Connection::connect(&run.restart_url(), properties).await?;
    let publishing = confirming(&connection).await?;
    let channel = connection.create_channel().await?;
    let queue = run.queue("queue");
    declared(&publishing, &queue).await?;
    let mut consumer = consuming(&channel, &queue, PREFETCH).await?;
    let mut received = Received::default();
    for how in [How::Stop, How::Kill] {
        let bodies = numbered(how.word(), 30);
        received.expect(&bodies);
        for body in &bodies {
            published(&publishing, "", &queue, body).await?;
        }
        for _ in 0..PREFETCH {
            let held = next(&mut consumer, "as many as the prefetch").await?;
            received.add(&held.data, held.redelivered);
        }
        restart(how).await?;
        let after = format!("after {}", how.word());
        received.expect(std::slice::from_ref(&after));
        let publisher = recovering(&publishing, &queue, &after);
        let rest = consumed(&channel, &mut consumer, &mut received);
        let (sent, got) =
            tokio::join!(soon("a confirm after the restart", publisher), soon("what was confirmed", rest));
        sent?;
        got?;
    }
    connection.close(200, "done".into()).await?;
    Ok(())
}

/// Publishes as lapin's documentation says: after an error it waits for the recovery and publishes again.
async fn recovering(channel: &Channel, queue: &str, body: &str) -> lapin::Result<()> {
    loop {
        match published(channel, "", queue, body).await {
            Ok(()) => return Ok(()),
            Err(error) => channel.wait_for_recovery(error).await?,
        }
    }
}

/// Consumes until nothing is missing.
async fn consumed(channel: &Channel, consumer: &mut Consumer, received: &mut Received) -> lapin::Result<()> {
    while !received.has_all() {
        match consumer.next().await.expect("the consumer ended") {
            Ok(delivery) => {
                received.add(&delivery.data, delivery.redelivered);
                delivery.ack(BasicAckOptions::default()).await?;
            }
            Err(error) => channel.wait_for_recovery(error).await?,
        }
    }
    Ok(())
}

async fn wait_for_confirms(run: Run) -> Outcome {
    let connection = Direct::connection(run.url()).await?;
    let channel = confirming(&connection).await?;
    let (queue, nowhere) = (run.queue("queue"), run.queue("nowhere"));
    declared(&channel, &queue).await?;
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    for number in 0..200 {
        let key = if number % 50 == 0 { &nowhere } else { &queue };
        channel
            .basic_publish("".into(), key.as_str().into(), options, b"x", BasicProperties::default())
            .await?;
    }
    let returned = soon("all confirms", channel.wait_for_confirms()).await?;
    assert_eq!((returned.len(), ready(&channel, &queue).await?), (4, 196));
    Ok(())
}

async fn tx(run: Run) -> Outcome {
    let connection = Direct::connection(run.url()).await?;
    let channel = connection.create_channel().await?;
    let looking = connection.create_channel().await?;
    let queue = run.queue("queue");
    declared(&channel, &queue).await?;
    channel.tx_select().await?;
    let options = BasicPublishOptions::default();
    for (commit, expected) in [(false, 0), (true, 3)] {
        for _ in 0..3 {
            channel
                .basic_publish("".into(), queue.as_str().into(), options, b"x", BasicProperties::default())
                .await?;
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

/// A consumer whose queue is deleted ends, and one that is cancelled too; the channel goes on.
async fn cancel_notify(run: Run) -> Outcome {
    let connection = Direct::connection(run.url()).await?;
    let channel = connection.create_channel().await?;
    let queue = run.queue("queue");
    declared(&channel, &queue).await?;
    let mut consumer = consuming(&channel, &queue, PREFETCH).await?;
    let other = connection.create_channel().await?;
    other.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await?;
    assert!(soon("the end of the consumer", consumer.next()).await.is_none());
    declared(&channel, &queue).await?;
    let mut consumer = consuming(&channel, &queue, PREFETCH).await?;
    channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await?;
    assert!(soon("the end of the other consumer", consumer.next()).await.is_none());
    Ok(())
}

async fn message_16mb(run: Run) -> Outcome {
    let connection = Direct::connection(run.url()).await?;
    let channel = confirming(&connection).await?;
    let queue = run.queue("queue");
    declared(&channel, &queue).await?;
    let body: Vec<u8> = (0..LARGE_BYTES).map(|place| ((place * 31) >> 3) as u8).collect();
    let options = BasicPublishOptions::default();
    let confirm = channel
        .basic_publish("".into(), queue.as_str().into(), options, &body, BasicProperties::default())
        .await?;
    assert!(soon("the confirm", confirm).await?.is_ack());
    let mut consumer = consuming(&channel, &queue, PREFETCH).await?;
    let delivery = next(&mut consumer, "the large message").await?;
    assert!(delivery.data == body, "{} bytes, not those that were sent", delivery.data.len());
    delivery.ack(BasicAckOptions::default()).await?;
    Ok(())
}

/// A consumer that lapin drives by itself.
async fn delegate(run: Run) -> Outcome {
    let connection = Direct::connection(run.url()).await?;
    let channel = confirming(&connection).await?;
    let queue = run.queue("queue");
    declared(&channel, &queue).await?;
    let (sender, mut receiver) = tokio::sync::mpsc::channel(BUFFER_MAX);
    let consumer = consuming(&channel, &queue, PREFETCH).await?;
    consumer.set_delegate(move |result: lapin::message::DeliveryResult| {
        let sender = sender.clone();
        async move {
            if let Ok(Some(delivery)) = result {
                delivery.ack(BasicAckOptions::default()).await.expect("an ack");
                drop(sender.send(delivery.data.clone()).await);
            }
        }
    });
    let bodies = numbered("task", 20);
    for body in &bodies {
        published(&channel, "", &queue, body).await?;
    }
    // lapin spawns a task for each delivery, so that either of two may be told first.
    let mut told = Vec::new();
    for _ in &bodies {
        told.push(
            String::from_utf8(soon("a task", receiver.recv()).await.expect("the delegate is there")).unwrap(),
        );
    }
    told.sort();
    let mut expected = bodies;
    expected.sort();
    assert_eq!(told, expected);
    Ok(())
}

/// lapin tells of publishers that are blocked by an event and by its status.
async fn blocked(run: Run) -> Outcome {
    let connection = Direct::connection(run.restart_url()).await?;
    let mut events = Box::pin(connection.events_listener());
    let channel = confirming(&connection).await?;
    let queue = run.queue("queue");
    declared(&channel, &queue).await?;
    alarm(true).await?;
    let mut confirms = Vec::new();
    until("the notice that publishers are blocked", async || {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let publish = channel.basic_publish("".into(), queue.as_str().into(), options, b"waits", properties);
        // A connection is told when it publishes, and then lapin holds back what is published.
        if let Ok(confirm) = timeout(PUBLISH_MAX, publish).await {
            confirms.push(confirm.expect("a publish"));
        }
        connection.status().blocked()
    })
    .await;
    alarm(false).await?;
    for confirm in confirms {
        assert!(soon("a confirm", confirm).await?.is_ack());
    }
    until("the notice that they are not any more", async || !connection.status().blocked()).await;
    published(&channel, "", &queue, "goes on").await?;
    let mut told = Vec::new();
    while told.len() < 2 {
        match soon("both notices", events.next()).await.expect("events end with the connection") {
            Event::ConnectionBlocked(reason) => told.push(reason.contains("disk")),
            Event::ConnectionUnblocked => told.push(false),
            _ => {}
        }
    }
    assert_eq!(told, [true, false]);
    Ok(())
}

async fn secured(url: &str, identity: Option<OwnedIdentity>) -> lapin::Result<Connection> {
    let config = OwnedTLSConfig { identity, cert_chain: Some(String::from_utf8(file("ca.pem")).unwrap()) };
    Connection::connect_with_config(url, ConnectionProperties::default(), config, default_runtime()?).await
}

fn file(name: &str) -> Vec<u8> {
    fs::read(Path::new(&variable("INTEROP_CERTIFICATES")).join(name)).unwrap()
}

/// Messages through TLS come out as they went in.
async fn carried(connection: &Connection, run: &Run) -> Outcome {
    let channel = confirming(connection).await?;
    let queue = run.queue("queue");
    declared(&channel, &queue).await?;
    let bodies = ["small".to_owned(), "large ".repeat(700_000), String::new()];
    let mut consumer = consuming(&channel, &queue, PREFETCH).await?;
    for body in &bodies {
        published(&channel, "", &queue, body).await?;
        let delivery = next(&mut consumer, "a message").await?;
        assert!(delivery.data == body.as_bytes(), "{} bytes, not those that were sent", delivery.data.len());
        delivery.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}

async fn tls(run: Run) -> Outcome {
    carried(&secured(&variable("INTEROP_TLS_URL"), None).await?, &run).await
}

async fn tls_external(run: Run) -> Outcome {
    let external = format!("{}?auth_mechanism=external", variable("INTEROP_TLS_URL"));
    let identity = OwnedIdentity::PKCS8 { pem: file("client.pem"), key: file("client-key.pem") };
    carried(&secured(&external, Some(identity)).await?, &run).await?;
    assert!(secured(&external, None).await.is_err(), "EXTERNAL without a certificate");
    Ok(())
}
