//! What a test says must come next.

use std::time::Duration;

use super::frame::{BODY, FRAME_OVERHEAD, Frame, HEADER};
use super::raw::DEADLINE;
use super::{Message, Payload, Raw, Received, method};

impl Raw {
    /// Receives this method on this channel and nothing else.
    #[track_caller]
    pub(crate) fn expect(&mut self, channel: u16, method: (u16, u16)) -> Frame {
        let frame = self.recv();
        assert_eq!((frame.channel, frame.method()), (channel, Some(method)), "received {frame:?}");
        frame
    }

    /// Receives so many frames, of which none is a close.
    #[track_caller]
    pub(crate) fn expect_all(&mut self, count: usize) {
        for _ in 0..count {
            let frame = self.recv();
            assert_eq!(frame.close(), None, "{frame:?}");
        }
    }

    /// Receives connection.close with exactly this, answers it and sees the connection end.
    #[track_caller]
    pub(crate) fn expect_close(&mut self, code: u16, text: &str, class: u16, method: u16) {
        let frame = self.expect(0, method::CONNECTION_CLOSE);
        assert_eq!(frame.close().unwrap(), (code, text.to_owned(), class, method));
        self.send(0, Payload::method(method::CONNECTION_CLOSE_OK));
        self.expect_eof();
    }

    /// Receives connection.close with one of these codes, answers it, sees the connection end and returns
    /// the text. For inputs that RabbitMQ meets with a reset: of a broker that is not ours, the end will do.
    #[track_caller]
    pub(crate) fn expect_close_code(&mut self, codes: &[u16]) -> String {
        match self.next() {
            Received::Frame(frame) if frame.method() == Some(method::CONNECTION_CLOSE) => {
                let (code, text, ..) = frame.close().unwrap();
                assert!(codes.contains(&code), "{codes:?} expected: {code} {text}");
                self.send(0, Payload::method(method::CONNECTION_CLOSE_OK));
                self.expect_eof();
                text
            }
            Received::End(_) if self.external => String::new(),
            other => panic!("connection.close {codes:?} is due, but: {other:?}"),
        }
    }

    /// Receives connection.close with one of these codes, or the end of the connection at once.
    #[track_caller]
    pub(crate) fn expect_close_code_or_eof(&mut self, codes: &[u16]) {
        match self.next() {
            Received::End(_) => {}
            Received::Frame(frame) => {
                let (code, text, ..) = frame.close().unwrap_or_else(|| panic!("{frame:?}"));
                assert!(frame.channel == 0 && codes.contains(&code), "{codes:?} expected: {code} {text}");
                self.send(0, Payload::method(method::CONNECTION_CLOSE_OK));
                self.expect_eof();
            }
            Received::Silence => panic!("connection.close {codes:?} or the end is due"),
        }
    }

    /// Receives channel.close with exactly this and answers it.
    #[track_caller]
    pub(crate) fn expect_channel_close(
        &mut self,
        channel: u16,
        code: u16,
        text: &str,
        class: u16,
        method: u16,
    ) {
        let frame = self.expect(channel, method::CHANNEL_CLOSE);
        assert_eq!(frame.close().unwrap(), (code, text.to_owned(), class, method));
        self.send(channel, Payload::method(method::CHANNEL_CLOSE_OK));
    }

    /// Sees the connection end without another frame.
    #[track_caller]
    pub(crate) fn expect_eof(&mut self) {
        self.expect_eof_within(DEADLINE);
    }

    #[track_caller]
    pub(crate) fn expect_eof_within(&mut self, time: Duration) {
        let received = self.recv_within(time);
        assert!(matches!(received, Received::End(0)), "the end is due, but: {received:?}");
    }

    /// Receives a delivery.
    #[track_caller]
    pub(crate) fn expect_deliver(&mut self, channel: u16) -> Message {
        let frame = self.expect(channel, method::BASIC_DELIVER);
        self.message(&frame, true)
    }

    /// Receives header and bodies after basic.deliver, basic.get-ok or, for the latter two, basic.return.
    #[track_caller]
    pub(crate) fn content(&mut self, channel: u16) -> (Vec<u8>, Vec<u8>) {
        let header = self.recv();
        assert_eq!((header.kind, header.channel), (HEADER, channel), "{header:?}");
        let body_size = u64::from_be_bytes(header.payload[4..12].try_into().unwrap());
        let mut body = Vec::new();
        while (body.len() as u64) < body_size {
            let frame = self.recv();
            assert_eq!((frame.kind, frame.channel), (BODY, channel), "{frame:?}");
            let size = frame.payload.len() + FRAME_OVERHEAD;
            assert!(size <= self.frame_max, "a frame of {size} bytes");
            body.extend_from_slice(&frame.payload);
        }
        (header.payload[12..].to_vec(), body)
    }

    #[track_caller]
    pub(crate) fn message(&mut self, frame: &Frame, has_tag: bool) -> Message {
        let mut arguments = frame.arguments();
        if has_tag {
            arguments.shortstr();
        }
        let (delivery_tag, redelivered) = (arguments.longlong(), arguments.octet() & 1 == 1);
        let (exchange, routing_key) = (arguments.shortstr(), arguments.shortstr());
        let (properties, body) = self.content(frame.channel);
        Message { delivery_tag, redelivered, exchange, routing_key, properties, body }
    }
}
