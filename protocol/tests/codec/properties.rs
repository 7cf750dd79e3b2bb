//! Properties: byte for byte, field for field, and whatever is wrong with them.

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, WriteContext, gen_frame, parse_frame};
use amq_protocol::protocol::basic::AMQPProperties;
use bytes::BytesMut;
use leveret_protocol::{
    Decoder, Event, Properties, PropertiesBuilder, PropertiesError, Table, TableBuilder, TableError, Value,
    encode,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use crate::material::{converted_table, entries, our_table, text};

#[derive(Debug)]
struct Owned {
    texts: Vec<Option<String>>,
    headers: Option<leveret_protocol::TableBuf>,
    octets: (Option<u8>, Option<u8>),
    timestamp: Option<u64>,
}

fn owned() -> impl Strategy<Value = Owned> {
    (vec(of(text()), 10), of(entries()), any::<(Option<u8>, Option<u8>)>(), any::<Option<u64>>()).prop_map(
        |(texts, headers, octets, timestamp)| Owned {
            texts,
            headers: headers.as_ref().map(our_table),
            octets,
            timestamp,
        },
    )
}

impl Owned {
    fn builder(&self) -> PropertiesBuilder<'_> {
        let text = |position: usize| self.texts[position].as_deref();
        PropertiesBuilder {
            content_type: text(0),
            content_encoding: text(1),
            headers: self.headers.as_ref().map(leveret_protocol::TableBuf::as_table),
            delivery_mode: self.octets.0,
            priority: self.octets.1,
            correlation_id: text(2),
            reply_to: text(3),
            expiration: text(4),
            message_id: text(5),
            timestamp: self.timestamp,
            type_: text(6),
            user_id: text(7),
            app_id: text(8),
            cluster_id: text(9),
        }
    }
}

fn theirs(ours: &PropertiesBuilder<'_>) -> AMQPProperties {
    let mut theirs = AMQPProperties::default();
    macro_rules! set {
        ($($field:ident $with:ident)*) => {$(
            if let Some(value) = ours.$field {
                theirs = theirs.$with(value.into());
            }
        )*};
    }
    set! {
        content_type with_content_type content_encoding with_content_encoding delivery_mode with_delivery_mode
        priority with_priority correlation_id with_correlation_id reply_to with_reply_to
        expiration with_expiration message_id with_message_id timestamp with_timestamp type_ with_type
        user_id with_user_id app_id with_app_id cluster_id with_cluster_id
    }
    if let Some(headers) = ours.headers { theirs.with_headers(converted_table(headers)) } else { theirs }
}

proptest! {
    #[test]
    fn properties_hold_what_was_put_in_and_keep_their_bytes(owned in owned()) {
        let builder = owned.builder();
        let raw = builder.finish();
        let properties = Properties::parse(&raw).unwrap();
        prop_assert_eq!(properties.to_builder(), builder);
        prop_assert_eq!(properties.as_bytes(), &raw[..]);
        for cut in 0..raw.len() {
            prop_assert_eq!(Properties::parse(&raw[..cut]), Err(PropertiesError::Truncated));
        }
    }

    #[test]
    fn amq_protocol_agrees_on_every_property(owned in owned(), body_size: u64, channel in 1..=u16::MAX) {
        let builder = owned.builder();
        let raw = builder.finish();
        let header = AMQPContentHeader { class_id: 60, body_size, properties: theirs(&builder) };
        let frame = AMQPFrame::Header(channel, header);
        let mut ours = BytesMut::new();
        encode::header(channel, 60, body_size, &raw, &mut ours);
        prop_assert_eq!(&parse_frame(ours.as_ref()).unwrap().1, &frame);

        let bytes = gen_frame(&frame)(WriteContext::from(Vec::new())).unwrap().into_inner().0;
        let properties = Properties::parse(&raw).unwrap();
        let event = Event::Header { channel, class_id: 60, weight: 0, body_size, properties };
        prop_assert_eq!(Decoder::new(u32::MAX).next(&bytes), Ok(Some((bytes.len(), event))));
    }

    #[test]
    fn new_headers_leave_every_other_property_alone(owned in owned(), entries in entries()) {
        let raw = owned.builder().finish();
        let headers = our_table(&entries);
        let rewritten = Properties::parse(&raw).unwrap().with_headers(headers.as_table());
        let expected = PropertiesBuilder { headers: Some(headers.as_table()), ..owned.builder() };
        prop_assert_eq!(Properties::parse(&rewritten).unwrap().to_builder(), expected);
    }
}

#[test]
fn malformed_properties_are_refused_for_what_is_wrong_with_them() {
    for (bytes, error) in [
        (&b""[..], PropertiesError::Truncated),
        (b"\x00", PropertiesError::Truncated),
        (b"\x00\x01", PropertiesError::UnknownFlag),
        (b"\x00\x02", PropertiesError::UnknownFlag),
        (b"\x10\x01\x00\x00\x02", PropertiesError::UnknownFlag),
        (b"\x00\x00\x00", PropertiesError::Trailing),
        (b"\x10\x00\x02\x02", PropertiesError::Trailing),
        (b"\x10\x00", PropertiesError::Truncated),
        (b"\x80\x00\x05text", PropertiesError::Truncated),
        (b"\x00\x40\x00\x00\x00", PropertiesError::Truncated),
        (b"\x20\x00\xff\xff\xff\xff", PropertiesError::Truncated),
        (b"\x00\x10\x02\xc3\x28", PropertiesError::MalformedUtf8),
        (b"\x01\x00\x02\xc3\x28", PropertiesError::MalformedUtf8),
        (b"\x20\x00\x00\x00\x00\x03\x01kz", PropertiesError::Table(TableError::UnknownType(b'z'))),
    ] {
        assert_eq!(Properties::parse(bytes), Err(error), "{bytes:?}");
    }
}

#[test]
fn a_correlation_id_may_be_binary_and_survives_a_change_of_the_others() {
    let raw = b"\x24\x00\x00\x00\x00\x00\x03\xff\xfe\x01";
    let properties = Properties::parse(raw).unwrap();
    assert_eq!(properties.correlation_id(), None, "it is no text");
    let changed = properties.with_reply_to("r");
    assert_eq!(changed, b"\x26\x00\x00\x00\x00\x00\x03\xff\xfe\x01\x01r");
    assert_eq!(Properties::parse(&changed).unwrap().with_headers(Table::EMPTY), changed);
}

#[test]
fn a_header_is_taken_out_and_the_others_stay_as_they_were() {
    let headers = TableBuilder::new().string("CC", "a").string("BCC", "b").int("n", 1).finish();
    let raw = PropertiesBuilder {
        headers: Some(headers.as_table()),
        delivery_mode: Some(2),
        ..PropertiesBuilder::default()
    }
    .finish();
    let without = Properties::parse(&raw).unwrap().without_header("BCC");
    let without = Properties::parse(&without).unwrap();
    assert!(without.is_persistent());
    let expected = TableBuilder::new().string("CC", "a").int("n", 1).finish();
    assert_eq!(without.headers(), Some(expected.as_table()));
    assert_eq!(without.headers().and_then(|headers| headers.get("n")), Some(Value::SignedInt(1)));
    assert_eq!(Properties::EMPTY.without_header("BCC"), Properties::EMPTY.as_bytes());
}

#[test]
fn an_expiration_is_taken_out_and_the_others_stay_as_they_were() {
    let headers = TableBuilder::new().int("n", 1).finish();
    for (raw, expected) in [
        (&b"\x00\x00"[..], &b"\x20\x00\x00\x00\x00\x07\x01nI\x00\x00\x00\x01"[..]),
        (b"\x01\x00\x0220", b"\x20\x00\x00\x00\x00\x07\x01nI\x00\x00\x00\x01"),
        (
            b"\xa5\x04\x01c\x00\x00\x00\x00\x02\xff\xfe\x0220\x01l",
            b"\xa4\x04\x01c\x00\x00\x00\x07\x01nI\x00\x00\x00\x01\x02\xff\xfe\x01l",
        ),
    ] {
        let mut out = BytesMut::new();
        Properties::parse(raw).unwrap().put_without_expiration(headers.as_table(), &mut out);
        assert_eq!(out, expected, "{raw:?}");
        assert!(Properties::parse(&out).is_ok());
    }
}

#[test]
fn without_any_property_there_are_two_octets() {
    assert_eq!(Properties::parse(&[0, 0]), Ok(Properties::EMPTY));
    assert_eq!(PropertiesBuilder::default().finish(), [0, 0]);
    assert!(Properties::EMPTY.is_empty());
    assert_eq!(Properties::EMPTY.headers(), None::<Table<'_>>);
}

proptest! {
    #[test]
    fn octets_that_are_no_properties_read_as_some_without_a_panic(octets in vec(any::<u8>(), 0..60)) {
        let properties = Properties::validated(&octets);
        if let Ok(parsed) = Properties::parse(&octets) {
            prop_assert_eq!(parsed, properties);
        }
        let headers = TableBuilder::new().int("n", 1).finish();
        let mut out = BytesMut::new();
        properties.put_without_expiration(headers.as_table(), &mut out);
        let printed = format!("{properties:?}");
        prop_assert!(!printed.is_empty());
        prop_assert_eq!(Properties::validated(&out).expiration(), None);
    }
}
