//! The local random exchange: a message goes to one of the targets on the node that it was published to. With one
//! node that is any. RabbitMQ takes bindings without a key only, and so do we.

use super::binding::{Binding, InvalidBinding};
use super::random::Random;
use super::router::{Routable, Router, Target};

/// The targets to choose from.
pub(super) struct LocalRandom<T>(Random<T>);

impl<T> Default for LocalRandom<T> {
    fn default() -> Self {
        Self(Random::default())
    }
}

impl<T: Target> Router<T> for LocalRandom<T> {
    fn bind(&mut self, binding: &Binding<T>) -> Result<(), InvalidBinding> {
        if !binding.key.is_empty() {
            return Err(InvalidBinding::NonEmptyKey(binding.key.to_string()));
        }
        self.0.bind(binding)
    }

    fn unbind(&mut self, binding: &Binding<T>) {
        self.0.unbind(binding);
    }

    fn route(&self, message: &Routable<'_>, found: &mut dyn FnMut(&T)) {
        self.0.route(message, found);
    }

    fn holds_for_the_key(&self) -> bool {
        false
    }
}
