//! A client at the other end of a connection without a socket, and the broker around it.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use leveret_protocol::method::{Method, basic, channel};
use leveret_protocol::properties::Properties;
use leveret_protocol::table::TableBuilder;
use leveret_protocol::{Decoder, Event, encode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::task::JoinHandle;

use super::super::open::End;
use super::super::throttle::{ConnectionState, Throttle};
use super::super::*;
use super::held_disk::{Gate, HeldDisk};
use crate::auth::DEFAULT_VHOST;
use crate::config::Durability;
use crate::name::{ConnectionId, QueueName};
use crate::queue::Queue;
use crate::queue::options::QueueOptions;
use crate::store::StoreHandle;
use crate::store::definitions::Opened;
use crate::store::journal::{Journal, Limits, Start};
use crate::store::recovery::{Alive, Recovery};
use crate::store::temporary::Temporary;
use crate::vhost::Vhost;
use crate::vhost::VhostStore;
use crate::vhost::topology::Declared;

/// What the pipe holds in each direction, in bytes.
pub(super) const PIPE_BYTES: usize = 64 * 1024;
/// Only a test that fails waits for so long.
const DEADLINE: Duration = Duration::from_mins(1);
/// Delivery mode 2 and nothing else.
const PERSISTENT: [u8; 3] = [0x10, 0x00, 2];

/// A broker with a journal on a disk that waits.
pub(super) struct Kept {
    _data: Temporary,
    pub(super) environment: Environment,
    pub(super) vhost: Arc<Vhost>,
    pub(super) gate: Arc<Gate>,
    disk: Arc<HeldDisk>,
}

impl Kept {
    pub(super) fn new(durability: Durability) -> Self {
        Self::with_store(durability, StoreHandle::in_memory())
    }

    pub(super) fn with_store(durability: Durability, handle: StoreHandle) -> Self {
        let (disk, gate) = HeldDisk::new();
        let data = Temporary::new();
        let limits = Limits { file_bytes: 1 << 20, margin_bytes: 1 << 16, ..Limits::default() };
        let journal =
            Journal::open(Arc::<HeldDisk>::clone(&disk), &Start::default(), limits, Arc::new(())).unwrap();
        let definitions = Opened::open(data.path(), &[]).unwrap().start(Arc::clone(&journal)).unwrap();
        let store = VhostStore { journal, definitions, handle };
        let environment = Environment::new(Config::default());
        let (vhost, until) = Vhost::define(DEFAULT_VHOST.into(), None, durability, store.clone());
        assert!(store.journal.wait(until.unwrap()));
        environment.vhosts.insert(vhost);
        let vhost = environment.vhosts.get(DEFAULT_VHOST).unwrap();
        Self { _data: data, environment, vhost, gate, disk }
    }

    /// A queue of which persistent messages outlive the broker.
    pub(super) fn journalled_queue(&self, name: &'static str) -> Arc<Queue> {
        let options = QueueOptions { durable: true, ..QueueOptions::default() };
        let name = Some(QueueName::from(name));
        let Declared { queue, until, .. } =
            self.vhost.queue_declare(name, &options, ConnectionId(0)).unwrap();
        assert!(until.is_none_or(|until| self.vhost.stored().unwrap().journal.wait(until)));
        queue
    }

    /// The bodies of the messages of a queue that a broker finds that starts after a loss of power now.
    pub(super) fn after_power_loss(&self, queue: &Queue, seed: u64) -> Vec<String> {
        let mut recovery = Recovery::find(self.disk.after_crash(seed)).unwrap();
        let replay = recovery.replay(&mut |_| {}).unwrap();
        assert!(!recovery.report().is_damaged(), "{:?}", recovery.report());
        let mut found = Vec::new();
        let mut give = |alive: Alive<'_>| {
            if alive.queue == queue.id() {
                let body = &alive.message[alive.parts.body_at as usize..];
                found.push(String::from_utf8(body.to_vec()).unwrap());
            }
        };
        recovery.messages(&replay, &|_, _| false, &mut |_| {}, &mut give).unwrap();
        found
    }

    pub(super) fn connect(&self) -> Client {
        self.connect_with(true)
    }

    /// One that is not to be told that it is blocked.
    pub(super) fn connect_untold(&self) -> Client {
        self.connect_with(false)
    }

    fn connect_with(&self, tell_blocked: bool) -> Client {
        let access = Arc::clone(&self.environment.access);
        let authority = Authority::new(access, "guest", self.vhost.name()).unwrap();
        let outbox = Arc::new(Outbox::new());
        let recipient: Arc<dyn Recipient> = Arc::<Outbox>::clone(&outbox);
        let id = self.environment.connections.enter(&outbox, "guest".into(), "/".into());
        let vhost = Arc::clone(&self.vhost);
        let session = Session::new(id, String::from("client"), authority, vhost, recipient, true, 1 << 27)
            .told_by_the_journal(Arc::<Outbox>::clone(&outbox));
        let throttle = Arc::new(Throttle::default());
        let (ours, theirs) = duplex(PIPE_BYTES);
        let mut open = Open::new(Parts {
            socket: theirs,
            is_hung_up: |_| false,
            decoder: Decoder::new(131_072),
            read_ahead: Vec::new(),
            channels: Channels::new(2047, 1 << 27),
            session,
            outbox,
            alarms: Arc::clone(&self.environment.alarms),
            throttle: Arc::clone(&throttle),
            frame_max: 131_072,
            heartbeat: 0,
            tell_blocked,
        });
        let served = tokio::task::spawn_local(async move { open.serve().await });
        Client {
            pipe: ours,
            decoder: Decoder::new(131_072),
            received: BytesMut::new(),
            to_send: BytesMut::new(),
            served,
            throttle,
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // The journal's thread is waited for.
        self.gate.open();
    }
}

pub(super) struct Client {
    pub(super) pipe: DuplexStream,
    decoder: Decoder,
    received: BytesMut,
    to_send: BytesMut,
    served: JoinHandle<End>,
    throttle: Arc<Throttle>,
}

impl Client {
    /// Adds a method to what is sent next.
    pub(super) fn add(&mut self, channel: u16, method: impl Into<Method<'static>>) -> &mut Self {
        encode::method(channel, &method.into(), &mut self.to_send);
        self
    }

    /// Adds a persistent message to a queue to what is sent next.
    pub(super) fn add_message(&mut self, channel: u16, queue: &'static str, body: &[u8]) -> &mut Self {
        self.add(channel, basic::Publish { routing_key: queue, ..basic::Publish::default() });
        encode::content(channel, &PERSISTENT, body, 131_072, &mut self.to_send);
        self
    }

    /// Adds a message that is known by its body; one that is not persistent has no record.
    pub(super) fn add_once(
        &mut self,
        channel: u16,
        to: [&'static str; 2],
        persistent: bool,
        body: &str,
    ) -> &mut Self {
        let [exchange, routing_key] = to;
        self.add(channel, basic::Publish { exchange, routing_key, ..basic::Publish::default() });
        let headers = TableBuilder::new().string("x-deduplication-header", body).finish();
        let properties = if persistent { Properties::validated(&PERSISTENT) } else { Properties::EMPTY };
        let properties = properties.with_headers(headers.as_table());
        encode::content(channel, &properties, body.as_bytes(), 131_072, &mut self.to_send);
        self
    }

    /// Sends what was added, in one piece.
    pub(super) async fn send(&mut self) {
        let bytes = self.to_send.split();
        in_time(self.pipe.write_all(&bytes)).await.unwrap();
    }

    /// What was added.
    pub(super) fn take_added(&mut self) -> BytesMut {
        self.to_send.split()
    }

    /// The next thing that the broker says: the channel with the method or the body, as text.
    pub(super) async fn next(&mut self) -> String {
        loop {
            if let Some((used, event)) = self.decoder.next(&self.received).unwrap() {
                let said = match event {
                    Event::Method { channel, method, .. } => Some(said(channel, &method)),
                    Event::Body { channel, payload, .. } => {
                        Some(format!("{channel}: {}", String::from_utf8_lossy(payload)))
                    }
                    Event::Header { .. } | Event::Heartbeat => None,
                };
                self.received.advance(used);
                match said {
                    Some(said) => return said,
                    None => continue,
                }
            }
            let count = in_time(self.pipe.read_buf(&mut self.received)).await.unwrap();
            assert!(count > 0, "the broker has closed its side");
        }
    }

    pub(super) async fn expect(&mut self, expected: &[&str]) {
        for expected in expected {
            assert_eq!(self.next().await, *expected);
        }
    }

    /// Opens channels.
    pub(super) async fn open(&mut self, channels: u16) {
        for number in 1..=channels {
            self.add(number, channel::Open::default());
        }
        self.send().await;
        for number in 1..=channels {
            self.expect(&[&format!("{number}: channel.open-ok")]).await;
        }
    }

    /// What was sent before has been served, as far as it is served, and nothing but the answer to this has come since.
    pub(super) async fn round_trip(&mut self, channel: u16) {
        self.add(channel, basic::Qos::default()).send().await;
        self.expect(&[&format!("{channel}: basic.qos-ok")]).await;
    }

    /// What an operator sees of the connection.
    pub(super) fn state(&self) -> ConnectionState {
        self.throttle.state(Time::now())
    }

    /// The client is gone; how the connection ends.
    pub(super) async fn vanish(self) -> End {
        drop(self.pipe);
        in_time(self.served).await.unwrap()
    }

    /// The connection is closed.
    pub(super) async fn end(mut self) -> End {
        use leveret_protocol::method::connection::CloseOk;
        self.add(0, CloseOk {}).send().await;
        in_time(self.served).await.unwrap()
    }

    /// How the connection ended.
    pub(super) async fn ended(self) -> End {
        in_time(self.served).await.unwrap()
    }
}

/// What tests look at of a method.
fn said(channel: u16, method: &Method<'_>) -> String {
    use leveret_protocol::method::{confirm, connection, queue, tx};
    let said = match method {
        Method::Basic(basic::Method::Ack(ack)) => format!("basic.ack {} {}", ack.delivery_tag, ack.multiple),
        Method::Basic(basic::Method::Deliver(deliver)) => format!("basic.deliver {}", deliver.delivery_tag),
        Method::Basic(basic::Method::GetOk(got)) => format!("basic.get-ok {}", got.delivery_tag),
        Method::Basic(basic::Method::QosOk(_)) => "basic.qos-ok".to_owned(),
        Method::Basic(basic::Method::ConsumeOk(_)) => "basic.consume-ok".to_owned(),
        Method::Channel(channel::Method::OpenOk(_)) => "channel.open-ok".to_owned(),
        Method::Channel(channel::Method::CloseOk(_)) => "channel.close-ok".to_owned(),
        Method::Channel(channel::Method::Close(close)) => format!("channel.close {}", close.reply_code),
        Method::Confirm(confirm::Method::SelectOk(_)) => "confirm.select-ok".to_owned(),
        Method::Connection(connection::Method::Close(close)) => {
            format!("connection.close {} {}", close.reply_code, close.reply_text)
        }
        Method::Connection(connection::Method::Blocked(blocked)) => {
            format!("connection.blocked {}", blocked.reason)
        }
        Method::Connection(connection::Method::Unblocked(_)) => "connection.unblocked".to_owned(),
        Method::Connection(connection::Method::CloseOk(_)) => "connection.close-ok".to_owned(),
        Method::Queue(queue::Method::DeclareOk(_)) => "queue.declare-ok".to_owned(),
        Method::Tx(tx::Method::SelectOk(_)) => "tx.select-ok".to_owned(),
        Method::Tx(tx::Method::CommitOk(_)) => "tx.commit-ok".to_owned(),
        other => format!("{other:?}"),
    };
    format!("{channel}: {said}")
}

pub(super) async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.expect("in time")
}

/// Runs a test with the connections' task beside it.
pub(super) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

/// Lets the connections do whatever they can do without the disk.
pub(super) async fn settle_down() {
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
}
