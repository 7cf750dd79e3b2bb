use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::config::Durability;
use crate::message::Message;
use crate::message::deduplication::DeduplicationKey;
use crate::store::stored::PartialBlock;

fn queue(number: u64) -> QueueId {
    QueueId::stored(number)
}

fn ops(group: &Group) -> Vec<Op<'_>> {
    Ops::new(group.bytes()).collect::<Result<_, _>>().unwrap()
}

fn a_state() -> SegmentState {
    SegmentState {
        whole: vec![(0, 3), (7, 7)],
        partial: vec![
            PartialBlock {
                index: 4,
                count: 2,
                bytes: 200,
                ranges: vec![(Position(9), Position(9)), (Position(12), Position(14))],
            },
            PartialBlock { index: 6, count: 0, bytes: 0, ranges: vec![] },
        ],
        returns: vec![(Position(9), Returns { acquired: 4, deliveries: 3, due: Time::from_millis(7) })],
    }
}

fn a_key(number: u64) -> KeyRecord {
    let key = DeduplicationKey(u128::from(number) << 70);
    KeyRecord { key, position: Position(number), until: Time::from_millis(number + 5) }
}

/// The same as it is written.
fn bytes_of_a_key(number: u64) -> Key {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&(u128::from(number) << 70).to_le_bytes());
    bytes[16..24].copy_from_slice(&number.to_le_bytes());
    bytes[24..].copy_from_slice(&(number + 5).to_le_bytes());
    bytes
}

fn every_kind() -> Group {
    let mut group = Group::default();
    let message = Message::compose("exchange", "key", &[0, 0], b"body").unwrap();
    let at = group.publish(&message, Returns::failed(2), [queue(1), queue(2)]);
    group.place(at, Position(10));
    group.place(at + TARGET_BYTES, Position(20));
    group.settle(queue(1), Position(10));
    group.requeue(queue(2), Position(20), Returns::failed(5));
    group.queue_gone(queue(3));
    group.segment_state(queue(1), SegmentNumber(4), &a_state());
    group.segment_gone(queue(1), SegmentNumber(5));
    group.redelivered_below(queue(1), Position(6));
    group.know(queue(1), 50, a_key(1));
    group.define(b"key", b"value");
    group.forget(b"key");
    group.checkpointed(JournalFile(7));
    group.closed();
    group
}

#[test]
fn what_was_written_is_read() {
    let group = every_kind();
    let read = ops(&group);
    let Op::Publish { targets, returns, message, parts } = &read[0] else { panic!("{:?}", read[0]) };
    let places: Vec<_> = targets.clone().collect();
    assert_eq!(places, [(queue(1), Position(10)), (queue(2), Position(20))]);
    let message = Message::new(Bytes::copy_from_slice(message), *parts).unwrap();
    assert_eq!((message.exchange(), message.routing_key()), ("exchange", "key"));
    assert_eq!((message.properties_bytes(), message.body()), (&[0_u8, 0][..], &b"body"[..]));
    assert_eq!((*returns, message.is_persistent()), (Returns::failed(2), false));
    let Op::Settle { queue: settled, ranges } = &read[1] else { panic!("{:?}", read[1]) };
    assert_eq!(
        (*settled, ranges.clone().collect::<Vec<_>>()),
        (queue(1), vec![(Position(10), Position(10))])
    );
    assert_eq!(
        read[2..],
        [
            Op::Requeue { queue: queue(2), position: Position(20), returns: Returns::failed(5) },
            Op::QueueGone { queue: queue(3) },
            Op::SegmentState { queue: queue(1), segment: SegmentNumber(4), state: a_state() },
            Op::SegmentGone { queue: queue(1), segment: SegmentNumber(5) },
            Op::RedeliveredBelow { queue: queue(1), position: Position(6) },
            Op::Keys { queue: queue(1), size: 50, keys: KeyRecords([bytes_of_a_key(1)].iter()) },
            Op::Define { key: b"key", value: b"value" },
            Op::Forget { key: b"key" },
            Op::Checkpointed { through: JournalFile(7) },
            Op::Closed,
        ]
    );
}

#[test]
fn a_persistent_message_stays_one() {
    let properties = [0x10, 0x00, 2];
    let message = Message::compose("", "q", &properties, b"").unwrap();
    assert!(message.is_persistent());
    let mut group = Group::default();
    group.publish(&message, Returns::default(), [queue(1)]);
    let read = ops(&group);
    assert!(matches!(&read[..], [Op::Publish { parts: Parts { persistent: true, address_len: 3, .. }, .. }]));
}

#[test]
fn settlements_that_adjoin_are_one_range() {
    let mut group = Group::default();
    for position in [4, 5, 6, 9, 8, 10] {
        group.settle(queue(1), Position(position));
    }
    group.settle(queue(2), Position(11));
    group.settle_range(queue(2), Position(20), Position(29));
    group.settle(queue(2), Position(30));
    let ranges = |op: &Op<'_>| match op {
        Op::Settle { queue, ranges } => {
            (queue.number(), ranges.clone().map(|(first, last)| (first.0, last.0)).collect::<Vec<_>>())
        }
        other => panic!("{other:?}"),
    };
    let read: Vec<_> = ops(&group).iter().map(ranges).collect();
    assert_eq!(read, [(1, vec![(4, 6), (9, 9), (8, 8), (10, 10)]), (2, vec![(11, 11)]), (2, vec![(20, 30)])]);
}

#[test]
fn keys_of_one_queue_that_follow_each_other_are_one_record() {
    let mut group = Group::default();
    for number in [1, 2, 3] {
        group.know(queue(1), 50, a_key(number));
    }
    group.know(queue(2), 60, a_key(4));
    group.settle(queue(2), Position(1));
    group.know(queue(2), 60, a_key(5));
    let records = ops(&group);
    let keys = records.iter().filter_map(|op| match op {
        Op::Keys { queue, size, keys } => Some((queue.number(), *size, keys.clone().collect::<Vec<_>>())),
        _ => None,
    });
    let expected =
        [(1, 50, vec![a_key(1), a_key(2), a_key(3)]), (2, 60, vec![a_key(4)]), (2, 60, vec![a_key(5)])];
    assert_eq!(keys.collect::<Vec<_>>(), expected);
}

#[test]
fn another_record_between_settlements_parts_them() {
    let mut group = Group::default();
    group.settle(queue(1), Position(1));
    group.requeue(queue(1), Position(9), Returns::failed(1));
    group.settle(queue(1), Position(2));
    assert_eq!(ops(&group).len(), 3);
}

#[test]
fn only_those_who_wait_for_the_disk_want_it_synced() {
    type Write = fn(&mut Group);
    let publish: Write = |group| {
        group.publish(
            &Message::compose("", "q", &[0, 0], b"").unwrap(),
            Returns::default(),
            [QueueId::stored(1)],
        );
    };
    let cases: [(Durability, Write, bool); 9] = [
        (Durability::Fsync, publish, true),
        (Durability::Os, publish, false),
        (Durability::Fsync, |group| group.settle(QueueId::stored(1), Position(1)), false),
        (
            Durability::Fsync,
            |group| group.requeue(QueueId::stored(1), Position(1), Returns::failed(1)),
            false,
        ),
        (Durability::Os, |group| group.define(b"k", b"v"), true),
        (Durability::Os, |group| group.forget(b"k"), true),
        (Durability::Fsync, |group| group.queue_gone(QueueId::stored(1)), false),
        (Durability::Os, |group| group.checkpointed(JournalFile(1)), true),
        (Durability::Os, Group::require_sync, true),
    ];
    for (at, (durability, write, expected)) in cases.into_iter().enumerate() {
        let mut group = Group::new(durability);
        write(&mut group);
        assert_eq!(group.wants_sync(), expected, "case {at}");
        group.clear();
        assert!(!group.wants_sync() && group.is_empty());
    }
}

#[test]
fn a_record_that_is_cut_off_is_told_by_its_place() {
    let group = every_kind();
    let mut ends = vec![0];
    let mut reader = Reader::new(group.bytes());
    while op(&mut reader).is_some() {
        ends.push(group.len() - reader.len());
    }
    for len in 0..group.len() {
        let (whole, cut) = match ends.binary_search(&len) {
            Ok(at) => (at, None),
            Err(at) => (at - 1, Some(Malformed { at: ends[at - 1] })),
        };
        let read: Vec<_> = Ops::new(&group.bytes()[..len]).collect();
        assert_eq!(read.len(), whole + usize::from(cut.is_some()), "{len}");
        assert_eq!(read.last().and_then(|last| last.clone().err()), cut, "{len}");
    }
}

proptest! {
    #[test]
    fn whatever_is_read_there_is_an_answer(bytes in vec(any::<u8>(), 0..200), kind in 0..14_u8, at in 0..400_usize) {
        let mut chunk = every_kind().bytes().to_vec();
        let at = at.min(chunk.len());
        chunk.splice(at.., std::iter::once(kind).chain(bytes));
        for op in Ops::new(&chunk).flatten() {
            match op {
                Op::Publish { targets, message, parts, .. } => {
                    prop_assert!(targets.count() <= chunk.len());
                    prop_assert!(Message::new(Bytes::copy_from_slice(message), parts).is_some());
                }
                Op::Settle { ranges, .. } => prop_assert!(ranges.count() <= chunk.len()),
                _ => {}
            }
        }
    }
}
