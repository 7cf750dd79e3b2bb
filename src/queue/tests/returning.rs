//! Messages that come back, where other features have a say in it.

use std::time::Duration;

use leveret_protocol::properties::{Properties, PropertiesBuilder};
use leveret_protocol::table::TableBuilder;

use super::super::core::{QueueCore, Taken};
use super::super::groups::{GroupBy, MessageGroups};
use super::super::terms::Terms;
use super::*;
use crate::place::{Home, JournalFile, Position};
use crate::store::stored::Returns;
use crate::time::Time;

const FILE: JournalFile = JournalFile(1);

fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn body(delivery: &Delivery) -> String {
    String::from_utf8(delivery.message.body().to_vec()).unwrap()
}

fn of(properties: &PropertiesBuilder<'_>, body: &str) -> Message {
    Message::compose("", "q", &properties.finish(), body.as_bytes()).unwrap()
}

#[test]
fn what_has_waited_too_long_when_it_comes_back_is_delivered_to_nobody() {
    let now = Time::now();
    let ttl = Terms { message_ttl: Some(Duration::from_secs(50)), ..Terms::default() };
    for grouped in [false, true] {
        let groups = MessageGroups { by: GroupBy::RoutingKey, look_ahead: 10 };
        for (expiration, terms) in [(Some("50000"), Terms::default()), (None, ttl.clone())] {
            for settlement in [Settlement::Requeue, Settlement::Return, Settlement::Unsent] {
                let queue = queue(QueueOptions {
                    message_groups: grouped.then(|| groups.clone()),
                    ..QueueOptions::default()
                });
                queue.set_terms(Arc::new(terms.clone()));
                let inbox = Inbox::new(1, 1 << 30);
                consume(&queue, Consumer { prefetch: 2, ..consumer(&inbox, 0) });
                let mut messages: Vec<Message> = Vec::new();
                for (body, age) in [("old", 60), ("young", 20)] {
                    let mut message =
                        of(&PropertiesBuilder { expiration, ..PropertiesBuilder::default() }, body);
                    message.arrive(now.minus(Duration::from_secs(age)));
                    messages.push(message);
                }
                queue.publish(&mut messages, None).unwrap();
                let keys: Vec<_> = inbox.drain().iter().filter_map(|delivery| delivery.unacked).collect();
                queue.settle(&keys, settlement, &mut Group::default());
                let again: Vec<String> = inbox.drain().iter().map(body).collect();
                assert_eq!(again, ["young"], "{grouped} {expiration:?} {settlement:?}");
                assert_eq!(queue.status().unwrap().ready, 0);
            }
        }
    }
}

#[test]
fn what_was_on_its_way_to_one_that_acknowledges_automatically_comes_back_with_its_priority() {
    let queue = queue(QueueOptions { max_priority: 9, ..QueueOptions::default() });
    let inbox = Inbox::new(1, 1 << 30);
    let taker = consume(&queue, Consumer { no_ack: true, ..consumer(&inbox, 0) });
    let high = PropertiesBuilder { priority: Some(5), ..PropertiesBuilder::default() };
    queue.publish(&mut vec![of(&high, "high")], None).unwrap();
    queue.cancel(taker);
    let middle = PropertiesBuilder { priority: Some(3), ..PropertiesBuilder::default() };
    queue.publish(&mut vec![of(&middle, "middle")], None).unwrap();
    queue.give_back(inbox.drain().into_iter().map(Delivery::into_entry));
    consume(&queue, consumer(&inbox, 1));
    assert_eq!(inbox.bodies(), ["high", "middle"]);
}

#[test]
fn what_waited_to_be_tried_again_when_a_broker_ended_does_not_overtake_its_group_in_the_next() {
    let message_groups = Some(MessageGroups { by: GroupBy::RoutingKey, look_ahead: 10 });
    let mut core =
        QueueCore::new(QueueId::fresh(), &QueueOptions { message_groups, ..QueueOptions::default() });
    core.restore(Position(3), Position(3), Vec::new(), Vec::new());
    let waiting = Returns { acquired: 1, deliveries: 1, due: at(1000) };
    for (position, returns) in [(0, Returns::default()), (1, waiting), (2, Returns::default())] {
        let message = of(&PropertiesBuilder::default(), &position.to_string());
        core.push_restored(Position(position), returns, Home::Journal(FILE), message);
    }
    core.expire(at(1000));
    let mut group = Group::default();
    let order = std::iter::from_fn(|| match core.get(false, &mut group) {
        Taken::Message(entry, key) => {
            core.settle(&[key.unwrap()], Settlement::Discard, &mut group);
            Some(entry.position.0)
        }
        Taken::Empty | Taken::OnDisk => None,
    });
    assert_eq!(order.collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn what_came_back_once_does_not_wait_for_a_time_after_a_start() {
    let headers = TableBuilder::new().int("x-delay", 5000).finish();
    for (returns, ready, scheduled) in [(Returns::default(), 0, 1), (Returns::failed(2), 1, 0)] {
        let mut core = QueueCore::new(QueueId::fresh(), &QueueOptions::default());
        core.set_terms(Arc::new(Terms { scheduled: true, ..Terms::default() }));
        let properties = Properties::EMPTY.with_headers(headers.as_table());
        let message = Message::compose("", "q", &properties, b"").unwrap();
        core.push_restored(Position(0), returns, Home::Journal(FILE), message);
        assert_eq!((core.ready(), core.scheduled()), (ready, scheduled), "{returns:?}");
    }
}

#[test]
fn a_consumer_with_a_time_for_its_deliveries_has_it_also_for_what_was_there_before_it() {
    let (queue, inbox) = (queue(QueueOptions::default()), Inbox::new(1, 1 << 30));
    publish(&queue, &["a"]);
    let hour = Duration::from_hours(1);
    consume(&queue, Consumer { timeout: Some(hour), ..consumer(&inbox, 0) });
    assert_eq!(inbox.bodies(), ["a"]);
    queue.do_due(Time::now());
    assert_eq!(inbox.state.lock().unwrap().late, []);
    queue.do_due(Time::now().plus(hour));
    assert_eq!(inbox.state.lock().unwrap().late.len(), 1);
}
