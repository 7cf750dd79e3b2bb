//! What an exchange with a memory gives to a target that was bound to it now.

use std::sync::Arc;

use leveret_protocol::table::Value;

use super::Vhost;
use super::exchange::Target;
use super::routing::Found;
use crate::exchange::Routable;
use crate::message::Message;
use crate::queue::Queue;
use crate::store::op::TARGET_BYTES;
use crate::store::stored::Returns;
use crate::store::unit::Unit;
use crate::time::Time;

impl Vhost {
    /// Publishes the messages of a history to a target alone, in their order. What others publish meanwhile may come
    /// between them. To be called without the topology's lock: it may lead to more than the queues take.
    pub(super) fn replay(&self, history: Vec<Message>, to: &Target) {
        let journal = self.stored.as_ref().map(|stored| stored.journal.clone());
        let mut unit = Unit::new(journal, self.durability);
        let mut found = Found::default();
        let now = Time::now();
        for mut message in history {
            message.arrive(now);
            found.clear();
            match to {
                Target::Queue(queue) => found.add(queue),
                Target::Exchange(exchange) => {
                    let (properties, keys) = (message.properties(), copied_keys(&message));
                    let routable = Routable {
                        routing_key: message.routing_key(),
                        extra_keys: &keys,
                        headers: properties.headers(),
                        properties,
                        message: Some(&message),
                    };
                    self.route_from(exchange, &routable, &mut found);
                }
            }
            publish(&message, found.queues(), &mut unit);
        }
        unit.end();
    }
}

/// Publishes one message to queues, with its record. One that has gone meanwhile gets nothing.
fn publish(message: &Message, queues: &[Arc<Queue>], unit: &mut Unit) {
    let is_kept = |queue: &Queue| queue.is_journalled() && message.is_persistent();
    let mut at = 0;
    if queues.iter().any(|queue| is_kept(queue)) {
        let ids = queues.iter().filter(|queue| is_kept(queue)).map(|queue| queue.id());
        at = unit.group().publish(message, Returns::default(), ids);
    }
    for queue in queues {
        let file = if is_kept(queue) { unit.file() } else { None };
        let published = queue.publish(&mut vec![message.clone()], file);
        if is_kept(queue) {
            if let Ok(published) = published {
                unit.group().place(at, published.first);
            }
            at = at.saturating_add(TARGET_BYTES);
        }
    }
}

/// The keys in the header CC. What was in BCC is not kept.
fn copied_keys(message: &Message) -> Vec<&str> {
    match message.properties().headers().and_then(|headers| headers.get("CC")) {
        Some(Value::Array(keys)) => keys.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
