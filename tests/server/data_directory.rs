//! The data directory: made, held by one broker at a time, never deleted.

use std::fs;

use crate::support::{Broker, TempDir};
use crate::{leveret, stderr};

#[test]
fn a_second_broker_on_the_same_directory_ends_with_73_and_the_first_goes_on() {
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
