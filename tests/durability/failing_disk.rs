//! A disk that fails under a broker: what was not synced is not confirmed, the broker says why and ends, and the next one
//! has all that was confirmed.
//!
//! Needs a C compiler, as the broker itself does: the fault is a library of a few lines that is loaded into its process.

use std::fs;
use std::path::PathBuf;

use crate::lives::Script;
use crate::preloaded::compiled;
use crate::support::frame::Frame;
use crate::support::{Broker, Payload, Properties, Raw, Table, TempDir, method};

const CONFIRMED: u64 = 50;
const PUBLISHED: u64 = 200;

/// A data directory on a disk that fails on request.
struct FailingDisk {
    library: PathBuf,
    folder: TempDir,
}

impl FailingDisk {
    fn new() -> Self {
        let folder = TempDir::new();
        let library = compiled("failing_disk.c", folder.path());
        Self { library, folder }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn trigger(&self) -> PathBuf {
        self.folder.path().join("trigger")
    }

    /// A broker below whose folder `below` the disk can fail.
    fn start(&self, below: &str) -> Broker {
        let below = fs::canonicalize(self.folder.path()).unwrap().join("data").join(below);
        let variables = [
            format!("LD_PRELOAD={}", self.library.display()),
            format!("FAILING_DISK_TRIGGER={}", self.trigger().display()),
            format!("FAILING_DISK_BELOW={}", below.display()),
        ];
        let by: Vec<&str> = std::iter::once("env").chain(variables.iter().map(String::as_str)).collect();
        let starting = Broker::spawn_by::<&str>(&by, &self.data(), &[]);
        starting.ready().unwrap_or_else(|ended| panic!("{ended:#?}"))
    }

    /// From now on the disk fails.
    fn fail(&self, fault: &str) {
        let prepared = self.folder.path().join("prepared");
        fs::write(&prepared, fault).unwrap();
        fs::rename(prepared, self.trigger()).unwrap();
    }

    fn mend(&self) {
        fs::remove_file(self.trigger()).unwrap();
    }
}

fn body(number: u64) -> String {
    format!("message {number}")
}

fn publish(raw: &mut Raw, number: u64) {
    raw.publish(1, "", "q", &Properties::new().delivery_mode(2), body(number).as_bytes());
}

/// Up to which message this confirms, if it does.
fn confirmed(frame: &Frame) -> Option<u64> {
    (frame.method() == Some(method::BASIC_ACK)).then(|| frame.arguments().longlong())
}

/// Up to which message is confirmed until the connection is closed, with how it is.
fn until_close(raw: &mut Raw) -> (u64, u16, String) {
    let mut last = 0;
    loop {
        let frame = raw.recv();
        match (confirmed(&frame), frame.close()) {
            (Some(tag), _) => last = tag,
            (None, Some((code, text, ..))) => {
                raw.send(0, Payload::method(method::CONNECTION_CLOSE_OK));
                return (last, code, text);
            }
            (None, None) => panic!("unexpected: {frame:?}"),
        }
    }
}

#[test]
fn when_the_disk_fails_nothing_more_is_confirmed_the_broker_says_so_and_ends_and_a_restart_has_all() {
    for (fault, operation) in
        [("sync", "cannot sync journal file 1: "), ("write", "cannot write to journal file 1: ")]
    {
        let disk = FailingDisk::new();
        let broker = disk.start("journal");
        let mut publisher = Raw::connect(&broker);
        publisher.open_channel(1);
        publisher.durable_queue("q");
        publisher.call(method::confirm_select());
        for number in 1..=CONFIRMED {
            publish(&mut publisher, number);
            assert_eq!(confirmed(&publisher.recv()), Some(number));
        }
        let mut declarer = Raw::connect(&broker);
        declarer.open_channel(1);
        let mut idle = Raw::connect(&broker);

        disk.fail(fault);
        if fault == "write" {
            // The last good sync.
            declarer.durable_queue("last");
        }
        for number in CONFIRMED + 1..=PUBLISHED {
            publish(&mut publisher, number);
        }
        declarer.send(1, method::queue_declare("not confirmed", method::DURABLE, &Table::new()));
        for (name, raw) in [("publisher", &mut publisher), ("declarer", &mut declarer), ("idle", &mut idle)] {
            let (last, code, text) = until_close(raw);
            assert_eq!((last, code), (0, 541), "{fault}, {name}: what is confirmed, and the close: {text}");
            assert!(text.contains("the disk failed"), "{text}");
        }
        drop((publisher, declarer, idle));
        let ended = broker.ended();
        assert_eq!(ended.status.code(), Some(70), "{fault}: {:#?}", ended.log);
        let said: Vec<_> = ended.log.iter().filter(|line| line.contains("[error]")).collect();
        assert!(said.iter().any(|line| line.contains(operation)), "{fault}: {said:#?}");
        assert!(said.iter().any(|line| line.contains("start again when the disk is in order")), "{said:#?}");

        disk.mend();
        let broker = disk.start("journal");
        let mut raw = Raw::connect(&broker);
        raw.open_channel(1);
        assert!(fault == "sync" || raw.has_queue("last"));
        let found = raw.take("q");
        assert!(found.len() as u64 >= CONFIRMED && found.len() as u64 <= PUBLISHED, "{fault}: {found:?}");
        for ((found, redelivered), number) in found.iter().zip(1..) {
            assert_eq!((found, redelivered), (&body(number), &true), "{fault}");
        }
        let log = broker.kill();
        assert!(!log.iter().any(|line| line.contains("[error]")), "{fault}: {log:#?}");
    }
}

#[test]
fn what_waits_for_its_confirm_when_the_disk_fails_is_not_confirmed() {
    let disk = FailingDisk::new();
    let broker = disk.start("journal");
    let mut raw = Raw::connect(&broker);
    raw.open_channel(1);
    raw.durable_queue("q");
    raw.call(method::confirm_select());
    disk.fail("sync");
    for number in 1..=PUBLISHED {
        publish(&mut raw, number);
    }
    let (last, code, text) = until_close(&mut raw);
    assert_eq!((last, code), (0, 541), "{text}");
    drop(raw);
    assert_eq!(broker.ended().status.code(), Some(70));
}

#[test]
fn when_only_the_definitions_cannot_be_saved_the_journal_keeps_them_until_they_are() {
    let disk = FailingDisk::new();
    let mut broker = disk.start("definitions");
    let mut raw = Raw::connect(&broker);
    raw.open_channel(1);
    raw.durable_queue("before");
    disk.fail("sync");
    raw.durable_queue("meanwhile");
    broker.wait_for_line("definitions cannot be saved: ");
    raw.call(method::confirm_select());
    raw.publish_confirmed("meanwhile", "kept");
    broker.kill();

    disk.mend();
    let broker = disk.start("definitions");
    let mut raw = Raw::connect(&broker);
    raw.open_channel(1);
    assert!(raw.has_queue("before"));
    assert_eq!(raw.take_bodies("meanwhile"), ["kept"]);
    drop(raw);
    let ended = broker.stop();
    assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.log);
}
