//! A client that sends what it is told to, right or wrong, and says exactly what came back.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::frame::{BODY, FRAME_OVERHEAD, Frame, HEADER, HEARTBEAT, METHOD};
use super::method::{self, basic_get, basic_publish, channel_open, queue_declare};
use super::{Broker, Payload, Properties, Table};

/// How long the broker may take for anything that has no time of its own.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) const PROTOCOL_HEADER: &[u8; 8] = b"AMQP\0\0\x09\x01";

/// guest with the password guest, as PLAIN wants it.
pub(crate) const PLAIN_GUEST: &[u8] = b"\0guest\0guest";

/// A blocking connection to a broker.
pub(crate) struct Raw {
    stream: TcpStream,
    received: Vec<u8>,
    pub(super) frame_max: usize,
    pub(super) external: bool,
}

/// What came within a time: a frame, the end of the connection, or nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Frame(Frame),
    /// End of the stream or reset, after `usize` bytes that make no frame.
    End(usize),
    Silence,
}

/// A message as it came out of the broker.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) delivery_tag: u64,
    pub(crate) redelivered: bool,
    pub(crate) exchange: String,
    pub(crate) routing_key: String,
    /// Flags and values as they stood in the header frame.
    pub(crate) properties: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl Raw {
    /// A TCP connection on which nothing has been sent.
    pub(crate) fn tcp(broker: &Broker) -> Self {
        let stream = TcpStream::connect(broker.addr()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Self { stream, received: Vec::new(), frame_max: 131_072, external: broker.is_external() }
    }

    /// An open connection of guest to `/`, with what the broker offers, but without heartbeats.
    pub(crate) fn connect(broker: &Broker) -> Self {
        let mut raw = Self::tuning(broker);
        let (channel_max, frame_max, _) = raw.expect_tune();
        raw.tune_and_open(channel_max, frame_max, 0);
        raw
    }

    /// An open connection with limits of the client's choice; `heartbeat` in seconds.
    pub(crate) fn connect_tuned(broker: &Broker, channel_max: u16, frame_max: u32, heartbeat: u16) -> Self {
        let mut raw = Self::tuning(broker);
        raw.expect_tune();
        raw.tune_and_open(channel_max, frame_max, heartbeat);
        raw
    }

    /// A connection that has sent the protocol header and received connection.start.
    pub(crate) fn started(broker: &Broker) -> Self {
        let mut raw = Self::tcp(broker);
        raw.send_bytes(PROTOCOL_HEADER);
        raw.expect(0, method::CONNECTION_START);
        raw
    }

    /// A connection that has logged in as guest and is about to receive connection.tune.
    pub(crate) fn tuning(broker: &Broker) -> Self {
        let mut raw = Self::started(broker);
        raw.send(0, method::connection_start_ok(&client_properties(), "PLAIN", PLAIN_GUEST));
        raw
    }

    /// `channel_max`, `frame_max` and heartbeat of the connection.tune that comes now.
    #[track_caller]
    pub(crate) fn expect_tune(&mut self) -> (u16, u32, u16) {
        let tune = self.expect(0, method::CONNECTION_TUNE);
        let mut arguments = tune.arguments();
        (arguments.short(), arguments.long(), arguments.short())
    }

    #[track_caller]
    fn tune_and_open(&mut self, channel_max: u16, frame_max: u32, heartbeat: u16) {
        self.send(0, method::connection_tune_ok(channel_max, frame_max, heartbeat));
        self.frame_max = frame_max as usize;
        self.send(0, method::connection_open("/"));
        self.expect(0, method::CONNECTION_OPEN_OK);
    }

    /// Sends bytes. A peer that is gone is no error here: the next receive shows what it had to say.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        match self.stream.write_all(bytes) {
            Err(error) if !is_end(&error) => panic!("cannot send {} bytes: {error}", bytes.len()),
            _ => {}
        }
    }

    /// Sends as many of the bytes as the peer takes before it has taken none for `patience`.
    pub(crate) fn send_some(&mut self, bytes: &[u8], patience: Duration) -> usize {
        self.stream.set_write_timeout(Some(patience)).unwrap();
        let mut sent = 0;
        while sent < bytes.len() {
            match self.stream.write(&bytes[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) || is_end(&error) => break,
                Err(error) => panic!("cannot send: {error}"),
            }
        }
        self.stream.set_write_timeout(Some(DEADLINE)).unwrap();
        sent
    }

    /// Sends a method.
    pub(crate) fn send(&mut self, channel: u16, method: Payload) {
        self.send_frame(METHOD, channel, method);
    }

    pub(crate) fn send_frame(&mut self, kind: u8, channel: u16, payload: Payload) {
        self.send_bytes(&Frame::new(kind, channel, payload).encode());
    }

    pub(crate) fn send_heartbeat(&mut self) {
        self.send_frame(HEARTBEAT, 0, Payload::new());
    }

    /// Publishes without any bit set.
    pub(crate) fn publish(
        &mut self,
        channel: u16,
        exchange: &str,
        key: &str,
        properties: &Properties,
        body: &[u8],
    ) {
        let method = basic_publish(exchange, key, 0);
        self.send_bytes(&content(channel, method, &properties.encoded(), body, self.frame_max));
    }

    /// Publishes with this method and these properties, flags and values as they are.
    pub(crate) fn publish_with(&mut self, channel: u16, method: Payload, properties: &[u8], body: &[u8]) {
        self.send_bytes(&content(channel, method, properties, body, self.frame_max));
    }

    /// The next thing to come within this time.
    pub(crate) fn recv_within(&mut self, time: Duration) -> Received {
        let deadline = Instant::now() + time;
        let mut buffer = vec![0; 65_536];
        loop {
            if let Some(frame) = Frame::take(&mut self.received) {
                return Received::Frame(frame);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Received::Silence;
            }
            self.stream.set_read_timeout(Some(left)).unwrap();
            match self.stream.read(&mut buffer) {
                Ok(0) => return Received::End(self.received.len()),
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(error) if is_end(&error) => return Received::End(self.received.len()),
                Err(error) if is_timeout(&error) || error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("cannot receive: {error}"),
            }
        }
    }

    /// Whether something has come that was not received yet, which leaves it there.
    pub(crate) fn has_received(&mut self) -> bool {
        self.stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        !self.received.is_empty() || self.stream.peek(&mut [0]).is_ok()
    }

    /// The next thing that is no heartbeat.
    pub(crate) fn next(&mut self) -> Received {
        loop {
            match self.recv_within(DEADLINE) {
                Received::Frame(frame) if frame.kind == HEARTBEAT => {}
                received => return received,
            }
        }
    }

    /// The next frame that is no heartbeat.
    #[track_caller]
    pub(crate) fn recv(&mut self) -> Frame {
        match self.next() {
            Received::Frame(frame) => frame,
            other => panic!("a frame is due, but: {other:?}"),
        }
    }

    /// Exactly `length` bytes, which need not be a frame.
    #[track_caller]
    pub(crate) fn recv_bytes(&mut self, length: usize) -> Vec<u8> {
        assert!(self.received.is_empty(), "before the first frame only");
        let mut bytes = vec![0; length];
        self.stream.set_read_timeout(Some(DEADLINE)).unwrap();
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    #[track_caller]
    pub(crate) fn open_channel(&mut self, channel: u16) {
        self.send(channel, channel_open());
        self.expect(channel, method::CHANNEL_OPEN_OK);
    }

    /// Shows that the channel is open and serves: a round trip with no effect.
    #[track_caller]
    pub(crate) fn expect_open(&mut self, channel: u16) {
        self.send(channel, method::basic_qos(0));
        self.expect(channel, (60, 11));
    }

    /// Declares a queue and returns its name.
    #[track_caller]
    pub(crate) fn declare(&mut self, channel: u16, name: &str, bits: u8, arguments: &Table) -> String {
        self.send(channel, queue_declare(name, bits, arguments));
        self.expect(channel, method::QUEUE_DECLARE_OK).arguments().shortstr()
    }

    /// Declares an exclusive queue whose name the broker makes, and returns the name.
    #[track_caller]
    pub(crate) fn declare_own(&mut self, channel: u16) -> String {
        self.declare(channel, "", method::EXCLUSIVE, &Table::new())
    }

    /// The number of ready messages, from a passive declare.
    #[track_caller]
    pub(crate) fn message_count(&mut self, channel: u16, queue: &str) -> u32 {
        self.send(channel, queue_declare(queue, method::PASSIVE, &Table::new()));
        let declared = self.expect(channel, method::QUEUE_DECLARE_OK);
        let mut arguments = declared.arguments();
        arguments.shortstr();
        arguments.long()
    }

    /// Takes one message without acknowledgement.
    #[track_caller]
    pub(crate) fn get(&mut self, channel: u16, queue: &str) -> Option<Message> {
        self.send(channel, basic_get(queue, true));
        let frame = self.recv();
        assert_eq!(frame.channel, channel, "{frame:?}");
        match frame.method() {
            Some(method::BASIC_GET_EMPTY) => None,
            Some(method::BASIC_GET_OK) => Some(self.message(&frame, false)),
            _ => panic!("basic.get-ok or get-empty is due, but: {frame:?}"),
        }
    }
}

/// A method with its content: header and as many body frames as `frame_max` makes necessary.
pub(crate) fn content(
    channel: u16,
    method: Payload,
    properties: &[u8],
    body: &[u8],
    frame_max: usize,
) -> Vec<u8> {
    let header = Payload::header(60, 0, body.len() as u64).bytes(properties);
    let mut bytes = Frame::new(METHOD, channel, method).encode();
    bytes.extend(Frame::new(HEADER, channel, header).encode());
    for part in body.chunks(frame_max - FRAME_OVERHEAD) {
        bytes.extend(Frame::new(BODY, channel, Payload::new().bytes(part)).encode());
    }
    bytes
}

/// What a well-behaved client says about itself.
pub(crate) fn client_properties() -> Table {
    let capabilities =
        ["authentication_failure_close", "connection.blocked", "consumer_cancel_notify", "basic.nack"];
    let capabilities = capabilities.iter().fold(Table::new(), |table, name| table.boolean(name, true));
    Table::new().text("product", "raw").nested("capabilities", &capabilities)
}

fn is_end(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted)
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
