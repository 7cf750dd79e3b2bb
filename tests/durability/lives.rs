//! A data directory with one broker after the other on it, and what scripts say to them.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::support::frame::Frame;
use crate::support::{Broker, Message, Payload, Properties, Raw, Table, TempDir, method};

/// A data directory and the broker that uses it now.
pub(crate) struct Lives {
    arguments: Vec<String>,
    broker: Option<Broker>,
    // Dropped after the broker.
    data: TempDir,
}

/// How a broker's life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    Stop,
    Kill,
}

impl Lives {
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let data = TempDir::new();
        let broker = Some(Broker::start_on(data.path(), &arguments));
        Self { arguments, broker, data }
    }

    pub(crate) fn broker(&self) -> &Broker {
        self.broker.as_ref().expect("a life")
    }

    pub(crate) fn broker_mut(&mut self) -> &mut Broker {
        self.broker.as_mut().expect("a life")
    }

    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// A connection with channel 1 open.
    pub(crate) fn connect(&self) -> Raw {
        let mut raw = Raw::connect(self.broker());
        raw.open_channel(1);
        raw
    }

    /// Ends the broker, and returns what it had to say.
    pub(crate) fn end(&mut self, death: Death) -> Vec<String> {
        let broker = self.broker.take().expect("a life");
        match death {
            Death::Kill => broker.kill(),
            Death::Stop => {
                let ended = broker.stop();
                assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.log);
                ended.log
            }
        }
    }

    /// Ends the broker and starts another one.
    pub(crate) fn again(&mut self, death: Death) {
        self.end(death);
        self.begin();
    }

    pub(crate) fn begin(&mut self) {
        self.broker = Some(Broker::start_on(self.data.path(), &self.arguments));
    }

    /// What all files below a folder of the data directory take of the disk.
    pub(crate) fn disk_bytes(&self, folder: &str) -> u64 {
        files(&self.data().join(folder)).iter().map(|(_, bytes)| bytes).sum()
    }
}

/// Every file below a folder with what it takes of the disk, in bytes. What vanishes meanwhile takes nothing.
pub(crate) fn files(folder: &Path) -> Vec<(std::path::PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => found.extend(files(&entry.path())),
            Ok(metadata) if !metadata.is_file() => {}
            Ok(metadata) => found.push((entry.path(), metadata.blocks() * 512)),
            Err(_) => {}
        }
    }
    found.sort();
    found
}

/// What scripts need beside single frames.
pub(crate) trait Script {
    /// A request and its answer, which has the method's id plus one.
    fn call(&mut self, request: Payload) -> Frame;
    /// Declares a durable queue.
    fn durable_queue(&mut self, name: &str);
    /// Publishes a persistent message by the default exchange on a channel in confirm mode, and waits for the confirm.
    fn publish_confirmed(&mut self, queue: &str, body: &str);
    /// When this returns, what was settled before on this connection is on the disk: nobody waits for a settlement, but what
    /// is confirmed afterwards stands behind it.
    fn written(&mut self) {
        self.call(method::confirm_select());
        self.durable_queue("other");
        self.publish_confirmed("other", "");
    }
    /// Takes one message that is still to be settled.
    fn get_unsettled(&mut self, queue: &str) -> Option<Message>;
    /// Takes all messages: their bodies, and whether each was `redelivered`.
    fn take(&mut self, queue: &str) -> Vec<(String, bool)>;
    /// The bodies of these.
    fn take_bodies(&mut self, queue: &str) -> Vec<String> {
        self.take(queue).into_iter().map(|(body, _)| body).collect()
    }
    /// Whether a queue is there. The channel is open afterwards.
    fn has_queue(&mut self, name: &str) -> bool {
        self.has(method::queue_declare(name, method::PASSIVE, &Table::new()))
    }
    /// Whether an exchange is there. The channel is open afterwards.
    fn has_exchange(&mut self, name: &str) -> bool {
        self.has(method::exchange_declare(name, "direct", method::PASSIVE, &Table::new()))
    }
    /// Whether a passive declare finds something.
    fn has(&mut self, passive: Payload) -> bool;
}

impl Script for Raw {
    fn call(&mut self, request: Payload) -> Frame {
        let (class, id) = Frame::new(1, 1, request.clone()).method().unwrap();
        self.send(1, request);
        self.expect(1, (class, id + 1))
    }

    fn durable_queue(&mut self, name: &str) {
        self.call(method::queue_declare(name, method::DURABLE, &Table::new()));
    }

    fn publish_confirmed(&mut self, queue: &str, body: &str) {
        self.publish(1, "", queue, &Properties::new().delivery_mode(2), body.as_bytes());
        self.expect(1, method::BASIC_ACK);
    }

    fn get_unsettled(&mut self, queue: &str) -> Option<Message> {
        self.send(1, method::basic_get(queue, false));
        let frame = self.recv();
        (frame.method() == Some(method::BASIC_GET_OK)).then(|| self.message(&frame, false))
    }

    fn take(&mut self, queue: &str) -> Vec<(String, bool)> {
        let text = |message: Message| (String::from_utf8(message.body).unwrap(), message.redelivered);
        std::iter::from_fn(|| self.get(1, queue)).map(text).collect()
    }

    fn has(&mut self, passive: Payload) -> bool {
        self.send(1, passive);
        let frame = self.recv();
        let Some((code, text, ..)) = frame.close() else { return true };
        assert_eq!(code, 404, "{text}");
        self.send(1, Payload::method(method::CHANNEL_CLOSE_OK));
        self.open_channel(1);
        false
    }
}
