//! What clients do until the broker is gone: each connection one thing, all of them at once.

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::Signal;

use crate::account::{Account, Outcome, Stream, Transaction, frames};
use crate::client::{Client, Gone, Incoming};
use crate::publication::{Id, Queue};
use crate::random::Random;
use crate::support::{Broker, Message, Payload, Table, method};

/// Ends the broker after so many steps of all clients together, whoever makes the last of them.
pub(crate) struct Fuse<'a> {
    broker: &'a Broker,
    left: AtomicU64,
    signal: Signal,
}

impl<'a> Fuse<'a> {
    pub(crate) fn new(broker: &'a Broker, steps: u64, signal: Signal) -> Self {
        Self { broker, left: AtomicU64::new(steps), signal }
    }

    /// One that never burns down.
    pub(crate) fn endless(broker: &'a Broker) -> Self {
        Self::new(broker, u64::MAX, Signal::KILL)
    }

    pub(crate) fn broker(&self) -> &'a Broker {
        self.broker
    }

    /// Something was sent or has come.
    pub(crate) fn step(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.broker.signal(self.signal);
        }
    }
}

/// One connection of the load.
pub(crate) struct Session<'a> {
    pub(crate) client: Client,
    pub(crate) account: Account,
    pub(crate) random: Random,
    pub(crate) fuse: &'a Fuse<'a>,
}

/// What a connection of the load does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Publish,
    /// Consumes with acknowledgements.
    Consume(Queue),
    /// Consumes without acknowledgements.
    ConsumeAuto,
    Get,
    Transact,
}

impl Role {
    pub(crate) const ALL: [Self; 9] = [
        Self::Publish,
        Self::Publish,
        Self::Publish,
        Self::Consume(Queue::Ack),
        Self::Consume(Queue::Requeue),
        Self::ConsumeAuto,
        Self::Get,
        Self::Transact,
        Self::Transact,
    ];
    /// Channels that each of them opens.
    pub(crate) const CHANNELS: u16 = 3;
}

impl Session<'_> {
    /// Plays a role until the broker is gone. `stream` and the one after it are the streams that it may publish to; the
    /// second is a barrier's.
    pub(crate) fn play(mut self, role: Role, stream: u32) -> Account {
        let Err(Gone) = match role {
            Role::Publish => self.publish(stream),
            Role::Consume(queue) => self.consume(queue, stream),
            Role::ConsumeAuto => self.consume_auto(stream),
            Role::Get => self.get(stream),
            Role::Transact => self.transact(stream),
        };
        self.account
    }

    fn publish(&mut self, stream: u32) -> Result<std::convert::Infallible, Gone> {
        let mut streams = [Stream::new(1, stream), Stream::new(2, stream + 2)];
        for stream in &streams {
            self.client.call(stream.channel, method::confirm_select())?;
        }
        let window = *self.random.choose(&[1, 10, 200]);
        loop {
            let mut bytes = Vec::new();
            for stream in &mut streams {
                // Never nothing, or neither stream would go on.
                for _ in 0..=self.random.magnitude(window) {
                    bytes.extend(self.account.publish(stream));
                    self.fuse.step();
                }
            }
            self.client.send_bytes(&bytes);
            while streams.iter().map(Stream::unconfirmed).sum::<usize>() as u64 > window / 2 {
                let incoming = self.client.next()?;
                self.fuse.step();
                self.heed(&incoming, &mut streams);
            }
        }
    }

    /// Confirms and returns.
    fn heed(&mut self, incoming: &Incoming, streams: &mut [Stream]) {
        match incoming {
            Incoming::Method(frame) if frame.method() == Some(method::BASIC_ACK) => {
                let mut arguments = frame.arguments();
                let (tag, is_multiple) = (arguments.longlong(), arguments.octet() & 1 == 1);
                let stream = streams.iter_mut().find(|stream| stream.channel == frame.channel);
                self.account.confirm(stream.expect("a stream of ours"), tag, is_multiple);
            }
            Incoming::Method(frame)
                if matches!(
                    frame.method(),
                    Some(method::CONNECTION_BLOCKED | method::CONNECTION_UNBLOCKED)
                ) => {}
            Incoming::Returned(message) => self.account.returned(message),
            other => panic!("unexpected: {other:?}"),
        }
    }

    /// Waits until all that was done before on this connection is on the disk. Deliveries that come meanwhile are held.
    pub(crate) fn barrier(
        &mut self,
        stream: &mut Stream,
        held: &mut Vec<(Queue, Message)>,
        queue: Queue,
    ) -> Result<(), Gone> {
        let settled = self.account.settled.len();
        let bytes = self.account.publish(stream);
        self.client.send_bytes(&bytes);
        self.fuse.step();
        while stream.unconfirmed() > 0 {
            match self.client.next()? {
                Incoming::Deliver(_, message) => held.push((queue, message)),
                incoming => self.heed(&incoming, std::slice::from_mut(stream)),
            }
        }
        self.account.settled_for_sure = settled;
        Ok(())
    }

    pub(crate) fn start_consumer(&mut self, queue: Queue, prefetch: u16, no_ack: bool) -> Result<(), Gone> {
        self.client.call(1, method::basic_qos(prefetch))?;
        let bits = if no_ack { method::CONSUME_NO_ACK } else { 0 };
        self.client.call(1, method::basic_consume(queue.name(), "", bits, &Table::new()))?;
        Ok(())
    }

    fn consume(&mut self, queue: Queue, stream: u32) -> Result<std::convert::Infallible, Gone> {
        let mut barrier = Stream::new(2, stream + 1);
        self.client.call(2, method::confirm_select())?;
        let prefetch = *self.random.choose(&[0, 1, 20, 500]);
        self.start_consumer(queue, prefetch, false)?;
        let mut held: Vec<(Queue, Message)> = Vec::new();
        // Delivered and not settled, as (delivery tag, message).
        let mut unacked: Vec<(u64, Id)> = Vec::new();
        loop {
            if held.is_empty() {
                match self.client.next()? {
                    Incoming::Deliver(_, message) => held.push((queue, message)),
                    incoming => self.heed(&incoming, &mut []),
                }
            }
            for (queue, message) in held.drain(..) {
                self.fuse.step();
                let id = self.account.delivered(queue, &message);
                unacked.extend(id.map(|id| (message.delivery_tag, id)));
            }
            // With a prefetch of one the next comes only when this is settled.
            if prefetch == 1 || self.random.once_in(3) {
                self.settle(queue, &mut unacked);
            }
            if self.random.once_in(40) {
                self.barrier(&mut barrier, &mut held, queue)?;
            }
            let limit = if prefetch == 0 { 100 } else { usize::from(prefetch) };
            if unacked.len() >= limit {
                self.settle_all(queue, &mut unacked);
            }
        }
    }

    /// Settles one message or a run of them.
    fn settle(&mut self, queue: Queue, unacked: &mut Vec<(u64, Id)>) {
        if unacked.is_empty() {
            return;
        }
        let at = usize::try_from(self.random.below(unacked.len() as u64)).unwrap();
        let (tag, id) = unacked[at];
        self.fuse.step();
        match self.random.below(8) {
            0..=1 if queue == Queue::Requeue => {
                unacked.remove(at);
                self.client.send(1, method::basic_reject(tag, true));
            }
            2 => {
                unacked.remove(at);
                // For good. With a dead-letter exchange this is where the message moves on.
                self.account.settled.push((queue, id));
                self.client.send(1, method::basic_reject(tag, false));
            }
            3..=4 => {
                self.account.settled.extend(unacked.drain(..=at).map(|(_, id)| (queue, id)));
                self.client.send(1, method::basic_ack(tag, true));
            }
            _ => {
                unacked.remove(at);
                self.account.settled.push((queue, id));
                self.client.send(1, method::basic_ack(tag, false));
            }
        }
    }

    /// Acknowledges all that has come, and nothing that is on its way.
    fn settle_all(&mut self, queue: Queue, unacked: &mut Vec<(u64, Id)>) {
        let Some((latest, _)) = unacked.last() else { return };
        self.client.send(1, method::basic_ack(*latest, true));
        self.account.settled.extend(unacked.drain(..).map(|(_, id)| (queue, id)));
    }

    fn consume_auto(&mut self, stream: u32) -> Result<std::convert::Infallible, Gone> {
        let mut barrier = Stream::new(2, stream + 1);
        self.client.call(2, method::confirm_select())?;
        self.start_consumer(Queue::Auto, 0, true)?;
        let mut held = Vec::new();
        loop {
            match self.client.next()? {
                Incoming::Deliver(_, message) => held.push((Queue::Auto, message)),
                incoming => self.heed(&incoming, &mut []),
            }
            for (queue, message) in held.drain(..) {
                self.fuse.step();
                let id = self.account.delivered(queue, &message);
                self.account.settled.extend(id.map(|id| (queue, id)));
            }
            if self.random.once_in(100) {
                self.barrier(&mut barrier, &mut held, Queue::Auto)?;
            }
        }
    }

    fn get(&mut self, stream: u32) -> Result<std::convert::Infallible, Gone> {
        let mut barrier = Stream::new(2, stream + 1);
        self.client.call(2, method::confirm_select())?;
        loop {
            let no_ack = self.random.once_in(2);
            self.client.send(1, method::basic_get(Queue::Get.name(), no_ack));
            self.fuse.step();
            let answer = self.client.next_of(method::BASIC_GET_EMPTY);
            if answer.is_err() && no_ack {
                self.account.asked_for.push(Queue::Get);
            }
            if let Incoming::Got(message) = answer? {
                let id = self.account.delivered(Queue::Get, &message);
                if no_ack {
                    self.account.settled.extend(id.map(|id| (Queue::Get, id)));
                } else if self.random.once_in(3) {
                    self.client.send(1, method::basic_reject(message.delivery_tag, true));
                } else {
                    self.account.settled.extend(id.map(|id| (Queue::Get, id)));
                    self.client.send(1, method::basic_ack(message.delivery_tag, false));
                }
            }
            if self.random.once_in(20) {
                self.barrier(&mut barrier, &mut Vec::new(), Queue::Get)?;
            }
        }
    }

    /// Publishes and settles in transactions, most of which are committed.
    fn transact(&mut self, stream: u32) -> Result<std::convert::Infallible, Gone> {
        let mut stream = Stream::new(1, stream);
        self.client.call(1, Payload::method((90, 10)))?;
        self.start_consumer(Queue::Tx, 30, false)?;
        let mut unacked: Vec<(u64, Id)> = Vec::new();
        loop {
            let mut transaction = Transaction::default();
            let mut bytes = Vec::new();
            for _ in 0..self.random.below(6) {
                let publication = stream.next(self.account.seed());
                transaction.messages.push(publication.id);
                bytes.extend(frames(1, &publication));
                self.fuse.step();
            }
            self.client.send_bytes(&bytes);
            let kept = unacked.len() - usize::try_from(self.random.below(unacked.len() as u64 + 1)).unwrap();
            let settled = unacked.split_off(kept);
            for (tag, id) in &settled {
                transaction.settled.push((Queue::Tx, *id));
                self.client.send(1, method::basic_ack(*tag, false));
            }
            let is_commit = !self.random.once_in(8);
            let number = self.account.transactions.len();
            transaction.outcome = if is_commit { Outcome::Asked } else { Outcome::Undone };
            self.account.transactions.push(transaction);
            self.client.call(1, Payload::method((90, if is_commit { 20 } else { 30 })))?;
            self.fuse.step();
            if is_commit {
                self.account.transactions[number].outcome = Outcome::Committed;
            } else {
                // They are as unacked as before.
                unacked.extend(settled);
            }
            self.take_deliveries(&mut unacked);
        }
    }

    /// What came while an answer was waited for.
    fn take_deliveries(&mut self, unacked: &mut Vec<(u64, Id)>) {
        for incoming in self.client.take_early() {
            match incoming {
                Incoming::Deliver(_, message) => {
                    self.fuse.step();
                    let id = self.account.delivered(Queue::Tx, &message);
                    unacked.extend(id.map(|id| (message.delivery_tag, id)));
                }
                incoming => self.heed(&incoming, &mut []),
            }
        }
    }
}
