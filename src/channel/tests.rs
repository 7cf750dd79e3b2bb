//! What a channel leaves behind, seen from within: slots, queues and names that nobody needs any more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use leveret_protocol::method::Method;

use super::*;
use crate::access::Access;
use crate::auth::{AccessSettings, DEFAULT_VHOST};
use crate::channel::authority::Authority;
use crate::message::Message;
use crate::name::{ConnectionId, VhostName};
use crate::place::JournalFile;
use crate::queue::delivery::{Delivery, Late, Recipient, Waiter};
use crate::queue::options::QueueOptions;
use crate::queue::{Queue, QueueId};
use crate::vhost::Vhost;

/// A recipient with room for everything.
#[derive(Default)]
struct Inbox {
    deliveries: Mutex<Vec<Delivery>>,
    gone: Mutex<Vec<(u32, QueueId)>>,
    /// Whether there is a mistake in it, to be met under a queue's lock.
    mistaken: AtomicBool,
}

impl Recipient for Inbox {
    fn id(&self) -> u64 {
        std::ptr::from_ref(self).addr() as u64
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
    fn deliver(&self, deliveries: &mut Vec<Delivery>) {
        assert!(!self.mistaken.load(Ordering::Relaxed), "a mistake under a queue's lock");
        self.deliveries.lock().unwrap().append(deliveries);
    }
    fn delivery_late(&self, _: Late) {}
    fn loaded(&self, _: u16) {}

    fn consumer_gone(&self, slot: u32, queue: QueueId) {
        self.gone.lock().unwrap().push((slot, queue));
    }
}

/// A client that remembers what it was told, as text.
#[derive(Default)]
struct Told(Vec<String>);

impl Peer for Told {
    fn method(&mut self, _: u16, method: Method<'_>) {
        self.0.push(format!("{method:?}"));
    }
    fn content(&mut self, _: u16, method: Method<'_>, _: &Message, _: &[u8]) {
        self.0.push(format!("{method:?}"));
    }
    fn deliver(&mut self, _: u16, consumer_tag: &str, _: u64, _: bool, _: &Message, _: &[u8]) {
        self.0.push(format!("deliver {consumer_tag}"));
    }
}

struct Connection {
    session: Session,
    inbox: Arc<Inbox>,
    told: Told,
}

impl Connection {
    fn new() -> Self {
        let inbox = Arc::new(Inbox::default());
        let recipient: Arc<dyn Recipient> = Arc::<Inbox>::clone(&inbox);
        let vhost = Arc::new(Vhost::new(VhostName::from(DEFAULT_VHOST)));
        let access = Arc::new(Access::in_memory(AccessSettings::default()));
        let authority = Authority::new(access, "guest", vhost.name()).unwrap();
        let session =
            Session::new(ConnectionId(1), String::from("client"), authority, vhost, recipient, true, 1 << 20);
        Self { session, inbox, told: Told::default() }
    }

    fn ok(&mut self, channel: &mut Channel, method: impl Into<Method<'static>>) {
        channel.method(method.into(), &mut self.session, &mut self.told).unwrap();
        self.session.flush();
    }

    /// As a connection serves it: the consumer leaves before the answer.
    fn cancel(&mut self, channel: &mut Channel, consumer_tag: &'static str) {
        channel.stop_consumer(consumer_tag, &mut self.session);
        self.ok(channel, basic::Cancel { consumer_tag, no_wait: false });
    }
}

fn declare(queue: &'static str, exclusive: bool, auto_delete: bool) -> queue_class::Declare<'static> {
    queue_class::Declare { queue, exclusive, auto_delete, ..queue_class::Declare::default() }
}

fn consume(queue: &'static str, consumer_tag: &'static str, no_ack: bool) -> basic::Consume<'static> {
    basic::Consume { queue, consumer_tag, no_ack, ..basic::Consume::default() }
}

#[test]
fn a_publish_that_waits_for_its_header_counts_as_nothing_held() {
    let mut channel = Channel::new(1);
    channel.basic_publish(&basic::Publish::default(), &[0, 0]).unwrap();
    assert_eq!(channel.held(), 0, "what is counted when it leaves must have been counted when it came");
}

#[test]
fn an_exclusive_queue_that_deleted_itself_is_forgotten_by_its_connection() {
    let mut connection = Connection::new();
    let mut channel = Channel::new(1);
    for _ in 0..100 {
        connection.ok(&mut channel, declare("q", true, true));
        connection.ok(&mut channel, consume("q", "c", true));
        connection.cancel(&mut channel, "c");
    }
    assert!(connection.session.vhost.queues().get("q").is_none(), "it deleted itself");
    assert_eq!(connection.session.exclusive_queues.len(), 0);
}

#[test]
fn queues_that_were_got_from_and_are_gone_leave_no_subscription() {
    let mut connection = Connection::new();
    let mut channel = Channel::new(1);
    for at in 1..=100 {
        connection.ok(&mut channel, declare("", true, false));
        let name = channel.last_queue.clone().unwrap();
        let message = Message::compose("", name.as_str(), &[0, 0], b"").unwrap();
        channel.publish(false, message, &mut connection.session, &mut connection.told).unwrap();
        connection.session.flush();
        connection.ok(&mut channel, basic::Get::default());
        connection.ok(&mut channel, basic::Ack { delivery_tag: at, multiple: false });
        connection.ok(&mut channel, queue_class::Delete::default());
    }
    let kept = connection.session.subscriptions.len();
    assert!(kept <= 1, "{kept} subscriptions");
    channel.close(&mut connection.session);
    assert_eq!(connection.session.subscriptions.len(), 0);
}

#[test]
fn no_reply_comes_once_a_consumer_of_replies_is_being_stopped() {
    for close in [false, true] {
        let mut connection = Connection::new();
        let mut channel = Channel::new(1);
        connection.ok(&mut channel, consume("amq.rabbitmq.reply-to", "replies", true));
        let requesters = connection.session.vhost.requesters();
        let name = channel.requesting.as_ref().unwrap().name().to_owned();
        assert!(requesters.contains(&name));
        // From here on the outbox is emptied for the last time before the slot is used again.
        if close {
            channel.stop_consumers(&mut connection.session);
        } else {
            channel.stop_consumer("replies", &mut connection.session);
        }
        assert!(!connection.session.vhost.requesters().contains(&name), "close: {close}");
    }
}

#[test]
fn a_slot_that_is_used_again_is_not_taken_for_the_consumer_of_a_queue_that_went() {
    let mut connection = Connection::new();
    let mut channel = Channel::new(1);
    connection.ok(&mut channel, declare("old", false, false));
    connection.ok(&mut channel, declare("new", false, false));
    connection.ok(&mut channel, consume("old", "first", true));
    let vhost = Arc::clone(&connection.session.vhost);
    vhost.queue_delete("old", ConnectionId(2), false, false).unwrap();
    // The notice is still under way when the client cancels and consumes from another queue.
    connection.cancel(&mut channel, "first");
    connection.ok(&mut channel, consume("new", "second", true));
    let (slot, queue) = connection.inbox.gone.lock().unwrap().pop().unwrap();
    assert_eq!(channel.consumers.get("second"), Some(&slot), "the slot is used again");
    connection.told.0.clear();
    channel.consumer_gone(slot, queue, &mut connection.session, &mut connection.told);
    assert_eq!(connection.told.0, [""; 0]);
    assert!(channel.consumers.contains_key("second"));
}

#[test]
fn a_commit_to_a_queue_that_failed_settles_nothing() {
    let mut connection = Connection::new();
    let mut channel = Channel::new(1);
    for queue in ["good", "bad"] {
        connection.ok(&mut channel, declare(queue, false, false));
        let message = Message::compose("", queue, &[0, 0], b"").unwrap();
        channel.publish(false, message, &mut connection.session, &mut connection.told).unwrap();
        connection.session.flush();
    }
    connection.inbox.mistaken.store(true, Ordering::Relaxed);
    let failed = AssertUnwindSafe(|| connection.ok(&mut Channel::new(2), consume("bad", "c", true)));
    assert!(catch_unwind(failed).is_err());

    connection.ok(&mut channel, tx::Select {});
    connection.ok(&mut channel, basic::Get { queue: "good", no_ack: false });
    connection.ok(&mut channel, basic::Ack { delivery_tag: 1, multiple: false });
    let message = Message::compose("", "bad", &[0, 0], b"").unwrap();
    channel.publish(false, message, &mut connection.session, &mut connection.told).unwrap();
    let commit = channel.method(tx::Commit {}.into(), &mut connection.session, &mut connection.told);
    assert_eq!(commit.unwrap_err().code.code(), 541);

    channel.requeue_all(&mut connection.session);
    let good = connection.session.vhost.queues().get("good").unwrap().status().unwrap();
    assert_eq!((good.ready, good.unacked), (1, 0), "what was not committed goes back");
}

#[test]
fn what_outlives_the_broker_stays_in_its_queue_until_it_is_sent_to_a_consumer_that_does_not_acknowledge() {
    for sent in [true, false] {
        let mut connection = Connection::new();
        let mut channel = Channel::new(1);
        let durable = Queue::new(QueueName::from("q"), QueueOptions::default(), None).journalled();
        let queue = Arc::new(durable);
        connection.session.vhost.queues().insert(&queue);
        connection.ok(&mut channel, consume("q", "c", true));
        let persistent = Message::compose("", "q", &[0x10, 0x00, 2], b"").unwrap();
        let home = Some(JournalFile(1));
        queue.publish(&mut vec![persistent], home).unwrap();
        let delivery = connection.inbox.deliveries.lock().unwrap().pop().unwrap();
        assert!(delivery.unacked.is_some(), "it is kept while it is on its way");
        let left = if sent {
            channel.deliver(&delivery, &mut connection.session, &mut connection.told);
            connection.session.flush_acked();
            let unknown = basic::Ack { delivery_tag: 1, multiple: false };
            let ack = channel.method(unknown.into(), &mut connection.session, &mut connection.told);
            assert_eq!(ack.unwrap_err().code.code(), 406, "there is nothing to acknowledge");
            (0, 0)
        } else {
            channel.stop_consumer("c", &mut connection.session);
            connection.session.unsend(delivery);
            (1, 0)
        };
        let status = queue.status().unwrap();
        assert_eq!((status.ready, status.unacked), left, "sent: {sent}");
    }
}

#[test]
fn a_commit_that_multiplies_beyond_all_bounds_is_refused_and_one_of_many_small_messages_is_not() {
    let mut connection = Connection::new();
    let mut channel = Channel::new(1);
    connection.ok(&mut channel, tx::Select {});
    let publish = |channel: &mut Channel, connection: &mut Connection, exchange: &str, count: usize| {
        let message = Message::compose(exchange, "q", &[0, 0], b"").unwrap();
        for _ in 0..count {
            channel.publish(false, message.clone(), &mut connection.session, &mut connection.told).unwrap();
        }
        channel.method(tx::Commit {}.into(), &mut connection.session, &mut connection.told)
    };
    for _ in 0..1000 {
        connection.ok(&mut channel, declare("", true, false));
        connection
            .ok(&mut channel, queue_class::Bind { exchange: "amq.fanout", ..queue_class::Bind::default() });
    }
    connection.ok(&mut channel, declare("q", true, false));
    assert!(publish(&mut channel, &mut connection, "", 10_000).is_ok());
    assert_eq!(connection.session.vhost.queues().get("q").unwrap().status().unwrap().ready, 10_000);
    let refused = publish(&mut channel, &mut connection, "amq.fanout", 10_000).unwrap_err();
    assert!(refused.text.contains("larger than what is committed at once"), "{}", refused.text);
    let all = connection.session.exclusive_queues.values();
    let ready: usize = all.map(|queue| queue.status().unwrap().ready).sum();
    assert_eq!(ready, 10_000, "nothing of what was refused is anywhere");
    assert!(publish(&mut channel, &mut connection, "amq.fanout", 10).is_ok());
}

#[test]
fn a_transaction_that_no_commit_would_take_is_refused_at_the_publish_with_which_it_becomes_one() {
    let mut connection = Connection::new();
    let mut channel = Channel::new(1);
    connection.ok(&mut channel, tx::Select {});
    // Shared by all of its publishes.
    let large = Message::compose("", "q", &[0, 0], &vec![0; 64 << 20]).unwrap();
    let publish = |channel: &mut Channel, connection: &mut Connection| {
        channel.publish(false, large.clone(), &mut connection.session, &mut connection.told)
    };
    for round in 0..2 {
        for number in 0..7 {
            assert!(publish(&mut channel, &mut connection).is_ok(), "{number} of round {round}");
        }
        if round == 0 {
            channel.method(tx::Rollback {}.into(), &mut connection.session, &mut connection.told).unwrap();
        }
    }
    let refused = publish(&mut channel, &mut connection).unwrap_err();
    assert!(refused.text.contains("larger than what is committed at once"), "{}", refused.text);
}
