//! Every method, ours against amq-protocol's, in both directions.

use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame, parse_frame};
use amq_protocol::protocol::{self as amq, AMQPClass};
use bytes::BytesMut;
use leveret_protocol::method::{Method, access, basic, channel, confirm, connection, exchange, queue, tx};
use leveret_protocol::{Decoder, Event, encode};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use crate::material::{Material, material, theirs};

/// Lists argument by argument: our name, their name, the type on the wire.
macro_rules! methods {
    ($($class:ident $Class:ident {$(
        $Name:ident { $($ours:ident $theirs:ident $type:ident),* $(,)? }
    )*})*) => {
        /// Every method filled with `material`, with what amq-protocol should make of it.
        fn every_method(material: &Material) -> Vec<(Method<'_>, AMQPClass)> {
            // Two methods have a field that amq-protocol does not let us set.
            let ticket = access::RequestOk { ticket: 1 };
            let qos = basic::Qos { prefetch_size: 0, prefetch_count: material.short(), global: material.bit() };
            let their_qos = amq::basic::Qos { prefetch_count: qos.prefetch_count, global: qos.global };
            vec![
                (ticket.into(), AMQPClass::Access(amq::access::AMQPMethod::RequestOk(amq::access::RequestOk {}))),
                (qos.into(), AMQPClass::Basic(amq::basic::AMQPMethod::Qos(their_qos))),
                $($({
                    let ours = $class::$Name { $($ours: material.$type()),* };
                    let theirs = amq::$class::$Name { $($theirs: theirs::$type(ours.$ours)),* };
                    (ours.into(), AMQPClass::$Class(amq::$class::AMQPMethod::$Name(theirs)))
                },)*)*
            ]
        }
    };
}

methods! {
    connection Connection {
        Start {
            version_major version_major octet, version_minor version_minor octet,
            server_properties server_properties table, mechanisms mechanisms longstr, locales locales longstr,
        }
        StartOk {
            client_properties client_properties table, mechanism mechanism shortstr, response response longstr,
            locale locale shortstr,
        }
        Secure { challenge challenge longstr }
        SecureOk { response response longstr }
        Tune { channel_max channel_max short, frame_max frame_max long, heartbeat heartbeat short }
        TuneOk { channel_max channel_max short, frame_max frame_max long, heartbeat heartbeat short }
        Open { virtual_host virtual_host shortstr }
        OpenOk {}
        Close {
            reply_code reply_code short, reply_text reply_text shortstr, class_id class_id short,
            method_id method_id short,
        }
        CloseOk {}
        Blocked { reason reason shortstr }
        Unblocked {}
        UpdateSecret { new_secret new_secret longstr, reason reason shortstr }
        UpdateSecretOk {}
    }
    channel Channel {
        Open {}
        OpenOk {}
        Flow { active active bit }
        FlowOk { active active bit }
        Close {
            reply_code reply_code short, reply_text reply_text shortstr, class_id class_id short,
            method_id method_id short,
        }
        CloseOk {}
    }
    access Access {
        Request {
            realm realm shortstr, exclusive exclusive bit, passive passive bit, active active bit, write write bit,
            read read bit,
        }
    }
    exchange Exchange {
        Declare {
            exchange exchange shortstr, type_ kind shortstr, passive passive bit, durable durable bit,
            auto_delete auto_delete bit, internal internal bit, no_wait nowait bit, arguments arguments table,
        }
        DeclareOk {}
        Delete { exchange exchange shortstr, if_unused if_unused bit, no_wait nowait bit }
        DeleteOk {}
        Bind {
            destination destination shortstr, source source shortstr, routing_key routing_key shortstr,
            no_wait nowait bit, arguments arguments table,
        }
        BindOk {}
        Unbind {
            destination destination shortstr, source source shortstr, routing_key routing_key shortstr,
            no_wait nowait bit, arguments arguments table,
        }
        UnbindOk {}
    }
    queue Queue {
        Declare {
            queue queue shortstr, passive passive bit, durable durable bit, exclusive exclusive bit,
            auto_delete auto_delete bit, no_wait nowait bit, arguments arguments table,
        }
        DeclareOk { queue queue shortstr, message_count message_count long, consumer_count consumer_count long }
        Bind {
            queue queue shortstr, exchange exchange shortstr, routing_key routing_key shortstr, no_wait nowait bit,
            arguments arguments table,
        }
        BindOk {}
        Purge { queue queue shortstr, no_wait nowait bit }
        PurgeOk { message_count message_count long }
        Delete { queue queue shortstr, if_unused if_unused bit, if_empty if_empty bit, no_wait nowait bit }
        DeleteOk { message_count message_count long }
        Unbind {
            queue queue shortstr, exchange exchange shortstr, routing_key routing_key shortstr,
            arguments arguments table,
        }
        UnbindOk {}
    }
    basic Basic {
        QosOk {}
        Consume {
            queue queue shortstr, consumer_tag consumer_tag shortstr, no_local no_local bit, no_ack no_ack bit,
            exclusive exclusive bit, no_wait nowait bit, arguments arguments table,
        }
        ConsumeOk { consumer_tag consumer_tag shortstr }
        Cancel { consumer_tag consumer_tag shortstr, no_wait nowait bit }
        CancelOk { consumer_tag consumer_tag shortstr }
        Publish {
            exchange exchange shortstr, routing_key routing_key shortstr, mandatory mandatory bit,
            immediate immediate bit,
        }
        Return {
            reply_code reply_code short, reply_text reply_text shortstr, exchange exchange shortstr,
            routing_key routing_key shortstr,
        }
        Deliver {
            consumer_tag consumer_tag shortstr, delivery_tag delivery_tag longlong, redelivered redelivered bit,
            exchange exchange shortstr, routing_key routing_key shortstr,
        }
        Get { queue queue shortstr, no_ack no_ack bit }
        GetOk {
            delivery_tag delivery_tag longlong, redelivered redelivered bit, exchange exchange shortstr,
            routing_key routing_key shortstr, message_count message_count long,
        }
        GetEmpty {}
        Ack { delivery_tag delivery_tag longlong, multiple multiple bit }
        Reject { delivery_tag delivery_tag longlong, requeue requeue bit }
        RecoverAsync { requeue requeue bit }
        Recover { requeue requeue bit }
        RecoverOk {}
        Nack { delivery_tag delivery_tag longlong, multiple multiple bit, requeue requeue bit }
    }
    confirm Confirm {
        Select { no_wait nowait bit }
        SelectOk {}
    }
    tx Tx {
        Select {}
        SelectOk {}
        Commit {}
        CommitOk {}
        Rollback {}
        RollbackOk {}
    }
}

fn encoded(channel: u16, method: &Method<'_>) -> BytesMut {
    let mut bytes = BytesMut::new();
    encode::method(channel, method, &mut bytes);
    bytes
}

fn encoded_by_amq(frame: &AMQPFrame) -> Vec<u8> {
    gen_frame(frame)(WriteContext::from(Vec::new())).unwrap().into_inner().0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_method_comes_back_as_it_went_and_never_before_its_last_octet(material in material(), channel: u16) {
        for (method, _) in every_method(&material) {
            let bytes = encoded(channel, &method);
            let mut decoder = Decoder::new(u32::MAX);
            for cut in 0..bytes.len() {
                prop_assert_eq!(decoder.next(&bytes[..cut]), Ok(None));
                let wanted = decoder.wanted(&bytes[..cut]);
                prop_assert!(cut < wanted && wanted <= bytes.len());
            }
            let payload = &bytes[7..bytes.len() - 1];
            let event = Event::Method { channel, method, payload };
            prop_assert_eq!(decoder.next(&bytes), Ok(Some((bytes.len(), event))));
        }
    }

    #[test]
    fn amq_protocol_reads_every_method_of_ours(material in material(), channel: u16) {
        for (method, expected) in every_method(&material) {
            let bytes = encoded(channel, &method);
            let (rest, frame) = parse_frame(bytes.as_ref()).unwrap();
            prop_assert!(rest.is_empty());
            prop_assert_eq!(frame, AMQPFrame::Method(channel, expected));
        }
    }

    #[test]
    fn we_read_every_method_of_amq_protocols(material in material(), channel: u16) {
        for (expected, class) in every_method(&material) {
            let bytes = encoded_by_amq(&AMQPFrame::Method(channel, class));
            let event = Decoder::new(u32::MAX).next(&bytes).unwrap();
            let Some((used, Event::Method { method, .. })) = event else { panic!("{event:?}") };
            prop_assert_eq!(used, bytes.len());
            prop_assert_eq!(method, expected);
        }
    }

    #[test]
    fn the_address_of_a_publish_is_how_its_deliver_ends(material in material(), redelivered: bool) {
        let (exchange, routing_key) = (material.shortstr(), material.shortstr());
        let publish = basic::Publish { exchange, routing_key, mandatory: material.bit(), immediate: false };
        let published = encoded(1, &publish.into());
        let address = basic::Publish::address(&published[7..published.len() - 1]);
        let (consumer_tag, delivery_tag) = (material.shortstr(), material.longlong());
        let delivery = encode::Delivery { consumer_tag, delivery_tag, redelivered, address };
        let mut delivered = BytesMut::new();
        encode::deliver(1, &delivery, &[0, 0], b"", 4096, &mut delivered);
        let deliver = basic::Deliver { consumer_tag, delivery_tag, redelivered, exchange, routing_key };
        let expected = encoded(1, &deliver.into());
        prop_assert_eq!(&delivered[..expected.len()], &expected[..]);
    }

    #[test]
    fn the_fast_encoders_write_what_the_general_one_writes(material in material(), channel: u16) {
        let (delivery_tag, multiple, requeue) = (material.longlong(), material.bit(), material.bit());
        let mut fast = BytesMut::new();
        encode::ack(channel, delivery_tag, multiple, &mut fast);
        encode::nack(channel, delivery_tag, multiple, requeue, &mut fast);
        let mut general = encoded(channel, &basic::Ack { delivery_tag, multiple }.into());
        encode::method(channel, &basic::Nack { delivery_tag, multiple, requeue }.into(), &mut general);
        prop_assert_eq!(fast, general);
    }
}

#[test]
fn the_list_holds_every_method_once_under_its_own_name_and_id() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let material = material().new_tree(&mut runner).unwrap().current();
    let listed: Vec<_> = every_method(&material)
        .iter()
        .map(|(method, class)| {
            let (class_id, method_id) = method.id();
            assert_eq!(class_id, class.get_amqp_class_id(), "{}", method.name());
            assert_eq!(method_id, class.get_amqp_method_id(), "{}", method.name());
            (class_id, method_id, method.name())
        })
        .collect();
    for method in Method::ALL {
        assert_eq!(listed.iter().filter(|listed| *listed == method).count(), 1, "{method:?}");
    }
    assert_eq!(listed.len(), Method::ALL.len());
}

#[test]
fn a_method_knows_who_sends_it_and_whether_content_follows() {
    let declare_ok = Method::from(queue::DeclareOk::default());
    for (method, client, server, content) in [
        (Method::from(basic::Publish::default()), true, false, true),
        (Method::from(basic::Deliver::default()), false, true, true),
        (Method::from(basic::Return::default()), false, true, true),
        (Method::from(basic::GetOk::default()), false, true, true),
        (Method::from(basic::Ack::default()), true, true, false),
        (Method::from(basic::Cancel::default()), true, true, false),
        (Method::from(channel::Close::default()), true, true, false),
        (Method::from(connection::Blocked::default()), false, true, false),
        (Method::from(connection::UpdateSecret::default()), true, false, false),
        (Method::from(confirm::Select::default()), true, false, false),
        (Method::from(tx::CommitOk::default()), false, true, false),
        (declare_ok, false, true, false),
    ] {
        assert_eq!(
            (method.is_from_client(), method.is_from_server(), method.has_content()),
            (client, server, content),
            "{}",
            method.name()
        );
    }
}

#[test]
fn a_text_too_long_for_a_shortstr_is_cut_at_a_character() {
    let reply_text = format!("{}é", "x".repeat(254));
    let close = channel::Close { reply_code: 406, reply_text: &reply_text, class_id: 0, method_id: 0 };
    let bytes = encoded(1, &close.into());
    let Ok(Some((_, Event::Method { method, .. }))) = Decoder::new(4096).next(&bytes) else { panic!() };
    assert_eq!(method, channel::Close { reply_text: &reply_text[..254], ..close }.into());
}
