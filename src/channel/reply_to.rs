//! Direct reply-to, seen from the channel of the requester.

use std::sync::Arc;

use leveret_protocol::method::basic;
use leveret_protocol::properties::Properties;

use super::exception::{Exception, precondition_failed};
use super::subscription::{Source, Subscription};
use super::{Channel, Peer, Session};
use crate::vhost::reply_to::{PSEUDO_QUEUE, ReplyName};

/// The one consumer of replies that a channel may have.
pub(super) struct Requesting {
    name: ReplyName,
    slot: u32,
}

#[cfg(test)]
impl Requesting {
    pub(super) fn name(&self) -> &str {
        self.name.as_str()
    }
}

impl Channel {
    pub(super) fn consume_replies(
        &mut self,
        consume: &basic::Consume<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Exception> {
        if self.requesting.is_some() {
            return Err(precondition_failed("reply consumer already set"));
        }
        if !consume.no_ack {
            return Err(precondition_failed("reply consumer cannot acknowledge"));
        }
        let tag = self.new_consumer_tag(consume.consumer_tag)?;
        let slot = session.subscriptions.reserve();
        let name = session.vhost.requesters().enter(Arc::clone(&session.recipient), slot);
        self.requesting = Some(Requesting { name, slot });
        let subscription = Subscription::new(self.number, tag.clone(), Source::Replies);
        self.subscribe(slot, Subscription { no_ack: true, ..subscription }, session);
        if !consume.no_wait {
            peer.method(self.number, basic::ConsumeOk { consumer_tag: tag.as_str() }.into());
        }
        Ok(())
    }

    /// The properties of a request with the name under which its channel gets the reply, when it asks for that.
    pub(super) fn with_reply_name(&self, properties: Properties<'_>) -> Result<Option<Vec<u8>>, Exception> {
        if properties.reply_to() != Some(PSEUDO_QUEUE) {
            return Ok(None);
        }
        let Some(requesting) = &self.requesting else {
            return Err(precondition_failed("fast reply consumer does not exist"));
        };
        Ok(Some(properties.with_reply_to(requesting.name.as_str())))
    }

    /// The channel gets no replies any more.
    pub(super) fn leave_requesters(&mut self, session: &mut Session) {
        if let Some(requesting) = self.requesting.take() {
            session.vhost.requesters().leave(&requesting.name);
            if let Some(subscription) = session.subscriptions.get_mut(requesting.slot) {
                subscription.cancelled = true;
            }
        }
    }

    /// The same, if `slot` is the consumer of replies.
    pub(super) fn leave_requesters_as(&mut self, slot: u32, session: &mut Session) {
        if self.requesting.as_ref().is_some_and(|requesting| requesting.slot == slot) {
            self.leave_requesters(session);
        }
    }
}
