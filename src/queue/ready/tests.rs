//! Tests of the ready messages by themselves.

use bytes::{Bytes, BytesMut};
use leveret_protocol::properties::PropertiesBuilder;

use super::*;
use crate::place::{JournalFile, SegmentNumber};
use crate::store::positions::PositionSet;
use crate::store::segment::block::{Records, push_record};
use crate::store::stored::{Returns, Standing};
use crate::time::Time;

fn message(body: &[u8]) -> Message {
    Message::compose("exchange", "key", &[0, 0], body).unwrap()
}

fn drain(ready: &mut Ready) -> Vec<(u64, Vec<u8>)> {
    std::iter::from_fn(|| ready.pop())
        .map(|entry| (entry.position.0, entry.message.body().to_vec()))
        .collect()
}

#[test]
fn messages_leave_in_order_whatever_their_size() {
    let mut ready = Ready::default();
    let bodies =
        [vec![1; 3], vec![2; PACKED_MAX_BYTES + 1], vec![], vec![3; PACKED_MAX_BYTES - 100], vec![4; 700]];
    for (position, body) in bodies.iter().enumerate() {
        ready.push(0, Position(position as u64), message(body), Home::Transient);
    }
    assert_eq!(ready.len(), bodies.len());
    let expected: Vec<_> = bodies.iter().enumerate().map(|(at, body)| (at as u64, body.clone())).collect();
    assert_eq!(drain(&mut ready), expected);
    assert_eq!((ready.len(), ready.bytes()), (0, 0));
}

#[test]
fn messages_that_expire_at_the_same_time_leave_in_their_order() {
    for count in [2, 5, 300] {
        let mut ready = Ready::default();
        for position in 0..count {
            let expiration = PropertiesBuilder { expiration: Some("5"), ..PropertiesBuilder::default() };
            let mut message = Message::compose("", "q", &expiration.finish(), b"body").unwrap();
            message.arrive(Time::from_millis(1000 + position / 100));
            message.expires();
            ready.push(0, Position(position), message, Home::Transient);
        }
        let expired = ready.expire(Time::from_millis(2000), 1000, true, &mut Vec::new());
        let positions: Vec<u64> = expired.entries.iter().map(|entry| entry.position.0).collect();
        assert_eq!(positions, (0..count).collect::<Vec<_>>());
    }
}

#[test]
fn a_returned_message_takes_its_old_place() {
    let mut ready = Ready::default();
    for position in 0..5 {
        ready.push(0, Position(position), message(&[u8::try_from(position).unwrap()]), Home::Transient);
    }
    let taken: Vec<Entry> = (0..3).filter_map(|_| ready.pop()).collect();
    ready.give_back(taken[1].clone());
    assert_eq!(ready.pop().unwrap().position, Position(1));
    for entry in taken {
        ready.give_back(entry);
    }
    let order: Vec<u64> = drain(&mut ready).into_iter().map(|(position, _)| position).collect();
    assert_eq!(order, [0, 1, 2, 3, 4]);
}

#[test]
fn a_gap_in_the_positions_starts_a_new_block() {
    let mut ready = Ready::default();
    for position in [0, 1, 7, 8, 20] {
        ready.push(0, Position(position), message(b"x"), Home::Transient);
    }
    let order: Vec<u64> = drain(&mut ready).into_iter().map(|(position, _)| position).collect();
    assert_eq!(order, [0, 1, 7, 8, 20]);
}

/// A block of messages with one octet each at these positions, as in a segment.
fn stored(segment: u32, positions: &[u64]) -> (RestoredBlock, Bytes) {
    let (mut bytes, mut last) = (BytesMut::new(), positions[0]);
    for position in positions {
        push_record(&mut bytes, u16::try_from(position - last).unwrap(), &message(b"x"));
        last = *position;
    }
    let place = BlockPlace {
        segment: SegmentNumber(segment),
        journalled: true,
        index: 0,
        offset: 0,
        len: u32::try_from(bytes.len()).unwrap(),
        crc: 0,
    };
    let block = RestoredBlock {
        place,
        first: Position(positions[0]),
        last: Position(last),
        count: u32::try_from(positions.len()).unwrap(),
        bytes: (positions.len() * message(b"x").body_len()) as u64,
        alive: None,
        standing: Standing::default(),
    };
    (block, bytes.freeze())
}

#[test]
fn blocks_that_lie_across_each_other_are_read_in_the_order_of_their_positions() {
    let made = [stored(1, &[5, 900, 7_000]), stored(2, &[10, 11, 12]), stored(3, &[13, 899, 901, 6_999])];
    let mut ready = Ready::default();
    ready.restore(made.iter().map(|(block, _)| block.clone()).collect(), Time::default());
    ready.push_restored(0, Position(8_000), Returns::failed(2), Home::Journal(JournalFile(4)), message(b"x"));
    ready.push_restored(
        0,
        Position(11_000),
        Returns::default(),
        Home::Journal(JournalFile(4)),
        message(b"x"),
    );
    ready.push_restored(
        0,
        Position(10_000),
        Returns::default(),
        Home::Journal(JournalFile(4)),
        message(b"x"),
    );
    assert_eq!((ready.len(), ready.bytes()), (13, 13 * message(b"x").body_len() as u64));
    let mut order = Vec::new();
    while !ready.is_empty() {
        if ready.head_is_paged() {
            let mut asks = Vec::new();
            ready.ask_ahead(&mut asks);
            for place in asks {
                let (_, bytes) = made.iter().find(|(block, _)| block.place == place).unwrap();
                ready.loaded(place, Ok(bytes)).unwrap();
            }
        }
        let entry = ready.pop().unwrap();
        ready.segments.leave(entry.home);
        order.push((entry.position.0, entry.returns.deliveries));
    }
    let expected = [5, 10, 11, 12, 13, 899, 900, 901, 6_999, 7_000, 8_000, 10_000, 11_000];
    assert_eq!(order, expected.map(|position| (position, 2 * u32::from(position == 8_000))));
    assert_eq!((ready.len(), ready.bytes(), ready.memory()), (0, 0, 0));
    let mut dead = ready.segments.take_dead();
    dead.sort_unstable();
    assert_eq!(dead, [1, 2, 3].map(|segment| (SegmentNumber(segment), true)));
}

#[test]
fn only_what_is_alive_of_a_restored_block_is_read_whatever_was_said_of_its_number() {
    for said in [2, 5] {
        let (block, bytes) = stored(1, &[5, 6, 7, 9, 10]);
        let mut alive = PositionSet::default();
        alive.insert_range(Position(6), Position(7));
        alive.insert_range(Position(10), Position(12));
        let mut ready = Ready::default();
        ready.set_redelivered_below(Position(10));
        ready.restore(
            vec![RestoredBlock { alive: Some(alive), count: said, ..block.clone() }],
            Time::default(),
        );
        let mut asks = Vec::new();
        ready.ask_ahead(&mut asks);
        ready.loaded(asks[0], Ok(&bytes)).unwrap();
        let read: Vec<_> =
            std::iter::from_fn(|| ready.pop()).map(|entry| (entry.position.0, entry.redelivered)).collect();
        assert_eq!(read, [(6, true), (7, true), (10, false)]);
    }
}

#[test]
fn what_is_no_block_is_damage() {
    let (block, bytes) = stored(1, &[5, 6, 9]);
    let (_, other) = stored(1, &[5, 6, 8]);
    for bytes in [Bytes::new(), bytes.slice(..bytes.len() - 1), other] {
        let mut ready = Ready::default();
        ready.restore(vec![block.clone()], Time::default());
        let mut asks = Vec::new();
        ready.ask_ahead(&mut asks);
        let (lost, _) = ready.loaded(asks[0], Ok(&bytes)).unwrap_err();
        assert_eq!((lost, ready.len(), ready.bytes()), (3, 0, 0));
        assert!(ready.head_is_paged() || ready.pop().is_none());
    }
}

#[test]
fn a_block_on_the_disk_costs_no_more_than_96_bytes() {
    let size = size_of::<block::Block>();
    assert!(size <= 96, "{size}");
}

/// What a checkpoint takes out of these files of the journal and those before them.
fn positions_through(ready: &mut Ready, through: u64) -> Vec<u64> {
    let mut blocks = Vec::new();
    ready.alive_through(JournalFile(through), &mut blocks);
    let records = blocks.into_iter().flat_map(|block| Records::new(block.first, block.bytes));
    records.map(|(position, _)| position.0).collect()
}

#[test]
fn a_checkpoint_of_old_files_takes_nothing_of_newer_ones_along() {
    let mut ready = Ready::default();
    for (position, file) in [(0, 5), (1, 5), (2, 6), (3, 5), (4, 6), (5, 7)] {
        ready.push(0, Position(position), message(b"x"), Home::Journal(JournalFile(file)));
    }
    assert_eq!(positions_through(&mut ready, 4), [0; 0]);
    assert_eq!(positions_through(&mut ready, 5), [0, 1, 3]);
    assert_eq!(positions_through(&mut ready, 6), [0, 1, 2, 3, 4]);
    assert_eq!(positions_through(&mut ready, 7), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn what_is_found_on_the_disk_shares_blocks_whatever_files_it_is_in() {
    let mut ready = Ready::default();
    for (position, file) in [(0, 5), (1, 9), (2, 5), (3, 9)] {
        let home = Home::Journal(JournalFile(file));
        ready.push_restored(0, Position(position), Returns::default(), home, message(b"x"));
    }
    ready.push(0, Position(4), message(b"x"), Home::Journal(JournalFile(10)));
    assert_eq!(positions_through(&mut ready, 5), [0, 1, 2, 3]);
    let order: Vec<u64> = drain(&mut ready).into_iter().map(|(position, _)| position).collect();
    assert_eq!(order, [0, 1, 2, 3, 4]);
}
