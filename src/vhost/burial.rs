//! Dead messages on their way from their queue to where its dead messages go.
//!
//! A message is in its old queue until all its new ones have it: the records of both are one group of the journal. What
//! happens to those queues may make further messages die; these come after, one queue at a time, however long the chain is.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use super::Vhost;
use super::publisher::{Origin, Publisher, Refusal};
use crate::place::{Position, QueueId};
use crate::queue::core::{Dead, Due};
use crate::queue::death::{Reason, dead_letter, would_cycle};
use crate::queue::id::UnackedKey;
use crate::queue::terms::DeadLetter;
use crate::queue::undertaker::Undertaker;
use crate::queue::{Queue, death};
use crate::store::unit::Unit;
use crate::time::Time;

/// So much is buried at once, in bytes of messages.
const BURIED_AT_ONCE_BYTES: usize = 4 * 1024 * 1024;
/// ...or this many messages.
const BURIED_AT_ONCE: usize = 1024;

/// Dead messages of one queue after the other.
type Waiting = VecDeque<(Arc<Queue>, Vec<Dead>)>;

thread_local! {
    /// What is still to be buried by this thread, if it is at it.
    static WAITING: RefCell<Option<Waiting>> = const { RefCell::new(None) };
}

impl Undertaker for Vhost {
    fn bury(&self, queue: &Arc<Queue>, dead: Vec<Dead>) {
        let is_at_it = WAITING.with_borrow_mut(|waiting| {
            let is_at_it = waiting.is_some();
            waiting.get_or_insert_default().push_back((Arc::clone(queue), dead));
            is_at_it
        });
        if !is_at_it {
            self.bury_waiting();
        }
    }

    fn settle(&self, queue: QueueId, mut gone: Vec<Position>) {
        gone.sort_unstable();
        // Its ticket is taken now: what is settled in it was published before.
        let mut unit = self.unit();
        unit.begin();
        for position in gone {
            unit.group().settle(queue, position);
        }
        unit.end();
    }

    fn due(&self, queue: &Arc<Queue>, due: Vec<Due>) {
        self.wake(queue, &due);
    }

    fn expired(&self, queue: &Arc<Queue>) {
        tracing::debug!(queue = %queue.name(), "expired: nobody has used it");
        self.forget_queue(queue);
    }
}

/// While there is one, this thread buries nothing; what died meanwhile is buried when it goes.
pub struct HeldBurials(Arc<Vhost>);

impl HeldBurials {
    /// Buries what clients gave up since, with its records in this unit, which goes into the journal as one: as long as that has
    /// no more than so many bytes. What else died was perhaps published after the unit had got its ticket, and has to wait.
    pub fn bury_given_up(&self, unit: &mut Unit, bytes_max: usize) {
        let mut held: Waiting = WAITING.with_borrow_mut(Option::take).unwrap_or_default();
        WAITING.set(Some(Waiting::new()));
        for (queue, dead) in &mut held {
            let is_given_up =
                |dead: &mut Dead| matches!(dead.reason, Reason::Rejected | Reason::DeliveryLimit);
            let mut given_up = dead.extract_if(.., is_given_up).peekable();
            while unit.len() < bytes_max && given_up.peek().is_some() {
                let part = portion(&mut given_up);
                let staying = self.0.bury_part(queue, part, unit);
                if !staying.is_empty() {
                    queue.stay(staying);
                }
            }
            let rest: Vec<Dead> = given_up.collect();
            dead.extend(rest);
        }
        WAITING.with_borrow_mut(|waiting| {
            let waiting = waiting.get_or_insert_default();
            held.into_iter().rev().for_each(|of_queue| waiting.push_front(of_queue));
        });
    }
}

impl Drop for HeldBurials {
    fn drop(&mut self) {
        self.0.bury_waiting();
    }
}

/// This thread buries nothing any more, also after a panic.
struct Ended;

impl Drop for Ended {
    fn drop(&mut self) {
        WAITING.with_borrow_mut(|waiting| *waiting = None);
    }
}

/// As much of it as is buried at once.
fn portion(dead: &mut impl Iterator<Item = Dead>) -> Vec<Dead> {
    let (mut part, mut bytes) = (Vec::new(), 0_usize);
    while part.len() < BURIED_AT_ONCE
        && bytes < BURIED_AT_ONCE_BYTES
        && let Some(dead) = dead.next()
    {
        bytes = bytes.saturating_add(dead.message.len());
        part.push(dead);
    }
    part
}

/// Where a dead message went.
#[derive(Default)]
struct Sent {
    /// The queues, where each of them is to have it.
    targets: Vec<QueueId>,
    /// There is none, or no exchange.
    nowhere: bool,
}

impl Vhost {
    /// Its queues have it as their undertaker from now on.
    pub(super) fn appoint(self: &Arc<Self>) {
        let me: Weak<Self> = Arc::downgrade(self);
        self.undertaker.appoint(me);
        let exchanges = self.exchanges.all();
        let waiting = exchanges.iter().filter_map(|exchange| exchange.waiting());
        for queue in self.queues.all().iter().chain(waiting) {
            queue.look();
        }
    }

    /// Has this thread bury nothing for a while, so that a commit can have burials among its records.
    pub fn hold_burials(self: &Arc<Self>) -> HeldBurials {
        WAITING.with_borrow_mut(|waiting| {
            waiting.get_or_insert_default();
        });
        HeldBurials(Arc::clone(self))
    }

    fn bury_waiting(&self) {
        let _ended = Ended;
        while let Some((queue, dead)) = WAITING.with_borrow_mut(|waiting| waiting.as_mut()?.pop_front()) {
            let mut rest = dead.into_iter().peekable();
            while rest.peek().is_some() {
                let part = portion(&mut rest);
                // Its ticket is taken now: what is settled in it was published before.
                let mut unit = self.unit();
                unit.begin();
                let staying = self.bury_part(&queue, part, &mut unit);
                unit.end();
                if !staying.is_empty() {
                    queue.stay(staying);
                }
            }
        }
    }

    /// Buries some messages, with their records in this unit. Gives those that nobody takes for now.
    fn bury_part(&self, queue: &Arc<Queue>, dead: Vec<Dead>, unit: &mut Unit) -> Vec<Dead> {
        let Ok(terms) = queue.terms() else { return Vec::new() };
        let keys: Vec<UnackedKey> = match &terms.dead_letter {
            // There is none any more.
            None => dead.iter().map(|dead| dead.key).collect(),
            Some(to) => {
                let mut publisher = Publisher::default().from_within();
                let now = Time::now();
                let mut sent = Vec::with_capacity(dead.len());
                for (number, dead) in dead.iter().enumerate() {
                    let origin = Origin { channel: 0, number: number as u64 };
                    sent.push(self.send(queue, dead, to, origin, now, (&mut publisher, unit)));
                }
                publisher.flush(self, unit);
                if to.at_least_once {
                    return Self::divide_dead(queue, dead, &sent, &mut publisher, unit);
                }
                dead.iter().map(|dead| dead.key).collect()
            }
        };
        queue.left(&keys, unit.group());
        Vec::new()
    }

    /// Those that all have got that they were to go to leave, the others stay.
    fn divide_dead(
        queue: &Arc<Queue>,
        dead: Vec<Dead>,
        sent: &[Sent],
        publisher: &mut Publisher,
        unit: &mut Unit,
    ) -> Vec<Dead> {
        let mut refused = publisher.take_refused();
        refused.sort_unstable();
        // What copies are taken for may still be lost.
        let copied = publisher.take_copied();
        let mut unsure: Vec<u64> =
            copied.iter().filter(|copied| copied.is_unsure()).map(|copied| copied.origin.number).collect();
        unsure.sort_unstable();
        let (mut staying, mut keys) = (Vec::new(), Vec::with_capacity(dead.len()));
        for ((number, mut dead), sent) in (0..).zip(dead).zip(sent) {
            let refused_by = |queue: &QueueId| {
                let refusal = Refusal { origin: Origin { channel: 0, number }, by: Some(*queue) };
                refused.binary_search(&refusal).is_ok()
            };
            let is_refused = refused.binary_search_by_key(&number, |refusal| refusal.origin.number).is_ok();
            let is_unsure = unsure.binary_search(&number).is_ok();
            if !sent.nowhere && !is_refused && !is_unsure {
                keys.push(dead.key);
                continue;
            }
            if !is_unsure {
                dead.taken_by.extend(sent.targets.iter().filter(|target| !refused_by(target)));
            }
            staying.push(dead);
        }
        queue.left_taken(&keys, unit.group());
        staying
    }

    /// Publishes a dead message where dead messages go, but to nobody who has it. Where it would go in a circle it is dropped.
    fn send(
        &self,
        queue: &Arc<Queue>,
        dead: &Dead,
        to: &DeadLetter,
        origin: Origin,
        now: Time,
        (publisher, unit): (&mut Publisher, &mut Unit),
    ) -> Sent {
        let key = to.routing_key.as_deref();
        let (name, exchange) = (queue.name().as_str(), to.exchange.as_str());
        let Some(letter) = dead_letter(&dead.message, name, dead.reason, exchange, key, now) else {
            return Sent::default();
        };
        let keys: Vec<&str> = death::cc(&letter).collect();
        let headers = letter.properties().headers();
        let nowhere = Sent { targets: Vec::new(), nowhere: true };
        // An exchange that does not exist takes nothing.
        let Ok(routed) = publisher.route(self, &letter, &keys, headers, unit) else { return nowhere };
        if publisher.leads_nowhere(routed) {
            return nowhere;
        }
        let mut sent = Sent::default();
        let routed = publisher.without(routed, |target| {
            if dead.taken_by.contains(&target.id()) {
                return true;
            }
            let cycles = would_cycle(&letter, target.name().as_str());
            if cycles {
                tracing::warn!(
                    queue = name,
                    target = target.name().as_str(),
                    "a dead message would go in a circle without ever being rejected: it is dropped"
                );
            } else if to.at_least_once {
                sent.targets.push(target.id());
            }
            cycles
        });
        publisher.gather(self, routed, letter.clone(), origin, unit);
        sent
    }
}
