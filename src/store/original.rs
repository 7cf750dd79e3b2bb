//! What becomes of a message that others are taken for copies of: whoever publishes a copy is told that it is taken when
//! that is true of the original.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::place::Batch;

/// What became of an original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is where it belongs, and its records are in this group commit; nothing when it has none.
    Taken(Option<Batch>),
    /// It is nowhere: it was refused, or who published it failed.
    Lost,
}

/// Messages on their way into their queues and into the journal. Given up, they are [lost](Outcome::Lost).
#[derive(Debug, Default)]
pub struct Original(Arc<Shared>);

/// How those see it who have to know what becomes of them.
#[derive(Clone, Debug)]
pub struct Fate(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    outcome: Mutex<Option<Outcome>>,
    known: Condvar,
}

impl Original {
    /// What others see of it.
    pub fn fate(&self) -> Fate {
        Fate(Arc::clone(&self.0))
    }

    /// They are where they belong, and their records in this group commit.
    pub fn taken(self, batch: Option<Batch>) {
        self.0.decide(Outcome::Taken(batch));
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        self.0.decide(Outcome::Lost);
    }
}

impl Fate {
    /// What became of it, as far as that is known.
    pub fn outcome(&self) -> Option<Outcome> {
        *self.0.lock()
    }

    /// What became of it. Whoever publishes decides that at the end of the batch of frames that it is at, which waits for
    /// nothing, so that this takes no longer than to serve a batch. To be called without a [`Unit`](super::Unit) that has
    /// anything in it: two that wait for each other would wait for ever.
    pub fn wait(&self) -> Outcome {
        let mut outcome = self.0.lock();
        loop {
            if let Some(outcome) = *outcome {
                return outcome;
            }
            outcome = self.0.known.wait(outcome).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl PartialEq for Fate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Fate {}

impl Shared {
    fn decide(&self, outcome: Outcome) {
        self.lock().get_or_insert(outcome);
        self.known.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Outcome>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_told_whatever_becomes_of_it() {
        for expected in [Outcome::Taken(Some(Batch(7))), Outcome::Taken(None), Outcome::Lost] {
            let original = Original::default();
            let fate = original.fate();
            assert_eq!(fate.outcome(), None);
            std::thread::scope(|scope| {
                let waiter = scope.spawn(|| fate.wait());
                match expected {
                    Outcome::Taken(batch) => original.taken(batch),
                    Outcome::Lost => drop(original),
                }
                assert_eq!(waiter.join().unwrap(), expected);
            });
            assert_eq!(fate.outcome(), Some(expected));
        }
    }
}
