//! The data directory: made, held by one broker at a time, never deleted.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Broker, TempDir};
use crate::{leveret, stderr};

#[test]
fn b87_a_second_broker_on_the_same_directory_ends_with_73_and_the_first_goes_on() {
    let temporary = TempDir::new();
    let broker = Broker::start_on::<&str>(temporary.path(), &[]);
    let output = leveret(&["--listen", "127.0.0.1:0", "--data-dir", broker.data_dir().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(73));
    assert!(stderr(&output).contains("is in use by another broker"), "{}", stderr(&output));
    std::net::TcpStream::connect(broker.addr()).unwrap();
}

#[test]
fn a_file_in_its_place_ends_with_78_and_stays() {
    let temporary = TempDir::new();
    let path = temporary.path().join("file");
    fs::write(&path, "mine").unwrap();
    let output = leveret(&["--listen", "127.0.0.1:0", "--data-dir", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(78));
    assert!(stderr(&output).contains("not a directory"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

/// Somebody who is not whoever runs the tests.
const SOMEBODY: u32 = 65_533;

/// Starts a broker on the directory, which must refuse with this code and text and leave all that is there as it is.
fn refused(data: &Path, code: i32, text: &str) {
    let before = contents(data);
    let output = leveret(&["--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    assert!(stderr(&output).contains(text), "{}", stderr(&output));
    assert_eq!(contents(data), before);
}

/// Names and bytes.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut contents: Vec<_> = entries
        .map(|entry| {
            let entry = entry.unwrap();
            let bytes = entry.file_type().unwrap().is_file().then(|| fs::read(entry.path()).unwrap());
            (entry.path().to_str().unwrap().to_owned(), bytes.unwrap_or_default())
        })
        .collect();
    contents.sort();
    contents
}

#[test]
fn b87_a_directory_of_something_else_ends_with_78_and_stays_as_it_is() {
    let temporary = TempDir::new();
    fs::write(temporary.path().join("accounts.db"), "mine").unwrap();
    let text = "holds files of something else (such as 'accounts.db') and no file 'format' of a broker; nothing in it was \
                touched: choose another with --data-dir";
    refused(temporary.path(), 78, text);
}

#[test]
fn b87_a_directory_of_a_later_version_ends_with_78_and_stays_as_it_is() {
    let temporary = TempDir::new();
    Broker::start_on::<&str>(temporary.path(), &[]).stop();
    let format = temporary.path().join("format");
    for (written, text) in [
        (
            "leveret 2\n",
            "was written by a later version of leveret (format 2, this one knows up to 1); start that version",
        ),
        ("rabbit\n", "its file 'format' is not one that leveret writes"),
    ] {
        fs::write(&format, written).unwrap();
        refused(temporary.path(), 78, text);
    }
}

#[test]
fn a_journal_of_a_later_version_ends_with_78_and_stays_as_it_is() {
    let temporary = TempDir::new();
    Broker::start_on::<&str>(temporary.path(), &[]).stop();
    let file = fs::OpenOptions::new().write(true).open(temporary.path().join("journal/1")).unwrap();
    // The format in both copies of the header, and what that version may have behind it.
    for at in [0, 2048] {
        file.write_all_at(&[2, 0, 0, 0, 0xa5, 0xa5], at + 8).unwrap();
    }
    let text = "journal/1 has format 2, which this version does not know; start the one that wrote it";
    refused(temporary.path(), 78, text);
}

#[test]
fn b87_a_link_that_leads_nowhere_ends_with_78() {
    let temporary = TempDir::new();
    let link = temporary.path().join("link");
    symlink(temporary.path().join("disk-that-is-not-mounted"), &link).unwrap();
    refused(&link, 78, "disk-that-is-not-mounted, which does not exist; make that, or choose another");
    assert!(!temporary.path().join("disk-that-is-not-mounted").exists());
}

#[test]
fn b87_a_directory_of_somebody_else_ends_with_73() {
    let temporary = TempDir::new();
    // Whoever may not give a directory away is not root, and root has one that is always there, with folders in it only.
    let data = if chown(temporary.path(), Some(SOMEBODY), None).is_ok() {
        temporary.path()
    } else {
        Path::new("/usr")
    };
    refused(data, 73, &format!("belongs to the user with the id {}", fs::metadata(data).unwrap().uid()));
}

#[test]
fn b87_a_directory_that_may_not_be_written_ends_with_73() {
    let temporary = TempDir::new();
    fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let data = temporary.path().join("data");
    fs::create_dir(&data).unwrap();
    // Root may write anywhere: then it is somebody else's, who runs the broker, from where they can read it.
    let program = temporary.path().join("leveret");
    // By another process: a file that this one has open for writing would be inherited by what other tests start, and a
    // program that somebody has open for writing does not start.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_leveret")).arg(&program).status().unwrap();
    assert!(copied.success(), "{copied}");
    let mut command = Command::new(program);
    if chown(&data, Some(SOMEBODY), None).is_ok() {
        command.uid(SOMEBODY);
    }
    fs::set_permissions(&data, fs::Permissions::from_mode(0o555)).unwrap();
    let output = command
        .args(["--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()])
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(73), "{}", stderr(&output));
    assert!(stderr(&output).contains("cannot be written: its permissions forbid it"), "{}", stderr(&output));
}

#[test]
fn a_broker_in_memory_does_not_touch_the_directory() {
    let temporary = TempDir::new();
    let data = temporary.path().join("data");
    let broker = Broker::start_on(&data, &["--in-memory"]);
    assert!(broker.log().iter().any(|line| line.contains("in memory only, and a restart forgets them")));
    assert!(!data.exists());
}

#[test]
fn a_directory_that_cannot_be_made_ends_with_73() {
    let output = leveret(&["--listen", "127.0.0.1:0", "--data-dir", "/proc/leveret"]);
    assert_eq!(output.status.code(), Some(73));
    assert!(stderr(&output).contains("cannot be written"), "{}", stderr(&output));
}

#[test]
fn the_directory_of_a_broker_that_was_killed_can_be_used_again() {
    let temporary = TempDir::new();
    let data = temporary.path().join("below/the/root");
    for _ in 0..2 {
        Broker::start_on::<&str>(&data, &[]).kill();
    }
    let _third = Broker::start_on::<&str>(&data, &[]);
    assert!(data.is_dir());
}
