//! Consumers, listed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::listing::whole;
use super::site::Site;
use super::wire_json::from_table;
use crate::queue::subscriber::{Subscriber, Whose};

/// A consumer, as it is listed with its queue and its channel too.
pub(super) fn object(consumer: &Subscriber, site: &Site) -> Value {
    let whose = &consumer.whose;
    json!({
        "consumer_tag": consumer.tag.as_str(),
        "queue": { "name": consumer.queue.as_str(), "vhost": whose.vhost.as_str() },
        "channel_details": channel_details(whose, site),
        "ack_required": !consumer.no_ack,
        "exclusive": consumer.exclusive,
        "prefetch_count": consumer.prefetch,
        "priority": consumer.priority,
        "active": consumer.is_active(),
        "activity_status": consumer.activity(),
        "arguments": from_table(consumer.arguments.as_table()),
        "consumer_timeout": timeout(consumer, site).as_millis(),
    })
}

/// A channel, as it is named beside what it does.
pub(super) fn channel_details(whose: &Whose, site: &Site) -> Value {
    json!({
        "name": whose.channel_name(),
        "number": whose.number,
        "connection_name": whose.connection_name,
        "node": site.node,
        "peer_host": whose.peer.map(|peer| peer.ip().to_string()),
        "peer_port": whose.peer.map(|peer| peer.port()),
        "user": whose.user.as_str(),
    })
}

/// How long a delivery may be with it: by its own word, or what holds for its queue; 0 is without end.
fn timeout(consumer: &Subscriber, site: &Site) -> Duration {
    let of_queue = || {
        let vhost = site.environment.vhosts.get(consumer.whose.vhost.as_str())?;
        vhost.queues().get(consumer.queue.as_str())?.terms().ok()?.consumer_timeout
    };
    consumer.timeout.or_else(of_queue).unwrap_or_default()
}

/// `GET /api/consumers` and `/api/consumers/{vhost}`
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    call.needs_statistics()?;
    let seen: Vec<_> = call.vhosts()?.iter().map(|vhost| vhost.name().clone()).collect();
    let mut consumers: Vec<Arc<Subscriber>> = Vec::new();
    for connection in call.environment().connections.described() {
        if seen.contains(&connection.vhost) {
            let channels = connection.about.entry.channels();
            consumers.extend(channels.iter().flat_map(|channel| channel.subscribers()));
        }
    }
    let site = Arc::clone(&call.site);
    Ok(whole(call, consumers, move |consumer| Some(object(consumer, &site))))
}
