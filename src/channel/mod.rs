//! One AMQP channel: a method a time, in order, with what it leads to.
//!
//! A channel knows methods, not frames; it speaks to its client through a [`Peer`]. The dispatch below is the table
//! of contents: a line a method of the specification, each served by a function of its name.

pub mod answer;
pub mod authority;
pub mod confirm;
pub mod content;
mod counting;
pub mod entry;
pub mod exception;
mod former;
pub mod get;
pub mod outstanding;
pub mod qos;
pub mod session;
pub mod subscription;

mod consume;
mod exchange;
mod firehose;
mod peer;
mod publish;
mod queue;
mod reply_to;
mod returns;
mod settle;
mod telling;
mod transaction;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use leveret_protocol::method::{
    Method, access, basic, channel, confirm as confirm_class, exchange as exchange_class,
    queue as queue_class, tx,
};

pub use peer::Peer;
pub use session::Session;

use crate::access::ChannelPlace;
use crate::name::{ConsumerTag, QueueName};
use crate::place::Batch;
use crate::store::original::{Fate, Outcome};
use crate::vhost::publisher::{Copied, Origin};
use answer::{Answer, Served, Until};
use confirm::{Confirm, Confirms};
use content::Content;
use counting::Counting;
use exception::{Exception, command_invalid, not_found, not_implemented, precondition_failed};
use outstanding::OutstandingTags;
use qos::GlobalPrefetch;
use reply_to::Requesting;
use transaction::Transaction;

/// A channel of a connection.
pub struct Channel {
    number: u16,
    content: Content,
    mode: Mode,
    outstanding: OutstandingTags,
    /// Its consumers' subscriptions by tag.
    consumers: HashMap<ConsumerTag, u32>,
    /// The subscription of the last `basic.get`.
    last_get: Option<u32>,
    last_queue: Option<QueueName>,
    prefetch: u16,
    global_prefetch: Option<Arc<GlobalPrefetch>>,
    requesting: Option<Requesting>,
    /// Where it counts among those of its user and of the broker.
    place: Option<ChannelPlace>,
    counting: Counting,
}

/// What becomes of publishes and settlements.
enum Mode {
    /// They take effect, and nothing is said of it.
    Plain,
    /// Each publish is confirmed.
    Confirm(Confirms),
    /// They wait for a commit.
    Transaction(Transaction),
}

impl Channel {
    /// A channel that was just opened.
    pub fn new(number: u16) -> Self {
        Self {
            number,
            content: Content::Idle,
            mode: Mode::Plain,
            outstanding: OutstandingTags::default(),
            consumers: HashMap::new(),
            last_get: None,
            last_queue: None,
            prefetch: 0,
            global_prefetch: None,
            requesting: None,
            place: None,
            counting: Counting::unseen(number),
        }
    }

    /// The same; it counts among those of its user and of the broker as long as it is there.
    #[must_use]
    pub fn counted(self, place: ChannelPlace) -> Self {
        Self { place: Some(place), ..self }
    }

    /// Serves a method, and shows what that has changed; see `serve`.
    pub fn method(
        &mut self,
        method: Method<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<Served, Exception> {
        if let Method::Basic(basic::Method::Ack(ack)) = method
            && matches!(self.content, Content::Idle)
        {
            self.basic_ack(ack, session)?;
            self.show_unacked();
            return Ok(Served::Done);
        }
        let served = self.serve(method, session, peer);
        self.show();
        served
    }

    /// Serves a method. Publishes and acknowledgements may be gathered until [`Session::flush`]. A channel that is to wait
    /// is not to be given another one before it has waited.
    fn serve(
        &mut self,
        method: Method<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<Served, Exception> {
        use access::Method::Request;
        use basic::Method as B;
        use channel::Method::{Flow, FlowOk};
        use exchange_class::Method as E;
        use queue_class::Method as Q;
        if let Some(exception) = self.content.interrupted_by_method() {
            return Err(exception);
        }
        let _acting = match method {
            Method::Exchange(_) | Method::Queue(_) => session.acting(),
            _ => None,
        };
        match method {
            Method::Exchange(E::Declare(declare)) => return self.exchange_declare(&declare, session, peer),
            Method::Exchange(E::Delete(delete)) => return self.exchange_delete(&delete, session, peer),
            Method::Exchange(E::Bind(bind)) => return self.exchange_bind(&bind, session, peer),
            Method::Exchange(E::Unbind(unbind)) => return self.exchange_unbind(&unbind, session, peer),
            Method::Queue(Q::Declare(declare)) => return self.queue_declare(&declare, session, peer),
            Method::Queue(Q::Bind(bind)) => return self.queue_bind(&bind, session, peer),
            Method::Queue(Q::Unbind(unbind)) => return self.queue_unbind(&unbind, session, peer),
            Method::Queue(Q::Purge(purge)) => self.queue_purge(&purge, session, peer),
            Method::Queue(Q::Delete(delete)) => return self.queue_delete(&delete, session, peer),
            Method::Basic(B::Qos(qos)) => self.basic_qos(qos, session, peer),
            Method::Basic(B::Consume(consume)) => self.basic_consume(&consume, session, peer),
            Method::Basic(B::Cancel(cancel)) => {
                self.basic_cancel(&cancel, session, peer);
                Ok(())
            }
            Method::Basic(B::Get(get)) => return self.basic_get(&get, session, peer),
            Method::Basic(B::Ack(ack)) => self.basic_ack(ack, session),
            Method::Basic(B::Nack(nack)) => self.basic_nack(nack, session),
            Method::Basic(B::Reject(reject)) => self.basic_reject(reject, session),
            Method::Basic(B::Recover(recover)) => self.basic_recover(recover, session, peer),
            Method::Basic(B::RecoverAsync(recover)) => self.basic_recover_async(recover, session),
            Method::Basic(B::CancelOk(_)) | Method::Channel(FlowOk(_)) => Ok(()),
            Method::Channel(Flow(flow)) => self.channel_flow(flow, peer),
            Method::Confirm(confirm_class::Method::Select(select)) => self.confirm_select(select, peer),
            Method::Tx(tx::Method::Select(_)) => self.tx_select(peer),
            Method::Tx(tx::Method::Commit(_)) => return self.tx_commit(session, peer),
            Method::Tx(tx::Method::Rollback(_)) => self.tx_rollback(peer),
            Method::Access(Request(_)) => {
                peer.method(self.number, access::RequestOk { ticket: 1 }.into());
                Ok(())
            }
            _ => Err(command_invalid("unimplemented method")),
        }
        .map(|()| Served::Done)
    }

    /// Answers a change, once it is on the disk if it is to be there.
    fn answer(&self, answer: Answer, until: Option<Until>, session: &Session, peer: &mut dyn Peer) -> Served {
        match until {
            Some(until) if session.awaits(until) => Served::Awaits(until, answer),
            _ => {
                answer.tell(self.number, peer);
                Served::Done
            }
        }
    }

    /// Bytes of a message that is not complete yet.
    pub fn held(&self) -> usize {
        self.content.held()
    }

    fn channel_flow(&mut self, flow: channel::Flow, peer: &mut dyn Peer) -> Result<(), Exception> {
        if !flow.active {
            return Err(not_implemented("active=false"));
        }
        peer.method(self.number, channel::FlowOk { active: true }.into());
        Ok(())
    }

    fn confirm_select(
        &mut self,
        select: confirm_class::Select,
        peer: &mut dyn Peer,
    ) -> Result<(), Exception> {
        match self.mode {
            Mode::Plain => {
                self.mode = Mode::Confirm(Confirms::default());
                self.count_confirms();
            }
            Mode::Confirm(_) => {}
            Mode::Transaction(_) => return Err(precondition_failed("cannot switch from tx to confirm mode")),
        }
        if !select.no_wait {
            peer.method(self.number, confirm_class::SelectOk {}.into());
        }
        Ok(())
    }

    /// A publish was refused by a queue that it was routed to.
    pub fn refused(&mut self, origin: Origin) {
        if let Mode::Confirm(confirms) = &mut self.mode {
            confirms.refused(origin.number);
        }
    }

    /// A publish was a copy of another one, and is confirmed when that one is, or refused as that one was. Gives the group
    /// commit that it waits for. The unit is to have ended.
    pub fn copied(&mut self, copied: &Copied) -> Option<Batch> {
        let Mode::Confirm(confirms) = &mut self.mode else { return None };
        let number = copied.origin.number;
        match copied.fate.as_ref().map(Fate::wait) {
            Some(Outcome::Taken(Some(batch))) => {
                confirms.waits(number);
                return Some(batch);
            }
            Some(Outcome::Lost) => confirms.refused(number),
            Some(Outcome::Taken(None)) | None => {}
        }
        None
    }

    /// All that was published is where it belongs, and its records are in the group commit `until`; `late` if there may be
    /// some of messages that were said to have none.
    pub fn gathered(&mut self, until: Option<Batch>, late: bool) {
        if let Mode::Confirm(confirms) = &mut self.mode {
            if late {
                confirms.journalled();
            }
            confirms.gathered(until);
        }
    }

    /// Tells the publisher what is confirmed now that the group commits through `done` have succeeded. Says whether more
    /// is to be confirmed later.
    pub fn confirm(&mut self, done: Batch, peer: &mut dyn Peer) -> bool {
        let Mode::Confirm(confirms) = &mut self.mode else { return false };
        while let Some(confirm) = confirms.release(done) {
            let Confirm { delivery_tag, multiple, refused } = confirm;
            self.counting.answered(delivery_tag, refused);
            let told = if refused {
                // With the requeue bit, as RabbitMQ sends it.
                basic::Nack { delivery_tag, multiple, requeue: true }.into()
            } else {
                basic::Ack { delivery_tag, multiple }.into()
            };
            peer.method(self.number, told);
        }
        confirms.is_waiting()
    }

    /// The queue that a method means: the one that it names, or the one declared last on this channel.
    fn named_or_last(&self, queue: &str) -> Result<QueueName, Exception> {
        if !queue.is_empty() {
            return Ok(QueueName::declared(queue));
        }
        self.last_queue.clone().ok_or_else(|| not_found("no previously declared queue"))
    }

    /// Nothing is delivered to the channel from now on, replies neither. Its end begins with this; then the outbox is emptied, what was
    /// sent and what was not goes back in that order ([`Self::requeue_all`], [`Session::unsend`]), and
    /// [`Self::close`] takes the consumers out of their queues.
    pub fn stop_consumers(&mut self, session: &mut Session) {
        self.leave_requesters(session);
        for slot in self.consumers.values() {
            session.stop(*slot);
        }
    }

    /// The end of the channel, see [`Self::stop_consumers`].
    pub fn close(&mut self, session: &mut Session) {
        for (tag, slot) in self.consumers.drain() {
            session.tell_consumer_deleted(self.number, slot, tag.as_str());
            session.leave_queue(slot);
            session.subscriptions.release_if_spent(slot);
        }
        self.forget_last_get(session);
        session.tell_channel("channel.closed", self.number);
        self.place = None;
        self.end_counting();
    }
}
