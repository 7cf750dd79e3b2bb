//! The channels of a connection by number, and which of them hears what.

mod opening;

use std::sync::Arc;

use bytes::Bytes;
use leveret_protocol::method::{Method, basic, channel};
use leveret_protocol::properties::Properties;
use leveret_protocol::reply_code::ReplyCode;
use leveret_protocol::{DecodeError, Decoder, Event};

use super::entry::ConnectionEntry;
use super::in_place::message_in_place;
use super::waiting::{Waiting, WaitingChannels};
use crate::channel::content::check_header;
use crate::channel::exception::{Exception, channel_error, resource_error};
use crate::channel::subscription::Source;
use crate::channel::{Channel, Peer, Session};
use crate::place::Batch;
use crate::queue::QueueId;
use crate::queue::delivery::{Delivery, Late};

/// The channels of a connection.
pub struct Channels {
    pub(super) slots: Vec<Option<Slot>>,
    open: usize,
    channel_max: u16,
    /// Bytes of incomplete messages on all channels.
    incomplete: usize,
    incomplete_max: usize,
    pub(super) waiting: WaitingChannels,
    /// What an operator sees of the connection.
    entry: Arc<ConnectionEntry>,
}

pub(super) enum Slot {
    Open(Box<Channel>),
    /// It serves nothing for now.
    Waiting(Box<Waiting>),
    /// We closed it: all that comes for it is dropped until the client agrees.
    Closing,
}

/// Why a frame was not served. Always in a box, so that what is returned of nearly all frames, which is nothing, is one
/// word: the room for a large error is copied along though there is none, and that waits for all that was written before.
pub enum Unserved {
    /// It led to an exception.
    Raised(Raised),
    /// A frame that belongs to it cannot be read.
    Unreadable(DecodeError),
}

impl From<Raised> for Box<Unserved> {
    fn from(raised: Raised) -> Self {
        Self::new(Unserved::Raised(raised))
    }
}

impl From<DecodeError> for Box<Unserved> {
    fn from(error: DecodeError) -> Self {
        Self::new(Unserved::Unreadable(error))
    }
}

/// An exception and what raised it.
pub struct Raised {
    /// The channel.
    pub channel: u16,
    /// Class and method id.
    pub method: (u16, u16),
    /// The exception.
    pub exception: Exception,
}

/// The class and method id, the weight, the size and the properties of a content header.
type Header<'a> = (u16, u16, u64, Properties<'a>);

impl Channels {
    /// No channels, of which `channel_max` may be open at a time. Incomplete messages may hold four times the largest
    /// one, and 64 MiB at least.
    pub fn new(channel_max: u16, message_size_max: u64) -> Self {
        const INCOMPLETE_MIN: usize = 64 * 1024 * 1024;
        let four = usize::try_from(message_size_max.saturating_mul(4)).unwrap_or(usize::MAX);
        Self {
            slots: Vec::new(),
            open: 0,
            channel_max,
            incomplete: 0,
            incomplete_max: four.max(INCOMPLETE_MIN),
            waiting: WaitingChannels::default(),
            entry: Arc::default(),
        }
    }

    /// Serves a method, `channel.open` and `channel.close` among them; of the latter the channel was released.
    pub fn method(
        &mut self,
        number: u16,
        method: Method<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Box<Unserved>> {
        let id = method.id();
        let raised = move |exception| Raised { channel: number, method: id, exception }.into();
        match (self.slot_mut(number), method) {
            (None, Method::Channel(channel::Method::Open(_))) => {
                // RabbitMQ names no method when there are too many channels.
                self.open(number, session, peer)
                    .map_err(|exception| Raised { channel: number, method: (0, 0), exception }.into())
            }
            (None, _) => Err(raised(channel_error("expected 'channel.open'"))),
            (Some(_), Method::Channel(channel::Method::Open(_))) => {
                Err(raised(channel_error("second 'channel.open' seen")))
            }
            (Some(Slot::Closing), Method::Channel(channel::Method::CloseOk(_))) => {
                self.forget(number);
                Ok(())
            }
            // Both sides closed at once: the answer to our own close is still to come.
            (Some(Slot::Closing), Method::Channel(channel::Method::Close(_))) => {
                peer.method(number, channel::CloseOk {}.into());
                Ok(())
            }
            (Some(Slot::Open(channel)), Method::Channel(channel::Method::Close(_))) => {
                if let Some(exception) = channel.interrupted_by_method() {
                    return Err(Raised { channel: number, method: basic::Publish::ID, exception }.into());
                }
                peer.method(number, channel::CloseOk {}.into());
                self.forget(number);
                Ok(())
            }
            // What comes for a waiting channel is kept before it comes here.
            (Some(Slot::Open(_)), Method::Channel(channel::Method::CloseOk(_)))
            | (Some(Slot::Closing | Slot::Waiting(_)), _) => Ok(()),
            (Some(Slot::Open(channel)), method) => {
                // A method in the midst of a content is a fault of the publish that the content belongs to.
                let id = if channel.awaits_content() { basic::Publish::ID } else { id };
                let served = channel.method(method, session, peer).map_err(|exception| Raised {
                    channel: number,
                    method: id,
                    exception,
                })?;
                self.served(number, served);
                Ok(())
            }
        }
    }

    /// Whether a channel is there, open or closing.
    pub fn is_known(&self, number: u16) -> bool {
        self.slots.get(usize::from(number)).is_some_and(Option::is_some)
    }

    /// Serves a `basic.publish`. When its whole content stands right behind it, which is the rule, the message is made of
    /// the bytes as they are.
    #[allow(clippy::too_many_arguments, reason = "the parts of one connection, borrowed apart")]
    pub fn publish(
        &mut self,
        number: u16,
        publish: &basic::Publish<'_>,
        address: &[u8],
        decoder: &mut Decoder,
        chunk: &Bytes,
        at: &mut usize,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Box<Unserved>> {
        let raised = |exception| Raised { channel: number, method: basic::Publish::ID, exception }.into();
        let channel = match self.slot_mut(number) {
            Some(Slot::Open(channel)) => channel,
            Some(Slot::Closing | Slot::Waiting(_)) => return Ok(()),
            None => return Err(raised(channel_error("expected 'channel.open'"))),
        };
        if let Err(exception) = channel.expects_publish(publish) {
            return Err(raised(exception));
        }
        // What is decoded is looked at where it stands: to move it just after it was written costs more than decoding it.
        let next = decoder.next(chunk.get(*at..).unwrap_or_default());
        let (header_len, class_id, weight, body_size, properties) = match &next {
            Ok(Some((length, Event::Header { channel: same, class_id, weight, body_size, properties })))
                if *same == number =>
            {
                (*length, *class_id, *weight, *body_size, *properties)
            }
            _ => {
                let other = next?;
                if let Err(exception) = channel.basic_publish(publish, address) {
                    return Err(raised(exception));
                }
                return self.begun_body(other, chunk, at, session, peer);
            }
        };
        *at = at.saturating_add(header_len);
        if let Err(exception) = check_header(class_id, weight, body_size, session.message_size_max) {
            return Err(raised(exception));
        }
        let mut body: &[u8] = &[];
        if body_size > 0 {
            let next = decoder.next(chunk.get(*at..).unwrap_or_default());
            match &next {
                Ok(Some((length, Event::Body { channel: same, payload, ends_frame: true, .. })))
                    if *same == number && payload.len() as u64 == body_size =>
                {
                    *at = at.saturating_add(*length);
                    body = payload;
                }
                _ => {
                    let other = next?;
                    let begun = channel.basic_publish(publish, address).and_then(|()| {
                        channel.content_header(class_id, weight, body_size, properties, session, peer)
                    });
                    self.count_incomplete(number, 0);
                    if let Err(exception) = begun {
                        return Err(raised(exception));
                    }
                    return self.begun_body(other, chunk, at, session, peer);
                }
            }
        }
        let Some(message) = message_in_place(chunk, address, properties, body) else {
            return Err(raised(Exception::new(ReplyCode::InternalError, "content does not fit together")));
        };
        channel.publish(publish.mandatory, message, session, peer).map_err(raised)
    }

    /// Serves a piece of a body that the decoder was asked for in vain hope of something else: it has passed it and
    /// expects what comes after. Any other frame it gives again.
    #[inline(never)]
    fn begun_body(
        &mut self,
        next: Option<(usize, Event<'_>)>,
        chunk: &Bytes,
        at: &mut usize,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Box<Unserved>> {
        let Some((length, event @ Event::Body { channel, payload, ends_frame, .. })) = next else {
            return Ok(());
        };
        let from = *at;
        *at = at.saturating_add(length);
        if self.keep(&event, chunk.get(from..*at).unwrap_or_default()) {
            return Ok(());
        }
        self.body(channel, payload, ends_frame, session, peer)
    }

    /// Serves a content header.
    pub fn header(
        &mut self,
        number: u16,
        (class_id, weight, body_size, properties): Header<'_>,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Box<Unserved>> {
        self.content(number, session, peer, |channel, session, peer| {
            channel.content_header(class_id, weight, body_size, properties, session, peer)
        })
    }

    /// Serves a piece of a body.
    pub fn body(
        &mut self,
        number: u16,
        payload: &[u8],
        ends_frame: bool,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Box<Unserved>> {
        self.content(number, session, peer, |channel, session, peer| {
            channel.content_body(payload, ends_frame, session, peer)
        })
    }

    fn content(
        &mut self,
        number: u16,
        session: &mut Session,
        peer: &mut dyn Peer,
        serve: impl FnOnce(&mut Channel, &mut Session, &mut dyn Peer) -> Result<(), Exception>,
    ) -> Result<(), Box<Unserved>> {
        let channel = match self.slot_mut(number) {
            Some(Slot::Open(channel)) => channel,
            Some(Slot::Closing | Slot::Waiting(_)) => return Ok(()),
            None => {
                let exception = channel_error("expected 'channel.open'");
                return Err(Raised { channel: number, method: (0, 0), exception }.into());
            }
        };
        let (held, method) =
            (channel.held(), if channel.awaits_content() { basic::Publish::ID } else { (0, 0) });
        let outcome = serve(channel, session, peer);
        self.count_incomplete(number, held);
        let within = self.incomplete <= self.incomplete_max;
        outcome
            .and_then(|()| {
                if within {
                    Ok(())
                } else {
                    Err(resource_error("too much content of incomplete messages on this connection"))
                }
            })
            .map_err(|exception| Raised { channel: number, method, exception }.into())
    }

    /// Keeps count of incomplete messages; the channel held `before`.
    fn count_incomplete(&mut self, number: u16, before: usize) {
        let now = match self.slot_mut(number) {
            Some(Slot::Open(channel)) => channel.held(),
            Some(Slot::Closing | Slot::Waiting(_)) | None => 0,
        };
        self.incomplete = self.incomplete.saturating_sub(before).saturating_add(now);
    }

    /// Sends deliveries on their channels. One whose channel is gone goes back to its queue.
    pub fn deliver(&mut self, deliveries: &mut Vec<Delivery>, session: &mut Session, peer: &mut dyn Peer) {
        if session.vhost.is_tracing() {
            session.tell_deliveries(deliveries);
        }
        for delivery in deliveries.drain(..) {
            let number = session.subscriptions.get(delivery.slot).map(|subscription| subscription.channel);
            match number.and_then(|number| self.open_mut(number)) {
                Some(channel) => channel.deliver(&delivery, session, peer),
                None => session.unsend(delivery),
            }
        }
    }

    /// A queue is gone, and with it the consumer in a slot.
    pub fn consumer_gone(&mut self, slot: u32, queue: QueueId, session: &mut Session, peer: &mut dyn Peer) {
        let number = session.subscriptions.get(slot).map(|subscription| subscription.channel);
        if let Some(channel) = number.and_then(|number| self.open_mut(number)) {
            channel.consumer_gone(slot, queue, session, peer);
        }
    }

    /// All that was published is where it belongs, with its records in the group commit `until`: confirms what is as
    /// durable as it is to be.
    pub fn confirm(&mut self, until: Option<Batch>, session: &mut Session, peer: &mut dyn Peer) {
        let done = session.done();
        let late = session.publisher.take_late_records();
        for refusal in session.publisher.take_refused() {
            if let Some(channel) = self.open_mut(refusal.origin.channel) {
                channel.refused(refusal.origin);
            }
        }
        let mut until = until;
        for copied in session.publisher.take_copied() {
            if let Some(channel) = self.open_mut(copied.origin.channel) {
                until = until.max(channel.copied(&copied));
            }
        }
        let mut waits = false;
        while let Some(number) = session.confirming.pop() {
            if let Some(channel) = self.open_mut(number) {
                channel.gathered(until, late);
                if channel.confirm(done, peer) {
                    waits = true;
                    if !session.unconfirmed.contains(&number) {
                        session.unconfirmed.push(number);
                    }
                }
            }
        }
        if waits && !until.is_some_and(|until| session.awaits(session.until(until))) {
            self.confirm_later(session, peer);
        }
    }

    /// Confirms what has become durable since it was published.
    pub fn confirm_later(&mut self, session: &mut Session, peer: &mut dyn Peer) {
        let done = session.done();
        session
            .unconfirmed
            .retain(|number| self.open_mut(*number).is_some_and(|channel| channel.confirm(done, peer)));
    }

    /// Takes one consumer out of its queue.
    pub fn stop_consumer(&mut self, number: u16, tag: &str, session: &mut Session) {
        if let Some(channel) = self.open_mut(number) {
            channel.stop_consumer(tag, session);
        }
    }

    /// Nothing is delivered to a channel from now on.
    pub fn stop_consumers(&mut self, number: u16, session: &mut Session) {
        if let Some(channel) = self.open_mut(number) {
            channel.stop_consumers(session);
        }
    }

    /// Nothing is delivered to any channel from now on.
    pub fn stop_all_consumers(&mut self, session: &mut Session) {
        for channel in self.iter_mut() {
            channel.stop_consumers(session);
        }
    }

    /// What a channel holds goes back to the queues.
    pub fn requeue(&mut self, number: u16, session: &mut Session) {
        if let Some(channel) = self.open_mut(number) {
            channel.requeue_all(session);
        }
    }

    /// What all channels hold goes back to the queues.
    pub fn requeue_all(&mut self, session: &mut Session) {
        for channel in self.iter_mut() {
            channel.requeue_all(session);
        }
    }

    /// The channel that has to do with a delivery that is late, if it is still.
    pub fn late(&self, late: &Late, session: &Session) -> Option<u16> {
        let subscription = session.subscriptions.get(late.slot)?;
        let Source::Consumer { queue, key } = &subscription.source else { return None };
        (queue.id() == late.queue && *key == late.consumer && queue.is_late(late))
            .then_some(subscription.channel)
    }

    /// What a consumer of a channel holds goes back to its queue.
    pub fn return_of(&mut self, number: u16, slot: u32, session: &mut Session) {
        if let Some(channel) = self.open_mut(number) {
            channel.return_of(slot, session);
        }
    }

    /// We close a channel, which was released: from now on only the client's answer counts.
    pub fn close(&mut self, number: u16) {
        let Some(slot) = self.slot_mut(number) else { return };
        if let Slot::Waiting(waiting) = std::mem::replace(slot, Slot::Closing) {
            self.waiting.forget(&waiting);
        }
    }

    pub(super) fn slot(&self, number: u16) -> Option<&Slot> {
        self.slots.get(usize::from(number))?.as_ref()
    }

    pub(super) fn slot_mut(&mut self, number: u16) -> Option<&mut Slot> {
        self.slots.get_mut(usize::from(number))?.as_mut()
    }

    fn open_mut(&mut self, number: u16) -> Option<&mut Channel> {
        match self.slot_mut(number)? {
            Slot::Open(channel) => Some(channel),
            Slot::Waiting(waiting) => Some(&mut waiting.channel),
            Slot::Closing => None,
        }
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Channel> {
        self.slots.iter_mut().flatten().filter_map(|slot| match slot {
            Slot::Open(channel) => Some(&mut **channel),
            Slot::Waiting(waiting) => Some(&mut *waiting.channel),
            Slot::Closing => None,
        })
    }
}
