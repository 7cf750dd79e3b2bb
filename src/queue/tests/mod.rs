//! Tests of the queue as its users see it, with recipients and shared credits that only count.

mod combinations;
mod counting;
mod disk;
mod groups;
mod lateness;
mod lease;
mod lives;
mod looking;
mod model;
mod paging;
mod programs;
mod retry;
mod returning;
mod rules;
mod scheduled;
mod standing;
mod steps;
mod waiting;

use std::sync::{Arc, Mutex};

use super::consumers::Consumer;
use super::core::{Dead, Due, Settlement};
use super::delivery::{Delivery, Late, Recipient, SharedCredit, Waiter, cost};
use super::id::{ConsumerKey, UnackedKey};
use super::options::QueueOptions;
use super::queue::Got;
use super::undertaker::Undertaker;
use super::{Queue, QueueId};
use crate::message::Message;
use crate::name::{ConsumerTag, QueueName};
use crate::place::Position;
use crate::store::op::Group;

/// What a delivery takes of an inbox's room, as its bound is written.
fn size(message: &Message) -> i64 {
    i64::try_from(cost(message)).unwrap()
}

/// A recipient that keeps what it gets until it is asked, with bounded room and an account of it.
pub(super) struct Inbox {
    id: u64,
    state: Mutex<InboxState>,
}

#[derive(Default)]
struct InboxState {
    room: i64,
    /// Reserved for deliveries that did not come yet.
    reserved: i64,
    deliveries: Vec<Delivery>,
    waiting: Vec<Arc<dyn Waiter>>,
    gone: Vec<u32>,
    late: Vec<Late>,
    /// Channels whose gets may be served again.
    loaded: Vec<u16>,
    /// Room that comes just before the next queue asks to be told of it.
    comes: i64,
}

impl Inbox {
    pub(super) fn new(id: u64, room: i64) -> Arc<Self> {
        Arc::new(Self { id, state: Mutex::new(InboxState { room, ..InboxState::default() }) })
    }

    /// Takes what is in it and makes room, without telling the queues.
    fn take(&self) -> (Vec<Delivery>, Vec<Arc<dyn Waiter>>) {
        let mut state = self.state.lock().unwrap();
        let deliveries = std::mem::take(&mut state.deliveries);
        state.room += deliveries.iter().map(|delivery| size(&delivery.message)).sum::<i64>();
        (deliveries, std::mem::take(&mut state.waiting))
    }

    /// Takes what is in it and tells the queues that there is room.
    fn drain(&self) -> Vec<Delivery> {
        let (deliveries, waiting) = self.take();
        for queue in waiting {
            queue.room_made(self.id);
        }
        deliveries
    }

    /// The bodies of what is in it, which it does not hold any more.
    fn bodies(&self) -> Vec<String> {
        self.drain()
            .iter()
            .map(|delivery| String::from_utf8(delivery.message.body().to_vec()).unwrap())
            .collect()
    }
}

impl Recipient for Inbox {
    fn id(&self) -> u64 {
        self.id
    }

    fn reserve(&self, bytes: usize) -> bool {
        let may = self.has_room();
        if may {
            self.charge(bytes);
        }
        may
    }

    fn unreserve(&self, bytes: usize) {
        let mut state = self.state.lock().unwrap();
        state.room += i64::try_from(bytes).unwrap();
        state.reserved -= i64::try_from(bytes).unwrap();
    }

    fn has_room(&self) -> bool {
        self.state.lock().unwrap().room > 0
    }

    fn overdrawn(&self) -> usize {
        usize::try_from(-self.state.lock().unwrap().room).unwrap_or(0)
    }

    fn charge(&self, bytes: usize) {
        let mut state = self.state.lock().unwrap();
        state.room -= i64::try_from(bytes).unwrap();
        state.reserved += i64::try_from(bytes).unwrap();
    }

    fn await_room(&self, queue: Arc<dyn Waiter>) -> bool {
        let mut state = self.state.lock().unwrap();
        state.room += std::mem::take(&mut state.comes);
        if state.room > 0 {
            return false;
        }
        // Each queue once, however many of its consumers wait: each pump would bring more of them otherwise.
        if !state.waiting.iter().any(|other| other.id() == queue.id()) {
            state.waiting.push(queue);
        }
        true
    }

    fn deliver(&self, deliveries: &mut Vec<Delivery>) {
        let mut state = self.state.lock().unwrap();
        state.reserved -= deliveries.iter().map(|delivery| size(&delivery.message)).sum::<i64>();
        state.deliveries.append(deliveries);
    }

    fn consumer_gone(&self, slot: u32, _: QueueId) {
        self.state.lock().unwrap().gone.push(slot);
    }

    fn delivery_late(&self, late: Late) {
        self.state.lock().unwrap().late.push(late);
    }

    fn loaded(&self, channel: u16) {
        self.state.lock().unwrap().loaded.push(channel);
    }
}

/// A prefetch that consumers share.
#[derive(Default)]
struct Credit(Mutex<CreditState>);

#[derive(Default)]
struct CreditState {
    limit: u32,
    used: u32,
    /// How often one was taken.
    takes: u32,
    /// What the limit grows by just before the next queue asks to be told of it.
    comes: u32,
    waiting: Vec<Arc<dyn Waiter>>,
}

impl Credit {
    fn new(limit: u32) -> Arc<Self> {
        Arc::new(Self(Mutex::new(CreditState { limit, ..CreditState::default() })))
    }

    fn used(&self) -> u32 {
        self.0.lock().unwrap().used
    }

    fn takes(&self) -> u32 {
        self.0.lock().unwrap().takes
    }

    fn add_used(&self, used: u32) {
        self.0.lock().unwrap().used += used;
    }

    /// Deliveries that counted are settled.
    fn release(&self, deliveries: u32) {
        let waiting = {
            let mut state = self.0.lock().unwrap();
            state.used -= deliveries;
            std::mem::take(&mut state.waiting)
        };
        for queue in waiting {
            queue.credit_made();
        }
    }
}

impl SharedCredit for Credit {
    fn take(&self) -> bool {
        let mut state = self.0.lock().unwrap();
        let may = state.used < state.limit;
        state.used += u32::from(may);
        state.takes += u32::from(may);
        may
    }

    fn await_credit(&self, queue: Arc<dyn Waiter>) -> bool {
        let mut state = self.0.lock().unwrap();
        state.limit += std::mem::take(&mut state.comes);
        if state.used < state.limit {
            return false;
        }
        if !state.waiting.iter().any(|other| other.id() == queue.id()) {
            state.waiting.push(queue);
        }
        true
    }
}

/// Takes dead messages, and the places of those that are gone, to bury them after the step.
#[derive(Default)]
struct Graves(Mutex<Vec<UnackedKey>>, Mutex<Vec<Position>>);

impl Graves {
    fn dig(&self, queue: &Queue, group: &mut Group) {
        queue.left(&std::mem::take(&mut *self.0.lock().unwrap()), group);
        for position in std::mem::take(&mut *self.1.lock().unwrap()) {
            group.settle(queue.id(), position);
        }
    }
}

impl Undertaker for Graves {
    fn bury(&self, _: &Arc<Queue>, dead: Vec<Dead>) {
        self.0.lock().unwrap().extend(dead.iter().map(|dead| dead.key));
    }

    fn settle(&self, _: QueueId, gone: Vec<Position>) {
        self.1.lock().unwrap().extend(gone);
    }

    fn due(&self, _: &Arc<Queue>, _: Vec<Due>) {}

    fn expired(&self, _: &Arc<Queue>) {
        unreachable!("it is used");
    }
}

fn queue(options: QueueOptions) -> Arc<Queue> {
    Arc::new(Queue::new(QueueName::from("q"), options, None))
}

/// A consumer without limits that settles what it gets.
pub(super) fn consumer(inbox: &Arc<Inbox>, slot: u32) -> Consumer {
    Consumer {
        tag: ConsumerTag::from("c"),
        slot,
        recipient: Arc::<Inbox>::clone(inbox),
        no_ack: false,
        exclusive: false,
        priority: 0,
        prefetch: 0,
        timeout: None,
        shared_credit: None,
        subscriber: None,
    }
}

fn consume(queue: &Arc<Queue>, consumer: Consumer) -> ConsumerKey {
    queue.consume(consumer).unwrap()
}

/// Gets a message, for whoever wants none of what is told him.
fn got(queue: &Queue, no_ack: bool) -> Got {
    let nobody: Arc<dyn Recipient> = Inbox::new(0, 0);
    queue.get(no_ack, &nobody, 1, &mut Group::default()).unwrap()
}

/// Publishes messages of these bodies, in one batch.
fn publish(queue: &Arc<Queue>, bodies: &[&str]) {
    let mut messages =
        bodies.iter().map(|body| Message::compose("", "q", &[0, 0], body.as_bytes()).unwrap()).collect();
    queue.publish(&mut messages, None).unwrap();
    assert!(messages.is_empty());
}
