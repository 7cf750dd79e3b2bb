//! Publishing what happens at RabbitMQ's event exchange.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use leveret_protocol::properties::PropertiesBuilder;

use crate::connection::Environment;
use crate::event::{EVENT_EXCHANGE, Event};
use crate::message::Message;
use crate::vhost::Vhost;
use crate::vhost::publisher::{Origin, Publisher};
use crate::vhost::registry::EVENTS_VHOST;

const STACK_BYTES: usize = 512 * 1024;

/// The thread that publishes them.
#[derive(Debug)]
pub(super) struct Teller {
    environment: Arc<Environment>,
    thread: Option<JoinHandle<()>>,
}

impl Teller {
    pub(super) fn start(environment: &Arc<Environment>) -> io::Result<Self> {
        let of_thread = Arc::clone(environment);
        let thread = thread::Builder::new().name("events".to_owned()).stack_size(STACK_BYTES);
        let thread = thread.spawn(move || {
            while let Some((events, lost)) = of_thread.vhosts.events().next() {
                if lost > 0 {
                    tracing::warn!(
                        "{lost} events come to nobody: they come faster than they can be published"
                    );
                }
                publish(&of_thread, events);
            }
        })?;
        Ok(Self { environment: Arc::clone(environment), thread: Some(thread) })
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.environment.vhosts.events().close();
        if let Some(thread) = self.thread.take() {
            // A panic there was logged.
            let _ = thread.join();
        }
    }
}

fn publish(environment: &Environment, events: impl IntoIterator<Item = Event>) {
    let all = environment.vhosts.events();
    let vhost = environment.vhosts.get(EVENTS_VHOST);
    let exchange = vhost.as_ref().and_then(|vhost| vhost.exchanges().get(EVENT_EXCHANGE));
    let (Some(vhost), Some(exchange)) = (vhost, exchange) else { return all.want(false) };
    let is_bound = || !exchange.routes().is_empty();
    if is_bound() {
        // Events are wanted all the while: what happens meanwhile is heard.
        return tell(&vhost, events);
    }
    all.want(false);
    if is_bound() {
        // Somebody came between the look and the word.
        all.want(true);
    }
}

fn tell(vhost: &Vhost, events: impl IntoIterator<Item = Event>) {
    let mut publisher = Publisher::default().from_within();
    let mut unit = vhost.unit();
    for Event { key, headers, at } in events {
        let properties = PropertiesBuilder {
            headers: Some(headers.as_table()),
            delivery_mode: Some(2),
            timestamp: Some(at.as_millis() / 1000),
            ..PropertiesBuilder::default()
        };
        let message = Message::compose(EVENT_EXCHANGE, key, &properties.finish(), b"");
        let Some(mut message) = message else { continue };
        message.arrive(at);
        let headers = message.properties().headers();
        let Ok(routed) = publisher.route(vhost, &message, &[], headers, &mut unit) else { continue };
        publisher.gather(vhost, routed, message.clone(), Origin::default(), &mut unit);
    }
    publisher.flush(vhost, &mut unit);
    unit.end();
}
