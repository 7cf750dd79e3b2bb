//! `basic.ack`, `basic.nack`, `basic.reject`, `basic.recover`: what becomes of deliveries.

use std::sync::Arc;

use foldhash::HashMap;

use leveret_protocol::method::basic;

use super::exception::{Exception, not_implemented, unknown_delivery_tag};
use super::outstanding::{Outstanding, UnknownTag};
use super::returns::properties_with;
use super::session::records_of;
use super::transaction::Settled;
use super::{Channel, Mode, Peer, Session};
use crate::count::What;
use crate::queue::core::Settlement;
use crate::queue::delivery::Delivery;
use crate::queue::id::UnackedKey;
use crate::queue::{Queue, QueueId};

impl From<UnknownTag> for Exception {
    fn from(UnknownTag(tag): UnknownTag) -> Self {
        unknown_delivery_tag(tag)
    }
}

impl Channel {
    /// Numbers and sends a delivery from the outbox. One that needs no acknowledgement is gathered as if it was
    /// acknowledged, until [`Session::flush_acked`].
    #[inline]
    pub fn deliver(&mut self, delivery: &Delivery, session: &mut Session, peer: &mut dyn Peer) {
        let Some(subscription) = session.subscriptions.get_mut(delivery.slot) else { return };
        let delivery_tag = match delivery.unacked {
            // What outlives the broker stays in its queue until it is sent.
            Some(key) if subscription.no_ack => {
                if subscription.acked.is_empty() {
                    session.acked.push(delivery.slot);
                }
                subscription.acked.push(key);
                self.outstanding.number()
            }
            Some(key) => {
                subscription.unsettled = subscription.unsettled.saturating_add(1);
                let tag = self.outstanding.enter(Outstanding { slot: delivery.slot, key });
                self.show_unacked();
                tag
            }
            None => self.outstanding.number(),
        };
        let redelivered = delivery.redelivered;
        let subscriber = subscription.subscriber.as_deref();
        self.count(if subscription.no_ack { What::DeliverNoAck } else { What::Deliver }, 1);
        if let Some(subscriber) = subscriber {
            subscriber.deliver.add(1);
        }
        if redelivered {
            self.count(What::Redeliver, 1);
            if let Some(subscriber) = subscriber {
                subscriber.redeliver.add(1);
            }
        }
        let (tag, message) = (subscription.tag.as_str(), &delivery.message);
        if delivery.tells_returns {
            let properties = properties_with(delivery.returns, message);
            return peer.deliver(self.number, tag, delivery_tag, redelivered, message, &properties);
        }
        peer.deliver(self.number, tag, delivery_tag, redelivered, message, message.properties_bytes());
    }

    /// Numbers a message that `basic.get` took.
    pub(super) fn number_got(&mut self, slot: u32, key: Option<UnackedKey>, session: &mut Session) -> u64 {
        let Some(key) = key else { return self.outstanding.number() };
        if let Some(subscription) = session.subscriptions.get_mut(slot) {
            subscription.unsettled = subscription.unsettled.saturating_add(1);
        }
        self.outstanding.enter(Outstanding { slot, key })
    }

    #[inline]
    pub(super) fn basic_ack(&mut self, ack: basic::Ack, session: &mut Session) -> Result<(), Exception> {
        if session.publisher.gathers_once() {
            // What was published before may be a copy of what this acknowledges.
            session.publisher.flush(&session.vhost, &mut session.unit);
        }
        if !ack.multiple && !matches!(self.mode, Mode::Transaction(_)) {
            let outstanding = self.outstanding.take(ack.delivery_tag)?;
            self.count(What::Ack, 1);
            if acknowledge(outstanding, session) {
                self.release_credit(1, session);
            }
            return Ok(());
        }
        self.settle_tags(ack.delivery_tag, ack.multiple, Settlement::Discard, session)
    }

    pub(super) fn basic_nack(&mut self, nack: basic::Nack, session: &mut Session) -> Result<(), Exception> {
        // RabbitMQ 4.3: only a consumer that rejects a message says that it failed.
        let settlement = if nack.requeue { Settlement::Return } else { Settlement::Reject };
        self.settle_tags(nack.delivery_tag, nack.multiple, settlement, session)
    }

    pub(super) fn basic_reject(
        &mut self,
        reject: basic::Reject,
        session: &mut Session,
    ) -> Result<(), Exception> {
        let settlement = if reject.requeue { Settlement::Requeue } else { Settlement::Reject };
        self.settle_tags(reject.delivery_tag, false, settlement, session)
    }

    pub(super) fn basic_recover(
        &mut self,
        recover: basic::Recover,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Exception> {
        self.recover(recover.requeue, session)?;
        peer.method(self.number, basic::RecoverOk {}.into());
        Ok(())
    }

    pub(super) fn basic_recover_async(
        &mut self,
        recover: basic::RecoverAsync,
        session: &mut Session,
    ) -> Result<(), Exception> {
        self.recover(recover.requeue, session)
    }

    /// What the channel holds goes back to its queues, with what an open transaction settled.
    pub fn requeue_all(&mut self, session: &mut Session) {
        let mut settled = match &mut self.mode {
            Mode::Transaction(transaction) => transaction.take_settlements(),
            Mode::Plain | Mode::Confirm(_) => Vec::new(),
        };
        for settled in &mut settled {
            settled.settlement = Settlement::Requeue;
        }
        self.outstanding.take_all(|tag, outstanding| {
            settled.push(Settled { tag, outstanding, settlement: Settlement::Requeue });
        });
        self.show_unacked();
        self.settle(settled, session);
    }

    /// What a consumer holds goes back to its queue, as if it was given back as it is. The client does not know that yet:
    /// what it says of these deliveries later is let pass.
    pub fn return_of(&mut self, slot: u32, session: &mut Session) {
        let settlement = Settlement::Return;
        let settled = self.outstanding.disown(slot).into_iter();
        let settled = settled.map(|(tag, outstanding)| Settled { tag, outstanding, settlement });
        self.settle(settled.collect(), session);
    }

    fn recover(&mut self, requeue: bool, session: &mut Session) -> Result<(), Exception> {
        if !requeue {
            return Err(not_implemented("requeue=false"));
        }
        let mut settled = Vec::new();
        self.outstanding.take_all(|tag, outstanding| {
            settled.push(Settled { tag, outstanding, settlement: Settlement::Return });
        });
        self.settle(settled, session);
        Ok(())
    }

    fn settle_tags(
        &mut self,
        tag: u64,
        multiple: bool,
        settlement: Settlement,
        session: &mut Session,
    ) -> Result<(), Exception> {
        let mut settled = Vec::new();
        if multiple {
            self.outstanding.take_through(tag, |tag, outstanding| {
                settled.push(Settled { tag, outstanding, settlement });
            })?;
        } else {
            settled.push(Settled { tag, outstanding: self.outstanding.take(tag)?, settlement });
        }
        if let Mode::Transaction(transaction) = &mut self.mode {
            for settled in settled {
                transaction.settle(settled);
            }
        } else {
            self.settle(settled, session);
        }
        Ok(())
    }

    /// Settles what was taken from the outstanding tags.
    pub(super) fn settle(&mut self, settled: Vec<Settled>, session: &mut Session) {
        let mut credit = 0_u32;
        let mut others: HashMap<(QueueId, Settlement), (Arc<Queue>, Vec<UnackedKey>)> = HashMap::default();
        for Settled { outstanding, settlement, .. } in settled {
            if settlement == Settlement::Discard {
                self.count(What::Ack, 1);
                credit = credit.saturating_add(u32::from(acknowledge(outstanding, session)));
                continue;
            }
            let Some(subscription) = session.subscriptions.get_mut(outstanding.slot) else { continue };
            subscription.unsettled = subscription.unsettled.saturating_sub(1);
            credit = credit.saturating_add(u32::from(subscription.shares_credit));
            if let Some(queue) = subscription.queue() {
                let which = (queue.id(), settlement);
                let (_, keys) = others.entry(which).or_insert_with(|| (Arc::clone(queue), Vec::new()));
                keys.push(outstanding.key);
            }
            session.subscriptions.release_if_spent(outstanding.slot);
        }
        for ((_, settlement), (queue, keys)) in others {
            queue.settle(&keys, settlement, records_of(&queue, &mut session.unit));
        }
        self.release_credit(credit, session);
    }

    /// Consumers that share the channel's prefetch may go on.
    fn release_credit(&mut self, deliveries: u32, session: &mut Session) {
        if deliveries == 0 {
            return;
        }
        if let Some(global) = &self.global_prefetch {
            session.flush_acked();
            for queue in global.release(deliveries) {
                queue.credit_made();
            }
        }
    }
}

/// Gathers an acknowledgement for its queue. Says whether the delivery counted in a shared prefetch.
#[inline]
fn acknowledge(outstanding: Outstanding, session: &mut Session) -> bool {
    let Some(subscription) = session.subscriptions.get_mut(outstanding.slot) else { return false };
    subscription.unsettled = subscription.unsettled.saturating_sub(1);
    if subscription.acked.is_empty() {
        session.acked.push(outstanding.slot);
    }
    subscription.acked.push(outstanding.key);
    subscription.shares_credit
}
