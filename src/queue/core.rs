//! The queue itself, pure: commands in, decisions out.
//!
//! Invariants: what was accepted is ready, unacked or settled, each exactly once; ready messages leave by position;
//! a consumer is never given more than its credit nor more than its recipient has room for.

use std::sync::Arc;

use super::consumers::{Consumer, Consumers, Turn};
use super::delivery::{Delivery, Recipient, SharedCredit, cost};
use super::id::{ConsumerKey, UnackedKey};
use super::options::QueueOptions;
use super::ready::{Entry, PACKED_MAX_BYTES, Position, Ready};
use super::unacked::Unacked;
use crate::message::Message;

/// What becomes of an unacked message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Done with.
    Discard,
    /// It goes back to its place and counts as delivered once more.
    Requeue,
    /// It goes back to its place as if it had never left: it was not sent.
    Unsent,
}

/// Whom a queue must ask to be told when it can go on.
pub enum Await {
    /// A recipient without room.
    Room(Arc<dyn Recipient>),
    /// A shared prefetch that is used up.
    Credit(Arc<dyn SharedCredit>),
}

/// Why a consumer is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExclusiveUse;

/// A queue without its lock.
#[derive(Default)]
pub struct QueueCore {
    ready: Ready,
    unacked: Unacked,
    consumers: Consumers,
    next: Position,
    staged: Vec<ConsumerKey>,
    awaits: Vec<Await>,
}

impl QueueCore {
    /// A queue without messages.
    pub fn new(options: &QueueOptions) -> Self {
        Self { consumers: Consumers::new(options.single_active_consumer), ..Self::default() }
    }

    /// The position of the next message that is published.
    pub fn next(&self) -> Position {
        self.next
    }

    /// How many messages are ready.
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Their size in bytes.
    pub fn ready_bytes(&self) -> u64 {
        self.ready.bytes()
    }

    /// How many messages are unacked.
    pub fn unacked(&self) -> usize {
        self.unacked.len()
    }

    /// How many consumers there are.
    pub fn consumers(&self) -> usize {
        self.consumers.len()
    }

    /// Whether a consumer that has credit cannot take more because its connection is behind.
    pub fn consumers_lag(&self) -> bool {
        self.consumers.any_awaits_room()
    }

    /// Takes a message: to a consumer at once when one can take it and nothing waits before it.
    pub fn publish(&mut self, message: Message) {
        let position = self.next;
        self.next = position.next();
        if self.ready.is_empty()
            && let Some(key) = self.choose(cost(&message))
        {
            return self.stage(key, Entry::new(position, message));
        }
        self.ready.push(position, message);
    }

    /// Gives ready messages to the consumers that can take them.
    pub fn deliver(&mut self) {
        while !self.ready.is_empty() {
            // The exact cost is known only once the message is unpacked, so room is asked for the smallest one first.
            let Some(key) = self.choose(1) else { break };
            let Some(entry) = self.ready.pop() else { break };
            if let Some(member) = self.consumers.get_mut(key) {
                member.consumer.recipient.charge(cost(&entry.message).saturating_sub(1));
            }
            self.stage(key, entry);
        }
    }

    /// Hands the decided deliveries to their recipients.
    pub fn hand_over(&mut self) {
        self.consumers.flush(&mut self.staged);
    }

    /// Whom to ask to be told when there is room or credit; the caller asks each once.
    pub fn take_awaits(&mut self) -> Option<Await> {
        self.awaits.pop()
    }

    /// Takes the first ready message for `basic.get`; with a key unless it counts as settled at once.
    pub fn get(&mut self, no_ack: bool) -> Option<(Entry, Option<UnackedKey>)> {
        let mut entry = self.ready.pop()?;
        if !no_ack {
            entry.message = kept(&entry.message);
        }
        let key = (!no_ack).then(|| self.unacked.insert(entry.clone(), None));
        Some((entry, key))
    }

    /// Settles what was delivered; unknown keys are passed over. Follow with [`Self::deliver`].
    pub fn settle(&mut self, keys: &[UnackedKey], settlement: Settlement) {
        for key in keys {
            let Some((mut entry, holder)) = self.unacked.remove(*key) else { continue };
            match settlement {
                Settlement::Discard => {}
                Settlement::Requeue => {
                    entry.deliveries = entry.deliveries.saturating_add(1);
                    entry.redelivered = true;
                    self.ready.give_back(entry);
                }
                Settlement::Unsent => self.ready.give_back(entry),
            }
            if let Some(holder) = holder {
                self.credit_back(holder);
            }
        }
    }

    /// Takes back a message that was on its way to a consumer that acknowledges automatically.
    pub fn give_back(&mut self, entry: Entry) {
        self.ready.give_back(entry);
    }

    /// Adds a consumer. Follow with [`Self::deliver`].
    pub fn consume(&mut self, consumer: Consumer) -> Result<ConsumerKey, ExclusiveUse> {
        let excludes = !self.consumers.is_empty() || self.consumers.is_single_active();
        if self.consumers.any_exclusive() || (consumer.exclusive && excludes) {
            return Err(ExclusiveUse);
        }
        Ok(self.consumers.add(consumer))
    }

    /// Gives a consumer no more, but keeps its place: no other one becomes the single active consumer yet.
    pub fn stop(&mut self, key: ConsumerKey) {
        self.consumers.stop(key);
    }

    /// Removes a consumer; what it holds stays unacked. Follow with [`Self::deliver`].
    pub fn cancel(&mut self, key: ConsumerKey) -> Option<Consumer> {
        self.consumers.remove(key)
    }

    /// Makes a consumer share a prefetch from now on, and gives how much of it the consumer already uses; nothing when it
    /// acknowledges automatically and so uses none.
    pub fn share_credit(&mut self, key: ConsumerKey, credit: Arc<dyn SharedCredit>) -> Option<u32> {
        let member = self.consumers.get_mut(key).filter(|member| !member.consumer.no_ack)?;
        member.consumer.shared_credit = Some(credit);
        Some(member.unacked)
    }

    /// A recipient has room again. Follow with [`Self::deliver`].
    pub fn room_made(&mut self, recipient: u64) {
        self.consumers.enter_turn_where(|member| {
            member.turn() == Turn::AwaitsRoom && member.consumer.recipient.id() == recipient
        });
    }

    /// A shared prefetch has credit again. Follow with [`Self::deliver`].
    pub fn credit_made(&mut self) {
        self.consumers.enter_turn_where(|member| member.turn() == Turn::AwaitsSharedCredit);
    }

    /// Drops the ready messages and gives their number.
    pub fn purge(&mut self) -> usize {
        self.ready.clear()
    }

    /// Drops everything and gives the consumers that must be told.
    pub fn dissolve(&mut self) -> Vec<Consumer> {
        self.ready = Ready::default();
        self.unacked = Unacked::default();
        self.consumers.remove_all()
    }

    /// The consumer whose turn it is and for which `bytes` could be reserved.
    fn choose(&mut self, bytes: usize) -> Option<ConsumerKey> {
        loop {
            let key = self.consumers.first()?;
            let member = self.consumers.get_mut(key)?;
            if !member.has_credit() {
                self.consumers.leave_turn(key, Turn::NoCredit);
                continue;
            }
            if !member.consumer.recipient.reserve(bytes) {
                self.awaits.push(Await::Room(member.consumer.recipient.clone()));
                self.consumers.leave_turn(key, Turn::AwaitsRoom);
                continue;
            }
            // After the room: another queue that misses what is given back here asks a recipient to be told, which is
            // emptied in any case, and not a credit, which nobody may come to settle.
            if let Some(credit) = &member.consumer.shared_credit
                && !credit.take()
            {
                member.consumer.recipient.unreserve(bytes);
                self.awaits.push(Await::Credit(credit.clone()));
                self.consumers.leave_turn(key, Turn::AwaitsSharedCredit);
                continue;
            }
            return Some(key);
        }
    }

    /// Gives an entry to a consumer that was chosen for it.
    fn stage(&mut self, key: ConsumerKey, mut entry: Entry) {
        let Some(member) = self.consumers.get_mut(key) else { return self.ready.give_back(entry) };
        let unacked = if member.consumer.no_ack {
            None
        } else {
            member.unacked = member.unacked.saturating_add(1);
            entry.message = kept(&entry.message);
            Some(self.unacked.insert(entry.clone(), Some(key)))
        };
        if member.staged.is_empty() {
            self.staged.push(key);
        }
        let Entry { position, message, deliveries, redelivered, .. } = entry;
        let slot = member.consumer.slot;
        member.staged.push(Delivery { message, position, unacked, slot, deliveries, redelivered });
        self.consumers.had_turn(key);
    }

    fn credit_back(&mut self, holder: ConsumerKey) {
        let Some(member) = self.consumers.get_mut(holder) else { return };
        member.unacked = member.unacked.saturating_sub(1);
        if member.turn() == Turn::NoCredit && member.has_credit() {
            self.consumers.enter_turn(holder);
        }
    }
}

/// A message that is to be kept for as long as a client likes, without the read buffer or the block that it is a slice
/// of. Larger ones have bytes of their own already.
fn kept(message: &Message) -> Message {
    if message.len() <= PACKED_MAX_BYTES { message.detached() } else { message.clone() }
}
