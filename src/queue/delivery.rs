//! A message on its way to a consumer, and what a queue needs to know of the one who takes it.

use std::sync::Arc;
use std::time::Duration;

use super::id::{ConsumerKey, QueueId, UnackedKey};
use super::ready::{Entry, Position};
use crate::message::Message;
use crate::store::stored::Returns;

/// A message on its way to one consumer.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// Its place in the queue, to be put back there if it is never sent.
    pub position: Position,
    /// Where the queue keeps it until it is settled. When the consumer acknowledges automatically: nothing, or, of a
    /// journalled message or in a queue with groups, where it is kept until it was sent; whoever sends it then settles it.
    pub unacked: Option<UnackedKey>,
    /// The consumer, as its recipient numbers its consumers.
    pub slot: u32,
    /// How often it was given to somebody before and came back.
    pub returns: Returns,
    /// Whether its consumer is told that.
    pub tells_returns: bool,
    /// Whether it may have been given to a consumer before.
    pub redelivered: bool,
}

impl Delivery {
    /// A message on its way to the consumer in `slot`, who is told of its returns if the queue counts them.
    pub(super) fn new(entry: Entry, slot: u32, unacked: Option<UnackedKey>, counts: bool) -> Self {
        let Entry { position, message, returns, redelivered, .. } = entry;
        let tells_returns = counts && !returns.is_none();
        Self { message, position, unacked, slot, returns, tells_returns, redelivered }
    }

    /// What is left to a queue that takes an unsent message back of which it kept nothing.
    pub fn into_entry(self) -> Entry {
        Entry {
            returns: self.returns,
            redelivered: self.redelivered,
            ..Entry::new(self.position, self.message)
        }
    }
}

/// A delivery that was not settled in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late {
    /// The queue that it came from.
    pub queue: QueueId,
    /// The consumer, as its recipient numbers its consumers.
    pub slot: u32,
    /// The same as its queue knows it.
    pub consumer: ConsumerKey,
    /// Where the queue keeps the message.
    pub key: UnackedKey,
    /// Its place in the queue.
    pub position: Position,
    /// How often it had come back before.
    pub acquired: u32,
    /// How long the consumer had.
    pub timeout: Duration,
}

/// The bytes that a delivery of a message is counted as in a recipient's bound.
pub fn cost(message: &Message) -> usize {
    message.len().saturating_add(DELIVERY_OVERHEAD_BYTES)
}

/// The frames' heads and the entry in the outbox.
pub(super) const DELIVERY_OVERHEAD_BYTES: usize = 112;

/// A queue, as those know it who tell it that it can go on. Called with no lock held.
pub trait Waiter: Send + Sync {
    /// Which queue.
    fn id(&self) -> QueueId;

    /// A recipient that a consumer of this queue waits for has room again.
    fn room_made(self: Arc<Self>, recipient: u64);

    /// A prefetch that consumers of this queue share has credit again.
    fn credit_made(self: Arc<Self>);
}

/// Who takes deliveries: a connection's outbox. A leaf: it may be called under a queue's lock and locks no queue.
pub trait Recipient: Send + Sync {
    /// Which recipient this is.
    fn id(&self) -> u64;

    /// Takes room for `bytes`; when this says no, [`Recipient::await_room`] is called.
    fn reserve(&self, bytes: usize) -> bool;

    /// Gives room back that was taken and is not used.
    fn unreserve(&self, bytes: usize);

    /// Whether there is any room.
    fn has_room(&self) -> bool;

    /// How much is taken beyond the bound, in bytes.
    fn overdrawn(&self) -> usize;

    /// Takes further room for a message for which some was reserved, even beyond the bound.
    fn charge(&self, bytes: usize);

    /// Enters `queue` among those to be pumped when there is room again; `false` when there is room now.
    fn await_room(&self, queue: Arc<dyn Waiter>) -> bool;

    /// Takes the deliveries for which room was reserved, in their order.
    fn deliver(&self, deliveries: &mut Vec<Delivery>);

    /// A queue is gone: its consumer in `slot` gets no more, and is told so after what was delivered to it. The slot may
    /// have been given to another consumer by the time that this is read.
    fn consumer_gone(&self, slot: u32, queue: QueueId);

    /// A delivery was not settled in time. It may be by the time that this is read.
    fn delivery_late(&self, late: Late);

    /// What a `basic.get` of this channel waits for was read, or will not come: it may be served again.
    fn loaded(&self, channel: u16);
}

/// A prefetch that several consumers share (`basic.qos` with global). A leaf, like [`Recipient`].
pub trait SharedCredit: Send + Sync {
    /// Takes one; when this says no, [`SharedCredit::await_credit`] is called.
    fn take(&self) -> bool;

    /// Enters `queue` among those to be pumped when there is credit again; `false` when there is some now.
    fn await_credit(&self, queue: Arc<dyn Waiter>) -> bool;
}
