//! How large published messages are.

use std::ops::AddAssign;

use super::single::Count;

/// Bodies are counted by the first of these sizes that they do not pass, in bytes (those of RabbitMQ's histogram); those that
/// pass all of them come last.
pub const SIZES_MAX_BYTES: [u64; 8] =
    [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 50_000_000, 100_000_000];

const CLASSES: usize = SIZES_MAX_BYTES.len() + 1;

/// Sizes of messages, with one writer.
#[derive(Debug, Default)]
pub struct SizeTally {
    classes: [Count; CLASSES],
    bytes: Count,
}

/// Sizes of messages until a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// How many there were of each class, and of no smaller one.
    pub classes: [u64; CLASSES],
    /// The size of all of them, in bytes.
    pub bytes: u64,
}

impl SizeTally {
    /// A message with a body of this size.
    #[inline]
    pub fn add(&self, bytes: u64) {
        let class = SIZES_MAX_BYTES.iter().position(|max| bytes <= *max).unwrap_or(CLASSES - 1);
        if let Some(count) = self.classes.get(class) {
            count.add(1);
        }
        self.bytes.add(bytes);
    }

    /// All of them.
    pub fn sizes(&self) -> Sizes {
        let mut sizes = Sizes { bytes: self.bytes.get(), ..Sizes::default() };
        for (count, class) in sizes.classes.iter_mut().zip(&self.classes) {
            *count = class.get();
        }
        sizes
    }
}

impl AddAssign for Sizes {
    fn add_assign(&mut self, other: Self) {
        for (count, more) in self.classes.iter_mut().zip(other.classes) {
            *count += more;
        }
        self.bytes += other.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_counts_in_the_first_class_that_it_does_not_pass() {
        for (bytes, class) in
            [(0, 0), (100, 0), (101, 1), (1_000, 1), (99_999, 3), (100_000_000, 7), (100_000_001, 8)]
        {
            let tally = SizeTally::default();
            tally.add(bytes);
            let sizes = tally.sizes();
            assert_eq!((sizes.classes[class], sizes.classes.iter().sum(), sizes.bytes), (1, 1, bytes));
        }
    }
}
