//! Places that are taken and given back: connections, channels.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many places are taken of what may have a limit.
#[derive(Clone, Debug, Default)]
pub struct Places(Arc<AtomicU64>);

/// A place, given back when it is dropped.
#[derive(Debug)]
pub struct Place(Arc<AtomicU64>);

/// All places are taken: there are so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllTaken(pub u64);

impl Places {
    /// Takes a place, if fewer than `max` are taken.
    pub fn take(&self, max: Option<u64>) -> Result<Place, AllTaken> {
        let max = max.unwrap_or(u64::MAX);
        let next = |taken: u64| if taken < max { taken.checked_add(1) } else { None };
        match self.0.try_update(Ordering::AcqRel, Ordering::Acquire, next) {
            Ok(_) => Ok(Place(Arc::clone(&self.0))),
            Err(_) => Err(AllTaken(max)),
        }
    }

    /// How many are taken.
    pub fn taken(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_places_are_taken_and_no_more_until_one_is_given_back() {
        let places = Places::default();
        assert_eq!(places.take(Some(0)).unwrap_err(), AllTaken(0));
        let (first, second) = (places.take(Some(2)).unwrap(), places.take(None).unwrap());
        assert_eq!(places.take(Some(2)).unwrap_err(), AllTaken(2));
        drop(first);
        let third = places.take(Some(2)).unwrap();
        assert_eq!(places.taken(), 2);
        drop((second, third));
        assert_eq!(places.taken(), 0);
    }
}
