use std::sync::Mutex;

use super::*;
use crate::config::Durability;
use crate::message::Message;
use crate::place::{Batch, SegmentNumber};
use crate::store::definitions::VhostDefinition;
use crate::store::op::Group;
use crate::store::restore::RestoredBlock;
use crate::store::simulated::{Failure, SimDisk};
use crate::store::stored::{PartialBlock, Returns, SegmentState};
use crate::store::temporary::Temporary;

const QUEUE: QueueId = QueueId::stored(7);
const BACKLOG_BYTES: u64 = 16 << 20;

/// A queue that notes what comes back.
#[derive(Default)]
struct Noting {
    messages: Mutex<Vec<(Position, u32, String)>>,
    next: Mutex<(Position, Position)>,
}

impl Refill for Noting {
    fn id(&self) -> QueueId {
        QUEUE
    }

    fn restore(
        &self,
        blocks: Vec<RestoredBlock>,
        _: Vec<(Position, Returns)>,
        next: Position,
        redelivered_below: Position,
    ) {
        assert!(blocks.is_empty());
        *self.next.lock().unwrap() = (next, redelivered_below);
    }

    fn restore_waiting(&self, _: &RestoredBlock, _: crate::store::segment::block::Records) {}

    fn push_restored(&self, position: Position, returns: Returns, _: JournalFile, message: Message) {
        let body = String::from_utf8(message.body().to_vec()).unwrap();
        self.messages.lock().unwrap().push((position, returns.deliveries, body));
    }
}

/// An open store, and what was seen on the way.
struct Seen {
    store: Store,
    definitions: Vec<Definition>,
    queue: Arc<Noting>,
    failures: Arc<Mutex<Vec<String>>>,
}

fn open(data_dir: &Path, disk: &Arc<SimDisk>) -> Seen {
    let mut opening = Opening::open(data_dir, Arc::<SimDisk>::clone(disk), BACKLOG_BYTES).unwrap();
    let definitions = opening.definitions().unwrap();
    let queue = Arc::new(Noting::default());
    opening.refill(&[Arc::clone(&queue)]).unwrap();
    let failures = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&failures);
    let store = opening.finish(move |failure| noted.lock().unwrap().push(failure.to_string())).unwrap();
    Seen { store, definitions, queue, failures }
}

fn vhost() -> Definition {
    Definition::Vhost(VhostDefinition { name: "/".into(), ..VhostDefinition::default() })
}

fn define(store: &Store) -> Batch {
    let mut record = store.definitions().record();
    record.define(&vhost());
    record.commit().unwrap()
}

fn publish(store: &Store, position: u64, body: &str) -> Batch {
    let message = Message::compose("", "q", &[0x10, 0, 2], body.as_bytes()).unwrap();
    let mut group = Group::new(Durability::Fsync);
    let at = group.publish(&message, Returns::default(), [QUEUE]);
    group.place(at, Position(position));
    store.journal().append_now(&mut group)
}

#[test]
fn what_was_durable_comes_back_and_what_may_have_been_delivered_is_told() {
    for is_killed in [false, true] {
        let (data, disk) = (Temporary::new(), SimDisk::new(1));
        let Seen { store, definitions, .. } = open(data.path(), &disk);
        assert_eq!(definitions, []);
        define(&store);
        publish(&store, 3, "one");
        let last = publish(&store, 4, "two");
        assert!(store.journal().wait(last));
        let disk = if is_killed {
            store.abandon();
            disk.after_kill()
        } else {
            store.close();
            disk
        };
        // From the second start on it is the mark of the first that says what may have been delivered.
        for start in 0..3 {
            let Seen { store, definitions, queue, .. } = open(data.path(), &disk);
            assert_eq!(definitions, [vhost()]);
            let expected = [(Position(3), 0, "one".to_owned()), (Position(4), 0, "two".to_owned())];
            assert_eq!(*queue.messages.lock().unwrap(), expected);
            let redelivered_below = if is_killed { Position(5) } else { Position(0) };
            assert_eq!(*queue.next.lock().unwrap(), (Position(5), redelivered_below), "start {start}");
            store.close();
        }
    }
}

#[test]
fn what_is_new_is_not_among_what_may_have_been_delivered_though_nothing_of_that_is_left() {
    let (data, disk) = (Temporary::new(), SimDisk::new(1));
    let Seen { store, .. } = open(data.path(), &disk);
    let mut group = Group::default();
    group.redelivered_below(QUEUE, Position(9));
    store.journal().append_now(&mut group);
    store.close();
    let Seen { store, queue, .. } = open(data.path(), &disk);
    assert_eq!(*queue.next.lock().unwrap(), (Position(9), Position(9)));
    store.abandon();
    let Seen { store, queue, .. } = open(data.path(), &disk.after_kill());
    assert_eq!(*queue.next.lock().unwrap(), (Position(9), Position(9)));
    store.close();
}

#[test]
fn a_store_that_waits_for_space_ends_when_it_is_told_to() {
    let (data, disk) = (Temporary::new(), SimDisk::new(1));
    let Seen { store, failures, .. } = open(data.path(), &disk);
    let kept = publish(&store, 1, "kept");
    assert!(store.journal().wait(kept));
    disk.set_full(true);
    // More than is left of the file in use, and something that waits for what comes behind it.
    let body = "x".repeat(66 << 20);
    publish(&store, 2, &body);
    define(&store);
    while !store.journal().is_full() {
        std::thread::yield_now();
    }
    store.close();
    assert_eq!(failures.lock().unwrap().len(), 1, "what was not written is not said to be");
    disk.set_full(false);
    let Seen { store, queue, .. } = open(data.path(), &disk.after_kill());
    assert_eq!(*queue.messages.lock().unwrap(), [(Position(1), 0, "kept".to_owned())]);
    store.close();
}

#[test]
fn a_journal_that_is_missing_is_damage_unless_there_never_was_one() {
    let (data, disk) = (Temporary::new(), SimDisk::new(1));
    let store = open(data.path(), &disk).store;
    assert!(store.journal().wait(define(&store)));
    store.close();
    for (data_dir, is_damaged) in [(data.path(), true), (Temporary::new().path(), false)] {
        let disk: Arc<dyn Disk> = SimDisk::new(2);
        let mut opening = Opening::open(data_dir, disk, BACKLOG_BYTES).unwrap();
        assert_eq!(opening.definitions().unwrap().is_empty(), !is_damaged);
        assert_eq!(opening.recovery.report().is_damaged(), is_damaged);
        let refilled = opening.refill(&[Arc::new(Noting::default())]);
        assert!(refilled.is_ok());
    }
}

#[test]
fn a_disk_that_fails_is_told_once_and_nothing_is_durable_from_then_on() {
    let (data, disk) = (Temporary::new(), SimDisk::new(1));
    let Seen { store, failures, .. } = open(data.path(), &disk);
    let before = define(&store);
    assert!(store.journal().wait(before));
    for operation in disk.operations()..disk.operations() + 1000 {
        disk.fail_at(operation, Failure::Device);
    }
    for position in 0..3 {
        let batch = publish(&store, position, "lost");
        assert!(!store.journal().wait(batch));
    }
    store.abandon();
    let failures = failures.lock().unwrap().clone();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(failures[0].contains("journal file 1"), "{failures:?}");
    let Seen { store, definitions, .. } = open(data.path(), &disk.after_crash(3));
    assert_eq!(definitions, [vhost()]);
    store.close();
}

#[test]
fn numbers_that_nobody_writes_neither_stop_a_start_nor_cost_it_memory() {
    const LAST: Position = Position(u64::MAX - 1);
    let run = (0, u32::MAX);
    let partial = PartialBlock {
        index: u32::MAX,
        count: u32::MAX,
        bytes: u64::MAX,
        ranges: vec![(Position(0), Position(u64::MAX)), (Position(9), Position(1))],
    };
    let state = SegmentState {
        whole: vec![run, run, (u32::MAX, 0)],
        partial: vec![partial.clone(), partial],
        returns: vec![(LAST, Returns::failed(u32::MAX))],
    };
    let (data, disk) = (Temporary::new(), SimDisk::new(1));
    let Seen { store, .. } = open(data.path(), &disk);
    publish(&store, 3, "one");
    let mut group = Group::new(Durability::Fsync);
    group.segment_state(QUEUE, SegmentNumber(u32::MAX), &state);
    group.segment_gone(QUEUE, SegmentNumber(u32::MAX - 1));
    group.settle_range(QUEUE, Position(5), Position(u64::MAX));
    group.requeue(QUEUE, LAST, Returns::failed(u32::MAX));
    group.redelivered_below(QUEUE, Position(u64::MAX));
    group.define(&[0xff; 300], &[0xff; 300]);
    assert!(store.journal().wait(store.journal().append_now(&mut group)));
    store.abandon();
    let disk = disk.after_kill();
    let mut opening = Opening::open(data.path(), Arc::<SimDisk>::clone(&disk), BACKLOG_BYTES).unwrap();
    // A definition of a kind that this version does not know is refused, or left alone.
    let _definitions = opening.definitions();
    let queue = Arc::new(Noting::default());
    opening.refill(&[Arc::clone(&queue)]).unwrap();
    assert_eq!(queue.messages.lock().unwrap().len(), 1);
    opening.finish(|_| ()).unwrap().close();
}
