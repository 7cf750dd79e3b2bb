//! What clients notice while the broker runs.

use futures_lite::StreamExt as _;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use leveret::policy::PolicyKind;
use leveret_protocol::table::TableBuilder;
use serde_json::json;

use crate::directory::TempDir;
use crate::lives::{Life, run};

const DURABLE: QueueDeclareOptions = QueueDeclareOptions {
    durable: true,
    passive: false,
    exclusive: false,
    auto_delete: false,
    nowait: false,
};

/// Declares a durable queue with an integer argument, if any.
pub(crate) async fn declare(
    channel: &Channel,
    name: &str,
    argument: Option<(&str, i32)>,
) -> lapin::Result<()> {
    let mut arguments = FieldTable::default();
    if let Some((name, value)) = argument {
        arguments.insert(name.into(), AMQPValue::LongInt(value));
    }
    channel.queue_declare(name.into(), DURABLE, arguments).await.map(|_| ())
}

/// Publishes a persistent message; gives whether it was acked.
pub(crate) async fn publish(channel: &Channel, queue: &str, body: &str) -> bool {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    let promise = channel.basic_publish("".into(), queue.into(), options, body.as_bytes(), properties).await;
    promise.unwrap().await.unwrap().is_ack()
}

/// Gets and settles all that there is.
pub(crate) async fn take_all(channel: &Channel, queue: &str) -> Vec<String> {
    let mut taken = Vec::new();
    while let Some(message) = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await.unwrap()
    {
        taken.push(String::from_utf8(message.data.clone()).unwrap());
    }
    taken
}

#[test]
fn a_publisher_is_told_of_refusals_from_the_moment_of_the_policy_on() {
    run(async {
        let data = TempDir::new();
        let life = Life::begin(data.path()).await;
        declare(&life.channel, "q", None).await.unwrap();
        assert!(publish(&life.channel, "q", "a").await);
        let definition = json!({"max-length": 2, "overflow": "reject-publish"});
        life.set_policy(PolicyKind::User, "p", "^q$", &definition);
        let acked = [publish(&life.channel, "q", "b").await, publish(&life.channel, "q", "c").await];
        assert_eq!(acked, [true, false]);
        life.vhost.clear_policy(PolicyKind::User, "p").unwrap();
        assert!(publish(&life.channel, "q", "d").await);
        assert_eq!(take_all(&life.channel, "q").await, ["a", "b", "d"]);
        life.broker.stop().await;
    });
}

#[test]
fn a_policy_sends_dead_messages_somewhere() {
    run(async {
        let data = TempDir::new();
        let life = Life::begin(data.path()).await;
        for queue in ["q", "dead"] {
            declare(&life.channel, queue, None).await.unwrap();
        }
        for body in ["a", "b", "c"] {
            publish(&life.channel, "q", body).await;
        }
        let definition = json!({
            "max-length": 1, "dead-letter-exchange": "", "dead-letter-routing-key": "dead",
        });
        life.set_policy(PolicyKind::User, "p", "^q$", &definition);
        assert_eq!(take_all(&life.channel, "dead").await, ["a", "b"]);
        assert_eq!(take_all(&life.channel, "q").await, ["c"]);
        life.broker.stop().await;
    });
}

#[test]
fn a_consumer_of_a_paused_queue_gets_its_messages_when_it_is_resumed() {
    run(async {
        let data = TempDir::new();
        let life = Life::begin(data.path()).await;
        declare(&life.channel, "q", None).await.unwrap();
        let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
        let mut consumer = life.channel.basic_consume("q".into(), "".into(), options, none).await.unwrap();
        life.wait(life.vhost.pause_queue("q").unwrap());
        assert!(publish(&life.channel, "q", "a").await);
        assert_eq!(take_all(&life.channel, "q").await, [""; 0]);
        let status = life.vhost.queues().get("q").unwrap().status().unwrap();
        assert_eq!((status.ready, status.unacked), (1, 0));
        life.wait(life.vhost.resume_queue("q").unwrap());
        let delivery = consumer.next().await.unwrap().unwrap();
        assert_eq!(delivery.data, b"a");
        delivery.ack(BasicAckOptions::default()).await.unwrap();
        life.broker.stop().await;
    });
}

#[test]
fn a_queue_whose_arguments_were_changed_has_its_messages_and_is_redeclared_with_the_new_ones() {
    run(async {
        let data = TempDir::new();
        let life = Life::begin(data.path()).await;
        declare(&life.channel, "q", Some(("x-max-length", 5))).await.unwrap();
        for body in ["a", "b", "c"] {
            publish(&life.channel, "q", body).await;
        }
        let arguments = TableBuilder::new().int("x-max-length", 9).finish();
        life.wait(life.vhost.change_queue("q", arguments).unwrap());
        declare(&life.channel, "q", Some(("x-max-length", 9))).await.unwrap();
        assert_eq!(take_all(&life.channel, "q").await, ["a", "b", "c"]);
        let refused = declare(&life.channel, "q", Some(("x-max-length", 5))).await.unwrap_err();
        assert!(refused.to_string().contains("received '5' but current is '9'"), "{refused}");
        life.broker.stop().await;
    });
}
