//! The frame around every payload: type, channel, size, payload, end octet (specification 2.3.5).

/// Frame type of a method.
pub const METHOD: u8 = 1;
/// Frame type of a content header.
pub const HEADER: u8 = 2;
/// Frame type of a part of a content body.
pub const BODY: u8 = 3;
/// Frame type of a heartbeat.
pub const HEARTBEAT: u8 = 8;
/// The octet after every payload.
pub const END: u8 = 206;
/// Octets before the payload: type, channel, size.
pub const HEAD_SIZE: usize = 7;

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: u8,
    pub(crate) channel: u16,
    /// Octets of payload.
    pub(crate) size: u32,
}

impl Head {
    #[inline]
    pub(crate) fn parse(octets: [u8; HEAD_SIZE]) -> Self {
        let [kind, c1, c0, s3, s2, s1, s0] = octets;
        Self { kind, channel: u16::from_be_bytes([c1, c0]), size: u32::from_be_bytes([s3, s2, s1, s0]) }
    }

    #[inline]
    pub(crate) fn to_bytes(self) -> [u8; HEAD_SIZE] {
        let [c1, c0] = self.channel.to_be_bytes();
        let [s3, s2, s1, s0] = self.size.to_be_bytes();
        [self.kind, c1, c0, s3, s2, s1, s0]
    }
}
