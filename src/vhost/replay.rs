//! What an exchange with a memory gives to a target that was bound to it now.

use super::Vhost;
use super::exchange::Target;
use super::publisher::{Origin, Publisher};
use super::routing::Found;
use crate::message::Message;
use crate::time::Time;

impl Vhost {
    /// Publishes the messages of a history to a target alone, in their order. What others publish meanwhile may come
    /// between them, and what a full queue refuses is lost to it. To be called without the topology's lock: it may lead to
    /// more than the queues take.
    pub(super) fn replay(&self, history: Vec<Message>, to: &Target) {
        let (mut unit, now) = (self.unit(), Time::now());
        let (mut publisher, mut found) = (Publisher::default(), Found::default());
        for mut message in history {
            message.arrive(now);
            let routed = match to {
                Target::Queue(queue) => publisher.to_queues(std::slice::from_ref(queue)),
                Target::Exchange(exchange) => self.route_on(exchange, &message, &mut found, &mut publisher),
            };
            publisher.gather(self, routed, message, Origin::default(), &mut unit);
        }
        publisher.flush(self, &mut unit);
        unit.end();
    }
}
