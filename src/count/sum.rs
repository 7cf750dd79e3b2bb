//! Numbers of many writers, added up by whoever reads.

use std::ops::{AddAssign, Deref};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Numbers with one writer.
pub trait Part {
    /// What they are at a moment.
    type Total: Default + Copy + AddAssign;

    /// What they are now.
    fn total(&self) -> Self::Total;
}

/// What its parts count together, those that have gone among them. A leaf lock, which nobody takes to count.
pub struct Sum<P: Part>(Mutex<Parts<P>>);

struct Parts<P: Part> {
    gone: P::Total,
    here: Vec<Option<Arc<P>>>,
    free: Vec<usize>,
}

/// A part of a sum. When it is dropped, what it counted stays.
pub struct Seat<P: Part> {
    sum: Arc<Sum<P>>,
    part: Arc<P>,
    at: usize,
}

impl<P: Part> Default for Sum<P> {
    fn default() -> Self {
        Self(Mutex::new(Parts { gone: P::Total::default(), here: Vec::new(), free: Vec::new() }))
    }
}

impl<P: Part> Sum<P> {
    /// A part counts here from now on.
    pub fn join(self: &Arc<Self>, part: Arc<P>) -> Seat<P> {
        let mut parts = self.lock();
        let at = parts.free.pop().unwrap_or_else(|| {
            parts.here.push(None);
            parts.here.len() - 1
        });
        if let Some(place) = parts.here.get_mut(at) {
            *place = Some(Arc::clone(&part));
        }
        drop(parts);
        Seat { sum: Arc::clone(self), part, at }
    }

    /// What all parts counted.
    pub fn total(&self) -> P::Total {
        let parts = self.lock();
        let mut total = parts.gone;
        for part in parts.here.iter().flatten() {
            total += part.total();
        }
        total
    }

    fn lock(&self) -> MutexGuard<'_, Parts<P>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Part> Seat<P> {
    /// The part.
    pub fn part(&self) -> &Arc<P> {
        &self.part
    }

    /// Where it counts.
    pub fn sum(&self) -> &Arc<Sum<P>> {
        &self.sum
    }
}

impl<P: Part> Deref for Seat<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.part
    }
}

impl<P: Part> Drop for Seat<P> {
    fn drop(&mut self) {
        let mut parts = self.sum.lock();
        parts.gone += self.part.total();
        if let Some(place) = parts.here.get_mut(self.at) {
            *place = None;
        }
        let at = self.at;
        parts.free.push(at);
        if parts.free.len() == parts.here.len() {
            // A burst leaves nothing behind.
            (parts.here, parts.free) = (Vec::new(), Vec::new());
        }
    }
}

impl<P: Part> std::fmt::Debug for Sum<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = self.lock();
        write!(f, "Sum of {}", parts.here.len() - parts.free.len())
    }
}

/// Sums that come and go, and what all of them counted.
pub struct Sums<P: Part>(Mutex<Many<P>>);

struct Many<P: Part> {
    gone: P::Total,
    here: Vec<Arc<Sum<P>>>,
}

impl<P: Part> Default for Sums<P> {
    fn default() -> Self {
        Self(Mutex::new(Many { gone: P::Total::default(), here: Vec::new() }))
    }
}

impl<P: Part> Sums<P> {
    /// Another one.
    pub fn add(&self, sum: &Arc<Sum<P>>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).here.push(Arc::clone(sum));
    }

    /// What all of them counted. One that nobody else has any more goes, and what it counted stays.
    pub fn total(&self) -> P::Total {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Many { gone, here } = &mut *sums;
        let mut total = P::Total::default();
        here.retain(|sum| {
            let is_used = Arc::strong_count(sum) > 1;
            if is_used {
                total += sum.total();
            } else {
                *gone += sum.total();
            }
            is_used
        });
        total += *gone;
        total
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ChannelTally, What};
    use super::*;

    #[test]
    fn what_gone_parts_and_gone_sums_have_counted_stays_counted() {
        let sums = Sums::default();
        let published = |sums: &Sums<ChannelTally>| sums.total().messages.of(What::Publish);
        for round in 0_u64..3 {
            let sum = Arc::new(Sum::default());
            sums.add(&sum);
            let mut seats: Vec<Seat<ChannelTally>> = (0..4).map(|_| sum.join(Arc::default())).collect();
            for seat in &seats {
                seat.messages.add(What::Publish, 1);
            }
            seats.truncate(2);
            seats.push(sum.join(Arc::default()));
            assert_eq!((sum.total().messages.of(What::Publish), published(&sums)), (4, 4 * (round + 1)));
            drop(sum);
            for seat in seats {
                seat.messages.add(What::Publish, 0);
                drop(seat);
                assert_eq!(published(&sums), 4 * (round + 1));
            }
        }
        assert_eq!(sums.0.lock().unwrap().here.len(), 0);
    }
}
