//! What every exchange type does.

use std::hash::Hash;

use leveret_protocol::table::Table;

use super::binding::{Binding, InvalidBinding};

/// What a binding leads to: cheap to clone, compared and hashed by identity.
pub trait Target: Clone + Eq + Hash + Send + Sync + 'static {}

impl<T: Clone + Eq + Hash + Send + Sync + 'static> Target for T {}

/// What a router may look at in a message. A message with CC or BCC is routed once for each of its keys.
#[derive(Debug, Clone, Copy)]
pub struct Routable<'a> {
    /// The message's routing key.
    pub routing_key: &'a str,
    /// Its `headers` property; none is the same as an empty one.
    pub headers: Option<Table<'a>>,
}

/// The bindings of one exchange, arranged for finding the targets of a message.
///
/// [`super::Routes`] calls it: a binding is bound once before it is unbound once. Binding and unbinding change the
/// router in place, at a cost that the number of its other bindings hardly moves.
pub trait Router<T: Target>: Send + Sync {
    /// Adds a binding, or says why this type of exchange cannot have it.
    fn bind(&mut self, binding: &Binding<T>) -> Result<(), InvalidBinding>;

    /// Takes out a binding that was added.
    fn unbind(&mut self, binding: &Binding<T>);

    /// Calls `found` with the target of every binding that the message matches, in no particular order. A target
    /// may be reported more than once: the caller, who joins several exchanges and keys, sees to it that each gets
    /// the message once. Allocates nothing.
    fn route(&self, message: &Routable<'_>, found: &mut dyn FnMut(&T));
}
