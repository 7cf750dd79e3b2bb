//! What the channels of one connection share.

use std::sync::Arc;

use foldhash::HashMap;

use super::publisher::Publisher;
use super::subscription::{Source, Subscriptions};
use crate::auth::User;
use crate::name::ConnectionId;
use crate::queue::core::Settlement;
use crate::queue::delivery::{Delivery, Recipient};
use crate::queue::{Queue, QueueId};
use crate::store::op::Group;
use crate::vhost::Vhost;

/// One connection, as its channels see it.
pub struct Session {
    /// Which connection.
    pub connection: ConnectionId,
    /// Where it comes from and arrived, for the log.
    pub name: String,
    /// Who is logged in.
    pub user: Arc<User>,
    /// Where its exchanges and queues are.
    pub vhost: Arc<Vhost>,
    /// Its outbox.
    pub recipient: Arc<dyn Recipient>,
    /// Where its deliveries come from.
    pub subscriptions: Subscriptions,
    /// Slots with acknowledged deliveries that their queues have not been told of.
    pub acked: Vec<u32>,
    /// Channels with publishes that are to be confirmed at the next flush.
    pub confirming: Vec<u16>,
    /// What it publishes.
    pub publisher: Publisher,
    /// Its exclusive queues: they go with it.
    pub exclusive_queues: HashMap<QueueId, Arc<Queue>>,
    /// Whether the client understands `basic.cancel` from a server.
    pub consumer_cancel_notify: bool,
    /// The largest body that may be published, in bytes.
    pub message_size_max: u64,
}

impl Session {
    /// A connection that has done nothing yet.
    pub fn new(
        connection: ConnectionId,
        name: String,
        user: Arc<User>,
        vhost: Arc<Vhost>,
        recipient: Arc<dyn Recipient>,
        consumer_cancel_notify: bool,
        message_size_max: u64,
    ) -> Self {
        Self {
            connection,
            name,
            user,
            vhost,
            recipient,
            subscriptions: Subscriptions::default(),
            acked: Vec::new(),
            confirming: Vec::new(),
            publisher: Publisher::default(),
            exclusive_queues: HashMap::default(),
            consumer_cancel_notify,
            message_size_max,
        }
    }

    /// Hands what was gathered from a batch of frames to the queues: publishes, then acknowledgements.
    pub fn flush(&mut self) {
        self.publisher.flush(&self.vhost);
        self.flush_acked();
    }

    /// Tells the queues what was acknowledged.
    pub fn flush_acked(&mut self) {
        for slot in self.acked.drain(..) {
            if let Some(subscription) = self.subscriptions.get_mut(slot) {
                if let Some(queue) = subscription.queue() {
                    queue.settle(&subscription.acked, Settlement::Discard, &mut Group::default());
                }
                subscription.acked.clear();
            }
            self.subscriptions.release_if_spent(slot);
        }
    }

    /// Takes a delivery back to its queue that was in the outbox and was not sent.
    pub fn unsend(&mut self, delivery: Delivery) {
        let Some(subscription) = self.subscriptions.get(delivery.slot) else { return };
        let Some(queue) = subscription.queue() else { return };
        match delivery.unacked {
            Some(key) => queue.settle(&[key], Settlement::Unsent, &mut Group::default()),
            None => queue.give_back(std::iter::once(delivery.into_entry())),
        }
    }

    /// Nothing is delivered to the consumer in `slot` from now on, though it is in its queue still.
    pub fn stop(&mut self, slot: u32) {
        if let Some(Source::Consumer { queue, key }) = self.subscriptions.get(slot).map(|found| &found.source)
        {
            queue.stop(*key);
        }
    }

    /// Takes the consumer in `slot` out of its queue; nothing is delivered to it from now on.
    pub fn leave_queue(&mut self, slot: u32) {
        let Some(subscription) = self.subscriptions.get_mut(slot) else { return };
        subscription.cancelled = true;
        if let Source::Consumer { queue, key } = &subscription.source
            && queue.cancel(*key)
        {
            let queue = Arc::clone(queue);
            self.exclusive_queues.remove(&queue.id());
            self.vhost.forget_queue(&queue);
        }
    }

    /// The connection ends: its exclusive queues go.
    pub fn delete_exclusive_queues(&mut self) {
        for queue in std::mem::take(&mut self.exclusive_queues).into_values() {
            if queue.delete(false, false, &mut Group::default()).is_ok() {
                self.vhost.forget_queue(&queue);
            }
        }
    }
}
