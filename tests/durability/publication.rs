//! The messages of a crash test. Everything about one follows from its number, so that it can be known again byte for
//! byte without having been kept.

use std::fmt;

use crate::random::{Random, mixed};
use crate::support::frame::Arguments;
use crate::support::{Message, Payload, Properties, Table, method};

/// Which message: the stream of publishing (one of a channel), and its place in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(crate) stream: u32,
    pub(crate) number: u32,
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.stream, self.number)
    }
}

/// A queue that the whole test keeps, by what its consumers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Queue {
    /// Acknowledged, or rejected for good.
    Ack,
    /// Given back now and then.
    Requeue,
    /// Delivered without acknowledgement.
    Auto,
    /// Nobody consumes it while there is load.
    Idle,
    /// Settled in transactions, by two consumers at a time.
    Tx,
    /// Taken with basic.get.
    Get,
}

impl Queue {
    pub(crate) const ALL: [Self; 6] = [Self::Ack, Self::Requeue, Self::Auto, Self::Idle, Self::Tx, Self::Get];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Requeue => "requeue",
            Self::Auto => "auto",
            Self::Idle => "idle",
            Self::Tx => "tx",
            Self::Get => "get",
        }
    }
}

/// Where messages are sent: exchange, routing key, and the queues that they come to.
type Route = (&'static str, &'static str, &'static [Queue]);

const ROUTES: [Route; 10] = [
    ("", "ack", &[Queue::Ack]),
    ("", "requeue", &[Queue::Requeue]),
    ("", "auto", &[Queue::Auto]),
    ("", "idle", &[Queue::Idle]),
    ("", "tx", &[Queue::Tx]),
    ("", "get", &[Queue::Get]),
    ("fan", "whatever", &[Queue::Ack, Queue::Idle, Queue::Tx]),
    ("topics", "a.b.c", &[Queue::Requeue, Queue::Tx]),
    ("topics", "x.y", &[Queue::Idle]),
    ("heads", "", &[Queue::Get]),
];
/// What the route of a barrier is: one queue, that always takes it.
const BARRIER: Route = ("", "idle", &[Queue::Idle]);

/// What the queue `get` is bound to the headers exchange with.
pub(crate) fn colour() -> Table {
    Table::new().text("colour", "red")
}

/// A message as it is published.
pub(crate) struct Publication {
    pub(crate) id: Id,
    pub(crate) is_persistent: bool,
    pub(crate) exchange: &'static str,
    pub(crate) routing_key: &'static str,
    pub(crate) queues: &'static [Queue],
    size: usize,
    bits: u64,
}

impl Publication {
    /// The message of this number in the test with this seed.
    pub(crate) fn of(seed: u64, id: Id) -> Self {
        let bits = mixed(seed ^ mixed(u64::from(id.stream) << 32 | u64::from(id.number)));
        let mut random = Random::new(bits);
        let is_barrier = is_barrier(id.stream);
        let (exchange, routing_key, queues) = if is_barrier { BARRIER } else { *random.choose(&ROUTES) };
        let is_persistent = is_barrier || !random.once_in(7);
        let size_max = match random.below(100) {
            _ if is_barrier => 10,
            0 => 200_000,
            1..=4 => 40_000,
            5..=30 => 4_000,
            _ => 200,
        };
        let size = usize::try_from(random.below(size_max)).unwrap() + 1;
        Self { id, is_persistent, exchange, routing_key, queues, size, bits }
    }

    pub(crate) fn method(&self) -> Payload {
        method::basic_publish(self.exchange, self.routing_key, method::MANDATORY)
    }

    /// Flags and values of the properties: always a message-id, by which the message is known again.
    pub(crate) fn properties(&self) -> Vec<u8> {
        let has = |bit: u32| self.bits >> bit & 1 == 1;
        let mut properties = Properties::new();
        if has(0) {
            properties = properties.text(Properties::CONTENT_TYPE, "application/octet-stream");
        }
        if has(1) || self.exchange == "heads" {
            let deep = Table::new().texts("list", &["one", "", "thr\u{e9}e"]).int("bits", -1);
            let headers = Table::new().text("padding", &"p".repeat(usize::from(self.bits.to_le_bytes()[5])));
            let headers = headers.nested("deep", &deep).boolean("yes", has(2));
            let colour = if self.exchange == "heads" { "red" } else { "blue" };
            properties = properties.headers(&headers.text("colour", colour));
        }
        properties = properties.delivery_mode(if self.is_persistent { 2 } else { 1 });
        if has(3) {
            properties = properties.priority(self.bits.to_le_bytes()[6] % 10);
        }
        if has(4) {
            properties = properties.text(Properties::CORRELATION_ID, format!("{:x}", self.bits));
        }
        properties = properties.text(Properties::MESSAGE_ID, format!("{:?}", self.id));
        if has(5) {
            properties = properties.timestamp(self.bits);
        }
        properties.encoded()
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let mut body = vec![0; self.size];
        // Each eight octets are their place's own, so that no piece can stand for another.
        for (place, octets) in body.chunks_mut(8).enumerate() {
            let word = self.bits.wrapping_add((place as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            octets.copy_from_slice(&word.to_le_bytes()[..octets.len()]);
        }
        body
    }

    /// What of the message is not as it was published.
    pub(crate) fn difference(&self, message: &Message) -> Option<String> {
        let (properties, body) = (self.properties(), self.body());
        if (message.exchange.as_str(), message.routing_key.as_str()) != (self.exchange, self.routing_key) {
            Some(format!("sent to {:?} {:?}", message.exchange, message.routing_key))
        } else if message.properties != properties {
            let (seen, sent) = (message.properties.escape_ascii(), properties.escape_ascii());
            Some(format!("properties {seen} instead of {sent}"))
        } else if message.body != body {
            let same = message.body.iter().zip(&body).take_while(|(seen, sent)| seen == sent).count();
            Some(format!("{} of {} octets, different from octet {same} on", message.body.len(), body.len()))
        } else {
            None
        }
    }
}

/// Streams of which every message is persistent and goes to one queue that takes it: when it is confirmed, what the
/// connection did before is on the disk.
pub(crate) fn is_barrier(stream: u32) -> bool {
    stream % 2 == 1
}

/// The message-id, if the properties are well-formed up to there and it is one of ours.
pub(crate) fn id_in(properties: &[u8]) -> Option<Id> {
    let mut arguments = Arguments(properties);
    let flags = arguments.short();
    for bit in (8..16).rev().filter(|bit| flags >> bit & 1 == 1) {
        match bit {
            13 => drop(arguments.longstr()),
            12 | 11 => drop(arguments.octet()),
            _ => drop(arguments.shortstr()),
        }
    }
    if flags >> 7 & 1 == 0 {
        return None;
    }
    let text = arguments.shortstr();
    let (stream, number) = text.split_once('-')?;
    Some(Id { stream: stream.parse().ok()?, number: number.parse().ok()? })
}
