//! Tables, arrays and short strings: what may stand in them, and how deep and long they may be.

use crate::support::{Broker, Payload, Properties, Raw, Table, method};
use crate::witness::others_go_on;

/// How many tables may stand in one another, counting the outermost.
const DEPTH_MAX: usize = 32;

/// How many entries all tables and arrays of one argument may hold together.
const ENTRIES_MAX: usize = 4096;

#[test]
fn b38_tables_and_arrays_of_the_largest_depth_are_accepted_in_headers_and_arguments() {
    others_go_on(|broker| {
        for table in [tables(DEPTH_MAX), arrays(DEPTH_MAX), mixed(DEPTH_MAX)] {
            let mut raw = open(broker);
            let queue = raw.declare(1, "", method::EXCLUSIVE, &table);
            raw.publish(1, "", &queue, &Properties::new().headers(&table), b"deep");
            let message = raw.get(1, &queue).unwrap();
            assert_eq!(message.properties, Properties::new().headers(&table).encoded());
        }
    });
}

#[test]
fn b38_deeper_tables_and_arrays_are_a_syntax_error_wherever_they_stand() {
    others_go_on(|broker| {
        for depth in [DEPTH_MAX + 1, 1000, 15_000] {
            for table in [tables(depth), arrays(depth), mixed(depth)] {
                assert!(table.0.len() < 131_000, "{} bytes fit into a frame", table.0.len());
                let mut raw = open(broker);
                raw.publish(1, "", "key", &Properties::new().headers(&table), b"deep");
                raw.expect_close_code(&[502]);
                for method in [
                    method::queue_declare("", method::EXCLUSIVE, &table),
                    method::exchange_declare("b38-deep", "direct", 0, &table),
                    method::queue_bind("", "amq.direct", "", &table),
                    method::basic_consume("", "", 0, &table),
                ] {
                    let mut raw = open(broker);
                    raw.send(1, method);
                    raw.expect_close_code(&[502]);
                }
            }
        }
    });
}

#[test]
fn b38_a_frame_full_of_tables_in_one_another_is_a_syntax_error() {
    // Arrays cost five bytes a level, so that a frame holds some 26,000 of them.
    let table = arrays(26_000);
    assert!((125_000..131_000).contains(&table.0.len()), "{}", table.0.len());
    others_go_on(|broker| {
        let mut raw = open(broker);
        raw.publish(1, "", "key", &Properties::new().headers(&table), b"deep");
        raw.expect_close_code(&[502]);
    });
}

#[test]
fn b39_a_length_beyond_what_holds_it_is_a_syntax_error() {
    let cases: [(&str, u8, &[u8]); 12] = [
        ("a long string that is cut", b'S', b"\0\0\0\x05abc"),
        ("a negative length", b'S', b"\xff\xff\xff\xffabc"),
        ("a long string of 2 GiB", b'S', b"\x7f\xff\xff\xff"),
        ("bytes that are cut", b'x', b"\0\0\0\x05abc"),
        ("a table that is cut", b'F', b"\0\0\0\x09\x01at\x01"),
        ("a table whose entry is longer", b'F', b"\0\0\0\x04\x01aI\0\0\0\0"),
        ("a table of 4 GiB", b'F', b"\xff\xff\xff\xff"),
        ("an array that is cut", b'A', b"\0\0\0\x09t\x01"),
        ("an array whose item is longer", b'A', b"\0\0\0\x02I\0\0\0\0"),
        ("a key longer than its table", b'F', b"\0\0\0\x02\xffa"),
        ("an integer that is cut", b'I', b"\0\0"),
        ("a value that is missing", b'l', b""),
    ];
    others_go_on(|broker| {
        for (name, kind, value) in cases {
            eprintln!("{name}");
            let table = Table::new().field("key", kind, value);
            let mut raw = open(broker);
            raw.publish(1, "", "key", &Properties::new().headers(&table), b"body");
            raw.expect_close_code(&[502]);
            let mut raw = open(broker);
            raw.send(1, method::queue_declare("", method::EXCLUSIVE, &table));
            raw.expect_close_code(&[502]);
        }
    });
}

#[test]
fn b39_an_arguments_table_longer_than_its_frame_is_refused() {
    others_go_on(|broker| {
        for length in [1, 100, 0x7fff_ffff, u32::MAX] {
            let mut raw = open(broker);
            raw.send(1, Payload::method((50, 10)).short(0).shortstr("").octet(4).long(length));
            raw.expect_close_code(&[501, 502]);
        }
    });
}

#[test]
fn b40_a_table_has_a_limit_of_entries() {
    let entries =
        |count: usize| (0..count).fold(Table::new(), |table, i| table.field(i.to_string(), b'V', []));
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        let many = Properties::new().headers(&entries(ENTRIES_MAX));
        raw.publish(1, "", &queue, &many, b"many");
        assert_eq!(raw.get(1, &queue).unwrap().properties, many.encoded());
        for count in [ENTRIES_MAX + 1, 16_000] {
            let mut raw = open(broker);
            raw.publish(1, "", "key", &Properties::new().headers(&entries(count)), b"too many");
            raw.expect_close_code(&[502]);
        }
    });
}

#[test]
fn b40_odd_keys_and_duplicate_keys_stay_as_they_are_on_the_wire() {
    let odd = Table::new()
        .int("", 1)
        .int(&"k".repeat(128), 2)
        .int(&"k".repeat(255), 3)
        .int("twice", 4)
        .text("twice", "five")
        .int("\0\r\n\x1b[31m", 6)
        .int("\u{202e}<img onerror>", 7);
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        let properties = Properties::new().headers(&odd);
        raw.publish(1, "", &queue, &properties, b"odd");
        assert_eq!(raw.get(1, &queue).unwrap().properties, properties.encoded());
    });
}

#[test]
fn b40_of_duplicate_arguments_the_last_one_counts() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        let low_then_high = Table::new().int("x-priority", 1).int("x-priority", 10);
        for (tag, arguments) in [("twice", low_then_high), ("once", Table::new().int("x-priority", 5))] {
            raw.send(1, method::basic_consume(&queue, tag, method::CONSUME_NO_ACK, &arguments));
            raw.expect(1, method::BASIC_CONSUME_OK);
        }
        raw.publish(1, "", &queue, &Properties::new(), b"for the higher priority");
        let delivery = raw.expect(1, method::BASIC_DELIVER);
        assert_eq!(delivery.arguments().shortstr(), "twice");
    });
}

#[test]
fn b40_a_key_that_is_not_utf_8_is_refused() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        let table = Table::new().field(b"\xc3\x28", b't', [1]);
        raw.publish(1, "", "key", &Properties::new().headers(&table), b"body");
        raw.expect_close_code(&[501, 502]);
    });
}

#[test]
fn b41_an_unknown_field_type_is_a_syntax_error() {
    others_go_on(|broker| {
        for kind in [b'z', b'\0', b'W', 0xff, b' '] {
            let table = Table::new().boolean("before", true).field("key", kind, [0, 0, 0, 0]);
            let mut raw = open(broker);
            raw.publish(1, "", "key", &Properties::new().headers(&table), b"body");
            raw.expect_close_code(&[502]);
            let mut raw = open(broker);
            raw.send(1, method::queue_declare("", method::EXCLUSIVE, &table));
            raw.expect_close_code(&[502]);
        }
    });
}

#[test]
fn b41_every_field_type_comes_back_byte_by_byte() {
    let fields: [(u8, &[u8]); 24] = [
        (b't', &[1]),
        (b't', &[0]),
        (b't', &[7]),
        (b'b', &[0x80]),
        (b'B', &[0xff]),
        (b's', &[0x80, 0]),
        (b'u', &[0xff, 0xff]),
        (b'I', &[0x80, 0, 0, 0]),
        (b'i', &[0xff; 4]),
        (b'l', &[0x80, 0, 0, 0, 0, 0, 0, 1]),
        (b'L', &[0x7f; 8]),
        (b'f', &[0x7f, 0xc0, 0, 1]),
        (b'f', &[0xff, 0x80, 0, 0]),
        (b'd', &[0x7f, 0xf8, 0, 0, 0, 0, 0, 1]),
        (b'd', &[0x80, 0, 0, 0, 0, 0, 0, 0]),
        (b'D', &[255, 0xff, 0xff, 0xff, 0xff]),
        (b'T', &[0xff; 8]),
        (b'S', b"\0\0\0\x03\xff\xfe\0"),
        (b'x', b"\0\0\0\x02\0\xff"),
        (b'V', &[]),
        (b'A', &[0, 0, 0, 0]),
        (b'A', b"\0\0\0\x07VS\0\0\0\x01a"),
        (b'F', &[0, 0, 0, 0]),
        (b'F', b"\0\0\0\x03\x01aV"),
    ];
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        for (kind, value) in fields {
            let properties = Properties::new().headers(&Table::new().field("key", kind, value));
            eprintln!("type {}: {value:?}", char::from(kind));
            raw.publish(1, "", &queue, &properties, b"body");
            let message = raw.get(1, &queue).unwrap();
            assert_eq!(message.properties, properties.encoded());
        }
    });
}

#[test]
fn b43_a_short_string_that_is_not_utf_8_is_a_frame_error() {
    const TEXT: &str = "FRAME_ERROR - Malformed UTF-8 in shortstr";
    let none = Table::new();
    others_go_on(|broker| {
        for bytes in [&b"\xff"[..], b"queue\xc3\x28", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\xaf"] {
            for method in [
                method::queue_declare(bytes, 0, &none),
                method::exchange_declare(bytes, "direct", 0, &none),
                method::basic_consume("", bytes, 0, &none),
                method::basic_publish(bytes, "key", 0),
                method::basic_publish("", bytes, 0),
            ] {
                let mut raw = open(broker);
                raw.send(1, method);
                assert_eq!(raw.expect_close_code(&[501]), TEXT);
            }
        }
    });
}

#[test]
fn b43_a_short_string_longer_than_its_frame_is_refused() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        raw.send(1, Payload::method((50, 10)).short(0).octet(255).bytes("short"));
        raw.expect_close_code(&[501, 502]);
    });
}

#[test]
fn b43_names_may_hold_anything_that_is_utf_8() {
    let long = "\u{1f407}".repeat(63);
    others_go_on(|broker| {
        let mut raw = open(broker);
        for name in
            ["nul\0inside", "\u{202e}backwards", "<img src=x onerror=alert(1)>", "\x1b[31mred\x07", &long]
        {
            eprintln!("{}", name.escape_debug());
            assert_eq!(raw.declare(1, name, method::EXCLUSIVE, &Table::new()), name);
            raw.publish(1, "", name, &Properties::new(), b"found");
            assert_eq!(raw.get(1, name).unwrap().routing_key, name);
            raw.send(1, method::exchange_declare(name, "direct", 0, &Table::new()));
            raw.expect(1, method::EXCHANGE_DECLARE_OK);
            raw.send(1, method::basic_consume(name, name, 0, &Table::new()));
            assert_eq!(raw.expect(1, method::BASIC_CONSUME_OK).arguments().shortstr(), name);
            raw.send(1, Payload::method((40, 20)).short(0).shortstr(name).octet(0));
            raw.expect(1, (40, 21));
        }
    });
}

#[test]
fn b43_line_ends_are_taken_out_of_the_names_of_queues_and_exchanges() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        assert_eq!(raw.declare(1, "b43\r\nline\n", method::EXCLUSIVE, &Table::new()), "b43line");
        assert_eq!(raw.message_count(1, "b43line"), 0);
        raw.send(1, method::exchange_declare("b43\r\nends", "direct", 0, &Table::new()));
        raw.expect(1, method::EXCHANGE_DECLARE_OK);
        raw.send(1, method::exchange_declare("b43ends", "", method::PASSIVE, &Table::new()));
        raw.expect(1, method::EXCHANGE_DECLARE_OK);
        raw.send(1, Payload::method((40, 20)).short(0).shortstr("b43ends").octet(0));
        raw.expect(1, (40, 21));
    });
}

#[test]
fn b43_names_do_not_reach_the_log_with_their_control_characters() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        raw.send(1, method::queue_declare("\x1b[2Jforged", method::PASSIVE, &Table::new()));
        raw.expect(1, method::CHANNEL_CLOSE);
        if !broker.is_external() {
            let log = broker.log();
            assert!(!log.iter().any(|line| line.contains("\x1b[2J")), "{log:#?}");
        }
    });
}

#[test]
fn b84_a_name_that_looks_like_a_line_of_the_log_is_none() {
    others_go_on(|broker| {
        let mut raw = open(broker);
        let forged = "x\n2026-01-01 00:00:00.000000+00:00 [error] <0.1.0> forged";
        raw.send(1, method::queue_declare(forged, method::PASSIVE, &Table::new()));
        raw.expect(1, method::CHANNEL_CLOSE);
        let mut other = Raw::started(broker);
        let response = format!("\0{forged}\0wrong");
        let properties = crate::support::raw::client_properties();
        other.send(0, method::connection_start_ok(&properties, "PLAIN", response.as_bytes()));
        other.expect_close_code(&[403]);
        if !broker.is_external() {
            // Of both, wherever a line of the log may have got to.
            broker.await_line("no queue 'x");
            broker.await_line("user 'x");
            let log = broker.log();
            assert!(!log.iter().any(|line| line.starts_with("2026-01-01 00:00:00.000000")), "{log:#?}");
        }
    });
}

#[test]
fn b48_arguments_that_equal_nothing_by_arithmetic_equal_themselves_by_their_bytes() {
    let odd = Table::new()
        .field("x-nan", b'd', f64::NAN.to_be_bytes())
        .field("x-infinite", b'f', f32::NEG_INFINITY.to_be_bytes())
        .field("x-decimal", b'D', [255, 0xff, 0xff, 0xff, 0xff])
        .field("x-zero", b'd', (-0.0_f64).to_be_bytes());
    others_go_on(|broker| {
        let mut raw = open(broker);
        let queue = raw.declare_own(1);
        for _ in 0..2 {
            raw.send(1, method::queue_bind(&queue, "amq.direct", "b48", &odd));
            raw.expect(1, method::QUEUE_BIND_OK);
        }
        raw.publish(1, "amq.direct", "b48", &Properties::new(), b"once");
        assert_eq!(raw.get(1, &queue).unwrap().body, b"once");
        assert!(raw.get(1, &queue).is_none(), "the second binding is the first");
        raw.send(1, method::queue_unbind(&queue, "amq.direct", "b48", &odd));
        raw.expect(1, method::QUEUE_UNBIND_OK);
        raw.publish(1, "amq.direct", "b48", &Properties::new(), b"not any more");
        assert!(raw.get(1, &queue).is_none(), "unbound");
    });
}

fn open(broker: &Broker) -> Raw {
    let mut raw = Raw::connect(broker);
    raw.open_channel(1);
    raw
}

/// A table with tables in one another, `depth` of them in all.
fn tables(depth: usize) -> Table {
    nested(depth, |_| b'F')
}

/// A table with arrays in one another.
fn arrays(depth: usize) -> Table {
    nested(depth, |_| b'A')
}

/// A table with arrays and tables in one another by turns.
fn mixed(depth: usize) -> Table {
    nested(depth, |level| if level % 2 == 0 { b'A' } else { b'F' })
}

/// A table that holds `depth - 1` others, each of the kind that `kind` gives it. Written from the outside
/// in, since every length is known beforehand.
fn nested(depth: usize, kind: impl Fn(usize) -> u8) -> Table {
    // An item of an array is its type and its value; an entry of a table has a key of one octet as well.
    let head = |parent: u8| if parent == b'A' { 5 } else { 7 };
    let parents: Vec<u8> = (0..depth - 1).map(|level| if level == 0 { b'F' } else { kind(level) }).collect();
    let mut length: usize = parents.iter().map(|parent| head(*parent)).sum();
    let mut payload = Payload::new();
    for (level, parent) in parents.iter().enumerate() {
        if *parent != b'A' {
            payload = payload.shortstr("t");
        }
        length -= head(*parent);
        payload = payload.octet(kind(level + 1)).long(u32::try_from(length).unwrap());
    }
    Table(payload.0)
}
