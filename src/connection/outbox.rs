//! What waits to be sent on a connection: deliveries from queues, and notices.
//!
//! Any thread fills it, the connection's own drains it. It is a leaf: under its lock nothing else is locked. Its room is
//! bounded in bytes; a queue that finds none is entered in the waiting list in the same critical section in which
//! room would be made, so that no wake-up is lost.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use leveret_protocol::reply_code::ReplyCode;

use crate::queue::QueueId;
use crate::queue::delivery::{Delivery, Late, Recipient, Waiter, cost};
use crate::store::journal::Synced;

/// The deliveries that may wait, in bytes as [`cost`] counts them.
const ROOM_BYTES: i64 = 512 * 1024;

/// An outbox.
pub struct Outbox {
    id: u64,
    /// What is left of the room; below zero when a message was larger than that.
    room: AtomicI64,
    /// The connection is about to be closed: queues have nothing for it any more.
    is_ending: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    contents: Contents,
    /// Room that the deliveries take.
    taken: i64,
    waker: Option<Waker>,
    /// Of a task that takes nothing for now, but for being closed.
    close_waker: Option<Waker>,
}

/// What was taken out of an outbox.
#[derive(Default)]
pub struct Contents {
    /// Deliveries in their order.
    pub deliveries: Vec<Delivery>,
    /// What else is to be done, after the deliveries.
    pub notices: Vec<Notice>,
    /// Queues that found no room, to be pumped after all else.
    pub queues: Vec<Arc<dyn Waiter>>,
    /// Something was written, synced or read that the connection may wait for.
    pub store_went_on: bool,
}

/// What a connection is told.
#[derive(Debug)]
pub enum Notice {
    /// This queue of the consumer in this slot is gone.
    ConsumerGone(u32, QueueId),
    /// A delivery was not settled in time.
    Late(Late),
    /// What a get of this channel waits for was read, or will not come.
    Loaded(u16),
    /// No alarm is raised any more: whoever is blocked is to look again.
    AlarmsCleared,
    /// The user may do something else than before.
    RightsChanged,
    /// The connection is to be closed.
    Close(ReplyCode, String),
}

impl Contents {
    fn is_empty(&self) -> bool {
        self.deliveries.is_empty() && self.notices.is_empty() && self.queues.is_empty() && !self.store_went_on
    }

    /// Gives back memory that a burst left behind.
    pub fn shrink(&mut self) {
        const KEEP: usize = 16;
        if self.deliveries.capacity() > KEEP {
            self.deliveries = Vec::new();
        }
    }
}

impl Outbox {
    /// An empty outbox.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            room: AtomicI64::new(ROOM_BYTES),
            is_ending: AtomicBool::new(false),
            waiting: Mutex::default(),
        }
    }

    /// The connection is about to be closed: queues find no room from now on, and do not wait for any. What was delivered
    /// before stays.
    pub fn end(&self) {
        self.is_ending.store(true, Ordering::Release);
    }

    fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }

    /// Enters a notice.
    pub fn notify(&self, notice: Notice) {
        let mut waiting = self.lock();
        let close_waker = if matches!(notice, Notice::Close(..)) { waiting.close_waker.take() } else { None };
        waiting.contents.notices.push(notice);
        wake(waiting);
        if let Some(waker) = close_waker {
            waker.wake();
        }
    }

    /// The store went on with what the connection may wait for. Kept until it is taken, so that it does not matter whether
    /// the task sleeps just now.
    pub fn store_went_on(&self) {
        let mut waiting = self.lock();
        waiting.contents.store_went_on = true;
        wake(waiting);
    }

    /// Ready when the connection is to be closed: a client that reads nothing must not keep what it holds. Pending, with the
    /// task to be woken for that and for nothing else.
    pub fn poll_close(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut waiting = self.lock();
        if waiting.contents.notices.iter().any(|notice| matches!(notice, Notice::Close(..))) {
            return Poll::Ready(());
        }
        match &mut waiting.close_waker {
            Some(waker) => waker.clone_from(cx.waker()),
            empty => *empty = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Takes all that waits; `into` must be empty. Pending, with the task to be woken, when nothing does.
    pub fn poll_take(&self, cx: &mut Context<'_>, into: &mut Contents) -> Poll<()> {
        let mut waiting = self.lock();
        if waiting.contents.is_empty() {
            match &mut waiting.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                empty => *empty = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        }
        self.take_from(waiting, into);
        Poll::Ready(())
    }

    /// Takes all that waits; `into` must be empty.
    pub fn take(&self, into: &mut Contents) {
        self.take_from(self.lock(), into);
    }

    fn take_from(&self, mut waiting: MutexGuard<'_, Waiting>, into: &mut Contents) {
        std::mem::swap(&mut waiting.contents, into);
        let freed = std::mem::take(&mut waiting.taken);
        // Still under the lock: see `await_room`.
        self.room.fetch_add(freed, Ordering::AcqRel);
    }

    /// Gives back memory that a burst left behind.
    pub fn shrink(&self) {
        let mut waiting = self.lock();
        if waiting.contents.deliveries.is_empty() {
            waiting.contents.shrink();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(mut waiting: MutexGuard<'_, Waiting>) {
    let waker = waiting.waker.take();
    drop(waiting);
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX / 4)
}

impl Recipient for Outbox {
    fn id(&self) -> u64 {
        self.id
    }

    fn reserve(&self, bytes: usize) -> bool {
        if self.is_ending() {
            return false;
        }
        let before = self.room.fetch_sub(signed(bytes), Ordering::AcqRel);
        if before <= 0 {
            self.room.fetch_add(signed(bytes), Ordering::AcqRel);
        }
        before > 0
    }

    fn unreserve(&self, bytes: usize) {
        self.room.fetch_add(signed(bytes), Ordering::AcqRel);
    }

    fn has_room(&self) -> bool {
        self.room.load(Ordering::Acquire) > 0
    }

    fn overdrawn(&self) -> usize {
        usize::try_from(self.room.load(Ordering::Acquire).saturating_neg()).unwrap_or(0)
    }

    fn charge(&self, bytes: usize) {
        self.room.fetch_sub(signed(bytes), Ordering::AcqRel);
    }

    fn await_room(&self, queue: Arc<dyn Waiter>) -> bool {
        if self.is_ending() {
            return true;
        }
        let mut waiting = self.lock();
        if self.has_room() {
            return false;
        }
        let queues = &mut waiting.contents.queues;
        if queues.last().is_none_or(|last| last.id() != queue.id()) {
            queues.push(queue);
        }
        // Without a delivery in it the outbox would not be drained: room is held by those that are on their way.
        wake(waiting);
        true
    }

    fn deliver(&self, deliveries: &mut Vec<Delivery>) {
        let mut waiting = self.lock();
        let taken: i64 = deliveries.iter().map(|delivery| signed(cost(&delivery.message))).sum();
        waiting.taken = waiting.taken.saturating_add(taken);
        waiting.contents.deliveries.append(deliveries);
        wake(waiting);
    }

    fn consumer_gone(&self, slot: u32, queue: QueueId) {
        self.notify(Notice::ConsumerGone(slot, queue));
    }

    fn delivery_late(&self, late: Late) {
        self.notify(Notice::Late(late));
    }

    fn loaded(&self, channel: u16) {
        self.notify(Notice::Loaded(channel));
    }
}

impl Synced for Outbox {
    fn synced(&self) {
        self.store_went_on();
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
