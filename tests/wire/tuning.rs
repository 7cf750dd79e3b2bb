//! connection.tune and tune-ok: the limits of a connection, and that they hold.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::support::raw::DEADLINE;
use crate::support::{
    Broker, Message, Payload, Properties, Raw, Received, Table, assert_waited, frame, method,
};
use crate::witness::{others_go_on, others_go_on_with};

#[test]
fn tune_offers_2047_channels_frames_of_131072_bytes_and_a_heartbeat_of_60_seconds() {
    others_go_on(|broker| assert_eq!(Raw::tuning(broker).expect_tune(), (2047, 131_072, 60)));
}

#[test]
fn tune_offers_what_the_broker_was_started_with() {
    let arguments = ["--channel-max", "10", "--frame-max", "8192", "--heartbeat", "7s"];
    others_go_on_with(&arguments, |broker| assert_eq!(Raw::tuning(broker).expect_tune(), (10, 8192, 7)));
}

#[test]
fn b15_a_frame_max_below_4096_is_not_allowed() {
    others_go_on(|broker| {
        for frame_max in [1, 8, 1000, 4095] {
            let mut raw = Raw::tuning(broker);
            raw.expect_tune();
            raw.send(0, method::connection_tune_ok(2047, frame_max, 0));
            let text = raw.expect_close_code(&[530]);
            let expected = format!(
                "NOT_ALLOWED - negotiated frame_max = {frame_max} is lower than the minimum allowed value (4096)"
            );
            assert!(text == expected || broker.is_external(), "{text}");
        }
    });
}

#[test]
fn b15_a_frame_max_of_4096_is_allowed() {
    others_go_on(|broker| Raw::connect_tuned(broker, 2047, 4096, 0).open_channel(1));
}

#[test]
fn b16_more_than_was_offered_is_not_allowed_and_unlimited_is_more() {
    others_go_on(|broker| {
        for (channel_max, frame_max) in
            [(2047, 131_073), (2047, u32::MAX), (2047, 0), (2048, 131_072), (u16::MAX, 131_072), (0, 131_072)]
        {
            eprintln!("channel_max {channel_max}, frame_max {frame_max}");
            let mut raw = Raw::tuning(broker);
            raw.expect_tune();
            raw.send(0, method::connection_tune_ok(channel_max, frame_max, 0));
            raw.expect_close_code(&[530]);
        }
    });
}

#[test]
fn b29_channel_max_limits_how_many_channels_are_open_and_not_their_numbers() {
    others_go_on(|broker| {
        let mut raw = Raw::connect_tuned(broker, 4, 131_072, 0);
        for channel in [5, 65_535, 1, 300] {
            raw.open_channel(channel);
        }
        raw.send(2, method::channel_open());
        let text = "NOT_ALLOWED - number of channels opened (4) has reached the negotiated channel_max (4)";
        raw.expect_close(530, text, 0, 0);
    });
}

#[test]
fn b29_a_closed_channel_makes_room_for_another() {
    others_go_on(|broker| {
        let mut raw = Raw::connect_tuned(broker, 2, 131_072, 0);
        raw.open_channel(1);
        for channel in 2..50 {
            raw.open_channel(channel);
            raw.send(channel, method::close(method::CHANNEL_CLOSE));
            raw.expect(channel, method::CHANNEL_CLOSE_OK);
        }
        raw.expect_open(1);
    });
}

#[test]
fn b29_as_many_channels_as_were_negotiated_can_be_open() {
    others_go_on(|broker| {
        let mut raw = Raw::connect(broker);
        for channel in 1..=2047 {
            raw.send(channel, method::channel_open());
        }
        // Channels need not answer in the order in which they were asked.
        let opened: HashSet<u16> = (1..=2047)
            .map(|_| {
                let frame = raw.recv();
                assert_eq!(frame.method(), Some(method::CHANNEL_OPEN_OK), "{frame:?}");
                frame.channel
            })
            .collect();
        assert_eq!(opened.len(), 2047);
        raw.send(2048, method::channel_open());
        let text =
            "NOT_ALLOWED - number of channels opened (2047) has reached the negotiated channel_max (2047)";
        raw.expect_close(530, text, 0, 0);
    });
}

#[test]
fn b20_a_size_beyond_frame_max_ends_the_connection_before_the_payload_is_sent() {
    others_go_on(|broker| {
        for (frame_max, size) in
            [(4096, 4097), (4096, 0x7fff_ffff), (131_072, 131_073), (131_072, u32::MAX), (131_072, 1 << 31)]
        {
            let mut raw = Raw::connect_tuned(broker, 10, frame_max, 0);
            raw.open_channel(1);
            raw.send_bytes(&Payload::new().octet(frame::BODY).short(1).long(size).0);
            let text = format!(
                "FRAME_ERROR - type 3, all octets = <<>>: {{frame_too_large,{size},{}}}",
                frame_max - 8
            );
            raw.expect_close(501, &text, 0, 0);
        }
    });
}

#[test]
fn b20_a_payload_of_just_frame_max_is_tolerated_and_sent_back_in_frames_that_fit() {
    others_go_on(|broker| {
        let mut raw = Raw::connect_tuned(broker, 10, 4096, 0);
        raw.open_channel(1);
        let queue = raw.declare_own(1);
        let body: Vec<u8> = (0..4096_u32).map(|i| i.to_le_bytes()[0]).collect();
        raw.send(1, method::basic_publish("", &queue, 0));
        raw.send_frame(frame::HEADER, 1, Payload::header(60, 0, 4096).bytes(Properties::new().encoded()));
        raw.send_frame(frame::BODY, 1, Payload::new().bytes(&body));
        raw.send(1, method::basic_get(&queue, true));
        raw.expect(1, method::BASIC_GET_OK);
        assert_eq!(raw.recv().kind, frame::HEADER);
        let (first, second) = (raw.recv(), raw.recv());
        assert_eq!((first.payload.len(), second.payload.len()), (4088, 8));
        assert_eq!([first.payload, second.payload].concat(), body);
    });
}

#[test]
fn b20_the_frame_max_that_was_negotiated_counts_and_not_the_one_offered() {
    others_go_on(|broker| {
        let mut small = Raw::connect_tuned(broker, 10, 4096, 0);
        let mut large = Raw::connect(broker);
        small.open_channel(1);
        large.open_channel(1);
        let queue = large.declare(1, "b20-negotiated", method::AUTO_DELETE, &Table::new());
        let body = vec![7; 100_000];
        large.publish(1, "", &queue, &Properties::new(), &body);
        large.expect_open(1);
        // Raw checks the size of every frame that it receives.
        assert_eq!(small.get(1, &queue).unwrap().body, body);
        large.send(1, method::queue_delete(&queue));
        large.expect(1, (50, 41));
    });
}

#[test]
fn b71_a_silent_client_is_dropped_after_two_heartbeats_and_its_messages_go_back() {
    others_go_on(|broker| {
        let mut steady = Raw::connect(broker);
        steady.open_channel(1);
        let queue = steady.declare(1, "b71-silent", method::AUTO_DELETE, &Table::new());
        steady.publish(1, "", &queue, &Properties::new(), b"unsettled");
        steady.expect_open(1);

        // So long that a machine which stands still for some seconds does not make it silent before its time.
        let mut silent = Raw::connect_tuned(broker, 10, 131_072, 4);
        silent.open_channel(1);
        let start = Instant::now();
        silent.send(1, method::basic_get(&queue, false));
        silent.expect(1, method::BASIC_GET_OK);
        silent.content(1);
        let mut heartbeats = 0;
        let end = loop {
            match silent.recv_within(DEADLINE) {
                Received::Frame(frame) if frame.kind == frame::HEARTBEAT && start.elapsed() < DEADLINE => {
                    heartbeats += 1;
                }
                received => break received,
            }
        };
        assert_eq!(end, Received::End(0), "no close frame, only the end");
        assert_waited(start, 10_000, "the end");
        assert!(heartbeats >= 1, "no heartbeat in {:?}", start.elapsed());
        let back = get_soon(&mut steady, &queue);
        assert!(back.redelivered);
        steady.send(1, method::queue_delete(&queue));
        steady.expect(1, (50, 41));
    });
}

#[test]
fn b71_any_bytes_from_the_client_count_as_a_sign_of_life() {
    others_go_on(|broker| {
        // Whoever says nothing is dropped after ten seconds.
        let mut raw = Raw::connect_tuned(broker, 10, 131_072, 4);
        raw.open_channel(1);
        let start = Instant::now();
        let mut by_heartbeat = true;
        while start.elapsed() < Duration::from_secs(13) {
            match raw.recv_within(Duration::from_millis(400)) {
                Received::Frame(frame) if frame.kind == frame::HEARTBEAT => {}
                Received::Frame(frame) if frame.method() == Some((60, 11)) => {}
                Received::Silence => {}
                other => panic!("after {:?}: {other:?}", start.elapsed()),
            }
            if by_heartbeat {
                raw.send_heartbeat();
            } else {
                raw.send(1, method::basic_qos(0));
            }
            by_heartbeat = !by_heartbeat;
        }
    });
}

#[test]
fn the_broker_sends_heartbeats_twice_an_interval_and_none_when_they_are_off() {
    others_go_on(|broker| {
        let mut off = Raw::connect(broker);
        let start = Instant::now();
        let mut raw = Raw::connect_tuned(broker, 10, 131_072, 4);
        let (mut count, mut last, mut shortest) = (0, start, DEADLINE);
        // A busy machine may be late with any of them: two that are as close as they should be will do.
        while count < 4 || shortest >= Duration::from_secs(3) {
            let received = raw.recv_within(DEADLINE);
            let Received::Frame(frame) = received else { panic!("{received:?}") };
            assert_eq!((frame.kind, frame.channel, frame.payload.len()), (frame::HEARTBEAT, 0, 0));
            raw.send_heartbeat();
            let now = Instant::now();
            shortest = shortest.min(now - last);
            (count, last) = (count + 1, now);
            assert!(now - start < DEADLINE, "{count} heartbeats, none within {shortest:?} of another");
        }
        assert_waited(start, count * 2000, "as many heartbeats");
        assert_eq!(off.recv_within(Duration::from_millis(10)), Received::Silence);
    });
}

#[test]
fn a_connection_can_be_closed_by_the_client_and_the_broker_closes_the_socket() {
    others_go_on(|broker: &Broker| {
        let mut raw = Raw::connect(broker);
        raw.open_channel(1);
        raw.send(0, method::close(method::CONNECTION_CLOSE));
        raw.expect(0, method::CONNECTION_CLOSE_OK);
        // A client may expect the socket to be closed, or close it first: the broker does not wait for ever.
        raw.expect_eof();
    });
}

/// A message that is about to come back to this queue.
fn get_soon(raw: &mut Raw, queue: &str) -> Message {
    raw.send(1, method::basic_consume(queue, "soon", method::CONSUME_NO_ACK, &Table::new()));
    raw.expect(1, method::BASIC_CONSUME_OK);
    raw.expect_deliver(1)
}
