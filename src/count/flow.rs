//! What one channel publishes to one exchange.

use std::ops::AddAssign;

use super::single::Count;
use super::sum::Part;

/// What a channel publishes to an exchange. Its connection's task writes it.
#[derive(Debug, Default)]
pub struct Flow {
    /// Messages that were published.
    pub publish: Count,
    /// Queues that they went to.
    pub routed: Count,
    /// Those that were confirmed.
    pub confirm: Count,
    /// Those that led nowhere and were returned.
    pub return_unroutable: Count,
    /// Those that led nowhere and were not.
    pub drop_unroutable: Count,
}

/// What went to an exchange until a moment, and on from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowCounts {
    /// Messages that were published.
    pub publish: u64,
    /// Queues that they went to.
    pub routed: u64,
    /// Those that were confirmed.
    pub confirm: u64,
    /// Those that led nowhere and were returned.
    pub return_unroutable: u64,
    /// Those that led nowhere and were not.
    pub drop_unroutable: u64,
}

impl Part for Flow {
    type Total = FlowCounts;

    fn total(&self) -> FlowCounts {
        FlowCounts {
            publish: self.publish.get(),
            routed: self.routed.get(),
            confirm: self.confirm.get(),
            return_unroutable: self.return_unroutable.get(),
            drop_unroutable: self.drop_unroutable.get(),
        }
    }
}

impl AddAssign for FlowCounts {
    fn add_assign(&mut self, other: Self) {
        self.publish += other.publish;
        self.routed += other.routed;
        self.confirm += other.confirm;
        self.return_unroutable += other.return_unroutable;
        self.drop_unroutable += other.drop_unroutable;
    }
}
