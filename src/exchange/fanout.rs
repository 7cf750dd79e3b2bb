//! The fanout exchange: a message goes everywhere; keys and arguments mean nothing.

use super::binding::{Binding, InvalidBinding};
use super::router::{Routable, Router, Target};
use super::targets::Targets;

/// Every target, once.
pub(super) struct Fanout<T>(Targets<T>);

impl<T> Default for Fanout<T> {
    fn default() -> Self {
        Self(Targets::default())
    }
}

impl<T: Target> Router<T> for Fanout<T> {
    fn bind(&mut self, binding: &Binding<T>) -> Result<(), InvalidBinding> {
        self.0.add(&binding.target);
        Ok(())
    }

    fn unbind(&mut self, binding: &Binding<T>) {
        self.0.remove(&binding.target);
    }

    fn route(&self, _message: &Routable<'_>, found: &mut dyn FnMut(&T)) {
        self.0.iter().for_each(found);
    }
}
