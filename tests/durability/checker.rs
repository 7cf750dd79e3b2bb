//! The laws: what must be in the queues, what may be, and what may not.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::account::{Account, Outcome, Transaction};
use crate::publication::{Id, Publication, Queue};

/// A message in a queue.
type Place = (Queue, Id);

/// What the clients know about everything that was ever published.
#[derive(Default)]
pub(crate) struct Checker {
    seed: u64,
    /// What may be in the queues.
    copies: HashMap<Place, Copy>,
    /// What may not be there any more, and why.
    gone: HashMap<Place, &'static str>,
    /// Transactions that were to be committed when the broker ended.
    undecided: Vec<Transaction>,
    /// How many messages may be missing from a queue since a get without acknowledgement had no answer.
    asked_for: HashMap<Queue, usize>,
    violations: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Copy {
    promise: Promise,
    settled: Settled,
    /// Delivered, or recovered after an unclean end: whoever gets it has to be told.
    is_seen: bool,
}

/// Whether it must be there if nobody has settled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promise {
    Made,
    NotMade,
    /// If that transaction was committed.
    By(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settled {
    No,
    Perhaps,
    ForSure,
    /// If that transaction was committed.
    By(usize),
}

/// How the broker ended before the messages were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Told to stop, and ended by itself.
    Clean,
    /// Killed while it served.
    Killed,
    /// Killed while it stopped or started: it may have been as good as a clean end.
    Unknown,
}

/// What is found in the queues, in the order of its being delivered, and whether as redelivered.
pub(crate) type Found = BTreeMap<Queue, Vec<(Id, bool)>>;

impl Checker {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// How many messages may be in the queues.
    pub(crate) fn len(&self) -> usize {
        self.copies.len()
    }

    /// What was found to be wrong since the last time.
    pub(crate) fn violations(&mut self) -> Vec<String> {
        std::mem::take(&mut self.violations)
    }

    /// Takes over what connections know that lived at the same time.
    pub(crate) fn absorb(&mut self, accounts: Vec<Account>) {
        for account in &accounts {
            for (id, is_confirmed) in &account.sent {
                self.published(*id, if *is_confirmed { Promise::Made } else { Promise::NotMade });
            }
            for transaction in &account.transactions {
                let number = self.undecided.len();
                for id in &transaction.messages {
                    match transaction.outcome {
                        Outcome::Committed => self.published(*id, Promise::Made),
                        Outcome::Asked => self.published(*id, Promise::By(number)),
                        Outcome::Undone => self.withdrawn(*id),
                    }
                }
                if transaction.outcome == Outcome::Asked {
                    self.undecided.push(transaction.clone());
                }
            }
        }
        self.deliveries(&accounts);
        let mut undecided = self.undecided.len()
            - accounts
                .iter()
                .flat_map(|account| &account.transactions)
                .filter(|tx| tx.outcome == Outcome::Asked)
                .count();
        for account in accounts {
            for (at, place) in account.settled.iter().enumerate() {
                let is_sure = at < account.settled_for_sure;
                self.settle(*place, if is_sure { Settled::ForSure } else { Settled::Perhaps });
            }
            for transaction in &account.transactions {
                let settled = match transaction.outcome {
                    Outcome::Committed => Settled::ForSure,
                    Outcome::Asked => {
                        undecided += 1;
                        Settled::By(undecided - 1)
                    }
                    Outcome::Undone => continue,
                };
                transaction.settled.iter().for_each(|place| self.settle(*place, settled));
            }
            for queue in account.asked_for {
                *self.asked_for.entry(queue).or_default() += 1;
            }
            self.violations.extend(account.violations);
        }
    }

    fn published(&mut self, id: Id, promise: Promise) {
        let publication = Publication::of(self.seed, id);
        for queue in publication.queues {
            let copy = Copy { promise, settled: Settled::No, is_seen: false };
            self.copies.insert((*queue, id), copy);
        }
    }

    fn withdrawn(&mut self, id: Id) {
        for queue in Publication::of(self.seed, id).queues {
            self.gone.insert((*queue, id), "its transaction was never committed");
        }
    }

    /// Each is delivered at most once without the mark, and never without it once it was seen.
    fn deliveries(&mut self, accounts: &[Account]) {
        let mut first = HashSet::new();
        let deliveries = || accounts.iter().flat_map(|account| &account.deliveries);
        for (queue, id, redelivered) in deliveries() {
            let place = (*queue, *id);
            match self.copies.get(&place) {
                None => {
                    let why = self.gone.get(&place).unwrap_or(&"nobody published it");
                    self.violations.push(format!("phantom: {place:?} was delivered, but {why}"));
                }
                Some(copy) if !redelivered && (copy.is_seen || !first.insert(place)) => {
                    self.violations.push(format!("{place:?} was delivered twice without `redelivered`"));
                }
                Some(_) => {}
            }
        }
        for (queue, id, _) in deliveries() {
            if let Some(copy) = self.copies.get_mut(&(*queue, *id)) {
                copy.is_seen = true;
            }
        }
    }

    fn settle(&mut self, place: Place, settled: Settled) {
        if let Some(copy) = self.copies.get_mut(&place) {
            copy.settled = match (copy.settled, settled) {
                (Settled::ForSure, _) | (_, Settled::ForSure) => Settled::ForSure,
                (Settled::No, settled) => settled,
                _ => Settled::Perhaps,
            };
        }
    }

    /// Holds what the queues have now against what is known, which becomes exactly what they have.
    pub(crate) fn check(&mut self, found: &Found, end: End) {
        let undecided = std::mem::take(&mut self.undecided);
        let mut verdicts: Vec<Verdict> = undecided.iter().map(|_| Verdict::default()).collect();
        let present: HashSet<Place> =
            found.iter().flat_map(|(queue, ids)| ids.iter().map(|(id, _)| (*queue, *id))).collect();
        for (queue, ids) in found {
            self.order(*queue, ids);
            for (id, redelivered) in ids {
                self.present((*queue, *id), *redelivered, end, &mut verdicts);
            }
        }
        let mut missing: Vec<(Place, Copy)> =
            self.copies.iter().filter(|(place, _)| !present.contains(place)).map(|(p, c)| (*p, *c)).collect();
        missing.sort_by_key(|(place, _)| *place);
        for (place, copy) in &missing {
            self.missing(*place, *copy, &mut verdicts, found);
        }
        for (transaction, verdict) in undecided.iter().zip(verdicts) {
            if let (Some(done), Some(undone)) = (verdict.done, verdict.undone) {
                let text = format!("half a transaction: {done}, but {undone}; it was {transaction:?}");
                self.violations.push(text);
            }
        }
        for (place, _) in missing {
            self.copies.remove(&place);
            self.gone.insert(place, "it was settled or lost before");
        }
        for place in present {
            self.copies.insert(place, Copy { promise: Promise::Made, settled: Settled::No, is_seen: true });
        }
        self.asked_for.clear();
    }

    /// No message comes twice, and those of a stream come as they were published.
    fn order(&mut self, queue: Queue, ids: &[(Id, bool)]) {
        let mut latest: HashMap<u32, u32> = HashMap::new();
        for (id, _) in ids {
            if let Some(before) = latest.insert(id.stream, id.number).filter(|before| *before >= id.number) {
                let text = format!("order: {queue:?} has {id:?} behind number {before} of that stream");
                self.violations.push(text);
            }
        }
    }

    fn present(&mut self, place: Place, redelivered: bool, end: End, verdicts: &mut [Verdict]) {
        let Some(copy) = self.copies.get(&place) else {
            let why = self.gone.get(&place).unwrap_or(&"nobody published it");
            return self.violations.push(format!("phantom: {place:?} is there, but {why}"));
        };
        let is_persistent = Publication::of(self.seed, place.1).is_persistent;
        if !is_persistent {
            self.violations.push(format!("phantom: {place:?} is transient and outlived the broker"));
        }
        match copy.settled {
            Settled::ForSure => self.violations.push(format!(
                "phantom: {place:?} was settled, and what came later on that connection was confirmed"
            )),
            Settled::By(number) => verdicts[number].undone = Some(format!("{place:?} is not settled")),
            Settled::No | Settled::Perhaps => {}
        }
        if let Promise::By(number) = copy.promise {
            verdicts[number].done = Some(format!("{place:?} is there"));
        }
        let must = copy.is_seen || end == End::Killed;
        let may = must || end != End::Clean || place.0 != Queue::Idle;
        if must && !redelivered {
            self.violations.push(format!("{place:?} is not `redelivered` ({copy:?}, the end: {end:?})"));
        }
        if !may && redelivered {
            self.violations.push(format!("{place:?} is `redelivered`, but never was delivered"));
        }
    }

    fn missing(&mut self, place: Place, copy: Copy, verdicts: &mut [Verdict], found: &Found) {
        let (queue, id) = place;
        if !Publication::of(self.seed, id).is_persistent {
            return;
        }
        match (copy.promise, copy.settled) {
            // A message that was never promised may be missing for no reason, so that its absence says nothing.
            (Promise::NotMade, _)
            | (_, Settled::Perhaps | Settled::ForSure)
            | (Promise::By(_), Settled::By(_)) => {}
            (Promise::Made, Settled::By(number)) => {
                verdicts[number].done = Some(format!("{place:?} is settled"));
            }
            (_, Settled::No) if self.may_have_been_taken(queue, id, found) => {}
            (Promise::By(number), Settled::No) => {
                verdicts[number].undone = Some(format!("{place:?} is missing"));
            }
            (Promise::Made, Settled::No) => {
                self.violations.push(format!("lost: {place:?} was confirmed and never settled ({copy:?})"));
            }
        }
    }

    /// What is delivered without acknowledgement is settled when it is sent, whether it comes or not: the first ones
    /// of a queue, none behind one that is still there. One that was asked for with basic.get as well.
    fn may_have_been_taken(&mut self, queue: Queue, id: Id, found: &Found) -> bool {
        if queue == Queue::Auto {
            let mut there = found.get(&queue).into_iter().flatten();
            return there.all(|(other, _)| other.stream != id.stream || other.number > id.number);
        }
        match self.asked_for.get_mut(&queue) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }
}

/// What speaks for a transaction's having been committed, and what against it.
#[derive(Default)]
struct Verdict {
    done: Option<String>,
    undone: Option<String>,
}
