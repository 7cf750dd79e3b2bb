//! What consumers were given.

use std::ops::AddAssign;

/// What some consumers were given until a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GivenCounts {
    /// Messages that they had to settle.
    pub deliver: u64,
    /// Those that counted as settled when they were sent.
    pub deliver_no_ack: u64,
    /// How much of both had been given to somebody before.
    pub redeliver: u64,
    /// What they acknowledged.
    pub ack: u64,
}

impl AddAssign for GivenCounts {
    fn add_assign(&mut self, more: Self) {
        self.deliver += more.deliver;
        self.deliver_no_ack += more.deliver_no_ack;
        self.redeliver += more.redeliver;
        self.ack += more.ack;
    }
}
