//! What one connection knows for sure when it is over.

use std::collections::{BTreeMap, HashMap};

use crate::publication::{Id, Publication, Queue, id_in};
use crate::support::Message;
use crate::support::raw;

/// What was done on one connection, in order.
pub(crate) struct Account {
    seed: u64,
    /// What was published outside of transactions, and whether it was confirmed.
    pub(crate) sent: Vec<(Id, bool)>,
    /// What was delivered, and whether as redelivered.
    pub(crate) deliveries: Vec<(Queue, Id, bool)>,
    /// What was settled for good, by an acknowledgement, a rejection, or its being delivered without acknowledgement.
    pub(crate) settled: Vec<(Queue, Id)>,
    /// How many of the settlements were made before a barrier that was confirmed.
    pub(crate) settled_for_sure: usize,
    pub(crate) transactions: Vec<Transaction>,
    /// Messages that the broker may have given away for good though none came.
    pub(crate) asked_for: Vec<Queue>,
    pub(crate) violations: Vec<String>,
    /// The latest message of each stream that came for the first time, by queue. None comes before it: the broker may take
    /// back what it has not sent to one consumer yet and give it to another one, unmarked and behind what that one has, but
    /// no connection of the test ends before the broker does, and one that ends with it gives nothing to the others.
    latest: HashMap<(Queue, u32), u32>,
}

/// What was done in one transaction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transaction {
    pub(crate) messages: Vec<Id>,
    pub(crate) settled: Vec<(Queue, Id)>,
    pub(crate) outcome: Outcome,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It never was committed, or was rolled back.
    #[default]
    Undone,
    /// tx.commit was sent.
    Asked,
    /// tx.commit-ok came.
    Committed,
}

/// The publishing side of a channel in confirm mode: its stream, and what is not confirmed yet.
pub(crate) struct Stream {
    pub(crate) channel: u16,
    id: u32,
    number: u32,
    tag: u64,
    /// By delivery tag, where it stands in the account.
    open: BTreeMap<u64, usize>,
}

impl Stream {
    pub(crate) fn new(channel: u16, id: u32) -> Self {
        Self { channel, id, number: 0, tag: 0, open: BTreeMap::new() }
    }

    /// How many messages are not confirmed yet.
    pub(crate) fn unconfirmed(&self) -> usize {
        self.open.len()
    }

    /// The next message of this stream, for a transaction or for [`Self::publish`].
    pub(crate) fn next(&mut self, seed: u64) -> Publication {
        let id = Id { stream: self.id, number: self.number };
        self.number += 1;
        Publication::of(seed, id)
    }
}

impl Account {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            sent: Vec::new(),
            deliveries: Vec::new(),
            settled: Vec::new(),
            settled_for_sure: 0,
            transactions: Vec::new(),
            asked_for: Vec::new(),
            violations: Vec::new(),
            latest: HashMap::new(),
        }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The frames of the next message of a stream in confirm mode.
    pub(crate) fn publish(&mut self, stream: &mut Stream) -> Vec<u8> {
        let publication = stream.next(self.seed);
        stream.tag += 1;
        stream.open.insert(stream.tag, self.sent.len());
        self.sent.push((publication.id, false));
        frames(stream.channel, &publication)
    }

    /// basic.ack of the broker's.
    pub(crate) fn confirm(&mut self, stream: &mut Stream, tag: u64, is_multiple: bool) {
        let confirmed = if is_multiple {
            let later = stream.open.split_off(&(tag + 1));
            std::mem::replace(&mut stream.open, later)
        } else {
            stream.open.remove(&tag).map(|at| (tag, at)).into_iter().collect()
        };
        if confirmed.is_empty() {
            self.violations.push(format!("a confirm of {tag} on stream {} that was not due", stream.id));
        }
        for at in confirmed.into_values() {
            self.sent[at].1 = true;
        }
    }

    /// A message came from this queue. Its id, if it has one.
    pub(crate) fn delivered(&mut self, queue: Queue, message: &Message) -> Option<Id> {
        let id = self.inspected(queue, message)?;
        if !message.redelivered {
            let latest = self.latest.insert((queue, id.stream), id.number);
            if latest.is_some_and(|latest| latest >= id.number) {
                let before = self.deliveries.iter().rev().filter(|(of, ..)| *of == queue).take(12);
                let before: Vec<_> = before.map(|(_, id, redelivered)| (id, redelivered)).collect();
                self.violations.push(format!(
                    "order: {queue:?}: {id:?} comes behind {latest:?} of its stream to one consumer (of two, if it is Tx), \
                     with the delivery tag {}; the latest before it, and whether they had come before: {before:?}",
                    message.delivery_tag
                ));
            }
        }
        self.deliveries.push((queue, id, message.redelivered));
        Some(id)
    }

    /// Whether it is a message that was published like this.
    pub(crate) fn inspected(&mut self, queue: Queue, message: &Message) -> Option<Id> {
        let Some(id) = id_in(&message.properties) else {
            self.violations.push(format!("{queue:?}: a message that nobody published: {message:?}"));
            return None;
        };
        let publication = Publication::of(self.seed, id);
        if let Some(difference) = publication.difference(message) {
            self.violations.push(format!("{queue:?} {id:?}: {difference}"));
        }
        if !publication.queues.contains(&queue) {
            self.violations.push(format!("{id:?} is in {queue:?}, where nobody sent it"));
        }
        Some(id)
    }

    /// A mandatory message came back, though its queues are there.
    pub(crate) fn returned(&mut self, message: &Message) {
        self.violations.push(format!("returned: {:?} to {:?}", id_in(&message.properties), message.exchange));
    }
}

/// A publication on the wire.
pub(crate) fn frames(channel: u16, publication: &Publication) -> Vec<u8> {
    raw::content(channel, publication.method(), &publication.properties(), &publication.body(), 131_072)
}
