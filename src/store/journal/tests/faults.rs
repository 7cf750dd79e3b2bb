//! What the journal promises when the disk does not do what it is told.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use super::super::FOLDER;
use super::super::batch::BLOCK_BYTES;
use super::reader::{Record, read, records};
use super::*;
use crate::store::simulated::Failure;

const NONE: Confirmed = Vec::new();

/// Of what was confirmed: its number, and the file that it is in.
type Confirmed = Vec<(u64, JournalFile)>;

fn append_confirmed(journal: &Journal, number: u64, len: usize) -> Option<(u64, JournalFile)> {
    let ticket = journal.enter();
    let file = ticket.file();
    let batch = journal.append(ticket, &mut define(number, len));
    journal.wait(batch).then_some((number, file))
}

/// A workload with every operation of the journal in it: what was confirmed in files that are still needed.
fn work(journal: &Journal) -> Confirmed {
    let mut confirmed = Vec::new();
    let mut released = JournalFile(0);
    for number in 0..25 {
        journal.append_now(&mut settled(number));
        let len = if number == 12 { 80_000 } else { 3_000 };
        let now = append_confirmed(journal, number, len);
        assert!(now.is_none() || confirmed.len() as u64 == number, "confirmed again after a failure");
        confirmed.extend(now);
        if number % 10 == 9 {
            released = JournalFile(journal.current_file().0.saturating_sub(2));
            journal.release_through(released);
        }
    }
    assert!(confirmed.len() == 25 || journal.failure().is_some(), "neither confirmed nor failed");
    confirmed.retain(|(_, file)| *file > released);
    confirmed
}

/// What of these is not to be found.
fn missing(disk: &SimDisk, confirmed: &Confirmed) -> Confirmed {
    let found = records(&read(disk));
    let is_missing = |(number, file): &&(u64, JournalFile)| {
        !found.iter().any(|(found, _, record)| found == file && *record == Record::Define(*number))
    };
    confirmed.iter().filter(is_missing).copied().collect()
}

#[test]
fn whatever_operation_fails_nothing_is_confirmed_that_is_lost_and_nothing_after_a_failure() {
    let disk = SimDisk::new(1);
    let journal = open(&disk);
    assert!(work(&journal).len() > 5);
    journal.close();
    let operations = disk.operations();
    assert!(operations > 50);
    let mut failures = 0;
    for operation in 0..operations {
        for kind in [Failure::Device, Failure::Short] {
            let disk = SimDisk::new(operation);
            disk.fail_at(operation, kind);
            let (events, told) = Events::new();
            let Ok(journal) = Journal::open(disk.clone(), &Start::default(), SMALL, events) else { continue };
            let confirmed = work(&journal);
            journal.close();
            let failed = told.try_iter().filter(|event| matches!(event, Event::Failed(_))).count();
            assert_eq!(failed, usize::from(journal.failure().is_some()), "{operation}");
            failures += failed;
            for seed in 0..2 {
                assert_eq!(missing(&disk.after_crash(seed), &confirmed), NONE, "{operation} {kind:?} {seed}");
            }
            assert_eq!(journal.append_now(&mut define(99, 1)), NEVER);
            assert!(!journal.is_congested());
        }
    }
    assert!(failures > 40, "{failures}");
}

#[test]
fn a_failure_says_what_could_not_be_done_and_wakes_who_waits() {
    struct Wakes(SyncSender<()>);
    impl Synced for Wakes {
        fn synced(&self) {
            self.0.send(()).unwrap();
        }
    }
    let disk = SimDisk::new(1);
    let journal = open(&disk);
    // The write succeeds, the sync does not.
    disk.fail_at(disk.operations() + 1, Failure::Device);
    let ticket = journal.enter();
    let (sender, woken) = sync_channel(10);
    let waiter = Arc::new(Wakes(sender));
    assert!(journal.notify(Batch(1), waiter.clone()));
    assert_eq!(journal.append(ticket, &mut define(1, 1)), Batch(1));
    woken.recv().unwrap();
    assert_eq!((journal.durable(), journal.written()), (Batch(0), Batch(1)));
    let failure = journal.failure().unwrap();
    assert!(failure.to_string().starts_with("cannot sync journal file 1: "), "{failure}");
    assert!(journal.notify(Batch(1), waiter), "it is not durable");
    assert!(!journal.wait(Batch(1)));
    journal.quiesce();
    journal.close();
    assert!(woken.try_recv().is_err(), "called once");
}

#[test]
fn a_start_that_finds_no_space_leaves_no_file_that_looks_damaged() {
    const OPERATIONS: u64 = 10;
    let (mut started, mut failed) = (0, 0);
    for which in 0..1_u32 << OPERATIONS {
        let disk = SimDisk::new(1);
        for operation in (0..OPERATIONS).filter(|operation| which >> operation & 1 == 1) {
            disk.fail_at(operation, Failure::NoSpace);
        }
        match Journal::open(disk.clone(), &Start::default(), SMALL, Events::new().0) {
            Ok(journal) => {
                started += 1;
                journal.close();
            }
            Err(_) => failed += 1,
        }
        let left = disk.list(Path::new(FOLDER)).unwrap_or_default();
        for name in left.iter().filter(|name| name.parse::<u64>().is_ok()) {
            let file = disk.open(&Path::new(FOLDER).join(name)).unwrap();
            assert!(file.len().unwrap() >= 2 * BLOCK_BYTES as u64, "{which:b}: {name}");
        }
    }
    assert!(started > 1 && failed > 1, "{started} {failed}");
}

#[test]
fn without_space_for_the_next_file_publishers_are_blocked_and_nothing_fails() {
    let disk = SimDisk::new(1);
    let (events, told) = Events::new();
    let journal = Journal::open(disk.clone(), &Start::default(), SMALL, events).unwrap();
    disk.set_full(true);
    let mut number = 0;
    while !journal.is_full() {
        assert!(append_durably(&journal, number, 1_000));
        number += 1;
        assert!(number < 12 || told.recv().is_ok(), "the file must not fill before it is known");
    }
    assert!(append_durably(&journal, number, 1_000), "what is left of the file in use is good");
    disk.set_full(false);
    journal.release_through(JournalFile(0));
    while journal.is_full() {
        told.recv().unwrap();
    }
    for number in 100..140 {
        assert!(append_durably(&journal, number, 1_000));
    }
    assert!(journal.current_file() > JournalFile(1));
    journal.close();
    assert!(journal.failure().is_none());
}

#[test]
fn a_file_in_use_that_cannot_grow_waits_for_space() {
    let disk = SimDisk::new(1);
    let (events, told) = Events::new();
    let journal = Journal::open(disk.clone(), &Start::default(), SMALL, events).unwrap();
    disk.set_full(true);
    let batch = journal.append_now(&mut define(1, 300_000));
    assert_eq!(told.recv().unwrap(), Event::Full(true));
    assert!(journal.is_full() && journal.durable() < batch);
    assert!(journal.is_congested());
    let waited = journal.counters().at_work_for();
    assert!(!waited.is_zero() && journal.counters().at_work_for() > waited, "it goes on");
    disk.set_full(false);
    journal.release_through(JournalFile(0));
    assert!(journal.wait(batch));
    assert!(!journal.is_congested() && journal.failure().is_none());
    while !journal.counters().at_work_for().is_zero() {
        thread::yield_now();
    }
    while journal.is_full() {
        told.recv().unwrap();
    }
    journal.close();
}

#[test]
fn closing_does_not_wait_for_space_for_ever() {
    let disk = SimDisk::new(1);
    let (events, told) = Events::new();
    let journal = Journal::open(disk.clone(), &Start::default(), SMALL, events).unwrap();
    disk.set_full(true);
    let batch = journal.append_now(&mut define(1, 300_000));
    assert_eq!(told.recv().unwrap(), Event::Full(true));
    journal.close();
    assert!(!journal.wait(batch));
    let failure = journal.failure().unwrap();
    assert!(failure.to_string().starts_with("cannot enlarge journal file 1: "));
    assert!(failure.is_end_without_space(), "what the disk has is known");
    assert!(!records(&read(&disk)).iter().any(|(_, _, record)| *record == Record::Closed));
}

#[test]
fn whatever_moment_the_power_fails_what_was_confirmed_is_there() {
    let run = |disk: &Arc<SimDisk>| {
        let opened = Journal::open(disk.clone(), &Start::default(), SMALL, Arc::new(()));
        let Ok(journal) = opened else { return Vec::new() };
        let confirmed: Confirmed =
            (0..40).map_while(|number| append_confirmed(&journal, number, 3_000)).collect();
        journal.close();
        confirmed
    };
    let disk = SimDisk::new(1);
    assert_eq!(run(&disk).len(), 40);
    let operations = disk.operations();
    assert!(operations > 80, "{operations}");
    for operation in 0..operations {
        let disk = SimDisk::new(operation);
        disk.crash_at(operation);
        let confirmed = run(&disk);
        for seed in 0..4 {
            assert_eq!(missing(&disk.after_crash(seed), &confirmed), NONE, "{operation} {seed}");
        }
    }
}

/// Notes the names that are there when it is told that files were removed.
struct Needing(Arc<SimDisk>, Mutex<Vec<String>>);

impl JournalEvents for Needing {
    fn needs_space(&self) -> bool {
        true
    }

    fn freed(&self) {
        *self.1.lock().unwrap() = self.0.list(Path::new(FOLDER)).unwrap();
    }
}

#[test]
fn files_are_no_spares_while_their_space_is_needed_elsewhere() {
    let disk = SimDisk::new(1);
    let first = Journal::open(disk.clone(), &Start::default(), SMALL, Arc::new(())).unwrap();
    first.close();
    let live = LiveFile { number: JournalFile(1), name: "1".to_owned(), len: SMALL.file_bytes };
    let start = Start { file: JournalFile(2), live: vec![live], ..Start::default() };
    let needing = Arc::new(Needing(Arc::clone(&disk), Mutex::default()));
    let events: Arc<dyn JournalEvents> = Arc::<Needing>::clone(&needing);
    let journal = Journal::open(disk, &start, SMALL, events).unwrap();
    journal.release_through(JournalFile(1));
    assert_eq!(*needing.1.lock().unwrap(), ["2", "last"]);
    journal.close();
}
