//! What a queue counts.

use std::ops::AddAssign;

/// Messages that left a queue otherwise than by being consumed, by their reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// They waited too long.
    pub expired: u64,
    /// A consumer refused them for good.
    pub rejected: u64,
    /// The queue was full.
    pub max_length: u64,
    /// They came back too often.
    pub delivery_limit: u64,
}

/// What has happened to a queue since it was made, or the broker started. No number of a queue ever falls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Messages that came to it, those among them that it refused, dead letters of other queues, and what the broker sent.
    pub publish: u64,
    /// Messages that were sent to consumers that acknowledge them.
    pub deliver: u64,
    /// Messages that were sent to consumers that do not.
    pub deliver_no_ack: u64,
    /// Those of them, and of those that were got, that had been given to somebody before.
    pub redeliver: u64,
    /// Messages that were acknowledged by a client.
    pub ack: u64,
    /// Messages that were got and are to be acknowledged.
    pub get: u64,
    /// Messages that were got and are not.
    pub get_no_ack: u64,
    /// Gets that found nothing.
    pub get_empty: u64,
    /// Messages that were read from the disk.
    pub disk_reads: u64,
    /// Messages that were written to it, to the journal or to a segment.
    pub disk_writes: u64,
    /// Messages that went where its dead messages go, and are not its any more.
    pub at_most_once: Ended,
    /// Those that stay until all that they go to have them.
    pub at_least_once: Ended,
    /// Those of these that all have.
    pub letters_taken: u64,
    /// Messages that went nowhere, since it has no such place.
    pub dropped: Ended,
}

impl Ended {
    /// All of them.
    pub fn sum(&self) -> u64 {
        self.expired + self.rejected + self.max_length + self.delivery_limit
    }
}

impl AddAssign for Ended {
    fn add_assign(&mut self, other: Self) {
        self.expired += other.expired;
        self.rejected += other.rejected;
        self.max_length += other.max_length;
        self.delivery_limit += other.delivery_limit;
    }
}

impl AddAssign for QueueCounts {
    fn add_assign(&mut self, other: Self) {
        self.publish += other.publish;
        self.deliver += other.deliver;
        self.deliver_no_ack += other.deliver_no_ack;
        self.redeliver += other.redeliver;
        self.ack += other.ack;
        self.get += other.get;
        self.get_no_ack += other.get_no_ack;
        self.get_empty += other.get_empty;
        self.disk_reads += other.disk_reads;
        self.disk_writes += other.disk_writes;
        self.at_most_once += other.at_most_once;
        self.at_least_once += other.at_least_once;
        self.letters_taken += other.letters_taken;
        self.dropped += other.dropped;
    }
}

impl QueueCounts {
    /// Messages that were given to anybody.
    pub fn deliver_get(&self) -> u64 {
        self.deliver + self.deliver_no_ack + self.get + self.get_no_ack
    }
}
