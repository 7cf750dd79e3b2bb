//! The rules of a queue with message groups, one by one. What holds for all of them is in the random programs.

use leveret_protocol::properties::PropertiesBuilder;

use super::super::groups::{GroupBy, MessageGroups};
use super::super::id::UnackedKey;
use super::super::queue::Status;
use super::super::terms::{Overflow, Terms};
use super::*;
use crate::time::Time;

const AMPLE: i64 = 1 << 30;

/// A queue with priorities up to 9 whose groups are named by the property `type`.
fn grouped(look_ahead: u32) -> Arc<Queue> {
    let message_groups = Some(MessageGroups { by: GroupBy::named("type"), look_ahead });
    queue(QueueOptions { max_priority: 9, message_groups, ..QueueOptions::default() })
}

/// A message whose group is the first letter of its body, and whose priority is the digit behind it.
fn message(body: &str, expiration: Option<&str>) -> Message {
    let priority = body[1..2].parse().ok();
    let properties =
        PropertiesBuilder { type_: Some(&body[..1]), priority, expiration, ..PropertiesBuilder::default() };
    let mut message = Message::compose("", "q", &properties.finish(), body.as_bytes()).unwrap();
    message.arrive(Time::now());
    message
}

fn publish(queue: &Arc<Queue>, bodies: &[&str]) -> usize {
    let mut messages = bodies.iter().map(|body| message(body, None)).collect();
    queue.publish(&mut messages, None).unwrap().refused.len()
}

/// What has come to a consumer, with the keys under which it is to be settled.
fn came(inbox: &Inbox) -> (Vec<String>, Vec<UnackedKey>) {
    let deliveries = inbox.drain();
    let body = |delivery: &Delivery| String::from_utf8(delivery.message.body().to_vec()).unwrap();
    (deliveries.iter().map(body).collect(), deliveries.iter().filter_map(|d| d.unacked).collect())
}

fn settle(queue: &Arc<Queue>, keys: &[UnackedKey], settlement: Settlement) {
    queue.settle(keys, settlement, &mut Group::default());
}

/// A consumer who may have so many messages.
fn consuming(queue: &Arc<Queue>, prefetch: u16) -> Arc<Inbox> {
    let inbox = Inbox::new(u64::from(prefetch), AMPLE);
    consume(queue, Consumer { prefetch, ..consumer(&inbox, 0) });
    inbox
}

fn ready(queue: &Queue) -> usize {
    queue.status().unwrap().ready
}

#[test]
fn no_more_is_looked_at_behind_others_than_the_queue_says() {
    let queue = grouped(2);
    let (one, two) = (consuming(&queue, 1), consuming(&queue, 2));
    publish(&queue, &["a0", "a0", "a0", "a0", "b0", "c0"]);
    let (bodies, keys) = came(&one);
    assert_eq!(bodies, ["a0"]);
    assert_eq!(came(&two).0, [""; 0], "two are looked at, which belong to the other, and none behind them");
    settle(&queue, &keys, Settlement::Discard);
    let (first, second) = (came(&one), came(&two));
    // One of them has all of it that goes out; there is room to look at the others then.
    let all: Vec<String> = [first.0, second.0].concat();
    assert_eq!(
        all.iter().filter(|body| *body == "a0").count(),
        if all.len() == 2 { 1 } else { 2 },
        "{all:?}"
    );
    assert!(all.contains(&"b0".to_owned()), "{all:?}");
}

#[test]
fn a_group_goes_by_priority_and_then_by_age() {
    let queue = grouped(100);
    let inbox = consuming(&queue, 1);
    publish(&queue, &["a1 first"]);
    publish(&queue, &["a1 second", "b3", "a5", "a1 third", "b9"]);
    let mut order = Vec::new();
    loop {
        let (bodies, keys) = came(&inbox);
        if bodies.is_empty() {
            break;
        }
        order.extend(bodies);
        settle(&queue, &keys, Settlement::Discard);
    }
    assert_eq!(order, ["a1 first", "b9", "a5", "b3", "a1 second", "a1 third"]);
}

#[test]
fn what_comes_later_with_a_higher_priority_goes_before_what_was_looked_at() {
    let queue = grouped(100);
    let (one, two) = (consuming(&queue, 1), consuming(&queue, 2));
    publish(&queue, &["a1", "a2", "b0"]);
    let (_, first) = came(&one);
    let (bodies, second) = came(&two);
    assert_eq!(bodies, ["b0"]);
    publish(&queue, &["a7", "b8"]);
    assert_eq!(came(&two).0, ["b8"], "of the group that is his");
    settle(&queue, &second, Settlement::Discard);
    settle(&queue, &first, Settlement::Discard);
    assert_eq!([came(&one).0, came(&two).0].concat()[0], "a7", "before a2");
}

#[test]
fn what_was_looked_at_counts_towards_the_limits_and_is_dropped_first() {
    for (overflow, refused, left) in
        [(Overflow::DropHead, 0, ["a2", "b0"]), (Overflow::RejectPublish, 1, ["a2", "a3"])]
    {
        let queue = grouped(100);
        let terms = Terms { max_length: Some(2), overflow, ..Terms::default() };
        queue.set_terms(Arc::new(terms));
        let (one, _two) = (consuming(&queue, 1), consuming(&queue, 2));
        // The second consumer makes the queue look at these, and can take none of them.
        publish(&queue, &["a9", "a2", "a3"]);
        let (_, keys) = came(&one);
        queue.stop(ConsumerKey { at: 1, serial: 2 });
        assert_eq!(publish(&queue, &["b0"]), refused, "{overflow:?}");
        assert_eq!(ready(&queue), 2, "{overflow:?}");
        settle(&queue, &keys, Settlement::Discard);
        let mut all = Vec::new();
        loop {
            let (bodies, keys) = came(&one);
            if bodies.is_empty() {
                break;
            }
            all.extend(bodies);
            settle(&queue, &keys, Settlement::Discard);
        }
        all.sort_unstable();
        assert_eq!(all, left, "{overflow:?}");
    }
}

#[test]
fn what_was_looked_at_expires_and_what_may_not_wait_at_all_is_gone_at_once() {
    let queue = grouped(100);
    let (one, two) = (consuming(&queue, 1), consuming(&queue, 2));
    let of = |body, expiration| message(body, Some(expiration));
    let mut messages = vec![
        of("a0 first", "0"),
        of("a0 none", "0"),
        of("a0 short", "4000"),
        of("a0 long", "90000"),
        of("b0", "0"),
    ];
    queue.publish(&mut messages, None).unwrap();
    let ((first, keys), (second, _)) = (came(&one), came(&two));
    assert_eq!((first, second), (vec!["a0 first".to_owned()], vec!["b0".to_owned()]));
    assert_eq!(ready(&queue), 2);
    let now = Time::now();
    queue.do_due(now.plus(std::time::Duration::from_millis(4500)));
    assert_eq!(ready(&queue), 1);
    queue.set_terms(Arc::new(Terms {
        message_ttl: Some(std::time::Duration::from_secs(10)),
        ..Terms::default()
    }));
    queue.do_due(now.plus(std::time::Duration::from_secs(5)));
    assert_eq!(ready(&queue), 1);
    queue.do_due(now.plus(std::time::Duration::from_secs(11)));
    assert_eq!(ready(&queue), 0);
    settle(&queue, &keys, Settlement::Discard);
    publish(&queue, &["a0 next"]);
    assert_eq!([came(&one).0, came(&two).0].concat(), ["a0 next"]);
}

#[test]
fn a_long_way_to_the_first_free_message_is_gone_in_steps() {
    let queue = grouped(100_000);
    let one = consuming(&queue, 1);
    publish(&queue, &vec!["a0"; 25_001]);
    publish(&queue, &["b0"]);
    assert_eq!(came(&one).0, ["a0"]);
    let two = consuming(&queue, 2);
    let mut steps = 0;
    let found = loop {
        let found = came(&two).0;
        if !found.is_empty() {
            break found;
        }
        queue.do_due(Time::now());
        steps += 1;
        assert!(steps < 10, "it is not found");
    };
    assert_eq!((found, steps), (vec!["b0".to_owned()], 2));
    assert_eq!(
        queue.status().unwrap(),
        Status { ready: 25_000, unacked: 2, consumers: 2, ..Status::default() }
    );
    assert_eq!(queue.purge(&mut Group::default()).unwrap(), 25_000);
}

#[test]
fn a_single_active_consumer_that_follows_gets_a_group_when_the_one_before_has_settled_it() {
    let message_groups = Some(MessageGroups { by: GroupBy::named("type"), look_ahead: 100 });
    let queue =
        queue(QueueOptions { single_active_consumer: true, message_groups, ..QueueOptions::default() });
    let (one, two) = (Inbox::new(1, AMPLE), Inbox::new(2, AMPLE));
    let first = consume(&queue, Consumer { prefetch: 2, ..consumer(&one, 0) });
    consume(&queue, consumer(&two, 0));
    publish(&queue, &["a1", "a2", "a3", "b1"]);
    let (bodies, keys) = came(&one);
    assert_eq!(bodies, ["a1", "a2"]);
    queue.cancel(first);
    assert_eq!(came(&two).0, ["b1"]);
    settle(&queue, &keys[..1], Settlement::Discard);
    assert_eq!(came(&two).0, [""; 0]);
    settle(&queue, &keys[1..], Settlement::Requeue);
    assert_eq!(came(&two).0, ["a2", "a3"]);
}

#[test]
fn who_did_not_know_that_a_queue_may_refuse_publishes_into_its_groups_all_the_same() {
    let queue = grouped(100);
    queue.set_terms(Arc::new(Terms {
        max_length: Some(100),
        overflow: Overflow::RejectPublish,
        ..Terms::default()
    }));
    let (one, two) = (consuming(&queue, 1), consuming(&queue, 2));
    for body in ["a0 1", "a0 2"] {
        queue.publish_of(&mut vec![message(body, None)], None, false).unwrap();
    }
    let came: Vec<_> = [one, two].iter().map(|inbox| came(inbox).0).collect();
    assert!(came.contains(&vec![]), "a group is with one consumer: {came:?}");
}
