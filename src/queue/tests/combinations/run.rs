//! A plan carried out on a queue, with the model beside it.
//!
//! The core is driven as its lock drives it: it is told the time only where it asks for it, and whenever something is due it
//! is told at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::super::Inbox;
use super::message::Place;
use super::model::{Model, Stage};
use super::plan::{Plan, Step};
use crate::place::{Home, JournalFile, Position, QueueId};
use crate::queue::core::{Dead, QueueCore, Settlement};
use crate::queue::delivery::{Delivery, Late};
use crate::queue::id::ConsumerKey;
use crate::store::op::{Group, Op, Ops};
use crate::store::stored::Returns;
use crate::time::Time;

/// When a plan begins.
const BEGINNING: Time = Time::from_millis(1_000_000);
/// A timer that is told to come at once more often than this never rests.
const LOOKS_MAX: usize = 1000;

pub(super) struct Run {
    pub(super) core: QueueCore,
    pub(super) id: QueueId,
    pub(super) plan: Plan,
    pub(super) model: Model,
    pub(super) inboxes: Vec<Arc<Inbox>>,
    pub(super) keys: Vec<ConsumerKey>,
    /// What is on its way to consumers that acknowledge automatically, by position.
    pub(super) on_their_way: BTreeMap<usize, Delivery>,
    /// What the undertaker was told of and has not seen to, with the positions.
    pub(super) graves: Vec<(usize, Dead)>,
    /// What has left memory, by its segment.
    pub(super) pages: Vec<Bytes>,
    journal: Journal,
}

/// What the journal says beside what was published.
#[derive(Default)]
struct Journal {
    settled: BTreeSet<usize>,
    returns: BTreeMap<usize, Returns>,
}

impl Journal {
    fn append(&mut self, group: &Group) {
        for op in Ops::new(group.bytes()) {
            match op.unwrap() {
                Op::Settle { ranges, .. } => {
                    for (first, last) in ranges {
                        self.settled.extend(place(first)..=place(last));
                    }
                }
                Op::Requeue { position, returns, .. } => {
                    self.returns.insert(place(position), returns);
                }
                other => panic!("not of a queue: {other:?}"),
            }
        }
    }
}

/// A position as the model has it.
pub(super) fn place(position: Position) -> usize {
    usize::try_from(position.0).unwrap()
}

/// Where a message is written that is journalled or not.
pub(super) fn home(journalled: bool) -> Home {
    if journalled { Home::Journal(JournalFile(1)) } else { Home::Transient }
}

/// One of them, counted round.
pub(super) fn picked(of: &[usize], which: usize) -> Option<usize> {
    (!of.is_empty()).then(|| of[which % of.len()])
}

/// What the queue says and what the model says are the same.
#[allow(clippy::needless_pass_by_value, reason = "both are made to be compared")]
pub(super) fn equal<T: PartialEq + Debug>(what: &str, queue: T, model: T) -> Result<(), String> {
    if queue == model { Ok(()) } else { Err(format!("{what}: {queue:?}, expected {model:?}")) }
}

impl Run {
    pub(super) fn new(plan: &Plan) -> Self {
        let id = QueueId::fresh();
        let mut core = QueueCore::new(id, &plan.options());
        core.set_terms(Arc::new(plan.terms.clone()));
        Self {
            core,
            id,
            plan: plan.clone(),
            model: Model::new(plan.terms.clone(), plan.grouped, plan.single_active, BEGINNING),
            inboxes: Vec::new(),
            keys: Vec::new(),
            on_their_way: BTreeMap::new(),
            graves: Vec::new(),
            pages: Vec::new(),
            journal: Journal::default(),
        }
    }

    pub(super) fn step(&mut self, step: &Step) -> Result<(), String> {
        if self.core.reads_clock() {
            self.core.at(self.model.now);
        }
        match step {
            Step::Publish(publications) => self.publish(publications)?,
            Step::Time(millis) => self.model.now = self.model.now.plus(Duration::from_millis(*millis)),
            Step::Consume(wanted) => self.consume(wanted)?,
            Step::Settle { which, settlement } => self.settle_some(which, *settlement)?,
            Step::Send { which, ends } => self.send(*which, *ends)?,
            Step::Cancel { which, returns } => {
                if let Some(at) = picked(&self.model.live(), *which) {
                    self.cancel(at, *returns)?;
                }
            }
            Step::Get { no_ack } => self.get(*no_ack)?,
            Step::Purge => self.purge()?,
            Step::SetTerms(terms) => self.set_terms(terms)?,
            Step::Pause(paused) => self.pause(*paused)?,
            Step::Bury { most, stay } => self.bury(*most, *stay),
            Step::Reschedule { which, to } => self.reschedule(*which, *to)?,
            Step::PageOut { keep } => self.page_out(*keep)?,
            Step::Restart => self.restart(),
        }
        self.tick()?;
        self.check()
    }

    /// What a call to the queue writes is appended to the journal.
    pub(super) fn with_group<R>(&mut self, act: impl FnOnce(&mut QueueCore, &mut Group) -> R) -> R {
        let mut group = Group::default();
        let result = act(&mut self.core, &mut group);
        self.journal.append(&group);
        result
    }

    /// What can be delivered is, and what is too much goes.
    pub(super) fn perform(&mut self) -> Result<(), String> {
        loop {
            self.core.deliver();
            self.observe()?;
            self.core.trim();
            if !self.read()? {
                break;
            }
        }
        for consumer in self.model.live().into_iter().filter(|at| self.model.may_take(*at)) {
            if let Some(at) = self.model.first_for(Some(consumer)) {
                return Err(format!("consumer {consumer} could get {at} and does not"));
            }
        }
        self.model.trim();
        self.look_at_dead()
    }

    /// Looks at what has come to consumers.
    pub(super) fn observe(&mut self) -> Result<(), String> {
        self.core.hand_over();
        let mut came: Vec<Delivery> = self.inboxes.iter().flat_map(|inbox| inbox.drain()).collect();
        let level = |delivery: &Delivery| self.model.messages[place(delivery.position)].level;
        came.sort_by_key(|delivery| (std::cmp::Reverse(level(delivery)), delivery.position));
        for delivery in came {
            let (at, to) = (place(delivery.position), delivery.slot as usize);
            let no_ack = self.model.consumers[to].no_ack;
            let known = &self.model.messages[at];
            equal("body", label(delivery.message.body()), known.label)?;
            equal("has a key", delivery.unacked.is_some(), !no_ack || known.journalled || self.plan.grouped)?;
            let told = (delivery.returns, delivery.redelivered, delivery.tells_returns);
            equal(&format!("returns of {at}"), told, self.model.told_returns(at))?;
            self.model.delivered(at, to, delivery.unacked.filter(|_| !no_ack))?;
            if no_ack {
                self.on_their_way.insert(at, delivery);
            }
        }
        Ok(())
    }

    /// The undertaker is told exactly of those messages that die and go somewhere, and why; of others that they are gone, once.
    fn look_at_dead(&mut self) -> Result<(), String> {
        for gone in self.core.take_gone().into_iter().map(place) {
            equal(&format!("{gone} settled before"), self.journal.settled.insert(gone), true)?;
        }
        for dead in self.core.take_dead() {
            let label = label(dead.message.body());
            let same =
                |(at, reason): &(usize, _)| self.model.messages[*at].label == label && *reason == dead.reason;
            let Some(told) = self.model.told.iter().position(same) else {
                return Err(format!(
                    "the {label}th died ({:?}), where these do: {:?}",
                    dead.reason, self.model.told
                ));
            };
            let (at, _) = self.model.told.remove(told);
            self.graves.push((at, dead));
        }
        equal("what died and nobody was told of", Vec::new(), self.model.told.clone())
    }

    /// Whatever is due happens.
    fn tick(&mut self) -> Result<(), String> {
        for _ in 0..LOOKS_MAX {
            let is_due = self.core.is_timed() && self.core.next_due() <= self.model.now;
            if self.read()? {
                continue;
            }
            if !is_due {
                return Ok(());
            }
            let due = self.model.due();
            self.core.at(self.model.now);
            loop {
                self.core.expire(self.model.now);
                // That asks for what has to be read to know what is due.
                self.core.next_due();
                if !self.read()? {
                    break;
                }
            }
            let late = self.model.happens();
            self.perform()?;
            self.late(&late)?;
            self.wake(&due)?;
        }
        Err("the timer never rests".to_owned())
    }

    /// Consumers that are too late are cancelled.
    fn late(&mut self, expected: &[usize]) -> Result<(), String> {
        let take = |inbox: &Arc<Inbox>| std::mem::take(&mut inbox.state.lock().unwrap().late);
        let told: Vec<Late> = self.inboxes.iter().flat_map(take).collect();
        let mut late: Vec<usize> = told.iter().map(|late| place(late.position)).collect();
        late.sort_unstable();
        equal("late", &late[..], expected)?;
        for late in told {
            let consumer = late.slot as usize;
            if self.model.consumers[consumer].stage != Stage::Gone {
                equal("is late", self.core.is_late(&late), true)?;
                self.cancel(consumer, Some(Settlement::Return))?;
            }
        }
        Ok(())
    }

    /// The queue holds what the model holds, and asks to be told the time when something is due.
    fn check(&mut self) -> Result<(), String> {
        let count = |wanted: fn(&Place) -> bool| {
            self.model.messages.iter().filter(|message| wanted(&message.place)).count()
        };
        equal("ready", self.core.ready(), count(|place| *place == Place::Ready))?;
        equal("ready bytes", self.core.ready_bytes(), self.model.ready_bytes())?;
        equal("unacked", self.core.unacked(), count(|place| matches!(place, Place::Held { .. })))?;
        equal("retrying", self.core.retrying(), count(|place| matches!(place, Place::Retrying(_))))?;
        equal("scheduled", self.core.scheduled(), count(|place| matches!(place, Place::Scheduled(_))))?;
        equal("consumers", self.core.consumers(), self.model.live().len())?;
        let next = self.model.next();
        let asks = if self.core.is_timed() { self.core.next_due() } else { Time::NEVER };
        if asks > next || asks <= self.model.now {
            return Err(format!("now {:?}, next {next:?}, asks for {asks:?}", self.model.now));
        }
        for (at, known) in self.model.messages.iter().enumerate().filter(|(_, known)| known.journalled) {
            let is_settled = self.journal.settled.contains(&at);
            equal(&format!("{at} is settled in the journal"), is_settled, known.place == Place::Gone)?;
            let recorded = self.journal.returns.get(&at).copied().unwrap_or_default();
            equal(&format!("recorded returns of {at}"), recorded, known.recorded)?;
        }
        Ok(())
    }

    /// All that a kill leaves, in a queue that starts. Nothing of it is settled.
    pub(super) fn survivors(&self) -> Vec<(usize, Returns)> {
        let journalled = (0..self.model.messages.len()).filter(|at| self.model.messages[*at].journalled);
        let alive = journalled.filter(|at| !self.journal.settled.contains(at));
        alive.map(|at| (at, self.journal.returns.get(&at).copied().unwrap_or_default())).collect()
    }
}

/// Which message this is, by its body.
fn label(body: &[u8]) -> usize {
    usize::from_be_bytes(body[..8].try_into().unwrap())
}
