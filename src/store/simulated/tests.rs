use super::*;

fn path(text: &str) -> &Path {
    Path::new(text)
}

/// A disk with one synced file of 4 KiB of ones in a synced folder.
fn disk() -> (Arc<SimDisk>, Arc<dyn DiskFile>) {
    let disk = SimDisk::new(1);
    disk.create_dir(path("a/b")).unwrap();
    disk.sync_dir(path("")).unwrap();
    disk.sync_dir(path("a")).unwrap();
    let file = disk.create(path("a/b/file")).unwrap();
    disk.sync_dir(path("a/b")).unwrap();
    file.write_at(&[&[1; 4000], &[1; 96]], 0).unwrap();
    file.sync().unwrap();
    (disk, file)
}

#[test]
fn what_is_synced_outlives_every_crash() {
    let (disk, file) = disk();
    file.write_at(&[&[2; 100]], 4096).unwrap();
    for seed in 0..200 {
        let after = disk.after_crash(seed);
        assert_eq!(after.contents("a/b/file")[..4096], [1; 4096]);
    }
}

#[test]
fn what_is_not_synced_is_found_whole_in_part_or_not_at_all() {
    let (disk, file) = disk();
    file.write_at(&[&[2; 2048]], 1024).unwrap();
    let (mut whole, mut none, mut torn) = (0, 0, 0);
    for seed in 0..200 {
        let left = disk.after_crash(seed).contents("a/b/file");
        for sector in left.chunks(512) {
            assert!(sector == [1; 512] || sector == [2; 512], "sectors are written whole");
        }
        match left.chunks(512).filter(|sector| sector[0] == 2).count() {
            4 => whole += 1,
            0 => none += 1,
            _ => torn += 1,
        }
    }
    assert!(whole > 20 && none > 20 && torn > 20, "{whole} {none} {torn}");
}

#[test]
fn a_sector_is_found_as_it_was_at_some_moment() {
    let (disk, file) = disk();
    file.write_at(&[&[2; 512]], 0).unwrap();
    file.write_at(&[&[3; 100]], 0).unwrap();
    for seed in 0..200 {
        let left = disk.after_crash(seed).contents("a/b/file");
        // A later write may be there without an earlier one only when whole writes are chosen.
        assert!(
            [(1, 1), (2, 2), (3, 2), (3, 1)].contains(&(left[0], left[511])),
            "{} {}",
            left[0],
            left[511]
        );
    }
}

#[test]
fn names_need_their_folder_synced() {
    let (disk, _) = disk();
    disk.create(path("a/b/new")).unwrap();
    disk.rename(path("a/b/file"), path("a/b/renamed")).unwrap();
    let found = |name: &str| {
        (0..100)
            .filter(|seed| disk.after_crash(*seed).list(path("a/b")).unwrap().contains(&name.into()))
            .count()
    };
    assert!((1..100).contains(&found("new")));
    assert_eq!(found("file") + found("renamed"), 100, "a rename is whole or not at all");
    disk.sync_dir(path("a/b")).unwrap();
    assert_eq!((found("new"), found("renamed"), found("file")), (100, 100, 0));
    disk.remove(path("a/b/new")).unwrap();
    assert!((1..100).contains(&found("new")));
    disk.sync_dir(path("a/b")).unwrap();
    assert_eq!(found("new"), 0);
}

#[test]
fn a_folder_that_is_lost_takes_its_files_with_it() {
    let disk = SimDisk::new(1);
    disk.create_dir(path("folder")).unwrap();
    disk.create(path("folder/file")).unwrap().sync().unwrap();
    disk.sync_dir(path("folder")).unwrap();
    let found = (0..100).filter(|seed| !disk.after_crash(*seed).files().is_empty()).count();
    assert!((1..100).contains(&found));
    disk.sync_dir(path("")).unwrap();
    assert!((0..100).all(|seed| disk.after_crash(seed).files().len() == 1));
}

#[test]
fn nothing_happens_after_a_crash() {
    let (disk, file) = disk();
    let before = disk.operations();
    disk.crash_at(before + 1);
    file.write_at(&[b"written"], 4096).unwrap();
    assert!(!disk.is_crashed());
    let error = file.write_at(&[b"perhaps"], 8192).unwrap_err();
    assert!(is_crash(&error));
    assert!(is_crash(&file.sync().unwrap_err()));
    assert!(is_crash(&disk.create(path("never")).err().unwrap()));
    assert!(is_crash(&file.read_at(&mut [0], 0).unwrap_err()));
    assert!(disk.is_crashed());
    assert_eq!(disk.operations(), before + 2);
    let longest = (0..100).map(|seed| disk.after_crash(seed).contents("a/b/file").len()).max();
    assert_eq!(longest, Some(8199));
    assert!((0..100).all(|seed| disk.after_crash(seed).files().len() == 1));
}

#[test]
fn the_operation_that_is_to_fail_fails_and_no_other() {
    let (disk, file) = disk();
    for (failure, code, written) in
        [(Failure::NoSpace, 28, false), (Failure::Device, 5, false), (Failure::Short, 5, true)]
    {
        disk.fail_at(disk.operations(), failure);
        let before = file.len().unwrap();
        let error = file.write_at(&[&[9; 4096]], before).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(code));
        assert_eq!(file.len().unwrap() > before, written);
        assert!(file.len().unwrap() < before + 4096);
        file.sync().unwrap();
    }
    disk.fail_read(disk.reads());
    assert_eq!(file.read_at(&mut [0], 0).unwrap_err().raw_os_error(), Some(5));
    file.read_at(&mut [0], 0).unwrap();
}

#[test]
fn what_a_failed_sync_left_out_no_later_one_brings_to_the_disk() {
    let (disk, file) = disk();
    file.write_at(&[&[2; 4096]], 0).unwrap();
    disk.fail_at(disk.operations(), Failure::Device);
    assert!(file.sync().is_err());
    file.sync().unwrap();
    assert_eq!(disk.contents("a/b/file"), [2; 4096], "it is still read");
    let left = disk.after_crash(1).contents("a/b/file");
    assert!(left.contains(&1));
    assert!((0..50).all(|seed| disk.after_crash(seed).contents("a/b/file") == left));
}

#[test]
fn what_is_in_a_folder_does_not_go_with_an_earlier_one_of_its_name() {
    let (disk, _) = disk();
    disk.remove_dir_all(path("a/b")).unwrap();
    disk.create_dir(path("a/b")).unwrap();
    disk.create(path("a/b/new")).unwrap();
    disk.sync_dir(path("a/b")).unwrap();
    disk.sync_dir(path("a")).unwrap();
    for seed in 0..50 {
        assert_eq!(disk.after_crash(seed).list(path("a/b")).unwrap(), ["new"]);
    }
}

#[test]
fn a_full_disk_takes_nothing_new_and_lets_what_is_there_be_overwritten() {
    let (disk, file) = disk();
    disk.set_full(true);
    file.write_at(&[&[2; 4096]], 0).unwrap();
    assert_eq!(file.write_at(&[&[2; 2]], 4095).unwrap_err().raw_os_error(), Some(28));
    assert_eq!(file.allocate(5000).unwrap_err().raw_os_error(), Some(28));
    assert_eq!(disk.create(path("a/new")).err().unwrap().raw_os_error(), Some(28));
    disk.set_full(false);
    file.allocate(5000).unwrap();
    assert_eq!(file.len().unwrap(), 5000);
}

#[test]
fn when_only_the_process_dies_all_is_there_and_not_yet_synced() {
    let (disk, file) = disk();
    file.write_at(&[&[2; 4096]], 0).unwrap();
    let killed = disk.after_kill();
    assert_eq!(killed.contents("a/b/file"), [2; 4096]);
    assert!((0..100).any(|seed| killed.after_crash(seed).contents("a/b/file") != [2; 4096]));
    killed.open(path("a/b/file")).unwrap().sync().unwrap();
    assert!((0..100).all(|seed| killed.after_crash(seed).contents("a/b/file") == [2; 4096]));
}

#[test]
fn a_file_can_be_damaged_and_cut() {
    let (disk, file) = disk();
    disk.damage("a/b/file", 77, 3);
    let mut byte = [0];
    file.read_at(&mut byte, 77).unwrap();
    assert_eq!(byte, [9]);
    disk.truncate("a/b/file", 77);
    let error = file.read_at(&mut byte, 77).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(disk.files(), [(PathBuf::from("a/b/file"), 77)]);
}
