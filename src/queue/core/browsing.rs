//! What an operator sees of the messages here, and takes out of their places.
//!
//! Looking changes nothing. What is taken out lies among the unacked messages, out of everybody's sight, until it
//! [has left](QueueCore::left) or is [put back](QueueCore::take_back): a checkpoint finds it, and a crash in between loses
//! nothing.

use std::time::Duration;

use super::{QueueCore, kept};
use crate::message::Message;
use crate::name::ConsumerTag;
use crate::place::Position;
use crate::queue::core::Listed;
use crate::queue::id::UnackedKey;
use crate::queue::ready::{Entry, Look, Mark, SINGLES_MAX, Seen};
use crate::queue::scheduled::ScheduledId;
use crate::queue::unacked::Holder;
use crate::queue::waiting::{Lies, Waiting};
use crate::store::stored::Returns;
use crate::time::Time;

/// A message that was taken out of its place.
#[derive(Clone, Debug)]
pub struct Removed {
    /// Where the queue keeps it until it has left.
    pub key: UnackedKey,
    /// The place that it had, and goes back to.
    pub position: Position,
    /// The message.
    pub message: Message,
}

/// An unacked message.
#[derive(Clone, Debug)]
pub struct Held {
    /// The number of the place where it lies until it is settled.
    pub number: u32,
    /// Its place in the queue.
    pub position: Position,
    /// The message.
    pub message: Message,
    /// How often it was given to somebody before and came back.
    pub returns: Returns,
    /// Whether it may have been given to a consumer before this time.
    pub redelivered: bool,
    /// Since when, about.
    pub given: Time,
    /// Who has it.
    pub by: HeldBy,
}

/// Who has an unacked message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldBy {
    /// A consumer.
    Consumer {
        /// Its tag; nothing when it was cancelled since.
        tag: Option<ConsumerTag>,
        /// Which recipient it belongs to.
        recipient: Option<u64>,
    },
    /// A `basic.get`.
    Get,
}

/// What a queue takes before something else leaves it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// So many messages.
    pub messages: u64,
    /// So many bytes of bodies.
    pub bytes: u64,
    /// Nothing waits here: what nobody takes leaves at once.
    pub leaves_at_once: bool,
}

impl QueueCore {
    /// The position that the next message will take.
    pub(in crate::queue) fn next_position(&self) -> Position {
        self.next
    }

    /// What may come without that anything else has to leave.
    pub fn room(&self) -> Room {
        let left = |max: Option<u64>, used: u64| max.map_or(u64::MAX, |max| max.saturating_sub(used));
        let (length, bytes) = self.length();
        Room {
            messages: left(self.terms.max_length, length),
            bytes: left(self.terms.max_length_bytes, bytes),
            leaves_at_once: self.terms.message_ttl == Some(Duration::ZERO) && self.consumers.is_empty(),
        }
    }

    /// The first part of what is ready from a mark on, or from the beginning, in which there is anything.
    pub fn look(&mut self, mark: Option<Mark>) -> Look {
        let mut mark = mark.unwrap_or(Mark { level: self.max_priority, from: Position(0) });
        loop {
            let mut look = self.ready.look(mark);
            if let Some(groups) = &mut self.groups {
                let keys: Vec<UnackedKey> = groups.parked_from(mark).take(SINGLES_MAX).collect();
                look.add_singles(keys.iter().filter_map(|key| self.unacked.get(*key).cloned()).collect());
            }
            match look.next().filter(|_| look.is_empty()) {
                Some(next) => mark = next,
                None => return look,
            }
        }
    }

    /// Unacked messages in no order: those in so many places from the `from`th on, and where others may follow.
    pub fn list_unacked(&self, from: u32, places: u32) -> (Vec<Held>, Option<u32>) {
        let (held, next) = self.unacked.held_from(from, places);
        let held = held.filter_map(|(number, entry, holder)| {
            let by = match holder {
                Holder::Consumer(key) => {
                    let consumer = self.consumers.get(key).map(|member| &member.consumer);
                    HeldBy::Consumer {
                        tag: consumer.map(|consumer| consumer.tag.clone()),
                        recipient: consumer.map(|consumer| consumer.recipient.id()),
                    }
                }
                Holder::Get => HeldBy::Get,
                _ => return None,
            };
            let Entry { position, message, returns, redelivered, given, .. } = entry.clone();
            Some(Held { number, position, message, returns, redelivered, given, by })
        });
        (held.collect(), next)
    }

    /// The first `max` messages that wait to be tried again, after `after` if that is said, as
    /// [`Self::list_scheduled`] gives them.
    pub fn list_retrying(&self, after: Option<ScheduledId>, max: usize) -> Vec<(ScheduledId, Listed)> {
        self.list_waiting(&self.retrying, after, max)
    }

    pub(super) fn list_waiting(
        &self,
        waiting: &Waiting,
        after: Option<ScheduledId>,
        max: usize,
    ) -> Vec<(ScheduledId, Listed)> {
        let listed = waiting.after(after).take(max);
        listed
            .filter_map(|(id, lies)| match lies {
                Lies::Here(key) => Some((id, Listed::Here(self.unacked.get(key)?.message.clone()))),
                Lies::OnDisk { place, first } => Some((id, Listed::OnDisk { place, first })),
            })
            .collect()
    }

    /// Takes ready messages that were seen out of their places, as far as they are still there and have not waited too
    /// long. Needs [the time](Self::at).
    pub fn take_out(&mut self, seen: &[&Seen]) -> Vec<Removed> {
        let waits_too_long = |seen: &&&Seen| !self.is_overdue(&seen.message);
        let seen: Vec<&Seen> = seen.iter().filter(waits_too_long).copied().collect();
        let mut taken = self.ready.take_out(seen.iter().copied());
        if let Some(groups) = &mut self.groups {
            let parked: Vec<UnackedKey> = seen.iter().filter_map(|seen| groups.parked_at(seen)).collect();
            taken.extend(parked.into_iter().filter_map(|key| self.take_parked(key)));
        }
        taken.into_iter().map(|entry| self.remove(entry)).collect()
    }

    fn remove(&mut self, mut entry: Entry) -> Removed {
        entry.message = kept(&entry.message);
        let (position, message) = (entry.position, entry.message.clone());
        Removed { key: self.unacked.insert(entry, Holder::Leaving), position, message }
    }

    /// Messages that were taken out do not leave after all: they go back to their places as if they had never left them.
    /// Follow with [`Self::deliver`]. Needs [the time](Self::at).
    pub fn take_back(&mut self, removed: impl IntoIterator<Item = UnackedKey>) {
        for key in removed {
            let Some((entry, _)) = self.unacked.remove(key) else { continue };
            let group = self.groups.as_mut().and_then(|groups| groups.look_at(&entry.message).0);
            self.put_back(entry, group);
        }
    }
}
