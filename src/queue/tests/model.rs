//! What a queue must hold and who must get what, written as simply as can be.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::super::id::UnackedKey;
use crate::store::stored::Returns;
use crate::time::Time;

/// A message: its number among all that were published, which is its position.
pub(super) type Number = u64;

/// How far a consumer has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Consuming,
    Stopped,
    Cancelled,
}

pub(super) struct ModelConsumer {
    pub(super) inbox: usize,
    pub(super) prefetch: u16,
    pub(super) no_ack: bool,
    pub(super) priority: i64,
    pub(super) exclusive: bool,
    pub(super) shares_credit: bool,
    pub(super) stage: Stage,
    /// When it got a message last.
    served: Option<u64>,
    /// Since when it could get one and got none.
    waits: Option<u64>,
}

impl ModelConsumer {
    pub(super) fn new(inbox: usize, prefetch: u16, no_ack: bool, priority: i64) -> Self {
        Self {
            inbox,
            prefetch,
            no_ack,
            priority,
            exclusive: false,
            shares_credit: false,
            stage: Stage::Consuming,
            served: None,
            waits: None,
        }
    }
}

/// A message that waits for its settlement.
pub(super) struct Held {
    pub(super) number: Number,
    pub(super) key: UnackedKey,
    /// The consumer; none for a get.
    pub(super) consumer: Option<usize>,
    /// It has left the inbox.
    pub(super) sent: bool,
}

pub(super) struct Model {
    /// How often each message that was published counts as delivered.
    pub(super) returns: Vec<Returns>,
    pub(super) sizes: Vec<i64>,
    /// When each expires.
    pub(super) deadlines: Vec<Time>,
    /// Which of them outlive the broker.
    pub(super) persistent: Vec<bool>,
    /// The group of each, if it has one.
    pub(super) groups: Vec<Option<u8>>,
    /// Which consumer got each last; none when it was got.
    pub(super) taken_by: Vec<Option<usize>>,
    /// Groups of which some came back and some are in flight.
    closing: BTreeSet<u8>,
    /// All before this one were there before the broker started.
    pub(super) redelivered_below: Number,
    /// In a block that could not be read.
    pub(super) lost: Vec<Number>,
    /// The same, and then the queue was purged: a killed broker may still have them.
    pub(super) unsure: Vec<Number>,
    pub(super) ready: BTreeSet<Number>,
    /// Those that have expired by now, while the queue is told so: it may deliver some that it has not come to.
    pub(super) late: BTreeSet<Number>,
    pub(super) held: Vec<Held>,
    /// Taken out by an operator.
    pub(super) out: Vec<Number>,
    /// In an inbox, and done with as soon as they leave it.
    pub(super) leaving: Vec<Number>,
    /// Settled or purged.
    pub(super) done: Vec<Number>,
    pub(super) consumers: Vec<ModelConsumer>,
    pub(super) rooms: Vec<i64>,
    /// An inbox that was emptied, which nobody was told yet.
    pub(super) untold: Option<usize>,
    pub(super) credit_used: u32,
    pub(super) credit_limit: u32,
    pub(super) single_active: bool,
    active: Option<usize>,
    now: u64,
}

impl Model {
    pub(super) fn new(rooms: Vec<i64>, credit_limit: u32, single_active: bool) -> Self {
        Self {
            returns: Vec::new(),
            sizes: Vec::new(),
            deadlines: Vec::new(),
            persistent: Vec::new(),
            groups: Vec::new(),
            taken_by: Vec::new(),
            closing: BTreeSet::new(),
            redelivered_below: 0,
            lost: Vec::new(),
            unsure: Vec::new(),
            ready: BTreeSet::new(),
            late: BTreeSet::new(),
            held: Vec::new(),
            out: Vec::new(),
            leaving: Vec::new(),
            done: Vec::new(),
            consumers: Vec::new(),
            rooms,
            untold: None,
            credit_used: 0,
            credit_limit,
            single_active,
            active: None,
            now: 0,
        }
    }

    pub(super) fn live(&self) -> impl Iterator<Item = usize> {
        (0..self.consumers.len()).filter(|at| self.consumers[*at].stage != Stage::Cancelled)
    }

    pub(super) fn may_consume(&self, exclusive: bool) -> bool {
        let alone = self.live().next().is_none() && !self.single_active;
        !self.live().any(|at| self.consumers[at].exclusive) && (!exclusive || alone)
    }

    pub(super) fn add(&mut self, consumer: ModelConsumer) {
        self.active.get_or_insert(self.consumers.len());
        self.consumers.push(consumer);
    }

    pub(super) fn cancel(&mut self, at: usize) {
        self.consumers[at].stage = Stage::Cancelled;
        if self.active == Some(at) {
            let follows = self.live().filter(|at| self.consumers[*at].stage == Stage::Consuming);
            self.active = follows.max_by_key(|at| (self.consumers[*at].priority, Reverse(*at)));
        }
    }

    pub(super) fn unacked_of(&self, at: usize) -> usize {
        self.held.iter().filter(|held| held.consumer == Some(at)).count()
    }

    /// Whether a consumer could be given a message now.
    pub(super) fn may_get(&self, at: usize) -> bool {
        let consumer = &self.consumers[at];
        let has_turn = !self.single_active || self.active == Some(at);
        let unlimited = consumer.no_ack || consumer.prefetch == 0;
        let has_credit = unlimited || self.unacked_of(at) < usize::from(consumer.prefetch);
        let has_shared_credit = !consumer.shares_credit || self.credit_used < self.credit_limit;
        let has_room = self.rooms[consumer.inbox] > 0;
        consumer.stage == Stage::Consuming && has_turn && has_credit && has_shared_credit && has_room
    }

    /// The same, and its queue knows.
    fn asks(&self, at: usize) -> bool {
        self.may_get(at) && self.untold != Some(self.consumers[at].inbox)
    }

    fn group(&self, number: Number) -> Option<u8> {
        self.groups[usize::try_from(number).unwrap()]
    }

    /// A message of this group that is not settled and not ready.
    fn in_flight(&self, group: u8) -> Option<Number> {
        let mut in_flight = self.held.iter().map(|held| held.number).chain(self.leaving.iter().copied());
        in_flight.find(|number| self.group(*number) == Some(group))
    }

    /// Whether a ready message may go to this consumer, or be got.
    pub(super) fn may_go(&self, number: Number, to: Option<usize>) -> bool {
        let Some(group) = self.group(number) else { return true };
        if self.ready.iter().find(|other| self.group(**other) == Some(group)) != Some(&number) {
            return false;
        }
        self.in_flight(group).is_none_or(|other| {
            let keeper = self.taken_by[usize::try_from(other).unwrap()];
            keeper.is_some() && keeper == to && !self.closing.contains(&group)
        })
    }

    /// The first ready message that may go to this consumer, or be got.
    pub(super) fn first_for(&self, to: Option<usize>) -> Option<Number> {
        self.ready.iter().copied().find(|number| self.may_go(*number, to))
    }

    /// Messages came back: nothing more of their groups goes out until what is in flight is settled.
    pub(super) fn came_back(&mut self, numbers: &[Number]) {
        self.ready.extend(numbers);
        let groups = numbers.iter().filter_map(|number| self.group(*number));
        self.closing.extend(groups.collect::<Vec<_>>());
        self.tick();
    }

    /// A consumer got a message: `Err` says why it should not have.
    pub(super) fn delivered(
        &mut self,
        number: Number,
        at: usize,
        key: Option<UnackedKey>,
    ) -> Result<(), String> {
        if self.late.remove(&number) {
            self.ready.insert(number);
        } else if self.first_for(Some(at)) != Some(number) {
            return Err(format!("{number} of {:?} was not for {at} to have", self.ready));
        }
        let is_free = self.group(number).is_none_or(|group| self.in_flight(group).is_none());
        if !self.may_get(at) {
            return Err(format!("consumer {at} got {number} without credit, room or turn"));
        }
        let (priority, served) = (self.consumers[at].priority, self.consumers[at].served);
        for other in self.live().filter(|other| *other != at && self.asks(*other)) {
            let rival = &self.consumers[other];
            if is_free && rival.priority > priority {
                return Err(format!("consumer {at} got {number} before {other} of a higher priority"));
            }
            if is_free
                && rival.priority == priority
                && served.is_some_and(|served| rival.waits.is_some_and(|w| w < served))
            {
                return Err(format!("consumer {at} got {number} and another before it, {other} got none"));
            }
        }
        self.ready.remove(&number);
        self.taken_by[usize::try_from(number).unwrap()] = Some(at);
        match key {
            Some(key) => self.held.push(Held { number, key, consumer: Some(at), sent: false }),
            None => self.leaving.push(number),
        }
        let (inbox, shares_credit) = (self.consumers[at].inbox, self.consumers[at].shares_credit);
        self.rooms[inbox] -= self.sizes[usize::try_from(number).unwrap()];
        self.credit_used += u32::from(shares_credit);
        if is_free {
            self.consumers[at].served = Some(self.now);
        }
        self.consumers[at].waits = None;
        self.tick();
        Ok(())
    }

    /// Something happened: who waits now?
    pub(super) fn tick(&mut self) {
        self.now += 1;
        for group in std::mem::take(&mut self.closing) {
            if self.in_flight(group).is_some() {
                self.closing.insert(group);
            }
        }
        for at in 0..self.consumers.len() {
            let may = self.asks(at);
            let waits = &mut self.consumers[at].waits;
            *waits = may.then(|| waits.unwrap_or(self.now));
        }
    }

    /// The broker is killed and starts again: all consumers are gone, what outlives it is ready. Gives that,
    /// with what was `found` of that which it need not be.
    pub(super) fn restart(&mut self, rooms: Vec<i64>, found: &[Number]) -> Vec<Number> {
        for consumer in &mut self.consumers {
            consumer.stage = Stage::Cancelled;
        }
        let mut all = std::mem::take(&mut self.ready);
        all.extend(self.held.drain(..).map(|held| held.number));
        all.extend(self.leaving.drain(..).chain(self.out.drain(..)).chain(self.lost.drain(..)));
        let (unsure, done) = self.unsure.drain(..).partition(|number| found.contains(number));
        let (unsure, mut done): (Vec<Number>, Vec<Number>) = (unsure, done);
        all.extend(unsure);
        self.done.append(&mut done);
        let outlives = |number: &Number| self.persistent[usize::try_from(*number).unwrap()];
        self.done.extend(all.iter().filter(|number| !outlives(number)));
        self.ready = all.into_iter().filter(outlives).collect();
        self.redelivered_below = self.returns.len() as Number;
        (self.rooms, self.credit_used, self.active) = (rooms, 0, None);
        self.ready.iter().copied().collect()
    }

    /// Everything was delivered that could be, unless it is being read, and each message is in one place.
    pub(super) fn check(&self, reads: bool) -> Result<(), String> {
        for at in self.live().filter(|at| !reads && self.may_get(*at)) {
            if let Some(number) = self.first_for(Some(at)) {
                return Err(format!("consumer {at} could get {number} and does not"));
            }
        }
        let mut everywhere: Vec<Number> = self.ready.iter().copied().collect();
        everywhere.extend(self.held.iter().map(|held| held.number));
        everywhere.extend(self.leaving.iter().chain(&self.out).chain(&self.done));
        everywhere.extend(self.lost.iter().chain(&self.unsure));
        everywhere.sort_unstable();
        if everywhere.iter().copied().eq(0..self.returns.len() as u64) {
            Ok(())
        } else {
            Err(format!("lost or doubled: {everywhere:?}"))
        }
    }
}
