//! The targets of equal bindings: a list to walk when a message comes, and an index once it is long.

use std::hash::Hash;

use foldhash::{HashMap, HashMapExt};

/// Lists longer than this get an index, so that taking one of 100,000 targets out does not search for it.
const SEARCHED_MAX: usize = 16;

/// Targets, each with the number of bindings that lead to it: bindings that differ in nothing that the exchange
/// type looks at still count, since each is unbound on its own.
#[derive(Debug)]
pub(super) struct Targets<T> {
    entries: Vec<Entry<T>>,
    /// Boxed, since most lists are short, and a topic exchange has one in every node.
    positions: Option<Box<HashMap<T, usize>>>,
}

#[derive(Debug)]
struct Entry<T> {
    target: T,
    bindings: usize,
}

impl<T> Default for Targets<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), positions: None }
    }
}

impl<T: Clone + Eq + Hash> Targets<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|entry| &entry.target)
    }

    pub(super) fn add(&mut self, target: &T) {
        if let Some(entry) = self.position(target).and_then(|at| self.entries.get_mut(at)) {
            entry.bindings += 1;
            return;
        }
        if let Some(positions) = &mut self.positions {
            positions.insert(target.clone(), self.entries.len());
        }
        self.entries.push(Entry { target: target.clone(), bindings: 1 });
        if self.positions.is_none() && self.entries.len() > SEARCHED_MAX {
            self.index();
        }
    }

    /// Takes one binding of `target` out; false if there is none.
    pub(super) fn remove(&mut self, target: &T) -> bool {
        let Some(at) = self.position(target) else { return false };
        let Some(entry) = self.entries.get_mut(at) else { return false };
        entry.bindings -= 1;
        if entry.bindings == 0 {
            self.entries.swap_remove(at);
            self.forget(target, at);
        }
        true
    }

    fn position(&self, target: &T) -> Option<usize> {
        match &self.positions {
            Some(positions) => positions.get(target).copied(),
            None => self.entries.iter().position(|entry| entry.target == *target),
        }
    }

    fn index(&mut self) {
        let mut positions = HashMap::with_capacity(2 * self.entries.len());
        positions.extend(self.entries.iter().enumerate().map(|(at, entry)| (entry.target.clone(), at)));
        self.positions = Some(Box::new(positions));
    }

    /// Brings the index up to date after the entry at `at` has left and the last one has taken its place.
    fn forget(&mut self, target: &T, at: usize) {
        if self.entries.len() <= SEARCHED_MAX / 2 {
            self.positions = None;
            self.entries.shrink_to(SEARCHED_MAX);
        }
        let Some(positions) = &mut self.positions else { return };
        positions.remove(target);
        if let Some(moved) = self.entries.get(at) {
            positions.insert(moved.target.clone(), at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_target_is_listed_once_while_bindings_lead_to_it(
            steps in prop::collection::vec((any::<bool>(), 0_u8..40), 0..400)
        ) {
            let mut targets = Targets::default();
            let mut model = BTreeMap::new();
            for (add, target) in steps {
                let bindings: &mut usize = model.entry(target).or_default();
                if add {
                    targets.add(&target);
                    *bindings += 1;
                } else {
                    prop_assert_eq!(targets.remove(&target), *bindings > 0);
                    *bindings = bindings.saturating_sub(1);
                }
                let mut listed: Vec<u8> = targets.iter().copied().collect();
                listed.sort_unstable();
                let expected: Vec<u8> =
                    model.iter().filter(|(_, bindings)| **bindings > 0).map(|(target, _)| *target).collect();
                prop_assert_eq!(targets.is_empty(), expected.is_empty());
                prop_assert_eq!(listed, expected);
            }
        }
    }
}
