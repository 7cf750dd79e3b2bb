//! What an operator changes of a queue while it is used.

use leveret_protocol::table::{TableBuf, TableBuilder};

use super::*;
use crate::queue::options::InvalidChange;
use crate::queue::queue::Status;
use crate::queue::terms::{Overflow, Terms};

const AMPLE: i64 = 1 << 30;

fn registered() -> Arc<Queue> {
    let queue = queue(QueueOptions::default());
    queue.register();
    queue
}

#[test]
fn a_paused_queue_gives_nothing_to_anybody_and_keeps_what_it_is_given() {
    let (queue, inbox) = (registered(), Inbox::new(1, AMPLE));
    let before = consume(&queue, Consumer { prefetch: 1, ..consumer(&inbox, 0) });
    publish(&queue, &["a", "b"]);
    let held = inbox.drain();
    queue.pause().unwrap();
    assert_eq!(queue.is_paused(), Ok(true));
    publish(&queue, &["c"]);
    // Neither credit nor a new consumer, nor one that goes, makes it give anything.
    let keys: Vec<_> = held.iter().filter_map(|delivery| delivery.unacked).collect();
    queue.settle(&keys, Settlement::Discard, &mut Group::default());
    let after = consume(&queue, consumer(&inbox, 1));
    queue.cancel(before);
    assert!(matches!(got(&queue, true), Got::Empty));
    assert_eq!(inbox.bodies(), [""; 0]);
    assert_eq!(queue.status().unwrap(), Status { ready: 2, consumers: 1, ..Status::default() });
    queue.resume().unwrap();
    assert_eq!(inbox.bodies(), ["b", "c"]);
    queue.cancel(after);
    publish(&queue, &["d"]);
    assert!(matches!(got(&queue, true), Got::Message { .. }));
}

#[test]
fn the_limits_of_a_paused_queue_hold() {
    let queue = registered();
    queue.pause().unwrap();
    publish(&queue, &["a", "b", "c"]);
    queue.set_terms(Arc::new(Terms { max_length: Some(2), ..Terms::default() }));
    assert_eq!(queue.status().unwrap().ready, 2);
}

#[test]
fn whoever_did_not_know_that_messages_may_be_refused_has_none_refused() {
    let queue = registered();
    let refuses = Terms { max_length: Some(1), overflow: Overflow::RejectPublish, ..Terms::default() };
    queue.set_terms(Arc::new(refuses));
    let messages = || vec![Message::compose("", "q", &[0, 0], b"m").unwrap(); 3];
    assert_eq!(queue.publish(&mut messages(), None).unwrap().refused, [1, 2]);
    assert_eq!(queue.publish_of(&mut messages(), None, false).unwrap().refused, [0_u32; 0]);
    assert_eq!(queue.status().unwrap().ready, 4);
    assert_eq!(queue.publish_of(&mut messages(), None, true).unwrap().refused, [0, 1, 2]);
}

#[test]
fn a_backlog_of_any_length_is_brought_under_a_new_limit() {
    let queue = registered();
    let count = 100_000;
    let mut messages = vec![Message::compose("", "q", &[0, 0], b"m").unwrap(); count];
    queue.publish(&mut messages, None).unwrap();
    queue.set_terms(Arc::new(Terms { max_length: Some(10), ..Terms::default() }));
    // Not all of it under one lock: the rest by the timer.
    while queue.status().unwrap().ready > 10 {
        std::thread::yield_now();
    }
    assert_eq!(queue.status().unwrap().ready, 10);
}

#[test]
fn what_is_fixed_at_the_declaration_stays_and_the_rest_may_be_changed() {
    let declared = |arguments: TableBuf| QueueOptions::restored(false, arguments);
    let table = TableBuilder::new;
    let queue = declared(table().int("x-max-length", 5).int("x-max-priority", 3).finish());
    let changed = queue.changed(table().int("x-message-ttl", 7).int("x-max-priority", 3).finish()).unwrap();
    assert_eq!(queue.changed(queue.arguments.clone()).as_ref(), Ok(&queue));
    assert_eq!(changed.difference(&declared(changed.arguments.clone())), None);
    assert_eq!(changed.difference(&queue).unwrap().argument(), "x-message-ttl");
    for (arguments, fixed) in [
        (table().finish(), "x-max-priority"),
        (table().int("x-max-priority", 4).finish(), "x-max-priority"),
        (
            table().int("x-max-priority", 3).bool("x-single-active-consumer", true).finish(),
            "x-single-active-consumer",
        ),
        (table().int("x-max-priority", 3).string("x-queue-type", "quorum").finish(), "x-queue-type"),
        (table().int("x-max-priority", 3).string("x-message-group", "h").finish(), "x-message-group"),
    ] {
        let Err(InvalidChange::Fixed(difference)) = queue.changed(arguments) else { panic!("{fixed}") };
        assert_eq!(difference.argument(), fixed);
    }
    let invalid = queue.changed(table().int("x-max-priority", 3).int("x-message-ttl", -1).finish());
    let Err(InvalidChange::Argument(invalid)) = invalid else { panic!("{invalid:?}") };
    assert_eq!(
        invalid.text("q", "/"),
        "invalid arg 'x-message-ttl' for queue 'q' in vhost '/': {value_negative,-1}"
    );
}
