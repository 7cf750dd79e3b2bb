//! What a queue counts.

use super::super::terms::{DeadLetter, Overflow, Terms};
use super::*;
use crate::count::{Ended, QueueCounts};

/// Something that makes messages leave.
type Happens<'a> = &'a dyn Fn(&Arc<Queue>);

fn counts(queue: &Queue) -> QueueCounts {
    queue.inspect().unwrap().counts
}

fn keys(inbox: &Inbox) -> Vec<UnackedKey> {
    inbox.drain().iter().filter_map(|delivery| delivery.unacked).collect()
}

#[test]
fn a_queue_counts_what_comes_what_is_given_and_what_is_acknowledged() {
    let queue = queue(QueueOptions::default());
    publish(&queue, &["0"; 10]);
    let mut expected = QueueCounts { publish: 10, ..QueueCounts::default() };
    assert_eq!(counts(&queue), expected);
    let inbox = Inbox::new(1, 1 << 30);
    let consumer_key = consume(&queue, Consumer { prefetch: 6, ..consumer(&inbox, 0) });
    let given = keys(&inbox);
    expected.deliver = 6;
    assert_eq!(counts(&queue), expected);
    queue.stop(consumer_key);
    queue.settle(&given[..4], Settlement::Discard, &mut Group::default());
    queue.settle(&given[..4], Settlement::Discard, &mut Group::default());
    expected.ack = 4;
    assert_eq!(counts(&queue), expected, "what is unknown is not counted");
    queue.settle(&given[4..], Settlement::Requeue, &mut Group::default());
    queue.cancel(consumer_key);
    let automatic = consume(&queue, Consumer { no_ack: true, ..consumer(&inbox, 1) });
    expected = QueueCounts { deliver_no_ack: 6, redeliver: 2, ..expected };
    assert_eq!(counts(&queue), expected);
    queue.cancel(automatic);
    assert!(matches!(got(&queue, false), Got::Empty));
    publish(&queue, &["1"; 3]);
    assert!(matches!(got(&queue, false), Got::Message { .. }));
    assert!(matches!(got(&queue, true), Got::Message { .. }));
    assert!(matches!(got(&queue, true), Got::Message { .. }));
    expected = QueueCounts { publish: 13, get: 1, get_no_ack: 2, get_empty: 1, ..expected };
    assert_eq!(counts(&queue), expected);
    assert_eq!(expected.deliver_get(), 15);
}

#[test]
fn what_was_not_sent_after_all_is_made_up_for_and_no_number_falls() {
    for no_ack in [false, true] {
        let queue = queue(QueueOptions::default());
        let inbox = Inbox::new(1, 1 << 30);
        let key = consume(&queue, Consumer { no_ack, ..consumer(&inbox, 0) });
        let delivered = |counts: QueueCounts| if no_ack { counts.deliver_no_ack } else { counts.deliver };
        publish(&queue, &["0"; 5]);
        assert_eq!(delivered(counts(&queue)), 5);
        queue.stop(key);
        for delivery in inbox.drain().into_iter().skip(2) {
            match delivery.unacked {
                Some(key) => queue.settle(&[key], Settlement::Unsent, &mut Group::default()),
                None => queue.give_back(std::iter::once(delivery.into_entry())),
            }
        }
        queue.cancel(key);
        assert_eq!(delivered(counts(&queue)), 5, "told before");
        consume(&queue, Consumer { no_ack, ..consumer(&inbox, 1) });
        let all = counts(&queue);
        assert_eq!((delivered(all), all.redeliver, queue.status().unwrap().ready), (5, 0, 0), "{no_ack}");
        publish(&queue, &["1"]);
        assert_eq!(delivered(counts(&queue)), 6, "nothing is owed any more");
    }
}

#[test]
fn what_leaves_otherwise_is_counted_by_its_reason() {
    let reject = |queue: &Arc<Queue>| {
        publish(queue, &["0", "1", "2"]);
        let keys: Vec<_> = (0..2)
            .filter_map(|_| match got(queue, false) {
                Got::Message { key, .. } => key,
                Got::Empty | Got::Loading => None,
            })
            .collect();
        queue.settle(&keys, Settlement::Reject, &mut Group::default());
    };
    let overflow = |queue: &Arc<Queue>| publish(queue, &["0", "1", "2"]);
    let dead_letter =
        || Some(DeadLetter { exchange: "dead".into(), routing_key: None, at_least_once: false });
    let limited = |max_length| Terms { max_length: Some(max_length), ..Terms::default() };
    let rejected = Ended { rejected: 2, ..Ended::default() };
    let dropped = Ended { max_length: 2, ..Ended::default() };
    let cases: [(&str, Terms, Happens<'_>, Ended); 3] = [
        ("rejected", Terms::default(), &reject, rejected),
        ("too many", limited(1), &overflow, dropped),
        (
            "refused, and a dead letter",
            Terms { overflow: Overflow::RejectPublishDeadLetter, ..limited(1) },
            &overflow,
            dropped,
        ),
    ];
    for (what, terms, happens, expected) in cases {
        for dead_letter in [None, dead_letter()] {
            let lost = dead_letter.is_none();
            let queue = queue(QueueOptions::default());
            queue.set_terms(Arc::new(Terms { dead_letter, ..terms.clone() }));
            happens(&queue);
            let counts = counts(&queue);
            let (ended, other) = if lost {
                (counts.dropped, counts.at_most_once)
            } else {
                (counts.at_most_once, counts.dropped)
            };
            assert_eq!((ended, other, counts.publish), (expected, Ended::default(), 3), "{what} {lost}");
        }
    }
}
