//! What was appended to the journal, in the order in which it counts: what a broker finds when it starts is what some first
//! part of it comes to, and all that was promised is in that part.

use std::collections::{BTreeMap, BTreeSet};

use super::Number;
use crate::place::{Batch, JournalFile, Position, QueueId};
use crate::store::stored::Returns;

/// What a group of records does.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Publish(QueueId, Position, Number),
    Settle(QueueId, Position),
    Requeue(QueueId, Position, Returns),
    Gone(QueueId),
}

/// Messages and how often they came back; a queue that is not there is gone.
pub(super) type Contents = BTreeMap<QueueId, Messages>;

type Messages = BTreeMap<Position, (Number, Returns)>;

#[derive(Debug)]
struct Appended {
    file: JournalFile,
    batch: Batch,
    actions: Vec<Action>,
}

/// What was there at the start, and the groups that were appended since.
#[derive(Default)]
pub(super) struct Log {
    base: Contents,
    appended: Vec<Appended>,
}

/// What some groups come to. The settlement of a message may stand before its publish.
#[derive(Default)]
struct Sum {
    queues: Contents,
    settled: BTreeSet<(QueueId, Position)>,
    counts: BTreeMap<(QueueId, Position), Returns>,
}

impl Sum {
    fn add(&mut self, action: &Action) {
        match *action {
            Action::Publish(queue, position, number) => {
                if let Some(queue) = self.queues.get_mut(&queue) {
                    queue.insert(position, (number, Returns::default()));
                }
            }
            Action::Settle(queue, position) => {
                self.settled.insert((queue, position));
            }
            Action::Requeue(queue, position, count) => {
                // Those who gave it back may write that in another order than they did.
                let known = self.counts.entry((queue, position)).or_default();
                *known = std::cmp::max_by_key(*known, count, |count| count.acquired);
            }
            Action::Gone(queue) => {
                self.queues.remove(&queue);
            }
        }
    }

    /// Whether this may have been found where `expected` was to be, this being the sum of all groups. A message that a
    /// checkpoint wrote again has the count that it had then, though the record of that may come later and be lost.
    fn allows(&self, expected: &Contents, found: &Contents) -> bool {
        let is_same = |queue: QueueId, expected: &Messages, found: &Messages| {
            let mut both = expected.iter().zip(found);
            expected.len() == found.len()
                && both.all(|((at, (number, least)), (other, (same, count)))| {
                    let most = self.counts.get(&(queue, *at)).copied().unwrap_or(*least);
                    (at, number) == (other, same)
                        && (least.acquired..=most.acquired).contains(&count.acquired)
                        && (least.deliveries..=most.deliveries).contains(&count.deliveries)
                        && count.due == least.due
                })
        };
        let mut both = expected.iter().zip(found);
        expected.len() == found.len()
            && both.all(|((id, one), (same, other))| id == same && is_same(*id, one, other))
    }

    fn contents(&self) -> Contents {
        let alive = |queue: QueueId, messages: &Messages| {
            let alive = messages.iter().filter(|(position, _)| !self.settled.contains(&(queue, **position)));
            let counted = alive.map(|(position, (number, count))| {
                let count = self.counts.get(&(queue, *position)).copied().unwrap_or(*count);
                (*position, (*number, count))
            });
            counted.collect()
        };
        self.queues.iter().map(|(queue, messages)| (*queue, alive(*queue, messages))).collect()
    }
}

impl Log {
    pub(super) fn new(base: Contents) -> Self {
        Self { base, appended: Vec::new() }
    }

    pub(super) fn declare(&mut self, queue: QueueId) {
        self.base.insert(queue, BTreeMap::new());
    }

    /// The queues that there may be.
    pub(super) fn queues(&self) -> Vec<QueueId> {
        self.base.keys().copied().collect()
    }

    /// Whether it is promised that a queue is gone.
    pub(super) fn is_gone(&self, queue: QueueId, promised: Batch) -> bool {
        let says = |action: &Action| matches!(action, Action::Gone(gone) if *gone == queue);
        self.appended.iter().any(|appended| appended.batch <= promised && appended.actions.iter().any(says))
    }

    /// Nothing stands in an earlier file than its ticket said, so that those of one file come together.
    pub(super) fn append(&mut self, file: JournalFile, batch: Batch, actions: Vec<Action>) {
        let at = self.appended.partition_point(|other| other.file <= file);
        self.appended.insert(at, Appended { file, batch, actions });
    }

    /// Whether what was found is what may be there, given what was promised; `all` of it after a stop in order.
    pub(super) fn check(&self, found: &Contents, promised: Batch, all: bool) {
        let is_promised = |appended: &Appended| appended.batch <= promised;
        let least = self.appended.iter().rposition(is_promised).map_or(0, |last| last + 1);
        let least = if all { self.appended.len() } else { least };
        let mut total = Sum { queues: self.base.clone(), ..Sum::default() };
        let actions = self.appended.iter().flat_map(|appended| &appended.actions);
        actions.for_each(|action| total.add(action));
        let mut sum = Sum { queues: self.base.clone(), ..Sum::default() };
        let mut nearest: Option<(usize, usize, String)> = None;
        for at in 0..=self.appended.len() {
            if at >= least {
                let expected = sum.contents();
                if total.allows(&expected, found) {
                    return;
                }
                let (size, text) = difference(&expected, found);
                if nearest.as_ref().is_none_or(|(_, other, _)| size < *other) {
                    nearest = Some((at, size, text));
                }
            }
            self.appended.get(at).into_iter().flat_map(|it| &it.actions).for_each(|action| sum.add(action));
        }
        let (all, nearest) =
            (self.appended.len(), nearest.map(|(at, _, text)| format!("{at} of them: {text}")));
        let groups = self.appended.iter().enumerate().skip(least.saturating_sub(2));
        let groups: Vec<String> = groups.map(|(at, group)| format!("{}: {group:?}", at + 1)).collect();
        panic!(
            "not what {least} to {all} groups come to, {promised:?} promised; nearest to {nearest:?}; the groups:\n{}",
            groups.join("\n")
        );
    }
}

/// How much is not the same, and what, for whoever reads the failure.
fn difference(expected: &Contents, found: &Contents) -> (usize, String) {
    let flat = |contents: &Contents| -> BTreeSet<(QueueId, Position, Number, u32, u32)> {
        let each = contents.iter().flat_map(|(queue, messages)| {
            messages.iter().map(|(position, (number, count))| {
                (*queue, *position, *number, count.acquired, count.deliveries)
            })
        });
        each.collect()
    };
    let (expected_all, found_all) = (flat(expected), flat(found));
    let (lost, more) = (&expected_all - &found_all, &found_all - &expected_all);
    let queues: (Vec<_>, Vec<_>) = (expected.keys().collect(), found.keys().collect());
    (lost.len() + more.len(), format!("not there: {lost:?}, there besides: {more:?}, queues: {queues:?}"))
}
