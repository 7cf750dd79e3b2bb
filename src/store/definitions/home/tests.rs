use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::store::temporary::Temporary;

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

fn entries(home: &Home) -> Entries {
    let mut entries = Entries::new();
    home.for_each(&mut |key, value| {
        entries.insert(key.to_vec(), value.to_vec());
    })
    .unwrap();
    entries
}

fn change(number: u32, value: Option<&[u8]>) -> Change {
    let key = [&[3], &number.to_be_bytes()[..]].concat();
    Change { key, value: value.map(<[u8]>::to_vec) }
}

fn save(home: &mut Home, changes: &[Change]) {
    home.save(changes.iter()).unwrap();
}

/// Copies a folder as it is, byte for byte: what a machine would find that lost its power now, if everything was synced
/// that had to be.
fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn quarantined(data_dir: &Path) -> Vec<String> {
    let Ok(folder) = fs::read_dir(data_dir.join(QUARANTINE)) else { return Vec::new() };
    let mut names: Vec<_> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A home that has seen changes of every kind, and what is in it.
fn filled(data_dir: &Path) -> Entries {
    let mut home = Home::open(data_dir).unwrap();
    save(&mut home, &(0..300).map(|number| change(number, Some(b"first"))).collect::<Vec<_>>());
    save(&mut home, &(0..100).map(|number| change(number, None)).collect::<Vec<_>>());
    save(&mut home, &(200..400).map(|number| change(number, Some(b"second"))).collect::<Vec<_>>());
    entries(&home)
}

#[test]
fn what_was_saved_is_there_again_and_nothing_else() {
    let data = Temporary::new();
    let expected = filled(data.path());
    assert_eq!(expected.len(), 300);
    assert_eq!(entries(&Home::open(data.path()).unwrap()), expected);
    assert_eq!(quarantined(data.path()), [] as [&str; 0]);
}

#[test]
fn of_several_changes_of_one_thing_the_last_counts() {
    let data = Temporary::new();
    let mut home = Home::open(data.path()).unwrap();
    save(&mut home, &[change(1, Some(b"a")), change(1, None), change(2, None), change(2, Some(b"b"))]);
    assert_eq!(entries(&home).into_values().collect::<Vec<_>>(), [b"b".to_vec()]);
    let before = home.tree.stamp();
    save(&mut home, &[change(1, Some(b"a")), change(1, None), change(2, Some(b"b"))]);
    assert_eq!(home.tree.stamp(), before, "the same again is no change");
}

#[test]
fn at_each_sync_the_bytes_on_the_disk_are_enough_to_start_from() {
    let data = Temporary::new();
    let mut home = Home::open(data.path()).unwrap();
    let large = vec![7; 300_000];
    for round in 0..12_u32 {
        let mut changes: Vec<_> =
            (0..200).map(|number| change(round * 150 + number, Some(&number.to_le_bytes()))).collect();
        // So large that sled gives it a file of its own.
        changes.push(change(1_000_000 + round, Some(&large)));
        save(&mut home, &changes);
        let found = Temporary::new();
        copy_all(data.path(), found.path());
        assert!(entries(&Home::open(found.path()).unwrap()) == entries(&home), "round {round}");
        assert_eq!(quarantined(found.path()), [] as [&str; 0]);
        // The tree alone, too.
        fs::remove_file(found.path().join(copy::NAME)).unwrap();
        assert!(entries(&Home::open(found.path()).unwrap()) == entries(&home), "round {round}");
    }
}

#[test]
fn a_tree_that_comes_back_empty_or_older_is_made_anew_from_the_copy() {
    let (data, older) = (Temporary::new(), Temporary::new());
    let mut home = Home::open(data.path()).unwrap();
    save(&mut home, &[change(1, Some(b"a"))]);
    copy_all(&data.path().join(TREE), older.path());
    save(&mut home, &[change(2, Some(b"b"))]);
    let expected = entries(&home);
    drop(home);
    for put_back in [false, true] {
        fs::remove_dir_all(data.path().join(TREE)).unwrap();
        if put_back {
            copy_all(older.path(), &data.path().join(TREE));
        }
        assert_eq!(entries(&Home::open(data.path()).unwrap()), expected, "older: {put_back}");
        assert_eq!(!quarantined(data.path()).is_empty(), put_back);
    }
}

#[test]
fn a_file_that_sled_would_read_whole_is_not_read_when_it_is_too_long() {
    for (name, bytes) in [("conf", 8 << 30), ("snap.0000000000000001", 8 << 30)] {
        let folder = Temporary::new();
        let expected = filled(folder.path());
        let path = folder.path().join(TREE).join(name);
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(path).unwrap();
        file.set_len(bytes).unwrap();
        let Err(TreeError::Damaged(what)) = Tree::open(&folder.path().join(TREE)) else { panic!("{name}") };
        assert_eq!(what, format!("its file {name} has {bytes} bytes, and never that many"));
        assert_eq!(entries(&Home::open(folder.path()).unwrap()), expected, "{name}");
        assert_eq!(quarantined(folder.path()), ["definitions-1"], "{name}");
    }
}

#[test]
fn a_folder_in_the_place_of_the_copy_is_moved_away() {
    let folder = Temporary::new();
    let expected = filled(folder.path());
    let path = folder.path().join(copy::NAME);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let mut home = Home::open(folder.path()).unwrap();
    save(&mut home, &[]);
    assert_eq!(entries(&home), expected);
    assert_eq!(quarantined(folder.path()), ["definitions.json-1"]);
    assert!(path.is_file());
}

#[test]
fn a_bad_copy_is_moved_away_and_written_again() {
    let data = Temporary::new();
    let expected = filled(data.path());
    let path = data.path().join(copy::NAME);
    let mut bytes = fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let mut home = Home::open(data.path()).unwrap();
    assert_eq!(entries(&home), expected);
    assert_eq!(quarantined(data.path()), ["definitions.json-1"]);
    assert_eq!(fs::read(data.path().join("quarantine/definitions.json-1")).unwrap(), bytes);
    assert!(!path.exists());
    save(&mut home, &[]);
    assert_eq!(copy::read(data.path()).unwrap().unwrap().entries.len(), expected.len());
}

#[test]
fn with_neither_of_them_a_broker_starts_with_nothing_and_loses_no_evidence() {
    let data = Temporary::new();
    filled(data.path());
    fs::write(data.path().join(copy::NAME), "{}").unwrap();
    for byte in [0, 0x55] {
        fs::write(data.path().join("definitions/db"), vec![byte; 600_000]).unwrap();
        assert_eq!(entries(&Home::open(data.path()).unwrap()), Entries::new());
        filled(data.path());
        fs::write(data.path().join(copy::NAME), "{}").unwrap();
    }
    assert_eq!(
        quarantined(data.path()),
        ["definitions-1", "definitions-2", "definitions.json-1", "definitions.json-2"]
    );
}

/// Bytes of which some, by sectors of 512, are as they were before, and which end anywhere between the two lengths: a
/// file that was written and not synced when the power failed.
fn torn(before: &[u8], after: &[u8], is_lost: &[bool], cut: prop::sample::Index) -> Vec<u8> {
    let (shorter, longer) = (before.len().min(after.len()), before.len().max(after.len()));
    let mut bytes = after.to_vec();
    for (at, sector) in bytes.chunks_mut(512).enumerate() {
        if is_lost[at % is_lost.len()] {
            let old = before.get(at * 512..).unwrap_or_default();
            for (to, byte) in sector.iter_mut().zip(old.iter().copied().chain(std::iter::repeat(0))) {
                *to = byte;
            }
        }
    }
    bytes.truncate(shorter + cut.index(longer - shorter + 1));
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_power_cut_takes_nothing_of_what_was_synced(
        rounds in 1..4_u32,
        is_lost in prop::collection::vec(any::<bool>(), 1..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let data = Temporary::new();
        let mut home = Home::open(data.path()).unwrap();
        for round in 0..rounds {
            let value = vec![u8::try_from(round).unwrap(); 300];
            save(&mut home, &(0..400).map(|number| change(number * (round + 1), Some(&value))).collect::<Vec<_>>());
        }
        let (synced, path) = (entries(&home), data.path().join("definitions/db"));
        let found = Temporary::new();
        copy_all(data.path(), found.path());
        let before = fs::read(&path).unwrap();
        // More, so far that sled has it in its file, and not synced by us.
        let more: Vec<_> = (0..400).map(|number| change(number * 7, Some(&[9; 200]))).collect();
        home.tree.apply(more.iter()).unwrap();
        home.tree.write().unwrap();
        let applied = entries(&home);
        fs::write(found.path().join("definitions/db"), torn(&before, &fs::read(&path).unwrap(), &is_lost, cut)).unwrap();
        let found = entries(&Home::open(found.path()).unwrap());
        prop_assert!(found == synced || found == applied, "neither what was synced nor what followed");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_with_flipped_bits_cut_or_overwritten_gives_everything_or_is_made_anew(
        at in any::<prop::sample::Index>(),
        harm in 0..3_u8,
        bit in 0..8_u32,
    ) {
        let data = Temporary::new();
        let expected = filled(data.path());
        let path = data.path().join("definitions/db");
        let mut bytes = fs::read(&path).unwrap();
        // Most of the file is empty: harm what is written.
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        let at = at.index(end);
        match harm {
            0 => bytes[at] ^= 1 << bit,
            1 => bytes.truncate(at),
            _ => bytes[at..].fill(0),
        }
        fs::write(&path, &bytes).unwrap();
        prop_assert_eq!(entries(&Home::open(data.path()).unwrap()), expected);
    }
}
