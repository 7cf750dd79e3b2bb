//! What comes before the first frame: the protocol header, and the time that a handshake may take.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::raw::{DEADLINE, PLAIN_GUEST, PROTOCOL_HEADER, client_properties};
use crate::support::{Broker, Raw, Received, assert_waited, frame, method};
use crate::witness::{others_go_on, others_go_on_with};

/// A deadline that is long enough for those who hurry, on any machine.
const TIMEOUT: &str = "5s";

/// How far a connection gets before the test takes over.
type Connect = fn(&Broker) -> Raw;

#[test]
fn b1_an_unknown_protocol_header_is_answered_with_ours_and_the_connection_ends() {
    others_go_on(|broker| {
        for header in [
            b"AMQP\x01\x01\x00\x0a",
            b"AMQP\x00\x00\x09\x00",
            b"AMQP\x00\x00\x0a\x00",
            b"AMQP0100",
            b"\x93\x00\xfe\x11\x8c\x5a\x7f\xd2",
            b"\x00\x00\x00\x00\x00\x00\x00\x00",
        ] {
            let mut raw = Raw::tcp(broker);
            raw.send_bytes(header);
            assert_eq!(raw.recv_bytes(8), PROTOCOL_HEADER, "{}", header.escape_ascii());
            raw.expect_eof();
        }
    });
}

#[test]
fn b1_the_header_of_amqp_0_9_is_accepted() {
    others_go_on(|broker| {
        let mut raw = Raw::tcp(broker);
        raw.send_bytes(b"AMQP\x01\x01\x00\x09");
        raw.expect(0, method::CONNECTION_START);
    });
}

#[test]
fn b1_a_header_in_pieces_is_a_header() {
    others_go_on(|broker| {
        let mut raw = Raw::tcp(broker);
        for octet in PROTOCOL_HEADER {
            raw.send_bytes(&[*octet]);
        }
        raw.expect(0, method::CONNECTION_START);
    });
}

#[test]
fn b2_an_http_request_is_turned_away_and_the_log_says_what_it_looks_like() {
    turned_away(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "looks like HTTP");
}

#[test]
fn b3_a_tls_client_hello_is_turned_away_and_the_log_says_what_it_looks_like() {
    let hello = [0x16, 3, 1, 0, 0x2e, 1, 0, 0, 0x2a, 3, 3, 7, 7, 7, 7, 7, 7, 7, 7, 7];
    turned_away(&hello, "looks like TLS");
}

#[test]
fn b18_a_proxy_header_where_none_is_expected_is_turned_away() {
    others_go_on(|broker| {
        for header in ["PROXY TCP4 10.1.1.1 10.1.1.2 1 2\r\n", "\r\n\r\n\0\r\nQUIT\n\x21\x11\x7f\x7f"] {
            let mut raw = Raw::tcp(broker);
            raw.send_bytes(header.as_bytes());
            assert_eq!(raw.recv_bytes(8), PROTOCOL_HEADER);
            raw.expect_eof();
        }
    });
}

#[test]
fn b4_a_peer_that_says_nothing_is_dropped_at_the_handshake_deadline() {
    // Longer than it is by itself.
    others_go_on_with(&["--handshake-timeout", "11s"], |broker| {
        let start = Instant::now();
        Raw::tcp(broker).expect_eof();
        assert_waited(start, 11_000, "the end");
    });
}

#[test]
fn b4_a_peer_that_stops_after_any_step_is_dropped_at_the_handshake_deadline() {
    others_go_on_with(&["--handshake-timeout", TIMEOUT], |broker| {
        let steps: [(&str, Connect); 2] = [
            ("start", Raw::started),
            ("tune", |broker| {
                let mut raw = Raw::tuning(broker);
                raw.expect_tune();
                raw
            }),
        ];
        for (step, mut raw) in steps.map(|(step, connect)| (step, connect(broker))) {
            assert_eq!(raw.recv_within(DEADLINE), Received::End(0), "after {step}");
        }
    });
}

#[test]
fn b4_an_open_connection_outlives_the_handshake_deadline() {
    others_go_on_with(&["--handshake-timeout", TIMEOUT], |broker| {
        let mut raw = Raw::connect(broker);
        assert_eq!(raw.recv_within(Duration::from_secs(6)), Received::Silence);
        raw.open_channel(1);
    });
}

#[test]
fn b5_the_handshake_deadline_is_for_all_of_it_and_not_for_each_read() {
    others_go_on_with(&["--handshake-timeout", TIMEOUT], |broker| {
        let start_ok = method::connection_start_ok(&client_properties(), "PLAIN", PLAIN_GUEST);
        let start_ok = frame::Frame::new(frame::METHOD, 0, start_ok).encode();
        let cases: [(Connect, &[u8]); 2] = [(Raw::tcp, PROTOCOL_HEADER), (Raw::started, &start_ok)];
        thread::scope(|scope| {
            for (connect, slowly) in cases {
                scope.spawn(move || {
                    let mut raw = connect(broker);
                    let mut sent = 0;
                    let end = slowly.iter().find_map(|octet| {
                        raw.send_bytes(&[*octet]);
                        sent += 1;
                        let received = raw.recv_within(Duration::from_secs(1));
                        (received != Received::Silence).then_some(received)
                    });
                    assert_eq!(end, Some(Received::End(0)), "after {sent} of {} octets", slowly.len());
                });
            }
        });
    });
}

#[test]
fn b6_idle_sockets_that_never_log_in_do_not_stand_in_the_way() {
    others_go_on_with(&["--handshake-timeout", TIMEOUT], |broker| {
        let mut idle: Vec<Raw> = (0..500).map(|_| Raw::tcp(broker)).collect();
        Raw::connect(broker).open_channel(1);
        for raw in &mut idle {
            raw.expect_eof();
        }
    });
}

#[test]
fn b6_sockets_beyond_the_cap_of_unauthenticated_ones_of_an_address_are_closed_at_once() {
    // Half of all that there may be.
    const CAP: usize = 2048;
    allow_open_files(4 * CAP as u64);
    others_go_on_with(&["--handshake-timeout", "10m"], |broker| {
        let mut opened = Raw::connect(broker);
        let idle: Vec<Raw> = (0..CAP).map(|_| Raw::tcp(broker)).collect();
        Raw::tcp(broker).expect_eof();
        opened.open_channel(1);
        drop(idle);
    });
}

/// Raises this process's limit, which its brokers inherit, as far as its own hard limit allows.
fn allow_open_files(count: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|soft| soft < count) {
        let raised = Rlimit { current: Some(count), maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).expect("as many open files as the test needs");
    }
}

/// Bytes of another protocol: the answer is our header and the end, and a hint for whoever reads the log.
fn turned_away(bytes: &[u8], hint: &str) {
    let mut broker = Broker::start();
    let mut witness = Raw::connect(&broker);
    let mut raw = Raw::tcp(&broker);
    raw.send_bytes(bytes);
    assert_eq!(raw.recv_bytes(8), PROTOCOL_HEADER);
    raw.expect_eof();
    if !broker.is_external() {
        broker.wait_for_line(hint);
    }
    witness.open_channel(1);
}
