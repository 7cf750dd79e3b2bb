//! Serving frames: each event to its channel, each exception to its close.

use std::time::Duration;

use bytes::Bytes;
use leveret_protocol::method::{Method, basic, channel, connection};
use leveret_protocol::reply_code::ReplyCode;
use leveret_protocol::{DecodeError, Decoder, Event, frame};
use tokio::io::{AsyncRead, AsyncWrite};

use super::DISK_FAILED;
use super::channels::Unserved;
use super::open::{End, OUTPUT_MAX, Open, State};
use super::waiting::Turn;
use crate::channel::exception::{Exception, channel_error, crashed_queue};
use crate::channel::{Peer, Session};
use crate::time::Time;

/// How long a client has to answer `connection.close`.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// How many bytes of a batch may be multiplied by going to several queues before the batch ends and the alarm is asked.
const COPIED_MAX: usize = 4 * 1024 * 1024;

/// What was kept of frames that came while a channel waits.
enum Kept {
    /// So many bytes; none when it is to be served.
    Bytes(usize),
    /// Nothing, but the client closes the connection while frames of waiting channels are still to be served, which it
    /// sent before: it is closed behind them.
    Close,
}

/// What is left of frames that were served, from where on.
enum Rest {
    /// Nothing that can be read.
    None,
    /// The start of a frame.
    Incomplete(usize),
    /// Frames that are to be served later.
    Unserved(usize),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Open<S> {
    /// Serves the frames of a read, then hands what they led to to the queues and confirms it. A few bytes may ask for
    /// much: what is left when that is enough for one batch is served when it has gone its way.
    pub(super) fn frames(&mut self, chunk: &Bytes) {
        let before = self.output.len();
        match self.serve_frames(chunk, None, before) {
            Rest::None => {}
            Rest::Incomplete(at) => self.incomplete.extend_from_slice(chunk.get(at..).unwrap_or_default()),
            Rest::Unserved(at) => self.unserved = chunk.slice(at.min(chunk.len())..),
        }
        self.end_batch();
        self.output.answered(before);
    }

    /// Serves frames: of a read, or of those that were kept for a channel, when `before` bytes of output waited.
    fn serve_frames(&mut self, chunk: &Bytes, kept_for: Option<u16>, before: usize) -> Rest {
        let mut at = 0;
        while !matches!(self.state, State::Closed(_)) {
            let has_to_stop = match kept_for {
                None => self.has_led_to_enough(before),
                Some(channel) => self.has_served_enough(channel, before),
            };
            if has_to_stop {
                return Rest::Unserved(at);
            }
            let rest = chunk.get(at..).unwrap_or_default();
            if self.channels.any_waits() {
                match self.keep_back(rest) {
                    Kept::Bytes(0) => {}
                    Kept::Bytes(kept) => {
                        at = at.saturating_add(kept);
                        continue;
                    }
                    Kept::Close => return Rest::Unserved(at),
                }
            }
            let served = match self.decoder.next(rest) {
                Ok(None) => return Rest::Incomplete(at),
                Ok(Some((used, event))) => {
                    at = at.saturating_add(used);
                    self.event(event, chunk, &mut at)
                }
                Err(error) => Err(error.into()),
            };
            let Err(unserved) = served else { continue };
            if !self.refuse(*unserved) {
                continue;
            }
            // The answer to our close may stand behind the frame that cannot be read.
            match whole_frame(chunk.get(at..).unwrap_or_default()) {
                Some(length) => at = at.saturating_add(length),
                None => break,
            }
        }
        Rest::None
    }

    /// Keeps what comes next if it is for a channel that waits. Looks at it with a decoder of its own: an event that is
    /// lent to anybody before it is served costs every message of every connection.
    #[cold]
    fn keep_back(&mut self, rest: &[u8]) -> Kept {
        let mut decoder = self.decoder.clone();
        let Ok(Some((used, event))) = decoder.next(rest) else { return Kept::Bytes(0) };
        if let Event::Method { channel: 0, method: Method::Connection(connection::Method::Close(_)), .. } =
            event
            && self.channels.keeps_any()
        {
            self.closes_when_served = true;
            return Kept::Close;
        }
        if !self.channels.keep(&event, rest.get(..used).unwrap_or_default()) {
            return Kept::Bytes(0);
        }
        self.decoder = decoder;
        Kept::Bytes(used)
    }

    /// Serves what was kept for a channel while it waited, as a batch of its own. Says whether there was any.
    pub(super) fn kept_frames(&mut self) -> bool {
        let Some(Turn { channel, getting, frames }) = self.channels.take_turn() else { return false };
        // The connection's own decoder may stand in the midst of a body of this very channel.
        let decoder = std::mem::replace(&mut self.decoder, Decoder::new(self.output.frame_max()));
        let before = self.output.len();
        if let Some(getting) = getting
            && let Err(unserved) =
                self.channels.get_again(channel, &getting, &mut self.session, &mut self.output)
        {
            self.refuse(*unserved);
        }
        if let Rest::Unserved(at) = self.serve_frames(&frames, Some(channel), before) {
            self.channels.keep_rest(channel, frames.get(at..).unwrap_or_default());
        }
        self.decoder = decoder;
        self.end_batch();
        self.output.answered(before);
        true
    }

    /// Whether a channel whose kept frames are being served is to wait again, for the disk or for its next turn. One that was
    /// closed meanwhile is not: what is left for it is dropped.
    fn has_served_enough(&self, channel: u16, before: usize) -> bool {
        self.channels.is_waiting(channel)
            || (self.channels.is_serving(channel) && self.has_led_to_enough(before))
    }

    /// Whether a batch is to end here that began when `before` bytes of output waited.
    fn has_led_to_enough(&self, before: usize) -> bool {
        let answers = self.output.len().saturating_sub(before).saturating_add(self.output.answers_len());
        answers >= OUTPUT_MAX
            || self.session.publisher.copied_bytes() >= COPIED_MAX
            || self.session.unit.len() >= COPIED_MAX
    }

    pub(super) fn end_batch(&mut self) {
        self.session.flush();
        let copied = self.session.publisher.take_copied_bytes();
        if copied > 0 {
            self.alarms.read(copied);
        }
        if let Some(queue) = self.session.publisher.take_crashed() {
            self.session.confirming.clear();
            let exception = crashed_queue(&queue, self.session.vhost.name());
            self.close(exception.code, &exception.text, basic::Publish::ID);
        }
        let until = self.session.end_unit();
        if until.is_some() {
            self.publishing.journalled |= self.publishing.published;
            if self.close_if_journal_failed() {
                return;
            }
        }
        self.channels.confirm(until, &mut self.session, &mut self.output);
        let behind = self.session.publisher.take_behind();
        if !behind.is_empty() {
            self.publishing.found_behind(behind);
        }
    }

    /// A journal that failed keeps nothing any more: the connection is closed, and nothing is confirmed.
    pub(super) fn close_if_journal_failed(&mut self) -> bool {
        let failed = self.session.unit.journal().is_some_and(|journal| journal.failure().is_some());
        if failed {
            self.session.confirming.clear();
            self.session.unconfirmed.clear();
            self.close(DISK_FAILED.0, DISK_FAILED.1, (0, 0));
        }
        failed
    }

    fn event(&mut self, event: Event<'_>, chunk: &Bytes, at: &mut usize) -> Result<(), Box<Unserved>> {
        if let State::Closing { .. } = self.state {
            self.event_while_closing(&event);
            return Ok(());
        }
        match event {
            Event::Method { channel: 0, method: Method::Connection(method), .. } => {
                self.connection_method(&method);
                Ok(())
            }
            Event::Method { channel: 0, method, .. } => {
                self.unexpected_on_channel_0(method.id());
                Ok(())
            }
            Event::Method { channel, method: Method::Basic(basic::Method::Publish(publish)), payload } => {
                self.publishing.published = true;
                let address = basic::Publish::address(payload);
                self.channels.publish(
                    channel,
                    &publish,
                    address,
                    &mut self.decoder,
                    chunk,
                    at,
                    &mut self.session,
                    &mut self.output,
                )
            }
            Event::Method { channel, method, .. } => {
                self.prepare(channel, &method);
                self.channels.method(channel, method, &mut self.session, &mut self.output)
            }
            Event::Header { channel, class_id, weight, body_size, properties } => {
                self.publishing.published = true;
                self.channels.header(
                    channel,
                    (class_id, weight, body_size, properties),
                    &mut self.session,
                    &mut self.output,
                )
            }
            Event::Body { channel, payload, ends_frame, .. } => {
                self.publishing.published = true;
                self.channels.body(channel, payload, ends_frame, &mut self.session, &mut self.output)
            }
            Event::Heartbeat => Ok(()),
        }
    }

    /// Closes what a frame was for that could not be served. Whether it is because it cannot be read.
    #[cold]
    fn refuse(&mut self, unserved: Unserved) -> bool {
        match unserved {
            Unserved::Raised(raised) => self.raise(raised.channel, raised.method, &raised.exception),
            Unserved::Unreadable(error) => {
                self.break_off(&error);
                return true;
            }
        }
        false
    }

    /// What must have happened before a method is served, so that its answer comes after all that led to it.
    fn prepare(&mut self, channel: u16, method: &Method<'_>) {
        match method {
            Method::Basic(basic::Method::Ack(_)) => {}
            Method::Basic(basic::Method::Cancel(cancel)) => {
                self.end_batch();
                self.channels.stop_consumer(channel, cancel.consumer_tag, &mut self.session);
                self.deliver_all();
            }
            Method::Channel(channel::Method::Close(_)) => {
                self.end_batch();
                self.release_channel(channel);
            }
            _ => self.end_batch(),
        }
    }

    fn connection_method(&mut self, method: &connection::Method<'_>) {
        match method {
            connection::Method::Close(_) => {
                self.end_batch();
                self.release_all();
                self.output.method(0, connection::CloseOk {}.into());
                self.state = State::Closed(Some(End::Client));
            }
            connection::Method::CloseOk(_) => {}
            connection::Method::UpdateSecret(_) => {
                self.output.method(0, connection::UpdateSecretOk {}.into());
            }
            other => self.unexpected_on_channel_0(Method::Connection(*other).id()),
        }
    }

    /// What makes no sense on the connection's own channel once it is open.
    fn unexpected_on_channel_0(&mut self, method: (u16, u16)) {
        self.raise(0, method, &channel_error("unexpected method in connection state running"));
    }

    /// We sent `connection.close`: only its answer counts, or the client's own close.
    fn event_while_closing(&mut self, event: &Event<'_>) {
        let Event::Method { channel: 0, method: Method::Connection(method), .. } = event else { return };
        match method {
            connection::Method::CloseOk(_) => {}
            connection::Method::Close(_) => self.output.method(0, connection::CloseOk {}.into()),
            _ => return,
        }
        if let State::Closing { code, text, .. } = std::mem::replace(&mut self.state, State::Closed(None)) {
            self.state = State::Closed(Some(End::Server(code, text)));
        }
    }

    /// A frame cannot be read: the connection is closed, and reading goes on at the next frame if it can be found.
    fn break_off(&mut self, error: &DecodeError) {
        self.decoder = Decoder::new(self.output.frame_max());
        let exception = if error.channel != 0 && !self.channels.is_known(error.channel) {
            channel_error("expected 'channel.open'")
        } else {
            Exception { code: error.reply_code(), text: error.reply_text() }
        };
        self.raise(0, error.method, &exception);
    }

    /// Closes the channel for a soft error, the connection for a hard one.
    pub(super) fn raise(&mut self, channel: u16, method: (u16, u16), exception: &Exception) {
        self.end_batch();
        if exception.code.is_soft() && channel != 0 {
            tracing::info!(
                "channel error on connection {}, channel {channel}: {}",
                self.session.name,
                exception.text
            );
            self.release_channel(channel);
            if !matches!(self.state, State::Running) {
                // A notice in the outbox has closed the connection meanwhile.
                return;
            }
            self.channels.close(channel);
            let close = channel::Close {
                reply_code: exception.code.code(),
                reply_text: &exception.text,
                class_id: method.0,
                method_id: method.1,
            };
            self.output.method(channel, close.into());
        } else {
            self.close(exception.code, &exception.text, method);
        }
    }

    /// Sends `connection.close`. What the connection held goes back at once.
    pub(super) fn close(&mut self, code: ReplyCode, text: &str, (class_id, method_id): (u16, u16)) {
        if !matches!(self.state, State::Running) {
            return;
        }
        self.release_all();
        let close = connection::Close { reply_code: code.code(), reply_text: text, class_id, method_id };
        self.output.method(0, close.into());
        let deadline = Time::now().plus(CLOSE_TIMEOUT);
        self.state = State::Closing { deadline, code, text: text.to_owned() };
    }

    fn deliver_all(&mut self) {
        self.outbox.take(&mut self.taken);
        self.send_taken();
    }

    /// Takes a channel's consumers out of their queues; what was on its way to it and what it holds goes back.
    pub(super) fn release_channel(&mut self, channel: u16) {
        self.channels.stop_consumers(channel, &mut self.session);
        self.session.end_unit();
        self.outbox.take(&mut self.taken);
        let ours = |slot: u32, session: &Session| {
            session.subscriptions.get(slot).is_some_and(|subscription| subscription.channel == channel)
        };
        let (unsent, others): (Vec<_>, Vec<_>) =
            self.taken.deliveries.drain(..).partition(|delivery| ours(delivery.slot, &self.session));
        self.taken.deliveries = others;
        self.channels.requeue(channel, &mut self.session);
        for delivery in unsent {
            self.session.unsend(delivery);
        }
        self.send_taken();
        self.channels.release(channel, &mut self.session);
    }

    /// Takes the whole connection out of the broker; what it held goes back, and its exclusive queues go.
    pub(super) fn release_all(&mut self) {
        self.session.flush();
        self.channels.stop_all_consumers(&mut self.session);
        self.session.end_unit();
        self.outbox.take(&mut self.taken);
        self.channels.requeue_all(&mut self.session);
        for delivery in self.taken.deliveries.drain(..) {
            self.session.unsend(delivery);
        }
        self.taken.notices.clear();
        self.taken.queues.clear();
        self.taken.store_went_on = false;
        self.channels.release_all(&mut self.session);
        self.session.delete_exclusive_queues();
        self.session.end_unit();
    }
}

/// The length of the frame at the start of `bytes`, whatever it is, if it is there whole and ends as a frame ends.
fn whole_frame(bytes: &[u8]) -> Option<usize> {
    let size = bytes.get(3..7).and_then(|size| size.try_into().ok()).map(u32::from_be_bytes)?;
    let end = usize::try_from(size).ok()?.checked_add(frame::HEAD_SIZE)?;
    (*bytes.get(end)? == frame::END).then(|| end.saturating_add(1))
}
