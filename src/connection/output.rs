//! What a connection has encoded and not yet written.
//!
//! Frames are appended to one buffer; a large body is not copied but stands beside it as it is and is written with it,
//! in one call.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use leveret_protocol::method::Method;
use leveret_protocol::{encode, frame};
use tokio::io::AsyncWrite;

use super::buffers;
use crate::channel::Peer;
use crate::message::Message;

/// From this size on a body is written as it is, in bytes.
const BODY_APART_MIN: usize = 16 * 1024;
/// How many pieces one write takes.
const SLICES_MAX: usize = 64;

/// Bytes to be written.
pub struct Output {
    frame_max: u32,
    /// Written before `open`.
    sealed: VecDeque<Bytes>,
    sealed_len: usize,
    open: BytesMut,
    /// How many bytes were ever written.
    written: u64,
    /// The answers to batches of frames: where each ends among all that was appended, and how long it is.
    answers: VecDeque<(u64, usize)>,
    answers_len: usize,
}

impl Output {
    /// Nothing, for frames of at most `frame_max` bytes.
    pub fn new(frame_max: u32) -> Self {
        Self {
            frame_max,
            sealed: VecDeque::new(),
            sealed_len: 0,
            open: BytesMut::new(),
            written: 0,
            answers: VecDeque::new(),
            answers_len: 0,
        }
    }

    /// The largest frame, in bytes.
    pub fn frame_max(&self) -> u32 {
        self.frame_max
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.sealed_len.saturating_add(self.open.len())
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was appended since [`Self::len`] was `before` answers frames of the client.
    pub fn answered(&mut self, before: usize) {
        let answer = self.len().saturating_sub(before);
        if answer > 0 {
            self.answers.push_back((self.written.saturating_add(self.len() as u64), answer));
            self.answers_len = self.answers_len.saturating_add(answer);
        }
    }

    /// How many bytes wait that answer frames of the client, as long as the end of their batch waits.
    pub fn answers_len(&self) -> usize {
        self.answers_len
    }

    /// Appends a heartbeat.
    pub fn heartbeat(&mut self) {
        encode::heartbeat(self.buffer());
    }

    /// Writes until nothing waits. Ready with how much was written when the socket takes no more or nothing is left;
    /// pending when it takes nothing at all.
    pub fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut S,
    ) -> Poll<io::Result<usize>> {
        let mut written = 0_usize;
        while !self.is_empty() {
            let step = if self.sealed.is_empty() {
                Pin::new(&mut *socket).poll_write(cx, &self.open)
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let count = self.slices(&mut slices);
                Pin::new(&mut *socket).poll_write_vectored(cx, slices.get(..count).unwrap_or_default())
            };
            let count = match step {
                Poll::Pending if written > 0 => break,
                step => ready!(step)?,
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(count);
            written = written.saturating_add(count);
        }
        // What is encrypted may wait in the socket.
        if Pin::new(socket).poll_flush(cx)?.is_pending() && written == 0 {
            return Poll::Pending;
        }
        Poll::Ready(Ok(written))
    }

    /// Gives the buffer back when nothing waits.
    pub fn release(&mut self) {
        if self.is_empty() && self.open.capacity() > 0 {
            buffers::keep_write_buffer(std::mem::take(&mut self.open));
            if self.sealed.capacity() > SLICES_MAX {
                self.sealed = VecDeque::new();
            }
        }
    }

    fn buffer(&mut self) -> &mut BytesMut {
        if self.open.capacity() == 0 {
            self.open = buffers::take_write_buffer();
        }
        &mut self.open
    }

    fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES_MAX]) -> usize {
        let mut count = 0;
        let parts = self.sealed.iter().map(Bytes::as_ref).chain(std::iter::once(self.open.as_ref()));
        for (slice, part) in slices.iter_mut().zip(parts) {
            *slice = IoSlice::new(part);
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut count: usize) {
        self.written = self.written.saturating_add(count as u64);
        while let Some((_, answer)) = self.answers.pop_front_if(|(end, _)| *end <= self.written) {
            self.answers_len = self.answers_len.saturating_sub(answer);
        }
        while let Some(first) = self.sealed.front_mut() {
            let step = first.len().min(count);
            first.advance(step);
            self.sealed_len = self.sealed_len.saturating_sub(step);
            count = count.saturating_sub(step);
            if !first.is_empty() {
                return;
            }
            self.sealed.pop_front();
        }
        if count >= self.open.len() {
            // Keeps its memory, where advancing would give it away.
            self.open.clear();
        } else {
            self.open.advance(count);
        }
    }

    fn body_apart(&mut self, channel: u16, body: &Bytes) {
        for (head, part) in encode::body_frames(channel, body.len(), self.frame_max) {
            self.buffer().put_slice(&head);
            let heads = self.open.split().freeze();
            let part = body.slice(part);
            self.sealed_len = self.sealed_len.saturating_add(heads.len()).saturating_add(part.len());
            self.sealed.push_back(heads);
            self.sealed.push_back(part);
            self.open.put_u8(frame::END);
        }
    }
}

impl Peer for Output {
    fn method(&mut self, channel: u16, method: Method<'_>) {
        encode::method(channel, &method, self.buffer());
    }

    fn content(&mut self, channel: u16, method: Method<'_>, message: &Message, properties: &[u8]) {
        let frame_max = self.frame_max;
        let buffer = self.buffer();
        encode::method(channel, &method, buffer);
        if message.body_len() < BODY_APART_MIN {
            encode::content(channel, properties, message.body(), frame_max, buffer);
        } else {
            let class_id = leveret_protocol::method::basic::CLASS_ID;
            encode::header(channel, class_id, message.body_len() as u64, properties, buffer);
            self.body_apart(channel, &message.body_bytes());
        }
    }

    fn deliver(
        &mut self,
        channel: u16,
        consumer_tag: &str,
        delivery_tag: u64,
        redelivered: bool,
        message: &Message,
        properties: &[u8],
    ) {
        let delivery =
            encode::Delivery { consumer_tag, delivery_tag, redelivered, address: message.address() };
        let frame_max = self.frame_max;
        let buffer = self.buffer();
        if message.body_len() < BODY_APART_MIN {
            encode::deliver(channel, &delivery, properties, message.body(), frame_max, buffer);
        } else {
            encode::deliver_head(channel, &delivery, properties, message.body_len() as u64, buffer);
            self.body_apart(channel, &message.body_bytes());
        }
    }
}
