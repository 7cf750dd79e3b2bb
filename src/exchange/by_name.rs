//! The targets of all bindings in the order of their names, to choose one by its number.

use super::router::Target;

/// Each target as often as bindings lead to it, as RabbitMQ counts: whoever is bound twice gets two shares.
#[derive(Debug)]
pub(super) struct ByName<T>(Vec<T>);

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Target> ByName<T> {
    pub(super) fn add(&mut self, target: &T) {
        let at = self.first(target);
        self.0.insert(at, target.clone());
    }

    pub(super) fn remove(&mut self, target: &T) {
        let at = self.first(target);
        if self.0.get(at).is_some_and(|found| found == target) {
            self.0.remove(at);
        }
    }

    fn first(&self, target: &T) -> usize {
        let name = target.name();
        self.0.partition_point(|other| other.name() < name)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.0.get(at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn targets_are_listed_by_name_as_often_as_they_are_bound(
            steps in prop::collection::vec((any::<bool>(), 0_u8..20), 0..100)
        ) {
            let mut targets = ByName::default();
            let mut model: Vec<u8> = Vec::new();
            for (add, target) in steps {
                match model.iter().position(|other| *other == target) {
                    _ if add => {
                        targets.add(&target);
                        model.push(target);
                    }
                    found => {
                        targets.remove(&target);
                        found.map(|at| model.remove(at));
                    }
                }
                model.sort_by_key(ToString::to_string);
                let listed: Vec<_> = (0..targets.len()).filter_map(|at| targets.get(at)).copied().collect();
                prop_assert_eq!(&listed, &model);
            }
        }
    }
}
