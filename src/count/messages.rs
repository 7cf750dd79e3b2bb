//! What happens to messages, by kind.

use std::ops::AddAssign;

use super::single::Count;

/// What may happen to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A client published it.
    Publish,
    /// It was routed to a queue: once for each.
    Routed,
    /// It was published on a channel that confirms.
    PublishConfirm,
    /// Its publisher was told that it is safe.
    Confirm,
    /// It led nowhere and was returned.
    ReturnUnroutable,
    /// It led nowhere, and its publisher did not want it back.
    DropUnroutable,
    /// It was sent to a consumer that acknowledges it.
    Deliver,
    /// It was sent to a consumer that does not.
    DeliverNoAck,
    /// It was got and is to be acknowledged.
    Get,
    /// It was got and is not.
    GetNoAck,
    /// There was none to get.
    GetEmpty,
    /// A client acknowledged it.
    Ack,
    /// It was sent or got, and had been given to somebody before.
    Redeliver,
}

/// How many kinds there are.
const KINDS: usize = 13;

impl What {
    /// All of them, in their order.
    pub const ALL: [Self; KINDS] = [
        Self::Publish,
        Self::Routed,
        Self::PublishConfirm,
        Self::Confirm,
        Self::ReturnUnroutable,
        Self::DropUnroutable,
        Self::Deliver,
        Self::DeliverNoAck,
        Self::Get,
        Self::GetNoAck,
        Self::GetEmpty,
        Self::Ack,
        Self::Redeliver,
    ];
}

/// What happened to messages, with one writer.
#[derive(Debug, Default)]
pub struct Tally([Count; KINDS]);

/// What happened to messages until a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCounts([u64; KINDS]);

impl Tally {
    /// It happened so often more.
    #[inline]
    pub fn add(&self, what: What, more: u64) {
        if let Some(count) = self.0.get(what as usize) {
            count.add(more);
        }
    }

    /// All of it.
    pub fn counts(&self) -> MessageCounts {
        let mut counts = MessageCounts::default();
        for (count, tally) in counts.0.iter_mut().zip(&self.0) {
            *count = tally.get();
        }
        counts
    }
}

impl MessageCounts {
    /// How often it happened.
    pub fn of(&self, what: What) -> u64 {
        self.0.get(what as usize).copied().unwrap_or_default()
    }

    /// Messages that were given to anybody.
    pub fn deliver_get(&self) -> u64 {
        [What::Deliver, What::DeliverNoAck, What::Get, What::GetNoAck].map(|what| self.of(what)).iter().sum()
    }
}

impl AddAssign for MessageCounts {
    fn add_assign(&mut self, other: Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_counted_by_itself() {
        let tally = Tally::default();
        for (times, what) in (1..).zip(What::ALL) {
            assert_eq!(what as usize + 1, times);
            tally.add(what, times as u64);
        }
        let mut twice = tally.counts();
        twice += tally.counts();
        for (times, what) in (1..).zip(What::ALL) {
            assert_eq!((tally.counts().of(what), twice.of(what)), (times, 2 * times), "{what:?}");
        }
        assert_eq!(tally.counts().deliver_get(), 7 + 8 + 9 + 10);
    }
}
