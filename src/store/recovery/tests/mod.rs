//! Recovery against a model: whatever is damaged, torn or lost, what is found is what the remaining records say.

mod crash;
mod damage;
mod model;
mod noise;

use std::path::Path;
use std::sync::Arc;

use super::image::Image;
use super::*;
use crate::store::journal::FOLDER;
use crate::store::journal::batch::BATCH_HEADER_BYTES;
use crate::store::simulated::SimDisk;
use model::{Action, encode, expected, recover};

fn publish(id: u32, queue: u64, position: u64) -> Action {
    Action::Publish { id, targets: vec![(queue, position)], deliveries: 0 }
}

/// Adds a batch of one chunk.
fn add(image: &mut Image, actions: &[Action]) {
    image.batch(&[&encode(actions)]);
}

#[test]
fn an_empty_directory_begins_with_the_first_file() {
    let (outcome, recovery) = recover(&SimDisk::new(1));
    assert_eq!(outcome, model::Outcome::default());
    assert!(recovery.report().is_clean_stop() && !recovery.report().is_damaged());
    let start = recovery.start();
    assert_eq!((start.file, start.previous_end, start.batch), (JournalFile(1), 0, Batch(1)));
}

#[test]
fn what_a_checkpoint_made_needless_does_not_count_whatever_is_left_of_it() {
    let disk = SimDisk::new(1);
    let mut one = Image::new(1);
    add(&mut one, &[publish(1, 7, 1), publish(2, 7, 2), Action::Define(1, 1)]);
    let mut two = one.next();
    // That settled a message of the first file; and it is lost, as it may be when it was used again.
    add(&mut two, &[Action::Settle { queue: 7, position: 1 }, Action::Forget(1)]);
    let mut three = two.next();
    let carried = Action::Publish { id: 2, targets: vec![(7, 2)], deliveries: 3 };
    add(&mut three, &[carried, Action::Checkpointed(2)]);
    one.write(&disk, "1");
    three.write(&disk, "3");
    let (outcome, recovery) = recover(&disk);
    assert!(!recovery.report().is_damaged(), "{:?}", recovery.report());
    assert_eq!(outcome.messages, [(7, vec![(2, 2, 3)])].into());
    assert!(outcome.definitions.is_empty());
    let start = recovery.start();
    assert_eq!((start.file, start.live_from), (JournalFile(4), JournalFile(3)));
    assert_eq!((start.spares, start.live.len()), (vec!["1".to_owned()], 1));
    assert_eq!(start.batch, Batch(three.next_batch));
}

#[test]
fn a_message_in_a_segment_is_not_given_again() {
    let disk = SimDisk::new(1);
    let mut image = Image::new(1);
    add(&mut image, &[publish(1, 7, 1), publish(2, 7, 2), publish(3, 8, 1)]);
    image.write(&disk, "1");
    let mut recovery = Recovery::find(disk).unwrap();
    let replay = recovery.replay(&mut |_| ()).unwrap();
    let mut given = Vec::new();
    let is_elsewhere = |queue, position| (queue, position) == (QueueId::stored(7), Position(1));
    let mut give = |alive: Alive<'_>| given.push((alive.queue.number(), alive.position.0));
    recovery.messages(&replay, &is_elsewhere, &mut |_| (), &mut give).unwrap();
    given.sort_unstable();
    assert_eq!(given, [(7, 2), (8, 1)]);
}

#[test]
fn files_are_what_their_headers_say() {
    let disk = SimDisk::new(1);
    let mut one = Image::new(1);
    add(&mut one, &[publish(1, 7, 1)]);
    let mut two = one.next();
    add(&mut two, &[publish(2, 7, 2), Action::Closed]);
    two.write(&disk, "1");
    one.write(&disk, "9");
    let mut blank = Image::new(1);
    blank.bytes.fill(0);
    blank.pad(100_000);
    blank.write(&disk, "12");
    blank.bytes.truncate(100);
    blank.write(&disk, "13.new");
    two.write(&disk, "readme.txt");
    let (outcome, recovery) = recover(&disk);
    assert_eq!(outcome.messages, [(7, vec![(1, 1, 0), (2, 2, 0)])].into());
    assert_eq!(recovery.report().end, JournalEnd::Closed);
    assert!(!recovery.report().is_damaged());
    assert_eq!(recovery.report().foreign, ["readme.txt"]);
    assert_eq!(recovery.start().spares, ["12"]);
}

#[test]
fn what_is_no_journal_file_any_more_is_moved_away_and_told_once() {
    let disk = SimDisk::new(1);
    let mut one = Image::new(1);
    add(&mut one, &[publish(1, 7, 1)]);
    let mut two = one.next();
    add(&mut two, &[publish(2, 7, 2)]);
    let three = two.next();
    one.write(&disk, "1");
    three.write(&disk, "3");
    let mut wiped = two.clone();
    wiped.bytes[..4096].fill(0);
    wiped.write(&disk, "2");
    let mut copied = one.clone();
    copied.bytes.truncate(5000);
    copied.write(&disk, "4");
    let (outcome, recovery) = recover(&disk);
    assert_eq!(outcome.messages, [(7, vec![(1, 1, 0)])].into());
    let damages: Vec<String> = recovery.report().damages.iter().map(ToString::to_string).collect();
    assert_eq!(
        damages,
        [
            "journal file 2, which is missing",
            "the header of journal/2 (kept as quarantine/journal-2)",
            "the header of journal/4 (kept as quarantine/journal-4)"
        ]
    );
    assert_eq!(disk.contents("quarantine/journal-2"), wiped.bytes);
    assert_eq!(disk.list(Path::new(FOLDER)).unwrap(), ["1", "3"]);
    assert_eq!(recover(&disk).1.report().damages.len(), 1);
}

#[test]
fn another_format_is_refused_and_nothing_touched() {
    let disk = SimDisk::new(1);
    let mut image = Image::new(1);
    image.bytes[8] = 9;
    let crc = crate::store::checksum::checksum(&image.bytes[..52]).to_le_bytes();
    image.bytes[52..56].copy_from_slice(&crc);
    image.bytes.copy_within(0..56, 2048);
    image.write(&disk, "1");
    let before = disk.operations();
    let error = Recovery::find(Arc::<SimDisk>::clone(&disk)).err().unwrap();
    let text = error.to_string();
    assert!(text.starts_with("journal/1 has format 9, which this version does not know; start"), "{text}");
    assert_eq!(disk.operations(), before);
}

#[test]
fn progress_goes_on_to_the_end() {
    let disk = SimDisk::new(1);
    let mut one = Image::new(1);
    add(&mut one, &[publish(1, 7, 1)]);
    add(&mut one, &[publish(2, 7, 2)]);
    let two = one.next();
    one.write(&disk, "1");
    two.write(&disk, "2");
    let mut recovery = Recovery::find(disk).unwrap();
    let mut told = Vec::new();
    let replay = recovery.replay(&mut |progress| told.push(progress)).unwrap();
    let again = told.len();
    recovery.messages(&replay, &|_, _| false, &mut |progress| told.push(progress), &mut |_| ()).unwrap();
    let total = (one.bytes.len() + two.bytes.len()) as u64;
    for pass in [&told[..again], &told[again..]] {
        assert!(pass.is_sorted_by_key(|progress| progress.done));
        assert_eq!(pass.last(), Some(&Progress { done: total, total }));
    }
}

#[test]
fn a_full_disk_hinders_no_recovery() {
    let disk = SimDisk::new(1);
    let mut image = Image::new(1);
    image.batch(&[&encode(&[publish(1, 7, 1)]), &encode(&[publish(2, 7, 2)])]);
    image.sync();
    add(&mut image, &[publish(3, 7, 3)]);
    image.bytes[4096 + BATCH_HEADER_BYTES + 16 + 3] ^= 1;
    image.write(&disk, "1");
    disk.set_full(true);
    let (outcome, recovery) = recover(&disk);
    assert_eq!(outcome.messages, [(7, vec![(2, 2, 0), (3, 3, 0)])].into());
    assert_eq!(recovery.report().damages.len(), 1);
    assert_eq!(recovery.report().damages[0].quarantined, None);
}

#[test]
fn a_record_that_nobody_knows_is_told_and_those_before_it_count() {
    let disk = SimDisk::new(1);
    let mut image = Image::new(1);
    let mut records = encode(&[publish(1, 7, 1)]);
    let known = records.len() as u64;
    records.extend([200, 1, 2, 3]);
    image.batch(&[&records]);
    add(&mut image, &[publish(2, 7, 2)]);
    image.write(&disk, "1");
    let (outcome, recovery) = recover(&disk);
    assert_eq!(outcome.messages, [(7, vec![(1, 1, 0), (2, 2, 0)])].into());
    let from = (4096 + BATCH_HEADER_BYTES + 8) as u64 + known;
    let part = Damaged::Part { file: JournalFile(1), from, to: from + 4, part: DamagedPart::Record };
    assert_eq!(recovery.report().damages[0].what, part);
    assert_eq!(disk.contents(recovery.report().damages[0].quarantined.as_ref().unwrap()), [200, 1, 2, 3]);
}

#[test]
fn the_model_knows_what_is_meant() {
    let records = [
        publish(1, 7, 1),
        publish(2, 7, 2),
        Action::Settle { queue: 7, position: 3 },
        publish(3, 7, 3),
        Action::Requeue { queue: 7, position: 2, deliveries: 4 },
        publish(4, 8, 1),
        Action::QueueGone(8),
    ];
    let outcome = expected(records.iter());
    assert_eq!(outcome.messages, [(7, vec![(1, 1, 0), (2, 2, 4)])].into());
}
