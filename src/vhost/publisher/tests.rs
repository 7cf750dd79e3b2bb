mod rates;

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::config::Durability;
use crate::name::{ConsumerTag, VhostName};
use crate::place::Position;
use crate::queue::QueueId;
use crate::queue::consumers::Consumer;
use crate::queue::delivery::Recipient;
use crate::queue::delivery::{Delivery, Late, Waiter};
use crate::queue::options::QueueOptions;
use crate::store::journal::{Journal, Limits, Start};
use crate::store::op::{Op, Ops};
use crate::store::simulated::SimDisk;
use crate::vhost::topology::Declared;

/// A recipient with a mistake in it.
struct Mistaken;

impl Recipient for Mistaken {
    fn id(&self) -> u64 {
        1
    }
    fn reserve(&self, _: usize) -> bool {
        true
    }
    fn unreserve(&self, _: usize) {}
    fn has_room(&self) -> bool {
        true
    }
    fn overdrawn(&self) -> usize {
        0
    }
    fn charge(&self, _: usize) {}
    fn await_room(&self, _: Arc<dyn Waiter>) -> bool {
        false
    }
    fn deliver(&self, _: &mut Vec<Delivery>) {
        panic!("a mistake under a queue's lock");
    }
    fn consumer_gone(&self, _: u32, _: QueueId) {}
    fn delivery_late(&self, _: Late) {}
    fn loaded(&self, _: u16) {}
}

fn publish(publisher: &mut Publisher, vhost: &Vhost) {
    let message = Message::compose("", "q", &[0, 0], b"body").unwrap();
    let unit = &mut Unit::default();
    let routed = publisher.route(vhost, &message, &[], None, unit).unwrap();
    assert_eq!(publisher.gather(vhost, routed, message, Origin::default(), unit), Gathered::Transient);
    publisher.flush(vhost, unit);
}

#[test]
fn what_is_published_to_a_queue_that_failed_is_known_to_be_lost() {
    let vhost = Vhost::new(VhostName::from("/"));
    let owner = crate::name::ConnectionId(1);
    let Declared { queue, .. } =
        vhost.queue_declare(Some(QueueName::from("q")), &QueueOptions::default(), owner).unwrap();
    let mut publisher = Publisher::default();
    publish(&mut publisher, &vhost);
    assert_eq!(publisher.take_crashed(), None);
    let consumer = Consumer {
        tag: ConsumerTag::from("c"),
        slot: 0,
        recipient: Arc::new(Mistaken),
        no_ack: true,
        exclusive: false,
        priority: 0,
        prefetch: 0,
        timeout: None,
        shared_credit: None,
        subscriber: None,
    };
    assert!(catch_unwind(AssertUnwindSafe(|| queue.consume(consumer))).is_err());
    publish(&mut publisher, &vhost);
    assert_eq!(publisher.take_crashed(), Some(QueueName::from("q")));
    assert_eq!(publisher.take_crashed(), None);
}

/// A broker that keeps things: its virtual host and a connection's unit.
struct Kept {
    vhost: Vhost,
    unit: Unit,
    publisher: Publisher,
}

impl Kept {
    fn new() -> Self {
        let limits = Limits { file_bytes: 1 << 20, margin_bytes: 1 << 16, ..Limits::default() };
        let journal = Journal::open(SimDisk::new(1), &Start::default(), limits, Arc::new(())).unwrap();
        Self {
            vhost: Vhost::new(VhostName::from("/")),
            unit: Unit::new(Some(journal), Durability::Fsync),
            publisher: Publisher::default(),
        }
    }

    fn queue(&self, name: &str, journalled: bool) -> Arc<Queue> {
        let queue = Queue::new(QueueName::from(name), QueueOptions::default(), None);
        let queue = Arc::new(if journalled { queue.journalled() } else { queue });
        self.vhost.queues().insert(&queue);
        queue
    }

    /// Gathers a message for the queue of its key and others.
    fn gather(&mut self, key: &str, others: &[&str], persistent: bool, body: &[u8]) -> Gathered {
        let properties: &[u8] = if persistent { &[0x10, 0x00, 2] } else { &[0, 0] };
        let message = Message::compose("", key, properties, body).unwrap();
        let routed = self.publisher.route(&self.vhost, &message, others, None, &mut self.unit).unwrap();
        self.publisher.gather(&self.vhost, routed, message, Origin::default(), &mut self.unit)
    }

    /// Hands over what was gathered, and gives the body and the places of each record.
    fn flushed(&mut self) -> Vec<(String, Vec<(QueueId, Position)>)> {
        self.publisher.flush(&self.vhost, &mut self.unit);
        let records = Ops::new(self.unit.group().bytes()).map(|op| match op.unwrap() {
            Op::Publish { targets, message, parts, .. } => {
                (String::from_utf8(message[parts.body_at as usize..].to_vec()).unwrap(), targets.collect())
            }
            other => panic!("{other:?}"),
        });
        let records = records.collect();
        assert!(self.unit.end().is_some() || Vec::is_empty(&records));
        records
    }
}

#[test]
fn a_persistent_message_has_one_record_with_its_place_in_each_queue_that_outlives_the_broker() {
    let mut kept = Kept::new();
    let (first, second) = (kept.queue("first", true).id(), kept.queue("second", true).id());
    kept.queue("transient", false);
    for (key, others, persistent, gathered) in [
        ("first", &[][..], true, Gathered::Journalled),
        ("first", &[], false, Gathered::Transient),
        ("first", &["transient", "second"], true, Gathered::Journalled),
        ("transient", &[], true, Gathered::Transient),
        ("second", &[], true, Gathered::Journalled),
        ("nowhere", &[], true, Gathered::Unroutable),
    ] {
        assert_eq!(kept.gather(key, others, persistent, key.as_bytes()), gathered, "{key} {others:?}");
    }
    assert_eq!(
        kept.flushed(),
        [
            ("first".to_owned(), vec![(first, Position(0))]),
            ("first".to_owned(), vec![(first, Position(2)), (second, Position(0))]),
            ("second".to_owned(), vec![(second, Position(1))]),
        ]
    );
    kept.gather("first", &[], true, b"later");
    assert_eq!(kept.flushed(), [("later".to_owned(), vec![(first, Position(3))])]);
}

#[test]
fn what_ends_with_the_broker_has_no_record_and_takes_no_ticket() {
    let mut kept = Kept::new();
    kept.queue("transient", false);
    kept.queue("durable", true);
    kept.gather("transient", &[], true, b"a");
    kept.gather("durable", &[], false, b"b");
    kept.publisher.flush(&kept.vhost, &mut kept.unit);
    assert!(kept.unit.is_empty());
    // Waits for whoever has a ticket.
    kept.unit.journal().unwrap().quiesce();
}

#[test]
fn a_message_that_finds_another_queue_of_the_name_has_a_record_for_that_one() {
    let mut kept = Kept::new();
    let old = kept.queue("q", true);
    kept.gather("q", &[], true, b"a");
    kept.gather("q", &[], false, b"transient");
    kept.gather("q", &[], true, b"b");
    kept.vhost.queue_delete("q", crate::name::ConnectionId(1), false, false).unwrap();
    let new = kept.queue("q", true);
    assert_ne!(old.id(), new.id());
    let nowhere = vec![(old.id(), Position::NOWHERE)];
    assert_eq!(
        kept.flushed(),
        [
            ("a".to_owned(), nowhere.clone()),
            ("b".to_owned(), nowhere),
            ("a".to_owned(), vec![(new.id(), Position(0))]),
            ("b".to_owned(), vec![(new.id(), Position(2))]),
        ]
    );
    assert_eq!(new.status().unwrap().ready, 3);
}

#[test]
fn a_message_that_finds_a_queue_that_outlives_the_broker_in_the_place_of_one_that_does_not_is_said_to_have_a_record()
 {
    for (durable, redirected) in [(true, true), (false, false)] {
        let mut kept = Kept::new();
        kept.queue("q", false);
        assert_eq!(kept.gather("q", &[], true, b"a"), Gathered::Transient);
        kept.vhost.queue_delete("q", crate::name::ConnectionId(1), false, false).unwrap();
        kept.queue("q", durable);
        assert_eq!(kept.flushed().len(), usize::from(durable));
        assert_eq!(kept.publisher.take_late_records(), redirected);
        assert!(!kept.publisher.take_late_records());
    }
}
