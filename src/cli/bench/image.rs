//! Messages as the bytes that go to the socket, made once and sent again and again with new time stamps.

use super::failure::Failure;
use super::topology::Route;
use bytes::BytesMut;
use leveret_protocol::method::basic;
use leveret_protocol::properties::{PERSISTENT, PropertiesBuilder};
use leveret_protocol::{encode, frame};
use std::time::Duration;

/// Bytes of a time stamp at the start of a body: nanoseconds of the run's clock, in network order.
pub(super) const STAMP_BYTES: usize = 8;
/// Digits of an expiration.
const EXPIRATION_BYTES: usize = 8;
/// An image is at least this long, so that one write takes many small messages.
const IMAGE_MIN_BYTES: usize = 256 * 1024;
/// Routes that would make an image longer than this are thinned out evenly.
const IMAGE_MAX_BYTES: usize = 4 * 1024 * 1024;
/// What is written at once: large enough for the system call not to count, small enough for the processor's cache.
const BATCH_BYTES: usize = 64 * 1024;

/// The frames of many messages, one behind the other, over every route in turn.
#[derive(Debug)]
pub(super) struct MessageImage {
    bytes: BytesMut,
    /// Of each message: where it begins and where its body begins.
    starts: Vec<(usize, usize)>,
    stamped: bool,
    expiration: Option<Expiration>,
    batch_max: usize,
    next: usize,
}

/// When messages expire: at a random moment of a span, each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expiration {
    first_ms: u64,
    spread_ms: u64,
    random: u64,
}

impl Expiration {
    /// From `first` on for as long as `spread`.
    pub(super) fn new(first: Duration, spread: Duration) -> Self {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self { first_ms: ms(first), spread_ms: ms(spread).max(1), random: 1 }
    }

    fn next(&mut self) -> [u8; EXPIRATION_BYTES] {
        // Marsaglia's xorshift: as random as this needs.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let mut left = self.first_ms.saturating_add(self.random % self.spread_ms);
        let mut text = [b'0'; EXPIRATION_BYTES];
        for digit in text.iter_mut().rev() {
            *digit = b'0' + u8::try_from(left % 10).unwrap_or(0);
            left /= 10;
        }
        text
    }
}

/// What all messages have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Bytes of a body.
    pub(super) size: usize,
    /// Whether messages are persistent.
    pub(super) persistent: bool,
    /// How many priorities they have in turn.
    pub(super) priorities: Option<u8>,
    /// When they expire, if ever.
    pub(super) expiration: Option<Expiration>,
    /// The largest frame in bytes.
    pub(super) frame_max: u32,
    /// The channel.
    pub(super) channel: u16,
}

impl MessageImage {
    /// Makes the frames. There must be a route.
    pub(super) fn new(routes: &[Route], shape: Shape) -> Result<Self, Failure> {
        let first = routes.first().ok_or_else(|| Failure::new("nowhere to publish to"))?;
        let body = vec![b'x'; shape.size];
        let mut bytes = BytesMut::new();
        put(first, 0, &body, shape, &mut bytes);
        let one = bytes.len();
        bytes.clear();
        let (step, messages) = plan(routes.len(), one);
        let mut starts = Vec::with_capacity(messages);
        for (number, route) in routes.iter().step_by(step).cycle().take(messages).enumerate() {
            let start = bytes.len();
            starts.push((start, start + put(route, number, &body, shape, &mut bytes)));
        }
        let batch_max = (BATCH_BYTES / one).max(1);
        let (stamped, expiration) = (shape.size >= STAMP_BYTES, shape.expiration);
        Ok(Self { bytes, starts, stamped, expiration, batch_max, next: 0 })
    }

    /// How many messages to write at once at most.
    pub(super) fn batch_max(&self) -> usize {
        self.batch_max
    }

    /// The next messages, at most `wanted`: how many and their bytes. `stamp` says the time of each, from 0.
    pub(super) fn next_batch(&mut self, wanted: usize, mut stamp: impl FnMut(u64) -> u64) -> (u64, &[u8]) {
        let first = if self.next < self.starts.len() { self.next } else { 0 };
        let end = (first + wanted.min(self.batch_max)).min(self.starts.len());
        self.next = end;
        let starts = self.starts.get(first..end).unwrap_or_default();
        if self.stamped {
            for (number, (_, body)) in (0..).zip(starts) {
                if let Some(place) = self.bytes.get_mut(*body..*body + STAMP_BYTES) {
                    place.copy_from_slice(&stamp(number).to_be_bytes());
                }
            }
        }
        if let Some(expiration) = &mut self.expiration {
            for (_, body) in starts {
                let end = body.saturating_sub(frame::HEAD_SIZE + 1);
                if let Some(place) = self.bytes.get_mut(end.saturating_sub(EXPIRATION_BYTES)..end) {
                    place.copy_from_slice(&expiration.next());
                }
            }
        }
        let from = starts.first().map_or(0, |(start, _)| *start);
        let to = self.starts.get(end).map_or(self.bytes.len(), |(start, _)| *start);
        (starts.len() as u64, self.bytes.get(from..to).unwrap_or_default())
    }
}

/// Of how many routes one is taken, and how many messages the image has: whole rounds over the routes taken.
fn plan(routes: usize, message_bytes: usize) -> (usize, usize) {
    let step = (routes * message_bytes).div_ceil(IMAGE_MAX_BYTES).clamp(1, routes);
    let taken = routes.div_ceil(step);
    let rounds = IMAGE_MIN_BYTES / (taken * message_bytes) + 1;
    (step, taken * rounds)
}

/// Appends message `number` and returns after how many bytes its body begins.
fn put(route: &Route, number: usize, body: &[u8], shape: Shape, bytes: &mut BytesMut) -> usize {
    let start = bytes.len();
    let publish = basic::Publish {
        exchange: &route.exchange,
        routing_key: &route.routing_key,
        mandatory: false,
        immediate: false,
    };
    // The last of the properties, so that it is found from the body.
    let expiration = shape.expiration.map(|_| "0".repeat(EXPIRATION_BYTES));
    let priority = shape.priorities.map(|priorities| number % usize::from(priorities.max(1)));
    let properties = PropertiesBuilder {
        priority: priority.and_then(|priority| u8::try_from(priority).ok()),
        expiration: expiration.as_deref(),
        headers: route.headers.as_ref().map(|headers| headers.as_table()),
        delivery_mode: shape.persistent.then_some(PERSISTENT),
        ..PropertiesBuilder::default()
    };
    encode::method(shape.channel, &publish.into(), bytes);
    encode::header(shape.channel, basic::CLASS_ID, body.len() as u64, &properties.finish(), bytes);
    let body_start = bytes.len() + frame::HEAD_SIZE - start;
    encode::body(shape.channel, body, shape.frame_max, bytes);
    body_start
}

#[cfg(test)]
mod tests {
    use super::*;
    use leveret_protocol::{Decoder, Event, Method};

    fn routes(count: usize) -> Vec<Route> {
        let route = |key| Route { exchange: "e".to_owned(), routing_key: format!("{key}"), headers: None };
        (0..count).map(route).collect()
    }

    /// The routing keys and time stamps of encoded messages.
    fn decoded(mut bytes: &[u8], size: usize) -> Vec<(String, u64)> {
        let mut decoder = Decoder::new(4096);
        let (mut messages, mut key, mut body) = (Vec::new(), String::new(), Vec::new());
        while let Some((used, event)) = decoder.next(bytes).unwrap() {
            match event {
                Event::Method { method: Method::Basic(basic::Method::Publish(publish)), .. } => {
                    key = publish.routing_key.to_owned();
                }
                Event::Body { payload, .. } => body.extend_from_slice(payload),
                _ => {}
            }
            if body.len() == size {
                messages.push((key.clone(), u64::from_be_bytes(*body.first_chunk().unwrap())));
                body.clear();
            }
            bytes = &bytes[used..];
        }
        messages
    }

    #[test]
    fn batches_take_the_routes_in_turn_and_stamp_every_message() {
        for size in [8, 16, 1000, 10_000] {
            let shape = Shape {
                size,
                persistent: true,
                priorities: None,
                expiration: None,
                frame_max: 4096,
                channel: 1,
            };
            let mut image = MessageImage::new(&routes(3), shape).unwrap();
            for batch in 0..2000_u64 {
                let (count, bytes) = image.next_batch(2, |number| batch * 10 + number);
                let messages = decoded(bytes, size);
                assert_eq!(messages.len() as u64, count);
                for (number, (_, stamp)) in (0..).zip(&messages) {
                    assert_eq!(*stamp, batch * 10 + number, "{size}");
                }
            }
        }
    }

    #[test]
    fn an_image_covers_whole_rounds_of_its_routes_within_its_bounds() {
        for (routes, message_bytes) in
            [(1, 75), (3, 75), (10_000, 80), (10_000, 1100), (100, 70_000), (1, 20_000_000)]
        {
            let (step, messages) = plan(routes, message_bytes);
            let taken = routes.div_ceil(step);
            assert_eq!(messages % taken, 0, "{routes} {message_bytes}");
            let bytes = messages * message_bytes;
            assert!(bytes >= IMAGE_MIN_BYTES, "{routes} {message_bytes}");
            assert!(bytes <= IMAGE_MAX_BYTES.max(message_bytes) * 2, "{routes} {message_bytes}: {bytes}");
        }
    }
}
