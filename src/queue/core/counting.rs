//! What a queue counts, in plain numbers: whoever does anything here has its lock.
//!
//! A delivery is counted when it is handed to its recipient. One that was not sent after all comes back; since what is told
//! must not fall, that is made up for by those that follow.

use std::sync::Arc;

use super::QueueCore;
use crate::count::{Ended, QueueCounts, QueueNumber};
use crate::queue::death::Reason;
use crate::queue::subscriber::Subscriber;
use crate::queue::terms::DeadLetter;
use crate::queue::unacked::Holder;

/// What a queue counts.
#[derive(Default)]
pub(super) struct Counting {
    publish: u64,
    deliver: u64,
    deliver_no_ack: u64,
    redeliver: u64,
    pub(super) ack: u64,
    /// Deliveries of messages that were given to somebody before, decided and not yet handed over.
    pub(super) staged_again: u64,
    /// Some of what was counted is to be made up for.
    owes: bool,
    /// What [`QueueCore::observe`] saw last.
    seen: u64,
    /// What most queues never have.
    rare: Option<Box<Rare>>,
}

#[derive(Default)]
struct Rare {
    /// The other numbers.
    counts: QueueCounts,
    owed: Owed,
    /// What of them was told, modulo 2^32.
    told: [u32; RARE.len()],
}

/// The other numbers, in the order of [`Rare::numbers`].
const RARE: [QueueNumber; 18] = [
    QueueNumber::Get,
    QueueNumber::GetNoAck,
    QueueNumber::GetEmpty,
    QueueNumber::DiskReads,
    QueueNumber::DiskWrites,
    QueueNumber::AtMostOnceExpired,
    QueueNumber::AtMostOnceRejected,
    QueueNumber::AtMostOnceMaxLength,
    QueueNumber::AtMostOnceDeliveryLimit,
    QueueNumber::AtLeastOnceExpired,
    QueueNumber::AtLeastOnceRejected,
    QueueNumber::AtLeastOnceMaxLength,
    QueueNumber::AtLeastOnceDeliveryLimit,
    QueueNumber::LettersTaken,
    QueueNumber::DroppedExpired,
    QueueNumber::DroppedRejected,
    QueueNumber::DroppedMaxLength,
    QueueNumber::DroppedDeliveryLimit,
];

impl Rare {
    fn numbers(&self) -> [u64; RARE.len()] {
        let QueueCounts { get, get_no_ack, get_empty, disk_reads, disk_writes, .. } = self.counts;
        let (at_most_once, dropped) = (&self.counts.at_most_once, &self.counts.dropped);
        let at_least_once = &self.counts.at_least_once;
        [
            get,
            get_no_ack,
            get_empty,
            disk_reads,
            disk_writes,
            at_most_once.expired,
            at_most_once.rejected,
            at_most_once.max_length,
            at_most_once.delivery_limit,
            at_least_once.expired,
            at_least_once.rejected,
            at_least_once.max_length,
            at_least_once.delivery_limit,
            self.counts.letters_taken,
            dropped.expired,
            dropped.rejected,
            dropped.max_length,
            dropped.delivery_limit,
        ]
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "modulo 2^32, of which no single change is a large part"
    )]
    fn tell(&mut self, mut tell: impl FnMut(QueueNumber, i64)) {
        let now = self.numbers().map(|number| number as u32);
        if now != self.told {
            for ((number, now), before) in RARE.into_iter().zip(now).zip(self.told) {
                tell(number, now.wrapping_sub(before).cast_signed().into());
            }
            self.told = now;
        }
    }
}

/// What was counted and is not to be: those that follow are not counted in its stead.
#[derive(Default)]
struct Owed {
    publish: u64,
    deliver: u64,
    deliver_no_ack: u64,
    redeliver: u64,
}

/// Adds to a number what is left of `more` once what is owed is taken off.
fn add(number: &mut u64, more: u64, owed: &mut u64) {
    let taken = more.min(*owed);
    *owed -= taken;
    *number += more - taken;
}

impl Counting {
    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    fn owed(&mut self) -> &mut Owed {
        self.owes = true;
        &mut self.rare().owed
    }

    /// Messages that are here already are about to be published.
    pub(super) fn comes_again(&mut self, messages: u64) {
        self.owed().publish += messages;
    }

    /// A message that was given to a holder was not sent.
    pub(super) fn unsent(&mut self, to: Holder, redelivered: bool) {
        let owed = self.owed();
        match to {
            Holder::Automatic => owed.deliver_no_ack += 1,
            Holder::Consumer(_) => owed.deliver += 1,
            Holder::Get | Holder::Retrying | Holder::Leaving | Holder::Scheduled | Holder::Parked => return,
        }
        owed.redeliver += u64::from(redelivered);
    }

    /// Messages were published.
    #[inline]
    fn published(&mut self, messages: u64) {
        match &mut self.rare {
            Some(rare) if self.owes => add(&mut self.publish, messages, &mut rare.owed.publish),
            _ => self.publish += messages,
        }
    }

    /// Deliveries were handed over.
    #[inline]
    pub(super) fn handed_over(&mut self, messages: u64, no_ack: bool) {
        let again = std::mem::take(&mut self.staged_again);
        let delivered = if no_ack { &mut self.deliver_no_ack } else { &mut self.deliver };
        match &mut self.rare {
            Some(rare) if self.owes => {
                let owed = if no_ack { &mut rare.owed.deliver_no_ack } else { &mut rare.owed.deliver };
                add(delivered, messages, owed);
                add(&mut self.redeliver, again, &mut rare.owed.redeliver);
            }
            _ => {
                *delivered += messages;
                self.redeliver += again;
            }
        }
    }

    /// A message was got.
    pub(super) fn got(&mut self, no_ack: bool, redelivered: bool) {
        self.redeliver += u64::from(redelivered);
        let counts = &mut self.rare().counts;
        if no_ack {
            counts.get_no_ack += 1;
        } else {
            counts.get += 1;
        }
    }

    /// A get found nothing.
    pub(super) fn got_nothing(&mut self) {
        self.rare().counts.get_empty += 1;
    }

    pub(super) fn read(&mut self, messages: u64) {
        self.rare().counts.disk_reads += messages;
    }

    pub(super) fn wrote(&mut self, messages: u64) {
        self.rare().counts.disk_writes += messages;
    }

    /// Messages left for this reason, to where dead messages go; nothing is nowhere.
    pub(super) fn ended(&mut self, messages: u64, reason: Reason, to: Option<&DeadLetter>) {
        let counts = &mut self.rare().counts;
        let Some(to) = to else { return add_to(&mut counts.dropped, messages, reason) };
        let ended = if to.at_least_once { &mut counts.at_least_once } else { &mut counts.at_most_once };
        add_to(ended, messages, reason);
    }

    /// All that they were to go to have these.
    pub(super) fn letters_taken(&mut self, messages: u64) {
        self.rare().counts.letters_taken += messages;
    }

    fn counts(&self) -> QueueCounts {
        let rare = self.rare.as_ref().map_or_else(QueueCounts::default, |rare| rare.counts);
        QueueCounts {
            publish: self.publish,
            deliver: self.deliver,
            deliver_no_ack: self.deliver_no_ack,
            redeliver: self.redeliver,
            ack: self.ack,
            ..rare
        }
    }
}

fn add_to(ended: &mut Ended, messages: u64, reason: Reason) {
    *match reason {
        Reason::Expired => &mut ended.expired,
        Reason::Rejected => &mut ended.rejected,
        Reason::MaxLength => &mut ended.max_length,
        Reason::DeliveryLimit => &mut ended.delivery_limit,
    } += messages;
}

impl QueueCore {
    /// Whether anything has happened here since this was last asked.
    pub fn observe(&mut self) -> bool {
        let QueueCounts { publish, deliver, deliver_no_ack, redeliver, ack, .. } = self.counts();
        let QueueCounts { get, get_no_ack, get_empty, disk_reads, disk_writes, .. } = self.counts();
        let held = (self.ready() as u64).rotate_left(20) ^ (self.unacked() as u64).rotate_left(40);
        let counted = [publish, deliver, deliver_no_ack, redeliver, ack, get, get_no_ack, get_empty];
        let counted = counted.into_iter().chain([disk_reads, disk_writes]).fold(0, u64::wrapping_add);
        let seen = counted ^ held;
        std::mem::replace(&mut self.counting.seen, seen) != seen
    }

    /// What it has counted.
    pub fn counts(&self) -> QueueCounts {
        self.counting.counts()
    }

    /// Of what it has counted, [`QueueCounts::deliver`], `deliver_no_ack`, `redeliver` and `ack`.
    #[inline]
    pub fn frequent_counts(&self) -> [u64; 4] {
        let Counting { deliver, deliver_no_ack, redeliver, ack, .. } = self.counting;
        [deliver, deliver_no_ack, redeliver, ack]
    }

    /// Tells by how much each of the other numbers has changed since this was told.
    #[inline]
    pub fn tell_rare_counts(&mut self, tell: impl FnMut(QueueNumber, i64)) {
        if let Some(rare) = &mut self.counting.rare {
            rare.tell(tell);
        }
    }

    /// Messages were published to it, so many of them journalled.
    pub fn count_published(&mut self, messages: usize, journalled: usize) {
        self.counting.published(messages as u64);
        if journalled > 0 {
            self.counting.wrote(journalled as u64);
        }
    }

    /// Messages are about to be published that are here already.
    pub fn count_again(&mut self, messages: usize) {
        self.counting.comes_again(messages as u64);
    }
}

impl QueueCore {
    /// The bodies of messages that clients are to settle, in bytes.
    pub fn unacked_bytes(&self) -> u64 {
        self.unacked.seen_bytes()
    }

    /// How many ready messages are in memory, and their bodies in bytes; those that are parked among them.
    pub fn ready_in_memory(&self) -> (u64, u64) {
        let (messages, bytes) = self.ready.in_memory();
        (messages.saturating_add(self.parked() as u64), bytes.saturating_add(self.parked_bytes()))
    }

    /// How many messages outlive the broker that are ready or unacked, and their bodies in bytes.
    pub fn journalled(&self) -> (u64, u64) {
        let (mut messages, mut bytes) = self.ready.journalled();
        for (entry, holder) in self.unacked.iter_held() {
            if entry.home.is_journalled()
                && matches!(holder, Holder::Consumer(_) | Holder::Get | Holder::Parked)
            {
                messages = messages.saturating_add(1);
                bytes = bytes.saturating_add(entry.message.body_len() as u64);
            }
        }
        (messages, bytes)
    }

    /// Whether a consumer could take a message at once.
    pub fn could_deliver(&self) -> bool {
        self.consumers.first().is_some()
    }

    /// Its consumers, as an operator sees them.
    pub fn subscribers(&self) -> Vec<Arc<Subscriber>> {
        self.consumers.iter().filter_map(|member| member.consumer.subscriber.clone()).collect()
    }
}
