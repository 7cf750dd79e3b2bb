//! How much of the ready messages is in memory, over all queues.

use std::sync::atomic::{AtomicU64, Ordering};

/// When a search was not enough it is done again once the memory has grown by this part of the budget.
const SEARCH_STEP: u64 = 16;

/// Bytes of ready messages in memory, and how many there may be before queues page out. Each queue adds what it takes
/// and what it gives up; the sum is approximate while they do.
#[derive(Debug)]
pub struct Budget {
    used: AtomicU64,
    limit: u64,
    /// With no more than this the search for what else may leave memory would find what it found last: nothing.
    searched_at: AtomicU64,
}

impl Budget {
    /// A budget of so many bytes.
    pub const fn new(limit: u64) -> Self {
        Self { used: AtomicU64::new(0), limit, searched_at: AtomicU64::new(0) }
    }

    /// A budget that is never passed and counts nothing: where nothing can page out.
    pub const fn unlimited() -> Self {
        Self::new(u64::MAX)
    }

    /// So many bytes more are in memory.
    pub fn add(&self, bytes: u64) {
        if self.limit != u64::MAX {
            self.used.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// So many bytes fewer are in memory; only what was added before.
    pub fn sub(&self, bytes: u64) {
        if self.limit != u64::MAX {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// How many bytes are in memory.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// How many bytes may be in memory before queues page out.
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// Whether queues are to page out.
    pub fn is_passed(&self) -> bool {
        self.used() > self.limit
    }
}

impl Budget {
    /// Whether it is passed and it is worth while to search for queues that may give up what they have.
    pub fn wants_search(&self) -> bool {
        self.is_passed() && self.used() > self.searched_at.load(Ordering::Relaxed)
    }

    /// All queues were searched: again only when there is more, if that was not enough.
    pub fn searched(&self) {
        let again_above =
            if self.is_passed() { self.used().saturating_add(self.limit / SEARCH_STEP) } else { 0 };
        self.searched_at.store(again_above, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_passed_while_more_is_in_memory_than_it_allows() {
        let budget = Budget::new(10);
        budget.add(10);
        assert!(!budget.is_passed());
        budget.add(1);
        assert!(budget.is_passed());
        budget.sub(2);
        assert_eq!((budget.used(), budget.is_passed()), (9, false));
    }

    #[test]
    fn a_search_that_was_not_enough_is_done_again_when_there_is_more() {
        let budget = Budget::new(160);
        assert!(!budget.wants_search());
        budget.add(200);
        assert!(budget.wants_search());
        budget.searched();
        budget.add(10);
        assert!(!budget.wants_search());
        budget.add(1);
        assert!(budget.wants_search());
        budget.sub(60);
        budget.searched();
        budget.add(20);
        assert!(budget.wants_search(), "the last one was enough");
    }
}
