//! Deliveries that are not settled in time.

use std::time::Duration;

use super::super::core::QueueCore;
use super::super::id::UnackedKey;
use super::super::terms::Terms;
use super::*;
use crate::place::{Home, Position};
use crate::time::Time;

const TIMEOUT: Duration = Duration::from_millis(100);

fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn core(timeout: Option<Duration>) -> QueueCore {
    let mut core = QueueCore::new(QueueId::fresh(), &QueueOptions::default());
    core.set_terms(Arc::new(Terms { consumer_timeout: timeout, ..Terms::default() }));
    core
}

fn publish(core: &mut QueueCore, now: u64) {
    core.at(at(now));
    core.publish(Message::compose("", "q", &[0, 0], b"").unwrap(), Home::Transient);
    core.deliver();
    core.hand_over();
}

/// The places of those deliveries that are said to be late at this time, and that are.
fn late(core: &mut QueueCore, inbox: &Inbox, now: u64) -> Vec<Position> {
    core.expire(at(now));
    let told = std::mem::take(&mut inbox.state.lock().unwrap().late);
    told.into_iter().filter(|late| core.is_late(late)).map(|late| late.position).collect()
}

fn keys(inbox: &Inbox) -> Vec<UnackedKey> {
    inbox.drain().iter().filter_map(|delivery| delivery.unacked).collect()
}

#[test]
fn each_delivery_is_late_once_after_the_time_of_its_consumer_or_else_of_its_queue() {
    let millis = Duration::from_millis;
    for (queue, own, expected) in [
        (None, None, None),
        (Some(TIMEOUT), None, Some(1100)),
        (Some(TIMEOUT), Some(millis(300)), Some(1300)),
        (Some(TIMEOUT), Some(millis(0)), None),
        (None, Some(millis(50)), Some(1050)),
        (None, Some(millis(0)), None),
    ] {
        let (mut core, inbox) = (core(queue), Inbox::new(1, 1 << 30));
        let key = core.consume(Consumer { timeout: own, ..consumer(&inbox, 4) }).unwrap();
        assert_eq!(core.reads_clock(), queue.is_some() || own.is_some(), "{queue:?} {own:?}");
        publish(&mut core, 1000);
        assert_eq!(core.next_due(), expected.map_or(Time::NEVER, at), "{queue:?} {own:?}");
        if let Some(expected) = expected {
            assert_eq!(late(&mut core, &inbox, expected - 1), []);
            core.expire(at(expected));
            let told = std::mem::take(&mut inbox.state.lock().unwrap().late);
            assert_eq!((told.len(), told[0].slot, told[0].consumer), (1, 4, key));
            assert_eq!(told[0].timeout, own.or(queue).unwrap());
            assert!(core.is_late(&told[0]));
            assert_eq!(late(&mut core, &inbox, expected + 9000), []);
        }
        core.cancel(key);
        assert_eq!(core.reads_clock(), queue.is_some());
    }
}

#[test]
fn what_was_settled_or_given_to_another_is_not_late() {
    let (mut core, inbox) = (core(Some(TIMEOUT)), Inbox::new(1, 1 << 30));
    let first = core.consume(consumer(&inbox, 0)).unwrap();
    for now in [1000, 1010, 1020, 1030] {
        publish(&mut core, now);
    }
    let taken = keys(&inbox);
    let settle = |core: &mut QueueCore, at: usize, settlement| {
        core.settle(&[taken[at]], settlement, &mut Group::default());
    };
    settle(&mut core, 0, Settlement::Discard);
    core.at(at(1050));
    settle(&mut core, 1, Settlement::Return);
    core.deliver();
    core.hand_over();
    assert_eq!(
        inbox.drain().len(),
        1,
        "it has the place of the first that was settled, and a time of its own"
    );
    assert_eq!(late(&mut core, &inbox, 1120), [Position(2)]);
    assert_eq!(late(&mut core, &inbox, 1150), [Position(3), Position(1)]);
    core.cancel(first);
    publish(&mut core, 2000);
    assert_eq!(late(&mut core, &inbox, 9000), []);
}

#[test]
fn one_that_acknowledges_automatically_is_never_late() {
    let (mut core, inbox) = (core(Some(TIMEOUT)), Inbox::new(1, 1 << 30));
    core.consume(Consumer { no_ack: true, ..consumer(&inbox, 0) }).unwrap();
    publish(&mut core, 1000);
    assert_eq!((core.next_due(), late(&mut core, &inbox, 9000)), (Time::NEVER, vec![]));
}

#[test]
fn what_is_settled_in_time_leaves_no_memory_behind_one_that_is_not() {
    let (mut core, inbox) = (core(Some(Duration::from_hours(1))), Inbox::new(1, 1 << 30));
    core.consume(consumer(&inbox, 0)).unwrap();
    publish(&mut core, 1000);
    keys(&inbox);
    for now in 1000..21_000 {
        publish(&mut core, now);
        core.settle(&keys(&inbox), Settlement::Discard, &mut Group::default());
    }
    assert!(core.timed_deliveries() <= 2048, "{}", core.timed_deliveries());
    assert_eq!(late(&mut core, &inbox, 1000 + 3_600_000), [Position(0)]);
}

#[test]
fn what_is_out_is_late_by_the_time_that_is_in_force() {
    let millis = Duration::from_millis;
    let after = |core: &mut QueueCore, now: u64, timeout: Option<u64>| {
        core.at(at(now));
        core.set_terms(Arc::new(Terms { consumer_timeout: timeout.map(millis), ..Terms::default() }));
    };
    // When the queue's time changes at 1010 and what was given at 1000 is out: when it is late.
    for (queue, own, changed, expected) in [
        (Some(100), None, Some(300), Some(1300)),
        (Some(100), None, Some(20), Some(1020)),
        (Some(100), None, Some(5), Some(1010)),
        (Some(100), None, None, None),
        (None, None, Some(50), Some(1060)),
        (Some(100), Some(70), Some(20), Some(1070)),
        (Some(100), Some(70), None, Some(1070)),
        (Some(100), Some(0), Some(20), None),
        (None, Some(0), Some(20), None),
    ] {
        let (mut core, inbox) = (core(queue.map(millis)), Inbox::new(1, 1 << 30));
        core.consume(Consumer { timeout: own.map(millis), ..consumer(&inbox, 0) }).unwrap();
        publish(&mut core, 1000);
        after(&mut core, 1010, changed);
        let case = format!("{queue:?} {own:?} {changed:?}");
        assert_eq!(core.next_due().max(at(1010)), expected.map_or(Time::NEVER, at), "{case}");
        if let Some(expected) = expected {
            assert_eq!(late(&mut core, &inbox, expected), [Position(0)], "{case}");
        }
        assert_eq!(late(&mut core, &inbox, 9000), [], "{case}");
    }
}
