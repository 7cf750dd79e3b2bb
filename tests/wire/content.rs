//! Content: the header and the bodies that must follow a publish, and how large they may be.

use crate::support::{Broker, Payload, Properties, Raw, frame, method};
use crate::witness::{others_go_on, others_go_on_with};

const NOT_A_METHOD: &str = "UNEXPECTED_FRAME - expected method frame, got non method frame instead";
const NOT_A_HEADER: &str =
    "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead";
const NOT_A_BODY: &str = "UNEXPECTED_FRAME - expected content body, got non content body frame instead";

#[test]
fn b33_a_body_or_header_without_a_publish_is_unexpected() {
    others_go_on(|broker| {
        for (kind, payload) in [
            (frame::BODY, Payload::new().bytes("body")),
            (frame::BODY, Payload::new()),
            (frame::HEADER, header(1)),
        ] {
            let mut raw = open(broker);
            raw.send_frame(kind, 1, payload);
            raw.expect_close(505, NOT_A_METHOD, 0, 0);
        }
    });
}

#[test]
fn b33_content_after_a_method_that_has_none_is_unexpected() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        raw.send(1, method::basic_qos(1));
        raw.send_frame(frame::HEADER, 1, header(1));
        raw.expect(1, (60, 11));
        raw.expect_close(505, NOT_A_METHOD, 0, 0);
    });
}

#[test]
fn b33_after_a_publish_only_its_header_is_expected() {
    others_go_on(|broker| {
        for (kind, payload) in [
            (frame::METHOD, method::basic_qos(1)),
            (frame::METHOD, method::basic_publish("", "key", 0)),
            (frame::METHOD, method::close(method::CHANNEL_CLOSE)),
            (frame::BODY, Payload::new().bytes("body")),
        ] {
            let mut raw = open(broker);
            raw.send(1, method::basic_publish("", "key", 0));
            raw.send_frame(kind, 1, payload);
            raw.expect_close(505, NOT_A_HEADER, 60, 40);
        }
    });
}

#[test]
fn b33_a_header_of_another_class_is_unexpected() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        raw.send(1, method::basic_publish("", "key", 0));
        raw.send_frame(frame::HEADER, 1, Payload::header(50, 0, 1).short(0));
        let text = "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead";
        raw.expect_close(505, text, 60, 40);
    });
}

#[test]
fn b33_a_header_with_a_weight_is_unexpected() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        raw.send(1, method::basic_publish("", "key", 0));
        raw.send_frame(frame::HEADER, 1, Payload::header(60, 1, 1).short(0));
        raw.expect_close_code(&[501, 505]);
    });
}

#[test]
fn b33_after_a_header_only_bodies_are_expected() {
    others_go_on(|broker| {
        for (kind, payload) in [
            (frame::METHOD, method::basic_qos(1)),
            (frame::METHOD, method::basic_publish("", "key", 0)),
            (frame::METHOD, method::close(method::CHANNEL_CLOSE)),
            (frame::HEADER, header(4)),
        ] {
            let mut raw = open(broker);
            raw.send(1, method::basic_publish("", "key", 0));
            raw.send_frame(frame::HEADER, 1, header(4));
            raw.send_frame(frame::BODY, 1, Payload::new().bytes("12"));
            raw.send_frame(kind, 1, payload);
            raw.expect_close(505, NOT_A_BODY, 60, 40);
        }
    });
}

#[test]
fn b33_an_empty_message_has_no_body_frame() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        raw.send(1, method::basic_publish("", &queue, 0));
        raw.send_frame(frame::HEADER, 1, header(0));
        assert_eq!(raw.get(1, &queue).unwrap().body, b"");
        raw.send(1, method::basic_publish("", &queue, 0));
        raw.send_frame(frame::HEADER, 1, header(0));
        raw.send_frame(frame::BODY, 1, Payload::new());
        raw.expect_close(505, NOT_A_METHOD, 0, 0);
    });
}

#[test]
fn b33_contents_on_several_channels_may_be_interleaved_but_not_mixed_up() {
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        let channels = [1, 2, 3];
        let queues = channels.map(|channel| {
            raw.open_channel(channel);
            (channel, raw.declare_own(channel))
        });
        for (channel, queue) in &queues {
            raw.send(*channel, method::basic_publish("", queue, 0));
        }
        for channel in channels {
            raw.send_frame(frame::HEADER, channel, header(6));
        }
        for part in ["a", "bc", "def"] {
            for channel in channels {
                let part = part.replace('a', &channel.to_string());
                raw.send_frame(frame::BODY, channel, Payload::new().bytes(part));
            }
        }
        for (channel, queue) in &queues {
            assert_eq!(raw.get(*channel, queue).unwrap().body, format!("{channel}bcdef").into_bytes());
        }
    });
}

#[test]
fn b34_bodies_beyond_the_announced_size_are_a_frame_error() {
    const TEXT: &str = "FRAME_ERROR - content body frame exceeds remaining content size";
    others_go_on(|broker| {
        for parts in [&["12345"][..], &["12", "345"], &["123", "", "45"]] {
            let mut raw = open(broker);
            raw.send(1, method::basic_publish("", "key", 0));
            raw.send_frame(frame::HEADER, 1, header(4));
            for part in parts {
                raw.send_frame(frame::BODY, 1, Payload::new().bytes(part));
            }
            assert_eq!(raw.expect_close_code(&[501]), TEXT);
        }
    });
}

#[test]
fn b35_a_body_size_beyond_the_hard_cap_is_a_frame_error_at_the_header() {
    others_go_on(|broker| {
        for size in [(512 << 20) + 1, 1 << 32, 1 << 62, 1 << 63, u64::MAX] {
            let before = broker.resident_bytes();
            let mut raw = open(broker);
            raw.send(1, method::basic_publish("", "key", 0));
            raw.send_frame(frame::HEADER, 1, header(size));
            raw.expect_close_code(&[501]);
            assert!(broker.resident_bytes() < before + (8 << 20), "memory for a claimed size of {size}");
        }
    });
}

#[test]
fn b36_a_body_size_beyond_max_message_size_closes_the_channel_at_the_header() {
    others_go_on(|broker| {
        for size in [(16 << 20) + 1, 17_825_792, 512 << 20] {
            let mut raw = open(broker);
            raw.send(1, method::basic_publish("", "key", 0));
            raw.send_frame(frame::HEADER, 1, header(size));
            raw.expect_channel_close(1, 406, &too_large(size, 16 << 20), 60, 40);
            raw.open_channel(1);
        }
    });
}

#[test]
fn b36_max_message_size_is_a_setting_and_counts_the_body_alone() {
    others_go_on_with(&["--max-message-size", "1000"], |broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        let long = Properties::new().text(Properties::MESSAGE_ID, "m".repeat(200));
        raw.publish(1, "", &queue, &long, &[1; 1000]);
        assert_eq!(raw.get(1, &queue).unwrap().body.len(), 1000);
        raw.publish(1, "", &queue, &Properties::new(), &[1; 1001]);
        raw.expect_channel_close(1, 406, &too_large(1001, 1000), 60, 40);
    });
}

#[test]
fn b36_the_body_of_a_message_that_is_too_large_is_skipped_and_not_kept() {
    const SIZE: u64 = 64 << 20;
    others_go_on(|broker| {
        let mut raw = open(broker);
        raw.open_channel(2);
        let before = broker.resident_bytes();
        raw.send(1, method::basic_publish("", "key", 0));
        raw.send_frame(frame::HEADER, 1, header(SIZE));
        let part = Payload::new().bytes(vec![0; 65_536]);
        for _ in 0..SIZE / 65_536 {
            raw.send_frame(frame::BODY, 1, part.clone());
        }
        raw.expect_channel_close(1, 406, &too_large(SIZE, 16 << 20), 60, 40);
        raw.expect_open(2);
        assert!(
            broker.resident_bytes() < before + (8 << 20),
            "{} bytes before, {} now",
            before,
            broker.resident_bytes()
        );
        raw.open_channel(1);
    });
}

#[test]
fn b37_sizes_that_are_only_claimed_cost_nothing() {
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        let before = broker.resident_bytes();
        for channel in 1..=2000 {
            raw.open_channel(channel);
            raw.send(channel, method::basic_publish("", "key", 0));
            raw.send_frame(frame::HEADER, channel, header(16 << 20));
            raw.send_frame(frame::BODY, channel, Payload::new().octet(1));
        }
        // A budget on what is claimed may refuse this as well, one on what has come may not.
        raw.send(2047, method::channel_open());
        match raw.recv().close() {
            None => raw.expect_open(2047),
            Some(close) => assert_eq!(close.0, 506, "{close:?}"),
        }
        let grown = broker.resident_bytes().saturating_sub(before);
        assert!(grown < 32 << 20, "{grown} bytes for 2000 unfinished messages of one byte each");
    });
}

#[test]
fn b37_unfinished_messages_of_one_connection_have_a_budget() {
    const CHANNELS: u16 = 24;
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        let before = broker.resident_bytes();
        for channel in 1..=CHANNELS {
            raw.open_channel(channel);
        }
        for channel in 1..=CHANNELS {
            raw.send(channel, method::basic_publish("", "key", 0));
            raw.send_frame(frame::HEADER, channel, header(16 << 20));
            for _ in 0..(16 << 20) / 131_064 {
                raw.send_frame(frame::BODY, channel, Payload::new().bytes(vec![0; 131_064]));
            }
            // Whoever does not stop at a close is not read for long.
            if raw.has_received() {
                break;
            }
        }
        raw.expect_close_code(&[506]);
        let grown = broker.resident_bytes().saturating_sub(before);
        assert!(grown < 192 << 20, "{grown} bytes for 384 MiB of unfinished messages");
    });
}

#[test]
fn b37b_a_few_empty_body_frames_are_allowed_in_a_message_and_many_are_not() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        raw.send(1, method::basic_publish("", &queue, 0));
        raw.send_frame(frame::HEADER, 1, header(2));
        for part in ["", "1", "", "", "2"] {
            raw.send_frame(frame::BODY, 1, Payload::new().bytes(part));
        }
        assert_eq!(raw.get(1, &queue).unwrap().body, b"12");

        raw.send(1, method::basic_publish("", &queue, 0));
        raw.send_frame(frame::HEADER, 1, header(2));
        for _ in 0..1025 {
            raw.send_frame(frame::BODY, 1, Payload::new());
        }
        raw.expect_close_code(&[501]);
    });
}

#[test]
fn b37c_a_message_in_frames_of_one_byte_arrives_and_costs_little_more_than_its_size() {
    const SIZE: usize = 1 << 20;
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        let before = broker.resident_bytes();
        raw.send(1, method::basic_publish("", &queue, 0));
        raw.send_frame(frame::HEADER, 1, header(SIZE as u64));
        let body: Vec<u8> = (0..SIZE).map(|i| i.to_le_bytes()[0]).collect();
        for part in body.chunks(4096) {
            let frames =
                part.iter().map(|octet| frame::Frame::new(frame::BODY, 1, Payload::new().octet(*octet)));
            raw.send_bytes(&frames.flat_map(|frame| frame.encode()).collect::<Vec<u8>>());
        }
        raw.expect_open(1);
        let grown = broker.resident_bytes().saturating_sub(before);
        assert!(grown < 12 << 20, "{grown} bytes for a message of {SIZE}");
        assert!(raw.get(1, &queue).unwrap().body == body);
    });
}

#[test]
fn a_message_of_just_the_largest_size_arrives() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        let body: Vec<u8> = (0..16_usize << 20).map(|i| i.to_le_bytes()[1]).collect();
        raw.publish(1, "", &queue, &Properties::new(), &body);
        assert!(raw.get(1, &queue).unwrap().body == body);
    });
}

#[test]
fn b33_a_header_that_is_cut_short_is_a_frame_error() {
    others_go_on(|broker| {
        for length in 0..12 {
            let mut raw = open(broker);
            raw.send(1, method::basic_publish("", "key", 0));
            raw.send_frame(frame::HEADER, 1, Payload::new().bytes(&header(1).0[..length]));
            raw.expect_close_code(&[501, 502]);
        }
    });
}

fn open(broker: &Broker) -> Raw {
    let mut raw = Raw::connect(broker);
    raw.open_channel(1);
    raw
}

/// A content header for basic without properties.
fn header(body_size: u64) -> Payload {
    Payload::header(60, 0, body_size).bytes(Properties::new().encoded())
}

fn too_large(size: u64, max: u64) -> String {
    format!(
        "PRECONDITION_FAILED - message size {size} is larger than configured max size {max}; \
         it is max_message_size in the configuration"
    )
}
