//! What comes and goes: seldom enough that all threads write the same numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// What may come or go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A client was let in.
    ConnectionOpened,
    /// A connection that was let in ended.
    ConnectionClosed,
    /// A channel was opened.
    ChannelOpened,
    /// A channel was closed, or went with its connection.
    ChannelClosed,
    /// A queue was declared, whether it was there or not.
    QueueDeclared,
    /// A queue was made.
    QueueCreated,
    /// A queue went.
    QueueDeleted,
}

const EVENTS: usize = 7;

/// How often something came or went.
#[derive(Debug, Default)]
pub struct Churn([AtomicU64; EVENTS]);

impl Event {
    /// All of them, in their order.
    pub const ALL: [Self; EVENTS] = [
        Self::ConnectionOpened,
        Self::ConnectionClosed,
        Self::ChannelOpened,
        Self::ChannelClosed,
        Self::QueueDeclared,
        Self::QueueCreated,
        Self::QueueDeleted,
    ];
}

impl Churn {
    /// It happened.
    pub fn add(&self, event: Event) {
        if let Some(count) = self.0.get(event as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often it happened.
    pub fn of(&self, event: Event) -> u64 {
        self.0.get(event as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}
