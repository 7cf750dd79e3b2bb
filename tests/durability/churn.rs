//! Definitions that come and go: queues, exchanges and bindings of one client, which does one thing after the other and
//! knows what there must be.

use std::collections::{BTreeMap, BTreeSet};

use crate::account::{Account, Stream};
use crate::client::{Gone, Incoming};
use crate::load::Session;
use crate::publication::Queue;
use crate::support::{Message, Payload, Properties, Table, method, raw};

const QUEUES: u8 = 5;
const EXCHANGES: u8 = 3;
const KEYS: u8 = 2;
const KINDS: [&str; 3] = ["direct", "topic", "headers"];

/// Exchange, queue, and which of the bindings between them.
type Binding = (u8, u8, u8);

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Things {
    /// With which arguments, and with which messages.
    queues: BTreeMap<u8, (u8, Vec<String>)>,
    /// Of which kind.
    exchanges: BTreeMap<u8, u8>,
    bindings: BTreeSet<Binding>,
}

/// The things of one client.
#[derive(Debug)]
pub(crate) struct Churn {
    name: &'static str,
    things: Things,
    /// What there is when the request that has no answer yet was served.
    pending: Option<Things>,
    published: u32,
}

fn queue_arguments(which: u8) -> Table {
    match which {
        0 => Table::new(),
        1 => Table::new().int("x-max-length", 100_000),
        _ => Table::new().boolean("x-single-active-consumer", true),
    }
}

impl Churn {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, things: Things::default(), pending: None, published: 0 }
    }

    fn queue(&self, queue: u8) -> String {
        format!("{}.queue.{queue}", self.name)
    }

    fn exchange(&self, exchange: u8) -> String {
        format!("{}.exchange.{exchange}", self.name)
    }

    /// What is declared but not durable.
    fn transient(&self) -> (String, String, String) {
        let of = |what: &str| format!("{}.transient.{what}", self.name);
        (of("queue"), of("exclusive"), of("exchange"))
    }

    /// The routing key and the headers that only this binding of these two takes.
    fn key((exchange, queue, key): Binding) -> (String, Table) {
        let text = format!("{exchange}.{queue}.{key}");
        let headers = Table::new().text("key", &text);
        (text, headers)
    }

    /// Declares and deletes until the broker is gone.
    pub(crate) fn play(&mut self, mut session: Session<'_>, stream: u32) -> Account {
        let mut barrier = Stream::new(2, stream + 1);
        let Err(Gone) = self.churn(&mut session, &mut barrier);
        session.account
    }

    fn churn(
        &mut self,
        session: &mut Session<'_>,
        barrier: &mut Stream,
    ) -> Result<std::convert::Infallible, Gone> {
        session.client.call(2, method::confirm_select())?;
        session.client.call(3, method::confirm_select())?;
        self.declare_transient(session)?;
        loop {
            let mut next = self.things.clone();
            let queue = u8::try_from(session.random.below(u64::from(QUEUES))).unwrap();
            let exchange = u8::try_from(session.random.below(u64::from(EXCHANGES))).unwrap();
            let key = u8::try_from(session.random.below(u64::from(KEYS))).unwrap();
            let variant = u8::try_from(session.random.below(3)).unwrap();
            let binding = (exchange, queue, key);
            let (has_queue, has_exchange) =
                (next.queues.contains_key(&queue), next.exchanges.contains_key(&exchange));
            session.fuse.step();
            match session.random.below(12) {
                0 if has_queue => {
                    next.queues.remove(&queue);
                    next.bindings.retain(|(_, of, _)| *of != queue);
                    self.call(session, next, method::queue_delete(&self.queue(queue)))?;
                }
                1 if has_exchange => {
                    next.exchanges.remove(&exchange);
                    next.bindings.retain(|(of, ..)| *of != exchange);
                    self.call(session, next, method::exchange_delete(&self.exchange(exchange)))?;
                }
                2 if has_queue => {
                    next.queues.entry(queue).and_modify(|(_, messages)| messages.clear());
                    self.pending = Some(next);
                    session.client.call(1, method::queue_purge(&self.queue(queue)))?;
                    session.barrier(barrier, &mut Vec::new(), Queue::Idle)?;
                    self.done();
                }
                3..=5 if has_queue && has_exchange => {
                    let (key, arguments) = Self::key(binding);
                    let (queue, exchange) = (self.queue(queue), self.exchange(exchange));
                    let request = if next.bindings.remove(&binding) {
                        method::queue_unbind(&queue, &exchange, &key, &arguments)
                    } else {
                        next.bindings.insert(binding);
                        method::queue_bind(&queue, &exchange, &key, &arguments)
                    };
                    self.call(session, next, request)?;
                }
                6..=8 if has_queue => {
                    self.published += 1;
                    let body = format!("{} of {}", self.published, self.queue(queue));
                    next.queues.entry(queue).and_modify(|(_, messages)| messages.push(body.clone()));
                    self.pending = Some(next);
                    session.publish_confirmed("", &self.queue(queue), &Table::new(), &body)?;
                    self.done();
                }
                _ if !has_queue => {
                    next.queues.insert(queue, (variant, Vec::new()));
                    let arguments = queue_arguments(variant);
                    let request = method::queue_declare(self.queue(queue), method::DURABLE, &arguments);
                    self.call(session, next, request)?;
                }
                _ if !has_exchange => {
                    next.exchanges.insert(exchange, variant);
                    let kind = KINDS[usize::from(variant)];
                    let name = self.exchange(exchange);
                    let request = method::exchange_declare(name, kind, method::DURABLE, &Table::new());
                    self.call(session, next, request)?;
                }
                _ => {}
            }
        }
    }

    /// Sends a request that makes it `next`, and waits for its answer.
    fn call(&mut self, session: &mut Session<'_>, next: Things, request: Payload) -> Result<(), Gone> {
        self.pending = Some(next);
        session.client.call(1, request)?;
        self.done();
        Ok(())
    }

    fn done(&mut self) {
        self.things = self.pending.take().expect("a request");
    }

    fn declare_transient(&self, session: &mut Session<'_>) -> Result<(), Gone> {
        let (queue, exclusive, exchange) = self.transient();
        let none = Table::new();
        let bits = method::DURABLE | method::EXCLUSIVE;
        session.client.call(1, method::queue_declare(&queue, 0, &none))?;
        session.client.call(1, method::queue_declare(&exclusive, bits, &none))?;
        session.client.call(1, method::exchange_declare(&exchange, "fanout", 0, &none))?;
        session.client.call(1, method::queue_bind(&queue, &exchange, "", &none))?;
        // A binding is as durable as the less durable of its ends.
        session.client.call(1, method::queue_bind(Queue::Idle.name(), &exchange, "", &none))?;
        Ok(())
    }

    /// Sees that there is what must be there after a start, and takes the messages out.
    pub(crate) fn verify(&mut self, session: &mut Session<'_>) -> Result<(), Gone> {
        let (queue, exclusive, exchange) = self.transient();
        let none = Table::new();
        for name in [queue, exclusive] {
            let is_there = session.client.exists(1, method::queue_declare(&name, method::PASSIVE, &none))?;
            assert!(!is_there, "the queue {name} outlived the broker");
        }
        let passive = method::exchange_declare(&exchange, "fanout", method::PASSIVE, &none);
        assert!(!session.client.exists(1, passive)?, "the exchange {exchange} outlived the broker");
        let found = self.found(session)?;
        if found != self.things && Some(&found) != self.pending.as_ref() {
            session.account.violations.push(format!(
                "definitions of {}: found {found:#?}, which is neither {:#?} nor {:#?}",
                self.name, self.things, self.pending
            ));
        }
        self.things = found;
        self.things.queues.values_mut().for_each(|(_, messages)| messages.clear());
        self.pending = None;
        Ok(())
    }

    fn found(&self, session: &mut Session<'_>) -> Result<Things, Gone> {
        let candidates = [Some(&self.things), self.pending.as_ref()];
        let mut found = Things::default();
        for exchange in 0..EXCHANGES {
            let name = self.exchange(exchange);
            let passive = method::exchange_declare(&name, "direct", method::PASSIVE, &Table::new());
            if session.client.exists(1, passive)? {
                let kind = candidates.iter().flatten().find_map(|things| things.exchanges.get(&exchange));
                let kind = *kind.unwrap_or_else(|| panic!("{name} is there, but deleted"));
                let declare =
                    method::exchange_declare(&name, KINDS[usize::from(kind)], method::DURABLE, &Table::new());
                session.client.call(1, declare)?;
                found.exchanges.insert(exchange, kind);
            }
        }
        for queue in 0..QUEUES {
            let name = self.queue(queue);
            if session.client.exists(1, method::queue_declare(&name, method::PASSIVE, &Table::new()))? {
                let variant = candidates.iter().flatten().find_map(|things| things.queues.get(&queue));
                let variant = variant.unwrap_or_else(|| panic!("{name} is there, but deleted")).0;
                let arguments = queue_arguments(variant);
                session.client.call(1, method::queue_declare(&name, method::DURABLE, &arguments))?;
                found.queues.insert(queue, (variant, session.take_bodies(&name)?));
            }
        }
        self.find_bindings(session, &mut found)?;
        Ok(found)
    }

    /// Sends a probe for each binding that there may be, and looks where they come out.
    fn find_bindings(&self, session: &mut Session<'_>, found: &mut Things) -> Result<(), Gone> {
        for exchange in found.exchanges.keys() {
            for queue in 0..QUEUES {
                for binding in (0..KEYS).map(|key| (*exchange, queue, key)) {
                    let (key, headers) = Self::key(binding);
                    let name = self.exchange(*exchange);
                    if session.publish_confirmed(&name, &key, &headers, &format!("{binding:?}"))? {
                        found.bindings.insert(binding);
                    }
                }
            }
        }
        for queue in found.queues.keys() {
            let expected: Vec<String> =
                found.bindings.iter().filter(|of| of.1 == *queue).map(|of| format!("{of:?}")).collect();
            let name = self.queue(*queue);
            let probes = session.take_bodies(&name)?;
            assert_eq!(probes, expected, "the bindings of {name}");
        }
        Ok(())
    }
}

impl Session<'_> {
    /// Publishes a persistent message on channel 3 and waits for the confirm. False if it was returned.
    fn publish_confirmed(
        &mut self,
        exchange: &str,
        key: &str,
        headers: &Table,
        body: &str,
    ) -> Result<bool, Gone> {
        let properties = Properties::new().headers(headers).delivery_mode(2).encoded();
        let method = method::basic_publish(exchange, key, method::MANDATORY);
        self.client.send_bytes(&raw::content(3, method, &properties, body.as_bytes(), 131_072));
        let mut is_routed = true;
        loop {
            match self.client.next_of(method::BASIC_ACK)? {
                Incoming::Returned(_) => is_routed = false,
                Incoming::Method(_) => return Ok(is_routed),
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    /// Takes all messages of a queue for good, and returns their bodies.
    fn take_bodies(&mut self, queue: &str) -> Result<Vec<String>, Gone> {
        let messages: Vec<Message> = self.drain(3, queue)?;
        for message in &messages {
            self.client.send(3, method::basic_ack(message.delivery_tag, false));
        }
        Ok(messages.into_iter().map(|message| String::from_utf8(message.body).unwrap()).collect())
    }
}
