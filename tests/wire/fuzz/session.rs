//! Valid sessions, frame by frame, with nothing awaited in between.

use crate::support::frame::{self, Frame};
use crate::support::raw::{PLAIN_GUEST, PROTOCOL_HEADER, client_properties, content};
use crate::support::{Payload, Properties, Table, method};

/// The protocol header, then frames.
pub(super) type Script = Vec<Vec<u8>>;

const QUEUE: &str = "fuzz-queue";
const OTHER: &str = "fuzz-other";
const REPLIES: &str = "amq.rabbitmq.reply-to";

/// One session for each part of the protocol.
pub(super) fn all() -> Vec<Script> {
    [topology, publishing, confirms, consuming, settling, transactions, replies, channels, headers, large]
        .map(|part| {
            let mut session = Session::opened();
            part(&mut session);
            session.send(0, method::close(method::CONNECTION_CLOSE));
            session.0
        })
        .into()
}

struct Session(Script);

impl Session {
    fn opened() -> Self {
        let mut session = Self(vec![PROTOCOL_HEADER.to_vec()]);
        session.send(0, method::connection_start_ok(&client_properties(), "PLAIN", PLAIN_GUEST));
        session.send(0, method::connection_tune_ok(2047, 131_072, 0));
        session.send(0, method::connection_open("/"));
        session.send(1, method::channel_open());
        session
    }

    fn send(&mut self, channel: u16, method: Payload) {
        self.0.push(Frame::new(frame::METHOD, channel, method).encode());
    }

    fn content(
        &mut self,
        channel: u16,
        method: Payload,
        properties: &Properties,
        body: &[u8],
        frame_max: usize,
    ) {
        let bytes = content(channel, method, &properties.encoded(), body, frame_max);
        let mut rest = bytes.as_slice();
        while let Some(head) = rest.first_chunk::<7>() {
            let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
            let (frame, after) = rest.split_at(size + frame::FRAME_OVERHEAD);
            self.0.push(frame.to_vec());
            rest = after;
        }
    }

    fn publish(&mut self, channel: u16, exchange: &str, key: &str, bits: u8, body: &[u8]) {
        self.content(channel, method::basic_publish(exchange, key, bits), &every_property(), body, 131_072);
    }

    fn declare(&mut self, channel: u16, queue: &str) {
        self.send(channel, method::queue_declare(queue, 0, &Table::new()));
    }

    fn consume(&mut self, channel: u16, queue: &str, tag: &str, bits: u8) {
        self.send(channel, method::basic_consume(queue, tag, bits, &Table::new().int("x-priority", 3)));
    }
}

fn every_property() -> Properties {
    let nested = Table::new().text("city", "Zürich").int("code", -7).texts("all", &["a", "b"]);
    let headers = Table::new().nested("place", &nested).boolean("yes", true).texts("CC", &[OTHER]);
    Properties::new()
        .text(Properties::CONTENT_TYPE, "text/plain")
        .text(14, "identity")
        .headers(&headers)
        .delivery_mode(2)
        .priority(4)
        .text(Properties::CORRELATION_ID, "correlation")
        .text(Properties::REPLY_TO, OTHER)
        .text(Properties::EXPIRATION, "60000")
        .text(Properties::MESSAGE_ID, "message")
        .timestamp(1_700_000_000)
        .text(5, "type")
        .text(Properties::USER_ID, "guest")
        .text(3, "application")
}

fn topology(session: &mut Session) {
    for (exchange, kind) in [
        ("fuzz-direct", "direct"),
        ("fuzz-fanout", "fanout"),
        ("fuzz-topic", "topic"),
        ("fuzz-headers", "headers"),
    ] {
        session.send(1, method::exchange_declare(exchange, kind, 0, &Table::new()));
        session.declare(1, QUEUE);
        session.send(1, method::queue_bind(QUEUE, exchange, "a.*.#", &Table::new().text("x-match", "any")));
        session.send(
            1,
            Payload::method((40, 30))
                .short(0)
                .shortstr("amq.fanout")
                .shortstr(exchange)
                .shortstr("#.b")
                .octet(0)
                .table(&Table::new()),
        );
        session.publish(1, exchange, "a.b.c", method::MANDATORY, b"routed");
        session.send(1, method::queue_unbind(QUEUE, exchange, "a.*.#", &Table::new().text("x-match", "any")));
        session.send(1, Payload::method((40, 20)).short(0).shortstr(exchange).octet(0));
    }
    session.send(1, method::queue_declare(QUEUE, method::PASSIVE, &Table::new()));
    session.send(1, method::queue_purge(QUEUE));
    session.send(1, method::queue_delete(QUEUE));
}

fn publishing(session: &mut Session) {
    session.declare(1, QUEUE);
    for body in [b"".as_slice(), b"x", &[7; 3000]] {
        session.publish(1, "", QUEUE, 0, body);
        session.publish(1, "", "fuzz-nowhere", method::MANDATORY, body);
        session.send(1, method::basic_get(QUEUE, true));
    }
    session.send(1, method::queue_delete(QUEUE));
}

fn confirms(session: &mut Session) {
    session.send(1, method::confirm_select());
    session.declare(1, OTHER);
    for _ in 0..10 {
        session.publish(1, "", OTHER, 0, b"confirmed");
    }
    session.send(1, method::queue_delete(OTHER));
}

fn consuming(session: &mut Session) {
    session.send(2, method::channel_open());
    session.send(1, method::basic_qos(3));
    session.declare(1, QUEUE);
    session.consume(1, QUEUE, "tag", 0);
    session.consume(2, QUEUE, "tag", method::CONSUME_NO_ACK);
    session.send(2, Payload::method((60, 10)).long(0).short(2).octet(1));
    for _ in 0..20 {
        session.publish(2, "", QUEUE, 0, b"delivered");
    }
    session.send(1, Payload::method((60, 30)).shortstr("tag").octet(0));
    session.send(2, method::queue_delete(QUEUE));
}

fn settling(session: &mut Session) {
    session.declare(1, OTHER);
    for _ in 0..12 {
        session.publish(1, "", OTHER, 0, b"settled");
    }
    for _ in 0..8 {
        session.send(1, method::basic_get(OTHER, false));
    }
    session.send(1, method::basic_ack(2, true));
    session.send(1, method::basic_reject(4, true));
    session.send(1, method::basic_reject(3, false));
    session.send(1, Payload::method((60, 120)).longlong(6).octet(3));
    session.send(1, Payload::method((60, 110)).octet(1));
    session.send(1, Payload::method((60, 100)).octet(1));
    session.send(1, method::basic_get(OTHER, false));
    session.send(1, method::queue_delete(OTHER));
}

fn transactions(session: &mut Session) {
    session.declare(1, QUEUE);
    for step in [20, 30, 20] {
        session.send(1, Payload::method((90, 10)));
        session.publish(1, "", QUEUE, method::MANDATORY, b"committed or not");
        session.send(1, method::basic_get(QUEUE, false));
        session.send(1, method::basic_ack(0, true));
        session.send(1, Payload::method((90, step)));
    }
    session.send(1, method::queue_delete(QUEUE));
}

fn replies(session: &mut Session) {
    session.consume(1, REPLIES, "", method::CONSUME_NO_ACK);
    session.declare(1, QUEUE);
    let asking = Properties::new().text(Properties::REPLY_TO, REPLIES);
    session.content(1, method::basic_publish("", QUEUE, 0), &asking, b"question", 131_072);
    session.send(1, method::basic_get(QUEUE, true));
    session.publish(1, "", "amq.rabbitmq.reply-to.forged.key", 0, b"answer");
    session.send(1, method::queue_delete(QUEUE));
}

fn channels(session: &mut Session) {
    for channel in [2, 3, 2047] {
        session.send(channel, method::channel_open());
        session.send(channel, method::channel_flow(true));
        session
            .send(channel, method::queue_declare("", method::EXCLUSIVE | method::AUTO_DELETE, &Table::new()));
        session.consume(channel, "", "", 0);
        session.publish(channel, "", QUEUE, 0, b"lost");
        // The second channel raises an exception, and what follows on it is dropped until this answer.
        session.send(channel, method::basic_ack(99, false));
        session.send(channel, Payload::method(method::CHANNEL_CLOSE_OK));
    }
    session.0.push(Frame::new(frame::HEARTBEAT, 0, Payload::new()).encode());
    session.send(1, method::close(method::CHANNEL_CLOSE));
}

fn headers(session: &mut Session) {
    session.declare(1, OTHER);
    let conditions = Table::new().text("x-match", "all-with-x").int("code", 7).text("x-kind", "a");
    session.send(1, method::queue_bind(OTHER, "amq.headers", "", &conditions));
    let matching = Properties::new().headers(&Table::new().int("code", 7).text("x-kind", "a"));
    session.content(1, method::basic_publish("amq.headers", "", 1), &matching, b"matching", 131_072);
    session.send(1, method::queue_unbind(OTHER, "amq.headers", "", &conditions));
    session.send(1, method::queue_delete(OTHER));
}

/// A body in many frames, and another channel's frames among them.
fn large(session: &mut Session) {
    session.send(2, method::channel_open());
    session.declare(1, QUEUE);
    let first = session.0.len();
    session.content(1, method::basic_publish("", QUEUE, 0), &every_property(), &vec![1; 60_000], 4096);
    session.send(2, method::basic_qos(1));
    session.content(2, method::basic_publish("", QUEUE, 0), &every_property(), &vec![2; 60_000], 4096);
    let last = session.0.len();
    let (even, odd): (Vec<_>, Vec<_>) = (first..last).partition(|at| *at < first.midpoint(last));
    let woven: Vec<_> = even.iter().zip(&odd).flat_map(|(one, two)| [*one, *two]).collect();
    let woven: Vec<_> = woven.into_iter().map(|at| session.0[at].clone()).collect();
    session.0.truncate(first);
    session.0.extend(woven);
    session.send(1, method::basic_get(QUEUE, true));
    session.send(1, method::queue_delete(QUEUE));
}
