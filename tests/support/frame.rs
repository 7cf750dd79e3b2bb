//! Frames as they come from the broker.

use std::fmt;

use super::Payload;

pub(crate) const METHOD: u8 = 1;
pub(crate) const HEADER: u8 = 2;
pub(crate) const BODY: u8 = 3;
pub(crate) const HEARTBEAT: u8 = 8;
pub(crate) const FRAME_END: u8 = 206;

/// What a frame needs beside its payload: type, channel, size and the end octet.
pub(crate) const FRAME_OVERHEAD: usize = 8;

/// One frame, taken apart as far as every frame has the same form.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) channel: u16,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(kind: u8, channel: u16, payload: Payload) -> Self {
        Self { kind, channel, payload: payload.0 }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let head = Payload::new().octet(self.kind).short(self.channel);
        head.longstr(&self.payload).octet(FRAME_END).0
    }

    /// Takes the first frame off the front of `bytes` if it is there in full.
    pub(crate) fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<7>()?;
        let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
        let end = *rest.get(size)?;
        assert_eq!(end, FRAME_END, "the broker's frames end with the octet 206: {:?}", &bytes[..size + 8]);
        let channel = u16::from_be_bytes([head[1], head[2]]);
        let frame = Self { kind: head[0], channel, payload: rest[..size].to_vec() };
        bytes.drain(..size + FRAME_OVERHEAD);
        Some(frame)
    }

    /// Class and method, if this is a method frame.
    pub(crate) fn method(&self) -> Option<(u16, u16)> {
        let mut arguments = Arguments(&self.payload);
        (self.kind == METHOD && self.payload.len() >= 4).then(|| (arguments.short(), arguments.short()))
    }

    /// The arguments of a method frame.
    pub(crate) fn arguments(&self) -> Arguments<'_> {
        Arguments(&self.payload[4..])
    }

    /// Code, text, class and method, if this is a connection.close or a channel.close.
    pub(crate) fn close(&self) -> Option<(u16, String, u16, u16)> {
        let mut arguments = match self.method()? {
            (10, 50) | (20, 40) => self.arguments(),
            _ => return None,
        };
        Some((arguments.short(), arguments.shortstr(), arguments.short(), arguments.short()))
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "channel {}: ", self.channel)?;
        match (self.close(), self.method()) {
            (Some(close), _) => write!(f, "close {close:?}"),
            (None, Some(method)) => write!(f, "method {method:?} {}", self.payload[4..].escape_ascii()),
            (None, None) => {
                let shown = &self.payload[..self.payload.len().min(64)];
                write!(f, "type {} {} bytes {}", self.kind, self.payload.len(), shown.escape_ascii())
            }
        }
    }
}

/// Reads arguments one after the other.
#[derive(Clone)]
pub(crate) struct Arguments<'a>(pub(crate) &'a [u8]);

impl Arguments<'_> {
    pub(crate) fn octet(&mut self) -> u8 {
        self.take(1)[0]
    }

    pub(crate) fn short(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    pub(crate) fn long(&mut self) -> u32 {
        u32::from_be_bytes(self.take(4).try_into().unwrap())
    }

    pub(crate) fn longlong(&mut self) -> u64 {
        u64::from_be_bytes(self.take(8).try_into().unwrap())
    }

    pub(crate) fn shortstr(&mut self) -> String {
        let length = usize::from(self.octet());
        String::from_utf8(self.take(length).to_vec()).expect("the broker sends UTF-8")
    }

    /// A long string, or the entries of a table.
    pub(crate) fn longstr(&mut self) -> Vec<u8> {
        let length = self.long() as usize;
        self.take(length).to_vec()
    }

    fn take(&mut self, length: usize) -> &[u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }
}
