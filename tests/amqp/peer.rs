//! A connection that sends and receives lines. It blocks, in the order of the wire, so that a test says exactly which frame comes when.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::line::Line;
use crate::support::Broker;

/// How long an awaited frame may take.
const DEADLINE: Duration = Duration::from_mins(1);
const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;
const FRAME_END: u8 = 0xCE;
/// Body octets in one frame that we send: what a frame of 128 KiB holds.
const CHUNK: usize = 131_072 - 8;
const CAPABILITIES: &str = "{capabilities:{consumer_cancel_notify:true,authentication_failure_close:true,basic.nack:true,\
                            publisher_confirms:true,connection.blocked:true}}";

/// One connection to a broker, of which this test sees every frame.
pub(crate) struct Peer {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Peer {
    /// A connection as guest with channel 1 open.
    pub(crate) fn connect(broker: &Broker) -> Self {
        Self::connect_with(broker, CAPABILITIES)
    }

    /// The same, with client properties of one's own.
    pub(crate) fn connect_with(broker: &Broker, client_properties: &str) -> Self {
        let mut peer = Self::dial(broker.addr());
        peer.write(b"AMQP\0\0\x09\x01");
        peer.await_method("connection.start");
        let response = "response=\"\0guest\0guest\"";
        peer.send(&format!(
            "0:connection.start-ok client-properties={client_properties} mechanism=PLAIN {response} locale=en_US"
        ));
        peer.await_method("connection.tune");
        peer.send("0:connection.tune-ok channel-max=2047 frame-max=131072 heartbeat=0");
        peer.send("0:connection.open virtual-host=/");
        peer.await_method("connection.open-ok");
        peer.open(1);
        peer
    }

    fn dial(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        Self { stream, received: Vec::new() }
    }

    pub(crate) fn open(&mut self, channel: u16) {
        self.send(&format!("{channel}:channel.open"));
        self.expect(&format!("{channel}:channel.open-ok"));
    }

    pub(crate) fn send(&mut self, line: &str) {
        self.send_line(&Line::parse(line));
    }

    /// Publishes with a body that does not fit into a line.
    pub(crate) fn publish(&mut self, line: &str, body: &[u8]) {
        let mut line = Line::parse(line);
        line.body = body.to_vec();
        self.send_line(&line);
    }

    /// Sends several lines in one write, so that the broker reads them at once.
    pub(crate) fn send_all(&mut self, lines: &[&str]) {
        let mut out = Vec::new();
        for line in lines {
            encode(&mut out, &Line::parse(line));
        }
        self.write(&out);
    }

    fn send_line(&mut self, line: &Line) {
        let mut out = Vec::new();
        encode(&mut out, line);
        self.write(&out);
    }

    fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the broker reads");
    }

    /// The next method with its content.
    pub(crate) fn next(&mut self) -> Line {
        let (kind, channel, payload) = self.frame();
        assert_eq!(kind, METHOD, "the type of a frame on channel {channel}");
        let mut line = Line::decode(channel, &payload);
        if line.method.has_content() {
            let (kind, on, payload) = self.frame();
            assert_eq!((kind, on), (HEADER, channel), "a header after {line}");
            let size = usize::try_from(line.take_header(&payload)).expect("a size");
            while line.body.len() < size {
                let (kind, on, payload) = self.frame();
                assert_eq!((kind, on), (BODY, channel), "a body after {line}");
                line.body.extend(payload);
            }
            assert_eq!(line.body.len(), size, "the size of the body of {line}");
        }
        line
    }

    /// The next method, waiting for it as long as `waiting` says so.
    pub(crate) fn try_next(&mut self, waiting: impl Fn() -> bool) -> Option<Line> {
        let deadline = Instant::now() + DEADLINE;
        while self.received.is_empty() {
            if !waiting() {
                return None;
            }
            assert!(Instant::now() < deadline, "nothing came within {DEADLINE:?}");
            self.fill(Duration::from_millis(20));
        }
        Some(self.next())
    }

    fn frame(&mut self) -> (u8, u16, Vec<u8>) {
        loop {
            let head = self.octets(7).expect("another frame");
            let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
            let mut payload = self.octets(size as usize + 1).expect("the rest of a frame");
            assert_eq!(payload.pop(), Some(FRAME_END));
            if head[0] != HEARTBEAT {
                return (head[0], u16::from_be_bytes([head[1], head[2]]), payload);
            }
        }
    }

    /// The next octets, or `None` at the end of the connection.
    fn octets(&mut self, count: usize) -> Option<Vec<u8>> {
        let deadline = Instant::now() + DEADLINE;
        while self.received.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "nothing came within {DEADLINE:?}");
            if !self.fill(left) {
                return None;
            }
        }
        Some(self.received.drain(..count).collect())
    }

    /// Reads what there is, or waits for some time for more. False at the end of the connection.
    fn fill(&mut self, wait: Duration) -> bool {
        self.stream.set_read_timeout(Some(wait)).expect("a timeout");
        let mut buffer = [0; 16_384];
        match self.stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(read) => self.received.extend(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return false,
            Err(error) => assert!(
                matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted),
                "{error}"
            ),
        }
        true
    }

    /// The next method is this one; its fields may be any.
    pub(crate) fn await_method(&mut self, name: &str) -> Line {
        let line = self.next();
        assert_eq!(line.method.name, name, "got {line}");
        line
    }

    /// The next method is the one that the line describes.
    pub(crate) fn expect(&mut self, expected: &str) -> Line {
        let line = self.next();
        let expected = Line::parse(expected);
        assert!(line.is(&expected), "\nexpected {expected}\nreceived {line}");
        line
    }

    /// Sends a request whose reply, whatever its fields, comes next. With `no-wait` there is none to wait for.
    pub(crate) fn ok(&mut self, request: &str) -> Line {
        self.send(request);
        let request = Line::parse(request);
        let line = self.next();
        assert_eq!(
            (line.channel, line.method.name),
            (request.channel, &*format!("{}-ok", request.method.name)),
            "got {line}"
        );
        line
    }

    /// Plays a conversation: `>` before what we send, `<` before what must come, in this order and with nothing in between.
    pub(crate) fn talk(&mut self, script: &str) {
        for row in script.lines().map(str::trim).filter(|row| !row.is_empty()) {
            match row.split_at(1) {
                (">", line) => self.send(line),
                ("<", line) => drop(self.expect(line)),
                _ => panic!("neither sent nor received: {row}"),
            }
        }
    }

    /// The request closes its channel, with the code, the text after the code's name, and the request's class and method ids. The channel
    /// is opened again.
    pub(crate) fn refused(&mut self, request: &str, code: u16, text: &str) {
        self.send(request);
        self.closed(request, code, text);
    }

    /// What was sent last closes its channel, which is opened again.
    pub(crate) fn closed(&mut self, request: &str, code: u16, text: &str) {
        let request = Line::parse(request);
        let line = self.next();
        let channel = request.channel;
        assert_exception(&line, &request, channel, "channel.close", code, text);
        self.send(&format!("{channel}:channel.close-ok"));
        self.open(channel);
    }

    /// The request closes the connection, with the code, the text after the code's name, and the request's class and method ids.
    pub(crate) fn disconnected(mut self, request: &str, code: u16, text: &str) {
        self.send(request);
        let line = self.next();
        assert_exception(&line, &Line::parse(request), 0, "connection.close", code, text);
        self.send("0:connection.close-ok");
        self.ended();
    }

    /// Closes the connection in the orderly way.
    pub(crate) fn close(mut self) {
        self.send("0:connection.close reply-code=200 reply-text=bye");
        self.await_method("connection.close-ok");
    }

    /// The broker closes the socket, with no frame before.
    pub(crate) fn ended(mut self) {
        let rest = self.octets(7);
        assert_eq!(rest, None, "frames instead of the end");
    }

    /// How many messages a queue holds ready and how many consumers it has, asked on a channel where nothing else is under way.
    pub(crate) fn counts(&mut self, channel: u16, queue: &str) -> (u64, u64) {
        let line = self.ok(&format!("{channel}:queue.declare queue={queue} passive"));
        (line.number("message-count"), line.number("consumer-count"))
    }

    /// Waits until a queue has these many messages and consumers. For what another connection's end causes: nobody tells us of it.
    pub(crate) fn await_counts(&mut self, channel: u16, queue: &str, counts: (u64, u64)) {
        let deadline = Instant::now() + DEADLINE;
        while self.counts(channel, queue) != counts {
            assert!(Instant::now() < deadline, "{queue} never has {counts:?}");
            std::thread::yield_now();
        }
    }

    /// Waits until nothing takes a message that is published with these fields. For queues that go with another connection.
    pub(crate) fn await_unroutable(&mut self, fields: &str) {
        self.ok("confirm.select");
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.send(&format!("basic.publish {fields} mandatory"));
            if self.next().method.name == "basic.return" {
                self.await_method("basic.ack");
                return;
            }
            assert!(Instant::now() < deadline, "{fields} is always routed");
        }
    }

    /// Takes all that a queue has, and returns the bodies.
    pub(crate) fn drain(&mut self, channel: u16, queue: &str) -> Vec<String> {
        let mut bodies = Vec::new();
        loop {
            self.send(&format!("{channel}:basic.get queue={queue} no-ack"));
            let line = self.next();
            match line.method.name {
                "basic.get-ok" => bodies.push(line.text()),
                "basic.get-empty" => return bodies,
                _ => panic!("got {line}"),
            }
        }
    }
}

fn encode(out: &mut Vec<u8>, line: &Line) {
    frame(out, METHOD, line.channel, &line.arguments());
    if line.method.has_content() {
        frame(out, HEADER, line.channel, &line.header());
        line.body.chunks(CHUNK).for_each(|chunk| frame(out, BODY, line.channel, chunk));
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, channel: u16, payload: &[u8]) {
    out.push(kind);
    out.extend(channel.to_be_bytes());
    out.extend(u32::try_from(payload.len()).expect("a frame").to_be_bytes());
    out.extend(payload);
    out.push(FRAME_END);
}

fn assert_exception(line: &Line, request: &Line, channel: u16, method: &str, code: u16, text: &str) {
    let seen = (line.channel, line.method.name, line.number("reply-code"), line.get("reply-text"));
    let text = format!("{} - {text}", name_of(code));
    assert_eq!(seen, (channel, method, u64::from(code), text.as_str()), "\nafter {request}\ngot {line}");
    let ids = (line.number("class-id"), line.number("method-id"));
    assert_eq!(ids, (u64::from(request.method.class), u64::from(request.method.id)), "the ids in {line}");
}

fn name_of(code: u16) -> &'static str {
    match code {
        320 => "CONNECTION_FORCED",
        403 => "ACCESS_REFUSED",
        404 => "NOT_FOUND",
        405 => "RESOURCE_LOCKED",
        406 => "PRECONDITION_FAILED",
        503 => "COMMAND_INVALID",
        530 => "NOT_ALLOWED",
        540 => "NOT_IMPLEMENTED",
        _ => panic!("no name for {code}"),
    }
}
