//! What a peer should not send, with the code and the text that it gets for it.

use bytes::BytesMut;
use leveret_protocol::decode::{Looks, PROTOCOL_HEADER, ProtocolHeader, Version, protocol_header};
use leveret_protocol::{Decoder, Event, ReplyCode, encode};

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap();
    [&[kind], &channel.to_be_bytes()[..], &size.to_be_bytes(), payload, &[206]].concat()
}

/// Decodes with a `frame_max` of 4096 and checks the error.
fn check(bytes: &[u8], reply_code: u16, text: &str, method: (u16, u16)) {
    let error = Decoder::new(4096).next(bytes).expect_err(text);
    assert_eq!((error.reply_code().code(), error.to_string().as_str()), (reply_code, text));
    assert_eq!(error.method, method, "{text}");
}

#[test]
fn a_frame_too_large_is_refused_from_its_head() {
    for (size, text) in [
        (4_097, "type 3, all octets = <<>>: {frame_too_large,4097,4088}"),
        (0x7fff_ffff, "type 3, all octets = <<>>: {frame_too_large,2147483647,4088}"),
        (0xffff_ffff, "type 3, all octets = <<>>: {frame_too_large,4294967295,4088}"),
    ] {
        check(&encode::body_frame_head(1, size), 501, text, (0, 0));
    }
}

#[test]
fn a_payload_of_frame_max_is_tolerated() {
    let bytes = frame(3, 1, &[0; 4096]);
    let event = Decoder::new(4096).next(&bytes).unwrap();
    assert!(matches!(event, Some((4104, Event::Body { ends_frame: true, .. }))), "{event:?}");
}

#[test]
fn a_malformed_frame_is_answered_as_rabbitmq_does() {
    for (bytes, reply_code, text) in [
        (
            b"\x01\x00\x01\x00\x00\x00\x04\x00\x0a\x00\x0aX".to_vec(),
            501,
            "type 1, all octets = <<0,10,0,10>>: {invalid_frame_end_marker,88}",
        ),
        (
            b"\x03\x00\x01\x00\x00\x00\x02hi\x00".to_vec(),
            501,
            "type 3, all octets = <<\"hi\">>: {invalid_frame_end_marker,0}",
        ),
        (
            b"\x08\x00\x00\x00\x00\x00\x00\x00".to_vec(),
            501,
            "type 8, all octets = <<>>: {invalid_frame_end_marker,0}",
        ),
        (frame(9, 0, b""), 501, "type 9, all octets = <<>>: unknown_frame"),
        (frame(0, 0, b""), 501, "type 0, all octets = <<>>: unknown_frame"),
        (frame(4, 0, b"\x00"), 501, "type 4, all octets = <<0>>: unknown_frame"),
        (
            frame(255, 0, &[1; 17]),
            501,
            "type 255, first 16 octets = <<1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1>>: unknown_frame",
        ),
        (frame(8, 0, b"\x00"), 501, "type 8, all octets = <<0>>: unknown_frame"),
        (frame(8, 1, b""), 505, "type 8, all octets = <<>>"),
        (frame(1, 0, b""), 501, "type 1, all octets = <<>>: unknown_frame"),
        (frame(1, 0, b"\x00\x0a\x00"), 501, "type 1, all octets = <<0,10,0>>: unknown_frame"),
        (frame(2, 1, &[0; 11]), 501, "type 2, all octets = <<0,0,0,0,0,0,0,0,0,0,0>>: unknown_frame"),
        (
            frame(2, 0, b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
            505,
            "type 2, all octets = <<0,60,0,0,0,0,0,0,0,0,0,0,0,0>>",
        ),
        (frame(3, 0, b"\x01"), 505, "type 3, all octets = <<1>>"),
    ] {
        check(&bytes, reply_code, text, (0, 0));
    }
}

#[test]
fn an_unknown_frame_is_refused_before_its_payload_comes() {
    check(b"\x09\x00\x00\x00\x00\x00\x10", 501, "type 9, all octets = <<>>: unknown_frame", (0, 0));
}

#[test]
fn a_malformed_method_is_answered_with_its_ids() {
    let declare = |queue: &[u8], rest: &[u8]| [b"\x00\x32\x00\x0a\x00\x00", queue, rest].concat();
    let deep = {
        let mut table = Vec::new();
        for inner in (0..600_u32).rev() {
            table.extend_from_slice(b"\x00F");
            table.extend_from_slice(&(inner * 6).to_be_bytes());
        }
        let length = u32::try_from(table.len()).unwrap().to_be_bytes();
        [&length[..], &table].concat()
    };
    for (payload, reply_code, text, method) in [
        (b"\x00\x3c\x03\xe7".to_vec(), 540, "unknown method 60,999", (60, 999)),
        (b"\x03\xe7\x00\x0a".to_vec(), 540, "unknown method 999,10", (999, 10)),
        (b"\x00\x32\x00\x0a".to_vec(), 501, "cannot decode <<>>", (50, 10)),
        (b"\x00\x3c\x00\x50\x00\x00".to_vec(), 501, "cannot decode <<0,0>>", (60, 80)),
        (b"\x00\x3c\x00\x28\x00\x00\x05x".to_vec(), 501, "cannot decode <<0,0,5,120>>", (60, 40)),
        (b"\x00\x14\x00\x0a\x00\x01".to_vec(), 501, "cannot decode <<0,1>>", (20, 10)),
        (b"\x00\x5a\x00\x0a!".to_vec(), 501, "cannot decode <<\"!\">>", (90, 10)),
        (declare(b"\x02\xc3\x28", b"\x00\x00\x00\x00\x00"), 501, "Malformed UTF-8 in shortstr", (50, 10)),
        (
            declare(b"\x00", b"\x00\x00\x00\x00\x09"),
            502,
            "malformed table: an entry passes the end",
            (50, 10),
        ),
        (
            declare(b"\x00", b"\x00\xff\xff\xff\xff"),
            502,
            "malformed table: an entry passes the end",
            (50, 10),
        ),
        (
            declare(b"\x00", b"\x00\x00\x00\x00\x03\x01kz"),
            502,
            "malformed table: unknown field type 122",
            (50, 10),
        ),
        (declare(b"\x00", &[b"\x00", &deep[..]].concat()), 502, "table is nested deeper than 32", (50, 10)),
    ] {
        check(&frame(1, 1, &payload), reply_code, text, method);
    }
}

#[test]
fn malformed_properties_are_answered_for_the_publish() {
    for (properties, reply_code, text) in [
        (&b"\x00\x01"[..], 502, "malformed properties: unknown flag"),
        (b"\x10\x00", 502, "malformed properties: a value passes the end"),
        (b"\x00\x00\x00", 502, "malformed properties: octets follow the last value"),
        (b"\x00\x10\x02\xc3\x28", 501, "Malformed UTF-8 in shortstr"),
        (b"\x20\x00\x00\x00\x00\x05\x02\xc3\x28V\x00", 502, "malformed table: a key is not UTF-8"),
    ] {
        let mut bytes = BytesMut::new();
        encode::header(1, 60, 0, properties, &mut bytes);
        check(&bytes, reply_code, text, (60, 40));
    }
}

#[test]
fn a_header_of_another_class_is_given_out_without_properties() {
    let mut bytes = BytesMut::new();
    encode::header(1, 50, 4, b"\xff\xff", &mut bytes);
    let event = Decoder::new(4096).next(&bytes).unwrap();
    assert!(matches!(event, Some((_, Event::Header { class_id: 50, body_size: 4, .. }))), "{event:?}");
}

#[test]
fn names_may_hold_any_characters() {
    for name in ["a\0b", "a\r\nb", "\u{202e}rtl", "<img onerror=x>", "\x1b[2J"] {
        let length = u8::try_from(name.len()).unwrap();
        let payload = [b"\x00\x3c\x00\x1f", &[length][..], name.as_bytes()].concat();
        let bytes = frame(1, 1, &payload);
        assert!(Decoder::new(4096).next(&bytes).unwrap().is_some(), "{name:?}");
    }
}

#[test]
fn a_reply_text_opens_with_the_name_of_its_code() {
    let error = Decoder::new(4096).next(&frame(9, 3, b"")).unwrap_err();
    assert_eq!(error.reply_text(), "FRAME_ERROR - type 9, all octets = <<>>: unknown_frame");
    assert_eq!(error.channel, 3);
}

#[test]
fn reply_codes_have_the_numbers_names_and_scopes_of_the_specification() {
    let soft = ReplyCode::ALL.iter().filter(|code| code.is_soft()).map(|code| code.code());
    assert_eq!(soft.collect::<Vec<_>>(), [200, 311, 312, 313, 403, 404, 405, 406]);
    let hard = ReplyCode::ALL.iter().filter(|code| !code.is_soft()).map(|code| code.code());
    assert_eq!(hard.collect::<Vec<_>>(), [320, 402, 501, 502, 503, 504, 505, 506, 530, 540, 541]);
    for code in ReplyCode::ALL {
        assert_eq!(ReplyCode::from_code(code.code()), Some(*code));
    }
    assert_eq!(ReplyCode::from_code(404).map(ReplyCode::name), Some("NOT_FOUND"));
    assert_eq!(ReplyCode::from_code(1), None);
}

#[test]
fn a_protocol_header_is_told_from_other_protocols() {
    for (input, expected) in [
        (&PROTOCOL_HEADER[..], ProtocolHeader::Complete(Version([0, 0, 9, 1]))),
        (b"AMQP\x01\x01\x00\x0a", ProtocolHeader::Complete(Version([1, 1, 0, 10]))),
        (b"AMQP\x00\x01", ProtocolHeader::Incomplete),
        (b"", ProtocolHeader::Incomplete),
        (b"GET / HTTP/1.1\r\n", ProtocolHeader::Invalid(Looks::Http)),
        (b"OPTIONS * HTTP/1.1\r\n", ProtocolHeader::Invalid(Looks::Http)),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", ProtocolHeader::Invalid(Looks::Tls)),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07", ProtocolHeader::Invalid(Looks::Unknown)),
    ] {
        assert_eq!(protocol_header(input), expected, "{input:?}");
    }
    for (version, supported) in
        [([0, 0, 9, 1], true), ([1, 1, 0, 9], true), ([0, 0, 9, 0], false), ([0, 1, 0, 0], false)]
    {
        assert_eq!(Version(version).is_supported(), supported, "{version:?}");
    }
}
