//! `basic.consume` and `basic.cancel`, and the consumer that its queue leaves behind.

use std::sync::Arc;
use std::time::Duration;

use leveret_protocol::method::basic;
use leveret_protocol::table::Table;

use super::exception::{Exception, Subject, not_allowed, precondition_failed, refused, too_many_consumers};
use super::subscription::{Source, Subscription};
use super::{Channel, Peer, Session};
use crate::auth::{Action, Resource};
use crate::name::ConsumerTag;
use crate::queue::QueueId;
use crate::queue::consumers::Consumer;
use crate::queue::delivery::SharedCredit;
use crate::queue::queue::ConsumeRefused;
use crate::queue::subscriber::Subscriber;
use crate::vhost::generated;
use crate::vhost::refused::Refused;
use crate::vhost::reply_to::PSEUDO_QUEUE;

impl Channel {
    pub(super) fn basic_consume(
        &mut self,
        consume: &basic::Consume<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Exception> {
        if consume.queue == PSEUDO_QUEUE {
            return self.consume_replies(consume, session, peer);
        }
        let name = self.named_or_last(consume.queue)?;
        let tag = self.new_consumer_tag(consume.consumer_tag)?;
        let max = session.authority.access().settings().consumer_max_per_channel;
        if let Some(max) = max.filter(|max| self.consumers.len() as u64 >= *max) {
            return Err(too_many_consumers(max));
        }
        session.authority.permits(Action::Read, Resource::Queue(name.as_str()))?;
        let vhost = Arc::clone(&session.vhost);
        let refuse = |refusal: Refused| refused(&refusal, Subject::Queue(name.as_str()), vhost.name());
        let queue = vhost.queue_for(name.as_str(), session.connection).map_err(refuse)?;
        let priority = priority(consume.arguments).map_err(|reason| {
            precondition_failed(format!(
                "invalid arg 'x-priority' for queue '{name}' in vhost '{}': {reason}",
                vhost.name()
            ))
        })?;
        let timeout = timeout(consume.arguments).map_err(|reason| {
            precondition_failed(format!(
                "invalid arg 'x-consumer-timeout' for queue '{name}' in vhost '{}': {reason}",
                vhost.name()
            ))
        })?;
        let slot = session.subscriptions.reserve();
        let credit = match &self.global_prefetch {
            Some(global) if !consume.no_ack => {
                Some(Arc::<super::GlobalPrefetch>::clone(global) as Arc<dyn SharedCredit>)
            }
            _ => None,
        };
        let shares_credit = credit.is_some();
        let mut subscriber = Subscriber::new(Arc::clone(self.whose()), tag.clone(), queue.name().clone());
        subscriber.no_ack = consume.no_ack;
        subscriber.exclusive = consume.exclusive;
        subscriber.prefetch = self.prefetch;
        subscriber.priority = priority;
        subscriber.timeout = timeout;
        subscriber.arguments = consume.arguments.to_owned();
        let subscriber = Arc::new(subscriber);
        let consumer = Consumer {
            tag: tag.clone(),
            slot,
            recipient: Arc::clone(&session.recipient),
            no_ack: consume.no_ack,
            exclusive: consume.exclusive,
            priority,
            prefetch: self.prefetch,
            timeout,
            shared_credit: credit,
            subscriber: Some(Arc::clone(&subscriber)),
        };
        let key = match queue.consume(consumer) {
            Ok(key) => key,
            Err(refusal) => {
                session.subscriptions.release(slot);
                return Err(refuse(match refusal {
                    ConsumeRefused::ExclusiveUse => Refused::ExclusiveUse,
                    ConsumeRefused::Gone(gone) => gone.into(),
                }));
            }
        };
        self.counting.entry.subscribe(&subscriber);
        let source = Source::Consumer { queue, key };
        self.subscribe(
            slot,
            Subscription {
                no_ack: consume.no_ack,
                shares_credit,
                subscriber: Some(subscriber),
                ..Subscription::new(self.number, tag.clone(), source)
            },
            session,
        );
        session.tell_consumer_created(self.number, consume, tag.as_str(), self.prefetch, name.as_str());
        if !consume.no_wait {
            peer.method(self.number, basic::ConsumeOk { consumer_tag: tag.as_str() }.into());
        }
        Ok(())
    }

    /// Takes a consumer out of its queue. What it was sent before is to be delivered, then [`Self::method`] is to
    /// serve the cancel, so that nothing follows the answer.
    pub fn stop_consumer(&mut self, tag: &str, session: &mut Session) {
        if let Some(slot) = self.consumers.get(tag).copied() {
            self.leave_requesters_as(slot, session);
            session.leave_queue(slot);
        }
    }

    pub(super) fn basic_cancel(
        &mut self,
        cancel: &basic::Cancel<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) {
        if let Some(slot) = self.consumers.remove(cancel.consumer_tag) {
            session.tell_consumer_deleted(self.number, slot, cancel.consumer_tag);
            let queue =
                session.subscriptions.get(slot).and_then(|subscription| subscription.queue()).cloned();
            // First, so that what has nothing to settle is known to nobody else.
            session.subscriptions.release_if_spent(slot);
            self.counting.entry.unsubscribe(cancel.consumer_tag, queue.as_ref());
        }
        if !cancel.no_wait {
            peer.method(self.number, basic::CancelOk { consumer_tag: cancel.consumer_tag }.into());
        }
    }

    /// A queue is gone, and with it the consumer in `slot`: the client is told if it understands.
    pub fn consumer_gone(&mut self, slot: u32, queue: QueueId, session: &mut Session, peer: &mut dyn Peer) {
        let Some(subscription) = session.subscriptions.get_mut(slot) else { return };
        if subscription.queue().is_none_or(|taken_from| taken_from.id() != queue) {
            return;
        }
        subscription.cancelled = true;
        let tag = subscription.tag.clone();
        if self.consumers.get(tag.as_str()) == Some(&slot) {
            self.consumers.remove(tag.as_str());
            self.counting.entry.unsubscribe(tag.as_str(), None);
            session.tell_consumer_deleted(self.number, slot, tag.as_str());
            if session.consumer_cancel_notify {
                peer.method(self.number, basic::Cancel { consumer_tag: tag.as_str(), no_wait: true }.into());
            }
        }
        session.subscriptions.release_if_spent(slot);
    }

    /// The consumers of queues that the user may not read from any more.
    pub fn without_right(&self, session: &mut Session) -> Vec<(u32, QueueId)> {
        let slots: Vec<u32> = self.consumers.values().copied().collect();
        let denied = slots.into_iter().filter_map(|slot| {
            let queue = session.subscriptions.get(slot).and_then(|subscription| subscription.queue())?;
            let (id, name) = (queue.id(), queue.name().clone());
            let permitted = session.authority.permits(Action::Read, Resource::Queue(name.as_str()));
            permitted.is_err().then_some((slot, id))
        });
        denied.collect()
    }

    /// The tag that a consumer asks for, or one of ours.
    pub(super) fn new_consumer_tag(&self, tag: &str) -> Result<ConsumerTag, Exception> {
        if tag.is_empty() {
            return Ok(ConsumerTag::from(generated::name("amq.ctag-")));
        }
        if self.consumers.contains_key(tag) {
            return Err(not_allowed(format!("attempt to reuse consumer tag '{tag}'")));
        }
        Ok(ConsumerTag::from(tag))
    }

    /// Enters a consumer.
    pub(super) fn subscribe(&mut self, slot: u32, subscription: Subscription, session: &mut Session) {
        self.consumers.insert(subscription.tag.clone(), slot);
        session.subscriptions.fill(slot, subscription);
    }
}

fn priority(arguments: Table<'_>) -> Result<i64, String> {
    match arguments.get("x-priority") {
        None => Ok(0),
        Some(value) => {
            value.as_integer().ok_or_else(|| format!("{{unacceptable_type,{}}}", value.type_name()))
        }
    }
}

/// How long the consumer may keep a delivery, if it says so itself.
fn timeout(arguments: Table<'_>) -> Result<Option<Duration>, String> {
    let Some(value) = arguments.get("x-consumer-timeout") else { return Ok(None) };
    let number = value.as_integer().ok_or_else(|| format!("{{unacceptable_type,{}}}", value.type_name()))?;
    let milliseconds = u64::try_from(number).map_err(|_| format!("{{value_negative,{number}}}"))?;
    Ok(Some(Duration::from_millis(milliseconds)))
}
