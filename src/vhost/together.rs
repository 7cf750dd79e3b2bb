//! How many queues, or exchanges, all virtual hosts of a broker have together, and may have.

use std::sync::atomic::{AtomicU64, Ordering};

/// All of a kind that a broker has, counted.
#[derive(Debug)]
pub(super) struct Together {
    /// Beyond all numbers when there is no limit.
    max: AtomicU64,
    count: AtomicU64,
}

impl Default for Together {
    fn default() -> Self {
        Self { max: AtomicU64::new(u64::MAX), count: AtomicU64::new(0) }
    }
}

impl Together {
    /// So many there may be from now on. Those that are there stay.
    pub(super) fn set_max(&self, max: Option<u64>) {
        self.max.store(max.unwrap_or(u64::MAX), Ordering::Release);
    }

    /// So many are there from the start, however many there may be.
    pub(super) fn add(&self, count: usize) {
        self.count.fetch_add(count as u64, Ordering::AcqRel);
    }

    /// Counts one that is about to be made; the error is how many there may be.
    pub(super) fn take(&self) -> Result<(), u64> {
        let max = self.max.load(Ordering::Acquire);
        let next = |count: u64| if count < max { count.checked_add(1) } else { None };
        let taken = self.count.try_update(Ordering::AcqRel, Ordering::Acquire, next);
        taken.map(|_| ()).map_err(|_| max)
    }

    /// One is gone.
    pub(super) fn give_back(&self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_as_there_may_be_and_those_from_the_start_stay() {
        let queues = Together::default();
        queues.set_max(Some(2));
        queues.add(3);
        assert_eq!(queues.take(), Err(2));
        queues.give_back();
        queues.give_back();
        assert_eq!((queues.take(), queues.take()), (Ok(()), Err(2)));
        queues.set_max(None);
        assert_eq!(queues.take(), Ok(()));
        assert_eq!(Together::default().take(), Ok(()));
    }
}
