//! Frames that are none, and methods that cannot be read.

use std::time::Duration;

use crate::support::{Payload, Properties, Raw, Received, Table, frame, method};
use crate::witness::others_go_on;

#[test]
fn b21_a_wrong_frame_end_is_a_frame_error() {
    others_go_on(|broker| {
        for channel in [0, 1] {
            let mut raw = Raw::connect(broker);
            raw.open_channel(1);
            raw.send_bytes(&Payload::new().octet(1).short(channel).longstr([0, 10, 0, 10]).octet(88).0);
            let text = "FRAME_ERROR - type 1, all octets = <<0,10,0,10>>: {invalid_frame_end_marker,88}";
            raw.expect_close(501, text, 0, 0);
        }
    });
}

#[test]
fn b22_an_unknown_frame_type_is_a_frame_error() {
    others_go_on(|broker| {
        for kind in [0, 4, 5, 7, 9, 65, 255] {
            let mut raw = Raw::connect(broker);
            raw.send_frame(kind, 0, Payload::new());
            let text = format!("FRAME_ERROR - type {kind}, all octets = <<>>: unknown_frame");
            raw.expect_close(501, &text, 0, 0);
        }
    });
}

#[test]
fn b23_a_heartbeat_with_a_payload_is_a_frame_error() {
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        raw.send_frame(frame::HEARTBEAT, 0, Payload::new().octet(1));
        raw.expect_close(501, "FRAME_ERROR - type 8, all octets = <<1>>: unknown_frame", 0, 0);
    });
}

#[test]
fn b23_a_heartbeat_on_a_channel_is_unexpected() {
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        raw.open_channel(1);
        raw.send_frame(frame::HEARTBEAT, 1, Payload::new());
        raw.expect_close(505, "UNEXPECTED_FRAME - type 8, all octets = <<>>", 0, 0);
    });
}

#[test]
fn b23_a_heartbeat_is_accepted_although_none_were_negotiated() {
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        raw.send_heartbeat();
        raw.open_channel(1);
    });
}

#[test]
fn b24_a_method_frame_too_short_for_its_ids_is_a_frame_error() {
    others_go_on(|broker| {
        for (payload, shown) in [(&[][..], ""), (&[0], "0"), (&[0, 10], "0,10"), (&[0, 50, 0], "0,50,0")] {
            for channel in [0, 1] {
                let mut raw = Raw::connect(broker);
                raw.open_channel(1);
                raw.send(channel, Payload::new().bytes(payload));
                let text = format!("FRAME_ERROR - type 1, all octets = <<{shown}>>: unknown_frame");
                raw.expect_close(501, &text, 0, 0);
            }
        }
    });
}

#[test]
fn b24_a_method_without_its_arguments_is_a_frame_error() {
    others_go_on(|broker| {
        for (class, method) in [(50, 10), (60, 40), (60, 80), (40, 10)] {
            let mut raw = Raw::connect(broker);
            raw.open_channel(1);
            raw.send(1, Payload::method((class, method)));
            raw.expect_close(501, "FRAME_ERROR - cannot decode <<>>", class, method);
        }
    });
}

#[test]
fn b24_a_method_cut_anywhere_is_refused() {
    let arguments = Table::new().text("x-key", "value");
    others_go_on(|broker| {
        for method in [
            method::queue_declare("queue", 0, &arguments),
            method::basic_publish("exchange", "key", 0),
            method::basic_consume("queue", "tag", 0, &arguments),
            method::basic_ack(1, false),
        ] {
            for length in 4..method.0.len() {
                let mut raw = Raw::connect(broker);
                raw.open_channel(1);
                raw.send(1, Payload::new().bytes(&method.0[..length]));
                raw.expect_close_code(&[501, 502]);
            }
        }
    });
}

#[test]
fn b24_trailing_bytes_after_the_last_argument_are_refused() {
    others_go_on(|broker| {
        for method in [
            method::queue_declare("", method::EXCLUSIVE, &Table::new()),
            method::basic_publish("", "key", 0),
            method::basic_ack(1, false),
            method::basic_qos(1),
        ] {
            for trailing in [&b"\0"[..], b"trailing"] {
                let mut raw = Raw::connect(broker);
                raw.open_channel(1);
                raw.send(1, method.clone().bytes(trailing));
                raw.expect_close_code(&[501, 502]);
            }
        }
    });
}

#[test]
fn b25_an_unknown_class_or_method_is_not_implemented() {
    others_go_on(|broker| {
        for (class, method) in [(60, 999), (50, 12), (0, 0), (65_535, 65_535), (70, 10), (61, 40)] {
            eprintln!("{class} {method}");
            let mut raw = Raw::connect(broker);
            raw.open_channel(1);
            raw.send(1, Payload::method((class, method)).bytes("whatever"));
            raw.expect_close_code(&[540]);
        }
    });
}

#[test]
fn b25_an_unknown_method_of_the_connection_is_not_implemented() {
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        raw.send(0, Payload::method((10, 99)));
        raw.expect_close_code(&[540]);
    });
}

#[test]
fn frames_are_understood_however_the_bytes_are_cut() {
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        raw.open_channel(1);
        let queue = raw.declare_own(1);
        let publish = crate::support::raw::content(
            1,
            method::basic_publish("", &queue, 0),
            &Properties::new().text(Properties::CONTENT_TYPE, "text/plain").encoded(),
            b"piece by piece",
            131_072,
        );
        for size in [1, 2, 3, 7, 8, 9, publish.len()] {
            for piece in publish.chunks(size) {
                raw.send_bytes(piece);
            }
            assert_eq!(raw.get(1, &queue).unwrap().body, b"piece by piece", "in pieces of {size}");
        }
    });
}

#[test]
fn a_connection_cut_in_the_middle_of_a_frame_leaves_nothing_behind() {
    others_go_on(|broker| {
        let mut watch = Raw::connect(broker);
        watch.open_channel(1);
        let queue = watch.declare_own(1);
        let publish = crate::support::raw::content(
            1,
            method::basic_publish("", &queue, 0),
            &Properties::new().encoded(),
            b"never complete",
            131_072,
        );
        for length in 1..publish.len() {
            let mut raw = Raw::connect(broker);
            raw.open_channel(1);
            raw.send_bytes(&publish[..length]);
        }
        assert!(watch.get(1, &queue).is_none());
    });
}

#[test]
fn b30_after_a_connection_error_everything_is_ignored_until_close_ok() {
    others_go_on(|broker| {
        let mut watch = Raw::connect(broker);
        watch.open_channel(1);
        let mut raw = Raw::connect(broker);
        raw.open_channel(1);
        raw.send_frame(9, 0, Payload::new());
        raw.send(1, method::queue_declare("b30-after-connection-error", 0, &Table::new()));
        raw.send(2, method::channel_open());
        raw.send_heartbeat();
        raw.expect_close(501, "FRAME_ERROR - type 9, all octets = <<>>: unknown_frame", 0, 0);
        watch.send(1, method::queue_declare("b30-after-connection-error", method::PASSIVE, &Table::new()));
        let text = "NOT_FOUND - no queue 'b30-after-connection-error' in vhost '/'";
        watch.expect_channel_close(1, 404, text, 50, 10);
    });
}

#[test]
fn b30_a_client_that_never_answers_the_connection_close_is_dropped() {
    others_go_on(|broker| {
        let mut silent = Raw::connect(broker);
        let mut busy = Raw::connect(broker);
        busy.open_channel(1);
        for raw in [&mut silent, &mut busy] {
            raw.send_frame(9, 0, Payload::new());
            raw.expect(0, method::CONNECTION_CLOSE);
        }
        let ended = (0..600).any(|_| {
            busy.send(1, method::basic_qos(1));
            busy.recv_within(Duration::from_millis(100)) != Received::Silence
        });
        assert!(ended, "sending on does not put the end off");
        silent.expect_eof();
    });
}

#[test]
fn b30_what_a_client_sends_after_its_close_is_dropped_and_its_socket_is_not_reset() {
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        raw.open_channel(1);
        raw.send(0, method::close(method::CONNECTION_CLOSE));
        raw.expect(0, method::CONNECTION_CLOSE_OK);
        raw.expect_eof();
        let ack = frame::Frame::new(frame::METHOD, 1, method::basic_ack(1, false)).encode();
        for _ in 0..1000 {
            assert_eq!(raw.send_some(&ack, Duration::from_secs(1)), ack.len());
        }
    });
}

#[test]
fn b30_both_sides_may_close_at_once() {
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        raw.send_frame(9, 0, Payload::new());
        raw.send(0, method::close(method::CONNECTION_CLOSE));
        raw.expect(0, method::CONNECTION_CLOSE);
        let crossing = raw.next();
        match &crossing {
            Received::Frame(frame) if frame.method() == Some(method::CONNECTION_CLOSE_OK) => {}
            other => panic!("{other:?}"),
        }
        raw.send(0, Payload::method(method::CONNECTION_CLOSE_OK));
        raw.expect_eof();
    });
}
