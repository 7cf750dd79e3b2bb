//! A queue and its store: what is asked of it once the queue's lock is left, and what it asks and tells.

use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tracing::error;

use super::totalling::Told;
use super::{Queue, QueueCore, State, read_clock};
use crate::message::Message;
use crate::place::{Home, JournalFile, Position, QueueId, SegmentNumber};
use crate::queue::core::{Dead, Due as Waking};
use crate::queue::ready::{AHEAD_BLOCKS, BLOCK_MAX_BYTES, RestoredBlock};
use crate::store::op::Group;
use crate::store::stored::{
    BlockPlace, Damage, KeyRecord, KeyRecords, OutBlock, Returns, SegmentState, Stored,
};
use crate::time::Time;
use crate::timer::{self, Due};

/// A queue tells the budget what it takes only in steps of at least this size, so that one with little never does...
const STEP_MIN_BYTES: u64 = 8 * 1024;
/// ...of this part of what it takes...
const STEP_PART: u64 = 8;
/// ...and of no more than this, in bytes.
const STEP_MAX_BYTES: u64 = BLOCK_MAX_BYTES as u64;

/// A queue with no more than this in memory, in bytes, does not ask to page out: small writes are for when nobody can make a
/// large one.
const KEPT_BYTES: u64 = (AHEAD_BLOCKS as u64 + 2) * BLOCK_MAX_BYTES as u64;

/// When a queue was just looked at, what is due next waits for so long, so that it is not looked at for each message.
const APART: Duration = Duration::from_millis(4);

/// What a queue has told its store.
pub(super) struct Paging {
    /// The bytes that the budget knows of.
    reported: u64,
    /// By how much it has to differ before the budget is told, in bytes.
    step: u64,
    /// Somebody was asked to page out and has not come yet.
    asked: bool,
    /// No more bytes than these are in memory: there is nothing to page out.
    above_bytes: u64,
    /// When the timer is to look at the queue, as far as it was told.
    looked_at: Time,
    /// When it did so last.
    did_at: Time,
    /// What it has told of what all queues hold.
    told: Told,
}

impl Default for Paging {
    fn default() -> Self {
        Self {
            reported: 0,
            step: STEP_MIN_BYTES,
            asked: false,
            above_bytes: KEPT_BYTES,
            looked_at: Time::NEVER,
            did_at: Time::default(),
            told: Told::default(),
        }
    }
}

impl Paging {
    /// When the timer is to be told to look at the queue, if it does not know.
    fn look_at(&mut self, core: &mut QueueCore) -> Option<Time> {
        let mut due = core.next_due();
        if due > self.did_at {
            due = due.max(self.did_at.plus(APART));
        }
        if due >= self.looked_at {
            return None;
        }
        self.looked_at = due;
        Some(due)
    }

    pub(super) fn told(&mut self) -> &mut Told {
        &mut self.told
    }

    /// The bytes that the budget knows of.
    pub(super) fn reported(&self) -> u64 {
        self.reported
    }
}

/// What is left to be done once the queue's lock is left.
pub(super) struct Work {
    loads: Vec<BlockPlace>,
    segments: Vec<(SegmentNumber, bool)>,
    page_out: bool,
    search: bool,
    dead: Vec<Dead>,
    gone: Vec<Position>,
    due: Vec<Waking>,
    look_at: Option<Time>,
}

impl Queue {
    /// What is left to be done after a change.
    #[inline]
    pub(super) fn work(&self, core: &mut QueueCore, paging: &mut Paging) -> Option<Work> {
        self.share.tell(core, &mut paging.told);
        let is_eventful = core.is_timed() || core.any_dead();
        if self.store.is_in_memory() && !is_eventful {
            return None;
        }
        self.work_there_is(core, paging)
    }

    fn work_there_is(&self, core: &mut QueueCore, paging: &mut Paging) -> Option<Work> {
        let look_at = if core.is_timed() { paging.look_at(core) } else { None };
        let (dead, gone, due) = (core.take_dead(), core.take_gone(), core.take_due());
        if self.store.is_in_memory() {
            return Some(Work {
                dead,
                gone,
                due,
                look_at,
                loads: Vec::new(),
                segments: Vec::new(),
                page_out: false,
                search: false,
            });
        }
        for asker in core.take_askers() {
            asker.recipient.loaded(asker.channel);
        }
        let memory = core.memory();
        let mut has_more = false;
        if memory.abs_diff(paging.reported) >= paging.step {
            has_more = memory > paging.reported;
            self.store.budget().add(memory.saturating_sub(paging.reported));
            self.store.budget().sub(paging.reported.saturating_sub(memory));
            paging.reported = memory;
            paging.step = (memory / STEP_PART).clamp(STEP_MIN_BYTES, STEP_MAX_BYTES);
        }
        let page_out = memory > paging.above_bytes && !paging.asked && self.store.budget().is_passed();
        paging.above_bytes = paging.above_bytes.min(memory.max(KEPT_BYTES));
        paging.asked |= page_out;
        let search = has_more && !paging.asked && self.store.budget().wants_search();
        let any_gone = !dead.is_empty() || !gone.is_empty() || !due.is_empty();
        let any = page_out || search || core.asks() || any_gone || look_at.is_some();
        any.then(|| Work {
            loads: core.take_loads(),
            segments: core.take_dead_segments(),
            page_out,
            search,
            dead,
            gone,
            due,
            look_at,
        })
    }

    /// Asks the store, with no lock held.
    pub(super) fn carry_out(&self, work: Option<Work>) {
        let Some(work) = work else { return };
        if !work.dead.is_empty() || !work.gone.is_empty() || !work.due.is_empty() {
            self.undertaker.stir();
        }
        let Work { loads, segments, page_out, search, dead, gone, due, look_at } = work;
        for place in loads {
            self.store.load(self.id, place);
        }
        if !segments.is_empty() {
            self.store.segments_dead(self.id, segments);
        }
        if page_out {
            self.store.page_out(self.id);
        }
        if search {
            self.store.search();
        }
        if let (Some(time), Some(me)) = (look_at, self.me.get()) {
            timer::at(time, Weak::<Self>::clone(me));
        }
        if !dead.is_empty() {
            self.bury(dead);
        }
        if !gone.is_empty()
            && let Some(undertaker) = self.undertaker.undertaker()
        {
            undertaker.settle(self.id, gone);
        }
        if !due.is_empty() {
            self.wake(due);
        }
    }

    /// Has those see to dead messages who can.
    fn bury(&self, dead: Vec<Dead>) {
        match (self.undertaker.undertaker(), self.me.get().and_then(Weak::upgrade)) {
            (Some(undertaker), Some(me)) => undertaker.bury(&me, dead),
            // Without any there is nowhere to go, and nothing is written.
            _ => self.left(&dead.iter().map(|dead| dead.key).collect::<Vec<_>>(), &mut Group::default()),
        }
    }

    /// What an earlier broker left in this queue: the position of the next message, below which position messages may
    /// have been delivered, blocks in segments, and how often messages in these were delivered. Before all else.
    pub fn restore(
        &self,
        next: Position,
        redelivered_below: Position,
        blocks: Vec<RestoredBlock>,
        returns: Vec<(Position, Returns)>,
    ) {
        let _gone = self.with(|core| {
            core.at(Time::now());
            core.restore(next, redelivered_below, blocks, returns);
        });
    }

    /// A message that an earlier broker left in this file of the journal. Cheapest in the order of the positions.
    pub fn push_restored(&self, position: Position, returns: Returns, file: JournalFile, message: Message) {
        let home = Home::Journal(file);
        let _gone = self.with(|core| core.push_restored(position, returns, home, message));
    }

    /// The position of the next message that is published.
    pub fn next(&self) -> Option<Position> {
        self.with(|core| core.next()).ok()
    }

    /// What the store is told, or asks for, of a queue that exists. A queue that failed is asked as well: what it has in the
    /// journal is not to be lost with it.
    pub(super) fn with_stored<R: Default>(&self, act: impl FnOnce(&mut QueueCore, &mut Paging) -> R) -> R {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State::Running(core, paging) = &mut *state else { return R::default() };
        read_clock(core);
        let result = act(core, paging);
        let work = self.work(core, paging);
        drop(state);
        self.carry_out(work);
        result
    }

    /// The places of the messages that wait by themselves, and not in a block.
    #[cfg(test)]
    pub(in crate::queue) fn single(&self) -> Vec<Position> {
        self.with_stored(|core, _| core.single_positions())
    }

    /// Gives what can be given now that something was read.
    fn deliver(&self, core: &mut QueueCore) {
        if let Some(me) = self.me.get().and_then(std::sync::Weak::upgrade)
            && !self.state.is_poisoned()
        {
            me.perform(core);
        }
    }
}

impl Due for Queue {
    fn due(self: Arc<Self>, asked: Time, now: Time) {
        let is_awaited = {
            let mut state = self.lock();
            let State::Running(_, paging) = &mut *state else { return };
            paging.looked_at == asked && !self.state.is_poisoned()
        };
        if is_awaited {
            self.do_due(now);
            self.undertaker.stir();
        }
    }
}

impl Queue {
    /// Does what is due, and asks to be told of what comes next.
    pub fn do_due(self: &Arc<Self>, now: Time) {
        let mut state = self.lock();
        let State::Running(core, paging) = &mut *state else { return };
        (paging.looked_at, paging.did_at) = (Time::NEVER, now);
        if self.journalled && self.undertaker.undertaker().is_none() {
            // What an earlier broker left is due already, and the one that starts is not there yet: it will look.
            return;
        }
        if core.is_over(now) {
            core.dissolve();
            self.end(&mut state, None);
            drop(state);
            if let Some(undertaker) = self.undertaker.undertaker() {
                undertaker.expired(self);
            }
            return;
        }
        core.at(now);
        core.expire(now);
        self.perform(core);
        self.share.tell(core, &mut paging.told);
        // Whatever was due is to be taken out, and only here is there any.
        let work = self.work_there_is(core, paging);
        drop(state);
        self.carry_out(work);
    }
}

impl Stored for Queue {
    fn id(&self) -> QueueId {
        self.id
    }

    fn name(&self) -> String {
        self.name.to_string()
    }

    fn unacked_memory(&self) -> u64 {
        self.with_stored(|core, _| core.unacked_memory())
    }

    fn outgoing(&self, keep: usize, bytes_max: usize) -> Vec<OutBlock> {
        self.with_stored(|core, paging| {
            // What is due soon stays.
            core.at(Time::now());
            let blocks = core.outgoing(keep, bytes_max);
            paging.asked = false;
            // Else one of which nothing may go would ask again and again.
            let leaving = blocks.iter().map(|block| block.bytes.len() as u64).fold(0, u64::saturating_add);
            paging.above_bytes = core.memory().saturating_sub(leaving).max(KEPT_BYTES);
            blocks
        })
    }

    fn idle_memory(&self) -> u64 {
        self.with_stored(|core, _| core.idle_memory())
    }

    fn outgoing_idle(&self, bytes_max: usize) -> Vec<OutBlock> {
        self.with_stored(|core, _| {
            core.at(Time::now());
            core.outgoing_idle(bytes_max)
        })
    }

    fn alive_through(&self, through: JournalFile) -> Vec<OutBlock> {
        self.with_stored(|core, _| core.alive_through(through))
    }

    fn stored(&self, block: &OutBlock, place: BlockPlace, evict: bool) {
        self.with_stored(|core, _| {
            core.stored(block, place, evict);
            self.deliver(core);
        });
    }

    fn carried(&self, block: &OutBlock, file: JournalFile) {
        self.with_stored(|core, _| core.carried(block, file));
    }

    fn segment_state(&self, segment: SegmentNumber) -> Option<SegmentState> {
        self.with_stored(|core, _| core.segment_state(segment))
    }

    fn uses_segment(&self, segment: SegmentNumber, journalled: bool) -> bool {
        self.with_stored(|core, _| core.uses_segment(segment, journalled))
    }

    fn stragglers(&self, segment: SegmentNumber) -> Vec<OutBlock> {
        self.with_stored(|core, _| core.stragglers(segment))
    }

    fn keys_through(&self, through: JournalFile) -> bool {
        self.stored_keys_through(through)
    }

    fn keys(
        &self,
        through: JournalFile,
        to: JournalFile,
        after: Option<KeyRecord>,
        max: usize,
    ) -> KeyRecords {
        self.stored_keys((through, to), after, max)
    }

    fn keys_recorded(&self, through: JournalFile) {
        self.stored_keys_recorded(through);
    }

    fn loaded(&self, place: BlockPlace, bytes: Result<Bytes, Damage>) {
        let lost = self.with_stored(|core, _| {
            let lost = core.loaded(place, bytes.as_ref()).err();
            self.deliver(core);
            lost
        });
        if let Some((messages, Damage(reason))) = lost {
            let segment = place.segment.0;
            let block = place.index;
            error!(queue = %self.name, messages, segment, block, "a block of messages cannot be read: {reason}");
        }
    }
}
