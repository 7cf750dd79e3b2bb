//! The fuzz targets as plain functions: cargo-fuzz wraps them, and the crate's tests run them on mutated inputs.

use leveret_protocol::limits::{INITIAL_FRAME_MAX, TABLE_DEPTH_MAX, TABLE_ENTRIES_MAX};
use leveret_protocol::{Array, Decoder, Event, Method, Properties, Table, Value, encode};

/// A stream of frames says the same whole and in pieces; whatever is understood is written again as it was.
pub(crate) fn frames(data: &[u8]) {
    let Some((piece, stream)) = data.split_first() else { return };
    let whole = hear(stream, stream.len().max(1));
    let pieces = hear(stream, usize::from(*piece % 64) + 1);
    assert_eq!(whole, pieces, "the cuts of the stream change what it says");
}

/// What a stream said until it broke or ended.
#[derive(Debug, PartialEq, Eq, Default)]
struct Heard {
    /// What ended, body frames among it.
    events: Vec<String>,
    /// Of the body frame that has not ended.
    body: Vec<u8>,
    /// Octets of the events that were given out whole.
    used: usize,
    error: Option<(leveret_protocol::ReplyCode, u16, (u16, u16))>,
}

fn hear(stream: &[u8], piece: usize) -> Heard {
    let mut decoder = Decoder::new(INITIAL_FRAME_MAX);
    let mut heard = Heard::default();
    let (mut start, mut end) = (0, 0);
    while end < stream.len() {
        end = stream.len().min(end + piece);
        loop {
            let input = &stream[start..end];
            match decoder.next(input) {
                Ok(Some((used, event))) => {
                    assert!(used > 0 && used <= input.len());
                    start += used;
                    heard.add(event);
                }
                Ok(None) => {
                    assert!(decoder.wanted(input) > input.len());
                    break;
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    // How much of a broken frame was seen depends on the cuts.
                    heard.body.clear();
                    heard.error = Some((error.reply_code(), error.channel, error.method));
                    return heard;
                }
            }
        }
    }
    heard.used = start;
    heard
}

impl Heard {
    fn add(&mut self, event: Event<'_>) {
        match event {
            Event::Body { payload, channel, frame_size, ends_frame } => {
                self.body.extend_from_slice(payload);
                if ends_frame {
                    let body = std::mem::take(&mut self.body);
                    assert_eq!(body.len(), frame_size as usize);
                    self.events.push(format!("{channel} {body:?}"));
                }
            }
            Event::Method { channel, method, .. } => {
                written_again(channel, &method);
                self.events.push(format!("{channel} {method:?}"));
            }
            Event::Header { properties: known, .. } => {
                properties(known.as_bytes());
                self.events.push(format!("{event:?}"));
            }
            Event::Heartbeat => self.events.push(String::new()),
        }
    }
}

fn written_again(channel: u16, method: &Method<'_>) {
    let mut buf = bytes::BytesMut::new();
    encode::method(channel, method, &mut buf);
    let read = Decoder::new(u32::MAX).next(&buf);
    let expected = Event::Method { channel, method: *method, payload: &buf[7..buf.len() - 1] };
    assert_eq!(read, Ok(Some((buf.len(), expected))));
}

/// A table is refused, or can be read through within its limits and keeps its bytes.
pub(crate) fn tables(data: &[u8]) {
    if let Ok(array) = Array::parse(data) {
        read_through(Value::Array(array));
    }
    let Ok(table) = Table::parse(data) else { return };
    read_through(Value::Table(table));
    assert_eq!(table.as_bytes(), data);
    assert_eq!(table.to_owned().as_table(), table);
    for (key, _) in table {
        let last = table.iter().filter(|(name, _)| *name == key).last();
        assert_eq!(table.get(key), last.map(|(_, value)| value));
    }
}

fn read_through(outermost: Value<'_>) {
    let (mut open, mut entries) = (vec![(outermost, 1)], 0);
    while let Some((value, depth)) = open.pop() {
        assert!(depth <= TABLE_DEPTH_MAX + 1 && !value.type_name().is_empty());
        let mut inside: Vec<_> = match value {
            Value::Table(table) => table.iter().map(|(_, value)| (value, depth + 1)).collect(),
            Value::Array(array) => array.iter().map(|value| (value, depth + 1)).collect(),
            _ => continue,
        };
        entries += inside.len();
        open.append(&mut inside);
    }
    assert!(entries <= TABLE_ENTRIES_MAX);
}

/// Properties are refused, or come back from their parts byte for byte as far as their parts are text; one that is
/// replaced leaves the others as they are.
pub(crate) fn properties(data: &[u8]) {
    let Ok(properties) = Properties::parse(data) else { return };
    let rebuilt = properties.to_builder().finish();
    if rebuilt.len() == data.len() {
        assert_eq!(rebuilt, data);
    }
    let readdressed = properties.with_reply_to("elsewhere");
    let readdressed = Properties::parse(&readdressed).unwrap();
    assert_eq!(readdressed.reply_to(), Some("elsewhere"));
    if let Some(reply_to) = properties.reply_to() {
        assert_eq!(readdressed.with_reply_to(reply_to), data);
    }
    if let Some(headers) = properties.headers() {
        assert_eq!(properties.with_headers(headers), data);
        tables(headers.as_bytes());
    }
}
