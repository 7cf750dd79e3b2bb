//! Consumers that come and go under the queue's lock.

use std::sync::{Arc, Mutex};

use super::consumers::{Consumer, ConsumerKey};
use super::core::{QueueCore, Settlement};
use super::delivery::{Delivery, Recipient};
use super::options::QueueOptions;
use super::{Queue, QueueId};
use crate::message::Message;
use crate::name::ConsumerTag;

/// A recipient with room for everything.
#[derive(Default)]
struct Inbox(Mutex<Vec<Delivery>>);

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
    fn charge(&self, _: usize) {}
    fn await_room(&self, _: &Arc<Queue>) -> bool {
        false
    }
    fn deliver(&self, deliveries: &mut Vec<Delivery>) {
        self.0.lock().unwrap().append(deliveries);
    }
    fn consumer_gone(&self, _: u32, _: QueueId) {}
}

impl Inbox {
    fn take(&self) -> Vec<Delivery> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn single_active() -> QueueCore {
    QueueCore::new(&QueueOptions { single_active_consumer: true, ..QueueOptions::default() })
}

fn consume(core: &mut QueueCore, inbox: &Arc<Inbox>) -> ConsumerKey {
    let recipient: Arc<dyn Recipient> = Arc::<Inbox>::clone(inbox);
    let consumer = Consumer {
        tag: ConsumerTag::from("c"),
        slot: 0,
        recipient,
        no_ack: false,
        exclusive: false,
        priority: 0,
        prefetch: 0,
        shared_credit: None,
    };
    core.consume(consumer).ok().unwrap()
}

fn publish(core: &mut QueueCore) {
    core.publish(Message::compose("", "q", &[0, 0], b"body").unwrap());
    core.deliver();
    core.hand_over();
}

#[test]
fn a_consumer_that_is_leaving_does_not_become_the_single_active_one() {
    let mut core = single_active();
    let inboxes: Vec<Arc<Inbox>> = (0..3).map(|_| Arc::default()).collect();
    let keys: Vec<_> = inboxes.iter().map(|inbox| consume(&mut core, inbox)).collect();
    // The second one's channel ends; before it is out of the queue the active one goes as well.
    core.stop(keys[1]);
    core.cancel(keys[0]);
    publish(&mut core);
    assert_eq!(inboxes[1].take().len(), 0, "nothing reaches a channel that has ended");
    assert_eq!(inboxes[2].take().len(), 1, "the next one has the queue");
    core.cancel(keys[1]);
    publish(&mut core);
    assert_eq!(inboxes[2].take().len(), 1);
}

#[test]
fn a_queue_whose_consumers_are_all_leaving_is_free_for_the_next_one() {
    let mut core = single_active();
    let inboxes: Vec<Arc<Inbox>> = (0..3).map(|_| Arc::default()).collect();
    let active = consume(&mut core, &inboxes[0]);
    let standby = consume(&mut core, &inboxes[1]);
    core.stop(standby);
    core.cancel(active);
    let next = consume(&mut core, &inboxes[2]);
    publish(&mut core);
    let delivered = inboxes[2].take();
    assert_eq!(delivered.len(), 1);
    core.cancel(standby);
    core.settle(&[delivered[0].unacked.unwrap()], Settlement::Requeue);
    core.deliver();
    core.hand_over();
    assert_eq!(inboxes[2].take().len(), 1, "it still is the active one");
    core.cancel(next);
    assert_eq!((core.ready(), core.unacked(), core.consumers()), (0, 1, 0));
}
