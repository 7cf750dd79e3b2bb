//! `tx`: publishes and settlements that wait for a commit.

use leveret_protocol::method::tx;

use super::answer::{Answer, Served};
use super::exception::{Exception, crashed_queue, precondition_failed};
use super::outstanding::Outstanding;
use super::publish::{extra_keys, permit};
use super::{Channel, Mode, Peer, Session};
use crate::message::Message;
use crate::queue::core::Settlement;
use crate::queue::ready::PACKED_MAX_BYTES;
use crate::store::original::{Fate, Outcome};

/// A commit is written in one piece, which must have an end: its records, and what its messages take in their queues, in
/// bytes.
const COMMIT_MAX: usize = 512 * 1024 * 1024;
/// What a record takes, or a message in a queue, beside the message itself; rather more than less, in bytes.
const OVERHEAD: usize = 64;

/// What a transaction has gathered.
#[derive(Default)]
pub(super) struct Transaction {
    publications: Vec<Publication>,
    settlements: Vec<Settled>,
    /// What the publications take at least, in bytes.
    bytes: usize,
}

/// A publish that waits for its commit.
pub(super) struct Publication {
    pub(super) mandatory: bool,
    pub(super) message: Message,
}

/// A settlement that waits for its commit.
#[derive(Clone, Copy)]
pub(super) struct Settled {
    pub(super) tag: u64,
    pub(super) outstanding: Outstanding,
    pub(super) settlement: Settlement,
}

impl Transaction {
    /// Takes a publish. One with which the commit would be refused is refused already: what waits for it is in memory.
    pub(super) fn publish(&mut self, publication: Publication) -> Result<(), Exception> {
        let bytes = publication.message.len().saturating_add(OVERHEAD);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > COMMIT_MAX {
            return Err(too_large());
        }
        self.publications.push(publication);
        Ok(())
    }

    pub(super) fn settle(&mut self, settled: Settled) {
        self.settlements.push(settled);
    }

    /// How many publishes and settlements wait.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.publications.len(), self.settlements.len())
    }

    /// The settlements, which the end of the channel undoes.
    pub(super) fn take_settlements(&mut self) -> Vec<Settled> {
        std::mem::take(&mut self.settlements)
    }
}

impl Channel {
    pub(super) fn tx_select(&mut self, peer: &mut dyn Peer) -> Result<(), Exception> {
        match self.mode {
            Mode::Plain => {
                self.mode = Mode::Transaction(Transaction::default());
                self.count_commits();
            }
            Mode::Transaction(_) => {}
            Mode::Confirm(_) => return Err(precondition_failed("cannot switch from confirm to tx mode")),
        }
        peer.method(self.number, tx::SelectOk {}.into());
        Ok(())
    }

    /// Publishes, then settles. A target that went meanwhile does not fail the commit: its messages go with it, or
    /// come back when they are mandatory. All records of it are one group, so that a crash leaves all of it or nothing.
    pub(super) fn tx_commit(
        &mut self,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<Served, Exception> {
        let Transaction { publications, settlements, .. } = std::mem::take(self.transaction()?);
        session.end_unit();
        let mut bytes = settlements.len().saturating_mul(OVERHEAD);
        for publication in &publications {
            // It was asked when it was published, but rights may have changed.
            if let Err(refused) = permit(&publication.message, session) {
                self.unsettle(settlements);
                return Err(refused);
            }
            bytes = bytes.saturating_add(cost(&publication.message, session));
            if bytes > COMMIT_MAX {
                self.unsettle(settlements);
                return Err(too_large());
            }
        }
        // Where what it rejects goes is written with it.
        let burials = session.vhost.hold_burials();
        let now = session.now();
        for Publication { mandatory, mut message } in publications {
            message.arrive(now);
            // Whether it may be published was said when it was; an exchange that went since routes nowhere.
            if let Err(_gone) = self.route(mandatory, &message, session, peer)
                && mandatory
            {
                self.return_unroutable(&message, peer);
            }
        }
        session.publisher.flush(&session.vhost, &mut session.unit);
        if let Some(queue) = session.publisher.take_crashed() {
            session.unit.abandon();
            self.unsettle(settlements);
            return Err(crashed_queue(&queue, session.vhost.name()));
        }
        let mut any_refused = !session.publisher.take_refused().is_empty();
        self.settle(settlements, session);
        session.flush_acked();
        burials.bury_given_up(&mut session.unit, COMMIT_MAX);
        let mut batch = session.commit_unit();
        drop(burials);
        for copied in session.publisher.take_copied() {
            // What was a copy is as safe as the other one, or as little.
            match copied.fate.as_ref().map(Fate::wait) {
                Some(Outcome::Taken(other)) => batch = batch.max(other),
                Some(Outcome::Lost) => any_refused = true,
                None => {}
            }
        }
        let until = batch.map(|batch| session.until(batch));
        if any_refused {
            // What the queues took is in them, and what was settled is: a commit does not isolate.
            return Err(precondition_failed("partial tx completion"));
        }
        Ok(self.answer(Answer::Committed, until, session, peer))
    }

    /// Forgets the publishes; what was settled is unsettled again, under its old tags.
    pub(super) fn tx_rollback(&mut self, peer: &mut dyn Peer) -> Result<(), Exception> {
        let Transaction { settlements, .. } = std::mem::take(self.transaction()?);
        self.unsettle(settlements);
        peer.method(self.number, tx::RollbackOk {}.into());
        Ok(())
    }

    /// What a transaction that is not to be had settled is out again, under its old tags.
    fn unsettle(&mut self, settlements: Vec<Settled>) {
        self.outstanding.restore(settlements.into_iter().map(|settled| (settled.tag, settled.outstanding)));
    }

    fn transaction(&mut self) -> Result<&mut Transaction, Exception> {
        match &mut self.mode {
            Mode::Transaction(transaction) => Ok(transaction),
            Mode::Plain | Mode::Confirm(_) => Err(precondition_failed("channel is not transactional")),
        }
    }
}

fn too_large() -> Exception {
    precondition_failed(format!(
        "transaction is larger than what is committed at once ({COMMIT_MAX} bytes in all queues together)"
    ))
}

/// What a message costs its commit, in bytes. A large one is shared by its queues, others are copied into each.
fn cost(message: &Message, session: &mut Session) -> usize {
    let queues = queues_of(message, session);
    let copied = if message.len() > PACKED_MAX_BYTES { 0 } else { message.len() };
    let record = message.len().saturating_add(OVERHEAD);
    record.saturating_add(queues.saturating_mul(copied.saturating_add(OVERHEAD)))
}

/// How many queues a message goes to, as far as can be told before it is sent.
fn queues_of(message: &Message, session: &mut Session) -> usize {
    let headers = message.properties().headers();
    let mut keys = Vec::new();
    // What is wrong with it was said when it was published.
    let _ = extra_keys(headers, |key| keys.push(key));
    let Session { publisher, vhost, unit, .. } = session;
    publisher.queues_of(vhost, message, &keys, headers, unit)
}
