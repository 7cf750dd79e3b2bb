use super::super::tests::{Inbox, consumer};
use super::*;
use crate::message::Message;
use crate::queue::ready::Position;
use crate::store::stored::Returns;

fn of_priority(priority: i64) -> Consumer {
    Consumer { priority, ..consumer(&Inbox::new(1, 0), 0) }
}

#[test]
fn consumers_that_come_and_go_leave_neither_places_nor_levels_behind() {
    let mut consumers = Consumers::default();
    let stays = consumers.add(of_priority(-1));
    for priority in 0..1_000 {
        let goes = consumers.add(of_priority(priority));
        assert_eq!(consumers.first(), Some(goes));
        consumers.remove(goes);
    }
    assert_eq!((consumers.len(), consumers.members.len(), consumers.levels.len()), (1, 2, 1));
    assert_eq!(consumers.first(), Some(stays));
}

#[test]
fn a_burst_of_deliveries_leaves_no_memory_behind_at_its_consumer() {
    let mut consumers = Consumers::default();
    let key = consumers.add(of_priority(0));
    for burst in [10_000, 1] {
        let member = consumers.get_mut(key).unwrap();
        for position in 0..burst {
            let message = Message::compose("", "q", &[0, 0], b"").unwrap();
            let position = Position(position);
            member.staged.push(Delivery {
                message,
                position,
                unacked: None,
                slot: 0,
                returns: Returns::default(),
                tells_returns: false,
                redelivered: false,
            });
        }
        consumers.hand_over(key);
    }
    let kept = consumers.get_mut(key).unwrap().staged.capacity();
    assert!(kept <= KEEP_STAGED, "room for {kept} deliveries");
}

#[test]
fn a_key_whose_place_another_has_taken_means_nobody() {
    let mut consumers = Consumers::default();
    let first = consumers.add(of_priority(0));
    consumers.add(of_priority(0));
    assert!(consumers.remove(first).is_some());
    let second = consumers.add(of_priority(0));
    assert!(consumers.remove(first).is_none());
    assert!(consumers.get_mut(first).is_none());
    assert!(consumers.get_mut(second).is_some());
    assert_eq!(consumers.len(), 2);
}
