//! What waits for its time in a virtual host that keeps things, after a loss of power.

use std::time::Duration;

use leveret_protocol::properties::Properties;
use leveret_protocol::table::{TableBuf, TableBuilder};
use serde_json::json;

use super::policies::policy;
use super::*;
use crate::message::{Message, Parts};
use crate::place::{JournalFile, Position};
use crate::policy::PolicyKind;
use crate::queue::due::due;
use crate::queue::{Queue, QueueId};
use crate::store::Journal;
use crate::store::definitions::{Definition, Opened, PolicyDefinition, QueueDefinition, VhostDefinition};
use crate::store::journal::{Limits, Start};
use crate::store::recovery::{Alive, Recovery};
use crate::store::simulated::SimDisk;
use crate::store::stored::Returns;
use crate::store::temporary::Temporary;
use crate::store::unit::Unit;
use crate::time::Time;
use crate::vhost::publisher::{Origin, Publisher};
use crate::vhost::registry::Vhosts;
use crate::vhost::restore::Restored;

/// How many of the many ways in which the power may go are tried.
pub(super) const WAYS: u64 = 32;
const HOUR: Duration = Duration::from_hours(1);

/// A virtual host with a journal on a disk that is simulated, and a queue in it in which messages wait.
pub(super) struct Kept {
    _data: Temporary,
    disk: Arc<SimDisk>,
    pub(super) vhost: Arc<Vhost>,
    pub(super) queue: Arc<Queue>,
}

/// A message of a queue that is found after a loss of power: its body, and when it is due if it waits.
pub(super) type Found = (String, Option<Time>);

impl Kept {
    pub(super) fn new() -> Self {
        let (data, disk) = (Temporary::new(), SimDisk::new(1));
        let limits = Limits { file_bytes: 1 << 20, margin_bytes: 1 << 16, ..Limits::default() };
        let journal =
            Journal::open(Arc::<SimDisk>::clone(&disk), &Start::default(), limits, Arc::new(())).unwrap();
        let definitions = Opened::open(data.path(), &[]).unwrap().start(Arc::clone(&journal)).unwrap();
        let store = VhostStore { journal, definitions, handle: StoreHandle::in_memory() };
        let (vhost, _) = Vhost::define("/".into(), None, Durability::Fsync, store);
        let vhosts = Vhosts::default();
        vhosts.insert(vhost);
        let vhost = vhosts.get("/").unwrap();
        let options = QueueOptions::scheduling(true);
        let queue = vhost.queue_declare(Some(QueueName::from("q")), &options, MINE).unwrap().queue;
        Self { _data: data, disk, vhost, queue }
    }

    fn unit(&self) -> Unit {
        let journal = Arc::clone(&self.vhost.stored().unwrap().journal);
        Unit::new(Some(journal), Durability::Fsync)
    }

    fn end(&self, mut unit: Unit) {
        let batch = unit.end().expect("records");
        assert!(self.vhost.stored().unwrap().journal.wait(batch));
    }

    pub(super) fn publish(&self, exchange: &str, delay: Duration, body: &str) {
        let delay = i64::try_from(delay.as_millis()).unwrap();
        let headers = TableBuilder::new().long("x-delay", delay).finish();
        // Delivery mode 2.
        let properties = Properties::parse(&[0x10, 0, 2]).unwrap().with_headers(headers.as_table());
        let mut message = Message::compose(exchange, "q", &properties, body.as_bytes()).unwrap();
        message.arrive(Time::now());
        let (mut publisher, mut unit) = (Publisher::default(), self.unit());
        let routed = publisher.route(&self.vhost, &message, &[], None, &mut unit).unwrap();
        publisher.gather(&self.vhost, routed, message, Origin::default(), &mut unit);
        publisher.flush(&self.vhost, &mut unit);
        self.end(unit);
    }

    /// What is found of any queue by a broker that starts after a loss of power now.
    pub(super) fn after_power_loss(&self, seed: u64) -> Vec<Found> {
        let mut recovery = Recovery::find(self.disk.after_crash(seed)).unwrap();
        let replay = recovery.replay(&mut |_| {}).unwrap();
        let mut found = Vec::new();
        let mut give = |alive: Alive<'_>| {
            let parts: Parts = alive.parts;
            let message = Message::new(bytes::Bytes::copy_from_slice(alive.message), parts).unwrap();
            found.push((String::from_utf8(message.body().to_vec()).unwrap(), due(&message)));
        };
        recovery.messages(&replay, &|_, _| false, &mut |_| {}, &mut give).unwrap();
        found
    }

    fn assert_found(&self, expected: &[(&str, Option<Time>)]) {
        for seed in 0..WAYS {
            let mut found = self.after_power_loss(seed);
            found.sort();
            let found: Vec<_> = found.iter().map(|(body, due)| (body.as_str(), *due)).collect();
            assert_eq!(found, expected, "{seed}");
        }
    }
}

#[test]
fn what_was_rescheduled_or_cancelled_is_so_after_a_loss_of_power() {
    let kept = Kept::new();
    for body in ["a", "b", "c"] {
        kept.publish("", HOUR, body);
    }
    let ids: Vec<_> = kept.queue.scheduled(None, 9).unwrap().iter().map(|one| one.id).collect();
    let later = ids[0].due.plus(HOUR);
    let mut unit = kept.unit();
    let moved = kept.queue.reschedule(ids[0], later, &mut unit).unwrap().unwrap();
    kept.end(unit);
    kept.assert_found(&[("a", Some(later)), ("b", Some(ids[1].due)), ("c", Some(ids[2].due))]);
    let mut unit = kept.unit();
    assert!(kept.queue.cancel_scheduled(moved, &mut unit).unwrap().is_some());
    assert!(kept.queue.cancel_scheduled(ids[1], &mut unit).unwrap().is_some());
    unit.group().require_sync();
    kept.end(unit);
    kept.assert_found(&[("c", Some(ids[2].due))]);
}

#[test]
fn a_message_is_in_one_place_whenever_the_power_goes_while_it_moves() {
    let kept = Kept::new();
    let arguments = TableBuilder::new().string("x-delayed-type", "fanout").finish();
    let options = ExchangeOptions::parse("x-delayed-message", arguments.as_table()).unwrap();
    kept.vhost.exchange_declare(&"x".into(), ExchangeOptions { durable: true, ..options }).unwrap();
    kept.vhost.bind(&ends("x", "")).unwrap();
    for exchange in ["", "x"] {
        // Before it is published: it may be due by the time that it is on the disk.
        let ready = kept.queue.status().unwrap().ready;
        kept.publish(exchange, Duration::from_millis(20), "body");
        let mut seed = 0;
        while kept.queue.status().unwrap().ready == ready {
            let found: Vec<_> = kept.after_power_loss(seed).into_iter().map(|(body, _)| body).collect();
            assert_eq!(found, vec!["body"; ready + 1], "{exchange:?} {seed}");
            seed += 1;
        }
        kept.vhost.stored().unwrap().journal.quiesce();
        for seed in 0..WAYS {
            assert_eq!(kept.after_power_loss(seed).len(), ready + 1, "{exchange:?} {seed}");
        }
        // What is confirmed afterwards stands behind it.
        kept.publish("", HOUR, "waits");
        let id = kept.queue.scheduled(None, 1).unwrap()[0].id;
        for seed in 0..WAYS {
            let found = kept.after_power_loss(seed);
            assert_eq!(found.iter().filter(|(body, due)| body == "body" && due.is_none()).count(), ready + 1);
        }
        let mut unit = kept.unit();
        kept.queue.cancel_scheduled(id, &mut unit).unwrap().unwrap();
        unit.group().require_sync();
        kept.end(unit);
    }
}

#[test]
fn what_waits_by_a_policy_alone_waits_on_for_the_next_broker() {
    for (pattern, expected) in [("^q$", (0, 1)), ("^other$", (1, 0))] {
        let policy = policy(PolicyKind::User, "p", pattern, &json!({ "scheduled": true }));
        let queue = QueueDefinition {
            vhost: "/".into(),
            name: "q".into(),
            id: QueueId::stored(1),
            auto_delete: false,
            arguments: TableBuf::default(),
            paused: false,
        };
        let definitions = vec![
            Definition::Vhost(VhostDefinition { name: "/".into(), ..VhostDefinition::default() }),
            Definition::Queue(queue),
            Definition::Policy(PolicyDefinition { vhost: "/".into(), kind: PolicyKind::User, policy }),
        ];
        let restored = Restored::new(definitions, Durability::Fsync, &StoreHandle::in_memory(), &|_| true);
        let headers = TableBuilder::new().int("x-delay", 3_600_000).finish();
        let properties = Properties::parse(&[0x10, 0, 2]).unwrap().with_headers(headers.as_table());
        let mut message = Message::compose("", "q", &properties, b"body").unwrap();
        message.arrive(Time::now());
        let queue = &restored.queues()[0];
        queue.push_restored(Position(0), Returns::default(), JournalFile(1), message);
        let status = queue.status().unwrap();
        assert_eq!((status.ready, status.scheduled), expected, "{pattern}");
    }
}
