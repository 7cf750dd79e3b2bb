use super::super::tests::{Inbox, consumer};
use super::*;

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
