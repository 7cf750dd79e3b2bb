//! Bytes that nobody wrote: nothing is believed, nothing panics, nothing large is allocated.

use super::*;
use crate::store::checksum::{checksum, extended};
use crate::store::journal::batch::BATCH_HEADER_BYTES;
use crate::store::simulated::Random;

/// Recovers from whatever is there.
fn survive(disk: &Arc<SimDisk>) {
    let Ok(mut recovery) = Recovery::find(Arc::<SimDisk>::clone(disk)) else { return };
    let replay = recovery.replay(&mut |_| ()).unwrap();
    let mut bytes = 0;
    recovery
        .messages(&replay, &|_, _| false, &mut |_| (), &mut |alive| bytes += alive.message.len())
        .unwrap();
    let start = recovery.start();
    assert!(start.live_from <= start.file);
}

fn some_bytes(random: &mut Random, len: u64) -> Vec<u8> {
    (0..random.below(len)).map(|_| random.number().to_le_bytes()[0]).collect()
}

#[test]
fn whatever_a_file_contains_it_is_survived() {
    let mut random = Random::new(1);
    for _ in 0..500 {
        let disk = SimDisk::new(1);
        let mut image = Image::new(1 + random.below(3));
        for _ in 0..random.below(4) {
            image.batch(&[&some_bytes(&mut random, 300), &some_bytes(&mut random, 30)]);
        }
        let noise = some_bytes(&mut random, 2000);
        let at = usize::try_from(random.below(image.bytes.len() as u64)).unwrap();
        let end = (at + noise.len()).min(image.bytes.len());
        image.bytes[at..end].copy_from_slice(&noise[..end - at]);
        image.write(&disk, "1");
        let mut junk = image.next();
        junk.bytes = some_bytes(&mut random, 9000);
        junk.write(&disk, "2");
        survive(&disk);
    }
}

#[test]
fn records_with_a_right_checksum_and_wrong_contents_are_survived() {
    let mut random = Random::new(2);
    let good = encode(&[
        Action::Publish { id: 1, targets: vec![(7, 1), (8, 1)], deliveries: 0 },
        Action::Settle { queue: 7, position: 1 },
        Action::Requeue { queue: 8, position: 1, deliveries: 1 },
        Action::Define(1, 1),
        Action::Checkpointed(0),
    ]);
    for _ in 0..1000 {
        let mut records = good.clone();
        for _ in 0..=random.below(4) {
            let at = usize::try_from(random.below(records.len() as u64)).unwrap();
            records[at] =
                [0, 1, 0xff, random.number().to_le_bytes()[0]][usize::try_from(random.below(4)).unwrap()];
        }
        let disk = SimDisk::new(1);
        let mut image = Image::new(1);
        image.batch(&[&records]);
        image.write(&disk, "1");
        survive(&disk);
    }
}

#[test]
fn headers_with_a_right_checksum_and_wrong_contents_are_survived() {
    let mut random = Random::new(3);
    for _ in 0..1000 {
        let mut image = Image::new(1);
        image.header.previous_end = random.number() >> random.below(64);
        image.header.live_from = JournalFile(random.number() >> random.below(64));
        image.header.number = JournalFile(random.number() >> random.below(64));
        image.header.file_len = random.number() >> random.below(64);
        image.set_header(image.header);
        for _ in 0..3 {
            let offset = usize::try_from(image.batch(&[&encode(&[publish(1, 7, 1)])])).unwrap();
            let crc_at = offset + BATCH_HEADER_BYTES - 4;
            let field = [12, 28, 36, 44, 52, 56][usize::try_from(random.below(6)).unwrap()];
            let bytes = (random.number() >> random.below(64)).to_le_bytes();
            image.bytes[offset + field..offset + field + 4].copy_from_slice(&bytes[..4]);
            let crc = extended(checksum(&image.header.salt.to_le_bytes()), &image.bytes[offset..crc_at]);
            image.bytes[crc_at..crc_at + 4].copy_from_slice(&crc.to_le_bytes());
        }
        let disk = SimDisk::new(1);
        image.write(&disk, "1");
        if random.one_in(2) && image.header.number.0 < u64::MAX {
            let mut next = Image::new(image.header.number.0 + 1);
            next.header.previous_end = random.number() >> random.below(64);
            next.set_header(next.header);
            next.write(&disk, "2");
        }
        survive(&disk);
    }
}
