//! What the queues must hold, written as simply as can be, and the look at what they gave.

use std::collections::BTreeMap;

use super::super::super::id::UnackedKey;
use super::super::super::queue::Status;
use super::*;
use crate::store::stored::Returns;

/// A message in one queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) number: Number,
    pub(super) returns: Returns,
    /// It was there when a broker ended without a word.
    pub(super) maybe_delivered: bool,
}

/// A queue and what must be ready in it.
pub(super) struct Kept {
    pub(super) id: QueueId,
    pub(super) queue: Arc<Queue>,
    pub(super) durable: bool,
    pub(super) ready: BTreeMap<Position, Copy>,
    /// A get waits for a block of it.
    pub(super) waits: bool,
}

pub(super) struct ModelConsumer {
    pub(super) queue: QueueId,
    pub(super) kept: Arc<Queue>,
    pub(super) key: ConsumerKey,
    pub(super) inbox: usize,
    pub(super) prefetch: u16,
    pub(super) no_ack: bool,
    pub(super) live: bool,
}

/// A message that was given to somebody.
pub(super) struct Held {
    pub(super) queue: QueueId,
    pub(super) position: Position,
    pub(super) copy: Copy,
    pub(super) key: Option<UnackedKey>,
    /// The consumer; none for a get.
    pub(super) consumer: Option<usize>,
    /// It has left the inbox.
    pub(super) sent: bool,
}

pub(super) fn body(number: Number, len: usize) -> Vec<u8> {
    let mut body = number.to_be_bytes().to_vec();
    body.resize(len, u8::try_from(number % 251).unwrap());
    body
}

/// Which message this is the body of.
pub(super) fn number(body: &[u8]) -> Number {
    Number::from_be_bytes(body[..8].try_into().unwrap())
}

impl Run {
    pub(super) fn store(&self) -> &Arc<ByHand> {
        self.store.as_ref().unwrap()
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random.below(bound as u64)).unwrap()
    }

    pub(super) fn any_queue(&mut self) -> Option<usize> {
        let count = self.queues.len();
        (count > 0).then(|| self.below(count))
    }

    pub(super) fn at(&self, queue: QueueId) -> Option<usize> {
        self.queues.iter().position(|kept| kept.id == queue)
    }

    /// Whether a message outlives the broker there.
    pub(super) fn is_journalled(&self, queue: QueueId, number: Number) -> bool {
        let is_durable = self.at(queue).is_some_and(|at| self.queues[at].durable);
        is_durable && self.published[usize::try_from(number).unwrap()].1
    }

    pub(super) fn check_body(&self, found: &[u8]) -> Number {
        let number = number(found);
        let (len, _) = self.published[usize::try_from(number).unwrap()];
        assert!(found == body(number, len), "the body of {number} is another one");
        number
    }

    pub(super) fn is_automatic(&self, held: &Held) -> bool {
        held.consumer.is_some_and(|at| self.consumers[at].no_ack)
    }

    /// Looks at what came into the inboxes, and whether the queues hold what they must.
    pub(super) fn observe(&mut self) {
        if self.disk.is_crashed() {
            // What cannot be read any more looks damaged, and nobody is promised anything.
            return;
        }
        self.observe_deliveries();
        for at in 0..self.queues.len() {
            self.observe_queue(at);
        }
    }

    fn observe_deliveries(&mut self) {
        let mut came = Vec::new();
        for inbox in 0..INBOXES {
            let state = self.inboxes[inbox].state.lock().unwrap();
            assert_eq!(state.reserved, 0, "room was taken and not used");
            for delivery in &state.deliveries[self.seen[inbox]..] {
                let slot = delivery.slot as usize;
                let consumer = &self.consumers[slot];
                assert_eq!(consumer.inbox, inbox);
                // A queue that was deleted may have given something before.
                let Some(at) = self.at(consumer.queue) else { continue };
                let copy = Copy {
                    number: self.check_body(delivery.message.body()),
                    returns: delivery.returns,
                    maybe_delivered: delivery.redelivered,
                };
                came.push((at, delivery.position, copy, slot, delivery.unacked));
            }
            for slot in 0..self.consumers.len() {
                let of_slot = state.deliveries[self.seen[inbox]..].iter();
                let mut positions = of_slot.filter(|delivery| delivery.slot as usize == slot);
                assert!(positions.by_ref().map(|delivery| delivery.position).is_sorted(), "not in order");
            }
            let seen = state.deliveries.len();
            drop(state);
            self.seen[inbox] = seen;
        }
        came.sort_by_key(|(at, position, ..)| (*at, *position));
        for (at, position, given, slot, key) in came {
            let kept = &mut self.queues[at];
            let (first, copy) = kept.ready.pop_first().unwrap_or_else(|| panic!("{given:?} was not ready"));
            assert_eq!((position, given.number), (first, copy.number), "not the first of queue {}", kept.id);
            assert_eq!(given.returns, copy.returns, "{copy:?}");
            let redelivered = !copy.returns.is_none() || copy.maybe_delivered;
            assert_eq!(given.maybe_delivered, redelivered, "redelivered of {copy:?}");
            let (queue, consumer) = (kept.id, &self.consumers[slot]);
            let is_kept = !consumer.no_ack || self.is_journalled(queue, copy.number);
            assert_eq!(key.is_some(), is_kept, "{copy:?}");
            self.held.push(Held { queue, position, copy, key, consumer: Some(slot), sent: false });
            let holds = self.unsettled(slot);
            let prefetch = usize::from(self.consumers[slot].prefetch);
            assert!(prefetch == 0 || self.consumers[slot].no_ack || holds <= prefetch, "beyond the prefetch");
        }
    }

    fn unsettled(&self, slot: usize) -> usize {
        self.held.iter().filter(|held| held.consumer == Some(slot)).count()
    }

    fn observe_queue(&mut self, at: usize) {
        let kept = &self.queues[at];
        let held = self.held.iter().filter(|held| held.queue == kept.id && !self.is_automatic(held));
        let live = self.consumers.iter().enumerate().filter(|(_, of)| of.live && of.queue == kept.id);
        let expected = Status {
            ready: kept.ready.len(),
            unacked: held.count(),
            consumers: live.clone().count(),
            scheduled: 0,
            retrying: 0,
        };
        assert_eq!(kept.queue.status().unwrap(), expected, "queue {}", kept.id);
        let reads = self.store().reads(kept.id);
        let could = |(slot, of): (usize, &ModelConsumer)| {
            let has_credit = of.no_ack || of.prefetch == 0 || self.unsettled(slot) < usize::from(of.prefetch);
            has_credit && self.emptied != Some(of.inbox) && self.inboxes[of.inbox].has_room()
        };
        let stalls = !reads && !kept.ready.is_empty() && live.clone().any(could);
        assert!(
            !stalls,
            "a consumer of queue {} could get {:?} and does not",
            kept.id,
            kept.ready.first_key_value()
        );
        let told = self.getter.state.lock().unwrap().loaded.clone();
        let is_told = told.contains(&u16::try_from(kept.id.number()).unwrap());
        assert!(!kept.waits || is_told || reads, "waits for nothing");
    }
}
