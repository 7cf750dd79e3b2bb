//! connection.start and start-ok: what the broker offers, and who gets in.

use std::time::{Duration, Instant};

use crate::support::raw::{PLAIN_GUEST, client_properties};
use crate::support::{Broker, Payload, Raw, Received, Table, frame, method};
use crate::witness::others_go_on;

const REFUSED: &str = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. \
                       For details see the broker logfile.";

#[test]
fn start_offers_version_0_9_the_mechanisms_and_the_capabilities_of_rabbitmq() {
    others_go_on(|broker| {
        let mut raw = Raw::tcp(broker);
        raw.send_bytes(crate::support::raw::PROTOCOL_HEADER);
        let start = raw.expect(0, method::CONNECTION_START);
        let mut arguments = start.arguments();
        assert_eq!((arguments.octet(), arguments.octet()), (0, 9));
        let properties = arguments.longstr();
        let mechanisms = String::from_utf8(arguments.longstr()).unwrap();
        let offered: Vec<_> = mechanisms.split(' ').collect();
        assert!(offered.contains(&"PLAIN") && offered.contains(&"AMQPLAIN"), "{mechanisms}");
        assert_eq!(arguments.longstr(), b"en_US");
        for name in [
            "publisher_confirms",
            "exchange_exchange_bindings",
            "basic.nack",
            "consumer_cancel_notify",
            "connection.blocked",
            "consumer_priorities",
            "authentication_failure_close",
            "per_consumer_qos",
            "direct_reply_to",
        ] {
            assert!(holds(&properties, &Table::new().boolean(name, true).0), "capability {name}");
        }
        // kombu decides by the product how prefetch works.
        assert!(holds(&properties, &Table::new().text("product", "RabbitMQ").0));
        for name in ["version", "platform", "copyright", "information", "cluster_name"] {
            assert!(holds(&properties, &Payload::new().shortstr(name).octet(b'S').0), "property {name}");
        }
    });
}

#[test]
fn plain_and_amqplain_let_guest_in() {
    others_go_on(|broker| {
        let amqplain = Table::new().text("LOGIN", "guest").text("PASSWORD", "guest");
        for (mechanism, response) in [("PLAIN", PLAIN_GUEST), ("AMQPLAIN", &amqplain.0[..])] {
            let mut raw = Raw::started(broker);
            raw.send(0, method::connection_start_ok(&client_properties(), mechanism, response));
            raw.expect_tune();
        }
    });
}

#[test]
fn b7_a_method_out_of_its_turn_in_the_handshake_is_refused() {
    let start_ok = || method::connection_start_ok(&client_properties(), "PLAIN", PLAIN_GUEST);
    others_go_on(|broker| {
        for (name, out_of_turn) in [
            ("tune-ok", method::connection_tune_ok(2047, 131_072, 0)),
            ("open", method::connection_open("/")),
            ("secure-ok", Payload::method((10, 21)).longstr("x")),
            ("start", Payload::method(method::CONNECTION_START).octet(0).octet(9).long(0).long(0).long(0)),
            ("close-ok", Payload::method(method::CONNECTION_CLOSE_OK)),
            ("channel.open", method::channel_open()),
        ] {
            eprintln!("{name} instead of start-ok");
            let mut raw = Raw::started(broker);
            raw.send(0, out_of_turn);
            raw.expect_close_code_or_eof(&[503, 504]);
        }
        for (name, out_of_turn) in [
            ("start-ok", start_ok()),
            ("open", method::connection_open("/")),
            ("secure-ok", Payload::method((10, 21)).longstr("x")),
        ] {
            eprintln!("{name} instead of tune-ok");
            let mut raw = Raw::tuning(broker);
            raw.expect_tune();
            raw.send(0, out_of_turn);
            raw.expect_close_code_or_eof(&[503, 504]);
        }
        for (name, out_of_turn) in
            [("start-ok", start_ok()), ("tune-ok", method::connection_tune_ok(2047, 131_072, 0))]
        {
            eprintln!("{name} instead of open");
            let mut raw = Raw::tuning(broker);
            raw.expect_tune();
            raw.send(0, method::connection_tune_ok(2047, 131_072, 0));
            raw.send(0, out_of_turn);
            raw.expect_close_code_or_eof(&[503, 504]);
        }
    });
}

#[test]
fn b7_content_and_channel_frames_before_the_connection_is_open_are_refused() {
    others_go_on(|broker| {
        for kind in [frame::HEADER, frame::BODY] {
            let mut raw = Raw::started(broker);
            raw.send_frame(kind, 0, Payload::header(60, 0, 1).short(0));
            raw.expect_close_code_or_eof(&[501, 503, 504, 505]);
        }
        let mut raw = Raw::started(broker);
        raw.send(1, method::channel_open());
        raw.expect_close_code_or_eof(&[503, 504]);
    });
}

#[test]
fn b8_a_frame_before_tuning_is_refused_by_its_size_before_its_payload_is_sent() {
    others_go_on(|broker| {
        let mut raw = Raw::started(broker);
        raw.send_bytes(&Payload::new().octet(frame::METHOD).short(0).long(8193).0);
        raw.expect_close_code_or_eof(&[501]);
    });
}

#[test]
fn b8_client_properties_that_fill_the_initial_frame_are_accepted() {
    let fits = 8192 - frame::FRAME_OVERHEAD;
    let without = method::connection_start_ok(&properties_with("x", ""), "PLAIN", PLAIN_GUEST).0.len();
    let properties = properties_with("x", &"p".repeat(fits - without));
    others_go_on(|broker| {
        let mut raw = Raw::started(broker);
        let start_ok = method::connection_start_ok(&properties, "PLAIN", PLAIN_GUEST);
        assert_eq!(start_ok.0.len(), fits);
        raw.send(0, start_ok);
        raw.expect_tune();
    });
}

#[test]
fn b9_client_properties_600_tables_deep_are_a_syntax_error() {
    let deep = (0..600).fold(Table::new(), |inner, _| Table::new().nested("t", &inner));
    assert!(deep.0.len() < 8000, "fits into the first frame");
    others_go_on(|broker| {
        let mut raw = Raw::started(broker);
        raw.send(0, method::connection_start_ok(&deep, "PLAIN", PLAIN_GUEST));
        raw.expect_close_code_or_eof(&[502]);
    });
}

#[test]
fn b10_a_mechanism_that_was_not_offered_is_refused() {
    others_go_on(|broker| {
        for mechanism in ["NOPE", "", "plain", "EXTERNAL", "SCRAM-SHA-256", "RABBIT-CR-DEMO"] {
            eprintln!("{mechanism:?}");
            let mut raw = Raw::started(broker);
            raw.send(0, method::connection_start_ok(&client_properties(), mechanism, PLAIN_GUEST));
            raw.expect_close_code_or_eof(&[503]);
        }
    });
}

#[test]
fn b11_a_malformed_response_never_lets_anybody_in() {
    let long = [b"\0guest\0", &[b'x'; 4096][..]].concat();
    let login_only = Table::new().text("LOGIN", "guest");
    let password_only = Table::new().text("PASSWORD", "guest");
    let numbers = Table::new().int("LOGIN", 1).int("PASSWORD", 2);
    let cases: [(&str, &[u8]); 14] = [
        ("PLAIN", b""),
        ("PLAIN", b"\0"),
        ("PLAIN", b"\0\0"),
        ("PLAIN", b"guest"),
        ("PLAIN", b"guest\0guest"),
        ("PLAIN", b"\0guest"),
        ("PLAIN", b"\0guest\0guest\0"),
        ("PLAIN", b"\0\xff\xfe\0\xc3\x28"),
        ("PLAIN", &long),
        ("AMQPLAIN", b""),
        ("AMQPLAIN", &login_only.0),
        ("AMQPLAIN", &password_only.0),
        ("AMQPLAIN", &numbers.0),
        ("AMQPLAIN", b"\x05LOGINS\xff\xff\xff\xffguest"),
    ];
    others_go_on(|broker| {
        for (mechanism, response) in cases {
            eprintln!("{mechanism} {}", &response[..response.len().min(32)].escape_ascii());
            let mut raw = Raw::started(broker);
            raw.send(0, method::connection_start_ok(&client_properties(), mechanism, response));
            raw.expect_close_code_or_eof(&[403, 502]);
        }
    });
}

#[test]
fn b12_an_unknown_user_and_a_wrong_password_get_the_same_refusal() {
    others_go_on(|broker| {
        for response in ["\0guest\0wrong", "\0nobody\0guest", "\0guest\0", "\0nobody\0", "\0\0"] {
            let mut raw = Raw::started(broker);
            raw.send(0, method::connection_start_ok(&client_properties(), "PLAIN", response.as_bytes()));
            raw.expect_close(403, REFUSED, 0, 0);
        }
        let mut raw = Raw::started(broker);
        let wrong = Table::new().text("LOGIN", "guest").text("PASSWORD", "wrong");
        raw.send(0, method::connection_start_ok(&client_properties(), "AMQPLAIN", &wrong.0));
        raw.expect_close(403, &REFUSED.replace("PLAIN", "AMQPLAIN"), 0, 0);
    });
}

/// A client that looks for the end before it answers takes it for a broken connection, and does not tell why it was refused.
#[test]
fn a_refused_client_is_left_its_connection_until_it_has_answered() {
    others_go_on(|broker| {
        let mut raw = Raw::started(broker);
        raw.send(0, method::connection_start_ok(&client_properties(), "PLAIN", b"\0guest\0wrong"));
        assert_eq!(raw.expect(0, method::CONNECTION_CLOSE).close().unwrap().0, 403);
        assert_eq!(raw.recv_within(Duration::from_millis(300)), Received::Silence);
        raw.send(0, Payload::method(method::CONNECTION_CLOSE_OK));
        raw.expect_eof();
    });
}

#[test]
fn b12_a_client_that_does_not_know_the_refusal_is_dropped_without_a_frame() {
    others_go_on(|broker| {
        let denies = Table::new().boolean("authentication_failure_close", false);
        for properties in [Table::new(), Table::new().nested("capabilities", &denies)] {
            let mut raw = Raw::started(broker);
            raw.send(0, method::connection_start_ok(&properties, "PLAIN", b"\0guest\0wrong"));
            raw.expect_eof();
        }
    });
}

#[test]
fn b14_many_failed_logins_disturb_nobody_and_leave_few_lines_and_no_secret_in_the_log() {
    const ATTEMPTS: usize = 400;
    others_go_on(|broker| {
        let begun = Instant::now();
        // At the same time: the answer to each is late.
        let attempts: Vec<Raw> = (0..ATTEMPTS)
            .map(|attempt| {
                let mut raw = Raw::started(broker);
                let response = format!("\0guest\0planted-secret-{attempt}");
                raw.send(0, method::connection_start_ok(&Table::new(), "PLAIN", response.as_bytes()));
                raw
            })
            .collect();
        for mut raw in attempts {
            raw.expect_eof();
        }
        Raw::connect(broker).open_channel(1);
        if !broker.is_external() {
            broker.await_line("login refused");
            let log = broker.log();
            assert!(!log.iter().any(|line| line.contains("planted-secret")), "{log:#?}");
            let lines = log.iter().filter(|line| line.contains("login refused")).count();
            // A hundred a second.
            let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap() + 1;
            assert!((1..=100 * seconds).contains(&lines), "{lines} lines about {ATTEMPTS} refused logins");
        }
    });
}

#[test]
fn b17_a_vhost_that_does_not_exist_is_not_allowed() {
    let long = "v".repeat(255);
    others_go_on(|broker| {
        for vhost in ["nope", "", long.as_str(), "//", "\u{202e}\0<b>"] {
            let mut raw = opening(broker);
            raw.send(0, method::connection_open(vhost));
            let mut text = format!("NOT_ALLOWED - vhost {vhost} not found");
            if text.len() > 255 {
                // A reply text is a short string: RabbitMQ shows that something is missing.
                text.truncate(252);
                text.push_str("...");
            }
            raw.expect_close(530, &text, 10, 40);
        }
    });
}

#[test]
fn a_client_may_send_the_whole_handshake_at_once() {
    others_go_on(|broker| {
        let mut raw = Raw::tcp(broker);
        let mut bytes = crate::support::raw::PROTOCOL_HEADER.to_vec();
        for method in [
            method::connection_start_ok(&client_properties(), "PLAIN", PLAIN_GUEST),
            method::connection_tune_ok(2047, 131_072, 0),
            method::connection_open("/"),
        ] {
            bytes.extend(frame::Frame::new(frame::METHOD, 0, method).encode());
        }
        bytes.extend(frame::Frame::new(frame::METHOD, 1, method::channel_open()).encode());
        raw.send_bytes(&bytes);
        raw.expect(0, method::CONNECTION_START);
        raw.expect_tune();
        raw.expect(0, method::CONNECTION_OPEN_OK);
        raw.expect(1, method::CHANNEL_OPEN_OK);
    });
}

#[test]
fn a_client_that_leaves_within_the_handshake_leaves_nothing_behind() {
    others_go_on(|broker| {
        drop(Raw::tcp(broker));
        drop(Raw::started(broker));
        drop(Raw::tuning(broker));
        drop(opening(broker));
        let mut raw = opening(broker);
        raw.send(0, method::close(method::CONNECTION_CLOSE));
        // RabbitMQ finds a close before open out of turn; an answer in kind is as good.
        let reply = raw.recv();
        let refused = reply.close().is_some_and(|(code, ..)| code == 504);
        assert!(refused || reply.method() == Some(method::CONNECTION_CLOSE_OK), "{reply:?}");
        raw.send(0, Payload::method(method::CONNECTION_CLOSE_OK));
        raw.expect_eof();
    });
}

/// A connection that is tuned and about to open a virtual host.
fn opening(broker: &Broker) -> Raw {
    let mut raw = Raw::tuning(broker);
    let (channel_max, frame_max, heartbeat) = raw.expect_tune();
    raw.send(0, method::connection_tune_ok(channel_max, frame_max, heartbeat));
    raw
}

fn properties_with(key: &str, value: &str) -> Table {
    Table(client_properties().text(key, value).0)
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
