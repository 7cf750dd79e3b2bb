use super::super::image::{Image, chunk};
use super::*;
use crate::place::JournalFile;
use crate::store::simulated::SimDisk;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Chunk(Vec<u8>),
    Damaged(u64, u64, DamagedPart),
}

fn good(text: &str) -> Found {
    Found::Chunk(text.as_bytes().to_vec())
}

/// What is found in a file, where it ends, and whether something behind that was cut off.
fn found(image: &Image, end: Option<u64>) -> (Vec<Found>, u64, bool) {
    let file = image.write(&SimDisk::new(1), "1");
    let mut all = Vec::new();
    let mut give = |part: Part<'_>| {
        all.push(match part {
            Part::Chunk { offset, bytes } => {
                let from = usize::try_from(offset).unwrap();
                assert_eq!(bytes, &image.bytes[from..from + bytes.len()]);
                Found::Chunk(bytes.to_vec())
            }
            Part::Damaged { from, to, what } => Found::Damaged(from, to, what),
        });
    };
    let scanned = scan(file, &image.header, end, &mut |_| (), &mut give).unwrap();
    (all, scanned.end, scanned.torn)
}

/// Three batches at 4096, 8192 and 12288, of which each says that all before it is synced.
fn three() -> Image {
    let mut image = Image::new(1);
    image.sync();
    image.batch(&[b"a", b"bb"]);
    image.sync();
    image.batch(&[b"ccc", b"dddd", b""]);
    image.sync();
    image.batch(&[b"e"]);
    image
}

/// Where the bytes of the chunks of the batch at 8192 begin.
const SECOND_BODY: usize = 8192 + BATCH_HEADER_BYTES + 3 * 8;

fn flipped(mut image: Image, at: usize) -> Image {
    image.bytes[at] ^= 0x40;
    image
}

#[test]
fn everything_is_found_in_order() {
    let all = ["a", "bb", "ccc", "dddd", "", "e"].map(good);
    for end in [None, Some(three().end()), Some(12_300)] {
        let (parts, ended, torn) = found(&three(), end);
        assert_eq!(parts, all);
        assert_eq!((ended, torn), (end.unwrap_or(16_384), false));
    }
}

#[test]
fn what_is_bad_below_a_synced_mark_is_damage_and_the_rest_is_served() {
    let body = SECOND_BODY as u64;
    for end in [None, Some(16_384)] {
        let (parts, ended, torn) = found(&flipped(three(), SECOND_BODY + 4), end);
        let damaged = Found::Damaged(body + 3, body + 7, DamagedPart::Chunk);
        assert_eq!(parts, [good("a"), good("bb"), good("ccc"), damaged, good(""), good("e")]);
        assert_eq!((ended, torn), (16_384, false));
        for at in [8192, 8200, 8192 + BATCH_HEADER_BYTES + 5] {
            let (parts, ended, torn) = found(&flipped(three(), at), end);
            let damaged = Found::Damaged(8192, 12_288, DamagedPart::Batch);
            assert_eq!(parts, [good("a"), good("bb"), damaged, good("e")]);
            assert_eq!((ended, torn), (16_384, false));
        }
    }
}

#[test]
fn what_is_bad_behind_the_last_mark_is_cut_off_with_all_behind_it() {
    for at in [8192, 8200, SECOND_BODY, SECOND_BODY + 6] {
        let mut image = three();
        image.bytes.truncate(12_288);
        image.synced_to = 8192;
        image.batch(&[b"e"]);
        let (parts, end, torn) = found(&flipped(image, at), None);
        assert_eq!(parts, [good("a"), good("bb")], "{at}");
        assert_eq!((end, torn), (8192, true), "{at}");
    }
}

#[test]
fn the_last_batch_is_covered_by_no_mark() {
    let (parts, end, torn) = found(&flipped(three(), 12_288 + BATCH_HEADER_BYTES + 8), None);
    assert_eq!(parts, ["a", "bb", "ccc", "dddd", ""].map(good));
    assert_eq!((end, torn), (12_288, true));
    let (parts, end, torn) = found(&flipped(three(), 12_288), None);
    assert_eq!(parts.len(), 5);
    // Nothing shows that this was one.
    assert_eq!((end, torn), (12_288, false));
}

#[test]
fn the_last_batch_of_a_file_that_another_follows_is_damaged_like_any() {
    let body = 12_288 + BATCH_HEADER_BYTES + 8;
    let (parts, ..) = found(&flipped(three(), body), Some(16_384));
    assert_eq!(parts[5..], [Found::Damaged(body as u64, body as u64 + 1, DamagedPart::Chunk)]);
    let (parts, ..) = found(&flipped(three(), 12_288), Some(16_384));
    assert_eq!(parts[5..], [Found::Damaged(12_288, 16_384, DamagedPart::Batch)]);
}

#[test]
fn damage_before_the_mark_and_a_torn_end_behind_it_are_told_apart() {
    let mut image = three();
    image.batch(&[b"f"]);
    image.batch(&[b"g"]);
    image.bytes[16_384] ^= 1;
    image.bytes[SECOND_BODY] ^= 1;
    let (parts, end, torn) = found(&image, None);
    let damaged = Found::Damaged(SECOND_BODY as u64, SECOND_BODY as u64 + 3, DamagedPart::Chunk);
    assert_eq!(parts, [good("a"), good("bb"), damaged, good("dddd"), good(""), good("e")]);
    assert_eq!((end, torn), (16_384, true));
}

#[test]
fn nothing_behind_the_end_that_the_next_file_tells_is_looked_at() {
    for bad in [SECOND_BODY, 12_288, 12_400] {
        let (parts, end, torn) = found(&flipped(three(), bad.min(three().bytes.len() - 1)), Some(8192));
        assert_eq!(parts, [good("a"), good("bb")]);
        assert_eq!((end, torn), (8192, false));
    }
}

#[test]
fn a_file_that_was_cut_short_lacks_its_end() {
    let mut image = three();
    image.bytes.truncate(9000);
    let (parts, ..) = found(&image, Some(16_384));
    assert_eq!(parts[5..], [Found::Damaged(9000, 16_384, DamagedPart::Missing)]);
    image.bytes.truncate(SECOND_BODY + 5);
    let (parts, ..) = found(&image, Some(16_384));
    let body = SECOND_BODY as u64;
    let missing = Found::Damaged(body + 3, body + 7, DamagedPart::Chunk);
    let gone = Found::Damaged(body + 7, body + 7, DamagedPart::Chunk);
    assert_eq!(parts[2..5], [good("ccc"), missing, gone]);
    let (parts, end, torn) = found(&image, None);
    assert_eq!(parts, [good("a"), good("bb")]);
    assert_eq!((end, torn), (8192, true));
}

#[test]
fn a_last_file_that_is_shorter_than_it_says_is_damaged_and_what_is_left_of_it_is_served() {
    let mut image = three();
    image.made_so_long(20_000);
    let body = SECOND_BODY as u64;
    let missing = |from| Found::Damaged(from, 20_000, DamagedPart::Missing);
    let (second, third) = (["a", "bb"].map(good), ["a", "bb", "ccc", "dddd", "", "e"].map(good));
    let in_body = [
        &second[..],
        &[
            good("ccc"),
            Found::Damaged(body + 3, body + 7, DamagedPart::Chunk),
            Found::Damaged(body + 7, body + 7, DamagedPart::Chunk),
            missing(body + 5),
        ],
    ];
    let cases = [
        (20_000, third.to_vec(), 16_384, false),
        (19_999, [&third[..], &[missing(19_999)]].concat(), 16_384, false),
        (16_384, [&third[..], &[missing(16_384)]].concat(), 16_384, false),
        (SECOND_BODY + 5, in_body.concat(), 12_288, false),
        (SECOND_BODY - 1, [&second[..], &[missing(8192)]].concat(), 8192, false),
        (8200, [&second[..], &[missing(8192)]].concat(), 8192, false),
        (8192, [&second[..], &[missing(8192)]].concat(), 8192, false),
        (4096, vec![missing(4096)], 4096, false),
        (3000, vec![missing(3000)], 4096, false),
    ];
    for (len, parts, end, torn) in cases {
        let mut cut = image.clone();
        cut.bytes.truncate(len);
        assert_eq!(found(&cut, None), (parts, end, torn), "{len}");
    }
}

#[test]
fn what_was_torn_before_the_file_was_cut_off_is_still_torn() {
    let mut image = three();
    image.made_so_long(20_000);
    image.bytes.truncate(18_000);
    let (parts, end, torn) = found(&flipped(image, 12_288 + BATCH_HEADER_BYTES + 8), None);
    assert_eq!(parts[5..], [Found::Damaged(18_000, 20_000, DamagedPart::Missing)]);
    assert_eq!((end, torn), (12_288, true));
}

#[test]
fn a_file_that_has_grown_says_so_in_the_next_batch() {
    let mut image = three();
    let begun = FileHeader { file_len: 17_000, ..image.header };
    image.header.file_len = 40_000;
    image.batch(&[b"f"]);
    image.set_header(begun);
    image.pad(17_000);
    let (parts, ..) = found(&image, None);
    assert_eq!(parts[6..], [good("f"), Found::Damaged(17_000, 40_000, DamagedPart::Missing)]);
}

#[test]
fn what_an_earlier_use_of_the_file_left_is_not_seen() {
    let mut image = three();
    let mut earlier = Image::new(1);
    earlier.header.salt += 1;
    for _ in 0..6 {
        earlier.synced_to = earlier.end();
        earlier.batch(&[b"stale"]);
    }
    let rest = image.bytes.len();
    image.bytes.extend_from_slice(&earlier.bytes[rest..]);
    let (parts, end, torn) = found(&image, None);
    assert_eq!(parts.len(), 6);
    assert_eq!((end, torn), (16_384, false));
}

#[test]
fn a_body_that_looks_like_a_batch_is_none() {
    let mut forged = Image::new(1);
    forged.header.salt += 1;
    forged.pad(8192);
    forged.synced_to = 8192;
    forged.batch(&[b"forged"]);
    let mut image = Image::new(1);
    // The forged batch lies where it says, in a batch whose header is bad.
    let lead = vec![0; 4096 - BATCH_HEADER_BYTES - 8];
    image.batch(&[&[&lead, &forged.bytes[8192..]].concat()]);
    assert_eq!(image.bytes[8192..8196], *b"LVRB");
    let (parts, end, torn) = found(&flipped(image, 4096), None);
    assert_eq!((parts.len(), end, torn), (0, 4096, false));
}

#[test]
fn lengths_are_believed_only_as_far_as_the_file_reaches() {
    for (chunks, count) in [(vec![chunk(b""); 3], u32::MAX), (vec![Chunk { len: u32::MAX, crc: 0 }; 4], 4)] {
        let mut image = three();
        image.bytes.truncate(12_288);
        let header = BatchHeader {
            file: JournalFile(1),
            batch: Batch(9),
            offset: 12_288,
            synced_to: 12_288,
            file_len: 0,
        };
        header.encode(image.header.salt, &chunks, &mut image.bytes);
        let count_at = 12_288 + 4 + 6 * 8;
        image.bytes[count_at..count_at + 4].copy_from_slice(&count.to_le_bytes());
        let crc_at = count_at + 8;
        let salted = crate::store::checksum::checksum(&image.header.salt.to_le_bytes());
        let crc = crate::store::checksum::extended(salted, &image.bytes[12_288..crc_at]);
        image.bytes[crc_at..crc_at + 4].copy_from_slice(&crc.to_le_bytes());
        let (parts, end, torn) = found(&image, None);
        assert_eq!((parts.len(), end, torn), (5, 12_288, count == 4));
        let (parts, ..) = found(&image, Some(16_384));
        assert!(matches!(parts[5], Found::Damaged(..)), "{parts:?}");
    }
}

#[test]
fn what_cannot_be_read_is_damage_where_it_is_and_nowhere_else() {
    let image = three();
    let disk = SimDisk::new(1);
    let file = image.write(&disk, "1");
    // The first reads are of everything at once, of the header alone, and of the batch alone.
    for read in 0..3 {
        disk.fail_read(disk.reads() + read);
    }
    let mut parts = Vec::new();
    let mut give = |part: Part<'_>| parts.push(matches!(part, Part::Chunk { .. }));
    scan(file, &image.header, Some(16_384), &mut |_| (), &mut give).unwrap();
    assert_eq!(parts, [false, true, true, true, true]);
}

#[test]
fn progress_is_told() {
    let image = three();
    let file = image.write(&SimDisk::new(1), "1");
    let mut told = Vec::new();
    scan(file, &image.header, None, &mut |at| told.push(at), &mut |_| ()).unwrap();
    assert_eq!(told, [4096, 8192, 12_288]);
}

/// A long file of which little was used, and the last batch of an orderly stop.
fn closed_of(len: usize) -> Image {
    let mut image = three();
    image.made_so_long(len);
    image.bytes.truncate(16_384);
    image.sync();
    image.batch(&[&closed()]);
    image
}

fn closed() -> Vec<u8> {
    let mut group = crate::store::op::Group::default();
    group.closed();
    group.bytes().to_vec()
}

fn reads_of(image: &Image) -> u64 {
    let disk = SimDisk::new(1);
    let file = image.write(&disk, "1");
    let before = disk.reads();
    scan(file, &image.header, None, &mut |_| (), &mut |_| ()).unwrap();
    disk.reads() - before
}

#[test]
fn behind_an_orderly_stop_nothing_is_read_and_behind_any_other_all_is_read_once() {
    let mut image = closed_of(16 << 20);
    image.pad(16 << 20);
    assert_eq!(reads_of(&image), 1);
    let mut killed = image.clone();
    killed.bytes[16_384..20_480].fill(0);
    assert!((16..=18).contains(&reads_of(&killed)), "{}", reads_of(&killed));
    let (parts, end, torn) = found(&image, None);
    assert_eq!((parts.len(), end, torn), (7, 20_480, false));
}

#[test]
fn what_lies_behind_an_orderly_stop_in_spite_of_it_is_found_as_ever() {
    let mut image = closed_of(16 << 20);
    image.sync();
    image.batch(&[b"f"]);
    let behind = image.bytes.len();
    image.sync();
    image.batch(&[b"g"]);
    image.pad(16 << 20);
    let (parts, end, torn) = found(&image, None);
    assert_eq!((&parts[7..], end, torn), (&[good("f"), good("g")][..], 28_672, false));
    let (parts, ..) = found(&flipped(image, behind - 1), None);
    assert_eq!(parts[7..], [Found::Damaged(behind as u64 - 1, behind as u64, DamagedPart::Chunk), good("g")]);
}

#[test]
fn a_file_of_an_orderly_stop_that_became_short_has_lost_its_end() {
    let image = closed_of(16 << 20);
    for len in [20_480_u64, 20_500, 1 << 20] {
        let mut cut = image.clone();
        cut.pad(usize::try_from(len).unwrap());
        let (parts, end, torn) = found(&cut, None);
        assert!(
            matches!(parts[7..], [Found::Damaged(_, 16_777_216, DamagedPart::Missing)]),
            "{len} {parts:?}"
        );
        assert_eq!((end, torn), (20_480, false));
    }
}
