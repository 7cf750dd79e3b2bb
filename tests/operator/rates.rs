//! Limits on what is published in a second, as a publisher notices them.

use std::time::Instant;

use futures_lite::StreamExt as _;
use futures_lite::future::zip;
use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Event, PublisherConfirm};
use leveret::auth::UserLimits;
use leveret::policy::PolicyKind;
use leveret::rate::{RateLimit, RateOverflow};
use leveret::store::definitions::VhostMetadata;
use serde_json::json;

use crate::directory::TempDir;
use crate::lives::{Life, run};
use crate::running::take_all;

async fn publish_without_waiting(life: &Life, count: usize) -> Vec<PublisherConfirm> {
    let mut promises = Vec::new();
    for number in 0..count {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let body = number.to_string();
        let publish = life.channel.basic_publish("".into(), "q".into(), options, body.as_bytes(), properties);
        promises.push(publish.await.unwrap());
    }
    promises
}

/// Which of them were acked.
async fn answers(promises: Vec<PublisherConfirm>) -> Vec<bool> {
    let mut acked = Vec::new();
    for promise in promises {
        acked.push(promise.await.unwrap().is_ack());
    }
    acked
}

/// Publishes at once and gives which were acked.
async fn publish_all(life: &Life, count: usize) -> Vec<bool> {
    answers(publish_without_waiting(life, count).await).await
}

#[derive(Clone, Copy, Debug)]
enum Set {
    User,
    Vhost,
    Policy,
    Argument,
}

async fn limit(life: &Life, set: Set, messages: u32, overflow: RateOverflow) {
    let rate = RateLimit::new(Some(messages.into()), None, overflow);
    let environment = life.broker.environment();
    let mut arguments = FieldTable::default();
    match set {
        Set::User => {
            let limits = UserLimits { publish_rate: rate, ..UserLimits::default() };
            environment.set_user_limits("guest", limits).unwrap();
        }
        Set::Vhost => {
            let metadata = VhostMetadata { publish_rate: rate, ..VhostMetadata::default() };
            environment.change_vhost("/", metadata).unwrap();
        }
        Set::Policy => {
            let definition =
                json!({"max-publish-rate": messages, "publish-rate-overflow": overflow.as_str()});
            life.set_policy(PolicyKind::Operator, "p", "^q$", &definition);
        }
        Set::Argument => {
            arguments.insert("x-max-publish-rate".into(), AMQPValue::LongUInt(messages));
            let overflow = AMQPValue::LongString(overflow.as_str().into());
            arguments.insert("x-publish-rate-overflow".into(), overflow);
        }
    }
    life.channel.queue_declare("q".into(), QueueDeclareOptions::default(), arguments).await.unwrap();
}

#[test]
fn a_publisher_beyond_a_limit_is_told_which_and_goes_on_at_the_rate() {
    for (set, said) in [
        (
            Set::User,
            "publish rate of user 'guest' is over 40 messages a second; it is max-publish-rate of the user",
        ),
        (
            Set::Vhost,
            "publish rate of vhost '/' is over 40 messages a second; it is max-publish-rate of the vhost",
        ),
        (
            Set::Policy,
            "publish rate of queue 'q' is over 40 messages a second; it is max-publish-rate of the queue",
        ),
        (
            Set::Argument,
            "publish rate of queue 'q' is over 40 messages a second; it is max-publish-rate of the queue",
        ),
    ] {
        run(async move {
            let data = TempDir::new();
            let life = Life::begin(data.path()).await;
            let mut events = Box::pin(life.connection.events_listener());
            limit(&life, set, 40, RateOverflow::Block).await;
            let begin = Instant::now();
            assert_eq!(publish_all(&life, 100).await, [true; 100], "{set:?}");
            // Forty at once, the others one after another, even when the first ones took a second to come; what is taken is
            // paid for in whole milliseconds.
            assert!(begin.elapsed().as_millis() >= 1450, "{set:?}: {:?}", begin.elapsed());
            let told = events.next().await;
            assert!(matches!(&told, Some(Event::ConnectionBlocked(reason)) if reason == said), "{told:?}");
            let told = events.next().await;
            assert!(matches!(told, Some(Event::ConnectionUnblocked)), "{told:?}");
            let expected: Vec<String> = (0..100).map(|number| number.to_string()).collect();
            assert_eq!(take_all(&life.channel, "q").await, expected, "{set:?}");
            life.broker.stop().await;
        });
    }
}

#[test]
fn what_is_published_beyond_a_limit_that_refuses_is_nacked_and_the_rest_is_there() {
    for set in [Set::User, Set::Vhost, Set::Policy, Set::Argument] {
        run(async move {
            let data = TempDir::new();
            let life = Life::begin(data.path()).await;
            limit(&life, set, 2, RateOverflow::Reject).await;
            let acked = publish_all(&life, 200).await;
            assert!(acked[0] && acked.contains(&false), "{set:?}: {acked:?}");
            let taken = acked.iter().enumerate().filter(|(_, acked)| **acked);
            let expected: Vec<String> = taken.map(|(number, _)| number.to_string()).collect();
            assert_eq!(take_all(&life.channel, "q").await, expected, "{set:?}");
            life.broker.stop().await;
        });
    }
}

#[test]
fn a_publisher_is_read_again_when_its_limit_is_taken_back_though_it_owes_more_than_a_minute() {
    for set in [Set::User, Set::Vhost, Set::Policy] {
        run(async move {
            let data = TempDir::new();
            let life = Life::begin(data.path()).await;
            let mut events = Box::pin(life.connection.events_listener());
            limit(&life, set, 1, RateOverflow::Block).await;
            let taken_back = async {
                let told = events.next().await;
                let blocked = matches!(&told, Some(Event::ConnectionBlocked(reason)) if reason.contains("over 1 messages"));
                assert!(blocked, "{told:?}");
                let environment = life.broker.environment();
                match set {
                    Set::User => drop(environment.set_user_limits("guest", UserLimits::default())),
                    Set::Vhost => drop(environment.change_vhost("/", VhostMetadata::default())),
                    _ => drop(life.vhost.clear_policy(PolicyKind::Operator, "p")),
                }
                let told = events.next().await;
                assert!(matches!(told, Some(Event::ConnectionUnblocked)), "{told:?}");
            };
            // Many, since one would be paid for a moment later; lapin publishes nothing more while it is blocked.
            let (promises, ()) = zip(publish_without_waiting(&life, 100), taken_back).await;
            assert_eq!(answers(promises).await, [true; 100], "{set:?}");
            assert_eq!(publish_all(&life, 100).await, [true; 100], "{set:?}");
            life.broker.stop().await;
        });
    }
}
