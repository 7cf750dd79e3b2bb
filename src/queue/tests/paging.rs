//! The rules of a queue whose backlog leaves memory, one by one.

use super::super::queue::Status;
use super::disk::{Disk, Requests};
use super::*;
use crate::place::JournalFile;
use crate::store::handle::{Pages, StoreHandle};
use crate::store::stored::{Damage, Stored};

const BODY_BYTES: usize = 1000;

struct Kept {
    queue: Arc<Queue>,
    requests: Arc<Requests>,
    disk: Disk,
}

impl Kept {
    fn new(budget: u64) -> Self {
        let requests = Requests::new(budget);
        let store: Arc<dyn Pages> = Arc::<Requests>::clone(&requests);
        let queue = Queue::new(QueueName::from("q"), QueueOptions::default(), None);
        let queue = Arc::new(queue.with_store(StoreHandle::new(store)).journalled());
        queue.register();
        Self { queue, requests, disk: Disk::default() }
    }

    /// Publishes so many messages, persistent ones if there is a `file`.
    fn publish(&self, count: usize, file: Option<JournalFile>) {
        let properties: &[u8] = if file.is_some() { &[0x10, 0, 2] } else { &[0, 0] };
        let message = Message::compose("", "q", properties, &[7; BODY_BYTES]).unwrap();
        self.queue.publish(&mut vec![message; count], file).unwrap();
    }

    /// Takes everything that may go to the disk.
    fn page_out(&mut self) -> usize {
        let blocks = self.queue.outgoing(0, usize::MAX);
        for block in &blocks {
            let place = self.disk.write(block);
            self.queue.stored(block, place, true);
        }
        blocks.len()
    }

    /// Reads what was asked for and gives how many blocks that were.
    fn read(&self) -> usize {
        let loads = std::mem::take(&mut self.requests.asked.lock().unwrap().loads);
        for place in &loads {
            self.queue.loaded(*place, Ok(self.disk.read(*place)));
        }
        loads.len()
    }

    fn ready(&self) -> usize {
        self.queue.status().unwrap().ready
    }

    fn page_outs(&self) -> usize {
        self.requests.asked.lock().unwrap().page_outs
    }
}

#[test]
fn a_queue_with_little_tells_the_budget_nothing_and_one_with_much_asks_once_until_it_is_answered() {
    let mut kept = Kept::new(1_000_000);
    kept.publish(5, None);
    assert_eq!(kept.requests.budget().used(), 0);
    for _ in 0..50 {
        kept.publish(100, None);
    }
    let used = kept.requests.budget().used();
    assert!((4_500_000..5_500_000).contains(&used), "{used}");
    assert_eq!(kept.page_outs(), 1);
    assert!(kept.page_out() > 30);
    assert!(kept.requests.budget().used() < 500_000);
    kept.publish(5_000, None);
    assert_eq!(kept.page_outs(), 2);
    kept.queue.delete(false, false, &mut Group::default()).unwrap();
    assert_eq!(kept.requests.budget().used(), 0, "a queue that is gone takes nothing");
}

#[test]
fn all_that_waits_in_a_queue_that_nobody_consumes_from_leaves_memory() {
    for file in [None, Some(JournalFile(3))] {
        let mut kept = Kept::new(80_000);
        kept.publish(40, file);
        assert_eq!(kept.requests.asked.lock().unwrap().searches, 0);
        kept.publish(80, file);
        let used = kept.requests.budget().used();
        assert!((110_000..250_000).contains(&used), "{used}");
        assert_eq!(kept.page_outs(), 0, "it has not enough to ask for itself");
        assert!(kept.requests.asked.lock().unwrap().searches > 0);
        let got = |expected: u64| {
            let got =
                kept.queue.get(true, &(Inbox::new(9, 0) as Arc<dyn Recipient>), 1, &mut Group::default());
            let Ok(Got::Message { entry, .. }) = got else { panic!("{got:?}") };
            assert_eq!(entry.position.0, expected);
        };
        // What is read from a block stays where it is.
        got(0);
        let inbox = Inbox::new(1, 0);
        let key = consume(&kept.queue, consumer(&inbox, 0));
        assert_eq!(kept.queue.idle_memory(), 0, "somebody consumes");
        assert!(kept.queue.outgoing_idle(usize::MAX).is_empty());
        kept.queue.cancel(key);
        assert!(kept.queue.idle_memory() >= 110_000);
        for block in kept.queue.outgoing_idle(usize::MAX) {
            let place = kept.disk.write(&block);
            kept.queue.stored(&block, place, true);
        }
        assert_eq!((kept.queue.idle_memory(), kept.requests.budget().used()), (0, 0));
        kept.publish(1, file);
        let inbox = Inbox::new(2, 1 << 30);
        consume(&kept.queue, consumer(&inbox, 0));
        while kept.read() > 0 {}
        let numbers: Vec<u64> = inbox.drain().iter().map(|delivery| delivery.position.0).collect();
        assert_eq!(numbers, (1..121).collect::<Vec<_>>());
    }
}

#[test]
fn a_queue_without_a_block_that_may_go_does_not_ask() {
    let kept = Kept::new(0);
    kept.publish(5, None);
    assert_eq!(kept.page_outs(), 0, "its first blocks stay");
}

#[test]
fn blocks_are_read_ahead_of_a_consumer_and_not_without_one() {
    for file in [None, Some(JournalFile(3))] {
        let mut kept = Kept::new(0);
        kept.publish(3_000, file);
        let blocks = kept.page_out();
        assert!(blocks > 20, "{blocks}");
        assert!(!kept.requests.any_load());
        let inbox = Inbox::new(1, 1 << 30);
        let key = consume(&kept.queue, Consumer { prefetch: 10, ..consumer(&inbox, 0) });
        assert_eq!(kept.ready(), 3_000, "nothing is there yet");
        let ahead = kept.read();
        assert!((4..20).contains(&ahead), "{ahead}");
        let delivered = inbox.drain();
        assert_eq!(delivered.len(), 10);
        assert!(!kept.requests.any_load(), "it has no credit, and what it wants next is there");
        let keys: Vec<_> = delivered.iter().filter_map(|delivery| delivery.unacked).collect();
        let mut group = Group::default();
        kept.queue.settle(&keys, Settlement::Discard, &mut group);
        assert_eq!(group.is_empty(), file.is_none(), "only what is journalled is settled in the journal");
        kept.queue.cancel(key);
        let mut got = inbox.drain().len() + 10;
        consume(&kept.queue, consumer(&inbox, 1));
        loop {
            got += inbox.drain().len();
            if kept.read() == 0 {
                break;
            }
        }
        got += inbox.drain().len();
        assert_eq!((got, kept.ready()), (3_000, 0));
    }
}

#[test]
fn of_large_messages_no_more_stay_in_memory_than_of_small_ones() {
    const LARGE: usize = 1_000_000;
    let mut kept = Kept::new(0);
    let message = Message::compose("", "q", &[0x10, 0, 2], &vec![7; LARGE]).unwrap();
    kept.queue.publish(&mut vec![message.clone()], Some(JournalFile(1))).unwrap();
    kept.queue.publish(&mut vec![message.clone()], Some(JournalFile(1))).unwrap();
    assert_eq!(kept.page_outs(), 1, "all but the first may leave memory");
    kept.queue.publish(&mut vec![message; 8], Some(JournalFile(1))).unwrap();
    let blocks = kept.queue.outgoing(4, usize::MAX);
    assert_eq!(blocks.len(), 9);
    for block in &blocks {
        let place = kept.disk.write(block);
        kept.queue.stored(block, place, true);
    }
    let used = kept.requests.budget().used();
    assert!(used < 2 * LARGE as u64, "{used}");
    kept.queue.purge(&mut Group::default()).unwrap();
    assert_eq!(kept.requests.budget().used(), 0);
}

#[test]
fn of_large_messages_no_more_are_read_ahead_than_stay_in_memory() {
    let mut kept = Kept::new(0);
    let message = Message::compose("", "q", &[0x10, 0, 2], &vec![7; 1_000_000]).unwrap();
    kept.queue.publish(&mut vec![message; 10], Some(JournalFile(1))).unwrap();
    assert_eq!(kept.page_out(), 10);
    let inbox = Inbox::new(1, 1 << 30);
    consume(&kept.queue, consumer(&inbox, 0));
    let mut read = Vec::new();
    while kept.requests.any_load() {
        read.push(kept.read());
        assert!(kept.queue.outgoing(4, usize::MAX).is_empty(), "what was read ahead leaves memory again");
    }
    assert_eq!(read, [1; 10]);
    let numbers: Vec<u64> = inbox.drain().iter().map(|delivery| delivery.position.0).collect();
    assert_eq!(numbers, (0..10).collect::<Vec<_>>());
}

#[test]
fn what_was_read_ahead_and_not_taken_leaves_memory_without_being_written_again() {
    let mut kept = Kept::new(0);
    kept.publish(3_000, Some(JournalFile(1)));
    kept.page_out();
    let inbox = Inbox::new(1, 1 << 30);
    let key = consume(&kept.queue, Consumer { prefetch: 1, ..consumer(&inbox, 0) });
    assert!(kept.read() > 0);
    kept.queue.cancel(key);
    let before = kept.disk.segments();
    assert_eq!(kept.page_out(), 0);
    assert_eq!(kept.disk.segments(), before);
    consume(&kept.queue, consumer(&inbox, 0));
    while kept.read() > 0 {}
    let numbers: Vec<u64> = inbox.drain().iter().map(|delivery| delivery.position.0).collect();
    assert_eq!(numbers, (0..3_000).collect::<Vec<_>>());
}

#[test]
fn a_get_waits_until_its_message_is_read_and_is_told_once() {
    let mut kept = Kept::new(0);
    kept.publish(200, None);
    kept.page_out();
    let asker = Inbox::new(5, 0);
    let recipient: Arc<dyn Recipient> = Arc::<Inbox>::clone(&asker);
    let get = || kept.queue.get(true, &recipient, 9, &mut Group::default()).unwrap();
    let mut taken = 0;
    let told = || std::mem::take(&mut asker.state.lock().unwrap().loaded);
    loop {
        match get() {
            Got::Message { entry, .. } => {
                assert_eq!(entry.position.0, taken);
                taken += 1;
            }
            Got::Empty => break,
            Got::Loading => {
                assert!(matches!(get(), Got::Loading));
                assert!(told().is_empty());
                assert!(kept.read() > 0);
                assert_eq!(told(), [9]);
            }
        }
    }
    assert_eq!(taken, 200);
}

#[test]
fn whoever_waits_for_a_message_that_goes_is_told_as_well() {
    for deleted in [false, true] {
        let mut kept = Kept::new(0);
        kept.publish(200, None);
        kept.page_out();
        let asker = Inbox::new(5, 0);
        let recipient: Arc<dyn Recipient> = Arc::<Inbox>::clone(&asker);
        // What is in memory of it goes first.
        while !matches!(kept.queue.get(true, &recipient, 9, &mut Group::default()).unwrap(), Got::Loading) {}
        if deleted {
            kept.queue.delete(false, false, &mut Group::default()).unwrap();
        } else {
            kept.queue.purge(&mut Group::default()).unwrap();
        }
        assert_eq!(asker.state.lock().unwrap().loaded, [9], "deleted: {deleted}");
    }
}

#[test]
fn a_block_that_cannot_be_read_leaves_the_queue_and_the_rest_is_served() {
    let mut kept = Kept::new(0);
    kept.publish(1_000, Some(JournalFile(1)));
    kept.page_out();
    let inbox = Inbox::new(1, 1 << 30);
    consume(&kept.queue, consumer(&inbox, 0));
    let place = kept.requests.asked.lock().unwrap().loads.remove(1);
    let lost = kept.disk.alive_in(place);
    kept.queue.loaded(place, Err(Damage("a flipped bit".to_owned())));
    while kept.read() > 0 {}
    let numbers: Vec<u64> = inbox.drain().iter().map(|delivery| delivery.position.0).collect();
    let rest = (0..1_000).filter(|number| !lost.contains(crate::place::Position(*number)));
    assert_eq!(numbers, rest.collect::<Vec<_>>());
    assert_eq!(
        kept.queue.status().unwrap(),
        Status { ready: 0, unacked: numbers.len(), consumers: 1, ..Status::default() }
    );
    assert!(kept.queue.uses_segment(place.segment, true), "what is lost is not settled");
}

#[test]
fn a_purge_of_what_is_on_the_disk_leaves_no_segment() {
    for file in [None, Some(JournalFile(1))] {
        let mut kept = Kept::new(0);
        kept.publish(2_000, file);
        kept.page_out();
        let mut group = Group::default();
        assert_eq!(kept.queue.purge(&mut group), Ok(2_000));
        assert_eq!(group.is_empty(), file.is_none());
        assert!(group.len() < 100, "one range settles them all: {} bytes", group.len());
        let dead = std::mem::take(&mut kept.requests.asked.lock().unwrap().dead);
        kept.disk.remove(&kept.queue, dead);
        assert_eq!(kept.disk.segments(), []);
    }
}
