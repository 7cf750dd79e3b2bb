//! What a message costs the codec, with amq-protocol beside it for scale. `cargo bench -p leveret-protocol`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark ends when something is wrong"
)]

use std::hint::black_box;

use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame, parse_frame};
use amq_protocol::protocol::{AMQPClass, basic as amq};
use bytes::BytesMut;
use criterion::{Criterion, criterion_group, criterion_main};
use leveret_protocol::encode::{self, Delivery};
use leveret_protocol::limits::FRAME_MAX_DEFAULT;
use leveret_protocol::method::{Method, basic};
use leveret_protocol::{Decoder, Event, PropertiesBuilder, Table, TableBuilder};

/// Messages or acks in a buffer, as one read from a socket brings them.
const BATCH: u32 = 100;

fn persistent() -> Vec<u8> {
    PropertiesBuilder { delivery_mode: Some(2), ..PropertiesBuilder::default() }.finish()
}

fn with_headers() -> Vec<u8> {
    let headers =
        TableBuilder::new().string("trace-id", "4bf92f3577b34da6").int("attempt", 1).bool("sampled", true);
    let headers = headers.finish();
    let properties = PropertiesBuilder {
        content_type: Some("application/json"),
        headers: Some(headers.as_table()),
        delivery_mode: Some(2),
        message_id: Some("0190163d-8694-739b-aea5-966c26f8ad90"),
        ..PropertiesBuilder::default()
    };
    properties.finish()
}

fn publishes(properties: &[u8], body: usize) -> BytesMut {
    let publish =
        basic::Publish { exchange: "orders", routing_key: "eu.created", ..basic::Publish::default() };
    let mut buf = BytesMut::new();
    for _ in 0..BATCH {
        encode::publish(1, &publish, properties, &vec![7; body], FRAME_MAX_DEFAULT, &mut buf);
    }
    buf
}

fn acks() -> BytesMut {
    let mut buf = BytesMut::new();
    for delivery_tag in 0..BATCH {
        encode::ack(1, delivery_tag.into(), false, &mut buf);
    }
    buf
}

/// Reads as a connection does: what it needs of each event, where it is.
fn decode(mut input: &[u8]) {
    let mut decoder = Decoder::new(FRAME_MAX_DEFAULT);
    while let Some((used, event)) = decoder.next(input).unwrap() {
        match event {
            Event::Method { channel, method: Method::Basic(basic::Method::Publish(publish)), payload } => {
                black_box((channel, publish.exchange, publish.routing_key, publish.mandatory));
                black_box(basic::Publish::address(payload));
            }
            Event::Method { channel, method: Method::Basic(basic::Method::Ack(ack)), .. } => {
                black_box((channel, ack.delivery_tag, ack.multiple));
            }
            Event::Header { channel, body_size, properties, .. } => {
                black_box((channel, body_size, properties.as_bytes()));
            }
            Event::Body { channel, payload, ends_frame, .. } => {
                black_box((channel, payload, ends_frame));
            }
            other => panic!("{other:?}"),
        }
        input = input.get(used..).unwrap();
    }
}

fn decode_with_amq(mut input: &[u8]) {
    while !input.is_empty() {
        let (rest, frame) = parse_frame(input).unwrap();
        black_box(&frame);
        input = rest;
    }
}

fn decoding(c: &mut Criterion) {
    let mut group = c.benchmark_group(format!("decode {BATCH}"));
    for (name, input) in [
        ("publish 16 B", publishes(&persistent(), 16)),
        ("publish 1 KB", publishes(&persistent(), 1024)),
        ("publish 16 B with headers", publishes(&with_headers(), 16)),
        ("ack", acks()),
    ] {
        group.bench_function(name, |b| b.iter(|| decode(black_box(&input))));
        let amq = format!("{name}, amq-protocol");
        group.bench_function(amq, |b| b.iter(|| decode_with_amq(black_box(&input))));
    }
    group.finish();
}

fn encoding(c: &mut Criterion) {
    let mut group = c.benchmark_group(format!("encode {BATCH}"));
    let properties = persistent();
    let address = b"\x06orders\x0aeu.created";
    for size in [16, 1024] {
        let body = vec![7; size];
        group.bench_function(format!("deliver {size} B"), |b| {
            let mut buf = BytesMut::with_capacity(1 << 18);
            b.iter(|| {
                buf.clear();
                for delivery_tag in 0..u64::from(BATCH) {
                    let delivery =
                        Delivery { consumer_tag: "ctag-1", delivery_tag, redelivered: false, address };
                    encode::deliver(1, black_box(&delivery), &properties, &body, FRAME_MAX_DEFAULT, &mut buf);
                }
                black_box(&buf);
            });
        });
    }
    group.bench_function("deliver method, amq-protocol", |b| {
        b.iter(|| {
            for delivery_tag in 0..u64::from(BATCH) {
                let deliver = amq::Deliver {
                    consumer_tag: "ctag-1".into(),
                    delivery_tag,
                    redelivered: false,
                    exchange: "orders".into(),
                    routing_key: "eu.created".into(),
                };
                let frame = AMQPFrame::Method(1, AMQPClass::Basic(amq::AMQPMethod::Deliver(deliver)));
                black_box(gen_frame(&frame)(WriteContext::from(Vec::with_capacity(128))).unwrap());
            }
        });
    });
    group.bench_function("ack", |b| {
        let mut buf = BytesMut::with_capacity(1 << 16);
        b.iter(|| {
            buf.clear();
            for delivery_tag in 0..BATCH {
                encode::ack(1, black_box(delivery_tag.into()), false, &mut buf);
            }
            black_box(&buf);
        });
    });
    group.finish();
}

fn validating(c: &mut Criterion) {
    let mut entries = TableBuilder::new();
    for entry in 0..10 {
        entries = entries.string(&format!("x-header-{entry}"), "value");
    }
    let table = entries.finish();
    c.bench_function("table of 10", |b| b.iter(|| Table::parse(black_box(table.as_bytes()))));
    c.bench_function("get in a table of 10", |b| b.iter(|| table.as_table().get(black_box("x-header-9"))));
}

criterion_group!(benches, decoding, encoding, validating);
criterion_main!(benches);
