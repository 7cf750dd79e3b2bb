//! The shortest way through small deliveries: what a consumer needs of one, read at its fixed places.
//!
//! The decoder makes a method, a header and a body of every delivery and validates all of it, at several times the
//! cost. Whatever is not a whole small delivery is left to it.

use leveret_protocol::frame;
use leveret_protocol::method::basic;

/// What a consumer needs of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Skimmed {
    /// The delivery tag.
    pub(super) tag: u64,
    /// The first octets of the body: the time stamp; none in a shorter body.
    pub(super) stamp: Option<[u8; 8]>,
    /// How many octets the delivery takes.
    pub(super) used: usize,
}

/// The delivery at the start of `input`, if it is there whole and its body in one frame. `input` must start between
/// two frames.
#[inline]
pub(super) fn skim(input: &[u8]) -> Option<Skimmed> {
    const DELIVER: (u16, u16) = basic::Deliver::ID;
    let (deliver, after_deliver) = split_frame(input, frame::METHOD)?;
    let ([c1, c0, m1, m0, consumer_tag], rest) = deliver.split_first_chunk()?;
    if (u16::from_be_bytes([*c1, *c0]), u16::from_be_bytes([*m1, *m0])) != DELIVER {
        return None;
    }
    let tag = rest.get(usize::from(*consumer_tag)..)?.first_chunk()?;

    let (header, after_header) = split_frame(after_deliver, frame::HEADER)?;
    let ([_, _, _, _, body_size @ ..], _) = header.split_first_chunk::<12>()?;
    let (body, after_body) = split_frame(after_header, frame::BODY)?;
    if body.len() as u64 != u64::from_be_bytes(*body_size) {
        return None;
    }
    let used = input.len() - after_body.len();
    Some(Skimmed { tag: u64::from_be_bytes(*tag), stamp: body.first_chunk().copied(), used })
}

/// The payload of a whole frame of this type, and what follows the frame.
#[inline]
fn split_frame(input: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let ([found, _, _, size @ ..], rest) = input.split_first_chunk::<{ frame::HEAD_SIZE }>()?;
    let (payload, after) = rest.split_at_checked(u32::from_be_bytes(*size) as usize)?;
    match after.split_first() {
        Some((&frame::END, after)) if *found == kind => Some((payload, after)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use leveret_protocol::{Properties, encode};

    fn delivery(body: &[u8], frame_max: u32) -> BytesMut {
        let mut bytes = BytesMut::new();
        let deliver = basic::Deliver {
            consumer_tag: "c0",
            delivery_tag: 77,
            redelivered: false,
            exchange: "amq.topic",
            routing_key: "a.b",
        };
        encode::method(1, &deliver.into(), &mut bytes);
        encode::content(1, Properties::EMPTY.as_bytes(), body, frame_max, &mut bytes);
        bytes
    }

    #[test]
    fn a_delivery_in_one_piece_is_skimmed_once_it_is_there_whole() {
        for (body, stamp) in [(&b"12345678abc"[..], Some(*b"12345678")), (b"1234567", None)] {
            let whole = delivery(body, 4096);
            let mut more = whole.clone();
            more.extend_from_slice(&encode::HEARTBEAT);
            let expected = Some(Skimmed { tag: 77, stamp, used: whole.len() });
            assert_eq!((skim(&whole), skim(&more)), (expected, expected));
            for cut in 0..whole.len() {
                assert_eq!(skim(&whole[..cut]), None, "{cut}");
            }
        }
    }

    #[test]
    fn everything_else_is_left_to_the_decoder() {
        let mut other = BytesMut::new();
        encode::ack(1, 5, false, &mut other);
        for bytes in [&delivery(b"", 4096)[..], &delivery(&[0; 9000], 4096), &other, &encode::HEARTBEAT] {
            assert_eq!(skim(bytes), None);
        }
    }
}
