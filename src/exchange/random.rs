//! The random exchange: a message goes to one target, each as likely as another. Keys and arguments mean nothing.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

use super::binding::{Binding, InvalidBinding};
use super::by_name::ByName;
use super::router::{Routable, Router, Target};
use super::stable_hash::mix;

/// The targets to choose from.
pub(super) struct Random<T>(ByName<T>);

impl<T> Default for Random<T> {
    fn default() -> Self {
        Self(ByName::default())
    }
}

impl<T: Target> Router<T> for Random<T> {
    fn bind(&mut self, binding: &Binding<T>) -> Result<(), InvalidBinding> {
        self.0.add(&binding.target);
        Ok(())
    }

    fn unbind(&mut self, binding: &Binding<T>) {
        self.0.remove(&binding.target);
    }

    fn route(&self, _message: &Routable<'_>, found: &mut dyn FnMut(&T)) {
        if let Some(target) = self.0.get(below(self.0.len())) {
            found(target);
        }
    }

    fn holds_for_the_key(&self) -> bool {
        false
    }
}

thread_local! {
    /// Each thread draws its own numbers: the mixed values of a counter that starts anywhere (`SplitMix64`).
    static DRAWN: Cell<u64> = Cell::new(RandomState::new().hash_one(0));
}

/// A number below `end`, or 0.
fn below(end: usize) -> usize {
    let drawn = DRAWN.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    DRAWN.set(drawn);
    let scaled = u128::from(mix(drawn)).wrapping_mul(end as u128) >> 64;
    usize::try_from(scaled).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_as_likely_as_another() {
        for end in [1, 2, 3, 7, 100] {
            let mut drawn = vec![0_i32; end];
            for _ in 0..end * 10_000 {
                drawn[below(end)] += 1;
            }
            // Ten standard deviations.
            assert!(drawn.iter().all(|count| (count - 10_000).abs() < 1000), "{drawn:?}");
        }
        assert_eq!(below(0), 0);
    }
}
