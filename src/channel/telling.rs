//! What happens to channels and consumers, as events of RabbitMQ's event exchange.

use leveret_protocol::method::basic::Consume;
use leveret_protocol::table::TableBuilder;

use super::Session;
use crate::event::{Acting, acting_for};

impl Session {
    /// While somebody listens to events: what this thread does is done for the user.
    pub(super) fn acting(&self) -> Option<Acting> {
        self.vhost.events().is_wanted().then(|| acting_for(self.authority.user().as_str()))
    }

    /// Something happens to a channel. One without a socket is nobody's business.
    pub fn tell_channel(&self, key: &'static str, number: u16) {
        if self.peer.is_none() {
            return;
        }
        let _acting = self.acting();
        self.vhost.events().tell(key, |headers| {
            headers
                .string("name", self.channel_name(number))
                .string("connection", &self.name)
                .int("number", number.into())
                .string("user", self.authority.user().as_str())
                .string("vhost", self.vhost.name().as_str())
        });
    }

    pub(super) fn tell_consumer_created(
        &self,
        channel: u16,
        consume: &Consume<'_>,
        tag: &str,
        prefetch: u16,
        queue: &str,
    ) {
        let _acting = self.acting();
        self.vhost.events().tell("consumer.created", |headers| {
            self.consumer(headers, channel, tag, queue)
                .bool("exclusive", consume.exclusive)
                .bool("ack_required", !consume.no_ack)
                .int("prefetch_count", prefetch.into())
        });
    }

    pub(super) fn tell_consumer_deleted(&self, channel: u16, slot: u32, tag: &str) {
        let _acting = self.acting();
        self.vhost.events().tell("consumer.deleted", |headers| {
            let queue = self.subscriptions.get(slot).and_then(|subscription| subscription.queue());
            self.consumer(headers, channel, tag, queue.map_or("", |queue| queue.name().as_str()))
        });
    }

    fn consumer(&self, headers: TableBuilder, channel: u16, tag: &str, queue: &str) -> TableBuilder {
        headers
            .string("consumer_tag", tag)
            .string("channel", self.channel_name(channel))
            .string("queue", queue)
            .string("vhost", self.vhost.name().as_str())
    }

    fn channel_name(&self, number: u16) -> String {
        format!("{} ({number})", self.name)
    }
}
