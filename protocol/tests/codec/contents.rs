//! Contents as the encoder writes them.

use bytes::BytesMut;
use leveret_protocol::method::basic;
use leveret_protocol::{Properties, encode, frame};

const DELIVERY: encode::Delivery<'static> =
    encode::Delivery { consumer_tag: "ctag", delivery_tag: 9, redelivered: true, address: b"\x01x\x03key" };

#[test]
fn a_body_is_split_at_the_frame_and_needs_one_buffer() {
    for (size, frames) in [(0, 0), (1, 1), (4_088, 1), (4_089, 2), (8_176, 2), (8_177, 3), (100_000, 25)] {
        let body = vec![7; size];
        let mut buf = BytesMut::new();
        encode::content(1, Properties::EMPTY.as_bytes(), &body, 4096, &mut buf);
        assert_eq!(buf.len(), 22 + size + 8 * frames, "{size}");

        let mut delivered = BytesMut::new();
        encode::deliver(1, &DELIVERY, Properties::EMPTY.as_bytes(), &body, 4096, &mut delivered);
        assert_eq!(delivered.capacity(), delivered.len(), "one reservation, exact: {size}");
        assert!(delivered.ends_with(&buf));
    }
}

#[test]
fn a_body_written_apart_makes_the_same_bytes() {
    for size in [0, 1, 4_088, 4_089, 20_000] {
        let body: Vec<u8> = (0..=255).cycle().take(size).collect();
        let (mut whole, mut apart) = (BytesMut::new(), BytesMut::new());
        encode::deliver(5, &DELIVERY, b"\x10\x00\x02", &body, 4096, &mut whole);
        encode::deliver_head(5, &DELIVERY, b"\x10\x00\x02", size as u64, &mut apart);
        for (head, range) in encode::body_frames(5, size, 4096) {
            apart.extend_from_slice(&head);
            apart.extend_from_slice(&body[range]);
            apart.extend_from_slice(&[frame::END]);
        }
        assert_eq!(whole, apart, "{size}");
    }
}

#[test]
fn a_publish_is_a_method_and_a_content() {
    let publish = basic::Publish { exchange: "x", routing_key: "é", mandatory: true, immediate: true };
    let (mut fast, mut general) = (BytesMut::new(), BytesMut::new());
    encode::publish(2, &publish, b"\x00\x00", b"body", 4096, &mut fast);
    encode::method(2, &publish.into(), &mut general);
    encode::content(2, b"\x00\x00", b"body", 4096, &mut general);
    assert_eq!(fast, general);
}
