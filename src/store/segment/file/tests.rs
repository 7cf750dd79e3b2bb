use std::path::Path;
use std::sync::Arc;

use bytes::BytesMut;

use super::*;
use crate::message::Message;
use crate::place::{JournalFile, Position, QueueId, SegmentNumber};
use crate::store::disk::Disk;
use crate::store::segment::block::{Records, push_record};
use crate::store::simulated::SimDisk;
use crate::store::stored::Standing;
use crate::time::Time;

const ID: SegmentId = SegmentId { queue: QueueId::stored(7), number: SegmentNumber(3), journalled: true };

fn block(first: u64, bodies: &[&str]) -> OutBlock {
    let mut bytes = BytesMut::new();
    for (at, body) in bodies.iter().enumerate() {
        let message = Message::compose("", "key", &[0x10, 0, 2], body.as_bytes()).unwrap();
        push_record(&mut bytes, u16::from(at > 0), &message);
    }
    let count = u32::try_from(bodies.len()).unwrap();
    OutBlock {
        first: Position(first),
        last: Position(first + u64::from(count) - 1),
        count,
        bytes: bytes.freeze(),
        returns: Vec::new(),
        journalled: true,
        file: JournalFile(0),
        leaves: Vec::new(),
        standing: Standing {
            level: 3,
            waits: first == 12,
            deadline: Time::from_millis(first),
            bytes: bodies.iter().map(|body| body.len() as u64).sum(),
        },
    }
}

fn three_blocks() -> Vec<OutBlock> {
    vec![block(10, &["one", "two"]), block(12, &["three"]), block(90, &["", "five", "six"])]
}

fn new_file(disk: &SimDisk) -> Arc<dyn DiskFile> {
    disk.create_dir(ID.path().parent().unwrap()).unwrap();
    disk.create(&ID.path()).unwrap()
}

/// A sealed segment of three blocks.
fn written() -> (Arc<SimDisk>, Vec<BlockPlace>) {
    let disk = SimDisk::new(1);
    let file = new_file(&disk);
    let mut segment = OpenSegment::begin(&*file, ID).unwrap();
    let blocks = three_blocks();
    let mut places = segment.append(&*file, &blocks[..2]).unwrap();
    places.extend(segment.append(&*file, &blocks[2..]).unwrap());
    segment.seal(&*file).unwrap();
    (disk, places)
}

/// The messages of the blocks that a segment is found to have, as far as they can be read.
fn read_all(disk: &SimDisk, id: SegmentId) -> (Vec<(u64, String)>, bool) {
    let file = disk.open(&ID.path()).unwrap();
    let found = open(&*file, id).unwrap();
    let mut damaged = found.damage.is_some();
    let mut messages = Vec::new();
    for entry in found.blocks {
        match read_block(&*file, entry.place) {
            Ok(payload) => messages.extend(
                Records::new(entry.first, payload)
                    .map(|(at, message)| (at.0, String::from_utf8(message.body().to_vec()).unwrap())),
            ),
            Err(_) => damaged = true,
        }
    }
    (messages, damaged)
}

fn expected() -> Vec<(u64, String)> {
    [(10, "one"), (11, "two"), (12, "three"), (90, ""), (91, "five"), (92, "six")]
        .map(|(at, body)| (at, body.to_owned()))
        .to_vec()
}

#[test]
fn what_is_written_is_found_by_the_footer() {
    let (disk, places) = written();
    let found = open(&*disk.open(&ID.path()).unwrap(), ID).unwrap();
    assert_eq!(found.damage, None);
    assert_eq!(found.blocks.iter().map(|entry| entry.place).collect::<Vec<_>>(), places);
    let standings: Vec<_> = found.blocks.iter().map(|entry| (entry.count, entry.standing)).collect();
    let expected_standings: Vec<_> =
        three_blocks().iter().map(|block| (block.count, block.standing)).collect();
    assert_eq!(standings, expected_standings);
    assert_eq!(standings.iter().map(|(_, standing)| standing.bytes).collect::<Vec<_>>(), [6, 5, 7]);
    assert_eq!(read_all(&disk, ID), (expected(), false));
}

#[test]
fn a_bit_that_flipped_anywhere_is_found_before_a_message_is_given_out() {
    let (disk, _) = written();
    let len = disk.contents(ID.path()).len() as u64;
    for offset in 0..len {
        for bit in 0..8 {
            disk.damage(ID.path(), offset, bit);
            let (messages, damaged) = read_all(&disk, ID);
            assert!(messages.iter().all(|message| expected().contains(message)), "{offset}.{bit}");
            // What lies between the parts says the same twice: the headers of blocks and the footer.
            assert!(damaged || messages == expected(), "{offset}.{bit}: {messages:?}");
            let lost = expected().len() - messages.len();
            assert!(lost <= 3, "{offset}.{bit}: one bit takes one block at most, not {lost} messages");
            disk.damage(ID.path(), offset, bit);
        }
    }
    assert_eq!(read_all(&disk, ID), (expected(), false));
}

#[test]
fn a_segment_that_is_cut_off_anywhere_gives_the_blocks_before() {
    let (whole, _) = written();
    let len = whole.contents(ID.path()).len() as u64;
    for cut in 0..len {
        let (disk, _) = written();
        disk.truncate(ID.path(), cut);
        let (messages, damaged) = read_all(&disk, ID);
        assert!(damaged, "{cut}");
        assert_eq!(messages, expected()[..messages.len()], "{cut}");
    }
}

#[test]
fn a_segment_in_the_place_of_another_gives_nothing() {
    let (disk, places) = written();
    for id in [
        SegmentId { queue: QueueId::stored(8), ..ID },
        SegmentId { number: SegmentNumber(4), ..ID },
        SegmentId { journalled: false, ..ID },
    ] {
        assert_eq!(read_all(&disk, id), (Vec::new(), true), "{id}");
    }
    // A block that another one has taken the place of.
    let file = disk.open(&ID.path()).unwrap();
    let moved = BlockPlace { offset: places[1].offset, ..places[0] };
    assert!(read_block(&*file, moved).is_err());
}

#[test]
fn an_append_that_failed_leaves_nothing_behind_it() {
    for full in [false, true] {
        let disk = SimDisk::new(1);
        let file = new_file(&disk);
        let mut segment = OpenSegment::begin(&*file, ID).unwrap();
        let blocks = three_blocks();
        segment.append(&*file, &blocks[..1]).unwrap();
        // As if an attempt to append much more had been cut short.
        let garbage = vec![0xa5; if full { 4000 } else { 60 }];
        file.write_at(&[&garbage], segment.len()).unwrap();
        segment.append(&*file, &blocks[1..]).unwrap();
        segment.seal(&*file).unwrap();
        assert_eq!(read_all(&disk, ID), (expected(), false), "{full}");
    }
}

#[test]
fn the_name_of_a_segment_is_read_back() {
    let queue = QueueId::stored(5);
    for (name, expected) in [
        ("0", Some((0, true))),
        ("12", Some((12, true))),
        ("12.transient", Some((12, false))),
        ("012", None),
        ("x", None),
        ("1.other", None),
        ("", None),
    ] {
        let id = expected.map(|(number, journalled)| SegmentId {
            queue,
            number: SegmentNumber(number),
            journalled,
        });
        assert_eq!(SegmentId::named(queue, name), id, "{name}");
        if let Some(id) = id {
            assert_eq!(id.path(), Path::new("queue/5").join(name));
        }
    }
}
