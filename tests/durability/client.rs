//! A connection that may be cut off at any moment, and says so instead of failing.

use std::collections::VecDeque;

use crate::support::frame::{BODY, Frame, HEADER};
use crate::support::raw::{self, Received};
use crate::support::{Broker, Message, Payload, Raw, Table, method};

/// The connection is over: the broker stops, or is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// What comes from the broker.
#[derive(Debug)]
pub(crate) enum Incoming {
    Method(Frame),
    /// basic.deliver: the consumer's tag, and the message.
    Deliver(String, Message),
    /// basic.get-ok.
    Got(Message),
    Returned(Message),
}

/// The code with which a broker closes its connections when it is told to stop.
const CONNECTION_FORCED: u16 = 320;

pub(crate) struct Client {
    raw: Raw,
    /// Came while something else was waited for.
    early: VecDeque<Incoming>,
}

impl Client {
    /// A connection with these many channels, from 1 on, to a broker that serves.
    pub(crate) fn connect(broker: &Broker, channels: u16) -> Self {
        let mut raw = Raw::connect(broker);
        (1..=channels).for_each(|channel| raw.open_channel(channel));
        Self { raw, early: VecDeque::new() }
    }

    pub(crate) fn send(&mut self, channel: u16, payload: Payload) {
        self.raw.send(channel, payload);
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.raw.send_bytes(bytes);
    }

    /// Sends a request and waits for the answer that has the method's id plus one; what comes before it on the way is kept
    /// for [`Self::next`].
    pub(crate) fn call(&mut self, channel: u16, request: Payload) -> Result<Frame, Gone> {
        let asked = Frame::new(1, channel, request.clone()).method().unwrap();
        self.send(channel, request);
        self.answer(channel, (asked.0, asked.1 + 1))
    }

    /// Waits for this method on this channel.
    pub(crate) fn answer(&mut self, channel: u16, method: (u16, u16)) -> Result<Frame, Gone> {
        loop {
            match self.receive()? {
                Incoming::Method(frame) if frame.channel == channel && frame.method() == Some(method) => {
                    return Ok(frame);
                }
                Incoming::Method(frame) if frame.close().is_some() => {
                    panic!("{method:?} is due on channel {channel}, but: {frame:?}")
                }
                other => self.early.push_back(other),
            }
        }
    }

    /// Whether a passive declare (of a queue or an exchange) finds the thing.
    pub(crate) fn exists(&mut self, channel: u16, passive: Payload) -> Result<bool, Gone> {
        self.send(channel, passive);
        match self.receive()? {
            Incoming::Method(frame) if frame.method() == Some(method::CHANNEL_CLOSE) => {
                let (code, text, ..) = frame.close().unwrap();
                assert_eq!(code, 404, "{text}");
                self.send(channel, Payload::method(method::CHANNEL_CLOSE_OK));
                self.call(channel, method::channel_open())?;
                Ok(false)
            }
            Incoming::Method(frame) if frame.channel == channel => Ok(true),
            other => panic!("an answer to a passive declare is due, but: {other:?}"),
        }
    }

    /// How many messages of a queue are ready.
    pub(crate) fn message_count(&mut self, channel: u16, queue: &str) -> Result<u32, Gone> {
        let declared = self.call(channel, method::queue_declare(queue, method::PASSIVE, &Table::new()))?;
        let mut arguments = declared.arguments();
        arguments.shortstr();
        Ok(arguments.long())
    }

    /// The next method or message.
    pub(crate) fn next(&mut self) -> Result<Incoming, Gone> {
        match self.early.pop_front() {
            Some(incoming) => Ok(incoming),
            None => self.receive(),
        }
    }

    /// The next message, or the next method if it is this one. Others are news about the connection.
    pub(crate) fn next_of(&mut self, method: (u16, u16)) -> Result<Incoming, Gone> {
        loop {
            match self.next()? {
                Incoming::Method(frame) if frame.method() == Some(method) => {
                    return Ok(Incoming::Method(frame));
                }
                Incoming::Method(frame) => assert_eq!(frame.channel, 0, "{method:?} is due, but: {frame:?}"),
                message => return Ok(message),
            }
        }
    }

    /// All that came while something else was waited for.
    pub(crate) fn take_early(&mut self) -> Vec<Incoming> {
        self.early.drain(..).collect()
    }

    fn receive(&mut self) -> Result<Incoming, Gone> {
        let frame = self.frame()?;
        let mut arguments = frame.arguments();
        Ok(match frame.method() {
            Some(method::BASIC_DELIVER) => {
                let tag = arguments.shortstr();
                let (delivery_tag, redelivered) = (arguments.longlong(), arguments.octet() & 1 == 1);
                Incoming::Deliver(tag, self.message(&frame, delivery_tag, redelivered, &mut arguments)?)
            }
            Some(method::BASIC_GET_OK) => {
                let (delivery_tag, redelivered) = (arguments.longlong(), arguments.octet() & 1 == 1);
                Incoming::Got(self.message(&frame, delivery_tag, redelivered, &mut arguments)?)
            }
            Some(method::BASIC_RETURN) => {
                let (_code, _text) = (arguments.short(), arguments.shortstr());
                Incoming::Returned(self.message(&frame, 0, false, &mut arguments)?)
            }
            Some(method::CONNECTION_CLOSE) => {
                let (code, text, ..) = frame.close().unwrap();
                assert_eq!(code, CONNECTION_FORCED, "{text}");
                self.send(0, Payload::method(method::CONNECTION_CLOSE_OK));
                return Err(Gone);
            }
            Some(_) => Incoming::Method(frame),
            None => panic!("a method is due, but: {frame:?}"),
        })
    }

    fn message(
        &mut self,
        frame: &Frame,
        delivery_tag: u64,
        redelivered: bool,
        arguments: &mut crate::support::frame::Arguments<'_>,
    ) -> Result<Message, Gone> {
        let (exchange, routing_key) = (arguments.shortstr(), arguments.shortstr());
        let header = self.frame()?;
        assert_eq!((header.kind, header.channel), (HEADER, frame.channel), "{header:?} after {frame:?}");
        let size = u64::from_be_bytes(header.payload[4..12].try_into().unwrap());
        let mut body = Vec::new();
        while (body.len() as u64) < size {
            let part = self.frame()?;
            assert_eq!((part.kind, part.channel), (BODY, frame.channel), "{part:?} after {frame:?}");
            body.extend(part.payload);
        }
        let properties = header.payload[12..].to_vec();
        Ok(Message { delivery_tag, redelivered, exchange, routing_key, properties, body })
    }

    fn frame(&mut self) -> Result<Frame, Gone> {
        match self.raw.next() {
            Received::Frame(frame) => Ok(frame),
            Received::End(_) => Err(Gone),
            Received::Silence => panic!("nothing came within {:?}", raw::DEADLINE),
        }
    }
}
