//! The property list of a content header, and the properties and headers that the broker reads.

use crate::support::{Broker, Payload, Properties, Raw, Table, frame, method};
use crate::witness::others_go_on;

/// The longest time to live, in milliseconds: ten years.
pub(crate) const TTL_MAX: u64 = 315_360_000_000;

#[test]
fn b42_property_flags_that_go_on_for_ever_or_are_reserved_are_refused() {
    others_go_on(|broker| {
        for (name, properties) in [
            ("one more word of flags", &b"\0\x01\0\0"[..]),
            ("words of flags that do not end", &[0xff; 64]),
            ("words of flags to the end of the frame", &b"\0\x01".repeat(2000)),
            ("the reserved second bit", b"\0\x02"),
        ] {
            eprintln!("{name}");
            let mut raw = open(broker);
            raw.publish_with(1, method::basic_publish("", "key", 0), properties, b"body");
            raw.expect_close_code(&[501, 502]);
        }
    });
}

#[test]
fn b42_properties_that_are_announced_but_missing_are_refused() {
    others_go_on(|broker| {
        for (name, properties) in [
            ("no flags at all", &b""[..]),
            ("half the flags", b"\x80"),
            ("a content type", b"\x80\0"),
            ("a content type that is cut", b"\x80\0\x05abc"),
            ("headers", b"\x20\0"),
            ("headers that are cut", b"\x20\0\0\0\0\x05\x01a"),
            ("a delivery mode", b"\x10\0"),
            ("a timestamp that is cut", b"\0\x40\0\0\0\0"),
            ("all of them", b"\xff\xfc"),
            ("bytes after the last one", b"\0\0left over"),
        ] {
            eprintln!("{name}");
            let mut raw = open(broker);
            raw.publish_with(1, method::basic_publish("", "key", 0), properties, b"body");
            raw.expect_close_code(&[501, 502]);
        }
    });
}

#[test]
fn b42_a_property_that_the_broker_reads_must_be_utf_8() {
    others_go_on(|broker| {
        for property in [Properties::USER_ID, Properties::EXPIRATION] {
            let mut raw = open(broker);
            let properties = Properties::new().text(property, b"\xff\xfe");
            raw.publish(1, "", "key", &properties, b"body");
            raw.expect_close_code(&[501, 502]);
        }
    });
}

#[test]
fn b42_a_property_that_only_clients_read_may_be_binary() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        let properties =
            Properties::new().text(15, b"\xff\xfe").text(Properties::CORRELATION_ID, b"\x00\xc3\x28");
        raw.publish(1, "", &queue, &properties, b"body");
        assert_eq!(raw.get(1, &queue).unwrap().properties, properties.encoded());
    });
}

#[test]
fn all_properties_come_back_byte_by_byte() {
    let properties = Properties::new()
        .text(15, "text/plain")
        .text(14, "gzip")
        .headers(&Table::new().text("a", "b").int("x-unknown", -1))
        .delivery_mode(1)
        .priority(9)
        .text(Properties::CORRELATION_ID, "correlation")
        .text(Properties::REPLY_TO, "reply")
        .text(Properties::EXPIRATION, "60000")
        .text(Properties::MESSAGE_ID, "id")
        .timestamp(u64::MAX)
        .text(5, "type")
        .text(Properties::USER_ID, "guest")
        .text(3, "app")
        .text(2, "cluster");
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        raw.publish(1, "", &queue, &properties, b"all");
        assert_eq!(raw.get(1, &queue).unwrap().properties, properties.encoded());
    });
}

#[test]
fn b44_an_expiration_that_is_no_time_closes_the_channel() {
    others_go_on(|broker| {
        let too_large = TTL_MAX + 1;
        for (expiration, reason) in [
            ("-1", "{value_negative,-1}"),
            ("abc", "no_integer"),
            ("", "no_integer"),
            (" 10", "no_integer"),
            ("10.5", "{leftover_string,\".5\"}"),
            ("10 ", "{leftover_string,\" \"}"),
            ("5s", "{leftover_string,\"s\"}"),
            (&too_large.to_string(), "{value_too_large,315360000001}"),
            ("99999999999999999999", "{value_too_large,99999999999999999999}"),
        ] {
            eprintln!("{expiration:?}");
            let mut raw = open(broker);
            let properties = Properties::new().text(Properties::EXPIRATION, expiration);
            raw.publish(1, "", "key", &properties, b"body");
            let text = format!("PRECONDITION_FAILED - invalid expiration '{expiration}': {reason}");
            raw.expect_channel_close(1, 406, &text, 60, 40);
        }
    });
}

#[test]
fn b44_an_expiration_within_ten_years_is_accepted() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        for expiration in ["60000", "060000", "+60000", &TTL_MAX.to_string()] {
            let properties = Properties::new().text(Properties::EXPIRATION, expiration);
            raw.publish(1, "", &queue, &properties, b"body");
            assert_eq!(raw.get(1, &queue).unwrap().properties, properties.encoded(), "{expiration}");
        }
    });
}

#[test]
fn b45_any_delivery_mode_priority_and_timestamp_is_accepted_and_kept() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        for (mode, priority, timestamp) in [(0, 0, 0), (3, 10, 1 << 63), (255, 255, u64::MAX)] {
            let properties = Properties::new().delivery_mode(mode).priority(priority).timestamp(timestamp);
            raw.publish(1, "", &queue, &properties, b"odd");
            assert_eq!(raw.get(1, &queue).unwrap().properties, properties.encoded());
        }
    });
}

#[test]
fn b46_a_user_id_that_is_not_the_login_closes_the_channel() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        raw.publish(1, "", &queue, &Properties::new().text(Properties::USER_ID, "guest"), b"mine");
        assert_eq!(raw.get(1, &queue).unwrap().body, b"mine");
        for user in ["other", "", "Guest"] {
            let mut raw = open(broker);
            raw.publish(1, "", "key", &Properties::new().text(Properties::USER_ID, user), b"not mine");
            let text = format!(
                "PRECONDITION_FAILED - user_id property set to '{user}' but authenticated user was 'guest'"
            );
            raw.expect_channel_close(1, 406, &text, 60, 40);
        }
    });
}

#[test]
fn b47_cc_and_bcc_must_be_arrays() {
    others_go_on(|broker| {
        for header in ["CC", "BCC"] {
            for (kind, value, name) in [
                (b'S', Payload::new().longstr("queue").0, "longstr"),
                (b'I', vec![0, 0, 0, 1], "signedint"),
                (b'F', vec![0, 0, 0, 0], "table"),
                (b't', vec![1], "bool"),
            ] {
                let mut raw = open(broker);
                let headers = Table::new().field(header, kind, value);
                raw.publish(1, "", "key", &Properties::new().headers(&headers), b"body");
                let text = format!(
                    "PRECONDITION_FAILED - invalid message: {{unacceptable_type_in_header,\"{header}\",{name}}}"
                );
                raw.expect_channel_close(1, 406, &text, 60, 40);
            }
        }
    });
}

#[test]
fn b47_cc_has_a_limit_of_keys() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        let enough = Table::new().texts("CC", &vec![queue.as_str(); 1024]);
        raw.publish(1, "", "nowhere", &Properties::new().headers(&enough), b"once");
        assert_eq!(raw.get(1, &queue).unwrap().body, b"once");
        assert!(raw.get(1, &queue).is_none(), "each queue gets it once");
        for header in ["CC", "BCC"] {
            let mut raw = open(broker);
            let too_many = Table::new().texts(header, &vec!["k"; 1025]);
            raw.publish(1, "", "key", &Properties::new().headers(&too_many), b"body");
            let (code, ..) = raw.expect(1, method::CHANNEL_CLOSE).close().unwrap();
            assert_eq!(code, 406);
        }
    });
}

#[test]
fn b47_bcc_reaches_its_queues_and_nobody_learns_of_it() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        let (to, copy, blind) = (raw.declare_own(1), raw.declare_own(1), raw.declare_own(1));
        let headers =
            Table::new().text("a", "1").texts("CC", &[&copy]).texts("BCC", &[&blind]).text("z", "2");
        raw.publish(1, "", &to, &Properties::new().headers(&headers), b"body");
        let visible = Table::new().text("a", "1").texts("CC", &[&copy]).text("z", "2");
        for queue in [&to, &copy, &blind] {
            let message = raw.get(1, queue).unwrap();
            assert_eq!(message.routing_key, to);
            assert_eq!(message.properties, Properties::new().headers(&visible).encoded());
        }
    });
}

#[test]
fn b47_bcc_does_not_leak_in_a_returned_message() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        let headers = Table::new().texts("BCC", &["secret-queue"]).text("z", "2");
        let properties = Properties::new().headers(&headers).encoded();
        raw.publish_with(1, method::basic_publish("", "nowhere", method::MANDATORY), &properties, b"body");
        raw.expect(1, method::BASIC_RETURN);
        let (returned, body) = raw.content(1);
        assert_eq!(body, b"body");
        assert_eq!(returned, Properties::new().headers(&Table::new().text("z", "2")).encoded());
    });
}

#[test]
fn b47_a_client_s_own_x_death_of_any_type_is_passed_on() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        for headers in odd_deaths() {
            let properties = Properties::new().headers(&headers);
            raw.publish(1, "", &queue, &properties, b"body");
            assert_eq!(raw.get(1, &queue).unwrap().properties, properties.encoded());
        }
    });
}

#[test]
fn what_a_message_breaks_is_found_before_it_is_routed_anywhere() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        raw.open_channel(2);
        raw.publish(2, "", &queue, &Properties::new().text(Properties::EXPIRATION, "soon"), b"body");
        assert_eq!(raw.expect(2, method::CHANNEL_CLOSE).close().unwrap().0, 406);
        assert!(raw.get(1, &queue).is_none());
        // The close was not answered, so that the channel drops this as well, bodies included.
        raw.publish(2, "", &queue, &Properties::new(), b"dropped");
        raw.send_frame(frame::METHOD, 2, Payload::method(method::CHANNEL_CLOSE_OK));
        raw.open_channel(2);
        raw.publish(2, "", &queue, &Properties::new(), b"kept");
        raw.expect_open(2);
        assert_eq!(raw.get(1, &queue).unwrap().body, b"kept");
    });
}

/// x-death headers as no broker writes them.
pub(crate) fn odd_deaths() -> [Table; 4] {
    [
        Table::new().text("x-death", "once upon a time"),
        Table::new().int("x-death", -1),
        Table::new().texts("x-death", &["not", "tables"]),
        Table::new().nested("x-death", &Table::new().text("count", "many")),
    ]
}

fn open(broker: &Broker) -> Raw {
    let mut raw = Raw::connect(broker);
    raw.open_channel(1);
    raw
}
