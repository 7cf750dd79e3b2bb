//! What one channel counts, and what many do together.

use std::ops::AddAssign;

use super::messages::{MessageCounts, Tally};
use super::sizes::{SizeTally, Sizes};
use super::sum::Part;

/// What a channel counts. Its connection's task writes it.
#[derive(Debug, Default)]
pub struct ChannelTally {
    /// What happened to messages.
    pub messages: Tally,
    /// How large those were that were published.
    pub sizes: SizeTally,
}

/// What channels counted until a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelCounts {
    /// What happened to messages.
    pub messages: MessageCounts,
    /// How large those were that were published.
    pub sizes: Sizes,
}

impl Part for ChannelTally {
    type Total = ChannelCounts;

    fn total(&self) -> ChannelCounts {
        ChannelCounts { messages: self.messages.counts(), sizes: self.sizes.sizes() }
    }
}

impl AddAssign for ChannelCounts {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.sizes += other.sizes;
    }
}
