//! The rules that a user of a queue relies on, one by one.

use std::time::Duration;

use leveret_protocol::properties::PropertiesBuilder;

use super::super::core::{QueueCore, Settlement, Taken};
use super::super::delivery::DELIVERY_OVERHEAD_BYTES;
use super::super::groups::{GroupBy, MessageGroups};
use super::super::id::UnackedKey;
use super::super::queue::{ConsumeRefused, DeleteRefused, Got, Status};
use super::super::terms::Terms;
use super::super::{Gone, ready::Entry};
use super::*;
use crate::place::Home;
use crate::time::Time;

const AMPLE: i64 = 1 << 30;

fn plain() -> Arc<Queue> {
    queue(QueueOptions::default())
}

fn keys(deliveries: &[Delivery]) -> Vec<UnackedKey> {
    deliveries.iter().filter_map(|delivery| delivery.unacked).collect()
}

/// The bodies, and how often each was delivered before.
fn counted(deliveries: &[Delivery]) -> Vec<(String, u32)> {
    let body = |delivery: &Delivery| String::from_utf8(delivery.message.body().to_vec()).unwrap();
    deliveries.iter().map(|delivery| (body(delivery), delivery.returns.deliveries)).collect()
}

fn pairs(expected: &[(&str, u32)]) -> Vec<(String, u32)> {
    expected.iter().map(|(body, count)| ((*body).to_owned(), *count)).collect()
}

fn get(queue: &Queue) -> Option<(Entry, Option<UnackedKey>, usize)> {
    match got(queue, false) {
        Got::Message { entry, key, left } => Some((entry, key, left)),
        Got::Empty | Got::Loading => None,
    }
}

#[test]
fn a_requeued_message_takes_its_place_and_counts_as_delivered_once_more() {
    for (settlement, count) in [(Settlement::Requeue, 1), (Settlement::Unsent, 0)] {
        let (queue, inbox) = (plain(), Inbox::new(1, AMPLE));
        publish(&queue, &["a", "b", "c", "d"]);
        let first = consume(&queue, Consumer { prefetch: 3, ..consumer(&inbox, 0) });
        let taken = keys(&inbox.drain());
        queue.cancel(first);
        queue.settle(&[taken[2], taken[0]], settlement, &mut Group::default());
        queue.settle(&[taken[1]], Settlement::Discard, &mut Group::default());
        consume(&queue, consumer(&inbox, 1));
        assert_eq!(counted(&inbox.drain()), pairs(&[("a", count), ("c", count), ("d", 0)]), "{settlement:?}");
    }
}

#[test]
fn each_return_of_a_message_counts_wherever_it_went_before() {
    let (queue, inbox) = (plain(), Inbox::new(1, AMPLE));
    publish(&queue, &["a"]);
    let (_, key, left) = get(&queue).unwrap();
    assert_eq!(left, 0);
    queue.settle(&[key.unwrap()], Settlement::Requeue, &mut Group::default());
    consume(&queue, consumer(&inbox, 0));
    for count in 1..4 {
        let deliveries = inbox.drain();
        assert_eq!(counted(&deliveries), pairs(&[("a", count)]));
        queue.settle(&keys(&deliveries), Settlement::Requeue, &mut Group::default());
    }
}

#[test]
fn what_was_on_its_way_to_one_that_acknowledges_automatically_comes_back_as_it_was() {
    let (queue, inbox) = (plain(), Inbox::new(1, AMPLE));
    let taker = consume(&queue, Consumer { no_ack: true, ..consumer(&inbox, 0) });
    publish(&queue, &["a", "b"]);
    queue.cancel(taker);
    publish(&queue, &["c"]);
    assert_eq!(queue.status().unwrap(), Status { ready: 1, unacked: 0, consumers: 0, ..Status::default() });
    queue.give_back(inbox.drain().into_iter().map(Delivery::into_entry));
    consume(&queue, consumer(&inbox, 1));
    assert_eq!(counted(&inbox.drain()), pairs(&[("a", 0), ("b", 0), ("c", 0)]));
}

#[test]
fn a_key_that_was_settled_settles_nothing_more() {
    let queue = plain();
    publish(&queue, &["a", "b"]);
    let (_, key, _) = get(&queue).unwrap();
    queue.settle(&[key.unwrap(), key.unwrap()], Settlement::Requeue, &mut Group::default());
    queue.settle(&[key.unwrap()], Settlement::Discard, &mut Group::default());
    assert_eq!(queue.status().unwrap(), Status { ready: 2, unacked: 0, consumers: 0, ..Status::default() });
}

#[test]
fn a_consumer_has_no_more_than_its_prefetch_and_gets_the_next_for_each_that_is_settled() {
    let (queue, inbox) = (plain(), Inbox::new(1, AMPLE));
    consume(&queue, Consumer { prefetch: 2, ..consumer(&inbox, 0) });
    publish(&queue, &["a", "b", "c", "d"]);
    let first = inbox.drain();
    assert_eq!(counted(&first), pairs(&[("a", 0), ("b", 0)]));
    queue.settle(&keys(&first)[1..], Settlement::Discard, &mut Group::default());
    assert_eq!(inbox.bodies(), ["c"]);
    queue.settle(&keys(&first)[..1], Settlement::Requeue, &mut Group::default());
    assert_eq!(counted(&inbox.drain()), pairs(&[("a", 1)]));
    assert_eq!(queue.status().unwrap(), Status { ready: 1, unacked: 2, consumers: 1, ..Status::default() });
}

#[test]
fn a_recipient_without_room_gets_nothing_until_it_has_some() {
    let overhead = i64::try_from(DELIVERY_OVERHEAD_BYTES).unwrap();
    let (queue, small, other) = (plain(), Inbox::new(1, overhead), Inbox::new(2, AMPLE));
    consume(&queue, Consumer { priority: 1, ..consumer(&small, 0) });
    publish(&queue, &["a", "b"]);
    assert_eq!(queue.status().unwrap(), Status { ready: 1, unacked: 1, consumers: 1, ..Status::default() });
    consume(&queue, consumer(&other, 0));
    assert_eq!(other.bodies(), ["b"], "the one of the lower priority steps in");
    assert_eq!(small.bodies(), ["a"]);
    publish(&queue, &["c"]);
    assert_eq!(small.bodies(), ["c"]);
}

#[test]
fn what_comes_between_the_refusal_and_the_asking_is_used_at_once() {
    let (queue, inbox) = (plain(), Inbox::new(1, 0));
    inbox.state.lock().unwrap().comes = 1;
    consume(&queue, consumer(&inbox, 0));
    publish(&queue, &["a", "b"]);
    assert_eq!(inbox.state.lock().unwrap().deliveries.len(), 1);

    let (queue, inbox, credit) = (plain(), Inbox::new(1, AMPLE), Credit::new(0));
    credit.0.lock().unwrap().comes = 1;
    let shared_credit: Arc<dyn SharedCredit> = Arc::<Credit>::clone(&credit);
    consume(&queue, Consumer { shared_credit: Some(shared_credit), ..consumer(&inbox, 0) });
    publish(&queue, &["a", "b"]);
    assert_eq!(inbox.bodies(), ["a"]);
}

#[test]
fn a_message_is_not_overtaken_even_while_a_consumer_is_still_to_be_served() {
    let inbox = Inbox::new(1, AMPLE);
    let mut core = QueueCore::new(QueueId::fresh(), &QueueOptions::default());
    let message = |body: &str| Message::compose("", "q", &[0, 0], body.as_bytes()).unwrap();
    core.publish(message("a"), Home::Transient);
    core.consume(consumer(&inbox, 0)).unwrap();
    core.publish(message("b"), Home::Transient);
    core.deliver();
    core.hand_over();
    assert_eq!(inbox.bodies(), ["a", "b"]);
}

#[test]
fn equals_take_turns_and_those_of_a_lower_priority_wait_until_none_above_can_take_more() {
    let (queue, inbox) = (plain(), Inbox::new(1, AMPLE));
    for (slot, priority, prefetch) in [(0, 0, 0), (1, 5, 2), (2, 5, 3), (3, -1, 0), (4, 0, 1)] {
        consume(&queue, Consumer { priority, prefetch, ..consumer(&inbox, slot) });
    }
    publish(&queue, &["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
    let mut got: Vec<(u64, u32)> =
        inbox.drain().iter().map(|delivery| (delivery.position.0, delivery.slot)).collect();
    got.sort_unstable();
    let slots: Vec<u32> = got.into_iter().map(|(_, slot)| slot).collect();
    assert_eq!(slots, [1, 2, 1, 2, 2, 0, 4, 0, 0]);
}

#[test]
fn exclusive_use_admits_nobody_beside_it_whoever_comes_first() {
    let inbox = Inbox::new(1, AMPLE);
    let asks = |exclusive| Consumer { exclusive, ..consumer(&inbox, 0) };
    for (single_active_consumer, first, second, expected) in [
        (false, None, true, true),
        (false, Some(false), true, false),
        (false, Some(true), false, false),
        (false, Some(true), true, false),
        (false, Some(false), false, true),
        (true, None, true, false),
        (true, None, false, true),
        (true, Some(false), false, true),
    ] {
        let queue = queue(QueueOptions { single_active_consumer, ..QueueOptions::default() });
        let present = first.map(|exclusive| consume(&queue, asks(exclusive)));
        let admitted = queue.consume(asks(second));
        if !expected {
            assert_eq!(admitted, Err(ConsumeRefused::ExclusiveUse), "{first:?} {second}");
        }
        assert_eq!(admitted.is_ok(), expected, "{first:?} {second}");
        if let Some(present) = present.filter(|_| !expected) {
            queue.cancel(present);
            consume(&queue, asks(second));
        }
    }
}

#[test]
fn consumers_of_two_queues_share_a_credit_and_what_they_hold_already_counts() {
    let (queues, inbox, credit) = ([plain(), plain()], Inbox::new(1, AMPLE), Credit::new(3));
    let consumers = queues.each_ref().map(|queue| consume(queue, consumer(&inbox, 0)));
    publish(&queues[0], &["a", "b"]);
    let held = keys(&inbox.drain());
    for (queue, consumer) in queues.iter().zip(consumers) {
        let used = queue.share_credit(consumer, Arc::<Credit>::clone(&credit)).unwrap();
        credit.add_used(used);
    }
    assert_eq!(credit.used(), 2);
    publish(&queues[1], &["x", "y"]);
    publish(&queues[0], &["c"]);
    assert_eq!(inbox.bodies(), ["x"]);
    queues[0].settle(&held, Settlement::Discard, &mut Group::default());
    credit.release(2);
    assert_eq!(inbox.bodies(), ["y", "c"], "in the order in which they asked");
}

#[test]
fn one_that_acknowledges_automatically_shares_no_credit() {
    let (queue, inbox) = (plain(), Inbox::new(1, AMPLE));
    let automatic = consume(&queue, Consumer { no_ack: true, ..consumer(&inbox, 0) });
    assert_eq!(queue.share_credit(automatic, Credit::new(1)), None);
    publish(&queue, &["a", "b", "c"]);
    assert_eq!(inbox.bodies(), ["a", "b", "c"]);
}

/// Room that is missing is made by whoever empties the inbox, a credit only by who settles: if both are missing, the
/// credit must not be held for a moment in which another queue could miss it.
#[test]
fn no_credit_is_taken_where_there_is_no_room() {
    let (queue, inbox, credit) = (plain(), Inbox::new(1, 0), Credit::new(1));
    let shared_credit: Arc<dyn SharedCredit> = Arc::<Credit>::clone(&credit);
    consume(&queue, Consumer { shared_credit: Some(shared_credit), ..consumer(&inbox, 0) });
    publish(&queue, &["a"]);
    assert_eq!(credit.takes(), 0);
}

#[test]
fn the_active_consumer_is_followed_by_the_first_of_the_highest_priority() {
    let inbox = Inbox::new(1, AMPLE);
    let queue = queue(QueueOptions { single_active_consumer: true, ..QueueOptions::default() });
    let consumers: Vec<_> = [(0, 0), (1, 1), (2, 2), (3, 2)]
        .into_iter()
        .map(|(slot, priority)| consume(&queue, Consumer { priority, prefetch: 1, ..consumer(&inbox, slot) }))
        .collect();
    publish(&queue, &["a", "b", "c", "d", "e"]);
    for next in [0, 2, 3, 1] {
        let deliveries = inbox.drain();
        assert_eq!(deliveries.len(), 1, "only the active one, and no more than its prefetch");
        assert_eq!(deliveries[0].slot, next);
        queue.cancel(consumers[next as usize]);
    }
    assert_eq!(queue.status().unwrap(), Status { ready: 1, unacked: 4, consumers: 0, ..Status::default() });
}

#[test]
fn whoever_follows_gets_what_the_active_one_held_in_its_place() {
    let (first, second) = (Inbox::new(1, AMPLE), Inbox::new(2, AMPLE));
    let queue = queue(QueueOptions { single_active_consumer: true, ..QueueOptions::default() });
    let ends = [
        consume(&queue, Consumer { prefetch: 2, ..consumer(&first, 0) }),
        consume(&queue, consumer(&first, 1)),
    ];
    consume(&queue, consumer(&second, 0));
    publish(&queue, &["a", "b", "c"]);
    for consumer in ends {
        queue.stop(consumer);
    }
    queue.settle(&keys(&first.drain()), Settlement::Requeue, &mut Group::default());
    assert_eq!(second.bodies(), Vec::<String>::new(), "not while the other has its place");
    for consumer in ends {
        queue.cancel(consumer);
    }
    assert_eq!(second.bodies(), ["a", "b", "c"]);
    assert_eq!(first.bodies(), Vec::<String>::new(), "one that stopped does not follow");
}

#[test]
fn one_that_is_leaving_does_not_become_the_active_consumer() {
    let inbox = Inbox::new(1, AMPLE);
    let queue = queue(QueueOptions { single_active_consumer: true, ..QueueOptions::default() });
    let [active, leaving, _] = [0, 1, 2].map(|slot| consume(&queue, consumer(&inbox, slot)));
    let slots = || inbox.drain().iter().map(|delivery| delivery.slot).collect::<Vec<_>>();
    queue.stop(leaving);
    queue.cancel(active);
    publish(&queue, &["a"]);
    assert_eq!(slots(), [2]);
    queue.cancel(leaving);
    publish(&queue, &["b"]);
    assert_eq!(slots(), [2]);
}

#[test]
fn a_queue_whose_consumers_are_all_leaving_is_free_for_the_next_one() {
    let inbox = Inbox::new(1, AMPLE);
    let queue = queue(QueueOptions { single_active_consumer: true, ..QueueOptions::default() });
    let [active, leaving] = [0, 1].map(|slot| consume(&queue, consumer(&inbox, slot)));
    queue.stop(leaving);
    queue.cancel(active);
    consume(&queue, consumer(&inbox, 2));
    publish(&queue, &["a"]);
    let delivered = inbox.drain();
    assert_eq!(delivered[0].slot, 2);
    queue.cancel(leaving);
    queue.settle(&keys(&delivered), Settlement::Requeue, &mut Group::default());
    assert_eq!(inbox.drain()[0].slot, 2, "it still is the active one");
}

#[test]
fn an_auto_delete_queue_goes_with_its_last_consumer_and_not_before_it_had_one() {
    let inbox = Inbox::new(1, AMPLE);
    for auto_delete in [false, true] {
        let queue = queue(QueueOptions { auto_delete, ..QueueOptions::default() });
        publish(&queue, &["a"]);
        assert!(queue.status().is_ok());
        let consumers = [0, 1].map(|slot| consume(&queue, consumer(&inbox, slot)));
        assert!(!queue.cancel(consumers[0]));
        assert_eq!(queue.cancel(consumers[1]), auto_delete);
        assert!(!queue.cancel(consumers[1]), "it went already");
        assert_eq!(queue.status().err(), auto_delete.then_some(Gone::Deleted));
        let refused = queue.consume(consumer(&inbox, 2)).err();
        assert_eq!(refused, auto_delete.then_some(ConsumeRefused::Gone(Gone::Deleted)));
    }
}

#[test]
fn a_queue_is_deleted_once_and_only_if_it_is_as_the_client_thinks() {
    let (queue, inbox) = (plain(), Inbox::new(1, 0));
    publish(&queue, &["a", "b"]);
    let present = consume(&queue, consumer(&inbox, 7));
    assert_eq!(queue.delete(true, false, &mut Group::default()), Err(DeleteRefused::InUse));
    assert_eq!(queue.delete(false, true, &mut Group::default()), Err(DeleteRefused::NotEmpty));
    assert!(!queue.cancel(present));
    consume(&queue, consumer(&inbox, 8));
    assert_eq!(queue.delete(false, false, &mut Group::default()), Ok(2));
    assert_eq!(inbox.state.lock().unwrap().gone, [8], "whoever was there is told, whoever had gone is not");
    assert_eq!(queue.delete(false, false, &mut Group::default()), Err(DeleteRefused::Gone(Gone::Deleted)));
    let mut messages = vec![Message::compose("", "q", &[0, 0], b"late").unwrap()];
    assert_eq!(queue.publish(&mut messages, None), Err(Gone::Deleted));
    assert_eq!(messages.len(), 1, "whoever publishes keeps it");
}

#[test]
fn a_purge_takes_what_is_ready_and_leaves_what_is_held() {
    let queue = plain();
    publish(&queue, &["a", "b", "c"]);
    let (_, key, _) = get(&queue).unwrap();
    assert_eq!(queue.purge(&mut Group::default()), Ok(2));
    queue.settle(&[key.unwrap()], Settlement::Requeue, &mut Group::default());
    assert_eq!(queue.status().unwrap(), Status { ready: 1, unacked: 0, consumers: 0, ..Status::default() });
}

/// Messages that may wait so long each, if they say so, in a queue whose terms say it of all.
fn waiting(options: &QueueOptions, ttl: Option<u64>, messages: &[(&str, Option<&str>)]) -> QueueCore {
    let mut core = QueueCore::new(QueueId::fresh(), options);
    let message_ttl = ttl.map(Duration::from_millis);
    core.set_terms(Arc::new(Terms { message_ttl, ..Terms::default() }));
    for (body, expiration) in messages {
        let properties = PropertiesBuilder { expiration: *expiration, ..PropertiesBuilder::default() };
        let mut message = Message::compose("", "q", &properties.finish(), body.as_bytes()).unwrap();
        message.arrive(Time::from_millis(1000));
        if expiration.is_some() {
            message.expires();
        }
        core.publish(message, Home::Transient);
    }
    core
}

#[test]
fn what_has_waited_too_long_is_given_to_nobody_though_the_timer_has_not_come_to_it() {
    let groups = MessageGroups { by: GroupBy::named("type"), look_ahead: 10 };
    let grouped = QueueOptions { message_groups: Some(groups), ..QueueOptions::default() };
    let own: &[_] = &[("a", Some("50")), ("b", None), ("c", Some("99")), ("d", Some("100")), ("e", None)];
    let same: &[_] = &[("a", None), ("b", None)];
    for options in [QueueOptions::default(), grouped] {
        for (ttl, messages, at, expected) in
            [(None, own, 1099, "bde"), (Some(99), same, 1099, ""), (Some(99), same, 1098, "ab")]
        {
            let now = Time::from_millis(at);
            let mut core = waiting(&options, ttl, messages);
            assert!(core.reads_clock());
            core.at(now);
            let mut got = String::new();
            while let Taken::Message(entry, _) = core.get(true, &mut Group::default()) {
                got.push_str(std::str::from_utf8(entry.message.body()).unwrap());
            }
            assert_eq!((got.as_str(), core.ready()), (expected, 0));

            let (mut core, inbox) = (waiting(&options, ttl, messages), Inbox::new(1, AMPLE));
            core.at(now);
            core.consume(consumer(&inbox, 0)).unwrap();
            core.deliver();
            core.hand_over();
            assert_eq!((inbox.bodies().concat().as_str(), core.ready()), (expected, 0));
        }
    }
}

#[test]
fn what_nobody_can_take_stays_where_it_is_in_a_queue_whose_messages_expire() {
    let (mut core, inbox) =
        (waiting(&QueueOptions::default(), Some(99), &[("a", None), ("b", None)]), Inbox::new(1, AMPLE));
    core.at(Time::from_millis(1001));
    core.consume(Consumer { prefetch: 1, no_ack: false, ..consumer(&inbox, 0) }).unwrap();
    for _ in 0..3 {
        core.deliver();
        core.hand_over();
    }
    assert_eq!((inbox.bodies().concat().as_str(), core.ready(), core.unacked()), ("a", 1, 1));
    assert!(
        matches!(core.get(true, &mut Group::default()), Taken::Message(entry, _) if entry.message.body() == b"b" && !entry.redelivered)
    );
}
