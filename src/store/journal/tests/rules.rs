//! What the journal promises while the disk does what it is told.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use super::reader::{Record, read, records};
use super::*;
use crate::message::Message;
use crate::store::stored::Returns;

#[test]
fn what_was_appended_stands_in_the_file_and_behind_it_that_this_was_the_end() {
    let disk = SimDisk::new(1);
    let journal = open(&disk);
    let mut expected = Vec::new();
    for number in 0..20 {
        let len = [0, 100, 5_000, 9_000][usize::try_from(number % 4).unwrap()];
        let batch = journal.append_now(&mut define(number, len));
        assert!(number % 3 != 0 || journal.wait(batch));
        expected.push(Record::Define(number));
    }
    journal.close();
    expected.push(Record::Closed);
    let files = read(&disk);
    let found: Vec<_> = records(&files).into_iter().map(|(_, _, record)| record).collect();
    assert_eq!(found, expected);
    let last = files.last().unwrap().batches.last().unwrap();
    assert_eq!(last.header.synced_to, last.header.offset, "all before the end is known to be synced");
    assert_eq!(records(&read(&disk.after_crash(1))).len(), expected.len());
    assert_eq!(journal.append_now(&mut define(99, 1)), NEVER);
    assert!(!journal.wait(NEVER) && journal.failure().is_none());
}

#[test]
fn a_journal_that_is_let_go_is_complete_but_not_closed() {
    let disk = SimDisk::new(1);
    let journal = open(&disk);
    journal.append_now(&mut settled(1));
    drop(journal);
    let found = records(&read(&disk));
    assert_eq!(found, [(JournalFile(1), Batch(1), Record::Settle(1))]);
}

#[test]
fn each_file_says_where_the_one_before_it_ends() {
    let disk = SimDisk::new(1);
    let journal = open(&disk);
    let mut count = 0;
    while journal.current_file() < JournalFile(6) {
        assert!(append_durably(&journal, count, 3_000));
        count += 1;
    }
    journal.close();
    let files = read(&disk);
    assert_eq!(files.len(), 6);
    let mut last_batch = Batch(0);
    for (one, next) in files.iter().zip(files.iter().skip(1)) {
        assert_eq!(next.header.number.0, one.header.number.0 + 1);
        let end = super::super::batch::next_offset(one.batches.last().unwrap().end);
        assert_eq!(next.header.previous_end, end);
        assert_ne!(one.header.salt, next.header.salt);
    }
    for batch in files.iter().flat_map(|file| &file.batches) {
        assert!(batch.header.batch > last_batch);
        last_batch = batch.header.batch;
    }
    let found = records(&files).into_iter().filter(|(_, _, record)| matches!(record, Record::Define(_)));
    assert_eq!(found.count() as u64, count);
}

#[test]
fn what_nobody_waits_for_is_written_and_synced_only_when_somebody_asks() {
    let disk = SimDisk::new(1);
    let journal = open(&disk);
    let woken = Arc::new(Woken::default());
    let mut last = Batch(0);
    for number in 0..5 {
        last = journal.append_now(&mut settled(number));
        while journal.notify_written(last, woken.clone()) {
            thread::park();
        }
    }
    assert_eq!((journal.written(), journal.counters().syncs()), (last, 0));
    assert!(journal.durable() < last);
    assert!(journal.wait(last));
    assert_eq!((journal.durable(), journal.counters().syncs()), (last, 1));
    assert!(!journal.notify(last, woken), "it is durable already");
    assert_eq!(journal.append_now(&mut Group::default()), Batch(0), "nothing to wait for");
}

/// Wakes the thread that made it.
struct Woken(thread::Thread);

impl Default for Woken {
    fn default() -> Self {
        Self(thread::current())
    }
}

impl Synced for Woken {
    fn synced(&self) {
        self.0.unpark();
    }
}

/// A ticket for the first file that is still out, and one for the second.
fn tickets_of_two_files(journal: &Journal) -> (Ticket, Ticket) {
    let early = journal.enter();
    loop {
        let ticket = journal.enter();
        if ticket.file() > early.file() {
            return (early, ticket);
        }
        let batch = journal.append(ticket, &mut define(0, 3_000));
        assert!(journal.wait(batch), "a ticket that is out holds up nobody in its own file");
    }
}

#[test]
fn what_is_appended_late_stands_in_the_file_of_its_ticket() {
    let disk = SimDisk::new(1);
    let journal = open(&disk);
    let (early, later) = tickets_of_two_files(&journal);
    let settlement = journal.append(later, &mut settled(1));
    let mut group = Group::default();
    let at =
        group.publish(&Message::compose("", "q", &[0, 0], b"late").unwrap(), Returns::default(), [QUEUE]);
    group.place(at, Position(1));
    let publish = journal.append(early, &mut group);
    assert!(journal.wait(publish) && journal.wait(settlement));
    journal.close();
    let found = records(&read(&disk));
    let place = |sought: Record| found.iter().find(|(_, _, record)| *record == sought).unwrap();
    let (publish, settlement) = (place(Record::Publish(1)), place(Record::Settle(1)));
    assert_eq!((publish.0, settlement.0), (JournalFile(1), JournalFile(2)));
    assert!(publish.1 < settlement.1, "it is written before");
}

#[test]
fn a_settlement_never_stands_in_an_earlier_file_than_its_publish() {
    let disk = SimDisk::new(1);
    let journal = open(&disk);
    let queue = Mutex::new((0_u64, VecDeque::new()));
    let publishing = AtomicU64::new(3);
    let message = Message::compose("", "q", &[0x10, 0, 2], &[b'b'; 300]).unwrap();
    thread::scope(|scope| {
        for _ in 0..publishing.load(Ordering::Relaxed) {
            scope.spawn(|| {
                let mut group = Group::default();
                while journal.current_file() < JournalFile(8) {
                    let ticket = journal.enter_with(&mut group);
                    let at = group.publish(&message, Returns::default(), [QUEUE]);
                    let mut queue = queue.lock().unwrap();
                    let position = queue.0;
                    queue.0 += 1;
                    queue.1.push_back(position);
                    drop(queue);
                    // From here on the consumers may be faster.
                    if position % 7 == 0 || journal.is_congested() {
                        thread::yield_now();
                    }
                    group.place(at, Position(position));
                    let batch = journal.append(ticket, &mut group);
                    assert!(!journal.is_congested() || journal.wait(batch));
                }
                publishing.fetch_sub(1, Ordering::SeqCst);
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                let mut group = Group::default();
                loop {
                    let is_last = publishing.load(Ordering::SeqCst) == 0;
                    let ticket = journal.enter_with(&mut group);
                    let Some(position) = queue.lock().unwrap().1.pop_front() else {
                        drop(ticket);
                        if is_last {
                            return;
                        }
                        thread::yield_now();
                        continue;
                    };
                    group.settle(QUEUE, Position(position));
                    journal.append(ticket, &mut group);
                }
            });
        }
    });
    journal.close();
    let files = read(&disk);
    assert!(files.len() >= 8, "{}", files.len());
    let (mut published, mut done) = (BTreeMap::new(), BTreeMap::new());
    for (file, _, record) in records(&files) {
        match record {
            Record::Publish(position) => assert!(published.insert(position, file).is_none()),
            Record::Settle(position) => assert!(done.insert(position, file).is_none()),
            _ => {}
        }
    }
    assert_eq!((published.len() as u64, done.len()), (queue.lock().unwrap().0, published.len()));
    for (position, file) in done {
        assert!(file >= published[&position], "{position}");
    }
}

#[test]
fn what_is_told_to_be_durable_outlives_a_crash() {
    /// Asks, each time it is woken, what a crash at this moment would leave.
    struct Checks {
        disk: Arc<SimDisk>,
        journal: OnceLock<Arc<Journal>>,
        seed: AtomicU64,
    }
    impl Synced for Checks {
        fn synced(&self) {
            let journal = self.journal.get().unwrap();
            let durable = journal.durable();
            let seed = self.seed.fetch_add(1, Ordering::Relaxed);
            let found = records(&read(&self.disk.after_crash(seed)));
            let mut batches: Vec<_> = found.iter().map(|(_, batch, _)| *batch).collect();
            batches.dedup();
            for number in 1..=durable.0 {
                // Numbers may be left out where a file ends, and nowhere else.
                let is_there = batches.contains(&Batch(number));
                assert!(
                    is_there || !records(&read(&self.disk)).iter().any(|(_, batch, _)| batch.0 == number)
                );
            }
        }
    }
    let disk = SimDisk::new(1);
    let journal = open(&disk);
    let checks = Arc::new(Checks { disk: disk.clone(), journal: OnceLock::new(), seed: AtomicU64::new(0) });
    checks.journal.set(journal.clone()).unwrap();
    thread::scope(|scope| {
        for thread in 0..3_u64 {
            let (journal, checks) = (&journal, &checks);
            scope.spawn(move || {
                for number in 0..40 {
                    let len = if number % 5 == 0 { 6_000 } else { 10 };
                    let batch = journal.append_now(&mut define(thread << 32 | number, len));
                    journal.notify(batch, checks.clone());
                    if number % 4 == 0 {
                        assert!(journal.wait(batch));
                    }
                }
            });
        }
    });
    journal.close();
    assert!(journal.failure().is_none(), "{:?}", journal.failure());
    assert!(checks.seed.load(Ordering::Relaxed) > 10);
}

#[test]
fn a_batch_that_is_larger_than_the_file_makes_it_grow() {
    let disk = SimDisk::new(1);
    let journal = open(&disk);
    let large = usize::try_from(SMALL.file_bytes * 5).unwrap();
    assert!(append_durably(&journal, 1, large));
    assert!(append_durably(&journal, 2, 10));
    journal.close();
    let files = read(&disk);
    let found: Vec<_> = records(&files).into_iter().map(|(_, _, record)| record).collect();
    assert_eq!(found, [Record::Define(1), Record::Define(2), Record::Closed]);
    assert_eq!(files[0].header.file_len, SMALL.file_bytes);
    let len = disk.files()[0].1;
    assert!(files[0].batches.iter().all(|batch| batch.header.file_len == len), "{files:?}");
}

#[test]
fn files_are_used_again_and_a_file_is_what_its_header_says() {
    let (events, told) = Events::new();
    let disk = SimDisk::new(1);
    let journal = Journal::open(disk.clone(), &Start::default(), SMALL, events).unwrap();
    while journal.current_file() < JournalFile(16) {
        assert!(append_durably(&journal, 1, 3_000));
        for event in told.try_iter() {
            let Event::FileClosed(file) = event else { panic!("{event:?}") };
            journal.release_through(file);
        }
    }
    assert!(journal.live_files().len() <= 1);
    journal.close();
    assert!(disk.files().len() <= 5, "{:?}", disk.files());
    let files = read(&disk);
    let last = files.last().unwrap();
    assert!(last.header.live_from.0 + 2 >= last.header.number.0, "{:?}", last.header);
    assert_eq!(last.batches.last().unwrap().records, [Record::Closed]);
    for file in &files {
        assert!(file.batches.iter().all(|batch| batch.header.file == file.header.number));
    }
}

#[test]
fn after_a_restart_the_journal_goes_on_in_a_new_file_and_uses_what_nobody_needs() {
    let disk = SimDisk::new(1);
    open(&disk).close();
    let live = LiveFile { number: JournalFile(1), name: "1".to_owned(), len: SMALL.file_bytes };
    let start = Start {
        file: JournalFile(2),
        previous_end: 8192,
        live_from: JournalFile(1),
        batch: Batch(7),
        live: vec![live.clone()],
        spares: vec![],
    };
    let journal = Journal::open(disk.clone(), &start, SMALL, Arc::new(())).unwrap();
    assert_eq!(journal.durable(), Batch(6));
    assert_eq!(journal.append_now(&mut define(1, 1)), Batch(7));
    assert_eq!(journal.live_files(), [live]);
    journal.release_through(JournalFile(1));
    assert_eq!(journal.live_files(), []);
    journal.close();
    let spares = vec!["1".to_owned()];
    let start = Start { file: JournalFile(3), live_from: JournalFile(2), spares, ..start };
    let journal = Journal::open(disk.clone(), &Start { live: vec![], ..start }, SMALL, Arc::new(())).unwrap();
    journal.close();
    let numbers: Vec<_> = read(&disk).iter().map(|file| file.header.number.0).collect();
    // With the note of which is the last.
    assert_eq!((numbers, disk.files().len()), (vec![2, 3], 3));
}

#[test]
fn quiescing_waits_for_the_tickets_that_are_out_and_for_no_later_ones() {
    let disk = SimDisk::new(1);
    let journal = open(&disk);
    for _ in 0..50 {
        let ticket = journal.enter();
        let is_in = AtomicBool::new(false);
        thread::scope(|scope| {
            let quiescing = scope.spawn(|| {
                journal.quiesce();
                assert!(is_in.load(Ordering::SeqCst), "a ticket was out");
            });
            thread::yield_now();
            let later = journal.enter();
            is_in.store(true, Ordering::SeqCst);
            journal.append(ticket, &mut settled(1));
            // The later ticket is out for as long as the first one's round could be waited for, if it began before it.
            if !quiescing.is_finished() {
                drop(later);
                quiescing.join().unwrap();
            }
        });
    }
    journal.quiesce();
}

#[test]
fn a_ticket_comes_back_when_its_holder_panics() {
    let disk = SimDisk::new(1);
    let journal = open(&disk);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _ticket = journal.enter();
        std::panic::resume_unwind(Box::new("as a connection may"));
    }));
    assert!(panicked.is_err());
    journal.quiesce();
    journal.close();
}

#[test]
fn what_waits_for_records_in_a_file_that_is_left_waits_for_the_next_file_as_well() {
    let disk = SimDisk::new(1);
    let journal = open(&disk);
    let (early, later) = tickets_of_two_files(&journal);
    // The queue is declared in the next file, and what is published to it stands in the one before.
    let declared = journal.append(later, &mut define(1, 1));
    let published = journal.append(early, &mut define(2, 1));
    assert!(published >= declared, "{published:?} is told to be durable before {declared:?}");
    assert!(journal.wait(published) && journal.durable() >= declared);
    journal.close();
}
