//! How long a queue stays that nobody uses.

use std::time::Duration;

use super::super::core::QueueCore;
use super::super::terms::Terms;
use super::super::undertaker::{Undertaker, UndertakerCell};
use super::super::{Gone, core::Dead};
use super::*;
use crate::time::Time;

const AFTER: Duration = Duration::from_millis(100);

fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn leased() -> QueueCore {
    let mut core = QueueCore::new(QueueId::fresh(), &QueueOptions::default());
    core.set_terms(Arc::new(Terms { expires: Some(AFTER), ..Terms::default() }));
    core.renew(at(1000));
    core
}

#[test]
fn a_queue_is_over_when_nobody_used_it_for_so_long() {
    let mut core = leased();
    assert_eq!(core.next_due(), at(1100));
    core.renew(at(1050));
    for (now, expected) in [(1100, false), (1149, false), (1150, true), (5000, true)] {
        assert_eq!(core.is_over(at(now)), expected, "{now}");
    }
    assert_eq!(core.next_due(), at(1150));
}

#[test]
fn a_queue_without_terms_is_never_over() {
    let mut core = leased();
    core.set_terms(Arc::default());
    assert!(!core.is_timed());
    assert!(!core.is_over(at(u64::MAX - 1)));
    assert_eq!(core.next_due(), Time::NEVER);
}

#[test]
fn consumers_suspend_it_whatever_they_do_and_the_last_to_go_begins_it_anew() {
    let (mut core, inbox) = (leased(), Inbox::new(1, 0));
    let consumers = [0, 1].map(|slot| core.consume(consumer(&inbox, slot)).unwrap());
    assert!(!core.is_over(at(1_000_000)));
    assert_eq!(core.next_due(), Time::NEVER);
    for key in consumers {
        assert!(!core.is_over(at(1_000_000)));
        core.cancel(key);
        core.renew(at(2000));
    }
    assert_eq!((core.is_over(at(2099)), core.is_over(at(2100))), (false, true));
}

/// Counts the queues that it is told of.
#[derive(Default)]
struct Mourner(Mutex<Vec<QueueId>>);

impl Undertaker for Mourner {
    fn bury(&self, _: &Arc<Queue>, _: Vec<Dead>) {}

    fn settle(&self, _: QueueId, _: Vec<Position>) {}

    fn due(&self, _: &Arc<Queue>, _: Vec<super::super::core::Due>) {}

    fn expired(&self, queue: &Arc<Queue>) {
        self.0.lock().unwrap().push(queue.id());
    }
}

#[test]
fn a_queue_that_is_over_is_gone_at_once_with_its_messages_and_its_undertaker_is_told_once() {
    let mourner = Arc::new(Mourner::default());
    let appointed: std::sync::Weak<Mourner> = Arc::downgrade(&mourner);
    let cell = UndertakerCell::default();
    cell.appoint(appointed);
    let queue = Queue::new(QueueName::from("q"), QueueOptions::default(), None).with_undertaker(cell);
    let queue = Arc::new(queue);
    queue.set_terms(Arc::new(Terms { expires: Some(Duration::from_hours(1)), ..Terms::default() }));
    publish(&queue, &["a", "b"]);
    let told = || mourner.0.lock().unwrap().clone();
    queue.do_due(Time::now());
    assert_eq!((queue.status().unwrap().ready, told()), (2, vec![]), "it was used just now");
    let later = Time::now().plus(Duration::from_hours(1));
    queue.do_due(later);
    queue.do_due(later);
    assert_eq!((queue.status(), told()), (Err(Gone::Deleted), vec![queue.id()]));
    assert_eq!(queue.renew(), Err(Gone::Deleted));
}
