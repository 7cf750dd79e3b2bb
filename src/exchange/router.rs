//! What every exchange type does.

use std::borrow::Cow;
use std::hash::Hash;

use leveret_protocol::properties::Properties;
use leveret_protocol::table::Table;

use super::binding::{Binding, InvalidBinding};
use crate::message::Message;

/// What a binding leads to: cheap to clone, compared and hashed by identity.
pub trait Target: Clone + Eq + Hash + Send + Sync + 'static {
    /// What it is called. Unlike its identity that is the same after a restart.
    fn name(&self) -> TargetName<'_>;
}

/// The name of a target, which no other has at the same time. Exchanges come before queues, as in RabbitMQ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetName<'a> {
    /// Of an exchange.
    Exchange(Cow<'a, str>),
    /// Of a queue.
    Queue(Cow<'a, str>),
}

/// What a router may look at in a message.
#[derive(Debug, Clone, Copy)]
pub struct Routable<'a> {
    /// The message's routing key.
    pub routing_key: &'a str,
    /// The keys that it is to be routed by besides (CC and BCC).
    pub extra_keys: &'a [&'a str],
    /// Its `headers` property; none is the same as an empty one.
    pub headers: Option<Table<'a>>,
    /// Its other properties.
    pub properties: Properties<'a>,
    /// The message itself, for exchanges that keep it; none when it is only asked where it would go.
    pub message: Option<&'a Message>,
}

impl<'a> Routable<'a> {
    /// A message that is nothing but its routing key.
    pub fn with_key(routing_key: &'a str) -> Self {
        Self { routing_key, extra_keys: &[], headers: None, properties: Properties::EMPTY, message: None }
    }

    /// The routing key, then the others.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> {
        std::iter::once(self.routing_key).chain(self.extra_keys.iter().copied())
    }
}

/// The bindings of one exchange, arranged for finding the targets of a message.
///
/// [`super::Routes`] calls it: a binding is bound once before it is unbound once. Binding and unbinding change the
/// router in place, at a cost that the number of its other bindings hardly moves.
pub trait Router<T: Target>: Send + Sync {
    /// Takes the arguments of the exchange, which were found good. Called once, before anything else.
    fn declared(&mut self, _arguments: Table<'_>) {}

    /// Adds a binding, or says why this type of exchange cannot have it.
    fn bind(&mut self, binding: &Binding<T>) -> Result<(), InvalidBinding>;

    /// Takes out a binding that was added.
    fn unbind(&mut self, binding: &Binding<T>);

    /// Calls `found` with the target of every binding that the message matches, in no particular order. A target
    /// may be reported more than once: the caller, who joins several exchanges, sees to it that each gets the message
    /// once. Allocates nothing.
    fn route(&self, message: &Routable<'_>, found: &mut dyn FnMut(&T));

    /// The same, and gives at how many places it looked that need not lead anywhere, where a key may make it look at many.
    fn route_counting(&self, message: &Routable<'_>, found: &mut dyn FnMut(&T)) -> usize {
        self.route(message, found);
        0
    }

    /// Whether the routing key alone decides, so that every message with the same one, and no other keys, goes to the
    /// same targets while the bindings stay as they are.
    fn holds_for_the_key(&self) -> bool {
        true
    }

    /// A message is published: an exchange with a memory keeps it.
    fn keep(&mut self, _message: &Routable<'_>) {}

    /// What a target is to get that is bound now, oldest first.
    fn history(&self) -> Vec<Message> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! target {
        ($($type:ty)*) => {$(
            impl Target for $type {
                fn name(&self) -> TargetName<'_> {
                    TargetName::Queue(self.to_string().into())
                }
            }
        )*};
    }

    target!(&'static str u8 u16 i32 usize);
}
