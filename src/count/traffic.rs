//! Bytes of a connection.

use std::ops::AddAssign;

use super::single::Count;
use super::sum::Part;

/// What comes from a client and goes to it, those of TLS not among them. The connection's task writes it.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Bytes that came.
    pub received_bytes: Count,
    /// Bytes that went.
    pub sent_bytes: Count,
}

/// What came and went until a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficCounts {
    /// Bytes that came.
    pub received_bytes: u64,
    /// Bytes that went.
    pub sent_bytes: u64,
}

impl Part for Traffic {
    type Total = TrafficCounts;

    fn total(&self) -> TrafficCounts {
        TrafficCounts { received_bytes: self.received_bytes.get(), sent_bytes: self.sent_bytes.get() }
    }
}

impl AddAssign for TrafficCounts {
    fn add_assign(&mut self, other: Self) {
        self.received_bytes += other.received_bytes;
        self.sent_bytes += other.sent_bytes;
    }
}
