//! What the journal writes, as recovery reads it, wherever the power fails.

use std::collections::BTreeSet;

use super::*;
use crate::store::recovery::{JournalEnd, Recovery};

/// What a run has been told of.
#[derive(Default)]
struct Told {
    /// Definitions that were confirmed.
    confirmed: Vec<u64>,
    /// The first that may be asked for: those before it were checkpointed, and their home is elsewhere.
    first: u64,
}

/// Defines one thing after the other, with settlements that nobody waits for in between, and lets files go.
fn run(disk: &Arc<SimDisk>, start: &Start, numbers: std::ops::Range<u64>, told: &mut Told) -> bool {
    let Ok(journal) = Journal::open(disk.clone(), start, SMALL, Arc::new(())) else { return false };
    let mut defined_in = Vec::new();
    for number in numbers {
        journal.append_now(&mut settled(number));
        let ticket = journal.enter();
        defined_in.push((ticket.file(), number));
        let batch = journal.append(ticket, &mut define(number, 4_000));
        if !journal.wait(batch) {
            return false;
        }
        told.confirmed.push(number);
        if number % 8 == 7
            && let Some(LiveFile { number: through, .. }) = journal.live_files().first()
        {
            let first = defined_in.iter().find(|(file, _)| file > through).map(|(_, number)| *number);
            told.first = told.first.max(first.unwrap_or(number + 1));
            let mut group = Group::default();
            group.checkpointed(*through);
            if journal.wait(journal.append_now(&mut group)) {
                journal.release_through(*through);
            }
        }
    }
    journal.close();
    journal.failure().is_none()
}

/// Recovers, and gives where the journal goes on.
fn recover(disk: &Arc<SimDisk>, told: &Told, begun: u64, whole: bool, case: &str) -> Start {
    let mut recovery = Recovery::find(disk.clone()).unwrap();
    let replay = recovery.replay(&mut |_| {}).unwrap();
    let report = recovery.report();
    assert!(!report.is_damaged() && report.foreign.is_empty(), "{case}: {report:?}");
    assert!(!whole || report.end == JournalEnd::Closed, "{case}: {report:?}");
    let found: BTreeSet<u64> =
        replay.definitions.keys().map(|key| u64::from_le_bytes(*key.first_chunk().unwrap())).collect();
    for number in told.confirmed.iter().filter(|number| **number >= told.first) {
        assert!(found.contains(number), "{case}: {number} was confirmed and is lost");
    }
    assert!(found.iter().all(|number| *number < begun), "{case}: what was never written");
    recovery.start()
}

#[test]
fn wherever_the_power_fails_recovery_finds_what_was_confirmed_and_no_damage() {
    // How many files there are depends on how soon the spares are there; a run with several has all kinds of operations.
    let disk = loop {
        let disk = SimDisk::new(1);
        let mut told = Told::default();
        assert!(run(&disk, &Start::default(), 0..40, &mut told));
        let start = recover(&disk, &told, 40, true, "closed");
        if start.file > JournalFile(4) && told.first > 8 {
            break disk;
        }
    };
    for operation in 0..disk.operations() {
        let disk = SimDisk::new(operation);
        disk.crash_at(operation);
        let mut told = Told::default();
        run(&disk, &Start::default(), 0..40, &mut told);
        for seed in 0..2 {
            let disk = disk.after_crash(seed);
            let mut told = Told { confirmed: told.confirmed.clone(), ..told };
            let case = format!("operation {operation}, seed {seed}");
            let start = recover(&disk, &told, 40, false, &case);
            // It goes on, fails again, and goes on.
            disk.crash_at(disk.operations() + operation % 40);
            let whole = run(&disk, &start, 100..110, &mut told);
            let disk = disk.after_crash(seed);
            let start = recover(&disk, &told, 110, whole, &format!("{case}, again"));
            assert!(run(&disk, &start, 200..210, &mut told));
            recover(&disk, &told, 210, true, &format!("{case}, at last"));
        }
    }
}

#[test]
fn whenever_the_broker_is_killed_recovery_finds_what_was_written() {
    let disk = SimDisk::new(1);
    let journal = open(&disk);
    let mut told = Told::default();
    for number in 0..30 {
        let batch = journal.append_now(&mut define(number, 3_000));
        assert!(journal.wait(batch));
        told.confirmed.push(number);
        recover(&disk.after_kill(), &told, 30, false, &format!("killed after {number}"));
    }
    let start = recover(&disk.after_kill(), &told, 30, false, "killed");
    assert!(start.batch > journal.written());
}

#[test]
fn a_file_that_is_cut_off_by_anything_but_the_power_is_damaged_wherever_that_is() {
    let stopped = SimDisk::new(1);
    // The next file is not begun before this one has grown.
    let limits = Limits { margin_bytes: 0, ..SMALL };
    let journal = Journal::open(stopped.clone(), &Start::default(), limits, Arc::new(())).unwrap();
    let blocks = SMALL.file_bytes / batch::BLOCK_BYTES as u64;
    for number in 1..blocks {
        assert!(append_durably(&journal, number, 1_000));
    }
    let killed = stopped.after_kill();
    journal.close();
    for (disk, name) in [(&stopped, "stopped"), (&killed, "killed")] {
        let start = recover(disk, &Told::default(), blocks, name == "stopped", name);
        assert_eq!(start.file, JournalFile(2));
        let (path, len) = disk.files().into_iter().max_by_key(|(_, len)| *len).unwrap();
        assert!(len > SMALL.file_bytes, "{len}");
        for cut in (0..len).step_by(401 * 1024).chain((0..SMALL.file_bytes + 8192).step_by(512)) {
            let disk = disk.after_kill();
            disk.truncate(&path, cut);
            let mut recovery = Recovery::find(disk).unwrap();
            recovery.replay(&mut |_| {}).unwrap();
            assert!(recovery.report().is_damaged(), "{name}, cut off at {cut}: {:?}", recovery.report());
        }
    }
}
