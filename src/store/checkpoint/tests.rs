use std::sync::atomic::AtomicUsize;

use super::super::replayed::Replayed;
use super::super::rig::{NoDefinitions, Rig, SEGMENTS};
use super::super::simulated::{Failure, Random, SimDisk};
use super::*;
use crate::place::Position;
use crate::store::handle::Pages;
use crate::store::segment_store::SegmentLimits;
use crate::store::stored::Stored;

/// What befalls the disk.
#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    Crash(u64),
    Fails(u64, Failure),
}

/// A random workload that ends when the disk does.
fn run(seed: u64, fault: Fault) -> Option<Rig> {
    let disk = SimDisk::new(seed);
    match fault {
        Fault::None => {}
        Fault::Crash(operation) => disk.crash_at(operation),
        Fault::Fails(operation, failure) => disk.fail_at(operation, failure),
    }
    let mut rig = Rig::new(&disk, SEGMENTS, 3)?;
    let mut random = Random::new(seed);
    for step in 0..180 {
        rig.step(&mut random);
        // A batch takes 4 KiB at least, so that the journal goes through its files.
        if random.one_in(3) {
            rig.settle_down();
        }
        // What could not be written is tried again at the next time; nothing else is.
        if step % 8 == 7 && matches!(rig.catch_up(), Err(Stop::NotSynced(_) | Stop::Ended)) {
            break;
        }
        if rig.journal.failure().is_some() {
            break;
        }
    }
    Some(rig)
}

#[test]
fn a_crash_at_any_point_loses_nothing_and_brings_nothing_back() {
    // On a machine that is slow to prepare the next file the one in use grows instead, and none is released.
    let operations = (0..50).find_map(|_| {
        let rig = run(1, Fault::None).unwrap();
        rig.journal.close();
        let released = rig.journal.live_files().first().map_or(0, |file| file.number.0);
        Some(rig.disk.operations()).filter(|operations| *operations > 100 && released > 1)
    });
    let operations = operations.expect("a run that shows something");
    for operation in 0..operations {
        let Some(rig) = run(1, Fault::Crash(operation)) else { continue };
        // What the journal's thread says to be durable is so; it may say more until it is stopped.
        let durable = rig.journal.durable();
        rig.disk.crash();
        for seed in 0..3 {
            rig.check(durable, operation * 3 + seed);
        }
    }
}

#[test]
fn a_disk_that_refuses_any_one_operation_loses_nothing() {
    let operations = run(1, Fault::None).unwrap().disk.operations();
    let mut went_on = 0;
    for operation in 0..operations {
        let failures = [Failure::NoSpace, Failure::Device, Failure::Short];
        let failure = failures[usize::try_from(operation % 3).unwrap()];
        let Some(rig) = run(1, Fault::Fails(operation, failure)) else { continue };
        went_on += u64::from(rig.journal.failure().is_none());
        let durable = rig.journal.durable();
        rig.disk.crash();
        rig.check(durable, operation);
    }
    assert!(
        went_on > operations / 10,
        "in {went_on} of {operations} cases the journal went on: too little to prove"
    );
}

#[test]
fn a_settlement_that_is_appended_after_its_message_was_written_again_is_kept_as_long() {
    let disk = SimDisk::new(1);
    let mut rig = Rig::new(&disk, SEGMENTS, 1).unwrap();
    let queue = Arc::clone(&rig.queues[0]);
    let position = rig.publish(&queue, b"once");
    while rig.journal.live_files().is_empty() {
        rig.settle_down();
    }
    let first = rig.journal.live_files()[0].number;
    // Somebody has a ticket of this file while the journal goes on to the next one.
    let mut group = Group::new(Durability::Fsync);
    let ticket = rig.journal.enter();
    let held = ticket.file();
    while rig.journal.current_file() == held {
        rig.settle_down();
    }
    let mut checkpoints =
        Checkpoints::new(Arc::clone(&rig.store), Arc::clone(&rig.journal), Arc::new(NoDefinitions));
    std::thread::scope(|scope| {
        let checkpoint = scope.spawn(move || checkpoints.checkpoint(first));
        // It must not write the message again before the ticket is in; if it does, it gets every chance to.
        for _ in 0..2000 {
            std::thread::yield_now();
        }
        assert!(queue.settle(position, &mut group));
        rig.journal.append(ticket, &mut group);
        checkpoint.join().unwrap().unwrap();
    });
    // The file with the settlement goes, the one after it stays.
    while rig.journal.live_files().iter().all(|file| file.number < held) {
        rig.settle_down();
    }
    rig.checkpoints.checkpoint(held).unwrap();
    let replayed = Replayed::read(&disk.after_kill());
    assert!(replayed.live_from > held.0);
    let found = replayed.queues.get(&QueueId::stored(1));
    let alive = found
        .is_some_and(|found| found.published.contains_key(&position) && !found.settled.contains(position));
    assert!(!alive, "what was settled is here again");
}

#[test]
fn a_message_that_moves_from_one_segment_to_another_is_in_one_of_them_whenever_the_power_fails() {
    // The number of operations before the move, and the store when it is about to begin.
    let about_to_move = |crash_after: Option<u64>| {
        let disk = SimDisk::new(1);
        // Nothing is written to the journal again.
        let mut rig = Rig::new(&disk, SegmentLimits { carried_bytes: 0, ..SEGMENTS }, 1).unwrap();
        let queue = Arc::clone(&rig.queues[0]);
        let positions: Vec<Position> = (0..12).map(|_| rig.publish(&queue, &[5; 200])).collect();
        rig.checkpoint_all();
        for position in &positions {
            assert!(queue.deliver(*position));
            if position.0 != 4 {
                rig.settle(&queue, *position, || {});
            }
        }
        rig.settle_down();
        let before = queue.place(positions[4]).unwrap();
        let begun = disk.operations();
        if let Some(operations) = crash_after {
            disk.crash_at(begun + operations);
        }
        // No file is due, and with it no record of a segment but for those that something is moved from.
        let moved = rig.checkpoints.checkpoint(JournalFile(0)).is_ok();
        assert!(!moved || queue.place(positions[4]).unwrap() != before);
        (rig, disk.operations() - begun)
    };
    let (_, operations) = about_to_move(None);
    for operation in 0..operations {
        let (rig, _) = about_to_move(Some(operation));
        let durable = rig.journal.durable();
        rig.disk.crash();
        for seed in 0..4 {
            rig.check(durable, operation * 4 + seed);
        }
    }
}

#[test]
fn a_segment_that_messages_were_moved_out_of_stays_until_the_journal_says_where_they_are() {
    // A checkpoint that moves a message to another segment, of which one operation fails.
    let failing = |operation: Option<u64>| {
        let disk = SimDisk::new(1);
        let mut rig = Rig::new(&disk, SegmentLimits { carried_bytes: 0, ..SEGMENTS }, 1).unwrap();
        let queue = Arc::clone(&rig.queues[0]);
        let positions: Vec<Position> = (0..12).map(|_| rig.publish(&queue, &[5; 200])).collect();
        rig.checkpoint_all();
        for position in &positions {
            assert!(queue.deliver(*position));
            if position.0 != 4 {
                rig.settle(&queue, *position, || {});
            }
        }
        rig.settle_down();
        let begun = disk.operations();
        if let Some(operation) = operation {
            disk.fail_at(begun + operation, Failure::NoSpace);
        }
        let outcome = rig.checkpoints.checkpoint(JournalFile(0));
        rig.clear_away();
        (rig, disk.operations() - begun, outcome.is_ok())
    };
    let (_, operations, _) = failing(None);
    let mut failed = 0;
    for operation in 0..operations {
        let (rig, _, is_ok) = failing(Some(operation));
        failed += u64::from(!is_ok);
        let durable = rig.journal.durable();
        rig.disk.crash();
        rig.check(durable, operation);
    }
    assert!(failed > 2, "{failed} of {operations}");
}

#[test]
fn a_queue_that_goes_without_a_word_during_a_checkpoint_keeps_what_it_had() {
    let disk = SimDisk::new(1);
    let mut rig = Rig::new(&disk, SegmentLimits { carried_bytes: 0, ..SEGMENTS }, 1).unwrap();
    let queue = rig.queues.remove(0);
    for _ in 0..12 {
        rig.publish(&queue, &[5; 200]);
    }
    let last = rig.journal.current_file();
    while rig.journal.live_files().last().is_none_or(|file| file.number < last) {
        rig.settle_down();
    }
    let asked = Arc::clone(&queue);
    queue.when_asked(move || drop(asked));
    drop(queue);
    assert!(matches!(rig.checkpoints.checkpoint(last), Err(Stop::Missing(_))));
    rig.clear_away();
    let durable = rig.journal.durable();
    disk.crash();
    rig.check(durable, 1);
}

#[test]
fn a_queue_that_is_deleted_during_a_checkpoint_holds_nothing_up() {
    let mut rig = Rig::new(&SimDisk::new(1), SegmentLimits { carried_bytes: 0, ..SEGMENTS }, 3).unwrap();
    let gone = rig.queues.remove(0);
    for queue in &rig.queues {
        rig.publish(queue, &[5; 200]);
    }
    rig.publish(&gone, &[5; 200]);
    let last = rig.journal.current_file();
    while rig.journal.live_files().last().is_none_or(|file| file.number < last) {
        rig.settle_down();
    }
    // Whichever is asked first sees the other queue go.
    let going = std::sync::Mutex::new(Some(gone));
    let going = Arc::new(going);
    for queue in &rig.queues {
        let (store, journal, going) = (Arc::clone(&rig.store), Arc::clone(&rig.journal), Arc::clone(&going));
        queue.when_asked(move || {
            let Some(gone) = going.lock().unwrap().take() else { return };
            let mut group = Group::new(Durability::Fsync);
            group.queue_gone(gone.id());
            store.queue_gone(gone.id(), Some(journal.append_now(&mut group)));
        });
    }
    rig.checkpoints.checkpoint(last).unwrap();
}

#[test]
fn settlements_that_race_with_a_checkpoint_are_not_forgotten() {
    for seed in 0..30 {
        let disk = SimDisk::new(seed);
        disk.crash_at(150 + seed * 17);
        let Some(mut rig) = Rig::new(&disk, SEGMENTS, 2) else { continue };
        let mut checkpoints =
            Checkpoints::new(Arc::clone(&rig.store), Arc::clone(&rig.journal), Arc::new(NoDefinitions));
        std::mem::swap(&mut checkpoints, &mut rig.checkpoints);
        let working = AtomicUsize::new(2);
        let rig = &rig;
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let working = &working;
                scope.spawn(move || {
                    let mut random = Random::new(seed * 2 + thread);
                    for _ in 0..2000 {
                        if rig.disk.is_crashed() {
                            break;
                        }
                        let queue = &rig.queues[usize::try_from(random.below(2)).unwrap()];
                        if random.one_in(2) {
                            rig.publish(queue, &[7; 200]);
                        } else if let Some(position) =
                            queue.positions().get(usize::try_from(random.below(4)).unwrap())
                        {
                            rig.settle(queue, *position, std::thread::yield_now);
                        }
                        if random.one_in(16) {
                            rig.page_out(queue);
                        }
                    }
                    working.fetch_sub(1, Ordering::Relaxed);
                });
            }
            while working.load(Ordering::Relaxed) > 0 {
                if let Some(through) = checkpoints.due() {
                    let _ = checkpoints.checkpoint(through);
                }
                checkpoints.clear_away(rig.store.ends.take(Some(Duration::ZERO)).unwrap());
                std::thread::yield_now();
            }
        });
        let durable = rig.journal.durable();
        disk.crash();
        for crash in 0..3 {
            rig.check(durable, seed * 3 + crash);
        }
    }
}
