//! A walk through what is ready, and what is taken out of it.

use super::super::queue::Walk;
use super::super::ready::Seen;
use super::*;
use crate::message::Message;

fn message(priority: u8, body: &str) -> Message {
    // The flag of priority, and its octet.
    Message::compose("", "q", &[0x08, 0, priority], body.as_bytes()).unwrap()
}

fn walk(queue: &Queue) -> Vec<Seen> {
    let (mut walk, mut all) = (Walk::default(), Vec::new());
    while let Some(part) = walk.next(queue).unwrap() {
        all.extend(part);
    }
    assert_eq!((walk.mark(), walk.unreadable()), (None, 0));
    all
}

fn texts(seen: &[Seen]) -> Vec<String> {
    seen.iter().map(|seen| String::from_utf8(seen.message.body().to_vec()).unwrap()).collect()
}

#[test]
fn a_walk_sees_messages_in_the_order_in_which_they_would_be_delivered() {
    let queue = queue(QueueOptions { max_priority: 9, ..QueueOptions::default() });
    let mut messages: Vec<Message> =
        (0..40_u8).map(|n| message(n % 5, &format!("{}-{n:02}", n % 5))).collect();
    queue.publish(&mut messages, None).unwrap();
    // Some came back, and wait by themselves.
    let mut group = Group::default();
    let taken: Vec<UnackedKey> = (0..3)
        .map(|_| match got(&queue, false) {
            Got::Message { key: Some(key), .. } => key,
            other => panic!("{other:?}"),
        })
        .collect();
    queue.settle(&taken[..2], Settlement::Requeue, &mut group);
    let seen = walk(&queue);
    let mut expected: Vec<String> = (0..40_u8).map(|n| format!("{}-{n:02}", n % 5)).collect();
    expected.sort_by_key(|text| (std::cmp::Reverse(text[..1].to_owned()), text[2..].to_owned()));
    let held = expected.remove(2);
    assert_eq!(texts(&seen), expected);
    let again: Vec<bool> = seen.iter().map(|seen| seen.redelivered).collect();
    assert_eq!(again, (0..39).map(|at| at < 2).collect::<Vec<_>>());
    // What is taken out is not there, and what is taken back is as if it had been.
    let some: Vec<&Seen> = seen.iter().skip(1).step_by(3).collect();
    let removed = queue.take_out(&some).unwrap();
    assert_eq!((removed.len(), queue.status().unwrap().ready), (13, 26));
    assert_eq!(queue.status().unwrap().unacked, 1, "nobody sees it among the unacked ones");
    queue.take_back(&removed.iter().map(|removed| removed.key).collect::<Vec<_>>());
    let back = walk(&queue);
    assert_eq!(texts(&back), expected);
    assert_eq!(back.iter().map(|seen| seen.redelivered).collect::<Vec<_>>(), again);
    let (unacked, next) = queue.unacked(0).unwrap();
    assert_eq!((unacked.len(), next, unacked[0].message.body()), (1, None, held.as_bytes()));
}
