//! Backlogs on the disk, and publishers that the disk holds back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use leveret_protocol::method::{basic, confirm};

use super::client::{Kept, run, settle_down};
use crate::config::Durability;
use crate::place::{Batch, QueueId, SegmentNumber};
use crate::queue::Queue;
use crate::store::budget::Budget;
use crate::store::handle::Pages;
use crate::store::stored::{BlockPlace, Damage, OutBlock, Stored};
use crate::store::{Blocked, StoreHandle};

/// A store that pages out and in when the test says so.
struct Paged {
    budget: Budget,
    queues: Mutex<HashMap<QueueId, Weak<dyn Stored>>>,
    out: Mutex<Vec<OutBlock>>,
    wanted: Mutex<Vec<(QueueId, BlockPlace)>>,
    blocked: Mutex<Option<Blocked>>,
}

impl Paged {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            budget: Budget::unlimited(),
            queues: Mutex::default(),
            out: Mutex::default(),
            wanted: Mutex::default(),
            blocked: Mutex::default(),
        })
    }

    fn queue(&self, id: QueueId) -> Arc<dyn Stored> {
        self.queues.lock().unwrap()[&id].upgrade().unwrap()
    }

    /// Takes all sealed blocks of a queue out of memory.
    fn page_out_all(&self, queue: &Queue) {
        let queue = self.queue(queue.id());
        for block in queue.outgoing(0, usize::MAX) {
            let mut out = self.out.lock().unwrap();
            let place = BlockPlace {
                segment: SegmentNumber(1),
                journalled: block.journalled,
                index: u32::try_from(out.len()).unwrap(),
                offset: 0,
                len: u32::try_from(block.bytes.len()).unwrap(),
                crc: 0,
            };
            queue.stored(&block, place, true);
            out.push(block);
        }
    }

    /// Brings what was asked for, or says that it is damaged; says whether anything was.
    fn bring(&self, damaged: bool) -> bool {
        let wanted = std::mem::take(&mut *self.wanted.lock().unwrap());
        let is_any = !wanted.is_empty();
        for (queue, place) in wanted {
            let bytes = self.out.lock().unwrap()[place.index as usize].bytes.clone();
            let brought = if damaged { Err(Damage("a bit is wrong".to_owned())) } else { Ok(bytes) };
            self.queue(queue).loaded(place, brought);
        }
        is_any
    }
}

impl Pages for Paged {
    fn register(&self, id: QueueId, queue: Weak<dyn Stored>) {
        self.queues.lock().unwrap().insert(id, queue);
    }
    fn unregister(&self, _: QueueId) {}
    fn page_out(&self, _: QueueId) {}
    fn search(&self) {}
    fn load(&self, id: QueueId, place: BlockPlace) {
        self.wanted.lock().unwrap().push((id, place));
    }
    fn read(&self, _: QueueId, place: BlockPlace) -> std::io::Result<bytes::Bytes> {
        Ok(self.out.lock().unwrap()[place.index as usize].bytes.clone())
    }
    fn segments_dead(&self, _: QueueId, _: Vec<(SegmentNumber, bool)>) {}
    fn queue_gone(&self, _: QueueId, _: Option<Batch>) {}
    fn budget(&self) -> &Budget {
        &self.budget
    }
    fn blocked(&self) -> Option<Blocked> {
        *self.blocked.lock().unwrap()
    }
}

fn get(queue: &'static str) -> basic::Get<'static> {
    basic::Get { queue, no_ack: true }
}

#[test]
fn a_get_of_a_message_that_is_on_the_disk_waits_for_it_while_other_channels_are_served() {
    for damaged in [false, true] {
        run(async move {
            let pages = Paged::new();
            let kept = Kept::with_store(Durability::Fsync, StoreHandle::new(Arc::<Paged>::clone(&pages)));
            let queue = kept.journalled_queue("q");
            let mut client = kept.connect();
            client.open(2).await;
            let filler = vec![b'x'; 6000];
            client.add_message(1, "q", b"first");
            for _ in 0..100 {
                client.add_message(1, "q", &filler);
            }
            client.send().await;
            client.round_trip(1).await;
            pages.page_out_all(&queue);
            // The second get, and what follows it, wait behind the first.
            client.add(1, get("q")).add(1, get("absent")).send().await;
            client.round_trip(2).await;
            assert!(pages.bring(damaged), "it is asked for");
            // Of a damaged block the messages are lost; what is in the next one is read and given.
            settle_down().await;
            while pages.bring(false) {
                settle_down().await;
            }
            client.expect(&["1: basic.get-ok 1"]).await;
            let body = client.next().await;
            assert_eq!(body == "1: first", !damaged, "{body}");
            while !client.next().await.starts_with("1: channel.close 404") {}
        });
    }
}

#[test]
fn a_client_that_is_gone_while_its_get_waits_takes_nothing_with_it() {
    run(async {
        let pages = Paged::new();
        let kept = Kept::with_store(Durability::Fsync, StoreHandle::new(Arc::<Paged>::clone(&pages)));
        let queue = kept.journalled_queue("q");
        let mut client = kept.connect();
        client.open(2).await;
        for _ in 0..100 {
            client.add_message(1, "q", &vec![b'x'; 6000]);
        }
        client.send().await;
        client.round_trip(1).await;
        pages.page_out_all(&queue);
        client.add(1, basic::Get { queue: "q", no_ack: false }).send().await;
        client.round_trip(2).await;
        client.vanish().await;
        assert!(pages.bring(false));
        let status = queue.status().unwrap();
        assert_eq!((status.ready, status.unacked), (100, 0));
    });
}

#[test]
fn publishers_are_not_read_while_the_disk_is_full_and_are_told_why_and_consumers_go_on() {
    run(async {
        let pages = Paged::new();
        let kept = Kept::with_store(Durability::Fsync, StoreHandle::new(Arc::<Paged>::clone(&pages)));
        let queue = kept.journalled_queue("q");
        let (mut publisher, mut consumer) = (kept.connect(), kept.connect());
        publisher.open(1).await;
        consumer.open(1).await;
        publisher.add_message(1, "q", b"a").send().await;
        publisher.round_trip(1).await;
        *pages.blocked.lock().unwrap() = Some(Blocked::NoSpace);
        publisher.add_message(1, "q", b"b").send().await;
        publisher.expect(&["0: connection.blocked low on disk"]).await;
        assert!(kept.environment.raised().disk, "operators see it as an alarm");
        settle_down().await;
        consumer.add(1, get("q")).send().await;
        consumer.expect(&["1: basic.get-ok 1", "1: a"]).await;
        *pages.blocked.lock().unwrap() = None;
        publisher.expect(&["0: connection.unblocked"]).await;
        publisher.round_trip(1).await;
        assert!(!kept.environment.raised().is_any());
        let status = queue.status().unwrap();
        assert_eq!((status.ready, status.unacked), (1, 0), "what was not read before was not lost");
    });
}

#[test]
fn who_waits_for_confirms_that_the_full_disk_holds_back_is_told_though_it_publishes_no_more() {
    run(async {
        let pages = Paged::new();
        let kept = Kept::with_store(Durability::Fsync, StoreHandle::new(Arc::<Paged>::clone(&pages)));
        kept.journalled_queue("q");
        let mut publisher = kept.connect();
        publisher.open(1).await;
        publisher.add(1, confirm::Select::default()).send().await;
        publisher.expect(&["1: confirm.select-ok"]).await;
        kept.gate.hold();
        publisher.add_message(1, "q", b"a").send().await;
        publisher.round_trip(1).await;
        *pages.blocked.lock().unwrap() = Some(Blocked::NoSpace);
        publisher.add(1, basic::Qos::default()).send().await;
        publisher.expect(&["0: connection.blocked low on disk"]).await;
        *pages.blocked.lock().unwrap() = None;
        publisher.expect(&["0: connection.unblocked", "1: basic.qos-ok"]).await;
        kept.gate.open();
        publisher.expect(&["1: basic.ack 1 false"]).await;
    });
}
