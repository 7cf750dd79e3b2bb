//! A stream of frames, however it is cut.

use bytes::BytesMut;
use leveret_protocol::method::{Method, basic, channel, queue};
use leveret_protocol::{Decoder, Event, PropertiesBuilder, encode};
use proptest::collection::vec;
use proptest::prelude::*;

/// What a reader of the stream would have assembled.
#[derive(Debug, PartialEq, Eq, Default)]
struct Heard {
    methods: Vec<(u16, &'static str)>,
    headers: Vec<(u16, u64)>,
    /// Channel, claimed size and octets of each body frame.
    frames: Vec<(u16, u32, Vec<u8>)>,
    heartbeats: usize,
}

/// Feeds `stream` in pieces of the given sizes, keeping only what the decoder has not used.
fn hear(stream: &[u8], pieces: &[usize]) -> Heard {
    let mut decoder = Decoder::new(4096);
    let (mut heard, mut open) = (Heard::default(), Vec::new());
    let (mut kept, mut fed, mut sizes) = (Vec::new(), 0, pieces.iter().cycle());
    while fed < stream.len() {
        let piece = (*sizes.next().unwrap()).min(stream.len() - fed);
        kept.extend_from_slice(&stream[fed..fed + piece]);
        fed += piece;
        while let Some((used, event)) = decoder.next(&kept).unwrap() {
            assert!(used > 0 && used <= kept.len());
            match event {
                Event::Method { channel, method, .. } => heard.methods.push((channel, method.name())),
                Event::Header { channel, body_size, .. } => heard.headers.push((channel, body_size)),
                Event::Heartbeat => heard.heartbeats += 1,
                Event::Body { channel, payload, frame_size, ends_frame } => {
                    open.extend_from_slice(payload);
                    if ends_frame {
                        heard.frames.push((channel, frame_size, std::mem::take(&mut open)));
                    }
                }
            }
            kept.drain(..used);
        }
        assert!(decoder.wanted(&kept) > kept.len(), "an event is there already");
    }
    assert!(kept.is_empty() && open.is_empty());
    heard
}

fn stream(bodies: &[Vec<u8>]) -> (Vec<u8>, Heard) {
    let mut buf = BytesMut::new();
    let mut expected = Heard::default();
    for (channel, body) in (1..).zip(bodies) {
        let publish = basic::Publish { exchange: "x", routing_key: "key", ..basic::Publish::default() };
        let properties =
            PropertiesBuilder { delivery_mode: Some(2), ..PropertiesBuilder::default() }.finish();
        encode::publish(channel, &publish, &properties, body, 4096, &mut buf);
        encode::ack(channel, 7, false, &mut buf);
        encode::heartbeat(&mut buf);
        expected.methods.extend([(channel, "basic.publish"), (channel, "basic.ack")]);
        expected.headers.push((channel, body.len() as u64));
        let frames = body.chunks(4088);
        expected
            .frames
            .extend(frames.map(|frame| (channel, u32::try_from(frame.len()).unwrap(), frame.to_vec())));
        expected.heartbeats += 1;
    }
    (buf.to_vec(), expected)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_cuts_of_a_stream_change_nothing(
        bodies in vec(vec(any::<u8>(), 0..9_000), 1..4),
        pieces in vec(prop_oneof![1..4_usize, 1..5_000_usize], 1..10),
    ) {
        let (stream, expected) = stream(&bodies);
        prop_assert_eq!(hear(&stream, &pieces), expected);
    }
}

#[test]
fn a_stream_can_come_octet_by_octet() {
    let (stream, expected) = stream(&[vec![], vec![1], vec![2; 4_088], vec![3; 4_089]]);
    assert_eq!(hear(&stream, &[1]), expected);
}

#[test]
fn an_empty_body_frame_is_a_frame() {
    let mut bytes = encode::body_frame_head(3, 0).to_vec();
    let mut decoder = Decoder::new(4096);
    assert_eq!((decoder.next(&bytes), decoder.wanted(&bytes)), (Ok(None), 8));
    bytes.push(206);
    let event = Event::Body { channel: 3, payload: &[], frame_size: 0, ends_frame: true };
    assert_eq!(decoder.next(&bytes), Ok(Some((8, event))));
}

#[test]
fn a_body_frame_is_given_out_as_it_comes() {
    let mut bytes = encode::body_frame_head(3, 4).to_vec();
    let mut decoder = Decoder::new(4096);
    assert_eq!(decoder.next(&bytes), Ok(None));
    bytes.extend_from_slice(b"ab");
    let event = Event::Body { channel: 3, payload: b"ab", frame_size: 4, ends_frame: false };
    assert_eq!(decoder.next(&bytes), Ok(Some((9, event))));
    let event = Event::Body { channel: 3, payload: b"cd", frame_size: 4, ends_frame: false };
    assert_eq!(decoder.next(b"cd"), Ok(Some((2, event))));
    assert_eq!((decoder.next(b""), decoder.wanted(b"")), (Ok(None), 1));
    let event = Event::Body { channel: 3, payload: b"", frame_size: 4, ends_frame: true };
    assert_eq!(decoder.next(b"\xce\x08"), Ok(Some((1, event))));
    assert_eq!(decoder.next(&encode::HEARTBEAT), Ok(Some((8, Event::Heartbeat))));
}

#[test]
fn an_event_leaves_what_follows_it() {
    let mut buf = BytesMut::new();
    encode::method(1, &Method::from(queue::PurgeOk { message_count: 3 }), &mut buf);
    let first = buf.len();
    encode::method(2, &Method::from(channel::Flow { active: true }), &mut buf);
    let mut decoder = Decoder::new(4096);
    for (start, expected) in [(0, "queue.purge-ok"), (first, "channel.flow")] {
        let Ok(Some((_, Event::Method { method, .. }))) = decoder.next(&buf[start..]) else {
            panic!("{expected}")
        };
        assert_eq!(method.name(), expected);
    }
}
