//! Arguments of queues that are checked when the queue is declared, and what they then do to odd messages.

use crate::properties::{TTL_MAX, odd_deaths};
use crate::support::{Broker, Payload, Properties, Raw, Table, method};
use crate::witness::others_go_on;

#[test]
fn b44_a_queue_s_times_are_integers_within_ten_years() {
    let long = |value: i64| (b'l', value.to_be_bytes().to_vec());
    let text = || (b'S', Payload::new().longstr("60000").0);
    others_go_on(|broker| {
        for (name, (kind, value), reason) in [
            ("x-message-ttl", long(-1), "{value_negative,-1}"),
            ("x-message-ttl", long(TTL_MAX.cast_signed() + 1), "{value_too_large,315360000001}"),
            ("x-message-ttl", text(), "\"expected integer, got longstr\""),
            ("x-message-ttl", (b't', vec![1]), "\"expected integer, got bool\""),
            ("x-expires", long(0), "{value_zero,0}"),
            ("x-expires", long(-5), "{value_negative,-5}"),
            ("x-expires", text(), "\"expected integer, got longstr\""),
            ("x-max-length", long(-1), "{value_negative,-1}"),
            ("x-max-length-bytes", text(), "\"expected integer, got longstr\""),
        ] {
            refused_argument(broker, name, &Table::new().field(name, kind, value), reason);
        }
    });
}

#[test]
fn b45_a_queue_has_at_most_255_priorities() {
    others_go_on(|broker| {
        for (value, reason) in [
            (256, "{max_value_exceeded,256}"),
            (i64::MAX, "{max_value_exceeded,9223372036854775807}"),
            (-1, "{value_negative,-1}"),
        ] {
            let arguments = Table::new().field("x-max-priority", b'l', value.to_be_bytes());
            refused_argument(broker, "x-max-priority", &arguments, reason);
        }
        let mut raw = open(broker);
        for value in [0, 1, 255] {
            raw.declare(1, "", method::EXCLUSIVE, &Table::new().int("x-max-priority", value));
        }
    });
}

#[test]
fn b48_a_number_that_is_no_integer_is_no_argument_for_a_queue() {
    others_go_on(|broker| {
        for (kind, value, name) in [
            (b'd', 1.5_f64.to_be_bytes().to_vec(), "double"),
            (b'd', f64::NAN.to_be_bytes().to_vec(), "double"),
            (b'f', f32::INFINITY.to_be_bytes().to_vec(), "float"),
            (b'D', vec![255, 0, 0, 0, 1], "decimal"),
        ] {
            let reason = format!("\"expected integer, got {name}\"");
            refused_argument(
                broker,
                "x-message-ttl",
                &Table::new().field("x-message-ttl", kind, value),
                &reason,
            );
        }
    });
}

#[test]
fn b47_a_client_s_own_x_death_of_any_type_arrives_as_it_was_sent() {
    others_go_on(|broker| {
        for headers in odd_deaths() {
            let mut raw = open(broker);
            let queue = raw.declare_own(1);
            let properties = Properties::new().headers(&headers);
            raw.publish(1, "", &queue, &properties, b"body");
            assert_eq!(raw.get(1, &queue).unwrap().properties, properties.encoded());
        }
    });
}

/// Declaring a queue with these arguments is refused for this reason.
fn refused_argument(broker: &Broker, name: &str, arguments: &Table, reason: &str) {
    let mut raw = open(broker);
    raw.send(1, method::queue_declare("with-argument", method::EXCLUSIVE, arguments));
    let text = format!(
        "PRECONDITION_FAILED - invalid arg '{name}' for queue 'with-argument' in vhost '/': {reason}"
    );
    raw.expect_channel_close(1, 406, &text, 50, 10);
}

fn open(broker: &Broker) -> Raw {
    let mut raw = Raw::connect(broker);
    raw.open_channel(1);
    raw
}
