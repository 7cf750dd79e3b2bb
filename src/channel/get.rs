//! `basic.get`: one message.

use std::sync::Arc;

use leveret_protocol::method::basic;

use super::answer::Served;
use super::exception::{Exception, Subject, refused};
use super::queue::count;
use super::returns::properties_with;
use super::subscription::{Source, Subscription};
use super::{Channel, Peer, Session};
use crate::auth::{Action, Resource};
use crate::count::What;
use crate::name::{ConsumerTag, QueueName};
use crate::queue::Queue;
use crate::queue::queue::Got;
use crate::vhost::refused::Refused;

/// A `basic.get` that is not answered yet.
#[derive(Clone, Debug)]
pub struct Getting {
    queue: QueueName,
    no_ack: bool,
}

impl Channel {
    pub(super) fn basic_get(
        &mut self,
        get: &basic::Get<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<Served, Exception> {
        let getting = Getting { queue: self.named_or_last(get.queue)?, no_ack: get.no_ack };
        session.authority.permits(Action::Read, Resource::Queue(getting.queue.as_str()))?;
        self.get(&getting, session, peer)
    }

    /// Takes a message, or waits for one that is being read.
    pub fn get(
        &mut self,
        getting: &Getting,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<Served, Exception> {
        let vhost = Arc::clone(&session.vhost);
        let refuse =
            |refusal: Refused| refused(&refusal, Subject::Queue(getting.queue.as_str()), vhost.name());
        let queue = vhost.queue_for(getting.queue.as_str(), session.connection).map_err(refuse)?;
        session.end_unit();
        let got = queue
            .get(getting.no_ack, &session.recipient, self.number, session.unit.group_without_ticket())
            .map_err(|gone| refuse(gone.into()))?;
        session.end_unit();
        let (entry, key, left) = match got {
            Got::Message { entry, key, left } => (entry, key, left),
            Got::Empty => {
                self.count(What::GetEmpty, 1);
                peer.method(self.number, basic::GetEmpty {}.into());
                return Ok(Served::Done);
            }
            Got::Loading => return Ok(Served::Loads(getting.clone())),
        };
        self.count_got(getting.no_ack, entry.redelivered);
        if vhost.is_tracing() {
            session.tell_got(queue.name().as_str(), self.number, entry.redelivered, &entry.message);
        }
        let slot = if key.is_some() { self.get_subscription(&queue, session) } else { u32::MAX };
        let delivery_tag = self.number_got(slot, key, session);
        let got = basic::GetOk {
            delivery_tag,
            redelivered: entry.redelivered,
            exchange: entry.message.exchange(),
            routing_key: entry.message.routing_key(),
            message_count: count(left),
        };
        let tells_returns = !entry.returns.is_none() && queue.terms().is_ok_and(|terms| terms.counts());
        let with_counts = tells_returns.then(|| properties_with(entry.returns, &entry.message));
        let properties = with_counts.as_deref().unwrap_or(entry.message.properties_bytes());
        peer.content(self.number, got.into(), &entry.message, properties);
        Ok(Served::Done)
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
            Subscription::new(self.number, ConsumerTag::from(""), Source::Get { queue: Arc::clone(queue) }),
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
