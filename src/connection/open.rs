//! A connection after its handshake: one task that reads, serves, delivers and writes, all in turn.
//!
//! ```text
//!             frames                 deliveries
//! socket --> decoder --> channels --> queues --> outbox --> channels --> output --> socket
//! ```
//! All frames of one read are served before anything is handed to the queues, and all that is ready is encoded before
//! anything is written: batches appear by themselves. The task waits for nothing in the midst of a batch and holds no
//! lock across a wait.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes};
use leveret_protocol::Decoder;
use leveret_protocol::reply_code::ReplyCode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Sleep;
use tokio_util::io::poll_read_buf;

use super::backpressure::Publishing;
use super::buffers::{ReadSize, keep_read_buffer};
use super::channels::Channels;
use super::heartbeat::Heartbeat;
use super::outbox::{Contents, Notice, Outbox};
use super::output::Output;
use super::throttle::Throttle;
use crate::alarm::Alarms;
use crate::channel::Session;
use crate::time::Time;

/// Why an open connection ended.
#[derive(Debug)]
pub enum End {
    /// The client closed it.
    Client,
    /// We closed it, with this code and text.
    Server(ReplyCode, String),
    /// The socket ended or failed.
    Socket(std::io::Error),
    /// Nothing came from the client for too long.
    MissedHeartbeats,
    /// The client took nothing of what it was sent for too long.
    Stalled,
    /// The client did not answer our `connection.close`.
    CloseTimedOut,
    /// A mistake of our own.
    Crashed,
}

/// An open connection.
pub struct Open<S> {
    pub(super) socket: S,
    pub(super) is_hung_up: fn(&S) -> bool,
    pub(super) decoder: Decoder,
    /// The start of a frame of which the rest has not come.
    pub(super) incomplete: Vec<u8>,
    /// Frames that were read and wait, since those before them led to enough for one batch.
    pub(super) unserved: Bytes,
    /// The client wants to close what it left unserved behind frames that are kept for waiting channels.
    pub(super) closes_when_served: bool,
    pub(super) read_size: ReadSize,
    pub(super) channels: Channels,
    pub(super) session: Session,
    pub(super) outbox: Arc<Outbox>,
    pub(super) taken: Contents,
    pub(super) output: Output,
    pub(super) alarms: Arc<Alarms>,
    pub(super) state: State,
    pub(super) heartbeat: Option<Heartbeat>,
    pub(super) heartbeat_secs: u16,
    pub(super) stalled_since: Option<Time>,
    pub(super) timer: Option<Pin<Box<Sleep>>>,
    pub(super) publishing: Publishing,
    pub(super) throttle: Arc<Throttle>,
}

pub(super) enum State {
    Running,
    /// We sent `connection.close`: only its answer counts.
    Closing {
        deadline: Time,
        code: ReplyCode,
        text: String,
    },
    /// What is left to be written is written, then the connection ends like this.
    Closed(Option<End>),
}

/// Beyond this much unwritten output nothing more is taken from the outbox, and beyond this much of unwritten answers no
/// more frames are served, in bytes. What is delivered does not count among the answers: a client may write all that it
/// has to say before it reads.
pub(super) const OUTPUT_MAX: usize = 256 * 1024;

/// What a connection is made of once the handshake is over.
pub struct Parts<S> {
    /// The socket.
    pub socket: S,
    /// Tells whether the client has closed its side, without reading.
    pub is_hung_up: fn(&S) -> bool,
    /// The decoder, tuned.
    pub decoder: Decoder,
    /// What was read beyond the handshake.
    pub read_ahead: Vec<u8>,
    /// Channels, none open.
    pub channels: Channels,
    /// What the channels share.
    pub session: Session,
    /// The outbox, entered in the registry.
    pub outbox: Arc<Outbox>,
    /// The alarms of the broker.
    pub alarms: Arc<Alarms>,
    /// Where it is told whether the connection is read.
    pub throttle: Arc<Throttle>,
    /// The negotiated largest frame, in bytes.
    pub frame_max: u32,
    /// The negotiated heartbeat interval, in seconds.
    pub heartbeat: u16,
    /// Whether the client wants `connection.blocked`.
    pub tell_blocked: bool,
}

/// A mistake of our own ends the connection that it is met in and no other one: what it holds goes back all the same.
/// Queues that were locked when it was made say so themselves.
fn unless_it_panics<R>(serve: impl FnOnce() -> R) -> Option<R> {
    std::panic::catch_unwind(AssertUnwindSafe(serve)).ok()
}

impl<S: AsyncRead + AsyncWrite + Unpin> Open<S> {
    /// A connection whose handshake is over.
    pub fn new(parts: Parts<S>) -> Self {
        Self {
            socket: parts.socket,
            is_hung_up: parts.is_hung_up,
            decoder: parts.decoder,
            incomplete: parts.read_ahead,
            unserved: Bytes::new(),
            closes_when_served: false,
            read_size: ReadSize::default(),
            channels: parts.channels,
            session: parts.session,
            outbox: parts.outbox,
            taken: Contents::default(),
            output: Output::new(parts.frame_max),
            alarms: parts.alarms,
            state: State::Running,
            heartbeat: Heartbeat::new(parts.heartbeat, Time::now()),
            heartbeat_secs: parts.heartbeat,
            stalled_since: None,
            timer: None,
            publishing: Publishing { wants_to_be_told: parts.tell_blocked, ..Publishing::default() },
            throttle: parts.throttle,
        }
    }

    /// Serves the connection to its end. Whatever it held has gone back when this returns.
    pub async fn serve(&mut self) -> End {
        let read_ahead = Bytes::from(std::mem::take(&mut self.incomplete));
        let begun = unless_it_panics(|| self.frames(&read_ahead));
        let end = match begun {
            Some(()) => {
                let poll = |cx: &mut Context<'_>| {
                    unless_it_panics(|| self.poll(cx)).unwrap_or(Poll::Ready(End::Crashed))
                };
                std::future::poll_fn(poll).await
            }
            None => End::Crashed,
        };
        // What a panic left half done must not keep the rest from going back.
        if unless_it_panics(|| self.release_all()).is_none() {
            return End::Crashed;
        }
        end
    }

    /// What is to be written.
    pub fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    /// The timeout of the heartbeats, for the log, in seconds.
    pub fn heartbeat_secs(&self) -> u16 {
        self.heartbeat_secs
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let mut progress = false;
        match self.poll_read(cx) {
            Poll::Ready(Err(error)) => return Poll::Ready(self.end_of_stream(error)),
            Poll::Ready(Ok(())) => progress = true,
            Poll::Pending => {}
        }
        let takes_more = self.output.len() < OUTPUT_MAX || self.outbox.poll_close(cx).is_ready();
        if takes_more && self.poll_outbox(cx).is_ready() {
            progress = true;
        }
        match self.poll_write(cx) {
            Poll::Ready(Err(error)) => return Poll::Ready(End::Socket(error)),
            Poll::Ready(Ok(written)) => progress |= written > 0,
            Poll::Pending => {}
        }
        if self.output.is_empty()
            && let State::Closed(end) = &mut self.state
            && let Some(end) = end.take()
        {
            return Poll::Ready(end);
        }
        if !progress {
            self.shrink();
            return self.poll_timer(cx);
        }
        // Once round, then others of the thread have their turn: consumers and their acknowledgements must not wait
        // for publishers that always have more.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads once and serves what came, or what was left of the last read.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if matches!(self.state, State::Closed(_))
            || self.output.answers_len() >= OUTPUT_MAX
            || self.is_held_back()
        {
            return Poll::Pending;
        }
        if self.channels.any_waits() {
            if self.kept_frames() {
                return Poll::Ready(Ok(()));
            }
            if self.awaits_channels() {
                return Poll::Pending;
            }
        }
        if !self.unserved.is_empty() {
            let chunk = std::mem::take(&mut self.unserved);
            self.frames(&chunk);
            return Poll::Ready(Ok(()));
        }
        let mut buffer = self.read_size.take_buffer(self.incomplete.len());
        buffer.put_slice(&self.incomplete);
        let Poll::Ready(count) = poll_read_buf(Pin::new(&mut self.socket), cx, &mut buffer)? else {
            keep_read_buffer(buffer);
            return Poll::Pending;
        };
        if count == 0 {
            return Poll::Ready(Err(std::io::ErrorKind::UnexpectedEof.into()));
        }
        self.read_size.adapt(count);
        self.incomplete.clear();
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.received(Time::now());
        }
        self.alarms.read(count);
        let entry = self.channels.entry();
        entry.traffic.received_bytes.add(count as u64);
        entry.reads.add(1);
        let chunk = buffer.freeze();
        self.frames(&chunk);
        if let Ok(buffer) = chunk.try_into_mut() {
            keep_read_buffer(buffer);
        }
        Poll::Ready(Ok(()))
    }

    /// Whether nothing is read until a waiting channel goes on.
    pub(super) fn awaits_channels(&self) -> bool {
        self.channels.keeps_too_much() || (self.closes_when_served && self.channels.keeps_any())
    }

    fn end_of_stream(&mut self, error: std::io::Error) -> End {
        match std::mem::replace(&mut self.state, State::Closed(None)) {
            State::Running | State::Closed(_) => End::Socket(error),
            State::Closing { code, text, .. } => End::Server(code, text),
        }
    }

    /// Empties the outbox into the output.
    fn poll_outbox(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.outbox.poll_take(cx, &mut self.taken));
        self.send_taken();
        Poll::Ready(())
    }

    pub(super) fn send_taken(&mut self) {
        self.channels.deliver(&mut self.taken.deliveries, &mut self.session, &mut self.output);
        self.session.flush_acked();
        self.session.end_unit();
        if std::mem::take(&mut self.taken.store_went_on) {
            self.store_went_on();
        }
        let (mut lates, mut rights_changed) = (Vec::new(), false);
        for notice in std::mem::take(&mut self.taken.notices) {
            match notice {
                Notice::ConsumerGone(slot, queue) => {
                    self.channels.consumer_gone(slot, queue, &mut self.session, &mut self.output);
                }
                Notice::Late(late) => lates.push(late),
                Notice::RightsChanged => rights_changed = true,
                // Seen to when it comes to reading again, which is next.
                Notice::AlarmsCleared => {}
                Notice::Loaded(channel) => self.channels.loaded(channel),
                Notice::Close(code, text) => self.close(code, &text, (0, 0)),
            }
        }
        if !self.taken.queues.is_empty() {
            let recipient = crate::queue::delivery::Recipient::id(&*self.outbox);
            for queue in self.taken.queues.drain(..) {
                queue.room_made(recipient);
            }
        }
        // Last, since these empty the outbox again.
        if rights_changed {
            self.rights_changed();
        }
        for late in lates {
            self.delivery_late(&late);
        }
    }

    /// The journal may be so far that something can be answered or confirmed; or it failed.
    fn store_went_on(&mut self) {
        if self.close_if_journal_failed() {
            return;
        }
        let before = self.output.len();
        self.channels.resume(&self.session, &mut self.output);
        self.channels.confirm_later(&mut self.session, &mut self.output);
        self.output.answered(before);
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        let Poll::Ready(written) = self.output.poll_write(cx, &mut self.socket)? else {
            self.stalled_since.get_or_insert_with(Time::now);
            return Poll::Pending;
        };
        self.stalled_since = None;
        if written > 0 {
            let entry = self.channels.entry();
            entry.traffic.sent_bytes.add(written as u64);
            entry.writes.add(1);
            entry.pending_bytes.set(self.output.len() as u64);
        }
        if written > 0
            && let Some(heartbeat) = &mut self.heartbeat
        {
            heartbeat.sent(Time::now());
        }
        Poll::Ready(Ok(written))
    }

    /// Nothing is to be done: what is held for bytes in passing is given back.
    fn shrink(&mut self) {
        self.output.release();
        self.taken.shrink();
        self.outbox.shrink();
        if self.incomplete.is_empty() && self.incomplete.capacity() > 0 {
            self.incomplete = Vec::new();
        }
    }

    /// The socket, once the connection has ended.
    pub fn into_socket(self) -> S {
        self.socket
    }
}
