//! Messages that an operator has moved from a queue to others, or dead ones back to where they came from.
//!
//! As with dead letters, a message is in its old queue until all its new ones have it, and the records of both are one
//! group of the journal. Whatever cannot go stays at its place.

use std::sync::Arc;

use foldhash::HashMap;

use super::Vhost;
use super::publisher::{Gathered, Origin as Of, Publisher, Routed};
use super::refused::Refused;
use super::routing::Found;
use crate::exchange::Routable;
use crate::message::Message;
use crate::place::{Batch, Position};
use crate::queue::core::Removed;
use crate::queue::death::{Death, cc, origin, redriven, redrives};
use crate::queue::id::UnackedKey;
use crate::queue::queue::Room;
use crate::queue::ready::Seen;
use crate::queue::{Gone, Queue, QueueId};
use crate::time::Time;

/// Where messages are to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoveTo {
    /// To this queue, as they are.
    Queue(String),
    /// To an exchange, with this key or with the one that each has.
    Exchange {
        /// Its name.
        name: String,
        /// The key.
        routing_key: Option<String>,
    },
    /// Dead ones to where they came from.
    Origin {
        /// From which of their deaths.
        death: Death,
        /// To the exchange that they were published to, and not to the queue that they died in.
        by_exchange: bool,
        /// Those stay that were sent back so many times before.
        redrives_max: u64,
    },
}

/// Why a message stays at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stays {
    /// It is no dead letter, so that nobody knows where it came from.
    NoOrigin,
    /// It was sent back as often as it may be.
    RedrivenTooOften,
    /// It would be in the queue that it comes from again, or leave its new one at once.
    WouldComeBack,
    /// There is no such queue or exchange.
    NoTarget,
    /// Nothing is bound to where it would go.
    Unroutable,
    /// A queue that it would go to is at its limit.
    TargetFull,
    /// A queue did not take it.
    Refused,
    /// A queue did not take it, and others have.
    RefusedInPart,
    /// A queue has had it before.
    Duplicate,
    /// Whoever asks may not publish there.
    Forbidden,
    /// It was delivered, or has left, meanwhile.
    Gone,
}

impl Stays {
    /// A word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoOrigin => "no_origin",
            Self::RedrivenTooOften => "redriven_too_often",
            Self::WouldComeBack => "would_come_back",
            Self::NoTarget => "no_target",
            Self::Unroutable => "unroutable",
            Self::TargetFull => "target_full",
            Self::Refused => "refused",
            Self::RefusedInPart => "refused_in_part",
            Self::Duplicate => "duplicate",
            Self::Forbidden => "forbidden",
            Self::Gone => "gone",
        }
    }
}

/// A message that may go, and where.
pub struct Going {
    seen: Seen,
    message: Message,
    targets: Vec<Arc<Queue>>,
    /// Its exchange routes it.
    by_exchange: bool,
}

impl Going {
    /// The queues that it goes to, as it was found out.
    pub fn targets(&self) -> &[Arc<Queue>] {
        &self.targets
    }
}

/// What became of messages that were to go.
#[derive(Debug, Default)]
pub struct Moved {
    /// How many have gone to which queues.
    pub to: HashMap<String, u64>,
    /// How many have gone.
    pub count: u64,
    /// How many stay, and why.
    pub stay: HashMap<Stays, u64>,
    /// What to wait for until that is on the disk.
    pub until: Option<Batch>,
}

/// How much room queues have left while messages for them are found.
#[derive(Default)]
pub struct Rooms(HashMap<QueueId, Room>);

impl Rooms {
    fn take(&mut self, queue: &Queue, message: &Message) -> Result<(), Stays> {
        let room = self.0.entry(queue.id()).or_insert_with(|| queue.room().unwrap_or_default());
        if room.leaves_at_once {
            return Err(Stays::WouldComeBack);
        }
        let bytes = message.body_len() as u64;
        let left = room.messages.checked_sub(1).zip(room.bytes.checked_sub(bytes));
        (room.messages, room.bytes) = left.ok_or(Stays::TargetFull)?;
        Ok(())
    }
}

impl Vhost {
    /// Where a message that was seen in a queue would go. `permits` says whether it may be published to an exchange with a
    /// key.
    ///
    /// # Errors
    /// It has to stay.
    pub fn may_go(
        &self,
        (from, seen): (&Arc<Queue>, &Seen),
        to: &MoveTo,
        (rooms, found): (&mut Rooms, &mut Found),
        permits: &mut dyn FnMut(&str, &str) -> bool,
    ) -> Result<Going, Stays> {
        let now = Time::now();
        let (message, queue) = match to {
            MoveTo::Queue(name) => {
                let mut message = seen.message.clone();
                message.arrive(now);
                (message, Some(name.clone()))
            }
            MoveTo::Exchange { name, routing_key } => {
                let key = routing_key.as_deref().unwrap_or(seen.message.routing_key());
                let message = seen.message.sent_on(name, key, seen.message.properties_bytes(), now);
                (message.ok_or(Stays::NoTarget)?, None)
            }
            MoveTo::Origin { death, by_exchange, redrives_max } => {
                let origin = origin(&seen.message, *death).ok_or(Stays::NoOrigin)?;
                if redrives(&seen.message) >= *redrives_max {
                    return Err(Stays::RedrivenTooOften);
                }
                let message = redriven(&seen.message, &origin, now).ok_or(Stays::NoTarget)?;
                (message, (!by_exchange).then_some(origin.queue))
            }
        };
        found.clear();
        let targets = if let Some(name) = &queue {
            // As if it were published to the default exchange.
            if !permits("", name) {
                return Err(Stays::Forbidden);
            }
            let queue = self.queues().get(name).filter(|queue| queue.owner().is_none());
            vec![queue.ok_or(Stays::NoTarget)?]
        } else {
            if !permits(message.exchange(), message.routing_key()) {
                return Err(Stays::Forbidden);
            }
            self.targets_of(&message, found)?
        };
        if targets.iter().any(|target| target.id() == from.id()) {
            return Err(Stays::WouldComeBack);
        }
        for target in &targets {
            rooms.take(target, &message)?;
        }
        Ok(Going { seen: seen.clone(), message, targets, by_exchange: queue.is_none() })
    }

    /// The queues that a message would go to from its exchange, at least one.
    fn targets_of(&self, message: &Message, found: &mut Found) -> Result<Vec<Arc<Queue>>, Stays> {
        let (properties, keys) = (message.properties(), cc(message).collect::<Vec<_>>());
        let routable = Routable {
            routing_key: message.routing_key(),
            extra_keys: &keys,
            headers: properties.headers(),
            properties,
            message: None,
        };
        self.route(message.exchange(), &routable, found).map_err(|refused| match refused {
            Refused::InternalExchange => Stays::Forbidden,
            _ => Stays::NoTarget,
        })?;
        if found.queues().is_empty() { Err(Stays::Unroutable) } else { Ok(found.queues().to_vec()) }
    }

    /// Moves messages in one group of records.
    ///
    /// # Errors
    /// The queue that they are in cannot be used any more.
    pub fn move_out(&self, from: &Arc<Queue>, going: Vec<Going>) -> Result<Moved, Gone> {
        let removed = from.take_out(&going.iter().map(|going| &going.seen).collect::<Vec<_>>())?;
        let keys: HashMap<Position, UnackedKey> =
            removed.iter().map(|Removed { key, position, .. }| (*position, *key)).collect();
        // Its ticket is taken now: what is settled in it was published before.
        let mut unit = self.unit();
        unit.begin();
        let mut publisher = Publisher::default().from_within();
        let (mut moved, mut sent, mut back) = (Moved::default(), Vec::new(), Vec::new());
        for (number, going) in (0_u64..).zip(going) {
            let Some(key) = keys.get(&going.seen.position).copied() else {
                moved.stays(Stays::Gone);
                continue;
            };
            let routed = if going.by_exchange {
                let (message, keys) = (&going.message, cc(&going.message).collect::<Vec<_>>());
                publisher.route(self, message, &keys, message.properties().headers(), &mut unit)
            } else {
                Ok(publisher.to_queues(&going.targets))
            };
            let routed = routed
                .ok()
                .filter(|routed| !matches!(routed, Routed::Reply) && !publisher.leads_nowhere(*routed));
            let Some(routed) = routed else {
                moved.stays(Stays::Unroutable);
                back.push(key);
                continue;
            };
            let (origin, message) = (Of { channel: 0, number }, going.message.clone());
            if publisher.gather(self, routed, message, origin, &mut unit) == Gathered::Known {
                moved.stays(Stays::Duplicate);
                back.push(key);
                continue;
            }
            sent.push((number, key, going));
        }
        publisher.flush(self, &mut unit);
        let mut refused: Vec<u64> = publisher.take_refused().iter().map(|one| one.origin.number).collect();
        refused.sort_unstable();
        let mut copied: Vec<u64> = publisher.take_copied().iter().map(|one| one.origin.number).collect();
        copied.sort_unstable();
        let crashed = publisher.take_crashed();
        let mut left = Vec::with_capacity(sent.len());
        for (number, key, going) in sent {
            let is_gone = |target: &Arc<Queue>| {
                crashed.as_ref() == Some(target.name()) || target.status() == Err(Gone::Deleted)
            };
            let refusals =
                refused.partition_point(|one| *one <= number) - refused.partition_point(|one| *one < number);
            let stays = if refusals > 0 {
                Some(if refusals < going.targets.len() { Stays::RefusedInPart } else { Stays::Refused })
            } else if copied.binary_search(&number).is_ok() {
                Some(Stays::Duplicate)
            } else if going.targets.iter().all(is_gone) {
                Some(Stays::NoTarget)
            } else {
                None
            };
            if let Some(stays) = stays {
                moved.stays(stays);
                back.push(key);
            } else {
                left.push(key);
                moved.went(&going.targets);
            }
        }
        from.left(&left, unit.group());
        moved.until = unit.end();
        from.take_back(&back);
        Ok(moved)
    }
}

impl Moved {
    fn stays(&mut self, why: Stays) {
        let count = self.stay.entry(why).or_default();
        *count = count.saturating_add(1);
    }

    fn went(&mut self, targets: &[Arc<Queue>]) {
        self.count = self.count.saturating_add(1);
        for target in targets {
            let count = self.to.entry(target.name().to_string()).or_default();
            *count = count.saturating_add(1);
        }
    }
}
