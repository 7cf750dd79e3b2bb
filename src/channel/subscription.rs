//! Where the deliveries of a connection come from: its consumers, and the queues that it gets from.
//!
//! A slot numbers a subscription in the connection. It is used again only when nothing refers to it any more: its
//! consumer is cancelled, nothing of it is in the outbox, and none of its deliveries is unsettled.

use std::sync::Arc;

use crate::name::ConsumerTag;
use crate::queue::Queue;
use crate::queue::id::ConsumerKey;
use crate::queue::id::UnackedKey;
use crate::queue::subscriber::Subscriber;

/// What a subscription takes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A consumer of a queue.
    Consumer {
        /// The queue.
        queue: Arc<Queue>,
        /// The consumer in it.
        key: ConsumerKey,
    },
    /// Single messages of a queue.
    Get {
        /// The queue.
        queue: Arc<Queue>,
    },
    /// Direct replies.
    Replies,
}

/// Where some deliveries of a channel come from.
#[derive(Debug)]
pub struct Subscription {
    /// The channel.
    pub channel: u16,
    /// The consumer tag; empty for a get.
    pub tag: ConsumerTag,
    /// What it takes from.
    pub source: Source,
    /// What is told of it; nothing of a get, nor of replies.
    pub subscriber: Option<Arc<Subscriber>>,
    /// Deliveries that were sent and are not settled.
    pub unsettled: u32,
    /// Its deliveries are settled when they are sent.
    pub no_ack: bool,
    /// Its deliveries count in the channel's global prefetch.
    pub shares_credit: bool,
    /// No more comes from it.
    pub cancelled: bool,
    /// Acknowledged in this batch of frames, to be handed to the queue at its end.
    pub acked: Vec<UnackedKey>,
}

impl Subscription {
    /// A subscription of which nothing has come yet.
    pub fn new(channel: u16, tag: ConsumerTag, source: Source) -> Self {
        Self {
            channel,
            tag,
            source,
            subscriber: None,
            unsettled: 0,
            no_ack: false,
            shares_credit: false,
            cancelled: false,
            acked: Vec::new(),
        }
    }

    /// The queue that it takes from.
    pub fn queue(&self) -> Option<&Arc<Queue>> {
        match &self.source {
            Source::Consumer { queue, .. } | Source::Get { queue } => Some(queue),
            Source::Replies => None,
        }
    }
}

/// The subscriptions of a connection by slot.
#[derive(Debug, Default)]
pub struct Subscriptions {
    slots: Vec<Option<Subscription>>,
    free: Vec<u32>,
}

impl Subscriptions {
    /// A slot for a subscription that is about to be made.
    pub fn reserve(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len().saturating_sub(1)).unwrap_or(u32::MAX)
        })
    }

    /// Fills a reserved slot.
    pub fn fill(&mut self, slot: u32, subscription: Subscription) {
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = Some(subscription);
        }
    }

    /// Empties a slot, whether it was filled or only reserved.
    pub fn release(&mut self, slot: u32) {
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = None;
            self.free.push(slot);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The subscription in a slot.
    pub fn get(&self, slot: u32) -> Option<&Subscription> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// The subscription in a slot.
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut Subscription> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    /// Frees the slot if nothing refers to it any more.
    pub fn release_if_spent(&mut self, slot: u32) {
        if self.get(slot).is_some_and(|subscription| {
            subscription.cancelled && subscription.unsettled == 0 && subscription.acked.is_empty()
        }) {
            self.release(slot);
        }
    }
}
