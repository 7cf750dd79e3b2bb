//! What a client has published that is to be told at `amq.rabbitmq.trace`. Whoever gathers for it does that, who knows its
//! names.

use super::{Origin, Publisher, Route};
use crate::message::Message;
use crate::name::QueueName;

/// A message that was published, and where it went.
#[derive(Clone, Debug)]
pub struct Traced {
    /// The message.
    pub message: Message,
    /// The channel.
    pub channel: u16,
    /// The queues that it was routed to.
    pub queues: Vec<QueueName>,
}

impl Publisher {
    #[cold]
    pub(super) fn trace(&mut self, route: Route, message: &Message, origin: Origin) {
        let targets = self.targets.get(route.range()).unwrap_or_default();
        let known = targets.iter().filter_map(|at| self.known.get(*at as usize));
        let queues = known.map(|known| known.queue.name().clone()).collect();
        self.traced.push(Traced { message: message.clone(), channel: origin.channel, queues });
    }

    #[cold]
    pub(super) fn trace_reply(&mut self, message: &Message, origin: Origin) {
        let queues = vec![QueueName::from(message.routing_key())];
        self.traced.push(Traced { message: message.clone(), channel: origin.channel, queues });
    }

    /// Whether something is to be told.
    #[inline]
    pub fn has_traced(&self) -> bool {
        !self.traced.is_empty()
    }

    /// What is to be told.
    pub fn take_traced(&mut self) -> Vec<Traced> {
        std::mem::take(&mut self.traced)
    }
}
