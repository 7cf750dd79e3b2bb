use std::path::PathBuf;

use super::super::checkpoint::Stop;
use super::super::model_queue::ModelQueue;
use super::super::op::Group;
use super::super::replayed::Replayed;
use super::super::rig::{JOURNAL, NoDefinitions, Rig, SEGMENTS};
use super::super::segment::table::SegmentId;
use super::super::simulated::SimDisk;
use super::super::stored::Stored;
use super::super::{loader, pager};
use super::*;
use crate::config::Durability;
use crate::place::{JournalFile, Position, SegmentNumber};
use crate::store::stored::Returns;

/// Bodies that are told apart.
fn body(number: u64) -> Vec<u8> {
    format!("{number:0200}").into_bytes()
}

fn rig(limits: SegmentLimits) -> (Rig, Arc<ModelQueue>) {
    let rig = Rig::new(&SimDisk::new(1), limits, 1).unwrap();
    let queue = Arc::clone(&rig.queues[0]);
    (rig, queue)
}

/// The names in the quarantine.
fn quarantined(disk: &SimDisk) -> Vec<String> {
    disk.list(Path::new(QUARANTINE_FOLDER)).unwrap()
}

/// Writes all that may leave memory.
fn page_out_all(store: &SegmentStore, queue: &ModelQueue) {
    while pager::page_out(store, queue.id()).unwrap() > 0 {}
}

fn wait_until(what: &str, condition: &dyn Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !condition() {
        assert!(begun.elapsed().as_secs() < 60, "never: {what}");
        thread::yield_now();
    }
}

#[test]
fn what_leaves_memory_comes_back_as_it_was() {
    for journalled in [true, false] {
        let (rig, queue) = rig(SEGMENTS);
        let file = journalled.then(|| rig.journal.current_file());
        let positions: Vec<Position> = (0..60).map(|number| queue.publish(&body(number), file)).collect();
        page_out_all(&rig.store, &queue);
        assert_eq!(queue.paged(), positions.len());
        assert!(rig.files(&queue).len() > 2, "{:?}", rig.files(&queue));
        for (number, position) in (0..).zip(&positions) {
            rig.load(&queue, *position);
            assert_eq!(queue.body(*position), Some(body(number)));
        }
        assert_eq!(queue.paged(), 0);
    }
}

#[test]
fn a_consumed_backlog_keeps_no_file() {
    for (journalled, checkpointed) in [(true, true), (true, false), (false, false)] {
        let (mut rig, queue) = rig(SEGMENTS);
        let positions: Vec<Position> = (0..60)
            .map(|number| {
                if journalled {
                    rig.publish(&queue, &body(number))
                } else {
                    queue.publish(&body(number), None)
                }
            })
            .collect();
        page_out_all(&rig.store, &queue);
        if checkpointed {
            rig.checkpoint_all();
        }
        assert!(rig.files(&queue).len() > 2);
        for position in positions {
            let mut group = Group::new(Durability::Fsync);
            assert!(queue.settle(position, &mut group));
            rig.journal.append_now(&mut group);
        }
        rig.clear_away();
        assert_eq!(rig.files(&queue), Vec::<String>::new(), "{journalled} {checkpointed}");
        let replayed = Replayed::read(&rig.disk);
        let segments = replayed.queues.get(&queue.id()).map_or(0, |queue| queue.segments.len());
        assert_eq!(segments, 0, "a segment is recorded that is gone");
    }
}

#[test]
fn one_message_that_stays_pins_one_segment_and_none_after_the_next_checkpoint() {
    let (mut rig, queue) = rig(SEGMENTS);
    let positions: Vec<Position> = (0..100).map(|number| rig.publish(&queue, &body(number))).collect();
    page_out_all(&rig.store, &queue);
    rig.checkpoint_all();
    assert!(rig.files(&queue).len() > 4);
    let stuck = positions[50];
    rig.load(&queue, stuck);
    assert!(queue.deliver(stuck));
    for position in positions.iter().filter(|position| **position != stuck) {
        rig.settle(&queue, *position, || {});
    }
    rig.clear_away();
    assert_eq!(rig.files(&queue).len(), 1);
    rig.checkpoint_all();
    assert_eq!(rig.files(&queue), Vec::<String>::new());
    rig.settle_down();
    let durable = rig.journal.durable();
    rig.disk.crash();
    rig.check(durable, 1);
}

#[test]
fn a_deleted_queue_leaves_no_file_once_that_is_durable() {
    for journalled in [true, false] {
        let (rig, queue) = rig(SEGMENTS);
        for number in 0..40 {
            let file = journalled.then(|| rig.journal.current_file());
            queue.publish(&body(number), file);
        }
        page_out_all(&rig.store, &queue);
        assert!(!rig.files(&queue).is_empty());
        let mut group = Group::new(Durability::Fsync);
        group.queue_gone(queue.id());
        group.require_sync();
        let batch = journalled.then(|| rig.journal.append_now(&mut group));
        rig.store.queue_gone(queue.id(), batch);
        rig.clear_away();
        let names: Vec<PathBuf> = rig.disk.files().into_iter().map(|(path, _)| path).collect();
        assert!(names.iter().all(|path| !path.starts_with(QUEUES_FOLDER)), "{names:?}");
        assert_eq!(pager::page_out(&rig.store, queue.id()).unwrap(), 0);
        assert!(!journalled || Replayed::read(&rig.disk).queues[&queue.id()].is_gone);
    }
}

#[test]
fn a_damaged_block_is_told_before_a_message_is_given_out_and_its_file_is_kept() {
    let (rig, queue) = rig(SEGMENTS);
    let positions: Vec<Position> = (0..9).map(|number| rig.publish(&queue, &body(number))).collect();
    page_out_all(&rig.store, &queue);
    let place = queue.place(positions[4]).unwrap();
    let segment = SegmentId { queue: queue.id(), number: place.segment, journalled: true };
    rig.disk.damage(segment.path(), place.offset + u64::from(place.len) / 2, 3);
    for position in &positions {
        rig.load(&queue, *position);
    }
    let lost: Vec<bool> = positions.iter().map(|position| queue.body(*position).is_none()).collect();
    // Blocks of three: that of the fifth message is lost, the others are served.
    assert_eq!(lost, [false, false, false, true, true, true, false, false, false]);
    assert!(queue.damage().iter().all(|damaged| *damaged == place) && !queue.damage().is_empty());
    assert!(rig.store.damaged_blocks() > 0);
    for position in positions {
        rig.settle(&queue, position, || {});
    }
    rig.clear_away();
    assert_eq!(rig.files(&queue), Vec::<String>::new());
    assert_eq!(quarantined(&rig.disk), [format!("queue-1-{}", segment.name())]);
}

#[test]
fn a_read_that_fails_once_is_tried_again_and_what_was_purged_is_not_reported() {
    let (rig, queue) = rig(SEGMENTS);
    let positions: Vec<Position> = (0..9).map(|number| rig.publish(&queue, &body(number))).collect();
    page_out_all(&rig.store, &queue);
    rig.disk.fail_read(rig.disk.reads());
    rig.load(&queue, positions[0]);
    assert_eq!(queue.body(positions[0]), Some(body(0)));
    assert_eq!(rig.store.damaged_blocks(), 0);
    let place = queue.place(positions[8]).unwrap();
    for position in positions {
        rig.settle(&queue, position, || {});
    }
    rig.clear_away();
    loader::load(&rig.store, queue.id(), place).unwrap();
    assert_eq!(rig.store.damaged_blocks(), 0, "what nobody needs is not damaged");
}

#[test]
fn without_space_nothing_is_lost_publishers_are_blocked_and_it_goes_on_when_there_is_space() {
    // Nothing is written to the journal again, so that all of it needs segments.
    let (mut rig, queue) = rig(SegmentLimits { carried_bytes: 0, ..SEGMENTS });
    let positions: Vec<Position> = (0..60).map(|number| rig.publish(&queue, &body(number))).collect();
    while rig.journal.live_files().len() < 3 {
        rig.settle_down();
    }
    let before = rig.journal.live_files();
    rig.disk.set_full(true);
    assert!(pager::page_out(&rig.store, queue.id()).is_err());
    for _ in 0..3 {
        assert!(matches!(rig.catch_up(), Err(Stop::NotWritten(_))));
        assert_eq!(rig.journal.live_files(), before, "nothing is released");
    }
    assert_eq!(queue.paged(), 0, "nothing has left memory");
    rig.disk.set_full(false);
    page_out_all(&rig.store, &queue);
    rig.catch_up().unwrap();
    assert!(rig.journal.live_files().len() < before.len());
    for (number, position) in (0..).zip(positions) {
        rig.load(&queue, position);
        assert_eq!(queue.body(position), Some(body(number)));
    }
    let durable = rig.journal.durable();
    rig.disk.crash();
    rig.check(durable, 1);
}

#[test]
fn the_threads_page_out_read_back_free_the_journal_and_say_when_they_cannot() {
    let disk = SimDisk::new(1);
    let as_disk = || Arc::clone(&disk) as Arc<dyn Disk>;
    // A file that grows since its spare is late is larger than the journal may be in other tests.
    let limits = SegmentLimits { carried_bytes: 0, journal_bytes: 1 << 30, ..SEGMENTS };
    let store = SegmentStore::open(as_disk(), limits).unwrap();
    let events = Arc::clone(&store) as Arc<dyn JournalEvents>;
    let journal =
        Journal::open(as_disk(), &super::super::journal::Start::default(), JOURNAL, events).unwrap();
    store.begin_checkpoints(Arc::clone(&journal), Arc::new(NoDefinitions)).unwrap();
    let queue = ModelQueue::register(QueueId::stored(1), &store);
    let publish = |number: u64| {
        let mut group = Group::new(Durability::Fsync);
        let ticket = journal.enter();
        let at = group.publish(&ModelQueue::message(&body(number)), Returns::default(), [queue.id()]);
        let position = queue.publish(&body(number), Some(ticket.file()));
        group.place(at, position);
        let batch = journal.append(ticket, &mut group);
        assert!(journal.wait(batch));
        position
    };
    store.budget().add(1_000_000);
    let positions: Vec<Position> = (0..60).map(publish).collect();
    store.page_out(queue.id());
    wait_until("all is paged out", &|| queue.paged() == positions.len());
    wait_until("the journal is freed", &|| journal.live_files().len() <= SEGMENTS.window_files);
    wait_until("nobody is blocked", &|| store.blocked().is_none());
    store.load(queue.id(), queue.place(positions[7]).unwrap());
    wait_until("it is read back", &|| queue.body(positions[7]) == Some(body(7)));

    disk.set_full(true);
    publish(60);
    store.page_out(queue.id());
    wait_until("publishers are blocked", &|| store.blocked() == Some(Blocked::NoSpace));
    disk.set_full(false);
    wait_until("publishers go on", &|| store.blocked().is_none());
    wait_until("all is paged out again", &|| queue.paged() == positions.len() + 1);
    store.close();
    journal.close();
}

#[test]
fn messages_that_stay_do_not_make_the_journal_write_itself_over_and_over() {
    let disk = SimDisk::new(1);
    let limits = SegmentLimits { window_files: 2, ..SEGMENTS };
    let mut rig = Rig::new(&disk, limits, 150).unwrap();
    // One message in each of many queues stays for ever: more together than the window has.
    for queue in &rig.queues {
        rig.publish(queue, &body(0).repeat(3));
    }
    rig.settle_down();
    let busy = Arc::clone(&rig.queues[0]);
    for _ in 0..200 {
        for _ in 0..20 {
            let position = rig.publish(&busy, &body(1));
            rig.settle(&busy, position, || {});
        }
        rig.settle_down();
        rig.catch_up().unwrap();
    }
    let (carried, written) = (rig.checkpoints.carried_total(), rig.journal.counters().bytes_written());
    assert!(carried > 150 * 600, "{carried} bytes: nothing was written again");
    assert!(carried * 2 <= written, "{carried} of {written} bytes were written again");
    assert!(rig.journal.live_files().len() < 12);
    let durable = rig.journal.durable();
    rig.disk.crash();
    rig.check(durable, 1);
}

#[test]
fn a_number_is_not_given_again_while_the_journal_says_that_its_segment_is_gone() {
    let disk = SimDisk::new(1);
    let store = Arc::new(SegmentStore::without_threads(Arc::clone(&disk) as Arc<dyn Disk>, SEGMENTS));
    let queue = ModelQueue::register(QueueId::stored(1), &store);
    store.numbers_used(queue.id(), [SegmentNumber(4), SegmentNumber(0)]);
    for number in 0..60 {
        queue.publish(&body(number), Some(JournalFile(1)));
    }
    page_out_all(&store, &queue);
    let names = disk.list(&SegmentId::folder(queue.id())).unwrap();
    assert_eq!(names.first().map(String::as_str), Some("5"), "{names:?}");
}

#[test]
fn what_nobody_registered_is_swept_away_and_kept_where_the_journal_was_damaged() {
    for journal_is_whole in [true, false] {
        let disk = SimDisk::new(1);
        let store = SegmentStore::without_threads(Arc::clone(&disk) as Arc<dyn Disk>, SEGMENTS);
        let make = |path: &str| {
            disk.create_dir(Path::new(path).parent().unwrap()).unwrap();
            disk.create(Path::new(path)).unwrap().write_at(&[b"x"], 0).unwrap();
        };
        for path in
            ["queue/1/0", "queue/1/3.transient", "queue/2/0", "queue/7/1", "queue/1/notes", "queue/x/1"]
        {
            make(path);
        }
        let unknown = std::iter::once(QueueId::stored(7)).collect();
        let swept = store.sweep(journal_is_whole, &unknown).unwrap();
        let names: Vec<String> =
            disk.files().into_iter().map(|(path, _)| path.to_string_lossy().into_owned()).collect();
        if journal_is_whole {
            assert_eq!(names, ["queue/1/notes", "queue/7/1", "queue/x/1"]);
            assert_eq!((swept.removed, swept.kept), (3, 0));
        } else {
            let kept = ["quarantine/queue-1-0", "quarantine/queue-2-0"];
            assert_eq!(names, [&kept[..], &["queue/1/notes", "queue/7/1", "queue/x/1"]].concat());
            assert_eq!((swept.removed, swept.kept), (1, 2));
        }
    }
}

#[test]
fn a_queue_that_went_away_without_a_word_keeps_its_part_of_the_journal() {
    let (mut rig, queue) = rig(SEGMENTS);
    rig.publish(&queue, b"still here");
    while rig.journal.live_files().len() < 3 {
        rig.settle_down();
    }
    rig.queues.clear();
    drop(queue);
    assert!(matches!(rig.checkpoints.checkpoint(JournalFile(1)), Err(Stop::Missing(_))));
    assert_eq!(Replayed::read(&rig.disk).live_from, 1);
}

/// As short as it is told to be.
#[derive(Default)]
struct Memory(AtomicBool);

impl LiveMemory for Memory {
    fn is_short(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn while_memory_is_short_nothing_is_read_for_those_who_hold_much_until_they_settle_or_there_is_memory() {
    for settles in [true, false] {
        let disk = SimDisk::new(1);
        let store = SegmentStore::open(Arc::clone(&disk) as Arc<dyn Disk>, SEGMENTS).unwrap();
        let memory = Arc::new(Memory::default());
        store.watch(Arc::<Memory>::clone(&memory));
        let [greedy, modest] =
            [1, 2].map(|id| ModelQueue::register(QueueId::stored(id), &store)).map(|queue| {
                let position = queue.publish(b"paged", None);
                page_out_all(&store, &queue);
                assert_eq!(queue.paged(), 1);
                (queue, position)
            });
        greedy.0.unacked_memory.store(loader::UNACKED_MAX_BYTES + 1, Ordering::Relaxed);
        modest.0.unacked_memory.store(loader::UNACKED_MAX_BYTES, Ordering::Relaxed);
        memory.0.store(true, Ordering::Relaxed);
        for (queue, position) in [&greedy, &modest] {
            store.load(queue.id(), queue.place(*position).unwrap());
        }
        wait_until("one is read, one is held", &|| modest.0.paged() == 0 && store.held_loads.any());
        assert_eq!(greedy.0.paged(), 1);
        if settles {
            greedy.0.unacked_memory.store(0, Ordering::Relaxed);
        } else {
            memory.0.store(false, Ordering::Relaxed);
        }
        wait_until("the other one is read", &|| greedy.0.paged() == 0 && !store.held_loads.any());
        store.close();
    }
}
