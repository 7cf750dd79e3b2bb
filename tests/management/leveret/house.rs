//! What these tests have in common: queues, messages, jobs, and a client beside.

use std::time::{Duration, Instant};

use lapin::options::{BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::desk::Desk;

/// Nothing here takes longer than this, however busy the machine is.
pub(super) const DEADLINE: Duration = Duration::from_mins(1);

/// Waits until something is so.
#[track_caller]
pub(super) fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

pub(super) fn declare(desk: &Desk, name: &str, arguments: &Value) {
    let queue = json!({ "durable": true, "arguments": arguments });
    desk.done("PUT", &format!("/api/queues/%2F/{name}"), &queue);
}

/// Publishes a persistent message, which a queue has to take.
pub(super) fn publish(desk: &Desk, exchange: &str, key: &str, properties: &Value, payload: &str) {
    let mut properties = properties.clone();
    properties["delivery_mode"] = json!(2);
    let message = json!({
        "routing_key": key, "properties": properties, "payload": payload, "payload_encoding": "string",
    });
    let exchange = if exchange.is_empty() { "amq.default" } else { exchange };
    let answer = desk.ask("POST", &format!("/api/exchanges/%2F/{exchange}/publish"), &message);
    assert_eq!(answer.json(), json!({ "routed": true }), "{exchange} {key}: {answer:?}");
}

/// Rejects all that is in a queue.
pub(super) fn reject_all(desk: &Desk, queue: &str) {
    let get = json!({ "count": 1000, "ackmode": "reject_requeue_false", "encoding": "auto" });
    desk.done("POST", &format!("/api/queues/%2F/{queue}/get"), &get);
}

pub(super) fn browse(desk: &Desk, queue: &str, query: &str) -> Value {
    desk.get(&format!("/api/leveret/queues/%2F/{queue}/messages?{query}"))
}

/// The payloads of messages that were listed.
pub(super) fn payloads(found: &Value) -> Vec<&str> {
    let messages = found["messages"].as_array().unwrap();
    messages.iter().map(|message| message["payload"].as_str().unwrap()).collect()
}

pub(super) fn bodies(desk: &Desk, queue: &str) -> Vec<String> {
    payloads(&browse(desk, queue, "limit=1000")).into_iter().map(str::to_owned).collect()
}

/// The numbers that RabbitMQ's API tells of a queue.
pub(super) fn counts(desk: &Desk, queue: &str) -> [Value; 3] {
    let queue = desk.get(&format!("/api/queues/%2F/{queue}"));
    ["messages_ready", "messages_unacknowledged", "messages"].map(|name| queue[name].clone())
}

/// Begins a job, and waits for its end.
#[track_caller]
pub(super) fn job(desk: &Desk, path: &str, order: &Value) -> Value {
    let answer = desk.ask("POST", path, order);
    assert_eq!(answer.status, 202, "{path} {order}: {answer:?}");
    let place = answer.header("location").unwrap().to_owned();
    assert_eq!(place, format!("/api/leveret/jobs/{}", answer.json()["id"].as_str().unwrap()));
    ended(desk, &place)
}

/// Waits for the end of a job.
pub(super) fn ended(desk: &Desk, place: &str) -> Value {
    until("the job does not end", || {
        let job = desk.get(place);
        (!job["finished"].is_null()).then_some(job)
    })
}

/// A client of AMQP.
pub(super) struct Client {
    runtime: Runtime,
    pub(super) channel: Channel,
    _connection: Connection,
}

impl Client {
    pub(super) fn new(desk: &Desk) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let url = format!("amqp://guest:guest@{}/%2f", desk.broker().addresses()[0]);
        let (connection, channel) = runtime.block_on(async {
            let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
            let channel = connection.create_channel().await.unwrap();
            channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
            (connection, channel)
        });
        Self { runtime, channel, _connection: connection }
    }

    pub(super) fn run<T>(&self, done: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(DEADLINE, done).await.expect("in time") })
    }

    /// Consumes with a prefetch.
    pub(super) fn consume(&self, queue: &str, tag: &str, prefetch: u16) -> Consumer {
        self.run(async {
            self.channel.basic_qos(prefetch, BasicQosOptions::default()).await.unwrap();
            let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
            self.channel.basic_consume(queue.into(), tag.into(), options, none).await.unwrap()
        })
    }

    /// Publishes messages and waits for all confirms.
    pub(super) fn publish(&self, queue: &str, bodies: impl Iterator<Item = Vec<u8>>) {
        self.run(async {
            let mut promises = Vec::new();
            for body in bodies {
                let properties = BasicProperties::default().with_delivery_mode(2);
                let options = BasicPublishOptions::default();
                let promise = self.channel.basic_publish("".into(), queue.into(), options, &body, properties);
                promises.push(promise.await.unwrap());
            }
            for promise in promises {
                assert!(!promise.await.unwrap().is_nack());
            }
        });
    }
}
