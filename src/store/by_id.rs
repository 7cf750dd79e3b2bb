//! How the store's maps hash the ids of queues. No client chooses an id, so that the order of a map may be the same each time; a
//! test has another order for each seed.

use std::hash::BuildHasher;

use foldhash::fast::{FixedState, FoldHasher};

/// The hashes of ids.
#[derive(Clone, Debug)]
pub struct ById(FixedState);

impl Default for ById {
    fn default() -> Self {
        #[cfg(not(test))]
        let seed = 0;
        #[cfg(test)]
        let seed = SEED.get();
        Self(FixedState::with_seed(seed))
    }
}

impl BuildHasher for ById {
    type Hasher = FoldHasher<'static>;

    fn build_hasher(&self) -> Self::Hasher {
        self.0.build_hasher()
    }
}

#[cfg(test)]
std::thread_local! {
    /// What maps made by this thread are ordered by.
    static SEED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// The maps that this thread makes from now on have another order.
#[cfg(test)]
pub(crate) fn order_by(seed: u64) {
    SEED.set(seed);
}
