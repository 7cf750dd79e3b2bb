//! A consumer as an operator sees it: who it is, and what it has been given.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use std::sync::Arc;

use leveret_protocol::TableBuf;

use crate::count::{Count, GivenCounts};
use crate::name::{ConnectionId, ConsumerTag, QueueName, UserName, VhostName};

/// Which channel of which connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    /// The connection.
    pub connection: ConnectionId,
    /// What it is called: where it comes from and where it arrived.
    pub connection_name: String,
    /// Where its client is; nothing when it has no socket.
    pub peer: Option<SocketAddr>,
    /// Who is logged in.
    pub user: UserName,
    /// Where to.
    pub vhost: VhostName,
    /// The channel's number.
    pub number: u16,
}

impl Whose {
    /// What the channel is called.
    pub fn channel_name(&self) -> String {
        format!("{} ({})", self.connection_name, self.number)
    }
}

/// A consumer.
#[derive(Debug)]
pub struct Subscriber {
    /// Its channel.
    pub whose: Arc<Whose>,
    /// What it calls itself.
    pub tag: ConsumerTag,
    /// The queue that it takes from.
    pub queue: QueueName,
    /// Deliveries count as settled when they are sent.
    pub no_ack: bool,
    /// It has the queue for itself.
    pub exclusive: bool,
    /// How many unsettled deliveries it may have; 0 is no limit.
    pub prefetch: u16,
    /// The higher, the sooner it is given something.
    pub priority: i64,
    /// How long it may keep a delivery unsettled, if it says so itself.
    pub timeout: Option<Duration>,
    /// What it was made with.
    pub arguments: TableBuf,
    /// What it was sent. Its connection's task writes these...
    pub deliver: Count,
    /// ...how much of that had been given to somebody before...
    pub redeliver: Count,
    /// ...and how much it acknowledged.
    pub ack: Count,
    /// It has its turn: only of a queue with a single active consumer that is not true of all.
    is_active: AtomicBool,
    /// Its queue has a single active consumer.
    is_single: AtomicBool,
}

impl Subscriber {
    /// A consumer that was given nothing yet.
    pub fn new(whose: Arc<Whose>, tag: ConsumerTag, queue: QueueName) -> Self {
        Self {
            whose,
            tag,
            queue,
            no_ack: false,
            exclusive: false,
            prefetch: 0,
            priority: 0,
            timeout: None,
            arguments: TableBuf::default(),
            deliver: Count::default(),
            redeliver: Count::default(),
            ack: Count::default(),
            is_active: AtomicBool::new(true),
            is_single: AtomicBool::new(false),
        }
    }

    /// What it was given.
    pub fn given(&self) -> GivenCounts {
        let sent = self.deliver.get();
        let (deliver, deliver_no_ack) = if self.no_ack { (0, sent) } else { (sent, 0) };
        GivenCounts { deliver, deliver_no_ack, redeliver: self.redeliver.get(), ack: self.ack.get() }
    }

    /// Whether it is given anything.
    pub fn is_active(&self) -> bool {
        self.is_active.load(Ordering::Relaxed)
    }

    /// What RabbitMQ calls that.
    pub fn activity(&self) -> &'static str {
        match (self.is_single.load(Ordering::Relaxed), self.is_active()) {
            (false, _) => "up",
            (true, true) => "single_active",
            (true, false) => "waiting",
        }
    }

    /// Its queue has a single active consumer, which is this one or another.
    pub(super) fn set_single(&self, is_active: bool) {
        self.is_single.store(true, Ordering::Relaxed);
        self.is_active.store(is_active, Ordering::Relaxed);
    }
}
