//! Which method may come when, and on which channel.

use crate::support::{Payload, Properties, Raw, Table, frame, method};
use crate::witness::others_go_on;

const UNIMPLEMENTED: &str = "COMMAND_INVALID - unimplemented method";
const NOT_ON_ZERO: &str = "CHANNEL_ERROR - unexpected method in connection state running";

#[test]
fn b26_a_method_that_only_the_broker_may_send_is_invalid() {
    others_go_on(|broker| {
        for (class, method, arguments) in [
            (50, 11, Payload::new().shortstr("q").long(0).long(0)),
            (40, 11, Payload::new()),
            (60, 21, Payload::new().shortstr("tag")),
            (60, 72, Payload::new().shortstr("")),
            (20, 11, Payload::new().longstr("")),
            (85, 11, Payload::new()),
        ] {
            eprintln!("{class} {method}");
            let mut raw = Raw::connect(broker);
            raw.open_channel(1);
            raw.send(1, Payload::method((class, method)).bytes(arguments.0));
            raw.expect_close(503, UNIMPLEMENTED, class, method);
        }
    });
}

#[test]
fn b26_a_delivery_from_a_client_is_invalid() {
    let deliver = Payload::method((60, 60)).shortstr("tag").longlong(1).octet(0).shortstr("").shortstr("key");
    let returned = Payload::method((60, 50)).short(312).shortstr("NO_ROUTE").shortstr("").shortstr("key");
    others_go_on(|broker| {
        for method in [&deliver, &returned] {
            let mut raw = Raw::connect(broker);
            raw.open_channel(1);
            raw.publish_with(1, method.clone(), &Properties::new().encoded(), b"body");
            let text = raw.expect_close_code(&[503]);
            assert_eq!(text, UNIMPLEMENTED);
        }
    });
}

#[test]
fn b26_a_connection_method_that_only_the_broker_may_send_is_refused() {
    others_go_on(|broker| {
        for (class, method, arguments) in [
            (10, 10, Payload::new().octet(0).octet(9).table(&Table::new()).longstr("PLAIN").longstr("en_US")),
            (10, 30, Payload::new().short(1).long(8192).short(1)),
            (10, 41, Payload::new().shortstr("")),
        ] {
            let mut raw = Raw::connect(broker);
            raw.send(0, Payload::method((class, method)).bytes(arguments.0));
            raw.expect_close(504, NOT_ON_ZERO, class, method);
        }
    });
}

#[test]
fn b27_a_channel_method_on_channel_0_is_a_channel_error() {
    others_go_on(|broker| {
        for method in [
            method::channel_open(),
            method::queue_declare("", 0, &Table::new()),
            method::basic_qos(1),
            method::close(method::CHANNEL_CLOSE),
        ] {
            let mut raw = Raw::connect(broker);
            let (class, id) = frame::Frame::new(frame::METHOD, 0, method.clone()).method().unwrap();
            raw.send(0, method);
            raw.expect_close(504, NOT_ON_ZERO, class, id);
        }
    });
}

#[test]
fn b27_content_on_channel_0_is_refused() {
    others_go_on(|broker| {
        for kind in [frame::HEADER, frame::BODY] {
            let mut raw = Raw::connect(broker);
            raw.send_frame(kind, 0, Payload::header(60, 0, 1).short(0));
            raw.expect_close_code(&[501, 504, 505]);
        }
    });
}

#[test]
fn b27_a_connection_method_on_an_open_channel_is_invalid() {
    others_go_on(|broker| {
        for method in [
            method::connection_open("/"),
            method::close(method::CONNECTION_CLOSE),
            method::connection_tune_ok(0, 0, 0),
        ] {
            let mut raw = Raw::connect(broker);
            raw.open_channel(1);
            let (class, id) = frame::Frame::new(frame::METHOD, 0, method.clone()).method().unwrap();
            raw.send(1, method);
            raw.expect_close(503, UNIMPLEMENTED, class, id);
        }
    });
}

#[test]
fn b7_the_handshake_cannot_be_repeated_on_an_open_connection() {
    others_go_on(|broker| {
        for method in [
            method::connection_start_ok(&Table::new(), "PLAIN", b"\0guest\0guest"),
            method::connection_tune_ok(2047, 131_072, 0),
            method::connection_open("/"),
            Payload::method((10, 21)).longstr("unasked"),
        ] {
            let mut raw = Raw::connect(broker);
            let (class, id) = frame::Frame::new(frame::METHOD, 0, method.clone()).method().unwrap();
            raw.send(0, method);
            raw.expect_close(504, NOT_ON_ZERO, class, id);
        }
    });
}

#[test]
fn b28_any_method_on_a_channel_that_is_not_open_expects_open_first() {
    others_go_on(|broker| {
        for method in [
            method::queue_declare("", 0, &Table::new()),
            method::basic_ack(1, false),
            method::close(method::CHANNEL_CLOSE),
        ] {
            let mut raw = Raw::connect(broker);
            let (class, id) = frame::Frame::new(frame::METHOD, 0, method.clone()).method().unwrap();
            raw.send(7, method);
            raw.expect_close(504, "CHANNEL_ERROR - expected 'channel.open'", class, id);
        }
    });
}

#[test]
fn b28_content_on_a_channel_that_is_not_open_is_refused() {
    others_go_on(|broker| {
        for kind in [frame::HEADER, frame::BODY] {
            let mut raw = Raw::connect(broker);
            raw.send_frame(kind, 7, Payload::header(60, 0, 1).short(0));
            raw.expect_close_code(&[504, 505]);
        }
    });
}

#[test]
fn b28_a_channel_cannot_be_opened_twice() {
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        raw.open_channel(1);
        raw.send(1, method::channel_open());
        raw.expect_close(504, "CHANNEL_ERROR - second 'channel.open' seen", 20, 10);
    });
}

#[test]
fn b28_a_channel_cannot_be_opened_again_before_its_close_was_answered() {
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        raw.open_channel(1);
        raw.send(1, method::basic_ack(77, false));
        raw.expect(1, method::CHANNEL_CLOSE);
        raw.send(1, method::channel_open());
        raw.expect_close(504, "CHANNEL_ERROR - second 'channel.open' seen", 20, 10);
    });
}

#[test]
fn b30_after_a_channel_error_everything_on_that_channel_is_dropped_until_close_ok() {
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        raw.open_channel(1);
        raw.open_channel(2);
        raw.send(1, method::basic_ack(77, false));
        raw.send(1, method::queue_declare("b30-after-channel-error", 0, &Table::new()));
        raw.publish(1, "", "nowhere", &Properties::new(), b"dropped");
        raw.send(1, method::basic_ack(78, false));
        raw.expect_channel_close(1, 406, "PRECONDITION_FAILED - unknown delivery tag 77", 60, 80);
        raw.open_channel(1);
        raw.send(1, method::queue_declare("b30-after-channel-error", method::PASSIVE, &Table::new()));
        let text = "NOT_FOUND - no queue 'b30-after-channel-error' in vhost '/'";
        raw.expect_channel_close(1, 404, text, 50, 10);
        raw.expect_open(2);
    });
}

#[test]
fn b30_both_sides_may_close_a_channel_at_once() {
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        raw.open_channel(1);
        raw.send(1, method::basic_ack(77, false));
        raw.send(1, method::close(method::CHANNEL_CLOSE));
        raw.expect(1, method::CHANNEL_CLOSE);
        raw.expect(1, method::CHANNEL_CLOSE_OK);
        raw.send(1, Payload::method(method::CHANNEL_CLOSE_OK));
        raw.open_channel(1);
        raw.expect_open(1);
    });
}

#[test]
fn b31_channel_flow_can_be_switched_on_but_not_off() {
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        raw.open_channel(1);
        raw.send(1, method::channel_flow(true));
        assert_eq!(raw.expect(1, method::CHANNEL_FLOW_OK).arguments().octet(), 1);
        raw.send(1, method::channel_flow(false));
        raw.expect_close(540, "NOT_IMPLEMENTED - active=false", 20, 20);
    });
}

#[test]
fn b31_a_close_ok_that_nothing_asked_for_does_no_harm() {
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        raw.open_channel(1);
        raw.open_channel(2);
        raw.send(1, Payload::method(method::CHANNEL_CLOSE_OK));
        raw.expect_open(2);
    });
}

#[test]
fn b32_channels_opened_and_closed_in_a_loop_leave_nothing_behind() {
    const ROUNDS: u16 = 2000;
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        let mut churn = |rounds: u16| {
            for _ in 0..rounds {
                for channel in 1..=10 {
                    raw.send(channel, method::channel_open());
                    raw.send(channel, method::close(method::CHANNEL_CLOSE));
                }
                let mut open = [false; 11];
                for _ in 0..20 {
                    let frame = raw.recv();
                    let open = &mut open[usize::from(frame.channel)];
                    let due = if *open { method::CHANNEL_CLOSE_OK } else { method::CHANNEL_OPEN_OK };
                    assert_eq!(frame.method(), Some(due), "{frame:?}");
                    *open = !*open;
                }
            }
        };
        churn(ROUNDS / 4);
        let before = broker.resident_bytes();
        churn(ROUNDS);
        let grown = broker.resident_bytes().saturating_sub(before);
        assert!(grown < 4 << 20, "{grown} bytes for {ROUNDS}0 channels that are closed");
    });
}

#[test]
fn b32_channel_closes_that_are_never_answered_cost_little_and_hurt_no_other_channel() {
    const CHANNELS: u16 = 2000;
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        raw.open_channel(2047);
        let before = broker.resident_bytes();
        for channel in 1..=CHANNELS {
            raw.open_channel(channel);
            raw.send(channel, method::basic_ack(77, false));
            raw.expect(channel, method::CHANNEL_CLOSE);
        }
        let grown = broker.resident_bytes().saturating_sub(before);
        assert!(grown < 16 << 20, "{grown} bytes for {CHANNELS} channels that are closing");
        raw.expect_open(2047);
        raw.send(1, Payload::method(method::CHANNEL_CLOSE_OK));
        raw.open_channel(1);
    });
}

#[test]
fn update_secret_and_access_request_are_answered() {
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        raw.send(0, Payload::method((10, 70)).longstr("guest").shortstr("renewed"));
        raw.expect(0, (10, 71));
        raw.open_channel(1);
        raw.send(1, Payload::method((30, 10)).shortstr("/data").octet(0x1f));
        assert_eq!(raw.expect(1, (30, 11)).arguments().short(), 1);
    });
}
