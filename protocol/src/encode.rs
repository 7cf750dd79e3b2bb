//! Methods and contents to bytes, appended to a buffer.
//!
//! Names longer than 255 octets are cut; whatever came from the wire fits. That a method fits into the negotiated
//! frame is the caller's business; bodies are split here.

use std::ops::Range;

use bytes::{BufMut, BytesMut};

use crate::frame::{self, Head};
use crate::limits::FRAME_OVERHEAD;
use crate::method::{Method, basic};
use crate::wire::{Writer, cut};

/// A heartbeat, whole.
pub const HEARTBEAT: [u8; 8] = [frame::HEARTBEAT, 0, 0, 0, 0, 0, 0, frame::END];

/// Octets of a content header's frame besides the properties.
const HEADER_OVERHEAD: usize = 20;
const OVERHEAD: usize = FRAME_OVERHEAD as usize;

/// Appends the frame of a method.
pub fn method(channel: u16, method: &Method<'_>, buf: &mut BytesMut) {
    let start = buf.len();
    buf.reserve(64);
    buf.put_slice(&Head { kind: frame::METHOD, channel, size: 0 }.to_bytes());
    method.encode(&mut Writer::new(buf));
    let payload = buf.len() - start - frame::HEAD_SIZE;
    if let Some(size) = buf.get_mut(start + 3..start + frame::HEAD_SIZE) {
        size.copy_from_slice(&size_of(payload).to_be_bytes());
    }
    buf.put_u8(frame::END);
}

/// Appends the frame of a content header. `properties` are raw: [`crate::Properties::as_bytes`].
#[inline]
pub fn header(channel: u16, class_id: u16, body_size: u64, properties: &[u8], buf: &mut BytesMut) {
    buf.reserve(HEADER_OVERHEAD + properties.len());
    put_header(channel, class_id, body_size, properties, buf);
}

/// The head of a body frame, for a body that is written apart from it; [`frame::END`] follows the payload.
#[inline]
pub fn body_frame_head(channel: u16, payload_size: u32) -> [u8; frame::HEAD_SIZE] {
    Head { kind: frame::BODY, channel, size: payload_size }.to_bytes()
}

/// Appends body frames, of `frame_max` octets at most each. An empty body has none.
#[inline]
pub fn body(channel: u16, body: &[u8], frame_max: u32, buf: &mut BytesMut) {
    let payload_max = payload_max(frame_max);
    buf.reserve(body_frames_size(body.len(), payload_max));
    put_body(channel, body, payload_max, buf);
}

/// Appends a content header and the body frames, of `frame_max` octets at most each.
#[inline]
pub fn content(channel: u16, properties: &[u8], body: &[u8], frame_max: u32, buf: &mut BytesMut) {
    let payload_max = payload_max(frame_max);
    buf.reserve(content_size(properties.len(), body.len(), payload_max));
    put_header(channel, basic::CLASS_ID, body.len() as u64, properties, buf);
    put_body(channel, body, payload_max, buf);
}

/// Appends a heartbeat.
pub fn heartbeat(buf: &mut BytesMut) {
    buf.put_slice(&HEARTBEAT);
}

/// What a `basic.deliver` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// The consumer.
    pub consumer_tag: &'a str,
    /// The number on this channel.
    pub delivery_tag: u64,
    /// Whether it was delivered before.
    pub redelivered: bool,
    /// The exchange's and the routing key's shortstrs, raw: [`basic::Publish::address`].
    pub address: &'a [u8],
}

/// Appends a `basic.deliver` with its content: header and body frames of `frame_max` octets at most.
#[inline]
pub fn deliver(
    channel: u16,
    delivery: &Delivery<'_>,
    properties: &[u8],
    body: &[u8],
    frame_max: u32,
    buf: &mut BytesMut,
) {
    let payload_max = payload_max(frame_max);
    buf.reserve(deliver_size(delivery, properties) + body_frames_size(body.len(), payload_max));
    put_deliver(channel, delivery, buf);
    put_content(channel, properties, body, payload_max, buf);
}

/// Appends a `basic.deliver` and its content header. The body is to follow, written apart: see [`body_frames`].
#[inline]
pub fn deliver_head(
    channel: u16,
    delivery: &Delivery<'_>,
    properties: &[u8],
    body_size: u64,
    buf: &mut BytesMut,
) {
    buf.reserve(deliver_size(delivery, properties));
    put_deliver(channel, delivery, buf);
    buf.extend_from_slice(&[frame::END]);
    put_header(channel, basic::CLASS_ID, body_size, properties, buf);
}

/// The frames of a body that is written apart: the head of each and its part of the body, after which
/// [`frame::END`] is to be written.
pub fn body_frames(
    channel: u16,
    body_size: usize,
    frame_max: u32,
) -> impl Iterator<Item = ([u8; frame::HEAD_SIZE], Range<usize>)> {
    let payload_max = payload_max(frame_max);
    (0..body_size).step_by(payload_max).map(move |start| {
        let end = body_size.min(start + payload_max);
        (body_frame_head(channel, size_of(end - start)), start..end)
    })
}

/// Appends a `basic.publish` with its content. `properties` are raw.
#[inline]
pub fn publish(
    channel: u16,
    publish: &basic::Publish<'_>,
    properties: &[u8],
    body: &[u8],
    frame_max: u32,
    buf: &mut BytesMut,
) {
    /// Ids, ticket, two lengths, flags.
    const FIXED: usize = 4 + 2 + 2 + 1;
    let payload_max = payload_max(frame_max);
    let (exchange_size, exchange) = cut(publish.exchange);
    let (routing_key_size, routing_key) = cut(publish.routing_key);
    let size = FIXED + exchange.len() + routing_key.len();
    buf.reserve(OVERHEAD + size + content_size(properties.len(), body.len(), payload_max));
    let flags = u8::from(publish.mandatory) | u8::from(publish.immediate) << 1;
    let [h0, h1, h2, h3, h4, h5, h6, c1, c0, m1, m0] = method_head(channel, size, basic::Publish::ID);
    buf.extend_from_slice(&[h0, h1, h2, h3, h4, h5, h6, c1, c0, m1, m0, 0, 0, exchange_size]);
    buf.extend_from_slice(exchange);
    buf.extend_from_slice(&[routing_key_size]);
    buf.extend_from_slice(routing_key);
    buf.extend_from_slice(&[flags]);
    put_content(channel, properties, body, payload_max, buf);
}

/// Appends a `basic.ack`.
#[inline]
pub fn ack(channel: u16, delivery_tag: u64, multiple: bool, buf: &mut BytesMut) {
    put_tag(channel, basic::Ack::ID, delivery_tag, multiple.into(), buf);
}

/// Appends a `basic.nack`.
#[inline]
pub fn nack(channel: u16, delivery_tag: u64, multiple: bool, requeue: bool, buf: &mut BytesMut) {
    put_tag(channel, basic::Nack::ID, delivery_tag, u8::from(multiple) | u8::from(requeue) << 1, buf);
}

/// A method of one delivery tag and one octet of bits.
#[inline]
fn put_tag(channel: u16, id: (u16, u16), delivery_tag: u64, flags: u8, buf: &mut BytesMut) {
    let mut frame = [0; 21];
    let mut rest = frame.as_mut_slice();
    rest.put_slice(&method_head(channel, 13, id));
    rest.put_u64(delivery_tag);
    rest.put_u8(flags);
    rest.put_u8(frame::END);
    buf.extend_from_slice(&frame);
}

/// Octets of a delivery's method and content header.
#[inline]
fn deliver_size(delivery: &Delivery<'_>, properties: &[u8]) -> usize {
    OVERHEAD
        + DELIVER_FIXED
        + delivery.consumer_tag.len()
        + delivery.address.len()
        + HEADER_OVERHEAD
        + properties.len()
}

/// Ids, consumer tag's length, delivery tag, redelivered.
const DELIVER_FIXED: usize = 4 + 1 + 8 + 1;

/// All but the end octet.
#[inline]
fn put_deliver(channel: u16, delivery: &Delivery<'_>, buf: &mut BytesMut) {
    let (length, consumer_tag) = cut(delivery.consumer_tag);
    let size = DELIVER_FIXED + consumer_tag.len() + delivery.address.len();
    let [t7, t6, t5, t4, t3, t2, t1, t0] = delivery.delivery_tag.to_be_bytes();
    let [h0, h1, h2, h3, h4, h5, h6, c1, c0, m1, m0] = method_head(channel, size, basic::Deliver::ID);
    buf.extend_from_slice(&[h0, h1, h2, h3, h4, h5, h6, c1, c0, m1, m0, length]);
    buf.extend_from_slice(consumer_tag);
    buf.extend_from_slice(&[t7, t6, t5, t4, t3, t2, t1, t0, delivery.redelivered.into()]);
    buf.extend_from_slice(delivery.address);
}

#[inline]
fn method_head(channel: u16, size: usize, (class_id, method_id): (u16, u16)) -> [u8; 11] {
    let [kind, h1, h2, h3, h4, h5, h6] =
        Head { kind: frame::METHOD, channel, size: size_of(size) }.to_bytes();
    let ([c1, c0], [m1, m0]) = (class_id.to_be_bytes(), method_id.to_be_bytes());
    [kind, h1, h2, h3, h4, h5, h6, c1, c0, m1, m0]
}

/// The content of a method whose end octet is still to come: every head is written with the end of the frame before
/// it, since a few octets cost as much as one.
#[inline]
fn put_content(channel: u16, properties: &[u8], body: &[u8], payload_max: usize, buf: &mut BytesMut) {
    buf.extend_from_slice(&header_head(channel, basic::CLASS_ID, body.len() as u64, properties.len()));
    buf.extend_from_slice(properties);
    for payload in body.chunks(payload_max) {
        let [h0, h1, h2, h3, h4, h5, h6] = body_frame_head(channel, size_of(payload.len()));
        buf.extend_from_slice(&[frame::END, h0, h1, h2, h3, h4, h5, h6]);
        buf.extend_from_slice(payload);
    }
    buf.extend_from_slice(&[frame::END]);
}

#[inline]
fn put_header(channel: u16, class_id: u16, body_size: u64, properties: &[u8], buf: &mut BytesMut) {
    let [_, head @ ..] = header_head(channel, class_id, body_size, properties.len());
    buf.extend_from_slice(&head);
    buf.extend_from_slice(properties);
    buf.extend_from_slice(&[frame::END]);
}

/// The end of the frame before and the head of a content header, up to the properties.
#[inline]
fn header_head(channel: u16, class_id: u16, body_size: u64, properties: usize) -> [u8; HEADER_OVERHEAD] {
    let size = size_of(HEADER_OVERHEAD - OVERHEAD + properties);
    let mut head = [0; HEADER_OVERHEAD];
    let mut rest = head.as_mut_slice();
    rest.put_u8(frame::END);
    rest.put_slice(&Head { kind: frame::HEADER, channel, size }.to_bytes());
    rest.put_u16(class_id);
    rest.put_u16(0);
    rest.put_u64(body_size);
    head
}

#[inline]
fn put_body(channel: u16, body: &[u8], payload_max: usize, buf: &mut BytesMut) {
    for payload in body.chunks(payload_max) {
        buf.extend_from_slice(&body_frame_head(channel, size_of(payload.len())));
        buf.extend_from_slice(payload);
        buf.extend_from_slice(&[frame::END]);
    }
}

#[inline]
const fn content_size(properties: usize, body: usize, payload_max: usize) -> usize {
    HEADER_OVERHEAD + properties + body_frames_size(body, payload_max)
}

#[inline]
const fn body_frames_size(body: usize, payload_max: usize) -> usize {
    match body {
        0 => 0,
        body if body <= payload_max => OVERHEAD + body,
        body => body + OVERHEAD * body.div_ceil(payload_max),
    }
}

/// Octets of payload in a frame of `frame_max` octets; never zero, so that a split always advances.
#[inline]
fn payload_max(frame_max: u32) -> usize {
    frame_max.saturating_sub(FRAME_OVERHEAD).max(1) as usize
}

#[inline]
fn size_of(payload: usize) -> u32 {
    u32::try_from(payload).unwrap_or(u32::MAX)
}
