//! The direct exchange: a message goes where its routing key is the binding key.

use std::sync::Arc;

use foldhash::HashMap;

use super::binding::{Binding, InvalidBinding};
use super::router::{Routable, Router, Target};
use super::targets::Targets;

/// The targets under each binding key.
pub(super) struct Direct<T>(HashMap<Arc<str>, Targets<T>>);

impl<T> Default for Direct<T> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<T: Target> Router<T> for Direct<T> {
    fn bind(&mut self, binding: &Binding<T>) -> Result<(), InvalidBinding> {
        self.0.entry(Arc::clone(&binding.key)).or_default().add(&binding.target);
        Ok(())
    }

    fn unbind(&mut self, binding: &Binding<T>) {
        let Some(targets) = self.0.get_mut(&binding.key) else { return };
        targets.remove(&binding.target);
        if targets.is_empty() {
            self.0.remove(&binding.key);
        }
    }

    fn route(&self, message: &Routable<'_>, found: &mut dyn FnMut(&T)) {
        for targets in message.keys().filter_map(|key| self.0.get(key)) {
            targets.iter().for_each(&mut *found);
        }
    }
}
