use leveret_protocol::table::TableBuilder;
use proptest::prelude::*;

use super::*;
use crate::place::Batch;
use crate::store::original::Original;

const NOW: Time = Time::from_millis(1000);

fn key(number: u64) -> DeduplicationKey {
    DeduplicationKey(number.into())
}

fn keys(window: Option<u64>, size: u32) -> Keys {
    Keys::new(Deduplication { window: window.map(Duration::from_millis), size })
}

/// Keeps the key at its own place.
fn keep(keys: &mut Keys, number: u64, now: Time) {
    keys.keep(key(number), Position(number), now, None, None);
}

fn known(keys: &mut Keys, now: Time) -> Vec<u64> {
    (0..100).filter(|number| keys.find(key(*number), now).is_some()).collect()
}

fn after(millis: u64) -> Time {
    NOW.plus(Duration::from_millis(millis))
}

#[test]
fn arguments_say_how_long_keys_are_known_and_how_many() {
    let on = || TableBuilder::new().bool("x-message-deduplication", true);
    let rules =
        |window: Option<u64>, size| Some(Deduplication { window: window.map(Duration::from_millis), size });
    for (arguments, expected) in [
        (TableBuilder::new(), None),
        (TableBuilder::new().bool("x-message-deduplication", false).int("x-cache-ttl", 5), None),
        (TableBuilder::new().bool("x-deduplication-window", true), None),
        (on(), rules(None, 1_000_000)),
        (on().bool("x-deduplication-window", true), rules(Some(300_000), 1_000_000)),
        (on().bool("x-deduplication-window", true).int("x-cache-ttl", 5), rules(Some(5), 1_000_000)),
        (on().bool("x-deduplication-window", false).int("x-cache-ttl", 5), rules(None, 1_000_000)),
        (on().int("x-cache-ttl", 60_000), rules(Some(60_000), 1_000_000)),
        (on().int("x-cache-size", 7), rules(None, 7)),
        (on().long("x-cache-size", i64::MAX), rules(None, SIZE_MAX)),
        (on().int("x-cache-size", 2_000_000_000), rules(None, SIZE_MAX)),
    ] {
        let arguments = arguments.finish();
        assert_eq!(Deduplication::said(arguments.as_table()), expected, "{arguments:?}");
    }
}

#[test]
fn a_key_is_known_until_its_message_has_left() {
    let mut keys = keys(None, 10);
    keep(&mut keys, 1, NOW);
    keep(&mut keys, 2, NOW);
    assert_eq!(known(&mut keys, after(u64::from(u32::MAX))), [1, 2]);
    keys.left(Position(3));
    keys.left(Position(1));
    assert_eq!(known(&mut keys, NOW), [2]);
    // The next message with a key is another one.
    keys.keep(key(2), Position(5), NOW, None, None);
    keys.left(Position(2));
    assert_eq!(known(&mut keys, NOW), [2]);
    keys.left(Position(5));
    assert!(keys.is_empty());
}

#[test]
fn in_a_window_a_key_is_known_for_its_time_and_no_longer_whatever_becomes_of_its_message() {
    let mut keys = keys(Some(300), 10);
    keep(&mut keys, 1, NOW);
    keys.keep(key(2), Position(2), NOW, Some(Duration::from_millis(50)), None);
    keys.keep(key(3), Position(3), NOW, Some(Duration::ZERO), None);
    keys.left(Position(1));
    for (millis, expected) in
        [(0, vec![1, 2]), (49, vec![1, 2]), (50, vec![1]), (299, vec![1]), (300, vec![])]
    {
        assert_eq!(known(&mut keys, after(millis)), expected, "{millis}");
    }
    assert!(keys.is_empty(), "what is forgotten takes no room");
}

#[test]
fn of_too_many_keys_the_one_goes_that_would_be_forgotten_first() {
    let mut lasting = keys(None, 3);
    (1..=5).for_each(|number| keep(&mut lasting, number, NOW));
    assert_eq!(known(&mut lasting, NOW), [3, 4, 5]);
    // One that is known already takes nobody's place.
    lasting.keep(key(4), Position(6), NOW, None, None);
    assert_eq!(known(&mut lasting, NOW), [3, 4, 5]);
    let mut timed = keys(Some(300), 3);
    for (number, ttl) in [(1, 900), (2, 100), (3, 500), (4, 300), (5, 200)] {
        timed.keep(key(number), Position(number), NOW, Some(Duration::from_millis(ttl)), None);
    }
    assert_eq!(known(&mut timed, NOW), [1, 3, 5]);
}

#[test]
fn what_is_forgotten_in_time_goes_though_nobody_asks_for_it() {
    let mut keys = keys(Some(300), 1000);
    (0..100).for_each(|number| keep(&mut keys, number, NOW));
    keep(&mut keys, 200, after(300));
    keep(&mut keys, 201, after(300));
    assert_eq!(keys.len(), 2);
}

#[test]
fn an_original_that_came_to_nothing_leaves_no_key() {
    let mut keys = keys(None, 10);
    for (position, taken) in [(1, None), (2, Some(Batch(5))), (3, None)] {
        let original = Original::default();
        let fate = original.fate();
        keys.keep(key(position), Position(position), NOW, None, Some(fate.clone()));
        assert_eq!(keys.find(key(position), NOW), Some(Some(fate)), "nobody knows yet");
        match taken {
            Some(batch) => original.taken(Some(batch)),
            None => drop(original),
        }
    }
    assert_eq!(known(&mut keys, NOW), [2]);
    keys.withdraw(key(2), Position(9));
    assert_eq!(known(&mut keys, NOW), [2], "another message has that key");
    keys.withdraw(key(2), Position(2));
    assert!(keys.is_empty());
}

#[test]
fn a_message_that_moves_takes_its_key_and_its_time_along() {
    let mut lasting = keys(None, 10);
    keep(&mut lasting, 1, NOW);
    assert_eq!(lasting.moved(key(1), Position(7), None).unwrap().until, Time::NEVER);
    lasting.left(Position(1));
    assert_eq!(known(&mut lasting, NOW), [1]);
    let mut timed = keys(Some(300), 10);
    keep(&mut timed, 1, NOW);
    assert_eq!(timed.moved(key(1), Position(7), None).unwrap().until, after(300));
    assert_eq!(timed.moved(key(2), Position(8), None), None, "its time is over");
}

#[test]
fn a_purge_leaves_the_keys_of_what_is_still_there() {
    let mut lasting = keys(None, 10);
    let mut timed = keys(Some(300), 10);
    for keys in [&mut lasting, &mut timed] {
        (1..=4).for_each(|number| keep(keys, number, NOW));
        keys.left_but(|position| position == Position(3));
    }
    assert_eq!(known(&mut lasting, NOW), [3]);
    assert_eq!(known(&mut timed, NOW), [1, 2, 3, 4]);
}

#[test]
fn what_outlives_the_broker_is_told_in_parts_and_is_known_to_the_next() {
    let mut before = keys(Some(300), 10);
    for number in 1..=6 {
        let record = before.keep(key(number), Position(number), after(number), None, None);
        if number != 4 {
            before.recorded(record, JournalFile(number + 2));
        }
    }
    assert!(before.stand_through(JournalFile(3)) && !before.stand_through(JournalFile(2)));
    let records = again(&mut before, 8, 9);
    assert_eq!(places(&records), [1, 2, 3, 5, 6]);
    assert!(!before.stand_through(JournalFile(8)));
    let mut next = keys(Some(300), 3);
    next.restore(records, after(302));
    assert_eq!(
        known(&mut next, after(302)),
        [3, 5, 6],
        "the time goes on meanwhile, and there is room for three"
    );
    assert!(next.stand_through(JournalFile(0)), "nobody knows where");
}

/// What of files up to `through` is written to file `to` again.
fn again(keys: &mut Keys, through: u64, to: u64) -> Vec<KeyRecord> {
    let (mut records, mut last) = (Vec::new(), None);
    loop {
        let part = keys.records_through(JournalFile(through), JournalFile(to), last, 2);
        records.extend(part.records);
        last = part.last;
        if last.is_none() {
            keys.recorded_behind(JournalFile(through));
            return records;
        }
    }
}

fn places(records: &[KeyRecord]) -> Vec<u64> {
    records.iter().map(|record| record.position.0).collect()
}

#[test]
fn what_stands_in_newer_files_is_not_written_again_before_it_is_there() {
    let mut keys = keys(Some(300), 10);
    for (number, file) in [(1, 3), (2, 4), (3, 4), (4, 5), (5, 4)] {
        let record = keys.keep(key(number), Position(number), after(number), None, None);
        keys.recorded(record, JournalFile(file));
    }
    assert_eq!(places(&again(&mut keys, 3, 4)), [1]);
    assert_eq!(places(&again(&mut keys, 4, 6)), [1, 2, 3, 5]);
    assert_eq!(places(&again(&mut keys, 5, 6)), [4]);
    assert!(!keys.stand_through(JournalFile(5)) && keys.stand_through(JournalFile(6)));
    assert_eq!(places(&again(&mut keys, 6, 7)), [1, 2, 3, 4, 5]);
}

proptest! {
    #[test]
    fn both_orders_know_the_same_and_no_more_than_they_may(
        window in prop::option::of(1..50_u64),
        size in 1..20_u32,
        steps in prop::collection::vec((0..5_u8, 0..30_u64, 0..40_u64), 1..300),
    ) {
        let mut keys = keys(window, size);
        let mut now = NOW;
        for (place, (step, number, millis)) in (0..).zip(steps) {
            match step {
                0 | 1 => {
                    if keys.find(key(number), now).is_none() {
                        let ttl = (step == 1 && window.is_some()).then(|| Duration::from_millis(millis));
                        keys.keep(key(number), Position(place), now, ttl, None);
                    }
                }
                2 => keys.left(Position(place.saturating_sub(number))),
                3 => now = now.plus(Duration::from_millis(millis)),
                _ => _ = keys.moved(key(number), Position(place), None),
            }
            prop_assert!(keys.len() <= size as usize);
            prop_assert_eq!(keys.known.len(), keys.order.len());
            for ((until, position), key) in &keys.order {
                let known = &keys.known[key];
                prop_assert_eq!((known.until, known.position), (*until, *position));
            }
        }
    }
}
