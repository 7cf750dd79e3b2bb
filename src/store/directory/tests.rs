use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::store::temporary::Temporary;

/// All that is in a directory, by name.
fn contents(path: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let mut contents: Vec<_> = entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap_or_default())
        })
        .collect();
    contents.sort();
    contents
}

#[test]
fn a_directory_is_made_and_held_by_one_broker_at_a_time() {
    let temporary = Temporary::new();
    let path = temporary.path().join("deep/inside");
    let held = DataDirectory::open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
    let refusal = DataDirectory::open(&path).unwrap_err();
    assert!(refusal.to_string().contains("is in use by another broker"), "{refusal}");
    assert!(!refusal.is_misconfigured());
    drop(held);
    DataDirectory::open(&path).unwrap();
    assert_eq!(contents(&path), [("format".into(), b"leveret 1\n".to_vec()), ("lock".into(), vec![])]);
}

#[test]
fn what_is_in_the_directory_stays() {
    let temporary = Temporary::new();
    let path = temporary.path();
    drop(DataDirectory::open(path).unwrap());
    for name in ["lock", "other"] {
        fs::write(path.join(name), "mine").unwrap();
    }
    drop(DataDirectory::open(path).unwrap());
    for name in ["lock", "other"] {
        assert_eq!(fs::read(path.join(name)).unwrap(), b"mine");
    }
}

#[test]
fn what_a_first_start_has_left_that_came_to_nothing_is_not_foreign() {
    for name in ["lock", "format.new", "lost+found"] {
        let temporary = Temporary::new();
        fs::write(temporary.path().join(name), "leve").unwrap();
        DataDirectory::open(temporary.path()).unwrap();
    }
}

#[test]
fn nothing_is_written_through_a_link_in_the_directory() {
    for (name, opens) in [("lock", false), ("format.new", true)] {
        let temporary = Temporary::new();
        let (path, elsewhere) = (temporary.path().join("data"), temporary.path().join("elsewhere"));
        drop(DataDirectory::open(&path).unwrap());
        let _ = fs::remove_file(path.join(name));
        for target in [None, Some("not ours")] {
            if let Some(text) = target {
                fs::write(&elsewhere, text).unwrap();
            }
            let _ = symlink(&elsewhere, path.join(name));
            let opened = DataDirectory::open(&path);
            assert_eq!(opened.is_ok(), opens, "{name}: {opened:?}");
            if let Err(refusal) = opened {
                assert!(
                    refusal.to_string().contains("is a symbolic link, which no broker makes"),
                    "{refusal}"
                );
                assert!(refusal.is_misconfigured());
            }
            assert_eq!(fs::read_to_string(&elsewhere).ok().as_deref(), target, "{name}");
        }
    }
}

#[test]
fn a_directory_that_is_open_to_others_is_told_from_one_that_is_not() {
    let temporary = Temporary::new();
    for (mode, open) in [(0o700, None), (0o750, None), (0o755, Some(0o755)), (0o701, Some(0o701))] {
        fs::set_permissions(temporary.path(), Permissions::from_mode(mode)).unwrap();
        assert_eq!(DataDirectory::open(temporary.path()).unwrap().open_to_others(), open, "{mode:o}");
    }
}

#[test]
fn a_directory_of_something_else_is_refused_and_not_touched() {
    for name in ["photo.jpg", "journal", "formats", ".hidden"] {
        let temporary = Temporary::new();
        fs::write(temporary.path().join(name), "mine").unwrap();
        let refusal = DataDirectory::open(temporary.path()).unwrap_err();
        assert!(refusal.is_misconfigured());
        assert!(refusal.to_string().contains(&format!("(such as '{name}')")), "{refusal}");
        assert_eq!(contents(temporary.path()), [(name.to_owned(), b"mine".to_vec())]);
    }
}

#[test]
fn a_format_that_is_not_ours_to_read_is_refused_and_not_touched() {
    for (format, text) in [
        (&b"leveret 2\n"[..], "was written by a later version of leveret (format 2, this one knows up to 1)"),
        (b"leveret 4294967295\n", "later version"),
        (b"leveret 0\n", "is not one that leveret writes"),
        (b"leveret 1", "is not one that leveret writes"),
        (b"leveret one\n", "is not one that leveret writes"),
        (b"postgres 1\n", "is not one that leveret writes"),
        (b"", "is not one that leveret writes"),
        (b"\xff\xff", "is not one that leveret writes"),
    ] {
        let temporary = Temporary::new();
        fs::write(temporary.path().join("format"), format).unwrap();
        let refusal = DataDirectory::open(temporary.path()).unwrap_err();
        assert!(refusal.is_misconfigured());
        assert!(refusal.to_string().contains(text), "{refusal}");
        assert_eq!(contents(temporary.path()), [("format".to_owned(), format.to_vec())]);
    }
}

#[test]
fn a_folder_in_the_place_of_the_format_is_not_one_that_we_write() {
    let temporary = Temporary::new();
    fs::create_dir(temporary.path().join("format")).unwrap();
    let refusal = DataDirectory::open(temporary.path()).unwrap_err();
    assert!(refusal.is_misconfigured());
    assert!(refusal.to_string().contains("is not one that leveret writes"), "{refusal}");
}

#[test]
fn a_path_that_is_no_directory_is_refused_as_a_wrong_setting() {
    let temporary = Temporary::new();
    let path = temporary.path().join("file");
    fs::write(&path, "a file").unwrap();
    for path in [path.clone(), path.join("below")] {
        let refusal = DataDirectory::open(&path).unwrap_err();
        assert!(refusal.is_misconfigured(), "{refusal}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"a file");
}

#[test]
fn a_link_is_followed_unless_it_leads_nowhere() {
    let temporary = Temporary::new();
    let (target, link) = (temporary.path().join("target"), temporary.path().join("link"));
    symlink(&target, &link).unwrap();
    let refusal = DataDirectory::open(&link).unwrap_err();
    assert!(refusal.is_misconfigured());
    assert!(refusal.to_string().contains("target, which does not exist"), "{refusal}");
    assert!(!target.exists());
    fs::create_dir(&target).unwrap();
    assert_eq!(DataDirectory::open(&link).unwrap().path(), fs::canonicalize(&target).unwrap());
}

#[test]
fn a_directory_that_cannot_be_made_is_refused() {
    let refusal = DataDirectory::open(Path::new("/proc/leveret")).unwrap_err();
    assert!(refusal.to_string().contains("cannot be written"), "{refusal}");
}

#[test]
fn a_full_disk_is_found_before_anything_depends_on_it() {
    let reason = put_format(&mut OpenOptions::new().write(true).open("/dev/full").unwrap()).unwrap_err();
    let refusal = DirectoryError { path: "/data".into(), reason: reason.into() };
    assert!(!refusal.is_misconfigured());
    assert!(refusal.to_string().contains("no space is left on its disk"), "{refusal}");
}

#[test]
fn what_the_operating_system_refuses_is_told_with_the_remedy() {
    for (kind, text) in [
        (
            ErrorKind::ReadOnlyFilesystem,
            "is on a file system that is mounted read-only and cannot be written",
        ),
        (ErrorKind::PermissionDenied, "cannot be written: its permissions forbid it"),
        (ErrorKind::StorageFull, "cannot be written: no space is left"),
        (ErrorKind::QuotaExceeded, "cannot be written: no space is left"),
    ] {
        let refusal = DirectoryError::not_writable(Path::new("/data"), kind.into());
        assert!(!refusal.is_misconfigured());
        assert!(refusal.to_string().starts_with(&format!("data directory /data {text}")), "{refusal}");
    }
}
