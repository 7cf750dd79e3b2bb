//! What the channels of one connection share.

use std::net::SocketAddr;
use std::sync::Arc;

use foldhash::HashMap;

use super::answer::Until;
use super::authority::Authority;
use super::subscription::{Source, Subscriptions};
use crate::config::Durability;
use crate::name::ConnectionId;
use crate::place::Batch;
use crate::queue::core::Settlement;
use crate::queue::delivery::{Delivery, Recipient};
use crate::queue::{Queue, QueueId};
use crate::store::journal::Synced;
use crate::store::op::Group;
use crate::store::unit::Unit;
use crate::time::Time;
use crate::vhost::Vhost;
use crate::vhost::publisher::Publisher;

/// One connection, as its channels see it.
pub struct Session {
    /// Which connection.
    pub connection: ConnectionId,
    /// Where it comes from and arrived, for the log.
    pub name: String,
    /// Where its client is; nothing when it has no socket.
    pub peer: Option<SocketAddr>,
    /// Who is logged in, and what it may do.
    pub authority: Authority,
    /// Where its exchanges and queues are.
    pub vhost: Arc<Vhost>,
    /// Its outbox.
    pub recipient: Arc<dyn Recipient>,
    /// Where its deliveries come from.
    pub subscriptions: Subscriptions,
    /// Slots with acknowledged deliveries that their queues have not been told of.
    pub acked: Vec<u32>,
    /// The records of the batch of frames that is being served.
    pub unit: Unit,
    /// Who is told when the journal went on.
    synced: Option<Arc<dyn Synced>>,
    /// Channels that were published on since the unit was ended, and want confirms.
    pub confirming: Vec<u16>,
    /// Channels with publishes that wait for the journal.
    pub unconfirmed: Vec<u16>,
    /// What it publishes.
    pub publisher: Publisher,
    /// Its exclusive queues: they go with it.
    pub exclusive_queues: HashMap<QueueId, Arc<Queue>>,
    /// Whether the client understands `basic.cancel` from a server.
    pub consumer_cancel_notify: bool,
    /// The largest body that may be published, in bytes.
    pub message_size_max: u64,
    /// When the batch of frames came that is being served, once somebody asked.
    now: Option<Time>,
}

impl Session {
    /// A connection that has done nothing yet.
    pub fn new(
        connection: ConnectionId,
        name: String,
        authority: Authority,
        vhost: Arc<Vhost>,
        recipient: Arc<dyn Recipient>,
        consumer_cancel_notify: bool,
        message_size_max: u64,
    ) -> Self {
        let unit = vhost.unit();
        let publisher = Publisher::of_client(&vhost, authority.publish_rate());
        Self {
            connection,
            name,
            peer: None,
            authority,
            vhost,
            recipient,
            subscriptions: Subscriptions::default(),
            acked: Vec::new(),
            unit,
            synced: None,
            confirming: Vec::new(),
            unconfirmed: Vec::new(),
            publisher,
            exclusive_queues: HashMap::default(),
            consumer_cancel_notify,
            message_size_max,
            now: None,
        }
    }

    /// When the batch of frames came that is being served: the clock is read once for all of its messages.
    #[inline]
    pub fn now(&mut self) -> Time {
        *self.now.get_or_insert_with(Time::now)
    }

    /// The user may have other rights and limits than before.
    pub fn renew_limits(&mut self) {
        self.publisher.limit_user(self.authority.publish_rate());
    }

    /// The same with a socket, whose other end is there.
    #[must_use]
    pub fn of_peer(self, peer: SocketAddr) -> Self {
        Self { peer: Some(peer), ..self }
    }

    /// The same with somebody who is told when the journal went on.
    #[must_use]
    pub fn told_by_the_journal(self, synced: Arc<dyn Synced>) -> Self {
        Self { synced: Some(synced), ..self }
    }

    /// Hands what was gathered from a batch of frames to the queues: publishes, then acknowledgements. Their records are in
    /// the unit until [`Self::end_unit`].
    pub fn flush(&mut self) {
        self.now = None;
        self.publisher.flush(&self.vhost, &mut self.unit);
        if self.publisher.has_traced() {
            self.tell_published();
        }
        self.flush_acked();
    }

    /// Tells the queues what was acknowledged.
    pub fn flush_acked(&mut self) {
        for slot in self.acked.drain(..) {
            if let Some(subscription) = self.subscriptions.get_mut(slot) {
                if let Some(subscriber) = subscription.subscriber.as_deref()
                    && !subscription.no_ack
                {
                    subscriber.ack.add(subscription.acked.len() as u64);
                }
                if let Some(queue) = subscription.queue() {
                    let records = records_of(queue, &mut self.unit);
                    queue.settle(&subscription.acked, Settlement::Discard, records);
                }
                subscription.acked.clear();
            }
            self.subscriptions.release_if_spent(slot);
        }
    }

    /// The records that there are go to the journal; gives the group commit that they are in.
    ///
    /// To be called at the end of every batch, since a file of the journal is not left while a unit is open in it, and
    /// before anything new is taken from the outbox or from a queue: what is settled in a unit must not have been
    /// published after it was begun, or its settlement might stand in a file that goes before the publish does.
    pub fn end_unit(&mut self) -> Option<Batch> {
        self.unit.end()
    }

    /// The same for a commit, whose answer waits for it.
    pub fn commit_unit(&mut self) -> Option<Batch> {
        if self.unit.is_empty() {
            self.unit.end();
            return None;
        }
        if self.unit.durability() == Durability::Fsync {
            self.unit.group().require_sync();
        }
        self.unit.end()
    }

    /// Whether `until` is still to be reached. Then the connection is told when it is, or never will be.
    pub fn awaits(&self, until: Until) -> bool {
        let (Some(journal), Some(synced)) = (self.unit.journal(), &self.synced) else { return false };
        let awaits = match until {
            Until::Synced(batch) => journal.notify(batch, Arc::clone(synced)),
            Until::Written(batch) => journal.notify_written(batch, Arc::clone(synced)),
        };
        if awaits && journal.failure().is_some() {
            // It told so before we asked, and will not again.
            synced.synced();
        }
        awaits
    }

    /// Whether the journal is so far.
    pub fn is_reached(&self, until: Until) -> bool {
        let Some(journal) = self.unit.journal() else { return true };
        match until {
            Until::Synced(batch) => journal.durable() >= batch,
            Until::Written(batch) => journal.written() >= batch,
        }
    }

    /// When messages with records in this group commit are as durable as is promised here.
    pub fn until(&self, batch: Batch) -> Until {
        if self.unit.durability() == Durability::Fsync { Until::Synced(batch) } else { Until::Written(batch) }
    }

    /// Through which group commit messages are as durable as is promised here.
    pub fn done(&self) -> Batch {
        let Some(journal) = self.unit.journal() else { return Batch::default() };
        if self.unit.durability() == Durability::Fsync { journal.durable() } else { journal.written() }
    }

    /// Takes a delivery back to its queue that was in the outbox and was not sent.
    pub fn unsend(&mut self, delivery: Delivery) {
        let Some(subscription) = self.subscriptions.get(delivery.slot) else { return };
        let Some(queue) = subscription.queue() else { return };
        match delivery.unacked {
            Some(key) => queue.settle(&[key], Settlement::Unsent, records_of(queue, &mut self.unit)),
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
            if queue.delete(false, false, records_of(&queue, &mut self.unit)).is_ok() {
                self.vhost.forget_queue(&queue);
            }
        }
    }
}

/// Where it is written what becomes of messages of a queue. Only one that outlives the broker writes anything, and takes a
/// ticket.
pub(super) fn records_of<'u>(queue: &Queue, unit: &'u mut Unit) -> &'u mut Group {
    if queue.is_journalled() { unit.group() } else { unit.group_without_ticket() }
}
