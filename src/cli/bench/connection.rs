//! One connection to a broker, from the client's side: handshake, calls, and the raw reads and writes of the load.
//!
//! The socket never blocks: whoever has to wait says for how long. Nothing here allocates once the buffers have their
//! size.

use super::failure::Failure;
use super::skim::{Skimmed, skim};
use super::socket::Socket;
use super::url::AmqpUrl;
use bytes::BytesMut;
use leveret_protocol::decode::PROTOCOL_HEADER;
use leveret_protocol::method::{channel, connection};
use leveret_protocol::{Decoder, Event, Method, Table, TableBuf, TableBuilder, encode, limits};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

/// The one channel that a connection of the load generator uses.
pub(super) const CHANNEL: u16 = 1;
/// How long a broker may take to answer a call; deleting a long queue takes its time.
const CALL_MAX: Duration = Duration::from_mins(1);
/// How long each answer of the handshake may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a broker may take to agree to a close.
const CLOSE_MAX: Duration = Duration::from_secs(3);

/// A connection and what has been read from it but not yet looked at.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Socket,
    decoder: Decoder,
    input: Box<[u8]>,
    seen: usize,
    filled: usize,
    output: BytesMut,
    answer_max: Duration,
    /// The largest frame in bytes, as negotiated.
    pub(super) frame_max: u32,
    /// The broker's name and version as its server-properties say.
    pub(super) broker: String,
    /// Why the broker takes no publishes at the moment.
    pub(super) blocked: Option<String>,
}

/// What came of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// There are new bytes.
    Some,
    /// There were none.
    Nothing,
}

impl Connection {
    /// Connects and logs in. Reads up to `input_bytes` at a time.
    pub(super) fn open(url: &AmqpUrl, input_bytes: usize) -> Result<Self, Failure> {
        let stream =
            Socket::connect(url).map_err(|why| Failure::during(format!("cannot connect to {url}"), why))?;
        let mut opening = Self {
            stream,
            decoder: Decoder::new(limits::FRAME_MAX_DEFAULT),
            input: vec![0; input_bytes.max(limits::INITIAL_FRAME_MAX as usize)].into_boxed_slice(),
            seen: 0,
            filled: 0,
            output: BytesMut::new(),
            answer_max: CONNECT_MAX,
            frame_max: limits::FRAME_MAX_DEFAULT,
            broker: String::new(),
            blocked: None,
        };
        opening.shake_hands(url).map_err(|why| Failure::during(format!("cannot log in to {url}"), why))?;
        opening.answer_max = CALL_MAX;
        Ok(opening)
    }

    fn shake_hands(&mut self, url: &AmqpUrl) -> Result<(), Failure> {
        self.output.extend_from_slice(&PROTOCOL_HEADER);
        self.broker = self.expect(|method| match method {
            Method::Connection(connection::Method::Start(start)) => {
                Some(broker_name(start.server_properties))
            }
            _ => None,
        })?;
        let response = [b"\0", url.user.as_bytes(), b"\0", url.password.as_bytes()].concat();
        let properties = client_properties();
        self.send(
            0,
            connection::StartOk {
                client_properties: properties.as_table(),
                mechanism: "PLAIN",
                response: &response,
                locale: "en_US",
            },
        );
        let tune = self.expect(|method| match method {
            Method::Connection(connection::Method::Tune(tune)) => Some(*tune),
            _ => None,
        })?;
        if tune.frame_max != 0 {
            self.frame_max = self.frame_max.min(tune.frame_max);
        }
        // Heartbeats would be load that nobody asked for; a broker that dies resets the connection.
        let tuned =
            connection::TuneOk { channel_max: tune.channel_max, frame_max: self.frame_max, heartbeat: 0 };
        self.send(0, tuned);
        self.send(0, connection::Open { virtual_host: &url.vhost });
        self.expect(|method| {
            matches!(method, Method::Connection(connection::Method::OpenOk(_))).then_some(())
        })
    }

    /// Opens the channel.
    pub(super) fn open_channel(&mut self) -> Result<(), Failure> {
        self.call(channel::Open {}, |method| {
            matches!(method, Method::Channel(channel::Method::OpenOk(_))).then_some(())
        })
    }

    /// Puts a method into the output; [`Self::flush`] or a call sends it.
    pub(super) fn send<'m>(&mut self, channel: u16, method: impl Into<Method<'m>>) {
        encode::method(channel, &method.into(), &mut self.output);
    }

    /// Bytes of output that wait to be sent.
    pub(super) fn unsent(&self) -> usize {
        self.output.len()
    }

    /// Sends a method on the channel and waits for the answer that `answer` recognises.
    pub(super) fn call<'m, T>(
        &mut self,
        method: impl Into<Method<'m>>,
        answer: impl Fn(&Method<'_>) -> Option<T>,
    ) -> Result<T, Failure> {
        self.send(CHANNEL, method);
        self.expect(answer)
    }

    /// Sends the output and waits for the method that `answer` recognises. Other methods are passed over.
    pub(super) fn expect<T>(&mut self, answer: impl Fn(&Method<'_>) -> Option<T>) -> Result<T, Failure> {
        let deadline = Instant::now() + self.answer_max;
        self.flush_until(deadline)?;
        loop {
            while let Some(event) = self.next()? {
                if let Event::Method { method, .. } = event
                    && let Some(answer) = answer(&method)
                {
                    return Ok(answer);
                }
            }
            if self.fill()? == Filled::Nothing {
                self.wait_until(PollFlags::IN, deadline)?;
            }
        }
    }

    /// Sends the whole output, for as long as that may take a broker that is alive.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.flush_until(Instant::now() + CALL_MAX)
    }

    fn flush_until(&mut self, deadline: Instant) -> Result<(), Failure> {
        while !self.output.is_empty() {
            let output = std::mem::take(&mut self.output);
            let written = self.write(&output);
            self.output = output;
            match written? {
                0 => self.wait_until(PollFlags::OUT, deadline)?,
                written => drop(self.output.split_to(written)),
            }
        }
        Ok(())
    }

    /// Writes what the socket takes now, perhaps nothing.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize, Failure> {
        match self.stream.write(bytes) {
            Ok(written) => Ok(written),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
            Err(error) => Err(self.last_words().unwrap_or_else(|| error.into())),
        }
    }

    /// Why the broker closed, if it said so before it stopped reading.
    fn last_words(&mut self) -> Option<Failure> {
        while let Ok(Filled::Some) = self.fill() {
            loop {
                match self.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(why) => return Some(why),
                }
            }
        }
        None
    }

    /// Reads what is there. Looked-at input goes, so events must not be kept.
    pub(super) fn fill(&mut self) -> Result<Filled, Failure> {
        self.make_room();
        let Some(room) = self.input.get_mut(self.filled..) else { return Ok(Filled::Nothing) };
        match self.stream.read(room) {
            Ok(0) => Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
            Ok(count) => {
                self.filled += count;
                Ok(Filled::Some)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Ok(Filled::Nothing)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Only the piece of a frame that has not come whole is left when this is called, so that little is moved.
    fn make_room(&mut self) {
        self.input.copy_within(self.seen..self.filled, 0);
        self.filled -= self.seen;
        self.seen = 0;
        if self.filled == self.input.len() {
            let mut larger = vec![0; self.input.len() * 2];
            larger.iter_mut().zip(&self.input).for_each(|(to, from)| *to = *from);
            self.input = larger.into_boxed_slice();
        }
    }

    /// The next event of what has been read. A close by the broker is an error that says what the broker said.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Event<'_>>, Failure> {
        let input = self.input.get(self.seen..self.filled).unwrap_or_default();
        match self.decoder.next(input) {
            Ok(Some((used, event))) => {
                self.seen += used;
                if let Event::Method { method: Method::Connection(method), .. } = event {
                    told(&method, &mut self.blocked)?;
                } else if let Event::Method {
                    method: Method::Channel(channel::Method::Close(close)), ..
                } = event
                {
                    return Err(closed("channel", close.reply_code, close.reply_text));
                }
                Ok(Some(event))
            }
            Ok(None) => Ok(None),
            Err(_) if input.starts_with(b"AMQP") => Err(Failure::new("the broker does not speak AMQP 0-9-1")),
            Err(why) => Err(Failure::during("the broker sent what is not AMQP 0-9-1", why.reply_text())),
        }
    }

    /// The next delivery, if it is there whole and small; anything else is for [`Self::next`]. To be asked only where
    /// a frame begins or the last octet of one is missing.
    #[inline]
    pub(super) fn skim(&mut self) -> Option<Skimmed> {
        let skimmed = skim(self.input.get(self.seen..self.filled)?)?;
        self.seen += skimmed.used;
        Some(skimmed)
    }

    /// Waits until the socket can be read or written as `interest` says, at most `longest`.
    pub(super) fn wait(&mut self, interest: PollFlags, longest: Duration) -> Result<PollFlags, Failure> {
        if self.stream.has_more() && interest.contains(PollFlags::IN) {
            return Ok(PollFlags::IN);
        }
        // What is encrypted goes on its way whatever is waited for.
        let interest = if self.stream.push()? { interest | PollFlags::OUT } else { interest };
        let mut sockets = [PollFd::new(&self.stream, interest)];
        let timeout = Timespec {
            tv_sec: i64::try_from(longest.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: longest.subsec_nanos().into(),
        };
        match poll(&mut sockets, Some(&timeout)) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(PollFlags::empty()),
            Err(error) => return Err(io::Error::from(error).into()),
        }
        let [socket] = sockets;
        Ok(socket.revents())
    }

    fn wait_until(&mut self, interest: PollFlags, deadline: Instant) -> Result<(), Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::new("the broker does not answer"));
        }
        self.wait(interest, left).map(drop)
    }

    /// Closes as the protocol asks, but does not wait long for the broker's consent.
    pub(super) fn close(mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + CLOSE_MAX;
        let goodbye = connection::Close { reply_code: 200, reply_text: "Goodbye", class_id: 0, method_id: 0 };
        self.send(0, goodbye);
        self.flush_until(deadline)?;
        loop {
            while let Some(event) = self.next()? {
                if let Event::Method { method: Method::Connection(connection::Method::CloseOk(_)), .. } =
                    event
                {
                    return Ok(());
                }
            }
            if self.fill()? == Filled::Nothing {
                self.wait_until(PollFlags::IN, deadline)?;
            }
        }
    }
}

fn client_properties() -> TableBuf {
    let capabilities = TableBuilder::new()
        .bool("authentication_failure_close", true)
        .bool("basic.nack", true)
        .bool("connection.blocked", true)
        .bool("publisher_confirms", true)
        .finish();
    TableBuilder::new()
        .string("product", "leveret bench")
        .string("version", env!("CARGO_PKG_VERSION"))
        .table("capabilities", capabilities.as_table())
        .finish()
}

fn broker_name(properties: Table<'_>) -> String {
    let text = |key| properties.get(key).and_then(|value| value.as_str().map(str::to_owned));
    // Leveret says RabbitMQ to those who ask for the product, and its own name beside it.
    let (product, version) = match text("broker") {
        Some(broker) => (broker, text("broker_version")),
        None => (text("product").unwrap_or_else(|| "unnamed broker".to_owned()), text("version")),
    };
    version.map_or(product.clone(), |version| format!("{product} {version}"))
}

#[cold]
fn told(method: &connection::Method<'_>, blocked: &mut Option<String>) -> Result<(), Failure> {
    match method {
        connection::Method::Close(close) => {
            return Err(closed("connection", close.reply_code, close.reply_text));
        }
        connection::Method::Blocked(why) => *blocked = Some(why.reason.to_owned()),
        connection::Method::Unblocked(_) => *blocked = None,
        _ => {}
    }
    Ok(())
}

#[cold]
fn closed(what: &str, code: u16, text: &str) -> Failure {
    Failure::new(format!("the broker closed the {what}: {code} {text}"))
}
