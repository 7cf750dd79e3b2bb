//! The queue itself, pure: commands in, decisions out.
//!
//! What becomes of journalled messages is written into the group of records that comes with a command.
//!
//! Invariants: what was accepted is ready, unacked or settled, each exactly once; ready messages leave by position;
//! a consumer is never given more than its credit nor more than its recipient has room for.

mod ages;
mod browsing;
mod counting;
mod deduplicating;
mod dying;
mod expiry;
mod getting;
mod grouped;
mod lateness;
mod lease;
mod returning;
mod scheduling;
mod standing;
mod storing;
mod waiting;

pub use ages::{AGES, Oldest, TimesInQueue};
pub use browsing::{Held, HeldBy, Removed, Room};
pub use deduplicating::{Coming, Once};
pub use dying::Dead;
pub use getting::{Asker, Taken};
pub use scheduling::{Due, Listed};

use std::sync::Arc;
use std::time::Duration;

use counting::Counting;
use dying::Staying;
use lateness::Deadlines;

use super::consumers::{Consumer, Consumers, HandedOver, Turn};
use super::death::Reason;
use super::deduplication::Keys;
use super::delivery::{Delivery, Recipient, SharedCredit, cost};
use super::groups::Groups;
use super::id::{ConsumerKey, QueueId, UnackedKey};
use super::options::QueueOptions;
use super::ready::{Entry, PACKED_MAX_BYTES, Position, Ready};
use super::terms::Terms;
use super::unacked::{Holder, Unacked};
use super::waiting::Waiting;
use crate::message::Message;
use crate::place::Home;
use crate::store::op::Group;
use crate::store::stored::BlockPlace;
use crate::time::Time;

/// What becomes of an unacked message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Settlement {
    /// Done with.
    Discard,
    /// Not wanted by its consumer: done with, unless there is somewhere for it to go.
    Reject,
    /// It failed with its consumer, or was lost with it: it goes back to its place and counts as delivered once more.
    Requeue,
    /// Its consumer gives it back as it is: it goes back to its place and counts as acquired once more, no more.
    Return,
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
#[allow(clippy::struct_excessive_bools, reason = "each spares a plain queue a look at what it does not have")]
pub struct QueueCore {
    id: QueueId,
    ready: Ready,
    unacked: Unacked,
    consumers: Consumers,
    next: Position,
    /// The highest priority that there is; 0 when there are none.
    max_priority: u8,
    terms: Arc<Terms>,
    /// The terms say nothing.
    is_plain: bool,
    /// Consumers are told how often a message came back.
    counts: bool,
    /// What happens depends on the time.
    reads_clock: bool,
    /// Deliveries may be late.
    times_deliveries: bool,
    /// When they are.
    deadlines: Deadlines,
    /// The time, as far as anything depends on it.
    now: Time,
    /// When somebody used it last, as far as that matters.
    used: Time,
    /// What came back and waits to be tried again.
    retrying: Waiting,
    /// What waits for a time.
    scheduled: Waiting,
    /// What of it is due, and nobody has taken yet.
    due: Vec<Due>,
    /// What is to leave, and nobody has taken yet.
    dead: Vec<Dead>,
    /// The places of messages that nobody needed to know to be leaving: that they are done with is still to be written.
    gone: Vec<Position>,
    /// What could not leave.
    staying: Staying,
    /// What has happened here.
    counting: Counting,
    staged: Vec<ConsumerKey>,
    awaits: Vec<Await>,
    askers: Vec<Asker>,
    /// Blocks that are wanted and not asked for yet.
    loads: Vec<BlockPlace>,
    /// Its message groups, when it was declared with them.
    groups: Option<Box<Groups>>,
    /// The keys that it knows, when a message is not to be taken twice.
    keys: Option<Box<Keys>>,
    /// How long messages waited here, once any was given to somebody.
    times_in_queue: Option<Box<ages::Times>>,
    times_untold: bool,
    /// There was more to look at than goes under one lock.
    goes_on: bool,
}

impl QueueCore {
    /// A queue without messages.
    pub fn new(id: QueueId, options: &QueueOptions) -> Self {
        Self {
            id,
            ready: Ready::default(),
            unacked: Unacked::default(),
            consumers: Consumers::new(options.single_active_consumer),
            next: Position::default(),
            max_priority: options.max_priority,
            terms: Arc::default(),
            is_plain: options.message_groups.is_none(),
            counts: false,
            reads_clock: false,
            times_deliveries: false,
            deadlines: Deadlines::default(),
            now: Time::default(),
            used: Time::default(),
            retrying: Waiting::default(),
            scheduled: Waiting::default(),
            due: Vec::new(),
            dead: Vec::new(),
            gone: Vec::new(),
            staying: Staying::default(),
            counting: Counting::default(),
            staged: Vec::new(),
            awaits: Vec::new(),
            askers: Vec::new(),
            loads: Vec::new(),
            groups: options.message_groups.as_ref().map(|groups| Box::new(Groups::new(groups))),
            keys: options.deduplication.map(|rules| Box::new(Keys::new(rules))),
            times_in_queue: None,
            times_untold: false,
            goes_on: false,
        }
    }

    /// Whether it has to be told [the time](Self::at) before anything is done.
    #[inline]
    pub fn reads_clock(&self) -> bool {
        self.reads_clock || self.may_be_overdue()
    }

    /// What follows happens at this time.
    pub fn at(&mut self, now: Time) {
        self.now = now;
    }

    /// The position of the next message that is published.
    pub fn next(&self) -> Position {
        self.next
    }

    /// How many messages are ready.
    pub fn ready(&self) -> usize {
        self.ready.len().saturating_add(self.parked())
    }

    /// Their size in bytes.
    pub fn ready_bytes(&self) -> u64 {
        self.ready.bytes().saturating_add(self.parked_bytes())
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

    /// Takes a message: to a consumer at once when one can take it and nothing waits before it. `false`: it is refused.
    #[inline]
    pub fn publish(&mut self, message: Message, home: Home) -> bool {
        if !self.is_plain {
            return self.publish_on_terms(message, home);
        }
        self.take(message, home);
        true
    }

    /// See [`Self::publish`].
    #[inline]
    fn take(&mut self, message: Message, home: Home) {
        let position = self.next;
        self.next = position.next();
        let level = self.level(&message);
        if self.ready.is_empty()
            && let Some(key) = self.choose(cost(&message))
        {
            return self.stage(key, Entry { home, level, ..Entry::new(position, message) });
        }
        let may_not_wait = !self.is_plain && self.terms.message_ttl == Some(Duration::ZERO);
        if may_not_wait || message.deadline() <= message.arrived() {
            return self.bury(Entry { home, level, ..Entry::new(position, message) }, Reason::Expired);
        }
        self.ready.push(level, position, message, home);
    }

    /// Which of the queue's priorities a message has.
    #[inline]
    fn level(&self, message: &Message) -> u8 {
        if self.max_priority == 0 {
            0
        } else {
            message.properties().priority().unwrap_or(0).min(self.max_priority)
        }
    }

    /// Gives ready messages to the consumers that can take them.
    pub fn deliver(&mut self) {
        if self.is_paused() {
            return;
        }
        if self.groups.is_some() {
            return self.deliver_grouped();
        }
        if self.may_be_overdue() {
            return self.deliver_in_time();
        }
        let mut wanted = false;
        let any_paged = self.ready.paged() > 0;
        while !self.ready.is_empty() {
            if any_paged && self.ready.head_is_paged() {
                wanted |= self.consumers.first().is_some();
                break;
            }
            // The exact cost is known only once the message is unpacked, so room is asked for the smallest one first.
            let Some(key) = self.choose(1) else { break };
            let Some(entry) = self.ready.pop() else { break };
            if let Some(member) = self.consumers.get_mut(key) {
                member.consumer.recipient.charge(cost(&entry.message).saturating_sub(1));
            }
            self.stage(key, entry);
            wanted = true;
        }
        if wanted && any_paged {
            self.ready.ask_ahead(&mut self.loads);
        }
    }

    /// Hands the decided deliveries to their recipients.
    pub fn hand_over(&mut self) {
        for at in 0..self.staged.len() {
            let Some(key) = self.staged.get(at) else { break };
            let HandedOver { count, no_ack, first } = self.consumers.hand_over(*key);
            self.counting.handed_over(count as u64, no_ack);
            self.waited(first, count);
        }
        self.staged.clear();
    }

    /// Whom to ask to be told when there is room or credit; the caller asks each once.
    pub fn take_awaits(&mut self) -> Option<Await> {
        self.awaits.pop()
    }

    /// Settles what was delivered; unknown keys are passed over. Follow with [`Self::deliver`]. Needs [the time](Self::at)
    /// if anything comes back.
    pub fn settle(&mut self, keys: &[UnackedKey], settlement: Settlement, group: &mut Group) {
        for key in keys {
            let Some((entry, holder)) = self.unacked.remove(*key) else { continue };
            let of = self.release(*key);
            match settlement {
                Settlement::Reject => self.reject(entry, group),
                Settlement::Discard => {
                    // What was sent to a consumer that acknowledges automatically is settled by its connection.
                    self.counting.ack += u64::from(holder != Holder::Automatic);
                    self.discard(&entry, group);
                }
                Settlement::Requeue => self.come_back(entry, true, of, group),
                Settlement::Return => self.come_back(entry, false, of, group),
                Settlement::Unsent => {
                    self.counting.unsent(holder, entry.redelivered);
                    self.put_back(entry, of);
                }
            }
            if let Some(groups) = &mut self.groups {
                groups.settled(of);
            }
            if let Holder::Consumer(holder) = holder {
                self.credit_back(holder);
            }
        }
    }

    /// Takes back a message that was on its way to a consumer that acknowledges automatically. Needs [the time](Self::at).
    pub fn give_back(&mut self, entry: Entry) {
        self.key_came_back(&entry);
        self.counting.unsent(Holder::Automatic, entry.redelivered);
        // Whoever had it did not know its priority here.
        let level = self.level(&entry.message);
        self.put_back(Entry { level, ..entry }, None);
    }

    /// Adds a consumer. Follow with [`Self::deliver`]. Needs [the time](Self::at).
    pub fn consume(&mut self, consumer: Consumer) -> Result<ConsumerKey, ExclusiveUse> {
        let excludes = !self.consumers.is_empty() || self.consumers.is_single_active();
        if self.consumers.any_exclusive() || (consumer.exclusive && excludes) {
            return Err(ExclusiveUse);
        }
        let key = self.consumers.add(consumer);
        self.look_at_clock();
        Ok(key)
    }

    /// Gives a consumer no more, but keeps its place: no other one becomes the single active consumer yet.
    pub fn stop(&mut self, key: ConsumerKey) {
        self.consumers.stop(key);
    }

    /// Removes a consumer; what it holds stays unacked. Follow with [`Self::deliver`].
    pub fn cancel(&mut self, key: ConsumerKey) -> Option<Consumer> {
        let removed = self.consumers.remove(key);
        self.look_at_clock();
        removed
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
        self.rouse(None);
    }

    /// A shared prefetch has credit again. Follow with [`Self::deliver`].
    pub fn credit_made(&mut self) {
        self.consumers.enter_turn_where(|member| member.turn() == Turn::AwaitsSharedCredit);
        self.rouse(None);
    }

    /// A message is done with.
    fn discard(&mut self, entry: &Entry, group: &mut Group) {
        self.key_left(entry.position);
        if entry.home.is_journalled() {
            group.settle(self.id, entry.position);
            self.ready.segments.leave(entry.home);
        }
    }

    /// Drops the ready messages and gives their number.
    pub fn purge(&mut self, group: &mut Group) -> usize {
        let parked = if self.groups.is_some() { self.purge_parked(group) } else { 0 };
        let kept = self.unacked.iter().map(|entry| entry.position);
        let kept = kept.chain(self.scheduled.positions()).chain(self.retrying.positions());
        let purged = self.ready.clear(self.id, kept, group).saturating_add(parked);
        self.keys_purged();
        purged
    }

    /// Drops everything and gives the consumers that must be told.
    pub fn dissolve(&mut self) -> Vec<Consumer> {
        self.ready = Ready::default();
        self.unacked = Unacked::default();
        self.retrying = Waiting::default();
        self.deadlines = Deadlines::default();
        self.scheduled = Waiting::default();
        self.groups = None;
        self.keys = None;
        self.loads = Vec::new();
        self.consumers.remove_all()
    }

    /// The consumer whose turn it is and for which `bytes` could be reserved.
    #[inline]
    fn choose(&mut self, bytes: usize) -> Option<ConsumerKey> {
        loop {
            let key = self.consumers.first()?;
            if self.reserve(key, bytes)? {
                return Some(key);
            }
        }
    }

    /// Takes credit and room of a consumer that has its turn; one that cannot leaves it. Nothing when there is no such
    /// consumer.
    #[inline]
    fn reserve(&mut self, key: ConsumerKey, bytes: usize) -> Option<bool> {
        let member = self.consumers.get_mut(key)?;
        if !member.has_credit() {
            self.consumers.leave_turn(key, Turn::NoCredit);
            return Some(false);
        }
        if !member.consumer.recipient.reserve(bytes) {
            self.awaits.push(Await::Room(member.consumer.recipient.clone()));
            self.consumers.leave_turn(key, Turn::AwaitsRoom);
            return Some(false);
        }
        // After the room: another queue that misses what is given back here asks a recipient to be told, which is
        // emptied in any case, and not a credit, which nobody may come to settle.
        if let Some(credit) = &member.consumer.shared_credit
            && !credit.take()
        {
            member.consumer.recipient.unreserve(bytes);
            self.awaits.push(Await::Credit(credit.clone()));
            self.consumers.leave_turn(key, Turn::AwaitsSharedCredit);
            return Some(false);
        }
        Some(true)
    }

    /// Gives an entry to a consumer that was chosen for it.
    fn stage(&mut self, key: ConsumerKey, mut entry: Entry) {
        let Some(member) = self.consumers.get_mut(key) else { return self.ready.give_back(entry) };
        entry.given = self.now;
        let unacked = if member.consumer.no_ack {
            // Until it is sent it must not be lost.
            entry.home.is_journalled().then(|| self.unacked.insert(entry.clone(), Holder::Automatic))
        } else {
            member.unacked = member.unacked.saturating_add(1);
            entry.message = kept(&entry.message);
            Some(self.unacked.insert(entry.clone(), Holder::Consumer(key)))
        };
        self.counting.staged_again += u64::from(entry.redelivered);
        if member.staged.is_empty() {
            self.staged.push(key);
        }
        let position = entry.position;
        member.staged.push(Delivery::new(entry, member.consumer.slot, unacked, self.counts));
        self.consumers.had_turn(key);
        if unacked.is_none() {
            self.key_left(position);
        }
        if self.times_deliveries
            && let Some(unacked) = unacked
        {
            self.time_delivery(unacked, key);
        }
    }

    fn credit_back(&mut self, holder: ConsumerKey) {
        let Some(member) = self.consumers.get_mut(holder) else { return };
        member.unacked = member.unacked.saturating_sub(1);
        if member.turn() == Turn::NoCredit && member.has_credit() {
            self.consumers.enter_turn(holder);
            self.rouse(Some(holder));
        }
    }
}

/// A message that is to be kept for as long as a client likes, without the read buffer or the block that it is a slice
/// of. Larger ones have bytes of their own already.
fn kept(message: &Message) -> Message {
    if message.len() <= PACKED_MAX_BYTES { message.detached() } else { message.clone() }
}
