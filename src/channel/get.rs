//! `basic.get`: one message.

use std::sync::Arc;

use leveret_protocol::method::basic;

use super::exception::{Exception, Subject, refused};
use super::queue::count;
use super::subscription::{Source, Subscription};
use super::{Channel, Peer, Session};
use crate::name::ConsumerTag;
use crate::queue::Queue;
use crate::queue::queue::Got;
use crate::store::op::Group;
use crate::vhost::refused::Refused;

impl Channel {
    pub(super) fn basic_get(
        &mut self,
        get: &basic::Get<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Exception> {
        let name = self.named_or_last(get.queue)?;
        let vhost = Arc::clone(&session.vhost);
        let refuse = |refusal: Refused| refused(&refusal, Subject::Queue(name.as_str()), vhost.name());
        let queue = vhost.queue_for(name.as_str(), session.connection).map_err(refuse)?;
        let (recipient, group) = (&session.recipient, &mut Group::default());
        let got = queue.get(get.no_ack, recipient, self.number, group).map_err(|gone| refuse(gone.into()))?;
        let Got::Message { entry, key, left } = got else {
            peer.method(self.number, basic::GetEmpty {}.into());
            return Ok(());
        };
        let slot = if key.is_some() { self.get_subscription(&queue, session) } else { u32::MAX };
        let delivery_tag = self.number_got(slot, key, session);
        let got = basic::GetOk {
            delivery_tag,
            redelivered: entry.redelivered,
            exchange: entry.message.exchange(),
            routing_key: entry.message.routing_key(),
            message_count: count(left),
        };
        peer.content(self.number, got.into(), &entry.message);
        Ok(())
    }

    /// The subscription under which gets from this queue are settled. Only the last one is remembered: it lives as long
    /// as the channel, the others as long as they have unsettled deliveries.
    fn get_subscription(&mut self, queue: &Arc<Queue>, session: &mut Session) -> u32 {
        if let Some(slot) = self.last_get {
            let known = session.subscriptions.get(slot).and_then(Subscription::queue);
            if known.is_some_and(|known| known.id() == queue.id()) {
                return slot;
            }
        }
        self.forget_last_get(session);
        let slot = session.subscriptions.reserve();
        session.subscriptions.fill(
            slot,
            Subscription {
                channel: self.number,
                tag: ConsumerTag::from(""),
                source: Source::Get { queue: Arc::clone(queue) },
                unsettled: 0,
                shares_credit: false,
                cancelled: false,
                acked: Vec::new(),
            },
        );
        self.last_get = Some(slot);
        slot
    }

    /// No more is got under the last subscription.
    pub(super) fn forget_last_get(&mut self, session: &mut Session) {
        let Some(slot) = self.last_get.take() else { return };
        if let Some(subscription) = session.subscriptions.get_mut(slot) {
            subscription.cancelled = true;
        }
        session.subscriptions.release_if_spent(slot);
    }
}
