//! deadpool-lapin: connections of lapin that are lent by a pool, and renewed when they are broken.

use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

use deadpool_lapin::{Config, Object, Pool, PoolConfig, Runtime, Timeouts};
use lapin::ConnectionProperties;
use lapin::options::BasicAckOptions;

use crate::control::{How, restart};
use crate::expect::{Received, numbered, soon, until};
use crate::on_lapin::{Source, clean, confirming, consuming, declared, next, published, ready, rows};
use crate::scenario::{Outcome, Run, Scenarios};

const CONNECTIONS_MAX: usize = 2;
const PREFETCH: u16 = 2;

/// Connections of one pool, as long as the process lives.
struct Pooled;

impl Source for Pooled {
    type Guard = Object;

    async fn connection(url: String) -> Result<Object, Box<dyn Error + Send + Sync>> {
        static POOL: OnceLock<Pool> = OnceLock::new();
        Ok(POOL.get_or_init(|| pool(url)).get().await?)
    }
}

fn pool(url: String) -> Pool {
    let timeouts = Timeouts { wait: Some(Duration::from_millis(100)), ..Timeouts::default() };
    let config = Config {
        url: Some(url),
        pool: Some(PoolConfig { max_size: CONNECTIONS_MAX, timeouts, ..PoolConfig::default() }),
    };
    config.create_pool(ConnectionProperties::default, Runtime::Tokio1).expect("a pool")
}

pub fn scenarios() -> Scenarios {
    let mut scenarios = Scenarios::new("deadpool-lapin", clean);
    rows::<Pooled>(&mut scenarios);
    scenarios.own_broker_row("reconnect", reconnect);
    scenarios.row("pool", lent);
    scenarios.own_broker_row("reconnect-pool", recycled);
    scenarios
}

/// The pool lends another connection when that of a consumer is broken.
async fn reconnect(run: Run) -> Outcome {
    let pool = pool(run.restart_url());
    let queue = run.queue("queue");
    let mut received = Received::default();
    for how in [How::Stop, How::Kill] {
        let connection = pool.get().await?;
        let publishing = confirming(&connection).await?;
        declared(&publishing, &queue).await?;
        let bodies = numbered(how.word(), 30);
        received.expect(&bodies);
        for body in &bodies {
            published(&publishing, "", &queue, body).await?;
        }
        let channel = connection.create_channel().await?;
        let mut consumer = consuming(&channel, &queue, PREFETCH).await?;
        for _ in 0..PREFETCH {
            let held = next(&mut consumer, "as many as the prefetch").await?;
            received.add(&held.data, held.redelivered);
        }
        restart(how).await?;
        until("the end of the connection", async || !connection.status().connected()).await;
        drop(connection);

        let connection = pool.get().await?;
        let publishing = confirming(&connection).await?;
        let after = format!("after {}", how.word());
        received.expect(std::slice::from_ref(&after));
        published(&publishing, "", &queue, &after).await?;
        let channel = connection.create_channel().await?;
        let mut consumer = consuming(&channel, &queue, PREFETCH).await?;
        while !received.has_all() {
            let delivery = next(&mut consumer, "everything that was confirmed").await?;
            received.add(&delivery.data, delivery.redelivered);
            delivery.ack(BasicAckOptions::default()).await?;
        }
        channel.close(200, "done".into()).await?;
        until("an empty queue", async || ready(&publishing, &queue).await.is_ok_and(|count| count == 0))
            .await;
    }
    Ok(())
}

/// No more connections than the pool may have, and those that are given back are lent again.
async fn lent(run: Run) -> Outcome {
    let pool = pool(run.url());
    let queue = run.queue("queue");
    let first = pool.get().await?;
    let second = pool.get().await?;
    declared(&first.create_channel().await?, &queue).await?;
    assert!(pool.get().await.is_err(), "a third connection of {CONNECTIONS_MAX}");
    let (waiting, ()) =
        tokio::join!(soon("a connection that is given back", pool.get()), async { drop(first) });
    assert_eq!(Object::metrics(&waiting?).recycle_count, 1);
    drop(second);
    let users = (0..20).map(|number| {
        let (pool, queue) = (pool.clone(), queue.clone());
        tokio::spawn(async move {
            let connection = loop {
                // The pool does not wait for long.
                if let Ok(connection) = pool.get().await {
                    break connection;
                }
            };
            let channel = confirming(&connection).await?;
            published(&channel, "", &queue, &number.to_string()).await?;
            channel.close(200, "done".into()).await
        })
    });
    for user in users.collect::<Vec<_>>() {
        soon("every user", user).await??;
    }
    let connection = pool.get().await?;
    assert_eq!(ready(&connection.create_channel().await?, &queue).await?, 20);
    assert_eq!(pool.status().size, CONNECTIONS_MAX);
    Ok(())
}

/// Connections that broke while nobody had them are not lent.
async fn recycled(run: Run) -> Outcome {
    let pool = pool(run.restart_url());
    let queue = run.queue("queue");
    for how in [How::Stop, How::Kill] {
        let (first, second) = (pool.get().await?, pool.get().await?);
        let channel = confirming(&first).await?;
        declared(&channel, &queue).await?;
        published(&channel, "", &queue, how.word()).await?;
        drop((first, second));
        restart(how).await?;
        // What lapin has not noticed yet is lent, and is no use: its users give it back and ask again.
        until("a connection that works", async || {
            let Ok(connection) = pool.get().await else { return false };
            let Ok(channel) = confirming(&connection).await else { return false };
            published(&channel, "", &queue, "after").await.is_ok()
        })
        .await;
    }
    let connection = pool.get().await?;
    assert_eq!(ready(&connection.create_channel().await?, &queue).await?, 4);
    Ok(())
}
